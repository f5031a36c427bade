/* Forward mode: tangents flow from tracers to results. */
#include "autodiff/autodiff.h"

/* Element-wise by class: the sum of tangents times partials. */
static mica_array *jvp_by_partial(mica_scope *s, const mica_node *n, mica_array *const tangents[])
{
    mica_array *sum = NULL;
    for (uint32_t i = 0; i < n->ninputs; i++) {
        if (!tangents[i]) continue;
        mica_array *p = mica__rule_sets[n->prim].partial(s, n, (int)i);
        if (!p) continue;
        mica_array *t = mica_multiply(s, tangents[i], p);
        sum = sum ? mica_add(s, sum, t) : t;
    }
    if (!sum) return NULL;
    sum = mica__cast(s, sum, (mica_dtype)n->out[0].dtype);
    return mica__broadcast_to(s, sum, mica__dims_of(&n->out[0]));
}

/* Linear in every input that has a tangent (one input, or several of which the others stay): the
 * operation on the tangents, zeros for the rest. */
static void jvp_linear(mica_scope *s, const mica_node *n, mica_array *const tangents[],
                       mica_array *results[])
{
    mica_array *in[64];
    if (n->ninputs > 64) {
        mica__error(s, MICA_EVALUE, "[Primitive::jvp] %s has too many inputs",
                    mica__prims[n->prim].name);
        return;
    }
    for (uint32_t i = 0; i < n->ninputs; i++)
        in[i] = tangents[i] ? tangents[i] : i == 0 ? NULL : n->inputs[i];
    if (in[0]) mica__rebuild(s, n, in, NULL, results);
}

static void push_node(mica_scope *s, const mica_node *n, mica_array *const tangents[],
                      mica_array *results[])
{
    const mica__prim_info *info = &mica__prims[n->prim];
    if (mica__is_flat(n)) return;
    const mica__rule_set *rules = &mica__rule_sets[n->prim];
    if (rules->jvp) rules->jvp(s, n, tangents, results);
    else if (rules->partial) results[0] = jvp_by_partial(s, n, tangents);
    else if (info->flags & MICA_PRIM_LINEAR) jvp_linear(s, n, tangents, results);
    else
        mica__error(s, MICA_EVALUE,
                    "[Primitive::jvp] Not implemented for %s: it has no derivative rule; use "
                    "stop_gradient on its input if none is needed.",
                    info->name);
}

bool mica__push_forward(mica_scope *s, mica_array *const results[], size_t nresults,
                        mica_array *const tracers[], mica_array *const tangents[], size_t ntracers,
                        mica_array *result_tangents[])
{
    mica__graph g;
    if (!mica__scope_ok(s) || !mica__graph_make(s, &g, results, nresults, tracers, ntracers))
        return false;
    size_t outputs = 0, n = g.nodes.n;
    size_t *offset = mica__scope_alloc(s, (n + 1) * sizeof *offset);
    for (size_t i = 0; i < n && offset; i++) {
        offset[i] = outputs;
        outputs += ((mica_node *)g.nodes.at[i])->noutputs;
    }
    mica_array **all = mica__scope_alloc(s, (outputs + 1) * sizeof *all);
    uint16_t caller = s->origin;
    if (offset && all) {
        memset(all, 0, outputs * sizeof *all);
        for (size_t i = 0; i < ntracers; i++)
            if (tangents[i])
                all[offset[mica__graph_find(&g, tracers[i])]] =
                    mica__cast(s, tangents[i], (mica_dtype)tracers[i]->dtype);
        for (size_t i = ntracers; i < n && s->status == MICA_OK; i++) {
            mica_node *node = g.nodes.at[i];
            mica_array **in = mica__scope_alloc(s, (node->ninputs + 1) * sizeof *in);
            if (!in) break;
            bool any = false;
            for (uint32_t k = 0; k < node->ninputs; k++) {
                int64_t at = mica__graph_find(&g, node->inputs[k]);
                in[k] = at < 0 ? NULL : all[offset[at] + node->inputs[k]->slot];
                any = any || in[k];
            }
            s->origin = node->origin; /* what fails in a derivative is named by what it is of */
            if (any) push_node(s, node, in, &all[offset[i]]);
        }
        s->origin = caller;
        for (size_t i = 0; i < nresults && s->status == MICA_OK; i++) {
            int64_t at = mica__graph_find(&g, results[i]);
            mica_array *t = at < 0 ? NULL : all[offset[at] + results[i]->slot];
            result_tangents[i] = t ? t : mica__full_like(s, results[i], 0);
        }
    }
    mica__graph_free(&g);
    return s->status == MICA_OK;
}
