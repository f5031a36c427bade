/* Loops that read codes lane by lane: each of eight lanes takes a few neighbouring codes as one
   word, and the words give their codes one after another. What meets the codes is put into that
   order once, instead of each code into its place. Compiled once per instruction set. */
#ifndef MICA_ENGINE_CPU_QUANTIZED_LANES_H
#define MICA_ENGINE_CPU_QUANTIZED_LANES_H

#include "backend/cpu/quantize.h"

/* A span is what loops take at once; the longest of all kinds. Runs of scales and of sums are
   readable, and finite, to the end of a whole one. */
enum { MICA_QUANT_SPAN = 64 };

/* y[i] = sum over n elements (whole spans) of x[i][j] * code[j] * scale of its group, for i < rows
   (1, 2, 4 or 8: the loop's), x in the order of the lanes; a NaN of either makes NaN. With biases,
   also the sum over their groups of bias * sums[i][g]. */
typedef void mica__lanes_dot(size_t n, size_t group, const void *codes, const float *scales,
                             const float *biases, const float *const x[], const float *const sums[],
                             float *y);
/* y[j] += sum over four lines l of a[l][group of j] * codes[l][j], for n elements (whole spans), y
   in the order of the lanes. */
typedef void mica__lanes_add(size_t n, size_t group, const void *const codes[4],
                             const float *const a[4], float *y);
/* to[j * width + l] = codes[l][j] * scales[g * 8 + l] + biases[g * 8 + l] for eight lines l and n
   elements (whole spans) from the beginning of a group; biases may be NULL. */
typedef void mica__lanes_strip(size_t n, size_t group, const void *const codes[8],
                               const float *scales, const float *biases, size_t width, float *to);

typedef struct mica__lanes_kind {
    size_t span;             /* elements that loops take at once */
    size_t dot_lane, lane;   /* neighbours that a lane holds, in dots and in sums */
    mica__lanes_dot *dot[4]; /* 1, 2, 4, 8 rows */
    mica__lanes_add *add;
    mica__lanes_strip *strip;
} mica__lanes_kind;

typedef struct mica__lanes_loops {
    mica__lanes_kind kind[MICA_QUANT_KINDS];
} mica__lanes_loops;

extern const mica__lanes_loops mica__lanes_portable, mica__lanes_v3, mica__lanes_v4;

/* Puts n elements (a multiple of 8 * lane) into the order of the lanes, and back. */
static inline void mica__lanes_turn(size_t n, size_t lane, const float *x, float *out)
{
    for (size_t j = 0; j < n; j += 8 * lane)
        for (size_t i = 0; i < lane; i++)
            for (size_t l = 0; l < 8; l++) *out++ = x[j + l * lane + i];
}

static inline void mica__lanes_turn_back(size_t n, size_t lane, const float *x, float *out)
{
    for (size_t j = 0; j < n; j += 8 * lane)
        for (size_t i = 0; i < lane; i++)
            for (size_t l = 0; l < 8; l++) out[j + l * lane + i] = *x++;
}

#endif
