/* Sorting unsigned keys in vectors: between sort.c and the units of the instruction sets. */
#ifndef MICA_ENGINE_SORT_LOOPS_H
#define MICA_ENGINE_SORT_LOOPS_H

#include "core/node.h"

typedef struct mica__sort_loops {
    /* Keys of n contiguous elements, and elements of keys (sort_keys.h). */
    void (*load)(mica_dtype dtype, const void *in, int64_t n, bool signed_zero, void *keys);
    void (*store)(mica_dtype dtype, const void *keys, int64_t n, void *out);
    /* Sort n keys in place; `other` is memory for as many. Not stable: keys that are equal are the
     * same. NULL where vectors cannot be permuted by what is in them. */
    void (*narrow)(uint32_t *keys, uint32_t *other, size_t n);
    void (*wide)(uint64_t *keys, uint64_t *other, size_t n);
    /* Keys below the kth smallest first, then those alike, then those above, each in their order;
     * keys that differ in the bits `alike` only are alike. `b` and `c` are memory for n keys. */
    void (*part_narrow)(uint32_t *keys, uint32_t *b, uint32_t *c, size_t n, size_t kth,
                        uint32_t alike);
    void (*part_wide)(uint64_t *keys, uint64_t *b, uint64_t *c, size_t n, size_t kth,
                      uint64_t alike);
} mica__sort_loops;

extern const mica__sort_loops mica__sort_portable, mica__sort_v3, mica__sort_v4;

/* Those of the instruction set in use. */
MICA_API const mica__sort_loops *mica__sort_loops_in_use(void);

#endif
