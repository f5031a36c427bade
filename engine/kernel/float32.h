/* Bodies of float32 beyond real.h: elementary functions, at most 2 ulp off for every float,
   subnormals, infinities and NaN included. The common ones work in single precision, the others in
   double (wide.h). Polynomials: Chebyshev fits of our own. */
#ifndef MICA_KERNEL_FLOAT32_H
#define MICA_KERNEL_FLOAT32_H

#include "kernel/wide.h"

/* Adding it leaves an integer, in two's complement, in the low bits. */
#define K_ROUND_F32 0x1.8p23f

/* x = k ln 2 + r, |r| <= ln(2)/2, with ln 2 split so that k times its first part is exact. 2^k is
   applied in two factors: it may itself be out of range where the result is not. `lost`: what the
   last sum rounds away. */
MICA_BODY float k_exp_parts_f32(float x, float *lost)
{
    x = x > 89.0f ? 89.0f : x;
    x = x < -104.0f ? -104.0f : x;
    float t = x * 1.44269504f + K_ROUND_F32, k = t - K_ROUND_F32;
    float r = (x - k * 0.693359375f) + k * 2.12194440e-4f;
    float q = 0.00833331048f + r * (0.00139337312f + r * 0.000198910799f);
    q = 0.5f + r * (0.166666672f + r * (0.041666463f + r * q));
    float p = r + (r * r) * q, sum = 1.0f + p;
    uint32_t power = k_bits_f32(t) - 0x4b400000u, half = (uint32_t)((int32_t)power >> 1);
    float first = k_from_bits_f32((half + 127) << 23);
    float second = k_from_bits_f32((power - half + 127) << 23);
    *lost = (p - (sum - 1.0f)) * first * second;
    return sum * first * second;
}

/* At most 0.96 ulp. */
MICA_BODY float k_exp_f32(float x)
{
    float lost;
    return k_exp_parts_f32(x, &lost);
}

/* x = 2^e (1 + f), 1 + f in [sqrt(1/2), sqrt(2)): log(x) = e ln 2 + f - f^2/2 + f^3 P(f), small
   terms first. At most 0.85 ulp. */
MICA_BODY float k_log_f32(float x)
{
    int subnormal = x < 0x1p-126f;
    uint32_t u = k_bits_f32(subnormal ? x * 0x1p23f : x) - 0x3f3504f3u;
    float e = (float)((int32_t)u >> 23) - (subnormal ? 23.0f : 0.0f);
    float f = k_from_bits_f32((u & 0x007fffffu) + 0x3f3504f3u) - 1.0f, z = f * f;
    float p = 0.110377833f + f * (-0.10646192f + f * (0.105308644f + f * -0.0620150007f));
    p = 0.200000107f + f * (-0.166680008f + f * (0.142865241f + f * (-0.124507435f + f * p)));
    p = 0.333333343f + f * (-0.249999896f + f * p);
    float y = (f * z) * p + e * -2.12194440e-4f;
    y = (f + (y - z * 0.5f)) + e * 0.693359375f;
    float other = x == 0 ? -k_infinity_f32() : x < 0 ? k_nan_f32() : x;
    return ((x > 0) & (x < k_infinity_f32())) ? y : other;
}

MICA_BODY float k_log2_f32(float x)
{
    return (float)wide_log2(x);
}
MICA_BODY float k_log10_f32(float x)
{
    return (float)(wide_log(x) * 0.43429448190325182);
}
MICA_BODY float k_log1p_f32(float x)
{
    return x == 0 ? x : (float)wide_log1p(x);
}
MICA_BODY float k_expm1_f32(float x)
{
    return x == 0 ? x : (float)wide_expm1(wide_clamp(x, -104, 90));
}

/* sin and cos of |r| <= pi/4. */
MICA_BODY float k_sin_reduced_f32(float r)
{
    float z = r * r;
    return r + (r * z) * (-0.166666642f + z * (0.00833274797f + z * -0.000195878412f));
}
MICA_BODY float k_cos_reduced_f32(float r)
{
    float z = r * r;
    return (1.0f - z * 0.5f) +
           (z * z) * (0.0416666642f + z * (-0.00138883025f + z * 2.45478914e-05f));
}

/* The sine of n pi/2 + r, r >= 0 before reduction, times the sign of `sign`. At most 1.6 ulp. */
MICA_BODY float k_sine_f32(double r, uint32_t n, float sign)
{
    float s = n & 1 ? k_cos_reduced_f32((float)r) : k_sin_reduced_f32((float)r);
    return k_from_bits_f32(k_bits_f32(s) ^ (n & 2) << 30 ^ (k_bits_f32(sign) & 0x80000000u));
}
MICA_BODY double k_tangent(double r, uint32_t n)
{
    double s = wide_sin_reduced(r), c = wide_cos_reduced(r);
    return (n & 1 ? -c : s) / (n & 1 ? s : c);
}

/* True where the argument needs the long reduction; loops take the short one for whole blocks. */
MICA_BODY int k_rare_sin_f32(float x)
{
    return !(k_abs_f32(x) < WIDE_REDUCE_LIMIT);
}
#define k_rare_cos_f32 k_rare_sin_f32
#define k_rare_tan_f32 k_rare_sin_f32

MICA_BODY float k_common_sin_f32(float x)
{
    uint32_t n;
    double r = wide_reduce(k_abs_f32(x), &n);
    return k_sine_f32(r, n, x);
}
MICA_BODY float k_common_cos_f32(float x)
{
    uint32_t n;
    double r = wide_reduce(k_abs_f32(x), &n);
    return k_sine_f32(r, n + 1, 0);
}
MICA_BODY float k_common_tan_f32(float x)
{
    uint32_t n;
    double r = wide_reduce(k_abs_f32(x), &n);
    return k_copysign_f32(1, x) * (float)k_tangent(r, n);
}
MICA_BODY float k_sin_f32(float x)
{
    uint32_t n;
    if (!k_rare_sin_f32(x)) return k_common_sin_f32(x);
    double r = wide_reduce_large(k_abs_f32(x), &n);
    return k_sine_f32(r, n, x);
}
MICA_BODY float k_cos_f32(float x)
{
    uint32_t n;
    if (!k_rare_sin_f32(x)) return k_common_cos_f32(x);
    double r = wide_reduce_large(k_abs_f32(x), &n);
    return k_sine_f32(r, n + 1, 0);
}
MICA_BODY float k_tan_f32(float x)
{
    uint32_t n;
    if (!k_rare_sin_f32(x)) return k_common_tan_f32(x);
    double r = wide_reduce_large(k_abs_f32(x), &n);
    return k_copysign_f32(1, x) * (float)k_tangent(r, n);
}

MICA_BODY float k_sinh_f32(float x)
{
    double m = wide_expm1(wide_clamp(k_abs_f32(x), 0, 90));
    return k_copysign_f32((float)((m + m / (m + 1)) * 0.5), x);
}
MICA_BODY float k_cosh_f32(float x)
{
    double e = wide_exp(wide_clamp(k_abs_f32(x), 0, 90));
    return (float)((e + 1 / e) * 0.5);
}

/* An odd polynomial near 0, 1 - 2/(e^2x + 1) elsewhere. At most 1.4 ulp. */
MICA_BODY float k_tanh_f32(float x)
{
    float a = k_abs_f32(x), z = a * a;
    float p = 0.0217689183f + z * (-0.00834394526f + z * 0.00229274482f);
    p = -0.333333343f + z * (0.133333042f + z * (-0.0539592579f + z * p));
    float near = a + (a * z) * p, far = 1.0f - 2.0f / (k_exp_f32(a + a) + 1.0f);
    return k_copysign_f32(a < 0.625f ? near : far, x);
}

/* e^x/(1 + e^x) below 0, 1/(1 + e^-x) above: nothing overflows, and small results keep their
   digits. The quotient is corrected to first order for what both sums rounded away; 1/(1 + e) is 1
   - q below 0. At most 1.5 ulp. */
MICA_BODY float k_sigmoid_f32(float x)
{
    float e_lost, e = k_exp_parts_f32(-k_abs_f32(x), &e_lost);
    float sum = 1.0f + e, sum_lost = (e - (sum - 1.0f)) + e_lost;
    float q = (x < 0 ? e : 1.0f) / sum;
    return q + ((x < 0 ? e_lost : 0.0f) - q * sum_lost) * (x < 0 ? 1.0f - q : q);
}

MICA_BODY float k_arctan2_f32(float y, float x)
{
    double angle = wide_angle(k_abs_f32(y), k_abs_f32(x));
    angle = k_bits_f32(x) >> 31 ? 3.1415926535897931 - angle : angle;
    return k_copysign_f32((float)angle, y);
}
MICA_BODY float k_arctan_f32(float x)
{
    return k_copysign_f32((float)wide_angle(k_abs_f32(x), 1), x);
}
MICA_BODY float k_arcsin_f32(float x)
{
    double a = k_abs_f32(x);
    return k_copysign_f32((float)wide_angle(a, sqrt((1 - a) * (1 + a))), x);
}
MICA_BODY float k_arccos_f32(float x)
{
    double a = k_abs_f32(x), angle = wide_angle(sqrt((1 - a) * (1 + a)), a);
    return (float)(x < 0 ? 3.1415926535897931 - angle : angle);
}
MICA_BODY float k_arcsinh_f32(float x)
{
    double a = k_abs_f32(x), y = a + (a * a) / (1 + sqrt(a * a + 1));
    y = a < k_infinity_f64() ? y : a;
    return k_copysign_f32((float)wide_log1p(y), x);
}
MICA_BODY float k_arccosh_f32(float x)
{
    double t = (double)x - 1, y = wide_log1p(t + sqrt(t * (t + 2)));
    return x < 1 ? k_nan_f32() : (float)y;
}
MICA_BODY float k_arctanh_f32(float x)
{
    double a = k_abs_f32(x);
    return k_copysign_f32((float)(0.5 * wide_log1p((a + a) / (1 - a))), x);
}

/* An odd polynomial up to 1, 1 minus one for erfc up to 3.92, then 1. At most 1.7 ulp. */
MICA_BODY float k_erf_f32(float x)
{
    float a = k_abs_f32(x), z = a * a;
    float p = 0.00518908724f + z * (-0.00080168643f + z * 7.87587487e-05f);
    p = -0.37612626f + z * (0.112835944f + z * (-0.0268542115f + z * p));
    float near = a + a * (0.128379166f + z * p);
    float t = ((a > 3.92f ? 3.92f : a) - 2.46f) * 0.684931507f;
    float q = 0.00162886013f + t * (-1.13923725e-05f + t * -0.000219739479f);
    q = 0.0090376148f + t * (-0.00334089226f + t * (-0.00159259408f + t * q));
    q = 0.0284468792f + t * (-0.00649915263f + t * (-0.00734519353f + t * q));
    q = -0.0306000859f + t * (0.0450473726f + t * (-0.045105882f + t * q));
    q = -0.00387810101f + t * (0.0139289787f + t * q);
    float far = 1.0f - (0.000503353658f + t * q);
    return k_copysign_f32(a < 1.0f ? near : far, x);
}

/* x P(t), t = log(1 - x^2), a polynomial for the middle and one for the tails, as M. Giles does in
   "Approximating the erfinv function", with fits of our own in double. At most 0.62 ulp. */
MICA_BODY float k_erfinv_f32(float x)
{
    double a = x, t = wide_log(1 - a * a);
    double p = 1.9431264997899258e-10 + t * 1.5081401260596609e-12;
    double q = 2.5175507301785909e-08 + t * 6.5835740696297198e-10;
    p = 3.8511368975097187e-07 + t * (1.1246874041385839e-08 + t * p);
    p = 0.00013184862108044955 + t * (8.631489857668327e-06 + t * p);
    p = 0.009274111812725732 + t * (0.0013746057978507771 + t * p);
    p = -0.20382700343019422 + t * (0.030407398226328552 + t * p);
    p = 0.90384293294088869 + t * p;
    q = 2.9864120822937073e-06 + t * (3.9406930700730149e-07 + t * q);
    q = -3.684069449924472e-05 + t * (7.5378799133407535e-06 + t * q);
    q = 0.0023420011334970023 + t * (-0.00011728940519460075 + t * q);
    q = -0.23201337819140791 + t * (0.011551607168552611 + t * q);
    q = 0.88622693145112674 + t * q;
    float y = (float)(a * (t < -6.125 ? p : q));
    return k_abs_f32(x) == 1 ? k_copysign_f32(k_infinity_f32(), x) : y;
}

/* |x|^y = 2^(y log2 |x|); then the sign of an odd power and C's special cases. */
MICA_BODY float k_power_f32(float x, float y)
{
    double a = k_abs_f32(x), e = y, r = wide_exp2(wide_clamp(e * wide_log2(a), -200, 200));
    int integral = k_rint_f32(y) == y, odd = integral & (k_rint_f32(y * 0.5f) != y * 0.5f);
    float z = (float)r;
    z = odd ? k_copysign_f32(z, x) : z;
    z = ((x < 0) & (x > -k_infinity_f32()) & !integral) ? k_nan_f32() : z;
    int one = (y == 0) | (x == 1) | ((x == -1) & (k_abs_f32(y) == k_infinity_f32()));
    return one ? 1.0f : ((x != x) | (y != y)) ? k_nan_f32() : z;
}

/* At most 1 ulp, or 2^-46 where the result is close to 0. Selects at the end only: gcc would
   compute the branches of a clamped operand apart, and not vectorise. */
MICA_BODY float k_logaddexp_f32(float x, float y)
{
    float high = k_maximum_f32(x, y), low = k_minimum_f32(x, y);
    double d = (double)low - high, l = wide_log1p_finite(wide_exp(d));
    double z = high + (d < -150 ? 0 : l);
    int end = high == k_infinity_f32();
    end |= low == -k_infinity_f32();
    return end ? high : (float)z;
}

/* The remainder with the sign of the divisor, from that with the sign of the dividend. */
MICA_BODY float k_signed_remainder_f32(float r, float y)
{
    return ((r != 0) & ((r < 0) != (y < 0))) ? r + y : r;
}

/* With a quotient below 2^29 the double quotient rounds across no integer (it is off by 2^-24 at
   least, if it is none), and all below is exact. */
MICA_BODY int k_rare_remainder_f32(float x, float y)
{
    int rare = !(k_abs_f32(x) < 0x1p29f * k_abs_f32(y));
    rare |= k_abs_f32(y) == k_infinity_f32();
    return rare;
}
MICA_BODY float k_common_remainder_f32(float x, float y)
{
    double q = (double)x / y, whole = (k_abs_f64(q) + 0x1p52) - 0x1p52;
    whole = whole > k_abs_f64(q) ? whole - 1 : whole;
    double r = k_abs_f64(x) - whole * k_abs_f64(y);
    return k_signed_remainder_f32(k_copysign_f32((float)r, x), y);
}
MICA_BODY float k_remainder_f32(float x, float y)
{
    if (!k_rare_remainder_f32(x, y)) return k_common_remainder_f32(x, y);
    return k_signed_remainder_f32(fmodf(x, y), y);
}

#endif
