/* Micro-kernels for AVX2 with FMA and F16C. Compile with -march=x86-64-v3 (and only this file so).
 */
#include "backend/cpu/gemm/kernel.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define ROWS         6
#define VECTORS      2
#define LIST_ROWS(X) X(1) X(2) X(3) X(4) X(5) X(6)

/* Sliding windows over these give the masks of the first n lanes. */
static const int32_t lanes_32[16] = { -1, -1, -1, -1, -1, -1, -1, -1 };
static const int64_t lanes_64[8] = { -1, -1, -1, -1 };
static inline __m256i part_32(size_t n)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)(lanes_32 + 8 - n));
}
static inline __m256i part_64(size_t n)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)(lanes_64 + 4 - n));
}

/* The first n of 8 halves; the rest 0. */
static inline __m128i load_halves(const uint16_t *p, size_t n)
{
    uint16_t part[8] = { 0 };
    memcpy(part, p, n * sizeof *p);
    return _mm_loadu_si128((const __m128i *)(const void *)part);
}

static inline float sum_f32(__m256 v)
{
    __m128 x = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    x = _mm_add_ps(x, _mm_movehl_ps(x, x));
    return _mm_cvtss_f32(_mm_add_ss(x, _mm_movehdup_ps(x)));
}
static inline double sum_f64(__m256d v)
{
    __m128d x = _mm_add_pd(_mm256_castpd256_pd128(v), _mm256_extractf128_pd(v, 1));
    return _mm_cvtsd_f64(_mm_add_sd(x, _mm_unpackhi_pd(x, x)));
}

static inline __m256 from_f16(__m128i x)
{
    return _mm256_cvtph_ps(x);
}
static inline __m256 from_bf16(__m128i x)
{
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(x), 16));
}

#define T                   float
#define V                   __m256
#define LANES               8
#define ZERO                _mm256_setzero_ps()
#define LOAD(p)             _mm256_loadu_ps(p)
#define STORE(p, v)         _mm256_storeu_ps(p, v)
#define LOAD_PART(p, n)     _mm256_maskload_ps(p, part_32(n))
#define STORE_PART(p, v, n) _mm256_maskstore_ps(p, part_32(n), v)
#define SPREAD(p)           _mm256_broadcast_ss(p)
#define FMA(x, y, z)        _mm256_fmadd_ps(x, y, z)
#define ADD(x, y)           _mm256_add_ps(x, y)
#define SUM(v)              sum_f32(v)

#define NAME(x)           x##_f32
#define B                 float
#define LOAD_B(p)         LOAD(p)
#define LOAD_B_PART(p, n) LOAD_PART(p, n)
#include "backend/cpu/gemm/kernel_body.h"
#undef NAME
#undef B
#undef LOAD_B
#undef LOAD_B_PART

#define B                 uint16_t
#define LOAD_8(p)         _mm_loadu_si128((const __m128i *)(const void *)(p))
#define NAME(x)           x##_f16
#define LOAD_B(p)         from_f16(LOAD_8(p))
#define LOAD_B_PART(p, n) from_f16(load_halves(p, n))
#include "backend/cpu/gemm/kernel_body.h"
#undef NAME
#undef LOAD_B
#undef LOAD_B_PART
#define NAME(x)           x##_bf16
#define LOAD_B(p)         from_bf16(LOAD_8(p))
#define LOAD_B_PART(p, n) from_bf16(load_halves(p, n))
#include "backend/cpu/gemm/kernel_body.h"
#undef NAME
#undef B
#undef LOAD_B
#undef LOAD_B_PART

#undef T
#undef V
#undef LANES
#undef ZERO
#undef LOAD
#undef STORE
#undef LOAD_PART
#undef STORE_PART
#undef SPREAD
#undef FMA
#undef ADD
#undef SUM
#define T                   double
#define V                   __m256d
#define LANES               4
#define ZERO                _mm256_setzero_pd()
#define LOAD(p)             _mm256_loadu_pd(p)
#define STORE(p, v)         _mm256_storeu_pd(p, v)
#define LOAD_PART(p, n)     _mm256_maskload_pd(p, part_64(n))
#define STORE_PART(p, v, n) _mm256_maskstore_pd(p, part_64(n), v)
#define SPREAD(p)           _mm256_broadcast_sd(p)
#define FMA(x, y, z)        _mm256_fmadd_pd(x, y, z)
#define ADD(x, y)           _mm256_add_pd(x, y)
#define SUM(v)              sum_f64(v)
#define NAME(x)             x##_f64
#define B                   double
#define LOAD_B(p)           LOAD(p)
#define LOAD_B_PART(p, n)   LOAD_PART(p, n)
#include "backend/cpu/gemm/kernel_body.h"

static void widen_f16(size_t n, const void *half, float *out)
{
    const uint16_t *in = half;
    for (; n >= 8; n -= 8, in += 8, out += 8) _mm256_storeu_ps(out, from_f16(LOAD_8(in)));
    if (n) _mm256_maskstore_ps(out, part_32(n), from_f16(load_halves(in, n)));
}

static void widen_bf16(size_t n, const void *half, float *out)
{
    const uint16_t *in = half;
    for (; n >= 8; n -= 8, in += 8, out += 8) _mm256_storeu_ps(out, from_bf16(LOAD_8(in)));
    if (n) _mm256_maskstore_ps(out, part_32(n), from_bf16(load_halves(in, n)));
}

static inline __m128i to_f16(__m256 x)
{
    return _mm256_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT);
}

static inline __m128i to_bf16(__m256 x)
{
    __m256i bits = _mm256_castps_si256(x);
    __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
    __m256i near = _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff)));
    __m256i quiet = _mm256_or_si256(bits, _mm256_set1_epi32(0x400000));
    __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(x, x, _CMP_UNORD_Q));
    near = _mm256_srli_epi32(_mm256_blendv_epi8(near, quiet, nan), 16);
    return _mm_packus_epi32(_mm256_castsi256_si128(near), _mm256_extracti128_si256(near, 1));
}

static void store_halves(uint16_t *p, __m128i x, size_t n)
{
    uint16_t part[8];
    _mm_storeu_si128((__m128i *)(void *)part, x);
    memcpy(p, part, n * sizeof *p);
}

static void narrow_f16(size_t n, const float *in, void *half)
{
    uint16_t *out = half;
    for (; n >= 8; n -= 8, in += 8, out += 8)
        _mm_storeu_si128((__m128i *)(void *)out, to_f16(_mm256_loadu_ps(in)));
    if (n) store_halves(out, to_f16(_mm256_maskload_ps(in, part_32(n))), n);
}

static void narrow_bf16(size_t n, const float *in, void *half)
{
    uint16_t *out = half;
    for (; n >= 8; n -= 8, in += 8, out += 8)
        _mm_storeu_si128((__m128i *)(void *)out, to_bf16(_mm256_loadu_ps(in)));
    if (n) store_halves(out, to_bf16(_mm256_maskload_ps(in, part_32(n))), n);
}

const mica__gemm_isa mica__gemm_v3 = {
    .rows = ROWS,
    .columns = { [MICA_STORE_F32] = 16,
                 [MICA_STORE_F64] = 8,
                 [MICA_STORE_F16] = 16,
                 [MICA_STORE_BF16] = 16 },
    .tile = { [MICA_STORE_F32] = tiles_f32,
              [MICA_STORE_F64] = tiles_f64,
              [MICA_STORE_F16] = tiles_f16,
              [MICA_STORE_BF16] = tiles_bf16 },
    .dot = { [MICA_STORE_F32] = dot_f32,
             [MICA_STORE_F64] = dot_f64,
             [MICA_STORE_F16] = dot_f16,
             [MICA_STORE_BF16] = dot_bf16 },
    .widen = { [MICA_STORE_F16] = widen_f16, [MICA_STORE_BF16] = widen_bf16 },
    .narrow = { [MICA_STORE_F16] = narrow_f16, [MICA_STORE_BF16] = narrow_bf16 },
};
#endif
