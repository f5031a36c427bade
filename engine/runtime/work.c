/* Running the steps of a plan: waits for their inputs, calls the backend, publishes results or puts
 * nodes back. */
#include "backend/backend.h"
#include "core/origin.h"
#include "core/watch.h"
#include "runtime/pool.h"
#include "runtime/queue.h"

int (*mica__interrupt_hook)(void);
static _Atomic int interrupted;
/* Threads that wait within a work; under the lock. */
static uint32_t threads_waiting;
/* Works that run and do not wait: those that may give memory back. Works of the calling thread. */
static _Atomic int busy;
static _Thread_local int busy_here;
/* Counts steps and works that ended, and waits that were given up. */
static _Atomic unsigned progress;

void mica__interrupt(void)
{
    atomic_store(&interrupted, 1);
}

static bool node_is(const mica_array *a, int state)
{
    return mica__state(mica__node_of(a)) == state;
}

int mica__fail_interrupted(void)
{
    return mica__fail(MICA_EINTERRUPT, "[eval] the evaluation was interrupted");
}

/* ---- nodes ---- */

static void unschedule(mica_node *n)
{
    if (mica__state(n) == MICA_NODE_SCHEDULED) atomic_store(&n->state, MICA_NODE_PENDING);
}

static void unschedule_each(mica_node *n, void *unused)
{
    (void)unused;
    unschedule(n);
}

static void put_back(const mica__step *step)
{
    mica__step_each(step, unschedule_each, NULL);
}

void mica__work_put_back(mica__work *w)
{
    atomic_store(&w->job->in_turn, false); /* these steps have no turn any more */
    mica__wake_job(w->job);
    for (size_t i = w->at + w->under_way; i < w->n; i++) {
        put_back(w->steps[i]);
        mica__wake_step(w->steps[i]);
    }
}

static void lose_node(mica_node *n, void *unused)
{
    (void)unused;
    if (mica__state(n) == MICA_NODE_SCHEDULED)
        mica__node_fail(n, MICA_ERUNTIME,
                        "[eval] the process was forked while another thread computed this array; "
                        "make it anew");
}

void mica__work_lose(const mica__work *w)
{
    mica__step_each(w->steps[w->at], lose_node, NULL);
}

void mica__plan_put_back(mica__plan *plan)
{
    for (size_t i = 0; i < plan->nsteps; i++) put_back(&plan->steps[i]);
}

/* The calling thread's works stop to be busy, or go on; under the lock. */
static void pause_here(bool pause)
{
    int before = atomic_fetch_add(&busy, pause ? -busy_here : busy_here);
    if (pause && before == busy_here) mica__queue_tell();
}

/* A work that runs, and whether on the thread that asked for the evaluation. */
typedef struct asking {
    mica__work *work;
    bool ask;
    int64_t inside; /* since when its kernel has been asking; 0: not yet */
} asking;

/* What a work waits for, and whether that is over; under the lock. */
typedef struct awaited {
    const mica__job *job;
    const mica_node *node; /* or NULL */
    size_t turn;           /* without a node: this turn, or NO_TURN: to be admitted */
} awaited;
#define NO_TURN SIZE_MAX

/* A node that was put back and then claimed by a later plan is not waited for: that plan's work may
 * stand in a queue behind ours. */
static bool is_over(const void *context)
{
    const awaited *w = context;
    const mica__job *j = w->job;
    if (w->node)
        return mica__state(w->node) != MICA_NODE_SCHEDULED ||
               (int32_t)(w->node->claim - j->plan.claim) > 0;
    if (w->turn == NO_TURN) return atomic_load(&j->admitted);
    return !atomic_load(&j->in_turn) || j->turn == w->turn;
}

static bool is_over_or_stopped(const void *context)
{
    const awaited *w = context;
    return atomic_load(&w->job->stop) || is_over(w);
}

/* Before and after the calling thread looks, under the lock, at what it may have to wait for. */
static void begin_waiting(void)
{
    mica__mutex_lock(&mica__queue_lock);
    atomic_fetch_add(&mica__waiting, 1);
    threads_waiting++;
}
static void end_waiting(void)
{
    threads_waiting--;
    atomic_fetch_sub(&mica__waiting, 1);
    mica__mutex_unlock(&mica__queue_lock);
}

/* Waits until it is over. Executors have works to run that do not wait: there the work is parked.
 */
static int await(const asking *a, const awaited *w)
{
    int status = MICA_OK;
    begin_waiting();
    while (status == MICA_OK && !is_over(w)) {
        if (atomic_load(&w->job->stop)) {
            status = mica__fail_interrupted();
        } else if (!a->ask) {
            mica__park(a->work->stream, w->node, a->work->job);
            status = MICA_PARKED;
        } else if ((status = mica__reenter_check()) == MICA_OK) {
            pause_here(true);
            status = mica__queue_wait(true, is_over_or_stopped, w);
            pause_here(false);
            if (a->work->given_up) status = MICA_AGAIN;
        }
    }
    end_waiting();
    return status;
}

/* Waits while the node is being computed by this or an earlier plan. */
static int await_node(const mica_array *in, const asking *a)
{
    awaited w = { a->work->job, mica__node_of(in), NO_TURN };
    return await(a, &w);
}

/* Waits until the job may take memory; nothing is held for it yet. */
static int await_admission(const asking *a)
{
    awaited w = { a->work->job, NULL, NO_TURN };
    return atomic_load(&w.job->admitted) ? MICA_OK : await(a, &w);
}

/* Waits until the steps before this one in the plan have been done, or the order is given up. */
static int await_turn(const mica__step *step, const asking *a)
{
    const mica__job *j = a->work->job;
    awaited w = { j, NULL, (size_t)(step - j->plan.steps) };
    return await(a, &w);
}

static void pass_turn(mica__job *j)
{
    mica__mutex_lock(&mica__queue_lock);
    j->turn++;
    mica__wake_turn(j);
    if (threads_waiting) mica__queue_tell();
    mica__mutex_unlock(&mica__queue_lock);
}

/* No step has ended since so many had, and work is under way that may end one. */
static bool may_give_memory(unsigned seen)
{
    return atomic_load(&progress) == seen && (atomic_load(&busy) > 0 || mica__executors_called());
}
static bool no_more_memory(const void *seen)
{
    return !may_give_memory(*(const unsigned *)seen);
}

/* There is no memory for a step: waits until work elsewhere has ended a step, which may have given
 * some back; false when nothing else runs, so that waiting is in vain. */
static bool await_memory(bool ask, unsigned seen)
{
    begin_waiting();
    pause_here(true);
    bool waits = ask || mica__executor_blocks();
    while (waits && may_give_memory(seen))
        if (mica__queue_wait(ask, no_more_memory, &seen) != MICA_OK) break;
    if (waits && !ask) mica__executor_goes_on();
    bool again = atomic_load(&progress) != seen;
    if (!again) atomic_fetch_add(&progress, 1); /* one gives up: another that waits tries again */
    if (!again) mica__queue_tell();
    pause_here(false);
    end_waiting();
    return again;
}

/* Wakes those who wait for nodes of a step that was finished just now. Adding 0 orders the states
 * of nodes before the count is read. */
static void announce(const mica__step *step)
{
    atomic_fetch_add(&progress, 1);
    if (!atomic_fetch_add(&mica__waiting, 0)) return;
    mica__mutex_lock(&mica__queue_lock);
    mica__wake_step(step); /* by address: nodes may be gone */
    if (threads_waiting) mica__queue_tell();
    mica__mutex_unlock(&mica__queue_lock);
}

/* Waits until no input of the step is being computed elsewhere; a fault when one failed. */
static int inputs_ready(const mica__step *step, const asking *a)
{
    if (step->product) {
        mica__step own = { .node = step->product };
        int status = inputs_ready(&own, a);
        if (status != MICA_OK) return status;
    }
    size_t n = step->node ? step->node->ninputs : step->nexternals;
    mica_array *const *in = step->node ? step->node->inputs : step->externals;
    const mica_node *made_here = step->reshaped ? step->reshaped : step->product;
    enum { AHEAD = 8 };
    for (size_t i = 0; i < n; i++) {
        if (i + AHEAD < n) mica__fetch(in[i + AHEAD]);
        if (node_is(in[i], MICA_NODE_DONE) || (made_here && mica__node_of(in[i]) == made_here))
            continue;
        int status = await_node(in[i], a);
        if (status != MICA_OK) return status;
        if (node_is(in[i], MICA_NODE_FAILED)) return mica__node_fault(mica__node_of(in[i]));
        if (!node_is(in[i], MICA_NODE_DONE)) return MICA_AGAIN;
    }
    return MICA_OK;
}

/* Publishes a result. Nothing may touch the node afterwards: who waited for it can use it up and
 * free it. */
static void publish(mica_node *n)
{
    if (!(n->flags & MICA_NODE_TRACED)) mica__node_detach(n);
    atomic_store_explicit(&n->state, MICA_NODE_DONE, memory_order_release);
}

/* The results are in place: publishes them and lets go of what they were made from. */
static void finish(mica__step *step)
{
    if (step->node) {
        publish(step->node);
        return;
    }
    if (step->product) unschedule(step->product); /* it vanishes with its consumer */
    if (step->reshaped) unschedule(step->reshaped);
    for (uint32_t i = 0; i < step->nops; i++)
        if (!step->ops[i].keep) unschedule(step->ops[i].node);
    /* First to last: until it is published a node is held by a consumer that comes later, by a
     * root, or from outside. */
    for (uint32_t i = 0; i < step->nops; i++)
        if (step->ops[i].keep) publish(step->ops[i].node);
    if (step->reduced) publish(step->reduced);
}

/* ---- works ---- */

static bool sticks(int status)
{
    return status != MICA_EMEMORY && status != MICA_EINTERRUPT && status != MICA_AGAIN;
}

/* Between steps handlers may evaluate anything, which makes this work begin again: so each time it
 * does a step first. Within a kernel they may evaluate what does not need it: there they run when
 * they would have to wait long. */
static bool may_handle(asking *a)
{
    enum { LONG = 50 * 1000 * 1000 }; /* nanoseconds */
    if (!a->ask || !mica__interrupt_hook) return false;
    if (!a->work->under_way) return a->work->at > 0;
    int64_t now = mica__now();
    if (!a->inside) a->inside = now;
    return now - a->inside > LONG;
}

/* Whether the work is to stop: somebody waits for it no more, or was interrupted. */
static bool is_stopped(void *context)
{
    asking *a = context;
    if (atomic_load_explicit(&a->work->job->stop, memory_order_relaxed)) return true;
    if (may_handle(a) && mica__interrupt_hook()) return true;
    return atomic_load_explicit(&interrupted, memory_order_relaxed) &&
           atomic_exchange(&interrupted, 0);
}

static int compute(mica__step *step, mica__work *w, const mica__watcher *watcher)
{
    mica__step_enter(w);
    int status = mica__cpu_backend->run(step);
    if (status == MICA_OK) {
        if (watcher) watcher->step_ends(step, status);
        finish(step);
        w->at++;
    }
    mica__step_leave(w);
    return status;
}

/* Runs the work's next step. */
static int run_step(mica__step *step, asking *a)
{
    mica__job *j = a->work->job;
    bool in_turn = atomic_load_explicit(&j->in_turn, memory_order_relaxed);
    if (in_turn) MICA_TRY(await_turn(step, a));
    int status = inputs_ready(step, a);
    if (status != MICA_OK) return status;
    if (is_stopped(a)) return mica__fail_interrupted();
    if (a->work->given_up) return MICA_AGAIN;
    a->inside = 0;
    const mica__watcher *watcher = mica__watching();
    if (watcher) watcher->step_begins(step);
    unsigned seen; /* before the attempt: what ends meanwhile may have given back enough */
    do {
        seen = atomic_load(&progress);
        status = compute(step, a->work, watcher);
    } while (status == MICA_EMEMORY && await_memory(a->ask, seen) && !a->work->given_up);
    if (a->work->given_up) return MICA_AGAIN;
    if (watcher && status != MICA_OK) watcher->step_ends(step, status);
    if (status == MICA_OK && in_turn) pass_turn(j);
    if (status != MICA_OK && step->node && sticks(status)) {
        mica__origin_name_error(step->node->origin);
        mica__node_fail(step->node, status, mica_last_error());
    }
    announce(step);
    return status;
}

void mica__report_fault(mica__report *r, int status)
{
    if (r->status != MICA_OK && r->status != MICA_AGAIN) return;
    r->status = status;
    strncpy(r->message, mica_last_error(), FAULT_TEXT - 1);
    r->message[FAULT_TEXT - 1] = 0;
}

void mica__job_release(mica__job *j)
{
    if (atomic_fetch_sub(&j->references, 1) != 1) return;
    for (size_t i = 0; i < j->nroots; i++) mica_release(j->roots[i]);
    mica__free(j->roots);
    mica__plan_free(&j->plan);
    mica__free(j);
}

void mica__works_forget(void)
{
    atomic_store(&busy, busy_here);
    atomic_store(&mica__waiting, 0);
    threads_waiting = 0;
}

void mica__work_begin(void)
{
    atomic_fetch_add(&busy, 1);
    busy_here++;
}

bool mica__works_elsewhere(void)
{
    return atomic_load(&busy) > busy_here || mica__executors_called();
}

/* The work's memory has been given back: who waits for some may try again, or sees that nobody is
 * left to wait for. */
static void end_work(void)
{
    mica__mutex_lock(&mica__queue_lock);
    atomic_fetch_sub(&busy, 1);
    busy_here--;
    atomic_fetch_add(&progress, 1);
    mica__queue_tell();
    mica__mutex_unlock(&mica__queue_lock);
}

bool mica__work_set_aside(void)
{
    busy_here--;
    return atomic_fetch_sub(&busy, 1) == 1;
}

/* Runs steps until the work ends, fails or is to go on later. */
static int run_steps(mica__work *w, asking *a)
{
    int64_t began = a->ask ? 0 : mica__now();
    int status = await_admission(a);
    while (status == MICA_OK && w->at < w->n) {
        status = run_step(w->steps[w->at], a);
        if (status == MICA_OK && !a->ask && w->at < w->n && mica__executor_yields(began))
            status = MICA_PARKED;
    }
    return status;
}

bool mica__work_run(mica__work *w, bool ask)
{
    mica__job *j = w->job;
    asking a = { .work = w, .ask = ask };
    if (ask) mica__reenter_push(w);
    mica__parallel_ask(is_stopped, &a);
    int status = run_steps(w, &a);
    mica__parallel_ask(NULL, NULL);
    if (ask) mica__reenter_pop();
    if (status == MICA_PARKED) return false;
    bool waited = j->waited;
    if (status == MICA_AGAIN && !waited)
        status =
            mica__fail(MICA_ERUNTIME,
                       "[eval] the work that this array depends on was stopped; evaluate it again");
    mica__mutex_lock(&mica__queue_lock);
    if (status != MICA_OK) {
        if (!w->given_up) mica__work_put_back(w);
        mica__report_fault(waited ? &j->report : &w->stream->report, status);
    }
    /* Who waits has a reference: the work lets go of its own before it is seen to be finished, so
       that nothing is held any more when an evaluation returns. */
    if (waited) atomic_fetch_sub(&j->references, 1);
    /* The work may be gone when the lock is taken again. */
    if (!w->given_up) w->stream->running = w->outer;
    mica__job_work_ended(j);
    mica__mutex_unlock(&mica__queue_lock);
    if (!waited) mica__job_release(j);
    end_work(); /* wakes who waits for the job */
    return true;
}
