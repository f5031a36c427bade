/* Streams: queues of work, who holds them, and what becomes of them across fork. */
#include "mica/stream.h"

#include "core/current.h"
#include "mica/memory.h"
#include "runtime/queue.h"

mica__mutex mica__queue_lock = MICA_MUTEX_INIT;
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

/* Of a child: works whose runner is not there and was within a step. Their nodes fail when the
 * child first evaluates: that takes memory, which allocators may refuse to give around fork. */
static mica__work *lost;
static _Atomic bool any_lost;

static void lose_steps(void)
{
    mica__mutex_lock(&mica__queue_lock);
    for (; lost; lost = lost->next) mica__work_lose(lost);
    atomic_store(&any_lost, false);
    mica__mutex_unlock(&mica__queue_lock);
}

static void lose(mica__work *w)
{
    mica__work_put_back(w);
    if (w->under_way) {
        w->next = lost;
        lost = w;
        atomic_store(&any_lost, true);
    }
    mica__fail(MICA_ERUNTIME,
               "[eval] the process was forked while other threads evaluated; evaluate again");
    mica__report_fault(&w->job->report, MICA_ERUNTIME);
    mica__job_work_ended(w->job);
}

static void after_fork_child(void)
{
    mica__mutex_unlock(&mica__queue_lock);
    mica__waits_forget();
    mica__executors_forget();
    for (mica_stream *s = streams; s; s = s->next) {
        mica__unpark(s);
        s->ready = false;
    }
    mica__works_forget();
    for (mica_stream *s = streams; s; s = s->next) {
        for (mica__work *w = s->head; w; w = w->next) lose(w);
        s->head = s->tail = NULL;
        if (!s->runner || s->runner == mica__this_thread()) continue;
        for (mica__work *w = s->running; w; w = w->outer) lose(w);
        s->running = NULL;
        s->runner = NULL;
    }
}

static void begin(void)
{
    mica_memory_active(); /* its handlers come first: its lock is taken under ours */
    mica__at_fork(before_fork, after_fork_parent, after_fork_child);
    mica__pause_begin();
}

void mica__queue_begin(void)
{
    static mica__once once = MICA_ONCE_INIT;
    mica__call_once(&once, begin);
    if (atomic_load_explicit(&any_lost, memory_order_relaxed)) lose_steps();
}

/* Takes the job's works out of the stream's queue; whether there were any. */
static bool withdraw(mica_stream *s, mica__job *j)
{
    bool any = false;
    mica__work **at = &s->head;
    s->tail = NULL;
    while (*at) {
        mica__work *w = *at;
        if (w->job != j) {
            s->tail = w;
            at = &w->next;
            continue;
        }
        *at = w->next;
        any = true;
        mica__work_put_back(w);
        atomic_fetch_sub(&j->references, 1);
        mica__job_work_ended(j);
    }
    return any;
}

void mica__queue_withdraw(mica__job *j)
{
    for (mica_stream *s = streams; s; s = s->next) {
        if (!withdraw(s, j) && !s->runner) continue;
        mica__unpark(s); /* what waits or is about to, perhaps for ever: it looks again */
        mica__queue_ready(s);
    }
    mica__queue_tell();
}

bool mica__queue_stop_all(const void *but)
{
    bool any = false;
    for (mica_stream *s = streams; s; s = s->next) {
        if (!s->runner || s->runner == but) continue;
        any = true;
        for (mica__work *w = s->running; w; w = w->outer) atomic_store(&w->job->stop, true);
    }
    mica__queue_tell();
    return any;
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

/* Released streams, the oldest first: it is the likeliest to have finished its work. */
static mica_stream *free_first, *free_last;

/* A released stream that is idle, or NULL; under the lock. */
static mica_stream *take_released(void)
{
    mica_stream *s = free_first;
    if (!s || s->runner || s->head) return NULL;
    free_first = s->next_free;
    if (!free_first) free_last = NULL;
    s->next_free = NULL;
    s->report.status = MICA_OK;
    return s;
}

int mica_stream_new(mica_stream **out)
{
    mica__mutex_lock(&mica__queue_lock);
    mica_stream *s = take_released();
    if (!s) {
        s = mica__alloc_zero(1, sizeof *s);
        if (!s) {
            mica__mutex_unlock(&mica__queue_lock);
            return MICA_EMEMORY;
        }
        s->next = streams;
        streams = s;
    }
    s->index = stream_count++;
    atomic_store(&s->references, 1);
    mica__mutex_unlock(&mica__queue_lock);
    *out = s;
    return MICA_OK;
}

mica_stream *mica_stream_retain(mica_stream *s)
{
    if (s) atomic_fetch_add_explicit(&s->references, 1, memory_order_relaxed);
    return s;
}

void mica_stream_release(mica_stream *s)
{
    if (!s || s == &default_stream ||
        atomic_fetch_sub_explicit(&s->references, 1, memory_order_acq_rel) != 1)
        return;
    mica__mutex_lock(&mica__queue_lock);
    if (free_last) free_last->next_free = s;
    else free_first = s;
    free_last = s;
    mica__mutex_unlock(&mica__queue_lock);
}

/* ---- of one thread ---- */

/* Streams for the keys of mica_thread_stream, let go with the thread. */
static _Thread_local mica__map own_streams;
static pthread_key_t own_key;

static void end_thread(void *unused)
{
    (void)unused;
    for (size_t i = 0; i < own_streams.capacity; i++)
        if (own_streams.keys[i]) mica_stream_release(own_streams.values[i]);
    mica__map_free(&own_streams);
    mica_set_default_stream(NULL);
}

static void make_key(void)
{
    pthread_key_create(&own_key, end_thread);
}

/* Has end_thread called when the calling thread ends. */
static void watch_thread(void)
{
    static mica__once once = MICA_ONCE_INIT;
    mica__call_once(&once, make_key);
    pthread_setspecific(own_key, &own_streams);
}

int mica__thread_stream(uint64_t key, uint64_t owner, mica_stream **out)
{
    const void *at = (const void *)(uintptr_t)(key + 1);
    void *found;
    mica_stream *known = mica__map_get(&own_streams, at, &found) ? found : NULL, *s;
    if (known && known->owner == owner) {
        *out = known;
        return MICA_OK;
    }
    MICA_TRY(mica_stream_new(&s));
    if (mica__map_set(&own_streams, at, s) != MICA_OK) {
        mica_stream_release(s);
        return MICA_EMEMORY;
    }
    s->owner = owner;
    mica_stream_release(known);
    watch_thread();
    *out = s;
    return MICA_OK;
}

int mica_thread_stream(uint64_t key, mica_stream **out)
{
    return mica__thread_stream(key, 0, out);
}

mica_stream *mica_default_stream(void)
{
    return mica__current_stream ? mica__current_stream : &default_stream;
}
void mica_set_default_stream(mica_stream *s)
{
    mica_stream *before = mica__current_stream;
    if (s == before) return;
    mica__current_stream = mica_stream_retain(s);
    mica_stream_release(before);
    if (s) watch_thread();
}
int mica_stream_index(const mica_stream *s)
{
    return s ? s->index : 0;
}

static bool is_idle(const void *stream)
{
    const mica_stream *s = stream;
    return !s->runner && !s->head;
}

int mica_synchronize(mica_stream *s)
{
    mica__queue_begin();
    s = mica__queue_resolve(s);
    mica__mutex_lock(&mica__queue_lock);
    int status = MICA_OK;
    mica__reenter();
    while (status == MICA_OK && !is_idle(s)) status = mica__reenter_wait(is_idle, s);
    if (status == MICA_OK && s->report.status != MICA_OK) {
        status = mica__fail(s->report.status, "%s", s->report.message);
        s->report.status = MICA_OK;
    }
    mica__mutex_unlock(&mica__queue_lock);
    return status;
}
