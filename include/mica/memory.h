/* Memory held by arrays: how much, how much at most, and what is kept for reuse. All sizes are
 * bytes. */
#ifndef MICA_MEMORY_H
#define MICA_MEMORY_H

#include "mica/array.h"

/** Bytes that live arrays and running operations hold now, rounded up to the allocator's size
 * classes. */
MICA_API size_t mica_memory_active(void);

/** The most that mica_memory_active was when memory was taken, since the start or the last
 * mica_memory_reset_peak. */
MICA_API size_t mica_memory_peak(void);

/** Starts the peak anew: it is 0 until memory is next taken. */
MICA_API void mica_memory_reset_peak(void);

/** Bytes of freed buffers that are kept for reuse. They are given back to the system when memory
 * runs short. */
MICA_API size_t mica_memory_cached(void);

/** Gives all cached buffers back to the system. */
MICA_API void mica_memory_clear_cache(void);

/**
 * Bytes of the memory behind evaluated arrays: each buffer once, as large as mica_memory_active
 * counts it; what lies in a file or in foreign memory by the bytes that the arrays read. An array
 * that holds one number, or repeats it, has no buffer. Arrays that are being computed are waited
 * for. Fails with MICA_EVALUE when an array is not evaluated, with MICA_EMEMORY, and as an
 * evaluation that failed; then *bytes is 0.
 */
MICA_API int mica_array_buffer_size(mica_arrays arrays, size_t *bytes);

/** The most that active and cached memory may come to. Default: 80% of the memory of machine and
 * cgroup, or MICA_MEMORY_LIMIT. */
MICA_API size_t mica_memory_limit(void);

/**
 * Sets the limit; an allocation that would exceed it first empties the cache, then fails with
 * MICA_EMEMORY. Arrays that exist are not touched. Returns the previous limit.
 */
MICA_API size_t mica_memory_set_limit(size_t bytes);

/** The most that the cache may hold. Default: a quarter of the memory, at most 4 GiB, or
 * MICA_CACHE_LIMIT. */
MICA_API size_t mica_memory_cache_limit(void);

/**
 * Sets the largest size of the cache; 0 switches it off. Returns the previous limit.
 *
 * As long as nobody sets one, the cache also stays so small that active and cached memory together
 * are at most twice the peak of recent work: sizes that do not come back are dropped, those unused
 * longest first. A limit that was set (here or by MICA_CACHE_LIMIT) is the only bound.
 */
MICA_API size_t mica_memory_set_cache_limit(size_t bytes);

#endif
