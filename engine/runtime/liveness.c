/* Liveness of plans, and orders that need little memory.

   Buffers are numbered; each step has a list of those that it makes, and each buffer the number of
   reads (edges) that it still has ahead. A view reads its input for as long as the view itself is
   read: both are one buffer. */
#include "runtime/liveness.h"

#include <stdio.h>

#include "backend/backend.h"
#include "core/print.h"
#include "runtime/memory.h"
#include "runtime/queue.h"

enum { FEW = 14 }; /* steps up to which all orders are tried: 2^14 states */

typedef struct buffer {
    size_t bytes;
    uint32_t readers; /* steps that read it, each counted once */
    uint32_t maker;   /* step, or NONE: it was there before */
    bool held;        /* somebody keeps it beyond the plan */
} buffer;

enum { NONE = UINT32_MAX };

/* Lists by step or buffer: the items of i are at[from[i]] .. at[from[i + 1]]. */
typedef struct lists {
    uint32_t *from, *at;
} lists;

typedef struct model {
    mica__arena arena;
    size_t nsteps, nbuffers;
    buffer *buffers;
    lists reads;   /* buffers that a step reads, each once */
    lists makes;   /* buffers that a step makes */
    lists readers; /* steps that read a buffer */
    mica__map ids; /* of arrays and, for what was there before, of mica__buffer */
    uint32_t *left; /* scratch of walks: readers of each buffer that are still to come */
} model;

/* ---- building ---- */

static int add_buffer(model *m, const void *key, size_t bytes, uint32_t maker, uint32_t *id)
{
    *id = (uint32_t)m->nbuffers;
    m->buffers[m->nbuffers++] = (buffer){ .bytes = bytes, .maker = maker };
    return mica__map_set(&m->ids, key, (void *)(uintptr_t)(*id + 1));
}

static bool find_buffer(const model *m, const void *key, uint32_t *id)
{
    void *known;
    if (!mica__map_get(&m->ids, key, &known)) return false;
    *id = (uint32_t)(uintptr_t)known - 1;
    return true;
}

static size_t bytes_of(const mica_array *a)
{
    if (a->size <= 1) return 0; /* lives in the node */
    return mica__memory_class_bytes((size_t)a->size * mica__dtype_sizes[a->dtype]);
}

/* Inputs of a step: those of its node or product, and the externals of its tape. */
static size_t count_inputs(const mica__step *s)
{
    return (s->node ? s->node->ninputs : s->nexternals) + (s->product ? s->product->ninputs : 0);
}

static mica_array *input_of(const mica__step *s, size_t i)
{
    size_t own = s->node ? s->node->ninputs : s->nexternals;
    if (i >= own) return s->product->inputs[i - own];
    return s->node ? s->node->inputs[i] : s->externals[i];
}

static bool is_view(const mica__step *s)
{
    return s->node && mica__prims[s->node->prim].class == MICA_CLASS_VIEW;
}

/* The buffer behind an input; false when it needs none or is made inside of the step. */
static bool resolve(model *m, const mica__step *s, mica_array *in, uint32_t *id)
{
    const mica_node *n = mica__node_of(in);
    if (n == s->product || n == s->reshaped) return false;
    if (find_buffer(m, in, id)) return true;
    if (mica__state(n) != MICA_NODE_DONE || !in->buffer) return false;
    mica__buffer *b = in->buffer;
    if (find_buffer(m, b, id)) return true;
    if (add_buffer(m, b, b->owned ? mica__memory_class_bytes(b->bytes) : 0, NONE, id)) return false;
    /* Whether it dies within the plan: nobody but the plan's nodes refers to the array. */
    m->buffers[*id].held = mica__is_traced(in) || atomic_load(&b->references) != 1;
    return true;
}

static int model_step(model *m, uint32_t i, const mica__step *s, uint32_t *nreads, uint32_t *nmakes)
{
    uint32_t start = m->reads.from[i] = *nreads;
    m->makes.from[i] = *nmakes;
    for (size_t k = 0; k < count_inputs(s); k++) {
        uint32_t id;
        if (!resolve(m, s, input_of(s, k), &id)) continue;
        bool known = false;
        for (uint32_t j = *nreads; j-- > start && !known;) known = m->reads.at[j] == id;
        if (known) continue;
        m->reads.at[(*nreads)++] = id;
        m->buffers[id].readers++;
    }
    if (is_view(s)) { /* its result is the buffer of what it views */
        if (*nreads == start) return MICA_OK;
        uint32_t id = m->reads.at[start];
        return mica__map_set(&m->ids, &s->node->out[0], (void *)(uintptr_t)(id + 1));
    }
    size_t outputs = s->node ? s->node->noutputs : s->nops;
    for (size_t k = 0; k < outputs; k++) {
        uint32_t id;
        if (s->ops && !s->ops[k].keep) continue;
        const mica_array *out = s->node ? &s->node->out[k] : &s->ops[k].node->out[0];
        MICA_TRY(add_buffer(m, out, bytes_of(out), i, &id));
        m->makes.at[(*nmakes)++] = id;
    }
    return MICA_OK;
}

/* Results that are used from outside of the plan stay: more uses than the plan's nodes have. */
static int find_held(model *m, const mica__plan *plan)
{
    mica__map uses = { 0 };
    int status = MICA_OK;
    for (size_t i = 0; i < plan->nsteps && status == MICA_OK; i++) {
        const mica__step *s = &plan->steps[i];
        for (size_t k = 0; k < count_inputs(s) && status == MICA_OK; k++) {
            void *count = NULL;
            const mica_array *in = input_of(s, k);
            size_t own = s->node ? s->node->ninputs : s->nexternals;
            uintptr_t edges = s->ops && k < own ? s->edges[k] : 1;
            mica__map_get(&uses, in, &count);
            status = mica__map_set(&uses, in, (void *)((uintptr_t)count + edges));
        }
    }
    for (size_t i = 0; i < uses.capacity && status == MICA_OK; i++) {
        const mica_array *a = uses.keys ? uses.keys[i] : NULL;
        uint32_t id;
        if (!a || !(find_buffer(m, a, &id) || (a->buffer && find_buffer(m, a->buffer, &id))))
            continue;
        if ((uintptr_t)atomic_load(&((mica_array *)(uintptr_t)a)->uses) > (uintptr_t)uses.values[i])
            m->buffers[id].held = true;
    }
    for (size_t i = 0; i < plan->nsteps && status == MICA_OK; i++) { /* nobody in the plan reads it */
        const mica__step *s = &plan->steps[i];
        size_t outputs = s->node ? s->node->noutputs : s->nops;
        for (size_t k = 0; k < outputs; k++) {
            const mica_array *out = s->node ? &s->node->out[k] : &s->ops[k].node->out[0];
            uint32_t id;
            if (find_buffer(m, out, &id) && (mica__is_traced(out) || !mica__map_get(&uses, out, NULL)))
                m->buffers[id].held = true;
        }
    }
    mica__map_free(&uses);
    return status;
}

static int fill_readers(model *m)
{
    uint32_t *from = mica__arena_alloc(&m->arena, (m->nbuffers + 1) * sizeof *from);
    m->readers.at = mica__arena_alloc(&m->arena, (m->reads.from[m->nsteps] + 1) * sizeof *from);
    m->left = mica__arena_alloc(&m->arena, (m->nbuffers + 1) * sizeof *m->left);
    m->readers.from = from;
    if (!from || !m->readers.at || !m->left) return MICA_EMEMORY;
    uint32_t total = 0;
    for (size_t b = 0; b < m->nbuffers; b++) {
        from[b] = total;
        total += m->buffers[b].readers;
        m->left[b] = 0;
    }
    from[m->nbuffers] = total;
    for (uint32_t s = 0; s < m->nsteps; s++)
        for (uint32_t k = m->reads.from[s]; k < m->reads.from[s + 1]; k++) {
            uint32_t b = m->reads.at[k];
            m->readers.at[from[b] + m->left[b]++] = s;
        }
    return MICA_OK;
}

static int build(model *m, const mica__plan *plan)
{
    size_t inputs = 0, outputs = 0;
    for (size_t i = 0; i < plan->nsteps; i++) {
        inputs += count_inputs(&plan->steps[i]);
        outputs += plan->steps[i].node ? plan->steps[i].node->noutputs : plan->steps[i].nops;
    }
    m->nsteps = plan->nsteps;
    m->buffers = mica__arena_alloc(&m->arena, (inputs + outputs + 1) * sizeof *m->buffers);
    m->reads.from = mica__arena_alloc(&m->arena, (m->nsteps + 1) * sizeof(uint32_t));
    m->makes.from = mica__arena_alloc(&m->arena, (m->nsteps + 1) * sizeof(uint32_t));
    m->reads.at = mica__arena_alloc(&m->arena, (inputs + 1) * sizeof(uint32_t));
    m->makes.at = mica__arena_alloc(&m->arena, (outputs + 1) * sizeof(uint32_t));
    if (!m->buffers || !m->reads.from || !m->makes.from || !m->reads.at || !m->makes.at)
        return MICA_EMEMORY;
    uint32_t nreads = 0, nmakes = 0;
    for (uint32_t i = 0; i < m->nsteps; i++)
        MICA_TRY(model_step(m, i, &plan->steps[i], &nreads, &nmakes));
    m->reads.from[m->nsteps] = nreads;
    m->makes.from[m->nsteps] = nmakes;
    MICA_TRY(find_held(m, plan));
    return fill_readers(m);
}

static void drop(model *m)
{
    mica__arena_free(&m->arena);
    mica__map_free(&m->ids);
}

/* ---- walking an order ---- */

static void restart(model *m)
{
    for (size_t b = 0; b < m->nbuffers; b++) m->left[b] = m->buffers[b].readers;
}

/* What a step takes at its height and what it leaves behind, over what is live before it. */
static void effect(const model *m, uint32_t s, int64_t *height, int64_t *after)
{
    int64_t made = 0, freed = 0, taken = 0;
    for (uint32_t k = m->reads.from[s]; k < m->reads.from[s + 1]; k++) {
        const buffer *b = &m->buffers[m->reads.at[k]];
        if (!b->held && m->left[m->reads.at[k]] == 1) freed += (int64_t)b->bytes;
    }
    for (uint32_t k = m->makes.from[s]; k < m->makes.from[s + 1]; k++)
        made += (int64_t)m->buffers[m->makes.at[k]].bytes;
    *height = made - taken;
    *after = made - freed;
}

/* Runs a step in the books. */
static void pass(model *m, uint32_t s)
{
    for (uint32_t k = m->reads.from[s]; k < m->reads.from[s + 1]; k++) m->left[m->reads.at[k]]--;
}

static mica__need walk(model *m, const uint32_t *order)
{
    int64_t live = 0, peak = 0;
    mica__need need = { 0, 0 };
    restart(m);
    for (size_t i = 0; i < m->nsteps; i++) {
        uint32_t s = order ? order[i] : (uint32_t)i;
        int64_t height, after;
        effect(m, s, &height, &after);
        if (live + height > peak) {
            peak = live + height;
            need.step = s;
        }
        live += after;
        pass(m, s);
    }
    need.peak = (size_t)peak;
    return need;
}
