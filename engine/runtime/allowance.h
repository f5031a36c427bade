/* How much memory the cache may hold where nobody set a limit: as much as recent work needs at
 * once, and a little more, as far as holding less costs time. Used under the allocator's lock. */
#ifndef MICA_ENGINE_ALLOWANCE_H
#define MICA_ENGINE_ALLOWANCE_H

#include "runtime/size_class.h"

enum { FLOOR = 1 << 20, WINDOW_TURNS = 32, LEAST_ALLOWANCE = 10, MOST_ALLOWANCE = 16 };

typedef struct mica__allowance {
    /* The peak of active memory in the present and in the last window of traffic: what recent work
     * needs. */
    size_t window_peak, last_peak;
    uint64_t traffic, window_end;
    uint64_t refaulted; /* bytes taken from the system, since `learned`, that had been given back */
    int64_t learned;    /* when the allowance was looked at last */
    unsigned eighths;   /* what may be held, in eighths of what recent work needed at once */
    size_t dropped[CLASSES]; /* bytes given back in this window */
} mica__allowance;

#define MICA_ALLOWANCE_INIT                                                                        \
    {                                                                                              \
        .window_end = (uint64_t)FLOOR * WINDOW_TURNS, .eighths = LEAST_ALLOWANCE                   \
    }

static inline size_t allowance_recent_peak(const mica__allowance *a)
{
    size_t recent = a->window_peak > a->last_peak ? a->window_peak : a->last_peak;
    return recent > FLOOR ? recent : FLOOR;
}

/* Whether less is to be kept of so many bytes, active or cached. */
static inline bool allowance_exceeded(const mica__allowance *a, size_t active, size_t cached)
{
    return cached > FLOOR && (active + cached) * 8 > allowance_recent_peak(a) * a->eighths;
}

void mica__allowance_next_window(mica__allowance *a, size_t active);

/* A block was taken; `active` counts it. */
static inline void allowance_note_taken(mica__allowance *a, size_t active, size_t size)
{
    if (active > a->window_peak) a->window_peak = active;
    a->traffic += size;
    if (a->traffic > a->window_end) mica__allowance_next_window(a, active);
}

/* A block came from the system. */
void mica__allowance_note_miss(mica__allowance *a, unsigned class, size_t size);
/* What was learned from earlier work is forgotten. */
void mica__allowance_forget(mica__allowance *a, size_t active);

#endif
