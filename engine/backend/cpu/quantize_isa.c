/* Loops over quantized rows. Eight elements are one vector, whatever the instruction set: two words
   of 32 bits hold four codes each, which shifts move to their lanes' low bits. */
#include "backend/cpu/loops.h"
#include "backend/cpu/quantize.h"
#include "kernel/half.h"
#include "kernel/quant.h"

#if defined(__AVX2__) && defined(__FMA__)
#include <immintrin.h>
#endif

typedef float v8 __attribute__((vector_size(32)));
typedef float v8_anywhere __attribute__((vector_size(32), aligned(4), may_alias));
typedef uint32_t u8 __attribute__((vector_size(32)));
typedef int32_t i8 __attribute__((vector_size(32)));
/* Vectors go through pointers: values wider than the baseline's registers have no calling
   convention. */
#define LOAD(p)     (*(const v8_anywhere *)(const void *)(p))
#define STORE(p, v) (*(v8_anywhere *)(void *)(p) = (v))
#if defined(__AVX2__) && defined(__FMA__)
#define FMA(a, b, c) ((v8)_mm256_fmadd_ps((__m256)(a), (__m256)(b), (__m256)(c)))
#else
#define FMA(a, b, c) ((a) * (b) + (c))
#endif

static inline __attribute__((always_inline)) uint32_t word_at(const char *p)
{
    uint32_t w;
    memcpy(&w, p, sizeof w);
    return w;
}

/* Where four codes of a block of `size` begin: the byte of a word inside the block that holds them,
   and their place in it. */
#define BYTE_OF(bits, size, code)                                                                  \
    ((bits) * (code) / 8 < (size) * (bits) / 8 - 4 ? (bits) * (code) / 8 : (size) * (bits) / 8 - 4)
#define SHIFT_OF(bits, size, code) ((bits) * (code)-8 * BYTE_OF(bits, size, code))

/* Elements 8 chunk ... 8 chunk + 7 of a block, each shifted down; higher bits are still there. All
   but `block` and `out` are constants. */
#define SHIFTED(bits, size, chunk, block, out)                                                     \
    do {                                                                                           \
        enum {                                                                                     \
            AT = (chunk)*8 % (size),                                                               \
            B0 = BYTE_OF(bits, size, AT),                                                          \
            B1 = BYTE_OF(bits, size, AT + 4),                                                      \
            S0 = SHIFT_OF(bits, size, AT),                                                         \
            S1 = SHIFT_OF(bits, size, AT + 4),                                                     \
            W = (bits)                                                                             \
        };                                                                                         \
        uint32_t low = word_at((block) + B0), high = word_at((block) + B1);                        \
        (out) = (u8){ low, low, low, low, high, high, high, high } >>                              \
                (u8){ S0, S0 + W, S0 + 2 * W, S0 + 3 * W, S1, S1 + W, S1 + 2 * W, S1 + 3 * W };    \
    } while (0)

#if defined(__AVX2__) && defined(__FMA__)
#define LESS(a, b) ((v8)_mm256_min_ps((__m256)(a), (__m256)(b)))
#else
#define LESS(a, b) ((v8)(((u8)((a) < (b)) & (u8)(a)) | (~(u8)((a) < (b)) & (u8)(b))))
#endif

#define INTEGER_VALUE(bits, v) __builtin_convertvector((i8)((v) & ((1u << (bits)) - 1)), v8)

static inline __attribute__((always_inline)) void e2m1_value(const u8 *shifted, v8 *out)
{
#if defined(__AVX2__) && defined(__FMA__)
    v8 magnitude = (v8)_mm256_permutevar8x32_ps(_mm256_setr_ps(0, .5f, 1, 1.5f, 2, 3, 4, 6),
                                                (__m256i)*shifted);
#else
    v8 v = (v8)(((*shifted & 7u) << 22) + (126u << 23)), tiny = 2 * v - 1;
    v8 magnitude = LESS(tiny, v);
#endif
    *out = (v8)((u8)magnitude ^ ((*shifted << 28) & 0x80000000u));
}

static inline __attribute__((always_inline)) void e4m3_value(const u8 *shifted, v8 *out)
{
    u8 code = *shifted & 0x7fu;
    v8 v = (v8)((code << 20) + (120u << 23)), tiny = 2 * v - 0x1p-6f;
    u8 nan = (u8)(code == 0x7fu) & 0x7fc00000u;
    *out = (v8)((u8)LESS(tiny, v) | nan | ((*shifted << 24) & 0x80000000u));
}

#define VALUE_1(v, out)    (out) = INTEGER_VALUE(1, v)
#define VALUE_2(v, out)    (out) = INTEGER_VALUE(2, v)
#define VALUE_3(v, out)    (out) = INTEGER_VALUE(3, v)
#define VALUE_4(v, out)    (out) = INTEGER_VALUE(4, v)
#define VALUE_5(v, out)    (out) = INTEGER_VALUE(5, v)
#define VALUE_6(v, out)    (out) = INTEGER_VALUE(6, v)
#define VALUE_8(v, out)    (out) = INTEGER_VALUE(8, v)
#define VALUE_E2M1(v, out) e2m1_value(&(v), &(out))
#define VALUE_E4M3(v, out) e4m3_value(&(v), &(out))

/* ---- dot products ---- */

static inline __attribute__((always_inline)) float sum_of(const v8 *v)
{
    float lanes[8];
    memcpy(lanes, v, sizeof lanes);
    for (int half = 4; half; half /= 2)
        for (int i = 0; i < half; i++) lanes[i] += lanes[i + half];
    return lanes[0];
}

/* sum of a[i] * b[i], in eight chains. */
static inline __attribute__((always_inline)) float small_dot(size_t n, const float *a,
                                                             const float *b)
{
    v8 total = { 0 };
    size_t i = 0;
    for (; i + 8 <= n; i += 8) total += LOAD(a + i) * LOAD(b + i);
    float sum = sum_of(&total);
    for (; i < n; i++) sum += a[i] * b[i];
    return sum;
}

/* Each row has sums of its own, in registers: names, since compilers leave arrays in memory. */
#define EACH_ROW(do_row)                                                                           \
    do_row(0) do_row(1) do_row(2) do_row(3) do_row(4) do_row(5) do_row(6) do_row(7)
#define DECLARE(i)                                                                                 \
    v8 part##i = { 0 }, total##i = { 0 };                                                          \
    const float *row##i = x[(i) < ROWS ? (i) : 0];
#define MULTIPLY(i)                                                                                \
    if ((i) < ROWS) part##i = FMA(q, LOAD(row##i + k), part##i);
#define CLEAR(i)                                                                                   \
    if ((i) < ROWS && ROWS <= 2) part##i = (v8){ 0 };
#define ADD_GROUP(i)                                                                               \
    if ((i) < ROWS && ROWS <= 2) total##i = FMA(part##i, factor, total##i);
#define FINISH(i)                                                                                  \
    if ((i) < ROWS) {                                                                              \
        y[i] = sum_of(ROWS <= 2 ? &total##i : &part##i);                                           \
        if (biases) y[i] += small_dot(groups, biases, sums[i]);                                    \
    }

/* One vector of codes against all rows. One or two rows are scaled once a group, more share the
   scaled codes. */
#define STEP(bits, value, size, chunk)                                                             \
    do {                                                                                           \
        u8 shifted;                                                                                \
        v8 q;                                                                                      \
        const size_t k = j + 8 * (chunk);                                                          \
        SHIFTED(bits, size, chunk, at, shifted);                                                   \
        value(shifted, q);                                                                         \
        if (ROWS > 2) q *= factor;                                                                 \
        EACH_ROW(MULTIPLY)                                                                         \
    } while (0)

#define DOT(name, bits, value, size, rows)                                                         \
    static void name(size_t n, size_t group, const void *codes, const float *scales,               \
                     const float *biases, const float *const x[], const float *const sums[],       \
                     float *y)                                                                     \
    {                                                                                              \
        enum { ROWS = (rows) };                                                                    \
        const char *at = codes;                                                                    \
        EACH_ROW(DECLARE)                                                                          \
        const size_t groups = n / group;                                                           \
        for (size_t g = 0; g < groups; g++) {                                                      \
            const v8 factor = (v8){ 0 } + scales[g];                                               \
            EACH_ROW(CLEAR)                                                                        \
            for (size_t j = g * group; j < (g + 1) * group;                                        \
                 j += (size), at += (size) * (bits) / 8) {                                         \
                STEP(bits, value, size, 0);                                                        \
                STEP(bits, value, size, 1);                                                        \
                if ((size) == 32) {                                                                \
                    STEP(bits, value, size, 2);                                                    \
                    STEP(bits, value, size, 3);                                                    \
                }                                                                                  \
            }                                                                                      \
            EACH_ROW(ADD_GROUP)                                                                    \
        }                                                                                          \
        EACH_ROW(FINISH)                                                                           \
    }

#define EXPAND_STEP(bits, value, size, chunk)                                                      \
    do {                                                                                           \
        u8 shifted;                                                                                \
        v8 q;                                                                                      \
        SHIFTED(bits, size, chunk, at, shifted);                                                   \
        value(shifted, q);                                                                         \
        STORE(out + j + 8 * (chunk), q * scale + bias);                                            \
    } while (0)

#define EXPAND(name, bits, value, block_size)                                                      \
    static void name(size_t first, size_t n, size_t group, const void *row, const float *scales,   \
                     const float *biases, float *out)                                              \
    {                                                                                              \
        const char *at = (const char *)row + first / (block_size) * ((block_size) * (bits) / 8);   \
        const int places = __builtin_ctzll(group); /* groups are powers of two: no division */     \
        for (size_t j = 0; j < n; j += (block_size), at += (block_size) * (bits) / 8) {            \
            size_t g = (first + j) >> places;                                                      \
            float scale = scales[g], bias = biases ? biases[g] : 0;                                \
            EXPAND_STEP(bits, value, block_size, 0);                                               \
            EXPAND_STEP(bits, value, block_size, 1);                                               \
            if ((block_size) == 32) {                                                              \
                EXPAND_STEP(bits, value, block_size, 2);                                           \
                EXPAND_STEP(bits, value, block_size, 3);                                           \
            }                                                                                      \
        }                                                                                          \
    }

#define KIND(suffix, bits, value, block_size)                                                      \
    DOT(dot_##suffix##_1, bits, value, block_size, 1)                                              \
    DOT(dot_##suffix##_2, bits, value, block_size, 2)                                              \
    DOT(dot_##suffix##_4, bits, value, block_size, 4)                                              \
    DOT(dot_##suffix##_8, bits, value, block_size, 8)                                              \
    EXPAND(expand_##suffix, bits, value, block_size)

KIND(b1, 1, VALUE_1, 32)
KIND(b2, 2, VALUE_2, 32)
KIND(b3, 3, VALUE_3, 32)
KIND(b4, 4, VALUE_4, 32)
KIND(b5, 5, VALUE_5, 32)
KIND(b6, 6, VALUE_6, 32)
KIND(b8, 8, VALUE_8, 32)
KIND(e2m1, 4, VALUE_E2M1, 16)
KIND(e4m3, 8, VALUE_E4M3, 32)

/* ---- rows of x ---- */

static void group_sums(size_t n, size_t group, const float *x, float *sums)
{
    for (size_t g = 0; g < n / group; g++) {
        v8 total = { 0 };
        for (size_t j = g * group; j < (g + 1) * group; j += 8) total += LOAD(x + j);
        sums[g] = sum_of(&total);
    }
}

static void add_scaled(size_t n, float a, const float *x, float *y)
{
    v8 factor = (v8){ 0 } + a;
    size_t j = 0;
    for (; j + 8 <= n; j += 8) STORE(y + j, FMA(factor, LOAD(x + j), LOAD(y + j)));
    for (; j < n; j++) y[j] += a * x[j];
}

static void add_lines(size_t n, size_t apart, const float *a, const float *x, float *y)
{
    const float *x0 = x, *x1 = x + apart, *x2 = x + 2 * apart, *x3 = x + 3 * apart;
    v8 a0 = (v8){ 0 } + a[0], a1 = (v8){ 0 } + a[1], a2 = (v8){ 0 } + a[2], a3 = (v8){ 0 } + a[3];
    size_t j = 0;
    for (; j + 8 <= n; j += 8) {
        v8 one = FMA(a1, LOAD(x1 + j), FMA(a0, LOAD(x0 + j), LOAD(y + j)));
        STORE(y + j, FMA(a3, LOAD(x3 + j), FMA(a2, LOAD(x2 + j), one)));
    }
    for (; j < n; j++) y[j] += a[0] * x0[j] + a[1] * x1[j] + (a[2] * x2[j] + a[3] * x3[j]);
}

/* ---- quantization ---- */

/* NaN is passed over. */
static k_affine affine_of(size_t group, const float *x, float top)
{
    float low[8], high[8];
    for (int i = 0; i < 8; i++) {
        low[i] = k_infinity_f32();
        high[i] = -k_infinity_f32();
    }
    for (size_t j = 0; j < group; j += 8)
        for (int i = 0; i < 8; i++) {
            low[i] = x[j + (size_t)i] < low[i] ? x[j + (size_t)i] : low[i];
            high[i] = x[j + (size_t)i] > high[i] ? x[j + (size_t)i] : high[i];
        }
    for (int i = 1; i < 8; i++) {
        low[0] = low[i] < low[0] ? low[i] : low[0];
        high[0] = high[i] > high[0] ? high[i] : high[0];
    }
    return k_affine_of(low[0], high[0], top);
}

static void affine(size_t n, size_t group, unsigned bits, const float *x, uint8_t *codes,
                   float *scales, float *biases)
{
    float top = (float)((1u << bits) - 1);
    for (size_t g = 0; g < n / group; g++, x += group, codes += group) {
        k_affine a = affine_of(group, x, top);
        scales[g] = a.scale;
        biases[g] = a.bias;
        uint32_t wide[128];
        MICA_LOOP
        for (size_t j = 0; j < group; j++) wide[j] = k_affine_code(x[j], a, top);
        for (size_t j = 0; j < group; j++) codes[j] = (uint8_t)wide[j];
    }
}

#define CODES(name, body)                                                                          \
    static void name(size_t n, const float *z, uint8_t *codes)                                     \
    {                                                                                              \
        MICA_LOOP                                                                                  \
        for (size_t i = 0; i < n; i++) codes[i] = (uint8_t)body(z[i]);                             \
    }
CODES(e2m1_codes, k_e2m1_from_f32)
CODES(e4m3_codes, k_e4m3_from_f32)

static void from_e4m3(size_t n, const uint8_t *codes, float *out)
{
    MICA_LOOP
    for (size_t i = 0; i < n; i++) out[i] = k_f32_from_e4m3(codes[i]);
}

#define DOTS(suffix)                                                                               \
    {                                                                                              \
        dot_##suffix##_1, dot_##suffix##_2, dot_##suffix##_4, dot_##suffix##_8                     \
    }
const mica__quant_loops MICA_ISA_FUNCTION(mica__quant_) = {
    .dot = { DOTS(b1), DOTS(b2), DOTS(b3), DOTS(b4), DOTS(b5), DOTS(b6), DOTS(b8), DOTS(e2m1),
             DOTS(e4m3) },
    .expand = { expand_b1, expand_b2, expand_b3, expand_b4, expand_b5, expand_b6, expand_b8,
                expand_e2m1, expand_e4m3 },
    .sums = group_sums,
    .add_scaled = add_scaled,
    .add_lines = add_lines,
    .affine = affine,
    .e2m1 = e2m1_codes,
    .e4m3 = e4m3_codes,
    .from_e4m3 = from_e4m3,
};
