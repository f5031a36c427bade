/* Evaluation: plans under one lock, runs on the calling thread when the stream is idle, else on the stream's worker.

   Plans enter the queues of their streams in the order in which their nodes were claimed, and wait only for nodes claimed before: so waiting cannot
   form a circle. A plan that stops early puts its unfinished nodes back to PENDING; faults of the data stick to their node. */
#include "runtime/runtime.h"

#include "backend/backend.h"
#include "base/thread.h"
#include "core/current.h"

int (*mica__interrupt_hook)(void);

/* The steps of one plan that belong to one stream. */
typedef struct work {
    struct work *next;
    struct job *job;
    mica_stream *stream;
    mica__step **steps;
    size_t n;
} work;

/* One evaluation, shared by its works. */
typedef struct job {
    _Atomic int32_t references, pending; /* works that still run */
    mica__plan plan;
    mica_array **roots; /* retained while the job lives */
    size_t nroots;
    int status;
    char message[480];
} job;

struct mica_stream {
    int index;
    bool busy;             /* somebody executes */
    bool started;          /* the worker runs */
    mica__thread thread;
    work *head, *tail;
    int status;            /* a fault that nobody has been told of */
    char message[480];
    mica_stream *next;
};

/* One lock for planning, queues and states; executing happens outside of it. */
static mica__mutex lock = MICA_MUTEX_INIT;
static mica__condition changed = MICA_CONDITION_INIT; /* a node or a work is finished, or a queue has grown */
static mica_stream default_stream;
static mica_stream *streams = &default_stream;
static int stream_count = 1;
static _Atomic int interrupted;

void mica__interrupt(void) { atomic_store(&interrupted, 1); }

static bool node_is(const mica_array *a, int state) { return mica__state(mica__node_of(a)) == state; }

/* ---- running ---- */

static void unschedule(mica_node *n)
{
    if (mica__state(n) == MICA_NODE_SCHEDULED) atomic_store(&n->state, MICA_NODE_PENDING);
}

static void put_back(mica__step *step)
{
    if (step->node) unschedule(step->node);
    if (step->product) unschedule(step->product);
    if (step->reshaped) unschedule(step->reshaped);
    for (uint32_t i = 0; i < step->nops; i++) unschedule(step->ops[i].node);
}

/* Waits until no input of the step is being computed elsewhere; a fault when one failed. */
static int inputs_ready(const mica__step *step)
{
    if (step->product) {
        mica__step own = { .node = step->product };
        MICA_TRY(inputs_ready(&own));
    }
    size_t n = step->node ? step->node->ninputs : step->nexternals;
    mica_array *const *in = step->node ? step->node->inputs : step->externals;
    const mica_node *made_here = step->reshaped ? step->reshaped : step->product;
    for (size_t i = 0; i < n; i++) {
        if (node_is(in[i], MICA_NODE_DONE) || (made_here && mica__node_of(in[i]) == made_here)) continue;
        mica__mutex_lock(&lock);
        while (node_is(in[i], MICA_NODE_SCHEDULED)) mica__condition_wait(&changed, &lock);
        mica__mutex_unlock(&lock);
        if (node_is(in[i], MICA_NODE_DONE)) continue;
        if (node_is(in[i], MICA_NODE_FAILED)) return mica__node_fault(mica__node_of(in[i]));
        return mica__fail(MICA_ERUNTIME, "[eval] the work that this array depends on was stopped; evaluate it again");
    }
    return MICA_OK;
}

static bool sticks(int status) { return status != MICA_EMEMORY && status != MICA_EINTERRUPT; }

/* The results are in place: publishes them and lets go of what they were made from. */
static void finish(mica__step *step)
{
    if (step->node) {
        atomic_store_explicit(&step->node->state, MICA_NODE_DONE, memory_order_release);
        if (!(step->node->flags & MICA_NODE_TRACED)) mica__node_detach(step->node);
        return;
    }
    if (step->product) unschedule(step->product); /* it vanishes with its consumer */
    if (step->reshaped) unschedule(step->reshaped);
    for (uint32_t i = 0; i < step->nops; i++)
        atomic_store_explicit(&step->ops[i].node->state, step->ops[i].keep ? MICA_NODE_DONE : MICA_NODE_PENDING,
                              memory_order_release);
    /* First to last: a node is alive here, held by a consumer that comes later, by a root, or from outside. */
    for (uint32_t i = 0; i < step->nops; i++)
        if (step->ops[i].keep && !(step->ops[i].node->flags & MICA_NODE_TRACED)) mica__node_detach(step->ops[i].node);
}

static int run_step(mica__step *step, bool ask)
{
    MICA_TRY(inputs_ready(step));
    if (atomic_load_explicit(&interrupted, memory_order_relaxed) || (ask && mica__interrupt_hook && mica__interrupt_hook())) {
        atomic_store(&interrupted, 0);
        return mica__fail(MICA_EINTERRUPT, "[eval] the evaluation was interrupted");
    }
    int status = mica__cpu_backend->run(step);
    if (status == MICA_OK) finish(step);
    else if (step->node && sticks(status)) mica__node_fail(step->node, status, mica_last_error());
    return status;
}

static void remember(int *status, char message[480], int fault)
{
    if (*status != MICA_OK) return;
    *status = fault;
    strncpy(message, mica_last_error(), 479);
    message[479] = 0;
}

static void job_release(job *j)
{
    if (atomic_fetch_sub(&j->references, 1) != 1) return;
    for (size_t i = 0; i < j->nroots; i++) mica_release(j->roots[i]);
    mica__free(j->roots);
    mica__plan_free(&j->plan);
    mica__free(j);
}

/* Runs one work to its end or first fault. ask: this is the thread that asked for the evaluation. */
static void run_work(work *w, bool ask)
{
    int status = MICA_OK;
    size_t i = 0;
    for (; i < w->n && status == MICA_OK; i++) status = run_step(w->steps[i], ask);
    if (status != MICA_OK)
        for (size_t k = i - 1; k < w->n; k++) put_back(w->steps[k]);
    mica__mutex_lock(&lock);
    if (status != MICA_OK) {
        remember(&w->job->status, w->job->message, status);
        if (!ask) remember(&w->stream->status, w->stream->message, status);
    }
    atomic_fetch_sub(&w->job->pending, 1);
    mica__condition_broadcast(&changed);
    mica__mutex_unlock(&lock);
    job_release(w->job);
}

/* ---- streams ---- */

static void worker(void *argument)
{
    mica_stream *s = argument;
    mica__mutex_lock(&lock);
    for (;;) {
        while (s->busy || !s->head) mica__condition_wait(&changed, &lock);
        work *w = s->head;
        s->head = w->next;
        if (!s->head) s->tail = NULL;
        s->busy = true;
        mica__mutex_unlock(&lock);
        run_work(w, false);
        mica__mutex_lock(&lock);
        s->busy = false;
        mica__condition_broadcast(&changed);
    }
}

static int start_worker(mica_stream *s)
{
    if (s->started) return MICA_OK;
    MICA_TRY(mica__thread_start(&s->thread, "mica-stream", worker, s));
    s->started = true;
    return MICA_OK;
}

static mica_stream *resolve(mica_stream *s) { return s ? s : mica_default_stream(); }

int mica_stream_new(mica_stream **out)
{
    mica_stream *s = mica__alloc_zero(1, sizeof *s);
    if (!s) return MICA_EMEMORY;
    mica__mutex_lock(&lock);
    s->index = stream_count++;
    s->next = streams;
    streams = s;
    mica__mutex_unlock(&lock);
    *out = s;
    return MICA_OK;
}

mica_stream *mica_default_stream(void) { return mica__current_stream ? mica__current_stream : &default_stream; }
void mica_set_default_stream(mica_stream *s) { mica__current_stream = s; }
int mica_stream_index(const mica_stream *s) { return s ? s->index : 0; }

int mica_synchronize(mica_stream *s)
{
    s = resolve(s);
    mica__mutex_lock(&lock);
    while (s->busy || s->head) mica__condition_wait(&changed, &lock);
    int status = s->status;
    if (status != MICA_OK) mica__fail(status, "%s", s->message);
    s->status = MICA_OK;
    mica__mutex_unlock(&lock);
    return status;
}

/* ---- evaluation ---- */

/* Cuts the plan into one work a stream, in the plan's order. Returns how many, or a status. */
static int cut(job *j, work **works)
{
    mica__plan *plan = &j->plan;
    size_t n = plan->nsteps, count = 0;
    work *list = mica__arena_alloc(&plan->arena, n * sizeof *list);
    mica__step **room = mica__arena_alloc(&plan->arena, n * sizeof *room);
    if (!list || !room) return MICA_EMEMORY;
    mica_stream *first = resolve(plan->steps[0].stream);
    bool one = true;
    for (size_t i = 0; i < n; i++) {
        plan->steps[i].stream = resolve(plan->steps[i].stream);
        one = one && plan->steps[i].stream == first;
    }
    if (one) {
        for (size_t i = 0; i < n; i++) room[i] = &plan->steps[i];
        list[count++] = (work){ .job = j, .stream = first, .steps = room, .n = n };
    } else {
        for (size_t i = 0; i < n; i++) {
            mica_stream *s = plan->steps[i].stream;
            bool known = false;
            for (size_t k = 0; k < count; k++) known = known || list[k].stream == s;
            if (known) continue;
            work *w = &list[count++];
            *w = (work){ .job = j, .stream = s, .steps = room };
            for (size_t k = i; k < n; k++)
                if (plan->steps[k].stream == s) w->steps[w->n++] = &plan->steps[k];
            room += w->n;
        }
    }
    *works = list;
    return (int)count;
}

static void abandon(job *j)
{
    for (size_t i = 0; i < j->plan.nsteps; i++) put_back(&j->plan.steps[i]);
}

/* Under the lock: claims the pending nodes and queues them; *inline_work is what the calling thread is to run itself. */
static int schedule(job *j, mica_array *const scoped[], size_t nscoped, bool wait, work **inline_work)
{
    MICA_TRY(mica__plan_make(&j->plan, j->roots, j->nroots, scoped, nscoped));
    if (!j->plan.nsteps) return MICA_OK;
    work *works;
    int count = cut(j, &works);
    if (count < 0) {
        abandon(j);
        return count;
    }
    for (int i = 0; i < count; i++) {
        mica_stream *s = works[i].stream;
        bool here = wait && !*inline_work && !s->busy && !s->head;
        if (here) {
            s->busy = true;
            *inline_work = &works[i];
        } else if (start_worker(s) != MICA_OK) {
            /* Nothing is queued behind a worker that cannot start: the calling thread runs it all, in order. */
            if (i == 0) {
                abandon(j);
                return mica__last_status();
            }
            for (size_t k = 0; k < works[i].n; k++) put_back(works[i].steps[k]);
            remember(&j->status, j->message, mica__last_status());
            continue;
        } else {
            if (s->tail) s->tail->next = &works[i];
            else s->head = &works[i];
            s->tail = &works[i];
        }
        atomic_fetch_add(&j->references, 1);
        atomic_fetch_add(&j->pending, 1);
    }
    if (count > 1 || !*inline_work) mica__condition_broadcast(&changed);
    return MICA_OK;
}

static int await_roots(job *j)
{
    mica__mutex_lock(&lock);
    while (atomic_load(&j->pending)) mica__condition_wait(&changed, &lock);
    int status = j->status;
    if (status != MICA_OK) mica__fail(status, "%s", j->message);
    for (size_t i = 0; i < j->nroots && status == MICA_OK; i++) {
        while (node_is(j->roots[i], MICA_NODE_SCHEDULED)) mica__condition_wait(&changed, &lock);
        if (node_is(j->roots[i], MICA_NODE_FAILED)) status = mica__node_fault(mica__node_of(j->roots[i]));
        else if (!node_is(j->roots[i], MICA_NODE_DONE))
            status = mica__fail(MICA_ERUNTIME, "[eval] the work that this array depends on was stopped; evaluate it again");
    }
    mica__mutex_unlock(&lock);
    return status;
}

int mica__eval(mica_array *const roots[], size_t n, mica_array *const scoped[], size_t nscoped, bool wait)
{
    bool pending = false;
    for (size_t i = 0; i < n && !pending; i++) pending = !node_is(roots[i], MICA_NODE_DONE);
    if (!pending) return MICA_OK;
    job *j = mica__alloc_zero(1, sizeof *j);
    if (!j) return MICA_EMEMORY;
    atomic_init(&j->references, 1);
    j->roots = mica__alloc(n * sizeof(mica_array *));
    if (!j->roots) {
        mica__free(j);
        return MICA_EMEMORY;
    }
    for (size_t i = 0; i < n; i++) j->roots[i] = mica_retain(roots[i]);
    j->nroots = n;
    work *here = NULL;
    mica__mutex_lock(&lock);
    int status = schedule(j, scoped, nscoped, wait, &here);
    mica__mutex_unlock(&lock);
    if (here) {
        mica_stream *s = here->stream;
        run_work(here, true);
        mica__mutex_lock(&lock);
        s->busy = false;
        if (s->head) mica__condition_broadcast(&changed);
        mica__mutex_unlock(&lock);
    }
    if (status == MICA_OK && wait) status = await_roots(j);
    job_release(j);
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
    int status = mica__eval(arrays, n, s->owned, s->n, wait);
    if (status != MICA_OK) mica__scope_failed(s, status);
    return status;
}

int mica_eval(mica_scope *s, mica_array *const arrays[], size_t n) { return eval_in_scope(s, arrays, n, true); }
int mica_async_eval(mica_scope *s, mica_array *const arrays[], size_t n) { return eval_in_scope(s, arrays, n, false); }
