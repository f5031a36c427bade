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
#define MICA_UNROLLED _Pragma("clang loop unroll(full)")
#else
#define MICA_UNROLLED _Pragma("GCC unroll 8")
#endif
#define MICA_EACH_VECTOR(k) MICA_UNROLLED for (int k = 0; k < MICA_VECTORS; k++)

/* Lanes brought together by take(a, b), in halves and in straight lines: 2 n lanes to one. A loop
   over the halves took longer than the arithmetic of a short row. */
#define MICA_HALF(n, lanes, take)                                                                  \
    for (int j = 0; j < (n); j++) lanes[j] = take(lanes[j], lanes[j + (n)]);
#define MICA_HALVES_8(lanes, take)                                                                 \
    MICA_HALF(8, lanes, take)                                                                      \
    MICA_HALF(4, lanes, take) MICA_HALF(2, lanes, take) MICA_HALF(1, lanes, take)
#define MICA_HALVES_16(lanes, take) MICA_HALF(16, lanes, take) MICA_HALVES_8(lanes, take)
#define MICA_SUM(a, b)              ((a) + (b))

/* The same of vectors a[MICA_VECTORS] by take, and of the lanes of the last, 2 n in all, by pick:
   what chooses becomes no vector by itself. The same tree for every width. */
#define MICA_MEET(n, lanes, a, take, pick)                                                         \
    MICA_UNROLLED for (int h = MICA_VECTORS / 2; h; h /= 2)                                        \
        MICA_UNROLLED for (int k = 0; k < h; k++) a[k] = take(a[k], a[k + h]);                     \
    memcpy(lanes, a, sizeof a[0]);                                                                 \
    MICA_UNROLLED for (int h = (n) / MICA_VECTORS; h; h /= 2)                                      \
        MICA_UNROLLED for (int k = 0; k < h; k++) lanes[k] = pick(lanes[k], lanes[k + h]);

#endif
