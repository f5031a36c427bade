/* Derivatives and batching of writes: a copy of `a` in which updates are combined with what stands
   at some places. The places are given by indices (scatter, scatter_axis) or make a slice
   (slice_update, dynamic_slice_update); the derivatives need no more of them than to read there
   (`get`) and to write there (`put`).
   a: what is copied, u: the updates, y: the result; by mode

       SET        y = u at the places (the last of several), a elsewhere
       SUM        y = a + all u
       PROD       y = a * all u
       MAX, MIN   y = the extreme of a and all u: whoever equals it takes the whole cotangent */
#include "autodiff/rule.h"

static size_t slot_of_updates(const mica_node *n)
{
    return n->prim == mica_prim_scatter        ? n->ninputs - 1
           : n->prim == mica_prim_scatter_axis ? 2
                                               : 1;
}

static mica_scatter_mode mode_of(const mica_node *n)
{
    switch (n->prim) {
    case mica_prim_scatter: return (mica_scatter_mode)MICA_PARAMS(n, scatter)->mode;
    case mica_prim_scatter_axis: return (mica_scatter_mode)MICA_PARAMS(n, scatter_axis)->mode;
    case mica_prim_slice_update: return (mica_scatter_mode)MICA_PARAMS(n, slice_update)->mode;
    default: return MICA_SCATTER_SET;
    }
}

/* `base`, of a's shape, where `u`, of the updates' shape, is combined at the node's places. */
static mica_array *put(mica_scope *s, const mica_node *n, mica_array *base, mica_array *u,
                       mica_scatter_mode mode)
{
    if (!base || !u) return NULL;
    mica_array **in = mica__scope_alloc(s, n->ninputs * sizeof *in);
    if (!in) return NULL;
    memcpy(in, n->inputs, n->ninputs * sizeof *in);
    in[0] = base;
    in[slot_of_updates(n)] = u;
    struct mica__scatter_params scatter;
    struct mica__scatter_axis_params axis;
    struct mica__slice_update_params slice;
    const void *params = n->params;
    switch (n->prim) {
    case mica_prim_scatter:
        scatter =
            (struct mica__scatter_params){ .axes = MICA_PARAMS(n, scatter)->axes, .mode = mode };
        params = &scatter;
        break;
    case mica_prim_scatter_axis:
        axis = (struct mica__scatter_axis_params){ .axis = MICA_PARAMS(n, scatter_axis)->axis,
                                                   .mode = mode };
        params = &axis;
        break;
    case mica_prim_slice_update:
        slice = (struct mica__slice_update_params){ .start = MICA_PARAMS(n, slice_update)->start,
                                                    .step = MICA_PARAMS(n, slice_update)->step,
                                                    .mode = mode };
        params = &slice;
        break;
    default: break;
    }
    return mica__build(s, (mica_prim)n->prim, params, n->ninputs, in, (mica_dtype)base->dtype,
                       mica__dims_of(base));
}

/* What stands in `x`, of a's shape, at the node's places, in the updates' shape. */
static mica_array *get(mica_scope *s, const mica_node *n, mica_array *x)
{
    if (!x) return NULL;
    const mica_array *u = mica__input(n, slot_of_updates(n));
    mica_dtype dtype = (mica_dtype)x->dtype;
    switch (n->prim) {
    case mica_prim_scatter: {
        mica_dims axes = MICA_PARAMS(n, scatter)->axes;
        int64_t sizes[MICA_MAX_NDIM];
        for (int i = 0; i < x->ndim; i++) sizes[i] = x->shape[i];
        for (int64_t i = 0; i < axes.n; i++) sizes[axes.at[i]] = 1;
        return mica_gather(s, x, (mica_arrays){ n->ninputs - 2, n->inputs + 1 }, axes,
                           (mica_dims){ x->ndim, sizes });
    }
    case mica_prim_scatter_axis: {
        struct mica__gather_axis_params p = { .axis = MICA_PARAMS(n, scatter_axis)->axis };
        return mica__build(s, mica_prim_gather_axis, &p, 2,
                           (mica_array *const[]){ x, mica__input(n, 1) }, dtype, mica__dims_of(u));
    }
    case mica_prim_slice_update: {
        const struct mica__slice_update_params *p = MICA_PARAMS(n, slice_update);
        return mica__slice(s, x, p->start.at, p->step.at, u->shape);
    }
    default: {
        struct mica__dynamic_slice_params p = { .axes = MICA_PARAMS(n, dynamic_slice_update)->axes,
                                                .shape = mica__dims_of(u) };
        return mica__build(s, mica_prim_dynamic_slice, &p, 2,
                           (mica_array *const[]){ x, mica__input(n, 2) }, dtype, p.shape);
    }
    }
}

/* ---- what each update does ---- */

/* True for updates that no later one overwrites, in a shape that broadcasts to theirs; NULL where
   none can meet another. Found by writing the number of each update to its place. */
static mica_array *lasting(mica_scope *s, const mica_node *n)
{
    const mica_array *u = mica__input(n, slot_of_updates(n));
    if (n->prim == mica_prim_scatter_axis) {
        int64_t axis = MICA_PARAMS(n, scatter_axis)->axis;
        if (u->shape[axis] <= 1) return NULL;
        mica_array *number = mica__positions(s, mica__dims_of(u), axis);
        mica_array *zeros =
            number ? mica__full(s, mica__dims_of(X), 0, (mica_dtype)number->dtype) : NULL;
        return mica_equal(s, get(s, n, put(s, n, zeros, number, MICA_SCATTER_SET)), number);
    }
    if (n->prim != mica_prim_scatter) return NULL;
    mica_dims axes = MICA_PARAMS(n, scatter)->axes;
    int64_t count = axes.n ? Y->size : 1, base[MICA_MAX_NDIM], shape[MICA_MAX_NDIM];
    if (count <= 1) return NULL;
    for (int i = 0; i < X->ndim; i++) base[i] = 1; /* one number a slice */
    for (int64_t i = 0; i < axes.n; i++) base[axes.at[i]] = X->shape[axes.at[i]];
    for (int i = 0; i < u->ndim; i++) shape[i] = i < Y->ndim ? Y->shape[i] : 1;
    mica_array *number = mica__reshape(s, mica__positions(s, MICA_SHAPE(count), 0), u->ndim, shape);
    mica_array *zeros =
        number ? mica__full(s, (mica_dims){ X->ndim, base }, 0, (mica_dtype)number->dtype) : NULL;
    return mica_equal(s, get(s, n, put(s, n, zeros, number, MICA_SCATTER_SET)), number);
}

/* dy/du of a product: what it is multiplied with. Without the zeros the product can be divided;
 * with one zero at a place only that update counts. */
static mica_array *product_of_others(mica_scope *s, const mica_node *n)
{
    mica_array *u = mica__input(n, slot_of_updates(n)), *zero = mica_equal(s, u, NUM(0));
    mica_array *count = get(s, n,
                            put(s, n, mica__full_like(s, X, 0),
                                mica__cast(s, zero, (mica_dtype)X->dtype), MICA_SCATTER_SUM));
    mica_array *rest = mica__replaced(s, zero, 1, u),
               *product = get(s, n, put(s, n, X, rest, MICA_SCATTER_PROD));
    mica_array *none = mica_equal(s, count, NUM(0)),
               *only = mica_logical_and(s, zero, mica_equal(s, count, NUM(1)));
    return mica_where(s, none, mica_divide(s, product, rest), mica__kept(s, only, product));
}

/* dy/da of a product. */
static mica_array *product_of_updates(mica_scope *s, const mica_node *n)
{
    return put(s, n, mica__full_like(s, X, 1), mica__input(n, slot_of_updates(n)),
               MICA_SCATTER_PROD);
}

static void write_vjp(mica_scope *s, const mica_node *n, mica_array *c, const bool needed[],
                      mica_array *gradients[])
{
    size_t slot = slot_of_updates(n);
    for (size_t i = 1; i < n->ninputs; i++)
        if (i != slot && !mica__indices_constant(s, n, needed, i, 1)) return;
    mica_array *u = mica__input(n, slot), *a = X, *ga = c, *gu = needed[slot] ? get(s, n, c) : NULL;
    switch (mode_of(n)) {
    case MICA_SCATTER_SET: {
        if (needed[0]) ga = put(s, n, c, mica__full_like(s, u, 0), MICA_SCATTER_SET);
        mica_array *last = gu ? lasting(s, n) : NULL;
        if (last) gu = mica__kept(s, last, gu);
        break;
    }
    case MICA_SCATTER_SUM: break;
    case MICA_SCATTER_PROD:
        if (needed[0]) ga = mica_multiply(s, c, mica__conjugated(s, product_of_updates(s, n)));
        if (gu) gu = mica_multiply(s, gu, mica__conjugated(s, product_of_others(s, n)));
        break;
    default:
        if (needed[0]) ga = mica__kept(s, mica_equal(s, a, OUTPUT), c);
        if (gu) gu = mica__kept(s, mica_equal(s, u, get(s, n, OUTPUT)), gu);
        break;
    }
    if (needed[0]) gradients[0] = mica__cast(s, ga, (mica_dtype)a->dtype);
    if (gu) gradients[slot] = mica__cast(s, gu, (mica_dtype)u->dtype);
}

static void write_jvp(mica_scope *s, const mica_node *n, mica_array *const tangents[],
                      mica_array *results[])
{
    size_t slot = slot_of_updates(n);
    mica_array *u = mica__input(n, slot), *a = X;
    if (!tangents[0] && !tangents[slot]) return;
    mica_array *ta = tangents[0] ? tangents[0] : mica__full_like(s, a, 0);
    mica_array *tu = tangents[slot] ? tangents[slot] : mica__full_like(s, u, 0);
    mica_scatter_mode mode = mode_of(n);
    switch (mode) {
    case MICA_SCATTER_SET:
    case MICA_SCATTER_SUM: results[0] = put(s, n, ta, tu, mode); break;
    case MICA_SCATTER_PROD:
        ta = mica__cast(s, mica_multiply(s, ta, product_of_updates(s, n)), (mica_dtype)a->dtype);
        tu = mica__cast(s, mica_multiply(s, tu, product_of_others(s, n)), (mica_dtype)a->dtype);
        results[0] = put(s, n, ta, tu, MICA_SCATTER_SUM);
        break;
    default:
        ta = mica__kept(s, mica_equal(s, a, OUTPUT), ta);
        tu = mica__kept(s, mica_equal(s, u, get(s, n, OUTPUT)), tu);
        results[0] = put(s, n, ta, tu, MICA_SCATTER_SUM);
        break;
    }
}

VJP_RULE(scatter)
{
    write_vjp(s, n, C, needed, gradients);
}
JVP_RULE(scatter)
{
    write_jvp(s, n, tangents, results);
}
VJP_RULE(scatter_axis)
{
    write_vjp(s, n, C, needed, gradients);
}
JVP_RULE(scatter_axis)
{
    write_jvp(s, n, tangents, results);
}
VJP_RULE(slice_update)
{
    write_vjp(s, n, C, needed, gradients);
}
JVP_RULE(slice_update)
{
    write_jvp(s, n, tangents, results);
}
VJP_RULE(dynamic_slice_update)
{
    write_vjp(s, n, C, needed, gradients);
}
JVP_RULE(dynamic_slice_update)
{
    write_jvp(s, n, tangents, results);
}

/* ---- batches; scatter_axis goes by class, dynamic_slice_update in window.c ---- */

/* All examples write at the same places: each update's slice takes the whole batch axis, which
 * stands behind the indices' axes. */
static mica_array *scatter_shared(mica_scope *s, const mica_node *n, mica_array *const in[])
{
    const struct mica__scatter_params *p = MICA_PARAMS(n, scatter);
    int64_t axes[MICA_MAX_NDIM];
    struct mica__scatter_params q = { mica__shifted(p->axes, axes), p->mode, 0 };
    mica_array **all = mica__scope_alloc(s, n->ninputs * sizeof *all);
    if (!all || !in[0]) return NULL;
    memcpy(all, in, n->ninputs * sizeof *all);
    int lead = p->axes.n ? Y->ndim : 0;
    if (lead) all[n->ninputs - 1] = mica_moveaxis(s, in[n->ninputs - 1], 0, lead);
    return mica__build(s, mica_prim_scatter, &q, n->ninputs, all, (mica_dtype)X->dtype,
                       mica__dims_of(in[0]));
}

/* Each example writes at places of its own: one index array more tells the example. */
static mica_array *scatter_each(mica_scope *s, const mica_node *n, mica_array *const in[],
                                const bool batched[], int64_t batch)
{
    const struct mica__scatter_params *p = MICA_PARAMS(n, scatter);
    size_t k = n->ninputs - 2;
    mica_array **all = mica__scope_alloc(s, (k + 3) * sizeof *all);
    int64_t joint[MICA_MAX_NDIM + 1], axes[MICA_MAX_NDIM + 1];
    mica_dims indexed = mica__prepend(batch, mica__dims_of(Y), 0, joint);
    if (!all || !in[0]) return NULL;
    all[0] = in[0];
    all[1] = mica__positions(s, indexed, 0);
    for (size_t i = 0; i < k; i++)
        all[2 + i] = mica__with_batch(s, in[1 + i], batched[1 + i], batch);
    all[2 + k] = mica_expand_dims(s, in[1 + k], MICA_AXES(indexed.n));
    struct mica__scatter_params q = { mica__prepend(0, p->axes, 1, axes), p->mode, 0 };
    return mica__build(s, mica_prim_scatter, &q, k + 3, all, (mica_dtype)X->dtype,
                       mica__dims_of(in[0]));
}

VMAP_RULE(scatter)
{
    size_t last = n->ninputs - 1;
    mica_array **full = mica__scope_alloc(s, n->ninputs * sizeof *full);
    if (!full) return false;
    memcpy(full, in, n->ninputs * sizeof *full);
    full[0] = mica__with_batch(s, in[0], batched[0], batch);
    full[last] = mica__with_batch(s, in[last], batched[last], batch);
    bool shared = true;
    for (size_t i = 1; i < last; i++) shared &= !batched[i];
    return mica__batched_result(results, shared ? scatter_shared(s, n, full)
                                                : scatter_each(s, n, full, batched, batch));
}

VMAP_RULE(slice_update)
{
    const struct mica__slice_update_params *p = MICA_PARAMS(n, slice_update);
    int64_t start[MICA_MAX_NDIM + 1], step[MICA_MAX_NDIM + 1];
    struct mica__slice_update_params q = { mica__prepend(0, p->start, 0, start),
                                           mica__prepend(1, p->step, 0, step), p->mode, 0 };
    mica_array *full[2] = { mica__with_batch(s, in[0], batched[0], batch),
                            mica__with_batch(s, in[1], batched[1], batch) };
    if (!full[0] || !full[1]) return false;
    return mica__batched_result(results, mica__build(s, mica_prim_slice_update, &q, 2, full,
                                                     (mica_dtype)X->dtype, mica__dims_of(full[0])));
}

/* ---- masks ---- */

/* For each element of a, flat (behind the batch axis, if there is one): whether source fills it,
 * and from which place; 0 where it does not. */
typedef struct filling {
    mica_array *mask, *place;
} filling;

static filling filling_of(mica_scope *s, mica_array *mask, const mica_array *a, bool in_batch)
{
    filling f = { 0 };
    if (!mask) return f;
    int64_t shape[MICA_MAX_NDIM], flat[2] = { in_batch ? a->shape[0] : 1, 1 };
    for (int i = 0; i < a->ndim; i++) shape[i] = i < mask->ndim ? mask->shape[i] : 1;
    int axis = in_batch ? 1 : 0;
    flat[axis] = 1;
    for (int i = axis; i < a->ndim; i++) flat[axis] *= a->shape[i];
    mica_array *each =
        mica__broadcast_to(s, mica__reshape(s, mask, a->ndim, shape), mica__dims_of(a));
    f.mask = mica__reshape(s, each, axis + 1, flat);
    f.place = mica_cumsum(s, f.mask, axis, false, false,
                          flat[axis] <= INT32_MAX ? MICA_INT32 : MICA_INT64);
    f.place = mica_where(s, f.mask, f.place, mica_integer(s, 0));
    return f;
}

/* a takes the cotangent outside of the mask, source that under it, in order. */
VJP_RULE(masked_scatter)
{
    filling f = filling_of(s, Y, X, false);
    if (!f.place || !C) return;
    mica_array *c = mica__reshape(s, C, 1, &X->size), *source = mica__input(n, 2);
    if (needed[0])
        gradients[0] = mica__reshape(s, mica__replaced(s, f.mask, 0, c), X->ndim, X->shape);
    if (!needed[2] || source->size == 0) return;
    struct mica__scatter_axis_params p = { .axis = 0, .mode = MICA_SCATTER_SUM };
    mica_array *zeros = mica__full(s, MICA_SHAPE(source->size), 0, (mica_dtype)source->dtype);
    mica_array *g = mica__build(s, mica_prim_scatter_axis, &p, 3,
                                (mica_array *const[]){ zeros, f.place, mica__kept(s, f.mask, c) },
                                (mica_dtype)source->dtype, MICA_SHAPE(source->size));
    gradients[2] = mica__reshape(s, g, source->ndim, source->shape);
}
JVP_RULE(masked_scatter)
{
    if (!tangents[0] && !tangents[2]) return;
    mica_array *in[3] = { tangents[0] ? tangents[0] : mica__full_like(s, X, 0), Y,
                          tangents[2] ? tangents[2] : mica__full_like(s, mica__input(n, 2), 0) };
    mica__rebuild(s, n, in, NULL, results);
}
/* Masks choose different numbers of elements in each example: every element looks up its place in
 * the source. */
VMAP_RULE(masked_scatter)
{
    mica_array *full[3];
    for (int i = 0; i < 3; i++)
        if (!(full[i] = mica__with_batch(s, in[i], batched[i], batch))) return false;
    if (mica__input(n, 2)->size == 0) return mica__batched_result(results, full[0]);
    filling f = filling_of(s, full[1], full[0], true);
    mica_array *source =
        mica__reshape(s, full[2], 2, (const int64_t[]){ batch, mica__input(n, 2)->size });
    if (!f.place || !source) return false;
    struct mica__gather_axis_params p = { .axis = 1 };
    mica_array *filler =
        mica__build(s, mica_prim_gather_axis, &p, 2, (mica_array *const[]){ source, f.place },
                    (mica_dtype)X->dtype, mica__dims_of(f.place));
    mica_array *flat = mica__reshape(s, full[0], 2, f.place->shape);
    return mica__batched_result(results, mica__reshape(s, mica_where(s, f.mask, filler, flat),
                                                       full[0]->ndim, full[0]->shape));
}
