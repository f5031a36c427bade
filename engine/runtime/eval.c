/* Evaluation: plans under one lock, runs on the calling thread when the stream is idle, else on an
   executor.

   Plans enter the queues of their streams in the order in which their nodes were claimed, and wait
   only for nodes that are claimed by themselves or by plans before them: so waiting cannot form a
   circle; admission.c says why waiting for memory does not either. A plan that stops early puts its
   unfinished nodes back to PENDING; faults of the data stick to their node. */
#include "base/config.h"
#include "core/watch.h"
#include "runtime/liveness.h"
#include "runtime/queue.h"

/* Cuts the plan into one work a stream, in the plan's order. Returns how many, or a status. */
static int cut(mica__job *j, mica__work **works)
{
    mica__plan *plan = &j->plan;
    size_t n = plan->nsteps, count = 0;
    mica__work *list = mica__arena_alloc(&plan->arena, n * sizeof *list);
    mica__step **room = mica__arena_alloc(&plan->arena, n * sizeof *room);
    if (!list || !room) return MICA_EMEMORY;
    for (size_t i = 0; i < n; i++) {
        plan->steps[i].stream = mica__queue_resolve(plan->steps[i].stream);
        plan->steps[i].stream->cut = NULL;
    }
    for (size_t i = 0; i < n; i++) {
        mica_stream *s = plan->steps[i].stream;
        if (!s->cut) {
            s->cut = &list[count++];
            *s->cut = (mica__work){ .job = j, .stream = s };
        }
        s->cut->n++;
    }
    for (size_t k = 0; k < count; room += list[k++].n) list[k].steps = room;
    for (size_t i = 0; i < n; i++) {
        mica__work *w = plan->steps[i].stream->cut;
        w->steps[w->at++] = &plan->steps[i];
    }
    for (size_t k = 0; k < count; k++) list[k].at = 0;
    *works = list;
    return (int)count;
}

/* The stream can run a work on the calling thread: it is idle, or the calling thread is in it
 * already (an interrupt hook that evaluates). */
static bool can_run_here(const mica_stream *s)
{
    return s->runner ? s->runner == mica__this_thread() : !s->head;
}

static void enter(mica_stream *s, mica__work *w)
{
    w->outer = s->runner ? s->running : NULL;
    s->runner = mica__this_thread();
    s->running = w;
}

static void leave(mica_stream *s, const mica__work *w)
{
    if (w->given_up) return;
    s->running = w->outer;
    if (w->outer) return;
    s->runner = NULL;
    mica__queue_left(s);
}

/* Under the lock: claims the pending nodes and queues them; *here is what the calling thread is to
 * run itself. */
static int schedule(mica__job *j, uint32_t scope, mica__work **here)
{
    MICA_TRY(mica__plan_make(&j->plan, j->roots, j->nroots, scope));
    if (!j->plan.nsteps) return MICA_OK;
    mica__work *works;
    int count = cut(j, &works);
    if (count > 0 && mica__job_estimate(j, (size_t)count)) count = cut(j, &works);
    mica__plan_record(&j->plan);
    const mica__watcher *watcher = mica__watching();
    if (watcher) watcher->planned(j->watched, &j->plan, j->roots, j->nroots);
    if (count < 0) {
        mica__plan_put_back(&j->plan);
        return count;
    }
    for (int i = 0; i < count; i++) {
        mica_stream *s = works[i].stream;
        if (j->waited && !*here && can_run_here(s)) {
            *here = &works[i];
            enter(s, *here);
        } else if (mica__queue_add(s, &works[i]) != MICA_OK) {
            if (i == 0) {
                mica__plan_put_back(&j->plan);
                return mica__last_status();
            }
            mica__work_put_back(&works[i]);
            mica__report_fault(&j->report, mica__last_status());
            continue;
        }
        atomic_fetch_add(&j->references, 1);
        atomic_fetch_add(&j->pending, 1);
    }
    mica__job_join(j);
    return MICA_OK;
}

static bool has_ended(const void *job)
{
    return !atomic_load(&((const mica__job *)job)->pending);
}
static bool is_settled(const void *node)
{
    return mica__state(node) != MICA_NODE_SCHEDULED;
}

/* Under the lock: waits for the works of the job, then for roots that other jobs compute. */
static int await_roots(mica__job *j)
{
    while (!has_ended(j)) {
        int status = mica__reenter_wait(has_ended, j);
        if (status == MICA_OK) continue;
        atomic_store(&j->stop, true); /* works that run end, others never begin */
        mica__report_fault(&j->report, status);
        mica__queue_withdraw(j);
    }
    if (j->report.status == MICA_AGAIN) return MICA_AGAIN;
    if (j->report.status != MICA_OK) return mica__fail(j->report.status, "%s", j->report.message);
    for (size_t i = 0; i < j->nroots; i++) {
        const mica_node *root = mica__node_of(j->roots[i]);
        while (!is_settled(root)) MICA_TRY(mica__reenter_wait(is_settled, root));
        if (mica__state(root) == MICA_NODE_FAILED) return mica__node_fault(root);
        if (mica__state(root) != MICA_NODE_DONE) return MICA_AGAIN;
    }
    return MICA_OK;
}

static mica__job *job_new(mica_array *const roots[], size_t n, bool waited, uint64_t watched)
{
    mica__job *j = mica__alloc_zero(1, sizeof *j);
    if (!j) return NULL;
    j->roots = mica__alloc(n * sizeof(mica_array *));
    if (!j->roots) {
        mica__free(j);
        return NULL;
    }
    atomic_init(&j->references, 1);
    j->waited = waited;
    j->watched = watched;
    for (size_t i = 0; i < n; i++) j->roots[i] = mica_retain(roots[i]);
    j->nroots = n;
    return j;
}

/* One attempt: MICA_AGAIN when another evaluation put back what this one was waiting for. */
static int evaluate(mica_array *const roots[], size_t n, uint32_t scope, bool wait,
                    uint64_t watched)
{
    mica__job *j = job_new(roots, n, wait, watched);
    if (!j) return MICA_EMEMORY;
    mica__work *here = NULL;
    mica__mutex_lock(&mica__queue_lock);
    if (wait) mica__reenter();
    int status = schedule(j, scope, &here);
    if (here) {
        mica_stream *s = here->stream;
        mica__work_begin();
        mica__mutex_unlock(&mica__queue_lock);
        mica__work_run(here, true);
        mica__mutex_lock(&mica__queue_lock);
        leave(s, here);
    }
    if (wait && status == MICA_OK) status = await_roots(j);
    if (wait && status < 0) mica__queue_told(status);
    mica__mutex_unlock(&mica__queue_lock);
    mica__job_release(j);
    return status;
}

int mica__eval(mica_array *const roots[], size_t n, uint32_t scope, bool wait)
{
    bool pending = false;
    for (size_t i = 0; i < n && !pending; i++) pending = !mica__is_done(roots[i]);
    if (!pending) return MICA_OK;
    int status = mica__settings_check();
    if (status != MICA_OK) return status;
    mica__queue_begin();
    /* What only a scope holds may be asked for while an evaluation that nobody waits for still
     * runs: that one keeps it. */
    if (!wait) scope = 0;
    const mica__watcher *watcher = mica__watching();
    uint64_t watched = watcher ? watcher->evaluation_begins() : 0;
    do status = evaluate(roots, n, scope, wait, watched);
    while (status == MICA_AGAIN);
    if (watcher) watcher->evaluation_ends(watched, wait);
    return status;
}

/* ---- for C programs ---- */

static int eval_in_scope(mica_scope *s, mica_array *const arrays[], size_t n, bool wait)
{
    if (!mica__scope_ok(s)) return mica_scope_status(s);
    for (size_t i = 0; i < n; i++)
        if (!arrays[i]) {
            mica__error(s, MICA_EVALUE, "[eval] array %zu is NULL", i);
            return s->status;
        }
    int status = mica__eval(arrays, n, s->id, wait);
    if (status != MICA_OK) mica__scope_failed(s, status);
    return status;
}

int mica_eval(mica_scope *s, mica_array *const arrays[], size_t n)
{
    return eval_in_scope(s, arrays, n, true);
}
int mica_async_eval(mica_scope *s, mica_array *const arrays[], size_t n)
{
    return eval_in_scope(s, arrays, n, false);
}
