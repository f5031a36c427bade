/* The thread pool: coverage, nesting, many callers, fork. `--bench` prints timings. */
#define _GNU_SOURCE 1
#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/thread.h"
#include "check.h"
#include "runtime/memory.h"

/* ThreadSanitizer does not support threads in the child of a process that had threads. */
#if defined(__SANITIZE_THREAD__)
#define FORK_TESTS 0
#elif defined(__has_feature)
#define FORK_TESTS !__has_feature(thread_sanitizer)
#else
#define FORK_TESTS 1
#endif

/* ---- pool ----------------------------------------------------------------------------------- */

enum { MOST = 10000 };

typedef struct marks {
    atomic_int seen[MOST];
    size_t nested;
    atomic_int nested_seen;
} marks;

static void nested_task(void *context, size_t index)
{
    (void)index;
    atomic_fetch_add(&((marks *)context)->nested_seen, 1);
}

static void mark(void *context, size_t index)
{
    marks *m = context;
    atomic_fetch_add(&m->seen[index], 1);
    if (m->nested) mica__parallel(m->nested, nested_task, m);
}

static bool each_once(size_t count, size_t nested)
{
    marks *m = calloc(1, sizeof *m);
    m->nested = nested;
    mica__parallel(count, mark, m);
    bool good = atomic_load(&m->nested_seen) == (int)(count * nested);
    for (size_t i = 0; i < MOST; i++) good &= atomic_load(&m->seen[i]) == (i < count);
    free(m);
    return good;
}

static void test_coverage(void)
{
    static const size_t threads[] = { 1, 2, 3, 8, 0 }, counts[] = { 0, 1, 2, 3, 7, 64, MOST };
    for (size_t t = 0; t < 5; t++) {
        mica__set_thread_count(threads[t]);
        if (threads[t]) CHECK_EQUAL(mica__thread_count(), threads[t]);
        else CHECK(mica__thread_count() >= 1);
        for (size_t c = 0; c < 7; c++) {
            CHECK(each_once(counts[c], 0));
            CHECK(each_once(counts[c], 3));
        }
    }
    mica__set_thread_count(100000); /* cut to what the pool can hold */
    CHECK_EQUAL(mica__thread_count(), 1024);
    mica__set_thread_count(4);
}

/* Another thread must take part: one task waits for the other. */
static atomic_int met;
static void meet(void *context, size_t index)
{
    (void)context, (void)index;
    atomic_fetch_add(&met, 1);
    int64_t end = mica__now() + 5000000000;
    while (atomic_load(&met) < 2 && mica__now() < end) mica__thread_yield();
}

static void test_helpers(void)
{
    mica__set_thread_count(2);
    for (int i = 0; i < 20; i++) {
        atomic_store(&met, 0);
        int64_t start = mica__now();
        mica__parallel(2, meet, NULL);
        CHECK(mica__now() - start < 4000000000);
        if (i == 10) usleep(20000); /* the worker sleeps by now */
    }
}

static void *many_sections(void *argument)
{
    bool *good = argument;
    for (int i = 0; i < 300; i++) *good &= each_once((size_t)(i % 40), i % 7 == 0 ? 2 : 0);
    return NULL;
}

static void test_callers(void)
{
    mica__set_thread_count(4);
    pthread_t threads[4];
    bool good[4] = { true, true, true, true };
    for (int i = 0; i < 4; i++) pthread_create(&threads[i], NULL, many_sections, &good[i]);
    for (int i = 0; i < 5; i++) { /* sizes change under the callers */
        usleep(3000);
        mica__set_thread_count((size_t)(i % 3) + 2);
    }
    for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
    for (int i = 0; i < 4; i++) CHECK(good[i]);
}

static void change_inside(void *context, size_t index)
{
    (void)context, (void)index;
    mica__set_thread_count(1); /* ignored: would wait for itself */
}

static void test_change_inside(void)
{
    mica__set_thread_count(3);
    mica__parallel(50, change_inside, NULL);
    CHECK_EQUAL(mica__thread_count(), 3);
}

/* ---- fork ----------------------------------------------------------------------------------- */

static bool child_succeeds(bool (*body)(void))
{
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        alarm(20);
        _exit(body() ? 0 : 1);
    }
    int status = -1;
    waitpid(child, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool child_works(void)
{
    void *memory = NULL;
    bool good = mica__memory_take(100000, &memory) == MICA_OK;
    mica__memory_give(memory, 100000);
    for (int i = 0; i < 20; i++) good &= each_once(500, 2);
    atomic_store(&met, 0);
    int64_t start = mica__now();
    mica__parallel(2, meet, NULL); /* needs a live worker */
    return good && mica__now() - start < 4000000000;
}

static bool grandchild_works(void)
{
    return child_works() && child_succeeds(child_works);
}

static atomic_bool stop_busy;
static void *busy(void *argument)
{
    (void)argument;
    while (!atomic_load(&stop_busy)) {
        each_once(100, 0);
        void *memory = NULL;
        if (mica__memory_take(5000, &memory) == MICA_OK) mica__memory_give(memory, 5000);
    }
    return NULL;
}

/* A task that forks: in the child its section ends though the helpers are gone, and new ones come.
 */
typedef struct forking {
    pthread_t self;
    pid_t child;
} forking;

static void fork_once(void *context, size_t index)
{
    (void)index;
    forking *f = context;
    usleep(200);
    if (pthread_self() != f->self || f->child != -1) return;
    fflush(NULL);
    f->child = fork();
    if (f->child == 0) alarm(20);
}

static void test_fork_inside(void)
{
    forking f = { pthread_self(), -1 };
    while (f.child == -1) mica__parallel(8, fork_once, &f);
    if (f.child == 0) _exit(child_works() ? 0 : 1);
    int status = -1;
    waitpid(f.child, &status, 0);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void test_fork(void)
{
    test_fork_inside();
    mica__set_thread_count(3);
    CHECK(each_once(100, 0));
    CHECK(child_succeeds(child_works));
    CHECK(child_succeeds(grandchild_works));
    pthread_t other;
    pthread_create(&other, NULL, busy, NULL);
#ifndef __SANITIZE_ADDRESS__ /* whose allocator (gcc 12) a child may find locked, for ever */
    for (int i = 0; i < 30; i++)
        CHECK(child_succeeds(child_works)); /* while another thread holds locks */
#endif
    atomic_store(&stop_busy, true);
    pthread_join(other, NULL);
    CHECK(each_once(100, 0));
}

/* ---- timings -------------------------------------------------------------------------------- */

static void tiny(void *context, size_t index)
{
    ((volatile size_t *)context)[index * 8] = index;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void bench(void)
{
    static size_t out[64 * 8];
    enum { N = 20000 };
    static double t[N];
    for (size_t count = 1; count <= 16; count *= 2) {
        for (int i = 0; i < N; i++) {
            int64_t start = mica__now();
            mica__parallel(count, tiny, out);
            t[i] = (double)(mica__now() - start);
        }
        qsort(t, N, sizeof *t, by_value);
        printf("parallel(%2zu) back to back: median %.2f us, p99 %.2f us\n", count, t[N / 2] / 1e3,
               t[N * 99 / 100] / 1e3);
    }
    for (int i = 0; i < 200; i++) {
        usleep(1000);
        int64_t start = mica__now();
        mica__parallel(2, tiny, out);
        t[i] = (double)(mica__now() - start);
    }
    qsort(t, 200, sizeof *t, by_value);
    printf("parallel( 2) workers asleep: median %.2f us, p90 %.2f us\n", t[100] / 1e3,
           t[180] / 1e3);
}

int main(int count, char **arguments)
{
    if (count > 1 && strcmp(arguments[1], "--bench") == 0) {
        bench();
        return 0;
    }
    test_coverage();
    test_helpers();
    test_callers();
    test_change_inside();
    if (FORK_TESTS) test_fork();
    return check_report("pool");
}
