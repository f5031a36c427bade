/* Accuracy of the float32 and float64 loops, against the C library in higher precision.
   `test_accuracy N [primitive]` samples every Nth float (default 2503). SHOW=1 prints what was
   found. */
#include "loop_samples.h"

/* ---- accuracy of float32 and float64 ---- */

/* Units in the last place of float32 between a result and the exact value. */
static double ulps32(float got, double want)
{
    if (isnan(want) || isnan(got)) return isnan(want) && isnan(got) ? 0 : 1e9;
    float rounded = (float)want;
    if (isinf(rounded) || isinf(got)) {
        if (got == rounded) return 0;
        return isinf(got) && fabs(want) > 3.40282346e38 * (1 - 0x1p-23) && (want > 0) == (got > 0)
                   ? 1
                   : 1e9;
    }
    if (got == 0 && rounded == 0 && want == 0) return !signbit(got) == !signbit(want) ? 0 : 1e9;
    int e;
    frexp(want, &e);
    return fabs(got - want) / ldexp(1, e < -125 ? -149 : e - 24);
}

static double ulps64(double got, long double want)
{
    if (isnan(want) || isnan(got)) return isnan(want) && isnan(got) ? 0 : 1e9;
    if (isinf((double)want) || isinf(got)) return got == (double)want ? 0 : 1e9;
    int e;
    frexpl(want, &e);
    return (double)(fabsl(got - want) / ldexpl(1, e < -1021 ? -1074 : e - 53));
}

/* Functions that float.h's table below names, where C has none. */
static double square(double x)
{
    return x * x;
}
static double rsqrt_(double x)
{
    return 1 / sqrt(x);
}
static double reciprocal(double x)
{
    return 1 / x;
}
static double negative(double x)
{
    return -x;
}
static double sign(double x)
{
    return (x > 0) - (x < 0);
}
static double same(double x)
{
    return x;
}
static double zero(double x)
{
    (void)x;
    return 0;
}
static double sigmoid(double x)
{
    return x < 0 ? exp(x) / (1 + exp(x)) : 1 / (1 + exp(-x));
}
static long double sigmoidl(long double x)
{
    return 1 / (1 + expl(-x));
}
static double round_even(double x)
{
    return rint(x);
}

static long double erfinvl(long double x)
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
static double erfinv(double x)
{
    return (double)erfinvl(x);
}

typedef struct unary_case {
    int prim;
    double (*want)(double);
    long double (*want_long)(long double); /* NULL: float64 is compared with want */
    double ulps;
} unary_case;

static const unary_case unary_cases[] = {
    { mica_prim_abs, fabs, NULL, 0 },
    { mica_prim_negative, negative, NULL, 0 },
    { mica_prim_sign, sign, NULL, 0 },
    { mica_prim_ceil, ceil, NULL, 0 },
    { mica_prim_floor, floor, NULL, 0 },
    { mica_prim_trunc, trunc, NULL, 0 },
    { mica_prim_rint, round_even, NULL, 0 },
    { mica_prim_square, square, NULL, 0.5 },
    { mica_prim_sqrt, sqrt, NULL, 0.5001 },
    { mica_prim_rsqrt, rsqrt_, NULL, 1.5 },
    { mica_prim_reciprocal, reciprocal, NULL, 0.5001 },
    { mica_prim_exp, exp, expl, 2 },
    { mica_prim_expm1, expm1, expm1l, 2 },
    { mica_prim_log, log, logl, 2 },
    { mica_prim_log2, log2, log2l, 2 },
    { mica_prim_log10, log10, log10l, 2 },
    { mica_prim_log1p, log1p, log1pl, 2 },
    { mica_prim_sin, sin, sinl, 2 },
    { mica_prim_cos, cos, cosl, 2 },
    { mica_prim_tan, tan, tanl, 2 },
    { mica_prim_sinh, sinh, sinhl, 2 },
    { mica_prim_cosh, cosh, coshl, 2 },
    { mica_prim_tanh, tanh, tanhl, 2 },
    { mica_prim_arcsin, asin, asinl, 2 },
    { mica_prim_arccos, acos, acosl, 2 },
    { mica_prim_arctan, atan, atanl, 2 },
    { mica_prim_arcsinh, asinh, asinhl, 2 },
    { mica_prim_arccosh, acosh, acoshl, 2 },
    { mica_prim_arctanh, atanh, atanhl, 2 },
    { mica_prim_erf, erf, erfl, 2 },
    { mica_prim_erfinv, erfinv, erfinvl, 4 },
    { mica_prim_sigmoid, sigmoid, sigmoidl, 2 },
    { mica_prim_conjugate, same, NULL, 0 },
    { mica_prim_real, same, NULL, 0 },
    { mica_prim_imag, zero, NULL, 0 },
};

static void test_unary(const unary_case *c, uint32_t step)
{
    static float x[CHUNK], y[CHUNK];
    static double dx[CHUNK], dy[CHUNK];
    const void *in = x, *din = dx;
    double worst = 0, at = 0, dworst = 0, dat = 0;
    for (uint64_t u = 0; u < 1ull << 32;) {
        size_t n = 0;
        while (n < CHUNK && u < 1ull << 32) {
            x[n++] = from_bits((uint32_t)u);
            u += c->prim == mica_prim_erfinv ? 8 * step : step;
        }
        for (size_t k = 0; k < SPECIALS && u >= 1ull << 32 && n < CHUNK; k++) x[n++] = special[k];
        mica__loop_find(c->prim, MICA_FLOAT32)(n, &in, 0, y);
        for (size_t i = 0; i < n; i++) {
            double e = ulps32(y[i], c->want(x[i]));
            if (!(e <= worst)) worst = e, at = x[i];
        }
    }
    FAIL_IF(!(worst <= c->ulps), "%s of float32: %.3g ulp at %.9g (limit %g)", prim_names[c->prim],
            worst, at, c->ulps);
    for (int round = 0; round < 8; round++) {
        for (size_t i = 0; i < CHUNK; i++) dx[i] = mixture(i) * (i & 4 ? 1 + 0x1.23456p-30 : 1);
        mica__loop_find(c->prim, MICA_FLOAT64)(CHUNK, &din, 0, dy);
        for (size_t i = 0; i < CHUNK; i++) {
            double e = ulps64(dy[i], c->want_long ? c->want_long(dx[i]) : c->want(dx[i]));
            if (!(e <= dworst)) dworst = e, dat = dx[i];
        }
    }
    FAIL_IF(!(dworst <= (c->prim == mica_prim_erfinv ? 8 : 2.5)),
            "%s of float64: %.3g ulp at %.17g", prim_names[c->prim], dworst, dat);
    if (getenv("SHOW"))
        printf("%-12s f32 %.3f ulp at %-14.9g f64 %.3f at %.17g\n", prim_names[c->prim], worst, at,
               dworst, dat);
}

/* ---- two operands ---- */

static long double floor_quotient(long double a, long double b)
{
    return floorl((long double)(double)(a / b));
}
static long double signed_remainder(long double a, long double b)
{
    long double r = fmodl(a, b);
    return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}
static long double larger(long double a, long double b)
{
    return isnan(a) || a > b ? a : b;
}
static long double smaller(long double a, long double b)
{
    return isnan(a) || a < b ? a : b;
}
static long double log_add_exp(long double a, long double b)
{
    long double high = larger(a, b), low = smaller(a, b);
    return high == INFINITY || low == -INFINITY ? high : high + log1pl(expl(low - high));
}
static long double add(long double a, long double b)
{
    return a + b;
}
static long double subtract(long double a, long double b)
{
    return a - b;
}
static long double multiply(long double a, long double b)
{
    return a * b;
}
static long double divide(long double a, long double b)
{
    return a / b;
}

static const struct {
    int prim;
    long double (*want)(long double, long double);
    double ulps;
} binary_cases[] = {
    { mica_prim_add, add, 0.5001 },
    { mica_prim_subtract, subtract, 0.5001 },
    { mica_prim_multiply, multiply, 0.5001 },
    { mica_prim_divide, divide, 0.5001 },
    { mica_prim_floor_divide, floor_quotient, 1 },
    { mica_prim_remainder, signed_remainder, 0.5001 },
    { mica_prim_power, powl, 2 },
    { mica_prim_maximum, larger, 0 },
    { mica_prim_minimum, smaller, 0 },
    { mica_prim_logaddexp, log_add_exp, 2 },
    { mica_prim_arctan2, atan2l, 2 },
};

static void test_binary(size_t which)
{
    static float x[CHUNK], y[CHUNK], z[CHUNK];
    static double dx[CHUNK], dy[CHUNK], dz[CHUNK];
    int prim = binary_cases[which].prim;
    const void *in[2] = { x, y }, *din[2] = { dx, dy };
    double worst = 0, a = 0, b = 0;
    for (int round = 0; round < 60; round++) {
        for (size_t i = 0; i < CHUNK; i++) {
            x[i] = (float)mixture(random_bits() >> 40);
            y[i] = i % 8 == 1 ? x[i] * (1 + (float)(i % 16) * 0x1p-20f)
                              : (float)mixture(random_bits() >> 40);
            dx[i] = x[i], dy[i] = y[i];
            if (i % 4 == 0) dx[i] *= 1 + 0x1.76543p-29, dy[i] *= 1 - 0x1.33221p-30;
        }
        mica__loop_find(prim, MICA_FLOAT32)(CHUNK, in, 0, z);
        mica__loop_find(prim, MICA_FLOAT64)(CHUNK, din, 0, dz);
        for (size_t i = 0; i < CHUNK; i++) {
            long double want = binary_cases[which].want(x[i], y[i]);
            if (prim == mica_prim_floor_divide) want = floorf(x[i] / y[i]);
            double e = ulps32(z[i], (double)want);
            if (!(e <= worst)) worst = e, a = x[i], b = y[i];
            if (round >= 10) continue;
            want = binary_cases[which].want(dx[i], dy[i]);
            if (prim == mica_prim_floor_divide) want = floor(dx[i] / dy[i]);
            FAIL_IF(!(ulps64(dz[i], want) <= 2.5) && prim != mica_prim_logaddexp,
                    "%s(%.17g, %.17g) of float64 is %.17g, not %.20Lg", prim_names[prim], dx[i],
                    dy[i], dz[i], want);
            FAIL_IF(prim == mica_prim_logaddexp &&
                        !(isnan(want) ? isnan(dz[i])
                                      : dz[i] == (double)want ||
                                            fabsl(dz[i] - want) <= 4e-16L * (1 + fabsl(want))),
                    "logaddexp(%.17g, %.17g) of float64 is %.17g, not %.20Lg", dx[i], dy[i], dz[i],
                    want);
        }
    }
    FAIL_IF(!(worst <= binary_cases[which].ulps), "%s of float32: %.3g ulp at (%.9g, %.9g)",
            prim_names[prim], worst, a, b);
    if (getenv("SHOW"))
        printf("%-12s f32 %.3f ulp at (%.9g, %.9g)\n", prim_names[prim], worst, a, b);
}

int main(int argc, char **argv)
{
    uint32_t step = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 2503;
    for (size_t i = 0; i < sizeof unary_cases / sizeof *unary_cases; i++)
        if (argc < 3 || strcmp(argv[2], prim_names[unary_cases[i].prim]) == 0)
            test_unary(&unary_cases[i], step);
    for (size_t i = 0; i < sizeof binary_cases / sizeof *binary_cases; i++)
        if (argc < 3 || strcmp(argv[2], prim_names[binary_cases[i].prim]) == 0) test_binary(i);
    return check_report("accuracy");
}
