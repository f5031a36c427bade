/* Files of exported functions. Little-endian words of 8 bytes:

     "MICAFUNC" version, bytes of the description, bytes of the data, CRC-32 of all that follows the
     description (0 for more than 16 MiB), CRC-32 of what precedes it and of the description
     description: flags (2: shapeless), metadata, number of functions, each:
         npositional, (dtype, shape) of each, nkeywords, (name, dtype, shape) of each,
         bytes of the graph, graph (export_graph.c),
         if shapeless: bytes of the rules for sizes, rules (follow_layout.c)
     data, from the next multiple of 64 on: the values of captured arrays, each at a multiple of 64
   A text is its length and bytes. The checksums find damage, not malice: that is
   what the checks of the reader are for. */
#include "autodiff/autodiff.h"
#include "base/checksum.h"
#include "io/export.h"
#include "io/export_file.h"
#include "io/follow.h"
#include "io/mlx_write.h"
#include "io/signature.h"

typedef struct trace {
    mica__signature signature;
    mica__text graph, sizes;
} trace;

struct mica_exporter {
    mica_scope *scope; /* memory of texts and signatures */
    const char *path, *metadata;
    mica_export_format format;
    bool shapeless;
    trace *traces;
    size_t n, capacity;
    mica__constants constants;
};

static const char *keep(mica_scope *s, const char *text)
{
    size_t bytes = strlen(text) + 1;
    char *kept = mica__scope_alloc(s, bytes);
    return kept ? memcpy(kept, text, bytes) : NULL;
}

int mica_exporter_open(const char *path, mica_export_format format, bool shapeless,
                       const char *metadata, mica_exporter **out)
{
    if (!path) return mica__fail(MICA_EVALUE, "[export_function] the path is NULL");
    if (format != MICA_EXPORT_MICA && format != MICA_EXPORT_MLX)
        return mica__fail(MICA_EVALUE, "[export_function] %d is no format", (int)format);
    if (format == MICA_EXPORT_MLX && shapeless)
        return mica__fail(MICA_EVALUE, "[export_function] shapeless files are not written for MLX");
    mica_exporter *e = mica__alloc_zero(1, sizeof *e);
    if (!e) return MICA_EMEMORY;
    e->format = format;
    e->scope = mica_scope_open(NULL);
    e->shapeless = shapeless;
    e->path = e->scope ? keep(e->scope, path) : NULL;
    e->metadata = e->path ? keep(e->scope, metadata ? metadata : "") : NULL;
    if (!e->metadata) {
        mica_exporter_release(e);
        return MICA_EMEMORY;
    }
    *out = e;
    return MICA_OK;
}

static void free_trace(trace *t)
{
    mica__text_free(&t->graph);
    mica__text_free(&t->sizes);
}

void mica_exporter_release(mica_exporter *e)
{
    if (!e) return;
    for (size_t i = 0; i < e->n; i++) free_trace(&e->traces[i]);
    mica__free(e->traces);
    mica__constants_free(&e->constants);
    if (e->scope) mica_scope_close(e->scope);
    mica__free(e);
}

static bool add_trace(mica_exporter *e, const trace *t)
{
    if (e->n == e->capacity) {
        size_t capacity = e->capacity ? 2 * e->capacity : 4;
        trace *grown = mica__realloc(e->traces, capacity * sizeof *grown);
        if (!grown) return false;
        e->traces = grown;
        e->capacity = capacity;
    }
    e->traces[e->n++] = *t;
    return true;
}

static bool is_new(mica_scope *s, const mica_exporter *e, const mica__signature *g)
{
    for (size_t i = 0; i < e->n; i++)
        if (mica__signature_accepts(&e->traces[i].signature, g, e->shapeless))
            return mica__error(s, MICA_ERUNTIME,
                               "[export_function] Attempting to export a function twice with the "
                               "same signature is not allowed.");
    return true;
}

/* What failed in the exporter's own memory fails the caller's scope. */
static int own_failure(mica_scope *s, mica_exporter *e)
{
    if (e->scope->status == MICA_OK) return s->status;
    int status = e->scope->status;
    if (mica__scope_ok(s)) mica__error(s, status, "%s", mica_last_error());
    e->scope->status = MICA_OK;
    return status;
}

/* Traces again for shapes in the order of the signature. */
typedef struct reordered {
    mica__retrace *again;
    void *user;
    const size_t *order;
} reordered;

static int retrace(mica_scope *t, const mica_dims shapes[], size_t n, mica_arrays *holders,
                   mica_arrays *results, void *user)
{
    const reordered *o = user;
    mica_arrays given = { 0 };
    mica_dims *asked = mica__scope_alloc(t, (n + 1) * sizeof *asked);
    mica_array **in = mica__scope_alloc(t, (n + 1) * sizeof(mica_array *));
    if (!asked || !in) return 0;
    for (size_t i = 0; i < n; i++) asked[o->order[i]] = shapes[i];
    int traced = o->again(t, asked, n, &given, results, o->user);
    if (traced <= 0 || given.n != n) return traced < 0 ? -1 : 0;
    for (size_t i = 0; i < n; i++) in[i] = given.at[o->order[i]];
    *holders = (mica_arrays){ n, in };
    return 1;
}

static bool follow_sizes(mica_scope *s, trace *t, mica_array *const results[], size_t nresults,
                         mica_array *const in[], size_t n, reordered *o)
{
    mica__sizes z;
    if (!mica__sizes_find(s, &z, results, nresults, in, n, retrace, o)) return false;
    mica__sizes_put(&t->sizes, &z);
    if (t->sizes.status) mica__scope_failed(s, t->sizes.status);
    return s->status == MICA_OK;
}

int mica__exporter_add(mica_scope *s, mica_exporter *e, mica_array *const results[],
                       size_t nresults, mica_arrays placeholders, const char *const keywords[],
                       size_t nkeywords, mica__retrace *again, void *user)
{
    if (!mica__scope_ok(s)) return mica_scope_status(s);
    trace t = { 0 };
    size_t *order = mica__scope_alloc(s, (placeholders.n + 1) * sizeof *order);
    mica_array **in = mica__scope_alloc(s, (placeholders.n + 1) * sizeof(mica_array *));
    if (!order || !in) return s->status;
    if (!mica__signature_of(e->scope, &t.signature, placeholders, keywords, nkeywords, order))
        return own_failure(s, e);
    for (size_t i = 0; i < placeholders.n; i++) in[i] = placeholders.at[order[i]];
    bool ok = is_new(s, e, &t.signature);
    reordered o = { again, user, order };
    if (ok && e->shapeless) ok = follow_sizes(s, &t, results, nresults, in, placeholders.n, &o);
    if (ok && e->format == MICA_EXPORT_MLX)
        ok = mica__mlx_write(s, &t.graph, &t.signature, results, nresults, in, placeholders.n);
    else if (ok)
        ok = mica__graph_write(s, &t.graph, &e->constants, results, nresults, in, placeholders.n);
    if (ok && !add_trace(e, &t)) mica__scope_failed(s, MICA_EMEMORY);
    if (s->status != MICA_OK) free_trace(&t);
    return s->status;
}

/* A function in C. */
typedef struct function {
    mica_functions *call;
    void *user;
    mica_arrays arguments;
    bool shapeless;
} function;

static bool trace_function(mica_scope *s, const function *f, const mica_dims *shapes,
                           mica_arrays *placeholders, mica_arrays *results)
{
    size_t n = f->arguments.n;
    mica_array **holders = mica__scope_alloc(s, (n + 1) * sizeof *holders);
    for (size_t i = 0; holders && i < n; i++) {
        mica_array *a = f->arguments.at[i];
        if (!a) mica__error(s, MICA_EVALUE, "[export_function] argument %zu is NULL", i);
        holders[i] =
            a ? mica__placeholder(s, (mica_dtype)a->dtype, shapes ? shapes[i] : mica__dims_of(a))
              : NULL;
    }
    if (s->status != MICA_OK) return false;
    bool outer = mica__sizes_vary;
    mica__sizes_vary = f->shapeless;
    *placeholders = (mica_arrays){ n, holders };
    *results = f->call(s, *placeholders, f->user);
    mica__sizes_vary = outer;
    for (size_t i = 0; s->status == MICA_OK && i < results->n; i++)
        if (!results->at[i])
            mica__error(s, MICA_EVALUE, "[export_function] result %zu of the function is NULL", i);
    return s->status == MICA_OK;
}

static int trace_again(mica_scope *s, const mica_dims shapes[], size_t n, mica_arrays *holders,
                       mica_arrays *results, void *user)
{
    (void)n;
    return trace_function(s, user, shapes, holders, results);
}

int mica_exporter_add(mica_scope *s, mica_exporter *e, mica_functions *call, void *user,
                      mica_arrays arguments, const char *const keywords[], size_t nkeywords)
{
    if (!mica__scope_ok(s)) return mica_scope_status(s);
    function f = { call, user, arguments, e->shapeless };
    mica_arrays holders = { 0 }, results = { 0 };
    if (!trace_function(s, &f, NULL, &holders, &results)) return s->status;
    return mica__exporter_add(s, e, results.at, results.n, holders, keywords, nkeywords,
                              trace_again, &f);
}

const mica__text *mica__exporter_last(const mica_exporter *e)
{
    return e->n ? &e->traces[e->n - 1].graph : NULL;
}

/* ---- the file ---- */

static void put(mica__text *t, uint64_t word)
{
    mica__text_add(t, &word, sizeof word);
}
static void put_text(mica__text *t, const char *text)
{
    put(t, strlen(text));
    mica__text_add_string(t, text);
}
static void put_type(mica__text *t, mica_dtype dtype, mica_dims shape)
{
    put(t, dtype);
    put(t, (uint64_t)shape.n);
    if (shape.n) mica__text_add(t, shape.at, (size_t)shape.n * sizeof *shape.at);
}

static void describe(const mica_exporter *e, mica__text *t)
{
    put(t, e->shapeless ? MICA__EXPORT_SHAPELESS : 0);
    put_text(t, e->metadata);
    put(t, e->n);
    for (size_t i = 0; i < e->n; i++) {
        const mica__signature *g = &e->traces[i].signature;
        size_t positional = g->n - g->nkeywords;
        put(t, positional);
        for (size_t k = 0; k < positional; k++) put_type(t, g->dtypes[k], g->shapes[k]);
        put(t, g->nkeywords);
        for (size_t k = positional; k < g->n; k++) {
            put_text(t, g->keywords[k - positional]);
            put_type(t, g->dtypes[k], g->shapes[k]);
        }
        put(t, e->traces[i].graph.n);
        mica__text_add(t, e->traces[i].graph.at, e->traces[i].graph.n);
        if (!e->shapeless) continue;
        put(t, e->traces[i].sizes.n);
        mica__text_add(t, e->traces[i].sizes.at, e->traces[i].sizes.n);
    }
}

typedef int part(void *user, const void *bytes, size_t n);

static int padding(part *take, void *user, uint64_t before)
{
    static const char zeros[MICA__EXPORT_ALIGNMENT];
    size_t n = (size_t)(-before % MICA__EXPORT_ALIGNMENT);
    return n ? take(user, zeros, n) : MICA_OK;
}

/* All that follows the description. */
static int each_part(const mica_exporter *e, uint64_t before, part *take, void *user)
{
    MICA_TRY(padding(take, user, before));
    for (size_t i = 0; i < e->constants.n; i++) {
        const mica_array *a = e->constants.dense[i];
        size_t bytes = (size_t)a->size * mica__dtype_sizes[a->dtype];
        int status = bytes ? take(user, a->data, bytes) : MICA_OK;
        MICA_TRY(mica__check_values(a)); /* values of a mapped file that was cut short */
        MICA_TRY(status);
        MICA_TRY(padding(take, user, bytes));
    }
    return MICA_OK;
}

static int add_to_checksum(void *crc, const void *bytes, size_t n)
{
    *(uint32_t *)crc = mica__crc32(*(uint32_t *)crc, bytes, n);
    return MICA_OK;
}
static int write_part(void *writer, const void *bytes, size_t n)
{
    return mica__writer_write(writer, bytes, n);
}

static int write_file(const mica_exporter *e, mica__writer *w, const mica__text *t)
{
    uint64_t head[MICA__EXPORT_HEAD / 8] = { 0, MICA__EXPORT_VERSION, t->n, e->constants.bytes };
    uint64_t described = sizeof head + t->n;
    uint32_t crc = 0;
    memcpy(head, MICA__EXPORT_MAGIC, 8);
    if (e->constants.bytes <= MICA__EXPORT_CHECKED)
        MICA_TRY(each_part(e, described, add_to_checksum, &crc));
    head[4] = crc;
    head[5] = mica__crc32(mica__crc32(0, head, sizeof head - 8), t->at, t->n);
    MICA_TRY(mica__writer_reserve(w, t->n + e->constants.bytes));
    MICA_TRY(mica__writer_write(w, head, sizeof head));
    MICA_TRY(mica__writer_write(w, t->at, t->n));
    return each_part(e, described, write_part, w);
}

static int write_for_mlx(const mica_exporter *e, mica__writer *w)
{
    mica__text head = { 0 };
    mica__mlx_write_head(&head, e->n, e->metadata);
    int status = head.status ? head.status : mica__writer_write(w, head.at, head.n);
    mica__text_free(&head);
    for (size_t i = 0; i < e->n && !status; i++)
        status = mica__writer_write(w, e->traces[i].graph.at, e->traces[i].graph.n);
    return status;
}

int mica_exporter_commit(mica_exporter *e)
{
    mica__text t = { 0 };
    mica__writer *w = NULL;
    bool mlx = e->format == MICA_EXPORT_MLX;
    if (!mlx) describe(e, &t);
    int status = t.status ? t.status : mica__writer_open(&w, "export_function", e->path);
    if (!status) status = mlx ? write_for_mlx(e, w) : write_file(e, w, &t);
    mica__text_free(&t);
    if (status) mica__writer_abort(w);
    return status ? status : mica__writer_commit(w);
}

int mica_export_function(mica_scope *s, const char *path, mica_functions *function, void *user,
                         mica_arrays arguments)
{
    if (!mica__scope_ok(s)) return mica_scope_status(s);
    mica_exporter *e = NULL;
    int status = mica_exporter_open(path, MICA_EXPORT_MICA, false, NULL, &e);
    if (!status && mica_exporter_add(s, e, function, user, arguments, NULL, 0) == MICA_OK)
        status = mica_exporter_commit(e);
    mica_exporter_release(e);
    if (status) mica__scope_failed(s, status);
    return s->status;
}
