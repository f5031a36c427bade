/* Sorting keys in vectors: a quicksort that parts keys by permuting lanes, down to what a sorting
   network sorts in registers (Bramas 2017, arXiv:1704.08579; Blacher et al. 2022,
   arXiv:2205.05982). The order of keys is unique, so every instruction set gives the same bits. */
#include "backend/cpu/sort_loops.h"

#include "backend/cpu/loops.h"
#include "backend/cpu/sort_keys.h"

static void load(mica_dtype dtype, const void *in, int64_t n, bool signed_zero, void *keys)
{
    mica__load_keys(dtype, in, n, 1, 1, signed_zero, keys);
}

static void store(mica_dtype dtype, const void *keys, int64_t n, void *out)
{
    mica__store_values(dtype, keys, n, 1, 1, out);
}

#if MICA_LEVEL > 0
#include "backend/cpu/sort_vectors.h"

#define INLINE       static inline __attribute__((always_inline))
#define NAME_(a, b)  a##_##b
#define NAME__(a, b) NAME_(a, b)
#define NAME(a)      NAME__(a, WIDTH)
#define V            NAME(keys)
#define KEY          NAME(key)
#define LANES        ((int)NAME(LANES))
#define COMPARE      NAME(COMPARE)
#define CHOSEN       NAME(CHOSEN)

#define WIDTH 32
#include "backend/cpu/sort_network.h"
#include "backend/cpu/sort_quick.h"
#include "backend/cpu/sort_select.h"
#undef WIDTH
#define WIDTH 64
#include "backend/cpu/sort_network.h"
#include "backend/cpu/sort_quick.h"
#include "backend/cpu/sort_select.h"

const mica__sort_loops MICA_ISA_FUNCTION(mica__sort_) = { .load = load,
                                                          .store = store,
                                                          .narrow = sort_32,
                                                          .wide = sort_64,
                                                          .part_narrow = partition_32,
                                                          .part_wide = partition_64 };
#else
const mica__sort_loops MICA_ISA_FUNCTION(mica__sort_) = { .load = load, .store = store };
#endif
