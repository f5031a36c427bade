/* Steps that run as one: products with their epilogues, tapes with the reduction of their values.
 */
#include "compile/plan_inside.h"

typedef mica__plan_info info;
typedef mica__planner planner;

/* The single node of an earlier step if nobody but `edges` inputs of one consumer will ever look at
 * its result. */
static mica_node *only_used_by(planner *p, const mica_array *a, uint32_t edges, mica_prim prim)
{
    const info *i = mica__planned(p, a);
    if (!i || i->root || i->node->prim != prim || i->edges != edges ||
        (i->node->flags & MICA_NODE_TRACED))
        return NULL;
    return (uint32_t)atomic_load_explicit(&a->uses, memory_order_relaxed) == edges ? i->node : NULL;
}

/* A tape over a matrix product that only it needs runs on the product's tiles while they are in
 * cache. */
static void merge_products(planner *p)
{
    mica__plan *plan = p->plan;
    for (size_t t = 0; t < plan->nsteps; t++) {
        mica__step *step = &plan->steps[t];
        int64_t size = step->ops ? step->ops[0].node->out[0].size : 0;
        if (size < 1024) continue;
        for (uint32_t e = 0; !step->product && e < step->nexternals; e++) {
            const mica_array *a = step->externals[e];
            if (a->size != size) continue;
            mica_node *reshaped = only_used_by(p, a, step->edges[e], mica_prim_reshape);
            mica_node *product = reshaped
                                     ? only_used_by(p, reshaped->inputs[0], 1, mica_prim_matmul)
                                     : only_used_by(p, a, step->edges[e], mica_prim_matmul);
            if (!product || product->stream != step->stream ||
                !mica__shape_equal(mica__dims_of(a), mica__dims_of(&step->ops[0].node->out[0])))
                continue;
            step->product = product;
            step->reshaped = reshaped;
        }
    }
}

/* Whether a reduction's operand need not be written to memory when the reduction takes it from the
   running tape. */
static bool spares(const planner *p, const mica_node *reduction)
{
    bool by_scope;
    return !mica__plan_keeps(mica__planned(p, reduction->inputs[0]), 1, p->scope, &by_scope);
}

/* A reduction takes elements from the tape that computes them, block by block. One reduction a
   tape, for others may want another order of its elements: the first, or the first that saves
   memory. */
static void merge_reductions(planner *p)
{
    mica__plan *plan = p->plan;
    for (size_t t = 0; t < plan->nsteps; t++) {
        mica_node *n = plan->steps[t].node;
        if (!n || mica__prims[n->prim].class != MICA_CLASS_REDUCE || n->flags & MICA_NODE_TRACED)
            continue;
        const info *in = mica__planned(p, n->inputs[0]);
        if (!in || !in->elementwise) continue;
        uint32_t group = mica__plan_group(p->infos, (uint32_t)(in - p->infos));
        mica__step *tape = &plan->steps[p->step[group]];
        if (tape->product || tape->stream != plan->steps[t].stream) continue;
        if (tape->reduced && (spares(p, tape->reduced) || !spares(p, n))) continue;
        tape->reduced = n;
        tape->reduced_op = in->local;
    }
    for (size_t t = 0; t < plan->nsteps; t++) {
        mica__step *tape = &plan->steps[t];
        if (!tape->reduced) continue;
        mica__tape_op *op = &tape->ops[tape->reduced_op];
        bool by_scope;
        op->keep = mica__plan_keeps(mica__planned(p, &op->node->out[0]), 1, p->scope, &by_scope);
        op->last = tape->nops; /* read after the last op */
        if (!op->keep && by_scope) tape->recomputable = true;
    }
}

void mica__plan_merge(planner *p)
{
    mica__plan *plan = p->plan;
    merge_products(p);
    merge_reductions(p);
    /* Steps that became part of another one go. */
    for (size_t t = 0; t < plan->nsteps; t++) {
        const mica__step *step = &plan->steps[t];
        const mica_node *merged[3] = { step->product, step->reshaped, step->reduced };
        for (int i = 0; i < 3; i++)
            if (merged[i]) p->infos[merged[i]->mark - 1].local = UINT32_MAX;
    }
    size_t kept = 0;
    for (size_t t = 0; t < plan->nsteps; t++) {
        const mica_node *n = plan->steps[t].node;
        if (!n || p->infos[n->mark - 1].local != UINT32_MAX) plan->steps[kept++] = plan->steps[t];
    }
    plan->nsteps = kept;
}
