/* Builders of scans: running sums, products, extrema and log-sum-exps. */
#include "ops/shape.h"

static mica_array *scan(mica_scope *s, mica_prim prim, mica_array *a, int axis, bool reverse,
                        bool inclusive, mica_dtype dtype)
{
    a = mica__operand(s, a);
    if (!mica__ready(s, a)) return NULL;
    if (axis == MICA_FLATTEN) {
        axis = 0;
        a = mica__reshape(s, a, 1, (const int64_t[]){ a->size });
    } else if (!mica__check_axis(s, mica__prims[prim].name, MICA_EINDEX, a, axis, &axis)) {
        return NULL;
    }
    if (dtype != MICA_DEFAULT_DTYPE && (unsigned)dtype >= MICA_DTYPE_COUNT)
        return mica__error(s, MICA_EVALUE, "[%s] %d is no element type", mica__prims[prim].name,
                           (int)dtype);
    if (dtype != MICA_DEFAULT_DTYPE) a = mica__cast(s, a, dtype);
    if (!a) return NULL;
    struct mica__cumsum_params p = { .axis = axis, .reverse = reverse, .inclusive = inclusive };
    return mica__build(s, prim, &p, 1, &a, (mica_dtype)a->dtype, mica__dims_of(a));
}

mica_array *mica_cumsum(mica_scope *s, mica_array *a, int axis, bool reverse, bool inclusive,
                        mica_dtype dtype)
{
    if (dtype == MICA_BOOL) a = mica__cast(s, a, MICA_BOOL); /* truths are counted */
    if (a && a->dtype == MICA_BOOL && (dtype == MICA_DEFAULT_DTYPE || dtype == MICA_BOOL))
        dtype = MICA_INT32;
    return scan(s, mica_prim_cumsum, a, axis, reverse, inclusive, dtype);
}

mica_array *mica_cumprod(mica_scope *s, mica_array *a, int axis, bool reverse, bool inclusive,
                         mica_dtype dtype)
{
    return scan(s, mica_prim_cumprod, a, axis, reverse, inclusive, dtype);
}

mica_array *mica_cummax(mica_scope *s, mica_array *a, int axis, bool reverse, bool inclusive)
{
    return scan(s, mica_prim_cummax, a, axis, reverse, inclusive, MICA_DEFAULT_DTYPE);
}

mica_array *mica_cummin(mica_scope *s, mica_array *a, int axis, bool reverse, bool inclusive)
{
    return scan(s, mica_prim_cummin, a, axis, reverse, inclusive, MICA_DEFAULT_DTYPE);
}

mica_array *mica_logcumsumexp(mica_scope *s, mica_array *a, int axis, bool reverse, bool inclusive)
{
    mica_dtype d = a ? mica__float_dtype((mica_dtype)a->dtype) : MICA_FLOAT32;
    return scan(s, mica_prim_logcumsumexp, a, axis, reverse, inclusive,
                d == MICA_FLOAT64 && (a->flags & MICA_ARRAY_WEAK) ? MICA_FLOAT32 : d);
}

/* ---- differences, which running sums undo ---- */

/* Each order is a node: more would fill the memory with a graph before anything is computed. */
enum { MAX_ORDER = 1 << 20 };

mica_array *mica_diff(mica_scope *s, mica_array *a, int64_t n, int axis)
{
    a = mica__operand(s, a);
    if (!mica__ready(s, a) || !mica__check_axis(s, "diff", MICA_EINDEX, a, axis, &axis))
        return NULL;
    if (n < 0)
        return mica__error(s, MICA_EVALUE, "[diff] the order n must be 0 or more, not %lld",
                           (long long)n);
    if (n >= a->shape[axis]) /* nothing is left */
        return mica__slice_axis(s, a, axis, 0, 0);
    if (n > MAX_ORDER)
        return mica__error(s, MICA_EVALUE, "[diff] the order n must be at most %d, not %lld",
                           MAX_ORDER, (long long)n);
    for (int64_t i = 0; i < n && a; i++) {
        int64_t size = a->shape[axis] - 1;
        mica_array *next = mica__slice_axis(s, a, axis, 1, size),
                   *here = mica__slice_axis(s, a, axis, 0, size);
        if (!next || !here) return NULL;
        a = a->dtype == MICA_BOOL ? mica_not_equal(s, next, here) : mica_subtract(s, next, here);
    }
    return a;
}
