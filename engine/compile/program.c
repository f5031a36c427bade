/* Programs: traced graphs simplified once and replayed. */
#include "compile/program.h"

#include "autodiff/autodiff.h"
#include "core/watch.h"

/* Where an input or a result comes from: an output of an earlier operation, an argument, or a
 * captured array. */
typedef struct source {
    enum { FROM_OPERATION, FROM_ARGUMENT, FROM_CAPTURE } kind;
    uint32_t index, slot;
} source;

typedef struct operation {
    const mica_node *node; /* held by the program: primitive, parameters, output shapes, stream */
    source *in;
} operation;

struct mica__program {
    mica__arena arena;
    operation *operations;
    size_t n;
    mica_array **captured; /* retained */
    size_t ncaptured;
    source *results;
    mica_array **held; /* results of the trace: they keep the nodes */
    size_t nresults;
};

typedef struct maker {
    mica__program *p;
    mica__graph graph;
    mica__map captures; /* array -> index + 1 */
    source *sources;    /* by place in the graph: what stands for output 0 of the node */
    uint32_t *table;    /* operations by hash, open addressing; index + 1 */
    size_t table_size;
    mica_scope scope;
} maker;

static bool capture(maker *m, mica_array *a, source *out)
{
    void *known;
    mica__program *p = m->p;
    if (!mica__map_get(&m->captures, a, &known)) {
        if ((p->ncaptured & (p->ncaptured - 1)) == 0) {
            mica_array **grown =
                mica__realloc(p->captured, (p->ncaptured ? 2 * p->ncaptured : 1) * sizeof *grown);
            if (!grown) return false;
            p->captured = grown;
        }
        p->captured[p->ncaptured++] = mica_retain(a);
        const mica__watcher *watcher = mica__watching();
        if (watcher && !mica__is_done(a)) watcher->captured(a);
        known = (void *)(uintptr_t)p->ncaptured;
        if (mica__map_set(&m->captures, a, known) != MICA_OK) return false;
    }
    *out = (source){ FROM_CAPTURE, (uint32_t)(uintptr_t)known - 1, 0 };
    return true;
}

static bool source_of(maker *m, mica_array *a, source *out)
{
    int64_t at = mica__graph_find(&m->graph, a);
    if (at < 0) return capture(m, a, out);
    *out = m->sources[at];
    if (out->kind == FROM_OPERATION) out->slot += a->slot;
    return true;
}

static bool same_source(source a, source b)
{
    return a.kind == b.kind && a.index == b.index && a.slot == b.slot;
}

static uint64_t hash_operation(const operation *o)
{
    uint64_t h = mica__params_hash(o->node->prim, o->node->params);
    for (uint32_t i = 0; i < o->node->ninputs; i++) {
        uint32_t words[3] = { (uint32_t)o->in[i].kind, o->in[i].index, o->in[i].slot };
        h = mica__hash(h, words, sizeof words);
    }
    return h;
}

static bool same_operation(const operation *a, const operation *b)
{
    const mica_node *x = a->node, *y = b->node;
    if (x->prim != y->prim || x->ninputs != y->ninputs || x->stream != y->stream ||
        x->noutputs != y->noutputs || x->out[0].dtype != y->out[0].dtype ||
        !mica__shape_equal(mica__dims_of(&x->out[0]), mica__dims_of(&y->out[0])))
        return false;
    for (uint32_t i = 0; i < x->ninputs; i++)
        if (!same_source(a->in[i], b->in[i])) return false;
    return mica__prims[x->prim].params_size == 0 ||
           mica__params_equal(x->prim, x->params, y->params);
}

/* The index of an equal operation, or UINT32_MAX after this one was entered. */
static uint32_t enter(maker *m, uint32_t index)
{
    operation *o = &m->p->operations[index];
    for (size_t at = hash_operation(o) & (m->table_size - 1);;
         at = (at + 1) & (m->table_size - 1)) {
        uint32_t other = m->table[at];
        if (!other) {
            m->table[at] = index + 1;
            return UINT32_MAX;
        }
        if (same_operation(&m->p->operations[other - 1], o)) return other - 1;
    }
}

static bool add_operation(maker *m, size_t place)
{
    mica_node *n = m->graph.nodes.at[place];
    mica__program *p = m->p;
    if (n->prim == mica_prim_alias)
        return source_of(m, n->inputs[0],
                         &m->sources[place]); /* a tracer of a transformation that is over */
    operation *o = &p->operations[p->n];
    o->node = n;
    o->in = mica__arena_alloc(&p->arena, (n->ninputs + 1) * sizeof *o->in);
    if (!o->in) return false;
    for (uint32_t i = 0; i < n->ninputs; i++)
        if (!source_of(m, n->inputs[i], &o->in[i])) return false;
    uint32_t equal = enter(m, (uint32_t)p->n);
    m->sources[place] =
        (source){ FROM_OPERATION, equal == UINT32_MAX ? (uint32_t)p->n++ : equal, 0 };
    return true;
}

static bool make(maker *m, mica_array *const results[], size_t nresults,
                 mica_array *const placeholders[], size_t n)
{
    mica__program *p = m->p;
    if (!mica__graph_make(&m->scope, &m->graph, results, nresults, placeholders, n)) return false;
    size_t count = m->graph.nodes.n;
    m->table_size = 16;
    while (m->table_size < 2 * count) m->table_size *= 2;
    m->table = mica__arena_alloc(&m->scope.arena, m->table_size * sizeof *m->table);
    m->sources = mica__arena_alloc(&m->scope.arena, (count + 1) * sizeof *m->sources);
    p->operations = mica__arena_alloc(&p->arena, (count + 1) * sizeof *p->operations);
    p->results = mica__arena_alloc(&p->arena, (nresults + 1) * sizeof *p->results);
    p->held = mica__arena_alloc(&p->arena, (nresults + 1) * sizeof *p->held);
    if (!m->table || !m->sources || !p->operations || !p->results || !p->held) return false;
    memset(m->table, 0, m->table_size * sizeof *m->table);
    for (size_t i = 0; i < n; i++)
        m->sources[mica__graph_find(&m->graph, placeholders[i])] =
            (source){ FROM_ARGUMENT, (uint32_t)i, 0 };
    for (size_t i = n; i < count; i++)
        if (!add_operation(m, i)) return false;
    for (size_t i = 0; i < nresults; i++) {
        if (!source_of(m, results[i], &p->results[i])) return false;
        p->held[p->nresults++] = mica_retain(results[i]);
    }
    return true;
}

mica__program *mica__program_make(mica_array *const results[], size_t nresults,
                                  mica_array *const placeholders[], size_t n)
{
    mica__program *p = mica__alloc_zero(1, sizeof *p);
    if (!p) return NULL;
    maker m = { .p = p };
    mica__scope_begin(&m.scope, NULL);
    bool ok = make(&m, results, nresults, placeholders, n);
    mica__graph_free(&m.graph);
    mica__map_free(&m.captures);
    mica__scope_end(&m.scope);
    if (ok) return p;
    mica__program_free(p);
    return NULL;
}

void mica__program_free(mica__program *p)
{
    if (!p) return;
    for (size_t i = 0; i < p->nresults; i++) mica_release(p->held[i]);
    for (size_t i = 0; i < p->ncaptured; i++) mica_release(p->captured[i]);
    mica__free(p->captured);
    mica__arena_free(&p->arena);
    mica__free(p);
}

size_t mica__program_length(const mica__program *p)
{
    return p->n;
}

bool mica__program_run(mica_scope *s, const mica__program *p, mica_array *const inputs[],
                       mica_array *results[])
{
    mica_array ***made =
        mica__scope_alloc(s, (p->n + 1) * sizeof *made); /* outputs of each operation */
    if (!made) return false;
    uint16_t caller = s->origin; /* errors name what the function called when it was traced */
    for (size_t i = 0; i < p->n; i++) {
        const operation *o = &p->operations[i];
        const mica_node *n = o->node;
        s->origin = n->origin;
        mica_array *few[16],
            **in = n->ninputs <= 16 ? few : mica__scope_alloc(s, n->ninputs * sizeof *in);
        made[i] = mica__scope_alloc(s, n->noutputs * sizeof **made);
        if (!in || !made[i]) return false;
        for (uint32_t k = 0; k < n->ninputs; k++) {
            source f = o->in[k];
            in[k] = f.kind == FROM_ARGUMENT  ? inputs[f.index]
                    : f.kind == FROM_CAPTURE ? p->captured[f.index]
                                             : made[f.index][f.slot];
        }
        if (n->noutputs == 1
                ? !(made[i][0] = mica__rebuild_as(s, n, in, NULL, mica__dims_of(&n->out[0])))
                : !mica__rebuild(s, n, in, NULL, made[i]))
            return false;
        if (n->stream) mica__node_of(made[i][0])->stream = n->stream;
    }
    s->origin = caller;
    for (size_t i = 0; i < p->nresults; i++) {
        source f = p->results[i];
        results[i] = f.kind == FROM_ARGUMENT  ? inputs[f.index]
                     : f.kind == FROM_CAPTURE ? p->captured[f.index]
                                              : made[f.index][f.slot];
    }
    return true;
}
