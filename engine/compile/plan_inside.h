/* Inside of planning, shared by plan.c (order and groups) and plan_merge.c (steps that become one).
 */
#ifndef MICA_ENGINE_PLAN_INSIDE_H
#define MICA_ENGINE_PLAN_INSIDE_H

#include "compile/plan.h"

enum { CLOSE = 3 };

/* What the planner knows of one pending node. */
typedef struct mica__plan_info {
    mica_node *node;
    uint32_t level, parent, size; /* union-find: parent, size of the group at its root */
    uint32_t edges;               /* references by planned nodes */
    uint32_t outside;             /* of those, by nodes of other groups */
    uint32_t next;                /* next node of the same group, in order */
    uint32_t local;               /* place in its tape */
    uint32_t ninputs;
    uint32_t in[CLOSE]; /* places of the first inputs, or NONE: spares later walks the nodes */
    bool root, elementwise;
} mica__plan_info;

typedef struct mica__planner {
    mica__plan *plan;
    mica__plan_info *infos; /* by node->mark - 1: inputs first */
    uint32_t n, capacity;   /* of infos */
    mica__plan_info *few;   /* where the first ones lie: small plans ask for no memory for them */
    uint32_t *first, *last; /* group's list of nodes, by root */
    uint32_t *step;         /* the group's step, by root */
    uint32_t limit;         /* nodes a tape; 0: no fusion (MICA_FUSE=0) */
    uint32_t scope;         /* id of the scope that evaluates, or 0 */
} mica__planner;

/* The root of a node's group. */
static inline uint32_t mica__plan_group(mica__plan_info *infos, uint32_t i)
{
    while (infos[i].parent != i) i = infos[i].parent = infos[infos[i].parent].parent;
    return i;
}

/* NULL when the array's node is not part of the plan. */
static inline mica__plan_info *mica__planned(const mica__planner *p, const mica_array *a)
{
    const mica_node *n = mica__node_of(a);
    return n->mark ? &p->infos[n->mark - 1] : NULL;
}

/* Whether the result of an element-wise node is needed outside of its tape, where `inside`
   references of planned nodes beyond those of its group are part of the step. `by_scope`: the scope
   holds it. */
bool mica__plan_keeps(const mica__plan_info *i, uint32_t inside, uint32_t scope, bool *by_scope);

/* Lets tapes run as epilogues of products, and reductions take their elements from tapes. */
void mica__plan_merge(mica__planner *p);

#endif
