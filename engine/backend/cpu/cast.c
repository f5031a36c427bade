/* Conversions between all element types, and rounding to halves. Compiled once per instruction set,
   like loops.c. */
#include "backend/cpu/loops.h"

#include "kernel/scalar.h"

#if defined(__F16C__)
#include <immintrin.h>
#endif

#undef I

enum { BLOCK = 256 };

#define DEFINE_LOOP(name, T, U, expression)                                                        \
    static void name(size_t n, const void *const in[], unsigned scalars, void *out)                \
    {                                                                                              \
        const T *a = in[0];                                                                        \
        U *o = out;                                                                                \
        size_t m = scalars != 0 && n != 0 ? 1 : n;                                                 \
        MICA_LOOP                                                                                  \
        for (size_t i = 0; i < m; i++) {                                                           \
            T x = a[i];                                                                            \
            o[i] = expression;                                                                     \
        }                                                                                          \
        if (m < n) mica__spread(o, n, sizeof *o);                                                  \
    }

/* ---- one loop each ---- */

#if MICA_LEVEL == 0
#define DEFINE_COPY(width)                                                                         \
    static void copy_##width(size_t n, const void *const in[], unsigned scalars, void *out)        \
    {                                                                                              \
        if (n == 0) return;                                                                        \
        memmove(out, in[0], scalars ? width : n *width);                                           \
        if (scalars) mica__spread(out, n, width);                                                  \
    }
DEFINE_COPY(1)
DEFINE_COPY(2)
DEFINE_COPY(4)
DEFINE_COPY(8)
DEFINE_LOOP(c64_f32, mica_complex64, float, x.re)
DEFINE_LOOP(c64_b8, mica_complex64, uint8_t, (uint8_t)((x.re != 0) | (x.im != 0)))
DEFINE_LOOP(f32_c64, float, mica_complex64, k_complex(x, 0))
#endif

/* Between integers: low bits, so signs matter only where a number grows. */
#if MICA_LEVEL < 2
DEFINE_LOOP(u8_b8, uint8_t, uint8_t, x != 0)
DEFINE_LOOP(u16_b8, uint16_t, uint8_t, x != 0)
DEFINE_LOOP(u32_b8, uint32_t, uint8_t, x != 0)
DEFINE_LOOP(u64_b8, uint64_t, uint8_t, x != 0)
DEFINE_LOOP(u16_u8, uint16_t, uint8_t, (uint8_t)x)
DEFINE_LOOP(u32_u8, uint32_t, uint8_t, (uint8_t)x)
DEFINE_LOOP(u64_u8, uint64_t, uint8_t, (uint8_t)x)
DEFINE_LOOP(u32_u16, uint32_t, uint16_t, (uint16_t)x)
DEFINE_LOOP(u64_u16, uint64_t, uint16_t, (uint16_t)x)
DEFINE_LOOP(u64_u32, uint64_t, uint32_t, (uint32_t)x)
DEFINE_LOOP(u8_u16, uint8_t, uint16_t, x)
DEFINE_LOOP(u8_u32, uint8_t, uint32_t, x)
DEFINE_LOOP(u8_u64, uint8_t, uint64_t, x)
DEFINE_LOOP(u16_u32, uint16_t, uint32_t, x)
DEFINE_LOOP(u16_u64, uint16_t, uint64_t, x)
DEFINE_LOOP(u32_u64, uint32_t, uint64_t, x)
DEFINE_LOOP(i8_u16, int8_t, uint16_t, (uint16_t)x)
DEFINE_LOOP(i8_u32, int8_t, uint32_t, (uint32_t)x)
DEFINE_LOOP(i8_u64, int8_t, uint64_t, (uint64_t)x)
DEFINE_LOOP(i16_u32, int16_t, uint32_t, (uint32_t)x)
DEFINE_LOOP(i16_u64, int16_t, uint64_t, (uint64_t)x)
DEFINE_LOOP(i32_u64, int32_t, uint64_t, (uint64_t)x)
#endif

DEFINE_LOOP(u8_f32, uint8_t, float, (float)x)
DEFINE_LOOP(u16_f32, uint16_t, float, (float)x)
DEFINE_LOOP(u32_f32, uint32_t, float, (float)x)
DEFINE_LOOP(u64_f32, uint64_t, float, (float)x)
DEFINE_LOOP(i8_f32, int8_t, float, (float)x)
DEFINE_LOOP(i16_f32, int16_t, float, (float)x)
DEFINE_LOOP(i32_f32, int32_t, float, (float)x)
DEFINE_LOOP(i64_f32, int64_t, float, (float)x)
DEFINE_LOOP(u8_f64, uint8_t, double, x)
DEFINE_LOOP(u16_f64, uint16_t, double, x)
DEFINE_LOOP(u32_f64, uint32_t, double, x)
DEFINE_LOOP(u64_f64, uint64_t, double, (double)x)
DEFINE_LOOP(i8_f64, int8_t, double, x)
DEFINE_LOOP(i16_f64, int16_t, double, x)
DEFINE_LOOP(i32_f64, int32_t, double, x)
DEFINE_LOOP(i64_f64, int64_t, double, (double)x)

/* From floats: small integers take the low bits of int32. */
DEFINE_LOOP(f32_b8, float, uint8_t, x != 0)
DEFINE_LOOP(f32_u8, float, uint8_t, (uint8_t)k_i32_from_f32(x))
DEFINE_LOOP(f32_u16, float, uint16_t, (uint16_t)k_i32_from_f32(x))
DEFINE_LOOP(f32_u32, float, uint32_t, k_u32_from_f32(x))
DEFINE_LOOP(f32_u64, float, uint64_t, k_u64_from_f32(x))
DEFINE_LOOP(f32_i32, float, int32_t, k_i32_from_f32(x))
DEFINE_LOOP(f32_i64, float, int64_t, k_i64_from_f32(x))
DEFINE_LOOP(f32_f64, float, double, x)
DEFINE_LOOP(f64_b8, double, uint8_t, x != 0)
DEFINE_LOOP(f64_u8, double, uint8_t, (uint8_t)k_i32_from_f64(x))
DEFINE_LOOP(f64_u16, double, uint16_t, (uint16_t)k_i32_from_f64(x))
DEFINE_LOOP(f64_u32, double, uint32_t, k_u32_from_f64(x))
DEFINE_LOOP(f64_u64, double, uint64_t, k_u64_from_f64(x))
DEFINE_LOOP(f64_i32, double, int32_t, k_i32_from_f64(x))
DEFINE_LOOP(f64_i64, double, int64_t, k_i64_from_f64(x))
DEFINE_LOOP(f64_f32, double, float, (float)x)

DEFINE_LOOP(bf16_f32, uint16_t, float, k_f32_from_bf16(x))
DEFINE_LOOP(f32_bf16, float, uint16_t, k_bf16_from_f32(x))
DEFINE_LOOP(round_bf16, float, float, k_round_bf16(x))

#if defined(__F16C__)
/* The instructions give the bits of the bodies in half.h. Eight at a time; the rest through a
   padded block. */
#define DEFINE_F16(name, T, U, VECTOR, load, convert, store)                                       \
    static void name(size_t n, const void *const in[], unsigned scalars, void *out)                \
    {                                                                                              \
        const T *a = in[0];                                                                        \
        U *o = out;                                                                                \
        size_t m = scalars != 0 && n != 0 ? 1 : n, i = 0;                                          \
        for (; i + 8 <= m; i += 8) store((VECTOR *)(o + i), convert(load(a + i)));                 \
        if (i < m) {                                                                               \
            T rest[8] = { 0 };                                                                     \
            U done[8];                                                                             \
            memcpy(rest, a + i, (m - i) * sizeof *a);                                              \
            store((VECTOR *)done, convert(load(rest)));                                            \
            memcpy(o + i, done, (m - i) * sizeof *o);                                              \
        }                                                                                          \
        if (m < n) mica__spread(o, n, sizeof *o);                                                  \
    }
#define LOAD_F16(p)  _mm_loadu_si128((const __m128i *)(p))
#define TO_F16(v)    _mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)
#define ROUND_F16(v) _mm256_cvtph_ps(TO_F16(v))
DEFINE_F16(f16_f32, uint16_t, float, float, LOAD_F16, _mm256_cvtph_ps, _mm256_storeu_ps)
DEFINE_F16(f32_f16, float, uint16_t, __m128i, _mm256_loadu_ps, TO_F16, _mm_storeu_si128)
DEFINE_F16(round_f16, float, float, float, _mm256_loadu_ps, ROUND_F16, _mm256_storeu_ps)
#else
DEFINE_LOOP(f16_f32, uint16_t, float, k_f32_from_f16(x))
DEFINE_LOOP(f32_f16, float, uint16_t, k_f16_from_f32(x))
DEFINE_LOOP(round_f16, float, float, k_round_f16(x))
#endif

/* ---- in two steps, through float32 ---- */

#if MICA_LEVEL == 0
/* Only the direct conversions differ between instruction sets: these look theirs up. */
static void convert_twice(size_t n, const void *const in[], unsigned scalars, void *out,
                          mica_dtype from, mica_dtype to)
{
    mica__loop *first = mica__cast_find(from, MICA_FLOAT32);
    mica__loop *second = mica__cast_find(MICA_FLOAT32, to);
    size_t from_size = mica_dtype_size(from), to_size = mica_dtype_size(to);
    size_t count = scalars != 0 && n != 0 ? 1 : n;
    float block[BLOCK];
    for (size_t done = 0; done < count; done += BLOCK) {
        size_t m = count - done < BLOCK ? count - done : BLOCK;
        const void *source = (const char *)in[0] + done * from_size, *middle = block;
        first(m, &source, 0, block);
        second(m, &middle, 0, (char *)out + done * to_size);
    }
    if (count < n) mica__spread(out, n, to_size);
}

#define DEFINE_TWICE(name, from, to)                                                               \
    static void name(size_t n, const void *const in[], unsigned scalars, void *out)                \
    {                                                                                              \
        convert_twice(n, in, scalars, out, from, to);                                              \
    }
#define FROM_EACH(M, to, TO)                                                                       \
    M(u8, to, MICA_UINT8, TO)                                                                      \
    M(u16, to, MICA_UINT16, TO)                                                                    \
    M(u32, to, MICA_UINT32, TO)                                                                    \
    M(u64, to, MICA_UINT64, TO)                                                                    \
    M(i8, to, MICA_INT8, TO)                                                                       \
    M(i16, to, MICA_INT16, TO)                                                                     \
    M(i32, to, MICA_INT32, TO)                                                                     \
    M(i64, to, MICA_INT64, TO)                                                                     \
    M(f64, to, MICA_FLOAT64, TO)
#define TO_EACH(M, from, FROM)                                                                     \
    M(from, u8, FROM, MICA_UINT8)                                                                  \
    M(from, u16, FROM, MICA_UINT16)                                                                \
    M(from, u32, FROM, MICA_UINT32)                                                                \
    M(from, u64, FROM, MICA_UINT64)                                                                \
    M(from, i32, FROM, MICA_INT32)                                                                 \
    M(from, i64, FROM, MICA_INT64)                                                                 \
    M(from, f64, FROM, MICA_FLOAT64)
#define ALL_TWICE(M)                                                                               \
    FROM_EACH(M, f16, MICA_FLOAT16)                                                                \
    FROM_EACH(M, bf16, MICA_BFLOAT16)                                                              \
    FROM_EACH(M, c64, MICA_COMPLEX64)                                                              \
    TO_EACH(M, f16, MICA_FLOAT16)                                                                  \
    TO_EACH(M, bf16, MICA_BFLOAT16)                                                                \
    TO_EACH(M, c64, MICA_COMPLEX64)                                                                \
    M(f16, b8, MICA_FLOAT16, MICA_BOOL)                                                            \
    M(bf16, b8, MICA_BFLOAT16, MICA_BOOL)                                                          \
    M(f16, bf16, MICA_FLOAT16, MICA_BFLOAT16)                                                      \
    M(bf16, f16, MICA_BFLOAT16, MICA_FLOAT16)                                                      \
    M(f16, c64, MICA_FLOAT16, MICA_COMPLEX64)                                                      \
    M(bf16, c64, MICA_BFLOAT16, MICA_COMPLEX64)                                                    \
    M(c64, f16, MICA_COMPLEX64, MICA_FLOAT16)                                                      \
    M(c64, bf16, MICA_COMPLEX64, MICA_BFLOAT16)
#define DEFINE(from, to, FROM, TO) DEFINE_TWICE(from##_##to, FROM, TO)
ALL_TWICE(DEFINE)
#undef DEFINE
#endif

/* ---- the table ---- */

/* Sets of types that a loop serves: on the left, those with its bits; on the right, those it makes.
 */
#define SET_b8   1u << MICA_BOOL
#define SET_u8   (1u << MICA_UINT8 | 1u << MICA_INT8)
#define SET_u16  (1u << MICA_UINT16 | 1u << MICA_INT16)
#define SET_u32  (1u << MICA_UINT32 | 1u << MICA_INT32)
#define SET_u64  (1u << MICA_UINT64 | 1u << MICA_INT64)
#define SET_i8   (1u << MICA_INT8)
#define SET_i16  (1u << MICA_INT16)
#define SET_i32  (1u << MICA_INT32)
#define SET_i64  (1u << MICA_INT64)
#define SET_f16  (1u << MICA_FLOAT16)
#define SET_f32  (1u << MICA_FLOAT32)
#define SET_f64  (1u << MICA_FLOAT64)
#define SET_bf16 (1u << MICA_BFLOAT16)
#define SET_c64  (1u << MICA_COMPLEX64)
/* Values, not bits: bool counts as uint8, signed types are apart. */
#define ONLY_u8   (1u << MICA_UINT8 | 1u << MICA_BOOL)
#define ONLY_u16  (1u << MICA_UINT16)
#define ONLY_u32  (1u << MICA_UINT32)
#define ONLY_u64  (1u << MICA_UINT64)
#define ONLY_i8   SET_i8
#define ONLY_i16  SET_i16
#define ONLY_i32  SET_i32
#define ONLY_i64  SET_i64
#define ONLY_f16  SET_f16
#define ONLY_f32  SET_f32
#define ONLY_f64  SET_f64
#define ONLY_bf16 SET_bf16
#define ONLY_c64  SET_c64

static void enter(mica__loop_table *table, unsigned from, unsigned to, mica__loop *loop)
{
    for (unsigned i = 0; i < MICA_DTYPE_COUNT; i++)
        for (unsigned j = 0; j < MICA_DTYPE_COUNT; j++)
            if ((from >> i & 1) && (to >> j & 1)) table->cast[i][j] = loop;
}
#define BITS(from, to)   enter(table, SET_##from, SET_##to, from##_##to);
#define VALUES(from, to) enter(table, ONLY_##from, SET_##to, from##_##to);

void MICA_ISA_FUNCTION(mica__casts_)(mica__loop_table *table)
{
#if MICA_LEVEL == 0
#define ENTER(from, to, FROM, TO) VALUES(from, to)
    ALL_TWICE(ENTER)
#undef ENTER
    VALUES(f32, c64)
    VALUES(c64, f32)
    VALUES(c64, b8)
    for (unsigned i = 0; i < MICA_DTYPE_COUNT; i++) {
        size_t size = mica_dtype_size((mica_dtype)i);
        enter(table, 1u << i, 1u << i,
              size == 1   ? copy_1
              : size == 2 ? copy_2
              : size == 4 ? copy_4
                          : copy_8);
    }
    enter(table, SET_u8 | SET_b8, SET_u8, copy_1);
    enter(table, SET_u16, SET_u16, copy_2);
    enter(table, SET_u32, SET_u32, copy_4);
    enter(table, SET_u64, SET_u64, copy_8);
#endif
#if MICA_LEVEL < 2
    BITS(u8, b8)
    BITS(u16, b8)
    BITS(u32, b8)
    BITS(u64, b8)
    BITS(u16, u8)
    BITS(u32, u8)
    BITS(u64, u8)
    BITS(u32, u16)
    BITS(u64, u16)
    BITS(u64, u32)
    /* clang-format off */
    VALUES(u8, u16) VALUES(u8, u32) VALUES(u8, u64) VALUES(u16, u32)
    VALUES(u16, u64) VALUES(u32, u64) VALUES(i8, u16) VALUES(i8, u32)
    VALUES(i8, u64) VALUES(i16, u32) VALUES(i16, u64) VALUES(i32, u64)
#endif
    VALUES(u8, f32) VALUES(u16, f32) VALUES(u32, f32) VALUES(u64, f32)
    VALUES(i8, f32) VALUES(i16, f32) VALUES(i32, f32) VALUES(i64, f32)
    VALUES(u8, f64) VALUES(u16, f64) VALUES(u32, f64) VALUES(u64, f64)
    VALUES(i8, f64) VALUES(i16, f64) VALUES(i32, f64) VALUES(i64, f64)
    VALUES(f32, b8) VALUES(f32, u8) VALUES(f32, u16) VALUES(f32, u32)
    VALUES(f32, u64) VALUES(f32, i32) VALUES(f32, i64) VALUES(f32, f64)
    VALUES(f64, b8) VALUES(f64, u8) VALUES(f64, u16) VALUES(f64, u32)
    VALUES(f64, u64) VALUES(f64, i32) VALUES(f64, i64) VALUES(f64, f32)
    VALUES(bf16, f32) VALUES(f32, bf16) VALUES(f16, f32) VALUES(f32, f16)
        /* clang-format on */
        table->round[MICA_FLOAT16] = round_f16;
    table->round[MICA_BFLOAT16] = round_bf16;
}
