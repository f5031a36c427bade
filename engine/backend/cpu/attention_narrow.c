/* Attention of few queries, as when text is generated: reading keys and values is the work. Parts
   of the keys are tasks, whose results are joined in order; scores lie in rows, one a query of the
   heads that share keys. */
#include "backend/cpu/attention.h"

#include <math.h>

#include "backend/cpu/choose.h"

enum { ROWS = 16, PART = 512 };

typedef struct narrow {
    mica__attention *a;
    int64_t rows, parts, values; /* rows: queries of all heads that share keys; values: padded */
    char *partial; /* [batch * heads of keys][parts][rows][values], then top and sum the same way
                      without values */
    char *top, *sum;
} narrow;

bool mica__attention_is_narrow(const mica__attention *a)
{
    return a->keys && a->groups * a->queries <= ROWS;
}

/* Scaled queries, [rows][padded features]. */
static void read_queries(const narrow *p, int64_t batch, int64_t group, char *out)
{
    const mica__attention *a = p->a;
    int64_t padded = mica__padded(a->features);
    for (int64_t r = 0; r < p->rows; r++) {
        const char *head =
            mica__heads_at(&a->q, a->item, batch, group * a->groups + r / a->queries);
        char *to = out + (size_t)(r * padded) * a->unit;
        ptrdiff_t row;
        const void *from =
            mica__attention_rows(a, &a->q, head, a->features, r % a->queries, 1, false, to, &row);
        if (from != to) memcpy(to, from, (size_t)a->features * a->unit);
        for (int64_t f = 0; f < a->features; f++) {
            double x = mica__attention_get(a, to, (size_t)f);
            mica__attention_set(a, to, (size_t)f,
                                a->unit == 8 ? x * a->scale : (double)((float)x * (float)a->scale));
        }
    }
}

static void mask_row(const narrow *p, int64_t batch, int64_t group, int64_t r, int64_t key,
                     int64_t n, char *scores)
{
    const mica__attention *a = p->a;
    int64_t query = r % a->queries, visible = query + a->keys - a->queries + 1 - key;
    if (a->masked) {
        size_t item = mica__dtype_sizes[a->mask.array->dtype];
        const char *mask =
            mica__heads_at(&a->mask, item, batch, group * a->groups + r / a->queries);
        a->loops->mask(1, (size_t)n,
                       mask + (query * a->mask.row + key * a->mask.feature) * (int64_t)item,
                       (mica_dtype)a->mask.array->dtype, 0, a->mask.feature, scores, 1);
    }
    for (int64_t k = visible > 0 ? visible : 0; a->causal && k < n; k++)
        mica__attention_set(a, scores, (size_t)k,
                            a->unit == 8 ? MICA_MASKED_F64 : (double)MICA_MASKED_F32);
}

static void part_task(void *context, size_t index)
{
    const narrow *p = context;
    mica__attention *a = p->a;
    int64_t shared = a->heads / a->groups, part = (int64_t)index % p->parts,
            group = (int64_t)index / p->parts % shared;
    int64_t batch = (int64_t)index / p->parts / shared, padded = mica__padded(a->features);
    int64_t key = part * PART, n = mica__smaller(PART, a->keys - key);
    char *queries, *scores, *copies;
    const mica__attention_part parts[] = { { &queries, ROWS * padded },
                                           { &scores, ROWS * PART },
                                           { &copies,
                                             PART * (padded > p->values ? padded : p->values) } };
    size_t bytes, at = index * (size_t)p->rows;
    void *memory = mica__attention_take(a, parts, 3, &bytes);
    if (!memory) return;
    read_queries(p, batch, group, queries);
    const char *head = mica__heads_at(&a->k, a->item, batch, group);
    mica__gemm_store store = a->store;
    ptrdiff_t row = a->k.row;
    const void *k = head + key * row * (int64_t)a->item;
    if (a->k.feature != 1) {
        store = a->numbers;
        k = mica__attention_rows(a, &a->k, head, a->features, key, n, false, copies, &row);
    }
    a->gemm->dot[store]((size_t)p->rows, (size_t)n, (size_t)a->features, queries, padded, k, row,
                        scores, PART);
    for (int64_t r = 0; r < p->rows; r++) {
        char *one = scores + (size_t)(r * PART) * a->unit;
        mask_row(p, batch, group, r, key, n, one);
        a->loops->softmax_row((size_t)n, one, p->top + (at + (size_t)r) * a->unit,
                              p->sum + (at + (size_t)r) * a->unit);
    }
    const void *v = mica__attention_values(a, mica__heads_at(&a->v, a->item, batch, group), key, n,
                                           copies, &store, &row);
    mica__attention_product(a, store, (size_t)p->rows, (size_t)a->values, (size_t)n, scores, PART,
                            1, v, row, p->partial + at * (size_t)p->values * a->unit, p->values,
                            false);
    mica__memory_give(memory, bytes);
}

/* What a part with maximum `top` weighs against the common maximum. */
static double weight(const mica__attention *a, double top, double common)
{
    double x = top - (common == -INFINITY ? 0 : common);
    return a->unit == 8 ? exp(x) : (double)(float)exp((double)(float)x);
}

/* Joins the parts of row r of one group of heads. */
static void join_row(const narrow *p, int64_t group, int64_t r)
{
    const mica__attention *a = p->a;
    int64_t first = group * p->parts * p->rows + r, head = group * a->groups + r / a->queries;
    int64_t row = head * a->queries + r % a->queries;
    double number[1] = { 0 }, common = -INFINITY, sum = 0;
    bool has_sink = mica__attention_sink(a, head % a->heads, (char *)number);
    double sink = has_sink ? mica__attention_get(a, (char *)number, 0) : -INFINITY;
    common = sink;
    for (int64_t i = 0; i < p->parts; i++) {
        double top = mica__attention_get(a, p->top, (size_t)(first + i * p->rows));
        common = top > common || top != top ? top : common;
    }
    if (has_sink) sum = weight(a, sink, common);
    char *result = p->partial + (size_t)(first * p->values) * a->unit;
    for (int64_t i = 0; i < p->parts; i++) {
        size_t at = (size_t)(first + i * p->rows);
        double w = weight(a, mica__attention_get(a, p->top, at), common);
        sum += w * mica__attention_get(a, p->sum, at);
        char *other = p->partial + at * (size_t)p->values * a->unit;
        mica__attention_set(a, (char *)number, 0, w);
        a->loops->rescale(1, (size_t)a->values, other, 0, number);
        for (int64_t f = 0; i && f < a->values; f++)
            mica__attention_set(a, result, (size_t)f,
                                mica__attention_get(a, result, (size_t)f) +
                                    mica__attention_get(a, other, (size_t)f));
    }
    double reciprocal = 1 / sum;
    mica__attention_set(a, (char *)number, 0, reciprocal);
    a->loops->rescale(1, (size_t)a->values, result, 0, number);
    mica__attention_store(a, 1, a->values, result, p->values,
                          a->out + (size_t)(row * a->values) * a->item);
    mica__attention_set(a, a->rows, (size_t)(2 * row), common);
    mica__attention_set(a, a->rows, (size_t)(2 * row + 1), reciprocal);
}

static void join_task(void *context, size_t index)
{
    const narrow *p = context;
    for (int64_t r = 0; r < p->rows; r++) join_row(p, (int64_t)index, r);
}

int mica__attention_narrow(mica__attention *a)
{
    narrow p = { .a = a,
                 .rows = a->groups * a->queries,
                 .parts = mica__parts(a->keys, PART),
                 .values = mica__padded(a->values) };
    int64_t groups = a->batch * (a->heads / a->groups), tasks = groups * p.parts,
            rows = tasks * p.rows;
    size_t numbers, bytes;
    if (mica__mul_overflow((size_t)rows, (size_t)p.values + 2, &numbers) ||
        mica__mul_overflow(numbers, a->unit, &bytes))
        return mica__fail(MICA_EOVERFLOW,
                          "[scaled_dot_product_attention] the partial results are too large");
    MICA_TRY(mica__memory_take(bytes, (void **)&p.partial));
    p.top = p.partial + (size_t)(rows * p.values) * a->unit;
    p.sum = p.top + (size_t)rows * a->unit;
    mica__spread_tasks(tasks, groups * a->keys * (a->features + a->values), part_task, &p);
    mica__spread_tasks(groups, rows * p.values, join_task, &p);
    mica__memory_give(p.partial, bytes);
    return mica__attention_status(a);
}
