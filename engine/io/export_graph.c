/* Graphs to bytes. Little-endian words of 8 bytes:

     ninputs, (dtype, shape) of each
     entries: 1 dtype shape offset                                    a constant, in the file's data
              2 name fields ninputs values noutputs (dtype, shape)    an operation
              0 nresults values                                       the end
   A value is the place among inputs, constants and outputs in the order of the file. A shape is its
   length and sizes; a name is its length and bytes. */
#include "autodiff/autodiff.h"
#include "io/export.h"

enum { ALIGNMENT = 64 };

/* ---- constants ---- */

void mica__constants_free(mica__constants *c)
{
    for (size_t i = 0; i < c->n; i++) {
        mica_release(c->keys[i]);
        mica_release(c->dense[i]);
    }
    mica__free(c->keys);
    mica__free(c->dense);
    mica__free(c->offset);
    mica__map_free(&c->known);
    *c = (mica__constants){ 0 };
}

static bool grow(mica__constants *c)
{
    size_t capacity = c->capacity ? 2 * c->capacity : 16;
    mica_array **keys = mica__realloc(c->keys, capacity * sizeof *keys);
    if (keys) c->keys = keys;
    mica_array **dense = keys ? mica__realloc(c->dense, capacity * sizeof *dense) : NULL;
    if (dense) c->dense = dense;
    uint64_t *offset = dense ? mica__realloc(c->offset, capacity * sizeof *offset) : NULL;
    if (offset) {
        c->offset = offset;
        c->capacity = capacity;
    }
    return offset != NULL;
}

/* The place of a captured array among the constants. */
static bool constant_of(mica_scope *s, mica__constants *c, mica_array *a, size_t *place)
{
    void *known;
    if (mica__map_get(&c->known, a, &known)) {
        *place = (size_t)(uintptr_t)known - 1;
        return true;
    }
    mica_array *dense = mica_contiguous(s, a, false);
    if (!dense || mica_eval(s, &dense, 1) != MICA_OK) return false;
    if (c->n == c->capacity && !grow(c)) return mica__scope_failed(s, MICA_EMEMORY);
    if (mica__map_set(&c->known, a, (void *)(uintptr_t)(c->n + 1)))
        return mica__scope_failed(s, MICA_EMEMORY);
    *place = c->n;
    c->keys[c->n] = mica_retain(a);
    c->dense[c->n] = mica_retain(dense);
    c->offset[c->n++] = c->bytes;
    uint64_t bytes = (uint64_t)dense->size * mica__dtype_sizes[dense->dtype];
    c->bytes += (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    return true;
}

/* ---- graphs ---- */

typedef struct writer {
    mica_scope *s;
    mica__text *to;
    mica__constants *constants;
    mica__graph graph;
    mica__map written; /* captured array -> value + 1 */
    mica__map made;    /* node -> value + 1 of its first output */
    uint64_t *first;   /* by place in the graph: the value of output 0 */
    uint64_t values;
} writer;

static void put(writer *w, uint64_t word)
{
    mica__text_add(w->to, &word, sizeof word);
}

static void put_shape(writer *w, mica_dims d)
{
    put(w, (uint64_t)d.n);
    if (d.n > 0) mica__text_add(w->to, d.at, (size_t)d.n * sizeof *d.at);
}

static void put_type(writer *w, const mica_array *a)
{
    put(w, a->dtype);
    put_shape(w, mica__dims_of(a));
}

static bool put_constant(writer *w, mica_array *a, uint64_t *value)
{
    void *known;
    size_t place = 0;
    if (mica__map_get(&w->written, a, &known)) {
        *value = (uint64_t)(uintptr_t)known - 1;
        return true;
    }
    if (!constant_of(w->s, w->constants, a, &place)) return false;
    put(w, MICA__ENTRY_CONSTANT);
    put_type(w, w->constants->dense[place]);
    put(w, w->constants->offset[place]);
    *value = w->values++;
    int status = mica__map_set(&w->written, a, (void *)(uintptr_t)(*value + 1));
    return status ? mica__scope_failed(w->s, status) != NULL : true;
}

/* Aliases and custom rules only pass arrays on: the array that stands behind a node's output, NULL
 * for other nodes. */
static mica_array *passed(const mica_node *n, size_t slot)
{
    if (n->prim == mica_prim_alias) return n->inputs[0];
    if (n->prim == mica_prim_custom)
        return n->inputs[(size_t)MICA_PARAMS(n, custom)->arguments + slot];
    return NULL;
}

/* Whether the array was made while sizes varied, of no input: it may be another for other sizes, as
 * zeros of the shape of an input are, so it is an operation of the graph. */
static bool is_made(const mica_array *a)
{
    return (mica__node_of(a)->flags & MICA_NODE_SIZED) && !mica__is_done(a);
}

static bool put_made(writer *w, mica_array *a);

static bool value_of(writer *w, mica_array *a, uint64_t *value)
{
    int64_t at;
    void *known;
    while ((at = mica__graph_find(&w->graph, a)) >= 0 || is_made(a)) {
        mica_node *n = mica__node_of(a);
        mica_array *behind = passed(n, a->slot);
        if (behind) {
            a = behind;
            continue;
        }
        if (at >= 0) {
            *value = w->first[at] + a->slot;
            return true;
        }
        if (!mica__map_get(&w->made, n, &known)) {
            if (!put_made(w, a) || !mica__map_get(&w->made, n, &known)) return false;
        }
        *value = (uint64_t)(uintptr_t)known - 1 + a->slot;
        return true;
    }
    return put_constant(w, a, value);
}

static bool put_fields(writer *w, const mica_node *n)
{
    const char *at = n->params;
    for (const mica__field *f = mica__prims[n->prim].fields; f->kind != MICA_FIELD_END; f++) {
        if (f->kind == MICA_FIELD_POINTER)
            return mica__error(
                w->s, MICA_EVALUE,
                "[export_function] the primitive %s refers to memory of this process and cannot be "
                "exported",
                mica__prims[n->prim].name);
        if (f->kind == MICA_FIELD_DIMS || f->kind == MICA_FIELD_AXES) {
            put_shape(w, *(const mica_dims *)(const void *)at);
            at += sizeof(mica_dims);
        } else {
            mica__text_add(w->to, at, 8);
            at += 8;
        }
    }
    return true;
}

static bool put_node(writer *w, const mica_node *n, uint64_t *first)
{
    uint64_t *in = mica__scope_alloc(w->s, (n->ninputs + 1) * sizeof *in);
    if (!in) return false;
    for (uint32_t i = 0; i < n->ninputs; i++) /* constants come before what reads them */
        if (!value_of(w, n->inputs[i], &in[i])) return false;
    const char *name = mica__prims[n->prim].name;
    put(w, MICA__ENTRY_OPERATION);
    put(w, strlen(name));
    mica__text_add(w->to, name, strlen(name));
    if (!put_fields(w, n)) return false;
    put(w, n->ninputs);
    mica__text_add(w->to, in, n->ninputs * sizeof *in);
    put(w, n->noutputs);
    for (size_t i = 0; i < n->noutputs; i++) put_type(w, &n->out[i]);
    *first = w->values;
    w->values += n->noutputs;
    return true;
}

static bool put_operation(writer *w, size_t place)
{
    const mica_node *n = w->graph.nodes.at[place];
    return passed(n, 0) || put_node(w, n, &w->first[place]);
}

/* Nodes that were made and are not written yet, inputs first, without recursion: graphs are deep.
 */
static bool put_made(writer *w, mica_array *a)
{
    mica__vec pending = { 0 };
    void *known;
    bool ok = mica__vec_push(&pending, mica__node_of(a)) == MICA_OK;
    while (ok && pending.n) {
        mica_node *n = pending.at[pending.n - 1];
        size_t before = pending.n;
        bool again = mica__map_get(&w->made, n, &known);
        for (uint32_t i = 0; ok && !again && i < n->ninputs; i++) {
            mica_array *in = n->inputs[i], *behind;
            while (is_made(in) && (behind = passed(mica__node_of(in), in->slot))) in = behind;
            if (is_made(in) && mica__graph_find(&w->graph, in) < 0 &&
                !mica__map_get(&w->made, mica__node_of(in), &known))
                ok = mica__vec_push(&pending, mica__node_of(in)) == MICA_OK;
        }
        if (!ok || pending.n > before) continue;
        pending.n--;
        uint64_t first;
        if (!again)
            ok = put_node(w, n, &first) &&
                 mica__map_set(&w->made, n, (void *)(uintptr_t)(first + 1)) == MICA_OK;
    }
    mica__vec_free(&pending);
    return ok || (mica__scope_ok(w->s) && mica__scope_failed(w->s, MICA_EMEMORY));
}

static bool put_graph(writer *w, mica_array *const results[], size_t nresults,
                      mica_array *const placeholders[], size_t n)
{
    if (!mica__graph_make(w->s, &w->graph, results, nresults, placeholders, n)) return false;
    w->first = mica__scope_alloc(w->s, (w->graph.nodes.n + 1) * sizeof *w->first);
    uint64_t *out = mica__scope_alloc(w->s, (nresults + 1) * sizeof *out);
    if (!w->first || !out) return false;
    put(w, n);
    for (size_t i = 0; i < n; i++) {
        put_type(w, placeholders[i]);
        w->first[mica__graph_find(&w->graph, placeholders[i])] = i;
    }
    w->values = n;
    for (size_t i = n; i < w->graph.nodes.n; i++)
        if (!put_operation(w, i)) return false;
    for (size_t i = 0; i < nresults; i++)
        if (!value_of(w, results[i], &out[i])) return false;
    put(w, MICA__ENTRY_END);
    put(w, nresults);
    mica__text_add(w->to, out, nresults * sizeof *out);
    if (w->to->status) mica__scope_failed(w->s, w->to->status);
    return mica__scope_ok(w->s);
}

bool mica__graph_write(mica_scope *s, mica__text *to, mica__constants *constants,
                       mica_array *const results[], size_t nresults,
                       mica_array *const placeholders[], size_t n)
{
    writer w = { .s = s, .to = to, .constants = constants };
    bool ok = put_graph(&w, results, nresults, placeholders, n);
    mica__graph_free(&w.graph);
    mica__map_free(&w.written);
    mica__map_free(&w.made);
    if (!ok) mica__scope_failed(s, MICA_EMEMORY);
    return ok;
}
