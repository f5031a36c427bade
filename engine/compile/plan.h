/* A plan: the pending nodes that some arrays need, grouped into steps and put in order. */
#ifndef MICA_ENGINE_PLAN_H
#define MICA_ENGINE_PLAN_H

#include "core/node.h"
#include "ops/params.h"

/* One element-wise node of a fused step. */
typedef struct mica__tape_op {
    mica_node *node;
    int32_t in[3]; /* >= 0: the result of that op of this tape; < 0: external ~in */
    uint8_t nin;
    bool keep;     /* its result is needed outside the tape */
    uint32_t last; /* index of the last op that reads its result (its own index when none does) */
} mica__tape_op;

/* What runs as one: a fused tape of element-wise nodes over one shape, possibly with the product
   that it is the epilogue of or with a reduction of one of its values; or a single node of another
   class.
 */
typedef struct mica__step {
    mica_node *node;    /* the single node; NULL for a tape */
    mica_node *product; /* a matrix product that runs first, the tape being its epilogue; or NULL */
    mica_node *reshaped; /* the reshape between product and tape, if any */
    mica_node *reduced;  /* a reduction that takes the values of ops[reduced_op] from the running
                            tape;  or NULL */
    uint32_t reduced_op;
    mica__tape_op *ops;
    uint32_t nops;
    uint32_t nexternals;
    mica_array **externals;
    uint32_t *edges;   /* how many inputs of the tape's nodes refer to each external */
    bool recomputable; /* an op that is not kept may be asked for later: externals must stay as they
                          are */
    mica_stream *stream;
} mica__step;

typedef void mica__visit(mica_node *n, void *user);
/* Calls for each node of the step, in the order in which they are computed. */
void mica__step_each(const mica__step *step, mica__visit *fn, void *user);

typedef struct mica__plan {
    mica__arena arena;
    mica__step *steps;
    size_t nsteps;
    uint32_t claim; /* plans are numbered in the order in which they claim nodes, modulo 2^32 */
    mica_array **awaited; /* pending work of other plans that this one needs, retained */
    size_t nawaited;
} mica__plan;

/* Plans the evaluation of `roots`. The caller holds the planner's lock. Arrays whose only other
   holder is the scope of this id are not kept for its sake; 0: no scope. Marks the planned nodes
   SCHEDULED. MICA_OK (possibly without steps), the fault of a failed node, or EMEMORY with nothing
   changed. */
int mica__plan_make(mica__plan *plan, mica_array *const roots[], size_t n, uint32_t scope);
void mica__plan_free(mica__plan *plan);

#endif
