/* One quantized matrix as the products read it. */
#ifndef MICA_ENGINE_CPU_QUANTIZED_MATMUL_H
#define MICA_ENGINE_CPU_QUANTIZED_MATMUL_H

#include "backend/cpu/gemm/gemm.h"
#include "backend/cpu/quantize.h"
#include "backend/cpu/quantized_lanes.h"

typedef struct mica__quant_matrix {
    mica__quant_format f;
    const mica__quant_loops *loops;
    const mica__lanes_loops *lanes;
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
/* Elements [first, first + n) of a stored row, widened to whole vectors: out[*skip] is the first.
 */
void mica__quant_expand_range(const mica__quant_matrix *w, size_t row, size_t first, size_t n,
                              float *out, size_t *skip);
/* Tells the memory that these will be read, if there is such a row. */
enum { MICA_QUANT_AHEAD = 8 };
void mica__quant_fetch_ahead(const mica__quant_matrix *w, size_t row, size_t first, size_t n);
static inline const char *mica__quant_row(const mica__quant_matrix *w, size_t row)
{
    return w->codes + row * (w->columns / 8 * (size_t)w->f.bits);
}

/* Makes packed strips of B for the matrix product; context: a mica__quant_matrix. */
mica__gemm_fill mica__quant_fill;

/* y[i] = x[i] W for a few rows, columns [first, last) of the result, in float32; y[i] begins at
   column `first`, a multiple of 128. x[i]: float32 rows; those that meet stored rows are in the
   order of the lanes, and sums[i] their groups' sums or NULL, both with zeros up to a whole span.
 */
enum { MICA_QUANT_MOST_ROWS = 16, MICA_QUANT_MOST_COLUMNS = 1024 };
void mica__quant_few_rows(const mica__quant_matrix *w, size_t rows, const float *const x[],
                          const float *const sums[], size_t first, size_t last, float *const y[]);

#endif
