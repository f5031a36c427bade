/* Casts of numbers, and those that an operation makes needless: half -> float32 -> norm or softmax
   -> half. These compute in float32 anyway, so the operation reads and writes halves itself: the
   same bits without two passes over memory. */
#include "ops/fold.h"

#include "core/current.h"
#include "core/watch.h"

/* What a pending cast to float32 started from, if that has the type; else NULL. */
static mica_array *widened(const mica_array *a, mica_dtype from)
{
    const mica_node *n = mica__node_of(a);
    if (n->prim != mica_prim_astype || mica__state(n) != MICA_NODE_PENDING) return NULL;
    return n->inputs[0]->dtype == from ? n->inputs[0] : NULL;
}

/* A number that lies in its node: numbers of compiled functions come as float64. */
static bool is_number(const mica_array *a)
{
    return a->dtype == MICA_FLOAT64 && !a->ndim && mica__is_done(a) && a->data == a->value.bytes;
}

mica_array *mica__fold_cast(mica_scope *s, const mica_array *a, mica_dtype dtype)
{
    const mica_node *n = mica__node_of(a);
    if (dtype == MICA_FLOAT32 && is_number(a) && !(n->flags & MICA_NODE_TRACED))
        return mica_scalar(s, a->value.real, dtype);
    bool softmax = n->prim == mica_prim_softmax;
    if (!softmax && n->prim != mica_prim_rms_norm && n->prim != mica_prim_layer_norm) return NULL;
    /* What is being differentiated stays as it was written: so do its derivatives. */
    if (a->dtype != MICA_FLOAT32 || !mica__is_half(dtype) || (n->flags & MICA_NODE_TRACED) ||
        mica__state(n) != MICA_NODE_PENDING ||
        n->stream != (s->stream ? s->stream : mica__current_stream))
        return NULL;
    mica_array *in[3], *x = widened(n->inputs[0], dtype);
    if (!x) return NULL;
    in[0] = x;
    for (uint32_t i = 1; i < n->ninputs; i++)
        in[i] = n->inputs[i]; /* float32: nothing is rounded */
    struct mica__softmax_params precise = { .precise = true };
    mica_array *folded =
        mica__build(s, (mica_prim)n->prim, softmax ? (const void *)&precise : n->params, n->ninputs,
                    in, dtype, mica__dims_of(a));
    if (mica__node_of(n->inputs[0])->flags & MICA_NODE_ASKED)
        mica__tell_absorbed(softmax ? 205 : 204, folded, n->inputs[0]);
    return folded;
}
