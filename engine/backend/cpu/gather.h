/* Reads a strided, broadcast or transposed operand block by block in the order of a walk over its
 * axes. */
#ifndef MICA_ENGINE_GATHER_H
#define MICA_ENGINE_GATHER_H

#include "backend/cpu/pick.h"
#include "core/node.h"

typedef struct mica__gather {
    int ndim;    /* after collapsing; at least 1 */
    size_t item; /* bytes of an element */
    const char *data;
    mica__pick *pick; /* of elements that do not lie side by side */
    int64_t shape[MICA_MAX_NDIM], strides[MICA_MAX_NDIM]; /* strides in elements */
} mica__gather;

void mica__gather_init(mica__gather *g, int ndim, const int64_t *shape, const int64_t *strides,
                       size_t item, const char *data);
mica__gather *mica__gather_new(mica__arena *arena, int ndim, const int64_t *shape,
                               const int64_t *strides, size_t item, const char *data);
/* Copies elements start .. start + n of the walk to `out`, contiguous. */
void mica__gather_run(const mica__gather *g, int64_t start, size_t n, void *out);

#endif
