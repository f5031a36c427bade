/* When and where things run: streams with their queues, evaluation, interruption. */
#ifndef MICA_ENGINE_RUNTIME_H
#define MICA_ENGINE_RUNTIME_H

#include "core/scope.h"
#include "mica/stream.h"

struct mica__backend;

/* The backend of CPU streams; set once by the library's start. */
extern const struct mica__backend *mica__cpu_backend;

/* Called between steps of an evaluation on the thread that asked for it; not 0: stop with
 * MICA_EINTERRUPT. NULL: nothing to ask. */
extern int (*mica__interrupt_hook)(void);
/* Stops the running evaluations at their next step (from signal handlers and tests). */
void mica__interrupt(void);
int mica__fail_interrupted(void); /* MICA_EINTERRUPT with its message */

/* The calling thread's own stream for a key that serves one owner after the other, as
 * mica_thread_stream: what it had for an earlier owner it lets go of. */
int mica__thread_stream(uint64_t key, uint64_t owner, mica_stream **out);

/* Evaluates roots for the scope of this id, or 0 (plan.h). wait: return when all are done. */
int mica__eval(mica_array *const roots[], size_t n, uint32_t scope, bool wait);

/* Evaluates one array for its value: fast when it is there already. */
static inline int mica__need(mica_array *a)
{
    return mica__is_done(a) ? MICA_OK : mica__eval(&a, 1, 0, true);
}

#endif
