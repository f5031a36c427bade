/* Streams and threads: asynchronous work, faults, interruption, graphs shared by threads, deep
 * graphs, fork. */
#define _GNU_SOURCE 1
#include <sys/wait.h>
#include <unistd.h>

#include "base/thread.h"
#include "core/node.h"
#include "live.h"
#include "mica/mica.h"
#include "runtime/runtime.h"

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
enum { SLOW = 10 };
#else
enum { SLOW = 1 };
#endif

static mica_stream *other, *third;

static mica_array *number(mica_scope *s, double value)
{
    return mica_full(s, MICA_SHAPE(8), mica_number(s, value), MICA_FLOAT32);
}
static double first(mica_scope *s, mica_array *a)
{
    return mica_item(s, mica_take(s, a, mica_integer(s, 0), 0));
}

/* Some milliseconds of work in many steps; the value is that of the input. */
static mica_array *slow(mica_scope *s, mica_array *a, int steps)
{
    mica_array *m = mica_eye(s, 8, MICA_NO_INTEGER, 0, MICA_FLOAT32);
    for (int i = 0; i < steps; i++)
        a = mica_reshape(s, mica_matmul(s, m, mica_reshape(s, a, MICA_SHAPE(8, 1))), MICA_SHAPE(8));
    return a;
}

/* What is alive once the streams have let go of what they were given before. */
static live settled(void)
{
    mica_synchronize(other);
    mica_synchronize(third);
    return live_now();
}

static void test_async(void)
{
    live before = settled();
    mica_scope *s = mica_scope_open_on(NULL, other);
    mica_array *a = number(s, 3), *y = mica_square(s, slow(s, a, 200));
    CHECK_EQUAL(mica_async_eval(s, &y, 1), MICA_OK);
    mica_array *z = mica_add(s, y, a); /* built on what is not there yet */
    CHECK(first(s, z) == 12);
    CHECK(first(s, y) == 9);
    CHECK_EQUAL(mica_synchronize(other), MICA_OK);
    CHECK_EQUAL(mica_scope_close(s), MICA_OK);

    for (int i = 0; i < 300; i++) { /* what only the scope holds stays in reach */
        s = mica_scope_open_on(NULL, other);
        mica_array *t = mica_add(s, number(s, i), mica_number(s, 1));
        y = mica_exp(s, slow(s, t, i % 5));
        mica_async_eval(s, &y, 1);
        mica_array *u = mica_multiply(s, t, mica_number(s, 2));
        CHECK(first(s, u) == 2 * (i + 1));
        CHECK_EQUAL(mica_scope_close(s), MICA_OK);
    }
    s = mica_scope_open_on(NULL, other); /* nobody waits: the scope closes while the work runs */
    y = slow(s, number(s, 1), 500);
    mica_async_eval(s, &y, 1);
    CHECK_EQUAL(mica_scope_close(s), MICA_OK);
    CHECK_EQUAL(mica_synchronize(other), MICA_OK);
    CHECK(live_same(before, settled()));
}

/* Work that goes to and fro between streams: each waits for single nodes of the others, not for the
 * end of their work. */
static void test_two_streams(void)
{
    for (int i = 0; i < 200; i++) {
        mica_scope *s = mica_scope_open(NULL), *t = mica_scope_open_on(s, other),
                   *u = mica_scope_open_on(s, third);
        mica_array *a = slow(s, number(s, i), 1 + i % 40);
        mica_array *b = mica_add(t, a, mica_number(t, 1));
        mica_array *c = slow(s, mica_multiply(s, b, mica_number(s, 2)), i % 3);
        mica_array *d = mica_subtract(u, c, slow(t, b, i % 7));
        mica_array *e = mica_add(s, d, a);
        CHECK(first(s, e) == 2 * i + 1);
        mica_array *f = mica_add(t, slow(u, slow(t, e, 5), 5), mica_number(t, 1));
        mica_async_eval(t, &f, 1);
        CHECK(first(u, f) == 2 * i + 2);
        CHECK_EQUAL(mica_scope_close(u), MICA_OK);
        CHECK_EQUAL(mica_scope_close(t), MICA_OK);
        CHECK_EQUAL(mica_scope_close(s), MICA_OK);
    }
    CHECK(mica_stream_index(other) != mica_stream_index(third));
    CHECK_EQUAL(mica_stream_index(NULL), 0);
}

static mica_array *faulty(mica_scope *s)
{
    mica_array *far = mica_full(s, MICA_SHAPE(2), mica_integer(s, 1000), MICA_INT32);
    return mica_take(s, number(s, 1), far, 0);
}

static void test_faults(void)
{
    live before = settled();
    mica_scope *s = mica_scope_open_on(NULL, other), *t = mica_scope_open_on(NULL, other);
    mica_array *bad = faulty(s),
               *after = mica_add(s, slow(s, mica_repeat(s, bad, 4, 0), 20), mica_number(s, 1));
    mica_array *good = number(s, 2);
    CHECK_EQUAL(mica_async_eval(s, &after, 1), MICA_OK);
    CHECK_EQUAL(mica_synchronize(other), MICA_EINDEX);
    CHECK_MENTIONS(mica_last_error(), "1000");
    CHECK_EQUAL(mica_synchronize(other), MICA_OK);     /* told once */
    CHECK_EQUAL(mica_eval(t, &after, 1), MICA_EINDEX); /* what depends on it fails, each time */
    CHECK_EQUAL(mica_scope_close(t), MICA_EINDEX);
    t = mica_scope_open_on(NULL, other);
    CHECK(mica_item(t, mica_sum(t, after, MICA_ALL_AXES, false)) == 0);
    CHECK_EQUAL(mica_scope_close(t), MICA_EINDEX);
    CHECK_MENTIONS(mica_last_error(), "1000");
    CHECK(first(s, mica_add(s, good, good)) == 4); /* the stream goes on */
    CHECK_EQUAL(mica_synchronize(other), MICA_OK); /* those who waited were told */

    t = mica_scope_open_on(NULL, other);
    bad = faulty(t);
    CHECK_EQUAL(mica_async_eval(t, &bad, 1), MICA_OK);
    CHECK_EQUAL(mica_eval(t, &bad, 1), MICA_EINDEX);
    CHECK_EQUAL(mica_synchronize(other), MICA_OK);
    CHECK_EQUAL(mica_scope_close(t), MICA_EINDEX);

    mica_scope *u = mica_scope_open_on(NULL, third); /* across streams */
    bad = faulty(s);
    mica_array *y = mica_add(u, slow(u, mica_repeat(u, bad, 4, 0), 3), mica_number(u, 1));
    CHECK_EQUAL(mica_eval(u, &y, 1), MICA_EINDEX);
    CHECK_EQUAL(mica_scope_close(u), MICA_EINDEX);
    CHECK_EQUAL(mica_synchronize(third), MICA_OK);
    CHECK_EQUAL(mica_scope_close(s), MICA_OK);
    CHECK(live_same(before, settled()));
}

/* ---- interruption ---- */

static _Atomic int stop_interrupting;

static void interrupter(void *argument)
{
    (void)argument;
    while (!atomic_load(&stop_interrupting)) {
        int64_t end = mica__now() + 300000;
        while (mica__now() < end) mica__thread_yield();
        mica__interrupt();
    }
}

static void test_interrupt(void)
{
    live before = settled();
    mica_scope *s = mica_scope_open(NULL);
    mica__thread thread;
    mica__thread_start(&thread, "interrupter", interrupter, NULL);
    mica_array *y = NULL;
    int status = MICA_OK;
    for (int i = 0; i < 1000 && status == MICA_OK; i++) { /* the other thread may be late */
        mica_scope *t = mica_scope_open(NULL);
        y = slow(s, number(s, 5), 2000);
        status = mica_eval(t, &y, 1);
        CHECK_EQUAL(mica_scope_close(t), status);
    }
    CHECK_EQUAL(status, MICA_EINTERRUPT);
    CHECK(!mica__is_done(y));
    CHECK_MENTIONS(mica_last_error(), "interrupted");
    atomic_store(&stop_interrupting, 1);
    mica__thread_join(&thread);
    mica_scope *t = mica_scope_open(
        NULL); /* the last request may have come after the end: it stops the next evaluation */
    mica_array *x = mica_exp(t, number(t, 0));
    mica_eval(t, &x, 1);
    mica_scope_close(t);
    CHECK(first(s, y) == 5); /* goes on where it stopped */
    CHECK_EQUAL(mica_scope_close(s), MICA_OK);
    CHECK(live_same(before, settled()));
}

static int asked, stop_at;
static int hook(void)
{
    return ++asked >= stop_at;
}

static int evaluating_hook(void)
{
    int (*self)(void) = mica__interrupt_hook;
    mica__interrupt_hook = NULL;
    mica_scope *s = mica_scope_open(NULL);
    asked++;
    CHECK(first(s, mica_square(s, number(s, asked))) == (double)asked * asked);
    CHECK_EQUAL(mica_scope_close(s), MICA_OK);
    mica__interrupt_hook = self;
    return 0;
}

static void test_hook(void)
{
    mica_scope *s = mica_scope_open(NULL);
    mica_array *y = NULL;
    for (int i = 1; i <= 100; i += 7) {
        y = slow(s, number(s, 5),
                 100); /* anew: what an interrupted evaluation has done stays done */
        mica_scope *t = mica_scope_open(NULL);
        asked = 0;
        stop_at = i;
        mica__interrupt_hook = hook;
        CHECK_EQUAL(mica_eval(t, &y, 1), MICA_EINTERRUPT);
        mica__interrupt_hook = NULL;
        CHECK_EQUAL(mica_scope_close(t), MICA_EINTERRUPT);
    }
    asked = 0;
    mica__interrupt_hook = evaluating_hook; /* what a signal handler of the program may do */
    CHECK(first(s, y) == 5);
    mica__interrupt_hook = NULL;

    /* Waiting for another stream can be interrupted too. */
    mica_scope *t = mica_scope_open_on(NULL, other), *u = mica_scope_open_on(NULL, other);
    y = slow(t, number(t, 6), 200000 / SLOW);
    mica_async_eval(t, &y, 1);
    mica_array *z = mica_exp(u, y);
    asked = 0;
    stop_at = 1;
    mica__interrupt_hook = hook;
    int64_t start = mica__now();
    CHECK_EQUAL(mica_eval(u, &z, 1), MICA_EINTERRUPT);
    mica__interrupt_hook = NULL;
    printf("interrupted after %.0f ms\n", (double)(mica__now() - start) * 1e-6);
    CHECK_EQUAL(mica_scope_close(u), MICA_EINTERRUPT);
    CHECK(first(t, y) == 6);
    CHECK_EQUAL(mica_scope_close(t), MICA_OK);
    CHECK_EQUAL(mica_scope_close(s), MICA_OK);
}

/* ---- threads ---- */

enum { THREADS = 4, ROUNDS = 300 / SLOW + 20 };

typedef struct share {
    mica_array *base, *middle;
    int index;
    int wrong;
    _Atomic int *round;
} share;

static void use_shared(void *argument)
{
    share *h = argument;
    mica_scope *s = mica_scope_open(NULL);
    mica_array *mine = mica_multiply(s, mica_add(s, h->middle, h->base), mica_number(s, h->index));
    atomic_fetch_add(h->round, 1);
    while (atomic_load(h->round) < THREADS) mica__thread_yield();
    h->wrong += first(s, mine) != 7.0 * h->index;
    h->wrong += first(s, h->middle) != 4;
    h->wrong += mica_scope_close(s) != MICA_OK;
}

static void test_threads(void)
{
    live before = settled();
    for (int round = 0; round < ROUNDS; round++) {
        mica_scope *s = mica_scope_open(NULL);
        mica_array *base = mica_add(s, number(s, 1), mica_number(s, 2));
        mica_array *middle = slow(s, mica_add(s, base, mica_number(s, 1)), round % 4);
        share shares[THREADS];
        mica__thread threads[THREADS];
        _Atomic int at_start = 0;
        for (int i = 0; i < THREADS; i++) {
            shares[i] = (share){ base, middle, i, 0, &at_start };
            mica__thread_start(&threads[i], "sharer", use_shared, &shares[i]);
        }
        for (int i = 0; i < THREADS; i++) {
            mica__thread_join(&threads[i]);
            CHECK_EQUAL(shares[i].wrong, 0);
        }
        CHECK_EQUAL(mica_scope_close(s), MICA_OK);
    }
    CHECK(live_same(before, settled()));
}

static _Atomic(mica_array *) published;
static _Atomic int taken;

/* Uses arrays that another thread's scope holds and evaluates past. */
static void use_passing(void *argument)
{
    int *wrong = argument;
    for (int i = 0; i < 10 * ROUNDS; i++) {
        mica_array *t;
        while (!(t = atomic_exchange(&published, NULL))) mica__thread_yield();
        mica_scope *s = mica_scope_open(NULL);
        *wrong += first(s, mica_multiply(s, t, mica_number(s, 2))) != 2 * (i + 1);
        *wrong += mica_scope_close(s) != MICA_OK;
        atomic_store(&taken, i + 1);
    }
}

static void test_passing(void)
{
    int wrong = 0;
    mica__thread thread;
    mica__thread_start(&thread, "taker", use_passing, &wrong);
    for (int i = 0; i < 10 * ROUNDS; i++) {
        mica_scope *s = mica_scope_open(NULL);
        mica_array *t = mica_add(s, number(s, i), mica_number(s, 1)), *y = mica_square(s, t);
        atomic_store(&published, t);
        CHECK(first(s, y) == (double)(i + 1) * (i + 1));
        while (atomic_load(&taken) != i + 1) mica__thread_yield();
        CHECK_EQUAL(mica_scope_close(s), MICA_OK);
    }
    mica__thread_join(&thread);
    CHECK_EQUAL(wrong, 0);
}

/* ---- depth ---- */

static void test_depth(void)
{
    enum { DEPTH = 1000000 };
    live before = settled();
    for (int evaluate = 0; evaluate < 2; evaluate++) {
        mica_array *x = NULL, *one = NULL;
        mica_scope *s = mica_scope_open(NULL);
        one = mica_scope_own(
            s, mica_retain(mica_full(s, MICA_SHAPE(2), mica_number(s, 1), MICA_FLOAT32)));
        x = mica_retain(mica_zeros(s, MICA_SHAPE(2), MICA_FLOAT32));
        for (int i = 0; i < DEPTH; i++) {
            mica_scope *t = mica_scope_open(NULL);
            mica_array *next = mica_add(t, x, one);
            mica_scope_close_replacing(t, &x, &next, 1);
        }
        if (evaluate) CHECK(first(s, x) == DEPTH);
        mica_release(x);
        CHECK_EQUAL(mica_scope_close(s), MICA_OK);
    }
    mica_scope *s = mica_scope_open(NULL); /* steps of their own, all held by one scope */
    mica_array *x = number(s, 1);
    for (int i = 0; i < DEPTH / 20; i++)
        x = mica_flip(s, mica_cummax(s, x, 0, false, true), MICA_AXES(0));
    CHECK(first(s, x) == 1);
    CHECK_EQUAL(mica_scope_close(s), MICA_OK);
    CHECK(live_same(before, settled()));
}

static mica_array *deep(mica_scope *s, mica_array *const a[], void *user)
{
    mica_array *x = a[0];
    for (int i = 0; i < *(int *)user; i++)
        x = mica_multiply(s, mica_tanh(s, x), mica_number(s, 1.0 + 1e-6));
    return x;
}

static void test_deep_gradient(void)
{
    live before = settled();
    mica_scope *s = mica_scope_open(NULL);
    int depth = 50000;
    mica_array *x = mica_scalar(s, 0, MICA_FLOAT32), *value, *grad;
    CHECK_EQUAL(mica_value_and_grad(s, deep, &depth, &x, 1, &value, &grad), MICA_OK);
    double d = mica_item(s, grad);
    CHECK(d > 1.02 && d < 1.08); /* 1.000001^50000 */
    CHECK_EQUAL(mica_scope_close(s), MICA_OK);
    CHECK(live_same(before, settled()));
}

/* ---- fork ---- */

#ifndef __SANITIZE_THREAD__ /* which does not follow threads of a forked child */
static int child_work(mica_array *shared)
{
    mica_scope *s = mica_scope_open(NULL), *t = mica_scope_open_on(s, other);
    int wrong = first(s, mica_add(s, shared, mica_number(s, 1))) != 8;
    mica_array *y = slow(t, number(t, 3), 100);
    mica_async_eval(t, &y, 1);
    wrong += 2 * (first(s, mica_add(s, y, shared)) != 10);
    wrong += 4 * (mica_synchronize(other) != MICA_OK);
    wrong += 8 * (mica_scope_close(t) != MICA_OK);
    wrong += 16 * (mica_scope_close(s) != MICA_OK);
    return wrong;
}

static void test_fork(void)
{
    for (int i = 0; i < 20; i++) {
        mica_scope *s = mica_scope_open_on(NULL, i % 2 ? other : third);
        mica_array *shared = slow(s, number(s, 7), 400);
        if (i % 4) mica_async_eval(s, &shared, 1);
        pid_t child = fork();
        if (child == 0) {
            alarm(60);
            _exit(child_work(shared));
        }
        CHECK(child > 0);
        CHECK(first(s, shared) == 7);
        int status = -1;
        CHECK(waitpid(child, &status, 0) == child);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        if (status) fprintf(stderr, "child %d: status %x\n", i, (unsigned)status);
        CHECK_EQUAL(mica_scope_close(s), MICA_OK);
    }
}
#endif

int main(void)
{
    CHECK_EQUAL(mica_stream_new(&other), MICA_OK);
    CHECK_EQUAL(mica_stream_new(&third), MICA_OK);
    test_async();
    test_two_streams();
    test_faults();
    test_interrupt();
    test_hook();
    test_threads();
    test_passing();
    test_depth();
    test_deep_gradient();
#ifndef __SANITIZE_THREAD__
    test_fork();
#endif
    return check_report("streams");
}
