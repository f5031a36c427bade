/* Micro-kernels for any machine with 128-bit vectors, in the compilers' vector types. No compile
 * flags of its own. */
#include "backend/cpu/gemm/kernel.h"

#define ROWS         4
#define VECTORS      2
#define LIST_ROWS(X) X(1) X(2) X(3) X(4)

typedef float four __attribute__((vector_size(16)));
typedef float four_anywhere __attribute__((vector_size(16), aligned(4), may_alias));
typedef double two __attribute__((vector_size(16)));
typedef double two_anywhere __attribute__((vector_size(16), aligned(8), may_alias));
typedef union word {
    uint32_t bits;
    float value;
} word;

static inline float from_bf16(uint16_t x)
{
    return ((word){ .bits = (uint32_t)x << 16 }).value;
}

/* Subnormal halves are multiples of 2^-24, exact in float32. */
static inline float from_f16(uint16_t x)
{
    uint32_t sign = (uint32_t)(x & 0x8000) << 16, exponent = x >> 10 & 31, fraction = x & 0x3ff;
    if (exponent == 31) return ((word){ .bits = sign | 0x7f800000 | fraction << 13 }).value;
    if (exponent) return ((word){ .bits = sign | (exponent + 112) << 23 | fraction << 13 }).value;
    float small = (float)fraction * 0x1p-24f;
    return sign ? -small : small;
}

static inline uint16_t to_bf16(float x)
{
    uint32_t bits = ((word){ .value = x }).bits;
    if (x != x) return (uint16_t)(bits >> 16 | 0x40);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static inline uint16_t to_f16(float x)
{
    uint32_t bits = ((word){ .value = x }).bits, sign = bits >> 16 & 0x8000,
             size = bits & 0x7fffffff;
    if (size > 0x7f800000) return (uint16_t)(sign | 0x7e00 | (size >> 13 & 0x3ff));
    if (size >= 0x477ff000) return (uint16_t)(sign | 0x7c00); /* 65520 and more */
    if (size >= 0x38800000) {
        size -= 112u << 23;
        return (uint16_t)(sign | (size + 0xfff + (size >> 13 & 1)) >> 13);
    }
    /* Below 2^-14: adding 0.5 lets the adder round to a multiple of 2^-24. */
    word w = { .bits = size };
    w.value += 0.5f;
    return (uint16_t)(sign | (w.bits - 0x3f000000));
}

static inline four load_part_f32(const float *p, size_t n)
{
    float part[4] = { 0 };
    memcpy(part, p, n * sizeof *p);
    return *(const four_anywhere *)part;
}
static inline void store_part_f32(float *p, four v, size_t n)
{
    memcpy(p, &v, n * sizeof *p);
}
static inline two load_part_f64(const double *p, size_t n)
{
    double part[2] = { 0 };
    memcpy(part, p, n * sizeof *p);
    return *(const two_anywhere *)part;
}
static inline void store_part_f64(double *p, two v, size_t n)
{
    memcpy(p, &v, n * sizeof *p);
}

#define HALVES(type)                                                                               \
    static inline four load_##type(const uint16_t *p)                                              \
    {                                                                                              \
        return (four){ from_##type(p[0]), from_##type(p[1]), from_##type(p[2]),                    \
                       from_##type(p[3]) };                                                        \
    }                                                                                              \
    static inline four load_part_##type(const uint16_t *p, size_t n)                               \
    {                                                                                              \
        uint16_t part[4] = { 0 };                                                                  \
        memcpy(part, p, n * sizeof *p);                                                            \
        return load_##type(part);                                                                  \
    }                                                                                              \
    static void widen_##type(size_t n, const void *half, float *out)                               \
    {                                                                                              \
        const uint16_t *in = half;                                                                 \
        for (size_t i = 0; i < n; i++) out[i] = from_##type(in[i]);                                \
    }                                                                                              \
    static void narrow_##type(size_t n, const float *in, void *half)                               \
    {                                                                                              \
        uint16_t *out = half;                                                                      \
        for (size_t i = 0; i < n; i++) out[i] = to_##type(in[i]);                                  \
    }
HALVES(f16)
HALVES(bf16)

#define FMA(x, y, z) ((z) + (x) * (y))
#define ADD(x, y)    ((x) + (y))

#define T                   float
#define V                   four
#define LANES               4
#define ZERO                ((four){ 0 })
#define LOAD(p)             (*(const four_anywhere *)(p))
#define STORE(p, v)         (*(four_anywhere *)(p) = (v))
#define LOAD_PART(p, n)     load_part_f32(p, n)
#define STORE_PART(p, v, n) store_part_f32(p, v, n)
#define SPREAD(p)           ((four){ *(p), *(p), *(p), *(p) })
#define SUM(v)              (((v)[0] + (v)[2]) + ((v)[1] + (v)[3]))

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
#define NAME(x)           x##_f16
#define LOAD_B(p)         load_f16(p)
#define LOAD_B_PART(p, n) load_part_f16(p, n)
#include "backend/cpu/gemm/kernel_body.h"
#undef NAME
#undef LOAD_B
#undef LOAD_B_PART
#define NAME(x)           x##_bf16
#define LOAD_B(p)         load_bf16(p)
#define LOAD_B_PART(p, n) load_part_bf16(p, n)
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
#undef SUM
#define T                   double
#define V                   two
#define LANES               2
#define ZERO                ((two){ 0 })
#define LOAD(p)             (*(const two_anywhere *)(p))
#define STORE(p, v)         (*(two_anywhere *)(p) = (v))
#define LOAD_PART(p, n)     load_part_f64(p, n)
#define STORE_PART(p, v, n) store_part_f64(p, v, n)
#define SPREAD(p)           ((two){ *(p), *(p) })
#define SUM(v)              ((v)[0] + (v)[1])
#define NAME(x)             x##_f64
#define B                   double
#define LOAD_B(p)           LOAD(p)
#define LOAD_B_PART(p, n)   LOAD_PART(p, n)
#include "backend/cpu/gemm/kernel_body.h"

const mica__gemm_isa mica__gemm_portable = {
    .rows = ROWS,
    .columns = { [MICA_STORE_F32] = 8,
                 [MICA_STORE_F64] = 4,
                 [MICA_STORE_F16] = 8,
                 [MICA_STORE_BF16] = 8 },
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
