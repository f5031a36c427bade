/* Between the parts of the sort family. */
#ifndef MICA_ENGINE_SORT_H
#define MICA_ENGINE_SORT_H

#include "backend/cpu/sort_loops.h"

/* From this size on, a sequence that stands alone is sorted by several threads. */
enum { MICA_SORT_LARGE = 1 << 15 };

/* Sorts n contiguous elements, stably, NaN last, into `out`: the elements, or their indices. */
int mica__sort_large(mica_dtype dtype, const void *in, int64_t n, bool indices, void *out);

typedef struct mica__sorting {
    const mica_array *in;
    mica_array *out;
    bool indices;
    int64_t kth; /* of a partition; -1: sort */
    int64_t outer, n, inner, tile, tiles, a_task;
    const mica__sort_loops *loops;
    atomic_int status;
} mica__sorting;

/* Whether vectors can sort these; then m sequences that begin at element `start`, inner apart, in
 * `memory` (mica__sort_bytes). False: keys are too alike; digits must sort them. */
size_t mica__sort_bytes(const mica__sorting *q);
bool mica__sorts_in_vectors(const mica__sorting *q);
bool mica__sort_in_vectors(const mica__sorting *q, int64_t start, int64_t m, char *memory);

#endif
