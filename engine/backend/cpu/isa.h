/* What the processor can do: the level that picks the loops, and single features for the kernels
   that need more. */
#ifndef MICA_ENGINE_ISA_H
#define MICA_ENGINE_ISA_H

#include "base/base.h"

/* Levels of x86-64: each includes those before. Other architectures are portable. */
typedef enum mica__isa {
    MICA_ISA_PORTABLE, /* what every x86-64 has: SSE2 */
    MICA_ISA_V3,       /* AVX2, FMA, F16C, BMI */
    MICA_ISA_V4,       /* AVX-512 F, BW, CD, DQ, VL */
    MICA_ISA_COUNT
} mica__isa;

/* Single features, bits of a mask. Each implies that the operating system saves its registers. */
enum {
    MICA_ISA_F16C = 1,
    MICA_ISA_AVX512_BF16 = 2,
    MICA_ISA_AVX512_FP16 = 4,
    MICA_ISA_VNNI = 8,      /* AVX512_VNNI */
    MICA_ISA_AMX_BF16 = 16, /* tiles, and the permission to use them */
    MICA_ISA_AMX_INT8 = 32
};

/* The level in use: the processor's, capped by the setting `isa` (MICA_ISA=baseline, avx2 or
   avx512) and by mica__isa_cap. */
MICA_API mica__isa mica__isa_level(void);

/* True when all of the features are there and the level in use admits them (F16C: v3, the others:
   v4). */
MICA_API bool mica__isa_has(unsigned features);

/* Test hook: caps the level from now on, for loops that are looked up afterwards; MICA_ISA_COUNT
   lifts the cap. Returns the level then in use. */
MICA_API mica__isa mica__isa_cap(mica__isa level);

#endif
