/* Element-wise loops and casts: each at each instruction set of this machine, against the C library in higher precision.
   `test_loops N [primitive]` samples every Nth float (default 2503). SHOW=1 prints what was found. */
#include <complex.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "backend/cpu/isa.h"
#include "backend/cpu/loop.h"

#undef I

static int failures;

#define FAIL(...)                                                                                  \
    do {                                                                                           \
        if (failures++ < 40) {                                                                     \
            printf("FAILED %s:%d: ", __FILE__, __LINE__);                                          \
            printf(__VA_ARGS__);                                                                   \
            printf("\n");                                                                          \
        }                                                                                          \
    } while (0)

static const char *const isa_names[MICA_ISA_COUNT] = { "portable", "v3", "v4" };
static const char *const prim_names[MICA_PRIM_COUNT] = {
#define PRIM(name, class, signature, fields, rule, flags) #name,
#include "ops/prim.def"
#undef PRIM
};

/* ---- what the table says ---- */

enum { B = 1, I = 2, F = 4, C = 8 };
enum { SAME, TRUTH, REAL };
enum { CUSTOM_accepts = 0, CUSTOM_out = 0 };
#define RULE(name, convert, accepts, out) enum { name##_accepts = (accepts), name##_out = (out) };
#include "ops/rule.def"
#undef RULE
enum { UNARY = 1, BINARY = 2, TERNARY = 3, SOURCE = 0, CAST = 0, VIEW = 0, REDUCE = 0, AXISOP = 0 };
enum { BATCHED = 0, SPECIAL = 0 };

typedef struct row {
    int operands, accepts, out;
} row;
static const row rows[MICA_PRIM_COUNT] = {
#define PRIM(name, class, signature, fields, rule, flags) { class, rule##_accepts, rule##_out },
#include "ops/prim.def"
#undef PRIM
};

static int kind_of(mica_dtype t)
{
    if (t == MICA_BOOL) return B;
    if (t <= MICA_INT64) return I;
    return t == MICA_COMPLEX64 ? C : t == MICA_FLOAT16 || t == MICA_BFLOAT16 ? 0 : F;
}

static bool expects_loop(int prim, mica_dtype t)
{
    if (prim == mica_prim_where) return kind_of(t) != 0;
    return rows[prim].operands != 0 && (rows[prim].accepts & kind_of(t)) != 0;
}

static mica_dtype result_type(int prim, mica_dtype t)
{
    if (rows[prim].out == TRUTH) return MICA_BOOL;
    return rows[prim].out == REAL && t == MICA_COMPLEX64 ? MICA_FLOAT32 : t;
}

static void test_presence(void)
{
    for (int p = 0; p < MICA_PRIM_COUNT; p++)
        for (int t = 0; t < MICA_DTYPE_COUNT; t++)
            if ((mica__loop_find(p, t) != NULL) != expects_loop(p, t))
                FAIL("%s of type %d: presence", prim_names[p], t);
    for (int i = 0; i < MICA_DTYPE_COUNT; i++)
        for (int j = 0; j < MICA_DTYPE_COUNT; j++)
            if (mica__cast_find(i, j) == NULL) FAIL("cast %d to %d is missing", i, j);
}

/* ---- samples ---- */

static uint64_t random_state = 88172645463325252u;
static uint64_t random_bits(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    return random_state ^= random_state << 17;
}

static const float special[] = { 0.0f, -0.0f, 1, -1, 2, -2, 0.5f, -0.5f, 3, -3, 1.5f, 2.5f, -2.5f, 7, 127, 128, 255, 256, -129,
                                 65504, 65519, 65520, 32768, 65536, 2147483520.0f, 2147483648.0f, -2147483648.0f, 4294967040.0f,
                                 4294967296.0f, 5e9f, -5e9f, 9.2e18f, 9.3e18f, 1.8e19f, 2e19f, -9.3e18f, 1e-45f, -1e-45f, 1e-40f,
                                 1.17549435e-38f, 3.4028235e38f, -3.4028235e38f, 88.7f, -88.0f, -103.9f, 6.1e-5f, 5.9e-8f, 3e-8f,
                                 0.1f, 1e-30f, 1e10f, INFINITY, -INFINITY, NAN };
enum { SPECIALS = sizeof special / sizeof *special };

/* Element i of a mixture: specials, small numbers, any bits. */
static double mixture(size_t i)
{
    uint64_t r = random_bits();
    float f;
    uint32_t u = (uint32_t)r;
    if (i % 3 == 0) return special[(r >> 33) % SPECIALS];
    if (i % 3 == 1) return ((double)(u >> 8) / 0x1p23 - 1) * 8;
    memcpy(&f, &u, sizeof f);
    return f;
}

static void fill_samples(mica_dtype t, void *at, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint64_t r = random_bits();
        int64_t v = r % 3 == 0 ? (int64_t)random_bits() : (int64_t)(r >> 8) % 19 - 6;
        switch (t) {
        case MICA_BOOL: ((uint8_t *)at)[i] = r >> 20 & 1; break;
        case MICA_UINT8: case MICA_INT8: ((uint8_t *)at)[i] = (uint8_t)v; break;
        case MICA_FLOAT16: case MICA_BFLOAT16: ((uint16_t *)at)[i] = (uint16_t)(r >> 9); break;
        case MICA_UINT16: case MICA_INT16: ((uint16_t *)at)[i] = (uint16_t)v; break;
        case MICA_UINT32: case MICA_INT32: ((uint32_t *)at)[i] = (uint32_t)(r % 7 ? v : INT32_MIN); break;
        case MICA_UINT64: case MICA_INT64: ((int64_t *)at)[i] = r % 7 ? v : INT64_MIN; break;
        case MICA_FLOAT64: ((double *)at)[i] = r & 1 ? mixture(i) : mixture(i) * (1 + 0x1p-40); break;
        case MICA_COMPLEX64: ((float *)at)[2 * i + 1] = (float)mixture(r >> 40), ((float *)at)[2 * i] = (float)mixture(r >> 30); break;
        default: ((float *)at)[i] = (float)mixture(i);
        }
    }
}

/* ---- all instruction sets, scalar operands and in-place results agree bit by bit ---- */

enum { LENGTH = 1031 };

/* NaN has many bit patterns, and which of two operands' it is depends on the compiler: all count as one. */
static void settle_nan(mica_dtype t, void *at, size_t n)
{
    size_t count = t == MICA_COMPLEX64 ? 2 * n : n;
    if (t == MICA_FLOAT32 || t == MICA_COMPLEX64)
        for (size_t i = 0; i < count; i++)
            if (isnan(((float *)at)[i])) ((float *)at)[i] = NAN;
    if (t == MICA_FLOAT64)
        for (size_t i = 0; i < n; i++)
            if (isnan(((double *)at)[i])) ((double *)at)[i] = NAN;
}

static void test_agreement(int prim, mica_dtype t)
{
    static _Alignas(64) char data[3][8 * LENGTH + 64], plain[8 * LENGTH], got[8 * LENGTH + 64], spread[3][8 * LENGTH];
    int operands = rows[prim].operands;
    mica_dtype out_type = result_type(prim, t);
    size_t out_size = mica_dtype_size(out_type);
    size_t sizes[3];
    for (int k = 0; k < operands; k++) {
        mica_dtype type = prim == mica_prim_where && k == 0 ? MICA_BOOL : t;
        fill_samples(type, data[k], LENGTH);
        sizes[k] = mica_dtype_size(type);
    }
    for (unsigned scalars = 0; scalars < 1u << operands; scalars++) {
        const void *in[3], *full[3];
        for (int k = 0; k < operands; k++) {
            in[k] = data[k] + 5 * sizes[k];
            for (size_t i = 0; i < LENGTH; i++)
                memcpy(spread[k] + i * sizes[k], (const char *)in[k] + (scalars >> k & 1 ? 0 : i) * sizes[k] % (8 * LENGTH - 40), sizes[k]);
            full[k] = spread[k];
        }
        for (size_t n = LENGTH - 5; n > 0; n = n * 2 / 3) {
            mica__isa_cap(MICA_ISA_PORTABLE);
            mica__loop_find(prim, t)(n, full, 0, plain);
            settle_nan(out_type, plain, n);
            for (int isa = 0; isa < MICA_ISA_COUNT; isa++) {
                if (mica__isa_cap(isa) != (mica__isa)isa) continue;
                memset(got, 0x5a, sizeof got);
                mica__loop_find(prim, t)(n, in, scalars, got + 3 * out_size);
                for (size_t i = 0; i < 3 * out_size; i++)
                    if (got[i] != 0x5a || got[(n + 3) * out_size + i] != 0x5a) FAIL("%s %d: wrote outside", prim_names[prim], t);
                settle_nan(out_type, got + 3 * out_size, n);
                if (memcmp(plain, got + 3 * out_size, n * out_size) != 0)
                    FAIL("%s of type %d on %s: differs, n = %zu, scalars %u", prim_names[prim], t, isa_names[isa], n, scalars);
                for (int k = 0; k < operands; k++) {
                    if (sizes[k] != out_size || scalars >> k & 1) continue;
                    const void *same[3] = { in[0], in[1], in[2] };
                    memcpy(got, in[k], n * out_size);
                    same[k] = got;
                    mica__loop_find(prim, t)(n, same, scalars, got);
                    settle_nan(out_type, got, n);
                    if (memcmp(plain, got, n * out_size) != 0)
                        FAIL("%s of type %d on %s: in place differs", prim_names[prim], t, isa_names[isa]);
                }
            }
        }
    }
    mica__isa_cap(MICA_ISA_COUNT);
}

/* ---- accuracy of float32 and float64 ---- */

static float from_bits(uint32_t u)
{
    float f;
    memcpy(&f, &u, sizeof f);
    return f;
}

/* Units in the last place of float32 between a result and the exact value. */
static double ulps32(float got, double want)
{
    if (isnan(want) || isnan(got)) return isnan(want) && isnan(got) ? 0 : 1e9;
    float rounded = (float)want;
    if (isinf(rounded) || isinf(got)) {
        if (got == rounded) return 0;
        return isinf(got) && fabs(want) > 3.40282346e38 * (1 - 0x1p-23) && (want > 0) == (got > 0) ? 1 : 1e9;
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
static double square(double x) { return x * x; }
static double rsqrt_(double x) { return 1 / sqrt(x); }
static double reciprocal(double x) { return 1 / x; }
static double negative(double x) { return -x; }
static double sign(double x) { return (x > 0) - (x < 0); }
static double same(double x) { return x; }
static double zero(double x)
{
    (void)x;
    return 0;
}
static double sigmoid(double x) { return x < 0 ? exp(x) / (1 + exp(x)) : 1 / (1 + exp(-x)); }
static long double sigmoidl(long double x) { return 1 / (1 + expl(-x)); }
static double round_even(double x) { return rint(x); }

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
static double erfinv(double x) { return (double)erfinvl(x); }

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

enum { CHUNK = 4096 };

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
    if (!(worst <= c->ulps))
        FAIL("%s of float32: %.3g ulp at %.9g (limit %g)", prim_names[c->prim], worst, at, c->ulps);
    for (int round = 0; round < 8; round++) {
        for (size_t i = 0; i < CHUNK; i++) dx[i] = mixture(i) * (i & 4 ? 1 + 0x1.23456p-30 : 1);
        mica__loop_find(c->prim, MICA_FLOAT64)(CHUNK, &din, 0, dy);
        for (size_t i = 0; i < CHUNK; i++) {
            double e = ulps64(dy[i], c->want_long ? c->want_long(dx[i]) : c->want(dx[i]));
            if (!(e <= dworst)) dworst = e, dat = dx[i];
        }
    }
    if (!(dworst <= (c->prim == mica_prim_erfinv ? 8 : 2.5)))
        FAIL("%s of float64: %.3g ulp at %.17g", prim_names[c->prim], dworst, dat);
    if (getenv("SHOW")) printf("%-12s f32 %.3f ulp at %-14.9g f64 %.3f at %.17g\n", prim_names[c->prim], worst, at, dworst, dat);
}

/* ---- two operands ---- */

static long double floor_quotient(long double a, long double b) { return floorl((long double)(double)(a / b)); }
static long double signed_remainder(long double a, long double b)
{
    long double r = fmodl(a, b);
    return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}
static long double larger(long double a, long double b) { return isnan(a) || a > b ? a : b; }
static long double smaller(long double a, long double b) { return isnan(a) || a < b ? a : b; }
static long double log_add_exp(long double a, long double b)
{
    long double high = larger(a, b), low = smaller(a, b);
    return high == INFINITY || low == -INFINITY ? high : high + log1pl(expl(low - high));
}
static long double add(long double a, long double b) { return a + b; }
static long double subtract(long double a, long double b) { return a - b; }
static long double multiply(long double a, long double b) { return a * b; }
static long double divide(long double a, long double b) { return a / b; }

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
            y[i] = i % 8 == 1 ? x[i] * (1 + (float)(i % 16) * 0x1p-20f) : (float)mixture(random_bits() >> 40);
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
            if (!(ulps64(dz[i], want) <= 2.5) && prim != mica_prim_logaddexp)
                FAIL("%s(%.17g, %.17g) of float64 is %.17g, not %.20Lg", prim_names[prim], dx[i], dy[i], dz[i], want);
            if (prim == mica_prim_logaddexp && !(isnan(want) ? isnan(dz[i]) : dz[i] == (double)want || fabsl(dz[i] - want) <= 4e-16L * (1 + fabsl(want))))
                FAIL("logaddexp(%.17g, %.17g) of float64 is %.17g, not %.20Lg", dx[i], dy[i], dz[i], want);
        }
    }
    if (!(worst <= binary_cases[which].ulps)) FAIL("%s of float32: %.3g ulp at (%.9g, %.9g)", prim_names[prim], worst, a, b);
    if (getenv("SHOW")) printf("%-12s f32 %.3f ulp at (%.9g, %.9g)\n", prim_names[prim], worst, a, b);
}

/* ---- predicates and comparisons of real numbers ---- */

static void test_predicates(void)
{
    float x[SPECIALS], y[SPECIALS];
    uint8_t got[SPECIALS];
    const void *in[2] = { x, y };
    for (size_t shift = 0; shift < SPECIALS; shift++) {
        for (size_t i = 0; i < SPECIALS; i++) x[i] = special[i], y[i] = special[(i + shift) % SPECIALS];
#define TRUE_WHERE(name, condition)                                                                \
    mica__loop_find(mica_prim_##name, MICA_FLOAT32)(SPECIALS, in, 0, got);                         \
    for (size_t i = 0; i < SPECIALS; i++)                                                          \
        if (got[i] != (condition)) FAIL("%s(%g, %g) is %d", #name, x[i], y[i], got[i]);
        TRUE_WHERE(isnan, (isnan(x[i]) != 0))
        TRUE_WHERE(isinf, (isinf(x[i]) != 0))
        TRUE_WHERE(isfinite, (isfinite(x[i]) != 0))
        TRUE_WHERE(isposinf, (x[i] == INFINITY))
        TRUE_WHERE(isneginf, (x[i] == -INFINITY))
        TRUE_WHERE(equal, (x[i] == y[i]))
        TRUE_WHERE(not_equal, (x[i] != y[i]))
        TRUE_WHERE(less, (x[i] < y[i]))
        TRUE_WHERE(less_equal, (x[i] <= y[i]))
        TRUE_WHERE(greater, (x[i] > y[i]))
        TRUE_WHERE(greater_equal, (x[i] >= y[i]))
#undef TRUE_WHERE
    }
}

/* ---- integers and bool ---- */

static bool is_signed(mica_dtype t) { return t >= MICA_INT8 && t <= MICA_INT64; }

static int64_t read_integer(mica_dtype t, const void *at, size_t i)
{
    switch (t) {
    case MICA_UINT16: return ((const uint16_t *)at)[i];
    case MICA_UINT32: return ((const uint32_t *)at)[i];
    case MICA_INT8: return ((const int8_t *)at)[i];
    case MICA_INT16: return ((const int16_t *)at)[i];
    case MICA_INT32: return ((const int32_t *)at)[i];
    case MICA_UINT64: case MICA_INT64: return ((const int64_t *)at)[i];
    default: return ((const uint8_t *)at)[i];
    }
}

/* What the type holds of the low bits of v. */
static int64_t wrap(mica_dtype t, uint64_t v)
{
    unsigned drop = 64 - 8 * (unsigned)mica_dtype_size(t);
    return is_signed(t) ? (int64_t)(v << drop) >> drop : (int64_t)(v << drop >> drop);
}

static uint64_t magnitude(bool is_sign, int64_t a) { return is_sign && a < 0 ? 0 - (uint64_t)a : (uint64_t)a; }

/* Quotient rounded down and remainder, from magnitudes. */
static void divide_integers(bool s, int64_t a, int64_t b, uint64_t *q, uint64_t *r)
{
    bool negative = s && ((a < 0) != (b < 0));
    uint64_t n = magnitude(s, a), d = magnitude(s, b);
    if (b == 0) {
        *q = 0;
        *r = (uint64_t)a;
        return;
    }
    *q = negative ? 0 - (n / d + (n % d != 0)) : n / d;
    *r = (uint64_t)a - *q * (uint64_t)b;
}

static uint64_t power_integer(bool s, int64_t a, int64_t b)
{
    uint64_t result = 1, base = (uint64_t)a;
    if (s && b < 0) return 0;
    for (int bit = 63; bit >= 0; bit--) {
        result *= result;
        if ((uint64_t)b >> bit & 1) result *= base;
    }
    return result;
}

static int64_t want_integer(int prim, mica_dtype t, int64_t a, int64_t b)
{
    bool s = is_signed(t), less = s ? a < b : (uint64_t)a < (uint64_t)b;
    unsigned shift = (unsigned)(b & (mica_dtype_size(t) == 8 ? 63 : 31));
    uint64_t ua = (uint64_t)a, ub = (uint64_t)b, q, r;
    divide_integers(s, a, b, &q, &r);
    switch (prim) {
    case mica_prim_abs: return wrap(t, magnitude(s, a));
    case mica_prim_negative: return wrap(t, 0 - ua);
    case mica_prim_sign: return s && a < 0 ? -1 : a != 0;
    case mica_prim_square: return wrap(t, ua * ua);
    case mica_prim_bitwise_invert: return wrap(t, ~ua);
    case mica_prim_imag: case mica_prim_isnan: case mica_prim_isinf: return 0;
    case mica_prim_isposinf: case mica_prim_isneginf: return 0;
    case mica_prim_isfinite: return 1;
    case mica_prim_add: return wrap(t, ua + ub);
    case mica_prim_subtract: return wrap(t, ua - ub);
    case mica_prim_multiply: return wrap(t, ua * ub);
    case mica_prim_floor_divide: return wrap(t, q);
    case mica_prim_remainder: return wrap(t, r);
    case mica_prim_power: return wrap(t, power_integer(s, a, b));
    case mica_prim_maximum: return less ? b : a;
    case mica_prim_minimum: return less ? a : b;
    case mica_prim_equal: return a == b;
    case mica_prim_not_equal: return a != b;
    case mica_prim_less: return less;
    case mica_prim_less_equal: return less || a == b;
    case mica_prim_greater: return !less && a != b;
    case mica_prim_greater_equal: return !less;
    case mica_prim_bitwise_and: return a & b;
    case mica_prim_bitwise_or: return a | b;
    case mica_prim_bitwise_xor: return a ^ b;
    case mica_prim_left_shift: return wrap(t, shift < 64 ? ua << shift : 0);
    case mica_prim_right_shift: return s ? a >> shift : (int64_t)(ua >> shift);
    default: return a; /* ceil, floor, trunc, rint, conjugate, real */
    }
}

/* bool: what the reference answers for (0, 0), (0, 1), (1, 0), (1, 1). */
static const struct {
    int prim;
    const char *answers;
} bool_cases[] = {
    { mica_prim_add, "0111" },         { mica_prim_subtract, "0110" },
    { mica_prim_multiply, "0001" },    { mica_prim_floor_divide, "0001" },
    { mica_prim_remainder, "0010" },   { mica_prim_power, "1011" },
    { mica_prim_maximum, "0111" },     { mica_prim_minimum, "0001" },
    { mica_prim_equal, "1001" },       { mica_prim_not_equal, "0110" },
    { mica_prim_less, "0100" },        { mica_prim_less_equal, "1101" },
    { mica_prim_greater, "0010" },     { mica_prim_greater_equal, "1011" },
    { mica_prim_logical_and, "0001" }, { mica_prim_logical_or, "0111" },
    { mica_prim_bitwise_and, "0001" }, { mica_prim_bitwise_or, "0111" },
    { mica_prim_bitwise_xor, "0110" }, { mica_prim_left_shift, "0012" },
    { mica_prim_right_shift, "0010" }, { mica_prim_logical_not, "1100" },
    { mica_prim_sign, "0011" },        { mica_prim_bitwise_invert, "1100" },
    { mica_prim_square, "0011" },      { mica_prim_isfinite, "1111" },
    { mica_prim_isnan, "0000" },       { mica_prim_imag, "0000" },
};

static void test_integers(void)
{
    static int64_t a[CHUNK], b[CHUNK], got[CHUNK];
    const void *in[2] = { a, b };
    for (int t = MICA_UINT8; t <= MICA_INT64; t++)
        for (int p = 0; p < MICA_PRIM_COUNT; p++) {
            if (!expects_loop(p, t) || rows[p].operands > 2) continue;
            fill_samples(t, a, CHUNK);
            fill_samples(t, b, CHUNK);
            mica__loop_find(p, t)(CHUNK, in, 0, got);
            for (size_t i = 0; i < CHUNK; i++) {
                int64_t x = read_integer(t, a, i), y = read_integer(t, b, i);
                int64_t z = read_integer(result_type(p, t), got, i), want = want_integer(p, t, x, y);
                if (z != want)
                    FAIL("%s(%lld, %lld) of type %d is %lld, not %lld", prim_names[p], (long long)x,
                         (long long)y, t, (long long)z, (long long)want);
            }
        }
    static const uint8_t left[4] = { 0, 0, 1, 1 }, right[4] = { 0, 1, 0, 1 };
    const void *bools[2] = { left, right };
    for (size_t k = 0; k < sizeof bool_cases / sizeof *bool_cases; k++) {
        uint8_t answers[4];
        mica__loop_find(bool_cases[k].prim, MICA_BOOL)(4, bools, 0, answers);
        for (int i = 0; i < 4; i++)
            if (answers[i] != bool_cases[k].answers[i] - '0')
                FAIL("%s of bool %d, %d is %d", prim_names[bool_cases[k].prim], left[i], right[i], answers[i]);
    }
}

/* ---- conversions ---- */

static double read_half(mica_dtype t, uint16_t h)
{
    int bits = t == MICA_FLOAT16 ? 10 : 7, bias = t == MICA_FLOAT16 ? 15 : 127;
    int exponent = (h & 0x7fff) >> bits, fraction = h & ((1 << bits) - 1);
    double m = exponent == 0 ? ldexp(fraction, 1 - bias - bits)
                             : ldexp(fraction + (1 << bits), exponent - bias - bits);
    if (exponent == 2 * bias + 1) m = fraction ? NAN : INFINITY;
    return h & 0x8000 ? -m : m;
}

/* Nearest value of the half type, half to even. */
static double round_half(mica_dtype t, float x)
{
    int bits = t == MICA_FLOAT16 ? 10 : 7, least = t == MICA_FLOAT16 ? -14 : -126, e;
    if (isnan(x) || isinf(x) || x == 0) return x;
    frexp(x, &e);
    e = e - 1 < least ? least : e - 1;
    double r = ldexp(rint(ldexp(x, bits - e)), e - bits);
    double limit = t == MICA_FLOAT16 ? 65504 : 0x1.fep127;
    return fabs(r) > limit ? copysign(INFINITY, r) : r;
}

static double read_real(mica_dtype t, const void *at, size_t i)
{
    switch (t) {
    case MICA_FLOAT16: case MICA_BFLOAT16: return read_half(t, ((const uint16_t *)at)[i]);
    case MICA_FLOAT32: return ((const float *)at)[i];
    case MICA_FLOAT64: return ((const double *)at)[i];
    case MICA_COMPLEX64: return ((const float *)at)[2 * i];
    case MICA_UINT64: return (double)((const uint64_t *)at)[i];
    default: return (double)read_integer(t, at, i);
    }
}

static int64_t truncated(mica_dtype t, double x)
{
    if (t == MICA_BOOL) return x != 0;
    bool wide = mica_dtype_size(t) == 8;
    double limit = wide ? 0x1p63 : 0x1p31;
    if (!is_signed(t) && mica_dtype_size(t) >= 4 && x >= limit)
        return x < 2 * limit ? wrap(t, (uint64_t)x) : 0;
    if (!(x > -limit - (wide ? 0 : 1) || x == -limit) || !(x < limit))
        return wrap(t, wide ? (uint64_t)INT64_MIN : (uint64_t)INT32_MIN);
    return wrap(t, (uint64_t)(int64_t)x);
}

static bool same_real(double a, double b)
{
    return isnan(a) || isnan(b) ? isnan(a) && isnan(b) : a == b && !signbit(a) == !signbit(b);
}

static void test_cast(mica_dtype from, mica_dtype to)
{
    enum { COUNT = 65536 };
    static int64_t in_data[COUNT], out[COUNT];
    const void *in = in_data;
    bool from_integer = from <= MICA_INT64;
    fill_samples(from, in_data, COUNT);
    if (from == MICA_FLOAT16 || from == MICA_BFLOAT16)
        for (size_t i = 0; i < COUNT; i++) ((uint16_t *)in_data)[i] = (uint16_t)i;
    mica__cast_find(from, to)(COUNT, &in, 0, out);
    for (size_t i = 0; i < COUNT; i++) {
        double x = read_real(from, in_data, i);
        int64_t v = from_integer ? read_integer(from, in_data, i) : 0;
        float single = !from_integer ? (float)x : is_signed(from) ? (float)v : (float)(uint64_t)v;
        bool good;
        if (to <= MICA_INT64) {
            int64_t want = from_integer ? (to == MICA_BOOL ? v != 0 : wrap(to, (uint64_t)v)) : truncated(to, x);
            if (from == MICA_COMPLEX64 && to == MICA_BOOL) want |= ((float *)in_data)[2 * i + 1] != 0;
            good = read_integer(to, out, i) == want;
        } else {
            double want = to == MICA_FLOAT64 ? x : single;
            if (to == MICA_FLOAT16 || to == MICA_BFLOAT16) want = round_half(to, single);
            good = same_real(read_real(to, out, i), want);
            if (from == MICA_COMPLEX64 && to == MICA_COMPLEX64) good = memcmp(in_data + i, out + i, 8) == 0;
            if (from != MICA_COMPLEX64 && to == MICA_COMPLEX64) good &= ((float *)out)[2 * i + 1] == 0;
        }
        if (!good) FAIL("cast %d to %d of %.17g gives %.17g", from, to, x, read_real(to, out, i));
    }
    for (size_t n = 700; n > 0; n /= 2) { /* lengths, a scalar operand, in place */
        static char scalar[8 * 700], spread[8 * 700], same[8 * 700];
        mica__cast_find(from, to)(n, &in, 1, scalar);
        for (size_t i = 0; i < n; i++) memcpy(spread + i * mica_dtype_size(to), out, mica_dtype_size(to));
        if (memcmp(scalar, spread, n * mica_dtype_size(to)) != 0) FAIL("cast %d to %d of a scalar", from, to);
        if (mica_dtype_size(from) != mica_dtype_size(to)) continue;
        memcpy(same, in_data, n * mica_dtype_size(to));
        const void *place = same;
        mica__cast_find(from, to)(n, &place, 0, same);
        if (memcmp(same, out, n * mica_dtype_size(to)) != 0) FAIL("cast %d to %d in place", from, to);
    }
}

static void test_rounding(mica_dtype half)
{
    static float x[CHUNK], y[CHUNK];
    const void *in = x;
    for (uint64_t u = 0; u < 1ull << 32; u += 7919) {
        size_t n = 0;
        for (; n < CHUNK - 3 && u < 1ull << 32; u += 7919) x[n++] = from_bits((uint32_t)u);
        mica__round_find(half)(n, &in, 0, y);
        for (size_t i = 0; i < n; i++)
            if (!same_real(y[i], round_half(half, x[i]))) FAIL("rounding %.9g to %d gives %.9g", x[i], half, y[i]);
    }
}

/* ---- complex64 ---- */

static double complex z_log1p(double complex z)
{
    double x = creal(z), y = cimag(z);
    return CMPLX(0.5 * log1p(x * (2 + x) + y * y), atan2(y, 1 + x));
}
static double complex z_square(double complex z) { return z * z; }
static double complex z_rsqrt(double complex z) { return 1 / csqrt(z); }
static double complex z_reciprocal(double complex z) { return 1 / z; }
static double complex z_log2(double complex z) { return clog(z) / log(2); }
static double complex z_log10(double complex z) { return clog(z) / log(10); }
static double complex z_sign(double complex z) { return z == 0 ? z : z / cabs(z); }
static double complex z_rint(double complex z) { return CMPLX(rint(creal(z)), rint(cimag(z))); }
static double complex z_negative(double complex z) { return -z; }

static const struct {
    int prim;
    double complex (*want)(double complex);
} complex_cases[] = {
    { mica_prim_sqrt, csqrt },        { mica_prim_exp, cexp },         { mica_prim_log, clog },
    { mica_prim_sin, csin },          { mica_prim_cos, ccos },         { mica_prim_tan, ctan },
    { mica_prim_sinh, csinh },        { mica_prim_cosh, ccosh },       { mica_prim_tanh, ctanh },
    { mica_prim_arcsin, casin },      { mica_prim_arccos, cacos },     { mica_prim_arctan, catan },
    { mica_prim_arcsinh, casinh },    { mica_prim_arccosh, cacosh },   { mica_prim_arctanh, catanh },
    { mica_prim_log2, z_log2 },       { mica_prim_log10, z_log10 },    { mica_prim_log1p, z_log1p },
    { mica_prim_square, z_square },   { mica_prim_rsqrt, z_rsqrt },    { mica_prim_sign, z_sign },
    { mica_prim_rint, z_rint },       { mica_prim_conjugate, conj },   { mica_prim_negative, z_negative },
    { mica_prim_reciprocal, z_reciprocal },
};

static void close_complex(const char *name, mica_complex64 got, double complex want, double limit)
{
    double error = cabs(CMPLX(got.re, got.im) - want);
    if (!(error <= limit * cabs(want) + 1e-40)) FAIL("%s of complex64 is %.9g%+.9gi, not %.9g%+.9gi", name, got.re, got.im, creal(want), cimag(want));
}

/* What the reference answers where infinities, zeros and NaN meet; NaN stands for any. */
static const struct {
    int prim;
    mica_complex64 a, b, want;
} complex_corners[] = {
    { mica_prim_multiply, { INFINITY, 1 }, { 2, 0 }, { INFINITY, NAN } },
    { mica_prim_multiply, { -INFINITY, INFINITY }, { 1, 0 }, { -INFINITY, INFINITY } },
    { mica_prim_multiply, { 3e20f, 4e20f }, { 3e20f, 1e20f }, { NAN, INFINITY } },
    { mica_prim_divide, { 0, 0 }, { 0, 0 }, { NAN, NAN } },
    { mica_prim_divide, { 1.5f, 2.5f }, { 0, 0 }, { INFINITY, INFINITY } },
    { mica_prim_divide, { INFINITY, 1 }, { 2, 0 }, { INFINITY, NAN } },
    { mica_prim_divide, { -INFINITY, INFINITY }, { 1, 0 }, { -INFINITY, INFINITY } },
    { mica_prim_divide, { 3e20f, 4e20f }, { 3e20f, 1e20f }, { 1.3f, 0.9f } },
    { mica_prim_reciprocal, { 0, 0 }, { 0, 0 }, { INFINITY, NAN } },
    { mica_prim_reciprocal, { 1, INFINITY }, { 0, 0 }, { 0, -0.0f } },
    { mica_prim_sign, { INFINITY, 1 }, { 0, 0 }, { NAN, NAN } },
    { mica_prim_sign, { -0.0f, 0 }, { 0, 0 }, { -0.0f, 0 } },
    { mica_prim_maximum, { NAN, 1 }, { 1, 0 }, { NAN, 1 } },
    { mica_prim_maximum, { 1, 2 }, { 1, 3 }, { 1, 3 } },
    { mica_prim_minimum, { 1, NAN }, { 1, 0 }, { 1, NAN } },
    { mica_prim_minimum, { 2, 1 }, { 1, 5 }, { 1, 5 } },
    { mica_prim_logaddexp, { -INFINITY, INFINITY }, { 1, 0 }, { 1, 0 } },
    { mica_prim_logaddexp, { INFINITY, 1 }, { 2, 0 }, { INFINITY, 1 } },
    { mica_prim_sqrt, { -INFINITY, INFINITY }, { 0, 0 }, { INFINITY, INFINITY } },
};

static void test_complex(void)
{
    static mica_complex64 a[CHUNK], b[CHUNK], z[CHUNK];
    static float r[CHUNK];
    static uint8_t truth[CHUNK];
    const void *in[2] = { a, b };
    for (size_t i = 0; i < CHUNK; i++) {
        a[i].re = (float)mixture(1), a[i].im = (float)mixture(1);
        b[i].re = i % 7 ? (float)mixture(1) : a[i].re, b[i].im = (float)mixture(1);
    }
    for (size_t k = 0; k < sizeof complex_cases / sizeof *complex_cases; k++) {
        mica__loop_find(complex_cases[k].prim, MICA_COMPLEX64)(CHUNK, in, 0, z);
        for (size_t i = 0; i < CHUNK; i++)
            close_complex(prim_names[complex_cases[k].prim], z[i], complex_cases[k].want(CMPLX(a[i].re, a[i].im)), 6e-7);
    }
#define EACH(name, expression, limit)                                                              \
    mica__loop_find(mica_prim_##name, MICA_COMPLEX64)(CHUNK, in, 0, z);                            \
    for (size_t i = 0; i < CHUNK; i++) {                                                           \
        double complex x = CMPLX(a[i].re, a[i].im), y = CMPLX(b[i].re, b[i].im);                   \
        close_complex(#name, z[i], expression, limit);                                             \
    }
    EACH(add, x + y, 6e-8)
    EACH(subtract, x - y, 6e-8)
    EACH(multiply, x * y, 2e-7)
    EACH(divide, x / y, 1e-7)
    EACH(power, cpow(x, y), 2e-7)
#undef EACH
    mica__loop_find(mica_prim_logaddexp, MICA_COMPLEX64)(CHUNK, in, 0, z);
    for (size_t i = 0; i < CHUNK; i++) {
        double complex want = clog(cexp(CMPLX(a[i].re, a[i].im)) + cexp(CMPLX(b[i].re, b[i].im)));
        double turns = (z[i].im - cimag(want)) / 6.283185307179586;
        if (!(fabs(z[i].re - creal(want)) < 1e-4 && fabs(turns - rint(turns)) < 1e-4)) FAIL("logaddexp of complex64 is %g%+gi", z[i].re, z[i].im);
    }
#define EACH(name, out, expression)                                                                \
    mica__loop_find(mica_prim_##name, MICA_COMPLEX64)(CHUNK, in, 0, out);                          \
    for (size_t i = 0; i < CHUNK; i++)                                                             \
        if (out[i] != (expression)) FAIL("%s of complex64", #name);
    EACH(abs, r, hypotf(a[i].re, a[i].im))
    EACH(real, r, a[i].re)
    EACH(imag, r, a[i].im)
    EACH(equal, truth, (a[i].re == b[i].re && a[i].im == b[i].im))
    EACH(not_equal, truth, (a[i].re != b[i].re || a[i].im != b[i].im))
    EACH(less, truth, (a[i].re < b[i].re || (a[i].re == b[i].re && a[i].im < b[i].im)))
    EACH(greater_equal, truth, (a[i].re > b[i].re || (a[i].re == b[i].re && a[i].im >= b[i].im)))
    EACH(isfinite, truth, 1)
#undef EACH
    for (size_t k = 0; k < sizeof complex_corners / sizeof *complex_corners; k++) {
        const void *pair[2] = { &complex_corners[k].a, &complex_corners[k].b };
        mica_complex64 want = complex_corners[k].want;
        mica__loop_find(complex_corners[k].prim, MICA_COMPLEX64)(1, pair, 0, z);
        if (!same_real(z[0].re, want.re) || !same_real(z[0].im, want.im))
            FAIL("%s of corner %zu is %g%+gi", prim_names[complex_corners[k].prim], k, z[0].re, z[0].im);
    }
}

int main(int argc, char **argv)
{
    uint32_t step = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 2503;
    for (size_t i = 0; i < sizeof unary_cases / sizeof *unary_cases; i++)
        if (argc < 3 || strcmp(argv[2], prim_names[unary_cases[i].prim]) == 0)
            test_unary(&unary_cases[i], step);
    if (argc >= 3) return failures != 0;

    for (size_t i = 0; i < sizeof binary_cases / sizeof *binary_cases; i++) test_binary(i);
    test_predicates();
    test_integers();
    test_complex();
    for (int isa = 0; isa < MICA_ISA_COUNT; isa++) {
        if (mica__isa_cap(isa) != (mica__isa)isa) continue;
        test_presence();
        for (int i = 0; i < MICA_DTYPE_COUNT; i++)
            for (int j = 0; j < MICA_DTYPE_COUNT; j++) test_cast(i, j);
        test_rounding(MICA_FLOAT16);
        test_rounding(MICA_BFLOAT16);
    }
    mica__isa_cap(MICA_ISA_COUNT);
    for (int p = 0; p < MICA_PRIM_COUNT; p++)
        for (int t = 0; t < MICA_DTYPE_COUNT; t++)
            if (expects_loop(p, t)) test_agreement(p, t);
    printf("test_loops: %s\n", failures == 0 ? "ok" : "FAILED");
    return failures != 0;
}
