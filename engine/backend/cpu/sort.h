/* Between the parts of the sort family. */
#ifndef MICA_ENGINE_SORT_H
#define MICA_ENGINE_SORT_H

#include "core/node.h"

/* From this size on, a sequence that stands alone is sorted by several threads. */
enum { MICA_SORT_LARGE = 1 << 15 };

/* Sorts n contiguous elements, stably, NaN last, into `out`: the elements, or their indices. */
int mica__sort_large(mica_dtype dtype, const void *in, int64_t n, bool indices, void *out);

#endif
