/* Kernels of cumsum, cumprod, cummax, cummin and logcumsumexp. Floats run in double where that
 * keeps digits, and round once an element. */
#include "backend/cpu/kernel.h"
#include "backend/cpu/loop.h"
#include "kernel/scalar.h"

enum { COLUMNS = 64, WORK = 16 * 1024, LOOK = 1 << 16 };

/* The row before which a scan of long columns looks whether it is to give up. */
static inline int64_t next_look(int64_t k, int64_t n, int64_t m)
{
    int64_t rows = LOOK / m;
    return n - k < rows ? n : k + rows;
}

/* Scans m columns of n rows side by side; rows are `row` elements apart (negative: from the end).
 */
typedef void scan_loop(const void *in, void *out, int64_t n, int64_t row, int64_t m,
                       bool inclusive);

#define SCAN(name, type, wide, start, expression)                                                  \
    static void scan_##name(const void *in, void *out, int64_t n, int64_t row, int64_t m,          \
                            bool inclusive)                                                        \
    {                                                                                              \
        const type *x = in;                                                                        \
        type *y = out;                                                                             \
        wide running[COLUMNS];                                                                     \
        if (m == 1) { /* the running value stays in a register */                                  \
            wide a = start;                                                                        \
            for (int64_t k = 0; k < n && (!k || !mica__parallel_given_up());)                      \
                for (int64_t stop = next_look(k, n, 1); k < stop; k++, x += row, y += row) {       \
                    wide b = (wide)*x, next = expression;                                          \
                    *y = (type)(inclusive ? next : a);                                             \
                    a = next;                                                                      \
                }                                                                                  \
            return;                                                                                \
        }                                                                                          \
        for (int64_t c = 0; c < m; c++) running[c] = start;                                        \
        for (int64_t k = 0; k < n && (!k || !mica__parallel_given_up());)                          \
            for (int64_t stop = next_look(k, n, m); k < stop; k++, x += row, y += row)             \
                for (int64_t c = 0; c < m; c++) {                                                  \
                    wide a = running[c], b = (wide)x[c];                                           \
                    running[c] = expression;                                                       \
                    y[c] = (type)(inclusive ? running[c] : a);                                     \
                }                                                                                  \
    }

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
    SCAN(max_##suffix, type, type, -(type)INFINITY, b > a || b != b ? b : a)                       \
    SCAN(min_##suffix, type, type, (type)INFINITY, b < a || b != b ? b : a)                        \
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

#define ROW(name)                                                                                  \
    {                                                                                              \
        [MICA_BOOL] = scan_##name##_u8, [MICA_UINT8] = scan_##name##_u8,                           \
        [MICA_UINT16] = scan_##name##_u16, [MICA_UINT32] = scan_##name##_u32,                      \
        [MICA_UINT64] = scan_##name##_u64, [MICA_INT8] = scan_##name##_i8,                         \
        [MICA_INT16] = scan_##name##_i16, [MICA_INT32] = scan_##name##_i32,                        \
        [MICA_INT64] = scan_##name##_i64, [MICA_FLOAT32] = scan_##name##_f32,                      \
        [MICA_FLOAT64] = scan_##name##_f64, [MICA_COMPLEX64] = scan_##name##_c64                   \
    }

enum { SUM, PROD, MAX, MIN, LOG };
static scan_loop *const loops[][MICA_DTYPE_COUNT] = {
    [SUM] = ROW(sum),
    [PROD] = ROW(prod),
    [MAX] = ROW(max),
    [MIN] = ROW(min),
    [LOG] = { [MICA_FLOAT32] = scan_log_f32,
              [MICA_FLOAT64] = scan_log_f64,
              [MICA_COMPLEX64] = scan_log_c64 },
};

typedef struct scanning {
    scan_loop *loop;
    const char *in;
    char *out;
    int64_t outer, n, inner, tile, tiles, a_task;
    size_t item;
    bool reverse, inclusive;
} scanning;

static void scan_task(void *context, size_t task)
{
    const scanning *q = context;
    int64_t first = (int64_t)task * q->a_task, last = first + q->a_task, all = q->outer * q->tiles;
    if (last > all) last = all;
    for (int64_t i = first; i < last; i++) {
        int64_t column = i % q->tiles * q->tile,
                m = q->inner - column < q->tile ? q->inner - column : q->tile;
        int64_t start = i / q->tiles * q->n * q->inner + column;
        if (q->reverse) start += (q->n - 1) * q->inner;
        q->loop(q->in + (size_t)start * q->item, q->out + (size_t)start * q->item, q->n,
                q->reverse ? -q->inner : q->inner, m, q->inclusive);
    }
}

static int scan(mica__launch *l, int operation)
{
    const struct mica__cumsum_params *p =
        MICA_PARAMS(l->node, cumsum); /* all scans have these fields */
    const mica_array *in = l->in[0];
    if (in->size == 0) return MICA_OK;
    mica_dtype given = (mica_dtype)in->dtype, d = mica__is_half(given) ? MICA_FLOAT32 : given;
    scanning q = { .loop = loops[operation][d],
                   .in = in->data,
                   .out = l->out[0].data,
                   .outer = 1,
                   .inner = 1,
                   .n = in->shape[p->axis],
                   .item = mica__dtype_sizes[d],
                   .reverse = p->reverse,
                   .inclusive = p->inclusive };
    if (operation == MIN && d == MICA_BOOL) q.loop = scan_min_b8;
    if (!q.loop)
        return mica__fail(MICA_EVALUE, "[%s] %s is not accepted", mica__prims[l->node->prim].name,
                          mica_dtype_name(given));
    for (int i = 0; i < in->ndim; i++) {
        if (i < p->axis) q.outer *= in->shape[i];
        if (i > p->axis) q.inner *= in->shape[i];
    }
    void *wide = NULL;
    size_t bytes = (size_t)in->size * sizeof(float);
    if (d != given) {
        MICA_TRY(mica__memory_take(bytes, &wide));
        mica__convert((size_t)in->size, in->data, given, wide, d);
        q.in = q.out = wide;
    }
    q.tile = q.inner < COLUMNS ? q.inner : COLUMNS;
    q.tiles = (q.inner + q.tile - 1) / q.tile;
    q.a_task = q.tile * q.n < WORK ? WORK / (q.tile * q.n) : 1;
    mica__parallel((size_t)((q.outer * q.tiles + q.a_task - 1) / q.a_task), scan_task, &q);
    if (wide) {
        mica__convert((size_t)in->size, wide, d, l->out[0].data, given);
        mica__memory_give(wide, bytes);
    }
    return MICA_OK;
}

int mica__kernel_cumsum(mica__launch *l)
{
    return scan(l, SUM);
}
int mica__kernel_cumprod(mica__launch *l)
{
    return scan(l, PROD);
}
int mica__kernel_cummax(mica__launch *l)
{
    return scan(l, MAX);
}
int mica__kernel_cummin(mica__launch *l)
{
    return scan(l, MIN);
}
int mica__kernel_logcumsumexp(mica__launch *l)
{
    return scan(l, LOG);
}
