/* The cache's allowance: windows of traffic, and what giving back too much costs. */
#include "runtime/allowance.h"

#include "base/thread.h"

void mica__allowance_next_window(mica__allowance *a, size_t active)
{
    a->last_peak = a->window_peak;
    a->window_peak = active;
    a->window_end = a->traffic + (uint64_t)allowance_recent_peak(a) * WINDOW_TURNS;
    memset(a->dropped, 0, sizeof a->dropped);
}

/* Blocks were given back and their sizes asked for again, as much as is needed at once: that costs
   about half a nanosecond a byte (0.7 in pages of 4 KiB, less in huge ones). Where it is more than
   a hundredth of the time, more may be held from now on, so that nothing is missing in the end. */
static void learn(mica__allowance *a)
{
    int64_t now = mica__now(), cost = (int64_t)(a->refaulted / 2);
    if (cost > (now - a->learned) / 100 && a->eighths < MOST_ALLOWANCE) a->eighths += 2;
    a->learned = now;
    a->refaulted = 0;
}

void mica__allowance_note_miss(mica__allowance *a, unsigned class, size_t size)
{
    if (a->dropped[class] < size) return;
    a->dropped[class] -= size;
    a->refaulted += size;
    if (a->refaulted > allowance_recent_peak(a)) learn(a);
}

void mica__allowance_forget(mica__allowance *a, size_t active)
{
    a->window_peak = a->last_peak = active;
    a->eighths = LEAST_ALLOWANCE;
    a->window_end = a->traffic + (uint64_t)FLOOR * WINDOW_TURNS;
}
