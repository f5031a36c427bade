/* Kernels of softmax, logsumexp, argmax and argmin. */
#include "backend/cpu/softmax.h"

#include <math.h>

#include "backend/cpu/isa.h"
#include "backend/cpu/kernel.h"
#include "backend/cpu/loop.h"
#include "backend/cpu/reduce.h"
#include "backend/cpu/short_rows.h"

enum { CHUNK = MICA_REDUCE_CHUNK, WORK = 32 * 1024 };

#if defined(__x86_64__)
#define CHOOSE(name)                                                                               \
    (mica__isa_level() == MICA_ISA_V4   ? &name##v4                                                \
     : mica__isa_level() == MICA_ISA_V3 ? &name##v3                                                \
                                        : &name##portable)
#else
#define CHOOSE(name) (&name##portable)
#endif

/* Small work is not worth waking anyone. */
static void spread(int64_t tasks, void (*body)(void *, size_t), void *context, int64_t work)
{
    if (work >= WORK) {
        mica__parallel((size_t)tasks, body, context);
        return;
    }
    for (int64_t i = 0; i < tasks; i++) body(context, (size_t)i);
}

/* ---- softmax and logsumexp: rows of the last axis ---- */

typedef struct rows {
    const mica__softmax_loops *loops;
    const char *in;
    char *out;
    int64_t count, n, a_task;
    mica_dtype dtype;
    mica__loop *up, *down; /* halves to float32 and back */
    bool sum_only;         /* logsumexp */
} rows;

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* A chunk of a row as float32. */
static const float *read_f32(const rows *r, const char *row, int64_t at, int64_t m, float *buffer)
{
    if (!r->up) return (const float *)(const void *)row + at;
    r->up((size_t)m, (const void *const[]){ row + at * 2 }, 0, buffer);
    return buffer;
}

/* In long rows looks now and then whether the section is given up. */
static inline bool goes_on(int64_t i)
{
    return !i || i % ((int64_t)64 * CHUNK) || !mica__parallel_given_up();
}

static float log_sum(float max, double total)
{
    return isinf(max) ? max : (float)(log(total) + (double)max);
}

/* Some short rows, side by side. */
static void short_rows(const rows *r, const char *in, size_t count, char *out)
{
    enum { MOST = MICA_SHORT_ROWS * MICA_SHORT_ROW };
    float x[MOST], y[MOST], max[MICA_SHORT_ROWS], total[MICA_SHORT_ROWS];
    size_t all = count * (size_t)r->n, results = r->sum_only ? count : all;
    const float *from = read_f32(r, in, 0, (int64_t)all, x);
    float *to = r->down ? y : (float *)(void *)out;
    r->loops->short_f32(from, count, (size_t)r->n, max, total, r->sum_only ? NULL : to);
    for (size_t i = 0; r->sum_only && i < count; i++) to[i] = log_sum(max[i], (double)total[i]);
    if (r->down) r->down(results, (const void *const[]){ to }, 0, out);
}

static void row_f32(const rows *r, const char *in, char *out)
{
    float buffer[CHUNK], max = -INFINITY;
    float *e = r->up || r->sum_only
                   ? NULL
                   : (float *)(void *)out; /* where exponentials stay until they are scaled */
    double total = 0;
    for (int64_t i = 0; i < r->n && goes_on(i); i += CHUNK) {
        float m = r->loops->max_f32(read_f32(r, in, i, least(CHUNK, r->n - i), buffer),
                                    (size_t)least(CHUNK, r->n - i));
        if (m > max || m != m) max = m;
        if (m != m) break;
    }
    for (int64_t i = 0; i < r->n && goes_on(i); i += CHUNK) {
        int64_t m = least(CHUNK, r->n - i);
        total += (double)r->loops->exp_f32(read_f32(r, in, i, m, buffer), (size_t)m, max,
                                           e ? e + i : buffer);
    }
    if (r->sum_only) {
        float result = log_sum(max, total);
        if (r->down) r->down(1, (const void *const[]){ &result }, 0, out);
        else *(float *)(void *)out = result;
        return;
    }
    float factor = (float)(1 / total);
    for (int64_t i = 0; i < r->n && goes_on(i); i += CHUNK) {
        int64_t m = least(CHUNK, r->n - i);
        if (e) {
            r->loops->scale_f32(e + i, (size_t)m, factor);
            continue;
        }
        if (r->n > CHUNK)
            r->loops->exp_f32(read_f32(r, in, i, m, buffer), (size_t)m, max,
                              buffer); /* else it is still there */
        r->loops->scale_f32(buffer, (size_t)m, factor);
        r->down((size_t)m, (const void *const[]){ buffer }, 0, out + i * 2);
    }
}

static void row_f64(const rows *r, const double *in, double *out)
{
    double buffer[CHUNK], max = r->loops->max_f64(in, (size_t)r->n), total = 0;
    for (int64_t i = 0; i < r->n && goes_on(i); i += CHUNK)
        total += r->loops->exp_f64(in + i, (size_t)least(CHUNK, r->n - i), max,
                                   r->sum_only ? buffer : out + i);
    if (r->sum_only) *out = isinf(max) ? max : log(total) + max;
    else r->loops->scale_f64(out, (size_t)r->n, 1 / total);
}

static void rows_task(void *context, size_t task)
{
    const rows *r = context;
    int64_t first = (int64_t)task * r->a_task, last = least(first + r->a_task, r->count),
            item = mica__dtype_sizes[r->dtype];
    bool side_by_side = r->n < MICA_SHORT_ROW && r->dtype != MICA_FLOAT64;
    for (int64_t i = first; i < last; i += side_by_side ? MICA_SHORT_ROWS : 1) {
        const char *in = r->in + i * r->n * item;
        char *out = r->out + i * (r->sum_only ? 1 : r->n) * item;
        if (side_by_side) short_rows(r, in, (size_t)least(MICA_SHORT_ROWS, last - i), out);
        else if (r->dtype == MICA_FLOAT64)
            row_f64(r, (const double *)(const void *)in, (double *)(void *)out);
        else row_f32(r, in, out);
    }
}

static int run_rows(mica__launch *l, bool sum_only)
{
    const mica_array *in = l->in[0];
    rows r = { .loops = CHOOSE(mica__softmax_),
               .in = in->data,
               .out = l->out[0].data,
               .dtype = (mica_dtype)in->dtype,
               .sum_only = sum_only };
    r.n = in->ndim ? in->shape[in->ndim - 1] : 1;
    if (in->size == 0) return MICA_OK;
    if (mica__is_half(r.dtype)) {
        r.up = mica__cast_find(r.dtype, MICA_FLOAT32);
        r.down = mica__cast_find(MICA_FLOAT32, r.dtype);
    }
    r.count = in->size / r.n;
    r.a_task = r.n < WORK ? WORK / r.n : 1;
    spread((r.count + r.a_task - 1) / r.a_task, rows_task, &r, in->size);
    return MICA_OK;
}

int mica__kernel_softmax(mica__launch *l)
{
    return run_rows(l, false);
}
int mica__kernel_logsumexp(mica__launch *l)
{
    return run_rows(l, true);
}

/* ---- argmax and argmin ---- */

typedef struct search {
    mica__arg_row *row;
    mica__arg_columns *columns;
    mica__arg_short *abreast; /* for short rows of float32, or NULL */
    mica__loop *up;
    const char *in;
    uint32_t *out;
    int64_t outer, n, inner, blocks, block, a_task;
    size_t item;
    mica_dtype work;
    bool minimum;
} search;

/* Whether the second value, of the type that rows are searched in, beats the first. */
static bool better(const search *q, const void *best, const void *other)
{
    if (q->work == MICA_FLOAT32) {
        float a = *(const float *)best, b = *(const float *)other;
        return q->minimum ? b < a : b > a;
    }
    char pair[16];
    size_t item = mica__dtype_sizes[q->work];
    memcpy(pair, best, item);
    memcpy(pair + item, other, item);
    char value[8];
    return q->row(pair, 2, value) == 1;
}

static uint32_t search_row(const search *q, const char *row)
{
    float buffer[CHUNK];
    char best[8], part[8];
    int64_t at = -1;
    for (int64_t i = 0; i < q->n; i += CHUNK) {
        int64_t m = least(CHUNK, q->n - i);
        const void *x = row + i * (int64_t)q->item;
        if (q->up) {
            q->up((size_t)m, (const void *const[]){ x }, 0, buffer);
            x = buffer;
        }
        if (i == 0) { /* a NaN that comes first is never beaten */
            double first = q->work == MICA_FLOAT32   ? *(const float *)x
                           : q->work == MICA_FLOAT64 ? *(const double *)x
                                                     : 0;
            if (q->work == MICA_COMPLEX64)
                first = ((const mica_complex64 *)x)->re + ((const mica_complex64 *)x)->im;
            if (isnan(first)) return 0;
        }
        int64_t found = q->row(x, (size_t)m, part);
        if (found >= 0 && (at < 0 || better(q, best, part))) {
            at = i + found;
            memcpy(best, part, sizeof best);
        }
    }
    return at < 0 ? 0 : (uint32_t)at;
}

static void search_task(void *context, size_t task)
{
    const search *q = context;
    if (q->inner == 1) {
        int64_t first = (int64_t)task * q->a_task, last = least(first + q->a_task, q->outer);
        if (q->abreast) {
            const float *x = (const float *)(const void *)q->in;
            q->abreast(x + first * q->n, (size_t)(last - first), (size_t)q->n, q->out + first);
            return;
        }
        for (int64_t i = first; i < last; i++)
            q->out[i] = search_row(q, q->in + i * q->n * (int64_t)q->item);
        return;
    }
    int64_t outer = (int64_t)task / q->blocks, start = (int64_t)task % q->blocks * q->block,
            m = least(q->block, q->inner - start);
    q->columns(q->in + (outer * q->n * q->inner + start) * (int64_t)q->item, (size_t)q->n,
               (ptrdiff_t)q->inner, (size_t)m, q->out + outer * q->inner + start);
}

static int run_search(mica__launch *l, bool minimum)
{
    mica_array *in = l->in[0];
    int64_t axis = MICA_PARAMS(l->node, argmax)->axis; /* argmin has the same field */
    const mica__arg_loops *loops = CHOOSE(mica__arg_);
    search q = { .in = in->data,
                 .out = (uint32_t *)(void *)l->out[0].data,
                 .outer = 1,
                 .inner = 1,
                 .n = in->shape[axis],
                 .minimum = minimum };
    q.work = mica__is_half((mica_dtype)in->dtype) ? MICA_FLOAT32 : (mica_dtype)in->dtype;
    q.item = mica__dtype_sizes[in->dtype];
    for (int i = 0; i < in->ndim; i++) {
        if (i < axis) q.outer *= in->shape[i];
        if (i > axis) q.inner *= in->shape[i];
    }
    if (in->dtype == MICA_FLOAT32 && mica__is_short((size_t)q.n))
        q.abreast = loops->abreast[minimum];
    q.row = loops->row[minimum][q.work];
    q.columns = loops->columns[minimum][q.work];
    void *wide = NULL;
    size_t bytes = (size_t)in->size * sizeof(float);
    if (mica__is_half((mica_dtype)in->dtype)) {
        if (q.inner == 1) {
            q.up = mica__cast_find((mica_dtype)in->dtype, MICA_FLOAT32);
        } else {
            MICA_TRY(mica__memory_take(bytes, &wide));
            mica__convert((size_t)in->size, in->data, (mica_dtype)in->dtype, wide, MICA_FLOAT32);
            q.in = wide;
            q.item = sizeof(float);
        }
    }
    q.block = least(q.inner, MICA_ARG_COLUMNS);
    q.blocks = (q.inner + q.block - 1) / q.block;
    q.a_task = q.n < WORK ? WORK / q.n : 1;
    spread(q.inner == 1 ? (q.outer + q.a_task - 1) / q.a_task : q.outer * q.blocks, search_task, &q,
           in->size);
    if (wide) mica__memory_give(wide, bytes);
    return MICA_OK;
}

int mica__kernel_argmax(mica__launch *l)
{
    return run_search(l, false);
}
int mica__kernel_argmin(mica__launch *l)
{
    return run_search(l, true);
}
