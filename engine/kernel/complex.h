/* Bodies of complex64. Products and quotients as C11 Annex G asks (infinities survive), elementary
   functions from C99. */
#ifndef MICA_KERNEL_COMPLEX_H
#define MICA_KERNEL_COMPLEX_H

#include <complex.h>

#include "kernel/body.h"

MICA_BODY mica_complex64 k_complex(float re, float im)
{
    mica_complex64 z;
    z.re = re;
    z.im = im;
    return z;
}

/* Layouts agree: C99 says that a complex number is two floats, real part first. */
MICA_BODY float complex k_to_c99(mica_complex64 z)
{
    float complex c;
    memcpy(&c, &z, sizeof c);
    return c;
}
MICA_BODY mica_complex64 k_from_c99(float complex c)
{
    mica_complex64 z;
    memcpy(&z, &c, sizeof z);
    return z;
}
#define K_C99(name, function)                                                                      \
    MICA_BODY mica_complex64 k_##name##_c64(mica_complex64 a)                                      \
    {                                                                                              \
        return k_from_c99(function(k_to_c99(a)));                                                  \
    }
K_C99(sqrt, csqrtf)
K_C99(exp, cexpf)
K_C99(log, clogf)
K_C99(sin, csinf)
K_C99(cos, ccosf)
K_C99(tan, ctanf)
K_C99(sinh, csinhf)
K_C99(cosh, ccoshf)
K_C99(tanh, ctanhf)
K_C99(arcsin, casinf)
K_C99(arccos, cacosf)
K_C99(arctan, catanf)
K_C99(arcsinh, casinhf)
K_C99(arccosh, cacoshf)
K_C99(arctanh, catanhf)
#undef K_C99

MICA_BODY float k_abs_c64(mica_complex64 a)
{
    return hypotf(a.re, a.im);
}
MICA_BODY float k_real_c64(mica_complex64 a)
{
    return a.re;
}
MICA_BODY float k_imag_c64(mica_complex64 a)
{
    return a.im;
}
MICA_BODY mica_complex64 k_conjugate_c64(mica_complex64 a)
{
    return k_complex(a.re, -a.im);
}
MICA_BODY mica_complex64 k_negative_c64(mica_complex64 a)
{
    return k_complex(-a.re, -a.im);
}
MICA_BODY mica_complex64 k_rint_c64(mica_complex64 a)
{
    return k_complex(k_rint_f32(a.re), k_rint_f32(a.im));
}

MICA_BODY uint8_t k_isnan_c64(mica_complex64 a)
{
    return (a.re != a.re) | (a.im != a.im);
}
MICA_BODY uint8_t k_isinf_c64(mica_complex64 a)
{
    return k_isinf_f32(a.re) | k_isinf_f32(a.im);
}
MICA_BODY uint8_t k_isfinite_c64(mica_complex64 a)
{
    return k_isfinite_f32(a.re) & k_isfinite_f32(a.im);
}
/* Equality with the real infinity, as in the reference. */
MICA_BODY uint8_t k_isposinf_c64(mica_complex64 a)
{
    return k_isposinf_f32(a.re) & (a.im == 0);
}
MICA_BODY uint8_t k_isneginf_c64(mica_complex64 a)
{
    return k_isneginf_f32(a.re) & (a.im == 0);
}

/* By real part, then by imaginary part. */
MICA_BODY uint8_t k_equal_c64(mica_complex64 a, mica_complex64 b)
{
    return (a.re == b.re) & (a.im == b.im);
}
MICA_BODY uint8_t k_not_equal_c64(mica_complex64 a, mica_complex64 b)
{
    return (a.re != b.re) | (a.im != b.im);
}
MICA_BODY uint8_t k_less_c64(mica_complex64 a, mica_complex64 b)
{
    return (a.re < b.re) | ((a.re == b.re) & (a.im < b.im));
}
MICA_BODY uint8_t k_less_equal_c64(mica_complex64 a, mica_complex64 b)
{
    return (a.re < b.re) | ((a.re == b.re) & (a.im <= b.im));
}
MICA_BODY uint8_t k_greater_c64(mica_complex64 a, mica_complex64 b)
{
    return k_less_c64(b, a);
}
MICA_BODY uint8_t k_greater_equal_c64(mica_complex64 a, mica_complex64 b)
{
    return k_less_equal_c64(b, a);
}
MICA_BODY mica_complex64 k_maximum_c64(mica_complex64 a, mica_complex64 b)
{
    return k_greater_c64(a, b) | k_isnan_c64(a) ? a : b;
}
MICA_BODY mica_complex64 k_minimum_c64(mica_complex64 a, mica_complex64 b)
{
    return k_less_c64(a, b) | k_isnan_c64(a) ? a : b;
}

MICA_BODY mica_complex64 k_add_c64(mica_complex64 a, mica_complex64 b)
{
    return k_complex(a.re + b.re, a.im + b.im);
}
MICA_BODY mica_complex64 k_subtract_c64(mica_complex64 a, mica_complex64 b)
{
    return k_complex(a.re - b.re, a.im - b.im);
}

/* An infinite part becomes 1 with its sign, a finite one 0; NaN beside an infinity counts as 0. */
MICA_BODY mica_complex64 k_direction(mica_complex64 a)
{
    float re = k_isinf_f32(a.re), im = k_isinf_f32(a.im);
    return k_complex(k_copysign_f32(re, a.re), k_copysign_f32(im, a.im));
}
MICA_BODY mica_complex64 k_without_nan(mica_complex64 a)
{
    return k_complex(a.re != a.re ? k_copysign_f32(0, a.re) : a.re,
                     a.im != a.im ? k_copysign_f32(0, a.im) : a.im);
}

/* Rare: both parts came out as NaN. Where an operand is infinite, or a product was, so is the
   result. */
MICA_BODY mica_complex64 k_rescue_product(mica_complex64 a, mica_complex64 b)
{
    int infinite = 0;
    if (k_isinf_c64(a)) {
        a = k_direction(a);
        b = k_without_nan(b);
        infinite = 1;
    }
    if (k_isinf_c64(b)) {
        b = k_direction(b);
        a = k_without_nan(a);
        infinite = 1;
    }
    if (!infinite && (k_isinf_f32(a.re * b.re) | k_isinf_f32(a.im * b.im) |
                      k_isinf_f32(a.re * b.im) | k_isinf_f32(a.im * b.re))) {
        a = k_without_nan(a);
        b = k_without_nan(b);
        infinite = 1;
    }
    if (!infinite) return k_complex(k_nan_f32(), k_nan_f32());
    return k_complex(k_infinity_f32() * (a.re * b.re - a.im * b.im),
                     k_infinity_f32() * (a.re * b.im + a.im * b.re));
}
MICA_BODY mica_complex64 k_multiply_c64(mica_complex64 a, mica_complex64 b)
{
    float re = a.re * b.re - a.im * b.im, im = a.re * b.im + a.im * b.re;
    if ((re != re) & (im != im)) return k_rescue_product(a, b);
    return k_complex(re, im);
}
MICA_BODY mica_complex64 k_square_c64(mica_complex64 a)
{
    return k_multiply_c64(a, a);
}

MICA_BODY mica_complex64 k_rescue_quotient(mica_complex64 a, mica_complex64 b)
{
    float inf = k_infinity_f32();
    if (b.re == 0 && b.im == 0 && !(a.re != a.re && a.im != a.im)) {
        float pole = k_copysign_f32(inf, b.re);
        return k_complex(pole * a.re, pole * a.im);
    }
    if (k_isinf_c64(a) && k_isfinite_c64(b)) {
        a = k_direction(a);
        return k_complex(inf * (a.re * b.re + a.im * b.im), inf * (a.im * b.re - a.re * b.im));
    }
    if (k_isinf_c64(b) && k_isfinite_c64(a)) {
        b = k_direction(b);
        return k_complex(0 * (a.re * b.re + a.im * b.im), 0 * (a.im * b.re - a.re * b.im));
    }
    return k_complex(k_nan_f32(), k_nan_f32());
}
/* In double nothing overflows or underflows. */
MICA_BODY mica_complex64 k_divide_c64(mica_complex64 a, mica_complex64 b)
{
    double c = b.re, d = b.im, norm = c * c + d * d;
    float re = (float)((a.re * c + a.im * d) / norm), im = (float)((a.im * c - a.re * d) / norm);
    if ((re != re) & (im != im)) return k_rescue_quotient(a, b);
    return k_complex(re, im);
}
MICA_BODY mica_complex64 k_reciprocal_c64(mica_complex64 a)
{
    return k_divide_c64(k_complex(1, 0), a);
}
MICA_BODY mica_complex64 k_rsqrt_c64(mica_complex64 a)
{
    return k_reciprocal_c64(k_sqrt_c64(a));
}
MICA_BODY mica_complex64 k_sign_c64(mica_complex64 a)
{
    if (a.re == 0 && a.im == 0) return a;
    return k_divide_c64(a, k_complex(k_abs_c64(a), 0));
}

MICA_BODY mica_complex64 k_log2_c64(mica_complex64 a)
{
    mica_complex64 z = k_log_c64(a);
    return k_complex((float)(z.re * 1.4426950408889634), (float)(z.im * 1.4426950408889634));
}
MICA_BODY mica_complex64 k_log10_c64(mica_complex64 a)
{
    mica_complex64 z = k_log_c64(a);
    return k_complex((float)(z.re * 0.43429448190325182), (float)(z.im * 0.43429448190325182));
}
/* |1 + z|^2 = 1 + (x (2 + x) + y^2): exact near z = 0. Near z = -1 that cancels, and far away the 1
   is nothing: there the distance itself is as good. */
MICA_BODY mica_complex64 k_log1p_c64(mica_complex64 a)
{
    double x = a.re, y = a.im, excess = x * (2 + x) + y * y;
    if (!(fabs(x) < 1e10 && fabs(y) < 1e10)) return k_log_c64(k_complex(a.re + 1, a.im));
    double re = excess > -0.5 ? 0.5 * log1p(excess) : log(hypot(1 + x, y));
    return k_complex((float)re, (float)atan2(y, 1 + x));
}

MICA_BODY mica_complex64 k_power_c64(mica_complex64 a, mica_complex64 b)
{
    return k_from_c99((float complex)cpow(k_to_c99(a), k_to_c99(b)));
}

MICA_BODY mica_complex64 k_logaddexp_c64(mica_complex64 a, mica_complex64 b)
{
    mica_complex64 high = k_maximum_c64(a, b), low = k_minimum_c64(a, b);
    if (k_isneginf_c64(low) || k_isposinf_c64(high)) return high;
    return k_add_c64(high, k_log1p_c64(k_exp_c64(k_subtract_c64(low, high))));
}

#endif
