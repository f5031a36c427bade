/* Elementary functions in double, good to about 2^-45: what float32 bodies use where cancellation
   would cost digits. Operands come from float32, so no double here is subnormal and squares do not
   overflow. Plain arithmetic on 64-bit lanes: no conversion between double and int64, which SSE2
   and AVX2 lack. Polynomials: Chebyshev fits of our own. */
#ifndef MICA_KERNEL_WIDE_H
#define MICA_KERNEL_WIDE_H

#include "kernel/body.h"

/* Adding it leaves an integer, in two's complement, in the low bits. */
#define WIDE_ROUND 0x1.8p52

/* x = k ln 2 + r, |r| <= ln(2)/2: returns e^r - 1 and 2^k. x is in [-700, 700] or NaN. */
MICA_BODY double wide_exp_parts(double x, double *scale)
{
    double t = x * 1.4426950408889634 + WIDE_ROUND, k = t - WIDE_ROUND;
    double r = (x - k * 0x1.62e42fe8p-1) - k * 8.893134238886677e-10;
    double q = 2.7625237795740734e-06 + r * 2.7613908675784859e-07;
    q = 0.00019841208512102091 + r * (2.4801536205055341e-05 + r * q);
    q = 0.0083333333538398342 + r * (0.0013888888905973543 + r * q);
    q = 0.16666666666648156 + r * (0.041666666666651246 + r * q);
    *scale = k_from_bits_f64((k_bits_f64(t) + 1023) << 52);
    return r + (r * r) * (0.5 + r * q);
}

MICA_BODY double wide_exp(double x)
{
    double scale, p = wide_exp_parts(x, &scale);
    return scale + scale * p;
}

MICA_BODY double wide_expm1(double x)
{
    double scale, p = wide_exp_parts(x, &scale);
    return (scale - 1) + scale * p;
}

/* 2^x for x in [-1000, 1000] or NaN. */
MICA_BODY double wide_exp2(double x)
{
    double t = x + WIDE_ROUND, r = x - (t - WIDE_ROUND);
    double q = 1.0205905413765595e-07 + r * 7.0709778665081383e-09;
    q = 1.5252672924850737e-05 + r * (1.3215451633221434e-06 + r * q);
    q = 0.0013333558200794592 + r * (0.00015403530424776529 + r * q);
    q = 0.05550410866465167 + r * (0.0096181291076186653 + r * q);
    q = 0.69314718055994617 + r * (0.24022650695910075 + r * q);
    double scale = k_from_bits_f64((k_bits_f64(t) + 1023) << 52);
    return scale + scale * (r * q);
}

/* Limits a number to [low, high]; NaN passes. */
MICA_BODY double wide_clamp(double x, double low, double high)
{
    x = x < low ? low : x;
    return x > high ? high : x;
}

/* u = 2^k m, m in [sqrt(1/2), sqrt(2)): returns log(m) by the series in s = (m - 1)/(m + 1), and k.
 */
MICA_BODY double wide_log_parts(double u, double *k)
{
    uint64_t bits = k_bits_f64(u) + (0x3ff0000000000000u - 0x3fe6a09e667f3bcdu);
    *k = k_from_bits_f64((bits >> 52) | 0x4330000000000000u) - (0x1p52 + 1023);
    double f = k_from_bits_f64((bits & 0x000fffffffffffffu) + 0x3fe6a09e667f3bcdu) - 1;
    double s = f / (2 + f), z = s * s;
    double q = 0.15331721600556042 + z * 0.14616449685043406;
    q = 0.22222211134795081 + z * (0.18182889125261723 + z * q);
    q = 0.39999999999899505 + z * (0.28571428625975487 + z * q);
    return s * 2 + (s * z) * (0.66666666666666696 + z * q);
}

/* What log(u) is where the series does not apply, `value` elsewhere: -inf at 0, NaN below, inf at
   inf. */
MICA_BODY double wide_log_ends(double u, double value)
{
    double other = u == 0 ? -k_infinity_f64() : u < 0 ? k_nan_f64() : u;
    return ((u > 0) & (u < k_infinity_f64())) ? value : other;
}

MICA_BODY double wide_log(double u)
{
    double k, log_m = wide_log_parts(u, &k);
    return wide_log_ends(u, k * 0.69314718055994531 + log_m);
}

MICA_BODY double wide_log2(double u)
{
    double k, log_m = wide_log_parts(u, &k);
    return wide_log_ends(u, k + log_m * 1.4426950408889634);
}

/* log(1 + x), finite x > -1; what 1 + x loses of a small x is added back. */
MICA_BODY double wide_log1p_finite(double x)
{
    double u = 1 + x, lost = x - (u - 1);
    double k, log_m = wide_log_parts(u, &k);
    double small = ((x < 0.5) & (x > -0.5)) ? lost : 0;
    return k * 0.69314718055994531 + (log_m + small);
}

MICA_BODY double wide_log1p(double x)
{
    return wide_log_ends(1 + x, wide_log1p_finite(x));
}

/* The angle in [0, pi/2] of the point (across, up), both >= 0 or NaN. The quotient of the smaller
   by the larger is turned by pi/4 where it exceeds tan(pi/8). */
MICA_BODY double wide_angle(double up, double across)
{
    double a = up < 1e300 ? up : 1e300, b = across < 1e300 ? across : 1e300;
    double low = a < b ? a : b, high = a < b ? b : a;
    high = high == 0 ? 1 : high;
    int turned = low > high * 0.41421356237309503;
    double numerator = turned ? low - high : low, denominator = turned ? low + high : high;
    double q = numerator / denominator, z = q * q;
    double p = -0.060272065701111648 + z * 0.032954991143053267;
    p = -0.090840995224930762 + z * (0.076047780035556789 + z * p);
    p = -0.14285708106991879 + z * (0.11110819586603747 + z * p);
    p = -0.33333333333266146 + z * (0.19999999949822453 + z * p);
    double angle = q + (q * z) * p;
    angle = turned ? angle + 0.78539816339744828 : angle;
    angle = a > b ? 1.5707963267948966 - angle : angle;
    return ((up != up) | (across != across)) ? k_nan_f64() : angle;
}

/* sin and cos of |r| <= pi/4. */
MICA_BODY double wide_sin_reduced(double r)
{
    double z = r * r;
    double q = -2.5051131455427946e-08 + z * 1.591810123027412e-10;
    q = -0.00019841269836754971 + z * (2.7557316100683029e-06 + z * q);
    q = -0.16666666666666666 + z * (0.0083333333333309462 + z * q);
    return r + (r * z) * q;
}

MICA_BODY double wide_cos_reduced(double r)
{
    double z = r * r;
    double q = 2.0876146024689747e-09 + z * -1.1382614868556325e-11;
    q = 2.4801587298763433e-05 + z * (-2.7557317270560326e-07 + z * q);
    q = 0.041666666666666664 + z * (-0.0013888888888887395 + z * q);
    return (1 - z * 0.5) + (z * z) * q;
}

/* x = n pi/2 + r, |r| <= pi/4, for |x| < 2^23 (Cody and Waite): pi/2 is split so that n times its
   first part is exact. Only the last two bits of n are of use. */
#define WIDE_REDUCE_LIMIT 8388608.0f
MICA_BODY double wide_reduce(double x, uint32_t *n)
{
    double t = x * 0.63661977236758138 + WIDE_ROUND, k = t - WIDE_ROUND;
    *n = (uint32_t)k_bits_f64(t);
    return (x - k * 0x1.921fb54p+0) - k * 0x1.10b4611a62633p-30;
}

/* The same for any finite |x| >= 2^23 (Payne and Hanek): x is m 2^e with 24-bit m; of the bits of
   2/pi those before e - 2 only make multiples of 4, so 96 bits from there on, times m, modulo 2^96,
   give x 2/pi modulo 4 to 70 binary places. */
MICA_BODY double wide_reduce_large(float x, uint32_t *n)
{
    /* 32 zeros and the first bits of 2/pi. */
    const uint32_t two_over_pi[8] = { 0,           0xa2f9836eu, 0x4e441529u, 0xfc2757d1u,
                                      0xf534ddc0u, 0xdb629599u, 0x3c439041u, 0xfe5163abu };
    uint32_t u = k_bits_f32(x) & 0x7fffffffu;
    if (u >= 0x7f800000u) {
        *n = 0;
        return k_nan_f64();
    }
    uint64_t m = (u & 0x007fffffu) | 0x00800000u;
    unsigned first = (u >> 23) - 150 - 2 + 32, word = first / 32, shift = first % 32;
    uint32_t window[3];
    for (int i = 0; i < 3; i++) {
        uint64_t pair = (uint64_t)two_over_pi[word + i] << 32 | two_over_pi[word + i + 1];
        window[i] = (uint32_t)(pair >> (32 - shift));
    }
    uint64_t low = m * window[2], middle = m * window[1] + (low >> 32);
    uint64_t turns = ((m * window[0] + (middle >> 32)) << 32) | (uint32_t)middle;
    uint64_t quarter = (turns + ((uint64_t)1 << 61)) >> 62;
    int64_t rest = (int64_t)(turns - (quarter << 62));
    double r = (double)rest * (1.5707963267948966 * 0x1p-62);
    *n = (uint32_t)(k_bits_f32(x) >> 31 ? 0 - quarter : quarter);
    return k_bits_f32(x) >> 31 ? -r : r;
}

#endif
