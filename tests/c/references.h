/* What the tests of accuracy compare with: the C library in double for float32, in long double for
   float64; and distances in units in the last place. */
#ifndef MICA_TEST_REFERENCES_H
#define MICA_TEST_REFERENCES_H

#include <math.h>
#include <stdint.h>
#include <string.h>

/* A wrong kind of result (NaN, infinity, zero or a sign where there should be none). */
#define WRONG 1e9

/* Units in the last place of float32 between a result and the exact value. A result beyond the
   largest number may be infinite, or that number. */
static inline double ulps32(float got, double want)
{
    if (isnan(want) || isnan(got)) return isnan(want) && isnan(got) ? 0 : WRONG;
    float rounded = (float)want;
    if (isinf(rounded) || isinf(got)) {
        if (got == rounded) return 0;
        return isinf(got) && fabs(want) > 3.40282346e38 * (1 - 0x1p-23) && (want > 0) == (got > 0)
                   ? 1
                   : WRONG;
    }
    if (want == 0) return got == 0 && !signbit(got) == !signbit(want) ? 0 : WRONG;
    uint64_t bits;
    memcpy(&bits, &want, sizeof bits);
    int e = (int)(bits >> 52 & 2047) - 1022; /* |want| < 2^e */
    bits = (uint64_t)(1023 + (e < -125 ? 149 : 24 - e)) << 52;
    double scale;
    memcpy(&scale, &bits, sizeof scale);
    return fabs(got - want) * scale;
}

static inline double ulps64(double got, long double want)
{
    if (isnan(want) || isnan(got)) return isnan(want) && isnan(got) ? 0 : WRONG;
    if (isinf((double)want) || isinf(got)) return got == (double)want ? 0 : WRONG;
    if (want == 0) return got == 0 && !signbit(got) == !signbit(want) ? 0 : WRONG;
    int e;
    frexpl(want, &e);
    return (double)(fabsl(got - want) / ldexpl(1, e < -1021 ? -1074 : e - 53));
}

/* ---- one operand, where C has no such function ---- */

static inline double square(double x)
{
    return x * x;
}
static inline double rsqrt_(double x)
{
    return 1 / sqrt(x);
}
static inline long double rsqrtl_(long double x)
{
    return 1 / sqrtl(x);
}
static inline double reciprocal(double x)
{
    return 1 / x;
}
static inline double negative(double x)
{
    return -x;
}
static inline double sign(double x)
{
    return (x > 0) - (x < 0);
}
static inline double same(double x)
{
    return x;
}
static inline double zero(double x)
{
    (void)x;
    return 0;
}
static inline double sigmoid(double x)
{
    double e = exp(-fabs(x));
    return (x < 0 ? e : 1) / (1 + e);
}
static inline long double sigmoidl(long double x)
{
    return 1 / (1 + expl(-x));
}

/* Newton's method, with Halley's correction, on erf or, where that would cancel, on erfc. Each step
   triples the digits. */
static inline double erfinv(double x)
{
    double a = fabs(x), y = a < 0.9 ? a * (0.88623 + a * a * 0.2) : sqrt(-log(1 - a));
    if (!(a < 1)) return a == 1 ? copysign(INFINITY, x) : NAN;
    if (a < 1e-8) return x * 0.88622692545275801365;
    for (int i = 0; i < 8; i++) {
        double error = a < 0.5 ? erf(y) - a : (1 - a) - erfc(y);
        double newton = error / (1.12837916709551257390 * exp(-y * y));
        double step = newton / (1 + y * newton);
        y -= step;
        if (fabs(step) < 1e-5 * y) break; /* what remains is below 1e-15 */
    }
    return copysign(y, x);
}
static inline long double erfinvl(long double x)
{
    if (!(fabsl(x) < 1)) return fabsl(x) == 1 ? copysignl(INFINITY, x) : NAN;
    long double a = fabsl(x), y = a < 0.9L ? a * 0.8862L : sqrtl(-logl(1 - a));
    for (int i = 0; i < 60; i++) {
        long double error = a < 0.5L ? erfl(y) - a : (1 - a) - erfcl(y);
        long double newton = error / (1.12837916709551257390L * expl(-y * y));
        y -= newton / (1 + y * newton);
    }
    return copysignl(y, x);
}

/* ---- two operands ---- */

static inline long double addl(long double a, long double b)
{
    return a + b;
}
static inline long double subtractl(long double a, long double b)
{
    return a - b;
}
static inline long double multiplyl(long double a, long double b)
{
    return a * b;
}
static inline long double dividel(long double a, long double b)
{
    return a / b;
}
static inline long double signed_remainderl(long double a, long double b)
{
    long double r = fmodl(a, b);
    return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}
static inline long double largerl(long double a, long double b)
{
    return isnan(a) || a > b ? a : b;
}
static inline long double smallerl(long double a, long double b)
{
    return isnan(a) || a < b ? a : b;
}
static inline long double log_add_expl(long double a, long double b)
{
    long double high = largerl(a, b), low = smallerl(a, b);
    return high == INFINITY || low == -INFINITY ? high : high + log1pl(expl(low - high));
}

#endif
