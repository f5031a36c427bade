/* Loops over quantized rows in the order of their elements. Eight elements are one vector, whatever
   the instruction set: one word of 32 bits or two hold their codes, which shifts move to their
   lanes' low bits. */
#include "backend/cpu/quantize.h"

#include "backend/cpu/quantized_vectors.h"

/* Where four codes of a block of `size` begin: the byte of a word inside the block that holds
   them, and their place in it. */
#define BYTE_OF(bits, size, code)                                                                  \
    ((bits) * (code) / 8 < (size) * (bits) / 8 - 4 ? (bits) * (code) / 8 : (size) * (bits) / 8 - 4)
#define SHIFT_OF(bits, size, code) ((bits) * (code)-8 * BYTE_OF(bits, size, code))

/* Elements 8 chunk ... 8 chunk + 7 of a block, each shifted down; higher bits are still there. One
   word holds eight codes of up to four bits. All but `block` and `out` are constants. */
#define SHIFTED(bits, size, chunk, block, out)                                                     \
    do {                                                                                           \
        enum {                                                                                     \
            AT = (chunk)*8 % (size),                                                               \
            B0 = BYTE_OF(bits, size, AT),                                                          \
            B1 = BYTE_OF(bits, size, AT + 4),                                                      \
            S0 = SHIFT_OF(bits, size, AT),                                                         \
            S1 = SHIFT_OF(bits, size, AT + 4),                                                     \
            W = (bits) <= 4 ? (bits) : 0,                                                          \
            V = (bits)                                                                             \
        };                                                                                         \
        if ((bits) <= 4) {                                                                         \
            (out) = ((u8){ 0 } + word_at((block) + B0)) >>                                         \
                    (u8){ S0,         S0 + W,     S0 + 2 * W, S0 + 3 * W,                          \
                          S0 + 4 * W, S0 + 5 * W, S0 + 6 * W, S0 + 7 * W };                        \
        } else if ((bits) == 8) {                                                                  \
            bytes8 bytes;                                                                          \
            memcpy(&bytes, (block) + AT, sizeof bytes);                                            \
            (out) = __builtin_convertvector(bytes, u8);                                            \
        } else {                                                                                   \
            uint32_t low = word_at((block) + B0), high = word_at((block) + B1);                    \
            (out) =                                                                                \
                (u8){ low, low, low, low, high, high, high, high } >>                              \
                (u8){ S0, S0 + V, S0 + 2 * V, S0 + 3 * V, S1, S1 + V, S1 + 2 * V, S1 + 3 * V };    \
        }                                                                                          \
    } while (0)

#define VALUE_1(v, out)    (out) = INTEGER_VALUE(1, v)
#define VALUE_2(v, out)    (out) = INTEGER_VALUE(2, v)
#define VALUE_3(v, out)    (out) = INTEGER_VALUE(3, v)
#define VALUE_4(v, out)    (out) = INTEGER_VALUE(4, v)
#define VALUE_5(v, out)    (out) = INTEGER_VALUE(5, v)
#define VALUE_6(v, out)    (out) = INTEGER_VALUE(6, v)
#define VALUE_8(v, out)    (out) = INTEGER_VALUE(8, v)
#define VALUE_E2M1(v, out) e2m1_value(&(v), &(out))
#define VALUE_E4M3(v, out) e4m3_value(&(v), &(out))

/* ---- rows of numbers ---- */

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
            float scale = scales[g], bias = biases ? biases[g] : -0.0f; /* keeps -0 */             \
            EXPAND_STEP(bits, value, block_size, 0);                                               \
            EXPAND_STEP(bits, value, block_size, 1);                                               \
            if ((block_size) == 32) {                                                              \
                EXPAND_STEP(bits, value, block_size, 2);                                           \
                EXPAND_STEP(bits, value, block_size, 3);                                           \
            }                                                                                      \
        }                                                                                          \
    }

EXPAND(expand_b1, 1, VALUE_1, 32)
EXPAND(expand_b2, 2, VALUE_2, 32)
EXPAND(expand_b3, 3, VALUE_3, 32)
EXPAND(expand_b4, 4, VALUE_4, 32)
EXPAND(expand_b5, 5, VALUE_5, 32)
EXPAND(expand_b6, 6, VALUE_6, 32)
EXPAND(expand_b8, 8, VALUE_8, 32)
EXPAND(expand_e2m1, 4, VALUE_E2M1, 16)
EXPAND(expand_e4m3, 8, VALUE_E4M3, 32)

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

const mica__quant_loops MICA_ISA_FUNCTION(mica__quant_) = {
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
