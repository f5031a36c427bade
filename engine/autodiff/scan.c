/* Derivatives of running sums, products, extremes and log-sum-exps. They batch by class.
   x: input, y: output, c: cotangent, t: tangent, along the scanned axis; `i` runs in the direction
   of the scan. */
#include "autodiff/rule.h"

#define PARAMS MICA_PARAMS(n, cumsum) /* all scans have the same fields */

/* The sum over what comes before (and i itself if the node is inclusive), and its transpose: over
 * what comes after. */
static mica_array *sum_before(mica_scope *s, const mica_node *n, mica_array *a)
{
    return mica_cumsum(s, a, (int)PARAMS->axis, PARAMS->reverse, PARAMS->inclusive,
                       MICA_DEFAULT_DTYPE);
}
static mica_array *sum_after(mica_scope *s, const mica_node *n, mica_array *a)
{
    return mica_cumsum(s, a, (int)PARAMS->axis, !PARAMS->reverse, PARAMS->inclusive,
                       MICA_DEFAULT_DTYPE);
}

VJP_RULE(cumsum)
{
    if (needed[0]) gradients[0] = sum_after(s, n, C);
}

/* ---- products ----
   dy_i/dx_k = y_i / x_k for k up to i, where x_k != 0. The first zero x_z takes y with x_z left
   out, y'; further zeros take nothing, for there is always another zero before them. With x' = x
   where it is not 0, else 1, and [..] = 1 where the condition holds: dy_i/dx_k = [x_k != 0] y_i /
   x'_k + [k = z] y'_i Differentiated again this stays right, except for the mixed derivative by two
   zeros, which comes out as 0. */

typedef struct factors {
    mica_array *zero, *first; /* x = 0; the first of them */
    mica_array *divisor;      /* x' */
    mica_array *left_out;     /* y' */
} factors;

static factors factors_of(mica_scope *s, const mica_node *n)
{
    factors f = { .zero = mica_equal(s, X, NUM(0)) };
    mica_array *count =
        mica_cumsum(s, f.zero, (int)PARAMS->axis, PARAMS->reverse, true, MICA_INT32);
    f.first = mica_logical_and(s, f.zero, mica_equal(s, count, mica_integer(s, 1)));
    f.divisor = mica__replaced(s, f.zero, 1, X);
    f.left_out = mica_cumprod(s, mica__replaced(s, f.first, 1, X), (int)PARAMS->axis,
                              PARAMS->reverse, PARAMS->inclusive, MICA_DEFAULT_DTYPE);
    return f;
}

VJP_RULE(cumprod)
{
    if (!needed[0]) return;
    factors f = factors_of(s, n);
    mica_array *usual =
        mica_divide(s, sum_after(s, n, mica_multiply(s, C, mica__conjugated(s, OUTPUT))),
                    mica__conjugated(s, f.divisor));
    mica_array *at_first = sum_after(s, n, mica_multiply(s, C, mica__conjugated(s, f.left_out)));
    gradients[0] = mica_where(s, f.zero, mica__kept(s, f.first, at_first), usual);
    gradients[0] = mica__cast(s, gradients[0], (mica_dtype)X->dtype);
}
JVP_RULE(cumprod)
{
    factors f = factors_of(s, n);
    mica_array *usual =
        sum_before(s, n, mica__replaced(s, f.zero, 0, mica_divide(s, T, f.divisor)));
    mica_array *at_first = sum_before(s, n, mica__kept(s, f.first, T));
    mica_array *t =
        mica_add(s, mica_multiply(s, OUTPUT, usual), mica_multiply(s, f.left_out, at_first));
    results[0] = mica__cast(s, t, (mica_dtype)n->out[0].dtype);
}

/* ---- extremes: each result comes from one element, the last that attains it ---- */

/* The place along the axis from which each result comes; `taken` is false where it comes from none
 * (first of an exclusive scan). */
static mica_array *places(mica_scope *s, const mica_node *n, bool maximum, mica_array **taken)
{
    int axis = (int)PARAMS->axis;
    int64_t size = X->shape[axis];
    mica_array *number = mica__positions(s, mica__dims_of(X), axis), *y = OUTPUT;
    if (!PARAMS->inclusive)
        y = maximum ? mica_cummax(s, X, axis, PARAMS->reverse, true)
                    : mica_cummin(s, X, axis, PARAMS->reverse, true);
    /* What equals the extreme so far is a new place of it; NaN stays where it was met. */
    mica_array *new = mica_equal(s, X, y);
    if (mica__is_inexact((mica_dtype)X->dtype)) new = mica_logical_or(s, new, mica_isnan(s, X));
    mica_array *place = mica_where(s, new, number, mica_integer(s, PARAMS->reverse ? size - 1 : 0));
    place = PARAMS->reverse ? mica_cummin(s, place, axis, true, PARAMS->inclusive)
                            : mica_cummax(s, place, axis, false, PARAMS->inclusive);
    *taken = NULL;
    if (PARAMS->inclusive) return place;
    *taken = mica_not_equal(s, number, mica_integer(s, PARAMS->reverse ? size - 1 : 0));
    return mica_where(s, *taken, place, mica_integer(s, 0));
}

static void extreme_vjp(mica_scope *s, const mica_node *n, bool maximum, mica_array *c,
                        const bool needed[], mica_array *gradients[])
{
    if (!needed[0] || X->size == 0) return;
    mica_array *taken, *place = places(s, n, maximum, &taken);
    if (taken) c = mica__kept(s, taken, c);
    struct mica__scatter_axis_params p = { .axis = PARAMS->axis, .mode = MICA_SCATTER_SUM };
    gradients[0] = mica__build(s, mica_prim_scatter_axis, &p, 3,
                               (mica_array *const[]){ mica__full_like(s, X, 0), place, c },
                               (mica_dtype)X->dtype, mica__dims_of(X));
}
static void extreme_jvp(mica_scope *s, const mica_node *n, bool maximum, mica_array *t,
                        mica_array *results[])
{
    if (X->size == 0) return;
    mica_array *taken, *place = places(s, n, maximum, &taken);
    t = mica_take_along_axis(s, t, place, (int)PARAMS->axis);
    results[0] = taken ? mica__kept(s, taken, t) : t;
}
VJP_RULE(cummax)
{
    extreme_vjp(s, n, true, C, needed, gradients);
}
JVP_RULE(cummax)
{
    extreme_jvp(s, n, true, T, results);
}
VJP_RULE(cummin)
{
    extreme_vjp(s, n, false, C, needed, gradients);
}
JVP_RULE(cummin)
{
    extreme_jvp(s, n, false, T, results);
}

/* ---- log-sum-exp: dy_i/dx_k = exp(x_k - y_i) ----
   exp(-y_i) alone may overflow, so sums run as log-sum-exps, over positive and negative terms
   apart. */

/* log(a) where a > 0. Elsewhere, instead of -inf, a number so low that its exponential is 0 but
 * differences of two of them are no NaN. */
static mica_array *log_positive(mica_scope *s, mica_array *a)
{
    mica_array *positive = mica_greater(s, a, NUM(0));
    return mica_where(s, positive, mica_log(s, mica_where(s, positive, a, NUM(1))), NUM(-1e30));
}

static mica_array *log_sum(mica_scope *s, const mica_node *n, mica_array *a, bool after)
{
    return mica_logcumsumexp(s, a, (int)PARAMS->axis, PARAMS->reverse != after, PARAMS->inclusive);
}

/* sum_k a_k exp(from_k + to_i) over k before i (or after). Where nothing is summed (ends of
 * exclusive scans) the result is 0. */
static mica_array *exponential_sum(mica_scope *s, const mica_node *n, mica_array *a,
                                   mica_array *from, mica_array *to, bool after)
{
    mica_array *plus = log_sum(s, n, mica_add(s, log_positive(s, a), from), after);
    mica_array *minus =
        log_sum(s, n, mica_add(s, log_positive(s, mica_negative(s, a)), from), after);
    return mica_subtract(s, mica_exp(s, mica_add(s, plus, to)),
                         mica_exp(s, mica_add(s, minus, to)));
}

/* Halves are worked out in float32, where -1e30 is a number. An infinite y (nothing summed) counts
 * as 0: its terms meet no element. */
static mica_array *wide(mica_scope *s, mica_array *a)
{
    return a && mica__is_half((mica_dtype)a->dtype) ? mica__cast(s, a, MICA_FLOAT32) : a;
}
static mica_array *bounded(mica_scope *s, mica_array *y, mica_array **empty)
{
    *empty = mica_isneginf(s, y);
    return mica__replaced(s, *empty, 0, y);
}

VJP_RULE(logcumsumexp)
{
    if (!needed[0]) return;
    mica_array *empty, *y = bounded(s, wide(s, OUTPUT), &empty),
                       *c = mica__replaced(s, empty, 0, wide(s, C));
    gradients[0] = mica__cast(s, exponential_sum(s, n, c, mica_negative(s, y), wide(s, X), true),
                              (mica_dtype)X->dtype);
}
JVP_RULE(logcumsumexp)
{
    mica_array *empty, *y = bounded(s, wide(s, OUTPUT), &empty);
    mica_array *t = exponential_sum(s, n, wide(s, T), wide(s, X), mica_negative(s, y), false);
    results[0] = mica__cast(s, mica__replaced(s, empty, 0, t), (mica_dtype)n->out[0].dtype);
}
