/* Mistakes that a graph shows before it runs. Each check looks at one node and its neighbours; what
 * it cannot know it leaves alone. */
#include "doctor/inside.h"

enum { FAR = 8, CHAIN = 16, SMALL_LITERAL = 1024 };

static size_t bytes_of(const mica_array *a)
{
    return (size_t)a->size * mica__dtype_sizes[a->dtype];
}

static bool is_pending(const mica_node *n)
{
    return n->ninputs > 0; /* evaluated nodes have let go of their inputs */
}

/* A half operand that promotion, not the program, made float32. */
static bool is_promoted_half(const mica_array *a)
{
    const mica_node *n = mica__node_of(a);
    return n->prim == mica_prim_astype && is_pending(n) && !(n->flags & MICA_NODE_ASKED) &&
           a->dtype == MICA_FLOAT32 && mica__is_half((mica_dtype)n->inputs[0]->dtype);
}

/* What an array is a view of. */
static const mica_array *viewed(const mica_array *a)
{
    for (int i = 0; i < FAR; i++) {
        const mica_node *n = mica__node_of(a);
        if (!is_pending(n) || mica__prims[n->prim].class != MICA_CLASS_VIEW) break;
        a = n->inputs[0];
    }
    return a;
}

/* Made by zeros, ones, full, arange, random or a literal list: of a type that nobody asked for. */
static bool is_made(const mica_array *a)
{
    const mica_array *source = viewed(a);
    if (source->flags & MICA_ARRAY_MADE) return true;
    for (int i = 0; i < FAR; i++) {
        const mica_node *n = mica__node_of(source);
        switch (n->prim) {
        case mica_prim_arange:
        case mica_prim_random_bits:
        case mica_prim_random_normal: return true;
        case mica_prim_constant: return n->site && source->size <= SMALL_LITERAL;
        default: break;
        }
        if (!is_pending(n) || n->site != mica__node_of(a)->site) return false;
        source = n->inputs[0];
    }
    return false;
}

/* An evaluated node has let go of what it was made of: it is told before. */
static void mark_made(mica_node *n)
{
    if (n->out[0].dtype == MICA_FLOAT32 && is_made(&n->out[0])) n->out[0].flags |= MICA_ARRAY_MADE;
}

/* MX201, MX202, MX203: a half operand became float32 for the sake of another. */
static void check_promotion(const mica_node *n)
{
    for (uint32_t i = 0; i < n->ninputs; i++) {
        const mica_array *a = n->inputs[i];
        if (!is_promoted_half(a)) continue;
        for (uint32_t k = 0; k < n->ninputs; k++) {
            const mica_array *b = n->inputs[k];
            if (k == i || b->dtype != MICA_FLOAT32) continue;
            uint32_t rule;
            const mica_array *cause = viewed(b);
            if (is_promoted_half(b)) {
                cause = mica__node_of(b)->inputs[0];
                if (cause->dtype == mica__node_of(a)->inputs[0]->dtype || k < i) continue;
                rule = 203;
            } else if (b->ndim == 0 && cause->size == 1 && !is_pending(mica__node_of(cause))) {
                rule = 201;
            } else if (is_made(b)) {
                rule = 202;
            } else {
                continue;
            }
            mica__doctor_found(rule, n->prim, n->site, mica__node_of(cause)->site,
                               bytes_of(&n->out[0]));
            return;
        }
    }
}

/* MX206: float64 begins here. */
static void check_float64(const mica_node *n)
{
    const mica_array *out = &n->out[0];
    if (out->dtype != MICA_FLOAT64 || out->flags & MICA_ARRAY_WEAK) return;
    /* Casts that nobody asked for, and sums of integers, are inside of functions. */
    if (n->prim == mica_prim_astype && !(n->flags & MICA_NODE_ASKED)) return;
    if (mica__prims[n->prim].class == MICA_CLASS_REDUCE) return;
    for (uint32_t i = 0; i < n->ninputs; i++) {
        const mica_array *in = n->inputs[i];
        const mica_node *m = mica__node_of(in);
        if (in->dtype != MICA_FLOAT64 || in->flags & MICA_ARRAY_WEAK || !m->site) continue;
        if (m->prim == mica_prim_constant)
            mica__doctor_found(206, m->prim, m->site, 0, bytes_of(in));
        return; /* else it is told where that one begins */
    }
    mica__doctor_found(206, n->prim, n->site, 0, bytes_of(out));
}

/* MX204, MX205: up to float32, through a norm or softmax, and back to half. */
static void check_casts_around(const mica_node *n)
{
    if (n->prim != mica_prim_astype || !mica__is_half((mica_dtype)n->out[0].dtype)) return;
    const mica_node *m = mica__node_of(viewed(n->inputs[0]));
    bool norm = m->prim == mica_prim_rms_norm || m->prim == mica_prim_layer_norm;
    if ((!norm && m->prim != mica_prim_softmax) || !is_pending(m)) return;
    const mica_node *up = mica__node_of(viewed(m->inputs[0]));
    if (up->prim != mica_prim_astype || !is_pending(up) || !(up->flags & MICA_NODE_ASKED) ||
        !mica__is_half((mica_dtype)up->inputs[0]->dtype))
        return;
    mica__doctor_found(norm ? 204 : 205, m->prim, n->site, up->site, bytes_of(&m->out[0]));
}

/* MX402: an array of a file is cast after it was evaluated as it is. */
static void check_loaded(const mica_node *n)
{
    if (n->prim != mica_prim_astype || !(n->flags & MICA_NODE_ASKED)) return;
    const mica_array *a = viewed(n->inputs[0]);
    const mica_node *m = mica__node_of(a);
    if (m->flags & MICA_NODE_LOADED)
        mica__doctor_found(402, n->prim, n->site, m->site, bytes_of(a));
}

/* MX503: an element or a slice at a time, each on the result of the last from the same line. */
static void check_updates(const mica_node *n, uint32_t *length)
{
    if (n->prim != mica_prim_scatter && n->prim != mica_prim_slice_update) return;
    const mica_node *before = mica__node_of(n->inputs[0]);
    if (before->prim != n->prim || before->site != n->site || !is_pending(before)) return;
    if (++*length >= CHAIN) mica__doctor_found(503, n->prim, n->site, 0, 0);
}

/* MX601: one of several indices is a plain range. */
static void check_gather(const mica_node *n)
{
    if (n->prim != mica_prim_gather || n->ninputs < 3) return;
    for (uint32_t i = 1; i < n->ninputs; i++) {
        const mica_array *index = viewed(n->inputs[i]);
        const mica_node *m = mica__node_of(index);
        if (m->prim == mica_prim_astype && is_pending(m)) m = mica__node_of(viewed(m->inputs[0]));
        if (m->prim != mica_prim_arange) continue;
        mica__doctor_found(601, n->prim, n->site, m->site, bytes_of(&n->out[0]));
        return;
    }
}

/* MX602: the same array several times. */
static void check_concatenate(const mica_node *n)
{
    if (n->prim != mica_prim_concatenate || n->ninputs < 3) return;
    for (uint32_t i = 1; i < n->ninputs; i++)
        if (n->inputs[i] != n->inputs[0]) return;
    mica__doctor_found(602, n->prim, n->site, mica__node_of(n->inputs[0])->site,
                       bytes_of(&n->out[0]));
}

/* MX702: a bias that is added to a product. */
static void check_bias(const mica_node *n)
{
    if (n->prim != mica_prim_add || n->flags & MICA_NODE_ASKED) return;
    for (uint32_t i = 0; i < 2; i++) {
        const mica_node *product = mica__node_of(n->inputs[i]);
        if (product->prim != mica_prim_matmul || n->inputs[1 - i]->ndim != 1 ||
            product->ninputs != 2 || product->site != n->site)
            continue;
        mica__doctor_found(702, n->prim, n->site, 0, 0);
        return;
    }
}

typedef struct examined {
    mica_array *const *roots;
    size_t nroots;
    uint32_t updates; /* length of the chain of index updates */
    uint64_t held;    /* bytes */
} examined;

static void examine(mica_node *n, void *user)
{
    examined *e = user;
    if (!n->site) return;
    mark_made(n);
    if (n->ninputs > 1) check_promotion(n);
    check_float64(n);
    if (n->ninputs) {
        check_casts_around(n);
        check_loaded(n);
        check_updates(n, &e->updates);
        check_gather(n);
        check_concatenate(n);
        check_bias(n);
    }
}

/* ---- MX401: gradients that a name still holds while they are used up ----
   node->mark is the planner's scratch: 0 outside of its walks, and its lock is held. */

static void count_edges(mica_node *n, void *user)
{
    (void)user;
    for (uint32_t i = 0; i < n->ninputs; i++) {
        mica_node *m = mica__node_of(n->inputs[i]);
        if (m->flags & MICA_NODE_GRADIENT) m->mark++;
    }
}

static void clear_edges(mica_node *n, void *user)
{
    (void)user;
    for (uint32_t i = 0; i < n->ninputs; i++) mica__node_of(n->inputs[i])->mark = 0;
}

static bool is_root(const examined *e, const mica_node *n)
{
    for (size_t i = 0; i < e->nroots; i++)
        if (mica__node_of(e->roots[i]) == n) return true;
    return false;
}

static void sum_held(mica_node *n, void *user)
{
    examined *e = user;
    if (!(n->flags & MICA_NODE_GRADIENT) || !n->mark) return;
    uint32_t uses = (uint32_t)atomic_load_explicit(&n->out[0].uses, memory_order_relaxed);
    if (uses <= n->mark || is_root(e, n)) return;
    e->held += bytes_of(&n->out[0]);
    mica__doctor_found(401, n->prim, n->site, mica__site, bytes_of(&n->out[0]));
}

uint64_t mica__doctor_examine(const mica__plan *plan, mica_array *const roots[], size_t nroots)
{
    examined e = { .roots = roots, .nroots = nroots };
    static mica__visit *const passes[] = { examine, count_edges, sum_held, clear_edges };
    for (size_t pass = 0; pass < sizeof passes / sizeof passes[0]; pass++)
        for (size_t i = 0; i < plan->nsteps; i++)
            mica__step_each(&plan->steps[i], passes[pass], &e);
    return e.held;
}
