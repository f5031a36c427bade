/* Element types: sizes, names, promotion, conversion of single numbers. */
#include <math.h>

#include "core/node.h"

const uint8_t mica__dtype_sizes[MICA_DTYPE_COUNT] = {
#define DTYPE(NAME, name, value, bytes, type, kind, category) [MICA_##NAME] = bytes,
#include "core/dtype.def"
#undef DTYPE
};

static const char *const names[MICA_DTYPE_COUNT] = {
#define DTYPE(NAME, name, value, bytes, type, kind, category) [MICA_##NAME] = #name,
#include "core/dtype.def"
#undef DTYPE
};

static const char kinds[MICA_DTYPE_COUNT] = {
#define DTYPE(NAME, name, value, bytes, type, kind, category) [MICA_##NAME] = kind,
#include "core/dtype.def"
#undef DTYPE
};

size_t mica_dtype_size(mica_dtype d)
{
    return (unsigned)d < MICA_DTYPE_COUNT ? mica__dtype_sizes[d] : 0;
}

const char *mica_dtype_name(mica_dtype d)
{
    if ((unsigned)d >= MICA_DTYPE_COUNT) return "none";
    return d == MICA_BOOL ? "bool" : names[d];
}

bool mica__is_unsigned(mica_dtype d)
{
    return kinds[d] == 'u';
}
bool mica__is_integer(mica_dtype d)
{
    return kinds[d] == 'u' || kinds[d] == 'i';
}
bool mica__is_float(mica_dtype d)
{
    return kinds[d] == 'f' || kinds[d] == 'V';
}
/* The reference's table: bool yields; complex wins; an integer yields to any float; u64 with a
 * signed integer gives float32. */
mica_dtype mica__promote(mica_dtype a, mica_dtype b)
{
    if (a == b || b == MICA_BOOL) return a;
    if (a == MICA_BOOL) return b;
    if (a == MICA_COMPLEX64 || b == MICA_COMPLEX64) return MICA_COMPLEX64;
    bool fa = mica__is_float(a), fb = mica__is_float(b);
    if (fa && fb) {
        if (a == MICA_FLOAT64 || b == MICA_FLOAT64) return MICA_FLOAT64;
        return MICA_FLOAT32;
    }
    if (fa) return a;
    if (fb) return b;
    bool ua = mica__is_unsigned(a), ub = mica__is_unsigned(b);
    uint8_t sa = mica__dtype_sizes[a], sb = mica__dtype_sizes[b];
    if (ua == ub) return sa > sb ? a : b;
    mica_dtype s = ua ? b : a;
    uint8_t us = ua ? sa : sb, ss = ua ? sb : sa;
    if (us == 8) return MICA_FLOAT32;
    if (ss > us) return s;
    return us == 1 ? MICA_INT16 : us == 2 ? MICA_INT32 : MICA_INT64;
}

uint16_t mica__bfloat16_from(float x)
{
    uint32_t u;
    memcpy(&u, &x, 4);
    if ((u & 0x7fffffffu) > 0x7f800000u) return (uint16_t)(u >> 16 | 0x40u);
    return (uint16_t)((u + 0x7fffu + (u >> 16 & 1u)) >> 16);
}

float mica__bfloat16_to(uint16_t x)
{
    uint32_t u = (uint32_t)x << 16;
    float f;
    memcpy(&f, &u, 4);
    return f;
}

float mica__float16_to(uint16_t x)
{
    uint32_t sign = (uint32_t)(x & 0x8000u) << 16, exponent = x >> 10 & 31u, fraction = x & 1023u,
             u;
    if (exponent == 31) {
        u = sign | 0x7f800000u | fraction << 13;
    } else if (exponent) {
        u = sign | (exponent + 112) << 23 | fraction << 13;
    } else {
        float f = (float)fraction * 0x1p-24f;
        memcpy(&u, &f, 4);
        u |= sign;
    }
    float f;
    memcpy(&f, &u, 4);
    return f;
}

uint16_t mica__float16_from(float x)
{
    uint32_t u;
    memcpy(&u, &x, 4);
    uint16_t sign = (uint16_t)(u >> 16 & 0x8000u);
    u &= 0x7fffffffu;
    if (u > 0x7f800000u) return (uint16_t)(sign | 0x7e00u | (u >> 13 & 0x3ffu));
    if (u >= 0x477ff000u) return (uint16_t)(sign | 0x7c00u); /* rounds to 65536 or more */
    if (u < 0x38800000u) {                                   /* subnormal: let the addition round */
        float f;
        memcpy(&f, &u, 4);
        f += 0.5f;
        memcpy(&u, &f, 4);
        return (uint16_t)(sign | (u - 0x3f000000u));
    }
    return (uint16_t)(sign | ((u - 0x38000000u + 0xfffu + (u >> 13 & 1u)) >> 13));
}

/* The low bits are those of the integer that casts of arrays give (kernel/convert.h): what is out
   of range becomes the smallest; types below 32 bits take their bits from int32. */
static int64_t to_int64(double x)
{
    return x >= -0x1p63 && x < 0x1p63 ? (int64_t)x : INT64_MIN;
}
static int64_t to_int32(double x)
{
    return x > -0x1p31 - 1 && x < 0x1p31 ? (int64_t)x : INT32_MIN;
}
static int64_t to_integer(mica_dtype dtype, double x)
{
    switch (dtype) {
    case MICA_INT64: return to_int64(x);
    case MICA_UINT64: return x >= 0x1p63 ? to_int64(x - 0x1p63) ^ INT64_MIN : to_int64(x);
    case MICA_UINT32: return x >= 0x1p31 ? to_int32(x - 0x1p31) ^ 0x80000000 : to_int32(x);
    default: return to_int32(x);
    }
}

void mica__store_number(mica_dtype dtype, void *out, bool is_integer, int64_t integer, double real,
                        double imaginary)
{
    if (is_integer) real = (double)integer;
    else if (mica__is_integer(dtype)) integer = to_integer(dtype, real);
    float single = is_integer ? (float)integer : (float)real;
    switch (dtype) {
    case MICA_BOOL:
        *(uint8_t *)out = is_integer ? integer != 0 : real != 0 || imaginary != 0;
        break;
    case MICA_UINT8:
    case MICA_INT8: *(uint8_t *)out = (uint8_t)(uint64_t)integer; break;
    case MICA_UINT16:
    case MICA_INT16: *(uint16_t *)out = (uint16_t)(uint64_t)integer; break;
    case MICA_UINT32:
    case MICA_INT32: *(uint32_t *)out = (uint32_t)(uint64_t)integer; break;
    case MICA_UINT64:
    case MICA_INT64: *(uint64_t *)out = (uint64_t)integer; break;
    case MICA_FLOAT16: *(uint16_t *)out = mica__float16_from(single); break;
    case MICA_BFLOAT16: *(uint16_t *)out = mica__bfloat16_from(single); break;
    case MICA_FLOAT32: *(float *)out = single; break;
    case MICA_FLOAT64: *(double *)out = real; break;
    case MICA_COMPLEX64:
        *(mica_complex64 *)out = (mica_complex64){ single, (float)imaginary };
        break;
    default: break;
    }
}

/* The element may lie anywhere. */
double mica__load_number(mica_dtype dtype, const void *element)
{
    union {
        uint8_t u8;
        uint16_t u16;
        uint32_t u32;
        uint64_t u64;
        int8_t i8;
        int16_t i16;
        int32_t i32;
        int64_t i64;
        float f32;
        double f64;
        mica_complex64 c64;
    } v;
    if ((unsigned)dtype >= MICA_DTYPE_COUNT) return NAN;
    memcpy(&v, element, mica__dtype_sizes[dtype]);
    switch (dtype) {
    case MICA_BOOL: return v.u8 != 0;
    case MICA_UINT8: return v.u8;
    case MICA_UINT16: return v.u16;
    case MICA_UINT32: return v.u32;
    case MICA_UINT64: return (double)v.u64;
    case MICA_INT8: return v.i8;
    case MICA_INT16: return v.i16;
    case MICA_INT32: return v.i32;
    case MICA_INT64: return (double)v.i64;
    case MICA_FLOAT16: return mica__float16_to(v.u16);
    case MICA_BFLOAT16: return mica__bfloat16_to(v.u16);
    case MICA_FLOAT32: return v.f32;
    case MICA_FLOAT64: return v.f64;
    case MICA_COMPLEX64: return v.c64.re;
    default: return NAN;
    }
}
