/* Indices that only the data tell. One out of range is never followed: the kernel goes on without
 * it, and the first one fails the launch. */
#ifndef MICA_ENGINE_INDEX_H
#define MICA_ENGINE_INDEX_H

#include <inttypes.h>
#include <stdio.h>

#include "backend/cpu/kernel.h"
#include "core/origin.h"

typedef struct mica__index_fault {
    atomic_size_t first; /* place of the first bad index among all, SIZE_MAX when there is none: the
                            same for any number of threads */
} mica__index_fault;

static inline void mica__index_fault_add(mica__index_fault *f, size_t place)
{
    size_t seen = atomic_load_explicit(&f->first, memory_order_relaxed);
    while (place < seen && !atomic_compare_exchange_weak(&f->first, &seen, place)) continue;
}

/* Element i of an index array as the program wrote it, for messages. */
typedef struct mica__index_text {
    char at[24];
} mica__index_text;

static inline mica__index_text mica__index_text_of(const void *data, mica_dtype dtype, int64_t i)
{
    mica__index_text text;
    if (dtype == MICA_UINT64)
        snprintf(text.at, sizeof text.at, "%" PRIu64, ((const uint64_t *)data)[i]);
    else snprintf(text.at, sizeof text.at, "%" PRId64, mica__index_at(data, dtype, i));
    return text;
}

/* The index at `data` is wrong; `axis` is one of the node's, which may have more than the user's
 * call. */
static inline int mica__index_error(const mica_node *node, const char *name, const void *data,
                                    mica_dtype dtype, int64_t axis, int64_t size)
{
    return mica__fail(MICA_EINDEX, "[%s] index %s is out of range for axis %lld with size %lld",
                      name, mica__index_text_of(data, dtype, 0).at,
                      (long long)mica__origin_axis(node->origin, axis), (long long)size);
}

/* A negative index counts from the end, once. Returns -1 when out of range. */
static inline int64_t mica__index_wrap(int64_t i, int64_t size)
{
    if (i < 0) i += size;
    return i < 0 || i >= size ? -1 : i;
}

#endif
