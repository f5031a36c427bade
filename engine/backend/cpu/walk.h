/* Walks over strided axes in row-major order, run by run. */
#ifndef MICA_ENGINE_WALK_H
#define MICA_ENGINE_WALK_H

#include "mica/base.h"

/* A position in a grid of axes, outermost first, that walks in row-major order. */
typedef struct mica__walk {
    int n;
    int64_t shape[MICA_MAX_NDIM], strides[MICA_MAX_NDIM], index[MICA_MAX_NDIM];
    int64_t offset;
} mica__walk;

/* Axes of size 1 vanish, and those that continue each other become one: neither changes the order.
 */
static inline void mica__walk_add(mica__walk *w, int64_t size, int64_t stride)
{
    if (size == 1) return;
    if (w->n && w->strides[w->n - 1] == stride * size) {
        w->shape[w->n - 1] *= size;
        w->strides[w->n - 1] = stride;
        return;
    }
    w->shape[w->n] = size;
    w->strides[w->n++] = stride;
}

static inline void mica__walk_seek(mica__walk *w, int64_t place)
{
    w->offset = 0;
    for (int i = w->n - 1; i >= 0; i--) {
        w->index[i] = place % w->shape[i];
        place /= w->shape[i];
        w->offset += w->index[i] * w->strides[i];
    }
}

/* Steps over `run` elements of the last axis, which are there. */
static inline void mica__walk_advance(mica__walk *w, int64_t run)
{
    int i = w->n - 1;
    if (i < 0) return;
    w->index[i] += run;
    w->offset += run * w->strides[i];
    while (i > 0 && w->index[i] == w->shape[i]) {
        w->offset -= w->shape[i] * w->strides[i];
        w->index[i--] = 0;
        w->index[i]++;
        w->offset += w->strides[i];
    }
}

static inline int64_t mica__walk_run(const mica__walk *w)
{
    return w->n ? w->shape[w->n - 1] - w->index[w->n - 1] : 1;
}
static inline int64_t mica__walk_stride(const mica__walk *w)
{
    return w->n ? w->strides[w->n - 1] : 1;
}

#endif
