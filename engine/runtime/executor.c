/* Executors: the threads that serve the queues of streams.

   A stream with work that can go on is ready, and an executor takes it; work that has to wait is
   parked (park.c) and occupies none. So executors are few, however many streams have work. One that
   blocks all the same (for memory) is not counted, so one at least always serves, and every stream
   that is ready comes to be served. */
#include "base/system.h"
#include "runtime/queue.h"

enum {
    MORE_THAN_PROCESSORS = 4, /* short work need not wait for long work to pause */
    SLICE = 5 * 1000 * 1000,  /* nanoseconds that a work runs while other streams are ready */
    AT_EXIT = 2               /* seconds that work in flight has to stop */
};

static struct {
    mica__condition work;      /* a stream became ready, or the process ends */
    mica_stream *first, *last; /* ready streams, the longest waiting first */
    _Atomic size_t ready;      /* how many; raised and lowered under the lock */
    size_t threads, idle, blocked;
    bool closed; /* the process ends: nothing is begun any more */
} executors = { .work = MICA_CONDITION_INIT };

static size_t serving(void)
{
    return executors.threads - executors.blocked;
}

static size_t most(void)
{
    static size_t count; /* asking the system takes long */
    if (!count) count = mica__cpu_count() + MORE_THAN_PROCESSORS;
    return count;
}

static mica_stream *take_ready(void)
{
    mica_stream *s = executors.first;
    executors.first = s->next_ready;
    if (!executors.first) executors.last = NULL;
    atomic_fetch_sub(&executors.ready, 1);
    s->ready = false;
    return s;
}

/* Runs the oldest work of a stream that was ready; called and returns with the lock held. */
static void serve(mica_stream *s)
{
    mica__work *w = s->head;
    s->head = w->next;
    if (!s->head) s->tail = NULL;
    s->runner = mica__this_thread();
    s->running = w;
    w->outer = NULL;
    mica__work_begin();
    mica__mutex_unlock(&mica__queue_lock);
    bool ended = mica__work_run(w, false);
    mica__mutex_lock(&mica__queue_lock);
    s->runner = NULL;
    if (ended) {
        mica__queue_left(s);
        return;
    }
    s->running = NULL;
    w->next = s->head;
    s->head = w;
    if (!s->tail) s->tail = w;
    mica__queue_ready(s); /* unless it is parked */
    if (mica__work_set_aside()) mica__queue_tell();
}

static void execute(void *unused)
{
    (void)unused;
    mica__mutex_lock(&mica__queue_lock);
    for (;;) {
        if (executors.first && !executors.closed) {
            mica_stream *s = take_ready();
            if (s->head && !s->runner) serve(s);
            else mica__queue_tell(); /* withdrawn: nothing is called */
        } else if (serving() > most()) {
            break;
        } else {
            executors.idle++;
            mica__condition_wait(&executors.work, &mica__queue_lock);
            executors.idle--;
        }
    }
    executors.threads--;
    mica__mutex_unlock(&mica__queue_lock);
}

static int start_executor(void)
{
    mica__thread thread;
    MICA_TRY(mica__thread_start(&thread, "mica-stream", execute, NULL));
    mica__thread_detach(&thread);
    executors.threads++;
    return MICA_OK;
}

/* Wakes or starts an executor for a stream that is ready; who serves comes to it otherwise. */
static void call_executor(void)
{
    if (executors.idle) mica__condition_signal(&executors.work);
    if (atomic_load(&executors.ready) > executors.idle && serving() < most())
        (void)start_executor();
}

void mica__queue_ready(mica_stream *s)
{
    if (!s->head || s->runner || s->ready || s->place) return;
    s->ready = true;
    s->next_ready = NULL;
    if (executors.last) executors.last->next_ready = s;
    else executors.first = s;
    executors.last = s;
    atomic_fetch_add(&executors.ready, 1);
    call_executor();
}

int mica__queue_add(mica_stream *s, mica__work *w)
{
    if (!serving()) MICA_TRY(start_executor());
    w->next = NULL;
    if (s->tail) s->tail->next = w;
    else s->head = w;
    s->tail = w;
    mica__queue_ready(s);
    return MICA_OK;
}

void mica__queue_left(mica_stream *s)
{
    mica__queue_ready(s);
    mica__queue_tell();
}

bool mica__executors_called(void)
{
    return executors.first != NULL;
}

bool mica__executor_blocks(void)
{
    if (serving() < 2 && start_executor() != MICA_OK) return false;
    executors.blocked++;
    if (executors.first) call_executor();
    return true;
}

void mica__executor_goes_on(void)
{
    executors.blocked--;
}

bool mica__executor_yields(int64_t began)
{
    return atomic_load_explicit(&executors.ready, memory_order_relaxed) &&
           mica__now() - began > SLICE;
}

void mica__executors_forget(void)
{
    mica__condition_init(&executors.work);
    executors.first = executors.last = NULL;
    atomic_store(&executors.ready, 0);
    executors.threads = executors.idle = executors.blocked = 0;
}

static bool at_once(const void *unused)
{
    (void)unused;
    return true;
}

/* At exit nobody can use what is being computed: work in flight stops at its next step, before the
   libraries that it calls are taken down. After the pool's destructor, which runs later, sections
   run alone. */
__attribute__((destructor)) static void close_executors(void)
{
    mica__queue_begin();
    int64_t end = mica__now() + (int64_t)AT_EXIT * 1000000000;
    mica__mutex_lock(&mica__queue_lock);
    executors.closed = true;
    bool late = false;
    while (mica__queue_stop_all(mica__this_thread()) && !late)
        late = !mica__queue_wait_until(end, at_once, NULL);
    mica__mutex_unlock(&mica__queue_lock);
}
