/* Element-wise loops from the primitive table. Compiled once per instruction set, with
   -DMICA_ISA_NAME=portable|v3|v4. */
#include "backend/cpu/loops.h"

#include "kernel/scalar.h"

#undef I

/* ---- what the preprocessor knows of rule.def ---- */

/* The kinds of type that a rule accepts, and what it makes of them; compared with rule.def below.
 */
#define ACCEPTS_FLOAT_ANY(B, I, F, C)  F C
#define ACCEPTS_FLOAT_REAL(B, I, F, C) F
#define ACCEPTS_NUMERIC(B, I, F, C)    B I F C
#define ACCEPTS_NO_BOOL(B, I, F, C)    I F C
#define ACCEPTS_REAL_ONLY(B, I, F, C)  B I F
#define ACCEPTS_MAGNITUDE(B, I, F, C)  B I F C
#define ACCEPTS_INTEGRAL(B, I, F, C)   B I
#define ACCEPTS_PREDICATE(B, I, F, C)  B I F C
#define ACCEPTS_LOGICAL(B, I, F, C)    B
#define OUT_FLOAT_ANY                  SAME
#define OUT_FLOAT_REAL                 SAME
#define OUT_NUMERIC                    SAME
#define OUT_NO_BOOL                    SAME
#define OUT_REAL_ONLY                  SAME
#define OUT_MAGNITUDE                  REAL
#define OUT_INTEGRAL                   SAME
#define OUT_PREDICATE                  TRUTH
#define OUT_LOGICAL                    TRUTH

enum { B = 1, I = 2, F = 4, C = 8 };
enum { SAME, TRUTH, REAL };
#define RULE(name, convert, accepts, out)                                                          \
    _Static_assert((0 ACCEPTS_##name(+1, +2, +4, +8)) == (accepts), "kinds of " #name);            \
    _Static_assert(OUT_##name == out, "result of " #name);
#include "ops/rule.def"
#undef RULE

/* Type of a result's element: TYPE_<what>(type, real type). */
#define TYPE_SAME(T, R)  T
#define TYPE_TRUTH(T, R) uint8_t
#define TYPE_REAL(T, R)  R

/* CHOOSE(LIST_name, yes, no): yes where the macro LIST_name is defined (as `~, 1`), no elsewhere;
   both macro names. */
#define SECOND(a, b, ...)       b
#define DEFINED(...)            SECOND(__VA_ARGS__, 0, 0)
#define CHOOSE_0(yes, no)       no
#define CHOOSE_1(yes, no)       yes
#define CHOOSE_(which, yes, no) MICA_PASTE(CHOOSE_, which)(yes, no)
#define CHOOSE(listed, yes, no) CHOOSE_(DEFINED(listed), yes, no)

/* Primitives whose bits do not depend on the sign of an integer type: signed types use the unsigned
   loop. Leaving one out costs only size. */
#define SIGNLESS_negative       ~, 1
#define SIGNLESS_ceil           ~, 1
#define SIGNLESS_floor          ~, 1
#define SIGNLESS_trunc          ~, 1
#define SIGNLESS_rint           ~, 1
#define SIGNLESS_square         ~, 1
#define SIGNLESS_bitwise_invert ~, 1
#define SIGNLESS_conjugate      ~, 1
#define SIGNLESS_real           ~, 1
#define SIGNLESS_imag           ~, 1
#define SIGNLESS_isnan          ~, 1
#define SIGNLESS_isinf          ~, 1
#define SIGNLESS_isfinite       ~, 1
#define SIGNLESS_isposinf       ~, 1
#define SIGNLESS_isneginf       ~, 1
#define SIGNLESS_add            ~, 1
#define SIGNLESS_subtract       ~, 1
#define SIGNLESS_multiply       ~, 1
#define SIGNLESS_equal          ~, 1
#define SIGNLESS_not_equal      ~, 1
#define SIGNLESS_bitwise_and    ~, 1
#define SIGNLESS_bitwise_or     ~, 1
#define SIGNLESS_bitwise_xor    ~, 1
#define SIGNLESS_left_shift     ~, 1

/* Binary primitives with long bodies: one inner loop, scalar operands are spread over a block
   first. */
#define LONG_floor_divide ~, 1
#define LONG_remainder    ~, 1
#define LONG_power        ~, 1
#define LONG_logaddexp    ~, 1
#define LONG_arctan2      ~, 1

/* Primitives whose float64 body calls the C library: no instruction set makes that faster. */
#define LIBRARY_exp       ~, 1
#define LIBRARY_expm1     ~, 1
#define LIBRARY_log       ~, 1
#define LIBRARY_log2      ~, 1
#define LIBRARY_log10     ~, 1
#define LIBRARY_log1p     ~, 1
#define LIBRARY_sin       ~, 1
#define LIBRARY_cos       ~, 1
#define LIBRARY_tan       ~, 1
#define LIBRARY_sinh      ~, 1
#define LIBRARY_cosh      ~, 1
#define LIBRARY_tanh      ~, 1
#define LIBRARY_arcsin    ~, 1
#define LIBRARY_arccos    ~, 1
#define LIBRARY_arctan    ~, 1
#define LIBRARY_arcsinh   ~, 1
#define LIBRARY_arccosh   ~, 1
#define LIBRARY_arctanh   ~, 1
#define LIBRARY_erf       ~, 1
#define LIBRARY_erfinv    ~, 1
#define LIBRARY_sigmoid   ~, 1
#define LIBRARY_remainder ~, 1
#define LIBRARY_power     ~, 1
#define LIBRARY_logaddexp ~, 1
#define LIBRARY_arctan2   ~, 1

/* ---- the types that this instruction set has loops for: all in portable; in the others those that
   gain ---- */

#define NONE(M, name, what)
#define BOOLS(M, name, what) M(name, what, b8, uint8_t, uint8_t, MICA_BOOL)
#define UNSIGNED(M, name, what)                                                                    \
    M(name, what, u8, uint8_t, uint8_t, MICA_UINT8)                                                \
    M(name, what, u16, uint16_t, uint16_t, MICA_UINT16)                                            \
    M(name, what, u32, uint32_t, uint32_t, MICA_UINT32)                                            \
    M(name, what, u64, uint64_t, uint64_t, MICA_UINT64)
#define SIGNED(M, name, what)                                                                      \
    M(name, what, i8, int8_t, int8_t, MICA_INT8)                                                   \
    M(name, what, i16, int16_t, int16_t, MICA_INT16)                                               \
    M(name, what, i32, int32_t, int32_t, MICA_INT32)                                               \
    M(name, what, i64, int64_t, int64_t, MICA_INT64)
#define SIGNED_AS_UNSIGNED(M, name, what)                                                          \
    M(name, what, u8, uint8_t, uint8_t, MICA_INT8)                                                 \
    M(name, what, u16, uint16_t, uint16_t, MICA_INT16)                                             \
    M(name, what, u32, uint32_t, uint32_t, MICA_INT32)                                             \
    M(name, what, u64, uint64_t, uint64_t, MICA_INT64)
#define SINGLE(M, name, what)  M(name, what, f32, float, float, MICA_FLOAT32)
#define DOUBLE(M, name, what)  M(name, what, f64, double, double, MICA_FLOAT64)
#define COMPLEX(M, name, what) M(name, what, c64, mica_complex64, float, MICA_COMPLEX64)

#if MICA_LEVEL == 0
#define LEVEL_B         BOOLS
#define LEVEL_I         UNSIGNED
#define LEVEL_I_SIGNED  SIGNED
#define LEVEL_I_SHARED  SIGNED_AS_UNSIGNED
#define LEVEL_F64(name) DOUBLE
#define LEVEL_C         COMPLEX
#elif MICA_LEVEL == 1
#define LEVEL_B         NONE
#define LEVEL_I         UNSIGNED
#define LEVEL_I_SIGNED  SIGNED
#define LEVEL_I_SHARED  SIGNED_AS_UNSIGNED
#define LEVEL_F64(name) CHOOSE(LIBRARY_##name, NONE, DOUBLE)
#define LEVEL_C         NONE
#else
#define LEVEL_B         NONE
#define LEVEL_I         NONE
#define LEVEL_I_SIGNED  NONE
#define LEVEL_I_SHARED  NONE
#define LEVEL_F64(name) NONE
#define LEVEL_C         NONE
#endif

/* ---- loops ---- */

#define DEFINE_UNARY(name, what, suffix, T, R, dtype)                                              \
    static void loop_##name##_##suffix(size_t n, const void *const in[], unsigned scalars,         \
                                       void *out)                                                  \
    {                                                                                              \
        const T *a = in[0];                                                                        \
        MICA_PASTE(TYPE_, what)(T, R) *o = out;                                                    \
        size_t m = scalars != 0 && n != 0 ? 1 : n;                                                 \
        MICA_LOOP                                                                                  \
        for (size_t i = 0; i < m; i++) o[i] = k_##name##_##suffix(a[i]);                           \
        if (m < n) mica__spread(o, n, sizeof *o);                                                  \
    }

#define DEFINE_SHORT(name, what, suffix, T, R, dtype)                                              \
    static void loop_##name##_##suffix(size_t n, const void *const in[], unsigned scalars,         \
                                       void *out)                                                  \
    {                                                                                              \
        const T *a = in[0], *b = in[1];                                                            \
        MICA_PASTE(TYPE_, what)(T, R) *o = out;                                                    \
        if (n == 0) return;                                                                        \
        if (scalars == 0) {                                                                        \
            MICA_LOOP                                                                              \
            for (size_t i = 0; i < n; i++) o[i] = k_##name##_##suffix(a[i], b[i]);                 \
        } else if (scalars == 1) {                                                                 \
            T s = *a;                                                                              \
            MICA_LOOP                                                                              \
            for (size_t i = 0; i < n; i++) o[i] = k_##name##_##suffix(s, b[i]);                    \
        } else if (scalars == 2) {                                                                 \
            T s = *b;                                                                              \
            MICA_LOOP                                                                              \
            for (size_t i = 0; i < n; i++) o[i] = k_##name##_##suffix(a[i], s);                    \
        } else {                                                                                   \
            o[0] = k_##name##_##suffix(*a, *b);                                                    \
            mica__spread(o, n, sizeof *o);                                                         \
        }                                                                                          \
    }

enum { BLOCK = 128 };

/* Spreads scalar operands over a block; `step` says how far the operand moves from block to block.
 */
#define SPREAD_OPERAND(index, a, space, step, T)                                                   \
    T space[BLOCK];                                                                                \
    const T *a = in[index];                                                                        \
    size_t step = scalars & 1u << index ? 0 : BLOCK;                                               \
    if (step == 0) {                                                                               \
        space[0] = *a;                                                                             \
        mica__spread(space, n < BLOCK ? n : BLOCK, sizeof *space);                                 \
        a = space;                                                                                 \
    }

#define DEFINE_LONG(name, what, suffix, T, R, dtype)                                               \
    static void loop_##name##_##suffix(size_t n, const void *const in[], unsigned scalars,         \
                                       void *out)                                                  \
    {                                                                                              \
        MICA_PASTE(TYPE_, what)(T, R) *o = out;                                                    \
        if (n == 0) return;                                                                        \
        SPREAD_OPERAND(0, a, a_space, a_step, T)                                                   \
        SPREAD_OPERAND(1, b, b_space, b_step, T)                                                   \
        for (size_t done = 0; done < n; done += BLOCK, a += a_step, b += b_step, o += BLOCK) {     \
            size_t m = n - done < BLOCK ? n - done : BLOCK;                                        \
            MICA_LOOP                                                                              \
            for (size_t i = 0; i < m; i++) o[i] = k_##name##_##suffix(a[i], b[i]);                 \
        }                                                                                          \
    }

/* Bodies with a branch for rare operands: blocks without any such operand take the common part,
   which vectorises. */
#define DEFINE_RARE_UNARY(name)                                                                    \
    static void rare_loop_##name(size_t n, const void *const in[], unsigned scalars, void *out)    \
    {                                                                                              \
        const float *a = in[0];                                                                    \
        float *o = out;                                                                            \
        size_t m = scalars != 0 && n != 0 ? 1 : n;                                                 \
        for (size_t start = 0; start < m; start += BLOCK) {                                        \
            size_t end = m - start < BLOCK ? m : start + BLOCK;                                    \
            int rare = 0;                                                                          \
            for (size_t i = start; i < end; i++) rare |= k_rare_##name##_f32(a[i]);                \
            if (rare) {                                                                            \
                for (size_t i = start; i < end; i++) o[i] = k_##name##_f32(a[i]);                  \
            } else {                                                                               \
                MICA_LOOP                                                                          \
                for (size_t i = start; i < end; i++) o[i] = k_common_##name##_f32(a[i]);           \
            }                                                                                      \
        }                                                                                          \
        if (m < n) mica__spread(o, n, sizeof *o);                                                  \
    }
DEFINE_RARE_UNARY(sin)
DEFINE_RARE_UNARY(cos)
DEFINE_RARE_UNARY(tan)

static void rare_loop_remainder(size_t n, const void *const in[], unsigned scalars, void *out)
{
    float *o = out;
    if (n == 0) return;
    SPREAD_OPERAND(0, a, a_space, a_step, float)
    SPREAD_OPERAND(1, b, b_space, b_step, float)
    for (size_t done = 0; done < n; done += BLOCK, a += a_step, b += b_step, o += BLOCK) {
        size_t m = n - done < BLOCK ? n - done : BLOCK;
        int rare = 0;
        for (size_t i = 0; i < m; i++) rare |= k_rare_remainder_f32(a[i], b[i]);
        if (rare) {
            for (size_t i = 0; i < m; i++) o[i] = k_remainder_f32(a[i], b[i]);
        } else {
            MICA_LOOP
            for (size_t i = 0; i < m; i++) o[i] = k_common_remainder_f32(a[i], b[i]);
        }
    }
}

#define DEFINE_TERNARY(name, suffix, T)                                                            \
    static void loop_##name##_##suffix(size_t n, const void *const in[], unsigned scalars,         \
                                       void *out)                                                  \
    {                                                                                              \
        T *o = out;                                                                                \
        if (n == 0) return;                                                                        \
        SPREAD_OPERAND(0, c, c_space, c_step, uint8_t)                                             \
        SPREAD_OPERAND(1, x, x_space, x_step, T)                                                   \
        SPREAD_OPERAND(2, y, y_space, y_step, T)                                                   \
        for (size_t done = 0; done < n; done += BLOCK, c += c_step, x += x_step, y += y_step) {    \
            size_t m = n - done < BLOCK ? n - done : BLOCK;                                        \
            MICA_LOOP                                                                              \
            for (size_t i = 0; i < m; i++) o[i] = k_##name##_##suffix(c[i], x[i], y[i]);           \
            o += m;                                                                                \
        }                                                                                          \
    }

/* ---- from the table: definitions, then entries ---- */

#define CLASS_SOURCE(...)
#define CLASS_CAST(...)
#define CLASS_VIEW(...)
#define CLASS_REDUCE(...)
#define CLASS_AXISOP(...)
#define CLASS_BATCHED(...)
#define CLASS_SPECIAL(...)

#define DEFINE_KINDS(M, name, rule)                                                                \
    ACCEPTS_##rule(LEVEL_B(M, name, OUT_##rule),                                                   \
                   LEVEL_I(M, name, OUT_##rule)                                                    \
                       CHOOSE(SIGNLESS_##name, NONE, LEVEL_I_SIGNED)(M, name, OUT_##rule),         \
                   SINGLE(M, name, OUT_##rule) LEVEL_F64(name)(M, name, OUT_##rule),               \
                   LEVEL_C(M, name, OUT_##rule))
#define CLASS_UNARY(name, rule) DEFINE_KINDS(DEFINE_UNARY, name, rule)
#define CLASS_BINARY(name, rule)                                                                   \
    DEFINE_KINDS(CHOOSE(LONG_##name, DEFINE_LONG, DEFINE_SHORT), name, rule)
#if MICA_LEVEL < 2
#define CLASS_TERNARY(name, rule)                                                                  \
    DEFINE_TERNARY(name, w8, uint8_t)                                                              \
    DEFINE_TERNARY(name, w16, uint16_t)                                                            \
    DEFINE_TERNARY(name, w32, uint32_t)                                                            \
    DEFINE_TERNARY(name, w64, uint64_t)
#else
#define CLASS_TERNARY(name, rule)
#endif
#define PRIM(name, class, signature, fields, rule, flags) CLASS_##class(name, rule)
#include "ops/prim.def"
#undef CLASS_UNARY
#undef CLASS_BINARY
#undef CLASS_TERNARY

#define ENTER(name, what, suffix, T, R, dtype)                                                     \
    table->loop[mica_prim_##name][dtype] = loop_##name##_##suffix;
#define ENTER_KINDS(name, rule)                                                                    \
    ACCEPTS_##rule(LEVEL_B(ENTER, name, OUT_##rule),                                               \
                   LEVEL_I(ENTER, name, OUT_##rule) CHOOSE(                                        \
                       SIGNLESS_##name, LEVEL_I_SHARED, LEVEL_I_SIGNED)(ENTER, name, OUT_##rule),  \
                   SINGLE(ENTER, name, OUT_##rule) LEVEL_F64(name)(ENTER, name, OUT_##rule),       \
                   LEVEL_C(ENTER, name, OUT_##rule))
#define CLASS_UNARY(name, rule)  ENTER_KINDS(name, rule)
#define CLASS_BINARY(name, rule) ENTER_KINDS(name, rule)
#if MICA_LEVEL < 2
#define CLASS_TERNARY(name, rule)                                                                  \
    ENTER(name, , w8, , , MICA_BOOL)                                                               \
    ENTER(name, , w8, , , MICA_UINT8)                                                              \
    ENTER(name, , w8, , , MICA_INT8)                                                               \
    ENTER(name, , w16, , , MICA_UINT16)                                                            \
    ENTER(name, , w16, , , MICA_INT16)                                                             \
    ENTER(name, , w32, , , MICA_UINT32)                                                            \
    ENTER(name, , w32, , , MICA_INT32)                                                             \
    ENTER(name, , w32, , , MICA_FLOAT32)                                                           \
    ENTER(name, , w64, , , MICA_UINT64)                                                            \
    ENTER(name, , w64, , , MICA_INT64)                                                             \
    ENTER(name, , w64, , , MICA_FLOAT64)                                                           \
    ENTER(name, , w64, , , MICA_COMPLEX64)
#else
#define CLASS_TERNARY(name, rule)
#endif

void MICA_ISA_FUNCTION(mica__loops_)(mica__loop_table *table)
{
#include "ops/prim.def"
    table->loop[mica_prim_sin][MICA_FLOAT32] = rare_loop_sin;
    table->loop[mica_prim_cos][MICA_FLOAT32] = rare_loop_cos;
    table->loop[mica_prim_tan][MICA_FLOAT32] = rare_loop_tan;
    table->loop[mica_prim_remainder][MICA_FLOAT32] = rare_loop_remainder;
}
