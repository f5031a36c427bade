/* Derivatives of reductions. Reduced axes stay with size 1 in the output, so that outputs and
   cotangents broadcast against the input. x: input, y: output, c: cotangent of y, t: tangent of x.
 */
#include "autodiff/rule.h"

/* y = sum x: every element takes the cotangent. */
VJP_RULE(sum)
{
    if (!needed[0]) return;
    mica_array *each = mica__cast(s, C, (mica_dtype)X->dtype);
    /* Where sizes vary no number may say what x has: its shape is taken from x itself. */
    gradients[0] = mica__sizes_vary
                       ? mica_where(s, mica__full(s, (mica_dims){ 0 }, 0, MICA_BOOL), X, each)
                       : mica__broadcast_to(s, each, mica__dims_of(X));
}

/* ---- products ---- */

/* dy/dx_k = prod_{j != k} x_j = prod_{j < k} x_j prod_{j > k} x_j: no division, so that zeros do no
 * harm. In x's shape and y's type. */
static mica_array *products_of_others(mica_scope *s, const mica_node *n)
{
    mica_dims axes = MICA_PARAMS(n, prod)->axes;
    mica_array *rows =
        mica__axes_last(s, mica__cast(s, X, (mica_dtype)n->out[0].dtype), (int)axes.n, axes.at);
    if (!rows) return NULL;
    mica_array *before = mica_cumprod(s, rows, rows->ndim - 1, false, false, MICA_DEFAULT_DTYPE);
    mica_array *after = mica_cumprod(s, rows, rows->ndim - 1, true, false, MICA_DEFAULT_DTYPE);
    return mica__axes_restore(s, mica_multiply(s, before, after), X, (int)axes.n, axes.at);
}

VJP_RULE(prod)
{
    if (needed[0] && X->size)
        gradients[0] =
            mica__cast(s, mica_multiply(s, C, mica__conjugated(s, products_of_others(s, n))),
                       (mica_dtype)X->dtype);
}
JVP_RULE(prod)
{
    if (X->size == 0) return;
    mica_array *t = mica_multiply(s, T, products_of_others(s, n));
    results[0] = mica__cast(s, mica_sum(s, t, MICA_PARAMS(n, prod)->axes, true),
                            (mica_dtype)n->out[0].dtype);
}

/* ---- extremes ---- */

/* dy/dx_k = [x_k = y] / #{j: x_j = y}: ties share evenly; NaN where y is NaN. */
static mica_array *shares(mica_scope *s, const mica_node *n, mica_dtype dtype)
{
    mica_array *chosen = mica__cast(s, mica_equal(s, X, OUTPUT), dtype);
    return mica_divide(s, chosen, mica_sum(s, chosen, MICA_PARAMS(n, max)->axes, true));
}

/* Shares of integers are fractions. */
static mica_dtype share_dtype(const mica_node *n)
{
    return mica__float_dtype((mica_dtype)n->out[0].dtype);
}

static void extreme_vjp(mica_scope *s, const mica_node *n, mica_array *c, const bool needed[],
                        mica_array *gradients[])
{
    if (needed[0])
        gradients[0] =
            mica__cast(s, mica_multiply(s, c, shares(s, n, share_dtype(n))), (mica_dtype)X->dtype);
}
static void extreme_jvp(mica_scope *s, const mica_node *n, mica_array *t, mica_array *results[])
{
    t = mica_sum(s, mica_multiply(s, t, shares(s, n, share_dtype(n))), MICA_PARAMS(n, max)->axes,
                 true);
    results[0] = mica__cast(s, t, (mica_dtype)n->out[0].dtype);
}
VJP_RULE(max)
{
    extreme_vjp(s, n, C, needed, gradients);
}
JVP_RULE(max)
{
    extreme_jvp(s, n, T, results);
}
VJP_RULE(min)
{
    extreme_vjp(s, n, C, needed, gradients);
}
JVP_RULE(min)
{
    extreme_jvp(s, n, T, results);
}

/* ---- exponentials of the last axis ---- */

/* The Jacobian diag(y) - y y' is symmetric: y (v - sum v y) for cotangents and tangents. */
static mica_array *softmax_apply(mica_scope *s, const mica_node *n, mica_array *v)
{
    mica_array *y = OUTPUT, *vy = mica_multiply(s, v, y);
    return mica_subtract(s, vy, mica_multiply(s, y, mica_sum(s, vy, MICA_AXES(-1), true)));
}
VJP_RULE(softmax)
{
    if (needed[0]) gradients[0] = softmax_apply(s, n, C);
}
JVP_RULE(softmax)
{
    results[0] = softmax_apply(s, n, T);
}

/* dy/dx = softmax(x), which keeps all its digits where exp(x - y) loses some for large y. */
VJP_RULE(logsumexp)
{
    if (needed[0]) gradients[0] = mica_multiply(s, C, mica_softmax(s, X, MICA_AXES(-1), true));
}
JVP_RULE(logsumexp)
{
    results[0] = mica_sum(s, mica_multiply(s, T, mica_softmax(s, X, MICA_AXES(-1), true)),
                          MICA_AXES(-1), true);
}
