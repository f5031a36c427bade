/* The caching allocator: size classes with free lists, one list of all cached blocks by age, exact
 * statistics. How much it holds unless told is in allowance.c. */
#include "runtime/memory.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/config.h"
#include "base/system.h"
#include "base/thread.h"
#include "runtime/allowance.h"
#include "runtime/poison.h"
#include "runtime/size_class.h"

size_t mica__memory_class_bytes(size_t bytes)
{
    unsigned class;
    size_t size;
    return class_of(bytes, &class, &size) ? size : SIZE_MAX;
}

/* ---- state ---------------------------------------------------------------------------------- */

/* Lies in the first line of a cached block. */
typedef struct block {
    struct block *newer, *older;         /* among those of its class */
    struct block *age_newer, *age_older; /* among all */
    size_t size;
    unsigned class;
} block;
_Static_assert(sizeof(block) <= LINE, "the smallest block holds the links");

static struct state {
    mica__spinlock lock;
    bool automatic; /* nobody set a limit for the cache: it learns one */
    size_t active, peak, cached;
    size_t reserved; /* asked from the system at this moment */
    size_t limit, cache_limit, total;
    block *newest, *oldest;
    mica__memory_counts counts;
    struct {
        block *newest, *oldest;
    } classes[CLASSES];
    mica__allowance allowance;
} state = { .lock = MICA_SPINLOCK_INIT, .allowance = MICA_ALLOWANCE_INIT };

static void before_fork(void)
{
    mica__spinlock_lock(&state.lock);
}
static void after_fork(void)
{
    mica__spinlock_unlock(&state.lock);
}

static void describe(char *text, size_t room);

static void read_limits(void)
{
    uint64_t physical = mica__memory_physical();
    int64_t limit = mica__setting_number(MICA_SETTING_memory_limit);
    int64_t cache = mica__setting_number(MICA_SETTING_cache_limit);
    uint64_t most = (uint64_t)4 << 30, quarter = physical / 4;
    state.total = (size_t)mica__memory_total();
    state.limit = limit >= 0 ? (size_t)limit : (size_t)(physical / 5 * 4);
    state.cache_limit = cache >= 0 ? (size_t)cache : (size_t)(quarter < most ? quarter : most);
    state.automatic = cache < 0;
    mica__at_fork(before_fork, after_fork, after_fork);
    /* Last, since both come here. */
    atomic_store(&mica__describe_memory, describe);
    atomic_store(&mica__reclaim_cache, mica_memory_clear_cache);
}

/* Takes the lock; the first time, reads the limits before. */
static void lock_ready(void)
{
    static mica__once once = MICA_ONCE_INIT;
    mica__call_once(&once, read_limits);
    mica__spinlock_lock(&state.lock);
}

/* ---- blocks; the lock is held --------------------------------------------------------------- */

static inline void unlink_block(block *b)
{
    if (b->newer) b->newer->older = b->older;
    else state.classes[b->class].newest = b->older;
    if (b->older) b->older->newer = b->newer;
    else state.classes[b->class].oldest = b->newer;
    if (b->age_newer) b->age_newer->age_older = b->age_older;
    else state.newest = b->age_older;
    if (b->age_older) b->age_older->age_newer = b->age_newer;
    else state.oldest = b->age_newer;
    state.cached -= b->size;
    state.counts.blocks--;
}

static inline void link_block(block *b, unsigned class, size_t size)
{
    block *newest = state.classes[class].newest;
    *b = (block){ .older = newest, .age_older = state.newest, .size = size, .class = class };
    if (newest) newest->newer = b;
    else state.classes[class].oldest = b;
    state.classes[class].newest = b;
    if (state.newest) state.newest->age_newer = b;
    else state.oldest = b;
    state.newest = b;
    state.cached += size;
    state.counts.blocks++;
}

/* Moves the oldest block to a list of those that go back to the system once the lock is free. */
static void evict_oldest(block **evicted)
{
    block *b = state.oldest;
    unlink_block(b);
    state.counts.evictions++;
    b->older = *evicted;
    *evicted = b;
}

/* While anything is cached, active and cached memory are within the limit together: a block goes to
 * and fro between the two without that being looked at. */
static inline bool past_limits(void)
{
    return state.cached > state.cache_limit || state.active + state.cached > state.limit;
}

static inline bool past_allowance(void)
{
    return state.automatic && allowance_exceeded(&state.allowance, state.active, state.cached);
}

/* What a limit drops is no sign that more should be held. */
static void trim(block **evicted)
{
    while (state.oldest && past_limits()) evict_oldest(evicted);
    while (state.oldest && past_allowance()) {
        state.allowance.dropped[state.oldest->class] += state.oldest->size;
        evict_oldest(evicted);
    }
}

static inline void account(size_t size)
{
    state.active += size;
    if (state.active > state.peak) state.peak = state.active;
    allowance_note_taken(&state.allowance, state.active, size);
}

/* ---- the system's memory; the lock is free -------------------------------------------------- */

static void *system_take(size_t size)
{
    if (size > (size_t)1 << LARGE) return mica__pages_map(size);
    return aligned_alloc(LINE, size);
}

static void system_give(void *memory, size_t size)
{
    UNPOISON(memory, size);
    if (size > (size_t)1 << LARGE) mica__pages_unmap(memory, size);
    else free(memory);
}

static void give_evicted(block *evicted)
{
    while (evicted) {
        block *next = evicted->older;
        system_give(evicted, evicted->size);
        evicted = next;
    }
}

/* "1.50 GiB", for messages. */
static const char *size_text(char text[32], size_t bytes)
{
    static const char *const units[] = { "bytes", "KiB", "MiB", "GiB", "TiB", "PiB" };
    double value = (double)bytes;
    int unit = 0;
    for (; value >= 1024 && unit < 5; unit++) value /= 1024;
    snprintf(text, 32, unit ? "%.2f %s" : "%.0f %s", value, units[unit]);
    return text;
}

/* ---- taking and giving ---------------------------------------------------------------------- */

static void describe(char *text, size_t room)
{
    char parts[3][32];
    lock_ready();
    size_t active = state.active, cached = state.cached, limit = state.limit;
    mica__spinlock_unlock(&state.lock);
    snprintf(text, room, "; active %s, cached %s, limit %s", size_text(parts[0], active),
             size_text(parts[1], cached), size_text(parts[2], limit));
}

/* Whoever fails has given back all that was kept: what is missing is not memory that nobody uses.
 */
static int fail_limit(size_t bytes, const char *why)
{
    char text[32], numbers[160];
    mica_memory_clear_cache();
    describe(numbers, sizeof numbers);
    return mica__fail(MICA_EMEMORY, "[allocate] cannot allocate %s (%zu bytes requested): %s%s",
                      size_text(text, bytes), bytes, why, numbers);
}

/* Reserves room for a block under the limits, dropping the oldest cached blocks where that makes
 * it. */
static const char *reserve(size_t size)
{
    block *evicted = NULL;
    const char *why = NULL;
    lock_ready();
    size_t held = state.active + state.reserved;
    if (held > state.total || size > state.total - held) {
        why = "the machine has less memory";
    } else if (held > state.limit || size > state.limit - held) {
        why = "the memory limit would be exceeded";
    } else {
        while (state.oldest && state.cached > state.limit - held - size) evict_oldest(&evicted);
        state.reserved += size;
    }
    mica__spinlock_unlock(&state.lock);
    give_evicted(evicted);
    return why;
}

/* The system grants more than it has and later kills whoever uses it: large requests ask before. */
static bool available(size_t size)
{
    return size < (size_t)256 << 20 || size <= mica__memory_available();
}

static int take_new(size_t bytes, size_t size, unsigned class, void **memory)
{
    const char *why = reserve(size);
    if (why) return fail_limit(bytes, why);
    void *taken = available(size) ? system_take(size) : NULL;
    if (!taken) {
        mica_memory_clear_cache();
        taken = available(size) ? system_take(size) : NULL;
    }
    block *evicted = NULL;
    mica__spinlock_lock(&state.lock);
    state.reserved -= size;
    state.counts.misses++;
    mica__allowance_note_miss(&state.allowance, class, size);
    if (taken) {
        account(size);
        trim(&evicted);
    }
    mica__spinlock_unlock(&state.lock);
    give_evicted(evicted);
    if (!taken) return fail_limit(bytes, "the system has no memory left");
    POISON((char *)taken + bytes, size - bytes);
    *memory = taken;
    return MICA_OK;
}

int mica__memory_take(size_t bytes, void **memory)
{
    unsigned class;
    size_t size;
    if (mica__injected_failure()) return MICA_EMEMORY;
    if (!class_of(bytes, &class, &size))
        return fail_limit(bytes, "no machine has that much memory");
    mica__spinlock_lock(&state.lock);
    block *b = state.classes[class].newest;
    if (!b) {
        mica__spinlock_unlock(&state.lock);
        return take_new(bytes, size, class, memory);
    }
    unlink_block(b);
    account(size);
    state.counts.hits++;
    mica__spinlock_unlock(&state.lock);
    UNPOISON(b, size);
    POISON((char *)b + bytes, size - bytes);
    *memory = b;
    return MICA_OK;
}

void mica__memory_give(void *memory, size_t bytes)
{
    if (!memory) return;
    size_t size;
    unsigned class = size_class(bytes, &size);
    block *evicted = NULL;
    UNPOISON(memory, size);
    POISON((char *)memory + LINE, size - LINE);
    mica__spinlock_lock(&state.lock);
    state.active -= size;
    link_block(memory, class, size);
    if (past_limits() || past_allowance()) trim(&evicted);
    mica__spinlock_unlock(&state.lock);
    if (evicted) give_evicted(evicted);
}

/* ---- what users see ------------------------------------------------------------------------- */

void mica_memory_clear_cache(void)
{
    block *evicted = NULL;
    mica__spinlock_lock(&state.lock);
    while (state.oldest) evict_oldest(&evicted);
    mica__spinlock_unlock(&state.lock);
    give_evicted(evicted);
}

static size_t read_size(const size_t *value)
{
    lock_ready();
    size_t bytes = *value;
    mica__spinlock_unlock(&state.lock);
    return bytes;
}

size_t mica_memory_active(void)
{
    return read_size(&state.active);
}
size_t mica_memory_peak(void)
{
    return read_size(&state.peak);
}
size_t mica_memory_cached(void)
{
    return read_size(&state.cached);
}
size_t mica_memory_limit(void)
{
    return read_size(&state.limit);
}
size_t mica_memory_cache_limit(void)
{
    return read_size(&state.cache_limit);
}

bool mica__memory_has_room(size_t bytes)
{
    lock_ready();
    bool has = state.active <= state.limit && bytes <= state.limit - state.active;
    mica__spinlock_unlock(&state.lock);
    return has;
}

void mica_memory_reset_peak(void)
{
    lock_ready();
    state.peak = 0;
    mica__spinlock_unlock(&state.lock);
}

size_t mica_memory_set_limit(size_t bytes)
{
    block *evicted = NULL;
    lock_ready();
    size_t before = state.limit;
    state.limit = bytes;
    trim(&evicted);
    mica__spinlock_unlock(&state.lock);
    give_evicted(evicted);
    return before;
}

size_t mica_memory_set_cache_limit(size_t bytes)
{
    block *evicted = NULL;
    lock_ready();
    size_t before = state.cache_limit;
    state.cache_limit = bytes;
    state.automatic = false;
    trim(&evicted);
    mica__spinlock_unlock(&state.lock);
    give_evicted(evicted);
    return before;
}

mica__memory_counts mica__memory_counters(void)
{
    lock_ready();
    mica__memory_counts counts = state.counts;
    mica__spinlock_unlock(&state.lock);
    return counts;
}

void mica__memory_forget(void)
{
    mica_memory_clear_cache();
    lock_ready();
    state.automatic = true;
    mica__allowance_forget(&state.allowance, state.active);
    mica__spinlock_unlock(&state.lock);
}
