/* Graphs from bytes: the format is described in export.c. */
#include "autodiff/autodiff.h"
#include "io/export.h"
#include "io/export_format.h"

typedef struct value {
    mica_array *array;
    bool resized; /* of another shape than was written */
} value;

typedef struct reader {
    mica_scope *s;
    const char *at;
    size_t left;
    value *values;
    size_t n, capacity;
} reader;

static bool broken(reader *r, const char *what)
{
    return mica__error(r->s, MICA_EIO, "[import_function] the file is damaged: %s", what);
}

static const void *take(reader *r, size_t bytes)
{
    if (bytes > r->left) {
        broken(r, "it ends too early");
        return NULL;
    }
    const void *at = r->at;
    r->at += bytes;
    r->left -= bytes;
    return at;
}

static bool get(reader *r, uint64_t *word)
{
    const void *at = take(r, sizeof *word);
    if (at) memcpy(word, at, sizeof *word);
    return at != NULL;
}

/* A count of things that take at least 8 bytes each. */
static bool get_count(reader *r, uint64_t *n)
{
    return get(r, n) && (*n <= r->left / 8 || broken(r, "a count is larger than the file"));
}

static bool get_list(reader *r, mica_dims *d)
{
    uint64_t n;
    if (!get(r, &n)) return false;
    *d = (mica_dims){ .n = (int64_t)n };
    if ((int64_t)n == -1) return true;
    if (n > r->left / 8) return broken(r, "a list is longer than the file");
    int64_t *list = mica__scope_alloc(r->s, ((size_t)n + 1) * sizeof *list);
    if (!list) return false;
    memcpy(list, take(r, (size_t)n * sizeof *list), (size_t)n * sizeof *list);
    d->at = list;
    return true;
}

static bool get_type(reader *r, mica_dtype *dtype, mica_dims *shape)
{
    uint64_t t;
    int64_t size;
    size_t bytes;
    if (!get(r, &t) || !get_list(r, shape)) return false;
    if (t >= MICA_DTYPE_COUNT) return broken(r, "unknown element type");
    if (shape->n < 0 || shape->n > MICA_MAX_NDIM || !mica__shape_size(*shape, &size) ||
        mica__mul_overflow((size_t)size, mica__dtype_sizes[t], &bytes))
        return broken(r, "impossible shape");
    *dtype = (mica_dtype)t;
    return true;
}

static bool add_value(reader *r, mica_array *a, bool resized)
{
    if (!a) return false;
    if (r->n == r->capacity) {
        size_t capacity = r->capacity ? 2 * r->capacity : 64;
        value *grown = mica__realloc(r->values, capacity * sizeof *grown);
        if (!grown) return mica__scope_failed(r->s, MICA_EMEMORY);
        r->values = grown;
        r->capacity = capacity;
    }
    r->values[r->n++] = (value){ a, resized };
    return true;
}

static bool get_inputs(reader *r, mica_array *const inputs[], size_t n)
{
    uint64_t count;
    if (!get_count(r, &count)) return false;
    if (count != n) return broken(r, "the number of inputs differs from the signature");
    for (size_t i = 0; i < n; i++) {
        mica_dtype dtype = MICA_BOOL;
        mica_dims shape = { 0 };
        if (!get_type(r, &dtype, &shape)) return false;
        if (inputs[i]->dtype != dtype || inputs[i]->ndim != shape.n)
            return broken(r, "an input differs from the signature");
        if (!add_value(r, inputs[i], !mica__shape_equal(mica__dims_of(inputs[i]), shape)))
            return false;
    }
    return true;
}

static bool get_constant(reader *r)
{
    mica_dtype dtype = MICA_BOOL;
    mica_dims shape = { 0 };
    int64_t size;
    if (!get_type(r, &dtype, &shape) || !mica__shape_size(shape, &size)) return false;
    const void *data = take(r, (size_t)size * mica__dtype_sizes[dtype]);
    return data && add_value(r, mica_from_data(r->s, data, shape, dtype), false);
}

static bool get_prim(reader *r, mica_prim *prim)
{
    uint64_t n;
    const char *name =
        get(r, &n) ? n < 64 ? take(r, (size_t)n) : (broken(r, "the name of a primitive"), NULL)
                   : NULL;
    if (!name) return false;
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
            return broken(r, "a primitive that cannot stand in files");
        if (f->kind == MICA_FIELD_DIMS || f->kind == MICA_FIELD_AXES) {
            if (!get_list(r, (mica_dims *)(void *)to)) return false;
            to += sizeof(mica_dims);
            continue;
        }
        uint64_t word;
        if (!get(r, &word)) return false;
        if (f->kind == MICA_FIELD_TYPE && word >= MICA_DTYPE_COUNT)
            return broken(r, "unknown element type");
        if (f->kind == MICA_FIELD_BOOLEAN && word > 1)
            return broken(r, "a truth value that is none");
        memcpy(to, &word, sizeof word);
        to += sizeof word;
    }
    return true;
}

static bool is_elementwise(mica_prim prim)
{
    mica__class c = mica__prims[prim].class;
    return c == MICA_CLASS_UNARY || c == MICA_CLASS_BINARY || c == MICA_CLASS_TERNARY ||
           c == MICA_CLASS_CAST;
}

/* The shape that element-wise inputs give, into `sizes`. */
static bool broadcast_inputs(reader *r, mica_array *const in[], size_t n, int64_t *sizes,
                             mica_dims *shape)
{
    *shape = (mica_dims){ 0, sizes };
    for (size_t i = 0; i < n; i++) {
        int64_t wider[MICA_MAX_NDIM];
        int ndim = mica__broadcast(*shape, mica__dims_of(in[i]), wider);
        if (ndim < 0)
            return mica__error(r->s, MICA_EVALUE,
                               "[import_function] shapes %s and %s cannot be broadcast",
                               mica__shape_text(*shape), mica__shape_text(mica__dims_of(in[i])));
        memcpy(sizes, wider, (size_t)ndim * sizeof *sizes);
        shape->n = ndim;
    }
    return true;
}

/* The outputs' types; true shapes of element-wise results are computed, whatever the file says. */
static bool get_outputs(reader *r, mica_prim prim, const void *params, mica_array *const in[],
                        size_t nin, bool resized)
{
    mica_dtype dtypes[256];
    mica_dims shapes[256];
    mica_array *out[256];
    int64_t sizes[MICA_MAX_NDIM];
    uint64_t n;
    if (!get_count(r, &n)) return false;
    if (!n || n > 255) return broken(r, "the number of outputs");
    for (size_t i = 0; i < n; i++)
        if (!get_type(r, &dtypes[i], &shapes[i])) return false;
    if (is_elementwise(prim)) {
        mica_dims shape;
        mica__class c = mica__prims[prim].class;
        size_t operands = c == MICA_CLASS_BINARY ? 2 : c == MICA_CLASS_TERNARY ? 3 : 1;
        if (n != 1 || nin != operands) return broken(r, "the number of operands");
        if (!broadcast_inputs(r, in, nin, sizes, &shape)) return false;
        if (!resized && !mica__shape_equal(shape, shapes[0]))
            return broken(r, "the shape of a result");
        shapes[0] = shape;
    } else if (resized) {
        return mica__error(r->s, MICA_EVALUE,
                           "[import_function] %s was exported for one shape; other shapes pass "
                           "through element-wise "
                           "operations only: export the function with each shape it is to take",
                           mica__prims[prim].name);
    }
    if (!mica__build_many(r->s, prim, params, nin, in, (size_t)n, dtypes, shapes, out))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!add_value(r, out[i], resized)) return false;
    return true;
}

static bool get_values(reader *r, mica_arrays *list, bool *resized)
{
    uint64_t n, v;
    if (!get_count(r, &n)) return false;
    mica_array **at = mica__scope_alloc(r->s, ((size_t)n + 1) * sizeof(mica_array *));
    if (!at) return false;
    for (size_t i = 0; i < n; i++) {
        if (!get(r, &v)) return false;
        if (v >= r->n) return broken(r, "an operation reads what is not yet there");
        at[i] = r->values[v].array;
        *resized = *resized || r->values[v].resized;
    }
    *list = (mica_arrays){ (size_t)n, at };
    return true;
}

static bool get_operation(reader *r)
{
    mica_prim prim = MICA_PRIM_COUNT;
    mica_arrays in = { 0 };
    bool resized = false;
    if (!get_prim(r, &prim)) return false;
    if (prim == mica_prim_constant || prim == mica_prim_alias)
        return broken(r, "a primitive that cannot stand in files");
    size_t bytes = mica__prims[prim].params_size;
    void *params = bytes ? mica__scope_alloc(r->s, bytes) : NULL;
    if (bytes && !params) return false;
    return (!bytes || get_fields(r, prim, params)) && get_values(r, &in, &resized) &&
           get_outputs(r, prim, params, in.at, in.n, resized);
}

static bool get_graph(reader *r, mica_array *const inputs[], size_t n, mica_arrays *results)
{
    if (!get_inputs(r, inputs, n)) return false;
    for (uint64_t kind; get(r, &kind);) {
        bool resized = false;
        if (kind == MICA__ENTRY_END)
            return get_values(r, results, &resized) &&
                   (!r->left || broken(r, "bytes after its end"));
        if (kind != MICA__ENTRY_CONSTANT && kind != MICA__ENTRY_OPERATION)
            return broken(r, "unknown entry");
        if (!(kind == MICA__ENTRY_CONSTANT ? get_constant(r) : get_operation(r))) return false;
    }
    return false;
}

bool mica__graph_read(mica_scope *s, const void *bytes, size_t size, mica_array *const inputs[],
                      size_t n, mica_arrays *results)
{
    reader r = { .s = s, .at = bytes, .left = size };
    bool ok = get_graph(&r, inputs, n, results);
    mica__free(r.values);
    return ok;
}
