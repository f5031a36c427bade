/* The system has no memory left, but the cache has: it gives way to whatever needs memory. */
#define _GNU_SOURCE 1
#include <sys/resource.h>
#include <unistd.h>

#include "base/file.h"
#include "base/library.h"
#include "base/thread.h"
#include "check.h"
#include "runtime/memory.h"

/* Sanitizers take address space themselves, and end who finds none. */
#if defined(__linux__) && !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)
#define ADDRESS_SPACE 1
#else
#define ADDRESS_SPACE 0
#endif

/* Each larger than the one before, which malloc may have kept. */
static void *plain(void)
{
    return mica__alloc(8 << 20);
}
static void *zero_words(void)
{
    return mica__alloc_zero(2 << 20, 8);
}
static void *grown(void)
{
    void *memory = mica__alloc(8);
    void *moved = memory ? mica__realloc(memory, 36 << 20) : NULL;
    if (!moved) mica__free(memory);
    return moved;
}

/* Room for 1 MiB more, 64 MiB being cached. */
static void fill_address_space(void)
{
    struct rlimit limit;
    void *memory;
    CHECK_EQUAL(mica__memory_take(64 << 20, &memory), MICA_OK);
    mica__memory_give(memory, 64 << 20);
    CHECK_EQUAL(mica_memory_cached(), 64 << 20);
    getrlimit(RLIMIT_AS, &limit);
    limit.rlim_cur = (rlim_t)1 << 46;
    setrlimit(RLIMIT_AS, &limit);
    limit.rlim_cur -= mica__address_space_left() - (1 << 20);
    CHECK_EQUAL(setrlimit(RLIMIT_AS, &limit), 0);
}

static void free_address_space(void)
{
    struct rlimit limit;
    getrlimit(RLIMIT_AS, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_AS, &limit);
    CHECK_EQUAL(mica_memory_cached(), 0);
}

static void set(void *flag)
{
    *(bool *)flag = true;
}

static void test_host_memory(void)
{
    static void *(*const ways[])(void) = { plain, zero_words, grown };
    for (int i = 0; i < 3; i++) {
        fill_address_space();
        mica__inject_failure(0);
        CHECK(!ways[i]()); /* on request: nothing is tried */
        CHECK_EQUAL(mica_memory_cached(), 64 << 20);
        void *memory = ways[i]();
        CHECK(memory != NULL);
        mica__free(memory);
        free_address_space();
    }
    fill_address_space();
    CHECK(!mica__alloc((size_t)1 << 45)); /* there is none, whatever goes back */
    CHECK_MENTIONS(mica_last_error(), "cached 0 bytes");
    free_address_space();
}

static void test_threads(void)
{
    fill_address_space();
    mica__thread thread;
    bool ran = false;
    int status = mica__thread_start(&thread, "test", set, &ran);
    CHECK_EQUAL(status, MICA_OK);
    if (!status) mica__thread_join(&thread);
    CHECK_EQUAL(ran, !status);
    free_address_space();
}

static void test_files(void)
{
    FILE *file = tmpfile();
    mica__mapping *m = NULL;
    CHECK(file && !ftruncate(fileno(file), 16 << 20));
    fill_address_space();
    CHECK_EQUAL(mica__mapping_open_descriptor(&m, fileno(file), "file"), MICA_OK);
    mica__mapping_release(m);
    free_address_space();
    fclose(file);
}

int main(void)
{
    mica_memory_set_cache_limit(SIZE_MAX);
    if (ADDRESS_SPACE) {
        test_host_memory();
        test_threads();
        test_files();
    }
    return check_report("short memory");
}
