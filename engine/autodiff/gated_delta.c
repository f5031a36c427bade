/* Derivatives of the gated delta rule: reverse mode has a kernel, all else goes through the
   composition. Batches go into leading axes. */
#include "autodiff/fast.h"
#include "autodiff/rule.h"
#include "ops/gated_delta.h"

/* Inputs of the derivative: those of the operation, then the cotangents of both outputs. */
enum { MOST = MICA_DELTA_INPUTS + 2 };

/* Tracers of our own: no transformation opens or closes with them. */
static bool trace(mica_scope *s, mica_array *const in[], size_t n, mica_array *tracers[])
{
    for (size_t i = 0; i < n; i++) {
        mica_array *a = in[i];
        tracers[i] =
            a ? mica__build(s, mica_prim_alias, NULL, 1, &a, (mica_dtype)a->dtype, mica__dims_of(a))
              : NULL;
        if (!tracers[i]) return false;
        mica__node_of(tracers[i])->flags |= MICA_NODE_TRACED;
    }
    return true;
}

static bool is_masked(const mica_node *n)
{
    return MICA_PARAMS(n, gated_delta)->masked != 0; /* its derivative has the same field */
}

size_t mica__compose_gated_delta(mica_scope *s, const mica_node *n, mica_array *const in[],
                                 mica_array *out[])
{
    bool masked = is_masked(n);
    mica_array *arguments[MICA_DELTA_INPUTS] = { NULL }, *y[2];
    for (int i = 0; i < MICA_DELTA_MASK + masked; i++) arguments[i] = in[i];
    if (n->prim == mica_prim_gated_delta)
        return mica__gated_delta_composed(s, arguments, out) ? 2 : 0;
    mica_array *tracers[MICA_DELTA_INPUTS] = { NULL };
    if (!trace(s, arguments, MICA_DELTA_MASK, tracers)) return 0;
    tracers[MICA_DELTA_MASK] = arguments[MICA_DELTA_MASK];
    if (!mica__gated_delta_composed(s, tracers, y)) return 0;
    return mica__pull_back(s, y, in + n->ninputs - 2, 2, tracers, MICA_DELTA_MASK, out)
               ? MICA_DELTA_MASK
               : 0;
}

static void jvp_composed(mica_scope *s, const mica_node *n, mica_array *const tangents[],
                         mica_array *results[])
{
    mica_array *tracers[MOST], *out[MOST], *from[MOST], *given[MOST];
    size_t m = 0;
    if (!trace(s, n->inputs, n->ninputs, tracers)) return;
    for (uint32_t i = 0; i < n->ninputs; i++)
        if (tangents[i] && mica__is_inexact((mica_dtype)n->inputs[i]->dtype)) {
            from[m] = tracers[i];
            given[m++] = tangents[i];
        }
    size_t count = m ? mica__compose_gated_delta(s, n, tracers, out) : 0;
    if (count) mica__push_forward(s, out, count, from, given, m, results);
}
JVP_RULE(gated_delta)
{
    jvp_composed(s, n, tangents, results);
}
JVP_RULE(gated_delta_vjp)
{
    jvp_composed(s, n, tangents, results);
}

VJP_RULE(gated_delta)
{
    mica_array *in[MOST], *out[MICA_DELTA_MASK];
    mica_dtype dtypes[MICA_DELTA_MASK];
    mica_dims shapes[MICA_DELTA_MASK];
    size_t m = 0;
    for (; m < n->ninputs; m++) in[m] = n->inputs[m];
    for (int i = 0; i < 2; i++)
        in[m++] = cotangents[i] ? mica__cast(s, cotangents[i], (mica_dtype)n->out[i].dtype)
                                : mica__full_like(s, &n->out[i], 0);
    for (int i = 0; i < MICA_DELTA_MASK; i++) {
        dtypes[i] = (mica_dtype)n->inputs[i]->dtype;
        shapes[i] = mica__dims_of(n->inputs[i]);
    }
    if (!mica__build_many(s, mica_prim_gated_delta_vjp, n->params, m, in, MICA_DELTA_MASK, dtypes,
                          shapes, out))
        return;
    for (int i = 0; i < MICA_DELTA_MASK; i++)
        if (needed[i]) gradients[i] = out[i];
}
VJP_RULE(gated_delta_vjp)
{
    mica_array *tracers[MOST], *out[MOST], *found[MOST];
    if (!trace(s, n->inputs, n->ninputs, tracers)) return;
    size_t count = mica__compose_gated_delta(s, n, tracers, out);
    if (!count || !mica__pull_back(s, out, cotangents, count, tracers, n->ninputs, found)) return;
    for (uint32_t i = 0; i < n->ninputs; i++)
        if (needed[i]) gradients[i] = found[i];
}
