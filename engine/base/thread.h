/* Threads, locks and clocks: the only place that knows which system provides them. */
#ifndef MICA_ENGINE_THREAD_H
#define MICA_ENGINE_THREAD_H

#include <pthread.h>

#include "base/base.h"

typedef struct mica__mutex {
    pthread_mutex_t lock;
} mica__mutex;
#define MICA_MUTEX_INIT                                                                            \
    {                                                                                              \
        PTHREAD_MUTEX_INITIALIZER                                                                  \
    }

void mica__mutex_init(mica__mutex *m);
void mica__mutex_destroy(mica__mutex *m);
static inline void mica__mutex_lock(mica__mutex *m)
{
    pthread_mutex_lock(&m->lock);
}
static inline void mica__mutex_unlock(mica__mutex *m)
{
    pthread_mutex_unlock(&m->lock);
}

typedef struct mica__condition {
    pthread_cond_t condition;
} mica__condition;
/* Enough for conditions that nobody waits for with a deadline. */
#define MICA_CONDITION_INIT                                                                        \
    {                                                                                              \
        PTHREAD_COND_INITIALIZER                                                                   \
    }

void mica__condition_init(mica__condition *c);
void mica__condition_destroy(mica__condition *c);
void mica__condition_wait(mica__condition *c, mica__mutex *held);
/* Waits until mica__now reaches `deadline`; false when the time ran out. Only after
 * mica__condition_init. */
bool mica__condition_wait_until(mica__condition *c, mica__mutex *held, int64_t deadline);
void mica__condition_signal(mica__condition *c);
void mica__condition_broadcast(mica__condition *c);

/* For critical sections of some tens of instructions without any call into the system. */
typedef struct mica__spinlock {
    atomic_bool held;
} mica__spinlock;
#define MICA_SPINLOCK_INIT                                                                         \
    {                                                                                              \
        false                                                                                      \
    }

void mica__spinlock_wait(mica__spinlock *l);
static inline void mica__spinlock_lock(mica__spinlock *l)
{
    if (atomic_exchange_explicit(&l->held, true, memory_order_acquire)) mica__spinlock_wait(l);
}
static inline void mica__spinlock_unlock(mica__spinlock *l)
{
    atomic_store_explicit(&l->held, false, memory_order_release);
}

/* Tells the processor that the thread waits in a loop. */
static inline void mica__cpu_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

typedef pthread_once_t mica__once;
#define MICA_ONCE_INIT PTHREAD_ONCE_INIT
static inline void mica__call_once(mica__once *once, void (*body)(void))
{
    pthread_once(once, body);
}

typedef struct mica__thread {
    pthread_t thread;
} mica__thread;
/* Starts a thread that takes no signals but those of its own faults, so Ctrl-C reaches the
 * program's threads. `name`: at most 15 characters. */
int mica__thread_start(mica__thread *t, const char *name, void (*body)(void *), void *argument);
void mica__thread_join(mica__thread *t);
void mica__thread_detach(mica__thread *t);
void mica__thread_yield(void);

/* Nanoseconds of a clock that never goes back. */
int64_t mica__now(void);

/* Called around fork: `before` in the parent (takes locks), `parent` and `child` after it (release
   them); NULL is fine. Handlers of later calls run first before, and last after, as those of
   pthread_atfork. Tables, not handlers, are guarded meanwhile: a handler adds none. */
int mica__at_fork(void (*before)(void), void (*parent)(void), void (*child)(void));
/* The one set that runs before all others, when no lock is held yet, and after all others. */
int mica__around_fork(void (*before)(void), void (*parent)(void), void (*child)(void));

#endif
