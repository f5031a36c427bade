/* Element-wise functions made of primitives. They fuse into one pass. */
#include <math.h>

#include "ops/builder.h"

mica_array *mica_round(mica_scope *s, mica_array *a, int64_t decimals)
{
    if (!mica__ready(s, a)) return NULL;
    mica_dtype d = mica__result_dtype(&a, 1);
    if (decimals == 0) return mica__unary(s, mica_prim_rint, a);
    double scale = pow(10.0, (double)decimals);
    mica_dtype wide = mica__float_dtype(d);
    a = mica__cast(s, a, wide);
    a = mica_multiply(s, a, mica_number(s, scale));
    a = mica__unary(s, mica_prim_rint, a);
    return mica__cast(s, mica_multiply(s, a, mica_number(s, 1 / scale)), d);
}

mica_array *mica_degrees(mica_scope *s, mica_array *a)
{
    if (!mica__ready(s, a)) return NULL;
    a = mica__cast(s, a, mica__float_dtype(mica__result_dtype(&a, 1)));
    return mica_multiply(s, a, mica_number(s, 57.295779513082320877));
}

mica_array *mica_radians(mica_scope *s, mica_array *a)
{
    if (!mica__ready(s, a)) return NULL;
    a = mica__cast(s, a, mica__float_dtype(mica__result_dtype(&a, 1)));
    return mica_multiply(s, a, mica_number(s, 0.017453292519943295769));
}

mica_array *mica_matrix_transpose(mica_scope *s, mica_array *a)
{
    if (!mica__ready(s, a)) return NULL;
    if (a->ndim < 2)
        return mica__error(
            s, MICA_EVALUE,
            "[matrix_transpose] an array with at least 2 dimensions is needed, not %d", a->ndim);
    return mica_swapaxes(s, a, -2, -1);
}

mica_array *mica_positive(mica_scope *s, mica_array *a)
{
    return mica__ready(s, a) ? a : NULL;
}

mica_array *mica_logical_xor(mica_scope *s, mica_array *a, mica_array *b)
{
    if (!mica__ready(s, a) || !b) return NULL;
    return mica_not_equal(s, mica__cast(s, a, MICA_BOOL), mica__cast(s, b, MICA_BOOL));
}

mica_arrays mica_divmod(mica_scope *s, mica_array *a, mica_array *b)
{
    mica_array **pair = mica__scope_alloc(s, 2 * sizeof *pair);
    if (!pair || !a || !b) return (mica_arrays){ 0 };
    pair[0] = mica_floor_divide(s, a, b);
    /* A disposable number was given its type by the first builder: the second sees the same strong
     * operand. */
    pair[1] = mica_remainder(s, a, b);
    return pair[0] && pair[1] ? (mica_arrays){ 2, pair } : (mica_arrays){ 0 };
}

mica_array *mica_clip(mica_scope *s, mica_array *a, mica_array *a_min, mica_array *a_max)
{
    if (!mica__ready(s, a)) return NULL;
    if (!a_min && !a_max)
        return mica__error(s, MICA_EVALUE,
                           "[clip] a_min and a_max are both None; give at least one");
    if (a_min) a = mica_maximum(s, a, a_min);
    return a_max ? mica_minimum(s, a, a_max) : a;
}

/* |a - b| <= atol + rtol |b|, and equal infinities. */
mica_array *mica_isclose(mica_scope *s, mica_array *a, mica_array *b, double rtol, double atol,
                         bool equal_nan)
{
    if (!mica__ready(s, a) || !b) return NULL;
    mica_array *both[2] = { a, b };
    mica_dtype d = mica__float_dtype(mica__result_dtype(both, 2));
    a = mica__cast(s, a, d);
    b = mica__cast(s, b, d);
    mica_array *bound =
        mica_add(s, mica_number(s, atol), mica_multiply(s, mica_number(s, rtol), mica_abs(s, b)));
    mica_array *close = mica_less_equal(s, mica_abs(s, mica_subtract(s, a, b)), bound);
    mica_array *infinite = mica_logical_or(s, mica_isinf(s, a), mica_isinf(s, b));
    close = mica_where(s, infinite, mica_equal(s, a, b), close);
    if (equal_nan)
        close = mica_logical_or(s, close, mica_logical_and(s, mica_isnan(s, a), mica_isnan(s, b)));
    return close;
}

mica_array *mica_allclose(mica_scope *s, mica_array *a, mica_array *b, double rtol, double atol,
                          bool equal_nan)
{
    return mica_all(s, mica_isclose(s, a, b, rtol, atol, equal_nan), MICA_ALL_AXES, false);
}

mica_array *mica_array_equal(mica_scope *s, mica_array *a, mica_array *b, bool equal_nan)
{
    if (!mica__ready(s, a) || !b) return NULL;
    if (!mica__shape_equal(mica__dims_of(a), mica__dims_of(b))) return mica_scalar(s, 0, MICA_BOOL);
    mica_array *both[2] = { a, b };
    mica_dtype d = mica__result_dtype(both, 2);
    a = mica__cast(s, a, d);
    b = mica__cast(s, b, d);
    mica_array *equal = mica_equal(s, a, b);
    if (equal_nan && mica__is_inexact(d))
        equal = mica_logical_or(s, equal, mica_logical_and(s, mica_isnan(s, a), mica_isnan(s, b)));
    return mica_all(s, equal, MICA_ALL_AXES, false);
}

mica_array *mica_nan_to_num(mica_scope *s, mica_array *a, double nan, double posinf, double neginf)
{
    static const double largest[MICA_DTYPE_COUNT] = { [MICA_FLOAT16] = 65504.0,
                                                      [MICA_BFLOAT16] = 3.3895313892515355e38,
                                                      [MICA_FLOAT32] = 3.4028234663852886e38,
                                                      [MICA_FLOAT64] = 1.7976931348623157e308 };
    a = mica__operand(s, a);
    if (!mica__ready(s, a)) return NULL;
    mica_dtype d = (mica_dtype)a->dtype;
    if (d == MICA_COMPLEX64 && (isnan(posinf) || isnan(neginf)))
        return mica__error(s, MICA_EVALUE,
                           "[nan_to_num] complex64 has no largest number: give posinf and neginf");
    if (!mica__is_inexact(d)) return a;
    mica_array *r = mica_where(s, mica_isnan(s, a), mica_number(s, nan), a);
    r = mica_where(s, mica_isposinf(s, a), mica_number(s, isnan(posinf) ? largest[d] : posinf), r);
    return mica_where(s, mica_isneginf(s, a), mica_number(s, isnan(neginf) ? -largest[d] : neginf),
                      r);
}
