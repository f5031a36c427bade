/* The npy format: magic, version, the length of a Python dictionary, the dictionary, the data. */
#include "io/npy.h"

#include <stdio.h>

enum { MAGIC_BYTES = 6, MOST_HEADER = 1 << 20, ALIGNMENT = 64 };
static const char magic[] = "\x93NUMPY";

/* Element types as "kind letter and bytes". */
static const struct known_type {
    char descr[3];
    mica_dtype dtype;
} types[] = {
    { "b1", MICA_BOOL },     { "u1", MICA_UINT8 },     { "u2", MICA_UINT16 },
    { "u4", MICA_UINT32 },   { "u8", MICA_UINT64 },    { "i1", MICA_INT8 },
    { "i2", MICA_INT16 },    { "i4", MICA_INT32 },     { "i8", MICA_INT64 },
    { "f2", MICA_FLOAT16 },  { "f4", MICA_FLOAT32 },   { "f8", MICA_FLOAT64 },
    { "V2", MICA_BFLOAT16 }, { "c8", MICA_COMPLEX64 },
};

static bool big_endian(void)
{
    return ((const union {
               uint16_t word;
               uint8_t byte;
           }){ 1 })
               .byte == 0;
}

/* ---- the dictionary ------------------------------------------------------------------------- */

typedef struct reader {
    const char *at, *end;
    const char *file;
    mica__npy *out;
    bool has_descr, has_order, has_shape;
} reader;

static int fail_header(const reader *r, const char *what)
{
    return mica__fail(MICA_EIO, "[load_npy] '%s' has an invalid header: %s", r->file, what);
}

static void skip_space(reader *r)
{
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\n' || *r->at == '\t' || *r->at == '\r'))
        r->at++;
}

/* Takes the character if it comes next, and the white space around it. */
static bool take(reader *r, char c)
{
    skip_space(r);
    if (r->at == r->end || *r->at != c) return false;
    r->at++;
    skip_space(r);
    return true;
}

static bool take_word(reader *r, const char *word)
{
    size_t n = strlen(word);
    if ((size_t)(r->end - r->at) < n || memcmp(r->at, word, n) != 0) return false;
    r->at += n;
    return true;
}

/* A text in either kind of quotes, short and without escapes. */
static bool take_string(reader *r, char text[32])
{
    char quote = r->at < r->end ? *r->at : '\0';
    if (quote != '\'' && quote != '"') return false;
    size_t n = 0;
    for (r->at++; r->at < r->end && *r->at != quote; r->at++) {
        if (*r->at == '\\' || *r->at == '\0' || n == 31) return false;
        text[n++] = *r->at;
    }
    text[n] = '\0';
    return r->at++ < r->end;
}

static int read_descr(reader *r)
{
    char text[32];
    if (r->at < r->end && (*r->at == '[' || *r->at == '('))
        return mica__fail(MICA_EVALUE, "[load_npy] '%s' holds records, not one element type",
                          r->file);
    if (!take_string(r, text)) return fail_header(r, "its descr is not a short text");
    char order = text[0];
    bool ordered = order == '<' || order == '>' || order == '=' || order == '|';
    r->out->swapped = big_endian() ? order == '<' : order == '>';
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(text + ordered, types[i].descr) == 0) {
            r->out->dtype = types[i].dtype;
            if (mica_dtype_size(types[i].dtype) == 1) r->out->swapped = false;
            return MICA_OK;
        }
    return mica__fail(MICA_EVALUE,
                      "[load_npy] '%s' has elements of type '%s', which mica does not have",
                      r->file, text);
}

static int read_order(reader *r)
{
    r->out->fortran_order = take_word(r, "True");
    if (!r->out->fortran_order && !take_word(r, "False"))
        return fail_header(r, "its fortran_order is neither True nor False");
    return MICA_OK;
}

static int read_size(reader *r, int64_t *size)
{
    int64_t n = 0;
    if (r->at == r->end || *r->at < '0' || *r->at > '9')
        return fail_header(r, "its shape is not made of whole numbers from 0");
    for (; r->at < r->end && *r->at >= '0' && *r->at <= '9'; r->at++)
        if (__builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, *r->at - '0', &n))
            return fail_header(r, "its shape is larger than any file");
    if (r->at < r->end && *r->at == 'L') r->at++; /* Python 2 wrote long integers so */
    *size = n;
    return MICA_OK;
}

static int read_shape(reader *r)
{
    if (!take(r, '(')) return fail_header(r, "its shape is not a tuple");
    bool comma = true;
    while (!take(r, ')')) {
        if (!comma) return fail_header(r, "its shape is not a tuple");
        if (r->out->ndim == MICA_MAX_NDIM) return fail_header(r, "it has more than 32 axes");
        MICA_TRY(read_size(r, &r->out->shape[r->out->ndim++]));
        comma = take(r, ',');
    }
    return MICA_OK;
}

static int read_member(reader *r)
{
    char key[32];
    if (!take_string(r, key) || !take(r, ':'))
        return fail_header(r, "it is not a dictionary of texts");
    bool *has = strcmp(key, "descr") == 0           ? &r->has_descr
                : strcmp(key, "fortran_order") == 0 ? &r->has_order
                : strcmp(key, "shape") == 0         ? &r->has_shape
                                                    : NULL;
    if (!has) return fail_header(r, "it has a key other than descr, fortran_order and shape");
    if (*has) return fail_header(r, "it has a key twice");
    *has = true;
    return has == &r->has_descr   ? read_descr(r)
           : has == &r->has_order ? read_order(r)
                                  : read_shape(r);
}

static int read_dictionary(reader *r)
{
    if (!take(r, '{')) return fail_header(r, "it is not a dictionary");
    bool comma = true;
    while (!take(r, '}')) {
        if (!comma) return fail_header(r, "it is not a dictionary");
        MICA_TRY(read_member(r));
        comma = take(r, ',');
    }
    if (r->at != r->end) return fail_header(r, "something follows the dictionary");
    if (!r->has_descr || !r->has_order || !r->has_shape)
        return fail_header(r, "descr, fortran_order or shape is missing");
    return MICA_OK;
}

/* ---- files ---------------------------------------------------------------------------------- */

static bool count_bytes(const mica__npy *a, uint64_t *bytes)
{
    int64_t n = (int64_t)mica_dtype_size(a->dtype);
    bool empty = false;
    for (int i = 0; i < a->ndim; i++)
        if (!a->shape[i]) empty = true;
        else if (__builtin_mul_overflow(n, a->shape[i], &n)) return false;
    *bytes = empty ? 0 : (uint64_t)n;
    return true;
}

/* Where the dictionary lies. */
static int find_header(reader *r, const unsigned char *p, uint64_t bytes)
{
    if (bytes < MAGIC_BYTES + 4 || memcmp(p, magic, MAGIC_BYTES) != 0)
        return mica__fail(MICA_EIO, "[load_npy] '%s' is not an npy file", r->file);
    int version = p[MAGIC_BYTES];
    if (version < 1 || version > 3)
        return mica__fail(MICA_EIO,
                          "[load_npy] '%s' has version %d of the format; 1 to 3 are known", r->file,
                          version);
    size_t width = version == 1 ? 2 : 4;
    uint64_t start = MAGIC_BYTES + 2 + width, length = 0;
    if (bytes < start) return fail_header(r, "the file ends in it");
    for (size_t i = 0; i < width; i++) length |= (uint64_t)p[MAGIC_BYTES + 2 + i] << 8 * i;
    if (length > MOST_HEADER) return fail_header(r, "it is longer than a megabyte");
    if (length > bytes - start) return fail_header(r, "the file ends in it");
    r->at = (const char *)p + start;
    r->end = r->at + length;
    r->out->offset = start + length;
    return MICA_OK;
}

size_t mica__npy_header_bytes(const void *start, uint64_t bytes)
{
    const unsigned char *p = start;
    if (bytes < MICA__NPY_START || memcmp(p, magic, MAGIC_BYTES) != 0) return 0;
    size_t length = (size_t)p[8] | (size_t)p[9] << 8;
    if (p[MAGIC_BYTES] == 1) return 10 + length;
    length |= (size_t)p[10] << 16 | (size_t)p[11] << 24;
    return length > MOST_HEADER ? 0 : 12 + length;
}

uint64_t mica__npy_needed(const void *start, uint64_t bytes, bool *known)
{
    *known = false;
    if (bytes < MICA__NPY_START)
        return memcmp(start, magic, bytes < MAGIC_BYTES ? bytes : MAGIC_BYTES) ? bytes
                                                                               : MICA__NPY_START;
    uint64_t header = mica__npy_header_bytes(start, bytes);
    if (header > bytes) return header;
    mica__npy h;
    *known = mica__npy_parse(&h, start, bytes, INT64_MAX, "") == MICA_OK;
    return *known ? h.offset + h.bytes : bytes;
}

int mica__npy_parse(mica__npy *out, const void *file, uint64_t head, uint64_t bytes,
                    const char *name)
{
    mica__npy result = { 0 };
    reader r = { .file = name, .out = &result };
    MICA_TRY(find_header(&r, file, head));
    MICA_TRY(read_dictionary(&r));
    if (!count_bytes(&result, &result.bytes))
        return fail_header(&r, "its shape is larger than any file");
    uint64_t rest = bytes > result.offset ? bytes - result.offset : 0;
    if (result.bytes > rest)
        return mica__fail(
            MICA_EIO, "[load_npy] '%s' is incomplete: its array takes %llu bytes, %llu are there",
            name, (unsigned long long)result.bytes, (unsigned long long)rest);
    *out = result;
    return MICA_OK;
}

int mica__npy_header(mica__text *header, mica_dtype dtype, int ndim, const int64_t *shape,
                     bool fortran_order)
{
    const char *descr = NULL;
    for (size_t i = 0; i < sizeof types / sizeof *types && !descr; i++)
        if (types[i].dtype == dtype) descr = types[i].descr;
    if (!descr) return mica__fail(MICA_EVALUE, "[save] there is no element type %d", (int)dtype);
    char order = mica_dtype_size(dtype) == 1 ? '|' : big_endian() ? '>' : '<';

    size_t start = header->n;
    mica__text_add(header, magic, MAGIC_BYTES);
    mica__text_add(header, "\1\0\0\0", 4); /* the length is put in below */
    mica__text_add_format(header, "{'descr': '%c%s', 'fortran_order': %s, 'shape': (", order, descr,
                          fortran_order ? "True" : "False");
    for (int i = 0; i < ndim; i++) {
        if (i) mica__text_add_string(header, ", ");
        mica__text_add_integer(header, shape[i]);
    }
    mica__text_add_string(header, ndim == 1 ? ",), }" : "), }");
    while (!header->status && (header->n - start + 1) % ALIGNMENT) mica__text_add(header, " ", 1);
    mica__text_add(header, "\n", 1);
    MICA_TRY(header->status);
    size_t length =
        header->n - start - (MAGIC_BYTES + 4); /* 32 axes of 20 digits stay far below 64 KiB */
    header->at[start + MAGIC_BYTES + 2] = (char)(length & 0xFF);
    header->at[start + MAGIC_BYTES + 3] = (char)(length >> 8);
    return MICA_OK;
}
