/* Inner loops of reductions: rows of contiguous elements, and columns side by side. */
#include "backend/cpu/abreast.h"
#include "backend/cpu/lanes.h"
#include "backend/cpu/reduce.h"
#include "kernel/body.h"

/* ---- sums and products of floats: lanes ---- */

#define PRODUCT(a, b) ((a) * (b))

#define LANED(name, type, block, per_block, op, take, identity)                                    \
    /* Lanes to one value; `a` has 2 * per_block of them. */                                       \
    MICA_BODY type fold_##name(type *a)                                                            \
    {                                                                                              \
        MICA_HALVES_##per_block(a, take) return a[0];                                              \
    }                                                                                              \
    MICA_BODY type chunk_##name(const type *x, size_t n)                                           \
    {                                                                                              \
        type lanes[2 * per_block];                                                                 \
        if (n <= 4) { /* what the fold comes to when the other lanes are idle */                   \
            for (size_t j = 0; j < 4; j++) lanes[j] = j < n ? identity op x[j] : identity;         \
            return (lanes[0] op lanes[2])op(lanes[1] op lanes[3]);                                 \
        }                                                                                          \
        for (int j = 0; j < 2 * per_block; j++) lanes[j] = identity;                               \
        size_t i = 0;                                                                              \
        if (n >= 2 * per_block) {                                                                  \
            block a[MICA_VECTORS];                                                                 \
            memcpy(a, lanes, sizeof a);                                                            \
            for (; i + 2 * per_block <= n; i += 2 * per_block)                                     \
                MICA_EACH_VECTOR(k) a[k] = a[k] op MICA_AT(block, x + i, k);                       \
            memcpy(lanes, a, sizeof lanes);                                                        \
        }                                                                                          \
        for (size_t j = 0; i < n; i++, j++) lanes[j] = lanes[j] op x[i];                           \
        return fold_##name(lanes);                                                                 \
    }                                                                                              \
    static void rows_##name(const void *x, size_t count, ptrdiff_t stride, size_t n, void *wide)   \
    {                                                                                              \
        const type *at = x;                                                                        \
        double *out = wide;                                                                        \
        for (size_t r = 0; r < count; r++, at += stride) out[r] = chunk_##name(at, n);             \
    }                                                                                              \
    static void into_##name(void *a, const void *x, size_t n)                                      \
    {                                                                                              \
        type *restrict to = a;                                                                     \
        const type *restrict from = x;                                                             \
        for (size_t i = 0; i < n; i++) to[i] = to[i] op from[i];                                   \
    }                                                                                              \
    static void widen_##name(void *wide, const void *x, size_t n)                                  \
    {                                                                                              \
        double *restrict to = wide;                                                                \
        const type *restrict from = x;                                                             \
        for (size_t i = 0; i < n; i++) to[i] = to[i] op(double) from[i];                           \
    }

LANED(sum_f32, float, mica__floats, 16, +, MICA_SUM, 0.0f)
LANED(prod_f32, float, mica__floats, 16, *, PRODUCT, 1.0f)
LANED(sum_f64, double, mica__doubles, 8, +, MICA_SUM, 0.0)
LANED(prod_f64, double, mica__doubles, 8, *, PRODUCT, 1.0)
#undef LANED

/* The same lanes, folded for eight rows at a time. */
static void short_sum_f32(const void *x, size_t count, ptrdiff_t stride, size_t n, void *wide)
{
    const float *at = x;
    double *out = wide;
    size_t r = 0;
    for (; mica__is_short(n) && r + MICA_ABREAST <= count; r += MICA_ABREAST) {
        mica__eight c[MICA_ABREAST_MOST];
        mica__turn(at + (ptrdiff_t)r * stride, stride, n, r + MICA_ABREAST == count, c);
        for (size_t j = 0; j < n; j++) c[j] = 0.0f + c[j];
        MICA_ABREAST_HALVES(c, n, MICA_SUM)
        for (int l = 0; l < MICA_ABREAST; l++) out[r + (size_t)l] = c[0][l];
    }
    if (r < count) rows_sum_f32(at + (ptrdiff_t)r * stride, count - r, stride, n, out + r);
}

static void merge_sum_f64(void *wide, const void *other, size_t n)
{
    into_sum_f64(wide, other, n);
}
static void merge_prod_f64(void *wide, const void *other, size_t n)
{
    into_prod_f64(wide, other, n);
}

/* A complex sum has 16 lanes of two floats, which fold as 32 floats do while the halves are whole
 * numbers of elements. */
static void rows_sum_c64(const void *x, size_t count, ptrdiff_t stride, size_t n, void *wide)
{
    const mica_complex64 *at = x;
    double *out = wide;
    for (size_t r = 0; r < count; r++, at += stride) {
        const float *f = (const float *)(const void *)at;
        float lanes[32] = { 0 };
        size_t i = 0;
        for (; i + 32 <= 2 * n; i += 32)
            for (int j = 0; j < 32; j++) lanes[j] += f[i + (size_t)j];
        for (size_t j = 0; i < 2 * n; i++, j++) lanes[j] += f[i];
        for (int half = 16; half >= 2; half /= 2)
            for (int j = 0; j < half; j++) lanes[j] += lanes[j + half];
        out[2 * r] = lanes[0];
        out[2 * r + 1] = lanes[1];
    }
}
static void into_sum_c64(void *a, const void *x, size_t n)
{
    into_sum_f32(a, x, 2 * n);
}
static void widen_sum_c64(void *wide, const void *x, size_t n)
{
    widen_sum_f32(wide, x, 2 * n);
}
static void merge_sum_c64(void *wide, const void *other, size_t n)
{
    into_sum_f64(wide, other, 2 * n);
}

MICA_BODY mica_complex64 product(mica_complex64 a, mica_complex64 b)
{
    return (mica_complex64){ a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re };
}
static void rows_prod_c64(const void *x, size_t count, ptrdiff_t stride, size_t n, void *wide)
{
    const mica_complex64 *at = x;
    double *out = wide;
    for (size_t r = 0; r < count; r++, at += stride) {
        mica_complex64 lanes[16];
        for (int j = 0; j < 16; j++) lanes[j] = (mica_complex64){ 1, 0 };
        for (size_t i = 0; i < n; i++) lanes[i % 16] = product(lanes[i % 16], at[i]);
        for (int half = 8; half; half /= 2)
            for (int j = 0; j < half; j++) lanes[j] = product(lanes[j], lanes[j + half]);
        out[2 * r] = lanes[0].re;
        out[2 * r + 1] = lanes[0].im;
    }
}
static void into_prod_c64(void *a, const void *x, size_t n)
{
    mica_complex64 *to = a;
    const mica_complex64 *from = x;
    for (size_t i = 0; i < n; i++) to[i] = product(to[i], from[i]);
}
MICA_BODY void wide_product(double *a, double re, double im)
{
    double r = a[0] * re - a[1] * im;
    a[1] = a[0] * im + a[1] * re;
    a[0] = r;
}
static void widen_prod_c64(void *wide, const void *x, size_t n)
{
    double *to = wide;
    const mica_complex64 *from = x;
    for (size_t i = 0; i < n; i++) wide_product(to + 2 * i, from[i].re, from[i].im);
}
static void merge_prod_c64(void *wide, const void *other, size_t n)
{
    double *to = wide;
    const double *from = other;
    for (size_t i = 0; i < n; i++) wide_product(to + 2 * i, from[2 * i], from[2 * i + 1]);
}

/* ---- where order does not matter: one accumulator, which the compiler splits as it likes ---- */

#define FREE(name, type, expression, identity)                                                     \
    static void rows_##name(const void *x, size_t count, ptrdiff_t stride, size_t n, void *wide)   \
    {                                                                                              \
        const type *at = x;                                                                        \
        type *out = wide;                                                                          \
        for (size_t r = 0; r < count; r++, at += stride) {                                         \
            type a = identity;                                                                     \
            for (size_t i = 0; i < n; i++) {                                                       \
                type b = at[i];                                                                    \
                a = expression;                                                                    \
            }                                                                                      \
            out[r] = a;                                                                            \
        }                                                                                          \
    }                                                                                              \
    static void into_##name(void *to, const void *from, size_t n)                                  \
    {                                                                                              \
        type *restrict t = to;                                                                     \
        const type *restrict f = from;                                                             \
        for (size_t i = 0; i < n; i++) {                                                           \
            type a = t[i], b = f[i];                                                               \
            t[i] = expression;                                                                     \
        }                                                                                          \
    }

FREE(sum_i32, uint32_t, a + b, 0)
FREE(sum_i64, uint64_t, a + b, 0)
FREE(prod_i32, uint32_t, a *b, 1)
FREE(prod_i64, uint64_t, a *b, 1)
FREE(max_u8, uint8_t, b > a ? b : a, 0)
FREE(max_u16, uint16_t, b > a ? b : a, 0)
FREE(max_u32, uint32_t, b > a ? b : a, 0)
FREE(max_u64, uint64_t, b > a ? b : a, 0)
FREE(max_i8, int8_t, b > a ? b : a, INT8_MIN)
FREE(max_i16, int16_t, b > a ? b : a, INT16_MIN)
FREE(max_i32, int32_t, b > a ? b : a, INT32_MIN)
FREE(max_i64, int64_t, b > a ? b : a, INT64_MIN)
FREE(min_u8, uint8_t, b < a ? b : a, UINT8_MAX)
FREE(min_u16, uint16_t, b < a ? b : a, UINT16_MAX)
FREE(min_u32, uint32_t, b < a ? b : a, UINT32_MAX)
FREE(min_u64, uint64_t, b < a ? b : a, UINT64_MAX)
FREE(min_i8, int8_t, b < a ? b : a, INT8_MAX)
FREE(min_i16, int16_t, b < a ? b : a, INT16_MAX)
FREE(min_i32, int32_t, b < a ? b : a, INT32_MAX)
FREE(min_i64, int64_t, b < a ? b : a, INT64_MAX)
FREE(all_u8, uint8_t, (uint8_t)(a &b), 1)
FREE(any_u8, uint8_t, (uint8_t)(a | b), 0)

/* Extrema of floats: NaN wins. */
#define EXTREMUM(name, type, bits, block, bit_block, per_block, better, identity)                  \
    MICA_BODY type pick_##name(type a, type b)                                                     \
    {                                                                                              \
        return ((b better a) | (b != b)) ? b : a;                                                  \
    }                                                                                              \
    MICA_BODY block meet_##name(block a, block b)                                                  \
    {                                                                                              \
        bit_block take = (bit_block)(b better a) | (bit_block)(b != b);                            \
        return (block)(((bit_block)b & take) | ((bit_block)a & ~take));                            \
    }                                                                                              \
    /* Of at least a block. What is left is taken with the end of the block before it again. */    \
    MICA_BODY type row_##name(const type *x, size_t n)                                             \
    {                                                                                              \
        type lanes[2 * per_block];                                                                 \
        block m[MICA_VECTORS];                                                                     \
        memcpy(m, x, sizeof m);                                                                    \
        for (size_t i = 2 * per_block; i < n; i += 2 * per_block) {                                \
            const type *at = x + (i + 2 * per_block <= n ? i : n - 2 * per_block);                 \
            MICA_EACH_VECTOR(k) m[k] = meet_##name(m[k], MICA_AT(block, at, k));                   \
        }                                                                                          \
        MICA_MEET(per_block, lanes, m, meet_##name, pick_##name)                                   \
        return lanes[0];                                                                           \
    }                                                                                              \
    static void rows_##name(const void *x, size_t count, ptrdiff_t stride, size_t n, void *wide)   \
    {                                                                                              \
        const type *at = x;                                                                        \
        type *out = wide;                                                                          \
        for (size_t r = 0; r < count; r++, at += stride) {                                         \
            type a = identity;                                                                     \
            if (n >= 2 * per_block) a = row_##name(at, n);                                         \
            else                                                                                   \
                for (size_t i = 0; i < n; i++) a = pick_##name(a, at[i]);                          \
            out[r] = a;                                                                            \
        }                                                                                          \
    }                                                                                              \
    static void into_##name(void *to, const void *from, size_t n)                                  \
    {                                                                                              \
        type *restrict t = to;                                                                     \
        const type *restrict f = from;                                                             \
        for (size_t i = 0; i < n; i++) t[i] = pick_##name(t[i], f[i]);                             \
    }

EXTREMUM(max_f32, float, int32_t, mica__floats, mica__float_bits, 16, >, -k_infinity_f32())
EXTREMUM(min_f32, float, int32_t, mica__floats, mica__float_bits, 16, <, k_infinity_f32())
EXTREMUM(max_f64, double, int64_t, mica__doubles, mica__double_bits, 8, >, -k_infinity_f64())
EXTREMUM(min_f64, double, int64_t, mica__doubles, mica__double_bits, 8, <, k_infinity_f64())

/* The same order for eight rows at a time. */
#define SHORT_EXTREMUM(name, better)                                                               \
    static void short_##name(const void *x, size_t count, ptrdiff_t stride, size_t n, void *wide)  \
    {                                                                                              \
        const float *at = x;                                                                       \
        float *out = wide;                                                                         \
        size_t r = 0;                                                                              \
        for (; mica__is_short(n) && r + MICA_ABREAST <= count; r += MICA_ABREAST) {                \
            mica__eight c[MICA_ABREAST_MOST];                                                      \
            mica__turn(at + (ptrdiff_t)r * stride, stride, n, r + MICA_ABREAST == count, c);       \
            if (n == MICA_ABREAST_MOST) {                                                          \
                MICA_ABREAST_HALVES(c, n, MEET_EIGHT_##better)                                     \
            } else {                                                                               \
                for (size_t j = 1; j < n; j++) c[0] = MEET_EIGHT_##better(c[0], c[j]);             \
            }                                                                                      \
            memcpy(out + r, &c[0], sizeof c[0]);                                                   \
        }                                                                                          \
        if (r < count) rows_##name(at + (ptrdiff_t)r * stride, count - r, stride, n, out + r);     \
    }
#define MEET_EIGHT(a, b, better)                                                                   \
    (mica__eight)(((mica__eight_bits)(b) & ((b better a) | (b != b))) |                            \
                  ((mica__eight_bits)(a) & ~((b better a) | (b != b))))
#define MEET_EIGHT_above(a, b) MEET_EIGHT(a, b, >)
#define MEET_EIGHT_below(a, b) MEET_EIGHT(a, b, <)
SHORT_EXTREMUM(max_f32, above)
SHORT_EXTREMUM(min_f32, below)

/* Complex numbers compare by real, then imaginary part; one with a NaN wins. */
#define EXTREMUM_COMPLEX(name, better, sign)                                                       \
    MICA_BODY mica_complex64 pick_##name(mica_complex64 a, mica_complex64 b)                       \
    {                                                                                              \
        if (a.re != a.re || a.im != a.im) return a;                                                \
        if (b.re != b.re || b.im != b.im) return b;                                                \
        return b.re better a.re || (b.re == a.re && b.im better a.im) ? b : a;                     \
    }                                                                                              \
    static void rows_##name(const void *x, size_t count, ptrdiff_t stride, size_t n, void *wide)   \
    {                                                                                              \
        const mica_complex64 *at = x;                                                              \
        mica_complex64 *out = wide;                                                                \
        for (size_t r = 0; r < count; r++, at += stride) {                                         \
            mica_complex64 a = { sign k_infinity_f32(), sign k_infinity_f32() };                   \
            for (size_t i = 0; i < n; i++) a = pick_##name(a, at[i]);                              \
            out[r] = a;                                                                            \
        }                                                                                          \
    }                                                                                              \
    static void into_##name(void *to, const void *from, size_t n)                                  \
    {                                                                                              \
        mica_complex64 *t = to;                                                                    \
        const mica_complex64 *f = from;                                                            \
        for (size_t i = 0; i < n; i++) t[i] = pick_##name(t[i], f[i]);                             \
    }
EXTREMUM_COMPLEX(max_c64, >, -)
EXTREMUM_COMPLEX(min_c64, <, +)

/* ---- the table ---- */

static void set(mica__reducer *r, mica__reducer loops, const void *identity, size_t size,
                const void *wide, size_t wide_size)
{
    *r = loops;
    memcpy(r->identity, identity, size);
    memcpy(r->wide_identity, wide, wide_size);
    r->wide_size = (uint8_t)wide_size;
}

#define SET_FREE(op, dtype, name, type, start)                                                     \
    set(&table[op][dtype],                                                                         \
        (mica__reducer){ .rows = rows_##name,                                                      \
                         .into = into_##name,                                                      \
                         .widen = into_##name,                                                     \
                         .merge = into_##name,                                                     \
                         .lanes = 1,                                                               \
                         .wide_dtype = dtype },                                                    \
        &(type){ start }, sizeof(type), &(type){ start }, sizeof(type))
#define SET_LANED(op, dtype, name, merger, count, type, start)                                     \
    set(&table[op][dtype],                                                                         \
        (mica__reducer){ .rows = rows_##name,                                                      \
                         .into = into_##name,                                                      \
                         .widen = widen_##name,                                                    \
                         .merge = merge_##merger,                                                  \
                         .lanes = count,                                                           \
                         .wide_dtype = MICA_FLOAT64 },                                             \
        &(type){ start }, sizeof(type), &(double){ start }, sizeof(double))
#define SET_COMPLEX(op, name, start)                                                               \
    set(&table[op][MICA_COMPLEX64],                                                                \
        (mica__reducer){ .rows = rows_##name,                                                      \
                         .into = into_##name,                                                      \
                         .widen = widen_##name,                                                    \
                         .merge = merge_##name,                                                    \
                         .lanes = 16,                                                              \
                         .wide_dtype = MICA_FLOAT64 },                                             \
        &(mica_complex64){ start, 0 }, sizeof(mica_complex64), (double[2]){ start, 0 },            \
        2 * sizeof(double))

void MICA_ISA_FUNCTION(mica__reducers_)(mica__reducer_table table)
{
    SET_LANED(MICA_REDUCE_SUM, MICA_FLOAT32, sum_f32, sum_f64, 32, float, 0);
    SET_LANED(MICA_REDUCE_SUM, MICA_FLOAT64, sum_f64, sum_f64, 16, double, 0);
    SET_LANED(MICA_REDUCE_PROD, MICA_FLOAT32, prod_f32, prod_f64, 32, float, 1);
    SET_LANED(MICA_REDUCE_PROD, MICA_FLOAT64, prod_f64, prod_f64, 16, double, 1);
    SET_COMPLEX(MICA_REDUCE_SUM, sum_c64, 0);
    SET_COMPLEX(MICA_REDUCE_PROD, prod_c64, 1);
    for (int sign = 0; sign < 2; sign++) { /* two's complement: the same loops */
        mica_dtype d32 = sign ? MICA_INT32 : MICA_UINT32, d64 = sign ? MICA_INT64 : MICA_UINT64;
        SET_FREE(MICA_REDUCE_SUM, d32, sum_i32, uint32_t, 0);
        SET_FREE(MICA_REDUCE_SUM, d64, sum_i64, uint64_t, 0);
        SET_FREE(MICA_REDUCE_PROD, d32, prod_i32, uint32_t, 1);
        SET_FREE(MICA_REDUCE_PROD, d64, prod_i64, uint64_t, 1);
    }
    SET_FREE(MICA_REDUCE_MAX, MICA_BOOL, max_u8, uint8_t, 0);
    SET_FREE(MICA_REDUCE_MIN, MICA_BOOL, min_u8, uint8_t, 1);
    SET_FREE(MICA_REDUCE_ALL, MICA_BOOL, all_u8, uint8_t, 1);
    SET_FREE(MICA_REDUCE_ANY, MICA_BOOL, any_u8, uint8_t, 0);
    SET_FREE(MICA_REDUCE_MAX, MICA_UINT8, max_u8, uint8_t, 0);
    SET_FREE(MICA_REDUCE_MAX, MICA_UINT16, max_u16, uint16_t, 0);
    SET_FREE(MICA_REDUCE_MAX, MICA_UINT32, max_u32, uint32_t, 0);
    SET_FREE(MICA_REDUCE_MAX, MICA_UINT64, max_u64, uint64_t, 0);
    SET_FREE(MICA_REDUCE_MAX, MICA_INT8, max_i8, int8_t, INT8_MIN);
    SET_FREE(MICA_REDUCE_MAX, MICA_INT16, max_i16, int16_t, INT16_MIN);
    SET_FREE(MICA_REDUCE_MAX, MICA_INT32, max_i32, int32_t, INT32_MIN);
    SET_FREE(MICA_REDUCE_MAX, MICA_INT64, max_i64, int64_t, INT64_MIN);
    SET_FREE(MICA_REDUCE_MIN, MICA_UINT8, min_u8, uint8_t, UINT8_MAX);
    SET_FREE(MICA_REDUCE_MIN, MICA_UINT16, min_u16, uint16_t, UINT16_MAX);
    SET_FREE(MICA_REDUCE_MIN, MICA_UINT32, min_u32, uint32_t, UINT32_MAX);
    SET_FREE(MICA_REDUCE_MIN, MICA_UINT64, min_u64, uint64_t, UINT64_MAX);
    SET_FREE(MICA_REDUCE_MIN, MICA_INT8, min_i8, int8_t, INT8_MAX);
    SET_FREE(MICA_REDUCE_MIN, MICA_INT16, min_i16, int16_t, INT16_MAX);
    SET_FREE(MICA_REDUCE_MIN, MICA_INT32, min_i32, int32_t, INT32_MAX);
    SET_FREE(MICA_REDUCE_MIN, MICA_INT64, min_i64, int64_t, INT64_MAX);
    SET_FREE(MICA_REDUCE_MAX, MICA_FLOAT32, max_f32, float, -k_infinity_f32());
    SET_FREE(MICA_REDUCE_MIN, MICA_FLOAT32, min_f32, float, k_infinity_f32());
    SET_FREE(MICA_REDUCE_MAX, MICA_FLOAT64, max_f64, double, -k_infinity_f64());
    SET_FREE(MICA_REDUCE_MIN, MICA_FLOAT64, min_f64, double, k_infinity_f64());
    table[MICA_REDUCE_SUM][MICA_FLOAT32].rows = short_sum_f32;
    table[MICA_REDUCE_MAX][MICA_FLOAT32].rows = short_max_f32;
    table[MICA_REDUCE_MIN][MICA_FLOAT32].rows = short_min_f32;
    mica_complex64 least = { -k_infinity_f32(), -k_infinity_f32() },
                   most = { k_infinity_f32(), k_infinity_f32() };
    set(&table[MICA_REDUCE_MAX][MICA_COMPLEX64],
        (mica__reducer){ .rows = rows_max_c64,
                         .into = into_max_c64,
                         .widen = into_max_c64,
                         .merge = into_max_c64,
                         .lanes = 1,
                         .wide_dtype = MICA_COMPLEX64 },
        &least, sizeof least, &least, sizeof least);
    set(&table[MICA_REDUCE_MIN][MICA_COMPLEX64],
        (mica__reducer){ .rows = rows_min_c64,
                         .into = into_min_c64,
                         .widen = into_min_c64,
                         .merge = into_min_c64,
                         .lanes = 1,
                         .wide_dtype = MICA_COMPLEX64 },
        &most, sizeof most, &most, sizeof most);
}
