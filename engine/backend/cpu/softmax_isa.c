/* Inner loops of softmax and log-sum-exp. */
#include "backend/cpu/softmax.h"

#include "backend/cpu/lanes.h"
#include "backend/cpu/reduce.h"
#include "kernel/scalar.h"

/* Lanes brought together in halves, in straight lines: 2 * `h` of them to `h`, and on to one. A
   loop over the halves took longer than the exponentials of a short row. */
#define HALF(h, take)                                                                              \
    for (int j = 0; j < (h); j++) lanes[j] = take(lanes[j], lanes[j + (h)]);
#define HALVES_16(take) HALF(16, take) HALVES_8(take)
#define HALVES_8(take)  HALF(8, take) HALF(4, take) HALF(2, take) HALF(1, take)

#define SUM(a, b)   ((a) + (b))
#define UPPER(a, b) ((b) > (a) || (b) != (b) ? (b) : (a)) /* NaN wins */

/* What is left of a row behind its last block lies in a block of its own, filled up with what
   changes neither the maximum nor the sum. */
#define ROWS(suffix, type, block, bit_block, per_block)                                            \
    static void fill_##suffix(const type *x, size_t n, type *pad)                                  \
    {                                                                                              \
        for (int j = 0; j < 2 * per_block; j++) pad[j] = -k_infinity_##suffix();                   \
        memcpy(pad, x, n * sizeof *x);                                                             \
    }                                                                                              \
    MICA_BODY void raise_##suffix(const type *x, block a[MICA_VECTORS])                            \
    {                                                                                              \
        MICA_EACH_VECTOR(k)                                                                        \
        {                                                                                          \
            block b = MICA_AT(block, x, k);                                                        \
            bit_block take = (bit_block)(b > a[k]) | (bit_block)(b != b);                          \
            a[k] = (block)(((bit_block)b & take) | ((bit_block)a[k] & ~take));                     \
        }                                                                                          \
    }                                                                                              \
    static type max_##suffix(const type *x, size_t n)                                              \
    {                                                                                              \
        type lanes[2 * per_block], pad[2 * per_block];                                             \
        block a[MICA_VECTORS];                                                                     \
        for (int j = 0; j < 2 * per_block; j++) lanes[j] = -k_infinity_##suffix();                 \
        memcpy(a, lanes, sizeof a);                                                                \
        size_t i = 0;                                                                              \
        for (; i + 2 * per_block <= n; i += 2 * per_block) raise_##suffix(x + i, a);               \
        if (i < n) {                                                                               \
            fill_##suffix(x + i, n - i, pad);                                                      \
            raise_##suffix(pad, a);                                                                \
        }                                                                                          \
        memcpy(lanes, a, sizeof lanes);                                                            \
        HALVES_##per_block(UPPER) return lanes[0];                                                 \
    }                                                                                              \
    MICA_BODY void exp_block_##suffix(const type *x, type max, type *e, block a[MICA_VECTORS])     \
    {                                                                                              \
        MICA_LOOP                                                                                  \
        for (int j = 0; j < 2 * per_block; j++) e[j] = k_exp_##suffix(x[j] - max);                 \
        MICA_EACH_VECTOR(k) a[k] += MICA_AT(block, e, k);                                          \
    }                                                                                              \
    static type exp_##suffix(const type *x, size_t n, type max, type *e)                           \
    {                                                                                              \
        type lanes[2 * per_block], pad[2 * per_block];                                             \
        block a[MICA_VECTORS] = { { 0 } };                                                         \
        size_t i = 0;                                                                              \
        for (; i + 2 * per_block <= n; i += 2 * per_block)                                         \
            exp_block_##suffix(x + i, max, e + i, a);                                              \
        if (i < n) {                                                                               \
            fill_##suffix(x + i, n - i, pad);                                                      \
            exp_block_##suffix(pad, max, pad, a);                                                  \
            memcpy(e + i, pad, (n - i) * sizeof *e);                                               \
        }                                                                                          \
        memcpy(lanes, a, sizeof lanes);                                                            \
        HALVES_##per_block(SUM) return lanes[0];                                                   \
    }                                                                                              \
    static void scale_##suffix(type *x, size_t n, type factor)                                     \
    {                                                                                              \
        for (size_t i = 0; i < n; i++) x[i] *= factor;                                             \
    }

/* Lanes are rows. Each is summed in order, so its bits do not depend on those beside it. */
static void short_f32(const float *x, size_t rows, size_t n, float *max, float *total, float *y)
{
    float e[MICA_SHORT_ROW][MICA_SHORT_ROWS], factor[MICA_SHORT_ROWS];
    for (size_t l = 0; l < MICA_SHORT_ROWS; l++) {
        const float *row = x + (l < rows ? l : rows - 1) * n;
        for (size_t j = 0; j < n; j++) e[j][l] = row[j];
    }
    memcpy(max, e[0], sizeof e[0]);
    for (size_t j = 1; j < n; j++)
        for (size_t l = 0; l < MICA_SHORT_ROWS; l++) max[l] = UPPER(max[l], e[j][l]);
    memset(total, 0, sizeof e[0]);
    for (size_t j = 0; j < n; j++) {
        MICA_LOOP
        for (size_t l = 0; l < MICA_SHORT_ROWS; l++) e[j][l] = k_exp_f32(e[j][l] - max[l]);
        for (size_t l = 0; l < MICA_SHORT_ROWS; l++) total[l] += e[j][l];
    }
    if (!y) return;
    for (size_t l = 0; l < MICA_SHORT_ROWS; l++) factor[l] = (float)(1 / (double)total[l]);
    for (size_t j = 0; j < n; j++)
        for (size_t l = 0; l < MICA_SHORT_ROWS; l++) e[j][l] *= factor[l];
    for (size_t l = 0; l < rows; l++)
        for (size_t j = 0; j < n; j++) y[l * n + j] = e[j][l];
}

ROWS(f32, float, mica__floats, mica__float_bits, 16)
ROWS(f64, double, mica__doubles, mica__double_bits, 8)

const mica__softmax_loops MICA_ISA_FUNCTION(mica__softmax_) = { .max_f32 = max_f32,
                                                                .exp_f32 = exp_f32,
                                                                .scale_f32 = scale_f32,
                                                                .short_f32 = short_f32,
                                                                .max_f64 = max_f64,
                                                                .exp_f64 = exp_f64,
                                                                .scale_f64 = scale_f64 };
