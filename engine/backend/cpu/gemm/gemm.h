/* The matrix product: C = alpha * A B, batched, packed and blocked, on all threads of the pool. */
#ifndef MICA_ENGINE_GEMM_H
#define MICA_ENGINE_GEMM_H

#include "base/base.h"

/* Called for each finished rectangle of C while it is in cache, after all of k was added: rows
   [row, row + rows), columns [col, col + cols) of matrix `batch`. It may read and overwrite the
   stored C there. The rectangles are disjoint and cover C; they may depend on the number of
   threads, the stored values do not. Called from the pool's threads. */
typedef void mica__epilogue(void *context, size_t batch, size_t row, size_t col, size_t rows,
                            size_t cols);

/* Makes B instead of reading it: lines (columns of B) [first_line, first_line + lines), steps along
   k [first_step, first_step + steps), in strips of `width` lines as mica__gemm_pack (plan.h) stores
   them, in float32. Called from the pool's threads. */
typedef void mica__gemm_fill(const void *context, size_t first_line, size_t lines, size_t width,
                             bool pad, size_t first_step, size_t steps, float *to);

/* Strides and offsets count elements, may be zero or negative for a and b. C must not overlap A or
 * B. */
typedef struct mica__gemm {
    mica_dtype dtype; /* of a, b and c: float32, float64, float16, bfloat16 or complex64 */
    bool wide;        /* c is float32 although a and b are float16 or bfloat16 */
    size_t m, n, k, batch;
    double alpha;
    const void *a;
    ptrdiff_t a_row, a_col;
    const void *b;
    ptrdiff_t b_row, b_col;
    void *c;
    ptrdiff_t c_row;                              /* the columns of c are contiguous */
    const ptrdiff_t *a_batch, *b_batch, *c_batch; /* where each matrix starts; NULL: all at 0 */
    mica__epilogue *epilogue;                     /* or NULL */
    void *epilogue_context;
    mica__gemm_fill *b_fill; /* or NULL; with it a and c are float32 or halves, one matrix, and b is
                                not read */
    const void *b_context;
} mica__gemm;

/* Halves are accumulated in float32 and rounded once. k == 0 gives zeros. The bits of C depend on
   the shapes, the strides and the instruction set: not on the number of threads, the position in
   the batch or the epilogue. MICA_OK; MICA_ETYPE for another dtype; MICA_EMEMORY when there is no
   room for the packed operands. */
int mica__gemm_run(const mica__gemm *g);

#endif
