/* Graphs from bytes: the format is described in export_graph.c. */
#include "io/follow.h"
#include "ops/infer.h"

typedef struct reader {
    mica__words w;
    mica_scope *s;
    mica__source data;
    const char *start;        /* of the graph */
    const mica__sizes *sizes; /* NULL: all are as recorded */
    size_t nrules;            /* those that were used */
    bool resized;             /* inputs have others than recorded */
    mica_array **values;
    size_t n, capacity;
} reader;

/* ---- numbers that follow from sizes ---- */

static bool overflows(reader *r)
{
    mica__error(r->s, MICA_EVALUE,
                "[import_function] a size that follows from those of the inputs is too large");
    return false;
}

static bool evaluate(reader *r, const mica__size_rule *rule, int64_t *number)
{
    int64_t x = 1;
    for (size_t i = 0; i < rule->n; i++) {
        mica__size_of of = rule->sizes[i];
        if (of.value >= r->n || of.axis >= r->values[of.value]->ndim)
            return mica__words_broken(&r->w, "a rule for sizes reads what is not there");
        if (__builtin_mul_overflow(x, r->values[of.value]->shape[of.axis], &x)) return overflows(r);
    }
    if (__builtin_mul_overflow(x, rule->factor, &x) || __builtin_add_overflow(x, rule->addend, &x))
        return overflows(r);
    if (x % rule->divisor) {
        mica__error(r->s, MICA_EVALUE,
                    "[import_function] the function was exported for sizes that %lld divides",
                    (long long)rule->divisor);
        return false;
    }
    *number = x / rule->divisor;
    return true;
}

/* Replaces numbers that stand from `at` on and have rules. */
static bool follow(reader *r, const char *at, int64_t *numbers, int64_t n)
{
    size_t first = (size_t)(at - r->start);
    for (; r->sizes && r->nrules < r->sizes->nrules; r->nrules++) {
        const mica__size_rule *rule = &r->sizes->rules[r->nrules];
        if (rule->at >= first + 8 * (size_t)(n > 0 ? n : 0)) break;
        if (rule->at < first || (rule->at - first) % 8)
            return mica__words_broken(&r->w, "a rule for what is no size");
        if (!evaluate(r, rule, &numbers[(rule->at - first) / 8])) return false;
    }
    return true;
}

static int64_t *changeable(mica_dims list)
{
    return (int64_t *)(uintptr_t)list.at; /* lists that were read are the reader's own */
}

/* ---- entries ---- */

static bool add_value(reader *r, mica_array *a)
{
    if (!a) return false;
    if (r->n == r->capacity) {
        size_t capacity = r->capacity ? 2 * r->capacity : 64;
        mica_array **grown = mica__realloc(r->values, capacity * sizeof *grown);
        if (!grown) return mica__scope_failed(r->s, MICA_EMEMORY);
        r->values = grown;
        r->capacity = capacity;
    }
    r->values[r->n++] = a;
    return true;
}

static bool get_inputs(reader *r, mica_array *const inputs[], size_t n)
{
    uint64_t count;
    if (!mica__words_count(&r->w, 16, &count)) return false;
    if (count != n)
        return mica__words_broken(&r->w, "the number of inputs differs from the signature");
    mica_dims *was = mica__scope_alloc(r->s, (n + 1) * sizeof *was);
    if (!was) return false;
    for (size_t i = 0; i < n; i++) {
        mica_dtype dtype = MICA_BOOL;
        mica_dims shape = { 0 };
        if (!mica__words_type(&r->w, &dtype, &shape)) return false;
        if (inputs[i]->dtype != dtype || inputs[i]->ndim != shape.n)
            return mica__words_broken(&r->w, "an input differs from the signature");
        if (!add_value(r, inputs[i])) return false;
        r->resized |= !mica__shape_equal(shape, mica__dims_of(inputs[i]));
        was[i] = shape;
    }
    return !r->sizes || mica__sizes_allow(r->s, r->sizes, was, inputs, n);
}

/* Small ones are copied, to lie together: they are used often, and then hold no file. */
static bool get_constant(reader *r)
{
    mica_dtype dtype = MICA_BOOL;
    mica_dims shape = { 0 };
    uint64_t offset;
    int64_t size;
    if (!mica__words_type(&r->w, &dtype, &shape) || !mica__words_get(&r->w, &offset) ||
        !mica__shape_size(shape, &size))
        return false;
    uint64_t bytes = (uint64_t)size * mica__dtype_sizes[dtype];
    if (offset > r->data.bytes || bytes > r->data.bytes - offset)
        return mica__words_broken(&r->w, "a constant lies outside of it");
    mica__source from = r->data;
    if (bytes <= MICA__SMALL) from.owner = NULL;
    mica_array *a = mica__tensor(r->s, &from, offset, bytes, dtype, false, shape);
    return add_value(r, a);
}

static bool get_prim(reader *r, mica_prim *prim)
{
    uint64_t n;
    if (!mica__words_get(&r->w, &n)) return false;
    const char *name = n < 64 ? mica__words_take(&r->w, (size_t)n) : NULL;
    if (!name) return mica__words_broken(&r->w, "the name of a primitive");
    for (int i = 0; i < MICA_PRIM_COUNT; i++)
        if (strlen(mica__prims[i].name) == n && !memcmp(mica__prims[i].name, name, (size_t)n)) {
            *prim = (mica_prim)i;
            return true;
        }
    return mica__error(r->s, MICA_EVALUE, "[import_function] this version has no primitive %.*s",
                       (int)n, name);
}

static bool get_fields(reader *r, mica_prim prim, char *to)
{
    for (const mica__field *f = mica__prims[prim].fields; f->kind != MICA_FIELD_END; f++) {
        if (f->kind == MICA_FIELD_POINTER)
            return mica__words_broken(&r->w, "a primitive that cannot stand in files");
        const char *at = r->w.at;
        if (f->kind == MICA_FIELD_DIMS || f->kind == MICA_FIELD_AXES) {
            mica_dims *list = (mica_dims *)(void *)to;
            if (!mica__words_list(&r->w, list)) return false;
            if (f->kind == MICA_FIELD_DIMS && !follow(r, at + 8, changeable(*list), list->n))
                return false;
            to += sizeof(mica_dims);
            continue;
        }
        uint64_t word;
        if (!mica__words_get(&r->w, &word)) return false;
        if (f->kind == MICA_FIELD_INT && !follow(r, at, (int64_t *)&word, 1)) return false;
        if (f->kind == MICA_FIELD_TYPE && word >= MICA_DTYPE_COUNT)
            return mica__words_broken(&r->w, "unknown element type");
        if (f->kind == MICA_FIELD_BOOLEAN && word > 1)
            return mica__words_broken(&r->w, "a truth value that is none");
        memcpy(to, &word, sizeof word);
        to += sizeof word;
    }
    return true;
}

/* Places of arrays that are there. */
static bool get_values(reader *r, mica_arrays *list)
{
    uint64_t n, v;
    if (!mica__words_count(&r->w, 8, &n)) return false;
    mica_array **at = mica__scope_alloc(r->s, ((size_t)n + 1) * sizeof(mica_array *));
    if (!at) return false;
    for (size_t i = 0; i < n; i++) {
        if (!mica__words_get(&r->w, &v)) return false;
        if (v >= r->n) return mica__words_broken(&r->w, "an operation reads what is not yet there");
        at[i] = r->values[v];
    }
    *list = (mica_arrays){ (size_t)n, at };
    return true;
}

/* The outputs that were written, checked against what the operation gives. */
static bool get_outputs(reader *r, mica_prim prim, void *params, mica_arrays in)
{
    mica_dtype dtypes[256];
    mica_dims shapes[256];
    mica_array *out[256];
    uint64_t n;
    if (!mica__words_count(&r->w, 16, &n)) return false;
    if (!n || n > 255) return mica__words_broken(&r->w, "the number of outputs");
    for (size_t i = 0; i < n; i++) {
        const char *at = r->w.at + 16;
        if (!mica__words_type(&r->w, &dtypes[i], &shapes[i]) ||
            !follow(r, at, changeable(shapes[i]), shapes[i].n))
            return false;
    }
    mica__inference i = { .s = r->s,
                          .prim = prim,
                          .params = params,
                          .nin = in.n,
                          .in = in.at,
                          .resized = r->resized,
                          .nout = (size_t)n,
                          .dtypes = dtypes,
                          .shapes = shapes };
    if (!mica__infer(&i)) return false;
    if (!mica__build_many(r->s, prim, params, in.n, in.at, (size_t)n, dtypes, shapes, out))
        return false;
    for (size_t k = 0; k < n; k++)
        if (!add_value(r, out[k])) return false;
    return true;
}

static bool get_operation(reader *r)
{
    mica_prim prim = MICA_PRIM_COUNT;
    mica_arrays in = { 0 };
    if (!get_prim(r, &prim)) return false;
    size_t bytes = mica__prims[prim].params_size;
    void *params = bytes ? mica__scope_alloc(r->s, bytes) : NULL;
    if (bytes && !params) return false;
    return (!bytes || get_fields(r, prim, params)) && get_values(r, &in) &&
           get_outputs(r, prim, params, in);
}

static bool all_rules_used(reader *r)
{
    return !r->sizes || r->nrules == r->sizes->nrules ||
           mica__words_broken(&r->w, "a rule for what is no size");
}

static bool get_graph(reader *r, mica_array *const inputs[], size_t n, mica_arrays *results)
{
    if (!get_inputs(r, inputs, n)) return false;
    for (uint64_t kind; mica__words_get(&r->w, &kind);) {
        if (kind == MICA__ENTRY_END)
            return get_values(r, results) && all_rules_used(r) &&
                   (!r->w.left || mica__words_broken(&r->w, "bytes after its end"));
        if (kind != MICA__ENTRY_CONSTANT && kind != MICA__ENTRY_OPERATION)
            return mica__words_broken(&r->w, "unknown entry");
        if (!(kind == MICA__ENTRY_CONSTANT ? get_constant(r) : get_operation(r))) return false;
    }
    return false;
}

bool mica__graph_read(mica_scope *s, const mica__graph_bytes *from, const mica__sizes *sizes,
                      mica_array *const inputs[], size_t n, mica_arrays *results)
{
    mica__blocks blocks = { 0 };
    reader r = { .s = s,
                 .w = { s, from->at, from->bytes },
                 .data = *from->data,
                 .start = from->at,
                 .sizes = sizes };
    r.data.blocks = &blocks;
    bool ok = get_graph(&r, inputs, n, results);
    mica__blocks_free(&blocks);
    mica__free(r.values);
    return ok;
}
