/* Waiting: each thread that waits says what it waits for as a question, and is woken when the
   answer is yes. Whoever changes anything that may be waited for tells so afterwards; the questions
   of all waiting threads are asked then, which is a few loads each, instead of waking all of them
   to look for themselves. All under the lock. */
#include "runtime/queue.h"

typedef struct waiter {
    mica__condition woken;
    mica__over *over;
    const void *context;
    bool told;
    struct waiter *next, **place;
} waiter;

static waiter *waiters;
static uint64_t wakes;

void mica__queue_tell(void)
{
    for (waiter *w = waiters; w; w = w->next) {
        if (w->told || !w->over(w->context)) continue;
        w->told = true;
        mica__condition_signal(&w->woken);
    }
}

bool mica__queue_wait_until(int64_t deadline, mica__over *over, const void *context)
{
    waiter w = { .over = over, .context = context, .next = waiters, .place = &waiters };
    mica__condition_init(&w.woken);
    if (waiters) waiters->place = &w.next;
    waiters = &w;
    bool in_time = true;
    while (!w.told && in_time) {
        if (deadline == INT64_MAX) mica__condition_wait(&w.woken, &mica__queue_lock);
        else in_time = mica__condition_wait_until(&w.woken, &mica__queue_lock, deadline);
        wakes += in_time;
    }
    *w.place = w.next;
    if (w.next) w.next->place = w.place;
    mica__condition_destroy(&w.woken);
    return w.told;
}

int mica__queue_wait(bool ask, mica__over *over, const void *context)
{
    enum { ASK_EVERY = 20 * 1000 * 1000 }; /* nanoseconds */
    bool asks = ask && mica__interrupt_hook;
    if (mica__queue_wait_until(asks ? mica__now() + ASK_EVERY : INT64_MAX, over, context))
        return MICA_OK;
    mica__mutex_unlock(&mica__queue_lock); /* the hook runs what it likes */
    bool stop = mica__interrupt_hook() != 0;
    mica__mutex_lock(&mica__queue_lock);
    return stop ? mica__fail_interrupted() : MICA_OK;
}

uint64_t mica__queue_wakes(void)
{
    mica__mutex_lock(&mica__queue_lock);
    uint64_t count = wakes;
    mica__mutex_unlock(&mica__queue_lock);
    return count;
}

void mica__waits_forget(void)
{
    waiters = NULL;
}
