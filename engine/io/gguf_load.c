/* gguf files as tables of arrays, and back. */
#include "io/array_io.h"
#include "io/gguf.h"
#include "io/gguf_blocks.h"
#include "io/table.h"
#include "mica/ops.h"
#include "ops/builder.h"

static const mica_dtype value_types[MICA_GGUF_VALUE_COUNT] = {
    [MICA_GGUF_VALUE_UINT8] = MICA_UINT8,     [MICA_GGUF_VALUE_INT8] = MICA_INT8,
    [MICA_GGUF_VALUE_UINT16] = MICA_UINT16,   [MICA_GGUF_VALUE_INT16] = MICA_INT16,
    [MICA_GGUF_VALUE_UINT32] = MICA_UINT32,   [MICA_GGUF_VALUE_INT32] = MICA_INT32,
    [MICA_GGUF_VALUE_FLOAT32] = MICA_FLOAT32, [MICA_GGUF_VALUE_BOOL] = MICA_BOOL,
    [MICA_GGUF_VALUE_UINT64] = MICA_UINT64,   [MICA_GGUF_VALUE_INT64] = MICA_INT64,
    [MICA_GGUF_VALUE_FLOAT64] = MICA_FLOAT64
};

static const struct {
    mica__gguf_type type;
    mica_dtype dtype;
} plain[] = { { MICA_GGUF_F32, MICA_FLOAT32 }, { MICA_GGUF_F16, MICA_FLOAT16 },
              { MICA_GGUF_I8, MICA_INT8 },     { MICA_GGUF_I16, MICA_INT16 },
              { MICA_GGUF_I32, MICA_INT32 },   { MICA_GGUF_I64, MICA_INT64 },
              { MICA_GGUF_F64, MICA_FLOAT64 }, { MICA_GGUF_BF16, MICA_BFLOAT16 } };
enum { PLAIN = sizeof plain / sizeof *plain, WRITTEN = 5 };

/* ---- loading ---- */

typedef struct loading {
    mica_scope *s;
    const mica__source *from;
    mica_table *table;
} loading;

static mica_array *bytes_of(const loading *l, const mica__gguf_tensor *t)
{
    int64_t n = (int64_t)t->bytes;
    return mica__tensor(l->s, l->from, t->offset, t->bytes, MICA_UINT8, false,
                        (mica_dims){ 1, &n });
}

/* "x.weight" and "x" have the companions "x.scales" and "x.biases". */
static bool add_companion(const loading *l, const mica__gguf_tensor *t, const char *ending,
                          mica_array *a)
{
    static const char weight[] = ".weight";
    size_t n = t->name_bytes, cut = sizeof weight - 1;
    if (n >= cut && memcmp(t->name + n - cut, weight, cut) == 0) n -= cut;
    mica__text name = { 0 };
    mica__text_add(&name, t->name, n);
    mica__text_add_string(&name, ending);
    bool ok = !name.status && mica__table_add(l->s, l->table, name.at, name.n, a);
    if (name.status) mica__scope_failed(l->s, name.status);
    mica__text_free(&name);
    return ok;
}

static const mica_dtype *plain_dtype(uint32_t type)
{
    for (int i = 0; i < PLAIN; i++)
        if (plain[i].type == type) return &plain[i].dtype;
    return NULL;
}

/* The arrays of a tensor: three of some, else one. */
static bool build(const loading *l, const mica__gguf_tensor *t, mica_array *out[3])
{
    const mica_dtype *dtype = plain_dtype(t->type);
    if (mica__gguf_is_triple(t->type)) return mica__gguf_triple(l->s, t, bytes_of(l, t), out);
    if (dtype)
        out[0] = mica__tensor(l->s, l->from, t->offset, t->bytes, *dtype, false,
                              (mica_dims){ t->ndim, t->shape });
    else out[0] = mica__gguf_numbers(l->s, t, bytes_of(l, t));
    if (t->type == MICA_GGUF_BF16) out[0] = mica__cast(l->s, out[0], MICA_FLOAT16);
    return out[0] != NULL;
}

/* In a scope of its own, since evaluations look at all that a scope has. */
static bool build_settled(const loading *l, const mica__gguf_tensor *t, mica_array *out[3])
{
    mica_scope own;
    size_t n = mica__gguf_is_triple(t->type) ? 3 : 1;
    mica__scope_begin(&own, l->s->stream);
    bool ok = build(&(loading){ &own, l->from, NULL }, t, out) && !mica_eval(&own, out, n);
    for (size_t i = 0; i < n && ok; i++) {
        out[i] = mica__settled(l->s, l->from, out[i]);
        ok = out[i] != NULL;
    }
    int status = mica__scope_end(&own);
    return ok || mica__scope_failed(l->s, status);
}

static bool add_tensor(const loading *l, const mica__gguf_tensor *t)
{
    mica_array *out[3] = { NULL };
    bool is_changed = !plain_dtype(t->type) || t->type == MICA_GGUF_BF16;
    bool ok = is_changed && t->bytes <= MICA__SMALL ? build_settled(l, t, out) : build(l, t, out);
    return ok && mica__table_add(l->s, l->table, t->name, t->name_bytes, out[0]) &&
           (!out[1] ||
            (add_companion(l, t, ".scales", out[1]) && add_companion(l, t, ".biases", out[2])));
}

/* Copies of the texts of a value. */
static bool get_texts(const loading *l, const mica__gguf_value *v, mica_value *to)
{
    mica_scope *s = l->s;
    const mica__gguf file = { .file = (const unsigned char *)l->from->base,
                              .bytes = l->from->bytes };
    const char **texts = mica__scope_alloc(s, (size_t)v->count * sizeof *texts), *text;
    size_t *lengths = mica__scope_alloc(s, (size_t)v->count * sizeof *lengths);
    uint64_t at = v->offset;
    for (uint64_t i = 0; texts && lengths && i < v->count; i++) {
        if (!mica__gguf_text(&file, &at, &text, &lengths[i]))
            return mica__error(s, MICA_EIO, "[load_gguf] '%s' changed while it was read",
                               l->from->name);
        texts[i] = mica__arena_text(&s->arena, text, lengths[i]);
        if (!texts[i]) return mica__scope_failed(s, MICA_EMEMORY);
    }
    to->count = (size_t)v->count;
    to->texts = texts;
    to->lengths = lengths;
    return texts && lengths;
}

static bool add_value(const loading *l, mica_value *to, const mica__gguf_value *v)
{
    const char *key = mica__arena_text(&l->s->arena, v->key, v->key_bytes);
    if (!key) return mica__scope_failed(l->s, MICA_EMEMORY);
    *to = (mica_value){ .key = key, .list = v->list };
    if (v->type == MICA_GGUF_VALUE_STRING) return get_texts(l, v, to);
    int64_t n = (int64_t)v->count;
    mica_dtype d = value_types[v->type];
    to->array = mica__tensor(l->s, l->from, v->offset, v->count * mica__dtype_sizes[d], d, false,
                             (mica_dims){ v->list ? 1 : 0, &n });
    return to->array != NULL;
}

/* Values, where they are wanted, and tensors. */
static bool fill(const loading *l, mica__gguf *g)
{
    mica_table *t = l->table;
    uint64_t before = g->at;
    if (!t->value_count) mica__gguf_skip_values(g);
    for (size_t i = 0; i < t->value_count; i++) {
        mica__gguf_value v;
        int status = mica__gguf_next_value(g, &v);
        if (status) return mica__scope_failed(l->s, status);
        if (!add_value(l, &t->values[i], &v)) return false;
        mica__table_saw(t, l->from, g->at - before);
        before = g->at;
    }
    for (size_t i = 0; i < g->ntensors; i++) {
        mica__gguf_tensor x;
        int status = mica__gguf_next_tensor(g, &x);
        if (status) return mica__scope_failed(l->s, status);
        if (!add_tensor(l, &x)) return false;
        mica__table_saw(t, l->from, g->at - before);
        before = g->at;
    }
    return true;
}

mica_table *mica__gguf_table(mica_scope *s, const mica__source *from)
{
    mica__gguf g;
    mica__blocks blocks = { 0 };
    mica__source whole = *from;
    whole.blocks = &blocks;
    if (!mica__scope_ok(s)) return NULL;
    int status = mica__gguf_open(&g, from->base, from->bytes, from->name);
    if (status) return mica__scope_failed(s, status);
    mica_table *t =
        mica__table_new(s, g.ntensors + 2 * g.ntriples, 0, from->arrays_only ? 0 : g.nvalues);
    if (t) mica__table_saw(t, from, g.data);
    bool ok = t && fill(&(loading){ s, &whole, t }, &g);
    mica__blocks_free(&blocks);
    return ok && mica__table_sort(s, t) ? t : NULL;
}

/* ---- saving ---- */

static int describe_array(mica__gguf_tensor *t, const char *name, mica_array *a)
{
    for (int i = 0; i < WRITTEN; i++)
        if (plain[i].dtype == a->dtype) {
            *t = (mica__gguf_tensor){
                .name = name, .type = plain[i].type, .ndim = a->ndim, .shape = a->shape, .user = a
            };
            return MICA_OK;
        }
    return mica__fail(MICA_ERUNTIME,
                      "[save_gguf] dtype %s is not supported: '%s' may be float32, float16, int8, "
                      "int16 or int32; convert it with astype",
                      mica_dtype_name((mica_dtype)a->dtype), name);
}

/* Lengths that are not given: room for them is the caller's. */
static int describe_value(mica__gguf_value *v, const mica_value *from, size_t *lengths)
{
    *v = (mica__gguf_value){ .key = from->key, .list = from->list, .count = from->count };
    if (!from->array) {
        for (size_t i = 0; i < from->count; i++)
            lengths[i] = from->lengths ? from->lengths[i] : strlen(from->texts[i]);
        v->type = MICA_GGUF_VALUE_STRING;
        v->texts = (const char **)(uintptr_t)from->texts;
        v->lengths = lengths;
        return MICA_OK;
    }
    const mica_array *a = from->array;
    if (a->ndim > 1)
        return mica__fail(
            MICA_ERUNTIME,
            "[save_gguf] Cannot save arrays with more than one dimension as the value "
            "'%s'.",
            from->key);
    v->list = a->ndim == 1;
    v->count = (uint64_t)a->size;
    for (uint32_t type = 0; type < MICA_GGUF_VALUE_COUNT; type++) {
        bool number = type != MICA_GGUF_VALUE_STRING && type != MICA_GGUF_VALUE_ARRAY;
        if (number && value_types[type] == a->dtype) {
            v->type = type;
            return MICA_OK;
        }
    }
    return mica__fail(MICA_EVALUE, "[save_gguf] array type %s not support for metadata.",
                      mica_dtype_name((mica_dtype)a->dtype));
}

typedef struct content {
    mica__gguf_tensor *tensors;
    mica__gguf_value *values;
    const void **numbers;
    size_t *lengths;
} content;

static int describe(content *c, const char *const names[], mica_arrays arrays,
                    const mica_value *values, size_t count)
{
    size_t texts = 0, at = 0;
    for (size_t i = 0; i < count; i++) texts += values[i].array ? 0 : values[i].count;
    c->tensors = mica__alloc_zero(arrays.n, sizeof *c->tensors);
    c->values = mica__alloc_zero(count, sizeof *c->values);
    c->numbers = mica__alloc_zero(count, sizeof *c->numbers);
    c->lengths = mica__alloc_zero(texts, sizeof *c->lengths);
    if (!c->tensors || !c->values || !c->numbers || !c->lengths) return MICA_EMEMORY;
    for (size_t i = 0; i < arrays.n; i++)
        MICA_TRY(describe_array(&c->tensors[i], names[i], arrays.at[i]));
    for (size_t i = 0; i < count; i++) {
        MICA_TRY(describe_value(&c->values[i], &values[i], c->lengths + at));
        if (values[i].array) c->numbers[i] = values[i].array->data;
        else at += values[i].count;
    }
    return MICA_OK;
}

static int write_padding(const mica__sink *to, uint64_t n)
{
    static const char zeros[64];
    return n ? to->write(to->user, zeros, (size_t)n) : MICA_OK;
}

int mica__write_gguf(const mica__sink *to, const char *const names[], mica_arrays arrays,
                     const mica_value *values, size_t count)
{
    content c = { 0 };
    mica__text header = { 0 };
    int status = describe(&c, names, arrays, values, count);
    if (!status)
        status = mica__gguf_header(&header, c.tensors, arrays.n, c.values, c.numbers, count);
    if (!status) status = to->write(to->user, header.at, header.n);
    uint64_t at = header.n;
    for (size_t i = 0; i < arrays.n && !status; i++) {
        status = write_padding(to, c.tensors[i].offset - at);
        if (!status) status = mica__write_row_major(to, arrays.at[i]);
        at = c.tensors[i].offset + c.tensors[i].bytes;
    }
    mica__text_free(&header);
    mica__free(c.tensors);
    mica__free(c.values);
    mica__free(c.numbers);
    mica__free(c.lengths);
    return status;
}
