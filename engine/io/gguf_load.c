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

/* "x.weight" and "x" have the companions "x.scales" and "x.biases". */
static const char *companion(mica_scope *s, const char *name, const char *ending)
{
    static const char weight[] = ".weight";
    size_t n = strlen(name), cut = sizeof weight - 1, more = strlen(ending);
    if (n >= cut && strcmp(name + n - cut, weight) == 0) n -= cut;
    char *text = mica__scope_alloc(s, n + more + 1);
    if (!text) return NULL;
    memcpy(text, name, n);
    memcpy(text + n, ending, more + 1);
    return text;
}

static mica_array *bytes_of(mica_scope *s, const mica__source *from, const mica__gguf_tensor *t)
{
    int64_t n = (int64_t)t->bytes;
    return mica__tensor(s, from, t->offset, t->bytes, MICA_UINT8, false, (mica_dims){ 1, &n });
}

/* Enters the arrays of a tensor at *at. */
static bool add_tensor(mica_scope *s, mica_table *t, const mica__source *from,
                       const mica__gguf_tensor *x, size_t *at)
{
    mica_array *out[3] = { NULL };
    mica_dims shape = { x->ndim, x->shape };
    if (mica__gguf_is_triple(x->type)) {
        if (!mica__gguf_triple(s, x, bytes_of(s, from, x), out)) return false;
        t->names[*at + 1] = companion(s, x->name, ".scales");
        t->names[*at + 2] = companion(s, x->name, ".biases");
        t->arrays[*at + 1] = out[1];
        t->arrays[*at + 2] = out[2];
    } else {
        for (int i = 0; i < PLAIN && !out[0]; i++)
            if (plain[i].type == x->type)
                out[0] = mica__tensor(s, from, x->offset, x->bytes, plain[i].dtype, false, shape);
        if (x->type == MICA_GGUF_BF16) out[0] = mica__cast(s, out[0], MICA_FLOAT16);
        if (!out[0] && mica__scope_ok(s)) out[0] = mica__gguf_numbers(s, x, bytes_of(s, from, x));
    }
    t->names[*at] = x->name;
    t->arrays[*at] = out[0];
    if (!out[0]) return false;
    *at += out[1] ? 3 : 1;
    return mica__scope_ok(s);
}

static bool add_value(mica_scope *s, mica_value *to, const mica__source *from,
                      const mica__gguf_value *v)
{
    *to = (mica_value){ .key = v->key, .list = v->list };
    if (v->type != MICA_GGUF_VALUE_STRING) {
        int64_t n = (int64_t)v->count;
        mica_dtype d = value_types[v->type];
        to->array = mica__tensor(s, from, v->offset, v->count * mica__dtype_sizes[d], d, false,
                                 (mica_dims){ v->list ? 1 : 0, &n });
        return to->array != NULL;
    }
    to->count = (size_t)v->count;
    to->texts = v->texts;
    to->lengths = v->lengths;
    return true;
}

static mica_table *table_of(mica_scope *s, const mica__source *from, const mica__gguf *g)
{
    size_t count = g->ntensors, at = 0;
    for (size_t i = 0; i < g->ntensors; i++)
        if (mica__gguf_is_triple(g->tensors[i].type)) count += 2;
    size_t values = from->arrays_only ? 0 : g->nvalues;
    mica_table *t = mica__table_new(s, count, 0, values);
    if (!t) return NULL;
    for (size_t i = 0; i < g->ntensors; i++)
        if (!add_tensor(s, t, from, &g->tensors[i], &at)) return NULL;
    for (size_t i = 0; i < values; i++)
        if (!add_value(s, &t->values[i], from, &g->values[i])) return NULL;
    return mica__table_sort(s, t) ? t : NULL;
}

mica_table *mica__gguf_table(mica_scope *s, const mica__source *from)
{
    mica__gguf g;
    if (!mica__scope_ok(s)) return NULL;
    int status = mica__gguf_parse(&g, from->base, from->bytes, from->name);
    if (status) return mica__scope_failed(s, status);
    mica_table *t = table_of(s, from, &g);
    mica__arena_move(&s->arena, &g.arena); /* the texts are the table's */
    mica__gguf_free(&g);
    return t;
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
