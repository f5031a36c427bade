/* What loading takes: at most the file's size and 64 MiB, also where a file has very many entries.
   Files are made in a process of their own, and loaded in another whose highest memory is asked
   for. With an argument the numbers are printed. */
#define _GNU_SOURCE 1
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/checksum.h"
#include "base/text.h"
#include "check.h"
#include "io/export_file.h"
#include "io/gguf.h"
#include "mica/mica.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#endif

enum { MANY = 300000, MOST = 64 << 20 };

static char path[64];
static bool verbose;

/* ---- files ---- */

typedef struct file {
    FILE *to;
    uint64_t at;
} file;

static void put(file *f, const void *bytes, size_t n)
{
    f->at += fwrite(bytes, 1, n, f->to);
}
static void put_word(file *f, int bytes, uint64_t value)
{
    unsigned char out[8];
    for (int i = 0; i < bytes; i++) out[i] = (unsigned char)(value >> 8 * i);
    put(f, out, (size_t)bytes);
}
static void put_text(file *f, const char *text)
{
    put_word(f, 8, strlen(text));
    put(f, text, strlen(text));
}
static void pad(file *f, uint64_t to)
{
    while (f->at % to) put_word(f, 1, 0);
}

/* Out of the order of the alphabet, as models have them. */
static const char *name_of(int i)
{
    static char name[64];
    snprintf(name, sizeof name, "model.layers.%d.weight", i);
    return name;
}

static void write_safetensors(file *f)
{
    mica__text header = { 0 };
    for (int i = 0; i < MANY; i++)
        mica__text_add_format(&header,
                              "%c\"%s\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[%d,%d]}",
                              i ? ',' : '{', name_of(i), 4 * i, 4 * i + 4);
    mica__text_add_string(&header, "}");
    put_word(f, 8, header.n);
    put(f, header.at, header.n);
    for (int i = 0; i < MANY; i++) put_word(f, 4, (uint64_t)i);
    mica__text_free(&header);
}

/* An npy file of one float32, or of 517 zeros. */
static size_t npy_of(char *to, bool zeros, int i)
{
    int n = snprintf(to, 256, "%c%s%c%c%c%c%-117s\n", 0x93, "NUMPY", 1, 0, 118, 0,
                     zeros ? "{'descr': '|u1', 'fortran_order': False, 'shape': (517,), }"
                           : "{'descr': '>f4', 'fortran_order': False, 'shape': (1,), }");
    memset(to + n, 0, 517);
    if (!zeros) to[n] = (char)i;
    return (size_t)n + (zeros ? 517 : 4);
}

/* Deflated: the header as it is; then, with fixed codes, the literal 0 and what repeats it. */
static size_t deflate(char *to, const char *npy, size_t n, bool zeros)
{
    /* last, fixed: 1 1 0; literal 0: 00110000; twice 258 of them: 11000101 00000; end: 0000000 */
    static const char bits[] = "11000110000"
                               "1100010100000"
                               "1100010100000"
                               "0000000";
    size_t plain = zeros ? 128 : n;
    to[0] = !zeros;
    to[1] = (char)plain;
    to[2] = 0;
    to[3] = (char)~plain;
    to[4] = (char)~0;
    memcpy(to + 5, npy, plain);
    if (!zeros) return 5 + plain;
    memset(to + 5 + plain, 0, sizeof bits / 8 + 1);
    for (size_t i = 0; i + 1 < sizeof bits; i++)
        to[5 + plain + i / 8] |= (char)((bits[i] == '1') << i % 8);
    return 5 + plain + (sizeof bits + 6) / 8;
}

typedef struct kind_of_archive {
    bool deflated, zeros;
} kind_of_archive;

/* What local and central entries have in common. */
static void put_entry(file *f, kind_of_archive kind, uint32_t crc, size_t packed, size_t bytes,
                      const char *name)
{
    put_word(f, 2, 20);
    put_word(f, 2, 0);
    put_word(f, 2, kind.deflated ? 8 : 0);
    put_word(f, 4, 0);
    put_word(f, 4, crc);
    put_word(f, 4, packed);
    put_word(f, 4, bytes);
    put_word(f, 2, strlen(name));
    put_word(f, 2, 0);
}

static void write_archive(file *f, kind_of_archive kind)
{
    static struct member {
        uint32_t crc, packed, bytes;
        uint64_t at;
    } members[MANY];
    char npy[1024], packed[1024], name[64];
    for (int i = 0; i < MANY; i++) {
        struct member *m = &members[i];
        size_t n = npy_of(npy, kind.zeros, i);
        size_t p = kind.deflated ? deflate(packed, npy, n, kind.zeros) : n;
        *m = (struct member){ mica__crc32(0, npy, n), (uint32_t)p, (uint32_t)n, f->at };
        snprintf(name, sizeof name, "%d.npy", i);
        put_word(f, 4, 0x04034B50);
        put_entry(f, kind, m->crc, p, n, name);
        put(f, name, strlen(name));
        put(f, kind.deflated ? packed : npy, p);
    }
    uint64_t start = f->at;
    for (int i = 0; i < MANY; i++) {
        const struct member *m = &members[i];
        snprintf(name, sizeof name, "%d.npy", i);
        put_word(f, 4, 0x02014B50);
        put_word(f, 2, 20);
        put_entry(f, kind, m->crc, m->packed, m->bytes, name);
        put_word(f, 2, 0);
        put_word(f, 4, 0);
        put_word(f, 4, 0);
        put_word(f, 4, m->at);
        put(f, name, strlen(name));
    }
    uint64_t end = f->at;
    /* The directory's record, its locator, and the end that points to it. */
    const uint64_t last[][2] = { { 4, 0x06064B50 },  { 8, 44 },    { 4, 45 },
                                 { 8, 0 },           { 8, MANY },  { 8, MANY },
                                 { 8, end - start }, { 8, start }, { 4, 0x07064B50 },
                                 { 4, 0 },           { 8, end },   { 4, 1 },
                                 { 4, 0x06054B50 },  { 4, 0 },     { 4, UINT32_MAX },
                                 { 8, UINT64_MAX },  { 2, 0 } };
    for (size_t i = 0; i < sizeof last / sizeof *last; i++)
        put_word(f, (int)last[i][0], last[i][1]);
}

static void write_stored(file *f)
{
    write_archive(f, (kind_of_archive){ 0 });
}
static void write_deflated(file *f)
{
    write_archive(f, (kind_of_archive){ .deflated = true });
}
static void write_deflated_zeros(file *f)
{
    write_archive(f, (kind_of_archive){ .deflated = true, .zeros = true });
}

static void gguf_head(file *f, uint64_t tensors, uint64_t values)
{
    put(f, "GGUF", 4);
    put_word(f, 4, 3);
    put_word(f, 8, tensors);
    put_word(f, 8, values);
}

static void write_gguf(file *f, int count, mica__gguf_type type, uint64_t elements, uint64_t bytes)
{
    bytes = (bytes + 31) / 32 * 32;
    gguf_head(f, (uint64_t)count, 0);
    for (int i = 0; i < count; i++) {
        put_text(f, name_of(i));
        put_word(f, 4, 1);
        put_word(f, 8, elements);
        put_word(f, 4, type);
        put_word(f, 8, (uint64_t)i * bytes);
    }
    pad(f, 32);
    for (uint64_t i = 0; i < (uint64_t)count * bytes / 8; i++) put_word(f, 8, 0);
}

static void write_gguf_plain(file *f)
{
    write_gguf(f, MANY, MICA_GGUF_F32, 1, 4);
}
static void write_gguf_bfloat16(file *f)
{
    write_gguf(f, MANY, MICA_GGUF_BF16, 1, 2);
}
static void write_gguf_triples(file *f) /* three arrays each */
{
    write_gguf(f, MANY / 3, MICA_GGUF_Q4_0, 32, 18);
}
static void write_gguf_blocks(file *f)
{
    write_gguf(f, MANY / 10, MICA_GGUF_Q2_K, 256, 84);
}
static void write_gguf_values(file *f)
{
    gguf_head(f, 0, MANY);
    for (int i = 0; i < MANY; i++) {
        put_text(f, name_of(i));
        put_word(f, 4, MICA_GGUF_VALUE_FLOAT32);
        put_word(f, 4, 0);
    }
}

/* The head, and the description that stands in `words`; `data` bytes of zeros. */
static void put_export(file *f, const mica__text *words, size_t data)
{
    static const char zeros[4096];
    uint64_t head[MICA__EXPORT_HEAD / 8] = { 0, MICA__EXPORT_VERSION, words->n, data };
    size_t gap = (size_t)(-(sizeof head + words->n) % MICA__EXPORT_ALIGNMENT);
    memcpy(head, MICA__EXPORT_MAGIC, 8);
    for (size_t left = gap + data, n; left; left -= n) {
        n = left < sizeof zeros ? left : sizeof zeros;
        head[4] = mica__crc32((uint32_t)head[4], zeros, n);
    }
    head[5] = mica__crc32(mica__crc32(0, head, sizeof head - 8), words->at, words->n);
    put(f, head, sizeof head);
    put(f, words->at, words->n);
    for (size_t left = gap + data; left; left--) put_word(f, 1, 0);
}

static void add(mica__text *to, size_t n, const uint64_t *words)
{
    mica__text_add(to, words, n * sizeof *words);
}
#define ADD(to, ...) add(to, sizeof((uint64_t[]){ __VA_ARGS__ }) / 8, (uint64_t[]){ __VA_ARGS__ })

/* Each takes one float32 array, of another shape, and gives it back. */
static void write_functions(file *f)
{
    mica__text words = { 0 };
    ADD(&words, 0, 0, MANY);
    for (uint64_t i = 0; i < MANY; i++) {
        ADD(&words, 1, MICA_FLOAT32, 1, i + 1, 0, 7 * 8);
        ADD(&words, 1, MICA_FLOAT32, 1, i + 1, 0, 1, 0);
    }
    put_export(f, &words, 0);
    mica__text_free(&words);
}

/* One function, which takes nothing and gives the last of its constants. */
enum { CONSTANTS = 200000 };
static void write_constants(file *f)
{
    mica__text words = { 0 };
    ADD(&words, 0, 0, 1, 0, 0, (1 + 5 * (uint64_t)CONSTANTS + 3) * 8, 0);
    for (uint64_t i = 0; i < CONSTANTS; i++) ADD(&words, 1, MICA_FLOAT32, 1, 2, 8 * i);
    ADD(&words, 0, 1, CONSTANTS - 1);
    put_export(f, &words, 8 * CONSTANTS);
    mica__text_free(&words);
}

/* ---- loading ---- */

static void load_table(mica_scope *s, size_t expected)
{
    const mica_table *t = mica_load(s, path);
    CHECK_EQUAL(mica_table_count(t) + mica_table_value_count(t), expected);
    CHECK_EQUAL(mica_scope_status(s), MICA_OK);
}

static void load_functions(mica_scope *s, size_t expected)
{
    mica_imported *m = NULL;
    mica_arrays results = { 0 };
    mica_array *x = mica_ones(s, MICA_SHAPE((int64_t)expected), MICA_FLOAT32);
    CHECK_EQUAL(mica_import_function(path, &m), MICA_OK);
    CHECK_EQUAL(mica_imported_call(s, m, (mica_arrays){ expected != 0, &x }, NULL, 0, &results),
                MICA_OK);
    CHECK_EQUAL(results.n, 1);
    mica_imported_release(m);
}

static const struct format {
    const char *name;
    void (*write)(file *f);
    void (*load)(mica_scope *s, size_t expected);
    size_t expected;
} formats[] = {
    { "safetensors", write_safetensors, load_table, MANY },
    { "npz, stored", write_stored, load_table, MANY },
    { "npz, deflated", write_deflated, load_table, MANY },
    { "npz, deflated zeros", write_deflated_zeros, load_table, MANY },
    { "gguf", write_gguf_plain, load_table, MANY },
    { "gguf, bfloat16", write_gguf_bfloat16, load_table, MANY },
    { "gguf, Q4_0", write_gguf_triples, load_table, MANY },
    { "gguf, Q2_K", write_gguf_blocks, load_table, MANY / 10 },
    { "gguf, values", write_gguf_values, load_table, MANY },
    { "export, functions", write_functions, load_functions, 1000 },
    { "export, constants", write_constants, load_functions, 0 },
};

/* In KiB; -1 where the system does not tell. */
static long memory(const char *what)
{
    char line[256];
    long value = -1;
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, what, strlen(what)) == 0) value = atol(line + strlen(what) + 1);
    if (f) fclose(f);
    return value;
}

static void write_file(const struct format *format)
{
    file f = { fopen(path, "wb"), 0 };
    CHECK(f.to != NULL);
    if (!f.to) return;
    format->write(&f);
    CHECK_EQUAL(fclose(f.to), 0);
}

static void measure(const struct format *format)
{
    struct stat s = { 0 };
    CHECK_EQUAL(stat(path, &s), 0);
    mica_scope *scope = mica_scope_open(NULL);
    mica_array *a = mica_zeros(scope, MICA_SHAPE(1), MICA_FLOAT32);
    a = mica_add(scope, a, a);
    CHECK_EQUAL(mica_eval(scope, &a, 1), MICA_OK);
    long before = memory("VmRSS");
    format->load(scope, format->expected);
    long most = memory("VmHWM");
    CHECK_EQUAL(mica_scope_close(scope), MICA_OK);
    if (before < 0 || most < 0) return;
    long long taken = (long long)(most - before) * 1024, above = taken - (long long)s.st_size;
    if (verbose)
        printf("%-20s file %6.1f MiB, taken %6.1f, above the file %6.1f\n", format->name,
               (double)s.st_size / 1048576, (double)taken / 1048576, (double)above / 1048576);
#ifndef SANITIZED
    CHECK(above <= MOST);
    if (above > MOST) fprintf(stderr, "%s: %lld bytes above the file\n", format->name, above);
#endif
}

static void in_child(void (*work)(const struct format *f), const struct format *format)
{
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        failures = 0;
        work(format);
        fflush(stdout);
        _exit(failures != 0);
    }
    int status = -1;
    waitpid(child, &status, 0);
    CHECK_EQUAL(status, 0);
}

int main(int argc, char **argv)
{
    (void)argv;
    verbose = argc > 1;
    snprintf(path, sizeof path, "%s/mica-memory-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    int descriptor = mkstemp(path);
    CHECK(descriptor >= 0);
    if (descriptor >= 0) close(descriptor);
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        in_child(write_file, &formats[i]);
        in_child(measure, &formats[i]);
    }
    unlink(path);
    return check_report("load_memory");
}
