/* Inner loops of attention. */
#include "backend/cpu/attention.h"
#include "backend/cpu/loops.h"
#include "kernel/scalar.h"

/* Two vectors of the instruction set make a strip, as in the matrix product. */
#if MICA_LEVEL == 2
#define BYTES 64
#elif MICA_LEVEL == 1
#define BYTES 32
#else
#define BYTES 16
#endif
typedef float float_vector __attribute__((vector_size(BYTES), aligned(4), may_alias));
typedef double double_vector __attribute__((vector_size(BYTES), aligned(8), may_alias));
typedef int32_t float_bits __attribute__((vector_size(BYTES), aligned(4), may_alias));
typedef int64_t double_bits __attribute__((vector_size(BYTES), aligned(8), may_alias));
#define AT(V, p) (*(V *)(void *)(p))

/* Few keys at a time, so that lines of the mask are read again while they are near. */
#define MASK_LOOP(T, S, expression)                                                                \
    for (size_t first = 0; first < keys; first += 16)                                              \
        for (size_t i = 0; i < count; i++) {                                                       \
            const S *m = (const S *)mask + (ptrdiff_t)i * query + (ptrdiff_t)first * key;          \
            T *at = s + (ptrdiff_t)first * ld + (ptrdiff_t)i;                                      \
            size_t end = keys - first < 16 ? keys - first : 16;                                    \
            for (size_t k = 0; k < end; k++, m += key, at += ld) {                                 \
                S value = *m;                                                                      \
                *at expression;                                                                    \
            }                                                                                      \
        }

#define LOOPS(suffix, T, V, B, MASKED)                                                             \
    enum { L_##suffix = BYTES / sizeof(T), COLUMNS_##suffix = 2 * L_##suffix };                    \
    MICA_BODY V greater_##suffix(V a, V b)                                                         \
    {                                                                                              \
        B take = (B)(b > a) | (B)(b != b);                                                         \
        return (V)(((B)b & take) | ((B)a & ~take));                                                \
    }                                                                                              \
    static void transpose_##suffix(size_t count, size_t features, const void *from, ptrdiff_t row, \
                                   double scale, void *to)                                         \
    {                                                                                              \
        enum { C = COLUMNS_##suffix };                                                             \
        const T *x = from;                                                                         \
        T *out = to, factor = (T)scale;                                                            \
        for (size_t i = 0; i < count; i++)                                                         \
            for (size_t f = 0; f < features; f++)                                                  \
                out[f * C + i] = factor * x[(ptrdiff_t)i * row + (ptrdiff_t)f];                    \
        if (count < C)                                                                             \
            for (size_t f = 0; f < features; f++)                                                  \
                for (size_t i = count; i < C; i++) out[f * C + i] = 0;                             \
    }                                                                                              \
    static void mask_##suffix(size_t count, size_t keys, const void *mask, mica_dtype dtype,       \
                              ptrdiff_t query, ptrdiff_t key, void *scores, ptrdiff_t ld)          \
    {                                                                                              \
        T *s = scores;                                                                             \
        switch (dtype) {                                                                           \
        case MICA_BOOL: MASK_LOOP(T, uint8_t, = value ? *at : MASKED) break;                       \
        case MICA_FLOAT16: MASK_LOOP(T, uint16_t, += k_f32_from_f16(value)) break;                 \
        case MICA_BFLOAT16: MASK_LOOP(T, uint16_t, += k_f32_from_bf16(value)) break;               \
        default: MASK_LOOP(T, T, += value) break;                                                  \
        }                                                                                          \
    }                                                                                              \
    static void hide_##suffix(size_t keys, int64_t visible, void *scores, ptrdiff_t ld)            \
    {                                                                                              \
        enum { C = COLUMNS_##suffix };                                                             \
        size_t first = visible > 0 ? (size_t)visible : 0;                                          \
        T *s = (T *)scores + (ptrdiff_t)first * ld;                                                \
        for (size_t k = first; k < keys; k++, s += ld) {                                           \
            int64_t hidden = (int64_t)k - visible + 1;                                             \
            for (int64_t i = 0; i < (hidden < C ? hidden : C); i++) s[i] = MASKED;                 \
        }                                                                                          \
    }                                                                                              \
    static void softmax_##suffix(size_t keys, void *scores, ptrdiff_t ld, void *top, void *sum,    \
                                 void *factor)                                                     \
    {                                                                                              \
        enum { L = L_##suffix, C = COLUMNS_##suffix };                                             \
        T *s = scores, *tops = top, *sums = sum, *factors = factor, base[C];                       \
        V a = AT(V, tops), b = AT(V, tops + L);                                                    \
        for (size_t k = 0; k < keys; k++) {                                                        \
            a = greater_##suffix(a, AT(V, s + (ptrdiff_t)k * ld));                                 \
            b = greater_##suffix(b, AT(V, s + (ptrdiff_t)k * ld + L));                             \
        }                                                                                          \
        AT(V, base) = a;                                                                           \
        AT(V, base + L) = b;                                                                       \
        for (int i = 0; i < C; i++) {                                                              \
            T old = tops[i], new = base[i];                                                        \
            base[i] =                                                                              \
                new == -k_infinity_##suffix() ? 0 : new; /* exp(-inf - 0) is 0, as it should be */ \
            factors[i] = k_exp_##suffix(old - base[i]);                                            \
            tops[i] = new;                                                                         \
        }                                                                                          \
        for (size_t k = 0; k < keys; k++) {                                                        \
            T *at = s + (ptrdiff_t)k * ld;                                                         \
            MICA_LOOP                                                                              \
            for (int i = 0; i < C; i++) at[i] = k_exp_##suffix(at[i] - base[i]);                   \
        }                                                                                          \
        a = b = (V){ 0 };                                                                          \
        for (size_t k = 0; k < keys; k++) {                                                        \
            a += AT(V, s + (ptrdiff_t)k * ld);                                                     \
            b += AT(V, s + (ptrdiff_t)k * ld + L);                                                 \
        }                                                                                          \
        AT(V, sums) = AT(V, sums) * AT(V, factors) + a;                                            \
        AT(V, sums + L) = AT(V, sums + L) * AT(V, factors + L) + b;                                \
    }                                                                                              \
    static void softmax_row_##suffix(size_t n, void *scores, void *top, void *sum)                 \
    {                                                                                              \
        enum { L = L_##suffix };                                                                   \
        T *s = scores, m = -k_infinity_##suffix(), total = 0, lanes[L];                            \
        V a, b = { 0 };                                                                            \
        a = b + m;                                                                                 \
        size_t i = 0;                                                                              \
        for (; i + L <= n; i += L) a = greater_##suffix(a, AT(V, s + i));                          \
        AT(V, lanes) = a;                                                                          \
        for (size_t j = 0; j < L; j++) m = lanes[j] > m || lanes[j] != lanes[j] ? lanes[j] : m;    \
        for (; i < n; i++) m = s[i] > m || s[i] != s[i] ? s[i] : m;                                \
        T base = m == -k_infinity_##suffix() ? 0 : m;                                              \
        MICA_LOOP                                                                                  \
        for (i = 0; i < n; i++) s[i] = k_exp_##suffix(s[i] - base);                                \
        for (i = 0; i + L <= n; i += L) b += AT(V, s + i);                                         \
        AT(V, lanes) = b;                                                                          \
        for (size_t j = 0; j < L; j++) total += lanes[j];                                          \
        for (; i < n; i++) total += s[i];                                                          \
        *(T *)top = m;                                                                             \
        *(T *)sum = total;                                                                         \
    }                                                                                              \
    static void rescale_##suffix(size_t count, size_t features, void *out, ptrdiff_t row,          \
                                 const void *factor)                                               \
    {                                                                                              \
        const T *by = factor;                                                                      \
        for (size_t i = 0; i < count; i++) {                                                       \
            T *at = (T *)out + (ptrdiff_t)i * row, f = by[i];                                      \
            if (f == 1) continue;                                                                  \
            for (size_t j = 0; j < features; j++) at[j] *= f;                                      \
        }                                                                                          \
    }                                                                                              \
    static void backward_##suffix(size_t keys, void *scores, void *cotangents, ptrdiff_t ld,       \
                                  const void *top, const void *reciprocal, const void *delta,      \
                                  double scale)                                                    \
    {                                                                                              \
        enum { C = COLUMNS_##suffix };                                                             \
        const T *m = top, *r = reciprocal, *e = delta;                                             \
        T factor = (T)scale;                                                                       \
        for (size_t k = 0; k < keys; k++) {                                                        \
            T *restrict s = (T *)scores + (ptrdiff_t)k * ld, *restrict d = (T *)cotangents +       \
                                                                           (ptrdiff_t)k * ld;      \
            MICA_LOOP                                                                              \
            for (int i = 0; i < C; i++) {                                                          \
                T score = s[i], p = k_exp_##suffix(score - m[i]) * r[i];                           \
                T g = p * (d[i] - e[i]) * factor;                                                  \
                s[i] = p;                                                                          \
                d[i] = score == MASKED ? 0 : g;                                                    \
            }                                                                                      \
        }                                                                                          \
    }                                                                                              \
    static void dots_##suffix(size_t count, size_t features, const void *x, ptrdiff_t x_row,       \
                              const void *y, ptrdiff_t y_row, void *sums)                          \
    {                                                                                              \
        enum { L = L_##suffix };                                                                   \
        for (size_t i = 0; i < count; i++) {                                                       \
            const T *a = (const T *)x + (ptrdiff_t)i * x_row,                                      \
                    *b = (const T *)y + (ptrdiff_t)i * y_row;                                      \
            V sum = { 0 };                                                                         \
            T lanes[L], total = 0;                                                                 \
            size_t j = 0;                                                                          \
            for (; j + L <= features; j += L) sum += AT(const V, a + j) * AT(const V, b + j);      \
            AT(V, lanes) = sum;                                                                    \
            for (; j < features; j++) total += a[j] * b[j];                                        \
            for (size_t c = 0; c < L; c++) total += lanes[c];                                      \
            ((T *)sums)[i] = total;                                                                \
        }                                                                                          \
    }

LOOPS(f32, float, float_vector, float_bits, MICA_MASKED_F32)
LOOPS(f64, double, double_vector, double_bits, MICA_MASKED_F64)

#define TABLE(suffix)                                                                              \
    {                                                                                              \
        COLUMNS_##suffix, transpose_##suffix, mask_##suffix, hide_##suffix, softmax_##suffix,      \
            softmax_row_##suffix, rescale_##suffix, backward_##suffix, dots_##suffix               \
    }
const mica__attention_loops MICA_ISA_FUNCTION(mica__attention_)[2] = { TABLE(f32), TABLE(f64) };
