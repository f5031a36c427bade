/* Loops that read codes lane by lane: each of eight lanes takes a few neighbouring codes as one
   word, and the words give their codes one after another. What meets the codes is put into that
   order once, instead of each code into its place. Compiled once per instruction set. */
#ifndef MICA_ENGINE_CPU_QUANTIZED_LANES_H
#define MICA_ENGINE_CPU_QUANTIZED_LANES_H

#include "backend/cpu/quantize.h"

/* A span is what loops take at once; the longest of all kinds. Runs of scales and of sums are
   readable, and finite, to the end of a whole one. */
enum { MICA_QUANT_SPAN = 64 };

/* A few stored rows, and what is multiplied with them: n elements (whole spans). */
typedef struct mica__lanes_rows {
    size_t count, n, group;
    const char *codes;
    const float *scales, *biases;     /* biases may be NULL */
    size_t codes_apart, scales_apart; /* from one stored row to the next: bytes, floats */
    const float *x[8];    /* in the order of the lanes, times their factors (mica__lanes_turn) */
    const float *sums[8]; /* of the groups of x, with biases */
} mica__lanes_rows;

/* y[c * rows + i] = sum over j of x[i][j] * (code[c][j] * scale of its group), for the rows i of
   the loop: 1, 2, 4 or 8; a NaN of either makes NaN. With biases, also the sum over groups of
   bias * sums[i]. */
typedef void mica__lanes_dot(const mica__lanes_rows *p, float *y);
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
    size_t lane;             /* neighbours that a lane holds */
    size_t dot_lane;         /* the same in dots, whose codes are read in place: too large by */
    size_t dot_bits;         /* 2^(dot_bits * i % 16) */
    mica__lanes_dot *dot[4]; /* 1, 2, 4, 8 rows */
    mica__lanes_add *add;
    mica__lanes_strip *strip;
} mica__lanes_kind;

typedef struct mica__lanes_loops {
    mica__lanes_kind kind[MICA_QUANT_KINDS];
} mica__lanes_loops;

extern const mica__lanes_loops mica__lanes_portable, mica__lanes_v3, mica__lanes_v4;

/* Puts n elements of x into the order of the lanes, to meet codes in dots; n is a multiple of
   MICA_QUANT_SPAN. The factors are powers of 2: exact. */
static inline void mica__lanes_turn(const mica__lanes_kind *kind, size_t n, const float *x,
                                    float *out)
{
    const size_t lane = kind->dot_lane;
    float factor[8];
    for (size_t i = 0; i < lane; i++) factor[i] = 1.0f / (float)(1u << (kind->dot_bits * i % 16));
    for (size_t j = 0; j < n; j += 8 * lane)
        for (size_t i = 0; i < lane; i++)
            for (size_t l = 0; l < 8; l++) *out++ = x[j + l * lane + i] * factor[i];
}

/* Puts n elements that are in the order of the lanes into their own. */
static inline void mica__lanes_turn_back(size_t n, size_t lane, const float *x, float *out)
{
    for (size_t j = 0; j < n; j += 8 * lane)
        for (size_t i = 0; i < lane; i++)
            for (size_t l = 0; l < 8; l++) out[j + l * lane + i] = *x++;
}

#endif
