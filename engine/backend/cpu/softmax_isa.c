/* Inner loops of softmax and log-sum-exp. */
#include "backend/cpu/softmax.h"

#include "backend/cpu/lanes.h"
#include "backend/cpu/reduce.h"
#include "kernel/scalar.h"

#define UPPER(a, b) ((((b) > (a)) | ((b) != (b))) ? (b) : (a)) /* NaN wins */

/* What is left of a row behind its last block lies in a block of its own, filled up with what
   changes neither the maximum nor the sum. */
#define ROWS(suffix, type, block, bit_block, per_block)                                            \
    static void fill_##suffix(const type *x, size_t n, type *pad)                                  \
    {                                                                                              \
        for (int j = 0; j < 2 * per_block; j++) pad[j] = -k_infinity_##suffix();                   \
        memcpy(pad, x, n * sizeof *x);                                                             \
    }                                                                                              \
    MICA_BODY block upper_##suffix(block a, block b)                                               \
    {                                                                                              \
        bit_block take = (bit_block)(b > a) | (bit_block)(b != b);                                 \
        return (block)(((bit_block)b & take) | ((bit_block)a & ~take));                            \
    }                                                                                              \
    static type max_##suffix(const type *x, size_t n)                                              \
    {                                                                                              \
        type lanes[2 * per_block], pad[2 * per_block];                                             \
        block a[MICA_VECTORS];                                                                     \
        if (n < 2 * per_block) {                                                                   \
            fill_##suffix(x, n, pad);                                                              \
            x = pad;                                                                               \
            n = 2 * per_block;                                                                     \
        }                                                                                          \
        memcpy(a, x, sizeof a);                                                                    \
        for (size_t i = 2 * per_block; i < n; i += 2 * per_block) {                                \
            const type *at = x + (i + 2 * per_block <= n ? i : n - 2 * per_block);                 \
            MICA_EACH_VECTOR(k) a[k] = upper_##suffix(a[k], MICA_AT(block, at, k));                \
        }                                                                                          \
        MICA_MEET(per_block, lanes, a, upper_##suffix, UPPER)                                      \
        return lanes[0];                                                                           \
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
        MICA_HALVES_##per_block(lanes, MICA_SUM) return lanes[0];                                  \
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
