/* Inner loops of scans. Floats run in double where that keeps digits, and round once an element. */
#include "backend/cpu/scan.h"

#include <math.h>

#include "backend/cpu/loops.h"
#include "kernel/scalar.h"
#include "runtime/pool.h"

enum { LOOK = 1 << 16, BLOCK = 256 };

/* The row before which a scan of long columns looks whether it is to give up. */
static inline int64_t next_look(int64_t k, int64_t n, int64_t m)
{
    int64_t rows = LOOK / m;
    return n - k < rows ? n : k + rows;
}

/* The running value of one column stays in a register. */
#define ALONG(name, type, wide, start, expression)                                                 \
    static void along_##name(const type *x, type *y, int64_t n, int64_t row, bool inclusive)       \
    {                                                                                              \
        wide a = start;                                                                            \
        for (int64_t k = 0; k < n && (!k || !mica__parallel_given_up());)                          \
            for (int64_t stop = next_look(k, n, 1); k < stop; k++, x += row, y += row) {           \
                wide b = (wide)*x, next = expression;                                              \
                *y = (type)(inclusive ? next : a);                                                 \
                a = next;                                                                          \
            }                                                                                      \
    }

/* Extrema of floats: NaN stays. Each element waits for the one before it, so whether there is a NaN
   is found out before, for a block at a time. */
#define ALONG_EXTREMA(name, type, better, start)                                                   \
    MICA_BODY type run_##name(const type *x, type *y, int64_t n, int64_t row, bool inclusive,      \
                              type a)                                                              \
    {                                                                                              \
        int nan = a != a;                                                                          \
        for (int64_t i = 0; i < n; i++) nan |= x[i * row] != x[i * row];                           \
        if (nan || !inclusive) {                                                                   \
            for (int64_t i = 0; i < n; i++) {                                                      \
                type b = x[i * row], next = b better a || b != b ? b : a;                          \
                y[i * row] = inclusive ? next : a;                                                 \
                a = next;                                                                          \
            }                                                                                      \
        } else {                                                                                   \
            for (int64_t i = 0; i < n; i++) {                                                      \
                type b = x[i * row];                                                               \
                y[i * row] = a = b better a ? b : a;                                               \
            }                                                                                      \
        }                                                                                          \
        return a;                                                                                  \
    }                                                                                              \
    static void along_##name(const type *x, type *y, int64_t n, int64_t row, bool inclusive)       \
    {                                                                                              \
        type a = start;                                                                            \
        for (int64_t k = 0; k < n && (k % LOOK || !k || !mica__parallel_given_up()); k += BLOCK) { \
            int64_t m = n - k < BLOCK ? n - k : BLOCK;                                             \
            a = row == 1 ? run_##name(x + k, y + k, m, 1, inclusive, a)                            \
                         : run_##name(x + k * row, y + k * row, m, row, inclusive, a);             \
        }                                                                                          \
    }

#define DOWN(name, type, wide, start, expression)                                                  \
    static void scan_##name(const void *in, void *out, int64_t n, int64_t row, int64_t m,          \
                            bool inclusive)                                                        \
    {                                                                                              \
        const type *x = in;                                                                        \
        type *y = out;                                                                             \
        wide running[MICA_SCAN_COLUMNS];                                                           \
        if (m == 1) {                                                                              \
            along_##name(x, y, n, row, inclusive);                                                 \
            return;                                                                                \
        }                                                                                          \
        for (int64_t c = 0; c < m; c++) running[c] = start;                                        \
        for (int64_t k = 0; k < n && (!k || !mica__parallel_given_up());)                          \
            for (int64_t stop = next_look(k, n, m); k < stop; k++, x += row, y += row)             \
                if (inclusive) {                                                                   \
                    MICA_LOOP                                                                      \
                    for (int64_t c = 0; c < m; c++) {                                              \
                        wide a = running[c], b = (wide)x[c];                                       \
                        running[c] = expression;                                                   \
                        y[c] = (type)running[c];                                                   \
                    }                                                                              \
                } else {                                                                           \
                    MICA_LOOP                                                                      \
                    for (int64_t c = 0; c < m; c++) {                                              \
                        wide a = running[c], b = (wide)x[c];                                       \
                        running[c] = expression;                                                   \
                        y[c] = (type)a;                                                            \
                    }                                                                              \
                }                                                                                  \
    }

#define SCAN(name, type, wide, start, expression)                                                  \
    ALONG(name, type, wide, start, expression)                                                     \
    DOWN(name, type, wide, start, expression)
#define SCAN_EXTREMA(name, type, better, start)                                                    \
    ALONG_EXTREMA(name, type, better, start)                                                       \
    DOWN(name, type, type, start, ((b better a) | (b != b)) ? b : a)

#define SCAN_INTEGER(suffix, type, wrap, least, most)                                              \
    SCAN(sum_##suffix, type, wrap, 0, (wrap)(a + b))                                               \
    SCAN(prod_##suffix, type, wrap, 1, (wrap)(a * b))                                              \
    SCAN(max_##suffix, type, type, least, b > a ? b : a)                                           \
    SCAN(min_##suffix, type, type, most, b < a ? b : a)
SCAN_INTEGER(u8, uint8_t, uint32_t, 0, UINT8_MAX)
SCAN_INTEGER(u16, uint16_t, uint32_t, 0, UINT16_MAX)
SCAN_INTEGER(u32, uint32_t, uint32_t, 0, UINT32_MAX)
SCAN_INTEGER(u64, uint64_t, uint64_t, 0, UINT64_MAX)
SCAN_INTEGER(i8, int8_t, uint32_t, INT8_MIN, INT8_MAX)
SCAN_INTEGER(i16, int16_t, uint32_t, INT16_MIN, INT16_MAX)
SCAN_INTEGER(i32, int32_t, uint32_t, INT32_MIN, INT32_MAX)
SCAN_INTEGER(i64, int64_t, uint64_t, INT64_MIN, INT64_MAX)
SCAN(min_b8, uint8_t, uint8_t, 1, b < a ? b : a)

/* log(exp(a) + exp(b)); equal infinities stay what they are. */
static inline double log_add(double a, double b)
{
    double high = b > a || b != b ? b : a, low = b > a || b != b ? a : b;
    return isinf(high) || isnan(high) ? high : high + log1p(exp(low - high));
}

#define SCAN_FLOAT(suffix, type)                                                                   \
    SCAN(sum_##suffix, type, double, 0, a + b)                                                     \
    SCAN(prod_##suffix, type, double, 1, a *b)                                                     \
    SCAN_EXTREMA(max_##suffix, type, >, -(type)INFINITY)                                           \
    SCAN_EXTREMA(min_##suffix, type, <, (type)INFINITY)                                            \
    SCAN(log_##suffix, type, double, -INFINITY, log_add(a, b))
SCAN_FLOAT(f32, float)
SCAN_FLOAT(f64, double)

static inline mica_complex64 add(mica_complex64 a, mica_complex64 b)
{
    return (mica_complex64){ a.re + b.re, a.im + b.im };
}
static inline mica_complex64 multiply(mica_complex64 a, mica_complex64 b)
{
    return (mica_complex64){ a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re };
}

#define SCAN_COMPLEX(name, re, im, operation)                                                      \
    static void scan_##name##_c64(const void *in, void *out, int64_t n, int64_t row, int64_t m,    \
                                  bool inclusive)                                                  \
    {                                                                                              \
        const mica_complex64 *x = in;                                                              \
        mica_complex64 *y = out;                                                                   \
        for (int64_t c = 0; c < m; c++) {                                                          \
            mica_complex64 running = { re, im };                                                   \
            for (int64_t k = 0; k < n && (!k || !mica__parallel_given_up());)                      \
                for (int64_t stop = next_look(k, n, 1); k < stop; k++) {                           \
                    mica_complex64 before = running;                                               \
                    running = operation(running, x[k * row + c]);                                  \
                    y[k * row + c] = inclusive ? running : before;                                 \
                }                                                                                  \
        }                                                                                          \
    }
SCAN_COMPLEX(sum, 0, 0, add)
SCAN_COMPLEX(prod, 1, 0, multiply)
SCAN_COMPLEX(max, -INFINITY, -INFINITY, k_maximum_c64)
SCAN_COMPLEX(min, INFINITY, INFINITY, k_minimum_c64)
SCAN_COMPLEX(log, -INFINITY, 0, k_logaddexp_c64)

#define ROW(name, boolean)                                                                         \
    {                                                                                              \
        [MICA_BOOL] = scan_##boolean, [MICA_UINT8] = scan_##name##_u8,                             \
        [MICA_UINT16] = scan_##name##_u16, [MICA_UINT32] = scan_##name##_u32,                      \
        [MICA_UINT64] = scan_##name##_u64, [MICA_INT8] = scan_##name##_i8,                         \
        [MICA_INT16] = scan_##name##_i16, [MICA_INT32] = scan_##name##_i32,                        \
        [MICA_INT64] = scan_##name##_i64, [MICA_FLOAT32] = scan_##name##_f32,                      \
        [MICA_FLOAT64] = scan_##name##_f64, [MICA_COMPLEX64] = scan_##name##_c64                   \
    }

const mica__scan_loops
    MICA_ISA_FUNCTION(mica__scan_) = { .of = {
                                           [MICA_SCAN_SUM] = ROW(sum, sum_u8),
                                           [MICA_SCAN_PROD] = ROW(prod, prod_u8),
                                           [MICA_SCAN_MAX] = ROW(max, max_u8),
                                           [MICA_SCAN_MIN] = ROW(min, min_b8),
                                           [MICA_SCAN_LOG] = { [MICA_FLOAT32] = scan_log_f32,
                                                               [MICA_FLOAT64] = scan_log_f64,
                                                               [MICA_COMPLEX64] = scan_log_c64 },
                                       } };
