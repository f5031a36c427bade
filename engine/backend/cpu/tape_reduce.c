/* Tapes that end in a reduction: the reduced values exist block by block only. */
#include "backend/cpu/kernel.h"
#include "backend/cpu/reduce_tasks.h"
#include "runtime/memory.h"
#include "runtime/runtime.h"

typedef mica__tape tape;

/* The strides that an array would have if it were written in the order of the tape's walk. */
static void lie(const tape *t, int64_t *strides)
{
    const mica_array *like = &t->step->ops[0].node->out[0];
    int64_t stride = 1;
    for (int i = t->ndim - 1; i >= 0; i--) {
        strides[t->perm[i]] = stride;
        stride *= like->shape[t->perm[i]];
    }
}

/* The type in which the reduced values are read: halves live in float32. */
static mica_dtype given(const tape *t)
{
    mica_dtype d = (mica_dtype)t->step->ops[t->step->reduced_op].node->out[0].dtype;
    return mica__is_half(d) ? MICA_FLOAT32 : d;
}

/* Kept axes first, then the reduced ones: the elements of a result follow each other. Whether that
 * is another order than before. */
static bool walk_by_results(tape *t)
{
    const mica_array *in = t->step->reduced->inputs[0];
    mica_dims axes = MICA_PARAMS(t->step->reduced, sum)->axes;
    int64_t before[MICA_MAX_NDIM], after[MICA_MAX_NDIM];
    bool reduced[MICA_MAX_NDIM] = { false }, changed = false;
    int n = 0;
    lie(t, before);
    for (int64_t i = 0; i < axes.n; i++) reduced[axes.at[i]] = true;
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < t->ndim; i++)
            if (reduced[i] == (round == 1)) t->perm[n++] = i;
    lie(t, after);
    t->row_major = true;
    for (int i = 0; i < t->ndim; i++) {
        changed = changed || (in->shape[i] > 1 && before[i] != after[i]);
        t->row_major = t->row_major && t->perm[i] == i;
    }
    return changed;
}

bool mica__tape_transposes(const tape *t)
{
    const mica_array *in = t->step->reduced->inputs[0];
    mica__reduction r;
    int64_t strides[MICA_MAX_NDIM];
    lie(t, strides);
    return mica__reduction_init(&r, t->step->reduced, given(t)) == MICA_OK &&
           mica__reduction_scattered(&r, in, strides) &&
           mica__memory_has_room(2 * (size_t)in->size * mica__dtype_sizes[in->dtype]);
}

/* The same choice as for elements in memory, so that the loops see the same chunks. */
bool mica__tape_arrange(tape *t)
{
    mica__step *s = t->step;
    const mica_array *in = s->reduced->inputs[0];
    mica__reduction r;
    int64_t strides[MICA_MAX_NDIM];
    if (mica__reduction_init(&r, s->reduced, given(t)) != MICA_OK) return false;
    lie(t, strides);
    if (!mica__reduction_scattered(&r, in, strides)) {
        mica__reduction_walk(&r, s->reduced, strides);
        if (mica__reduction_by_columns(&r)) return true;
    }
    if (!walk_by_results(t)) return true;
    for (uint32_t i = 0; i < s->nops; i++)
        if (s->ops[i].keep) return false; /* results keep the order of their operands */
    return true;
}

int mica__tape_reduce(tape *t)
{
    mica_node *n = t->step->reduced;
    mica__reduction r;
    int64_t strides[MICA_MAX_NDIM];
    MICA_TRY(mica__allocate_output(&n->out[0]));
    MICA_TRY(mica__reduction_init(&r, n, given(t)));
    r.tape = t;
    lie(t, strides);
    mica__reduction_walk(&r, n, strides);
    if (!t->donated)
        mica__parallel_begin(); /* a result in the place of an operand cannot be taken back */
    int status = mica__reduction_run(&r);
    if (mica__parallel_finish()) status = mica__fail_interrupted();
    return status;
}
