/* Derivatives and batching of fused operations. Reverse mode has kernels of its own, batches go
   into leading axes. All else is rare and goes through a composition (fast.h). */
#include "autodiff/fast.h"

/* The same node for a batch: each input and output with one more axis in front, but for those of
 * `whole`. */
static bool vmap_in_place(mica_scope *s, const mica_node *n, mica_array *const in[],
                          const bool batched[], int64_t batch, const bool whole[],
                          mica_array *results[])
{
    mica_array *full[MICA_FAST_INPUTS];
    int64_t sizes[4][MICA_MAX_NDIM + 1];
    mica_dims shapes[4];
    mica_dtype dtypes[4];
    for (uint32_t i = 0; i < n->ninputs; i++)
        full[i] = whole[i] ? in[i] : mica__with_batch(s, in[i], batched[i], batch);
    for (size_t i = 0; i < n->noutputs; i++) {
        sizes[i][0] = batch;
        for (int k = 0; k < n->out[i].ndim; k++) sizes[i][k + 1] = n->out[i].shape[k];
        shapes[i] = (mica_dims){ n->out[i].ndim + 1, sizes[i] };
        dtypes[i] = (mica_dtype)n->out[i].dtype;
    }
    return mica__build_many(s, (mica_prim)n->prim, n->params, n->ninputs, full, n->noutputs, dtypes,
                            shapes, results);
}

/* ---- normalisations ---- */

/* inputs x, weight, bias as present; `passed`: how many of them the derivative's kernel takes. */
static void vjp_norm(mica_scope *s, const mica_node *n, mica_prim prim, size_t passed,
                     mica_array *cotangent, const bool needed[], mica_array *gradients[])
{
    mica_array *in[3] = { n->inputs[0], n->inputs[passed > 1 ? 1 : 0], NULL }, *out[3];
    in[passed] = mica__cast(s, cotangent, (mica_dtype)n->out[0].dtype);
    mica_dtype dtypes[3];
    mica_dims shapes[3];
    for (uint32_t i = 0; i < n->ninputs; i++) {
        dtypes[i] = (mica_dtype)n->inputs[i]->dtype;
        shapes[i] = mica__dims_of(n->inputs[i]);
    }
    if (!mica__build_many(s, prim, n->params, passed + 1, in, n->ninputs, dtypes, shapes, out))
        return;
    for (uint32_t i = 0; i < n->ninputs; i++)
        if (needed[i]) gradients[i] = out[i];
}

void mica__vjp_rms_norm(mica_scope *s, const mica_node *n, mica_array *const cotangents[],
                        const bool needed[], mica_array *gradients[])
{
    vjp_norm(s, n, mica_prim_rms_norm_vjp, n->ninputs, cotangents[0], needed, gradients);
}

void mica__vjp_layer_norm(mica_scope *s, const mica_node *n, mica_array *const cotangents[],
                          const bool needed[], mica_array *gradients[])
{
    const struct mica__layer_norm_params *p = n->params;
    vjp_norm(s, n, mica_prim_layer_norm_vjp, 1u + (size_t)p->weighted, cotangents[0], needed,
             gradients);
}

/* Rows of x alone carry the batch. */
static bool vmap_rows(mica_scope *s, const mica_node *n, mica_array *const in[],
                      const bool batched[], int64_t batch, mica_array *results[])
{
    const bool whole[MICA_FAST_INPUTS] = { false, true, true };
    for (uint32_t i = 1; i < n->ninputs; i++)
        if (batched[i]) return mica__vmap_composed(s, n, in, batched, batch, results);
    return vmap_in_place(s, n, in, batched, batch, whole, results);
}
bool mica__vmap_rms_norm(mica_scope *s, const mica_node *n, mica_array *const in[],
                         const bool batched[], int64_t batch, mica_array *results[])
{
    return vmap_rows(s, n, in, batched, batch, results);
}
bool mica__vmap_layer_norm(mica_scope *s, const mica_node *n, mica_array *const in[],
                           const bool batched[], int64_t batch, mica_array *results[])
{
    return vmap_rows(s, n, in, batched, batch, results);
}

/* Without weight and bias a derivative goes by rows; with them, each example has sums of its own.
 */
static bool vmap_norm_vjp(mica_scope *s, const mica_node *n, mica_array *const in[],
                          const bool batched[], int64_t batch, mica_array *results[])
{
    const bool whole[MICA_FAST_INPUTS] = { false };
    if (n->noutputs > 1) return mica__vmap_composed(s, n, in, batched, batch, results);
    return vmap_in_place(s, n, in, batched, batch, whole, results);
}
bool mica__vmap_rms_norm_vjp(mica_scope *s, const mica_node *n, mica_array *const in[],
                             const bool batched[], int64_t batch, mica_array *results[])
{
    return vmap_norm_vjp(s, n, in, batched, batch, results);
}
bool mica__vmap_layer_norm_vjp(mica_scope *s, const mica_node *n, mica_array *const in[],
                               const bool batched[], int64_t batch, mica_array *results[])
{
    return vmap_norm_vjp(s, n, in, batched, batch, results);
}

#define BY_COMPOSITION(prim)                                                                       \
    void mica__jvp_##prim(mica_scope *s, const mica_node *n, mica_array *const tangents[],         \
                          mica_array *results[])                                                   \
    {                                                                                              \
        mica__jvp_composed(s, n, tangents, results);                                               \
    }
#define DERIVATIVE_BY_COMPOSITION(prim)                                                            \
    BY_COMPOSITION(prim)                                                                           \
    void mica__vjp_##prim(mica_scope *s, const mica_node *n, mica_array *const cotangents[],       \
                          const bool needed[], mica_array *gradients[])                            \
    {                                                                                              \
        mica__vjp_composed(s, n, cotangents, needed, gradients);                                   \
    }
BY_COMPOSITION(rms_norm)
BY_COMPOSITION(layer_norm)
BY_COMPOSITION(attention)
DERIVATIVE_BY_COMPOSITION(rms_norm_vjp)
DERIVATIVE_BY_COMPOSITION(layer_norm_vjp)
DERIVATIVE_BY_COMPOSITION(attention_vjp)

/* ---- rotary embedding: linear in x, and its own inverse's transpose ---- */

void mica__vjp_rope(mica_scope *s, const mica_node *n, mica_array *const cotangents[],
                    const bool needed[], mica_array *gradients[])
{
    if (n->ninputs > 2 && needed[2]) {
        const bool only[3] = { false, false, true };
        mica__vjp_composed(s, n, cotangents, only, gradients);
    }
    if (!needed[0]) return;
    struct mica__rope_params p;
    mica__params_take(n, &p);
    p.inverse = !p.inverse;
    mica_array *in[3] = { mica__cast(s, cotangents[0], (mica_dtype)n->out[0].dtype), n->inputs[1],
                          n->ninputs > 2 ? n->inputs[2] : NULL };
    gradients[0] = mica__rebuild_as(s, n, in, &p, mica__dims_of(&n->out[0]));
}

void mica__jvp_rope(mica_scope *s, const mica_node *n, mica_array *const tangents[],
                    mica_array *results[])
{
    if (n->ninputs > 2 && tangents[2]) {
        mica__jvp_composed(s, n, tangents, results);
        return;
    }
    mica_array *in[3] = { tangents[0], n->inputs[1], n->ninputs > 2 ? n->inputs[2] : NULL };
    if (in[0]) results[0] = mica__rebuild_as(s, n, in, NULL, mica__dims_of(&n->out[0]));
}

/* An offset for each example and batch: both axes become one. */
static bool vmap_offsets(mica_scope *s, const mica_node *n, mica_array *const in[],
                         const bool batched[], int64_t batch, mica_array *results[])
{
    const mica_array *x = n->inputs[0];
    int64_t shape[MICA_MAX_NDIM + 1], pairs = batch * x->shape[0];
    mica_array *all = mica__with_batch(s, in[0], batched[0], batch),
               *offsets = mica__with_batch(s, in[1], batched[1], batch);
    for (int i = 0; i < x->ndim; i++) shape[i] = x->shape[i];
    shape[0] = pairs;
    mica_array *joined[3] = { all ? mica__reshape(s, all, x->ndim, shape) : NULL,
                              offsets ? mica__reshape(s, offsets, 1, &pairs) : NULL,
                              n->ninputs > 2 ? in[2] : NULL };
    mica_array *y = mica__rebuild_as(s, n, joined, NULL, (mica_dims){ x->ndim, shape });
    shape[0] = batch;
    for (int i = 0; i < x->ndim; i++) shape[i + 1] = x->shape[i];
    results[0] = y ? mica__reshape(s, y, x->ndim + 1, shape) : NULL;
    return results[0] != NULL;
}

bool mica__vmap_rope(mica_scope *s, const mica_node *n, mica_array *const in[],
                     const bool batched[], int64_t batch, mica_array *results[])
{
    const bool whole[MICA_FAST_INPUTS] = { false, true, true };
    if (n->ninputs > 2 && batched[2]) return mica__vmap_composed(s, n, in, batched, batch, results);
    if (n->inputs[1]->ndim) return vmap_offsets(s, n, in, batched, batch, results);
    return vmap_in_place(s, n, in, batched, batch, whole,
                         results); /* a batched offset has one number for each example */
}

/* ---- attention ---- */

/* The mask's gradient is as large as the scores: they are composed for it. */
static void mask_gradient(mica_scope *s, const mica_node *n, mica_array *const cotangents[],
                          mica_array *gradients[])
{
    const bool only[MICA_FAST_INPUTS] = { [3] = true };
    if (n->inputs[3]->dtype != MICA_BOOL) mica__vjp_composed(s, n, cotangents, only, gradients);
}

void mica__vjp_attention(mica_scope *s, const mica_node *n, mica_array *const cotangents[],
                         const bool needed[], mica_array *gradients[])
{
    const struct mica__attention_params *p = n->params;
    if (!cotangents[0]) return;
    bool any = needed[0] || needed[1] || needed[2] || (p->sinks && needed[3 + p->masked]);
    if (p->masked && needed[3]) mask_gradient(s, n, cotangents, gradients);
    if (!any) return;
    mica_array *in[MICA_FAST_INPUTS], *out[4] = { NULL };
    size_t m = 0, outputs = 3u + (size_t)p->sinks;
    mica_dtype dtypes[4];
    mica_dims shapes[4];
    for (; m < n->ninputs; m++) in[m] = n->inputs[m];
    in[m++] = mica__output(s, n, 0);
    in[m++] = mica__output(s, n, 1);
    in[m++] = mica__cast(s, cotangents[0], (mica_dtype)n->out[0].dtype);
    for (size_t i = 0; i < outputs; i++) {
        const mica_array *x = n->inputs[i < 3 ? i : n->ninputs - 1];
        dtypes[i] = (mica_dtype)x->dtype;
        shapes[i] = mica__dims_of(x);
    }
    if (!mica__build_many(s, mica_prim_attention_vjp, p, m, in, outputs, dtypes, shapes, out))
        return;
    for (size_t i = 0; i < outputs; i++) {
        size_t of = i < 3 ? i : n->ninputs - 1;
        if (needed[of]) gradients[of] = out[i];
    }
}

bool mica__vmap_attention(mica_scope *s, const mica_node *n, mica_array *const in[],
                          const bool batched[], int64_t batch, mica_array *results[])
{
    const struct mica__attention_params *p = n->params;
    bool whole[MICA_FAST_INPUTS] = { false };
    if (p->sinks) {
        if (batched[n->ninputs - 1]) return mica__vmap_composed(s, n, in, batched, batch, results);
        whole[n->ninputs - 1] = true;
    }
    return vmap_in_place(s, n, in, batched, batch, whole, results);
}

bool mica__vmap_attention_vjp(mica_scope *s, const mica_node *n, mica_array *const in[],
                              const bool batched[], int64_t batch, mica_array *results[])
{
    const struct mica__attention_vjp_params *p = n->params;
    const bool whole[MICA_FAST_INPUTS] = { false };
    if (p->sinks)
        return mica__vmap_composed(s, n, in, batched, batch,
                                   results); /* each example has sums of its own */
    return vmap_in_place(s, n, in, batched, batch, whole, results);
}
