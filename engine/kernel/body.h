/* What every arithmetic body builds on: the qualifier, bits of floating point numbers, constants.
   C11 and CUDA C. */
#ifndef MICA_KERNEL_BODY_H
#define MICA_KERNEL_BODY_H

/* Rules for bodies, so that every compiler and instruction set computes the same bits and loops
   over them vectorise: - no contraction (the flags say -ffp-contract=off), no fma(), no rint():
   without FMA or SSE4.1 those are library calls; - no branches on the data except where the comment
   says that the case is rare; selects (?:) of values computed anyway; - every conversion of a
   floating point number to an integer is in range, whatever the operand. */
#if defined(__CUDACC__) || defined(__CUDACC_RTC__)
#define MICA_BODY static __device__ __forceinline__
#elif defined(__GNUC__)
#define MICA_BODY static inline __attribute__((always_inline, unused))
#else
#define MICA_BODY static inline
#endif

#ifndef __CUDACC_RTC__
#include <math.h>
#include <stdint.h>
#include <string.h>
#endif
#include "mica/base.h"

#define MICA_PASTE_(a, b) a##b
#define MICA_PASTE(a, b)  MICA_PASTE_(a, b)

MICA_BODY uint32_t k_bits_f32(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

MICA_BODY float k_from_bits_f32(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

MICA_BODY uint64_t k_bits_f64(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

MICA_BODY double k_from_bits_f64(uint64_t bits)
{
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

MICA_BODY float k_infinity_f32(void)
{
    return k_from_bits_f32(0x7f800000u);
}
MICA_BODY float k_nan_f32(void)
{
    return k_from_bits_f32(0x7fc00000u);
}
MICA_BODY double k_infinity_f64(void)
{
    return k_from_bits_f64(0x7ff0000000000000u);
}
MICA_BODY double k_nan_f64(void)
{
    return k_from_bits_f64(0x7ff8000000000000u);
}

/* The magnitude of the first with the sign of the second. */
MICA_BODY float k_copysign_f32(float x, float sign)
{
    return k_from_bits_f32((k_bits_f32(x) & 0x7fffffffu) | (k_bits_f32(sign) & 0x80000000u));
}

MICA_BODY double k_copysign_f64(double x, double sign)
{
    return k_from_bits_f64((k_bits_f64(x) & 0x7fffffffffffffffu) |
                           (k_bits_f64(sign) & 0x8000000000000000u));
}

#endif
