/* The intra-op thread pool, shared by all streams. Work is cut by the caller into `count` tasks whose boundaries do not depend on
   the number of threads, so results do not either. */
#ifndef MICA_ENGINE_POOL_H
#define MICA_ENGINE_POOL_H

#include "base/base.h"

/* Runs body(context, index) for every index in [0, count), on the calling thread and on the pool's; returns when all are done.
   Tasks are handed out in order. Nested calls run on the calling thread alone. Never fails. */
void mica__parallel(size_t count, void (*body)(void *context, size_t index), void *context);

/* Threads that mica__parallel can use, the caller included: affinity and cgroup quota, or MICA_THREADS. */
size_t mica__thread_count(void);
/* Test hook and setting: 0 restores the default. */
MICA_API void mica__set_thread_count(size_t count);

#endif
