/* Parking: a work that has to wait gives its thread back. It stays the first of its stream's queue,
   and the stream is kept in the list of what it waits for: nodes have theirs in a table by address,
   evaluations one each. Whoever brings about what is waited for wakes that list alone, and the work
   looks again, so being woken for nothing is harmless. All under the lock. */
#include "runtime/queue.h"

enum { LISTS = 4096 };

_Atomic uint32_t mica__waiting;
static mica_stream *lists[LISTS];

static mica_stream **list_of(const mica_node *n)
{
    uint64_t mixed = (uint64_t)(uintptr_t)n * UINT64_C(0x9E3779B97F4A7C15);
    return &lists[mixed >> 52];
}

void mica__park(mica_stream *s, const mica_node *n, mica__job *j)
{
    mica_stream **list = n ? list_of(n) : &j->parked;
    s->awaited = n;
    s->next_parked = *list;
    if (*list) (*list)->place = &s->next_parked;
    s->place = list;
    *list = s;
    atomic_fetch_add(&mica__waiting, 1);
}

void mica__unpark(mica_stream *s)
{
    if (!s->place) return;
    *s->place = s->next_parked;
    if (s->next_parked) s->next_parked->place = s->place;
    s->place = NULL;
    atomic_fetch_sub(&mica__waiting, 1);
}

static void wake(mica_stream *s)
{
    mica__unpark(s);
    mica__queue_ready(s);
}

static void wake_node(mica_node *n, void *unused)
{
    (void)unused;
    for (mica_stream *s = *list_of(n), *next; s; s = next) {
        next = s->next_parked;
        if (s->awaited == n) wake(s);
    }
}

void mica__wake_step(const mica__step *step)
{
    mica__step_each(step, wake_node, NULL);
}

void mica__wake_turn(mica__job *j)
{
    if (j->turn >= j->plan.nsteps) return;
    mica_stream *s = j->plan.steps[j->turn].stream;
    if (s->place) wake(s);
}

void mica__wake_job(mica__job *j)
{
    while (j->parked) wake(j->parked);
}
