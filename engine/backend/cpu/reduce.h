/* Inner loops of reductions, compiled once per instruction set, and the order in which they add up.
 */
#ifndef MICA_ENGINE_REDUCE_H
#define MICA_ENGINE_REDUCE_H

#include "core/node.h"

/* The order, the same on every path and for any number of threads: the elements that go into one
   result are numbered in row-major order. They are cut into chunks; element k of a chunk goes to
   lane k modulo `lanes`; the lanes are folded in halves (j += j + lanes/2, ...). Partial results of
   chunks are combined in order, in a wider type, to those of segments, and these in order to the
   result. */
enum { MICA_REDUCE_CHUNK = 1024, MICA_REDUCE_SEGMENT = 16 * 1024, MICA_REDUCE_LANES = 32 };

typedef enum mica__reduce_op {
    MICA_REDUCE_SUM,
    MICA_REDUCE_PROD,
    MICA_REDUCE_MAX,
    MICA_REDUCE_MIN,
    MICA_REDUCE_ALL,
    MICA_REDUCE_ANY,
    MICA_REDUCE_OPS
} mica__reduce_op;

typedef struct mica__reducer {
    /* Each of `count` rows of at most MICA_REDUCE_CHUNK elements, `stride` elements apart, to one
     * wide value. */
    void (*rows)(const void *x, size_t count, ptrdiff_t stride, size_t n, void *wide);
    /* a[i] = op(a[i], x[i]) for n elements. */
    void (*into)(void *a, const void *x, size_t n);
    /* wide[i] = op(wide[i], x[i]). */
    void (*widen)(void *wide, const void *x, size_t n);
    /* wide[i] = op(wide[i], other[i]). */
    void (*merge)(void *wide, const void *other, size_t n);
    uint8_t lanes;      /* 1 where order does not matter */
    uint8_t wide_dtype; /* type of wide values; complex ones are two float64 */
    uint8_t wide_size;
    uint8_t identity[8]; /* one element */
    uint8_t wide_identity[16];
} mica__reducer;

/* The loops for elements of `dtype` (float32 for halves), by the instruction set in use; rows is
 * NULL where there are none. */
const mica__reducer *mica__reducer_find(mica__reduce_op op, mica_dtype dtype);

typedef mica__reducer mica__reducer_table[MICA_REDUCE_OPS][MICA_DTYPE_COUNT];
void mica__reducers_portable(mica__reducer_table table);
void mica__reducers_v3(mica__reducer_table table);
void mica__reducers_v4(mica__reducer_table table);

#endif
