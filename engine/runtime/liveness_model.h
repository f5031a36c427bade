/* The books of a plan's memory. Buffers are numbered; each step has a list of those that it makes,
   and each buffer the number of reads that it still has ahead. A view reads its input for as long
   as the view itself is read: both are one buffer. */
#ifndef MICA_ENGINE_LIVENESS_MODEL_H
#define MICA_ENGINE_LIVENESS_MODEL_H

#include "runtime/liveness.h"

typedef struct mica__model_buffer {
    size_t bytes;
    uint32_t readers; /* steps that read it, each counted once */
    uint32_t maker;   /* step, or UINT32_MAX: it was there before */
    bool held;        /* somebody keeps it beyond the plan */
} mica__model_buffer;

/* Lists by step or buffer: the items of i are at[from[i]] .. at[from[i + 1]]. */
typedef struct mica__model_lists {
    uint32_t *from, *at;
} mica__model_lists;

typedef struct mica__model {
    mica__arena arena;
    size_t nsteps, nbuffers;
    mica__model_buffer *buffers;
    mica__model_lists reads;   /* buffers that a step reads, each once */
    mica__model_lists makes;   /* buffers that a step makes */
    mica__model_lists readers; /* steps that read a buffer */
    mica__model_lists users;   /* steps that need a step, as often as they do */
    uint32_t *needs;           /* how many such edges lead to a step */
    bool *donates;             /* operands of the step that die give their memory to its results */
    mica__map ids;             /* of arrays and, for what was there before, of mica__buffer */
    mica__map makers;          /* steps of arrays */
    uint32_t *left;            /* scratch of walks: readers of each buffer that are still to come */
} mica__model;

/* MICA_OK, or a status when there is no memory for the books; drop it either way. */
int mica__model_build(mica__model *m, const mica__plan *plan);
void mica__model_drop(mica__model *m);

/* Walking an order: start, and for each step look at its effect, then pass it. */
void mica__model_restart(mica__model *m);
/* The next step to read the buffer is the last one that does. */
bool mica__model_dies(const mica__model *m, uint32_t buffer);
/* What a step takes at its height and what it leaves behind, over what is live before it. */
void mica__model_effect(const mica__model *m, uint32_t step, int64_t *height, int64_t *after);
void mica__model_pass(mica__model *m, uint32_t step);
/* The peak of an order of the steps; NULL: the plan's own. */
mica__peak mica__model_walk(mica__model *m, const uint32_t *order);

#endif
