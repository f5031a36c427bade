/* Batches of matrices picked by indices: where each lies, and groups of those that share one. */
#ifndef MICA_ENGINE_CPU_BATCH_H
#define MICA_ENGINE_CPU_BATCH_H

#include "backend/cpu/index.h"
#include "backend/cpu/kernel.h"

/* The leading axes of an operand, walked in row-major order: elements from its start. */
typedef struct mica__leading {
    const mica_array *a;
    int n;
    int64_t index[MICA_MAX_NDIM];
    ptrdiff_t offset;
} mica__leading;

static inline void mica__leading_next(mica__leading *w)
{
    for (int i = w->n - 1; i >= 0; i--) {
        w->offset += w->a->strides[i];
        if (++w->index[i] < w->a->shape[i]) return;
        w->offset -= w->a->strides[i] * w->a->shape[i];
        w->index[i] = 0;
    }
}

/* One product: its left and right matrices, in elements from the start of the operands, and its
   place among the results. */
typedef struct mica__pair {
    ptrdiff_t left, right;
    size_t place;
} mica__pair;

/* What the indices of a launch pick. An index out of range is noted in `fault` and taken as 0. */
typedef struct mica__pairs {
    size_t count;
    mica__pair *at;
    mica__index_fault fault;
    const char *name;
} mica__pairs;

/* Operands have `leading` axes, then one that indices pick from, then their matrix; lhs and rhs
   have the leading axes and one more; both NULL: one matrix of each. The pairs are from scratch
   memory. */
int mica__pairs_of(mica__pairs *p, mica__arena *scratch, const char *name, int leading,
                   const mica_array *left, const mica_array *right, const mica_array *lhs,
                   const mica_array *rhs);
/* MICA_OK, or the error of the first bad index. */
int mica__pairs_status(const mica__pairs *p, const mica_array *lhs, const mica_array *rhs,
                       int leading, const mica_array *left, const mica_array *right);
/* Orders pairs so that those of one right matrix follow each other, in the order of their places.
 */
void mica__pairs_sort(mica__pairs *p);
/* The end of the run of pairs with the same right matrix that begins at `first`. */
static inline size_t mica__pairs_run(const mica__pairs *p, size_t first)
{
    size_t last = first + 1;
    while (last < p->count && p->at[last].right == p->at[first].right) last++;
    return last;
}

/* Whether axes from `first` on lie in row-major order. */
static inline bool mica__inner_rows(const mica_array *a, int first)
{
    int64_t expected = 1;
    for (int i = a->ndim - 1; i >= first; i--) {
        if (a->shape[i] != 1 && a->strides[i] != expected) return false;
        expected *= a->shape[i];
    }
    return true;
}

#endif
