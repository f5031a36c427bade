/* How one matrix product is cut: shared by the driver, the packing and the path for narrow
 * matrices. */
#ifndef MICA_ENGINE_GEMM_PLAN_H
#define MICA_ENGINE_GEMM_PLAN_H

#include "backend/cpu/gemm/gemm.h"
#include "backend/cpu/gemm/kernel.h"

/* The tables of the instruction set in use, and the storage of a type in them. */
const mica__gemm_isa *mica__gemm_kernels(void);
mica__gemm_store mica__gemm_store_of(mica_dtype dtype);
/* Those that multiply bfloat16 without conversion, or NULL. */
const mica__gemm_pairs *mica__gemm_pair_kernels(void);

/* What the packing does to the elements. */
typedef enum mica__gemm_form {
    MICA_FORM_F32, /* copies */
    MICA_FORM_F64,
    MICA_FORM_HALF,      /* widens to float32 */
    MICA_FORM_PAIRS,     /* joins neighbours in k to 32-bit units */
    MICA_FORM_COMPLEX_A, /* (re im) along k */
    MICA_FORM_FILLED,    /* asks a function for float32 */
    MICA_FORM_COMPLEX_B  /* the real matrix ((re im) (-im re)) of each number, so that C's floats
                            come out interleaved */
} mica__gemm_form;

/* An operand as its strips see it: a line is a row of A or a column of B, a step goes along k.
 * Strides count stored elements. */
typedef struct mica__gemm_operand {
    mica__gemm_form form;
    size_t element; /* bytes of a stored element */
    const char *data;
    ptrdiff_t line, step;
    size_t depth; /* stored elements along k */
    mica__gemm_widen *widen;
    mica__gemm_fill *fill; /* of MICA_FORM_FILLED */
    const void *context;
} mica__gemm_operand;

/* Cuts lines into strips of `width`, one behind the other, each stored step by step:
   to[s * width * steps + p * width + l] = unit (first_line + s * width + l, first_step + p).
   The last strip is filled up with zeros when `pad`, otherwise it is stored with its own width.
   Lines and steps are units of the arithmetic: complex operands count each number twice along k and
   along the columns of B, pairs count half of k. Units of pairs beyond the end are 0. */
void mica__gemm_pack(const mica__gemm_operand *o, ptrdiff_t offset, size_t first_line, size_t lines,
                     size_t width, bool pad, size_t first_step, size_t steps, void *to);

typedef enum mica__gemm_source {
    MICA_SOURCE_DIRECT, /* the kernels read the operand itself */
    MICA_SOURCE_OWN,    /* each task packs what it needs, on its stack */
    MICA_SOURCE_SHARED  /* packed once, before the tasks */
} mica__gemm_source;

typedef struct mica__gemm_plan {
    const mica__gemm *g;
    const mica__gemm_isa *isa;
    mica__gemm_store store;
    size_t unit;    /* bytes of a unit of the arithmetic: 4 or 8 */
    size_t m, n, k; /* in units */
    mica__gemm_operand a, b;
    mica__gemm_tile *const *tile;
    mica__gemm_source a_source, b_source;
    size_t strip_rows, strip_columns;
    size_t block;                   /* steps of k that a kernel adds at once: given by k alone */
    size_t tile_rows, tile_columns; /* what a task computes; whole strips */
    bool a_rows;                    /* A is packed row after row */
    bool rounds;                    /* C is stored in a half type, sums wait in float32 */

    /* The part that is being computed. */
    size_t first_matrix, matrices;
    size_t first_row, rows, first_column, columns;
    size_t first_step, steps;
    size_t splits; /* of the blocks of k over tasks */
    char *a_packed, *b_packed;
    size_t a_packed_size, b_packed_size; /* of one matrix */
    float *partial;                      /* [matrices][splits][rows][columns] units, or NULL */
} mica__gemm_plan;

int mica__gemm_tiles(mica__gemm_plan *plan);
/* Matrices so narrow that reading the other operand is the work. False: not such a product. */
bool mica__gemm_is_narrow(const mica__gemm_plan *plan);
int mica__gemm_narrow_run(mica__gemm_plan *plan);

/* The ending shared by both paths: multiplies by alpha and stores float32 or float64 sums as C's
 * type. */
void mica__gemm_finish(const mica__gemm_plan *plan, size_t matrix, size_t row, size_t column,
                       size_t rows, size_t columns, const void *sums, ptrdiff_t row_stride,
                       ptrdiff_t column_stride);

static inline size_t mica__ceil_div(size_t a, size_t b)
{
    return (a + b - 1) / b;
}
static inline size_t mica__least(size_t a, size_t b)
{
    return a < b ? a : b;
}
static inline size_t mica__most(size_t a, size_t b)
{
    return a > b ? a : b;
}

#endif
