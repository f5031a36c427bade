/* Numbers of few bits: E4M3, E2M1 and E8M0 of the OCP microscaling formats, and the parameters of a
   group of affine codes. C11 and CUDA C. */
#ifndef MICA_KERNEL_QUANT_H
#define MICA_KERNEL_QUANT_H

#include "kernel/body.h"

/* sign, four bits of exponent (bias 7), three of mantissa; 0x7f and 0xff are NaN. Moved to
   float32's places with the exponent one too large, v; a number below 2^-6 has no leading 1: 2 v -
   2^-6. */
MICA_BODY float k_f32_from_e4m3(uint32_t code)
{
    float v = k_from_bits_f32(((code & 0x7fu) << 20) + (120u << 23)), tiny = 2 * v - 0x1p-6f;
    uint32_t u = k_bits_f32(tiny < v ? tiny : v);
    u = (code & 0x7fu) == 0x7fu ? 0x7fc00000u : u;
    return k_from_bits_f32(u | (code & 0x80u) << 24);
}

/* To nearest, ties to even; what is too large, infinite or NaN becomes 448 with its sign. Numbers
   below 2^-6 are rounded by adding 2^14, whose last bit is 2^-9. */
MICA_BODY uint32_t k_e4m3_from_f32(float x)
{
    uint32_t u = k_bits_f32(x), sign = (u >> 24) & 0x80u;
    u &= 0x7fffffffu;
    uint32_t normal = (u - (120u << 23) + 0x7ffffu + ((u >> 20) & 1)) >> 20;
    uint32_t small = u < 0x3c800000u ? u : 0;
    uint32_t tiny = k_bits_f32(k_from_bits_f32(small) + 0x1p14f) - 0x46800000u;
    uint32_t code = u < 0x3c800000u ? tiny : u >= 0x43e00000u ? 0x7eu : normal;
    return code | sign;
}

/* sign, two bits of exponent, one of mantissa: 0 0.5 1 1.5 2 3 4 6. */
MICA_BODY float k_f32_from_e2m1(uint32_t code)
{
    float v = k_from_bits_f32(((code & 7u) << 22) + (126u << 23)), tiny = 2 * v - 1;
    return k_from_bits_f32(k_bits_f32(tiny < v ? tiny : v) | (code & 8u) << 28);
}

/* The nearest, of two the smaller; NaN and what rounds to 0 become +0. */
MICA_BODY uint32_t k_e2m1_from_f32(float x)
{
    float a = x < 0 ? -x : x;
    uint32_t code = (uint32_t)(a > 0.25f) + (a > 0.75f) + (a > 1.25f) + (a > 1.75f) + (a > 2.5f) +
                    (a > 3.5f) + (a > 5.0f);
    return code ? code | (x < 0 ? 8u : 0) : 0;
}

/* 2^(code - 127); 255 is infinite. */
MICA_BODY float k_f32_from_e8m0(uint32_t code)
{
    return k_from_bits_f32(code ? code << 23 : 0x00400000u);
}

/* The least power of 2 that is not below x >= 0, from 2^-127 on; 1 for 0, 2 for what is not finite.
 */
MICA_BODY uint32_t k_e8m0_above(float x)
{
    uint32_t u = k_bits_f32(x) & 0x7fffffffu;
    uint32_t above = (u >> 23) + ((u & 0x7fffffu) != 0);
    uint32_t below = u > 0x00400000u ? 1 : 0; /* below 2^-126 there are no exponents to count */
    uint32_t code = u < 0x00800000u ? below : above;
    return u == 0 ? 127u : u >= 0x7f800000u ? 128u : code;
}

/* To the nearest integer, half to even. */
MICA_BODY float k_affine_round(float x)
{
    float a = x < 0 ? -x : x, whole = (a + 0x1p23f) - 0x1p23f;
    whole = a < 0x1p23f ? whole : a;
    return x < 0 ? -whole : whole;
}

/* Codes q = 0 ... top stand for q * scale + bias. */
typedef struct k_affine {
    float scale, bias;
} k_affine;

/* One end of the group, the one farther from 0, is met exactly, and so is 0 if it lies inside. One
   bit has no code to spare for 0: both ends are met. */
MICA_BODY k_affine k_affine_of(float min, float max, float top)
{
    k_affine a;
    float scale = (max - min) / top;
    scale = scale > 1e-7f || scale != scale ? scale : 1e-7f;
    if (top == 1) {
        a.scale = scale;
        a.bias = min;
        return a;
    }
    int low = (min < 0 ? -min : min) > (max < 0 ? -max : max);
    float edge = low ? min : max;
    scale = low ? scale : -scale;
    float zero = k_affine_round(edge / scale);
    a.scale = zero != 0 ? edge / zero : scale;
    a.bias = zero != 0 ? edge : 0;
    return a;
}

/* NaN becomes 0. */
MICA_BODY uint32_t k_affine_code(float x, k_affine a, float top)
{
    float q = (x - a.bias) / a.scale;
    q = q > 0 ? q : 0;
    q = q < top ? q : top;
    return (uint32_t)(int32_t)k_affine_round(q);
}

#endif
