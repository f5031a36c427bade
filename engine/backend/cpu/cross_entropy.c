/* Kernels of cross_entropy and of its derivative: each reads the logits once, chunk by chunk. The
   maximum of what was read so far grows with the chunks, and the sum of exponentials is rescaled
   when it does (Milakov and Gimelshein, "Online normalizer calculation for softmax", 2018). */
#include <math.h>

#include "backend/cpu/choose.h"
#include "backend/cpu/index.h"
#include "backend/cpu/kernel.h"
#include "backend/cpu/loop.h"
#include "backend/cpu/reduce.h"
#include "backend/cpu/softmax.h"

enum { CHUNK = MICA_REDUCE_CHUNK, WORK = 32 * 1024 };

typedef struct entropy {
    const mica__softmax_loops *loops;
    mica_dtype dtype, target_dtype;
    size_t item;
    mica__loop *up, *down; /* halves to float32 and back */
    int64_t rows, n, a_task;
    const char *logits, *targets;
    float *loss;            /* or NULL */
    char *statistics;       /* of each row: maximum and 1 / sum(exp(x - maximum)) */
    const float *cotangent; /* vjp */
    char *gradient;
    _Atomic int64_t wrong; /* 1 + the first row whose target is no class; 0: none */
} entropy;

/* Elements [at, at + m) of a row as float32. */
static const float *read_f32(const entropy *e, const char *row, int64_t at, int64_t m,
                             float *buffer)
{
    if (!e->up) return (const float *)(const void *)row + at;
    e->up((size_t)m, (const void *const[]){ row + (size_t)at * e->item }, 0, buffer);
    return buffer;
}

/* The class of a row, counted from the end when negative; -1 and a mark when there is none. */
static int64_t target_of(entropy *e, int64_t row)
{
    int64_t t = mica__index_at(e->targets, e->target_dtype, row);
    if (t < 0) t += e->n;
    if (t >= 0 && t < e->n) return t;
    int64_t first = atomic_load_explicit(&e->wrong, memory_order_relaxed);
    while ((!first || row + 1 < first) &&
           !atomic_compare_exchange_weak(&e->wrong, &first, row + 1)) {}
    return -1;
}

static double element(const entropy *e, const char *row, int64_t at)
{
    return mica__load_number(e->dtype, row + (size_t)at * e->item);
}

/* The maximum is NaN when any logit is. */
#define FOLD(T, suffix)                                                                            \
    for (int64_t i = 0; i < e->n; i += CHUNK) {                                                    \
        int64_t m = e->n - i < CHUNK ? e->n - i : CHUNK;                                           \
        const T *x = READ(i, m);                                                                   \
        T top = e->loops->max_##suffix(x, (size_t)m);                                              \
        if (top > max || top != top) {                                                             \
            total *= exp((double)max - (double)top);                                               \
            max = top;                                                                             \
        }                                                                                          \
        if (max == -INFINITY) continue; /* zeros so far */                                         \
        if (max == INFINITY) total = 1;                                                            \
        else total += (double)e->loops->exp_##suffix(x, (size_t)m, max, buffer);                   \
    }

static void row_f32(entropy *e, int64_t r, double *max_out, double *total_out)
{
    float buffer[CHUNK], max = -INFINITY;
    double total = 0;
    const char *row = e->logits + (size_t)(r * e->n) * e->item;
#define READ(i, m) read_f32(e, row, i, m, buffer)
    FOLD(float, f32)
#undef READ
    *max_out = max;
    *total_out = total;
}

static void row_f64(entropy *e, int64_t r, double *max_out, double *total_out)
{
    double buffer[CHUNK], max = -INFINITY, total = 0;
    const double *row = (const double *)(const void *)e->logits + r * e->n;
#define READ(i, m) (row + (i))
    FOLD(double, f64)
#undef READ
    *max_out = max;
    *total_out = total;
}

static void forward_task(void *context, size_t index)
{
    entropy *e = context;
    int64_t first = (int64_t)index * e->a_task,
            last = first + e->a_task < e->rows ? first + e->a_task : e->rows;
    for (int64_t r = first; r < last; r++) {
        double max, total;
        int64_t target = target_of(e, r);
        if (e->dtype == MICA_FLOAT64) row_f64(e, r, &max, &total);
        else row_f32(e, r, &max, &total);
        if (e->dtype == MICA_FLOAT64)
            memcpy(e->statistics + 16 * r, (double[2]){ max, 1 / total }, 16);
        else memcpy(e->statistics + 8 * r, (float[2]){ (float)max, (float)(1 / total) }, 8);
        const char *row = e->logits + (size_t)(r * e->n) * e->item;
        /* The difference of the logits first: it is exact where the target is near the maximum. */
        e->loss[r] = target < 0 ? NAN : (float)(log(total) + (max - element(e, row, target)));
    }
}

static void gradient_f32(entropy *e, int64_t r, int64_t target)
{
    float buffer[CHUNK], statistics[2], c = e->cotangent[r];
    memcpy(statistics, e->statistics + 8 * r, 8);
    const char *row = e->logits + (size_t)(r * e->n) * e->item;
    char *out = e->gradient + (size_t)(r * e->n) * e->item;
    for (int64_t i = 0; i < e->n; i += CHUNK) {
        int64_t m = e->n - i < CHUNK ? e->n - i : CHUNK;
        float *to = e->down ? buffer : (float *)(void *)out + i;
        e->loops->exp_f32(read_f32(e, row, i, m, buffer), (size_t)m, statistics[0], to);
        e->loops->scale_f32(to, (size_t)m, c * statistics[1]);
        if (target >= i && target < i + m) to[target - i] -= c;
        if (e->down)
            e->down((size_t)m, (const void *const[]){ buffer }, 0, out + (size_t)i * e->item);
    }
}

static void gradient_f64(entropy *e, int64_t r, int64_t target)
{
    double statistics[2], c = e->cotangent[r];
    memcpy(statistics, e->statistics + 16 * r, 16);
    const double *row = (const double *)(const void *)e->logits + r * e->n;
    double *out = (double *)(void *)e->gradient + r * e->n;
    for (int64_t i = 0; i < e->n; i += CHUNK) {
        size_t m = (size_t)(e->n - i < CHUNK ? e->n - i : CHUNK);
        e->loops->exp_f64(row + i, m, statistics[0], out + i);
        e->loops->scale_f64(out + i, m, c * statistics[1]);
    }
    if (target >= 0) out[target] -= c;
}

static void backward_task(void *context, size_t index)
{
    entropy *e = context;
    int64_t first = (int64_t)index * e->a_task,
            last = first + e->a_task < e->rows ? first + e->a_task : e->rows;
    for (int64_t r = first; r < last; r++) {
        int64_t target = target_of(e, r);
        if (e->dtype == MICA_FLOAT64) gradient_f64(e, r, target);
        else gradient_f32(e, r, target);
    }
}

static int run(const mica__launch *l, entropy *e, void (*task)(void *, size_t))
{
    const mica_array *x = l->in[0], *t = l->in[1];
    e->loops = MICA_CHOOSE(mica__softmax_);
    e->dtype = (mica_dtype)x->dtype;
    e->target_dtype = (mica_dtype)t->dtype;
    e->item = mica__dtype_sizes[e->dtype];
    e->logits = x->data;
    e->targets = t->data;
    if (!x->size) return MICA_OK;
    e->n = x->shape[x->ndim - 1];
    e->rows = x->size / e->n;
    e->a_task = e->n < WORK ? WORK / e->n : 1;
    if (mica__is_half(e->dtype)) {
        e->up = mica__cast_find(e->dtype, MICA_FLOAT32);
        e->down = mica__cast_find(MICA_FLOAT32, e->dtype);
    }
    mica__spread_tasks((e->rows + e->a_task - 1) / e->a_task, x->size, task, e);
    int64_t wrong = atomic_load_explicit(&e->wrong, memory_order_relaxed) - 1;
    if (wrong < 0) return MICA_OK;
    return mica__fail(
        MICA_EINDEX,
        "[cross_entropy] target %s is out of range for %lld classes; of targets that "
        "do not count, multiply the losses by 0 and put a class that there is in their "
        "place: where(valid, targets, 0)",
        mica__index_text_of(e->targets, e->target_dtype, wrong).at, (long long)e->n);
}

int mica__kernel_cross_entropy(mica__launch *l)
{
    entropy e = { .loss = (float *)(void *)l->out[0].data, .statistics = l->out[1].data };
    return run(l, &e, forward_task);
}

int mica__kernel_cross_entropy_vjp(mica__launch *l)
{
    entropy e = { .statistics = l->in[2]->data,
                  .cotangent = (const float *)(const void *)l->in[3]->data,
                  .gradient = l->out[0].data };
    return run(l, &e, backward_task);
}
