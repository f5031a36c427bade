/* The ground: errors, allocation, containers, settings, threads, limits, text. */
#define _GNU_SOURCE 1
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/config.h"
#include "base/system.h"
#include "base/text.h"
#include "base/thread.h"
#include "check.h"

/* ---- errors and allocation ------------------------------------------------------------------ */

static void other_thread(void *argument)
{
    *(bool *)argument = strcmp(mica_last_error(), "") == 0 && mica__last_status() == MICA_OK;
    mica__fail(MICA_EIO, "other");
}

static void test_errors(void)
{
    mica__clear_error();
    CHECK_TEXT(mica_last_error(), "");
    CHECK_EQUAL(mica__fail(MICA_EVALUE, "[%s] %d", "sum", 3), MICA_EVALUE);
    CHECK_TEXT(mica_last_error(), "[sum] 3");
    CHECK_EQUAL(mica__fail(MICA_EINDEX, "before: %s", mica_last_error()), MICA_EINDEX);
    CHECK_TEXT(mica_last_error(), "before: [sum] 3");
    CHECK_EQUAL(mica__last_status(), MICA_EINDEX);
    bool own = false;
    mica__thread t;
    CHECK_EQUAL(mica__thread_start(&t, "a name longer than fifteen", other_thread, &own), MICA_OK);
    mica__thread_join(&t);
    CHECK(own);
    CHECK_TEXT(mica_last_error(), "before: [sum] 3");
    for (size_t n = 2040; n < 2056; n++) { /* a cut never splits a character */
        char *text = calloc(1, n + 40);
        memset(text, 'a', n);
        for (int i = 0; i < 9; i++) strcat(text, "\xE2\x82\xAC");
        mica__fail(MICA_EVALUE, "%s", text);
        CHECK(strlen(mica_last_error()) <= 2047 && strlen(mica_last_error()) >= 2040);
        CHECK(mica__utf8_valid(mica_last_error(), strlen(mica_last_error())));
        free(text);
    }
    CHECK_TEXT(mica_status_text(MICA_EMEMORY), "memory could not be allocated");
    CHECK_TEXT(mica_status_text(12345), "an unknown status");
    CHECK_TEXT(mica_version(), MICA_VERSION);
    mica__fail_memory("sort", 99);
    CHECK_MENTIONS(mica_last_error(), "[sort]");
    CHECK_MENTIONS(mica_last_error(), "99");
}

static void test_allocation(void)
{
    int64_t live = mica__live(MICA_LIVE_HOST);
    void *a = mica__alloc(0), *b = mica__alloc_zero(3, 5), *c = mica__realloc(NULL, 10);
    CHECK(a && b && c);
    CHECK_EQUAL(mica__live(MICA_LIVE_HOST), live + 3);
    for (int i = 0; i < 15; i++) CHECK_EQUAL(((char *)b)[i], 0);
    memset(c, 5, 10);
    c = mica__realloc(c, 100000);
    CHECK(c && ((char *)c)[9] == 5);
    CHECK(!mica__alloc_zero(SIZE_MAX / 2, 3));
    CHECK_EQUAL(mica__last_status(), MICA_EMEMORY);
    CHECK(!mica__alloc((size_t)PTRDIFF_MAX));
    for (int64_t n = 0; n < 4; n++) {
        mica__inject_failure(n);
        for (int64_t i = 0; i < 6; i++) {
            mica__clear_error();
            void *p = i % 2 ? mica__alloc(8) : mica__alloc_zero(1, 8);
            CHECK_EQUAL(p == NULL, i == n);
            CHECK_EQUAL(mica__last_status(), i == n ? MICA_EMEMORY : MICA_OK);
            mica__free(p);
        }
    }
    mica__inject_failure(0);
    CHECK(!mica__realloc(c, 5)); /* the old memory stays */
    CHECK_EQUAL(((char *)c)[9], 5);
    mica__inject_failure(5);
    mica__inject_failure(-1);
    for (int i = 0; i < 10; i++) CHECK(!mica__injected_failure());
    mica__free(a);
    mica__free(b);
    mica__free(c);
    mica__free(NULL);
    CHECK_EQUAL(mica__live(MICA_LIVE_HOST), live);
}

/* ---- containers ----------------------------------------------------------------------------- */

enum { N = 5000 };
static char keys[N];

static void test_containers(void)
{
    int64_t live = mica__live(MICA_LIVE_HOST);
    mica__vec v = { 0 };
    for (int i = 0; i < N; i++) CHECK_EQUAL(mica__vec_push(&v, &keys[i]), MICA_OK);
    CHECK_EQUAL(v.n, N);
    for (int i = 0; i < N; i++) CHECK(v.at[i] == &keys[i]);
    mica__vec_free(&v);
    CHECK(!v.at && !v.n);

    mica__map m = { 0 };
    void *value = &m;
    CHECK(!mica__map_get(&m, keys, &value) && value == &m);
    for (int i = 0; i < N; i += 2)
        CHECK_EQUAL(mica__map_set(&m, &keys[i], &keys[N - 1 - i]), MICA_OK);
    for (int i = 0; i < N; i += 4) CHECK_EQUAL(mica__map_set(&m, &keys[i], NULL), MICA_OK);
    CHECK_EQUAL(m.n, N / 2);
    for (int i = 0; i < N; i++) {
        CHECK_EQUAL(mica__map_get(&m, &keys[i], &value), i % 2 == 0);
        if (i % 2 == 0) CHECK(value == (i % 4 ? &keys[N - 1 - i] : NULL));
    }
    CHECK(mica__map_get(&m, keys, NULL));
    mica__map_free(&m);
    for (int n = 0; n < 3; n++) { /* failing leaves a whole map */
        mica__map small = { 0 };
        mica__inject_failure(n);
        for (int i = 0; i < 40; i++) mica__map_set(&small, &keys[i], NULL);
        mica__inject_failure(-1);
        CHECK(small.n >= 39);
        mica__map_free(&small);
    }

    mica__arena a = { 0 };
    unsigned char *pieces[300];
    for (int i = 0; i < 300; i++) {
        size_t bytes = i % 50 == 49 ? 100000u * (unsigned)i : (unsigned)i * 7;
        pieces[i] = mica__arena_alloc(&a, bytes);
        CHECK(pieces[i] && (uintptr_t)pieces[i] % 16 == 0);
        memset(pieces[i], i, bytes);
    }
    for (int i = 1; i < 300; i++) CHECK_EQUAL(pieces[i][0], i & 255);
    CHECK(!mica__arena_alloc(&a, SIZE_MAX - 3));
    CHECK(!mica__arena_text(&a, "", SIZE_MAX));
    char *first = mica__arena_text(&a, "one", 3), *second = mica__arena_text(&a, "", 0);
    CHECK(strcmp(first, "one") == 0 && !*second && second == first + 4);
    CHECK((uintptr_t)mica__arena_alloc(&a, 8) % 16 == 0);
    mica__arena other = { 0 };
    char *moved = mica__arena_text(&other, "moved", 5);
    mica__arena_move(&a, &other); /* to one that holds something, */
    CHECK(!other.blocks && strcmp(moved, "moved") == 0);
    mica__arena_move(&other, &a); /* to an empty one, from and to nothing */
    mica__arena_move(&other, &a);
    CHECK(!a.blocks && strcmp(moved, "moved") == 0 && pieces[299][0] == 43);
    mica__arena_reset(&other);
    CHECK(mica__arena_alloc(&other, 8) && mica__live(MICA_LIVE_HOST) == live + 1);
    mica__arena_reset(&a);
    mica__arena_free(&other);
    mica__arena_free(&a);
    CHECK_EQUAL(mica__live(MICA_LIVE_HOST), live);
}

/* Every bit of the input moves about half the bits of the hash, wherever it stands. */
static void test_hash(void)
{
    for (size_t bytes = 1; bytes <= 40; bytes++) {
        unsigned char data[40] = { 0 };
        uint64_t h = mica__hash(7, data, bytes);
        for (size_t bit = 0; bit < bytes * 8; bit++) {
            data[bit / 8] ^= (unsigned char)(1 << bit % 8);
            int moved = __builtin_popcountll(h ^ mica__hash(7, data, bytes));
            CHECK(moved >= 10 && moved <= 54);
            data[bit / 8] ^= (unsigned char)(1 << bit % 8);
        }
        CHECK(mica__hash(8, data, bytes) != h);
        CHECK(mica__hash(7, data, bytes - 1) != h);
    }
}

/* ---- settings ------------------------------------------------------------------------------- */

static bool child(bool (*body)(void))
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        alarm(20);
        _exit(body() ? 0 : 1);
    }
    int status = -1;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static mica__setting_info about(mica__setting s)
{
    mica__setting_info info = { 0 };
    CHECK_EQUAL(mica__setting_describe(&info, s), MICA_OK);
    return info;
}

static bool reads_environment(void)
{
    setenv("MICA_THREADS", "3", 1);
    setenv("MLX_DISABLE_COMPILE", "", 1);
    setenv("MLX_BFS_MAX_WIDTH", "7", 1);
    setenv("MICA_CACHE_LIMIT", "3 apples", 1);
    setenv("MICA_MEMORY_LIMIT", "2GiB", 1);
    setenv("MICA_ENABLE_TF32", "off", 1);
    setenv("MLX_ENABLE_TF32", "1", 1);
    int before = failures;
    CHECK_EQUAL(mica__setting_number(MICA_SETTING_threads), 3);
    CHECK(mica__setting_flag(MICA_SETTING_disable_compile));
    CHECK_EQUAL(about(MICA_SETTING_disable_compile).source, MICA_SOURCE_ALIAS);
    CHECK_EQUAL(mica__setting_number(MICA_SETTING_bfs_max_width), 7);
    CHECK_EQUAL(mica__setting_number(MICA_SETTING_cache_limit), MICA_SETTING_AUTO);
    CHECK_EQUAL(about(MICA_SETTING_cache_limit).source, MICA_SOURCE_INVALID);
    CHECK_TEXT(about(MICA_SETTING_cache_limit).given, "3 apples");
    CHECK_EQUAL(mica__settings_check(), MICA_EVALUE);
    CHECK(strstr(mica_last_error(), "MICA_CACHE_LIMIT is '3 apples'; accepted: a number of bytes"));
    CHECK_EQUAL(mica__setting_number(MICA_SETTING_memory_limit), (int64_t)2 << 30);
    CHECK(!mica__setting_flag(MICA_SETTING_enable_tf32)); /* our own name wins */
    setenv("MICA_THREADS", "4", 1);
    CHECK_EQUAL(mica__setting_number(MICA_SETTING_threads), 3); /* read once */
    CHECK_EQUAL(mica__setting_override("threads", NULL), MICA_OK);
    CHECK_EQUAL(mica__setting_number(MICA_SETTING_threads), 4);
    return failures == before;
}

static void test_settings(void)
{
    CHECK(child(reads_environment));
    for (size_t i = 0; i < MICA_SETTING_COUNT; i++) {
        mica__setting_info info = about((mica__setting)i);
        CHECK(info.name && info.doc && strlen(info.doc) > 10 &&
              strncmp(info.variable, "MICA_", 5) == 0);
        CHECK(info.source != MICA_SOURCE_INVALID && !info.given);
    }
    mica__setting_info none;
    CHECK_EQUAL(mica__setting_describe(&none, MICA_SETTING_COUNT), MICA_EINDEX);
    CHECK_EQUAL(mica__setting_override("threads", "12"), MICA_OK);
    CHECK_EQUAL(mica__setting_number(MICA_SETTING_threads), 12);
    CHECK_EQUAL(about(MICA_SETTING_threads).source, MICA_SOURCE_OVERRIDE);
    static const char *const wrong[] = { "-1", "1.5", "", "x", "99999999999999999999", "3K", " 3" };
    for (int i = 0; i < 7; i++)
        CHECK_EQUAL(mica__setting_override("threads", wrong[i]), MICA_EVALUE);
    CHECK_EQUAL(mica__setting_override("no_such", "1"), MICA_EVALUE);
    CHECK_EQUAL(mica__setting_override("threads", NULL), MICA_OK);
    CHECK_EQUAL(mica__setting_override("cache_limit", "3k"), MICA_OK);
    CHECK_EQUAL(mica__setting_number(MICA_SETTING_cache_limit), 3072);
    CHECK_EQUAL(mica__setting_override("cache_limit", "9999999999T"), MICA_EVALUE);
    CHECK_EQUAL(mica__setting_override("cache_limit", NULL), MICA_OK);
    CHECK_EQUAL(mica__setting_override("isa", "bogus"), MICA_EVALUE);
    CHECK_EQUAL(mica__setting_override("isa", "avx"), MICA_EVALUE); /* a part of a word is none */
    CHECK(strstr(mica_last_error(), "MICA_ISA is 'avx'; accepted: baseline"));
    CHECK_EQUAL(mica__setting_override("isa", "avx2"), MICA_OK);
    CHECK_TEXT(mica__setting_text(MICA_SETTING_isa), "avx2");
    CHECK_EQUAL(mica__setting_override("isa", NULL), MICA_OK);
}

static void test_system(void)
{
    CHECK(mica__cpu_count() >= 1 && mica__cpu_count() <= (size_t)sysconf(_SC_NPROCESSORS_CONF));
    CHECK(mica__memory_physical() > (uint64_t)64 << 20);
    CHECK(mica__memory_total() >= mica__memory_physical());
    CHECK(mica__memory_available() > 0);
    unsigned char *p = mica__pages_map((size_t)5 << 20);
    CHECK(p && (uintptr_t)p % ((size_t)2 << 20) == 0 && !p[0] && !p[((size_t)5 << 20) - 1]);
    mica__pages_unmap(p, (size_t)5 << 20);
    CHECK(!mica__pages_map((size_t)1 << 62));
    int64_t t = mica__now();
    CHECK(mica__now() >= t);
    mica__mutex m;
    mica__condition c;
    mica__mutex_init(&m);
    mica__condition_init(&c);
    mica__mutex_lock(&m);
    CHECK(!mica__condition_wait_until(&c, &m, mica__now() + 2000000));
    CHECK(mica__now() - t >= 2000000);
    mica__mutex_unlock(&m);
    mica__condition_destroy(&c);
    mica__mutex_destroy(&m);
}

/* ---- text ----------------------------------------------------------------------------------- */

static void test_text(void)
{
    int64_t live = mica__live(MICA_LIVE_HOST);
    mica__text t = { 0 };
    for (int i = 0; i < 200; i++) mica__text_add_format(&t, "%d,", i);
    CHECK_EQUAL(t.n, 10 * 2 + 90 * 3 + 100 * 4);
    CHECK(strncmp(t.at, "0,1,2,", 6) == 0 && strcmp(t.at + t.n - 4, "199,") == 0);
    mica__text_free(&t);
    mica__text_add_integer(&t, INT64_MIN);
    mica__text_add_double(&t, 0.1);
    mica__text_add_double(&t, -INFINITY);
    CHECK_TEXT(t.at, "-92233720368547758080.10000000000000001-inf");
    mica__text_free(&t);
    mica__text_add_string(&t, "kept");
    mica__inject_failure(0);
    for (int i = 0; i < 100; i++) mica__text_add_string(&t, "more");
    CHECK_EQUAL(t.status, MICA_EMEMORY);
    mica__text_free(&t);
    /* A locale with a decimal comma changes nothing, where there is one. */
    static const char *const commas[] = { "de_DE.UTF-8", "fr_FR.UTF-8", "de_DE", "ps_AF.UTF-8" };
    for (int i = 0; i < 4; i++) {
        if (!setlocale(LC_NUMERIC, commas[i])) continue;
        double x = 0;
        mica__text_add_double(&t, 1.5);
        CHECK_TEXT(t.at, "1.5");
        CHECK_EQUAL(mica__parse_double("1.5,", &x), 3);
        CHECK(x == 1.5);
        mica__text_free(&t);
    }
    setlocale(LC_NUMERIC, "C");
    double x;
    CHECK_EQUAL(mica__parse_double("x", &x), 0);
    static const struct {
        const char *text;
        bool valid;
    } utf8[] = { { "", true },
                 { "aé€😀", true },
                 { "\xC0\x80", false },
                 { "\xC1\xBF", false },
                 { "\xE0\x9F\xBF", false },
                 { "\xE0\xA0\x80", true },
                 { "\xED\x9F\xBF", true },
                 { "\xED\xA0\x80", false },
                 { "\xF0\x8F\xBF\xBF", false },
                 { "\xF4\x8F\xBF\xBF", true },
                 { "\xF4\x90\x80\x80", false },
                 { "\xF5\x80\x80\x80", false },
                 { "\x80", false },
                 { "\xE2\x82", false },
                 { "\xFF", false } };
    for (size_t i = 0; i < sizeof utf8 / sizeof *utf8; i++)
        CHECK_EQUAL(mica__utf8_valid(utf8[i].text, strlen(utf8[i].text)), utf8[i].valid);
    for (uint32_t code = 1; code < 0x110000; code += 17) {
        char bytes[4];
        size_t n = mica__utf8_encode(code, bytes);
        bool surrogate = code >= 0xD800 && code <= 0xDFFF;
        if (mica__utf8_valid(bytes, n) == surrogate) CHECK(!"encoded wrongly");
    }
    CHECK_EQUAL(mica__live(MICA_LIVE_HOST), live);
}

int main(void)
{
    test_settings(); /* first: its child reads the environment for the first time */
    test_errors();
    test_allocation();
    test_containers();
    test_hash();
    test_system();
    test_text();
    return check_report("base");
}
