/* Kernel of attention: blocks of queries against blocks of keys with a running softmax; and what
 * its derivative shares. */
#include "backend/cpu/attention.h"

#include "backend/cpu/choose.h"

/* ---- shared ---- */

mica__heads mica__heads_of(const mica_array *x)
{
    const int64_t *strides = x->strides + x->ndim - 3;
    return (mica__heads){
        .array = x, .data = x->data, .head = strides[0], .row = strides[1], .feature = strides[2]
    };
}

void mica__attention_open(mica__attention *a, const mica__launch *l)
{
    const struct mica__attention_params *p =
        l->node->params; /* those of attention_vjp are the same */
    const mica_array *q = l->in[0], *k = l->in[1], *v = l->in[2];
    const int64_t *q_shape = q->shape + q->ndim - 3, *k_shape = k->shape + k->ndim - 3;
    bool wide = q->dtype == MICA_FLOAT64;
    *a = (mica__attention){ .loops = &(*MICA_CHOOSE(mica__attention_))[wide],
                            .dtype = (mica_dtype)q->dtype,
                            .scale = p->scale,
                            .causal = p->causal,
                            .masked = p->masked,
                            .sinks = p->sinks,
                            .q = mica__heads_of(q),
                            .k = mica__heads_of(k),
                            .v = mica__heads_of(v) };
    a->gemm = MICA_CHOOSE(mica__gemm_);
    a->item = mica__dtype_sizes[a->dtype];
    a->unit = wide ? 8 : 4;
    a->numbers = a->store = wide ? MICA_STORE_F64 : MICA_STORE_F32;
    if (mica__is_half(a->dtype)) {
        a->store = a->dtype == MICA_FLOAT16 ? MICA_STORE_F16 : MICA_STORE_BF16;
        a->up = mica__cast_find(a->dtype, MICA_FLOAT32);
        a->down = mica__cast_find(MICA_FLOAT32, a->dtype);
    }
    a->heads = q_shape[0];
    a->queries = q_shape[1];
    a->features = q_shape[2];
    a->keys = k_shape[1];
    a->values = v->shape[v->ndim - 1];
    a->groups = k_shape[0] ? a->heads / k_shape[0] : 1;
    a->batch = 1;
    for (int i = 0; i < q->ndim - 3; i++) a->batch *= q->shape[i];
    if (p->masked) a->mask = mica__heads_of(l->in[3]);
    if (p->sinks) {
        const mica_array *sinks = l->in[3 + p->masked];
        a->sink = sinks->data;
        a->sink_stride = sinks->strides[0];
    }
}

const char *mica__heads_at(const mica__heads *h, size_t item, int64_t batch, int64_t head)
{
    const mica_array *x = h->array;
    int64_t offset = head * h->head;
    for (int i = x->ndim - 4; i >= 0; i--) {
        offset += batch % x->shape[i] * x->strides[i];
        batch /= x->shape[i];
    }
    return h->data + offset * (int64_t)item;
}

#define GATHER(T)                                                                                  \
    for (int64_t i = 0; i < n; i++) ((T *)to)[i] = ((const T *)from)[i * stride]
static void gather(size_t item, int64_t n, const void *from, int64_t stride, void *to)
{
    switch (item) {
    case 2: GATHER(uint16_t); break;
    case 4: GATHER(uint32_t); break;
    default: GATHER(uint64_t); break;
    }
}

const void *mica__attention_rows(const mica__attention *a, const mica__heads *h, const char *head,
                                 int64_t features, int64_t first, int64_t count, bool whole,
                                 void *buffer, ptrdiff_t *row)
{
    const char *from = head + first * h->row * (int64_t)a->item;
    bool dense = h->feature == 1 || features == 1;
    if (dense && !a->up && (!whole || features % 16 == 0)) {
        *row = h->row;
        return from;
    }
    int64_t padded = mica__padded(features);
    *row = padded;
    uint16_t halves[256];
    for (int64_t r = 0; r < count; r++, from += h->row * (int64_t)a->item) {
        char *to = (char *)buffer + (size_t)(r * padded) * a->unit;
        if (!a->up) {
            gather(a->item, features, from, h->feature, to);
        } else if (dense) {
            a->up((size_t)features, (const void *const[]){ from }, 0, to);
        } else {
            for (int64_t f = 0; f < features; f += 256) {
                int64_t n = mica__smaller(256, features - f);
                gather(2, n, from + f * h->feature * 2, h->feature, halves);
                a->up((size_t)n, (const void *const[]){ halves }, 0, to + f * 4);
            }
        }
        memset(to + (size_t)features * a->unit, 0, (size_t)(padded - features) * a->unit);
    }
    return buffer;
}

const void *mica__attention_values(const mica__attention *a, const char *head, int64_t key,
                                   int64_t n, void *buffer, mica__gemm_store *store, ptrdiff_t *row)
{
    *store = a->store;
    *row = a->v.row;
    if (a->v.feature == 1 && a->values % 16 == 0) return head + key * a->v.row * (int64_t)a->item;
    *store = a->numbers;
    return mica__attention_rows(a, &a->v, head, a->values, key, n, true, buffer, row);
}

void mica__attention_store(const mica__attention *a, int64_t count, int64_t features,
                           const void *numbers, ptrdiff_t row, char *out)
{
    size_t bytes = (size_t)features * a->item;
    for (int64_t r = 0; r < count; r++, out += bytes) {
        const char *from = (const char *)numbers + r * row * (int64_t)a->unit;
        if (a->down) a->down((size_t)features, (const void *const[]){ from }, 0, out);
        else memcpy(out, from, bytes);
    }
}

bool mica__attention_sink(const mica__attention *a, int64_t head, void *out)
{
    if (!a->sinks) return false;
    const char *from = a->sink + head * a->sink_stride * (int64_t)a->item;
    if (a->up) a->up(1, (const void *const[]){ from }, 0, out);
    else memcpy(out, from, a->item);
    return true;
}

void mica__attention_product(const mica__attention *a, mica__gemm_store store, size_t rows,
                             size_t columns, size_t depth, const void *x, ptrdiff_t x_row,
                             ptrdiff_t x_column, const void *b, ptrdiff_t b_row, void *c,
                             ptrdiff_t c_row, bool add)
{
    size_t width = a->gemm->columns[store], item = store == a->numbers ? a->unit : a->item;
    size_t strips = (rows + a->gemm->rows - 1) / a->gemm->rows;
    for (size_t s = 0; s < strips; s++) { /* of even heights */
        size_t first = rows * s / strips, height = rows * (s + 1) / strips - first;
        const char *x_at = (const char *)x + (ptrdiff_t)first * x_row * (ptrdiff_t)a->unit;
        char *c_at = (char *)c + (ptrdiff_t)first * c_row * (ptrdiff_t)a->unit;
        mica__gemm_tile *tile = a->gemm->tile[store][height - 1];
        for (size_t j = 0; j < columns; j += width)
            tile(depth, x_at, x_row, x_column, (const char *)b + j * item, b_row,
                 c_at + j * a->unit, c_row, columns - j < width ? columns - j : width, add);
    }
}

void mica__attention_scores(const mica__attention *a, int64_t batch, int64_t head, int64_t query,
                            int64_t count, int64_t key, int64_t n, const void *turned,
                            const void *k, ptrdiff_t k_row, void *scores, ptrdiff_t ld)
{
    mica__attention_product(a, a->numbers, (size_t)n, a->loops->columns, (size_t)a->features, k,
                            k_row, 1, turned, (ptrdiff_t)a->loops->columns, scores, ld, false);
    if (a->masked) {
        size_t item = mica__dtype_sizes[a->mask.array->dtype];
        const char *from = mica__heads_at(&a->mask, item, batch, head) +
                           (query * a->mask.row + key * a->mask.feature) * (int64_t)item;
        a->loops->mask((size_t)count, (size_t)n, from, (mica_dtype)a->mask.array->dtype,
                       a->mask.row, a->mask.feature, scores, ld);
    }
    int64_t visible = query + a->keys - a->queries + 1 - key;
    if (a->causal && visible < n) a->loops->hide((size_t)n, visible, scores, ld);
}

int64_t mica__attention_reach(const mica__attention *a, int64_t first, int64_t count)
{
    int64_t reach = 0;
    for (int64_t i = first; i < first + count && reach < a->keys; i++) {
        int64_t limit = mica__attention_limit(a, i);
        reach = limit > reach ? limit : reach;
    }
    return reach;
}

void *mica__attention_take(mica__attention *a, const mica__attention_part parts[], size_t n,
                           size_t *bytes)
{
    void *memory;
    *bytes = 0;
    for (size_t i = 0; i < n; i++) *bytes += (size_t)mica__padded(parts[i].numbers) * a->unit;
    if (mica__memory_take(*bytes, &memory) != MICA_OK) {
        atomic_store(&a->missing, *bytes);
        return NULL;
    }
    char *at = memory;
    for (size_t i = 0; i < n; i++) {
        *parts[i].at = at;
        at += (size_t)mica__padded(parts[i].numbers) * a->unit;
    }
    return memory;
}

/* ---- forward, many queries ---- */

typedef struct workspace {
    char *turned;             /* [strips][features][columns]: scaled queries */
    char *scores;             /* [keys][columns] */
    char *k, *v;              /* [keys][padded]: what cannot be read where it lies */
    char *result;             /* [queries][padded] */
    char *top, *sum, *factor; /* [queries] */
} workspace;

/* Transposed queries, and the state of the softmax before any key. */
static void begin_block(const mica__attention *a, workspace *w, int64_t batch, int64_t head,
                        int64_t first, int64_t count)
{
    int64_t columns = (int64_t)a->loops->columns;
    const char *queries = mica__heads_at(&a->q, a->item, batch, head);
    for (int64_t s = 0; s * columns < count; s++) {
        ptrdiff_t row;
        int64_t n = mica__smaller(columns, count - s * columns);
        /* The room for keys is free before the first. */
        const void *x = mica__attention_rows(a, &a->q, queries, a->features, first + s * columns, n,
                                             false, w->k, &row);
        a->loops->transpose((size_t)n, (size_t)a->features, x, row, a->scale,
                            w->turned + (size_t)(s * columns * a->features) * a->unit);
    }
    double sink[1] = { 0 };
    bool has_sink = mica__attention_sink(a, head, sink);
    for (size_t i = 0; i < (size_t)MICA_ATTENTION_BLOCK; i++) {
        if (has_sink) memcpy(w->top + i * a->unit, sink, a->unit);
        else mica__attention_set(a, w->top, i, -1.0 / 0.0);
        mica__attention_set(a, w->sum, i, has_sink ? 1 : 0);
    }
    memset(w->result, 0, (size_t)(MICA_ATTENTION_BLOCK * mica__padded(a->values)) * a->unit);
}

/* Divides by the sums and stores results and statistics. */
static void end_block(const mica__attention *a, workspace *w, int64_t batch, int64_t head,
                      int64_t first, int64_t count)
{
    int64_t row = (batch * a->heads + head) * a->queries + first, values = mica__padded(a->values);
    for (int64_t i = 0; i < count; i++) {
        double sum = mica__attention_get(a, w->sum, (size_t)i),
               reciprocal = a->keys || sum > 0 ? 1 / sum : 0;
        mica__attention_set(a, w->factor, (size_t)i, reciprocal);
        memcpy(a->rows + (size_t)(2 * (row + i)) * a->unit, w->top + (size_t)i * a->unit, a->unit);
        mica__attention_set(a, a->rows, (size_t)(2 * (row + i) + 1), reciprocal);
    }
    a->loops->rescale((size_t)count, (size_t)a->values, w->result, values, w->factor);
    mica__attention_store(a, count, a->values, w->result, values,
                          a->out + (size_t)(row * a->values) * a->item);
}

/* Keys [key, key + n) for the whole block. */
static void step(const mica__attention *a, workspace *w, int64_t batch, int64_t head, int64_t first,
                 int64_t count, int64_t key, int64_t n)
{
    int64_t columns = (int64_t)a->loops->columns, values = mica__padded(a->values),
            group = head / a->groups;
    ptrdiff_t k_row, v_row;
    mica__gemm_store store;
    const void *k, *v;
    k = mica__attention_rows(a, &a->k, mica__heads_at(&a->k, a->item, batch, group), a->features,
                             key, n, false, w->k, &k_row);
    v = mica__attention_values(a, mica__heads_at(&a->v, a->item, batch, group), key, n, w->v,
                               &store, &v_row);
    for (int64_t i = 0; i < count; i += columns) {
        int64_t some = mica__smaller(columns, count - i),
                m = mica__smaller(n, mica__attention_reach(a, first + i, some) - key);
        if (m <= 0) continue;
        mica__attention_scores(a, batch, head, first + i, some, key, m,
                               w->turned + (size_t)(i * a->features) * a->unit, k, k_row, w->scores,
                               columns);
        a->loops->softmax((size_t)m, w->scores, columns, w->top + (size_t)i * a->unit,
                          w->sum + (size_t)i * a->unit, w->factor + (size_t)i * a->unit);
        char *result = w->result + (size_t)(i * values) * a->unit;
        a->loops->rescale((size_t)some, (size_t)a->values, result, values,
                          w->factor + (size_t)i * a->unit);
        mica__attention_product(a, store, (size_t)some, (size_t)a->values, (size_t)m, w->scores, 1,
                                columns, v, v_row, result, values, true);
    }
}

static void task(void *context, size_t index)
{
    mica__attention *a = context;
    enum { BLOCK = MICA_ATTENTION_BLOCK };
    int64_t features = mica__padded(a->features), values = mica__padded(a->values),
            keys = mica__attention_step(a);
    workspace w;
    const mica__attention_part parts[] = {
        { &w.turned, BLOCK * a->features },
        { &w.scores, keys * (int64_t)a->loops->columns },
        { &w.k, BLOCK * features },
        { &w.v, keys * values },
        { &w.result, BLOCK * values },
        { &w.top, BLOCK },
        { &w.sum, BLOCK },
        { &w.factor, BLOCK },
    };
    size_t bytes;
    void *memory = mica__attention_take(a, parts, sizeof parts / sizeof *parts, &bytes);
    if (!memory) return;
    int64_t blocks = mica__parts(a->queries, BLOCK),
            block = blocks - 1 - (int64_t)index % blocks; /* the longest first */
    int64_t head = (int64_t)index / blocks % a->heads, batch = (int64_t)index / blocks / a->heads;
    int64_t first = block * BLOCK, count = mica__smaller(BLOCK, a->queries - first),
            reach = mica__attention_reach(a, first, count);
    begin_block(a, &w, batch, head, first, count);
    for (int64_t key = 0; key < reach; key += keys)
        step(a, &w, batch, head, first, count, key, mica__smaller(keys, reach - key));
    end_block(a, &w, batch, head, first, count);
    mica__memory_give(memory, bytes);
}

int mica__kernel_attention(mica__launch *l)
{
    mica__attention a;
    mica__attention_open(&a, l);
    a.out = l->out[0].data;
    a.rows = l->out[1].data;
    int64_t rows = a.batch * a.heads * a.queries;
    if (!rows) return MICA_OK;
    if (mica__attention_is_narrow(&a)) return mica__attention_narrow(&a);
    int64_t blocks = mica__parts(a.queries, MICA_ATTENTION_BLOCK);
    mica__spread_tasks(a.batch * a.heads * blocks, rows * (a.keys + 1), task, &a);
    return mica__attention_status(&a);
}
