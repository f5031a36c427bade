/* bfloat16 without conversion, for AVX512_BF16. Compile with -march=x86-64-v4 -mavx512bf16 (and
   only this file so). The instruction takes subnormals as zero and rounds each pair of products in
   its own way. */
#include "backend/cpu/gemm/kernel.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define ROWS         14
#define VECTORS      2
#define LIST_ROWS(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14)
#define PART(n)      ((__mmask16)((1u << (n)) - 1u))

/* Operands are pairs of bfloat16, held as float where only the 32 bits matter. */
#define NAME(x)             x##_pairs
#define T                   float
#define B                   float
#define V                   __m512
#define LANES               16
#define ZERO                _mm512_setzero_ps()
#define LOAD(p)             _mm512_loadu_ps(p)
#define STORE(p, v)         _mm512_storeu_ps(p, v)
#define LOAD_PART(p, n)     _mm512_maskz_loadu_ps(PART(n), p)
#define STORE_PART(p, v, n) _mm512_mask_storeu_ps(p, PART(n), v)
#define SPREAD(p)           _mm512_set1_ps(*(p))
#define FMA(x, y, z)        _mm512_dpbf16_ps(z, (__m512bh)(x), (__m512bh)(y))
#define ADD(x, y)           _mm512_add_ps(x, y)
#define LOAD_B(p)           LOAD(p)
#include "backend/cpu/gemm/kernel_body.h"

const mica__gemm_pairs mica__gemm_bf16 = {
    .rows = ROWS, .columns = 32, .step = 1, .a_rows = false, .tile = tiles_pairs
};
#endif
