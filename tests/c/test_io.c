/* Formats: JSON, safetensors and npy, what they accept and refuse, and 100,000 mutated inputs each.
 */
#define _GNU_SOURCE 1
#include <stdlib.h>

#include "check.h"
#include "io/json.h"
#include "io/npy.h"
#include "io/safetensors.h"

/* A copy that ends where its block ends, so that reading past it is found. */
static char *exact(const void *bytes, size_t n)
{
    char *copy = malloc(n ? n : 1);
    if (n) memcpy(copy, bytes, n);
    return copy;
}

static uint64_t seed = 88172645463325252u;
static uint64_t draw(uint64_t below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (seed >> 11) % below;
}

/* Changes, inserts, removes or repeats some bytes; the result is to be freed. */
static char *mutate(const char *text, size_t n, size_t *bytes)
{
    static const char likely[] = "{}[]\",:\\u09-+.eE'()truefalsn \n\x80\xFF\xE2\xF0\0";
    char *copy = malloc(2 * n + 64);
    memcpy(copy, text, n);
    for (uint64_t changes = 1 + draw(4); changes; changes--) {
        size_t at = n ? (size_t)draw(n) : 0;
        switch (draw(6)) {
        case 0:
            if (n) copy[at] ^= (char)(1 << draw(8));
            break;
        case 1:
            if (n) copy[at] = likely[draw(sizeof likely)];
            break;
        case 2: /* insert */
            memmove(copy + at + 1, copy + at, n - at);
            copy[at] = likely[draw(sizeof likely)];
            n++;
            break;
        case 3: { /* remove */
            size_t gone = (size_t)draw(8);
            if (gone > n - at) gone = n - at;
            memmove(copy + at, copy + at + gone, n - at - gone);
            n -= gone;
            break;
        }
        case 4: { /* repeat */
            size_t more = (size_t)draw(12);
            if (more > n - at) more = n - at;
            memmove(copy + at + more, copy + at, n - at);
            n += more;
            break;
        }
        default:
            if (!draw(4)) n = at; /* cut */
        }
    }
    *bytes = n;
    char *result = exact(copy, n);
    free(copy);
    return result;
}

/* ---- JSON ----------------------------------------------------------------------------------- */

static int parse_json(const char *text, size_t n, mica__json **root, mica__arena *a)
{
    char *copy = exact(text, n);
    int status = mica__json_parse(root, a, copy, n, NULL);
    free(copy); /* the tree needs it no more */
    return status;
}

static void accepts(const char *text)
{
    mica__arena a = { 0 };
    mica__json *root = NULL;
    int status = parse_json(text, strlen(text), &root, &a);
    if (status) fprintf(stderr, "%s: %s\n", text, mica_last_error());
    CHECK(status == MICA_OK && root);
    mica__arena_free(&a);
}

static void refuses(const char *text, size_t n, const char *because)
{
    mica__arena a = { 0 };
    mica__json *root = NULL;
    if (parse_json(text, n, &root, &a) != MICA_EVALUE) fprintf(stderr, "accepted: %s\n", text);
    CHECK_EQUAL(mica__last_status(), MICA_EVALUE);
    CHECK(!root);
    CHECK_MENTIONS(mica_last_error(), because);
    mica__clear_error();
    mica__arena_free(&a);
}

static void test_json_tree(void)
{
    static const char text[] =
        " {\"a\" : [1, -2.5e1, true, null, \"x\\u00e9\\ud83d\\ude00\\n\"], \"b\": {},"
        " \"\": 9223372036854775807, \"c\": 9223372036854775808, \"d\": -9223372036854775808}\n";
    mica__arena a = { 0 };
    mica__json *root = NULL;
    CHECK_EQUAL(parse_json(text, sizeof text - 1, &root, &a), MICA_OK);
    CHECK(root->kind == MICA_JSON_OBJECT && root->count == 5);
    mica__json *v = mica__json_member(root, "a");
    CHECK(v && v->kind == MICA_JSON_ARRAY && v->count == 5 && strcmp(v->key, "a") == 0);
    v = v->first;
    CHECK(v->kind == MICA_JSON_INTEGER && v->integer == 1 && !v->key);
    v = v->next;
    CHECK(v->kind == MICA_JSON_DOUBLE && v->number == -25);
    v = v->next;
    CHECK(v->kind == MICA_JSON_BOOL && v->boolean);
    v = v->next;
    CHECK(v->kind == MICA_JSON_NULL);
    v = v->next;
    CHECK(v->kind == MICA_JSON_STRING && !v->next);
    CHECK_TEXT(v->string, "xé😀\n");
    CHECK_EQUAL(v->bytes, strlen(v->string));
    CHECK(mica__json_member(root, "b")->kind == MICA_JSON_OBJECT);
    CHECK_EQUAL(mica__json_member(root, "")->integer, INT64_MAX);
    CHECK(mica__json_member(root, "c")->kind == MICA_JSON_DOUBLE);
    CHECK(mica__json_member(root, "c")->number == 9223372036854775808.0);
    CHECK_EQUAL(mica__json_member(root, "d")->integer, INT64_MIN);
    CHECK(!mica__json_member(root, "e") && !mica__json_member(v, "a") &&
          !mica__json_member(NULL, "a"));
    mica__arena_free(&a);
}

static void test_json_limits(void)
{
    char deep[400];
    memset(deep, '[', 200);
    memset(deep + 200, ']', 200);
    refuses(deep, 400, "deeper");
    refuses(deep + 135, 130, "deeper");
    mica__arena a = { 0 };
    mica__json *root = NULL;
    CHECK_EQUAL(parse_json(deep + 136, 128, &root, &a), MICA_OK); /* 64 */
    CHECK_EQUAL(mica__json_parse(&root, &a, "[1,2,3]", 7, &(mica__json_limits){ 1, 4 }), MICA_OK);
    CHECK_EQUAL(mica__json_parse(&root, &a, "[1,2,3]", 7, &(mica__json_limits){ 1, 3 }),
                MICA_EVALUE);
    CHECK_EQUAL(mica__json_parse(&root, &a, "[]", 2, &(mica__json_limits){ 0, 3 }), MICA_EVALUE);
    mica__arena_free(&a);
    mica__text t = { 0 };
    for (int twice = 0; twice < 2; twice++) { /* large objects, whose keys are hashed */
        mica__text_add_string(&t, "{");
        for (int i = 0; i < 3000; i++) mica__text_add_format(&t, "\"k%d\":%d,", i, i);
        mica__text_add_string(&t, twice ? "\"k1234\":0}" : "\"last\":0}");
        if (twice) refuses(t.at, t.n, "k1234");
        else accepts(t.at);
        mica__text_free(&t);
    }
}

static void test_json(void)
{
    static const char *const good[] = { "0",
                                        "-0",
                                        "1e5",
                                        "1E+5",
                                        "0.5",
                                        "1.5e-300",
                                        "\"\"",
                                        "[]",
                                        "{}",
                                        "\ttrue\r\n",
                                        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
                                        "[[],[[]]]",
                                        "1e-400" };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) accepts(good[i]);
    static const char *const bad[] = { "",
                                       " ",
                                       "01",
                                       "-",
                                       "+1",
                                       ".5",
                                       "1.",
                                       "1e",
                                       "1e+",
                                       "0x1",
                                       "NaN",
                                       "Infinity",
                                       "1e999",
                                       "tru",
                                       "nul",
                                       "truex",
                                       "\"",
                                       "\"\\\"",
                                       "\"\\x\"",
                                       "\"\\u12\"",
                                       "\"\\u12g4\"",
                                       "\"\\ud800\"",
                                       "\"\\udc00\"",
                                       "\"\\ud800\\u0041\"",
                                       "\"\\u0000\"",
                                       "\"\n\"",
                                       "\"\xFF\"",
                                       "\"\xC0\x80\"",
                                       "[",
                                       "[1",
                                       "[1,",
                                       "[1,]",
                                       "[,1]",
                                       "[1 2]",
                                       "{",
                                       "{\"a\"",
                                       "{\"a\":",
                                       "{\"a\":1",
                                       "{\"a\":1,",
                                       "{\"a\":1,}",
                                       "{a:1}",
                                       "{\"a\" 1}",
                                       "{\"a\":1}}",
                                       "1 2",
                                       "[1]]",
                                       "'a'",
                                       "/* */ 1",
                                       "\xEF\xBB\xBF[]",
                                       "{1:2}" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) refuses(bad[i], strlen(bad[i]), "line 1");
    refuses("\"a\0b\"", 5, "control");
    refuses("1\0", 2, "follows");
    refuses("{\"a\":1,\"\\u0061\":2}", 18, "twice");
    refuses("[1,\n 2,\n  x]", 12, "line 3, column 3");
    test_json_tree();
    test_json_limits();

    mica__text t = { 0 };
    CHECK_EQUAL(mica__json_add_string(&t, "a\"\\\n\x01\x0B\t/é", 10), MICA_OK);
    CHECK_TEXT(t.at, "\"a\\\"\\\\\\n\\u0001\\u000b\\t/é\"");
    accepts(t.at);
    CHECK_EQUAL(mica__json_add_string(&t, "\xFF", 1), MICA_EVALUE);
    mica__text_free(&t);
}

static void fuzz_json(int rounds)
{
    static const char *const texts[] = {
        "{\"a\":[1,-2.5e1,true,null,\"x\\u00e9\\ud83d\\ude00\\n\"],\"b\":{\"c\":[[[]]]},\"d\":1e-7,"
        "\"e\":\"\\\\\\\"\"}",
        "[[1,2,3],[\"abc\",\"\xE2\x82\xAC\"],{\"k1\":0,\"k2\":1,\"k3\":2,\"k4\":3,\"k5\":4,\"k6\":"
        "5,\"k7\":6,\"k8\":7,\"k9\":8}]"
    };
    int good = 0;
    for (int i = 0; i < rounds; i++) {
        const char *text = texts[i % 2];
        size_t n;
        char *mutated = mutate(text, strlen(text), &n);
        mica__arena a = { 0 };
        mica__json *root = NULL;
        int status = mica__json_parse(&root, &a, mutated, n, NULL);
        good += !status;
        if (status ? status != MICA_EVALUE || root : !root)
            CHECK(!"a status that says something else");
        mica__arena_free(&a);
        free(mutated);
    }
    CHECK(good > rounds / 100 && good < rounds / 2);
}

/* ---- safetensors ---------------------------------------------------------------------------- */

/* What a header told. */
typedef struct told {
    mica__tensor_entry entries[16];
    mica__text_pair metadata[16];
    size_t count, metadata_count;
    mica__arena arena;
} told;

static int keep_tensor(void *user, const mica__tensor_entry *e)
{
    told *t = user;
    if (t->count == 16) return MICA_OK;
    mica__tensor_entry *kept = &t->entries[t->count];
    *kept = *e;
    kept->name = mica__arena_text(&t->arena, e->name, strlen(e->name));
    int64_t *shape = mica__arena_alloc(&t->arena, ((size_t)e->ndim + 1) * sizeof *shape);
    if (!kept->name || !shape) return MICA_EMEMORY;
    memcpy(shape, e->shape, (size_t)e->ndim * sizeof *shape);
    kept->shape = shape;
    t->count++;
    return MICA_OK;
}

static int keep_metadata(void *user, const char *key, const char *value)
{
    told *t = user;
    if (t->metadata_count == 16) return MICA_OK;
    mica__text_pair *p = &t->metadata[t->metadata_count];
    p->key = mica__arena_text(&t->arena, key, strlen(key));
    p->value = mica__arena_text(&t->arena, value, strlen(value));
    if (!p->key || !p->value) return MICA_EMEMORY;
    t->metadata_count++;
    return MICA_OK;
}

static int read_tensors(told *t, const void *file, uint64_t bytes, const char *name)
{
    mica__safetensors_visitor visitor = { keep_tensor, keep_metadata, t };
    *t = (told){ 0 };
    int status = mica__safetensors_read(file, bytes, name, &visitor);
    if (status) mica__arena_free(&t->arena);
    return status;
}

static char *tensors(const char *header, size_t data, size_t *bytes)
{
    size_t n = strlen(header);
    *bytes = 8 + n + data;
    char *file = malloc(*bytes);
    memset(file, 1, *bytes);
    for (int i = 0; i < 8; i++) file[i] = (char)(n >> 8 * i);
    memcpy(file + 8, header, n);
    return file;
}

static void refuses_tensors(const char *header, size_t data, const char *because)
{
    size_t n;
    char *file = tensors(header, data, &n);
    told s = { 0 };
    if (read_tensors(&s, file, n, "f.safetensors") != MICA_EIO)
        fprintf(stderr, "accepted: %s\n", header);
    CHECK_EQUAL(mica__last_status(), MICA_EIO);
    CHECK_MENTIONS(mica_last_error(), because);
    CHECK_MENTIONS(mica_last_error(), "f.safetensors");
    mica__clear_error();
    free(file);
}

#define ENTRY(type, shape, offsets)                                                                \
    "{\"dtype\":\"" type "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"

static int note_member(void *user, const mica__json *m)
{
    char *noted = user;
    strcat(strcat(noted, m->key), m->kind == MICA_JSON_ARRAY ? "[]" : ",");
    return strcmp(m->key, "stop") == 0 ? MICA_EINDEX : MICA_OK;
}

/* Members one by one; limits hold for each, and what is wrong comes after what was right. */
static void test_json_members(void)
{
    static const struct {
        const char *text;
        int status;
        const char *noted;
    } cases[] = {
        { " {} ", MICA_OK, "" },
        { "{\"a\":1,\"b\" : [1,2] , \"a\":null}", MICA_OK, "a,b[]a," },
        { "{\"a\":[1,2],\"b\":[1,2,3]}", MICA_EVALUE, "a[]" },
        { "{\"a\":[[1]]}", MICA_EVALUE, "" },
        { "{\"a\":1,\"stop\":1,\"b\":1}", MICA_EINDEX, "a,stop," },
        { "{\"a\":1,}", MICA_EVALUE, "a," },
        { "{\"a\":1", MICA_EVALUE, "a," },
        { "{\"a\":1}]", MICA_EVALUE, "a," },
        { "[]", MICA_EVALUE, "" },
        { "", MICA_EVALUE, "" },
    };
    int64_t live = mica__live(MICA_LIVE_HOST);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char noted[64] = "";
        const mica__json_limits limits = { 1, 3 };
        size_t n = strlen(cases[i].text);
        char *copy = exact(cases[i].text, n);
        CHECK_EQUAL(mica__json_members(copy, n, &limits, note_member, noted), cases[i].status);
        CHECK(strcmp(noted, cases[i].noted) == 0);
        free(copy);
    }
    CHECK_EQUAL(mica__live(MICA_LIVE_HOST), live);
}

static void test_safetensors_refusals(void)
{
    static const struct {
        const char *header;
        size_t data;
        const char *because;
    } cases[] = {
        { "[]", 0, "object" },
        { "{", 0, "JSON" },
        { "{\"a\":1}", 0, "not an object" },
        { "{\"a\":" ENTRY("F31", "[1]", "[0,4]") "}", 4, "unsupported dtype F31" },
        { "{\"a\":" ENTRY("F8_E5M2", "[1]", "[0,1]") "}", 4, "unsupported dtype F8_E5M2" },
        { "{\"a\":{\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "no dtype" },
        { "{\"a\":{\"dtype\":3,\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "no dtype" },
        { "{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", 4, "no shape" },
        { "{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, "data_offsets" },
        { "{\"a\":" ENTRY("F32", "[-1]", "[0,4]") "}", 4, "whole numbers" },
        { "{\"a\":" ENTRY("F32", "[1.0]", "[0,4]") "}", 4, "whole numbers" },
        { "{\"a\":" ENTRY("F32", "[99999999999999999999]", "[0,4]") "}", 4, "whole numbers" },
        { "{\"a\":" ENTRY("F32", "[4611686018427387904,4]", "[0,0]") "}", 4, "larger" },
        { "{\"a\":" ENTRY("F32", "[2305843009213693952]", "[0,0]") "}", 4, "larger" },
        { "{\"a\":" ENTRY("F32", "[1]", "[0,8]") "}", 8, "takes 4 bytes" },
        { "{\"a\":" ENTRY("F32", "[1]", "[4,0]") "}", 8, "begin and an end" },
        { "{\"a\":" ENTRY("F32", "[1]", "[-4,0]") "}", 8, "begin and an end" },
        { "{\"a\":" ENTRY("F32", "[1]", "[0,4,8]") "}", 8, "begin and an end" },
        { "{\"a\":" ENTRY("F32", "[1]", "[0]") "}", 8, "begin and an end" },
        { "{\"a\":" ENTRY("F32", "[1]", "\"04\"") "}", 8, "begin and an end" },
        { "{\"a\":" ENTRY("F32", "[1]", "[0,4]") "}", 3, "incomplete" },
        { "{\"a\":" ENTRY("U8", "[1]", "[9223372036854775806,9223372036854775807]") "}", 3,
          "incomplete" },
        { "{\"a\":" ENTRY("U8",
                          "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]",
                          "[0,1]") "}",
          1, "32 axes" },
        { "{\"__metadata__\":{\"a\":1}}", 0, "not a text" },
        { "{\"__metadata__\":[]}", 0, "not an object" },
        { "{\"__metadata__\":{},\"__metadata__\":{}}", 0, "metadata twice" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        refuses_tensors(cases[i].header, cases[i].data, cases[i].because);
    told s = { 0 };
    for (size_t n = 0; n < 8; n++) {
        char *file = exact("\1\0\0\0\0\0\0\0", n);
        CHECK_EQUAL(read_tensors(&s, file, n, "x"), MICA_EIO);
        free(file);
    }
    static const unsigned char lengths[][8] = { { 3 },
                                                { 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF },
                                                { 0xF8, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF },
                                                { 0, 0, 0, 0, 0, 0, 0, 0x80 } };
    for (int i = 0; i < 4; i++) {
        char file[10] = "........{}";
        memcpy(file, lengths[i], 8);
        CHECK_EQUAL(read_tensors(&s, file, 10, "x"), MICA_EIO);
    }
}

static void test_safetensors_reading(void)
{
    size_t n;
    char *file = tensors(
        "{\"__metadata__\":{\"k\":\"v\",\"\":\"é\"},\"a\":" ENTRY(
            "F32", "[2,1]",
            "[1,9]") ",\"b\":" ENTRY("F8_E4M3", "[3]",
                                     "[0,3]") ",\"empty\":" ENTRY("BF16", "[0,1048576,8]",
                                                                  "[9,9]") ",\"scalar\""
                                                                           ":" ENTRY(
                                                                               "I64", "[]",
                                                                               "[4,"
                                                                               "12]") "}   \n",
        20, &n);
    told s = { 0 };
    CHECK_EQUAL(read_tensors(&s, file, n, "f"), MICA_OK);
    CHECK_EQUAL(s.count, 4);
    CHECK_EQUAL(s.metadata_count, 2);
    CHECK_TEXT(s.metadata[0].key, "k");
    CHECK_TEXT(s.metadata[1].value, "é");
    CHECK_TEXT(s.entries[0].name, "a");
    CHECK(s.entries[0].dtype == MICA_FLOAT32 && s.entries[0].ndim == 2 &&
          s.entries[0].shape[0] == 2);
    CHECK_EQUAL(s.entries[0].bytes, 8);
    CHECK_EQUAL(s.entries[0].offset, n - 20 + 1);
    CHECK(s.entries[1].dtype == MICA_UINT8 && s.entries[1].bytes == 3);
    CHECK(s.entries[2].dtype == MICA_BFLOAT16 && s.entries[2].bytes == 0 && s.entries[2].ndim == 3);
    CHECK(s.entries[3].ndim == 0 && s.entries[3].bytes == 8);
    mica__arena_free(&s.arena);
    free(file);
    file = tensors("{\"__metadata__\":null}", 0, &n);
    CHECK_EQUAL(read_tensors(&s, file, n, "f"), MICA_OK);
    CHECK(!s.count && !s.metadata_count);
    mica__arena_free(&s.arena);
    free(file);
}

static int write_some(mica__text *t, mica__tensor_entry e[4])
{
    static const int64_t shapes[4][2] = { { 3, 5 }, { 7, 1 }, { 2, 2 }, { 0, 9 } };
    static const char *const names[4] = { "weight", "Bias", "mask\"\\\n", "é" };
    static const mica_dtype dtypes[4] = { MICA_FLOAT16, MICA_COMPLEX64, MICA_BOOL, MICA_FLOAT32 };
    for (int i = 0; i < 4; i++)
        e[i] = (mica__tensor_entry){ .name = names[i],
                                     .dtype = dtypes[i],
                                     .ndim = i == 1 ? 1 : 2,
                                     .shape = shapes[i],
                                     .user = (void *)names[i] };
    static const mica__text_pair pairs[] = { { "format", "pt" }, { "note", "a \"quoted\" text" } };
    return mica__safetensors_header(t, e, 4, pairs, 2);
}

static void test_safetensors_writing(void)
{
    mica__text t = { 0 };
    mica__tensor_entry e[4];
    CHECK_EQUAL(write_some(&t, e), MICA_OK);
    CHECK_EQUAL(t.n % 64, 0);
    CHECK_MENTIONS(t.at + 8, "{\"Bias\":{\"data_offsets\":[0,56],\"dtype\":\"C64\",\"shape\":[7]},"
                             "\"__metadata__\":{\"format\":");
    uint64_t end = t.n;
    for (int i = 0; i < 4; i++) { /* in the order of writing, without gaps, aligned */
        CHECK_EQUAL(e[i].offset, end);
        CHECK_EQUAL(e[i].offset % mica_dtype_size(e[i].dtype), 0);
        CHECK(e[i].user == e[i].name);
        end += e[i].bytes;
    }
    CHECK_EQUAL(end - t.n, 56 + 30 + 4);
    while (t.n < end) mica__text_add(&t, "\1", 1);
    told s = { 0 };
    char *file = exact(t.at, t.n);
    CHECK_EQUAL(read_tensors(&s, file, t.n, "f"), MICA_OK);
    CHECK_EQUAL(s.count, 4);
    for (size_t i = 0; i < s.count; i++)
        for (int j = 0; j < 4; j++)
            if (strcmp(s.entries[i].name, e[j].name) == 0)
                CHECK(s.entries[i].offset == e[j].offset && s.entries[i].bytes == e[j].bytes &&
                      s.entries[i].dtype == e[j].dtype && s.entries[i].ndim == e[j].ndim &&
                      memcmp(s.entries[i].shape, e[j].shape, 8 * (size_t)e[j].ndim) == 0);
    CHECK_TEXT(s.metadata[1].value, "a \"quoted\" text");
    mica__arena_free(&s.arena);
    for (size_t n = 0; n < t.n; n++) { /* no beginning of the file is a file */
        char *cut = exact(file, n);
        if (read_tensors(&s, cut, n, "f") != MICA_EIO) CHECK(!"a cut file was accepted");
        free(cut);
    }
    free(file);
    mica__text_free(&t);

    CHECK_EQUAL(mica__safetensors_header(&t, NULL, 0, NULL, 0), MICA_OK);
    CHECK(t.n == 64 && strncmp(t.at + 8, "{\"__metadata__\":null} ", 22) == 0);
    mica__text_free(&t);
    static const char *const wrong[][2] = { { "a", "a" },
                                            { "__metadata__", "a" },
                                            { "a", "\xFF" } };
    int64_t one[] = { 1 }, large[] = { INT64_MAX / 4 };
    for (int i = 0; i < 3; i++) {
        mica__tensor_entry two[2] = {
            { .name = wrong[i][0], .dtype = MICA_INT8, .ndim = 1, .shape = one },
            { .name = wrong[i][1], .dtype = MICA_INT8, .ndim = 1, .shape = one }
        };
        CHECK_EQUAL(mica__safetensors_header(&t, two, 2, NULL, 0), MICA_EVALUE);
        mica__text_free(&t);
    }
    mica__tensor_entry huge[3] = { { .name = "a", .dtype = MICA_INT8, .ndim = 1, .shape = large },
                                   { .name = "b", .dtype = MICA_INT8, .ndim = 1, .shape = large },
                                   { .name = "c", .dtype = MICA_INT8, .ndim = 1, .shape = large } };
    CHECK_EQUAL(mica__safetensors_header(&t, huge, 3, NULL, 0), MICA_EOVERFLOW);
    mica__text_free(&t);
}

static void fuzz_safetensors(int rounds)
{
    mica__text t = { 0 };
    mica__tensor_entry e[4];
    CHECK_EQUAL(write_some(&t, e), MICA_OK);
    size_t header = t.n;
    for (int i = 0; i < 90; i++) mica__text_add(&t, "\1", 1);
    int good = 0;
    for (int i = 0; i < rounds; i++) {
        size_t n, tail = t.n;
        char *file = mutate(t.at + 8, (i % 2 ? t.n : header) - 8, &n);
        char *whole = malloc(n + 8);
        /* Mostly with a length that fits what came out, so that the header is reached. */
        uint64_t length =
            draw(8) ? (i % 2 ? n - (n > 90 ? 90 : n) : n) : draw((uint64_t)1 << draw(63));
        for (int k = 0; k < 8; k++) whole[k] = (char)(length >> 8 * k);
        memcpy(whole + 8, file, n);
        told s = { 0 };
        int status = read_tensors(&s, whole, n + 8, "f");
        for (size_t k = 0; k < s.count; k++)
            if (s.entries[k].offset > n + 8 || s.entries[k].bytes > n + 8 - s.entries[k].offset)
                CHECK(!"outside of the file");
        good += !status;
        if (status && status != MICA_EIO) CHECK(!"a status that says something else");
        mica__arena_free(&s.arena);
        free(whole);
        free(file);
        t.n = tail;
    }
    CHECK(good > rounds / 100 && good < rounds * 3 / 4);
    mica__text_free(&t);
}

/* ---- npy ------------------------------------------------------------------------------------ */

static char *npy(const char *dictionary, int version, size_t data, size_t *bytes)
{
    size_t n = strlen(dictionary), width = version == 1 ? 2 : 4, start = 8 + width;
    *bytes = start + n + data;
    char *file = malloc(*bytes);
    memset(file, 0, *bytes);
    memcpy(file, "\x93NUMPY", 6);
    file[6] = (char)version;
    for (size_t i = 0; i < width; i++) file[8 + i] = (char)(n >> 8 * i);
    memcpy(file + start, dictionary, n);
    return file;
}

static void test_npy_reading(void)
{
    static const struct {
        const char *text;
        mica_dtype dtype;
        bool swapped, fortran;
        int ndim;
        size_t bytes;
    } good[] = {
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }   \n", MICA_FLOAT32, false,
          false, 2, 24 },
        { "{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3, )}\n", MICA_FLOAT32, false, true,
          2, 24 },
        { "{\"shape\":(5,),\"fortran_order\":False,\"descr\":\">i8\"}", MICA_INT64, true, false, 1,
          40 },
        { "{'descr': '|b1', 'fortran_order': False, 'shape': ()}", MICA_BOOL, false, false, 0, 1 },
        { "{'descr': '>u1', 'fortran_order': False, 'shape': (3L, 1L)}", MICA_UINT8, false, false,
          2, 3 },
        { "{'descr': '<V2', 'fortran_order': False, 'shape': (0, 1099511627776)}", MICA_BFLOAT16,
          false, false, 2, 0 },
        { "{'descr': '=c8', 'fortran_order': False, 'shape': ( 2 ,)}", MICA_COMPLEX64, false, false,
          1, 16 },
        { "{'descr': 'f8', 'fortran_order': False, 'shape': (2,)}", MICA_FLOAT64, false, false, 1,
          16 },
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        for (int version = 1; version <= 3; version++) {
            size_t n;
            char *file = npy(good[i].text, version, good[i].bytes, &n);
            mica__npy a;
            int status = mica__npy_parse(&a, file, n, n, "f.npy");
            if (status) fprintf(stderr, "%s: %s\n", good[i].text, mica_last_error());
            CHECK_EQUAL(status, MICA_OK);
            CHECK(a.dtype == good[i].dtype && a.swapped == good[i].swapped &&
                  a.fortran_order == good[i].fortran);
            CHECK(a.ndim == good[i].ndim && a.bytes == good[i].bytes &&
                  a.offset == n - good[i].bytes);
            free(file);
        }
}

static void test_npy_refusals(void)
{
    static const struct {
        const char *text;
        size_t data;
        int status;
        const char *because;
    } bad[] = {
        { "{'descr': '<c16', 'fortran_order': False, 'shape': (1,)}", 16, MICA_EVALUE, "<c16" },
        { "{'descr': '<U4', 'fortran_order': False, 'shape': (1,)}", 16, MICA_EVALUE, "<U4" },
        { "{'descr': '|O', 'fortran_order': False, 'shape': (1,)}", 16, MICA_EVALUE, "|O" },
        { "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}", 16, MICA_EVALUE,
          "records" },
        { "{'descr': '<f4\\'', 'fortran_order': False, 'shape': (1,)}", 16, MICA_EIO, "descr" },
        { "{'descr': 4, 'fortran_order': False, 'shape': (1,)}", 16, MICA_EIO, "descr" },
        { "{'descr': '<f4', 'fortran_order': 0, 'shape': (1,)}", 16, MICA_EIO, "fortran_order" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}", 16, MICA_EIO,
          "whole numbers" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (1.5,)}", 16, MICA_EIO, "tuple" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': [1]}", 16, MICA_EIO, "tuple" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (1 2)}", 16, MICA_EIO, "tuple" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (,)}", 16, MICA_EIO, "whole numbers" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (9223372036854775808,)}", 16, MICA_EIO,
          "larger" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296)}", 16,
          MICA_EIO, "larger" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (5,)}", 16, MICA_EIO, "incomplete" },
        { "{'descr': '<f4', 'fortran_order': False}", 16, MICA_EIO, "missing" },
        { "{'descr': '<f4', 'descr': '<f4', 'shape': (1,)}", 16, MICA_EIO, "twice" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'more': 1}", 16, MICA_EIO,
          "key other" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (1,)} x", 16, MICA_EIO, "follows" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (1,)", 0, MICA_EIO, "invalid header" },
        { "", 4, MICA_EIO, "dictionary" },
        { "{}", 4, MICA_EIO, "missing" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': "
          "(1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1)}",
          4, MICA_EIO, "32 axes" },
    };
    mica__npy a;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        size_t n;
        char *file = npy(bad[i].text, 1, bad[i].data, &n);
        int status = mica__npy_parse(&a, file, n, n, "f.npy");
        if (!status) fprintf(stderr, "accepted: %s\n", bad[i].text);
        CHECK_EQUAL(status, bad[i].status);
        CHECK_MENTIONS(mica_last_error(), bad[i].because);
        CHECK_MENTIONS(mica_last_error(), "f.npy");
        free(file);
    }
    CHECK_EQUAL(mica__npy_parse(&a, "PK\3\4..........", 14, 14, "x"), MICA_EIO);
    CHECK_EQUAL(mica__npy_parse(&a, "\x93NUMPY\4\0\0\0\0\0\0\0", 14, 14, "x"), MICA_EIO);
    CHECK_EQUAL(mica__npy_parse(&a, "\x93NUMPY\2\0\xFF\xFF\xFF\xFF..", 14, 14, "x"), MICA_EIO);
}

static void test_npy_writing(void)
{
    static const int64_t shape[3] = { 2, 0, 123456789012 };
    for (int dtype = 0; dtype < MICA_DTYPE_COUNT; dtype++)
        for (int ndim = 0; ndim <= 3; ndim++) {
            mica__text t = { 0 };
            mica__npy a;
            mica_dtype d = (mica_dtype)dtype;
            CHECK_EQUAL(mica__npy_header(&t, d, ndim, shape, ndim == 2), MICA_OK);
            CHECK(t.n % 64 == 0 && t.at[t.n - 1] == '\n');
            size_t header = t.n;
            for (int i = 0; i < 16; i++) mica__text_add(&t, "\1", 1);
            CHECK_EQUAL(mica__npy_parse(&a, t.at, t.n, t.n, "x"), MICA_OK);
            CHECK(a.dtype == d && !a.swapped && a.fortran_order == (ndim == 2) && a.ndim == ndim);
            CHECK(memcmp(a.shape, shape, 8 * (size_t)ndim) == 0 && a.offset == header);
            mica__text_free(&t);
        }
    mica__text t = { 0 };
    CHECK_EQUAL(mica__npy_header(&t, MICA_FLOAT32, 2, (int64_t[]){ 3, 4 }, false), MICA_OK);
    CHECK(t.n == 128 &&
          strncmp(t.at + 10, "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), } ", 60) ==
              0);
    mica__text_free(&t);
}

static void fuzz_npy(int rounds)
{
    size_t n;
    char *file = npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }   \n", 1, 24, &n);
    int good = 0;
    for (int i = 0; i < rounds; i++) {
        size_t bytes;
        char *mutated = mutate(file, n, &bytes);
        mica__npy a;
        int status = mica__npy_parse(&a, mutated, bytes, bytes, "f");
        if (!status && (a.offset > bytes || a.bytes > bytes - a.offset || a.ndim > MICA_MAX_NDIM))
            CHECK(!"outside of the file");
        if (status && status != MICA_EIO && status != MICA_EVALUE)
            CHECK(!"a status that says something else");
        good += !status;
        free(mutated);
    }
    CHECK(good > rounds / 100 && good < rounds * 3 / 4);
    free(file);
}

/* ---- memory runs out ------------------------------------------------------------------------ */

static void test_injection(void)
{
    size_t n;
    char *file =
        tensors("{\"__metadata__\":{\"k\":\"v\"},\"a\":" ENTRY("F32", "[2,1]", "[0,8]") "}", 8, &n);
    int64_t live = mica__live(MICA_LIVE_HOST);
    bool ended = false;
    for (int64_t i = 0; i < 100 && !ended; i++) {
        told s = { 0 };
        mica__text t = { 0 };
        mica__tensor_entry e[4];
        mica__inject_failure(i);
        int status = read_tensors(&s, file, n, "f"), written = write_some(&t, e);
        ended = !status && !written;
        CHECK((!status || status == MICA_EMEMORY) && (!written || written == MICA_EMEMORY));
        mica__inject_failure(-1);
        mica__arena_free(&s.arena);
        mica__text_free(&t);
        CHECK_EQUAL(mica__live(MICA_LIVE_HOST), live);
    }
    CHECK(ended);
    free(file);
}

int main(int count, char **arguments)
{
    int rounds = count > 1 ? atoi(arguments[1]) : 100000;
    test_json();
    test_json_members();
    test_safetensors_refusals();
    test_safetensors_reading();
    test_safetensors_writing();
    test_npy_reading();
    test_npy_refusals();
    test_npy_writing();
    test_injection();
    fuzz_json(rounds);
    fuzz_safetensors(rounds);
    fuzz_npy(rounds);
    CHECK_EQUAL(mica__live(MICA_LIVE_HOST), 0);
    return check_report("io");
}
