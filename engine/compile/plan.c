/* Orders pending nodes and fuses element-wise ones into tapes.

   Every node gets a level: the largest level of its inputs, plus one unless it can be fused with
   that input. Only nodes of one level are fused, and any path that leaves a group raises the level,
   so no group can depend on itself. All walks keep their own stacks: depth never touches the C
   stack. */
#include "base/config.h"
#include "compile/plan_inside.h"

typedef mica__plan_info info;
typedef mica__planner planner;

#define NONE UINT32_MAX

enum {
    GROUP_LIMIT = 4096, /* nodes a tape: bounds the program and its registers */
    AHEAD = 8,          /* nodes that are fetched before their turn comes */
    FEW = 16            /* nodes of a plan up to which they are known on the C stack */
};

static bool is_elementwise(const mica_node *n)
{
    mica__class c = mica__prims[n->prim].class;
    return c == MICA_CLASS_UNARY || c == MICA_CLASS_BINARY || c == MICA_CLASS_TERNARY ||
           c == MICA_CLASS_CAST;
}

typedef struct frame {
    mica_node *node;
    uint32_t next;
} frame;

typedef struct stack {
    frame *at;
    size_t n, capacity;
    frame few[32];
} stack;

static int push(stack *s, mica_node *n)
{
    if (s->n == s->capacity) {
        size_t capacity = 2 * s->capacity;
        frame *at = mica__realloc(s->at == s->few ? NULL : s->at, capacity * sizeof *at);
        if (!at) return MICA_EMEMORY;
        if (s->at == s->few) memcpy(at, s->few, sizeof s->few);
        s->at = at;
        s->capacity = capacity;
    }
    s->at[s->n++] = (frame){ n, 0 };
    return MICA_OK;
}

/* Fetches nodes that are open: they are entered from the top of the stack. */
static inline void fetch_open(const stack *s)
{
    if (s->n > AHEAD) mica__fetch(&s->at[s->n - 1 - AHEAD].node->out[0]);
    if (s->n <= AHEAD / 2) return;
    const frame *f = &s->at[s->n - 1 - AHEAD / 2];
    const mica_node *n = f->node;
    if (f->next < n->ninputs) mica__fetch(n->inputs[f->next]);
}

static int await(planner *p, mica_array *a)
{
    mica__plan *plan = p->plan;
    for (size_t i = 0; i < plan->nawaited; i++)
        if (plan->awaited[i] == a) return MICA_OK;
    if ((plan->nawaited & (plan->nawaited - 1)) == 0) { /* grows at powers of two */
        size_t capacity = plan->nawaited ? 2 * plan->nawaited : 1;
        mica_array **grown = mica__realloc(plan->awaited, capacity * sizeof *grown);
        if (!grown) return MICA_EMEMORY;
        plan->awaited = grown;
    }
    plan->awaited[plan->nawaited++] = mica_retain(a);
    return MICA_OK;
}

/* A placeholder has no value. Of the nodes that are open the first that was made inside the traced
 * function is what leaked. */
static int refuse_placeholder(const stack *s, const mica_node *placeholder)
{
    const char *place = NULL;
    for (size_t i = 0; i < s->n && !place; i++) place = mica__node_place(s->at[i].node);
    if (!place) place = mica__node_place(placeholder);
    return mica__fail(
        MICA_EVALUE,
        "[eval] Attempting to eval an array during function transformations like compile or vmap "
        "is not allowed. If it leaked out of a traced function, return it from there instead, or "
        "name what holds it in the outputs of compile%s%s.",
        place ? "; it was made at " : "", place ? place : "");
}

/* Looks at an array that is needed: 1 when its node is to be entered, 0 when not, else a status. */
static int visit(planner *p, const stack *s, mica_array *a)
{
    mica_node *n = mica__node_of(a);
    int state = mica__state(n);
    if (state == MICA_NODE_DONE || n->mark) return 0;
    if (state == MICA_NODE_FAILED) return mica__node_fault(n);
    if (state == MICA_NODE_SCHEDULED) return await(p, a);
    return n->prim == mica_prim_placeholder ? refuse_placeholder(s, n) : 1;
}

/* Whether consumer c may run in the same tape as the producer of its input. */
static bool fusable(const info *producer, const info *c, const mica_array *input)
{
    return c->elementwise && producer->elementwise && producer->node->stream == c->node->stream &&
           mica__shape_equal(mica__dims_of(input), mica__dims_of(&c->node->out[0]));
}

/* Joins the groups of two nodes of one level. */
static void join(info *infos, uint32_t i, uint32_t k)
{
    uint32_t a = mica__plan_group(infos, i), b = mica__plan_group(infos, k);
    if (a == b) return;
    uint32_t large = infos[a].size >= infos[b].size ? a : b, small = large == a ? b : a;
    infos[small].parent = large;
    infos[large].size += infos[small].size;
}

/* Takes a node into the plan, all its inputs being there: its level and its group. */
static int enter(planner *p, mica_node *n)
{
    if (p->n == p->capacity) {
        if (p->n >= UINT32_MAX / 2)
            return mica__fail(MICA_EOVERFLOW, "[eval] the graph has too many nodes");
        uint32_t capacity = 2 * p->capacity;
        bool moves = p->infos == p->few;
        info *grown = mica__realloc(moves ? NULL : p->infos, capacity * sizeof *grown);
        if (!grown) return MICA_EMEMORY;
        if (moves) memcpy(grown, p->few, p->n * sizeof *grown);
        p->infos = grown;
        p->capacity = capacity;
    }
    info *infos = p->infos, *self = &infos[p->n];
    uint32_t i = p->n++, level = 0;
    *self = (info){ .node = n,
                    .parent = i,
                    .size = 1,
                    .next = NONE,
                    .ninputs = n->ninputs,
                    .elementwise = is_elementwise(n) };
    bool fuses[CLOSE] = { false }; /* element-wise nodes have no more inputs */
    for (uint32_t k = 0; k < n->ninputs; k++) {
        info *in = mica__planned(p, n->inputs[k]);
        if (k < CLOSE) self->in[k] = in ? (uint32_t)(in - infos) : NONE;
        if (!in) continue;
        in->edges++;
        bool fuse = fusable(in, self, n->inputs[k]);
        if (fuse) fuses[k] = true;
        fuse = fuse && infos[mica__plan_group(infos, (uint32_t)(in - infos))].size < p->limit;
        uint32_t at_least = in->level + !fuse;
        if (at_least > level) level = at_least;
    }
    self->level = level;
    for (uint32_t k = 0; k < CLOSE; k++)
        if (fuses[k] && infos[self->in[k]].level == level) join(infos, self->in[k], i);
    n->mark = i + 1;
    return MICA_OK;
}

/* Takes the pending nodes below `root` into the plan, depth first; node->mark becomes the place + 1
 * (UINT32_MAX while open). */
static int walk(planner *p, stack *s, mica_array *root)
{
    int opens = visit(p, s, root);
    if (opens <= 0) return opens;
    mica_node *top = mica__node_of(root);
    MICA_TRY(push(s, top));
    top->mark = UINT32_MAX;
    while (s->n) {
        frame *f = &s->at[s->n - 1];
        mica_node *n = f->node;
        if (f->next == n->ninputs) {
            fetch_open(s);
            MICA_TRY(enter(p, n));
            s->n--;
            continue;
        }
        mica_array *input = n->inputs[f->next++];
        mica__fetch(input);
        opens = visit(p, s, input);
        if (opens < 0) return opens;
        if (opens) {
            MICA_TRY(push(s, mica__node_of(input)));
            mica__node_of(input)->mark = UINT32_MAX;
        }
    }
    return MICA_OK;
}

/* The place of the k-th input of node i, NONE when it is not planned. */
static inline uint32_t input_at(const planner *p, uint32_t i, uint32_t k)
{
    if (k < CLOSE) return p->infos[i].in[k];
    const info *in = mica__planned(p, p->infos[i].node->inputs[k]);
    return in ? (uint32_t)(in - p->infos) : NONE;
}

static int list_groups(planner *p)
{
    uint32_t n = p->n;
    p->first = mica__arena_alloc(&p->plan->arena, n * sizeof *p->first);
    p->last = mica__arena_alloc(&p->plan->arena, n * sizeof *p->last);
    if (!p->first || !p->last) return MICA_EMEMORY;
    for (uint32_t i = 0; i < n; i++) p->first[i] = UINT32_MAX;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t g = mica__plan_group(p->infos, i);
        if (p->first[g] == UINT32_MAX) p->first[g] = i;
        else p->infos[p->last[g]].next = i;
        p->last[g] = i;
        for (uint32_t k = 0; k < p->infos[i].ninputs; k++) {
            uint32_t in = input_at(p, i, k);
            if (in != NONE && mica__plan_group(p->infos, in) != g) p->infos[in].outside++;
        }
    }
    return MICA_OK;
}

/* ---- steps ---- */

static int32_t external(mica__step *step, mica_array *a)
{
    bool once =
        atomic_load_explicit(&a->uses, memory_order_relaxed) == 1; /* nobody else reads it */
    uint32_t from = step->nexternals > 64
                        ? step->nexternals - 64
                        : 0; /* bounded search: a repeated entry costs only a load */
    for (uint32_t i = once ? from : step->nexternals; i-- > from;)
        if (step->externals[i] == a) {
            step->edges[i]++;
            return ~(int32_t)i;
        }
    step->externals[step->nexternals] = a;
    step->edges[step->nexternals] = 1;
    return ~(int32_t)step->nexternals++;
}

bool mica__plan_keeps(const info *i, uint32_t inside, uint32_t scope, bool *by_scope)
{
    const mica_node *n = i->node;
    uint32_t uses = (uint32_t)atomic_load_explicit(&n->out[0].uses, memory_order_relaxed);
    *by_scope = scope && atomic_load_explicit(&n->holder, memory_order_relaxed) == scope;
    return i->root || i->outside > inside || uses > i->edges + *by_scope;
}

/* Fetches nodes that come soon when a tape is made: places in a group mostly follow each other. */
static inline void fetch_planned(const planner *p, uint32_t i)
{
    if (i + AHEAD < p->n) mica__fetch(&p->infos[i + AHEAD].node->out[0]);
    if (i + AHEAD / 2 >= p->n) return;
    const info *soon = &p->infos[i + AHEAD / 2];
    for (uint32_t k = 0; k < soon->ninputs && k < CLOSE; k++)
        if (soon->in[k] == NONE) mica__fetch(soon->node->inputs[k]);
}

static int make_tape(planner *p, mica__step *step, uint32_t group)
{
    info *infos = p->infos;
    size_t n = infos[group].size;
    mica__arena *arena = &p->plan->arena;
    step->ops = mica__arena_alloc(arena, n * sizeof *step->ops);
    step->externals = mica__arena_alloc(arena, 3 * n * sizeof *step->externals);
    step->edges = mica__arena_alloc(arena, 3 * n * sizeof *step->edges);
    if (!step->ops || !step->externals || !step->edges) return MICA_EMEMORY;
    for (uint32_t i = p->first[group]; i != UINT32_MAX; i = infos[i].next) {
        mica_node *node = infos[i].node;
        fetch_planned(p, i);
        mica__tape_op *op = &step->ops[step->nops];
        *op = (mica__tape_op){ .node = node, .nin = (uint8_t)node->ninputs, .last = step->nops };
        infos[i].local = step->nops;
        for (uint32_t k = 0; k < node->ninputs; k++) {
            uint32_t in = input_at(p, i, k);
            if (in != NONE && mica__plan_group(infos, in) == group) {
                op->in[k] = (int32_t)infos[in].local;
                step->ops[infos[in].local].last = step->nops;
            } else {
                op->in[k] = external(step, node->inputs[k]);
            }
        }
        bool by_scope;
        op->keep = mica__plan_keeps(&infos[i], 0, p->scope, &by_scope);
        if (!op->keep && by_scope) step->recomputable = true;
        step->nops++;
    }
    return MICA_OK;
}

/* Emits groups so that each comes after those it needs; depth first, so that results are consumed
 * soon. */
static int order_groups(planner *p, mica_array *const roots[], size_t nroots)
{
    uint32_t n = p->n;
    mica__arena *arena = &p->plan->arena;
    typedef struct visit_frame {
        uint32_t group, node, input;
    } visit_frame;
    visit_frame *open = mica__arena_alloc(arena, n * sizeof *open);
    bool *seen = mica__arena_alloc(arena, n);
    p->step = p->last; /* which is not needed any more */
    size_t groups = 0;
    for (uint32_t i = 0; i < n; i++) groups += p->infos[i].parent == i;
    p->plan->steps = mica__arena_alloc(arena, groups * sizeof *p->plan->steps);
    if (!open || !seen || !p->plan->steps) return MICA_EMEMORY;
    memset(seen, 0, n);
    for (size_t r = 0; r < nroots; r++) {
        info *root = mica__planned(p, roots[r]);
        if (!root) continue;
        uint32_t g = mica__plan_group(p->infos, (uint32_t)(root - p->infos));
        if (seen[g]) continue;
        seen[g] = true;
        size_t depth = 0;
        open[depth++] = (visit_frame){ g, p->first[g], 0 };
        while (depth) {
            visit_frame *f = &open[depth - 1];
            if (f->node == UINT32_MAX) {
                mica__step *step = &p->plan->steps[p->plan->nsteps];
                p->step[f->group] = (uint32_t)p->plan->nsteps++;
                memset(step, 0, sizeof *step);
                mica_node *node = p->infos[p->first[f->group]].node;
                step->stream = node->stream;
                if (is_elementwise(node)) MICA_TRY(make_tape(p, step, f->group));
                else step->node = node;
                depth--;
                continue;
            }
            if (f->input == p->infos[f->node].ninputs) {
                f->node = p->infos[f->node].next;
                f->input = 0;
                continue;
            }
            uint32_t in = input_at(p, f->node, f->input++);
            if (in == NONE) continue;
            g = mica__plan_group(p->infos, in);
            if (seen[g]) continue;
            seen[g] = true;
            open[depth++] = (visit_frame){ g, p->first[g], 0 };
        }
    }
    return MICA_OK;
}

static int make(planner *p, stack *s, mica_array *const roots[], size_t n)
{
    for (size_t i = 0; i < n; i++) MICA_TRY(walk(p, s, roots[i]));
    if (!p->n) return MICA_OK;
    for (size_t i = 0; i < n; i++) {
        info *root = mica__planned(p, roots[i]);
        if (root) root->root = true;
    }
    MICA_TRY(list_groups(p));
    MICA_TRY(order_groups(p, roots, n));
    if (p->limit) mica__plan_merge(p);
    return MICA_OK;
}

int mica__plan_make(mica__plan *plan, mica_array *const roots[], size_t n, uint32_t scope)
{
    memset(plan, 0, sizeof *plan);
    info few[FEW];
    planner p = { .plan = plan, .scope = scope, .infos = few, .few = few, .capacity = FEW };
    p.limit = mica__setting_flag(MICA_SETTING_fuse) ? GROUP_LIMIT : 0;
    stack s;
    s.at = s.few;
    s.n = 0;
    s.capacity = sizeof s.few / sizeof s.few[0];
    int status = make(&p, &s, roots, n);
    static uint32_t claims;
    plan->claim = ++claims;
    for (uint32_t i = 0; i < p.n; i++) {
        mica_node *node = p.infos[i].node;
        if (i + AHEAD < p.n) mica__fetch_head(p.infos[i + AHEAD].node);
        node->mark = 0;
        if (status != MICA_OK) continue;
        node->claim = plan->claim;
        atomic_store_explicit(&node->state, MICA_NODE_SCHEDULED, memory_order_release);
    }
    for (size_t i = 0; i < s.n; i++) s.at[i].node->mark = 0;
    if (s.at != s.few) mica__free(s.at);
    if (p.infos != few) mica__free(p.infos);
    if (status != MICA_OK) mica__plan_free(plan);
    return status;
}

void mica__step_each(const mica__step *step, mica__visit *fn, void *user)
{
    if (step->product) fn(step->product, user);
    if (step->reshaped) fn(step->reshaped, user);
    if (step->node) fn(step->node, user);
    for (uint32_t i = 0; i < step->nops; i++) fn(step->ops[i].node, user);
    if (step->reduced) fn(step->reduced, user);
}

void mica__plan_free(mica__plan *plan)
{
    for (size_t i = 0; i < plan->nawaited; i++) mica_release(plan->awaited[i]);
    mica__free(plan->awaited);
    plan->awaited = NULL;
    plan->nawaited = 0;
    mica__arena_free(&plan->arena);
    plan->nsteps = 0;
}
