/* Kernels of the gated delta rule and of its derivative. Blocks of rows of a state are the tasks of
   the recurrence. The derivative walks back through time: states are kept every SEGMENT steps,
   those between are computed again (Chen et al., "Training deep nets with sublinear memory cost",
   2016). */
#include "backend/cpu/gated_delta.h"

#include "backend/cpu/choose.h"
#include "backend/cpu/kernel.h"

enum { SEGMENT = 32 };

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
    mica__delta_step step = { .n = (size_t)d->keys,
                              .k = d->k + keys_at(d, h, t),
                              .q = d->q + keys_at(d, h, t),
                              .gamma = number(d, d->gamma + number_at(d, h, t)),
                              .beta = number(d, d->beta + number_at(d, h, t)) };
    memcpy(step.v, d->v + values_at(d, h, t), h->rows * d->item);
    return step;
}

/* Rows of a block, blocks of a head's state, bytes of one of them. */
static int64_t block_rows(const delta *d)
{
    return MICA_DELTA_BLOCK / (int64_t)d->item;
}
static int64_t row_blocks(const delta *d)
{
    return (d->values + block_rows(d) - 1) / block_rows(d);
}
static size_t block_bytes(const delta *d)
{
    return (size_t)d->keys * MICA_DELTA_BLOCK;
}

static size_t rows_from(const delta *d, int64_t row)
{
    return (size_t)(d->values - row < block_rows(d) ? d->values - row : block_rows(d));
}

/* Memory of a task; that there is none is remembered. */
static char *take(delta *d, size_t bytes)
{
    void *memory = NULL;
    if (mica__memory_take(bytes, &memory) == MICA_OK) return memory;
    atomic_store_explicit(&d->exhausted, true, memory_order_relaxed);
    return NULL;
}

/* ---- forward ---- */

static void forward_task(void *context, size_t index)
{
    delta *d = context;
    int64_t block = (int64_t)index % row_blocks(d), at = (int64_t)index / row_blocks(d);
    head h = { .batch = at / d->v_heads, .v = at % d->v_heads, .row = block * block_rows(d) };
    h.q = h.v / (d->v_heads / d->q_heads);
    h.rows = rows_from(d, h.row);
    char *state = take(d, block_bytes(d) + 1);
    if (!state) return;
    d->loops->gather(h.rows, (size_t)d->keys, d->state + state_at(d, &h), state);
    for (int64_t t = 0; t < d->time; t++) {
        char *out = d->out + values_at(d, &h, t), y[MICA_DELTA_BLOCK] = { 0 };
        if (is_seen(d, &h, t)) {
            mica__delta_step step = step_at(d, &h, t);
            d->loops->forward(&step, state, state, y);
        }
        memcpy(out, y, h.rows * d->item);
    }
    d->loops->scatter(h.rows, (size_t)d->keys, state, d->last + state_at(d, &h));
    mica__memory_give(state, block_bytes(d) + 1);
}

/* ---- backward ---- */

/* Memory of one task: the block each SEGMENT steps, those within a segment, and the cotangent. */
typedef struct history {
    char *kept, *within, *g;
} history;

static int64_t segments_of(const delta *d)
{
    return (d->time + SEGMENT - 1) / SEGMENT;
}
static size_t history_bytes(const delta *d)
{
    return ((size_t)segments_of(d) + SEGMENT + 2) * block_bytes(d) + 1;
}

/* The states of `count` steps from t on: to[0] is there, to[i + 1] follows to[i]; all in one place
 * if `in_place`. */
static void run_through(const delta *d, const head *h, int64_t t, int64_t count, char *to,
                        bool in_place)
{
    char ignored[MICA_DELTA_BLOCK];
    for (int64_t i = 0; i < count; i++) {
        char *next = in_place ? to : to + block_bytes(d);
        if (is_seen(d, h, t + i)) {
            mica__delta_step step = step_at(d, h, t + i);
            d->loops->forward(&step, to, next, ignored);
        } else if (!in_place) {
            memcpy(next, to, block_bytes(d));
        }
        to = next;
    }
}

static void step_back(const delta *d, const head *h, int64_t t, const char *state, const char *next,
                      char *g)
{
    char *dgamma = d->dgamma + number_at(d, h, t), *dbeta = d->dbeta + number_at(d, h, t);
    mica__delta_gradients gradients = { .dk = d->dk + keys_at(d, h, t),
                                        .dq = d->dq + keys_at(d, h, t),
                                        .dgamma = number(d, dgamma),
                                        .dbeta = number(d, dbeta) };
    if (is_seen(d, h, t)) {
        mica__delta_step step = step_at(d, h, t);
        memcpy(step.d_out, d->d_out + values_at(d, h, t), h->rows * d->item);
        d->loops->backward(&step, state, next, g, &gradients);
        put_number(d, dgamma, gradients.dgamma);
        put_number(d, dbeta, gradients.dbeta);
    }
    memcpy(d->dv + values_at(d, h, t), gradients.dv, h->rows * d->item);
}

static void rows_back(const delta *d, const head *h, history m)
{
    size_t bytes = block_bytes(d), n = (size_t)d->keys;
    d->loops->gather(h->rows, n, d->state + state_at(d, h), m.within);
    for (int64_t i = 0; i < segments_of(d); i++) {
        memcpy(m.kept + (size_t)i * bytes, m.within, bytes);
        if (i + 1 < segments_of(d)) run_through(d, h, i * SEGMENT, SEGMENT, m.within, true);
    }
    d->loops->gather(h->rows, n, d->d_state + state_at(d, h), m.g);
    for (int64_t i = segments_of(d) - 1; i >= 0; i--) {
        int64_t first = i * SEGMENT, count = d->time - first < SEGMENT ? d->time - first : SEGMENT;
        memcpy(m.within, m.kept + (size_t)i * bytes, bytes);
        run_through(d, h, first, count, m.within, false);
        for (int64_t t = count - 1; t >= 0; t--) {
            char *state = m.within + (size_t)t * bytes;
            step_back(d, h, first + t, state, state + bytes, m.g);
        }
    }
    d->loops->scatter(h->rows, n, m.g, d->dstate + state_at(d, h));
}

/* The heads of the values that share one of the keys, whose gradients they add to in order. */
static void backward_task(void *context, size_t index)
{
    delta *d = context;
    head h = { .batch = (int64_t)index / d->q_heads, .q = (int64_t)index % d->q_heads };
    int64_t group = d->v_heads / d->q_heads;
    char *memory = take(d, history_bytes(d));
    if (!memory) return;
    history m = { .g = memory, .within = memory + block_bytes(d) };
    m.kept = m.within + (SEGMENT + 1) * block_bytes(d);
    for (int64_t t = 0; t < d->time; t++) {
        memset(d->dq + keys_at(d, &h, t), 0, (size_t)d->keys * d->item);
        memset(d->dk + keys_at(d, &h, t), 0, (size_t)d->keys * d->item);
    }
    for (h.v = h.q * group; h.v < (h.q + 1) * group; h.v++) {
        for (int64_t t = 0; t < d->time; t++) {
            put_number(d, d->dgamma + number_at(d, &h, t), 0);
            put_number(d, d->dbeta + number_at(d, &h, t), 0);
        }
        for (h.row = 0; h.row < d->values; h.row += block_rows(d)) {
            h.rows = rows_from(d, h.row);
            rows_back(d, &h, m);
        }
    }
    mica__memory_give(memory, history_bytes(d));
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
    return atomic_load(&d.exhausted) ? mica__fail_memory("gated_delta_update", block_bytes(&d))
                                     : MICA_OK;
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
