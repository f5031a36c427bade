/* Derivatives of cross_entropy. p = softmax(x), e: 1 at the target, else 0. Batches go into leading
 * axes. */
#include "autodiff/rule.h"

/* Along the last axis: 1 at the target. In the logits' type. */
static mica_array *one_hot(mica_scope *s, const mica_array *logits, mica_array *targets)
{
    int64_t n = logits->shape[logits->ndim - 1];
    mica_array *column = mica_expand_dims(s, targets, MICA_AXES(-1));
    if (!column) return NULL;
    /* Negative targets count from the end. */
    column = mica__cast(s, column, MICA_INT64);
    column = mica_where(s, mica_less(s, column, mica_integer(s, 0)),
                        mica_add(s, column, mica_integer(s, n)), column);
    return mica__cast(
        s, mica_equal(s, mica__positions(s, mica__dims_of(logits), logits->ndim - 1), column),
        (mica_dtype)logits->dtype);
}

static mica_array *probabilities(mica_scope *s, mica_array *logits)
{
    return mica_softmax(s, logits, MICA_AXES(-1), true);
}

static mica_array *sum_last(mica_scope *s, mica_array *a, bool keep)
{
    return mica_sum(s, a, MICA_AXES(-1), keep);
}

/* A number a row, in the logits' type, against the logits. */
static mica_array *column(mica_scope *s, mica_array *a, const mica_array *logits)
{
    return mica_expand_dims(s, mica__cast(s, a, (mica_dtype)logits->dtype), MICA_AXES(-1));
}

/* y = lse(x) - x[t]: dy/dx = p - e. */
VJP_RULE(cross_entropy)
{
    if (!mica__indices_constant(s, n, needed, 1, 1) || !needed[0] || !C) return;
    mica_array *in[4] = { X, Y, mica__output(s, n, 1), mica__cast(s, C, MICA_FLOAT32) };
    gradients[0] = mica__build(s, mica_prim_cross_entropy_vjp, NULL, 4, in, (mica_dtype)X->dtype,
                               mica__dims_of(X));
}
JVP_RULE(cross_entropy)
{
    if (!T) return;
    mica_array *slope = mica_subtract(s, probabilities(s, X), one_hot(s, X, Y));
    results[0] = mica__cast(s, sum_last(s, mica_multiply(s, T, slope), false), MICA_FLOAT32);
}

/* g = c (p - e): dg = c p (v - sum(p v)) + dc (p - e), the first part symmetric. The statistics of
   the rows (input 2) are the logits' own: what they contribute is in the derivative by the logits.
 */
static mica_array *curvature(mica_scope *s, const mica_node *n, mica_array *v)
{
    mica_array *p = probabilities(s, X), *pv = mica_multiply(s, p, v);
    mica_array *h = mica_subtract(s, pv, mica_multiply(s, p, sum_last(s, pv, true)));
    return mica_multiply(s, h, column(s, mica__input(n, 3), X));
}
VJP_RULE(cross_entropy_vjp)
{
    if (!mica__indices_constant(s, n, needed, 1, 1) || !C) return;
    if (needed[0]) gradients[0] = curvature(s, n, C);
    if (!needed[3]) return;
    mica_array *slope = mica_subtract(s, probabilities(s, X), one_hot(s, X, Y));
    gradients[3] = mica__cast(s, sum_last(s, mica_multiply(s, C, slope), false), MICA_FLOAT32);
}
JVP_RULE(cross_entropy_vjp)
{
    mica_array *by_logits = tangents[0] ? curvature(s, n, tangents[0]) : NULL, *by_cotangent = NULL;
    if (tangents[3])
        by_cotangent = mica_multiply(s, mica_subtract(s, probabilities(s, X), one_hot(s, X, Y)),
                                     column(s, tangents[3], X));
    results[0] = by_logits && by_cotangent ? mica_add(s, by_logits, by_cotangent)
                 : by_logits               ? by_logits
                                           : by_cotangent;
}
