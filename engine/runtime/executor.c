/* Executors: the threads that serve the queues of streams.

   A stream with queued work has an executor reserved for it, so every queue moves on however its
   work waits for that of others; streams that are idle cost no thread. Executors are few while
   streams take turns, and as many as there are streams at work at once. */
#include "runtime/queue.h"

enum {
    MOST_IDLE = 16, /* executors that stay for later */
    AT_EXIT = 2     /* seconds that work in flight has to stop */
};

static struct {
    mica__condition work;      /* a stream became ready, or the process ends */
    mica_stream *first, *last; /* ready streams, the longest waiting first */
    size_t threads, idle;
    size_t engaged; /* streams that have one reserved; never more than `threads` */
    bool closed;    /* the process ends: nothing is begun any more */
} executors = { .work = MICA_CONDITION_INIT };

/* Hands the stream to an executor if it has work and nobody runs it. */
static void make_ready(mica_stream *s)
{
    if (!s->head || s->runner || s->ready) return;
    s->ready = true;
    s->next_ready = NULL;
    if (executors.last) executors.last->next_ready = s;
    else executors.first = s;
    executors.last = s;
    mica__condition_signal(&executors.work);
}

static mica_stream *take_ready(void)
{
    mica_stream *s = executors.first;
    executors.first = s->next_ready;
    if (!executors.first) executors.last = NULL;
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
    mica__work_run(w, false);
    mica__mutex_lock(&mica__queue_lock);
    s->runner = NULL;
    mica__queue_left(s);
}

static void execute(void *unused)
{
    (void)unused;
    mica__mutex_lock(&mica__queue_lock);
    for (;;) {
        if (executors.first && !executors.closed) {
            serve(take_ready());
        } else if (executors.idle >= MOST_IDLE && executors.threads > executors.engaged) {
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

int mica__queue_add(mica_stream *s, mica__work *w)
{
    if (!s->engaged) {
        if (executors.threads == executors.engaged) {
            mica__thread thread;
            MICA_TRY(mica__thread_start(&thread, "mica-stream", execute, NULL));
            mica__thread_detach(&thread);
            executors.threads++;
        }
        executors.engaged++;
        s->engaged = true;
    }
    if (s->tail) s->tail->next = w;
    else s->head = w;
    s->tail = w;
    make_ready(s);
    return MICA_OK;
}

void mica__queue_left(mica_stream *s)
{
    if (s->head) {
        make_ready(s);
    } else if (s->engaged) {
        s->engaged = false;
        executors.engaged--;
    }
    mica__condition_broadcast(&mica__queue_changed);
}

bool mica__executors_called(void)
{
    return executors.first != NULL;
}

void mica__executors_forget(void)
{
    mica__condition_init(&executors.work);
    executors.first = executors.last = NULL;
    executors.threads = executors.idle = executors.engaged = 0;
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
        late = !mica__condition_wait_until(&mica__queue_changed, &mica__queue_lock, end);
    mica__mutex_unlock(&mica__queue_lock);
}
