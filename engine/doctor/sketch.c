/* Plans as plain data, for graphs that are shown and for questions before anything runs. */
#include "base/thread.h"
#include "doctor/inside.h"
#include "runtime/queue.h"

enum { NODES_SHOWN = 1 << 20 };

typedef struct drawing {
    mica__sketch *s;
    uint32_t step;
    size_t nodes, inputs; /* entered so far */
} drawing;

static void copy_shape(const mica_array *a, int *ndim, int64_t shape[8])
{
    *ndim = a->ndim;
    for (int i = 0; i < a->ndim && i < 8; i++) shape[i] = a->shape[i];
}

static uint64_t bytes_of(const mica_array *a)
{
    return (uint64_t)a->size * mica__dtype_sizes[a->dtype];
}

/* Of an array that is read: one that has its value already may repeat elements. */
static uint64_t bytes_read(const mica_array *a)
{
    if (!mica__is_done(a)) return bytes_of(a);
    uint64_t bytes = mica__dtype_sizes[a->dtype];
    for (int i = 0; i < a->ndim; i++)
        if (a->strides[i] || !a->shape[i]) bytes *= (uint64_t)a->shape[i];
    return bytes;
}

static void count(mica_node *n, void *user)
{
    drawing *d = user;
    d->nodes++;
    d->inputs += n->ninputs;
}

/* node->mark: place + 1, under the planner's lock. */
static void enter(mica_node *n, void *user)
{
    drawing *d = user;
    mica__sketch_node *to = &d->s->nodes[d->nodes++];
    *to = (mica__sketch_node){ .prim = n->prim,
                               .site = n->site,
                               .step = d->step,
                               .first_input = (uint32_t)d->inputs,
                               .ninputs = n->ninputs,
                               .dtype = (mica_dtype)n->out[0].dtype,
                               .kept = true,
                               .view = mica__prims[n->prim].class == MICA_CLASS_VIEW };
    copy_shape(&n->out[0], &to->ndim, to->shape);
    for (size_t i = 0; i < n->noutputs; i++) to->bytes += bytes_of(&n->out[i]);
    for (uint32_t i = 0; i < n->ninputs; i++) {
        const mica_array *a = n->inputs[i];
        uint32_t mark = mica__node_of(a)->mark;
        mica__sketch_input *in = &d->s->inputs[d->inputs++];
        *in = (mica__sketch_input){ .node = mark ? (int64_t)mark - 1 : -(int64_t)(intptr_t)a,
                                    .bytes = bytes_read(a),
                                    .dtype = (mica_dtype)a->dtype };
        copy_shape(a, &in->ndim, in->shape);
    }
    n->mark = (uint32_t)d->nodes;
}

static void clear(mica_node *n, void *user)
{
    (void)user;
    n->mark = 0;
}

static void note_kept(mica__sketch *s, const mica__step *step, size_t first)
{
    size_t at = first;
    if (step->product) s->nodes[at++].kept = false;
    if (step->reshaped) s->nodes[at++].kept = false;
    for (uint32_t i = 0; i < step->nops; i++) s->nodes[at++].kept = step->ops[i].keep;
}

mica__sketch *mica__sketch_make(const mica__plan *plan)
{
    drawing d = { 0 };
    for (size_t i = 0; i < plan->nsteps; i++) mica__step_each(&plan->steps[i], count, &d);
    if (d.nodes > NODES_SHOWN) return NULL;
    mica__sketch *s = mica__alloc_zero(1, sizeof *s);
    if (!s) return NULL;
    *s = (mica__sketch){ .nsteps = plan->nsteps, .nnodes = d.nodes, .ninputs = d.inputs };
    s->nodes = mica__alloc_zero(d.nodes + 1, sizeof *s->nodes);
    s->inputs = mica__alloc_zero(d.inputs + 1, sizeof *s->inputs);
    if (!s->nodes || !s->inputs) {
        mica__sketch_free(s);
        return NULL;
    }
    d = (drawing){ .s = s };
    for (size_t i = 0; i < plan->nsteps; i++) {
        size_t first = d.nodes;
        d.step = (uint32_t)i;
        mica__step_each(&plan->steps[i], enter, &d);
        note_kept(s, &plan->steps[i], first);
    }
    for (size_t i = 0; i < plan->nsteps; i++) mica__step_each(&plan->steps[i], clear, NULL);
    return s;
}

void mica__sketch_free(mica__sketch *s)
{
    if (!s) return;
    mica__free(s->nodes);
    mica__free(s->inputs);
    mica__free(s);
}

int mica__sketch_of(mica__sketch **out, mica_array *const roots[], size_t nroots)
{
    mica__plan plan;
    mica__queue_begin();
    mica__mutex_lock(&mica__queue_lock);
    int status = mica__plan_make(&plan, roots, nroots, 0);
    if (status == MICA_OK) {
        *out = mica__sketch_make(&plan);
        if (!*out) status = mica__fail_memory("doctor", plan.nsteps * sizeof(mica__sketch_node));
        mica__plan_put_back(&plan);
        mica__plan_free(&plan);
    }
    mica__mutex_unlock(&mica__queue_lock);
    return status;
}
