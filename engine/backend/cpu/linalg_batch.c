/* Batches of matrices, and helpers on single ones. */
#include <math.h>
#include <stdio.h>

#include "backend/cpu/linalg.h"

/* Multiplications that make a task worth its start. */
#define WORK (1 << 18)

int mica__matrices_init(mica__matrices *b, mica__launch *l, const char *name)
{
    const mica_array *a = l->in[0];
    *b = (mica__matrices){ .l = l,
                           .name = name,
                           .dtype = (mica_dtype)a->dtype,
                           .complex = a->dtype == MICA_COMPLEX64,
                           .failed = -1 };
    b->item = mica__dtype_sizes[a->dtype];
    b->real = b->complex ? b->item / 2 : b->item;
    b->m = (li)a->shape[a->ndim - 2];
    b->n = (li)a->shape[a->ndim - 1];
    b->k = b->m < b->n ? b->m : b->n;
    b->count = 1;
    for (int i = 0; i < a->ndim - 2; i++) b->count *= a->shape[i];
    return mica__lapack_get(&b->f, name, a->dtype);
}

static void fail(mica__matrices *b, int64_t index, li info, int status)
{
    mica__spinlock_lock(&b->lock);
    if (status != MICA_OK) {
        b->status = status;
    } else if (b->failed < 0 || index < b->failed) {
        b->failed = index;
        b->info = info;
    }
    mica__spinlock_unlock(&b->lock);
}

static void task(void *context, size_t index)
{
    mica__matrices *b = context;
    void *work = NULL;
    int status = b->work_bytes ? mica__memory_take(b->work_bytes, &work) : MICA_OK;
    if (status != MICA_OK) {
        fail(b, 0, 0, status);
        return;
    }
    int64_t from = (int64_t)index * b->a_task,
            to = from + b->a_task < b->count ? from + b->a_task : b->count;
    for (int64_t i = from; i < to; i++) {
        li info = b->body(b, i, work);
        if (info != 0) fail(b, i, info, MICA_OK);
    }
    mica__memory_give(work, b->work_bytes);
}

int mica__matrices_run(mica__matrices *b, mica__matrix_body *body, const char *what)
{
    if (b->count == 0) return MICA_OK;
    double work = (double)(b->m + 1) * (b->n + 1) * (b->k + 1 + b->columns);
    b->a_task = work < WORK ? (int64_t)(WORK / work) : 1;
    b->body = body;
    mica__parallel((size_t)((b->count + b->a_task - 1) / b->a_task), task, b);
    if (b->status != MICA_OK)
        return b->status == MICA_EMEMORY ? mica__fail_memory(b->name, b->work_bytes) : b->status;
    if (b->failed < 0 || (b->info > 0 && !what)) return MICA_OK;
    char which[64] = "the matrix", reason[160];
    if (b->count > 1)
        snprintf(which, sizeof which, "matrix %lld of %lld", (long long)b->failed,
                 (long long)b->count);
    if (b->info == MICA_NOT_FINITE)
        return mica__fail(MICA_ERUNTIME, "[%s] %s holds NaN or infinity", b->name, which);
    if (b->info < 0)
        return mica__fail(MICA_ERUNTIME, "[%s] LAPACK refused argument %d for %s", b->name,
                          -b->info, which);
    snprintf(reason, sizeof reason, what, b->info);
    return mica__fail(MICA_ERUNTIME, "[%s] %s %s", b->name, which, reason);
}

/* ---- helpers ---- */

enum { TILE = 16 };

#define TRANSPOSE(type)                                                                            \
    do {                                                                                           \
        const type *f = from;                                                                      \
        type *t = to;                                                                              \
        for (int64_t i0 = 0; i0 < rows; i0 += TILE)                                                \
            for (int64_t j0 = 0; j0 < columns; j0 += TILE) {                                       \
                int64_t i1 = i0 + TILE < rows ? i0 + TILE : rows;                                  \
                int64_t j1 = j0 + TILE < columns ? j0 + TILE : columns;                            \
                for (int64_t j = j0; j < j1; j++)                                                  \
                    for (int64_t i = i0; i < i1; i++) t[j * rows + i] = f[i * columns + j];        \
            }                                                                                      \
    } while (0)

void mica__transpose(const void *from, void *to, int64_t rows, int64_t columns, size_t item)
{
    if (rows == 1 || columns == 1) memcpy(to, from, (size_t)(rows * columns) * item);
    else if (item == 4) TRANSPOSE(uint32_t);
    else TRANSPOSE(uint64_t);
}

#define SWAP(type)                                                                                 \
    do {                                                                                           \
        type *x = a;                                                                               \
        for (int64_t i0 = 0; i0 < n; i0 += TILE)                                                   \
            for (int64_t j0 = 0; j0 <= i0; j0 += TILE)                                             \
                for (int64_t i = i0; i < n && i < i0 + TILE; i++)                                  \
                    for (int64_t j = j0; j < i && j < j0 + TILE; j++) {                            \
                        type swap = x[i * n + j];                                                  \
                        x[i * n + j] = x[j * n + i];                                               \
                        x[j * n + i] = swap;                                                       \
                    }                                                                              \
    } while (0)

void mica__transpose_in_place(void *a, int64_t n, mica_dtype dtype)
{
    if (mica__dtype_sizes[dtype] == 4) SWAP(uint32_t);
    else SWAP(uint64_t);
    if (dtype != MICA_COMPLEX64) return;
    mica_complex64 *x = a;
    for (int64_t i = 0; i < n * n; i++) x[i].im = -x[i].im;
}

void mica__clear_triangle(void *a, int64_t n, size_t item, bool above)
{
    char *row = a;
    for (int64_t i = 0; i < n; i++, row += n * (int64_t)item) {
        if (above) memset(row + (i + 1) * (int64_t)item, 0, (size_t)(n - 1 - i) * item);
        else memset(row, 0, (size_t)i * item);
    }
}

void mica__fill_identity(void *a, int64_t n, mica_dtype dtype)
{
    size_t item = mica__dtype_sizes[dtype];
    memset(a, 0, (size_t)(n * n) * item);
    for (int64_t i = 0; i < n; i++)
        mica__store_number(dtype, (char *)a + (size_t)(i * (n + 1)) * item, true, 1, 0, 0);
}

void mica__fill_nan(void *a, int64_t count, mica_dtype dtype)
{
    size_t item = mica__dtype_sizes[dtype];
    for (int64_t i = 0; i < count; i++)
        mica__store_number(dtype, (char *)a + (size_t)i * item, false, 0, (double)NAN, (double)NAN);
}

bool mica__all_finite(const void *a, int64_t count, mica_dtype dtype)
{
    double sum = 0; /* 0 times anything finite is 0, else NaN */
    if (dtype == MICA_FLOAT64) {
        const double *x = a;
        for (int64_t i = 0; i < count; i++) sum += x[i] * 0.0;
    } else {
        const float *x = a;
        float part = 0;
        for (int64_t i = 0; i < (dtype == MICA_COMPLEX64 ? 2 * count : count); i++)
            part += x[i] * 0.0f;
        sum = part;
    }
    return sum == 0;
}

bool mica__triangle_finite(const void *a, int64_t n, bool upper, mica_dtype dtype)
{
    for (int64_t r = 0; r < n; r++) {
        int64_t from = upper ? r : 0, to = upper ? n : r + 1;
        const char *row = (const char *)a + (size_t)(r * n + from) * mica__dtype_sizes[dtype];
        if (!mica__all_finite(row, to - from, dtype)) return false;
    }
    return true;
}
