/* The gguf format, little-endian:

     "GGUF" version(4) ntensors(8) nvalues(8)
     values: key type(4) value               a text is its length(8) and bytes,
                                             a list its type(4), length(8) and elements
     tensors: name ndim(4) sizes(8 each, the fastest axis first) type(4) offset(8)
     data, from the next multiple of the alignment (the value "general.alignment", or 32) on */
#include "io/gguf.h"

enum {
    ALIGNMENT = 32,
    HEAD = 24,
    LEAST_TENSOR = 24,
    LEAST_VALUE = 13,
    MOST_AXES = 8,
    STEP = 1 << 16
};

static const struct block {
    uint8_t known, elements;
    uint16_t bytes;
} blocks[] = {
    [MICA_GGUF_F32] = { 1, 1, 4 },      [MICA_GGUF_F16] = { 1, 1, 2 },
    [MICA_GGUF_Q4_0] = { 1, 32, 18 },   [MICA_GGUF_Q4_1] = { 1, 32, 20 },
    [MICA_GGUF_Q5_0] = { 1, 32, 22 },   [MICA_GGUF_Q5_1] = { 1, 32, 24 },
    [MICA_GGUF_Q8_0] = { 1, 32, 34 },   [MICA_GGUF_Q2_K] = { 1, 0, 84 },
    [MICA_GGUF_Q3_K] = { 1, 0, 110 },   [MICA_GGUF_Q4_K] = { 1, 0, 144 },
    [MICA_GGUF_Q5_K] = { 1, 0, 176 },   [MICA_GGUF_Q6_K] = { 1, 0, 210 },
    [MICA_GGUF_IQ4_NL] = { 1, 32, 18 }, [MICA_GGUF_I8] = { 1, 1, 1 },
    [MICA_GGUF_I16] = { 1, 1, 2 },      [MICA_GGUF_I32] = { 1, 1, 4 },
    [MICA_GGUF_I64] = { 1, 1, 8 },      [MICA_GGUF_F64] = { 1, 1, 8 },
    [MICA_GGUF_BF16] = { 1, 1, 2 },
};

bool mica__gguf_block(uint32_t type, uint32_t *elements, uint32_t *bytes)
{
    if (type >= sizeof blocks / sizeof *blocks || !blocks[type].known) return false;
    *elements = blocks[type].elements ? blocks[type].elements : 256;
    *bytes = blocks[type].bytes;
    return true;
}

static const uint8_t value_bytes[MICA_GGUF_VALUE_COUNT] = { 1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8 };

/* ---- reading -------------------------------------------------------------------------------- */

typedef struct reader {
    const unsigned char *file;
    uint64_t at, bytes, alignment;
    uint64_t wanted; /* where the bytes ended too early: at least so many were needed */
    const char *name;
    mica__gguf *out;
} reader;

static int fail(const reader *r, const char *what)
{
    return mica__fail(MICA_EIO, "[load_gguf] '%s': %s. Is the file incomplete or damaged?", r->name,
                      what);
}

/* `count` more things of `each` bytes would be needed. */
static int too_short(reader *r, uint64_t count, uint64_t each, const char *what)
{
    if (__builtin_mul_overflow(count, each, &r->wanted) ||
        __builtin_add_overflow(r->wanted, r->at, &r->wanted))
        r->wanted = UINT64_MAX;
    return fail(r, what);
}

static int get(reader *r, size_t bytes, uint64_t *word)
{
    if (bytes > r->bytes - r->at) return too_short(r, bytes, 1, "it ends too early");
    *word = 0;
    for (size_t i = 0; i < bytes; i++) *word |= (uint64_t)r->file[r->at + i] << 8 * i;
    r->at += bytes;
    return MICA_OK;
}

/* A text with a NUL behind it. */
static int get_text(reader *r, const char **text, size_t *length)
{
    uint64_t n = 0;
    MICA_TRY(get(r, 8, &n));
    if (n > r->bytes - r->at) return too_short(r, n, 1, "a text is longer than the file");
    *text = mica__arena_text(&r->out->arena, (const char *)r->file + r->at, (size_t)n);
    if (!*text) return MICA_EMEMORY;
    r->at += n;
    *length = (size_t)n;
    return MICA_OK;
}

static int get_name(reader *r, const char **name)
{
    size_t n = 0;
    MICA_TRY(get_text(r, name, &n));
    if (strlen(*name) != n || !mica__utf8_valid(*name, n))
        return fail(r, "a name is not UTF-8 or has a NUL character");
    return MICA_OK;
}

static int get_texts(reader *r, mica__gguf_value *v)
{
    if (v->count > (r->bytes - r->at) / 8)
        return too_short(r, v->count, 8, "a list is longer than the file");
    const char **texts = mica__arena_alloc(&r->out->arena, (size_t)v->count * sizeof *texts);
    size_t *lengths = mica__arena_alloc(&r->out->arena, (size_t)v->count * sizeof *lengths);
    if (!texts || !lengths) return MICA_EMEMORY;
    for (uint64_t i = 0; i < v->count; i++) MICA_TRY(get_text(r, &texts[i], &lengths[i]));
    v->texts = texts;
    v->lengths = lengths;
    return MICA_OK;
}

static int get_value(reader *r, mica__gguf_value *v)
{
    uint64_t type = 0;
    *v = (mica__gguf_value){ .count = 1 };
    MICA_TRY(get_name(r, &v->key));
    MICA_TRY(get(r, 4, &type));
    if (type == MICA_GGUF_VALUE_ARRAY) {
        v->list = true;
        MICA_TRY(get(r, 4, &type));
        MICA_TRY(get(r, 8, &v->count));
        if (type == MICA_GGUF_VALUE_ARRAY)
            return mica__fail(
                MICA_EVALUE, "[load_gguf] '%s': the value %s is a list of lists, which is not read",
                r->name, v->key);
    }
    if (type >= MICA_GGUF_VALUE_COUNT) return fail(r, "a value is of unknown type");
    v->type = (uint32_t)type;
    if (type == MICA_GGUF_VALUE_STRING) return get_texts(r, v);
    v->offset = r->at;
    if (v->count > (r->bytes - r->at) / value_bytes[type])
        return too_short(r, v->count, value_bytes[type], "a value is longer than the file");
    r->at += v->count * value_bytes[type];
    if (!v->list && type == MICA_GGUF_VALUE_UINT32 && strcmp(v->key, "general.alignment") == 0) {
        r->at -= 4;
        MICA_TRY(get(r, 4, &r->alignment));
        if (!r->alignment || r->alignment & (r->alignment - 1))
            return fail(r, "its alignment is no power of 2");
    }
    return MICA_OK;
}

static int get_tensor(reader *r, mica__gguf_tensor *t)
{
    uint64_t ndim = 0, type = 0, size = 1;
    uint32_t elements, bytes;
    *t = (mica__gguf_tensor){ 0 };
    MICA_TRY(get_name(r, &t->name));
    MICA_TRY(get(r, 4, &ndim));
    if (ndim > MOST_AXES) return fail(r, "a tensor has more than 8 axes");
    int64_t *shape = mica__arena_alloc(&r->out->arena, (size_t)(ndim + 1) * sizeof *shape);
    if (!shape) return MICA_EMEMORY;
    bool empty = false;
    for (uint64_t i = 0; i < ndim; i++) {
        uint64_t n = 0;
        MICA_TRY(get(r, 8, &n));
        empty |= !n;
        if (n > INT64_MAX || (n && __builtin_mul_overflow(size, n, &size)) || size > INT64_MAX)
            return fail(r, "the shape of a tensor is larger than any file");
        shape[ndim - 1 - i] = (int64_t)n;
    }
    t->ndim = (int)ndim;
    t->shape = shape;
    MICA_TRY(get(r, 4, &type));
    MICA_TRY(get(r, 8, &t->offset));
    t->type = (uint32_t)type;
    if (!mica__gguf_block(t->type, &elements, &bytes))
        return mica__fail(MICA_EIO,
                          "[load_gguf] '%s': tensor '%s' is of type %u, which is not read", r->name,
                          t->name, t->type);
    uint64_t row = ndim ? (uint64_t)shape[ndim - 1] : 1;
    if (row % elements) return fail(r, "the rows of a tensor are no whole blocks");
    if (empty) size = 0;
    if (__builtin_mul_overflow(size / elements, bytes, &t->bytes))
        return fail(r, "the shape of a tensor is larger than any file");
    return MICA_OK;
}

static int check_names(const reader *r)
{
    mica__gguf *out = r->out;
    size_t most = out->ntensors > out->nvalues ? out->ntensors : out->nvalues;
    const char **names = mica__alloc_zero(most, sizeof *names);
    if (!names) return MICA_EMEMORY;
    for (size_t i = 0; i < out->ntensors; i++) names[i] = out->tensors[i].name;
    bool twice = mica__twin(names, out->ntensors);
    for (size_t i = 0; i < out->nvalues; i++) names[i] = out->values[i].key;
    twice = twice || mica__twin(names, out->nvalues);
    mica__free(names);
    return twice ? fail(r, "a name occurs twice") : MICA_OK;
}

/* Offsets count from the first multiple of the alignment after the tensors' list. */
static uint64_t data_start(const reader *r)
{
    return r->at + (-r->at & (r->alignment - 1));
}

static int place_tensors(reader *r)
{
    uint64_t start = data_start(r);
    for (size_t i = 0; i < r->out->ntensors; i++) {
        mica__gguf_tensor *t = &r->out->tensors[i];
        if (!t->bytes) {
            t->offset = 0;
            continue;
        }
        if (start > r->bytes || t->offset > r->bytes - start ||
            t->bytes > r->bytes - start - t->offset)
            return mica__fail(
                MICA_EIO,
                "[load_gguf] '%s': tensor '%s' ends beyond the file's %llu bytes. Is the file "
                "incomplete?",
                r->name, t->name, (unsigned long long)r->bytes);
        t->offset += start;
    }
    return MICA_OK;
}

static int get_header(reader *r)
{
    uint64_t version = 0, ntensors = 0, nvalues = 0;
    mica__gguf *out = r->out;
    r->at = 4;
    MICA_TRY(get(r, 4, &version));
    MICA_TRY(get(r, 8, &ntensors));
    MICA_TRY(get(r, 8, &nvalues));
    if (version != 2 && version != 3)
        return mica__fail(MICA_EIO,
                          "[load_gguf] '%s' has version %llu of the format; 2 and 3 are read, in "
                          "little-endian order",
                          r->name, (unsigned long long)version);
    uint64_t left = r->bytes - r->at;
    if (ntensors > left / LEAST_TENSOR)
        return too_short(r, ntensors, LEAST_TENSOR, "it has more tensors than bytes");
    if (nvalues > left / LEAST_VALUE)
        return too_short(r, nvalues, LEAST_VALUE, "it has more values than bytes");
    out->values = mica__arena_alloc(&out->arena, (size_t)nvalues * sizeof *out->values);
    out->tensors = mica__arena_alloc(&out->arena, (size_t)ntensors * sizeof *out->tensors);
    if (!out->values || !out->tensors) return MICA_EMEMORY;
    for (uint64_t i = 0; i < nvalues; i++) MICA_TRY(get_value(r, &out->values[out->nvalues++]));
    for (uint64_t i = 0; i < ntensors; i++) MICA_TRY(get_tensor(r, &out->tensors[out->ntensors++]));
    return check_names(r);
}

int mica__gguf_parse(mica__gguf *out, const void *file, uint64_t bytes, const char *name)
{
    if (bytes < HEAD || memcmp(file, "GGUF", 4) != 0)
        return mica__fail(MICA_EIO, "[load_gguf] '%s' is no gguf file", name);
    mica__gguf result = { 0 };
    reader r = {
        .file = file, .bytes = bytes, .alignment = ALIGNMENT, .name = name, .out = &result
    };
    int status = get_header(&r);
    if (!status) status = place_tensors(&r);
    if (status) mica__gguf_free(&result);
    else *out = result;
    return status;
}

uint64_t mica__gguf_needed(const void *start, uint64_t bytes, bool *known)
{
    *known = false;
    if (bytes < HEAD) return bytes && memcmp(start, "GGUF", bytes < 4 ? bytes : 4) ? bytes : HEAD;
    if (memcmp(start, "GGUF", 4) != 0) return bytes;
    mica__gguf g = { 0 };
    reader r = { .file = start, .bytes = bytes, .alignment = ALIGNMENT, .name = "", .out = &g };
    uint64_t end = bytes, data, last;
    int status = get_header(&r);
    *known = status == MICA_OK;
    if (status && r.wanted > bytes) {
        /* In growing steps, since it is parsed again. */
        end = bytes + bytes / 2 + STEP;
        if (r.wanted > end) end = r.wanted;
    } else if (!status) {
        end = r.at; /* tensors without elements lie nowhere */
        data = data_start(&r);
        for (size_t i = 0; i < g.ntensors; i++) {
            if (!g.tensors[i].bytes) continue;
            if (__builtin_add_overflow(data, g.tensors[i].offset, &last) ||
                __builtin_add_overflow(last, g.tensors[i].bytes, &last))
                last = UINT64_MAX;
            if (last > end) end = last;
        }
    }
    mica__gguf_free(&g);
    return end;
}

void mica__gguf_free(mica__gguf *g)
{
    mica__arena_free(&g->arena);
    *g = (mica__gguf){ 0 };
}

/* ---- writing -------------------------------------------------------------------------------- */

static void put(mica__text *t, size_t bytes, uint64_t word)
{
    unsigned char out[8];
    for (size_t i = 0; i < bytes; i++) out[i] = (unsigned char)(word >> 8 * i);
    mica__text_add(t, out, bytes);
}

static void put_text(mica__text *t, const char *text, size_t n)
{
    put(t, 8, n);
    mica__text_add(t, text, n);
}

static int put_value(mica__text *t, const mica__gguf_value *v, const void *numbers)
{
    if (!mica__utf8_valid(v->key, strlen(v->key)))
        return mica__fail(MICA_EVALUE, "[save_gguf] the name of a value is not UTF-8");
    put_text(t, v->key, strlen(v->key));
    put(t, 4, v->list ? MICA_GGUF_VALUE_ARRAY : v->type);
    if (v->list) {
        put(t, 4, v->type);
        put(t, 8, v->count);
    }
    if (v->type == MICA_GGUF_VALUE_STRING)
        for (uint64_t i = 0; i < v->count; i++) put_text(t, v->texts[i], v->lengths[i]);
    else mica__text_add(t, numbers, (size_t)v->count * value_bytes[v->type]);
    return MICA_OK;
}

static int put_tensor(mica__text *t, mica__gguf_tensor *x, uint64_t *end)
{
    uint32_t elements = 1, bytes = 1;
    uint64_t size = 1;
    bool empty = false;
    if (!mica__utf8_valid(x->name, strlen(x->name)))
        return mica__fail(MICA_EVALUE, "[save_gguf] the name of an array is not UTF-8");
    if (x->ndim > MOST_AXES)
        return mica__fail(MICA_EVALUE,
                          "[save_gguf] '%s' has %d axes; arrays of gguf files have at most 8",
                          x->name, x->ndim);
    put_text(t, x->name, strlen(x->name));
    put(t, 4, (uint64_t)x->ndim);
    for (int i = x->ndim - 1; i >= 0; i--) {
        put(t, 8, (uint64_t)x->shape[i]);
        empty |= !x->shape[i];
        if (x->shape[i] && __builtin_mul_overflow(size, (uint64_t)x->shape[i], &size))
            return mica__fail(MICA_EOVERFLOW, "[save_gguf] '%s' is too large", x->name);
    }
    mica__gguf_block(x->type, &elements, &bytes);
    if (empty) size = 0;
    x->offset = *end;
    if (__builtin_mul_overflow(size / elements, bytes, &x->bytes) ||
        __builtin_add_overflow(*end, x->bytes, end) ||
        __builtin_add_overflow(*end, -*end & (ALIGNMENT - 1), end))
        return mica__fail(MICA_EOVERFLOW, "[save_gguf] the arrays are too large");
    put(t, 4, x->type);
    put(t, 8, x->offset);
    return MICA_OK;
}

static int check_given(const mica__gguf_tensor *tensors, size_t n, const mica__gguf_value *values,
                       size_t nvalues)
{
    size_t most = n > nvalues ? n : nvalues;
    const char **names = mica__alloc_zero(most, sizeof *names);
    if (!names) return MICA_EMEMORY;
    for (size_t i = 0; i < n; i++) names[i] = tensors[i].name;
    bool twice = mica__twin(names, n);
    for (size_t i = 0; i < nvalues; i++) names[i] = values[i].key;
    twice = twice || mica__twin(names, nvalues);
    mica__free(names);
    return twice ? mica__fail(MICA_EVALUE, "[save_gguf] a name is there twice") : MICA_OK;
}

int mica__gguf_header(mica__text *header, mica__gguf_tensor *tensors, size_t ntensors,
                      const mica__gguf_value *values, const void *const numbers[], size_t nvalues)
{
    static const char zeros[ALIGNMENT];
    uint64_t end = 0;
    MICA_TRY(check_given(tensors, ntensors, values, nvalues));
    mica__text_add(header, "GGUF", 4);
    put(header, 4, 3);
    put(header, 8, ntensors);
    put(header, 8, nvalues);
    for (size_t i = 0; i < nvalues; i++) MICA_TRY(put_value(header, &values[i], numbers[i]));
    for (size_t i = 0; i < ntensors; i++) MICA_TRY(put_tensor(header, &tensors[i], &end));
    mica__text_add(header, zeros, -header->n & (ALIGNMENT - 1));
    for (size_t i = 0; i < ntensors; i++) tensors[i].offset += header->n;
    return header->status;
}
