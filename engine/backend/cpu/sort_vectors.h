/* Vectors of keys, 32 and 64 bits wide, for AVX2 and AVX-512: what sort_network.h and sort_quick.h
   are made of. SIGNED(v) is v in the form in which lanes are compared. */
#ifndef MICA_ENGINE_SORT_VECTORS_H
#define MICA_ENGINE_SORT_VECTORS_H

#include <immintrin.h>

#include "backend/cpu/lanes.h"

#if defined(__clang__)
#define MICA_SORT_UNROLLED _Pragma("clang loop unroll(full)")
#else
#define MICA_SORT_UNROLLED _Pragma("GCC unroll 16")
#endif

typedef uint32_t key_32;
/* Kept in memory that is aligned for narrower keys. */
typedef uint64_t key_64 __attribute__((aligned(4)));
typedef uint32_t keys_32 MICA_VECTOR(uint32_t);
typedef uint64_t keys_64 MICA_VECTOR(uint64_t);

/* Lane i after an exchange with lane i ^ c; of two vectors: lanes with bit c from the second; and
   what an exchange of lanes with bit c of the first for lanes without it of the second leaves. */
#define FLIP(i, c)   ((i) ^ (c))
#define UPPER(i, c)  ((i) & (c) ? (i) + LANES : (i))
#define LOW(i, c)    ((i) & (c) ? ((i) ^ (c)) + LANES : (i))
#define HIGH(i, c)   ((i) & (c) ? (i) + LANES : (i) ^ (c))
#define KEYS_4(F, c) F(0, c), F(1, c), F(2, c), F(3, c)
#define KEYS_8(F, c) KEYS_4(F, c), F(4, c), F(5, c), F(6, c), F(7, c)
#define KEYS_16(F, c)                                                                              \
    KEYS_8(F, c), F(8, c), F(9, c), F(10, c), F(11, c), F(12, c), F(13, c), F(14, c), F(15, c)
#define CHOSEN_4(a, b, F, c)  __builtin_shufflevector(a, b, KEYS_4(F, c))
#define CHOSEN_8(a, b, F, c)  __builtin_shufflevector(a, b, KEYS_8(F, c))
#define CHOSEN_16(a, b, F, c) __builtin_shufflevector(a, b, KEYS_16(F, c))

#if MICA_LEVEL == 2
enum { LANES_32 = 16, LANES_64 = 8 };
#define I(v)             ((__m512i)(v))
#define CHOSEN_32        CHOSEN_16
#define CHOSEN_64        CHOSEN_8
#define SIGNED_32(v)     (v)
#define SIGNED_64(v)     (v)
#define FIRST_32(n)      ((__mmask16)((1u << (n)) - 1))
#define FIRST_64(n)      ((__mmask8)((1u << (n)) - 1))
#define PART_32(p, n)    ((keys_32)_mm512_mask_loadu_epi32(_mm512_set1_epi32(-1), FIRST_32(n), p))
#define PART_64(p, n)    ((keys_64)_mm512_mask_loadu_epi64(_mm512_set1_epi64(-1), FIRST_64(n), p))
#define PUT_32(p, v, n)  _mm512_mask_storeu_epi32(p, FIRST_32(n), I(v))
#define PUT_64(p, v, n)  _mm512_mask_storeu_epi64(p, FIRST_64(n), I(v))
#define GREATER_32(a, b) ((unsigned)_mm512_cmpgt_epu32_mask(I(a), I(b)))
#define GREATER_64(a, b) ((unsigned)_mm512_cmpgt_epu64_mask(I(a), I(b)))
#define COMPARE_32(a, b)                                                                           \
    {                                                                                              \
        keys_32 low = (keys_32)_mm512_min_epu32(I(a), I(b));                                       \
        b = (keys_32)_mm512_max_epu32(I(a), I(b));                                                 \
        a = low;                                                                                   \
    }
#define COMPARE_64(a, b)                                                                           \
    {                                                                                              \
        keys_64 low = (keys_64)_mm512_min_epu64(I(a), I(b));                                       \
        b = (keys_64)_mm512_max_epu64(I(a), I(b));                                                 \
        a = low;                                                                                   \
    }

/* Lanes outside the mask packed from the first lane on, those in it up to the last. */
static inline keys_32 pack_32(keys_32 v, unsigned mask)
{
    static const int32_t lane[32] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15,
                                      0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };
    int count = __builtin_popcount(mask);
    __m512i turn = _mm512_loadu_si512(lane + count);
    __m512i high =
        _mm512_permutexvar_epi32(turn, _mm512_maskz_compress_epi32((__mmask16)mask, I(v)));
    return (keys_32)_mm512_mask_compress_epi32(high, (__mmask16)~mask, I(v));
}
static inline keys_64 pack_64(keys_64 v, unsigned mask)
{
    static const int64_t lane[16] = { 0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7 };
    int count = __builtin_popcount(mask);
    __m512i turn = _mm512_loadu_si512(lane + count);
    __m512i high =
        _mm512_permutexvar_epi64(turn, _mm512_maskz_compress_epi64((__mmask8)mask, I(v)));
    return (keys_64)_mm512_mask_compress_epi64(high, (__mmask8)~mask, I(v));
}
#else
enum { LANES_32 = 8, LANES_64 = 4 };
#define I(v)         ((__m256i)(v))
#define CHOSEN_32    CHOSEN_8
#define CHOSEN_64    CHOSEN_4
#define SIGNED_32(v) (v)
#define SIGNED_64(v) ((v) ^ 0x8000000000000000u)

/* Sliding windows over these give the masks of the first n lanes. */
static const int32_t lanes_32[16] = { -1, -1, -1, -1, -1, -1, -1, -1 };
static const int64_t lanes_64[8] = { -1, -1, -1, -1 };
#define FIRST_32(n)  _mm256_loadu_si256((const __m256i *)(const void *)(lanes_32 + 8 - (n)))
#define FIRST_64(n)  _mm256_loadu_si256((const __m256i *)(const void *)(lanes_64 + 4 - (n)))
#define PART_32(p, n)                                                                              \
    ((keys_32)_mm256_maskload_epi32((const int *)(const void *)(p), FIRST_32(n)) |                 \
     ~(keys_32)FIRST_32(n))
#define PART_64(p, n)                                                                              \
    ((keys_64)_mm256_maskload_epi64((const long long *)(const void *)(p), FIRST_64(n)) |           \
     ~(keys_64)FIRST_64(n))
#define PUT_32(p, v, n) _mm256_maskstore_epi32((int *)(void *)(p), FIRST_32(n), I(v))
#define PUT_64(p, v, n) _mm256_maskstore_epi64((long long *)(void *)(p), FIRST_64(n), I(v))
#define COMPARE_32(a, b)                                                                           \
    {                                                                                              \
        keys_32 low = (keys_32)_mm256_min_epu32(I(a), I(b));                                       \
        b = (keys_32)_mm256_max_epu32(I(a), I(b));                                                 \
        a = low;                                                                                   \
    }
#define COMPARE_64(a, b)                                                                           \
    {                                                                                              \
        __m256i greater = _mm256_cmpgt_epi64(I(a), I(b));                                          \
        keys_64 low = (keys_64)_mm256_blendv_epi8(I(a), I(b), greater);                            \
        b = (keys_64)_mm256_blendv_epi8(I(b), I(a), greater);                                      \
        a = low;                                                                                   \
    }

static inline unsigned GREATER_32(keys_32 a, keys_32 b)
{
    const keys_32 sign = (keys_32)_mm256_set1_epi32(INT32_MIN);
    __m256i greater = _mm256_cmpgt_epi32(I(a ^ sign), I(b ^ sign));
    return (unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(greater));
}
static inline unsigned GREATER_64(keys_64 a, keys_64 b)
{
    __m256i greater = _mm256_cmpgt_epi64(I(a), I(b));
    return (unsigned)_mm256_movemask_pd(_mm256_castsi256_pd(greater));
}

/* ORDER(m, n): the numbers of n lanes, a byte each: first those outside the mask, then the rest. */
#define BIT(m, i)      ((m) >> (i)&1u)
#define ONES_2(m)      (BIT(m, 0) + BIT(m, 1))
#define ONES_4(m)      (ONES_2(m) + ONES_2((m) >> 2))
#define ONES_8(m)      (ONES_4(m) + ONES_4((m) >> 4))
#define BELOW(m, i)    ONES_8((m) & ((1u << (i)) - 1))
#define PLACE(m, i, n) (BIT(m, i) ? (n)-ONES_8(m) + BELOW(m, i) : (i)-BELOW(m, i))
#define AT_32(m, i)    ((uint64_t)(i) << 8 * PLACE(m, i, 8))
#define AT_64(m, i)    ((uint64_t)((2 * (i) + 1) << 8 | 2 * (i)) << 16 * PLACE(m, i, 4))
#define ORDER_64(m)    (AT_64(m, 0) | AT_64(m, 1) | AT_64(m, 2) | AT_64(m, 3))
#define ORDER_32(m)                                                                                \
    (AT_32(m, 0) | AT_32(m, 1) | AT_32(m, 2) | AT_32(m, 3) | AT_32(m, 4) | AT_32(m, 5) |           \
     AT_32(m, 6) | AT_32(m, 7))
#define FOUR(F, m)    F((m) + 0u), F((m) + 1u), F((m) + 2u), F((m) + 3u)
#define SIXTEEN(F, m) FOUR(F, m), FOUR(F, (m) + 4u), FOUR(F, (m) + 8u), FOUR(F, (m) + 12u)
#define SIXTY_FOUR(F, m)                                                                           \
    SIXTEEN(F, m), SIXTEEN(F, (m) + 16u), SIXTEEN(F, (m) + 32u), SIXTEEN(F, (m) + 48u)

static inline keys_32 packed(keys_32 v, uint64_t order)
{
    __m256i lanes = _mm256_cvtepu8_epi32(_mm_cvtsi64_si128((long long)order));
    return (keys_32)_mm256_permutevar8x32_epi32(I(v), lanes);
}
static inline keys_32 pack_32(keys_32 v, unsigned mask)
{
    static const uint64_t orders[256] = { SIXTY_FOUR(ORDER_32, 0u), SIXTY_FOUR(ORDER_32, 64u),
                                          SIXTY_FOUR(ORDER_32, 128u), SIXTY_FOUR(ORDER_32, 192u) };
    return packed(v, orders[mask]);
}
static inline keys_64 pack_64(keys_64 v, unsigned mask)
{
    static const uint64_t orders[16] = { SIXTEEN(ORDER_64, 0u) };
    return (keys_64)packed((keys_32)v, orders[mask]);
}
#endif

#endif
