/* Pausing: fork waits until every thread is between two steps, and none begins another meanwhile.

   A step that is under way writes into its inputs' memory where that is donated, and lets go of its
   inputs before its results count as done: the child, which lacks the thread, could neither go on
   nor begin again. */
#include "runtime/queue.h"

/* Nanoseconds that fork waits for steps under way. One may be blocked by what the forking thread
   holds (an interpreter's lock); its results are lost to the child then. */
#define PATIENCE ((int64_t)2 * 1000000000)

static struct {
    mica__mutex lock; /* held across fork */
    mica__condition changed;
    _Atomic bool forking;
    _Atomic int steps; /* under way */
} pause = { .lock = MICA_MUTEX_INIT };
/* Steps of the calling thread: more than one where an interrupt hook evaluates. */
static _Thread_local int steps_here;

void mica__step_enter(mica__work *w)
{
    atomic_fetch_add(&pause.steps, 1);
    while (atomic_load(&pause.forking) && !steps_here) {
        mica__mutex_lock(&pause.lock);
        atomic_fetch_sub(&pause.steps, 1);
        mica__condition_broadcast(&pause.changed);
        while (atomic_load(&pause.forking)) mica__condition_wait(&pause.changed, &pause.lock);
        atomic_fetch_add(&pause.steps, 1);
        mica__mutex_unlock(&pause.lock);
    }
    steps_here++;
    w->under_way = true;
}

void mica__step_leave(mica__work *w)
{
    w->under_way = false;
    steps_here--;
    atomic_fetch_sub(&pause.steps, 1);
    if (!atomic_load(&pause.forking)) return;
    mica__mutex_lock(&pause.lock);
    mica__condition_broadcast(&pause.changed);
    mica__mutex_unlock(&pause.lock);
}

static void before_fork(void)
{
    int64_t end = mica__now() + PATIENCE;
    mica__mutex_lock(&pause.lock);
    atomic_store(&pause.forking, true);
    bool late = false;
    while (atomic_load(&pause.steps) > steps_here && !late)
        late = !mica__condition_wait_until(&pause.changed, &pause.lock, end);
}
static void after_fork_parent(void)
{
    if (!atomic_load(&pause.forking)) return; /* the first step's thread has just come between */
    atomic_store(&pause.forking, false);
    mica__condition_broadcast(&pause.changed);
    mica__mutex_unlock(&pause.lock);
}
static void after_fork_child(void)
{
    atomic_store(&pause.steps, steps_here);
    mica__condition_init(&pause.changed);
    if (!atomic_load(&pause.forking)) return;
    atomic_store(&pause.forking, false);
    mica__mutex_unlock(&pause.lock);
}

int mica__pause_begin(void)
{
    mica__condition_init(&pause.changed);
    return mica__around_fork(before_fork, after_fork_parent, after_fork_child);
}
