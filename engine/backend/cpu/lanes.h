/* Partial results side by side: 128 bytes of them, in as many vectors as the instruction set needs.
   Compilers do not split wider vectors well: they would live in memory. Element i of a sequence
   goes to lane i modulo the number of lanes, whatever the width. For units compiled once per
   instruction set. */
#ifndef MICA_ENGINE_LANES_H
#define MICA_ENGINE_LANES_H

#include "backend/cpu/loops.h"

#if MICA_LEVEL == 2
#define MICA_VECTOR_BYTES 64
#elif MICA_LEVEL == 1
#define MICA_VECTOR_BYTES 32
#else
#define MICA_VECTOR_BYTES 16
#endif
enum { MICA_VECTORS = 128 / MICA_VECTOR_BYTES };

#define MICA_VECTOR(type)                                                                          \
    __attribute__((vector_size(MICA_VECTOR_BYTES), aligned(_Alignof(type)), may_alias))
typedef float mica__floats MICA_VECTOR(float);
typedef double mica__doubles MICA_VECTOR(double);
typedef int32_t mica__float_bits MICA_VECTOR(int32_t);
typedef int64_t mica__double_bits MICA_VECTOR(int64_t);

/* Vector k of the sequence at `p`. */
#define MICA_AT(V, p, k) (((const V *)(const void *)(p))[k])

/* For each of the vectors, unrolled: only then do they stay in registers. */
#if defined(__clang__)
#define MICA_EACH_VECTOR(k)                                                                        \
    _Pragma("clang loop unroll(full)") for (int k = 0; k < MICA_VECTORS; k++)
#else
#define MICA_EACH_VECTOR(k) _Pragma("GCC unroll 8") for (int k = 0; k < MICA_VECTORS; k++)
#endif

#endif
