/* The order in which einsum contracts its operands: greedily, the pair first whose contraction
   frees most memory, then costs least (the heuristic of opt_einsum and NumPy: Smith and Gray, J.
   Open Source Softw. 3 (26), 2018). No intermediate may be larger than the largest operand or the
   result, and no order may cost more than all at once. */
#include <stdio.h>

#include "ops/einsum.h"

/* More operands are contracted from left to right: nobody writes so many by hand. */
enum { PLANNED_OPERANDS = 256 };

typedef mica__label_set set;

static set joined(set a, set b)
{
    return (set){ { a.bits[0] | b.bits[0], a.bits[1] | b.bits[1] } };
}
static set shared(set a, set b)
{
    return (set){ { a.bits[0] & b.bits[0], a.bits[1] & b.bits[1] } };
}
static bool is_empty(set a)
{
    return !(a.bits[0] | a.bits[1]);
}
static bool is_equal(set a, set b)
{
    return a.bits[0] == b.bits[0] && a.bits[1] == b.bits[1];
}
static int count_of(set a)
{
    return __builtin_popcountll(a.bits[0]) + __builtin_popcountll(a.bits[1]);
}

static double elements(const mica__einsum *e, set a)
{
    double n = 1;
    for (int label = 0; label < MICA_LABELS; label++)
        if (mica__label_in(&a, label)) n *= (double)e->size[label];
    return n;
}

/* Multiplications and additions of `terms` operands over the labels of all. */
static double operations(const mica__einsum *e, set labels, set result, size_t terms)
{
    double each = terms > 1 ? (double)(terms - 1) : 1;
    return elements(e, labels) * (each + !is_equal(labels, result));
}

typedef struct candidate {
    size_t first, second;
    set result;
    double freed, cost;
} candidate;

typedef struct planner {
    const mica__einsum *e;
    set *sets; /* of the operands that are left */
    size_t left;
    set out;
    double limit, naive, spent;
    candidate *known;
    size_t known_count;
} planner;

/* What a contraction of the operands `skip` keeps of their labels. */
static set kept_by(const planner *p, set labels, size_t first, size_t second)
{
    set others = p->out;
    for (size_t i = 0; i < p->left; i++)
        if (i != first && i != second) others = joined(others, p->sets[i]);
    return shared(labels, others);
}

static void consider(planner *p, size_t first, size_t second, bool outer)
{
    set a = p->sets[first], b = p->sets[second], both = joined(a, b);
    if (!outer && is_empty(shared(a, b))) return;
    candidate c = { .first = first, .second = second, .result = kept_by(p, both, first, second) };
    double size = elements(p->e, c.result);
    c.cost = operations(p->e, both, c.result, 2);
    c.freed = elements(p->e, a) + elements(p->e, b) - size;
    if (size <= p->limit && p->spent + c.cost <= p->naive) p->known[p->known_count++] = c;
}

/* Pairs with the newest operand; in the beginning all. */
static void consider_all(planner *p, bool every, bool outer)
{
    for (size_t i = every ? 0 : p->left - 1; i < p->left; i++)
        for (size_t k = every ? i + 1 : 0; k < (every ? p->left : i); k++)
            consider(p, every ? i : k, every ? k : i, outer);
}

static void contract(planner *p, candidate best)
{
    size_t n = 0, kept = 0;
    for (size_t i = 0; i < p->left; i++)
        if (i != best.first && i != best.second) p->sets[n++] = p->sets[i];
    p->sets[n++] = best.result;
    p->left = n;
    p->spent += best.cost;
    for (size_t i = 0; i < p->known_count; i++) {
        candidate c = p->known[i];
        if (c.first == best.first || c.first == best.second || c.second == best.first ||
            c.second == best.second)
            continue;
        c.first -= (size_t)(c.first > best.first) + (c.first > best.second);
        c.second -= (size_t)(c.second > best.first) + (c.second > best.second);
        p->known[kept++] = c;
    }
    p->known_count = kept;
}

static bool begin(mica_scope *s, const mica__einsum *e, planner *p)
{
    *p = (planner){ .e = e, .left = e->n, .out = mica__labels_of(&e->out) };
    p->sets = mica__scope_alloc(s, e->n * sizeof *p->sets);
    if (!p->sets) return false;
    set all = { { 0, 0 } };
    p->limit = elements(e, p->out);
    for (size_t i = 0; i < e->n; i++) {
        p->sets[i] = mica__labels_of(&e->in[i]);
        all = joined(all, p->sets[i]);
        double size = elements(e, p->sets[i]);
        if (size > p->limit) p->limit = size;
    }
    p->naive = operations(e, all, p->out, e->n);
    return true;
}

size_t mica__einsum_plan(mica_scope *s, const mica__einsum *e, mica__einsum_step **steps)
{
    planner p;
    size_t n = 0;
    mica__einsum_step *step = mica__scope_alloc(s, e->n * sizeof *step);
    if (!step || !begin(s, e, &p)) return 0;
    *steps = step;
    if (e->n <= 2) {
        *step = (mica__einsum_step){ 0, (int64_t)e->n - 1, true };
        return 1;
    }
    if (e->n > PLANNED_OPERANDS) {
        *step = (mica__einsum_step){ .all = true };
        return 1;
    }
    p.known = mica__scope_alloc(s, e->n * e->n * sizeof *p.known);
    if (!p.known) return 0;
    for (bool first = true; p.left > 1; first = false) {
        consider_all(&p, first, false);
        if (!p.known_count) consider_all(&p, first, true);
        if (!p.known_count) {
            step[n++] = (mica__einsum_step){ .all = true };
            return n;
        }
        candidate best = p.known[0];
        for (size_t i = 1; i < p.known_count; i++)
            if (p.known[i].freed > best.freed ||
                (p.known[i].freed == best.freed && p.known[i].cost < best.cost))
                best = p.known[i];
        contract(&p, best);
        step[n++] = (mica__einsum_step){ (int64_t)best.first, (int64_t)best.second, p.left == 1 };
    }
    return n;
}

const char *mica__einsum_describe(mica_scope *s, const mica__einsum *e, size_t n,
                                  const mica__einsum_step *steps)
{
    planner p;
    if (!begin(s, e, &p)) return NULL;
    set all = { { 0, 0 } };
    int scaling = 0;
    double cost = 0, naive = p.naive;
    for (size_t i = 0; i < e->n; i++) all = joined(all, p.sets[i]);
    for (size_t i = 0; i < n; i++) {
        set labels = { { 0, 0 } };
        if (steps[i].all) {
            for (size_t k = 0; k < p.left; k++) labels = joined(labels, p.sets[k]);
            cost += operations(e, labels, p.out, p.left);
        } else {
            candidate c = { .first = (size_t)steps[i].first, .second = (size_t)steps[i].second };
            labels = joined(p.sets[c.first], p.sets[c.second]);
            c.result = kept_by(&p, labels, c.first, c.second);
            cost += operations(e, labels, c.result, 2);
            contract(&p, c);
        }
        if (count_of(labels) > scaling) scaling = count_of(labels);
    }
    size_t room = strlen(e->text) + 800; /* the largest doubles have 309 digits */
    char *text = mica__scope_alloc(s, room);
    if (!text) return NULL;
    snprintf(
        text, room,
        "  Complete contraction:  %s\n         Naive scaling:  %d\n     Optimized scaling:  %d\n"
        "      Naive FLOP count:  %.0f\n  Optimized FLOP count:  %.0f\n",
        e->text, count_of(all), scaling, naive, cost);
    return text;
}
