/* Files of exported functions read: which functions there are, and calls to them. The format is
   described in export.c. */
#include "base/checksum.h"
#include "io/export.h"
#include "io/export_file.h"
#include "io/follow.h"
#include "io/mlx.h"
#include "io/signature.h"
#include "io/words.h"

/* There may be many: what calls need is made by the first one. */
typedef struct function {
    mica__signature signature;
    const char *graph;
    size_t bytes;
    const mica_imported *of;
    mica__sizes *sizes;                /* of shapeless files of our own */
    _Atomic(mica_compiled *) compiled; /* builds the graph, once for each shape; NULL at first */
} function;

struct mica_imported {
    mica_scope *scope; /* memory of texts and signatures */
    mica__source source;
    mica__source data; /* the part that constants lie in */
    const char *metadata;
    bool mlx, shapeless;
    function *functions;
    size_t n;
};

/* ---- reading ---- */

static bool get_signature(mica__words *w, mica__signature *g)
{
    uint64_t positional, keywords;
    if (!mica__words_count(w, 16, &positional)) return false;
    /* Room for all arguments is taken once both counts are known. */
    mica__words ahead = *w;
    for (uint64_t k = 0; k < positional; k++)
        if (!mica__words_skip_type(&ahead)) return false;
    if (!mica__words_count(&ahead, 24, &keywords)) return false;
    *g = (mica__signature){ .n = (size_t)(positional + keywords), .nkeywords = (size_t)keywords };
    g->dtypes = mica__scope_alloc(w->s, (g->n + 1) * sizeof *g->dtypes);
    g->shapes = mica__scope_alloc(w->s, (g->n + 1) * sizeof *g->shapes);
    g->keywords = mica__scope_alloc(w->s, (g->nkeywords + 1) * sizeof *g->keywords);
    if (!g->dtypes || !g->shapes || !g->keywords) return false;
    for (size_t k = 0; k < positional; k++)
        if (!mica__words_type(w, &g->dtypes[k], &g->shapes[k])) return false;
    *w = ahead;
    for (size_t k = 0; k < g->nkeywords; k++) {
        size_t at = (size_t)positional + k;
        if (!mica__words_text(w, &g->keywords[k]) ||
            !mica__words_type(w, &g->dtypes[at], &g->shapes[at]))
            return false;
        if (k && strcmp(g->keywords[k - 1], g->keywords[k]) >= 0)
            return mica__words_broken(w, "keywords out of order");
    }
    return true;
}

static bool get_sizes(mica__words *w, function *f)
{
    uint64_t bytes, axes = 0;
    if (!mica__words_count(w, 1, &bytes)) return false;
    mica__words part = { w->s, mica__words_take(w, (size_t)bytes), (size_t)bytes };
    f->sizes = mica__scope_alloc(w->s, sizeof *f->sizes);
    if (!f->sizes || !mica__sizes_get(&part, f->sizes)) return false;
    for (size_t i = 0; i < f->signature.n; i++) axes += (uint64_t)f->signature.shapes[i].n;
    return f->sizes->naxes == axes || mica__words_broken(w, "the number of axes");
}

static bool get_functions(mica__words *w, mica_imported *m)
{
    uint64_t flags, n, bytes;
    if (!mica__words_get(w, &flags) || !mica__words_text(w, &m->metadata) ||
        !mica__words_count(w, 24, &n))
        return false;
    if (flags == 1) {
        mica__error(w->s, MICA_EIO,
                    "[import_function] %s is shapeless, of a version that did not write how sizes "
                    "follow: export the function again",
                    m->source.name);
        return false;
    }
    if (flags && flags != MICA__EXPORT_SHAPELESS) return mica__words_broken(w, "unknown flags");
    m->shapeless = flags != 0;
    m->functions = mica__scope_alloc(w->s, ((size_t)n + 1) * sizeof *m->functions);
    if (!m->functions) return false;
    for (size_t i = 0; i < n; i++) {
        function *f = &m->functions[i];
        *f = (function){ .of = m };
        if (!get_signature(w, &f->signature) || !mica__words_count(w, 1, &bytes)) return false;
        f->graph = w->at;
        f->bytes = (size_t)bytes;
        mica__words_take(w, (size_t)bytes);
        if (m->shapeless && !get_sizes(w, f)) return false;
        m->n = i + 1;
    }
    return !w->left || mica__words_broken(w, "bytes after its end");
}

static bool refuse(mica_imported *m, const char *what)
{
    mica__error(m->scope, MICA_EIO, "[import_function] %s %s", m->source.name, what);
    return false;
}

/* Files of MLX have their constants among the operations: data is all of the file. */
static bool read_mlx(mica_imported *m)
{
    mica__words w = { m->scope, m->source.base, (size_t)m->source.bytes };
    uint64_t n;
    m->mlx = true;
    m->data = m->source;
    if (!mica__mlx_head(&w, &n, &m->shapeless, &m->metadata)) return false;
    m->functions = mica__scope_alloc(m->scope, ((size_t)n + 1) * sizeof *m->functions);
    if (!m->functions) return false;
    for (uint64_t i = 0; i < n; i++) {
        function *f = &m->functions[i];
        *f = (function){ .of = m, .graph = w.at };
        if (!mica__mlx_skip(&w, &f->signature)) return false;
        f->bytes = (size_t)(w.at - f->graph);
        m->n = (size_t)i + 1;
    }
    return !w.left || mica__words_broken(&w, "bytes after its end");
}

static bool read_file(mica_imported *m)
{
    uint64_t head[MICA__EXPORT_HEAD / 8];
    const mica__source *from = &m->source;
    if (mica__mlx_begins(from)) return read_mlx(m);
    if (from->bytes < 8 || memcmp(from->base, MICA__EXPORT_MAGIC, 8) != 0)
        return refuse(m, "is not an exported function");
    if (from->bytes < sizeof head) return refuse(m, "is damaged or not complete");
    memcpy(head, from->base, sizeof head);
    if (head[1] != MICA__EXPORT_VERSION) {
        mica__error(m->scope, MICA_EIO,
                    "[import_function] %s has version %llu of the format, known is %d: export the "
                    "function again",
                    from->name, (unsigned long long)head[1], MICA__EXPORT_VERSION);
        return false;
    }
    uint64_t described = head[2], after = from->bytes - sizeof head;
    if (described > after || head[5] != mica__crc32(mica__crc32(0, head, sizeof head - 8),
                                                    from->base + sizeof head, (size_t)described))
        return refuse(m, "is damaged or not complete");
    uint64_t start = sizeof head + described, rest = from->bytes - start;
    start += -start % MICA__EXPORT_ALIGNMENT;
    if (start > from->bytes || head[3] != from->bytes - start)
        return refuse(m, "is damaged or not complete");
    if (head[3] <= MICA__EXPORT_CHECKED &&
        head[4] != mica__crc32(0, from->base + from->bytes - rest, (size_t)rest))
        return refuse(m, "is damaged or not complete");
    m->data = *from;
    m->data.base += start;
    m->data.bytes -= start;
    mica__words w = { m->scope, from->base + sizeof head, (size_t)described };
    return get_functions(&w, m);
}

/* ---- calls ---- */

static mica_arrays build(mica_scope *s, mica_arrays arguments, void *user)
{
    const function *f = user;
    mica__graph_bytes graph = { f->graph, f->bytes, &f->of->data };
    mica_arrays results = { 0 };
    bool ok = f->of->mlx
                  ? mica__mlx_read(s, &graph, f->of->shapeless, arguments.at, arguments.n, &results)
                  : mica__graph_read(s, &graph, f->sizes, arguments.at, arguments.n, &results);
    return ok ? results : (mica_arrays){ 0, NULL };
}

/* Threads that call at once may make several, of which the first stays. */
static mica_compiled *compiled(mica_scope *s, function *f)
{
    mica_compiled *c = atomic_load_explicit(&f->compiled, memory_order_acquire), *none = NULL;
    if (c) return c;
    int status = mica_compile(build, f, NULL, false, &c);
    if (status) return mica__scope_failed(s, status);
    if (atomic_compare_exchange_strong(&f->compiled, &none, c)) return c;
    mica_compiled_release(c);
    return none;
}

int mica__import_source(const mica__source *from, mica_imported **out)
{
    mica_imported *m = mica__alloc_zero(1, sizeof *m);
    if (!m) return MICA_EMEMORY;
    m->source = *from;
    mica__source_retain(from);
    m->scope = mica_scope_open(NULL);
    int status = MICA_EMEMORY;
    if (m->scope) status = read_file(m) ? MICA_OK : m->scope->status;
    mica__source_forget(from);
    if (!status) status = mica__source_check(from);
    if (status) mica_imported_release(m);
    else *out = m;
    return status;
}

int mica_import_function(const char *path, mica_imported **out)
{
    mica__mapping *m;
    if (!path) return mica__fail(MICA_EVALUE, "[import_function] the path is NULL");
    int status = mica__mapping_open(&m, path);
    if (status == MICA_EIO)
        return mica__fail(status, "[import_function] Failed to open %s: %s", path,
                          mica_last_error());
    MICA_TRY(status);
    mica__source from;
    status = mica__source_of_mapping(&from, m, 0);
    mica__mapping_release(m);
    MICA_TRY(status);
    status = mica__import_source(&from, out);
    mica__source_release(&from);
    return status;
}

const char *mica_imported_metadata(const mica_imported *m)
{
    return m ? m->metadata : "";
}

size_t mica__imported_count(const mica_imported *m)
{
    return m->n;
}
const mica__signature *mica__imported_signature(const mica_imported *m, size_t i)
{
    return &m->functions[i].signature;
}

void mica_imported_release(mica_imported *m)
{
    if (!m) return;
    for (size_t i = 0; i < m->n; i++) mica_compiled_release(atomic_load(&m->functions[i].compiled));
    if (m->scope) mica_scope_close(m->scope);
    mica__source_release(&m->source);
    mica__free(m);
}

static int no_match(mica_scope *s, const mica_imported *m, const mica__signature *given)
{
    mica__text t = { 0 };
    for (size_t i = 0; i < m->n; i++) {
        mica__text_add_format(&t, " %zu. Function with ", i + 1);
        mica__signature_describe(&t, &m->functions[i].signature, "   ");
    }
    mica__text_add_string(&t, "\nCalled with ");
    mica__signature_describe(&t, given, "  ");
    mica__error(s, MICA_EVALUE,
                "[import_function::call] No imported function found which matches the given "
                "positional and keyword arguments. Possible functions include:\n%s",
                t.at ? t.at : "");
    mica__text_free(&t);
    return s->status;
}

int mica_imported_call(mica_scope *s, mica_imported *m, mica_arrays arguments,
                       const char *const keywords[], size_t nkeywords, mica_arrays *results)
{
    if (!mica__scope_ok(s)) return mica_scope_status(s);
    mica__signature given;
    size_t *order = mica__scope_alloc(s, (arguments.n + 1) * sizeof *order);
    mica_array **in = mica__scope_alloc(s, (arguments.n + 1) * sizeof(mica_array *));
    if (!order || !in || !mica__signature_of(s, &given, arguments, keywords, nkeywords, order))
        return s->status;
    for (size_t i = 0; i < arguments.n; i++) in[i] = arguments.at[order[i]];
    for (size_t i = 0; i < m->n; i++)
        if (mica__signature_accepts(&m->functions[i].signature, &given, m->shapeless)) {
            mica_compiled *c = compiled(s, &m->functions[i]);
            return c ? mica_compiled_call(s, c, (mica_arrays){ arguments.n, in }, results)
                     : s->status;
        }
    return no_match(s, m, &given);
}
