/* What a doctor is told while it watches: where nodes come from, what is planned and run, what
 * memory is taken for. Nobody watches: one load and one predictable branch each. */
#ifndef MICA_ENGINE_WATCH_H
#define MICA_ENGINE_WATCH_H

#include "core/node.h"

struct mica__plan;
struct mica__step;

/* All functions are called by the thread that does the thing, and must not fail. A *site* is a line
 * of the program, as a number of the watcher's own; 0: not known. */
typedef struct mica__watcher {
    /* A scope opens: the line that the calling thread is in. */
    uint32_t (*site)(void);
    /* An evaluation begins (its number is returned), has its plan (under the planner's lock: nodes
     * may be looked at, not kept), and has ended; `waited`: the caller got results, not promises.
     */
    uint64_t (*evaluation_begins)(void);
    void (*planned)(uint64_t evaluation, const struct mica__plan *plan, mica_array *const roots[],
                    size_t nroots);
    void (*evaluation_ends)(uint64_t evaluation, bool waited);
    /* Around one step; the second time its results are in place and nothing has been let go. */
    void (*step_begins)(const struct mica__step *step);
    void (*step_ends)(const struct mica__step *step, int status);
    /* A buffer is taken (returns the site that is to answer for it) and given back. */
    uint32_t (*took)(size_t bytes);
    void (*gave)(uint32_t site, size_t bytes);
    /* A kernel got a copy of an operand whose layout it cannot read. */
    void (*copied)(const mica_node *reader, size_t bytes);
    /* A traced function depends on an array that was not an argument and is not evaluated. */
    void (*captured)(const mica_array *a);
    /* A builder made good what rule MX`rule` is about: no graph will show it. `cause`: an operand,
     * or NULL. */
    void (*absorbed)(uint32_t rule, const mica_array *result, const mica_array *cause);
} mica__watcher;

extern const mica__watcher *_Atomic mica__watcher_now;

/* The line that the calling thread's nodes come from, and flags that they get: MICA_NODE_ASKED
 * while a derivative is built (its casts are no promotions), MICA_NODE_TRACING while a function is
 * traced. Kept only while somebody watches. */
extern _Thread_local uint32_t mica__site;
extern _Thread_local uint8_t mica__site_flags;

static inline const mica__watcher *mica__watching(void)
{
#ifdef MICA_WITHOUT_DOCTOR
    return NULL;
#else
    return atomic_load_explicit(&mica__watcher_now, memory_order_acquire);
#endif
}

static inline void mica__tell_absorbed(uint32_t rule, const mica_array *result,
                                       const mica_array *cause)
{
    const mica__watcher *watcher = mica__watching();
    if (watcher && result) watcher->absorbed(rule, result, cause);
}

#endif
