/* Micro-kernels for AVX-512. Compile with -march=x86-64-v4 (and only this file so). */
#include "backend/cpu/gemm/kernel.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define ROWS         14
#define VECTORS      2
#define LIST_ROWS(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14)

/* The first n of 16 or 8 lanes. */
#define PART(n) ((__mmask16)((1u << (n)) - 1u))

#define T                   float
#define V                   __m512
#define LANES               16
#define ZERO                _mm512_setzero_ps()
#define LOAD(p)             _mm512_loadu_ps(p)
#define STORE(p, v)         _mm512_storeu_ps(p, v)
#define LOAD_PART(p, n)     _mm512_maskz_loadu_ps(PART(n), p)
#define STORE_PART(p, v, n) _mm512_mask_storeu_ps(p, PART(n), v)
#define SPREAD(p)           _mm512_set1_ps(*(p))
#define FMA(x, y, z)        _mm512_fmadd_ps(x, y, z)
#define ADD(x, y)           _mm512_add_ps(x, y)
#define SUM(v)              _mm512_reduce_add_ps(v)

#define NAME(x)           x##_f32
#define B                 float
#define LOAD_B(p)         LOAD(p)
#define LOAD_B_PART(p, n) LOAD_PART(p, n)
#include "backend/cpu/gemm/kernel_body.h"
#undef NAME
#undef B
#undef LOAD_B
#undef LOAD_B_PART

static inline __m512 from_f16(__m256i x)
{
    return _mm512_cvtph_ps(x);
}
static inline __m512 from_bf16(__m256i x)
{
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(x), 16));
}

#define B                  uint16_t
#define LOAD_16(p)         _mm256_loadu_si256((const __m256i *)(p))
#define LOAD_16_PART(p, n) _mm256_maskz_loadu_epi16(PART(n), p)
#define NAME(x)            x##_f16
#define LOAD_B(p)          from_f16(LOAD_16(p))
#define LOAD_B_PART(p, n)  from_f16(LOAD_16_PART(p, n))
#include "backend/cpu/gemm/kernel_body.h"
#undef NAME
#undef LOAD_B
#undef LOAD_B_PART
#define NAME(x)           x##_bf16
#define LOAD_B(p)         from_bf16(LOAD_16(p))
#define LOAD_B_PART(p, n) from_bf16(LOAD_16_PART(p, n))
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
#define V                   __m512d
#define LANES               8
#define ZERO                _mm512_setzero_pd()
#define LOAD(p)             _mm512_loadu_pd(p)
#define STORE(p, v)         _mm512_storeu_pd(p, v)
#define LOAD_PART(p, n)     _mm512_maskz_loadu_pd((__mmask8)PART(n), p)
#define STORE_PART(p, v, n) _mm512_mask_storeu_pd(p, (__mmask8)PART(n), v)
#define SPREAD(p)           _mm512_set1_pd(*(p))
#define FMA(x, y, z)        _mm512_fmadd_pd(x, y, z)
#define ADD(x, y)           _mm512_add_pd(x, y)
#define SUM(v)              _mm512_reduce_add_pd(v)
#define NAME(x)             x##_f64
#define B                   double
#define LOAD_B(p)           LOAD(p)
#define LOAD_B_PART(p, n)   LOAD_PART(p, n)
#include "backend/cpu/gemm/kernel_body.h"

static void widen_f16(size_t n, const void *half, float *out)
{
    const uint16_t *in = half;
    for (; n >= 16; n -= 16, in += 16, out += 16) _mm512_storeu_ps(out, from_f16(LOAD_16(in)));
    if (n) _mm512_mask_storeu_ps(out, PART(n), from_f16(LOAD_16_PART(in, n)));
}

static void widen_bf16(size_t n, const void *half, float *out)
{
    const uint16_t *in = half;
    for (; n >= 16; n -= 16, in += 16, out += 16) _mm512_storeu_ps(out, from_bf16(LOAD_16(in)));
    if (n) _mm512_mask_storeu_ps(out, PART(n), from_bf16(LOAD_16_PART(in, n)));
}

static inline __m256i to_f16(__m512 x)
{
    return _mm512_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT);
}

/* In integers: vcvtneps2bf16 would flush subnormals. */
static inline __m256i to_bf16(__m512 x)
{
    __m512i bits = _mm512_castps_si512(x);
    __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
    __m512i near = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
    __m512i quiet = _mm512_or_si512(bits, _mm512_set1_epi32(0x400000));
    __mmask16 nan = _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q);
    near = _mm512_mask_mov_epi32(near, nan, quiet);
    return _mm512_cvtepi32_epi16(_mm512_srli_epi32(near, 16));
}

static void narrow_f16(size_t n, const float *in, void *half)
{
    uint16_t *out = half;
    for (; n >= 16; n -= 16, in += 16, out += 16)
        _mm256_storeu_si256((__m256i *)out, to_f16(_mm512_loadu_ps(in)));
    if (n) _mm256_mask_storeu_epi16(out, PART(n), to_f16(_mm512_maskz_loadu_ps(PART(n), in)));
}

static void narrow_bf16(size_t n, const float *in, void *half)
{
    uint16_t *out = half;
    for (; n >= 16; n -= 16, in += 16, out += 16)
        _mm256_storeu_si256((__m256i *)out, to_bf16(_mm512_loadu_ps(in)));
    if (n) _mm256_mask_storeu_epi16(out, PART(n), to_bf16(_mm512_maskz_loadu_ps(PART(n), in)));
}

const mica__gemm_isa mica__gemm_v4 = {
    .rows = ROWS,
    .columns = { [MICA_STORE_F32] = 32,
                 [MICA_STORE_F64] = 16,
                 [MICA_STORE_F16] = 32,
                 [MICA_STORE_BF16] = 32 },
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
