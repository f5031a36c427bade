/* Inner loops of softmax and log-sum-exp. */
#include "backend/cpu/softmax.h"

#include "backend/cpu/lanes.h"
#include "backend/cpu/reduce.h"
#include "kernel/scalar.h"

#define ROWS(suffix, type, block, bit_block, per_block)                                            \
    static type max_##suffix(const type *x, size_t n)                                              \
    {                                                                                              \
        type m = -k_infinity_##suffix();                                                           \
        size_t i = 0;                                                                              \
        if (n >= 4 * per_block) {                                                                  \
            block a[MICA_VECTORS];                                                                 \
            memcpy(a, x, sizeof a);                                                                \
            for (i = 2 * per_block; i + 2 * per_block <= n; i += 2 * per_block)                    \
                MICA_EACH_VECTOR(k)                                                                \
                {                                                                                  \
                    block b = MICA_AT(block, x + i, k);                                            \
                    bit_block take = (bit_block)(b > a[k]) | (bit_block)(b != b);                  \
                    a[k] = (block)(((bit_block)b & take) | ((bit_block)a[k] & ~take));             \
                }                                                                                  \
            type lanes[2 * per_block];                                                             \
            memcpy(lanes, a, sizeof lanes);                                                        \
            for (int j = 0; j < 2 * per_block; j++)                                                \
                m = lanes[j] > m || lanes[j] != lanes[j] ? lanes[j] : m;                           \
        }                                                                                          \
        for (; i < n; i++) m = x[i] > m || x[i] != x[i] ? x[i] : m;                                \
        return m;                                                                                  \
    }                                                                                              \
    static type exp_##suffix(const type *x, size_t n, type max, type *e)                           \
    {                                                                                              \
        MICA_LOOP                                                                                  \
        for (size_t i = 0; i < n; i++) e[i] = k_exp_##suffix(x[i] - max);                          \
        type lanes[2 * per_block];                                                                 \
        block a[MICA_VECTORS] = { { 0 } };                                                         \
        size_t i = 0;                                                                              \
        for (; i + 2 * per_block <= n; i += 2 * per_block)                                         \
            MICA_EACH_VECTOR(k) a[k] += MICA_AT(block, e + i, k);                                  \
        memcpy(lanes, a, sizeof lanes);                                                            \
        for (size_t j = 0; i < n; i++, j++) lanes[j] += e[i];                                      \
        for (int half = per_block; half; half /= 2)                                                \
            for (int j = 0; j < half; j++) lanes[j] += lanes[j + half];                            \
        return lanes[0];                                                                           \
    }                                                                                              \
    static void scale_##suffix(type *x, size_t n, type factor)                                     \
    {                                                                                              \
        for (size_t i = 0; i < n; i++) x[i] *= factor;                                             \
    }

ROWS(f32, float, mica__floats, mica__float_bits, 16)
ROWS(f64, double, mica__doubles, mica__double_bits, 8)

const mica__softmax_loops MICA_ISA_FUNCTION(mica__softmax_) = { .max_f32 = max_f32,
                                                                .exp_f32 = exp_f32,
                                                                .scale_f32 = scale_f32,
                                                                .max_f64 = max_f64,
                                                                .exp_f64 = exp_f64,
                                                                .scale_f64 = scale_f64 };
