/* Fused operations made of primitives, which the ordinary walkers differentiate and batch: for all
 * that has no kernel. */
#include "autodiff/fast.h"
#include "mica/index.h"

/* ---- compositions of the forward operations: in float32 for halves ---- */

static mica_array *widened(mica_scope *s, mica_array *a)
{
    return a && mica__is_half((mica_dtype)a->dtype) ? mica__cast(s, a, MICA_FLOAT32) : a;
}

static mica_array *mean_of_last(mica_scope *s, mica_array *a)
{
    int64_t last = -1;
    return mica_mean(s, a, (mica_dims){ 1, &last }, true);
}

static mica_array *compose_norm(mica_scope *s, const mica_node *n, mica_array *const in[],
                                double eps, bool centred, bool weighted, bool biased)
{
    mica_array *x = widened(s, in[0]);
    if (centred) x = mica_subtract(s, x, mean_of_last(s, x));
    mica_array *variance = mean_of_last(s, mica_square(s, x));
    mica_array *y = mica_multiply(s, x, mica_rsqrt(s, mica_add(s, variance, mica_number(s, eps))));
    y = mica__cast(s, y, (mica_dtype)n->inputs[0]->dtype);
    if (weighted) y = mica_multiply(s, y, in[1]);
    return biased ? mica_add(s, y, in[1 + weighted]) : y;
}

/* The features [start, stop) in steps. */
static mica_array *features(mica_scope *s, mica_array *a, int64_t start, int64_t stop, int64_t step)
{
    int64_t starts[MICA_MAX_NDIM] = { 0 }, stops[MICA_MAX_NDIM], steps[MICA_MAX_NDIM];
    if (!mica__ready(s, a)) return NULL;
    for (int i = 0; i < a->ndim; i++) {
        stops[i] = a->shape[i];
        steps[i] = 1;
    }
    int last = a->ndim - 1;
    starts[last] = start;
    stops[last] = stop;
    steps[last] = step;
    return mica_slice_static(s, a, (mica_dims){ a->ndim, starts }, (mica_dims){ a->ndim, stops },
                             (mica_dims){ a->ndim, steps });
}

/* Angles (time, dims / 2), after an axis of the batch and others of size 1 where each batch has its
 * offset. */
static mica_array *angles(mica_scope *s, const struct mica__rope_params *p, mica_array *const in[])
{
    int64_t half = p->dims / 2, time = in[0]->shape[in[0]->ndim - 2], shape[MICA_MAX_NDIM];
    mica_array *positions = mica_arange(s, 0, (double)time, 1, MICA_FLOAT32),
               *offset = mica__cast(s, in[1], MICA_FLOAT32), *frequencies;
    if (p->custom) frequencies = mica_reciprocal(s, in[2]);
    else
        frequencies = mica_power(s, mica_number(s, p->base),
                                 mica_divide(s, mica_arange(s, 0, (double)half, 1, MICA_FLOAT32),
                                             mica_number(s, -(double)half)));
    for (int i = 0; i < in[0]->ndim - 1; i++) shape[i] = 1;
    shape[0] = in[1]->ndim ? in[0]->shape[0] : 1;
    offset = offset ? mica__reshape(s, offset, in[0]->ndim - 1, shape) : NULL;
    positions = mica_multiply(s, mica_add(s, positions, offset),
                              mica_number(s, p->inverse ? -p->scale : p->scale));
    int64_t last = -1;
    return mica_multiply(s, mica_expand_dims(s, positions, (mica_dims){ 1, &last }), frequencies);
}

static mica_array *compose_rope(mica_scope *s, const mica_node *n, mica_array *const in[])
{
    const struct mica__rope_params *p = n->params;
    int64_t d = p->dims, half = d / 2, size = in[0]->shape[in[0]->ndim - 1];
    bool pairs = p->traditional;
    mica_array *x = widened(s, in[0]), *angle = angles(s, p, in), *c = mica_cos(s, angle),
               *sine = mica_sin(s, angle);
    mica_array *a = features(s, x, 0, pairs ? d : half, pairs ? 2 : 1),
               *b = features(s, x, pairs ? 1 : half, d, pairs ? 2 : 1);
    mica_array *turned[3] = { mica_subtract(s, mica_multiply(s, a, c), mica_multiply(s, b, sine)),
                              mica_add(s, mica_multiply(s, a, sine), mica_multiply(s, b, c)),
                              NULL };
    if (!mica__scope_ok(s)) return NULL;
    if (pairs) {
        int64_t shape[MICA_MAX_NDIM];
        for (int i = 0; i < in[0]->ndim; i++) shape[i] = in[0]->shape[i];
        shape[in[0]->ndim - 1] = d;
        turned[0] =
            mica__reshape(s, mica_stack(s, (mica_arrays){ 2, turned }, -1), in[0]->ndim, shape);
    }
    size_t parts = pairs ? 1 : 2;
    if (size > d) turned[parts++] = features(s, x, d, size, 1);
    return mica__cast(
        s, parts > 1 ? mica_concatenate(s, (mica_arrays){ parts, turned }, -1) : turned[0],
        (mica_dtype)n->out[0].dtype);
}

/* (..., heads, rows, columns) as (..., heads / groups, groups, rows, columns), groups 1 for keys
 * and values. */
static mica_array *grouped(mica_scope *s, mica_array *a, int64_t groups)
{
    int64_t shape[MICA_MAX_NDIM];
    if (!mica__ready(s, a)) return NULL;
    for (int i = 0; i < a->ndim - 3; i++) shape[i] = a->shape[i];
    shape[a->ndim - 3] = a->shape[a->ndim - 3] / groups;
    shape[a->ndim - 2] = groups;
    shape[a->ndim - 1] = a->shape[a->ndim - 2];
    shape[a->ndim] = a->shape[a->ndim - 1];
    return mica__reshape(s, a, a->ndim + 1, shape);
}

static mica_array *masked_score(mica_scope *s, mica_dtype dtype)
{
    return mica_scalar(s, dtype == MICA_FLOAT64 ? -1.7976931348623157e308 : -3.40282347e38, dtype);
}

/* Scores as the kernel has them. */
static mica_array *scores_of(mica_scope *s, const struct mica__attention_params *p,
                             mica_array *const in[])
{
    mica_array *q = mica_multiply(s, widened(s, in[0]), mica_number(s, p->scale)),
               *k = widened(s, in[1]);
    if (!mica__scope_ok(s)) return NULL;
    int64_t shared = in[1]->shape[in[1]->ndim - 3],
            groups = shared ? in[0]->shape[in[0]->ndim - 3] / shared : 1;
    int64_t queries = in[0]->shape[in[0]->ndim - 2], keys = in[1]->shape[in[1]->ndim - 2];
    mica_array *scores =
        mica_matmul(s, grouped(s, q, groups), mica_swapaxes(s, grouped(s, k, 1), -1, -2));
    if (!scores) return NULL;
    mica_array *hidden = masked_score(s, (mica_dtype)scores->dtype);
    if (p->causal)
        scores =
            mica_where(s, mica_tri(s, queries, keys, keys - queries, MICA_BOOL), scores, hidden);
    if (p->masked) {
        mica_array *mask = grouped(s, in[3], groups);
        if (mask && mask->dtype == MICA_BOOL) scores = mica_where(s, mask, scores, hidden);
        else scores = mica_add(s, scores, widened(s, mask));
    }
    return scores;
}

/* The sinks as one more column of scores. */
static mica_array *with_sinks(mica_scope *s, mica_array *scores, mica_array *sinks)
{
    sinks = widened(s, sinks);
    if (!scores || !sinks) return NULL;
    int64_t shape[MICA_MAX_NDIM];
    int n = scores->ndim;
    for (int i = 0; i < n; i++) shape[i] = scores->shape[i];
    shape[n - 2] = shape[n - 1] = 1;
    sinks = mica__reshape(s, sinks, 4, shape + n - 4);
    shape[n - 2] = scores->shape[n - 2];
    sinks = sinks ? mica__broadcast_to(s, sinks, (mica_dims){ n, shape }) : NULL;
    return mica_concatenate(s, MICA_ARRAYS(scores, sinks), -1);
}

static mica_array *compose_attention(mica_scope *s, const mica_node *n, mica_array *const in[])
{
    const struct mica__attention_params *p = n->params; /* those of attention_vjp are the same */
    mica_array *scores = scores_of(s, p, in);
    int64_t keys = in[1]->shape[in[1]->ndim - 2], last = -1, shape[MICA_MAX_NDIM];
    if (p->sinks) scores = with_sinks(s, scores, in[3 + p->masked]);
    mica_array *weights = mica_softmax(s, scores, (mica_dims){ 1, &last }, true);
    if (p->sinks) weights = features(s, weights, 0, keys, 1);
    mica_array *y = mica_matmul(s, weights, grouped(s, widened(s, in[2]), 1));
    for (int i = 0; i < in[0]->ndim; i++) shape[i] = in[0]->shape[i];
    shape[in[0]->ndim - 1] = in[2]->shape[in[2]->ndim - 1];
    return y ? mica__cast(s, mica__reshape(s, y, in[0]->ndim, shape), (mica_dtype)in[0]->dtype)
             : NULL;
}

/* ---- compositions of whole nodes ---- */

static mica_array *compose_forward(mica_scope *s, const mica_node *n, mica_array *const in[])
{
    switch (n->prim) {
    case mica_prim_rms_norm:
    case mica_prim_rms_norm_vjp: {
        const struct mica__rms_norm_params *p =
            n->params; /* those of the derivatives are the same */
        return compose_norm(s, n, in, p->eps, false, p->weighted, false);
    }
    case mica_prim_layer_norm:
    case mica_prim_layer_norm_vjp: {
        const struct mica__layer_norm_params *p = n->params;
        return compose_norm(s, n, in, p->eps, true, p->weighted, p->biased);
    }
    case mica_prim_rope: return compose_rope(s, n, in);
    default: return compose_attention(s, n, in);
    }
}

static bool is_derivative(const mica_node *n)
{
    return n->prim == mica_prim_rms_norm_vjp || n->prim == mica_prim_layer_norm_vjp ||
           n->prim == mica_prim_attention_vjp;
}

/* Inputs of the forward operation, and which of them each output of its derivative belongs to. */
static size_t arguments_of(const mica_node *n, size_t owner[MICA_FAST_INPUTS])
{
    size_t inputs = 1;
    if (n->prim == mica_prim_rms_norm_vjp)
        inputs += ((const struct mica__rms_norm_vjp_params *)n->params)->weighted != 0;
    if (n->prim == mica_prim_layer_norm_vjp) {
        const struct mica__layer_norm_vjp_params *p = n->params;
        inputs += (size_t)(p->weighted + p->biased);
    }
    for (size_t i = 0; i < MICA_FAST_INPUTS; i++) owner[i] = i;
    if (n->prim == mica_prim_attention_vjp) {
        const struct mica__attention_vjp_params *p = n->params;
        inputs = 3u + (size_t)(p->masked + p->sinks);
        owner[3] = inputs - 1; /* the sinks: there is no output for a mask */
    }
    return inputs;
}

/* Tracers of our own: no transformation opens or closes with them. */
static bool trace(mica_scope *s, mica_array *const in[], size_t n, mica_array *tracers[])
{
    for (size_t i = 0; i < n; i++) {
        tracers[i] = in[i] ? mica__build(s, mica_prim_alias, NULL, 1, &in[i],
                                         (mica_dtype)in[i]->dtype, mica__dims_of(in[i]))
                           : NULL;
        if (!tracers[i]) return false;
        mica__node_of(tracers[i])->flags |= MICA_NODE_TRACED;
    }
    return true;
}

/* Rows of attention have no cotangents and no tangents: they are left out. */
size_t mica__compose_fused(mica_scope *s, const mica_node *n, mica_array *const in[],
                           mica_array *out[])
{
    if (!is_derivative(n)) {
        out[0] = compose_forward(s, n, in);
        return out[0] ? 1 : 0;
    }
    size_t owner[MICA_FAST_INPUTS], count = arguments_of(n, owner);
    mica_array *arguments[MICA_FAST_INPUTS], *tracers[MICA_FAST_INPUTS],
        *gradients[MICA_FAST_INPUTS], *cotangent = in[n->ninputs - 1];
    for (size_t i = 0; i < count; i++) arguments[i] = in[i];
    if (n->prim == mica_prim_layer_norm_vjp &&
        count == n->ninputs) /* the bias is no input: its value does not matter */
        arguments[count - 1] = mica__full_like(s, &n->out[n->noutputs - 1], 0);
    if (!trace(s, arguments, count, tracers)) return 0;
    mica_array *y = compose_forward(s, n, tracers);
    if (!y || !mica__pull_back(s, &y, &cotangent, 1, tracers, count, gradients)) return 0;
    for (size_t i = 0; i < n->noutputs; i++) out[i] = gradients[owner[i]];
    return n->noutputs;
}

void mica__vjp_composed(mica_scope *s, const mica_node *n, mica_array *const cotangents[],
                        const bool needed[], mica_array *gradients[])
{
    mica_array *tracers[MICA_FAST_INPUTS], *out[MICA_FAST_INPUTS], *found[MICA_FAST_INPUTS];
    if (!trace(s, n->inputs, n->ninputs, tracers)) return;
    size_t count = mica__compose_fused(s, n, tracers, out);
    if (!count || !mica__pull_back(s, out, cotangents, count, tracers, n->ninputs, found)) return;
    for (uint32_t i = 0; i < n->ninputs; i++)
        if (needed[i]) gradients[i] = found[i];
}

void mica__jvp_composed(mica_scope *s, const mica_node *n, mica_array *const tangents[],
                        mica_array *results[])
{
    mica_array *tracers[MICA_FAST_INPUTS], *out[MICA_FAST_INPUTS], *with_tangent[MICA_FAST_INPUTS],
        *given[MICA_FAST_INPUTS];
    size_t m = 0;
    if (!trace(s, n->inputs, n->ninputs, tracers)) return;
    size_t count = mica__compose_fused(s, n, tracers, out);
    for (uint32_t i = 0; i < n->ninputs; i++)
        if (tangents[i]) {
            with_tangent[m] = tracers[i];
            given[m++] = tangents[i];
        }
    if (count) mica__push_forward(s, out, count, with_tangent, given, m, results);
}

bool mica__vmap_composed(mica_scope *s, const mica_node *n, mica_array *const in[],
                         const bool batched[], int64_t batch, mica_array *results[])
{
    mica_array *holders[MICA_FAST_INPUTS], *out[MICA_FAST_INPUTS];
    bool carries[MICA_FAST_INPUTS];
    for (uint32_t i = 0; i < n->ninputs; i++) {
        holders[i] =
            mica__placeholder(s, (mica_dtype)n->inputs[i]->dtype, mica__dims_of(n->inputs[i]));
        if (!holders[i]) return false;
    }
    size_t count = mica__compose_fused(s, n, holders, out);
    if (!count ||
        !mica__batch(s, out, count, holders, in, batched, n->ninputs, batch, results, carries))
        return false;
    for (size_t i = 0; i < count; i++)
        results[i] = mica__with_batch(s, results[i], carries[i], batch);
    return s->status == MICA_OK;
}
