/* Liveness of plans, and orders that need little memory.

   Buffers are numbered; each step has a list of those that it makes, and each buffer the number of
   reads (edges) that it still has ahead. A view reads its input for as long as the view itself is
   read: both are one buffer. */
#include "runtime/liveness.h"

#include <stdio.h>

#include "core/print.h"
#include "runtime/memory.h"
#include "runtime/queue.h"

enum { FEW = 16 }; /* steps up to which all orders are tried: 2^16 states, some 20 ms */

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
    lists users;   /* steps that need a step, as often as they do */
    uint32_t *needs; /* how many such edges lead to a step */
    bool *donates; /* operands of the step that die give their memory to its results */
    mica__map ids; /* of arrays and, for what was there before, of mica__buffer */
    mica__map makers; /* steps of arrays */
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

static size_t count_outputs(const mica__step *s)
{
    return s->node ? s->node->noutputs : s->nops;
}

static const mica_array *output_of(const mica__step *s, size_t k)
{
    return s->node ? &s->node->out[k] : &s->ops[k].node->out[0];
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
    m->donates[i] = s->ops ? !s->recomputable
                           : (mica__prims[s->node->prim].flags & MICA_PRIM_DONATES) != 0;
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
        if (s->ops && !s->ops[k].keep) continue;
        const mica_array *out = output_of(s, k);
        MICA_TRY(add_buffer(m, out, bytes_of(out), i, &id));
        m->makes.at[(*nmakes)++] = id;
    }
    return MICA_OK;
}

/* Which steps need which. */
static int find_users(model *m, const mica__plan *plan, size_t inputs)
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
        for (size_t k = 0; k < count_outputs(s); k++) {
            const mica_array *out = output_of(s, k);
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

static void drop(model *m)
{
    mica__arena_free(&m->arena);
    mica__map_free(&m->ids);
    mica__map_free(&m->makers);
}

/* ---- walking an order ---- */

static void restart(model *m)
{
    for (size_t b = 0; b < m->nbuffers; b++) m->left[b] = m->buffers[b].readers;
}

static bool dies(const model *m, uint32_t b)
{
    return !m->buffers[b].held && m->left[b] == 1;
}

/* What a step takes at its height and what it leaves behind, over what is live before it. */
static void effect(const model *m, uint32_t s, int64_t *height, int64_t *after)
{
    enum { LOOK = 64 }; /* operands that are looked at for one to take over */
    int64_t made = 0, freed = 0, taken = 0;
    uint32_t first = m->reads.from[s], end = m->reads.from[s + 1];
    uint64_t gone = 0;
    for (uint32_t k = first; k < end; k++)
        if (dies(m, m->reads.at[k])) freed += (int64_t)m->buffers[m->reads.at[k]].bytes;
    for (uint32_t k = m->makes.from[s]; k < m->makes.from[s + 1]; k++) {
        const buffer *out = &m->buffers[m->makes.at[k]];
        made += (int64_t)out->bytes;
        if (!out->readers && !out->held) freed += (int64_t)out->bytes; /* nobody asked for it */
        for (uint32_t j = first; m->donates[s] && j < end && j < first + LOOK; j++) {
            if (gone >> (j - first) & 1 || m->buffers[m->reads.at[j]].bytes != out->bytes ||
                !dies(m, m->reads.at[j]))
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
static void pass(model *m, uint32_t s)
{
    for (uint32_t k = m->reads.from[s]; k < m->reads.from[s + 1]; k++) m->left[m->reads.at[k]]--;
}

static mica__peak walk(model *m, const uint32_t *order)
{
    int64_t live = 0, peak = 0;
    mica__peak need = { 0, 0 };
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

/* ---- the greedy order ---- */

typedef struct entry {
    int64_t key;
    uint32_t step;
} entry;

typedef struct heap {
    entry *at;
    size_t n;
} heap;

static bool before(entry a, entry b)
{
    return a.key != b.key ? a.key < b.key : a.step < b.step;
}

static void push(heap *h, entry e)
{
    size_t i = h->n++;
    for (; i && before(e, h->at[(i - 1) / 2]); i = (i - 1) / 2) h->at[i] = h->at[(i - 1) / 2];
    h->at[i] = e;
}

static entry pop(heap *h)
{
    entry top = h->at[0], e = h->at[--h->n];
    size_t i = 0;
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= h->n) break;
        if (child + 1 < h->n && before(h->at[child + 1], h->at[child])) child++;
        if (!before(h->at[child], e)) break;
        h->at[i] = h->at[child];
        i = child;
    }
    h->at[i] = e;
    return top;
}

/* Entries with an old key stay in the heap: a step is pushed again when one of its operands will die
 * with it, and taken where its best entry comes up. */
static void offer(const model *m, heap *h, uint32_t s, bool by_height)
{
    int64_t height, after;
    effect(m, s, &height, &after);
    push(h, (entry){ by_height && after > 0 ? height : after, s });
}

static int greedy(model *m, uint32_t *order, bool by_height)
{
    size_t n = m->nsteps, room = n + m->reads.from[n] + 1, count = 0;
    heap h = { mica__arena_alloc(&m->arena, room * sizeof *h.at), 0 };
    uint32_t *needs = mica__arena_alloc(&m->arena, n * sizeof *needs);
    bool *done = mica__arena_alloc(&m->arena, n);
    if (!h.at || !needs || !done) return MICA_EMEMORY;
    memcpy(needs, m->needs, n * sizeof *needs);
    memset(done, 0, n);
    restart(m);
    for (uint32_t s = 0; s < n; s++)
        if (!needs[s]) offer(m, &h, s, by_height);
    while (h.n) {
        uint32_t s = pop(&h).step;
        if (done[s]) continue;
        done[s] = true;
        order[count++] = s;
        pass(m, s);
        for (uint32_t k = m->reads.from[s]; k < m->reads.from[s + 1]; k++) {
            uint32_t b = m->reads.at[k];
            if (!dies(m, b)) continue;
            for (uint32_t j = m->readers.from[b]; j < m->readers.from[b + 1]; j++)
                if (!done[m->readers.at[j]] && !needs[m->readers.at[j]])
                    offer(m, &h, m->readers.at[j], by_height);
        }
        for (uint32_t k = m->users.from[s]; k < m->users.from[s + 1]; k++)
            if (--needs[m->users.at[k]] == 0) offer(m, &h, m->users.at[k], by_height);
    }
    return count == n ? MICA_OK : MICA_ERUNTIME;
}

/* ---- the best order of few steps: the lowest peak of each set of steps that came first ---- */

static void books(model *m, uint32_t mask)
{
    restart(m);
    for (uint32_t s = 0; s < m->nsteps; s++)
        if (mask >> s & 1) pass(m, s);
}

static int best(model *m, uint32_t *order)
{
    uint32_t n = (uint32_t)m->nsteps, states = (uint32_t)1 << n, needed[FEW] = { 0 };
    int64_t *peak = mica__arena_alloc(&m->arena, states * sizeof *peak);
    int64_t *live = mica__arena_alloc(&m->arena, states * sizeof *live);
    uint8_t *last = mica__arena_alloc(&m->arena, states);
    if (!peak || !live || !last) return MICA_EMEMORY;
    for (uint32_t s = 0; s < n; s++)
        for (uint32_t k = m->users.from[s]; k < m->users.from[s + 1]; k++)
            needed[m->users.at[k]] |= (uint32_t)1 << s;
    for (uint32_t mask = 0; mask < states; mask++) peak[mask] = INT64_MAX;
    peak[0] = live[0] = 0;
    for (uint32_t mask = 0; mask + 1 < states; mask++) {
        if (peak[mask] == INT64_MAX) continue;
        books(m, mask);
        for (uint32_t s = 0; s < n; s++) {
            uint32_t next = mask | (uint32_t)1 << s;
            if (next == mask || needed[s] & ~mask) continue;
            int64_t height, after, high;
            effect(m, s, &height, &after);
            high = live[mask] + height > peak[mask] ? live[mask] + height : peak[mask];
            if (high >= peak[next]) continue;
            peak[next] = high;
            live[next] = live[mask] + after;
            last[next] = (uint8_t)s;
        }
    }
    for (uint32_t mask = states - 1, i = n; i-- > 0; mask &= ~((uint32_t)1 << last[mask]))
        order[i] = last[mask];
    return MICA_OK;
}

/* ---- what the runtime asks ---- */

static int use(mica__plan *plan, const uint32_t *order)
{
    mica__step *steps = mica__arena_alloc(&plan->arena, plan->nsteps * sizeof *steps);
    if (!steps) return MICA_EMEMORY;
    for (size_t i = 0; i < plan->nsteps; i++) steps[i] = plan->steps[order[i]];
    plan->steps = steps;
    return MICA_OK;
}

size_t mica__plan_results(const mica__plan *plan)
{
    size_t bytes = 0;
    for (size_t i = 0; i < plan->nsteps; i++) {
        const mica__step *s = &plan->steps[i];
        for (size_t k = 0; k < count_outputs(s); k++) {
            const mica_array *out = output_of(s, k);
            if (!s->ops || s->ops[k].keep)
                bytes += (size_t)out->size * mica__dtype_sizes[out->dtype];
        }
    }
    return bytes + bytes / 8;
}

mica__peak mica__plan_need(const mica__plan *plan)
{
    model m = { .nsteps = 0 };
    mica__peak need = { 0, 0 };
    if (build(&m, plan) == MICA_OK) need = walk(&m, NULL);
    drop(&m);
    return need;
}

void mica__plan_save_memory(mica__plan *plan)
{
    model m = { .nsteps = 0 };
    size_t n = plan->nsteps;
    uint32_t *tried = mica__arena_alloc(&plan->arena, n * sizeof *tried);
    uint32_t *chosen = mica__arena_alloc(&plan->arena, n * sizeof *chosen);
    if (tried && chosen && n > 1 && build(&m, plan) == MICA_OK) {
        size_t lowest = walk(&m, NULL).peak;
        bool better = false;
        for (int way = 0; way < (n <= FEW ? 3 : 2); way++) {
            if ((way < 2 ? greedy(&m, tried, way == 1) : best(&m, tried)) != MICA_OK) continue;
            size_t peak = walk(&m, tried).peak;
            if (peak >= lowest) continue;
            lowest = peak;
            better = true;
            memcpy(chosen, tried, n * sizeof *chosen);
        }
        if (better) use(plan, chosen);
    }
    drop(&m);
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
