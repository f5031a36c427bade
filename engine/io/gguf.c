/* The gguf format, little-endian:

     "GGUF" version(4) ntensors(8) nvalues(8)
     values: key type(4) value               a text is its length(8) and bytes,
                                             a list its type(4), length(8) and elements
     tensors: name ndim(4) sizes(8 each, the fastest axis first) type(4) offset(8)
     data, from the next multiple of the alignment (the value "general.alignment", or 32) on */
#include "io/gguf.h"

enum { HEAD = 24, LEAST_TENSOR = 24, LEAST_VALUE = 13, STEP = 1 << 16 };

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

const uint8_t mica__gguf_number_bytes[MICA_GGUF_VALUE_COUNT] = { 1, 1, 2, 2, 4, 4, 4,
                                                                 1, 0, 0, 8, 8, 8 };

bool mica__gguf_is_triple(uint32_t type)
{
    return type == MICA_GGUF_Q4_0 || type == MICA_GGUF_Q4_1 || type == MICA_GGUF_Q8_0;
}

/* ---- reading -------------------------------------------------------------------------------- */

static int fail(const mica__gguf *g, const char *what)
{
    return mica__fail(MICA_EIO, "[load_gguf] '%s': %s. Is the file incomplete or damaged?", g->name,
                      what);
}

/* How much of a name messages show. */
static int shown(size_t bytes)
{
    return bytes < 200 ? (int)bytes : 200;
}

/* `count` more things of `each` bytes would be needed. */
static int too_short(mica__gguf *g, uint64_t count, uint64_t each, const char *what)
{
    if (__builtin_mul_overflow(count, each, &g->wanted) ||
        __builtin_add_overflow(g->wanted, g->at, &g->wanted))
        g->wanted = UINT64_MAX;
    return fail(g, what);
}

static uint64_t word(const mica__gguf *g, uint64_t at, size_t bytes)
{
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; i++) value |= (uint64_t)g->file[at + i] << 8 * i;
    return value;
}

static int get(mica__gguf *g, size_t bytes, uint64_t *value)
{
    if (bytes > g->bytes - g->at) return too_short(g, bytes, 1, "it ends too early");
    *value = word(g, g->at, bytes);
    g->at += bytes;
    return MICA_OK;
}

bool mica__gguf_text(const mica__gguf *g, uint64_t *at, const char **text, size_t *bytes)
{
    if (*at > g->bytes || g->bytes - *at < 8) return false;
    uint64_t n = word(g, *at, 8);
    if (n > g->bytes - *at - 8) return false;
    *text = (const char *)g->file + *at + 8;
    *bytes = (size_t)n;
    *at += 8 + n;
    return true;
}

static int get_text(mica__gguf *g, const char **text, size_t *bytes)
{
    uint64_t n = 0;
    if (mica__gguf_text(g, &g->at, text, bytes)) return MICA_OK;
    MICA_TRY(get(g, 8, &n));
    return too_short(g, n, 1, "a text is longer than the file");
}

static int get_name(mica__gguf *g, const char **name, size_t *bytes)
{
    MICA_TRY(get_text(g, name, bytes));
    if (memchr(*name, 0, *bytes) || !mica__utf8_valid(*name, *bytes))
        return fail(g, "a name is not UTF-8 or has a NUL character");
    return MICA_OK;
}

static int skip_texts(mica__gguf *g, uint64_t count)
{
    const char *text;
    size_t bytes;
    if (count > (g->bytes - g->at) / 8)
        return too_short(g, count, 8, "a list is longer than the file");
    for (uint64_t i = 0; i < count; i++) MICA_TRY(get_text(g, &text, &bytes));
    return MICA_OK;
}

static int get_alignment(mica__gguf *g, const mica__gguf_value *v)
{
    static const char key[] = "general.alignment";
    if (v->list || v->type != MICA_GGUF_VALUE_UINT32 || v->key_bytes != sizeof key - 1 ||
        memcmp(v->key, key, sizeof key - 1) != 0)
        return MICA_OK;
    g->alignment = word(g, v->offset, 4);
    return g->alignment && !(g->alignment & (g->alignment - 1))
               ? MICA_OK
               : fail(g, "its alignment is no power of 2");
}

int mica__gguf_next_value(mica__gguf *g, mica__gguf_value *v)
{
    uint64_t type = 0;
    *v = (mica__gguf_value){ .count = 1 };
    MICA_TRY(get_name(g, &v->key, &v->key_bytes));
    MICA_TRY(get(g, 4, &type));
    if (type == MICA_GGUF_VALUE_ARRAY) {
        v->list = true;
        MICA_TRY(get(g, 4, &type));
        MICA_TRY(get(g, 8, &v->count));
        if (type == MICA_GGUF_VALUE_ARRAY)
            return mica__fail(
                MICA_EVALUE,
                "[load_gguf] '%s': the value %.*s is a list of lists, which is not read", g->name,
                shown(v->key_bytes), v->key);
    }
    if (type >= MICA_GGUF_VALUE_COUNT) return fail(g, "a value is of unknown type");
    v->type = (uint32_t)type;
    v->offset = g->at;
    if (type == MICA_GGUF_VALUE_STRING) return skip_texts(g, v->count);
    if (v->count > (g->bytes - g->at) / mica__gguf_number_bytes[type])
        return too_short(g, v->count, mica__gguf_number_bytes[type],
                         "a value is longer than the file");
    g->at += v->count * mica__gguf_number_bytes[type];
    return get_alignment(g, v);
}

/* Sizes, the fastest axis first; *elements is their product. */
static int get_shape(mica__gguf *g, mica__gguf_tensor *t, uint64_t *elements)
{
    uint64_t ndim = 0, size = 1;
    bool empty = false;
    MICA_TRY(get(g, 4, &ndim));
    if (ndim > MICA__GGUF_AXES) return fail(g, "a tensor has more than 8 axes");
    for (uint64_t i = 0; i < ndim; i++) {
        uint64_t n = 0;
        MICA_TRY(get(g, 8, &n));
        empty |= !n;
        if (n > INT64_MAX || (n && __builtin_mul_overflow(size, n, &size)) || size > INT64_MAX)
            return fail(g, "the shape of a tensor is larger than any file");
        g->shape[ndim - 1 - i] = (int64_t)n;
    }
    t->ndim = (int)ndim;
    t->shape = g->shape;
    *elements = empty ? 0 : size;
    return MICA_OK;
}

/* Its offset counts from the start of the data. */
static int get_tensor(mica__gguf *g, mica__gguf_tensor *t)
{
    uint64_t type = 0, size = 0;
    uint32_t elements, bytes;
    *t = (mica__gguf_tensor){ 0 };
    MICA_TRY(get_name(g, &t->name, &t->name_bytes));
    MICA_TRY(get_shape(g, t, &size));
    MICA_TRY(get(g, 4, &type));
    MICA_TRY(get(g, 8, &t->offset));
    t->type = (uint32_t)type;
    if (!mica__gguf_block(t->type, &elements, &bytes))
        return mica__fail(MICA_EIO,
                          "[load_gguf] '%s': tensor '%.*s' is of type %u, which is not read",
                          g->name, shown(t->name_bytes), t->name, t->type);
    uint64_t row = t->ndim ? (uint64_t)t->shape[t->ndim - 1] : 1;
    if (row % elements) return fail(g, "the rows of a tensor are no whole blocks");
    if (__builtin_mul_overflow(size / elements, bytes, &t->bytes))
        return fail(g, "the shape of a tensor is larger than any file");
    return MICA_OK;
}

int mica__gguf_next_tensor(mica__gguf *g, mica__gguf_tensor *t)
{
    MICA_TRY(get_tensor(g, t));
    uint64_t start = g->data;
    if (!t->bytes) {
        t->offset = 0;
        return MICA_OK;
    }
    if (start > g->bytes || t->offset > g->bytes - start || t->bytes > g->bytes - start - t->offset)
        return mica__fail(
            MICA_EIO,
            "[load_gguf] '%s': tensor '%.*s' ends beyond the file's %llu bytes. Is the file "
            "incomplete?",
            g->name, shown(t->name_bytes), t->name, (unsigned long long)g->bytes);
    t->offset += start;
    return MICA_OK;
}

void mica__gguf_skip_values(mica__gguf *g)
{
    g->at = g->tensors;
}

/* ---- the whole header ---- */

typedef struct name {
    const char *at;
    size_t bytes;
} name;

static int compare(const void *a, const void *b)
{
    const name *x = a, *y = b;
    int order = memcmp(x->at, y->at, x->bytes < y->bytes ? x->bytes : y->bytes);
    return order ? order : (x->bytes > y->bytes) - (x->bytes < y->bytes);
}

static bool is_twice(name *names, size_t n)
{
    mica__sort(names, n, sizeof *names, compare);
    for (size_t i = 1; i < n; i++)
        if (!compare(&names[i - 1], &names[i])) return true;
    return false;
}

/* Values and tensors; `names` has room for those of either. */
static int get_entries(mica__gguf *g, name *names)
{
    mica__gguf_value v;
    mica__gguf_tensor t;
    g->values = g->at;
    for (size_t i = 0; i < g->nvalues; i++) {
        MICA_TRY(mica__gguf_next_value(g, &v));
        names[i] = (name){ v.key, v.key_bytes };
    }
    bool twice = is_twice(names, g->nvalues);
    g->tensors = g->at;
    for (size_t i = 0; i < g->ntensors; i++) {
        MICA_TRY(get_tensor(g, &t));
        names[i] = (name){ t.name, t.name_bytes };
        g->ntriples += mica__gguf_is_triple(t.type);
    }
    return twice || is_twice(names, g->ntensors) ? fail(g, "a name occurs twice") : MICA_OK;
}

static int get_header(mica__gguf *g)
{
    uint64_t version = 0, ntensors = 0, nvalues = 0;
    g->at = 4;
    MICA_TRY(get(g, 4, &version));
    MICA_TRY(get(g, 8, &ntensors));
    MICA_TRY(get(g, 8, &nvalues));
    if (version != 2 && version != 3)
        return mica__fail(MICA_EIO,
                          "[load_gguf] '%s' has version %llu of the format; 2 and 3 are read, in "
                          "little-endian order",
                          g->name, (unsigned long long)version);
    uint64_t left = g->bytes - g->at;
    if (ntensors > left / LEAST_TENSOR)
        return too_short(g, ntensors, LEAST_TENSOR, "it has more tensors than bytes");
    if (nvalues > left / LEAST_VALUE)
        return too_short(g, nvalues, LEAST_VALUE, "it has more values than bytes");
    g->ntensors = (size_t)ntensors;
    g->nvalues = (size_t)nvalues;
    name *names = mica__alloc_zero(ntensors > nvalues ? ntensors : nvalues, sizeof *names);
    if (!names) return MICA_EMEMORY;
    int status = get_entries(g, names);
    mica__free(names);
    MICA_TRY(status);
    /* Offsets count from the first multiple of the alignment after the tensors' list. */
    g->data = g->at + (-g->at & (g->alignment - 1));
    g->at = g->values;
    return MICA_OK;
}

int mica__gguf_open(mica__gguf *g, const void *file, uint64_t bytes, const char *name)
{
    *g = (mica__gguf){
        .file = file, .bytes = bytes, .alignment = MICA__GGUF_ALIGNMENT, .name = name
    };
    if (bytes < HEAD || memcmp(file, "GGUF", 4) != 0)
        return mica__fail(MICA_EIO, "[load_gguf] '%s' is no gguf file", name);
    return get_header(g);
}

/* Where the last tensor ends; those without elements lie nowhere. */
static uint64_t end_of_data(mica__gguf *g)
{
    mica__gguf_tensor t;
    uint64_t end = 0, last;
    mica__gguf_skip_values(g);
    for (size_t i = 0; i < g->ntensors && get_tensor(g, &t) == MICA_OK; i++) {
        if (!t.bytes) continue;
        if (__builtin_add_overflow(g->data, t.offset, &last) ||
            __builtin_add_overflow(last, t.bytes, &last))
            last = UINT64_MAX;
        if (last > end) end = last;
    }
    return end > g->at ? end : g->at;
}

uint64_t mica__gguf_needed(const void *start, uint64_t bytes, bool *known)
{
    *known = false;
    if (bytes < HEAD) return bytes && memcmp(start, "GGUF", bytes < 4 ? bytes : 4) ? bytes : HEAD;
    if (memcmp(start, "GGUF", 4) != 0) return bytes;
    mica__gguf g;
    *known = mica__gguf_open(&g, start, bytes, "") == MICA_OK;
    if (*known) return end_of_data(&g);
    if (g.wanted <= bytes) return bytes;
    /* In growing steps, since it is parsed again. */
    uint64_t end = bytes + bytes / 2 + STEP;
    return g.wanted > end ? g.wanted : end;
}
