/* Derivatives and batching of reads at indices: linear in the array, no derivative by the indices.
 * The transpose of a read adds into zeros. */
#include "autodiff/rule.h"

bool mica__indices_constant(mica_scope *s, const mica_node *n, const bool needed[], size_t first,
                            size_t count)
{
    bool asked = false;
    for (size_t i = first; i < first + count; i++) asked |= needed[i];
    if (!asked) return true;
    mica__error(s, MICA_EVALUE,
                "[%s] Cannot calculate VJP with respect to indices. Use stop_gradient on indices "
                "to stop gradients from being "
                "computed.",
                mica__prims[n->prim].name);
    return false;
}

/* The same read of the tangent. */
static void read_jvp(mica_scope *s, const mica_node *n, mica_array *const tangents[],
                     mica_array *results[])
{
    if (!T) return;
    mica_array **in = mica__scope_alloc(s, n->ninputs * sizeof *in);
    if (!in) return;
    memcpy(in, n->inputs, n->ninputs * sizeof *in);
    in[0] = T;
    mica__rebuild(s, n, in, NULL, results);
}

/* ---- gather ---- */

/* Cotangents are added where their slices came from. A slice shorter than its axis lies at the
 * axis' beginning. */
VJP_RULE(gather)
{
    const struct mica__gather_params *p = MICA_PARAMS(n, gather);
    size_t k = n->ninputs - 1;
    if (!mica__indices_constant(s, n, needed, 1, k) || !needed[0]) return;
    int64_t reached[MICA_MAX_NDIM], start[MICA_MAX_NDIM] = { 0 }, step[MICA_MAX_NDIM];
    for (int i = 0; i < X->ndim; i++) {
        reached[i] = p->slice_sizes.at[i];
        step[i] = 1;
    }
    for (int64_t i = 0; i < p->axes.n; i++) reached[p->axes.at[i]] = X->shape[p->axes.at[i]];
    mica_dims part = { X->ndim, reached };
    mica_array *zeros = mica__full(s, part, 0, (mica_dtype)X->dtype);
    mica_array *g =
        mica_scatter(s, zeros, (mica_arrays){ k, n->inputs + 1 }, C, p->axes, MICA_SCATTER_SUM);
    if (!g || mica__shape_equal(part, mica__dims_of(X))) {
        gradients[0] = g;
        return;
    }
    struct mica__slice_update_params u = {
        { X->ndim, start }, { X->ndim, step }, MICA_SCATTER_SET, 0
    };
    gradients[0] = mica__build(s, mica_prim_slice_update, &u, 2,
                               (mica_array *const[]){ mica__full_like(s, X, 0), g },
                               (mica_dtype)X->dtype, mica__dims_of(X));
}
JVP_RULE(gather)
{
    read_jvp(s, n, tangents, results);
}

/* All examples read at the same places: each slice takes the whole batch axis. */
static mica_array *gather_shared(mica_scope *s, const mica_node *n, mica_array *const in[],
                                 int64_t batch)
{
    const struct mica__gather_params *p = MICA_PARAMS(n, gather);
    int64_t axes[MICA_MAX_NDIM], sizes[MICA_MAX_NDIM + 1], shape[2 * MICA_MAX_NDIM + 2];
    int lead = p->axes.n ? Y->ndim : 0;
    struct mica__gather_params q = { mica__shifted(p->axes, axes),
                                     mica__prepend(batch, p->slice_sizes, 0, sizes), 0 };
    for (int i = 0; i < lead; i++) shape[i] = Y->shape[i];
    for (int64_t i = 0; i < q.slice_sizes.n; i++) shape[lead + i] = sizes[i];
    mica_array *r = mica__build(s, mica_prim_gather, &q, n->ninputs, in, (mica_dtype)X->dtype,
                                (mica_dims){ lead + q.slice_sizes.n, shape });
    return lead ? mica_moveaxis(s, r, lead, 0) : r;
}

/* Each example reads at places of its own: the index arrays take the batch axis; in a batched array
 * one more tells the example. */
static mica_array *gather_each(mica_scope *s, const mica_node *n, mica_array *const in[],
                               const bool batched[], int64_t batch)
{
    const struct mica__gather_params *p = MICA_PARAMS(n, gather);
    size_t k = n->ninputs - 1, extra = batched[0];
    mica_array **all = mica__scope_alloc(s, (k + 2) * sizeof *all);
    int64_t joint[MICA_MAX_NDIM + 1], axes[MICA_MAX_NDIM + 1], sizes[MICA_MAX_NDIM + 1],
        shape[2 * MICA_MAX_NDIM + 2];
    mica_dims indexed = mica__prepend(batch, mica__dims_of(Y), 0, joint);
    if (!all) return NULL;
    all[0] = in[0];
    if (extra) all[1] = mica__positions(s, indexed, 0);
    for (size_t i = 0; i < k; i++)
        all[1 + extra + i] = mica__with_batch(s, in[1 + i], batched[1 + i], batch);
    struct mica__gather_params q;
    mica__params_take(n, &q);
    if (extra) {
        q.axes = mica__prepend(0, p->axes, 1, axes);
        q.slice_sizes = mica__prepend(1, p->slice_sizes, 0, sizes);
    }
    for (int64_t i = 0; i < indexed.n; i++) shape[i] = joint[i];
    for (int64_t i = 0; i < q.slice_sizes.n; i++) shape[indexed.n + i] = q.slice_sizes.at[i];
    mica_array *r = mica__build(s, mica_prim_gather, &q, 1 + extra + k, all, (mica_dtype)X->dtype,
                                (mica_dims){ indexed.n + q.slice_sizes.n, shape });
    return extra ? mica__squeeze_axes(s, r, 1, &indexed.n) : r;
}

VMAP_RULE(gather)
{
    bool shared = true;
    for (uint32_t i = 1; i < n->ninputs; i++) shared &= !batched[i];
    return mica__batched_result(results, shared ? gather_shared(s, n, in, batch)
                                                : gather_each(s, n, in, batched, batch));
}

/* ---- along an axis; by class it batches ---- */

VJP_RULE(gather_axis)
{
    if (!mica__indices_constant(s, n, needed, 1, 1) || !needed[0]) return;
    struct mica__scatter_axis_params p = { .axis = MICA_PARAMS(n, gather_axis)->axis,
                                           .mode = MICA_SCATTER_SUM };
    gradients[0] = mica__build(s, mica_prim_scatter_axis, &p, 3,
                               (mica_array *const[]){ mica__full_like(s, X, 0), Y, C },
                               (mica_dtype)X->dtype, mica__dims_of(X));
}
JVP_RULE(gather_axis)
{
    read_jvp(s, n, tangents, results);
}

/* ---- a slice at a start that the data tell; batched in window.c ---- */

VJP_RULE(dynamic_slice)
{
    if (!mica__indices_constant(s, n, needed, 1, 1) || !needed[0]) return;
    struct mica__dynamic_slice_update_params p = { .axes = MICA_PARAMS(n, dynamic_slice)->axes };
    gradients[0] = mica__build(s, mica_prim_dynamic_slice_update, &p, 3,
                               (mica_array *const[]){ mica__full_like(s, X, 0), C, Y },
                               (mica_dtype)X->dtype, mica__dims_of(X));
}
JVP_RULE(dynamic_slice)
{
    read_jvp(s, n, tangents, results);
}
