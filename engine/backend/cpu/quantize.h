/* Loops over quantized rows, compiled once per instruction set. */
#ifndef MICA_ENGINE_CPU_QUANTIZE_H
#define MICA_ENGINE_CPU_QUANTIZE_H

#include "core/node.h"
#include "ops/quantize.h"

/* How codes are read: by their bits, and what a code stands for. */
typedef enum mica__quant_kind {
    MICA_QUANT_BITS_1,
    MICA_QUANT_BITS_2,
    MICA_QUANT_BITS_3,
    MICA_QUANT_BITS_4,
    MICA_QUANT_BITS_5,
    MICA_QUANT_BITS_6,
    MICA_QUANT_BITS_8,
    MICA_QUANT_E2M1,
    MICA_QUANT_E4M3,
    MICA_QUANT_KINDS
} mica__quant_kind;

/* out[j] = code[j] * scale + bias for n elements (whole vectors of 32, or 16 of E2M1) that begin at
   element `first` of a row; scales and biases of the whole row; biases may be NULL. */
typedef void mica__quant_expand(size_t first, size_t n, size_t group, const void *row,
                                const float *scales, const float *biases, float *out);

typedef struct mica__quant_loops {
    mica__quant_expand *expand[MICA_QUANT_KINDS];
    /* sums[g] of each group of x. */
    void (*sums)(size_t n, size_t group, const float *x, float *sums);
    /* y[j] += a * x[j]. */
    void (*add_scaled)(size_t n, float a, const float *x, float *y);
    /* y[j] += a[l] * x[l * apart + j] for four lines l. */
    void (*add_lines)(size_t n, size_t apart, const float *a, const float *x, float *y);
    /* Affine codes of n elements (whole groups), one byte each; scales and biases in float32. */
    void (*affine)(size_t n, size_t group, unsigned bits, const float *x, uint8_t *codes,
                   float *scales, float *biases);
    /* Codes, one byte each, of n elements z. */
    void (*e2m1)(size_t n, const float *z, uint8_t *codes);
    void (*e4m3)(size_t n, const float *z, uint8_t *codes);
    void (*from_e4m3)(size_t n, const uint8_t *codes, float *out);
} mica__quant_loops;

extern const mica__quant_loops mica__quant_portable, mica__quant_v3, mica__quant_v4;

mica__quant_kind mica__quant_kind_of(const mica__quant_format *f);
/* Scales [first, first + n) of a scale array's memory, in float32: float types, or the E8M0 or E4M3
   codes of the mode. */
void mica__quant_scales(const mica__quant_format *f, mica_dtype dtype, const void *scales,
                        size_t first, size_t n, float *out);

#endif
