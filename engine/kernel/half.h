/* float16 and bfloat16, stored as 16 bits, to and from float32: round to nearest, half to even. */
#ifndef MICA_KERNEL_HALF_H
#define MICA_KERNEL_HALF_H

#include "kernel/body.h"

MICA_BODY float k_f32_from_bf16(uint16_t h)
{
    return k_from_bits_f32((uint32_t)h << 16);
}

/* NaN becomes the one quiet NaN, as in the reference. */
MICA_BODY uint16_t k_bf16_from_f32(float x)
{
    uint32_t u = k_bits_f32(x);
    uint32_t rounded = (u + 0x7fffu + ((u >> 16) & 1)) >> 16;
    return (uint16_t)(x != x ? 0x7fc0u : rounded);
}

MICA_BODY float k_round_bf16(float x)
{
    uint32_t u = k_bits_f32(x);
    uint32_t rounded = (u + 0x7fffu + ((u >> 16) & 1)) & 0xffff0000u;
    return k_from_bits_f32(x != x ? 0x7fc00000u : rounded);
}

/* The exponent moves by 112; numbers below 2^-14 get a leading 1 in its place, which the
   subtraction takes away again. The same bits as VCVTPH2PS: a signalling NaN becomes quiet. */
MICA_BODY float k_f32_from_f16(uint16_t h)
{
    uint32_t magnitude = (uint32_t)(h & 0x7fff) << 13;
    uint32_t normal = magnitude + (112u << 23);
    uint32_t tiny = k_bits_f32(k_from_bits_f32(magnitude + (113u << 23)) - 0x1p-14f);
    uint32_t special = magnitude | 0x7f800000u | (magnitude > 0x0f800000u ? 0x00400000u : 0);
    uint32_t u = magnitude < 0x00800000u ? tiny : magnitude >= 0x0f800000u ? special : normal;
    return k_from_bits_f32(u | (uint32_t)(h & 0x8000) << 16);
}

/* Numbers below 2^-14 are rounded by adding 0.5, whose last bit is the smallest float16. The same
   bits as VCVTPS2PH. */
MICA_BODY uint16_t k_f16_from_f32(float x)
{
    uint32_t u = k_bits_f32(x), sign = (u >> 16) & 0x8000u;
    u &= 0x7fffffffu;
    uint32_t normal = (u - (112u << 23) + 0xfffu + ((u >> 13) & 1)) >> 13;
    uint32_t tiny = k_bits_f32(k_from_bits_f32(u) + 0.5f) - 0x3f000000u;
    uint32_t special = u > 0x7f800000u ? 0x7e00u | ((u >> 13) & 0x3ffu) : 0x7c00u;
    uint32_t h = u < 0x38800000u ? tiny : u >= 0x47800000u ? special : normal;
    return (uint16_t)(h | sign);
}

MICA_BODY float k_round_f16(float x)
{
    return k_f32_from_f16(k_f16_from_f32(x));
}

#endif
