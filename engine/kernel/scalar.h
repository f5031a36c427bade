/* Every arithmetic body of the element-wise primitives, k_<primitive>_<type>: types b8 i8 ... u64
   f32 f64 c64. */
#ifndef MICA_KERNEL_SCALAR_H
#define MICA_KERNEL_SCALAR_H

#include "kernel/body.h"

#define REAL        float
#define REAL_SUFFIX f32
#define REAL_ROUND  0x1p23f
#define REAL_SQRT   sqrtf
#include "kernel/real.h"

#define REAL        double
#define REAL_SUFFIX f64
#define REAL_ROUND  0x1p52
#define REAL_SQRT   sqrt
#include "kernel/real.h"

#define INT_SIGNED 0
#define INT        uint8_t
#define UINT       uint8_t
#define INT_SUFFIX u8
#include "kernel/integer.h"
#define INT        uint16_t
#define UINT       uint16_t
#define INT_SUFFIX u16
#include "kernel/integer.h"
#define INT        uint32_t
#define UINT       uint32_t
#define INT_SUFFIX u32
#include "kernel/integer.h"
#define INT        uint64_t
#define UINT       uint64_t
#define INT_SUFFIX u64
#include "kernel/integer.h"
#undef INT_SIGNED

#define INT_SIGNED 1
#define INT        int8_t
#define UINT       uint8_t
#define INT_SUFFIX i8
#include "kernel/integer.h"
#define INT        int16_t
#define UINT       uint16_t
#define INT_SUFFIX i16
#include "kernel/integer.h"
#define INT        int32_t
#define UINT       uint32_t
#define INT_SUFFIX i32
#include "kernel/integer.h"
#define INT        int64_t
#define UINT       uint64_t
#define INT_SUFFIX i64
#include "kernel/integer.h"
#undef INT_SIGNED

#include "kernel/bool.h"
#include "kernel/complex.h"
#include "kernel/convert.h"
#include "kernel/float32.h"
#include "kernel/float64.h"
#include "kernel/half.h"

/* A selection moves bits: one body a width. */
#define K_WHERE(suffix, bits)                                                                      \
    MICA_BODY bits k_where_##suffix(uint8_t condition, bits x, bits y)                             \
    {                                                                                              \
        return condition ? x : y;                                                                  \
    }
K_WHERE(w8, uint8_t)
K_WHERE(w16, uint16_t)
K_WHERE(w32, uint32_t)
K_WHERE(w64, uint64_t)
#undef K_WHERE

#endif
