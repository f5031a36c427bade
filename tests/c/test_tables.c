/* gguf and npz files from C: round trips, values, and failing allocations. */
#define _GNU_SOURCE 1
#include <stdlib.h>
#include <unistd.h>

#include "check.h"
#include "failing.h"
#include "io/array_io.h"
#include "mica/mica.h"

static char path[64];

/* An npz file with one deflated member, c.npy: two ones of float32. */
static const unsigned char archive[] = {
    0x50, 0x4b, 0x03, 0x04, 0x14, 0x00, 0x00, 0x00, 0x08, 0x00, 0x00, 0x00, 0x21, 0x00, 0x7c, 0x3e,
    0x92, 0x1c, 0x4a, 0x00, 0x00, 0x00, 0x88, 0x00, 0x00, 0x00, 0x05, 0x00, 0x00, 0x00, 0x63, 0x2e,
    0x6e, 0x70, 0x79, 0x9b, 0xec, 0x17, 0xea, 0x1b, 0x10, 0xc9, 0xc8, 0x50, 0xc6, 0x50, 0xad, 0x9e,
    0x92, 0x5a, 0x9c, 0x5c, 0xa4, 0x6e, 0xa5, 0xa0, 0x6e, 0x93, 0x66, 0xa2, 0xae, 0xa3, 0xa0, 0x9e,
    0x96, 0x5f, 0x54, 0x52, 0x94, 0x98, 0x17, 0x9f, 0x5f, 0x94, 0x92, 0x0a, 0x12, 0x77, 0x4b, 0xcc,
    0x29, 0x4e, 0x05, 0x8a, 0x17, 0x67, 0x24, 0x16, 0xa4, 0x02, 0xf9, 0x1a, 0x46, 0x3a, 0x9a, 0x3a,
    0x0a, 0xb5, 0x0a, 0x14, 0x00, 0x2e, 0x06, 0x86, 0x06, 0x7b, 0x10, 0x06, 0x00, 0x50, 0x4b, 0x01,
    0x02, 0x14, 0x03, 0x14, 0x00, 0x00, 0x00, 0x08, 0x00, 0x00, 0x00, 0x21, 0x00, 0x7c, 0x3e, 0x92,
    0x1c, 0x4a, 0x00, 0x00, 0x00, 0x88, 0x00, 0x00, 0x00, 0x05, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x80, 0x01, 0x00, 0x00, 0x00, 0x00, 0x63, 0x2e, 0x6e, 0x70, 0x79,
    0x50, 0x4b, 0x05, 0x06, 0x00, 0x00, 0x00, 0x00, 0x01, 0x00, 0x01, 0x00, 0x33, 0x00, 0x00, 0x00,
    0x6d, 0x00, 0x00, 0x00, 0x00, 0x00
};

static mica_table *from_memory(mica_scope *s, const void *bytes, size_t n)
{
    mica__buffer *b = mica__buffer_new(n);
    if (!b) return mica__scope_failed(s, MICA_EMEMORY);
    memcpy(b->data, bytes, n);
    mica__source from;
    int status = mica__source_of_memory(&from, b, "memory");
    mica__buffer_release(b);
    if (status) return mica__scope_failed(s, status);
    mica_table *t = mica__any_table(s, &from);
    mica__source_release(&from);
    return t;
}

static mica_table *from_bytes(mica_scope *s)
{
    return from_memory(s, archive, sizeof archive);
}

/* A header, and 16 bytes of zeros. */
static mica_table *from_text(mica_scope *s, const char *header)
{
    char file[1024] = { 0 };
    size_t n = strlen(header);
    file[0] = (char)n;
    file[1] = (char)(n >> 8);
    memcpy(file + 8, header, n);
    return from_memory(s, file, 8 + n + 16);
}

/* A gguf file: a, two ones of bfloat16, and q, a block of 32 numbers: twice a code less 8, of which
   each is 9. */
static mica_table *from_blocks(mica_scope *s)
{
    static const unsigned char head[] =
        "GGUF\3\0\0\0\2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
        "\1\0\0\0\0\0\0\0a\1\0\0\0\2\0\0\0\0\0\0\0\36\0\0\0\0\0\0\0\0\0\0\0"
        "\1\0\0\0\0\0\0\0q\1\0\0\0\40\0\0\0\0\0\0\0\2\0\0\0\40\0\0\0\0\0\0\0";
    unsigned char file[96 + 64] = { 0 };
    memcpy(file, head, sizeof head - 1);
    memcpy(file + 96, "\x80\x3F\x80\x3F", 4);
    memset(file + 128, 0x99, 18);
    memcpy(file + 128, "\0\x40", 2);
    return from_memory(s, file, sizeof file);
}

#define ENTRY(name, begin)                                                                         \
    "\"" name "\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[" begin "]}"

/* Names are found in any order; one that is there twice is nobody's. */
static void test_names(void)
{
    mica_scope *s = mica_scope_open(NULL);
    const mica_table *t = from_text(s, "{" ENTRY("c", "0,4") "," ENTRY("a", "4,8") "," ENTRY(
                                           "d", "12,16") "," ENTRY("b", "8,12") "}");
    CHECK_EQUAL(mica_table_count(t), 4);
    CHECK_TEXT(mica_table_name(t, 2), "d");
    for (size_t i = 0; i < mica_table_count(t); i++)
        CHECK(mica_table_find(t, mica_table_name(t, i)) == mica_table_array(t, i));
    CHECK(!mica_table_find(t, "") && !mica_table_find(t, "aa") && !mica_table_find(t, "e"));
    CHECK_EQUAL(mica_scope_close(s), MICA_OK);

    s = mica_scope_open(NULL);
    CHECK(!from_text(s, "{" ENTRY("c", "0,4") "," ENTRY("a", "4,8") "," ENTRY("c", "8,12") "}"));
    CHECK_EQUAL(mica_scope_close(s), MICA_EIO);
    CHECK_MENTIONS(mica_last_error(), "'c': it is there twice");
    mica__clear_error();
}

/* Tensors may leave bytes between them, but not lie over each other. */
static void test_overlaps(void)
{
    static const char *const refused[] = { "{" ENTRY("a", "0,4") "," ENTRY("b", "0,4") "}",
                                           "{" ENTRY("b", "6,10") "," ENTRY("c", "12,16") "," ENTRY(
                                               "a", "4,8") "}" };
    mica_scope *s = mica_scope_open(NULL);
    CHECK_EQUAL(mica_table_count(from_text(s, "{" ENTRY("b", "12,16") "," ENTRY("a", "4,8") "}")),
                2);
    CHECK_EQUAL(mica_table_count(
                    from_text(s, "{" ENTRY("a", "0,4") ",\"b\":{\"dtype\":\"F32\",\"shape\":[0],"
                                                       "\"data_offsets\":[2,2]}}")),
                2);
    CHECK_EQUAL(mica_scope_close(s), MICA_OK);
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        CHECK(!from_text(s = mica_scope_open(NULL), refused[i]));
        CHECK_EQUAL(mica_scope_close(s), MICA_EIO);
        CHECK_MENTIONS(mica_last_error(), "'a'");
        CHECK_MENTIONS(mica_last_error(), "'b'");
        CHECK_MENTIONS(mica_last_error(), "overlap");
    }
    mica__clear_error();
}

static void test_npz(void)
{
    mica_scope *s = mica_scope_open(NULL);
    mica_table *t = from_bytes(s);
    CHECK_EQUAL(mica_table_count(t), 1);
    mica_array *c = mica_table_get(s, t, "c");
    CHECK(c && mica_dtype_of(c) == MICA_FLOAT32);
    CHECK(mica_item(s, mica_sum(s, c, MICA_ALL_AXES, false)) == 2);
    CHECK_EQUAL(mica_scope_close(s), MICA_OK);
}

/* What is small and has to be converted lies in memory that it shares; nothing is pending. */
static void test_settled(void)
{
    mica_scope *s = mica_scope_open(NULL);
    const mica_table *t = from_blocks(s);
    CHECK_EQUAL(mica_table_count(t), 4);
    mica_array *a = mica_table_get(s, t, "a"), *q = mica_table_get(s, t, "q"),
               *scales = mica_table_get(s, t, "q.scales"),
               *biases = mica_table_get(s, t, "q.biases");
    CHECK(a && q && mica__is_done(a) && mica__is_done(q) && a->buffer == q->buffer);
    CHECK(mica_item(s, mica_sum(s, a, MICA_ALL_AXES, false)) == 2);
    CHECK(mica_item(s, mica_max(s, q, MICA_ALL_AXES, false)) == 0x99999999 && q->size == 4);
    CHECK(mica_item(s, scales) == 2 && mica_item(s, biases) == -16);
    CHECK_EQUAL(mica_scope_close(s), MICA_OK);
}

static const char *const names[] = { "x", "y" };
static const char *const words[] = { "one", "", "three" };

static int save(mica_scope *s, mica_array *numbers)
{
    mica_array *arrays[2] = { mica_ones(s, MICA_SHAPE(2, 3), MICA_FLOAT16),
                              mica_arange_integer(s, 0, 5, 1, MICA_INT32) };
    const mica_value values[] = {
        { .key = "numbers", .array = numbers },
        { .key = "words", .list = true, .count = 3, .texts = words },
        { .key = "word", .count = 1, .texts = words },
    };
    if (!numbers || !arrays[0] || !arrays[1]) return MICA_EMEMORY;
    return mica_save_gguf(s, path, names, (mica_arrays){ 2, arrays }, values, 3);
}

static void test_gguf(void)
{
    mica_scope *s = mica_scope_open(NULL);
    mica_array *numbers = mica_arange_integer(s, 3, 7, 1, MICA_INT64);
    CHECK_EQUAL(save(s, numbers), MICA_OK);
    mica_table *t = mica_load(s, path);
    CHECK_EQUAL(mica_table_count(t), 2);
    CHECK_EQUAL(mica_table_value_count(t), 3);
    mica_array *x = mica_table_find(t, "x"), *y = mica_table_find(t, "y");
    CHECK(x && mica_dtype_of(x) == MICA_FLOAT16 && mica_shape(x).at[1] == 3);
    CHECK(y && mica_item(s, mica_sum(s, y, MICA_ALL_AXES, false)) == 10);
    const mica_value *v = mica_table_values(t);
    CHECK(strcmp(v[0].key, "numbers") == 0 && v[0].array &&
          mica_item(s, mica_sum(s, v[0].array, MICA_ALL_AXES, false)) == 18);
    CHECK(v[1].list && v[1].count == 3 && strcmp(v[1].texts[2], "three") == 0);
    CHECK(!v[2].list && v[2].count == 1 && v[2].lengths[0] == 3);
    CHECK_EQUAL(mica_scope_close(s), MICA_OK);
}

static void test_refusals(void)
{
    mica_scope *s = mica_scope_open(NULL);
    mica_array *wide = mica_ones(s, MICA_SHAPE(2), MICA_INT64);
    CHECK_EQUAL(mica_save_gguf(s, path, names, (mica_arrays){ 1, &wide }, NULL, 0), MICA_ERUNTIME);
    mica_scope_close(s);
    s = mica_scope_open(NULL);
    CHECK_EQUAL(save(s, mica_ones(s, MICA_SHAPE(2, 2), MICA_FLOAT32)), MICA_ERUNTIME);
    mica_scope_close(s);
    s = mica_scope_open(NULL);
    CHECK_EQUAL(save(s, mica_ones(s, MICA_SHAPE(2), MICA_FLOAT16)), MICA_EVALUE);
    mica_scope_close(s);
}

static mica_array *all_of_it(mica_scope *s)
{
    if (save(s, mica_arange_integer(s, 3, 7, 1, MICA_INT64)) != MICA_OK)
        return mica__scope_failed(s, MICA_EMEMORY);
    const mica_table *t = mica_load(s, path), *z = from_bytes(s), *q = from_blocks(s);
    if (!t || !z || !q) return NULL;
    mica_array *y = mica_sum(s, mica_table_get(s, t, "y"), MICA_ALL_AXES, false);
    y = mica_add(s, y, mica_table_get(s, q, "q.biases"));
    return mica_add(s, y, mica_sum(s, mica_table_get(s, z, "c"), MICA_ALL_AXES, false));
}

int main(void)
{
    char folder[] = "/tmp/mica_tables_XXXXXX";
    if (!mkdtemp(folder)) return 1;
    snprintf(path, sizeof path, "%s/f", folder);
    test_names();
    test_overlaps();
    test_npz();
    test_gguf();
    test_settled();
    test_refusals();
    check_each_failure(all_of_it);
    unlink(path);
    rmdir(folder);
    return check_report("tables");
}
