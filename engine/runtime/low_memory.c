/* Orders that need little memory: greedily the step that adds least; for few steps the best of all.
 */
#include "runtime/liveness_model.h"

enum { FEW = 16 }; /* steps up to which all orders are tried: 2^16 states, some 20 ms */

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

/* Entries with an old key stay in the heap: a step is pushed again when one of its operands will
 * die with it, and taken where its best entry comes up. */
static void offer(const mica__model *m, heap *h, uint32_t s, bool by_height)
{
    int64_t height, after;
    mica__model_effect(m, s, &height, &after);
    push(h, (entry){ by_height && after > 0 ? height : after, s });
}

static int greedy(mica__model *m, uint32_t *order, bool by_height)
{
    size_t n = m->nsteps, room = n + m->reads.from[n] + 1, count = 0;
    heap h = { mica__arena_alloc(&m->arena, room * sizeof *h.at), 0 };
    uint32_t *needs = mica__arena_alloc(&m->arena, n * sizeof *needs);
    bool *done = mica__arena_alloc(&m->arena, n);
    if (!h.at || !needs || !done) return MICA_EMEMORY;
    memcpy(needs, m->needs, n * sizeof *needs);
    memset(done, 0, n);
    mica__model_restart(m);
    for (uint32_t s = 0; s < n; s++)
        if (!needs[s]) offer(m, &h, s, by_height);
    while (h.n) {
        uint32_t s = pop(&h).step;
        if (done[s]) continue;
        done[s] = true;
        order[count++] = s;
        mica__model_pass(m, s);
        for (uint32_t k = m->reads.from[s]; k < m->reads.from[s + 1]; k++) {
            uint32_t b = m->reads.at[k];
            if (!mica__model_dies(m, b)) continue;
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

static void books(mica__model *m, uint32_t mask)
{
    mica__model_restart(m);
    for (uint32_t s = 0; s < m->nsteps; s++)
        if (mask >> s & 1) mica__model_pass(m, s);
}

static int best(mica__model *m, uint32_t *order)
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
            mica__model_effect(m, s, &height, &after);
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

/* ---- the choice ---- */

static int use(mica__plan *plan, const uint32_t *order)
{
    mica__step *steps = mica__arena_alloc(&plan->arena, plan->nsteps * sizeof *steps);
    if (!steps) return MICA_EMEMORY;
    for (size_t i = 0; i < plan->nsteps; i++) steps[i] = plan->steps[order[i]];
    plan->steps = steps;
    return MICA_OK;
}

size_t mica__plan_save_memory(mica__plan *plan)
{
    mica__model m = { .nsteps = 0 };
    size_t n = plan->nsteps, lowest = SIZE_MAX;
    uint32_t *tried = mica__arena_alloc(&plan->arena, n * sizeof *tried);
    uint32_t *chosen = mica__arena_alloc(&plan->arena, n * sizeof *chosen);
    if (tried && chosen && n > 1 && mica__model_build(&m, plan) == MICA_OK) {
        size_t own = mica__model_walk(&m, NULL).peak;
        bool better = false;
        lowest = own;
        for (int way = 0; way < (n <= FEW ? 3 : 2); way++) {
            if ((way < 2 ? greedy(&m, tried, way == 1) : best(&m, tried)) != MICA_OK) continue;
            size_t peak = mica__model_walk(&m, tried).peak;
            if (peak >= lowest) continue;
            lowest = peak;
            better = true;
            memcpy(chosen, tried, n * sizeof *chosen);
        }
        if (better && use(plan, chosen) != MICA_OK) lowest = own;
    }
    mica__model_drop(&m);
    return lowest;
}
