/* Streams: queues of work, the threads that serve them, and what becomes of both across fork. */
#include "mica/stream.h"

#include "core/current.h"
#include "mica/memory.h"
#include "runtime/queue.h"

mica__mutex mica__queue_lock = MICA_MUTEX_INIT;
mica__condition mica__queue_changed;
static mica_stream default_stream;
static mica_stream *streams = &default_stream;
static int stream_count = 1;

/* An address that tells threads apart, also after a fork. */
const void *mica__this_thread(void)
{
    static _Thread_local char here;
    return &here;
}

/* ---- fork: the child has the forking thread alone. Work of other threads goes back to pending
 * there. ---- */

static void before_fork(void)
{
    mica__mutex_lock(&mica__queue_lock);
}
static void after_fork_parent(void)
{
    mica__mutex_unlock(&mica__queue_lock);
}

static void lose(mica__work *w)
{
    mica__work_put_back(w, 0);
    mica__fail(MICA_ERUNTIME,
               "[eval] the process was forked while other threads evaluated; evaluate again");
    mica__report_fault(&w->job->report, MICA_ERUNTIME);
    atomic_fetch_sub(&w->job->pending, 1);
}

static void after_fork_child(void)
{
    mica__mutex_init(&mica__queue_lock);
    mica__condition_init(&mica__queue_changed);
    for (mica_stream *s = streams; s; s = s->next) {
        s->started = false;
        for (mica__work *w = s->head; w; w = w->next) lose(w);
        s->head = s->tail = NULL;
        if (!s->runner || s->runner == mica__this_thread()) continue;
        lose(s->running);
        s->runner = NULL;
    }
}

static void begin(void)
{
    mica__condition_init(&mica__queue_changed);
    mica_memory_active(); /* its handlers come first: its lock is taken under ours */
    mica__at_fork(before_fork, after_fork_parent, after_fork_child);
}

void mica__queue_begin(void)
{
    static mica__once once = MICA_ONCE_INIT;
    mica__call_once(&once, begin);
}

/* ---- workers ---- */

static void worker(void *argument)
{
    mica_stream *s = argument;
    mica__mutex_lock(&mica__queue_lock);
    for (;;) {
        while (s->runner || !s->head) mica__condition_wait(&mica__queue_changed, &mica__queue_lock);
        mica__work *w = s->head;
        s->head = w->next;
        if (!s->head) s->tail = NULL;
        s->runner = mica__this_thread();
        s->running = w;
        mica__mutex_unlock(&mica__queue_lock);
        mica__work_run(w, false);
        mica__mutex_lock(&mica__queue_lock);
        s->runner = NULL;
        mica__condition_broadcast(&mica__queue_changed);
    }
}

int mica__queue_start_worker(mica_stream *s)
{
    if (s->started) return MICA_OK;
    MICA_TRY(mica__thread_start(&s->thread, "mica-stream", worker, s));
    s->started = true;
    return MICA_OK;
}

mica_stream *mica__queue_resolve(mica_stream *s)
{
    return s ? s : mica_default_stream();
}

void mica__queue_told(int status)
{
    for (mica_stream *s = streams; s; s = s->next)
        if (s->report.status == status && !strcmp(s->report.message, mica_last_error()))
            s->report.status = MICA_OK;
}

/* ---- for programs ---- */

int mica_stream_new(mica_stream **out)
{
    mica_stream *s = mica__alloc_zero(1, sizeof *s);
    if (!s) return MICA_EMEMORY;
    mica__mutex_lock(&mica__queue_lock);
    s->index = stream_count++;
    s->next = streams;
    streams = s;
    mica__mutex_unlock(&mica__queue_lock);
    *out = s;
    return MICA_OK;
}

mica_stream *mica_default_stream(void)
{
    return mica__current_stream ? mica__current_stream : &default_stream;
}
void mica_set_default_stream(mica_stream *s)
{
    mica__current_stream = s;
}
int mica_stream_index(const mica_stream *s)
{
    return s ? s->index : 0;
}

int mica_synchronize(mica_stream *s)
{
    mica__queue_begin();
    s = mica__queue_resolve(s);
    mica__mutex_lock(&mica__queue_lock);
    int status = MICA_OK;
    while (status == MICA_OK && (s->runner || s->head)) status = mica__queue_wait(true);
    if (status == MICA_OK && s->report.status != MICA_OK) {
        status = mica__fail(s->report.status, "%s", s->report.message);
        s->report.status = MICA_OK;
    }
    mica__mutex_unlock(&mica__queue_lock);
    return status;
}
