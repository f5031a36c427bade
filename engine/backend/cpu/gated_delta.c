/* Kernels of the gated delta rule and of its derivative. Rows of a state do not depend on each
   other: they are the tasks of the recurrence. The derivative walks back through time: states are
   kept every SEGMENT steps, those between are computed again (Chen et al., "Training deep nets with
   sublinear memory cost", 2016). */
#include "backend/cpu/gated_delta.h"

#include "backend/cpu/choose.h"
#include "backend/cpu/kernel.h"

enum { ROWS = 16, SEGMENT = 32 };

typedef struct delta {
    const mica__delta_loops *loops;
    size_t item;
    int64_t batch, time, q_heads, v_heads, keys, values; /* sizes of all axes */
    const char *q, *k, *v, *gamma, *beta, *state, *d_out, *d_state;
    const bool *mask; /* or NULL */
    char *out, *last; /* forward */
    char *dq, *dk, *dv, *dgamma, *dbeta, *dstate;
    atomic_bool exhausted;
} delta;

/* A head of the values, in a batch. */
typedef struct head {
    int64_t batch, q, v, row; /* row: the first of those at work */
    size_t rows;
} head;

static size_t keys_at(const delta *d, const head *h, int64_t t)
{
    return (size_t)(((h->batch * d->time + t) * d->q_heads + h->q) * d->keys) * d->item;
}
static size_t values_at(const delta *d, const head *h, int64_t t)
{
    return (size_t)(((h->batch * d->time + t) * d->v_heads + h->v) * d->values + h->row) * d->item;
}
static size_t number_at(const delta *d, const head *h, int64_t t)
{
    return (size_t)((h->batch * d->time + t) * d->v_heads + h->v) * d->item;
}
static size_t state_at(const delta *d, const head *h)
{
    return (size_t)(((h->batch * d->v_heads + h->v) * d->values + h->row) * d->keys) * d->item;
}

static double number(const delta *d, const char *at)
{
    if (d->item == 4) return *(const float *)(const void *)at;
    return *(const double *)(const void *)at;
}
static void put_number(const delta *d, char *at, double value)
{
    if (d->item == 4) *(float *)(void *)at = (float)value;
    else *(double *)(void *)at = value;
}

static bool is_seen(const delta *d, const head *h, int64_t t)
{
    return !d->mask || d->mask[h->batch * d->time + t];
}

static mica__delta_step step_at(const delta *d, const head *h, int64_t t)
{
    return (mica__delta_step){ .rows = h->rows,
                               .n = (size_t)d->keys,
                               .k = d->k + keys_at(d, h, t),
                               .q = d->q + keys_at(d, h, t),
                               .v = d->v + values_at(d, h, t),
                               .gamma = number(d, d->gamma + number_at(d, h, t)),
                               .beta = number(d, d->beta + number_at(d, h, t)) };
}

static size_t rows_from(const delta *d, int64_t row)
{
    return (size_t)(d->values - row < ROWS ? d->values - row : ROWS);
}

/* ---- forward ---- */

static int64_t row_blocks(const delta *d)
{
    return (d->values + ROWS - 1) / ROWS;
}

static void forward_task(void *context, size_t index)
{
    const delta *d = context;
    int64_t block = (int64_t)index % row_blocks(d), at = (int64_t)index / row_blocks(d);
    head h = { .batch = at / d->v_heads, .v = at % d->v_heads, .row = block * ROWS };
    h.q = h.v / (d->v_heads / d->q_heads);
    h.rows = rows_from(d, h.row);
    size_t bytes = h.rows * (size_t)d->keys * d->item;
    char *state = d->last + state_at(d, &h);
    memcpy(state, d->state + state_at(d, &h), bytes);
    for (int64_t t = 0; t < d->time; t++) {
        char *out = d->out + values_at(d, &h, t);
        if (!is_seen(d, &h, t)) {
            memset(out, 0, h.rows * d->item);
            continue;
        }
        mica__delta_step step = step_at(d, &h, t);
        d->loops->forward(&step, state, state, out);
    }
}

/* ---- backward ---- */

/* Memory of one task: a state each SEGMENT steps, those within a segment, and the cotangent. */
typedef struct history {
    char *kept, *within, *g;
    size_t bytes; /* of one state's rows */
} history;

static size_t history_bytes(const delta *d)
{
    size_t states = (size_t)((d->time + SEGMENT - 1) / SEGMENT) + SEGMENT + 2;
    return states * ROWS * (size_t)d->keys * d->item + 64;
}

/* The states of `count` steps from t on: to[0] is there, to[i + 1] follows to[i]; all in one place
 * if `in_place`. */
static void run_through(const delta *d, const head *h, int64_t t, int64_t count, char *to,
                        size_t bytes, bool in_place)
{
    for (int64_t i = 0; i < count; i++) {
        char *next = in_place ? to : to + bytes;
        if (is_seen(d, h, t + i)) {
            mica__delta_step step = step_at(d, h, t + i);
            d->loops->forward(&step, to, next, NULL);
        } else if (!in_place) {
            memcpy(next, to, bytes);
        }
        to = next;
    }
}

static void step_back(const delta *d, const head *h, int64_t t, const char *state, const char *next,
                      char *g)
{
    char *dv = d->dv + values_at(d, h, t), *dgamma = d->dgamma + number_at(d, h, t),
         *dbeta = d->dbeta + number_at(d, h, t);
    if (!is_seen(d, h, t)) {
        memset(dv, 0, h->rows * d->item);
        return;
    }
    mica__delta_step step = step_at(d, h, t);
    mica__delta_gradients gradients = { .dk = d->dk + keys_at(d, h, t),
                                        .dq = d->dq + keys_at(d, h, t),
                                        .dv = dv,
                                        .dgamma = number(d, dgamma),
                                        .dbeta = number(d, dbeta) };
    d->loops->backward(&step, state, next, d->d_out + values_at(d, h, t), g, &gradients);
    put_number(d, dgamma, gradients.dgamma);
    put_number(d, dbeta, gradients.dbeta);
}

static void rows_back(const delta *d, const head *h, history m)
{
    m.bytes = h->rows * (size_t)d->keys * d->item;
    int64_t segments = (d->time + SEGMENT - 1) / SEGMENT;
    memcpy(m.within, d->state + state_at(d, h), m.bytes);
    for (int64_t i = 0; i < segments; i++) {
        memcpy(m.kept + (size_t)i * m.bytes, m.within, m.bytes);
        if (i + 1 < segments) run_through(d, h, i * SEGMENT, SEGMENT, m.within, m.bytes, true);
    }
    memcpy(m.g, d->d_state + state_at(d, h), m.bytes);
    for (int64_t i = segments - 1; i >= 0; i--) {
        int64_t first = i * SEGMENT, count = d->time - first < SEGMENT ? d->time - first : SEGMENT;
        memcpy(m.within, m.kept + (size_t)i * m.bytes, m.bytes);
        run_through(d, h, first, count, m.within, m.bytes, false);
        for (int64_t t = count - 1; t >= 0; t--) {
            char *state = m.within + (size_t)t * m.bytes;
            step_back(d, h, first + t, state, state + m.bytes, m.g);
        }
    }
    memcpy(d->dstate + state_at(d, h), m.g, m.bytes);
}

/* The heads of the values that share one of the keys, whose gradients they add to in order. */
static void backward_task(void *context, size_t index)
{
    delta *d = context;
    head h = { .batch = (int64_t)index / d->q_heads, .q = (int64_t)index % d->q_heads };
    int64_t group = d->v_heads / d->q_heads;
    size_t bytes = history_bytes(d), row = (size_t)d->keys * d->item * ROWS;
    void *memory;
    if (mica__memory_take(bytes, &memory) != MICA_OK) {
        atomic_store_explicit(&d->exhausted, true, memory_order_relaxed);
        return;
    }
    history m = { .g = memory, .within = (char *)memory + row };
    m.kept = m.within + (SEGMENT + 1) * row;
    for (int64_t t = 0; t < d->time; t++) {
        memset(d->dq + keys_at(d, &h, t), 0, (size_t)d->keys * d->item);
        memset(d->dk + keys_at(d, &h, t), 0, (size_t)d->keys * d->item);
    }
    for (h.v = h.q * group; h.v < (h.q + 1) * group; h.v++) {
        for (int64_t t = 0; t < d->time; t++) {
            put_number(d, d->dgamma + number_at(d, &h, t), 0);
            put_number(d, d->dbeta + number_at(d, &h, t), 0);
        }
        for (h.row = 0; h.row < d->values; h.row += ROWS) {
            h.rows = rows_from(d, h.row);
            rows_back(d, &h, m);
        }
    }
    mica__memory_give(memory, bytes);
}

/* ---- launches ---- */

static delta read_inputs(const mica__launch *l)
{
    const mica_array *q = l->in[0], *v = l->in[2];
    delta d = { .loops = *MICA_CHOOSE(mica__delta_) + (q->dtype == MICA_FLOAT64),
                .item = mica__dtype_sizes[q->dtype] };
    d.batch = 1;
    for (int i = 0; i < q->ndim - 3; i++) d.batch *= q->shape[i];
    d.time = q->shape[q->ndim - 3];
    d.q_heads = q->shape[q->ndim - 2];
    d.keys = q->shape[q->ndim - 1];
    d.v_heads = v->shape[v->ndim - 2];
    d.values = v->shape[v->ndim - 1];
    const char **pointers[6] = { &d.q, &d.k, &d.v, &d.gamma, &d.beta, &d.state };
    for (int i = 0; i < 6; i++) *pointers[i] = l->in[i]->data;
    if (MICA_PARAMS(l->node, gated_delta)->masked)
        d.mask = (const bool *)(const void *)l->in[6]->data;
    return d;
}

int mica__kernel_gated_delta(mica__launch *l)
{
    delta d = read_inputs(l);
    d.out = l->out[0].data;
    d.last = l->out[1].data;
    int64_t tasks = d.batch * d.v_heads * row_blocks(&d);
    if (tasks)
        mica__spread_tasks(tasks, (d.time + 1) * (l->out[1].size + l->out[0].size), forward_task,
                           &d);
    return MICA_OK;
}

int mica__kernel_gated_delta_vjp(mica__launch *l)
{
    delta d = read_inputs(l);
    d.d_out = l->in[l->ninputs - 2]->data;
    d.d_state = l->in[l->ninputs - 1]->data;
    char **pointers[6] = { &d.dq, &d.dk, &d.dv, &d.dgamma, &d.dbeta, &d.dstate };
    for (int i = 0; i < 6; i++) *pointers[i] = l->out[i].data;
    int64_t tasks = d.batch * d.q_heads;
    if (tasks)
        mica__spread_tasks(tasks, (d.time + 1) * (l->out[5].size + l->out[2].size), backward_task,
                           &d);
    return atomic_load(&d.exhausted) ? mica__fail_memory("gated_delta_update", history_bytes(&d))
                                     : MICA_OK;
}
