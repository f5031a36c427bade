/* Thread pool and caching allocator: coverage, nesting, many callers, fork, statistics, limits. `--bench` prints timings. */
#define _GNU_SOURCE 1
#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/config.h"
#include "base/system.h"
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

static bool grandchild_works(void) { return child_works() && child_succeeds(child_works); }

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

/* A task that forks: in the child the section ends, though the helpers are gone, and new ones come. */
static void fork_once(void *context, size_t index)
{
    if (index || pthread_self() != *(pthread_t *)context) return;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) alarm(20);
    *(pid_t *)((pthread_t *)context + 1) = child;
}

static void test_fork_inside(void)
{
    struct {
        pthread_t self;
        pid_t child;
    } context = { pthread_self(), -1 };
    for (int i = 0; i < 1000 && context.child < 0; i++) mica__parallel(4, fork_once, &context);
    if (context.child == 0) _exit(child_works() ? 0 : 1);
    int status = -1;
    waitpid(context.child, &status, 0);
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
    for (int i = 0; i < 30; i++) CHECK(child_succeeds(child_works)); /* while another thread holds locks */
    atomic_store(&stop_busy, true);
    pthread_join(other, NULL);
    CHECK(each_once(100, 0));
}

/* ---- allocator ------------------------------------------------------------------------------ */

static void test_classes(void)
{
    size_t before = 0;
    for (size_t bytes = 0; bytes < (size_t)1 << 46; bytes += 1 + bytes / 37) {
        size_t size = mica__memory_class_bytes(bytes);
        CHECK(size >= bytes && size >= before && size % 64 == 0);
        CHECK_EQUAL(mica__memory_class_bytes(size), size);
        if (size != before) CHECK(mica__memory_class_bytes(size + 1) > size);
        if (bytes > 1024) CHECK(size - bytes <= bytes / 8);
        if (bytes > (size_t)1 << 20) CHECK(size - bytes <= bytes / 16 && size % 65536 == 0);
        if (bytes > (size_t)1 << 26) CHECK(size - bytes <= bytes / 32);
        before = size;
    }
    CHECK_EQUAL(mica__memory_class_bytes(0), 64);
    CHECK_EQUAL(mica__memory_class_bytes((size_t)1 << 47), (size_t)1 << 47);
    CHECK(mica__memory_class_bytes(((size_t)1 << 47) + 1) == SIZE_MAX);
    CHECK(mica__memory_class_bytes(SIZE_MAX) == SIZE_MAX);
}

static void test_statistics(void)
{
    mica__memory_forget();
    size_t base = mica_memory_active();
    CHECK_EQUAL(mica_memory_cached(), 0);
    mica_memory_reset_peak();
    CHECK_EQUAL(mica_memory_peak(), 0);
    static const size_t sizes[] = { 0, 1, 64, 65, 1000, 1024, 1025, 70000, 1 << 20, (1 << 20) + 1, 5000000 };
    void *memory[11];
    size_t sum = 0;
    for (int i = 0; i < 11; i++) {
        CHECK_EQUAL(mica__memory_take(sizes[i], &memory[i]), MICA_OK);
        CHECK((uintptr_t)memory[i] % 64 == 0);
        memset(memory[i], 7, sizes[i]);
        sum += mica__memory_class_bytes(sizes[i]);
        CHECK_EQUAL(mica_memory_active(), base + sum);
    }
    CHECK_EQUAL(mica_memory_peak(), base + sum);
    size_t given = 0;
    for (int i = 0; i < 11; i++) {
        mica__memory_give(memory[i], sizes[i]);
        given += mica__memory_class_bytes(sizes[i]);
        CHECK_EQUAL(mica_memory_active(), base + sum - given);
        CHECK_EQUAL(mica_memory_cached(), given);
    }
    CHECK_EQUAL(mica_memory_peak(), base + sum);
    void *again;
    CHECK_EQUAL(mica__memory_take(sizes[10] - 5000, &again), MICA_OK); /* same class, another size */
    CHECK(again == memory[10]);
    mica__memory_give(again, sizes[10] - 5000);
    mica__memory_give(NULL, 12345);
    mica_memory_clear_cache();
    CHECK_EQUAL(mica_memory_cached(), 0);
    CHECK_EQUAL(mica_memory_active(), base);
}

static void test_cache_limit(void)
{
    size_t before = mica_memory_set_cache_limit(300000);
    CHECK(before > 1000000);
    CHECK_EQUAL(mica_memory_set_cache_limit(300000), 300000);
    void *memory[5];
    for (int i = 0; i < 5; i++) CHECK_EQUAL(mica__memory_take(98304, &memory[i]), MICA_OK);
    for (int i = 0; i < 5; i++) mica__memory_give(memory[i], 98304);
    CHECK_EQUAL(mica_memory_cached(), 3 * 98304);
    void *again;
    CHECK_EQUAL(mica__memory_take(98304, &again), MICA_OK);
    CHECK(again == memory[4]); /* the latest is warm, the oldest went */
    mica__memory_give(again, 98304);
    mica_memory_set_cache_limit(0);
    CHECK_EQUAL(mica_memory_cached(), 0);
    CHECK_EQUAL(mica__memory_take(98304, &again), MICA_OK);
    mica__memory_give(again, 98304);
    CHECK_EQUAL(mica_memory_cached(), 0);
    mica_memory_set_cache_limit(before);
    mica__memory_forget();
}

/* A thousand lengths: each step takes buffers that depend on the length. What is held stays below twice the largest step. */
static void test_growing_sizes(void)
{
    mica__memory_forget();
    size_t most = 0, largest = 0;
    for (size_t n = 1; n <= 1000; n++) {
        size_t length = n * 617 % 1000 + 1, bytes[4] = { length * 8192, length * 4096, length * 700, length * 12000 };
        void *memory[4];
        size_t step = 0;
        for (int i = 0; i < 4; i++) {
            CHECK(mica__memory_take(bytes[i], &memory[i]) == MICA_OK);
            step += mica__memory_class_bytes(bytes[i]);
        }
        for (int i = 0; i < 4; i++) mica__memory_give(memory[i], bytes[i]);
        if (step > largest) largest = step;
        if (mica_memory_cached() > most) most = mica_memory_cached();
        if (mica_memory_cached() > 2 * largest && mica_memory_cached() > 1 << 20) CHECK(!"grows");
    }
    CHECK(most >= largest / 2 && most <= 2 * largest);
    /* The same step again and again needs nothing new. */
    uint64_t misses = 0;
    for (int n = 0; n < 200; n++) {
        void *memory[3];
        if (n == 1) misses = mica__memory_counters().misses;
        for (int i = 0; i < 3; i++) CHECK(mica__memory_take((size_t)(i + 1) * 3000000, &memory[i]) == MICA_OK);
        for (int i = 0; i < 3; i++) mica__memory_give(memory[i], (size_t)(i + 1) * 3000000);
    }
    CHECK_EQUAL(mica__memory_counters().misses, misses);
    mica__memory_forget();
}

static void test_limit(void)
{
    size_t base = mica_memory_active(), before = mica_memory_limit();
    CHECK(before > 0 && before <= mica__memory_physical());
    void *a, *b = &base;
    CHECK_EQUAL(mica_memory_set_limit(base + 3000000), before);
    CHECK_EQUAL(mica__memory_take(1048576, &a), MICA_OK);
    mica__memory_give(a, 1048576);
    CHECK_EQUAL(mica_memory_cached(), 1048576);
    CHECK_EQUAL(mica__memory_take(2800000, &a), MICA_OK); /* the cache makes room */
    CHECK_EQUAL(mica_memory_cached(), 0);
    size_t peak = mica_memory_peak();
    CHECK_EQUAL(mica__memory_take(500000, &b), MICA_EMEMORY);
    CHECK(b == &base);
    CHECK_EQUAL(mica__last_status(), MICA_EMEMORY);
    CHECK_MENTIONS(mica_last_error(), "500000 bytes");
    CHECK_MENTIONS(mica_last_error(), "active");
    CHECK_MENTIONS(mica_last_error(), "cached");
    CHECK_MENTIONS(mica_last_error(), "limit");
    CHECK_EQUAL(mica_memory_peak(), peak); /* what failed was never held */
    mica__memory_give(a, 2800000);
    CHECK_EQUAL(mica__memory_take(500000, &b), MICA_OK);
    mica__memory_give(b, 500000);
    CHECK_EQUAL(mica_memory_set_limit(SIZE_MAX), base + 3000000);
    static const size_t huge[] = { (size_t)1 << 46, ((size_t)1 << 47) + 1, SIZE_MAX / 2, SIZE_MAX - 5, SIZE_MAX };
    for (int i = 0; i < 5; i++) CHECK_EQUAL(mica__memory_take(huge[i], &b), MICA_EMEMORY);
    CHECK_EQUAL(mica_memory_active(), base);
    CHECK_EQUAL(mica_memory_set_limit(before), SIZE_MAX);
    mica__memory_forget();
}

static void test_injection(void)
{
    void *memory = NULL;
    for (int64_t n = 0; n < 3; n++) {
        mica__inject_failure(n);
        for (int64_t i = 0; i < 5; i++) {
            int status = mica__memory_take(4096, &memory);
            CHECK_EQUAL(status, i == n ? MICA_EMEMORY : MICA_OK);
            if (!status) mica__memory_give(memory, 4096);
        }
    }
    mica__inject_failure(-1);
}

static void *churn(void *argument)
{
    unsigned seed = *(unsigned *)argument;
    void *held[32] = { 0 };
    size_t sizes[32] = { 0 };
    for (int i = 0; i < 20000; i++) {
        seed = seed * 1664525u + 1013904223u;
        unsigned slot = seed >> 27;
        if (held[slot]) {
            if (*(unsigned char *)held[slot] != (unsigned char)slot) return argument;
            mica__memory_give(held[slot], sizes[slot]);
            held[slot] = NULL;
        } else {
            sizes[slot] = 1 + (seed >> 8) % (1u << (4 + seed % 19));
            if (mica__memory_take(sizes[slot], &held[slot])) return argument;
            *(unsigned char *)held[slot] = (unsigned char)slot;
        }
    }
    for (int i = 0; i < 32; i++) mica__memory_give(held[i], sizes[i]);
    return NULL;
}

static void test_churn(void)
{
    size_t base = mica_memory_active();
    pthread_t threads[4];
    unsigned seeds[4] = { 1, 2, 3, 4 };
    for (int i = 0; i < 4; i++) pthread_create(&threads[i], NULL, churn, &seeds[i]);
    for (int i = 0; i < 10; i++) {
        usleep(1000);
        mica_memory_clear_cache();
    }
    for (int i = 0; i < 4; i++) {
        void *wrong;
        pthread_join(threads[i], &wrong);
        CHECK(!wrong);
    }
    CHECK_EQUAL(mica_memory_active(), base);
    mica_memory_clear_cache();
    CHECK_EQUAL(mica_memory_cached(), 0);
    CHECK_EQUAL(mica__memory_counters().blocks, 0);
}

/* ---- timings -------------------------------------------------------------------------------- */

static void tiny(void *context, size_t index) { ((volatile size_t *)context)[index * 8] = index; }

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
        printf("parallel(%2zu) back to back: median %.2f us, p99 %.2f us\n", count, t[N / 2] / 1e3, t[N * 99 / 100] / 1e3);
    }
    for (int i = 0; i < 200; i++) {
        usleep(1000);
        int64_t start = mica__now();
        mica__parallel(2, tiny, out);
        t[i] = (double)(mica__now() - start);
    }
    qsort(t, 200, sizeof *t, by_value);
    printf("parallel( 2) workers asleep: median %.2f us, p90 %.2f us\n", t[100] / 1e3, t[180] / 1e3);
    static const size_t sizes[] = { 64, 4096, 1 << 20, 64 << 20 };
    for (int s = 0; s < 4; s++) {
        void *memory;
        enum { M = 2000000 };
        int64_t start = mica__now();
        for (int i = 0; i < M; i++) {
            if (mica__memory_take(sizes[s], &memory)) return;
            mica__memory_give(memory, sizes[s]);
        }
        printf("take+give of cached %9zu bytes: %.1f ns\n", sizes[s], (double)(mica__now() - start) / M);
    }
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
    test_classes();
    test_statistics();
    test_cache_limit();
    test_growing_sizes();
    test_limit();
    test_injection();
    test_churn();
    return check_report("pool");
}
