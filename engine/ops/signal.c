/* Windows, computed in float64 and rounded once, and the Hadamard transform. */
#include <math.h>

#include "ops/builder.h"

/* ---- windows: symmetric, float32; empty for M < 1, [1] for M = 1 ---- */

/* 2 pi i / (M - 1) times `turns`, i = 0 ... M - 1, measured from the middle: so both halves are
   equal. NULL, and *done is the window, when M is small. */
static mica_array *places(mica_scope *s, int64_t m, mica_array **done)
{
    *done = NULL;
    if (!mica__scope_ok(s)) return NULL;
    if (m <= 1) {
        *done = mica__full(s, MICA_SHAPE(m < 0 ? 0 : m), 1, MICA_FLOAT32);
        return NULL;
    }
    mica_array *i = mica__cast(s, mica_arange_integer(s, 0, m, 1, MICA_INT64), MICA_FLOAT64);
    i = mica_subtract(s, mica_multiply(s, i, mica_number(s, 2)), mica_number(s, (double)(m - 1)));
    return mica_divide(s, mica_abs(s, i), mica_number(s, (double)(m - 1))); /* 1 ... 0 ... 1 */
}

/* a + b cos(2 pi n / (M - 1)) + c cos(4 pi n / (M - 1)), written with cosines around the middle. */
static mica_array *cosines(mica_scope *s, int64_t m, double a, double b, double c)
{
    mica_array *w, *t = places(s, m, &w);
    if (!t) return w;
    t = mica_multiply(s, t, mica_number(s, 3.14159265358979323846));
    w = mica_add(s, mica_multiply(s, mica_cos(s, t), mica_number(s, -b)), mica_number(s, a));
    if (c != 0) {
        t = mica_cos(s, mica_multiply(s, t, mica_number(s, 2)));
        w = mica_add(s, w, mica_multiply(s, t, mica_number(s, c)));
    }
    return mica__cast(s, mica_maximum(s, w, mica_number(s, 0)), MICA_FLOAT32); /* ends of 0 */
}

mica_array *mica_bartlett(mica_scope *s, int64_t m)
{
    mica_array *w, *t = places(s, m, &w);
    if (!t) return w;
    return mica__cast(s, mica_subtract(s, mica_number(s, 1), t), MICA_FLOAT32);
}
mica_array *mica_hanning(mica_scope *s, int64_t m)
{
    return cosines(s, m, 0.5, -0.5, 0);
}
mica_array *mica_hamming(mica_scope *s, int64_t m)
{
    return cosines(s, m, 0.54, -0.46, 0);
}
mica_array *mica_blackman(mica_scope *s, int64_t m)
{
    return cosines(s, m, 0.42, -0.5, 0.08);
}

/* ---- Hadamard ---- */

mica_array *mica_hadamard_transform(mica_scope *s, mica_array *a, double scale)
{
    a = mica__operand(s, a);
    if (!mica__ready(s, a)) return NULL;
    if (a->size == 0)
        return mica__error(s, MICA_EVALUE,
                           "[hadamard_transform] shape %s is empty; at least one element is needed",
                           mica__shape_text(mica__dims_of(a)));
    int64_t n = a->ndim ? a->shape[a->ndim - 1] : 1, m = n;
    while (m % 2 == 0) m /= 2;
    if (m != 1 && ((m != 3 && m != 5 && m != 7) || n % 4 != 0))
        return mica__error(s, MICA_EVALUE,
                           "[hadamard_transform] the last axis has %lld elements; m * 2^k with m = "
                           "1, 12, 20 or 28 is accepted",
                           (long long)n);
    if (n == 1) /* in its own type, as the reference has it */
        return isnan(scale) ? a : mica_multiply(s, a, mica_number(s, scale));
    if (isnan(scale)) scale = 1 / sqrt((double)n);
    mica_dtype d = mica__is_float((mica_dtype)a->dtype) ? (mica_dtype)a->dtype : MICA_FLOAT32;
    a = mica__cast(s, a, d);
    if (!a) return NULL;
    struct mica__hadamard_params p = { .scale = scale };
    return mica__build(s, mica_prim_hadamard, &p, 1, &a, d, mica__dims_of(a));
}
