/* One quantized matrix as the products read it. */
#ifndef MICA_ENGINE_CPU_QUANTIZED_MATMUL_H
#define MICA_ENGINE_CPU_QUANTIZED_MATMUL_H

#include "backend/cpu/gemm/gemm.h"
#include "backend/cpu/quantize.h"

typedef struct mica__quant_matrix {
    mica__quant_format f;
    const mica__quant_loops *loops;
    mica__quant_kind kind;
    mica_dtype scale_dtype;
    const char *codes;
    const char *scales, *biases; /* biases: NULL without */
    size_t rows, columns;        /* as stored: columns are packed */
    bool transposed;             /* rows are the result's columns */
} mica__quant_matrix;

/* Scales and biases of groups [first, first + n) of a row, in float32. */
void mica__quant_row_scales(const mica__quant_matrix *w, size_t row, size_t first, size_t n,
                            float *scales, float *biases);
static inline const char *mica__quant_row(const mica__quant_matrix *w, size_t row)
{
    return w->codes + row * (w->columns / 8 * (size_t)w->f.bits);
}

/* Makes packed strips of B for the matrix product; context: a mica__quant_matrix. */
mica__gemm_fill mica__quant_fill;

/* y[i] = x[i] W for a few rows, columns [first, last) of the result, in float32; x[i]: float32
   rows; sums[i]: their groups' sums, or NULL; y[i] begins at column `first`. */
enum { MICA_QUANT_MOST_ROWS = 16, MICA_QUANT_MOST_COLUMNS = 512 };
void mica__quant_few_rows(const mica__quant_matrix *w, size_t rows, const float *const x[],
                          const float *const sums[], size_t first, size_t last, float *const y[]);

#endif
