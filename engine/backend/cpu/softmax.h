/* Rows of softmax and log-sum-exp, compiled once per instruction set. */
#ifndef MICA_ENGINE_SOFTMAX_H
#define MICA_ENGINE_SOFTMAX_H

#include "base/base.h"

enum { MICA_SHORT_ROWS = 32, MICA_SHORT_ROW = 32 };

/* Chunks of a row are summed as reduce.h says. */
typedef struct mica__softmax_loops {
    float (*max_f32)(const float *x, size_t n); /* NaN wins; -inf for none */
    /* e[i] = exp(x[i] - max), at most MICA_REDUCE_CHUNK of them; returns their sum. In place
     * allowed. */
    float (*exp_f32)(const float *x, size_t n, float max, float *e);
    void (*scale_f32)(float *x, size_t n, float factor);
    /* Up to MICA_SHORT_ROWS rows of n < MICA_SHORT_ROW elements, side by side: their maxima, sums
       of exponentials, and, unless y is NULL, the exponentials over the sums. */
    void (*short_f32)(const float *x, size_t rows, size_t n, float *max, float *total, float *y);
    double (*max_f64)(const double *x, size_t n);
    double (*exp_f64)(const double *x, size_t n, double max, double *e);
    void (*scale_f64)(double *x, size_t n, double factor);
} mica__softmax_loops;

extern const mica__softmax_loops mica__softmax_portable, mica__softmax_v3, mica__softmax_v4;

/* Index of the first extremum of n contiguous elements, NaN left out; -1 when all are NaN. *best
 * receives its value. */
typedef int64_t mica__arg_row(const void *x, size_t n, void *best);
/* The same down n rows, `stride` elements apart, of at most MICA_ARG_COLUMNS columns; 0 where the
 * first element is NaN. */
typedef void mica__arg_columns(const void *x, size_t n, ptrdiff_t stride, size_t columns,
                               uint32_t *index);
enum { MICA_ARG_COLUMNS = 256 };

/* Of float32 rows of a short n (abreast.h), one after the other; NaN is more extreme than any
 * number. */
typedef void mica__arg_short(const float *x, size_t rows, size_t n, uint32_t *index);

typedef struct mica__arg_loops {
    mica__arg_short *abreast[2];
    mica__arg_row *row[2][MICA_DTYPE_COUNT]; /* [0] maximum, [1] minimum */
    mica__arg_columns *columns[2][MICA_DTYPE_COUNT];
} mica__arg_loops;

extern const mica__arg_loops mica__arg_portable, mica__arg_v3, mica__arg_v4;

#endif
