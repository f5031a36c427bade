/* Files of functions that MLX exported, read; mlx.h describes them. */
#include "io/mlx.h"

#include "mica/ops.h"
#include "ops/builder.h"

/* ---- words of other widths ---- */

static bool get_int(mica__words *w, int64_t *value)
{
    int32_t small;
    const void *at = mica__words_take(w, sizeof small);
    if (at) memcpy(&small, at, sizeof small), *value = small;
    return at != NULL;
}
static bool get_truth(mica__words *w, int64_t *value)
{
    const unsigned char *at = mica__words_take(w, 1);
    if (!at) return false;
    *value = *at;
    return *at <= 1 || mica__words_broken(w, "a truth value that is none");
}
static bool get_dtype(mica__words *w, int64_t *value)
{
    if (!get_int(w, value)) return false;
    const unsigned char *bytes = mica__words_take(w, 1);
    if (!bytes) return false;
    return (*value >= 0 && *value < MICA_DTYPE_COUNT && *bytes == mica__dtype_sizes[*value]) ||
           mica__words_broken(w, "unknown element type");
}
/* A list of integers of 4 or 8 bytes. */
static bool get_list(mica__words *w, size_t each, mica_dims *list)
{
    uint64_t n;
    if (!mica__words_count(w, each, &n)) return false;
    int64_t *at = mica__scope_alloc(w->s, ((size_t)n + 1) * sizeof *at);
    const char *from = at ? mica__words_take(w, (size_t)n * each) : NULL;
    if (!from) return false;
    for (uint64_t i = 0; i < n; i++) {
        int32_t small;
        if (each == 4) memcpy(&small, from + i * 4, 4), at[i] = small;
        else memcpy(&at[i], from + i * 8, 8);
    }
    *list = (mica_dims){ (int64_t)n, at };
    return true;
}
static bool get_shape(mica__words *w, mica_dims *shape)
{
    int64_t size;
    size_t bytes;
    if (!get_list(w, 4, shape)) return false;
    return (shape->n <= MICA_MAX_NDIM && mica__shape_size(*shape, &size) &&
            !mica__mul_overflow((size_t)size, 16, &bytes)) ||
           mica__words_broken(w, "impossible shape");
}
static bool get_type(mica__words *w, mica_dtype *dtype, mica_dims *shape)
{
    int64_t type;
    if (!get_shape(w, shape) || !get_dtype(w, &type)) return false;
    *dtype = (mica_dtype)type;
    return true;
}

/* ---- the head ---- */

bool mica__mlx_begins(const mica__source *from)
{
    uint64_t n;
    if (from->bytes < 16) return false;
    memcpy(&n, from->base, 8);
    if (n < 3 || n > 32 || n > from->bytes - 8) return false;
    for (uint64_t i = 0; i < n; i++) {
        char c = from->base[8 + i];
        if (!(c >= '0' && c <= '9') && c != '.' && !(i > 2 && c >= 'a' && c <= 'z')) return false;
    }
    return from->base[8] != '.';
}

bool mica__mlx_head(mica__words *w, uint64_t *functions, bool *shapeless, const char **metadata)
{
    const char *version;
    int64_t n, flag;
    if (!mica__words_text(w, &version)) return false;
    if (strncmp(version, "0.3", 3) != 0) {
        mica__error(w->s, MICA_EIO,
                    "[import_function] the file was exported by MLX %s; files of 0.32 are known: "
                    "export the function again",
                    version);
        return false;
    }
    if (!get_int(w, &n) || !get_truth(w, &flag) || !mica__words_text(w, metadata)) return false;
    *functions = (uint64_t)n;
    *shapeless = flag;
    return (n >= 0 && (uint64_t)n <= w->left / 32) ||
           mica__words_broken(w, "a count is larger than the file");
}

/* ---- functions ---- */

typedef struct reader {
    mica__words w;
    mica_scope *s;
    mica__source data;
    bool build; /* else only skipped */
    bool shapeless;
    mica__map arrays; /* identity -> array, or -> the reader where nothing is built */
} reader;

/* The identity 0 cannot be a key: none is. */
static const void *key_of(uint64_t identity)
{
    return (const void *)(uintptr_t)identity;
}
static bool get_identities(reader *r, mica_dims *list)
{
    if (!get_list(&r->w, 8, list)) return false;
    for (int64_t i = 0; i < list->n; i++)
        if (!list->at[i]) return mica__words_broken(&r->w, "an array without identity");
    return true;
}
static bool enter(reader *r, int64_t identity, mica_array *a)
{
    if (r->build && !a) return false;
    if (!identity) return mica__words_broken(&r->w, "an array without identity");
    int status = mica__map_set(&r->arrays, key_of((uint64_t)identity), r->build ? (void *)a : r);
    if (status) mica__scope_failed(r->s, status);
    return !status;
}
static bool find(reader *r, int64_t identity, mica_array **a)
{
    void *found;
    if (!mica__map_get(&r->arrays, key_of((uint64_t)identity), &found))
        return mica__words_broken(&r->w, "an operation reads what is not yet there");
    *a = r->build ? found : NULL;
    return true;
}

static bool get_signature(reader *r, mica__signature *g, mica_dims *inputs, mica_dims *results)
{
    uint64_t nkeywords, n;
    if (!mica__words_count(&r->w, 8, &nkeywords)) return false;
    *g = (mica__signature){ .nkeywords = (size_t)nkeywords };
    g->keywords = mica__scope_alloc(r->s, ((size_t)nkeywords + 1) * sizeof *g->keywords);
    for (uint64_t i = 0; g->keywords && i < nkeywords; i++) {
        if (!mica__words_text(&r->w, &g->keywords[i])) return false;
        if (i && strcmp(g->keywords[i - 1], g->keywords[i]) >= 0)
            return mica__words_broken(&r->w, "keywords out of order");
    }
    if (!g->keywords || !get_identities(r, inputs) || !mica__words_count(&r->w, 13, &n))
        return false;
    if (n != (uint64_t)inputs->n || nkeywords > n)
        return mica__words_broken(&r->w, "the number of inputs");
    g->n = (size_t)n;
    g->dtypes = mica__scope_alloc(r->s, (g->n + 1) * sizeof *g->dtypes);
    g->shapes = mica__scope_alloc(r->s, (g->n + 1) * sizeof *g->shapes);
    if (!g->dtypes || !g->shapes) return false;
    for (size_t i = 0; i < g->n; i++)
        if (!get_type(&r->w, &g->dtypes[i], &g->shapes[i])) return false;
    return get_identities(r, results);
}

static bool get_parameters(reader *r, mlx_call *c)
{
    size_t numbers = 0, reals = 0, lists = 0;
    for (const char *p = c->p->parameters; *p; p++) {
        const void *at;
        bool ok = true;
        switch (*p) {
        case 'i': ok = get_int(&r->w, &c->numbers[numbers++]); break;
        case 'b': ok = get_truth(&r->w, &c->numbers[numbers++]); break;
        case 't': ok = get_dtype(&r->w, &c->numbers[numbers++]); break;
        case 'z':
        case 'v': ok = get_list(&r->w, 4, &c->lists[lists++]); break;
        case 'l': ok = get_list(&r->w, 8, &c->lists[lists++]); break;
        case 's': ok = mica__words_text(&r->w, &c->text); break;
        case 'w':
            ok = get_list(&r->w, 8, &c->lists[lists++]) &&
                 mica__words_get(&r->w, (uint64_t *)&c->numbers[numbers++]);
            break;
        case 'f': {
            float f = 0;
            at = mica__words_take(&r->w, 4);
            if ((ok = at != NULL)) memcpy(&f, at, 4);
            c->reals[reals++] = f;
            break;
        }
        default:
            at = mica__words_take(&r->w, 8);
            if ((ok = at != NULL)) memcpy(&c->reals[reals++], at, 8);
        }
        if (!ok) return false;
    }
    return true;
}

/* Identities, shapes and types of all outputs. */
static bool get_outputs(reader *r, mlx_call *c, int64_t identity, mica_dims *identities)
{
    uint64_t others, n;
    if (!mica__words_get(&r->w, &others)) return false;
    int64_t *own = mica__scope_alloc(r->s, sizeof *own);
    if (!own) return false;
    *own = identity;
    *identities = (mica_dims){ 1, own };
    if (others && !get_identities(r, identities)) return false;
    if (identities->n < 1 || identities->n > 255)
        return mica__words_broken(&r->w, "the number of outputs");
    c->nout = (size_t)identities->n;
    c->dtypes = mica__scope_alloc(r->s, c->nout * sizeof *c->dtypes);
    c->shapes = mica__scope_alloc(r->s, c->nout * sizeof *c->shapes);
    c->out = mica__scope_alloc(r->s, c->nout * sizeof *c->out);
    if (!c->dtypes || !c->shapes || !c->out) return false;
    if (!others) return get_type(&r->w, &c->dtypes[0], &c->shapes[0]);
    if (!mica__words_get(&r->w, &n)) return false;
    for (size_t i = 0; i < c->nout && n == c->nout; i++)
        if (!get_shape(&r->w, &c->shapes[i])) return false;
    if (n != c->nout || !mica__words_get(&r->w, &n) || n != c->nout)
        return mica__words_broken(&r->w, "the number of outputs");
    for (size_t i = 0; i < c->nout; i++) {
        int64_t type;
        if (!get_dtype(&r->w, &type)) return false;
        c->dtypes[i] = (mica_dtype)type;
    }
    return true;
}

static bool find_primitive(reader *r, mlx_call *c)
{
    const char *name;
    if (!mica__words_text(&r->w, &name)) return false;
    c->p = mica__mlx_find(name, strlen(name));
    if (c->p) return true;
    mica__error(r->s, MICA_EVALUE,
                "[import_function] the file has the primitive %.64s of MLX, which cannot be "
                "imported",
                name);
    return false;
}

/* The recorded types and shapes hold, whatever was built. */
static bool enter_outputs(reader *r, mlx_call *c, mica_dims identities, const mica_dims *shapes,
                          const mica_dtype *dtypes)
{
    for (size_t i = 0; i < c->nout; i++) {
        mica_array *a = r->build ? c->out[i] : NULL;
        if (r->build) {
            if (!a) return false;
            if (!r->shapeless && !mica__shape_equal(mica__dims_of(a), shapes[i]))
                return mica__words_broken(&r->w, "the shape of a result");
            a = mica__cast(r->s, a, dtypes[i]);
        }
        if (!enter(r, identities.at[i], a)) return false;
    }
    return true;
}

static bool get_operation(reader *r, int64_t identity)
{
    mica_dims inputs, outputs;
    mlx_call c = { .s = r->s, .shapeless = r->shapeless, .text = "" };
    if (!get_identities(r, &inputs) || !mica__words_take(&r->w, 12) || !find_primitive(r, &c) ||
        !get_parameters(r, &c) || !get_outputs(r, &c, identity, &outputs))
        return false;
    mica_array **in = mica__scope_alloc(r->s, ((size_t)inputs.n + 1) * sizeof(mica_array *));
    if (!in) return false;
    for (int64_t i = 0; i < inputs.n; i++)
        if (!find(r, inputs.at[i], &in[i])) return false;
    c.in = in;
    c.nin = (size_t)inputs.n;
    mica_dims recorded[255];
    mica_dtype types[255];
    memcpy(recorded, c.shapes, c.nout * sizeof *recorded);
    memcpy(types, c.dtypes, c.nout * sizeof *types);
    if (r->build && !c.p->rule(&c)) return false;
    return enter_outputs(r, &c, outputs, recorded, types);
}

static bool get_constant(reader *r, int64_t identity)
{
    mica_dtype dtype;
    mica_dims shape;
    int64_t size;
    if (!get_type(&r->w, &dtype, &shape) || !mica__shape_size(shape, &size)) return false;
    uint64_t bytes = (uint64_t)size * mica__dtype_sizes[dtype];
    const char *at = mica__words_take(&r->w, (size_t)bytes);
    if (!at) return false;
    mica_array *a = NULL;
    if (r->build)
        a = mica__tensor(r->s, &r->data, (uint64_t)(at - r->data.base), bytes, dtype, false, shape);
    return enter(r, identity, a);
}

static bool get_arrays(reader *r)
{
    uint64_t n;
    int64_t flag;
    if (!mica__words_count(&r->w, 10, &n)) return false;
    for (uint64_t i = 0; i < n; i++) {
        int64_t identity;
        mica_array *there;
        if (!r->build) mica__arena_reset(&r->s->arena);
        if (!mica__words_get(&r->w, (uint64_t *)&identity) || !get_truth(&r->w, &flag))
            return false;
        if (flag) {
            if (!get_operation(r, identity)) return false;
            continue;
        }
        if (!get_truth(&r->w, &flag)) return false;
        if (!(flag ? get_constant(r, identity) : find(r, identity, &there))) return false;
    }
    return true;
}

/* What is read of operations is forgotten one by one, in a scope of its own: a file may have many.
 */
bool mica__mlx_skip(mica__words *w, mica__signature *g)
{
    mica_scope own;
    mica_dims inputs, results;
    mica_array *there;
    reader r = { .w = *w, .s = w->s };
    bool ok = get_signature(&r, g, &inputs, &results);
    for (size_t i = 0; i < g->n && ok; i++) ok = enter(&r, inputs.at[i], NULL);
    mica__scope_begin(&own, NULL);
    r.w.s = r.s = &own;
    ok = ok && get_arrays(&r);
    for (int64_t i = 0; ok && i < results.n; i++) ok = find(&r, results.at[i], &there);
    int status = mica__scope_end(&own);
    if (status) mica__scope_failed(w->s, status);
    mica__map_free(&r.arrays);
    w->at = r.w.at;
    w->left = r.w.left;
    return ok;
}

static bool build(reader *r, mica_array *const given[], size_t n, mica_arrays *out)
{
    mica__signature g;
    mica_dims inputs, results;
    if (!get_signature(r, &g, &inputs, &results)) return false;
    if (g.n != n) return mica__words_broken(&r->w, "the number of inputs");
    for (size_t i = 0; i < n; i++)
        if (!enter(r, inputs.at[i], given[i])) return false;
    if (!get_arrays(r)) return false;
    mica_array **at = mica__scope_alloc(r->s, ((size_t)results.n + 1) * sizeof(mica_array *));
    if (!at) return false;
    for (int64_t i = 0; i < results.n; i++)
        if (!find(r, results.at[i], &at[i])) return false;
    *out = (mica_arrays){ (size_t)results.n, at };
    return true;
}

bool mica__mlx_read(mica_scope *s, const mica__graph_bytes *from, bool shapeless,
                    mica_array *const inputs[], size_t n, mica_arrays *results)
{
    mica__blocks blocks = { 0 };
    reader r = { .w = { s, from->at, from->bytes },
                 .s = s,
                 .data = *from->data,
                 .build = true,
                 .shapeless = shapeless };
    r.data.blocks = &blocks;
    bool ok = build(&r, inputs, n, results);
    mica__map_free(&r.arrays);
    mica__blocks_free(&blocks);
    return ok;
}
