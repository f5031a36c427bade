/* Engine-internal side of the caching allocator; mica__memory_take and _give are declared in
 * pool.h. */
#ifndef MICA_ENGINE_MEMORY_H
#define MICA_ENGINE_MEMORY_H

#include "mica/memory.h"
#include "runtime/pool.h"

/* Bytes that a request really occupies: its size class. A buffer can serve any request of the same
 * class. SIZE_MAX: too large. */
MICA_API size_t mica__memory_class_bytes(size_t bytes);

/* Whether so many bytes more stay within the limit. */
bool mica__memory_has_room(size_t bytes);

/* For tests and benchmarks. */
typedef struct mica__memory_counts {
    uint64_t hits, misses, evictions;
    size_t blocks; /* cached now */
} mica__memory_counts;
MICA_API mica__memory_counts mica__memory_counters(void);
/* Test hook: forgets what the cache's automatic bound learned from earlier work. */
MICA_API void mica__memory_forget(void);

#endif
