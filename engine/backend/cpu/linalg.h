/* What kernels of linear algebra share: batches of matrices, spread over the pool; small helpers on
   matrices of any type. A row-major matrix is, to LAPACK, its transpose: kernels use that where
   they can, and transpose where they must. */
#ifndef MICA_ENGINE_CPU_LINALG_H
#define MICA_ENGINE_CPU_LINALG_H

#include "backend/cpu/kernel.h"
#include "backend/cpu/lapack.h"
#include "base/thread.h"

typedef struct mica__matrices mica__matrices;

/* One matrix of the batch; `work` is scratch of work_bytes, 64-byte aligned. Returns LAPACK's info:
 * 0, or what made it fail. */
typedef li mica__matrix_body(const mica__matrices *b, int64_t index, char *work);

struct mica__matrices {
    mica__launch *l;
    const mica__lapack *f;
    const char *name;
    mica_dtype dtype; /* of the first input */
    bool complex;
    size_t item, real; /* bytes of an element, and of its real part */
    li m, n, k;        /* the last two axes of the first input, the smaller of them */
    int64_t count;     /* matrices */
    size_t work_bytes;
    li lwork;   /* elements of LAPACK's own workspace, where it wants one */
    li columns; /* of a right-hand side */
    bool upper;
    int mode;
    mica__matrix_body *body;
    int64_t a_task;
    mica__spinlock lock; /* of what follows: the first matrix that failed, and how */
    int64_t failed;
    li info;
    int status;
};

/* Fills a batch from the first input. Opens LAPACK. */
int mica__matrices_init(mica__matrices *b, mica__launch *l, const char *name);
/* Runs the body on all matrices. `what` explains info > 0: a format for the text after "[name]
   matrix i of the batch"; it may use one %d for info. NULL: info > 0 is no error. */
int mica__matrices_run(mica__matrices *b, mica__matrix_body *body, const char *what);

/* Matrix `index` of an input or output with rows x columns elements of the array's type. */
static inline char *mica__matrix_at(const mica_array *a, int64_t index, int64_t size)
{
    return a->data + index * size * (int64_t)mica__dtype_sizes[a->dtype];
}

/* Matrix `index` of the first input, copied to `to`. */
static inline void mica__copy_matrix(const mica__matrices *b, int64_t index, void *to)
{
    int64_t size = (int64_t)b->m * b->n;
    memcpy(to, mica__matrix_at(b->l->in[0], index, size), (size_t)size * b->item);
}

/* Singular values by gesdd, of the transpose, whose factors are ours exchanged. b->mode: */
enum { MICA_SVD_VALUES, MICA_SVD_FULL, MICA_SVD_THIN }; /* as prim.def numbers them */
/* Asks for b->lwork; real numbers of rwork, complex matrices' alone; the call. */
void mica__svd_workspace(mica__matrices *b);
size_t mica__svd_rwork(const mica__matrices *b);
void mica__gesdd(const mica__matrices *b, void *a, void *s, void *u, void *vt, void *work,
                 void *rwork, li *iwork, li *info);

/* Bytes rounded up to whole cache lines: places in scratch. */
static inline size_t mica__lines(size_t bytes)
{
    return (bytes + 63) & ~(size_t)63;
}

/* to[j, i] = from[i, j], for `rows` x `columns` row-major elements; to and from are apart. */
void mica__transpose(const void *from, void *to, int64_t rows, int64_t columns, size_t item);
/* A square matrix in place; conjugated for complex64. */
void mica__transpose_in_place(void *a, int64_t n, mica_dtype dtype);
/* Zeros in one strict triangle of a row-major n x n matrix: above the diagonal, or below it. */
void mica__clear_triangle(void *a, int64_t n, size_t item, bool above);
/* Ones on the diagonal, zeros elsewhere. */
void mica__fill_identity(void *a, int64_t n, mica_dtype dtype);
/* NaN everywhere. */
void mica__fill_nan(void *a, int64_t count, mica_dtype dtype);
/* Whether no element is NaN or infinite. */
bool mica__all_finite(const void *a, int64_t count, mica_dtype dtype);
/* The same for one triangle of a row-major n x n matrix. */
bool mica__triangle_finite(const void *a, int64_t n, bool upper, mica_dtype dtype);
/* The real part of element i. */
static inline double mica__real_at(const void *a, int64_t i, mica_dtype dtype)
{
    return dtype == MICA_FLOAT64 ? ((const double *)a)[i]
                                 : ((const float *)a)[dtype == MICA_COMPLEX64 ? 2 * i : i];
}
/* The workspace that a query answered with. */
static inline li mica__queried(const double answer[2], mica_dtype dtype)
{
    double wanted = mica__real_at(answer, 0, dtype);
    return wanted < 1                  ? 1
           : wanted > INT32_MAX - 1024 ? INT32_MAX - 1024
                                       : (li)(wanted + wanted * 1e-6 + 1);
}

/* info of a body that found NaN or infinity where LAPACK would not bear it. */
enum { MICA_NOT_FINITE = -1000 };

#endif
