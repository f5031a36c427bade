/* Liveness of plans: the books of their memory, and the record of what evaluations required. */
#include <stdio.h>

#include "core/print.h"
#include "runtime/liveness_model.h"
#include "runtime/memory.h"
#include "runtime/queue.h"

#define NONE UINT32_MAX

/* ---- building ---- */

static int add_buffer(mica__model *m, const void *key, size_t bytes, uint32_t maker, uint32_t *id)
{
    *id = (uint32_t)m->nbuffers;
    m->buffers[m->nbuffers++] = (mica__model_buffer){ .bytes = bytes, .maker = maker };
    return mica__map_set(&m->ids, key, (void *)(uintptr_t)(*id + 1));
}

static bool find_buffer(const mica__model *m, const void *key, uint32_t *id)
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

/* Inputs of a step: those of its node, or the externals of its tape and what its product or its
 * reduction reads. */
static size_t count_inputs(const mica__step *s)
{
    return (s->node ? s->node->ninputs : s->nexternals) + (s->product ? s->product->ninputs : 0) +
           (s->reduced ? 1 : 0);
}

static mica_array *input_of(const mica__step *s, size_t i)
{
    size_t own = s->node ? s->node->ninputs : s->nexternals;
    if (i >= own) return (s->product ? s->product : s->reduced)->inputs[i - own];
    return s->node ? s->node->inputs[i] : s->externals[i];
}

static size_t count_outputs(const mica__step *s)
{
    return s->node ? s->node->noutputs : s->nops + (s->reduced ? 1 : 0);
}

static const mica_array *output_of(const mica__step *s, size_t k)
{
    if (s->node) return &s->node->out[k];
    return k < s->nops ? &s->ops[k].node->out[0] : &s->reduced->out[0];
}

/* Whether an output is written to memory. */
static bool is_kept(const mica__step *s, size_t k)
{
    return s->node || k == s->nops || s->ops[k].keep;
}

static bool is_view(const mica__step *s)
{
    return s->node && mica__prims[s->node->prim].class == MICA_CLASS_VIEW;
}

/* The buffer behind an input; false when it needs none or is made inside of the step. */
static bool resolve(mica__model *m, const mica__step *s, mica_array *in, uint32_t *id)
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

static int model_step(mica__model *m, uint32_t i, const mica__step *s, uint32_t *nreads,
                      uint32_t *nmakes)
{
    uint32_t start = m->reads.from[i] = *nreads;
    m->makes.from[i] = *nmakes;
    m->donates[i] =
        s->ops ? !s->recomputable : (mica__prims[s->node->prim].flags & MICA_PRIM_DONATES) != 0;
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
    for (size_t k = 0; k < count_outputs(s); k++) {
        uint32_t id;
        if (!is_kept(s, k)) continue;
        const mica_array *out = output_of(s, k);
        MICA_TRY(add_buffer(m, out, bytes_of(out), i, &id));
        m->makes.at[(*nmakes)++] = id;
    }
    return MICA_OK;
}

/* Which steps need which. */
static int find_users(mica__model *m, const mica__plan *plan, size_t inputs)
{
    uint32_t *from = m->users.from = mica__arena_alloc(&m->arena, (m->nsteps + 2) * sizeof *from);
    m->users.at = mica__arena_alloc(&m->arena, (inputs + 1) * sizeof *from);
    m->needs = mica__arena_alloc(&m->arena, (m->nsteps + 1) * sizeof *from);
    if (!from || !m->users.at || !m->needs) return MICA_EMEMORY;
    memset(from, 0, (m->nsteps + 2) * sizeof *from);
    memset(m->needs, 0, (m->nsteps + 1) * sizeof *from);
    for (size_t i = 0; i < m->nsteps; i++)
        for (size_t k = 0; k < count_outputs(&plan->steps[i]); k++)
            MICA_TRY(mica__map_set(&m->makers, output_of(&plan->steps[i], k),
                                   (void *)(uintptr_t)(i + 1)));
    for (int round = 0; round < 2; round++) { /* counts, then fills */
        for (size_t i = 0; i < m->nsteps; i++)
            for (size_t k = 0; k < count_inputs(&plan->steps[i]); k++) {
                void *maker;
                if (!mica__map_get(&m->makers, input_of(&plan->steps[i], k), &maker)) continue;
                size_t by = (size_t)(uintptr_t)maker - 1;
                if (by == i) continue;
                if (round) m->users.at[from[by + 1]++] = (uint32_t)i;
                else from[by + 2]++, m->needs[i]++;
            }
        if (round == 0)
            for (size_t i = 0; i < m->nsteps; i++) from[i + 2] += from[i + 1];
    }
    return MICA_OK;
}

/* Results that are used from outside of the plan stay: more uses than the plan's nodes have. */
static int find_held(mica__model *m, const mica__plan *plan)
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
    for (size_t i = 0; i < plan->nsteps && status == MICA_OK;
         i++) { /* nobody in the plan reads it */
        const mica__step *s = &plan->steps[i];
        for (size_t k = 0; k < count_outputs(s); k++) {
            const mica_array *out = output_of(s, k);
            uint32_t id;
            if (find_buffer(m, out, &id) &&
                (mica__is_traced(out) || !mica__map_get(&uses, out, NULL)))
                m->buffers[id].held = true;
        }
    }
    mica__map_free(&uses);
    return status;
}

static int fill_readers(mica__model *m)
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

int mica__model_build(mica__model *m, const mica__plan *plan)
{
    size_t inputs = 0, outputs = 0;
    for (size_t i = 0; i < plan->nsteps; i++) {
        inputs += count_inputs(&plan->steps[i]);
        outputs += count_outputs(&plan->steps[i]);
    }
    m->nsteps = plan->nsteps;
    m->buffers = mica__arena_alloc(&m->arena, (inputs + outputs + 1) * sizeof *m->buffers);
    m->reads.from = mica__arena_alloc(&m->arena, (m->nsteps + 1) * sizeof(uint32_t));
    m->makes.from = mica__arena_alloc(&m->arena, (m->nsteps + 1) * sizeof(uint32_t));
    m->reads.at = mica__arena_alloc(&m->arena, (inputs + 1) * sizeof(uint32_t));
    m->makes.at = mica__arena_alloc(&m->arena, (outputs + 1) * sizeof(uint32_t));
    m->donates = mica__arena_alloc(&m->arena, m->nsteps + 1);
    if (!m->buffers || !m->reads.from || !m->makes.from || !m->reads.at || !m->makes.at ||
        !m->donates)
        return MICA_EMEMORY;
    uint32_t nreads = 0, nmakes = 0;
    for (uint32_t i = 0; i < m->nsteps; i++)
        MICA_TRY(model_step(m, i, &plan->steps[i], &nreads, &nmakes));
    m->reads.from[m->nsteps] = nreads;
    m->makes.from[m->nsteps] = nmakes;
    MICA_TRY(find_held(m, plan));
    MICA_TRY(find_users(m, plan, inputs));
    return fill_readers(m);
}

void mica__model_drop(mica__model *m)
{
    mica__arena_free(&m->arena);
    mica__map_free(&m->ids);
    mica__map_free(&m->makers);
}

/* ---- walking an order ---- */

void mica__model_restart(mica__model *m)
{
    for (size_t b = 0; b < m->nbuffers; b++) m->left[b] = m->buffers[b].readers;
}

bool mica__model_dies(const mica__model *m, uint32_t b)
{
    return !m->buffers[b].held && m->left[b] == 1;
}

/* What a step takes at its height and what it leaves behind, over what is live before it. */
void mica__model_effect(const mica__model *m, uint32_t s, int64_t *height, int64_t *after)
{
    enum { LOOK = 64 }; /* operands that are looked at for one to take over */
    int64_t made = 0, freed = 0, taken = 0;
    uint32_t first = m->reads.from[s], end = m->reads.from[s + 1];
    uint64_t gone = 0;
    for (uint32_t k = first; k < end; k++)
        if (mica__model_dies(m, m->reads.at[k])) freed += (int64_t)m->buffers[m->reads.at[k]].bytes;
    for (uint32_t k = m->makes.from[s]; k < m->makes.from[s + 1]; k++) {
        const mica__model_buffer *out = &m->buffers[m->makes.at[k]];
        made += (int64_t)out->bytes;
        if (!out->readers && !out->held) freed += (int64_t)out->bytes; /* nobody asked for it */
        for (uint32_t j = first; m->donates[s] && j < end && j < first + LOOK; j++) {
            if (gone >> (j - first) & 1 || m->buffers[m->reads.at[j]].bytes != out->bytes ||
                !mica__model_dies(m, m->reads.at[j]))
                continue;
            gone |= (uint64_t)1 << (j - first);
            taken += (int64_t)out->bytes;
            break;
        }
    }
    *height = made - taken;
    *after = made - freed;
}

/* Runs a step in the books. */
void mica__model_pass(mica__model *m, uint32_t s)
{
    for (uint32_t k = m->reads.from[s]; k < m->reads.from[s + 1]; k++) m->left[m->reads.at[k]]--;
}

mica__peak mica__model_walk(mica__model *m, const uint32_t *order)
{
    int64_t live = 0, peak = 0;
    mica__peak need = { 0, 0 };
    mica__model_restart(m);
    for (size_t i = 0; i < m->nsteps; i++) {
        uint32_t s = order ? order[i] : (uint32_t)i;
        int64_t height, after;
        mica__model_effect(m, s, &height, &after);
        if (live + height > peak) {
            peak = live + height;
            need.step = s;
        }
        live += after;
        mica__model_pass(m, s);
    }
    need.peak = (size_t)peak;
    return need;
}

/* ---- what the runtime asks ---- */

static size_t bytes_at(const mica_array *a)
{
    return (size_t)a->size * mica__dtype_sizes[a->dtype];
}

size_t mica__plan_results(const mica__plan *plan, size_t *scratch)
{
    /* Kernels lay out operands anew, keep keys, or widen halves. The most was measured for sorting
       bytes (3 times operands and results) and transforms of prime lengths (up to 8 times). */
    enum { COPIES = 8, BLOCKS = 4 << 20 };
    size_t bytes = 0, most = 0;
    for (size_t i = 0; i < plan->nsteps; i++) {
        const mica__step *s = &plan->steps[i];
        size_t operands = 0;
        if (!s->ops || s->product)
            for (size_t k = 0; k < count_inputs(s); k++) operands += bytes_at(input_of(s, k));
        for (size_t k = 0; k < count_outputs(s); k++) {
            const mica_array *out = output_of(s, k);
            if (!is_kept(s, k)) continue;
            bytes += bytes_at(out);
            if (!s->ops || s->product) operands += bytes_at(out);
        }
        if (operands > most) most = operands;
    }
    *scratch = COPIES * most + BLOCKS;
    return bytes + bytes / 8;
}

mica__peak mica__plan_need(const mica__plan *plan)
{
    mica__model m = { .nsteps = 0 };
    mica__peak need = { 0, 0 };
    if (mica__model_build(&m, plan) == MICA_OK) need = mica__model_walk(&m, NULL);
    mica__model_drop(&m);
    return need;
}

/* ---- the record ---- */

static mica__memory_record record;

void mica__plan_record(const mica__plan *plan)
{
    if (!record.watching) return;
    record.plans++;
    mica__peak need = mica__plan_need(plan);
    size_t required = mica_memory_active() + need.peak;
    if (required <= record.required) return;
    record.required = required;
    const mica__step *s = &plan->steps[need.step];
    const mica_array *out = output_of(s, count_outputs(s) - 1);
    const mica_node *n = mica__node_of(out);
    snprintf(record.largest, sizeof record.largest, "%s %s", mica__prims[n->prim].name,
             mica__shape_text(mica__dims_of(out)));
}

void mica__memory_watch(bool on)
{
    mica__mutex_lock(&mica__queue_lock);
    record = (mica__memory_record){ .watching = on };
    mica__mutex_unlock(&mica__queue_lock);
}

mica__memory_record mica__memory_recorded(void)
{
    mica__mutex_lock(&mica__queue_lock);
    mica__memory_record copy = record;
    mica__mutex_unlock(&mica__queue_lock);
    return copy;
}
