/* Indices that only the data tell. One out of range is never followed: the kernel goes on without
 * it, and the first one fails the launch. */
#ifndef MICA_ENGINE_INDEX_H
#define MICA_ENGINE_INDEX_H

#include "base/base.h"

typedef struct mica__index_fault {
    atomic_size_t first; /* place of the first bad index among all, SIZE_MAX when there is none: the
                            same for any number of threads */
} mica__index_fault;

static inline void mica__index_fault_add(mica__index_fault *f, size_t place)
{
    size_t seen = atomic_load_explicit(&f->first, memory_order_relaxed);
    while (place < seen && !atomic_compare_exchange_weak(&f->first, &seen, place)) continue;
}

static inline int mica__index_error(const char *name, int64_t index, int64_t axis, int64_t size)
{
    return mica__fail(MICA_EINDEX, "[%s] index %lld is out of range for axis %lld with size %lld",
                      name, (long long)index, (long long)axis, (long long)size);
}

/* A negative index counts from the end, once. Returns -1 when out of range. */
static inline int64_t mica__index_wrap(int64_t i, int64_t size)
{
    if (i < 0) i += size;
    return i < 0 || i >= size ? -1 : i;
}

#endif
