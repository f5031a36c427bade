/* What the tests of element-wise loops share: the primitive table, samples, readers. */
#ifndef MICA_TEST_LOOP_SAMPLES_H
#define MICA_TEST_LOOP_SAMPLES_H

#include <complex.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "backend/cpu/isa.h"
#include "backend/cpu/loop.h"
#include "check.h"

#undef I

/* Counts a check, and says what failed unless it is one of very many. */
#define FAIL_IF(condition, ...)                                                                    \
    do {                                                                                           \
        checks++;                                                                                  \
        if ((condition) && failures++ < 40) {                                                      \
            fprintf(stderr, "%s:%d: ", __FILE__, __LINE__);                                        \
            fprintf(stderr, __VA_ARGS__);                                                          \
            fprintf(stderr, "\n");                                                                 \
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

static inline int kind_of(mica_dtype t)
{
    if (t == MICA_BOOL) return B;
    if (t <= MICA_INT64) return I;
    return t == MICA_COMPLEX64 ? C : t == MICA_FLOAT16 || t == MICA_BFLOAT16 ? 0 : F;
}

static inline bool expects_loop(int prim, mica_dtype t)
{
    if (prim == mica_prim_where) return kind_of(t) != 0;
    return rows[prim].operands != 0 && (rows[prim].accepts & kind_of(t)) != 0;
}

static inline mica_dtype result_type(int prim, mica_dtype t)
{
    if (rows[prim].out == TRUTH) return MICA_BOOL;
    return rows[prim].out == REAL && t == MICA_COMPLEX64 ? MICA_FLOAT32 : t;
}

/* ---- samples ---- */

static _Thread_local uint64_t random_state = 88172645463325252u;
static inline uint64_t random_bits(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    return random_state ^= random_state << 17;
}

static const float special[] = { 0.0f,
                                 -0.0f,
                                 1,
                                 -1,
                                 2,
                                 -2,
                                 0.5f,
                                 -0.5f,
                                 3,
                                 -3,
                                 1.5f,
                                 2.5f,
                                 -2.5f,
                                 7,
                                 127,
                                 128,
                                 255,
                                 256,
                                 -129,
                                 65504,
                                 65519,
                                 65520,
                                 32768,
                                 65536,
                                 2147483520.0f,
                                 2147483648.0f,
                                 -2147483648.0f,
                                 4294967040.0f,
                                 4294967296.0f,
                                 5e9f,
                                 -5e9f,
                                 9.2e18f,
                                 9.3e18f,
                                 1.8e19f,
                                 2e19f,
                                 -9.3e18f,
                                 1e-45f,
                                 -1e-45f,
                                 1e-40f,
                                 1.17549435e-38f,
                                 3.4028235e38f,
                                 -3.4028235e38f,
                                 88.7f,
                                 -88.0f,
                                 -103.9f,
                                 6.1e-5f,
                                 5.9e-8f,
                                 3e-8f,
                                 0.1f,
                                 1e-30f,
                                 1e10f,
                                 INFINITY,
                                 -INFINITY,
                                 NAN };
enum { SPECIALS = sizeof special / sizeof *special };

/* Element i of a mixture: specials, small numbers, any bits. */
static inline double mixture(size_t i)
{
    uint64_t r = random_bits();
    float f;
    uint32_t u = (uint32_t)r;
    if (i % 3 == 0) return special[(r >> 33) % SPECIALS];
    if (i % 3 == 1) return ((double)(u >> 8) / 0x1p23 - 1) * 8;
    memcpy(&f, &u, sizeof f);
    return f;
}

static inline void fill_samples(mica_dtype t, void *at, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint64_t r = random_bits();
        int64_t v = r % 3 == 0 ? (int64_t)random_bits() : (int64_t)(r >> 8) % 19 - 6;
        switch (t) {
        case MICA_BOOL: ((uint8_t *)at)[i] = r >> 20 & 1; break;
        case MICA_UINT8:
        case MICA_INT8: ((uint8_t *)at)[i] = (uint8_t)v; break;
        case MICA_FLOAT16:
        case MICA_BFLOAT16: ((uint16_t *)at)[i] = (uint16_t)(r >> 9); break;
        case MICA_UINT16:
        case MICA_INT16: ((uint16_t *)at)[i] = (uint16_t)v; break;
        case MICA_UINT32:
        case MICA_INT32: ((uint32_t *)at)[i] = (uint32_t)(r % 7 ? v : INT32_MIN); break;
        case MICA_UINT64:
        case MICA_INT64: ((int64_t *)at)[i] = r % 7 ? v : INT64_MIN; break;
        case MICA_FLOAT64:
            ((double *)at)[i] = r & 1 ? mixture(i) : mixture(i) * (1 + 0x1p-40);
            break;
        case MICA_COMPLEX64:
            ((float *)at)[2 * i + 1] = (float)mixture(r >> 40),
                                  ((float *)at)[2 * i] = (float)mixture(r >> 30);
            break;
        default: ((float *)at)[i] = (float)mixture(i);
        }
    }
}

static inline float from_bits(uint32_t u)
{
    float f;
    memcpy(&f, &u, sizeof f);
    return f;
}

enum { CHUNK = 4096 };

static inline bool is_signed(mica_dtype t)
{
    return t >= MICA_INT8 && t <= MICA_INT64;
}

static inline int64_t read_integer(mica_dtype t, const void *at, size_t i)
{
    switch (t) {
    case MICA_UINT16: return ((const uint16_t *)at)[i];
    case MICA_UINT32: return ((const uint32_t *)at)[i];
    case MICA_INT8: return ((const int8_t *)at)[i];
    case MICA_INT16: return ((const int16_t *)at)[i];
    case MICA_INT32: return ((const int32_t *)at)[i];
    case MICA_UINT64:
    case MICA_INT64: return ((const int64_t *)at)[i];
    default: return ((const uint8_t *)at)[i];
    }
}

/* What the type holds of the low bits of v. */
static inline int64_t wrap(mica_dtype t, uint64_t v)
{
    unsigned drop = 64 - 8 * (unsigned)mica_dtype_size(t);
    return is_signed(t) ? (int64_t)(v << drop) >> drop : (int64_t)(v << drop >> drop);
}

static inline bool same_real(double a, double b)
{
    return isnan(a) || isnan(b) ? isnan(a) && isnan(b) : a == b && !signbit(a) == !signbit(b);
}

#endif
