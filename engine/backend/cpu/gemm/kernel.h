/* What an instruction set gives to the matrix product: tables of micro-kernels and of conversions.
 */
#ifndef MICA_ENGINE_GEMM_KERNEL_H
#define MICA_ENGINE_GEMM_KERNEL_H

#include "base/base.h"

/* How elements lie in memory. Arithmetic is float64 for float64, float32 for all others. */
typedef enum mica__gemm_store {
    MICA_STORE_F32,
    MICA_STORE_F64,
    MICA_STORE_F16,
    MICA_STORE_BF16,
    MICA_STORE_COUNT
} mica__gemm_store;

/* c[r][j] = sum over p of a[r][p] * b[p][j], added to c when `add`. The number of rows belongs to
   the function, columns is at most the table's. a and c are of the arithmetic's type, b is as
   stored; rows of b are readable to the next whole vector. Strides count elements. Each sum is one
   chain in the order of p, so its bits do not depend on the kernel that the driver takes. */
typedef void mica__gemm_tile(size_t k, const void *a, ptrdiff_t a_row, ptrdiff_t a_col,
                             const void *b, ptrdiff_t b_row, void *c, ptrdiff_t c_row,
                             size_t columns, bool add);

/* c[i][j] = sum over p of a[i][p] * b[j][p] for i < rows, j < count, p contiguous in both. One
   fixed order for each element, whatever rows and count are. */
typedef void mica__gemm_dot(size_t rows, size_t count, size_t k, const void *a, ptrdiff_t a_row,
                            const void *b, ptrdiff_t b_row, void *c, ptrdiff_t c_row);

typedef void mica__gemm_widen(size_t n, const void *half, float *out);
typedef void mica__gemm_narrow(size_t n, const float *in,
                               void *half); /* to nearest, ties to even */

typedef struct mica__gemm_isa {
    size_t rows;                                    /* most rows of a tile */
    size_t columns[MICA_STORE_COUNT];               /* columns of a tile, by the storage of b */
    mica__gemm_tile *const *tile[MICA_STORE_COUNT]; /* [rows - 1] */
    mica__gemm_dot *dot[MICA_STORE_COUNT];
    mica__gemm_widen *widen[MICA_STORE_COUNT]; /* for the halves */
    mica__gemm_narrow *narrow[MICA_STORE_COUNT];
} mica__gemm_isa;

/* bfloat16 without conversion: two neighbours in k make one 32-bit unit, a and b hold such units, k
 * counts them. */
typedef struct mica__gemm_pairs {
    size_t rows, columns;
    size_t step; /* k is a multiple of this */
    bool a_rows; /* a is packed row after row, not step after step: its a_col is 1 */
    mica__gemm_tile *const *tile;
} mica__gemm_pairs;

/* Which of these exist the build says: MICA_WITH_V3 and so on. */
extern const mica__gemm_isa mica__gemm_portable;
extern const mica__gemm_isa mica__gemm_v3;
extern const mica__gemm_isa mica__gemm_v4;
extern const mica__gemm_pairs mica__gemm_bf16;
extern const mica__gemm_pairs mica__gemm_amx;

#endif
