/* Vectors of eight numbers and of their codes, whatever the instruction set: included by sources
   that are compiled once for each. */
#ifndef MICA_ENGINE_CPU_QUANTIZED_VECTORS_H
#define MICA_ENGINE_CPU_QUANTIZED_VECTORS_H

#include "backend/cpu/loops.h"
#include "kernel/half.h"
#include "kernel/quant.h"

#if defined(__AVX2__) && defined(__FMA__)
#include <immintrin.h>
#endif

typedef float v8 __attribute__((vector_size(32)));
typedef float v8_anywhere __attribute__((vector_size(32), aligned(4), may_alias));
typedef uint32_t u8 __attribute__((vector_size(32)));
typedef int32_t i8 __attribute__((vector_size(32)));
typedef uint8_t bytes8 __attribute__((vector_size(8)));
typedef uint16_t shorts8 __attribute__((vector_size(16)));
/* Vectors go through pointers: values wider than the baseline's registers have no calling
   convention. */
#define LOAD(p)     (*(const v8_anywhere *)(const void *)(p))
#define STORE(p, v) (*(v8_anywhere *)(void *)(p) = (v))
#if defined(__AVX2__) && defined(__FMA__)
#define FMA(a, b, c) ((v8)_mm256_fmadd_ps((__m256)(a), (__m256)(b), (__m256)(c)))
#else
#define FMA(a, b, c) ((a) * (b) + (c))
#endif

static inline __attribute__((always_inline)) uint32_t word_at(const char *p)
{
    uint32_t w;
    memcpy(&w, p, sizeof w);
    return w;
}

#if defined(__AVX2__) && defined(__FMA__)
#define LESS(a, b) ((v8)_mm256_min_ps((__m256)(a), (__m256)(b)))
#else
#define LESS(a, b) ((v8)(((u8)((a) < (b)) & (u8)(a)) | (~(u8)((a) < (b)) & (u8)(b))))
#endif

#define INTEGER_VALUE(bits, v) __builtin_convertvector((i8)((v) & ((1u << (bits)) - 1)), v8)

static inline __attribute__((always_inline)) void e2m1_value(const u8 *shifted, v8 *out)
{
#if defined(__AVX2__) && defined(__FMA__)
    v8 magnitude = (v8)_mm256_permutevar8x32_ps(_mm256_setr_ps(0, .5f, 1, 1.5f, 2, 3, 4, 6),
                                                (__m256i)*shifted);
#else
    v8 v = (v8)(((*shifted & 7u) << 22) + (126u << 23)), tiny = 2 * v - 1;
    v8 magnitude = LESS(tiny, v);
#endif
    *out = (v8)((u8)magnitude ^ ((*shifted << 28) & 0x80000000u));
}

static inline __attribute__((always_inline)) void e4m3_value(const u8 *shifted, v8 *out)
{
    u8 code = *shifted & 0x7fu;
    v8 v = (v8)((code << 20) + (120u << 23)), tiny = 2 * v - 0x1p-6f;
    u8 nan = (u8)(code == 0x7fu) & 0x7fc00000u;
    *out = (v8)((u8)LESS(tiny, v) | nan | ((*shifted << 24) & 0x80000000u));
}

/* Halves are added to halves. */
static inline __attribute__((always_inline)) float sum_of(const v8 *v)
{
#if defined(__AVX2__) && defined(__FMA__)
    __m128 four =
               _mm_add_ps(_mm256_castps256_ps128((__m256)*v), _mm256_extractf128_ps((__m256)*v, 1)),
           two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
#else
    float lanes[8];
    memcpy(lanes, v, sizeof lanes);
    for (int half = 4; half; half /= 2)
        for (int i = 0; i < half; i++) lanes[i] += lanes[i + half];
    return lanes[0];
#endif
}

/* sum of a[i] * b[i], in eight chains. */
static inline __attribute__((always_inline)) float small_dot(size_t n, const float *a,
                                                             const float *b)
{
    v8 total = { 0 };
    size_t i = 0;
    for (; i + 8 <= n; i += 8) total += LOAD(a + i) * LOAD(b + i);
    float sum = sum_of(&total);
    for (; i < n; i++) sum += a[i] * b[i];
    return sum;
}

#endif
