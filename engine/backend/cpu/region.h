/* Copies and combinations between regions of arrays: what concatenation, slices and scattering are
 * made of. */
#ifndef MICA_ENGINE_REGION_H
#define MICA_ENGINE_REGION_H

#include "backend/cpu/loop.h"
#include "core/node.h"
#include "mica/index.h"

/* How elements of one type are put into place. */
typedef struct mica__combine {
    mica_scatter_mode mode;
    mica_dtype dtype;
    size_t item;
    mica__loop *loop;      /* combines two operands, in float32 for halves; NULL for SET */
    mica__loop *up, *down; /* halves to float32 and back */
} mica__combine;

int mica__combine_init(mica__combine *c, const char *name, mica_scatter_mode mode,
                       mica_dtype dtype);
/* to[i * to_stride] = combine(to[i * to_stride], from[i * from_stride]) for n elements, in order.
 */
void mica__combine_row(const mica__combine *c, void *to, int64_t to_stride, const void *from,
                       int64_t from_stride, int64_t n);
/* The same for a grid of elements without duplicates; large ones in parallel. Strides in elements.
 */
void mica__combine_region(const mica__combine *c, int ndim, const int64_t *shape, void *to,
                          const int64_t *to_strides, const void *from, const int64_t *from_strides);

#endif
