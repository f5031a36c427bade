/* What a plan needs in memory: which buffers each of its steps makes and which die there. */
#ifndef MICA_ENGINE_LIVENESS_H
#define MICA_ENGINE_LIVENESS_H

#include "compile/plan.h"

/* Bytes, rounded to size classes, over what is active when the plan begins. */
typedef struct mica__peak {
    size_t peak; /* the most at any moment, if steps run one by one in the plan's order */
    size_t step; /* where: index of a step */
} mica__peak;

/* The peak that liveness requires of the plan's order: results live from the step that makes them
 * to the last step that reads them, an operand that dies gives its memory to a result of its size.
 * What kernels take for the time of their run is not counted. Nothing is known (all 0) when the
 * bookkeeping does not get memory. The plan's nodes are marked SCHEDULED; under the planner's lock.
 */
mica__peak mica__plan_need(const mica__plan *plan);

/* Bytes of all results together: more than any order needs, and quickly known. scratch: what a step
 * takes at most while it runs, beside its results. */
size_t mica__plan_results(const mica__plan *plan, size_t *scratch);

/* Puts the steps into the order with the lowest peak of those tried: the plan's own; greedily the
 * step that adds least; and for plans of a few steps the best there is. Returns that peak, SIZE_MAX
 * when the bookkeeping does not get memory. */
size_t mica__plan_save_memory(mica__plan *plan);

/* While watching, each evaluation adds to a record what its schedule required. */
typedef struct mica__memory_record {
    bool watching;
    size_t required;  /* the largest of: active before an evaluation + its peak */
    size_t plans;     /* evaluations since the start */
    char largest[96]; /* the operation and shape of the step with that peak */
} mica__memory_record;
void mica__plan_record(const mica__plan *plan);
MICA_API void mica__memory_watch(bool on); /* starts an empty record, or stops */
MICA_API mica__memory_record mica__memory_recorded(void);

#endif
