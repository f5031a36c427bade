/* What all walkers share: the part of a graph that depends on tracers, rebuilding of nodes, and
 * tracing itself. */
#include "autodiff/autodiff.h"
#include "core/watch.h"

static _Thread_local int trace_depth;

/* A node that stands for another belongs to the same line. */
static void keep_site(const mica_node *n)
{
    if (mica__watching() && n->site) mica__site = n->site;
}

bool mica__rebuild(mica_scope *s, const mica_node *n, mica_array *const inputs[],
                   const void *params, mica_array *results[])
{
    mica_dtype dtypes[256];
    mica_dims shapes[256];
    keep_site(n);
    for (size_t i = 0; i < n->noutputs; i++) {
        dtypes[i] = (mica_dtype)n->out[i].dtype;
        shapes[i] = mica__dims_of(&n->out[i]);
    }
    return mica__build_many(s, (mica_prim)n->prim,
                            params                             ? params
                            : mica__prims[n->prim].params_size ? n->params
                                                               : NULL,
                            n->ninputs, inputs, n->noutputs, dtypes, shapes, results);
}

mica_array *mica__rebuild_as(mica_scope *s, const mica_node *n, mica_array *const inputs[],
                             const void *params, mica_dims shape)
{
    keep_site(n);
    mica_array *a = mica__build(s, (mica_prim)n->prim,
                                params                             ? params
                                : mica__prims[n->prim].params_size ? n->params
                                                                   : NULL,
                                n->ninputs, inputs, (mica_dtype)n->out[0].dtype, shape);
    if (a) mica__node_of(a)->flags |= n->flags & MICA_NODE_ASKED;
    return a;
}

/* ---- tracing ---- */

bool mica__trace_begin(mica_scope *s, mica_array *const arguments[], size_t n,
                       mica_array *tracers[])
{
    trace_depth++;
    for (size_t i = 0; i < n; i++) {
        mica_array *a = mica__operand(s, arguments[i]);
        tracers[i] =
            a ? mica__build(s, mica_prim_alias, NULL, 1, &a, (mica_dtype)a->dtype, mica__dims_of(a))
              : NULL;
        if (!tracers[i]) return false;
        mica__node_of(tracers[i])->flags |= MICA_NODE_TRACED;
    }
    return true;
}

/* What depends on a placeholder belongs to a vmap or compile that still traces. */
static bool ends(const mica_node *n)
{
    return (n->flags & (MICA_NODE_TRACED | MICA_NODE_ABSTRACT)) == MICA_NODE_TRACED;
}

bool mica__trace_end(mica_array *const results[], size_t n)
{
    if (--trace_depth > 0) return true;
    mica__vec open = { 0 };
    bool ok = true;
    for (size_t i = 0; i < n && ok; i++)
        if (results[i] && ends(mica__node_of(results[i]))) {
            mica__node_of(results[i])->flags &= (uint8_t)~MICA_NODE_TRACED;
            ok = mica__vec_push(&open, mica__node_of(results[i])) == MICA_OK;
        }
    /* First all flags are cleared, then inputs are let go: a node on the list must not vanish with
     * its last consumer. */
    for (size_t at = 0; at < open.n && ok; at++) {
        mica_node *node = open.at[at];
        for (uint32_t k = 0; k < node->ninputs && ok; k++) {
            mica_node *input = mica__node_of(node->inputs[k]);
            if (!ends(input)) continue;
            input->flags &= (uint8_t)~MICA_NODE_TRACED;
            ok = mica__vec_push(&open, input) == MICA_OK;
        }
    }
    for (size_t at = open.n; at-- > 0 && ok;) {
        mica_node *node = open.at[at]; /* inputs come after their consumers in the list: from the
                                          end, a node is still held */
        if (mica__state(node) == MICA_NODE_DONE) mica__node_detach(node);
    }
    mica__vec_free(&open);
    return ok;
}

mica_array *mica__placeholder(mica_scope *s, mica_dtype dtype, mica_dims shape)
{
    mica_array *a = mica__build(s, mica_prim_placeholder, NULL, 0, NULL, dtype, shape);
    if (a) mica__node_of(a)->flags |= MICA_NODE_TRACED | MICA_NODE_ABSTRACT | MICA_NODE_PLACEHOLDER;
    return a;
}

/* ---- the dependent part of a graph ---- */

typedef struct frame {
    mica_node *node;
    uint32_t next;
    bool depends;
} frame;

typedef struct walk {
    frame *at;
    size_t n, capacity;
} walk;

static bool enter(walk *w, mica_node *n)
{
    if (w->n == w->capacity) {
        size_t capacity = w->capacity ? 2 * w->capacity : 64;
        frame *at = mica__realloc(w->at, capacity * sizeof *at);
        if (!at) return false;
        w->at = at;
        w->capacity = capacity;
    }
    w->at[w->n++] = (frame){ n, 0, false };
    return true;
}

/* In the map: place + 1 for a dependent node; this for one that was seen and does not depend. */
static char independent_marker;
#define INDEPENDENT ((void *)&independent_marker)

static bool explore(mica__graph *g, walk *w, mica_node *top)
{
    void *known;
    if (!(top->flags & MICA_NODE_TRACED) || mica__map_get(&g->index, top, &known)) return true;
    if (!enter(w, top)) return false;
    if (mica__map_set(&g->index, top, INDEPENDENT) != MICA_OK) return false;
    while (w->n) {
        frame *f = &w->at[w->n - 1];
        if (f->next < f->node->ninputs) {
            mica_node *input = mica__node_of(f->node->inputs[f->next++]);
            if (!(input->flags & MICA_NODE_TRACED)) continue;
            if (mica__map_get(&g->index, input, &known)) {
                if (known != INDEPENDENT) f->depends = true;
                continue;
            }
            if (mica__map_set(&g->index, input, INDEPENDENT) != MICA_OK || !enter(w, input))
                return false;
            continue;
        }
        if (f->depends) {
            if (mica__vec_push(&g->nodes, f->node) != MICA_OK) return false;
            if (mica__map_set(&g->index, f->node, (void *)(uintptr_t)g->nodes.n) != MICA_OK)
                return false;
            if (w->n > 1) w->at[w->n - 2].depends = true;
        }
        w->n--;
    }
    return true;
}

bool mica__graph_make(mica_scope *s, mica__graph *g, mica_array *const results[], size_t nresults,
                      mica_array *const sources[], size_t nsources)
{
    memset(g, 0, sizeof *g);
    walk w = { 0 };
    bool ok = true;
    for (size_t i = 0; i < nsources && ok; i++) {
        mica_node *n = mica__node_of(sources[i]);
        if (mica__graph_find(g, sources[i]) >= 0) continue;
        ok = mica__vec_push(&g->nodes, n) == MICA_OK &&
             mica__map_set(&g->index, n, (void *)(uintptr_t)g->nodes.n) == MICA_OK;
    }
    for (size_t i = 0; i < nresults && ok; i++) ok = explore(g, &w, mica__node_of(results[i]));
    mica__free(w.at);
    if (ok) return true;
    mica__graph_free(g);
    mica__scope_failed(s, MICA_EMEMORY);
    return false;
}

void mica__graph_free(mica__graph *g)
{
    mica__vec_free(&g->nodes);
    mica__map_free(&g->index);
}

int64_t mica__graph_find(const mica__graph *g, const mica_array *a)
{
    void *place;
    if (!mica__map_get(&g->index, mica__node_of(a), &place) || place == INDEPENDENT) return -1;
    return (int64_t)(uintptr_t)place - 1;
}
