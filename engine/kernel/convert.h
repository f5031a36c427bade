/* Conversions of floating point numbers to integers, with the results that x86 gives where C leaves
   them open. */
#ifndef MICA_KERNEL_CONVERT_H
#define MICA_KERNEL_CONVERT_H

#include "kernel/body.h"

/* Truncates; out of range, infinite and NaN give the smallest integer. Smaller types take the low
   bits of int32. */
MICA_BODY int32_t k_i32_from_f64(double x)
{
    x = ((x > -2147483649.0) & (x < 2147483648.0)) ? x : -2147483648.0;
    return (int32_t)x;
}
MICA_BODY int64_t k_i64_from_f64(double x)
{
    x = ((x >= -0x1p63) & (x < 0x1p63)) ? x : -0x1p63;
    return (int64_t)x;
}
MICA_BODY int32_t k_i32_from_f32(float x)
{
    x = ((x >= -0x1p31f) & (x < 0x1p31f)) ? x : -0x1p31f;
    return (int32_t)x;
}
MICA_BODY int64_t k_i64_from_f32(float x)
{
    x = ((x >= -0x1p63f) & (x < 0x1p63f)) ? x : -0x1p63f;
    return (int64_t)x;
}

/* The upper half of the unsigned range is converted as x - 2^31 (2^63); beyond it that overflows,
   and gives 0. */
MICA_BODY uint32_t k_u32_from_f32(float x)
{
    float half = x >= 0x1p31f ? 0x1p31f : 0.0f;
    return (uint32_t)k_i32_from_f32(x - half) ^ (x >= 0x1p31f ? 0x80000000u : 0);
}
MICA_BODY uint32_t k_u32_from_f64(double x)
{
    double half = x >= 0x1p31 ? 0x1p31 : 0.0;
    return (uint32_t)k_i32_from_f64(x - half) ^ (x >= 0x1p31 ? 0x80000000u : 0);
}
MICA_BODY uint64_t k_u64_from_f32(float x)
{
    float half = x >= 0x1p63f ? 0x1p63f : 0.0f;
    return (uint64_t)k_i64_from_f32(x - half) ^ (x >= 0x1p63f ? 0x8000000000000000u : 0);
}
MICA_BODY uint64_t k_u64_from_f64(double x)
{
    double half = x >= 0x1p63 ? 0x1p63 : 0.0;
    return (uint64_t)k_i64_from_f64(x - half) ^ (x >= 0x1p63 ? 0x8000000000000000u : 0);
}

#endif
