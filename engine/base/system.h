/* What the machine and its container grant: processors, memory, pages. */
#ifndef MICA_ENGINE_SYSTEM_H
#define MICA_ENGINE_SYSTEM_H

#include "base/base.h"

/* Processors that this process may use: affinity, cut by the cgroup's quota (version 1 or 2). At
 * least 1. */
size_t mica__cpu_count(void);

/* Bytes of memory this process could ever get: RAM and swap, cut by the cgroup's limit. */
uint64_t mica__memory_total(void);
/* RAM alone, cut by the cgroup's limit. */
uint64_t mica__memory_physical(void);
/* Bytes that the system can hand out now without killing somebody; UINT64_MAX when it does not say.
 */
uint64_t mica__memory_available(void);

/* Whether the calling thread is the one that the process began with; true where that is not known.
 */
bool mica__is_first_thread(void);

size_t mica__page_size(void);
/* Fresh zeroed pages with huge pages asked for; NULL when there are none (no message). `bytes`: a
 * multiple of 64 KiB. */
void *mica__pages_map(size_t bytes);
void mica__pages_unmap(void *memory, size_t bytes);

#endif
