/* Host memory with injectable failures, and the counters of live objects. */
#include <pthread.h>
#include <stdlib.h>

#include "base/base.h"

/* Allocations that still succeed; negative: all do. */
static _Atomic int64_t failure_countdown = -1;

/* Each thread counts in lines of its own: a locked addition would cost more than what it counts.
 * Tallies of ended threads are used again; they are never freed, and what they counted stays. */
typedef struct tally {
    _Alignas(64) _Atomic int64_t live[MICA_LIVE_COUNT];
    struct tally *next;
    _Atomic bool taken;
} tally;
static tally shared = { .taken = true }; /* of threads without memory for one */
static _Atomic(tally *) tallies = &shared;
static _Thread_local tally *mine;
static pthread_key_t tally_key;
static pthread_once_t tally_once = PTHREAD_ONCE_INIT;

void mica__inject_failure(int64_t count)
{
    atomic_store_explicit(&failure_countdown, count < 0 ? -1 : count, memory_order_relaxed);
}

/* Counts one allocation; true when it is the one that has to fail. */
static bool must_fail(void)
{
    int64_t left = atomic_load_explicit(&failure_countdown, memory_order_relaxed);
    while (left >= 0)
        if (atomic_compare_exchange_weak_explicit(&failure_countdown, &left, left - 1,
                                                  memory_order_relaxed, memory_order_relaxed))
            return left == 0;
    return false;
}

bool mica__injected_failure(void)
{
    if (!must_fail()) return false;
    mica__fail(MICA_EMEMORY, "[allocate] an allocation failed on request");
    return true;
}

/* What other destructors of the thread still count goes to the shared one. */
static void tally_give(void *taken)
{
    mine = &shared;
    atomic_store_explicit(&((tally *)taken)->taken, false, memory_order_release);
}

static void tally_make_key(void)
{
    pthread_key_create(&tally_key, tally_give);
}

/* A tally for the calling thread, until it ends. */
static tally *tally_take(void)
{
    pthread_once(&tally_once, tally_make_key);
    tally *t = atomic_load_explicit(&tallies, memory_order_acquire);
    while (t && (atomic_load_explicit(&t->taken, memory_order_relaxed) ||
                 atomic_exchange_explicit(&t->taken, true, memory_order_acquire)))
        t = t->next;
    if (!t) {
        t = aligned_alloc(_Alignof(tally), sizeof *t);
        if (!t) return &shared;
        memset(t, 0, sizeof *t);
        t->taken = true;
        t->next = atomic_load_explicit(&tallies, memory_order_relaxed);
        while (!atomic_compare_exchange_weak_explicit(&tallies, &t->next, t, memory_order_release,
                                                      memory_order_relaxed))
            ;
    }
    pthread_setspecific(tally_key, t);
    return mine = t;
}

static inline void count(tally *t, mica__live_kind kind, int64_t change)
{
    if (t == &shared) {
        atomic_fetch_add_explicit(&t->live[kind], change, memory_order_relaxed);
        return;
    }
    int64_t before = atomic_load_explicit(&t->live[kind], memory_order_relaxed);
    atomic_store_explicit(&t->live[kind], before + change, memory_order_relaxed);
}

void mica__live_add(mica__live_kind kind, int64_t change)
{
    count(mine ? mine : tally_take(), kind, change);
}

void mica__live_add_listed(mica__live_kind kind, int64_t change)
{
    tally *t = mine ? mine : tally_take();
    count(t, kind, change);
    count(t, MICA_LIVE_HOST, change);
}

int64_t mica__live(mica__live_kind kind)
{
    int64_t sum = 0;
    for (const tally *t = atomic_load_explicit(&tallies, memory_order_acquire); t; t = t->next)
        sum += atomic_load_explicit(&t->live[kind], memory_order_relaxed);
    return sum;
}

void (*_Atomic mica__reclaim_cache)(void);

void mica__reclaim_memory(void)
{
    void (*reclaim)(void) = atomic_load(&mica__reclaim_cache);
    if (reclaim) reclaim();
}

/* No address space holds more: refused without asking, since memory checkers end the process over
 * such a request. */
#define MOST_BYTES ((size_t)1 << 47)

static void *counted(void *memory, size_t bytes)
{
    if (memory) mica__live_add(MICA_LIVE_HOST, 1);
    else mica__fail_memory("allocate", bytes);
    return memory;
}

/* realloc, which is malloc for new memory; asks again when there was none. */
static void *take(void *memory, size_t bytes)
{
    if (bytes > MOST_BYTES) return NULL;
    if (!bytes) bytes = 1;
    void *taken = memory ? realloc(memory, bytes) : malloc(bytes);
    if (taken) return taken;
    mica__reclaim_memory();
    return realloc(memory, bytes);
}

static void *take_zero(size_t bytes)
{
    if (bytes > MOST_BYTES) return NULL;
    if (!bytes) bytes = 1;
    void *taken = calloc(1, bytes);
    if (taken) return taken;
    mica__reclaim_memory();
    return calloc(1, bytes);
}

void *mica__alloc(size_t bytes)
{
    if (mica__injected_failure()) return NULL;
    return counted(take(NULL, bytes), bytes);
}

void *mica__alloc_zero(size_t count, size_t size)
{
    if (mica__injected_failure()) return NULL;
    size_t bytes;
    if (mica__mul_overflow(count, size, &bytes)) {
        mica__fail(MICA_EMEMORY, "[allocate] %zu times %zu bytes do not fit in memory", count,
                   size);
        return NULL;
    }
    return counted(take_zero(bytes), bytes);
}

void *mica__realloc(void *memory, size_t bytes)
{
    if (!memory) return mica__alloc(bytes);
    if (mica__injected_failure()) return NULL;
    void *moved = take(memory, bytes);
    if (!moved) mica__fail_memory("allocate", bytes);
    return moved;
}

void mica__free(void *memory)
{
    if (!memory) return;
    mica__live_add(MICA_LIVE_HOST, -1);
    free(memory);
}
