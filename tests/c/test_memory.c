/* The caching allocator: classes, statistics, limits, trimming. `--bench` prints timings. */
#define _GNU_SOURCE 1
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/system.h"
#include "base/thread.h"
#include "check.h"
#include "runtime/memory.h"

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
    static const size_t sizes[] = { 0,      1,    64,    65,      1000,
                                    1024,   1025, 70000, 1 << 20, (1 << 20) + 1,
                                    5000000 };
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
    CHECK_EQUAL(mica__memory_take(sizes[10] - 5000, &again),
                MICA_OK); /* same class, another size */
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

/* Sizes that come one after the other: at first little more is held than what is needed at once;
   where the same sizes are asked for again and again, that much more that nothing is missing. */
static void test_sizes_in_turn(void)
{
    enum { MIB = 1 << 20, SIZES = 6, ROUNDS = 2000 };
    mica__memory_forget();
    mica_memory_reset_peak();
    void *base, *memory;
    size_t before = mica_memory_active();
    CHECK_EQUAL(mica__memory_take(40 * MIB, &base), MICA_OK);
    uint64_t misses = 0;
    int quiet = 0;
    for (int round = 0; round < ROUNDS && quiet < 100; round++) {
        for (int i = 0; i < SIZES; i++) {
            size_t bytes = (size_t)(8 + i) * MIB / 3;
            CHECK_EQUAL(mica__memory_take(bytes, &memory), MICA_OK);
            mica__memory_give(memory, bytes);
        }
        size_t peak = mica_memory_peak() - before;
        if (!round) CHECK(40 * MIB + mica_memory_cached() <= peak + peak / 4);
        CHECK(40 * MIB + mica_memory_cached() <= 2 * peak);
        quiet = mica__memory_counters().misses == misses ? quiet + 1 : 0;
        misses = mica__memory_counters().misses;
    }
    CHECK_EQUAL(quiet, 100);
    mica__memory_give(base, 40 * MIB);
    mica__memory_forget();
}

/* A thousand lengths: each step takes buffers that depend on the length. What is held stays below
 * twice the largest step. */
static void test_growing_sizes(void)
{
    mica__memory_forget();
    size_t most = 0, largest = 0;
    for (size_t n = 1; n <= 1000; n++) {
        size_t length = n * 617 % 1000 + 1,
               bytes[4] = { length * 8192, length * 4096, length * 700, length * 12000 };
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
        for (int i = 0; i < 3; i++)
            CHECK(mica__memory_take((size_t)(i + 1) * 3000000, &memory[i]) == MICA_OK);
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
    static const size_t huge[] = { (size_t)1 << 46, ((size_t)1 << 47) + 1, SIZE_MAX / 2,
                                   SIZE_MAX - 5, SIZE_MAX };
    for (int i = 0; i < 5; i++) CHECK_EQUAL(mica__memory_take(huge[i], &b), MICA_EMEMORY);
    CHECK_EQUAL(mica_memory_active(), base);
    CHECK_EQUAL(mica_memory_set_limit(before), SIZE_MAX);
    mica__memory_forget();
}

/* Active and cached memory together, whichever way the limit is passed. */
static void test_limit_bounds_the_cache(void)
{
    enum { MIB = 1 << 20 };
    mica__memory_forget();
    size_t base = mica_memory_active(), before = mica_memory_limit();
    size_t cache = mica_memory_set_cache_limit(SIZE_MAX);
    void *held[4], *b = &base;
    for (int i = 0; i < 4; i++) CHECK_EQUAL(mica__memory_take(MIB, &held[i]), MICA_OK);
    mica__memory_give(held[0], MIB);
    mica__memory_give(held[1], MIB);
    mica_memory_set_limit(base + 3 * MIB); /* one of two cached blocks is too many */
    CHECK_EQUAL(mica_memory_cached(), MIB);
    mica_memory_set_limit(base + MIB); /* less than what is active */
    CHECK_EQUAL(mica_memory_cached(), 0);
    mica__memory_give(held[2], MIB);
    CHECK_EQUAL(mica_memory_active(), base + MIB);
    CHECK_EQUAL(mica_memory_cached(), 0);
    mica__memory_give(held[3], MIB);
    CHECK_EQUAL(mica_memory_cached(), MIB);
    CHECK_EQUAL(mica__memory_take(2 * MIB, &b), MICA_EMEMORY); /* what fails has emptied it */
    CHECK_EQUAL(mica_memory_cached(), 0);
    CHECK_MENTIONS(mica_last_error(), "cached 0 bytes");
    CHECK_EQUAL(mica__memory_take(MIB, &b), MICA_OK);
    mica_memory_set_limit(0);
    CHECK_EQUAL(mica__memory_take(1, &held[0]), MICA_EMEMORY);
    mica__memory_give(b, MIB);
    CHECK_EQUAL(mica_memory_cached(), 0);
    mica_memory_set_limit(before);
    mica_memory_set_cache_limit(cache);
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

static void bench(void)
{
    static const size_t sizes[] = { 64, 4096, 1 << 20, 64 << 20 };
    for (int s = 0; s < 4; s++) {
        void *memory;
        enum { M = 2000000 };
        int64_t start = mica__now();
        for (int i = 0; i < M; i++) {
            if (mica__memory_take(sizes[s], &memory)) return;
            mica__memory_give(memory, sizes[s]);
        }
        printf("take+give of cached %9zu bytes: %.1f ns\n", sizes[s],
               (double)(mica__now() - start) / M);
    }
}

int main(int count, char **arguments)
{
    if (count > 1 && strcmp(arguments[1], "--bench") == 0) {
        bench();
        return 0;
    }
    test_classes();
    test_statistics();
    test_cache_limit();
    test_sizes_in_turn();
    test_growing_sizes();
    test_limit();
    test_limit_bounds_the_cache();
    test_injection();
    test_churn();
    return check_report("memory");
}
