/* The intra-op thread pool. Callers put jobs into one list; workers help where helpers are missing;
   every caller works on its own job and could finish it alone, so no job ever waits for a thread
   that waits. */
#include "runtime/pool.h"

#include "base/config.h"
#include "base/system.h"
#include "base/thread.h"

enum {
    MOST_THREADS = 1024,
    /* A worker without work watches for the next job this long, a caller for its last helpers, then
       they sleep. Waking a sleeper costs the waker 2 us on bare metal and was measured at 15 us in
       a virtual machine: watching a few times as long spares it between the operations of one
       evaluation, and the processor is free again soon after the last. */
    SPIN_NANOSECONDS = 50000,
    SPINS_A_CLOCK = 32 /* looks between two readings of the clock */
};

typedef struct job {
    struct job *previous, *next;
    void (*body)(void *context, size_t index);
    void *context;
    size_t count;
    atomic_bool given_up;
    size_t places;         /* helpers that may still join; guarded by the pool's lock */
    bool waiting;          /* the caller sleeps on `done`; guarded */
    bool listed;           /* guarded */
    atomic_size_t helpers; /* workers inside; written under the lock */
    _Alignas(64) atomic_size_t next_index;
    _Alignas(64) mica__condition done;
} job;

static struct pool {
    mica__mutex lock;
    mica__condition work;
    job *first, *last;      /* jobs that may need help, oldest first */
    size_t started;         /* workers that exist */
    size_t sleepers;        /* workers in `work` */
    bool no_more;           /* the system refused a thread: use those that there are */
    bool closed;            /* the library is being unloaded */
    mica__mutex change;     /* guards starting and stopping */
    atomic_size_t target;   /* threads to use, the caller included; 0: not asked yet */
    atomic_bool spin;       /* whether every thread has a processor of its own */
    atomic_uint generation; /* counts jobs, for workers that watch */
    mica__thread threads[MOST_THREADS];
} pool = { .lock = MICA_MUTEX_INIT, .work = MICA_CONDITION_INIT, .change = MICA_MUTEX_INIT };

/* Whose tasks the thread runs. */
static _Thread_local job *current;

/* The thread runs tasks: parallel sections that it meets are done by it alone. */
static _Thread_local bool inside;

/* Giving up, of the calling thread. */
static _Thread_local struct {
    mica__give_up *ask;
    void *context;
    bool may, done;
} giving_up;

void mica__parallel_ask(mica__give_up *ask, void *context)
{
    giving_up.ask = ask;
    giving_up.context = context;
}

void mica__parallel_begin(void)
{
    giving_up.may = giving_up.ask != NULL;
    giving_up.done = false;
}

bool mica__parallel_finish(void)
{
    bool done = giving_up.done;
    giving_up.may = giving_up.done = false;
    return done;
}

bool mica__parallel_keep_on(void)
{
    giving_up.may = false;
    return !giving_up.done;
}

/* Asked by callers alone, before each of their tasks. What is asked may evaluate other things
 * meanwhile. */
static bool gives_up(void)
{
    if (!giving_up.may || giving_up.done) return giving_up.done;
    mica__give_up *ask = giving_up.ask;
    void *context = giving_up.context;
    bool was_inside = inside;
    job *was_current = current;
    giving_up.ask = NULL;
    giving_up.may = false;
    inside = true;
    current = NULL;
    bool done = ask(context);
    inside = was_inside;
    current = was_current;
    giving_up.ask = ask;
    giving_up.context = context;
    giving_up.may = true;
    return giving_up.done = done;
}

bool mica__parallel_given_up(void)
{
    job *j = current;
    if (j && atomic_load_explicit(&j->given_up, memory_order_relaxed)) return true;
    if (!gives_up()) return false;
    if (j) atomic_store_explicit(&j->given_up, true, memory_order_relaxed);
    return true;
}

/* ---- how many ------------------------------------------------------------------------------- */

static void set_target(size_t count)
{
    size_t processors = mica__cpu_count();
    if (!count) count = (size_t)mica__setting_number(MICA_SETTING_threads);
    if (!count) count = processors;
    if (count > MOST_THREADS) count = MOST_THREADS;
    atomic_store_explicit(&pool.spin, count <= processors, memory_order_relaxed);
    atomic_store_explicit(&pool.target, count, memory_order_release);
}

size_t mica__thread_count(void)
{
    size_t count = atomic_load_explicit(&pool.target, memory_order_acquire);
    if (count) return count;
    mica__mutex_lock(&pool.change);
    count = atomic_load_explicit(&pool.target, memory_order_relaxed);
    if (!count) {
        set_target(0);
        count = atomic_load_explicit(&pool.target, memory_order_relaxed);
    }
    mica__mutex_unlock(&pool.change);
    return count;
}

/* ---- jobs ----------------------------------------------------------------------------------- */

static void run_tasks(job *j)
{
    job *outer = current;
    current = j;
    while (!mica__parallel_given_up()) {
        size_t index = atomic_fetch_add_explicit(&j->next_index, 1, memory_order_relaxed);
        if (index >= j->count) break;
        j->body(j->context, index);
    }
    current = outer;
}

static void list_add(job *j)
{
    j->next = NULL;
    j->previous = pool.last;
    if (pool.last) pool.last->next = j;
    else pool.first = j;
    pool.last = j;
    j->listed = true;
}

static void list_remove(job *j)
{
    if (j->previous) j->previous->next = j->next;
    else pool.first = j->next;
    if (j->next) j->next->previous = j->previous;
    else pool.last = j->previous;
}

/* The job with tasks left that has the fewest helpers. */
static job *choose(void)
{
    job *best = NULL;
    size_t fewest = SIZE_MAX;
    for (job *j = pool.first; j; j = j->next) {
        size_t helpers = atomic_load_explicit(&j->helpers, memory_order_relaxed);
        if (j->places && helpers < fewest &&
            atomic_load_explicit(&j->next_index, memory_order_relaxed) < j->count) {
            best = j;
            fewest = helpers;
        }
    }
    return best;
}

/* ---- workers -------------------------------------------------------------------------------- */

/* Helps one job; called and returns with the lock held. */
static void help(job *j)
{
    j->places--;
    atomic_fetch_add_explicit(&j->helpers, 1, memory_order_relaxed);
    mica__mutex_unlock(&pool.lock);
    run_tasks(j);
    mica__mutex_lock(&pool.lock);
    /* From here the caller may only go on when it has the lock: the job lives until we let it go.
     */
    if (atomic_fetch_sub_explicit(&j->helpers, 1, memory_order_release) == 1 && j->waiting)
        mica__condition_signal(&j->done);
}

/* Watches for a new job for a while; true when one came. */
static bool watch(unsigned seen)
{
    if (!atomic_load_explicit(&pool.spin, memory_order_relaxed)) return false;
    int64_t end = mica__now() + SPIN_NANOSECONDS;
    do {
        for (int i = 0; i < SPINS_A_CLOCK; i++) {
            if (atomic_load_explicit(&pool.generation, memory_order_relaxed) != seen) return true;
            mica__cpu_pause();
        }
    } while (mica__now() < end);
    return false;
}

static bool surplus(size_t index)
{
    return pool.closed || index + 1 >= atomic_load_explicit(&pool.target, memory_order_relaxed);
}

static void worker(void *argument)
{
    size_t index = (size_t)((mica__thread *)argument - pool.threads);
    inside = true;
    mica__mutex_lock(&pool.lock);
    while (!surplus(index)) {
        job *j = choose();
        if (j) {
            help(j);
            continue;
        }
        unsigned seen = atomic_load_explicit(&pool.generation, memory_order_relaxed);
        mica__mutex_unlock(&pool.lock);
        bool came = watch(seen);
        mica__mutex_lock(&pool.lock);
        if (came || atomic_load_explicit(&pool.generation, memory_order_relaxed) != seen) continue;
        if (surplus(index)) break;
        pool.sleepers++;
        mica__condition_wait(&pool.work, &pool.lock);
        pool.sleepers--;
    }
    mica__mutex_unlock(&pool.lock);
}

/* ---- starting and stopping ------------------------------------------------------------------ */

/* fork copies only the calling thread. Its locks are held across it, so the child finds the pool
   whole; workers are started anew by the child's first parallel section. */
static void before_fork(void)
{
    mica__mutex_lock(&pool.change);
    mica__mutex_lock(&pool.lock);
}

static void after_fork_parent(void)
{
    mica__mutex_unlock(&pool.lock);
    mica__mutex_unlock(&pool.change);
}

static void after_fork_child(void)
{
    mica__condition_init(&pool.work);
    for (job *j = pool.first; j;
         j = j->next) { /* of the forking thread, or of threads that are no more */
        atomic_store(&j->helpers, 0);
        j->listed = false;
    }
    pool.first = pool.last = NULL;
    pool.started = pool.sleepers = 0;
    pool.no_more = false;
    mica__mutex_unlock(&pool.lock);
    mica__mutex_unlock(&pool.change);
}

static void register_fork(void)
{
    mica__at_fork(before_fork, after_fork_parent, after_fork_child);
}

static void start_workers(void)
{
    static mica__once once = MICA_ONCE_INIT;
    mica__call_once(&once, register_fork);
    mica__mutex_lock(&pool.change);
    mica__mutex_lock(&pool.lock);
    size_t started = pool.started;
    bool stop = pool.closed || pool.no_more;
    mica__mutex_unlock(&pool.lock);
    size_t target = atomic_load_explicit(&pool.target, memory_order_relaxed);
    while (!stop && started + 1 < target) {
        if (mica__thread_start(&pool.threads[started], "mica worker", worker,
                               &pool.threads[started]))
            stop = true;
        else started++;
    }
    mica__mutex_lock(&pool.lock);
    pool.started = started;
    pool.no_more = stop;
    mica__mutex_unlock(&pool.lock);
    mica__mutex_unlock(&pool.change);
}

/* Joins the workers beyond the target; the lock `change` is held. */
static void stop_surplus(void)
{
    mica__mutex_lock(&pool.lock);
    size_t target = atomic_load_explicit(&pool.target, memory_order_relaxed);
    size_t stay = pool.closed || !target ? 0 : target - 1, started = pool.started;
    pool.no_more = false;
    atomic_fetch_add_explicit(&pool.generation, 1, memory_order_relaxed);
    mica__condition_broadcast(&pool.work);
    if (started > stay) pool.started = stay;
    mica__mutex_unlock(&pool.lock);
    for (size_t i = stay; i < started; i++) mica__thread_join(&pool.threads[i]);
}

void mica__set_thread_count(size_t count)
{
    if (inside) return; /* a task would wait for itself */
    mica__mutex_lock(&pool.change);
    set_target(count);
    stop_surplus();
    mica__mutex_unlock(&pool.change);
}

/* At exit, and before the library's code is unmapped; later than destructors without a priority, so
 * that executors have stopped. Later sections, of threads that are still there, run alone. */
__attribute__((destructor(200))) static void close_pool(void)
{
    if (inside) return;
    mica__mutex_lock(&pool.change);
    mica__mutex_lock(&pool.lock);
    pool.closed = true;
    mica__mutex_unlock(&pool.lock);
    stop_surplus();
    mica__mutex_unlock(&pool.change);
}

/* ---- the call ------------------------------------------------------------------------------- */

/* Waits for the helpers and takes the job out of the list. */
static void finish(job *j)
{
    if (atomic_load_explicit(&j->helpers, memory_order_relaxed)) {
        int64_t end = mica__now() + SPIN_NANOSECONDS;
        while (atomic_load_explicit(&pool.spin, memory_order_relaxed) && mica__now() < end) {
            for (int i = 0; i < SPINS_A_CLOCK; i++) {
                if (!atomic_load_explicit(&j->helpers, memory_order_relaxed)) goto done;
                mica__cpu_pause();
            }
        }
    }
done:
    mica__mutex_lock(&pool.lock);
    j->waiting = true;
    j->places = 0;
    while (atomic_load_explicit(&j->helpers, memory_order_relaxed))
        mica__condition_wait(&j->done, &pool.lock);
    if (j->listed) list_remove(j); /* it is not in a child that a task forked */
    mica__mutex_unlock(&pool.lock);
}

void mica__parallel(size_t count, void (*body)(void *context, size_t index), void *context)
{
    if (count < 2 || inside || mica__thread_count() < 2) {
        for (size_t i = 0; i < count && !mica__parallel_given_up(); i++) body(context, i);
        return;
    }
    if (gives_up()) return;
    job j = { .body = body,
              .context = context,
              .count = count,
              .places = count - 1,
              .done = MICA_CONDITION_INIT };
    mica__mutex_lock(&pool.lock);
    if (pool.started + 1 < atomic_load_explicit(&pool.target, memory_order_relaxed) &&
        !pool.no_more && !pool.closed) {
        mica__mutex_unlock(&pool.lock);
        start_workers();
        mica__mutex_lock(&pool.lock);
    }
    list_add(&j);
    atomic_fetch_add_explicit(&pool.generation, 1, memory_order_relaxed);
    size_t wake = j.places < pool.sleepers ? j.places : pool.sleepers;
    bool all = wake == pool.sleepers;
    mica__mutex_unlock(&pool.lock);
    if (wake && all) mica__condition_broadcast(&pool.work);
    else
        while (wake--) mica__condition_signal(&pool.work);

    inside = true;
    run_tasks(&j);
    inside = false;
    finish(&j);
    mica__condition_destroy(&j.done);
}
