/* Reverse mode: cotangents flow from results to tracers. */
#include "autodiff/autodiff.h"
#include "core/watch.h"

const mica__rule_set mica__rule_sets[MICA_PRIM_COUNT] = {
#define PARTIAL(prim) [mica_prim_##prim].partial = mica__partial_##prim,
#define VJP(prim)     [mica_prim_##prim].vjp = mica__vjp_##prim,
#define JVP(prim)     [mica_prim_##prim].jvp = mica__jvp_##prim,
#define VMAP(prim)    [mica_prim_##prim].vmap = mica__vmap_##prim,
#include "autodiff/rules.def"
#undef PARTIAL
#undef VJP
#undef JVP
#undef VMAP
};

bool mica__is_flat(const mica_node *n)
{
    if (!(mica__prims[n->prim].flags & MICA_PRIM_NONDIFF)) return false;
    return !mica__rule_sets[n->prim].vjp || n->out[0].dtype != MICA_COMPLEX64;
}

/* Element-wise by class: cotangent times the conjugate of the partial, summed over what was
 * broadcast. */
static void vjp_by_partial(mica_scope *s, const mica_node *n, mica_array *cotangent,
                           const bool needed[], mica_array *gradients[])
{
    for (uint32_t i = 0; i < n->ninputs; i++) {
        if (!needed[i]) continue;
        mica_array *p = mica__rule_sets[n->prim].partial(s, n, (int)i), *x = n->inputs[i];
        if (!p) continue;
        if (p->dtype == MICA_COMPLEX64) p = mica_conjugate(s, p);
        mica_array *g = mica_multiply(s, cotangent, p);
        gradients[i] =
            mica__cast(s, mica__unbroadcast(s, g, mica__dims_of(x)), (mica_dtype)x->dtype);
    }
}

static void pull_node(mica_scope *s, const mica_node *n, mica_array *const cotangents[],
                      const bool needed[], mica_array *gradients[])
{
    const mica__prim_info *info = &mica__prims[n->prim];
    if (mica__is_flat(n)) return;
    const mica__rule_set *rules = &mica__rule_sets[n->prim];
    if (rules->vjp) rules->vjp(s, n, cotangents, needed, gradients);
    else if (rules->partial) vjp_by_partial(s, n, cotangents[0], needed, gradients);
    else
        mica__error(s, MICA_EVALUE,
                    "[Primitive::vjp] Not implemented for %s: it has no derivative rule; use "
                    "stop_gradient on "
                    "its input if none is needed.",
                    info->name);
}

/* cotangents[offset[i] + slot] belongs to output `slot` of node i. active[i]: a derivative can pass
   through node i to a source; false behind stop_gradient and comparisons. */
typedef struct pull {
    mica__graph graph;
    size_t *offset;
    mica_array **cotangents;
    bool *active;
} pull;

static void add_cotangent(mica_scope *s, pull *p, mica_array *of, mica_array *cotangent)
{
    int64_t at = mica__graph_find(&p->graph, of);
    if (at < 0 || !cotangent) return;
    mica_array **sum = &p->cotangents[p->offset[at] + of->slot];
    *sum = *sum ? mica_add(s, *sum, cotangent) : cotangent;
}

static bool is_active(const pull *p, const mica_array *a)
{
    int64_t at = mica__graph_find(&p->graph, a);
    return at >= 0 && p->active[at];
}

static bool pull_make(mica_scope *s, pull *p, size_t nsources)
{
    size_t n = p->graph.nodes.n, outputs = 0;
    p->offset = mica__scope_alloc(s, (n + 1) * sizeof *p->offset);
    p->active = mica__scope_alloc(s, n + 1);
    if (!p->offset || !p->active) return false;
    for (size_t i = 0; i < n; i++) {
        const mica_node *node = p->graph.nodes.at[i];
        p->active[i] = i < nsources;
        if (mica__is_flat(node)) continue;
        for (uint32_t k = 0; k < node->ninputs && !p->active[i]; k++)
            p->active[i] = is_active(p, node->inputs[k]);
    }
    for (size_t i = 0; i < n; i++) {
        p->offset[i] = outputs;
        outputs += ((mica_node *)p->graph.nodes.at[i])->noutputs;
    }
    p->cotangents = mica__scope_alloc(s, (outputs + 1) * sizeof *p->cotangents);
    if (!p->cotangents) return false;
    memset(p->cotangents, 0, outputs * sizeof *p->cotangents);
    return true;
}

static void pull_all(mica_scope *s, pull *p, size_t nsources)
{
    uint16_t caller = s->origin;
    for (size_t i = p->graph.nodes.n; i-- > nsources && s->status == MICA_OK;) {
        mica_node *n = p->graph.nodes.at[i];
        mica_array **cotangents = &p->cotangents[p->offset[i]];
        bool any = false;
        for (size_t k = 0; k < n->noutputs; k++) any = any || cotangents[k];
        if (!any || !p->active[i]) continue;
        bool small_needed[64];
        mica_array *small_gradients[64];
        bool *needed = small_needed;
        mica_array **gradients = small_gradients;
        if (n->ninputs > 64) {
            needed = mica__scope_alloc(s, n->ninputs);
            gradients = mica__scope_alloc(s, n->ninputs * sizeof *gradients);
            if (!needed || !gradients) return;
        }
        for (uint32_t k = 0; k < n->ninputs; k++) {
            needed[k] = is_active(p, n->inputs[k]);
            gradients[k] = NULL;
        }
        uint8_t outer = mica__site_flags;
        if (mica__watching()) {
            mica__site = n->site; /* a derivative belongs to the line it is of */
            mica__site_flags |= MICA_NODE_ASKED;
        }
        s->origin = n->origin; /* what fails in a derivative is named by what it is of */
        pull_node(s, n, cotangents, needed, gradients);
        mica__site_flags = outer;
        for (uint32_t k = 0; k < n->ninputs; k++)
            if (needed[k]) add_cotangent(s, p, n->inputs[k], gradients[k]);
    }
    s->origin = caller;
}

bool mica__pull_back(mica_scope *s, mica_array *const results[], mica_array *const cotangents[],
                     size_t nresults, mica_array *const tracers[], size_t ntracers,
                     mica_array *gradients[])
{
    pull p = { 0 };
    if (!mica__scope_ok(s) || !mica__graph_make(s, &p.graph, results, nresults, tracers, ntracers))
        return false;
    if (pull_make(s, &p, ntracers)) {
        for (size_t i = 0; i < nresults; i++)
            if (cotangents[i])
                add_cotangent(s, &p, results[i],
                              mica__cast(s, cotangents[i], (mica_dtype)results[i]->dtype));
        pull_all(s, &p, ntracers);
        for (size_t i = 0; i < ntracers && s->status == MICA_OK; i++) {
            mica_array *g = p.cotangents[p.offset[mica__graph_find(&p.graph, tracers[i])]];
            gradients[i] = g ? g : mica__full_like(s, tracers[i], 0);
        }
    }
    mica__graph_free(&p.graph);
    return s->status == MICA_OK;
}
