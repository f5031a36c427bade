/* The safetensors format: 8 bytes with the header's length, a JSON header, the data. */
#include "io/safetensors.h"

#include <stdlib.h>

#include "io/json.h"

enum { LENGTH_BYTES = 8, MOST_HEADER = 100000000, ALIGNMENT = 64 };

static const struct known_type {
    const char *name;
    mica_dtype dtype;
} types[] = {
    { "BOOL", MICA_BOOL },     { "U8", MICA_UINT8 },      { "U16", MICA_UINT16 },
    { "U32", MICA_UINT32 },    { "U64", MICA_UINT64 },    { "I8", MICA_INT8 },
    { "I16", MICA_INT16 },     { "I32", MICA_INT32 },     { "I64", MICA_INT64 },
    { "F16", MICA_FLOAT16 },   { "F32", MICA_FLOAT32 },   { "F64", MICA_FLOAT64 },
    { "BF16", MICA_BFLOAT16 }, { "C64", MICA_COMPLEX64 }, { "F8_E4M3", MICA_UINT8 },
    { "F8_E8M0", MICA_UINT8 },
};

static const char *type_name(mica_dtype dtype)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (types[i].dtype == dtype) return types[i].name;
    return NULL;
}

/* Product of shape and element size; false when it does not fit in 63 bits or an axis is negative.
 */
static bool tensor_bytes(mica_dtype dtype, int ndim, const int64_t *shape, uint64_t *bytes)
{
    int64_t n = (int64_t)mica_dtype_size(dtype);
    bool empty = false;
    for (int i = 0; i < ndim; i++) {
        if (shape[i] < 0) return false;
        if (!shape[i]) empty = true;
        else if (__builtin_mul_overflow(n, shape[i], &n)) return false;
    }
    *bytes = empty ? 0 : (uint64_t)n;
    return true;
}

/* ---- reading -------------------------------------------------------------------------------- */

typedef struct reader {
    const mica__safetensors_visitor *visitor;
    const char *file;
    uint64_t data_start, data_bytes;
    bool has_metadata;
} reader;

static int fail_entry(const reader *r, const char *tensor, const char *what)
{
    return mica__fail(MICA_EIO, "[load_safetensors] '%s', tensor '%s': %s", r->file, tensor, what);
}

static int read_type(const reader *r, const mica__json *v, const char *tensor, mica_dtype *dtype)
{
    if (!v || v->kind != MICA_JSON_STRING) return fail_entry(r, tensor, "it has no dtype");
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(v->string, types[i].name) == 0) {
            *dtype = types[i].dtype;
            return MICA_OK;
        }
    return mica__fail(MICA_EIO, "[load_safetensors] '%s', tensor '%s': unsupported dtype %.32s",
                      r->file, tensor, v->string);
}

static int read_shape(const reader *r, const mica__json *v, mica__tensor_entry *e,
                      int64_t shape[MICA_MAX_NDIM])
{
    if (!v || v->kind != MICA_JSON_ARRAY) return fail_entry(r, e->name, "it has no shape");
    if (v->count > MICA_MAX_NDIM) return fail_entry(r, e->name, "it has more than 32 axes");
    for (const mica__json *n = v->first; n; n = n->next) {
        if (n->kind != MICA_JSON_INTEGER || n->integer < 0)
            return fail_entry(r, e->name, "its shape is not made of whole numbers from 0");
        shape[e->ndim++] = n->integer;
    }
    e->shape = shape;
    return MICA_OK;
}

static int read_offsets(const reader *r, const mica__json *v, mica__tensor_entry *e)
{
    const mica__json *first = v && v->kind == MICA_JSON_ARRAY && v->count == 2 ? v->first : NULL;
    if (!first || first->kind != MICA_JSON_INTEGER || first->next->kind != MICA_JSON_INTEGER ||
        first->integer < 0 || first->next->integer < first->integer)
        return fail_entry(r, e->name, "its data_offsets are not a begin and an end");
    uint64_t begin = (uint64_t)first->integer, end = (uint64_t)first->next->integer;
    uint64_t bytes = 0;
    if (!tensor_bytes(e->dtype, e->ndim, e->shape, &bytes))
        return fail_entry(r, e->name, "its shape is larger than any file");
    if (bytes != end - begin)
        return mica__fail(MICA_EIO,
                          "[load_safetensors] '%s', tensor '%s': its shape takes %llu bytes, its "
                          "data_offsets hold %llu",
                          r->file, e->name, (unsigned long long)bytes,
                          (unsigned long long)(end - begin));
    if (end > r->data_bytes)
        return mica__fail(MICA_EIO,
                          "[load_safetensors] '%s', tensor '%s': its data end at byte %llu of "
                          "%llu; is the file incomplete?",
                          r->file, e->name, (unsigned long long)end,
                          (unsigned long long)r->data_bytes);
    e->offset = r->data_start + begin;
    e->bytes = bytes;
    return MICA_OK;
}

static int read_metadata(reader *r, const mica__json *v)
{
    if (r->has_metadata)
        return mica__fail(MICA_EIO, "[load_safetensors] '%s' has metadata twice", r->file);
    r->has_metadata = true;
    if (v->kind == MICA_JSON_NULL) return MICA_OK;
    if (v->kind != MICA_JSON_OBJECT)
        return mica__fail(MICA_EIO, "[load_safetensors] '%s': its metadata are not an object",
                          r->file);
    for (const mica__json *m = v->first; m; m = m->next) {
        if (m->kind != MICA_JSON_STRING)
            return mica__fail(MICA_EIO, "[load_safetensors] '%s': the metadata '%s' are not a text",
                              r->file, m->key);
        MICA_TRY(r->visitor->metadata(r->visitor->user, m->key, m->string));
    }
    return MICA_OK;
}

static int read_entry(const reader *r, const mica__json *v)
{
    int64_t shape[MICA_MAX_NDIM];
    mica__tensor_entry e = { .name = v->key };
    if (v->kind != MICA_JSON_OBJECT)
        return fail_entry(r, v->key, "its description is not an object");
    MICA_TRY(read_type(r, mica__json_member(v, "dtype"), v->key, &e.dtype));
    MICA_TRY(read_shape(r, mica__json_member(v, "shape"), &e, shape));
    MICA_TRY(read_offsets(r, mica__json_member(v, "data_offsets"), &e));
    return r->visitor->tensor(r->visitor->user, &e);
}

static int read_member(void *user, const mica__json *m)
{
    reader *r = user;
    return strcmp(m->key, "__metadata__") == 0 ? read_metadata(r, m) : read_entry(r, m);
}

static int read_header(reader *r, const char *text, size_t bytes)
{
    /* An entry takes about nine values; metadata may have many. */
    const mica__json_limits limits = { 8, 1 << 18 };
    int status = mica__json_members(text, bytes, &limits, read_member, r);
    if (status == MICA_EVALUE)
        return mica__fail(MICA_EIO,
                          "[load_safetensors] '%s' has a header that is no JSON object: %s",
                          r->file, mica_last_error());
    return status;
}

static uint64_t header_bytes(const unsigned char *file)
{
    uint64_t n = 0;
    for (int i = 0; i < LENGTH_BYTES; i++) n |= (uint64_t)file[i] << 8 * i;
    return n;
}

int mica__safetensors_read(const void *file, uint64_t bytes, const char *name,
                           const mica__safetensors_visitor *visitor)
{
    const char *p = file;
    if (bytes < LENGTH_BYTES)
        return mica__fail(MICA_EIO, "[load_safetensors] '%s' has %llu bytes, too few for a header",
                          name, (unsigned long long)bytes);
    uint64_t header = header_bytes(file);
    if (header > MOST_HEADER || header > bytes - LENGTH_BYTES)
        return mica__fail(MICA_EIO,
                          "[load_safetensors] '%s' claims a header of %llu bytes; it has %llu "
                          "bytes, at most %d may be header",
                          name, (unsigned long long)header, (unsigned long long)bytes, MOST_HEADER);
    reader r = { .visitor = visitor,
                 .file = name,
                 .data_start = LENGTH_BYTES + header,
                 .data_bytes = bytes - LENGTH_BYTES - header };
    return read_header(&r, p + LENGTH_BYTES, (size_t)header);
}

size_t mica__safetensors_most(const void *file, uint64_t bytes)
{
    static const char shortest[] = "\"\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[0,0]}";
    uint64_t header = bytes < LENGTH_BYTES ? 0 : header_bytes(file);
    if (header > MOST_HEADER || header > bytes) return 0;
    return (size_t)(header / (sizeof shortest - 1));
}

static int note_end(void *user, const mica__tensor_entry *e)
{
    uint64_t *end = user;
    if (e->offset + e->bytes > *end) *end = e->offset + e->bytes;
    return MICA_OK;
}
static int pass_over(void *user, const char *key, const char *value)
{
    (void)user, (void)key, (void)value;
    return MICA_OK;
}

uint64_t mica__safetensors_needed(const void *start, uint64_t bytes, bool *known)
{
    *known = false;
    if (bytes < LENGTH_BYTES) return LENGTH_BYTES;
    uint64_t header = header_bytes(start), end = LENGTH_BYTES + header;
    if (header > MOST_HEADER) return bytes;
    if (end > bytes) return end;
    mica__safetensors_visitor visitor = { note_end, pass_over, &end };
    *known = mica__safetensors_read(start, INT64_MAX, "", &visitor) == MICA_OK;
    return *known ? end : bytes;
}

/* ---- writing -------------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
    const mica__tensor_entry *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

/* Larger elements first; then by name, so that the file depends on nothing but its content. */
static int by_place(const void *a, const void *b)
{
    const mica__tensor_entry *x = a, *y = b;
    size_t m = mica_dtype_size(x->dtype), n = mica_dtype_size(y->dtype);
    return m != n ? (m < n) - (m > n) : strcmp(x->name, y->name);
}

/* Offsets from the start of the data. */
static int place(mica__tensor_entry *entries, size_t count)
{
    uint64_t end = 0;
    for (size_t i = 0; i < count; i++) {
        mica__tensor_entry *e = &entries[i];
        e->offset = end;
        if (!type_name(e->dtype) || !tensor_bytes(e->dtype, e->ndim, e->shape, &e->bytes) ||
            __builtin_add_overflow(end, e->bytes, &end) || end > INT64_MAX / 2)
            return mica__fail(MICA_EOVERFLOW,
                              "[save_safetensors] tensor '%s' is too large for a file", e->name);
    }
    return MICA_OK;
}

static void add_metadata(mica__text *t, const mica__text_pair *metadata, size_t count)
{
    mica__text_add_string(t, "\"__metadata__\":");
    if (!count) mica__text_add_string(t, "null");
    for (size_t i = 0; i < count; i++) {
        mica__text_add_string(t, i ? "," : "{");
        mica__json_add_string(t, metadata[i].key, strlen(metadata[i].key));
        mica__text_add_string(t, ":");
        mica__json_add_string(t, metadata[i].value, strlen(metadata[i].value));
    }
    if (count) mica__text_add_string(t, "}");
}

static void add_entry(mica__text *t, const mica__tensor_entry *e)
{
    mica__json_add_string(t, e->name, strlen(e->name));
    mica__text_add_string(t, ":{\"data_offsets\":[");
    mica__text_add_integer(t, (int64_t)e->offset);
    mica__text_add_string(t, ",");
    mica__text_add_integer(t, (int64_t)(e->offset + e->bytes));
    mica__text_add_string(t, "],\"dtype\":\"");
    mica__text_add_string(t, type_name(e->dtype));
    mica__text_add_string(t, "\",\"shape\":[");
    for (int i = 0; i < e->ndim; i++) {
        if (i) mica__text_add_string(t, ",");
        mica__text_add_integer(t, e->shape[i]);
    }
    mica__text_add_string(t, "]}");
}

/* Keys in the order of their bytes, the metadata among them. */
static int add_json(mica__text *t, mica__tensor_entry *const *named, size_t count,
                    const mica__text_pair *metadata, size_t metadata_count)
{
    static const char reserved[] = "__metadata__";
    bool written = false;
    mica__text_add_string(t, "{");
    for (size_t i = 0; i < count; i++) {
        int order = strcmp(named[i]->name, reserved);
        if (!order || (i && strcmp(named[i]->name, named[i - 1]->name) == 0))
            return mica__fail(MICA_EVALUE, "[save_safetensors] the name '%s' is %s", named[i]->name,
                              order ? "given twice" : "reserved");
        if (order > 0 && !written) {
            add_metadata(t, metadata, metadata_count);
            mica__text_add_string(t, ",");
            written = true;
        }
        add_entry(t, named[i]);
        if (i + 1 < count || !written) mica__text_add_string(t, ",");
    }
    if (!written) add_metadata(t, metadata, metadata_count);
    mica__text_add_string(t, "}");
    return t->status;
}

int mica__safetensors_header(mica__text *header, mica__tensor_entry *entries, size_t count,
                             const mica__text_pair *metadata, size_t metadata_count)
{
    if (count) qsort(entries, count, sizeof *entries, by_place);
    MICA_TRY(place(entries, count));
    mica__tensor_entry **named = mica__alloc_zero(count, sizeof *named);
    if (!named) return MICA_EMEMORY;
    for (size_t i = 0; i < count; i++) named[i] = &entries[i];
    if (count) qsort(named, count, sizeof *named, by_name);

    size_t start = header->n;
    mica__text_add(header, "\0\0\0\0\0\0\0\0", LENGTH_BYTES);
    int status = add_json(header, named, count, metadata, metadata_count);
    mica__free(named);
    MICA_TRY(status);
    while (!header->status && (header->n - start) % ALIGNMENT) mica__text_add(header, " ", 1);
    MICA_TRY(header->status);
    uint64_t data = header->n - start, length = data - LENGTH_BYTES;
    if (length > MOST_HEADER)
        return mica__fail(MICA_EOVERFLOW,
                          "[save_safetensors] the names and shapes of %zu tensors and %zu texts of "
                          "metadata need a header of %llu bytes; the format allows %d",
                          count, metadata_count, (unsigned long long)length, MOST_HEADER);
    for (int i = 0; i < LENGTH_BYTES; i++)
        header->at[start + (size_t)i] = (char)(length >> 8 * i & 0xFF);
    for (size_t i = 0; i < count; i++) entries[i].offset += data;
    return MICA_OK;
}
