/* Short rows of float32 side by side: eight rows are turned, so that vector j holds element j of
   each, and a loop over a row works on all eight. For units compiled once per instruction set. */
#ifndef MICA_ENGINE_ABREAST_H
#define MICA_ENGINE_ABREAST_H

#include "backend/cpu/lanes.h"
#include "backend/cpu/short_rows.h"

typedef float mica__eight __attribute__((vector_size(32), aligned(4), may_alias));
typedef int32_t mica__eight_bits __attribute__((vector_size(32), aligned(4), may_alias));

#define MICA_PAIR_LOW(a, b)  __builtin_shufflevector(a, b, 0, 8, 1, 9, 4, 12, 5, 13)
#define MICA_PAIR_HIGH(a, b) __builtin_shufflevector(a, b, 2, 10, 3, 11, 6, 14, 7, 15)
#define MICA_FOUR_LOW(a, b)  __builtin_shufflevector(a, b, 0, 1, 8, 9, 4, 5, 12, 13)
#define MICA_FOUR_HIGH(a, b) __builtin_shufflevector(a, b, 2, 3, 10, 11, 6, 7, 14, 15)
#define MICA_ALL_LOW(a, b)   __builtin_shufflevector(a, b, 0, 1, 2, 3, 8, 9, 10, 11)
#define MICA_ALL_HIGH(a, b)  __builtin_shufflevector(a, b, 4, 5, 6, 7, 12, 13, 14, 15)

/* Eight elements of eight rows that are `stride` apart. */
static inline void mica__turn_block(const float *x, ptrdiff_t stride, mica__eight *out)
{
    mica__eight r[8], p[8];
    MICA_UNROLLED for (int i = 0; i < 8; i++) r[i] = MICA_AT(mica__eight, x + i * stride, 0);
    MICA_UNROLLED for (int i = 0; i < 4; i++)
    {
        p[2 * i] = MICA_PAIR_LOW(r[2 * i], r[2 * i + 1]);
        p[2 * i + 1] = MICA_PAIR_HIGH(r[2 * i], r[2 * i + 1]);
    }
    MICA_UNROLLED for (int i = 0; i < 2; i++) MICA_UNROLLED for (int j = 0; j < 2; j++)
    {
        r[4 * i + 2 * j] = MICA_FOUR_LOW(p[4 * i + j], p[4 * i + 2 + j]);
        r[4 * i + 2 * j + 1] = MICA_FOUR_HIGH(p[4 * i + j], p[4 * i + 2 + j]);
    }
    MICA_UNROLLED for (int j = 0; j < 4; j++)
    {
        out[j] = MICA_ALL_LOW(r[j], r[4 + j]);
        out[4 + j] = MICA_ALL_HIGH(r[j], r[4 + j]);
    }
}

/* Eight rows of a short n; out has place for MICA_ABREAST_MOST vectors. Blocks may read behind a
   row's end what the next one begins with, but where there is none (`last`). */
static inline void mica__turn(const float *x, ptrdiff_t stride, size_t n, bool last,
                              mica__eight *out)
{
    float copy[MICA_ABREAST * MICA_ABREAST_MOST];
    if (n % 8 && (last || stride < (ptrdiff_t)n)) {
        for (int r = 0; r < MICA_ABREAST; r++) {
            float *to = copy + r * MICA_ABREAST_MOST;
            memcpy(to, x + r * stride, n * sizeof *x);
            for (size_t j = n; j % 8; j++) to[j] = 0;
        }
        x = copy;
        stride = MICA_ABREAST_MOST;
    }
    for (size_t j = 0; j < n; j += 8) mica__turn_block(x + j, stride, out + j);
}

/* Halves of 32 lanes brought together, of which the first n are there: vector 0 is the result. */
#define MICA_ABREAST_HALVES(c, n, take)                                                            \
    for (size_t half = MICA_ABREAST_MOST / 2; half; half /= 2)                                     \
        for (size_t j = 0; j < half && j + half < (n); j++) c[j] = take(c[j], c[j + half]);

#endif
