/* Arrays in files: round trips of all types, foreign layouts, files that shrink or are replaced
 * while in use, hostile headers, killed and failing saves, failing allocations. */
#define _GNU_SOURCE 1
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/base.h"
#include "check.h"
#include "core/node.h"
#include "io/array_io.h"
#include "mica/mica.h"

static char folder[64];

static const char *path_of(const char *name)
{
    static char paths[4][128];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static void put(const char *name, const void *bytes, size_t n)
{
    FILE *f = fopen(path_of(name), "wb");
    CHECK(f && fwrite(bytes, 1, n, f) == n);
    if (f) fclose(f);
}

static size_t get(const char *name, char *bytes, size_t most)
{
    FILE *f = fopen(path_of(name), "rb");
    size_t n = f ? fread(bytes, 1, most, f) : 0;
    if (f) fclose(f);
    return n;
}

static uint64_t seed = 88172645463325252u;
static uint64_t draw(uint64_t below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (seed >> 11) % below;
}

static bool same(mica_scope *s, mica_array *a, mica_array *b)
{
    if (mica_dtype_of(a) != mica_dtype_of(b) || !mica__shape_equal(mica_shape(a), mica_shape(b)))
        return false;
    size_t bytes = (size_t)mica_size(a) * mica_dtype_size(mica_dtype_of(a));
    char *x = malloc(bytes + 1), *y = malloc(bytes + 1);
    bool equal =
        !mica_to_data(s, a, x, bytes) && !mica_to_data(s, b, y, bytes) && memcmp(x, y, bytes) == 0;
    free(x);
    free(y);
    return equal;
}

/* ---- round trips ---- */

static mica_array *sample(mica_scope *s, mica_dtype d, mica_dims shape)
{
    unsigned char bytes[4096];
    size_t n = mica_dtype_size(d);
    for (int64_t i = 0; i < shape.n; i++) n *= (size_t)shape.at[i];
    for (size_t i = 0; i < n; i++) bytes[i] = (unsigned char)draw(d == MICA_BOOL ? 2 : 256);
    return mica_from_data(s, bytes, shape, d);
}

static void test_round_trips(void)
{
    mica_scope *s = mica_scope_open(NULL);
    const char *names[MICA_DTYPE_COUNT];
    mica_array *arrays[MICA_DTYPE_COUNT];
    for (int d = 0; d < MICA_DTYPE_COUNT; d++) {
        mica_array *a = sample(s, (mica_dtype)d, MICA_SHAPE(3, 4, 5));
        names[d] = mica_dtype_name((mica_dtype)d);
        arrays[d] = a;
        mica_array *several[] = { a,
                                  sample(s, (mica_dtype)d, MICA_SCALAR),
                                  sample(s, (mica_dtype)d, MICA_SHAPE(0, 3)),
                                  mica_transpose(s, a, MICA_ALL_AXES),
                                  mica_transpose(s, a, MICA_AXES(1, 0, 2)),
                                  mica_broadcast_to(s, sample(s, (mica_dtype)d, MICA_SHAPE(1, 5)),
                                                    MICA_SHAPE(70000, 5)) };
        for (size_t i = 0; i < sizeof several / sizeof *several; i++) {
            CHECK_EQUAL(mica_save_npy(s, path_of("a.npy"), several[i]), MICA_OK);
            CHECK(same(s, mica_load_npy(s, path_of("a.npy")), several[i]));
        }
    }
    mica_metadata texts[] = { { "format", "mica" }, { "z\"\n", "\xC3\xA4" } };
    mica_arrays all = { MICA_DTYPE_COUNT, arrays };
    CHECK_EQUAL(mica_save_safetensors(s, path_of("a.safetensors"), names, all, texts, 2), MICA_OK);
    mica_table *t = mica_load(s, path_of("a.safetensors"));
    CHECK_EQUAL(mica_table_count(t), MICA_DTYPE_COUNT);
    CHECK_EQUAL(mica_table_metadata_count(t), 2);
    for (int d = 0; d < MICA_DTYPE_COUNT; d++) {
        CHECK(same(s, mica_table_get(s, t, names[d]), arrays[d]));
        CHECK(mica_table_find(t, mica_table_name(t, (size_t)d)) == mica_table_array(t, (size_t)d));
    }
    CHECK_TEXT(mica_table_text(t, "format"), "mica");
    CHECK_TEXT(mica_table_text(t, "z\"\n"), "\xC3\xA4");
    CHECK(!mica_table_text(t, "other") && !mica_table_find(t, "other"));
    CHECK(!mica_table_name(t, MICA_DTYPE_COUNT) && !mica_table_array(NULL, 0));
    t = mica_load(s, path_of("a.npy"));
    CHECK_EQUAL(mica_table_count(t), 1);
    CHECK_TEXT(mica_table_name(t, 0), "");
    CHECK_EQUAL(mica_save_safetensors(s, path_of("empty"), NULL, (mica_arrays){ 0 }, NULL, 0), 0);
    CHECK_EQUAL(mica_table_count(mica_load(s, path_of("empty"))), 0);
    CHECK_EQUAL(mica_scope_status(s), MICA_OK);
    CHECK(!mica_table_get(s, t, "missing"));
    CHECK_EQUAL(mica_scope_close(s), MICA_EVALUE);
    CHECK_MENTIONS(mica_last_error(), "missing");
}

/* ---- memory ---- */

static void test_mapping_costs_nothing(void)
{
    mica_scope *s = mica_scope_open(NULL);
    mica_array *a =
        mica_add(s, mica_zeros(s, MICA_SHAPE(1 << 20), MICA_FLOAT32), mica_number(s, 3));
    CHECK_EQUAL(mica_save_npy(s, path_of("m.npy"), a), MICA_OK);
    CHECK_EQUAL(mica_scope_close(s), MICA_OK);
    for (int first = 0; first < 2; first++) {
        s = mica_scope_open(NULL);
        size_t before = mica_memory_active();
        mica_memory_reset_peak();
        a = mica_load_npy(s, path_of("m.npy"));
        if (first) mica_eval(s, &a, 1);
        CHECK_EQUAL(mica_memory_active(), before);
        mica_array *h = mica_astype(s, a, MICA_FLOAT16);
        CHECK_EQUAL(mica_eval(s, &h, 1), MICA_OK);
        CHECK(mica_memory_peak() - before <= (1 << 21) / 10 * 11);
        CHECK(mica_item(s, mica_max(s, h, MICA_ALL_AXES, false)) == 3);
        CHECK_EQUAL(mica_scope_close(s), MICA_OK);
    }
}

/* ---- foreign layouts ---- */

static size_t npy_file(char *to, const char *descr, bool fortran, const char *shape, size_t pad,
                       const void *data, size_t n)
{
    char header[256];
    int length =
        snprintf(header, sizeof header, "{'descr': '%s', 'fortran_order': %s, 'shape': %s, }%*s\n",
                 descr, fortran ? "True" : "False", shape, (int)pad, "");
    memcpy(to, "\x93NUMPY\1\0", 8);
    to[8] = (char)length;
    to[9] = 0;
    memcpy(to + 10, header, (size_t)length);
    memcpy(to + 10 + length, data, n);
    return 10 + (size_t)length + n;
}

static void test_foreign(void)
{
    static const unsigned char big[] = { 0, 0, 1, 2, 0xFF, 0xFF, 0xFF, 0xFE };
    static const int32_t values[] = { 1, 2, 3, 4, 5, 6 };
    static const unsigned char truths[] = { 0, 1, 2, 255 };
    char file[512];
    mica_scope *s = mica_scope_open(NULL);
    put("f.npy", file, npy_file(file, ">i4", false, "(2,)", 0, big, sizeof big));
    int32_t expected[6] = { 258, -2 };
    CHECK(same(s, mica_load_npy(s, path_of("f.npy")),
               mica_from_data(s, expected, MICA_SHAPE(2), MICA_INT32)));
    for (size_t pad = 0; pad < 9; pad++) { /* every misalignment */
        put("f.npy", file, npy_file(file, "<i4", false, "(2, 3)", pad, values, sizeof values));
        CHECK(same(s, mica_load_npy(s, path_of("f.npy")),
                   mica_from_data(s, values, MICA_SHAPE(2, 3), MICA_INT32)));
        put("f.npy", file, npy_file(file, "<i4", true, "(2, 3)", pad, values, sizeof values));
        mica_array *columns = mica_from_data(s, values, MICA_SHAPE(3, 2), MICA_INT32);
        CHECK(
            same(s, mica_load_npy(s, path_of("f.npy")), mica_transpose(s, columns, MICA_ALL_AXES)));
    }
    put("f.npy", file, npy_file(file, "|b1", false, "(4,)", 0, truths, sizeof truths));
    unsigned char normal[] = { 0, 1, 1, 1 };
    CHECK(same(s, mica_load_npy(s, path_of("f.npy")),
               mica_from_data(s, normal, MICA_SHAPE(4), MICA_BOOL)));
    CHECK_EQUAL(mica_scope_close(s), MICA_OK);
}

/* Elements that are out of alignment stay in the file: evaluation takes no memory, a cast only that
 * of its result. */
static void test_unaligned_stays_mapped(void)
{
    enum { BYTES = 4 << 20 };
    char *file = malloc(512 + BYTES), *zeros = calloc(1, BYTES);
    CHECK(file && zeros);
    mica_scope *s = mica_scope_open(NULL);
    put("f.npy", file, npy_file(file, "<f4", false, "(1048576,)", 3, zeros, BYTES));
    mica_array *a = mica_load_npy(s, path_of("f.npy"));
    size_t before = mica_memory_active();
    CHECK_EQUAL(mica_eval(s, &a, 1), MICA_OK);
    CHECK(mica_memory_active() - before < 4096);
    mica_memory_reset_peak();
    mica_array *half = mica_astype(s, a, MICA_FLOAT16);
    CHECK_EQUAL(mica_eval(s, &half, 1), MICA_OK);
    /* Beside the result only what each thread works in: a copy of the file would be BYTES more. */
    CHECK(mica_memory_peak() - before < BYTES / 2 + BYTES / 4);
    CHECK_EQUAL(mica_scope_close(s), MICA_OK);
    free(file);
    free(zeros);
}

/* ---- files that change while they are in use ---- */

enum { N = 1 << 16 };

static mica_array *load_sequence(mica_scope *s)
{
    mica_array *a = mica_arange_integer(s, 0, N, 1, MICA_FLOAT32);
    CHECK_EQUAL(mica_save_npy(s, path_of("t.npy"), a), MICA_OK);
    return mica_load_npy(s, path_of("t.npy"));
}

static void use(mica_scope *s, mica_array *a, int how)
{
    static float values[N];
    mica_array *square = mica_reshape(s, a, MICA_SHAPE(256, 256)), *r = NULL;
    switch (how) {
    case 0: r = mica_add(s, a, a); break;
    case 1: r = mica_sum(s, a, MICA_ALL_AXES, false); break;
    case 2: r = mica_matmul(s, square, square); break;
    case 3: r = mica_multiply(s, mica_matmul(s, square, square), mica_number(s, 2)); break;
    case 4: r = mica_reshape(s, mica_transpose(s, square, MICA_ALL_AXES), MICA_SHAPE(N)); break;
    case 5: mica_to_data(s, a, values, sizeof values); return;
    case 6: mica_describe(s, a); return;
    case 7: mica_save_npy(s, path_of("copy.npy"), a); return;
    case 8:
        mica_save_safetensors(s, path_of("copy.npy"), (const char *[]){ "a" },
                              MICA_ARRAYS(mica_transpose(s, square, MICA_ALL_AXES)), NULL, 0);
        return;
    default: r = mica_astype(s, a, MICA_FLOAT16); break;
    }
    mica_eval(s, &r, 1);
}

static void test_truncation(void)
{
    static const off_t sizes[] = { 128 + 4 * N - 4, 100000, 4096, 0 };
    put("copy.npy", "old", 3);
    for (int how = 0; how < 10; how++)
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            mica_scope *s = mica_scope_open(NULL);
            mica_array *a = load_sequence(s);
            CHECK_EQUAL(truncate(path_of("t.npy"), sizes[i]), 0);
            use(s, a, how);
            CHECK_EQUAL(mica_scope_close(s), MICA_EOS);
            CHECK_MENTIONS(mica_last_error(), "t.npy");
        }
    char old[8];
    CHECK_EQUAL(get("copy.npy", old, sizeof old), 3); /* zeros were not saved */
}

/* A fault sticks to what was computed from it, and the file's other arrays are no worse off. */
static void test_fault_sticks(void)
{
    mica_scope *s = mica_scope_open(NULL), *inner = mica_scope_open(NULL);
    mica_array *a = load_sequence(s), *b = mica_add(inner, a, a);
    CHECK_EQUAL(truncate(path_of("t.npy"), 4096), 0);
    CHECK_EQUAL(mica_eval(inner, &b, 1), MICA_EOS);
    mica_array *kept = mica_retain(b);
    CHECK_EQUAL(mica_scope_close(inner), MICA_EOS);
    CHECK_EQUAL(truncate(path_of("t.npy"), 128 + 4 * N), 0);
    inner = mica_scope_open(NULL);
    CHECK_EQUAL(mica_eval(inner, &kept, 1), MICA_EOS);
    mica_release(kept);
    mica_scope_close(inner);
    CHECK_EQUAL(mica_scope_close(s), MICA_OK);
}

static void test_replacement(void)
{
    mica_scope *s = mica_scope_open(NULL);
    mica_array *a = load_sequence(s);
    mica_array *b = mica_add(s, a, mica_number(s, 1));
    CHECK_EQUAL(mica_save_npy(s, path_of("t.npy"), b), MICA_OK); /* over the file behind a */
    mica_array *difference = mica_subtract(s, mica_load_npy(s, path_of("t.npy")), a);
    CHECK(mica_item(s, mica_min(s, difference, MICA_ALL_AXES, false)) == 1);
    unlink(path_of("t.npy"));
    CHECK(mica_item(s, mica_max(s, a, MICA_ALL_AXES, false)) == N - 1);
    CHECK_EQUAL(mica_scope_close(s), MICA_OK);
}

/* ---- saves that do not end ---- */

static void save_again_and_again(void)
{
    for (int64_t k = 0;; k++) {
        mica_scope *s = mica_scope_open(NULL);
        mica_array *a =
            mica_full(s, MICA_SHAPE(1 << 20), mica_number(s, (double)(k % 100)), MICA_INT32);
        mica_save_npy(s, path_of("k.npy"), a);
        if (mica_scope_close(s) != MICA_OK) _exit(1);
    }
}

static void test_kills(void)
{
    mica_scope *s = mica_scope_open(NULL);
    CHECK_EQUAL(mica_save_npy(s, path_of("k.npy"), mica_zeros(s, MICA_SHAPE(1 << 20), MICA_INT32)),
                0);
    for (int i = 0; i < 20; i++) {
        pid_t child = fork();
        if (child == 0) save_again_and_again();
        usleep((useconds_t)(1000 + draw(20000)));
        kill(child, SIGKILL);
        int status;
        waitpid(child, &status, 0);
        CHECK(WIFSIGNALED(status));
        mica_array *a = mica_load_npy(s, path_of("k.npy"));
        CHECK_EQUAL(mica_size(a), 1 << 20);
        CHECK(mica_item(s, mica_min(s, a, MICA_ALL_AXES, false)) ==
              mica_item(s, mica_max(s, a, MICA_ALL_AXES, false)));
    }
    CHECK_EQUAL(mica_scope_close(s), MICA_OK);
}

static int full_disk(void *left, const void *data, size_t bytes)
{
    (void)data;
    size_t *n = left;
    if (bytes > *n) return mica__fail(MICA_EOS, "[save] the disk is full");
    *n -= bytes;
    return MICA_OK;
}

static void test_failing_writes(void)
{
    mica_scope *s = mica_scope_open(NULL);
    mica_array *a =
        mica_transpose(s, mica_reshape(s, load_sequence(s), MICA_SHAPE(256, 256)), MICA_ALL_AXES);
    const char *names[] = { "a" };
    CHECK_EQUAL(mica_eval(s, &a, 1), MICA_OK);
    for (size_t room = 0; room < 4 * N; room += 4 * N / 8) {
        size_t left = room;
        CHECK_EQUAL(mica__write_npy(&(mica__sink){ full_disk, &left }, a), MICA_EOS);
        left = room;
        CHECK_EQUAL(mica__write_safetensors(&(mica__sink){ full_disk, &left }, names,
                                            MICA_ARRAYS(a), NULL, 0),
                    MICA_EOS);
    }
    CHECK_EQUAL(mica_save_npy(s, "/dev/full", a), MICA_EOS);
    CHECK_EQUAL(mica_scope_close(s), MICA_EOS);
}

static void refused(int status, const char *mention, mica_scope *s)
{
    CHECK_EQUAL(mica_scope_close(s), status);
    CHECK_MENTIONS(mica_last_error(), mention);
}

static void test_refusals(void)
{
    mica_scope *s = mica_scope_open(NULL);
    mica_array *a = mica_zeros(s, MICA_SHAPE(2), MICA_FLOAT32);
    mica_array *own = mica_retain(a);
    CHECK_EQUAL(mica_scope_close(s), MICA_OK);
    CHECK(!mica_load(s = mica_scope_open(NULL), path_of("nothing here")));
    refused(MICA_EIO, "nothing here", s);
    CHECK(!mica_load(s = mica_scope_open(NULL), NULL));
    refused(MICA_EVALUE, "NULL", s);
    CHECK(!mica_load(s = mica_scope_open(NULL), folder));
    refused(MICA_EIO, "folder", s);
    mica_save_npy(s = mica_scope_open(NULL), path_of("no/file"), own);
    refused(MICA_EIO, "no/file", s);
    mica_save_npy(s = mica_scope_open(NULL), NULL, own);
    refused(MICA_EVALUE, "NULL", s);
    mica_save_npy(s = mica_scope_open(NULL), path_of("x"), NULL);
    refused(MICA_EVALUE, "NULL", s);
    const char *twice[] = { "a", "a" }, *none[] = { NULL, "a" };
    mica_save_safetensors(s = mica_scope_open(NULL), path_of("x"), twice, MICA_ARRAYS(own, own),
                          NULL, 0);
    refused(MICA_EVALUE, "twice", s);
    mica_save_safetensors(s = mica_scope_open(NULL), path_of("x"), none, MICA_ARRAYS(own, own),
                          NULL, 0);
    refused(MICA_EVALUE, "NULL", s);
    CHECK(access(path_of("x"), F_OK) != 0); /* nothing is left of what failed */
    CHECK(!mica_load(NULL, path_of("x")) && mica_table_count(NULL) == 0);
    mica_release(own);
}

/* ---- hostile files ---- */

/* Loads whatever the bytes are, and reads all values that come of it. */
static bool load_bytes(const char *bytes, size_t n)
{
    put("h", bytes, n);
    mica_scope *s = mica_scope_open(NULL);
    mica_table *t = mica_load(s, path_of("h"));
    for (size_t i = 0; i < mica_table_count(t); i++) {
        mica_array *a = mica_table_array(t, i);
        if (mica_size(a) > 1 << 16) continue;
        size_t room = (size_t)mica_size(a) * mica_dtype_size(mica_dtype_of(a));
        char *values = malloc(room + 1);
        CHECK_EQUAL(mica_to_data(s, a, values, room), MICA_OK);
        free(values);
    }
    int status = mica_scope_close(s);
    CHECK(status == MICA_OK || status == MICA_EIO || status == MICA_EVALUE ||
          status == MICA_EOVERFLOW);
    return status == MICA_OK;
}

static void test_hostile(void)
{
    static const char *const files[] = { "a.npy", "a.safetensors" };
    mica_scope *s = mica_scope_open(NULL);
    mica_array *a = sample(s, MICA_INT16, MICA_SHAPE(3, 5)),
               *b = sample(s, MICA_BOOL, MICA_SHAPE(7));
    const char *names[] = { "weight", "mask" };
    CHECK_EQUAL(mica_save_npy(s, path_of("a.npy"), a), MICA_OK);
    CHECK_EQUAL(
        mica_save_safetensors(s, path_of("a.safetensors"), names, MICA_ARRAYS(a, b), NULL, 0),
        MICA_OK);
    CHECK_EQUAL(mica_scope_close(s), MICA_OK);
    for (int f = 0; f < 2; f++) {
        char whole[1024], changed[1024];
        size_t n = get(files[f], whole, sizeof whole);
        int good = 0;
        CHECK(load_bytes(whole, n));
        for (size_t cut = 0; cut < n; cut++) CHECK(!load_bytes(whole, cut));
        for (int round = 0; round < 3000; round++) {
            memcpy(changed, whole, n);
            for (uint64_t k = 1 + draw(3); k; k--)
                changed[draw(n)] =
                    draw(2) ? (char)draw(256) : "0123456789{}[](),:'\"<>FI"[draw(24)];
            good += load_bytes(changed, n);
        }
        CHECK(good > 100 && good < 2900);
    }
}

/* ---- failing allocations ---- */

static int save_and_load(void)
{
    mica_scope *s = mica_scope_open(NULL);
    if (!s) return MICA_EMEMORY;
    mica_array *a =
        mica_transpose(s, mica_ones(s, MICA_SHAPE(30, 40), MICA_FLOAT32), MICA_ALL_AXES);
    const char *names[] = { "a", "b" };
    mica_save_npy(s, path_of("i.npy"), a);
    mica_save_safetensors(s, path_of("i.st"), names, MICA_ARRAYS(a, a),
                          &(mica_metadata){ "k", "v" }, 1);
    mica_array *b = mica_load_npy(s, path_of("i.npy"));
    mica_array *c = mica_table_get(s, mica_load(s, path_of("i.st")), "b");
    mica_array *sum = mica_sum(s, mica_add(s, b, c), MICA_ALL_AXES, false);
    double value = mica_item(s, sum);
    int status = mica_scope_close(s);
    CHECK(status != MICA_OK || value == 2400);
    return status;
}

static void test_allocation_failures(void)
{
    CHECK_EQUAL(save_and_load(), MICA_OK);
    int64_t nodes = mica__live(MICA_LIVE_NODE), buffers = mica__live(MICA_LIVE_BUFFER);
    int failed = 0, status = MICA_EMEMORY;
    for (int64_t n = 0; n < 2000 && status != MICA_OK; n++) {
        mica__inject_failure(n);
        status = save_and_load();
        mica__inject_failure(-1);
        CHECK(status == MICA_OK || status == MICA_EMEMORY);
        CHECK_EQUAL(mica__live(MICA_LIVE_NODE), nodes);
        CHECK_EQUAL(mica__live(MICA_LIVE_BUFFER), buffers);
        failed += status != MICA_OK;
    }
    CHECK_EQUAL(status, MICA_OK);
    CHECK(failed > 20);
}

int main(void)
{
    const char *base =
        access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp"; /* memory: quick syncs */
    snprintf(folder, sizeof folder, "%s/mica-io-XXXXXX", base);
    if (!mkdtemp(folder)) return 1;
    test_round_trips();
    test_mapping_costs_nothing();
    test_foreign();
    test_unaligned_stays_mapped();
    test_truncation();
    test_fault_sticks();
    test_replacement();
    test_kills();
    test_failing_writes();
    test_refusals();
    test_hostile();
    test_allocation_failures();
    CHECK_EQUAL(mica__live(MICA_LIVE_NODE), 0);
    CHECK_EQUAL(mica__live(MICA_LIVE_BUFFER), 0);
    CHECK_EQUAL(mica__live(MICA_LIVE_SCOPE), 0);
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    CHECK_EQUAL(system(command), 0);
    return check_report("array_io");
}
