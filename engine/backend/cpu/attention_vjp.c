/* Kernel of the derivatives of attention. A task has some keys of a head of keys, and goes through
   the queries of all heads that share it: probabilities are computed again from the stored maxima
   and sums. Where heads are few the keys are cut into chunks; their parts of the queries'
   cotangents are added up at the end, in order. */
#include "backend/cpu/attention.h"

#include <math.h>

#include "backend/cpu/choose.h"

enum { BLOCK = MICA_ATTENTION_BLOCK, TASKS = 16, CHUNK = 256 };

typedef struct backward {
    mica__attention a;
    mica__heads result, rows, cotangent;
    char *dq, *dk, *dv;
    int64_t shared, chunk, chunks; /* heads of keys; keys of a chunk */
    char *partial; /* [chunks][batch][heads][queries][features] numbers, when there are several
                      chunks */
} backward;

/* A block of queries, ready to be multiplied. */
typedef struct block {
    int64_t batch, head, first, count;
    char *q_room, *g_room, *o_room; /* [BLOCK][padded]: copies of rows */
    char *q_turned, *g_turned;      /* [strips][features][columns] */
    char *top, *reciprocal, *delta; /* [BLOCK] */
    char *p, *ds;                   /* [keys][BLOCK]: probabilities and cotangents of scores */
    char *dq;                       /* [BLOCK][padded features] */
    const void *q, *g;              /* rows as numbers */
    ptrdiff_t q_row, g_row;
} block;

/* The keys of a task. */
typedef struct chunk {
    int64_t first, count;
    char *k_room, *v_room, *dk_room, *dv_room;
    const void *k, *v;
    ptrdiff_t k_row, v_row, dk_row, dv_row;
    char *dk, *dv; /* sums in numbers: in the outputs, or in room of their own for halves */
} chunk;

static const void *at(const mica__attention *a, const void *numbers, int64_t n)
{
    return (const char *)numbers + n * (int64_t)a->unit;
}
static void *into(const mica__attention *a, char *numbers, int64_t n)
{
    return numbers + n * (int64_t)a->unit;
}

/* delta = sum of result * cotangent, for each row of the block. */
static void fill_delta(const backward *w, block *b)
{
    const mica__attention *a = &w->a;
    ptrdiff_t o_row;
    const char *results = mica__heads_at(&w->result, a->item, b->batch, b->head);
    const char *cotangents = mica__heads_at(&w->cotangent, a->item, b->batch, b->head);
    const void *o = mica__attention_rows(a, &w->result, results, a->values, b->first, b->count,
                                         false, b->o_room, &o_row);
    b->g = mica__attention_rows(a, &w->cotangent, cotangents, a->values, b->first, b->count, true,
                                b->g_room, &b->g_row);
    a->loops->dots((size_t)b->count, (size_t)a->values, o, o_row, b->g, b->g_row, b->delta);
    const char *rows = mica__heads_at(&w->rows, a->unit, b->batch, b->head);
    for (int64_t i = 0; i < BLOCK; i++) {
        const char *from = rows + (b->first + i) * w->rows.row * (int64_t)a->unit;
        if (i < b->count) {
            memcpy(into(a, b->top, i), from, a->unit);
            memcpy(into(a, b->reciprocal, i), from + w->rows.feature * (int64_t)a->unit, a->unit);
            continue;
        }
        memset(into(a, b->top, i), 0, a->unit);
        memset(into(a, b->reciprocal, i), 0, a->unit);
        memset(into(a, b->delta, i), 0, a->unit);
    }
}

static void begin_block(const backward *w, block *b)
{
    const mica__attention *a = &w->a;
    int64_t columns = (int64_t)a->loops->columns;
    fill_delta(w, b);
    b->q = mica__attention_rows(a, &a->q, mica__heads_at(&a->q, a->item, b->batch, b->head),
                                a->features, b->first, b->count, true, b->q_room, &b->q_row);
    for (int64_t i = 0; i < b->count; i += columns) {
        size_t some = (size_t)mica__smaller(columns, b->count - i);
        a->loops->transpose(some, (size_t)a->features, at(a, b->q, i * b->q_row), b->q_row,
                            a->scale, into(a, b->q_turned, i * a->features));
        a->loops->transpose(some, (size_t)a->values, at(a, b->g, i * b->g_row), b->g_row, 1,
                            into(a, b->g_turned, i * a->values));
    }
    memset(b->dq, 0, (size_t)(BLOCK * mica__padded(a->features)) * a->unit);
}

/* c (+)= x^T y for the keys [0, n) of a step: rows of probabilities against rows of queries. Strips
   of queries that none of a tile's keys meets lie before the first one with more keys, and are left
   out. */
static void gather_keys(const backward *w, const block *b, const int64_t met[], int64_t n,
                        const char *x, const void *y, ptrdiff_t y_row, int64_t features, void *c,
                        ptrdiff_t c_row)
{
    const mica__attention *a = &w->a;
    int64_t height = (int64_t)a->gemm->rows, columns = (int64_t)a->loops->columns;
    for (int64_t r = 0; r < n; r += height) {
        int64_t i = 0;
        while (i * columns < b->count && met[i] <= r) i++;
        i *= columns;
        if (i >= b->count) return;
        mica__attention_product(a, a->numbers, (size_t)mica__smaller(height, n - r),
                                (size_t)features, (size_t)(b->count - i), at(a, x, r * BLOCK + i),
                                BLOCK, 1, at(a, y, i * y_row), y_row, into(a, c, r * c_row), c_row,
                                true);
    }
}

/* The block against keys [key, key + n) of the chunk. */
static void step(const backward *w, block *b, const chunk *c, int64_t key, int64_t n)
{
    const mica__attention *a = &w->a;
    int64_t columns = (int64_t)a->loops->columns, height = (int64_t)a->gemm->rows,
            padded = mica__padded(a->features);
    int64_t met[BLOCK]; /* keys of each strip, rounded up to whole tiles */
    const void *k = at(a, c->k, (key - c->first) * c->k_row),
               *v = at(a, c->v, (key - c->first) * c->v_row);
    for (int64_t i = 0, s = 0; i < b->count; i += columns, s++) {
        int64_t some = mica__smaller(columns, b->count - i),
                reach = mica__attention_reach(a, b->first + i, some) - key;
        if (a->queries > a->keys) reach = n; /* rows that see no key make the lengths irregular */
        met[s] = reach > 0 ? mica__smaller(n, mica__parts(reach, height) * height) : 0;
        if (!met[s]) continue;
        void *p = into(a, b->p, i), *ds = into(a, b->ds, i);
        mica__attention_scores(a, b->batch, b->head, b->first + i, some, key, met[s],
                               into(a, b->q_turned, i * a->features), k, c->k_row, p, BLOCK);
        mica__attention_product(a, a->numbers, (size_t)met[s], (size_t)columns, (size_t)a->values,
                                v, c->v_row, 1, into(a, b->g_turned, i * a->values), columns, ds,
                                BLOCK, false);
        a->loops->backward((size_t)met[s], p, ds, BLOCK, into(a, b->top, i),
                           into(a, b->reciprocal, i), into(a, b->delta, i), a->scale);
        mica__attention_product(a, a->numbers, (size_t)some, (size_t)a->features, (size_t)met[s],
                                ds, 1, BLOCK, k, c->k_row, into(a, b->dq, i * padded), padded,
                                true);
    }
    gather_keys(w, b, met, n, b->p, b->g, b->g_row, a->values,
                into(a, c->dv, (key - c->first) * c->dv_row), c->dv_row);
    gather_keys(w, b, met, n, b->ds, b->q, b->q_row, a->features,
                into(a, c->dk, (key - c->first) * c->dk_row), c->dk_row);
}

static void end_block(const backward *w, const block *b, int64_t part)
{
    const mica__attention *a = &w->a;
    int64_t padded = mica__padded(a->features),
            row = (b->batch * a->heads + b->head) * a->queries + b->first;
    if (w->chunks == 1) {
        mica__attention_store(a, b->count, a->features, b->dq, padded,
                              w->dq + (size_t)(row * a->features) * a->item);
        return;
    }
    row += part * a->batch * a->heads * a->queries;
    for (int64_t i = 0; i < b->count; i++)
        memcpy(into(a, w->partial, (row + i) * a->features), at(a, b->dq, i * padded),
               (size_t)a->features * a->unit);
}

static void begin_chunk(const backward *w, chunk *c, int64_t batch, int64_t group)
{
    const mica__attention *a = &w->a;
    int64_t row = (batch * w->shared + group) * a->keys + c->first;
    c->k = mica__attention_rows(a, &a->k, mica__heads_at(&a->k, a->item, batch, group), a->features,
                                c->first, c->count, true, c->k_room, &c->k_row);
    c->v = mica__attention_rows(a, &a->v, mica__heads_at(&a->v, a->item, batch, group), a->values,
                                c->first, c->count, false, c->v_room, &c->v_row);
    c->dk_row = a->features;
    c->dv_row = a->values;
    c->dk = a->down ? c->dk_room : into(a, w->dk, row * a->features);
    c->dv = a->down ? c->dv_room : into(a, w->dv, row * a->values);
    memset(c->dk, 0, (size_t)(c->count * a->features) * a->unit);
    memset(c->dv, 0, (size_t)(c->count * a->values) * a->unit);
}

static void end_chunk(const backward *w, const chunk *c, int64_t batch, int64_t group)
{
    const mica__attention *a = &w->a;
    int64_t row = (batch * w->shared + group) * a->keys + c->first;
    if (!a->down) return;
    mica__attention_store(a, c->count, a->features, c->dk, a->features,
                          w->dk + (size_t)(row * a->features) * a->item);
    mica__attention_store(a, c->count, a->values, c->dv, a->values,
                          w->dv + (size_t)(row * a->values) * a->item);
}

static void task(void *context, size_t index)
{
    backward *w = context;
    mica__attention *a = &w->a;
    int64_t part = (int64_t)index % w->chunks, group = (int64_t)index / w->chunks % w->shared,
            batch = (int64_t)index / w->chunks / w->shared;
    int64_t features = mica__padded(a->features), values = mica__padded(a->values),
            keys = mica__attention_step(a);
    block b = { .batch = batch };
    chunk c = { .first = part * w->chunk,
                .count = mica__smaller(w->chunk, a->keys - part * w->chunk) };
    const mica__attention_part parts[] = {
        { &b.q_room, BLOCK * features },
        { &b.g_room, BLOCK * values },
        { &b.o_room, BLOCK * values },
        { &b.q_turned, BLOCK * a->features },
        { &b.g_turned, BLOCK * a->values },
        { &b.p, keys * BLOCK },
        { &b.ds, keys * BLOCK },
        { &b.dq, BLOCK * features },
        { &b.top, BLOCK },
        { &b.reciprocal, BLOCK },
        { &b.delta, BLOCK },
        { &c.k_room, c.count * features },
        { &c.v_room, c.count * values },
        { &c.dk_room, a->down ? c.count * features : 0 },
        { &c.dv_room, a->down ? c.count * values : 0 },
    };
    size_t bytes;
    void *memory = mica__attention_take(a, parts, sizeof parts / sizeof *parts, &bytes);
    if (!memory) return;
    begin_chunk(w, &c, batch, group);
    for (b.head = group * a->groups; b.head < (group + 1) * a->groups; b.head++)
        for (b.first = 0; b.first < a->queries; b.first += BLOCK) {
            b.count = mica__smaller(BLOCK, a->queries - b.first);
            int64_t end =
                mica__smaller(c.first + c.count, mica__attention_reach(a, b.first, b.count));
            begin_block(w, &b);
            for (int64_t key = c.first; key < end; key += keys)
                step(w, &b, &c, key, mica__smaller(keys, end - key));
            end_block(w, &b, part);
        }
    end_chunk(w, &c, batch, group);
    mica__memory_give(memory, bytes);
}

/* Adds up the chunks' parts for one head of queries. */
static void join_task(void *context, size_t index)
{
    const backward *w = context;
    const mica__attention *a = &w->a;
    int64_t n = a->queries * a->features, total = a->batch * a->heads * n,
            first = (int64_t)index * n;
    char *sum = into(a, w->partial, first);
    for (int64_t c = 1; c < w->chunks; c++) {
        const void *other = at(a, w->partial, c * total + first);
        if (a->unit == 8)
            for (int64_t i = 0; i < n; i++)
                ((double *)(void *)sum)[i] += ((const double *)other)[i];
        else
            for (int64_t i = 0; i < n; i++) ((float *)(void *)sum)[i] += ((const float *)other)[i];
    }
    mica__attention_store(a, a->queries, a->features, sum, a->features,
                          w->dq + (size_t)first * a->item);
}

/* A sink has the probability exp(sink - top) / sum and no value: its cotangent is minus that times
 * delta, summed over all rows of a head. */
static void sinks(backward *w, char *out)
{
    mica__attention *a = &w->a;
    block b = { 0 };
    int64_t values = mica__padded(a->values);
    const mica__attention_part parts[] = { { &b.g_room, BLOCK * values },
                                           { &b.o_room, BLOCK * values },
                                           { &b.top, BLOCK },
                                           { &b.reciprocal, BLOCK },
                                           { &b.delta, BLOCK } };
    size_t bytes;
    void *memory = mica__attention_take(a, parts, 5, &bytes);
    if (!memory) return;
    for (b.head = 0; b.head < a->heads; b.head++) {
        double number[1], sum = 0;
        mica__attention_sink(a, b.head, number);
        double sink = mica__attention_get(a, (char *)number, 0);
        for (b.batch = 0; b.batch < a->batch; b.batch++)
            for (b.first = 0; b.first < a->queries; b.first += BLOCK) {
                b.count = mica__smaller(BLOCK, a->queries - b.first);
                fill_delta(w, &b);
                for (size_t i = 0; i < (size_t)b.count; i++)
                    sum -= exp(sink - mica__attention_get(a, b.top, i)) *
                           mica__attention_get(a, b.reciprocal, i) *
                           mica__attention_get(a, b.delta, i);
            }
        mica__attention_set(a, (char *)number, 0, sum);
        mica__attention_store(a, 1, 1, number, 1, out + (size_t)b.head * a->item);
    }
    mica__memory_give(memory, bytes);
}

int mica__kernel_attention_vjp(mica__launch *l)
{
    backward w = { 0 };
    mica__attention *a = &w.a;
    mica__attention_open(a, l);
    size_t next = 3u + a->masked + a->sinks, bytes = 0;
    w.result = mica__heads_of(l->in[next]);
    w.rows = mica__heads_of(l->in[next + 1]);
    w.cotangent = mica__heads_of(l->in[next + 2]);
    w.dq = l->out[0].data;
    w.dk = l->out[1].data;
    w.dv = l->out[2].data;
    w.shared = a->groups ? a->heads / a->groups : 0;
    int64_t heads = a->batch * w.shared;
    if (!heads || !a->keys) {
        for (size_t i = 0; i < l->noutputs; i++)
            memset(l->out[i].data, 0, (size_t)l->out[i].size * a->item);
        return MICA_OK;
    }
    w.chunks =
        heads < TASKS ? mica__smaller(mica__parts(TASKS, heads), mica__parts(a->keys, CHUNK)) : 1;
    w.chunk = mica__parts(mica__parts(a->keys, w.chunks), mica__attention_step(a)) *
              mica__attention_step(a);
    w.chunks = mica__parts(a->keys, w.chunk);
    if (w.chunks > 1) {
        if (mica__mul_overflow((size_t)w.chunks * a->unit, (size_t)l->out[0].size, &bytes))
            return mica__fail(
                MICA_EOVERFLOW,
                "[scaled_dot_product_attention] the parts of a gradient are too large");
        MICA_TRY(mica__memory_take(bytes, (void **)&w.partial));
    }
    int64_t work = a->batch * a->heads * a->queries * a->keys;
    mica__spread_tasks(heads * w.chunks, work, task, &w);
    if (w.chunks > 1) mica__spread_tasks(a->batch * a->heads, work, join_task, &w);
    mica__memory_give(w.partial, bytes);
    if (a->sinks && !atomic_load(&a->missing)) sinks(&w, l->out[3].data);
    return mica__attention_status(a);
}
