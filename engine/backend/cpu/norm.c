/* Kernels of rms_norm, layer_norm and their derivatives: rows of the last axis, several rows a
 * task. */
#include "backend/cpu/norm.h"

#include <math.h>

#include "backend/cpu/choose.h"
#include "backend/cpu/kernel.h"
#include "backend/cpu/loop.h"
#include "backend/cpu/short_rows.h"

/* A row is read in chunks; one that fits a chunk is converted once. */
enum { CHUNK = 4096, WORK = 64 * 1024, TASKS = 64 };

typedef struct norm {
    const mica__norm_loops *loops;
    mica_dtype dtype;
    size_t item, unit;             /* bytes of an element and of a number of the arithmetic */
    mica__loop *up, *down, *round; /* halves; NULL for others */
    bool centred;                  /* layer_norm */
    double eps;
    int64_t rows, n, a_task;
    const char *x, *cotangent;
    char *out;
    void *weight, *bias; /* in the arithmetic's type, or NULL */
    char *partials[2];   /* vjp: [tasks][n] sums for weight and bias, or NULL */
} norm;

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Elements [at, at + m) of a row in the arithmetic's type. */
static const void *read_chunk(const norm *p, const char *row, int64_t at, int64_t m, void *buffer)
{
    const char *from = row + (size_t)at * p->item;
    if (!p->up) return from;
    p->up((size_t)m, (const void *const[]){ from }, 0, buffer);
    return buffer;
}

static const void *shifted(const norm *p, const void *numbers, int64_t at)
{
    return numbers ? (const char *)numbers + (size_t)at * p->unit : NULL;
}

static void round_half(const norm *p, int64_t m, void *numbers)
{
    if (p->round) p->round((size_t)m, (const void *const[]){ numbers }, 0, numbers);
}

/* `whole`: the row as numbers, when one chunk holds it; else NULL. */
static mica__norm_row statistics(const norm *p, const char *row, const void *whole, void *buffer)
{
    mica__norm_row r = { 0 };
    for (int64_t i = 0; p->centred && i < p->n; i += CHUNK) {
        int64_t m = least(CHUNK, p->n - i);
        r.mean += p->loops->sum((size_t)m, whole ? whole : read_chunk(p, row, i, m, buffer));
    }
    r.mean /= (double)p->n;
    if (p->unit == 4) r.mean = (float)r.mean;
    double squares = 0;
    for (int64_t i = 0; i < p->n; i += CHUNK) {
        int64_t m = least(CHUNK, p->n - i);
        squares +=
            p->loops->squares((size_t)m, whole ? whole : read_chunk(p, row, i, m, buffer), r.mean);
    }
    r.reciprocal = 1 / sqrt(squares / (double)p->n + p->eps);
    return r;
}

/* Normalised numbers are rounded to the result's type before each further step, as a chain of
 * operations would. */
static void forward_row(const norm *p, const char *in, char *out)
{
    float buffer[CHUNK], results[CHUNK]; /* of halves alone */
    const void *whole = p->n <= CHUNK ? read_chunk(p, in, 0, p->n, buffer) : NULL;
    mica__norm_row r = statistics(p, in, whole, buffer);
    for (int64_t i = 0; i < p->n; i += CHUNK) {
        int64_t m = least(CHUNK, p->n - i);
        void *y = p->down ? (void *)results : out + (size_t)i * p->item;
        p->loops->normalise((size_t)m, whole ? whole : read_chunk(p, in, i, m, buffer), &r, y);
        if (p->weight) {
            round_half(p, m, y);
            p->loops->multiply((size_t)m, shifted(p, p->weight, i), y);
        }
        if (p->bias) {
            round_half(p, m, y);
            p->loops->add((size_t)m, shifted(p, p->bias, i), y);
        }
        if (p->down) p->down((size_t)m, (const void *const[]){ y }, 0, out + (size_t)i * p->item);
    }
}

/* Rows in groups as far as they go; returns the first that is left. */
static int64_t forward_abreast(const norm *p, int64_t first, int64_t last)
{
    size_t n = (size_t)p->n;
    mica__norm_row rows[MICA_ABREAST];
    for (; first + MICA_ABREAST <= last; first += MICA_ABREAST) {
        const float *x = (const float *)(const void *)p->x + (size_t)first * n;
        float *y = (float *)(void *)p->out + (size_t)first * n;
        p->loops->abreast(n, x, first + MICA_ABREAST == last, p->centred, p->eps, rows);
        for (size_t r = 0; r < MICA_ABREAST; r++)
            p->loops->apply(n, x + r * n, &rows[r], p->weight, p->bias, y + r * n);
    }
    return first;
}

static void forward_task(void *context, size_t index)
{
    const norm *p = context;
    int64_t first = (int64_t)index * p->a_task, last = least(p->rows, first + p->a_task);
    size_t bytes = (size_t)p->n * p->item;
    if (p->dtype == MICA_FLOAT32 && mica__is_short((size_t)p->n))
        first = forward_abreast(p, first, last);
    for (int64_t r = first; r < last; r++)
        forward_row(p, p->x + (size_t)r * bytes, p->out + (size_t)r * bytes);
}

/* ---- derivatives ---- */

static void backward_row(const norm *p, const char *x, const char *d, char *dx, char *dw, char *db)
{
    float x_buffer[CHUNK], d_buffer[CHUNK], results[CHUNK]; /* of halves alone */
    const void *whole = p->n <= CHUNK ? read_chunk(p, x, 0, p->n, x_buffer) : NULL;
    const void *whole_d = p->n <= CHUNK ? read_chunk(p, d, 0, p->n, d_buffer) : NULL;
    mica__norm_row r = statistics(p, x, whole, x_buffer);
    double totals[2] = { 0, 0 };
    for (int64_t i = 0; i < p->n; i += CHUNK) {
        int64_t m = least(CHUNK, p->n - i);
        double sums[2];
        p->loops->moments((size_t)m, whole ? whole : read_chunk(p, x, i, m, x_buffer),
                          shifted(p, p->weight, i),
                          whole ? whole_d : read_chunk(p, d, i, m, d_buffer), &r, sums);
        totals[0] += sums[0];
        totals[1] += sums[1];
    }
    r.shift = p->centred ? totals[0] / (double)p->n : 0;
    r.factor = totals[1] / (double)p->n;
    for (int64_t i = 0; i < p->n; i += CHUNK) {
        int64_t m = least(CHUNK, p->n - i);
        void *to = p->down ? (void *)results : dx + (size_t)i * p->item;
        p->loops->backward(
            (size_t)m, whole ? whole : read_chunk(p, x, i, m, x_buffer), shifted(p, p->weight, i),
            whole ? whole_d : read_chunk(p, d, i, m, d_buffer), &r, to,
            dw ? dw + (size_t)i * p->unit : NULL, db ? db + (size_t)i * p->unit : NULL);
        if (p->down) p->down((size_t)m, (const void *const[]){ to }, 0, dx + (size_t)i * p->item);
    }
}

static void backward_task(void *context, size_t index)
{
    const norm *p = context;
    int64_t first = (int64_t)index * p->a_task, last = least(p->rows, first + p->a_task);
    size_t bytes = (size_t)p->n * p->item, sums = (size_t)p->n * p->unit;
    char *parts[2];
    for (int k = 0; k < 2; k++) {
        parts[k] = p->partials[k] ? p->partials[k] + index * sums : NULL;
        if (parts[k]) memset(parts[k], 0, sums);
    }
    for (int64_t r = first; r < last; r++)
        backward_row(p, p->x + (size_t)r * bytes, p->cotangent + (size_t)r * bytes,
                     p->out + (size_t)r * bytes, parts[0], parts[1]);
}

/* Adds up the tasks' sums, in their order, and stores them as elements. */
static void store_sums(const norm *p, char *parts, int64_t tasks, char *out)
{
    size_t sums = (size_t)p->n * p->unit;
    if (!tasks) {
        memset(out, 0, (size_t)p->n * p->item);
        return;
    }
    for (int64_t t = 1; t < tasks; t++)
        p->loops->add((size_t)p->n, parts + (size_t)t * sums, parts);
    if (p->down) p->down((size_t)p->n, (const void *const[]){ parts }, 0, out);
    else memcpy(out, parts, sums);
}

/* ---- launches ---- */

static norm make(const mica__launch *l, double eps, bool centred)
{
    const mica_array *x = l->in[0];
    norm p = { .dtype = (mica_dtype)x->dtype, .eps = eps, .centred = centred };
    p.item = mica__dtype_sizes[p.dtype];
    p.unit = p.dtype == MICA_FLOAT64 ? 8 : 4;
    p.loops = &(*MICA_CHOOSE(mica__norm_))[p.dtype == MICA_FLOAT64];
    if (mica__is_half(p.dtype)) {
        p.up = mica__cast_find(p.dtype, MICA_FLOAT32);
        p.down = mica__cast_find(MICA_FLOAT32, p.dtype);
        p.round = mica__round_find(p.dtype);
    }
    p.n = x->shape[x->ndim - 1];
    p.rows = p.n ? x->size / p.n : 0;
    int64_t smallest = p.n ? (WORK + p.n - 1) / p.n : 1, even = (p.rows + TASKS - 1) / TASKS;
    p.a_task = smallest > even ? smallest : even;
    p.x = x->data;
    p.out = l->out[0].data;
    return p;
}

/* A vector of n elements in the arithmetic's type. Beside halves it may have that type already. */
static int read_vector(mica__launch *l, const norm *p, const mica_array *a, void **out)
{
    *out = a->data;
    if (!p->up || a->dtype == MICA_FLOAT32) return MICA_OK;
    *out = mica__arena_alloc(&l->scratch, (size_t)p->n * p->unit);
    if (!*out) return MICA_EMEMORY;
    p->up((size_t)p->n, (const void *const[]){ a->data }, 0, *out);
    return MICA_OK;
}

static int64_t task_count(const norm *p)
{
    return (p->rows + p->a_task - 1) / p->a_task;
}

static int forward(mica__launch *l, double eps, bool centred, bool weighted, bool biased)
{
    norm p = make(l, eps, centred);
    /* Parameters in float32: as in a chain of float32 operations, only the result is rounded. */
    if ((weighted || biased) && l->in[1]->dtype == MICA_FLOAT32) p.round = NULL;
    if (weighted) MICA_TRY(read_vector(l, &p, l->in[1], &p.weight));
    if (biased) MICA_TRY(read_vector(l, &p, l->in[1 + weighted], &p.bias));
    mica__spread_tasks(task_count(&p), p.rows * p.n, forward_task, &p);
    return MICA_OK;
}

static int backward(mica__launch *l, double eps, bool centred, bool weighted, bool biased)
{
    norm p = make(l, eps, centred);
    p.cotangent = l->in[1 + weighted]->data;
    if (weighted) MICA_TRY(read_vector(l, &p, l->in[1], &p.weight));
    int64_t tasks = task_count(&p);
    bool wanted[2] = { weighted, biased };
    size_t bytes = 0;
    char *memory = NULL;
    if (weighted || biased) { /* tasks * n is at most about the size of x */
        bytes = (size_t)(weighted + biased) * (size_t)tasks * (size_t)p.n * p.unit;
        MICA_TRY(mica__memory_take(bytes, (void **)&memory));
        p.partials[0] = weighted ? memory : NULL;
        p.partials[1] = biased ? memory + (weighted ? bytes / 2 : 0) : NULL;
    }
    mica__spread_tasks(tasks, p.rows * p.n, backward_task, &p);
    for (int k = 0, slot = 1; k < 2; k++)
        if (wanted[k]) store_sums(&p, p.partials[k], tasks, l->out[slot++].data);
    mica__memory_give(memory, bytes);
    return MICA_OK;
}

int mica__kernel_rms_norm(mica__launch *l)
{
    const struct mica__rms_norm_params *p = l->node->params;
    return forward(l, p->eps, false, p->weighted, false);
}

int mica__kernel_rms_norm_vjp(mica__launch *l)
{
    const struct mica__rms_norm_vjp_params *p = l->node->params;
    return backward(l, p->eps, false, p->weighted, false);
}

int mica__kernel_layer_norm(mica__launch *l)
{
    const struct mica__layer_norm_params *p = l->node->params;
    return forward(l, p->eps, true, p->weighted, p->biased);
}

int mica__kernel_layer_norm_vjp(mica__launch *l)
{
    const struct mica__layer_norm_vjp_params *p = l->node->params;
    return backward(l, p->eps, true, p->weighted, p->biased);
}
