/* The intra-op thread pool, shared by all streams. Work is cut by the caller into `count` tasks
   whose boundaries do not depend on the number of threads, so results do not either. */
#ifndef MICA_ENGINE_POOL_H
#define MICA_ENGINE_POOL_H

#include "base/base.h"

/* Runs body(context, index) for every index in [0, count), on the calling thread and on the pool's;
   returns when all are done. Tasks are handed out in order. Nested calls run on the calling thread
   alone. Never fails. */
void mica__parallel(size_t count, void (*body)(void *context, size_t index), void *context);

/* Whom the calling thread's parallel sections ask, between tasks, whether to give up; NULL: nobody.
 */
typedef bool mica__give_up(void *context);
void mica__parallel_ask(mica__give_up *ask, void *context);
/* From here the calling thread's sections may give up: they leave out their remaining tasks, as do
   all later sections until mica__parallel_finish, which tells whether it happened. The results are
   then worthless. */
void mica__parallel_begin(void);
bool mica__parallel_finish(void);
/* From here they may not any more: what is written cannot be taken back. False: it is too late. */
bool mica__parallel_keep_on(void);
/* Asked by tasks that take long, now and then, and by kernels between their sections: whether the
 * results are worthless, so that the task had better end, and memory that other tasks were to fill
 * may not be what it should be. */
bool mica__parallel_given_up(void);

/* Threads that mica__parallel can use, the caller included: affinity and cgroup quota, or
 * MICA_THREADS. */
size_t mica__thread_count(void);
/* Test hook and setting: 0 restores the default. */
MICA_API void mica__set_thread_count(size_t count);

#endif
