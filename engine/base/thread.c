/* Threads, locks and clocks on POSIX. */
#define _GNU_SOURCE 1
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "base/system.h"
#include "base/thread.h"

void mica__mutex_init(mica__mutex *m)
{
    pthread_mutex_init(&m->lock, NULL);
}
void mica__mutex_destroy(mica__mutex *m)
{
    pthread_mutex_destroy(&m->lock);
}

void mica__condition_init(mica__condition *c)
{
#ifdef __APPLE__
    pthread_cond_init(&c->condition, NULL);
#else
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&c->condition, &attributes);
    pthread_condattr_destroy(&attributes);
#endif
}

void mica__condition_destroy(mica__condition *c)
{
    pthread_cond_destroy(&c->condition);
}
void mica__condition_wait(mica__condition *c, mica__mutex *held)
{
    pthread_cond_wait(&c->condition, &held->lock);
}
void mica__condition_signal(mica__condition *c)
{
    pthread_cond_signal(&c->condition);
}
void mica__condition_broadcast(mica__condition *c)
{
    pthread_cond_broadcast(&c->condition);
}

bool mica__condition_wait_until(mica__condition *c, mica__mutex *held, int64_t deadline)
{
#ifdef __APPLE__
    int64_t left = deadline - mica__now();
    if (left < 0) left = 0;
    struct timespec t = { left / 1000000000, left % 1000000000 };
    return pthread_cond_timedwait_relative_np(&c->condition, &held->lock, &t) != ETIMEDOUT;
#else
    struct timespec t = { .tv_sec = deadline / 1000000000, .tv_nsec = deadline % 1000000000 };
    return pthread_cond_timedwait(&c->condition, &held->lock, &t) != ETIMEDOUT;
#endif
}

/* Watches without writing, so that the holder keeps its cache line; gives the processor away when
   the holder does not seem to be running. */
void mica__spinlock_wait(mica__spinlock *l)
{
    unsigned rounds = 0;
    do {
        while (atomic_load_explicit(&l->held, memory_order_relaxed)) {
            mica__cpu_pause();
            if (++rounds % 128 == 0) sched_yield();
        }
    } while (atomic_exchange_explicit(&l->held, true, memory_order_acquire));
}

typedef struct start {
    void (*body)(void *);
    void *argument;
    char name[16];
} start;

static void *run(void *argument)
{
    start s = *(start *)argument;
    free(argument);
#ifdef __linux__
    pthread_setname_np(pthread_self(), s.name);
#endif
    s.body(s.argument);
    return NULL;
}

enum { STACK = 4 << 20 };

/* pthread_create does not tell whether it failed for want of memory or of threads. */
static bool has_room_for_stack(void)
{
    size_t bytes = STACK + STACK / 4;
    void *room = mica__pages_map(bytes);
    if (room) mica__pages_unmap(room, bytes);
    return room != NULL;
}

int mica__thread_start(mica__thread *t, const char *name, void (*body)(void *), void *argument)
{
    start *s = malloc(sizeof *s); /* no injected failure: the pool must not lose threads over one */
    if (!s) {
        mica__reclaim_memory();
        s = malloc(sizeof *s);
    }
    if (!s) return mica__fail_memory("thread", sizeof *s);
    *s = (start){ .body = body, .argument = argument };
    for (size_t i = 0; i + 1 < sizeof s->name && name[i]; i++) s->name[i] = name[i];

    /* A fault whose signal is blocked would end the process without asking the handler. */
    static const int faults[] = { SIGBUS, SIGSEGV, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGPROF };
    sigset_t blocked, before;
    sigfillset(&blocked);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) sigdelset(&blocked, faults[i]);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK);
    pthread_sigmask(SIG_BLOCK, &blocked, &before);
    int code = pthread_create(&t->thread, &attributes, run, s);
    if (code && !has_room_for_stack()) {
        mica__reclaim_memory();
        code = pthread_create(&t->thread, &attributes, run, s);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    if (!code) return MICA_OK;
    free(s);
    return mica__fail(MICA_EOS, "[thread] cannot start another thread: %s", strerror(code));
}

void mica__thread_join(mica__thread *t)
{
    pthread_join(t->thread, NULL);
}
void mica__thread_detach(mica__thread *t)
{
    pthread_detach(t->thread);
}
void mica__thread_yield(void)
{
    sched_yield();
}

int64_t mica__now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}
