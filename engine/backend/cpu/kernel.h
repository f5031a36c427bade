/* The contract of structured CPU kernels: what they are given, what they fill, how they fail. */
#ifndef MICA_ENGINE_KERNEL_H
#define MICA_ENGINE_KERNEL_H

#include "core/node.h"
#include "ops/params.h"
#include "runtime/pool.h"

/* One launch. Inputs are evaluated and aligned: dtype, ndim, shape, strides (elements, may be 0 or
   negative), data. Unless the row has STRIDED, inputs are row-major. Outputs have row-major memory,
   uninitialised; an output may share the memory of an input only if the kernel asked
   (mica__launch_donate). */
typedef struct mica__launch {
    const mica_node *node; /* parameters: MICA_PARAMS(l->node, sort)->axis */
    size_t ninputs, noutputs;
    mica_array *const *in;
    mica_array *out;     /* out[i] */
    mica__arena scratch; /* freed after the launch: mica__arena_alloc(&l->scratch, bytes) for small
                            things */
} mica__launch;

/* Returns MICA_OK, or a status after mica__fail. A fault of the data (an index out of range) is
   MICA_EINDEX, EVALUE or ERUNTIME: it sticks to the node. EMEMORY leaves the node pending. Kernels
   clamp or skip and go on safely; they never read or write outside the arrays. They parallelise by
   mica__parallel over tasks whose boundaries depend on shapes alone. */
typedef int mica__kernel(mica__launch *l);

/* The kernel of a primitive; NULL for element-wise and VIEW primitives. */
extern mica__kernel *const mica__cpu_kernels[MICA_PRIM_COUNT];

/* For copying primitives (slice_update, scatter, ...): makes out[0]'s memory hold a copy of input
   0, or takes over the input's memory when nobody else needs it (in place: no copy). Call it
   instead of copying. in[0] must have out[0]'s dtype and shape. */
int mica__launch_donate(mica__launch *l);

/* Gives an output row-major memory, uninitialised. */
int mica__allocate_output(mica_array *out);
/* Takes from a node's outputs what they were given, after a failure. */
void mica__withdraw(mica_node *n);
/* Makes an output share its input's memory, with strides of its own and an offset in bytes. */
void mica__share(mica_array *out, const mica_array *in, const int64_t *strides, ptrdiff_t offset);

/* Copies any strided array to row-major memory at `to` (size * itemsize bytes), in parallel for
 * large ones. */
void mica__copy_to_row_major(const mica_array *a, void *to);
/* The same of a part with a geometry of its own; strides in elements of `item` bytes. */
void mica__gather_to_row_major(int ndim, const int64_t *shape, const int64_t *strides, size_t item,
                               const void *from, void *to);
/* The same on one thread, and to has strides too. */
void mica__copy_strided(int64_t ndim, const int64_t *shape, size_t item, const void *from,
                        const int64_t *from_strides, void *to, const int64_t *to_strides);
/* A row-major copy of an evaluated array, as an array of the caller's own; mica__drop_copy frees
 * its memory. */
int mica__row_major_copy(const mica_array *a, mica_array *copy);
void mica__drop_copy(mica_array *copy);
/* Conversion between types of n contiguous elements. */
void mica__convert(size_t n, const void *from, mica_dtype from_dtype, void *to,
                   mica_dtype to_dtype);

/* The index stored at element i of a contiguous index array of any integer type. */
static inline int64_t mica__index_at(const void *data, mica_dtype dtype, int64_t i)
{
    switch (dtype) {
    case MICA_BOOL:
    case MICA_UINT8: return ((const uint8_t *)data)[i];
    case MICA_INT8: return ((const int8_t *)data)[i];
    case MICA_UINT16: return ((const uint16_t *)data)[i];
    case MICA_INT16: return ((const int16_t *)data)[i];
    case MICA_UINT32: return ((const uint32_t *)data)[i];
    case MICA_INT32: return ((const int32_t *)data)[i];
    case MICA_UINT64: {
        uint64_t u = ((const uint64_t *)data)[i];
        return u > INT64_MAX ? INT64_MAX : (int64_t)u;
    }
    default: return ((const int64_t *)data)[i];
    }
}

#endif
