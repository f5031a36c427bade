/* Inner loops of argmax and argmin: along rows, and down columns side by side. */
#include "backend/cpu/abreast.h"
#include "backend/cpu/loops.h"
#include "backend/cpu/softmax.h"
#include "kernel/body.h"

enum { GROUP = 64 };

/* Along a row: the extremum first, lane by lane so that it vectorises, then the first place where
   it is. A NaN is more extreme than any number, and the first one is found. For integers x != x is
   false, and the compiler drops it. */
#define ALONG(name, type, better, worst)                                                           \
    static int64_t row_##name(const void *data, size_t n, void *best)                              \
    {                                                                                              \
        const type *x = data;                                                                      \
        type lanes[GROUP], m = worst;                                                              \
        for (int j = 0; j < GROUP; j++) lanes[j] = worst;                                          \
        int nan = 0;                                                                               \
        for (size_t j = 0; j < n; j++) nan |= x[j] != x[j];                                        \
        size_t i = 0;                                                                              \
        for (; nan && i < n; i++)                                                                  \
            if (x[i] != x[i]) {                                                                    \
                *(type *)best = x[i];                                                              \
                return (int64_t)i;                                                                 \
            }                                                                                      \
        for (i = 0; i + GROUP <= n; i += GROUP)                                                    \
            for (int j = 0; j < GROUP; j++)                                                        \
                lanes[j] = x[i + (size_t)j] better lanes[j] ? x[i + (size_t)j] : lanes[j];         \
        for (int j = 0; j < GROUP; j++) m = lanes[j] better m ? lanes[j] : m;                      \
        for (; i < n; i++) m = x[i] better m ? x[i] : m;                                           \
        *(type *)best = m;                                                                         \
        for (i = 0; i + GROUP <= n; i += GROUP) {                                                  \
            int hit = 0;                                                                           \
            for (int j = 0; j < GROUP; j++) hit |= x[i + (size_t)j] == m;                          \
            if (hit) break;                                                                        \
        }                                                                                          \
        for (; i < n; i++)                                                                         \
            if (x[i] == m) return (int64_t)i;                                                      \
        return -1;                                                                                 \
    }                                                                                              \
    static void columns_##name(const void *data, size_t n, ptrdiff_t stride, size_t columns,       \
                               uint32_t *index)                                                    \
    {                                                                                              \
        type best[MICA_ARG_COLUMNS];                                                               \
        const type *x = data;                                                                      \
        for (size_t c = 0; c < columns; c++) {                                                     \
            best[c] = x[c];                                                                        \
            index[c] = 0;                                                                          \
        }                                                                                          \
        for (size_t r = 1; r < n; r++) {                                                           \
            x += stride;                                                                           \
            for (size_t c = 0; c < columns; c++) {                                                 \
                int wins = (x[c] better best[c]) | ((x[c] != x[c]) & (best[c] == best[c]));        \
                index[c] = wins ? (uint32_t)r : index[c];                                          \
                best[c] = wins ? x[c] : best[c];                                                   \
            }                                                                                      \
        }                                                                                          \
    }

#define BOTH(suffix, type, least, most)                                                            \
    ALONG(max_##suffix, type, >, least)                                                            \
    ALONG(min_##suffix, type, <, most)

BOTH(u8, uint8_t, 0, UINT8_MAX)
BOTH(u16, uint16_t, 0, UINT16_MAX)
BOTH(u32, uint32_t, 0, UINT32_MAX)
BOTH(u64, uint64_t, 0, UINT64_MAX)
BOTH(i8, int8_t, INT8_MIN, INT8_MAX)
BOTH(i16, int16_t, INT16_MIN, INT16_MAX)
BOTH(i32, int32_t, INT32_MIN, INT32_MAX)
BOTH(i64, int64_t, INT64_MIN, INT64_MAX)
BOTH(f32, float, -k_infinity_f32(), k_infinity_f32())
BOTH(f64, double, -k_infinity_f64(), k_infinity_f64())

/* Complex numbers compare by real, then imaginary part; those with a NaN are better than none. */
#define COMPLEX(name, better)                                                                      \
    MICA_BODY bool beats_##name(mica_complex64 a, mica_complex64 b)                                \
    {                                                                                              \
        return a.re better b.re || (a.re == b.re && a.im better b.im);                             \
    }                                                                                              \
    static int64_t row_##name(const void *data, size_t n, void *best)                              \
    {                                                                                              \
        const mica_complex64 *x = data;                                                            \
        int64_t at = -1;                                                                           \
        for (size_t i = 0; i < n; i++)                                                             \
            if (x[i].re == x[i].re && x[i].im == x[i].im && (at < 0 || beats_##name(x[i], x[at]))) \
                at = (int64_t)i;                                                                   \
        if (at >= 0) *(mica_complex64 *)best = x[at];                                              \
        return at;                                                                                 \
    }                                                                                              \
    static void columns_##name(const void *data, size_t n, ptrdiff_t stride, size_t columns,       \
                               uint32_t *index)                                                    \
    {                                                                                              \
        const mica_complex64 *x = data;                                                            \
        for (size_t c = 0; c < columns; c++) {                                                     \
            index[c] = 0;                                                                          \
            for (size_t r = 1; r < n; r++)                                                         \
                if (beats_##name(x[(ptrdiff_t)r * stride + (ptrdiff_t)c],                          \
                                 x[(ptrdiff_t)index[c] * stride + (ptrdiff_t)c]))                  \
                    index[c] = (uint32_t)r;                                                        \
        }                                                                                          \
    }
COMPLEX(max_c64, >)
COMPLEX(min_c64, <)

/* Eight rows at a time, then what is left of them. */
#define SHORT(name, better)                                                                        \
    static void short_##name(const float *x, size_t rows, size_t n, uint32_t *index)               \
    {                                                                                              \
        for (; rows >= MICA_ABREAST; rows -= MICA_ABREAST) {                                       \
            mica__eight c[MICA_ABREAST_MOST];                                                      \
            mica__turn(x, (ptrdiff_t)n, n, rows == MICA_ABREAST, c);                               \
            mica__eight best = c[0];                                                               \
            mica__eight_bits at = { 0 };                                                           \
            for (size_t j = 1; j < n; j++) {                                                       \
                mica__eight_bits wins = (c[j] better best) | ((c[j] != c[j]) & (best == best));    \
                at = ((int32_t)j & wins) | (at & ~wins);                                           \
                best = (mica__eight)(((mica__eight_bits)c[j] & wins) |                             \
                                     ((mica__eight_bits)best & ~wins));                            \
            }                                                                                      \
            memcpy(index, &at, sizeof at);                                                         \
            x += MICA_ABREAST * n;                                                                 \
            index += MICA_ABREAST;                                                                 \
        }                                                                                          \
        for (size_t r = 0; r < rows; r++) {                                                        \
            float best;                                                                            \
            index[r] = (uint32_t)row_##name(x + r * n, n, &best);                                  \
        }                                                                                          \
    }
SHORT(max_f32, >)
SHORT(min_f32, <)

#define TABLE(part)                                                                                \
    {                                                                                              \
        { [MICA_BOOL] = part##_max_u8,     [MICA_UINT8] = part##_max_u8,                           \
          [MICA_UINT16] = part##_max_u16,  [MICA_UINT32] = part##_max_u32,                         \
          [MICA_UINT64] = part##_max_u64,  [MICA_INT8] = part##_max_i8,                            \
          [MICA_INT16] = part##_max_i16,   [MICA_INT32] = part##_max_i32,                          \
          [MICA_INT64] = part##_max_i64,   [MICA_FLOAT32] = part##_max_f32,                        \
          [MICA_FLOAT64] = part##_max_f64, [MICA_COMPLEX64] = part##_max_c64 },                    \
            { [MICA_BOOL] = part##_min_u8,     [MICA_UINT8] = part##_min_u8,                       \
              [MICA_UINT16] = part##_min_u16,  [MICA_UINT32] = part##_min_u32,                     \
              [MICA_UINT64] = part##_min_u64,  [MICA_INT8] = part##_min_i8,                        \
              [MICA_INT16] = part##_min_i16,   [MICA_INT32] = part##_min_i32,                      \
              [MICA_INT64] = part##_min_i64,   [MICA_FLOAT32] = part##_min_f32,                    \
              [MICA_FLOAT64] = part##_min_f64, [MICA_COMPLEX64] = part##_min_c64 },                \
    }

const mica__arg_loops MICA_ISA_FUNCTION(mica__arg_) = { .abreast = { short_max_f32, short_min_f32 },
                                                        .row = TABLE(row),
                                                        .columns = TABLE(columns) };
