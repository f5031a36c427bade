/* Derivatives and batching of convolutions. conv(x, w) is linear in both; its cotangent in x is a
   conv of the cotangent with the window turned round and strides and input dilations exchanged, its
   cotangent in w is conv_weight(x, cotangent), bilinear again: so derivatives close at any order
   (Dumoulin and Visin, A guide to convolution arithmetic for deep learning, 2016). */
#include "autodiff/rule.h"

enum { SPATIAL = 3 };
typedef struct mica__conv_params conv_params; /* conv_weight has the same fields */

static mica_array *make(mica_scope *s, mica_prim prim, const conv_params *p, mica_array *a,
                        mica_array *b, mica_dims shape)
{
    if (!a || !b) return NULL;
    return mica__build(s, prim, p, 2, (mica_array *[]){ a, mica__cast(s, b, (mica_dtype)a->dtype) },
                       (mica_dtype)a->dtype, shape);
}

/* (groups a, window..., b) as (groups b, window..., a): inputs and outputs exchanged in each group.
 */
static mica_array *exchanged(mica_scope *s, mica_array *w, int64_t groups)
{
    if (!w) return NULL;
    int n = w->ndim;
    int64_t split[SPATIAL + 3], order[SPATIAL + 3], joined[SPATIAL + 2];
    split[0] = groups;
    split[1] = w->shape[0] / groups;
    for (int i = 1; i < n; i++) split[i + 1] = w->shape[i];
    for (int i = 0; i <= n; i++) order[i] = i == 1 ? n : i == n ? 1 : i;
    for (int i = 1; i < n - 1; i++) joined[i] = w->shape[i];
    joined[0] = groups * w->shape[n - 1];
    joined[n - 1] = split[1];
    w = mica__reshape(s, w, n + 1, split);
    w = w ? mica__permute(s, w, order) : NULL;
    return w ? mica__reshape(s, w, n, joined) : NULL;
}

/* The cotangent in x of shape `shape`, given that of the result. */
static mica_array *input_cotangent(mica_scope *s, const conv_params *p, mica_array *c,
                                   mica_array *w, mica_dims shape)
{
    if (!c || !w) return NULL;
    int64_t low[SPATIAL];
    for (int64_t i = 0; i < p->low.n; i++)
        low[i] = p->kernel_dilation.at[i] * (w->shape[i + 1] - 1) - p->low.at[i];
    conv_params q = {
        p->input_dilation, { p->low.n, low }, p->kernel_dilation, p->stride, p->groups, !p->flip, 0
    };
    return make(s, mica_prim_conv, &q, c, exchanged(s, w, p->groups), shape);
}

static mica_array *sum_of(mica_scope *s, mica_array *a, mica_array *b)
{
    return a && b ? mica_add(s, a, b) : a ? a : b;
}

VJP_RULE(conv)
{
    const conv_params *p = n->params;
    if (!C) return;
    mica_array *c = mica__cast(s, C, (mica_dtype)n->out[0].dtype);
    if (needed[0]) gradients[0] = input_cotangent(s, p, c, Y, mica__dims_of(X));
    if (needed[1]) gradients[1] = make(s, mica_prim_conv_weight, p, X, c, mica__dims_of(Y));
}

VJP_RULE(conv_weight)
{
    const conv_params *p = n->params;
    if (!C) return;
    mica_array *c = mica__cast(s, C, (mica_dtype)n->out[0].dtype);
    if (needed[0]) gradients[0] = input_cotangent(s, p, Y, c, mica__dims_of(X));
    if (needed[1]) gradients[1] = make(s, mica_prim_conv, p, X, c, mica__dims_of(Y));
}

static void bilinear(mica_scope *s, const mica_node *n, mica_array *const tangents[],
                     mica_array *results[])
{
    mica_dims shape = mica__dims_of(&n->out[0]);
    mica_prim prim = (mica_prim)n->prim;
    mica_array *a = tangents[0] ? make(s, prim, n->params, tangents[0], Y, shape) : NULL;
    mica_array *b = tangents[1] ? make(s, prim, n->params, X, tangents[1], shape) : NULL;
    results[0] = sum_of(s, a, b);
}
JVP_RULE(conv)
{
    bilinear(s, n, tangents, results);
}
JVP_RULE(conv_weight)
{
    bilinear(s, n, tangents, results);
}

/* ---- batching: examples become more of the batch, more outputs of each group, or more groups ----
 */

/* (batch, a, rest...) as (batch a, rest...), and back. */
static mica_array *joined_front(mica_scope *s, mica_array *a)
{
    int64_t shape[MICA_MAX_NDIM];
    if (!a) return NULL;
    for (int i = 1; i < a->ndim; i++) shape[i - 1] = a->shape[i];
    shape[0] *= a->shape[0];
    return mica__reshape(s, a, a->ndim - 1, shape);
}
static mica_array *split_front(mica_scope *s, mica_array *a, int64_t batch)
{
    int64_t shape[MICA_MAX_NDIM + 1];
    if (!a) return NULL;
    for (int i = 1; i < a->ndim; i++) shape[i + 1] = a->shape[i];
    shape[0] = batch;
    shape[1] = a->shape[0] / batch;
    return mica__reshape(s, a, a->ndim + 1, shape);
}

/* (batch, ..., channels) as (..., batch channels), and back. */
static mica_array *joined_last(mica_scope *s, mica_array *a)
{
    if (!a) return NULL;
    int64_t order[MICA_MAX_NDIM], shape[MICA_MAX_NDIM];
    int n = a->ndim;
    for (int i = 0; i < n - 2; i++) shape[i] = a->shape[order[i] = i + 1];
    order[n - 2] = 0;
    order[n - 1] = n - 1;
    shape[n - 2] = a->shape[0] * a->shape[n - 1];
    a = mica__permute(s, a, order);
    return a ? mica__reshape(s, a, n - 1, shape) : NULL;
}
static mica_array *split_last(mica_scope *s, mica_array *a, int64_t batch)
{
    if (!a) return NULL;
    int64_t order[MICA_MAX_NDIM], shape[MICA_MAX_NDIM + 1];
    int n = a->ndim;
    for (int i = 0; i < n - 1; i++) shape[order[i + 1] = i] = a->shape[i];
    shape[n - 1] = batch;
    shape[n] = a->shape[n - 1] / batch;
    order[0] = n - 1;
    order[n] = n;
    a = mica__reshape(s, a, n + 1, shape);
    return a ? mica__permute(s, a, order) : NULL;
}

static mica_array *again(mica_scope *s, const mica_node *n, mica_array *a, mica_array *b,
                         int64_t groups, const int64_t shape[])
{
    conv_params p;
    memcpy(&p, n->params, mica__prims[n->prim].params_size);
    p.groups = groups;
    return make(s, (mica_prim)n->prim, &p, a, b, (mica_dims){ n->out[0].ndim, shape });
}

/* Weights (batch, groups o, window..., i) as (groups batch o, window..., i): more outputs a group.
 */
static mica_array *more_outputs(mica_scope *s, mica_array *w, int64_t groups)
{
    if (!w) return NULL;
    int64_t shape[MICA_MAX_NDIM + 1], order[MICA_MAX_NDIM + 1], all[MICA_MAX_NDIM];
    int n = w->ndim;
    shape[0] = w->shape[0];
    shape[1] = groups;
    shape[2] = w->shape[1] / groups;
    for (int i = 2; i < n; i++) all[i - 1] = shape[i + 1] = w->shape[i];
    for (int i = 0; i <= n; i++) order[i] = i == 0 ? 1 : i == 1 ? 0 : i;
    all[0] = w->shape[0] * w->shape[1];
    w = mica__reshape(s, w, n + 1, shape);
    w = w ? mica__permute(s, w, order) : NULL;
    return w ? mica__reshape(s, w, n - 1, all) : NULL;
}

/* A result (..., groups batch o) as (batch, ..., groups o). */
static mica_array *apart(mica_scope *s, mica_array *y, int64_t batch, int64_t groups)
{
    if (!y) return NULL;
    int64_t shape[MICA_MAX_NDIM + 2], order[MICA_MAX_NDIM + 2], all[MICA_MAX_NDIM + 1];
    int n = y->ndim;
    for (int i = 0; i < n - 1; i++) all[i + 1] = shape[i] = y->shape[order[i + 1] = i];
    shape[n - 1] = groups;
    shape[n] = batch;
    shape[n + 1] = y->shape[n - 1] / (groups * batch);
    order[0] = n;
    order[n] = n - 1;
    order[n + 1] = n + 1;
    all[0] = batch;
    all[n] = groups * shape[n + 1];
    y = mica__reshape(s, y, n + 2, shape);
    y = y ? mica__permute(s, y, order) : NULL;
    return y ? mica__reshape(s, y, n + 1, all) : NULL;
}

VMAP_RULE(conv)
{
    const conv_params *p = n->params;
    int64_t shape[SPATIAL + 2];
    int last = n->out[0].ndim - 1;
    memcpy(shape, n->out[0].shape, (size_t)(last + 1) * sizeof *shape);
    if (batch == 0)
        return mica__batched_result(
            results, mica__with_batch(s, mica__full_like(s, &n->out[0], 0), false, 0));
    if (!batched[1]) {
        shape[0] *= batch;
        mica_array *y = again(s, n, joined_front(s, in[0]), in[1], p->groups, shape);
        return mica__batched_result(results, split_front(s, y, batch));
    }
    shape[last] *= batch;
    if (!batched[0]) {
        mica_array *y = again(s, n, in[0], more_outputs(s, in[1], p->groups), p->groups, shape);
        return mica__batched_result(results, apart(s, y, batch, p->groups));
    }
    mica_array *y =
        again(s, n, joined_last(s, in[0]), joined_front(s, in[1]), p->groups * batch, shape);
    return mica__batched_result(results, split_last(s, y, batch));
}

/* Each example has sums of its own: one more level of groups. */
VMAP_RULE(conv_weight)
{
    const conv_params *p = n->params;
    int64_t shape[SPATIAL + 2];
    memcpy(shape, n->out[0].shape, (size_t)n->out[0].ndim * sizeof *shape);
    if (batch == 0)
        return mica__batched_result(
            results, mica__with_batch(s, mica__full_like(s, &n->out[0], 0), false, 0));
    mica_array *x = mica__with_batch(s, in[0], batched[0], batch),
               *c = mica__with_batch(s, in[1], batched[1], batch);
    shape[0] *= batch;
    mica_array *w = again(s, n, joined_last(s, x), joined_last(s, c), p->groups * batch, shape);
    return mica__batched_result(results, split_front(s, w, batch));
}
