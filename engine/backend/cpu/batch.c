/* Pairs of matrices that indices pick. */
#include "backend/cpu/batch.h"

#include <stdlib.h>

/* The index, 0 for one out of range. */
static int64_t pick(mica__pairs *p, size_t place, const mica_array *index, ptrdiff_t at,
                    int64_t size)
{
    int64_t i =
        mica__index_wrap(mica__index_at(index->data, (mica_dtype)index->dtype, (int64_t)at), size);
    if (i >= 0) return i;
    mica__index_fault_add(&p->fault, place);
    return 0;
}

int mica__pairs_of(mica__pairs *p, mica__arena *scratch, const char *name, int leading,
                   const mica_array *left, const mica_array *right, const mica_array *lhs,
                   const mica_array *rhs)
{
    size_t groups = 1, each = lhs ? (size_t)lhs->shape[leading] : 1, bytes;
    for (int i = 0; i < leading; i++) groups *= (size_t)left->shape[i];
    *p = (mica__pairs){ .count = groups * each, .name = name };
    atomic_init(&p->fault.first, SIZE_MAX);
    if (!p->count) return MICA_OK;
    if (mica__mul_overflow(p->count, sizeof *p->at, &bytes))
        return mica__fail(MICA_EOVERFLOW, "[%s] too many matrices", name);
    p->at = mica__arena_alloc(scratch, bytes);
    if (!p->at) return MICA_EMEMORY;
    mica__leading a = { .a = left, .n = leading }, b = { .a = right, .n = leading },
                  l = { .a = lhs, .n = leading }, r = { .a = rhs, .n = leading };
    for (size_t g = 0, k = 0; g < groups; g++) {
        for (size_t i = 0; i < each; i++, k++) {
            p->at[k] = (mica__pair){ a.offset, b.offset, k };
            if (!lhs) continue;
            ptrdiff_t at = (ptrdiff_t)i;
            p->at[k].left +=
                left->strides[leading] *
                pick(p, k, lhs, l.offset + at * lhs->strides[leading], left->shape[leading]);
            p->at[k].right +=
                right->strides[leading] *
                pick(p, k, rhs, r.offset + at * rhs->strides[leading], right->shape[leading]);
        }
        mica__leading_next(&a);
        mica__leading_next(&b);
        if (lhs) mica__leading_next(&l);
        if (rhs) mica__leading_next(&r);
    }
    return MICA_OK;
}

int mica__pairs_status(const mica__pairs *p, const mica_array *lhs, const mica_array *rhs,
                       int leading, const mica_array *left, const mica_array *right)
{
    size_t place = atomic_load(&p->fault.first);
    if (place == SIZE_MAX) return MICA_OK;
    const mica_array *index[2] = { lhs, rhs }, *of[2] = { left, right };
    for (int k = 0; k < 2; k++) {
        mica__leading w = { .a = index[k], .n = leading };
        size_t each = (size_t)index[k]->shape[leading];
        for (size_t g = 0; g < place / each; g++) mica__leading_next(&w);
        ptrdiff_t at = w.offset + (ptrdiff_t)(place % each) * index[k]->strides[leading];
        int64_t i = mica__index_at(index[k]->data, (mica_dtype)index[k]->dtype, (int64_t)at);
        if (mica__index_wrap(i, of[k]->shape[leading]) < 0)
            return mica__fail(
                MICA_EINDEX,
                "[%s] %s index %s is out of range for %lld matrices; accepted: "
                "%lld to %lld",
                p->name, k ? "rhs" : "lhs",
                mica__index_text_of(index[k]->data, (mica_dtype)index[k]->dtype, (int64_t)at).at,
                (long long)of[k]->shape[leading], -(long long)of[k]->shape[leading],
                (long long)of[k]->shape[leading] - 1);
    }
    return MICA_ERUNTIME;
}

static int by_right(const void *x, const void *y)
{
    const mica__pair *a = x, *b = y;
    if (a->right != b->right) return a->right < b->right ? -1 : 1;
    return a->place < b->place ? -1 : a->place > b->place;
}

void mica__pairs_sort(mica__pairs *p)
{
    for (size_t i = 1; i < p->count; i++)
        if (p->at[i].right < p->at[i - 1].right) {
            qsort(p->at, p->count, sizeof *p->at, by_right);
            return;
        }
}
