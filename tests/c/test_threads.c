/* Threads that build, evaluate, interrupt and drop the same graphs at once, streams that come and
 * go, and graphs of any depth on a small C stack. MICA_TEST_TIER=long runs longer. */
#define _GNU_SOURCE 1
#include <pthread.h>
#include <stdlib.h>

#include "base/thread.h"
#include "core/node.h"
#include "live.h"
#include "mica/mica.h"
#include "runtime/queue.h"

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
enum { SLOW = 10 };
#else
enum { SLOW = 1 };
#endif

static int longer = 1; /* how many times as much the long tier does */

static mica_array *number(mica_scope *s, double value)
{
    return mica_full(s, MICA_SHAPE(8), mica_number(s, value), MICA_FLOAT32);
}
static double first(mica_scope *s, mica_array *a)
{
    return mica_item(s, mica_take(s, a, mica_integer(s, 0), 0));
}
/* Many steps; the value is that of the input. */
static mica_array *slow(mica_scope *s, mica_array *a, int steps)
{
    mica_array *m = mica_eye(s, 8, MICA_NO_INTEGER, 0, MICA_FLOAT32);
    for (int i = 0; i < steps; i++)
        a = mica_reshape(s, mica_matmul(s, m, mica_reshape(s, a, MICA_SHAPE(8, 1))), MICA_SHAPE(8));
    return a;
}

/* ---- a storm: place i always holds an array of the value i, in some state of evaluation ---- */

enum { THREADS = 8, PLACES = 12, STREAMS = 3 };

static struct place {
    mica__mutex lock;
    mica_array *array;
} places[PLACES];
static mica_stream *streams[STREAMS];

typedef struct sailor {
    unsigned seed;
    int turns, wrong, interrupted, read;
} sailor;

static unsigned draw(sailor *t, unsigned below)
{
    t->seed = t->seed * 1664525u + 1013904223u;
    return (t->seed >> 8) % below;
}

static mica_array *borrow(mica_scope *s, int i)
{
    mica__mutex_lock(&places[i].lock);
    mica_array *a = mica_scope_own(s, mica_retain(places[i].array));
    mica__mutex_unlock(&places[i].lock);
    return a;
}

static void put(int i, mica_array *a)
{
    mica_retain(a);
    mica__mutex_lock(&places[i].lock);
    mica_array *old = places[i].array;
    places[i].array = a;
    mica__mutex_unlock(&places[i].lock);
    mica_release(old);
}

/* Another graph of the same value. */
static mica_array *rebuild(mica_scope *s, sailor *t, int i, mica_array *a)
{
    switch (draw(t, 5)) {
    case 0: return number(s, i); /* drops the old graph */
    case 1: return mica_subtract(s, mica_add(s, a, number(s, 3)), mica_number(s, 3));
    case 2: return slow(s, a, (int)draw(t, 20));
    case 3: { /* of two places */
        int k = (int)draw(t, PLACES);
        return mica_add(s, mica_multiply(s, borrow(s, k), mica_number(s, 0)), a);
    }
    default: return mica_mean(s, mica_stack(s, MICA_ARRAYS(a, a, a), 0), MICA_AXES(0), false);
    }
}

static void sail(void *argument)
{
    sailor *t = argument;
    for (int turn = 0; turn < t->turns; turn++) {
        int i = (int)draw(t, PLACES);
        unsigned on = draw(t, STREAMS + 1);
        mica_scope *s = mica_scope_open_on(NULL, on < STREAMS ? streams[on] : NULL);
        mica_array *a = rebuild(s, t, i, borrow(s, i));
        int status = MICA_OK;
        switch (draw(t, 6)) {
        case 0: status = mica_async_eval(s, &a, 1); break;
        case 1: status = mica_eval(s, &a, 1); break;
        case 2: mica__interrupt(); break;
        case 3: mica_synchronize(on < STREAMS ? streams[on] : NULL); break;
        default: break;
        }
        if (status == MICA_OK) put(i, a);
        if (status == MICA_OK && draw(t, 2)) {
            double value = first(s, a);
            status = mica_scope_status(s);
            t->read += status == MICA_OK;
            t->wrong += status == MICA_OK && value != i;
        }
        t->interrupted += status == MICA_EINTERRUPT;
        t->wrong += status != MICA_OK && status != MICA_EINTERRUPT;
        mica_scope_close(s);
    }
}

static void settle(void)
{
    for (int i = 0; i < STREAMS; i++) mica_synchronize(streams[i]);
    mica_synchronize(NULL);
    mica_scope *s = mica_scope_open(NULL); /* takes an interruption that came too late */
    mica_array *a = number(s, 1);
    mica_eval(s, &a, 1);
    mica_scope_close(s);
}

static void test_storm(void)
{
    for (int i = 0; i < STREAMS; i++) CHECK_EQUAL(mica_stream_new(&streams[i]), MICA_OK);
    settle();
    live before = live_now();
    mica_scope *s = mica_scope_open(NULL);
    for (int i = 0; i < PLACES; i++) {
        mica__mutex_init(&places[i].lock);
        places[i].array = mica_retain(number(s, i));
    }
    CHECK_EQUAL(mica_scope_close(s), MICA_OK);
    mica__thread threads[THREADS];
    sailor crew[THREADS];
    for (int i = 0; i < THREADS; i++) {
        crew[i] = (sailor){ .seed = 77u * (unsigned)i + 1, .turns = 1500 * longer / SLOW };
        CHECK_EQUAL(mica__thread_start(&threads[i], "sailor", sail, &crew[i]), MICA_OK);
    }
    int interrupted = 0, read = 0;
    for (int i = 0; i < THREADS; i++) {
        mica__thread_join(&threads[i]);
        CHECK_EQUAL(crew[i].wrong, 0);
        interrupted += crew[i].interrupted;
        read += crew[i].read;
    }
    CHECK(read > 0);
    printf("storm: %d values read, %d interruptions\n", read, interrupted);
    settle();
    s = mica_scope_open(NULL);
    for (int i = 0; i < PLACES; i++) { /* what was interrupted can still be had */
        CHECK(first(s, places[i].array) == i);
        mica_release(places[i].array);
    }
    CHECK_EQUAL(mica_scope_close(s), MICA_OK);
    settle();
    CHECK(live_same(before, live_now()));
    for (int i = 0; i < STREAMS; i++) mica_stream_release(streams[i]);
}

/* ---- synchronize ---- */

static _Atomic int running;

static void evaluate_on(void *stream)
{
    mica_scope *s = mica_scope_open_on(NULL, stream);
    mica_array *y = slow(s, number(s, 1), 100);
    atomic_store(&running, 1);
    mica_eval(s, &y, 1);
    mica_scope_close(s);
}

/* Waiting for a stream whose work another thread runs itself ends with that work. */
static void test_synchronize(void)
{
    mica_stream *stream;
    CHECK_EQUAL(mica_stream_new(&stream), MICA_OK);
    for (int i = 0; i < 200; i++) {
        mica__thread thread;
        atomic_store(&running, 0);
        mica__thread_start(&thread, "evaluator", evaluate_on, stream);
        while (!atomic_load(&running)) mica__thread_yield();
        for (int pause = 0; pause < 50 * i; pause++) mica__cpu_pause();
        CHECK_EQUAL(mica_synchronize(stream), MICA_OK);
        mica__thread_join(&thread);
    }
    mica_stream_release(stream);
}

/* ---- streams come and go ---- */

static void test_many_streams(void)
{
    enum { COUNT = 10000 };
    static mica_stream *all[COUNT];
    for (int i = 0; i < COUNT; i++) { /* one after the other: the same stream again and again */
        mica_stream *stream;
        CHECK_EQUAL(mica_stream_new(&stream), MICA_OK);
        mica_scope *s = mica_scope_open_on(NULL, stream);
        mica_array *y = mica_add(s, number(s, i), mica_number(s, 1));
        if (i % 2) mica_async_eval(s, &y, 1);
        mica_stream_release(stream); /* before its work is done, or begun */
        if (i % 100 == 0) CHECK(first(s, y) == i + 1);
        CHECK_EQUAL(mica_scope_close(s), MICA_OK);
    }
    int last = -1;
    for (int i = 0; i < COUNT; i++) { /* all at once: threads only for those at work */
        CHECK_EQUAL(mica_stream_new(&all[i]), MICA_OK);
        CHECK(mica_stream_index(all[i]) > last);
        last = mica_stream_index(all[i]);
        mica_scope *s = mica_scope_open_on(NULL, all[i]);
        mica_array *y = number(s, i);
        mica_async_eval(s, &y, 1);
        if (i % 10 == 0) mica_synchronize(all[i]);
        CHECK_EQUAL(mica_scope_close(s), MICA_OK);
    }
    for (int i = 0; i < COUNT; i++) CHECK_EQUAL(mica_synchronize(all[i]), MICA_OK);
    for (int i = 0; i < COUNT; i++) mica_stream_release(all[i]);
}

static void own_stream(void *argument)
{
    mica_stream *one, *same, *two;
    CHECK_EQUAL(mica_thread_stream(1, &one), MICA_OK);
    CHECK_EQUAL(mica_thread_stream(1, &same), MICA_OK);
    CHECK_EQUAL(mica_thread_stream(2, &two), MICA_OK);
    CHECK(one == same && one != two);
    mica_set_default_stream(two);
    mica_scope *s = mica_scope_open(NULL);
    CHECK(first(s, number(s, 4)) == 4);
    CHECK_EQUAL(mica_scope_close(s), MICA_OK);
    *(int *)argument = mica_stream_index(one);
}

static void test_thread_streams(void)
{
    int indices[3] = { 0 };
    for (int i = 0; i < 3; i++) {
        mica__thread thread;
        mica__thread_start(&thread, "owner", own_stream, &indices[i]);
        mica__thread_join(&thread);
    }
    CHECK(indices[0] != indices[1] && indices[1] != indices[2]);
}

/* ---- deep and wide, on a stack of 64 KiB ---- */

static mica_array *deep_loss(mica_scope *s, mica_array *const a[], void *user)
{
    mica_array *x = a[0];
    for (int i = 0; i < *(int *)user; i++) x = mica_sin(s, x);
    return x;
}

static void deep_and_wide(void *unused)
{
    (void)unused;
    enum { DEPTH = 1000000 / SLOW, LEAVES = 200000 / SLOW };
    mica_scope *s = mica_scope_open(NULL);
    int64_t start = mica__now();
    mica_array *x = number(s, 0), *one = number(s, 1);
    for (int i = 0; i < DEPTH; i++) x = mica_add(s, x, one);
    CHECK(first(s, x) == DEPTH);
    CHECK_EQUAL(mica_scope_close(s), MICA_OK);
    printf("chain of %d: %.0f ns a node\n", DEPTH, (double)(mica__now() - start) / DEPTH);

    s = mica_scope_open(NULL); /* nothing can be fused */
    x = mica_ones(s, MICA_SHAPE(2), MICA_FLOAT32);
    for (int i = 0; i < DEPTH / 10; i++) x = mica_flip(s, x, MICA_AXES(0));
    CHECK(first(s, x) == 1);
    CHECK_EQUAL(mica_scope_close(s), MICA_OK);

    start = mica__now();
    s = mica_scope_open(NULL);
    mica_array **leaves = malloc(LEAVES * sizeof *leaves);
    for (int i = 0; i < LEAVES; i++) leaves[i] = mica_scalar(s, 1, MICA_FLOAT32);
    CHECK_EQUAL(mica_eval(s, leaves, LEAVES), MICA_OK);
    mica_array *all =
        mica_sum(s, mica_stack(s, (mica_arrays){ LEAVES, leaves }, 0), MICA_ALL_AXES, false);
    for (int n = LEAVES; n > 1; n = (n + 1) / 2) /* a tree of sums */
        for (int i = 0; i < (n + 1) / 2; i++)
            leaves[i] =
                2 * i + 1 < n ? mica_add(s, leaves[2 * i], leaves[2 * i + 1]) : leaves[2 * i];
    CHECK(mica_item(s, leaves[0]) == LEAVES);
    CHECK(mica_item(s, all) == LEAVES);
    CHECK_EQUAL(mica_scope_close(s), MICA_OK);
    free(leaves);
    printf("tree of %d: %.0f ns a leaf\n", LEAVES, (double)(mica__now() - start) / LEAVES);

    s = mica_scope_open(NULL);
    int depth = DEPTH / 20;
    mica_array *at = mica_scalar(s, 0, MICA_FLOAT32), *value, *slope;
    CHECK_EQUAL(mica_value_and_grad(s, deep_loss, &depth, &at, 1, &value, &slope), MICA_OK);
    CHECK(mica_item(s, slope) == 1);
    CHECK_EQUAL(mica_scope_close(s), MICA_OK);
}

static void *run_body(void *body)
{
    (*(void (**)(void *))body)(NULL);
    return NULL;
}

static void test_small_stack(void)
{
    void (*body)(void *) = deep_and_wide;
    pthread_attr_t attributes;
    pthread_t thread;
    pthread_attr_init(&attributes);
    size_t bytes = SLOW == 1 ? (size_t)64 << 10 : (size_t)512 << 10;
    CHECK(pthread_attr_setstacksize(&attributes, bytes) == 0);
    CHECK(pthread_create(&thread, &attributes, run_body, &body) == 0);
    pthread_join(thread, NULL);
    pthread_attr_destroy(&attributes);
}

/* ---- waiting: threads are woken when what they wait for has come about, and by nothing else ----
 */

enum { WAITERS = 8, PASSING = 300 };

typedef struct waiter {
    mica_stream *stream;
    mica_array *needs;
    int wrong, index;
    _Atomic int *ready;
} waiter;

static void wait_for_long_work(void *argument)
{
    waiter *w = argument;
    mica_stream *own;
    w->wrong = mica_stream_new(&own) != MICA_OK;
    mica_scope *s = mica_scope_open_on(NULL, own);
    mica_array *y = mica_add(s, w->needs, number(s, w->index));
    atomic_fetch_add(w->ready, 1);
    if (w->index % 4 == 0) w->wrong += mica_synchronize(w->stream) != MICA_OK;
    if (w->index % 4 == 1) w->wrong += mica_eval(s, &w->needs, 1) != MICA_OK;
    w->wrong += first(s, y) != 5 + w->index;
    w->wrong += mica_scope_close(s) != MICA_OK;
    mica_stream_release(own);
}

static void test_waits(void)
{
    live before = live_now();
    mica__thread threads[WAITERS];
    waiter waiters[WAITERS];
    _Atomic int ready = 0;
    mica_stream *busy, *passing;
    CHECK_EQUAL(mica_stream_new(&busy), MICA_OK);
    CHECK_EQUAL(mica_stream_new(&passing), MICA_OK);
    mica_scope *s = mica_scope_open_on(NULL, busy);
    mica_array *long_work = slow(s, number(s, 5), 100000 / SLOW);
    uint64_t wakes = mica__queue_wakes();
    CHECK_EQUAL(mica_async_eval(s, &long_work, 1), MICA_OK);
    for (int i = 0; i < WAITERS; i++) {
        waiters[i] = (waiter){ busy, long_work, 0, i, &ready };
        CHECK_EQUAL(mica__thread_start(&threads[i], "waiter", wait_for_long_work, &waiters[i]),
                    MICA_OK);
    }
    while (atomic_load(&ready) < WAITERS) mica__thread_yield();
    int passed = 0;
    for (; passed < PASSING && !mica__is_done(long_work); passed++) { /* of no concern to them */
        mica_scope *t = mica_scope_open_on(NULL, passing);
        CHECK(first(t, slow(t, number(t, passed), 5)) == passed);
        CHECK_EQUAL(mica_scope_close(t), MICA_OK);
    }
    for (int i = 0; i < WAITERS; i++) {
        mica__thread_join(&threads[i]);
        CHECK_EQUAL(waiters[i].wrong, 0);
    }
    wakes = mica__queue_wakes() - wakes;
    printf("%d threads waited while %d evaluations passed: woken %d times\n", WAITERS, passed,
           (int)wakes);
    CHECK(wakes <= 4 * WAITERS);
    CHECK_EQUAL(mica_scope_close(s), MICA_OK);
    CHECK_EQUAL(mica_synchronize(busy), MICA_OK);
    mica_stream_release(busy);
    mica_stream_release(passing);
    CHECK(live_same(before, live_now()));
}

int main(void)
{
    const char *tier = getenv("MICA_TEST_TIER");
    if (tier && !strcmp(tier, "long")) longer = 30;
    test_synchronize();
    test_storm();
    test_waits();
    test_many_streams();
    test_thread_streams();
    test_small_stack();
    return check_report("threads");
}
