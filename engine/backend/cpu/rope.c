/* Kernel of rotary embeddings: blocks of positions, whose angles are computed once for all heads.
 */
#include "backend/cpu/rope.h"

#include <math.h>

#include "backend/cpu/choose.h"
#include "backend/cpu/kernel.h"
#include "backend/cpu/loop.h"

enum { WORK = 64 * 1024 };

typedef struct rope {
    const mica__rope_loops *loops;
    const struct mica__rope_params *params;
    const mica_array *x, *offset;
    char *out;
    size_t item, unit;
    mica__loop *up, *down; /* halves; NULL for others */
    int64_t time, features, half;
    int64_t groups, heads; /* indices that share an offset, and what lies below each: heads * groups
                              leading indices */
    int64_t positions, blocks; /* a task turns so many positions ... */
    int64_t some_heads, parts; /* ... of so many heads */
    double *frequency;
    atomic_size_t missing; /* bytes that a task could not get */
} rope;

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Cosines and sines of one position, in the arithmetic's type. */
static void fill_angles(const rope *p, double position, char *cosine, char *sine)
{
    bool inverse = p->params->inverse;
    double limit = 0;
    for (int64_t i = 0; i < p->half; i++) limit = fmax(limit, fabs(position * p->frequency[i]));
    if (p->unit == 4 && limit < MICA_ROPE_LIMIT) {
        /* The inverse rotation is that by the negative angle. */
        p->loops->angles((size_t)p->half, inverse ? -position : position, p->frequency,
                         (float *)(void *)cosine, (float *)(void *)sine);
        return;
    }
    for (int64_t i = 0; i < p->half; i++) {
        double angle = position * p->frequency[i], c = cos(angle),
               s = inverse ? -sin(angle) : sin(angle);
        if (p->unit == 8) {
            ((double *)(void *)cosine)[i] = c;
            ((double *)(void *)sine)[i] = s;
        } else {
            ((float *)(void *)cosine)[i] = (float)c;
            ((float *)(void *)sine)[i] = (float)s;
        }
    }
}

/* Where the rows of leading index `lead` start in x, in elements. */
static int64_t lead_offset(const mica_array *x, int64_t lead)
{
    int64_t offset = 0;
    for (int i = x->ndim - 3; i >= 0; i--) {
        offset += lead % x->shape[i] * x->strides[i];
        lead /= x->shape[i];
    }
    return offset;
}

static void gather(size_t item, int64_t n, const char *from, int64_t stride, char *to)
{
    for (int64_t i = 0; i < n; i++)
        memcpy(to + (size_t)i * item, from + i * stride * (int64_t)item, item);
}

/* One row of features: `x` strided elements, `y` contiguous ones; row and turned: room for numbers.
 */
static void turn_row(const rope *p, const char *x, const char *cosine, const char *sine, char *y,
                     char *row, char *turned)
{
    int64_t stride = p->x->strides[p->x->ndim - 1], dims = 2 * p->half;
    const char *numbers = x;
    if (p->features > 1 && stride != 1) {
        char *place = p->up ? turned : row;
        gather(p->item, p->features, x, stride, place);
        x = numbers = place;
    }
    if (p->features > dims)
        memcpy(y + (size_t)dims * p->item, x + (size_t)dims * p->item,
               (size_t)(p->features - dims) * p->item);
    if (p->up) {
        p->up((size_t)dims, (const void *const[]){ x }, 0, row);
        numbers = row;
    }
    void *to = p->up ? turned : y;
    bool traditional = p->params->traditional;
    if (p->unit == 8)
        p->loops->turn_f64((size_t)p->half, traditional, (const void *)numbers,
                           (const void *)cosine, (const void *)sine, to);
    else
        p->loops->turn_f32((size_t)p->half, traditional, (const void *)numbers,
                           (const void *)cosine, (const void *)sine, to);
    if (p->down) p->down((size_t)dims, (const void *const[]){ turned }, 0, y);
}

static void task(void *context, size_t index)
{
    rope *p = context;
    int64_t part = (int64_t)index % p->parts, block = (int64_t)index / p->parts % p->blocks;
    int64_t group = (int64_t)index / p->parts / p->blocks;
    int64_t first = block * p->positions, count = least(p->positions, p->time - first);
    int64_t head = part * p->some_heads, heads = least(p->some_heads, p->heads - head);
    const mica_array *x = p->x;
    double start = p->offset->ndim
                       ? (double)mica__index_at(p->offset->data, (mica_dtype)p->offset->dtype,
                                                group * p->offset->strides[0])
                       : (double)mica__index_at(p->offset->data, (mica_dtype)p->offset->dtype, 0);
    size_t table = (size_t)count * (size_t)p->half * p->unit,
           bytes = 2 * table + 2 * (size_t)p->features * 8;
    char *memory;
    if (mica__memory_take(bytes, (void **)&memory) != MICA_OK) {
        atomic_store(&p->missing, bytes);
        return;
    }
    char *cosine = memory + 2 * (size_t)p->features * 8, *sine = cosine + table, *row = memory,
         *turned = row + (size_t)p->features * 8;
    size_t step = (size_t)p->half * p->unit;
    for (int64_t t = 0; t < count; t++)
        fill_angles(p, (start + (double)(first + t)) * p->params->scale, cosine + (size_t)t * step,
                    sine + (size_t)t * step);
    for (int64_t h = head; h < head + heads; h++) {
        int64_t lead = group * p->heads + h, stride = x->strides[x->ndim - 2];
        const char *from = x->data + (lead_offset(x, lead) + first * stride) * (int64_t)p->item;
        char *to = p->out + (size_t)((lead * p->time + first) * p->features) * p->item;
        for (int64_t t = 0; t < count; t++)
            turn_row(p, from + t * stride * (int64_t)p->item, cosine + (size_t)t * step,
                     sine + (size_t)t * step, to + (size_t)(t * p->features) * p->item, row,
                     turned);
    }
    mica__memory_give(memory, bytes);
}

/* Turns a position so much about each pair. */
static void fill_frequencies(const rope *p, const mica__launch *l)
{
    for (int64_t i = 0; i < p->half; i++)
        p->frequency[i] =
            p->params->custom
                ? 1.0 / ((const float *)(const void *)l->in[2]->data)[i * l->in[2]->strides[0]]
                : exp(-(double)i * log(p->params->base) / (double)p->half);
}

int mica__kernel_rope(mica__launch *l)
{
    const mica_array *x = l->in[0], *offset = l->in[1];
    if (!x->size) return MICA_OK;
    rope p = { .loops = MICA_CHOOSE(mica__rope_),
               .params = l->node->params,
               .x = x,
               .offset = offset,
               .out = l->out[0].data };
    p.item = mica__dtype_sizes[x->dtype];
    p.unit = x->dtype == MICA_FLOAT64 ? 8 : 4;
    if (mica__is_half((mica_dtype)x->dtype)) {
        p.up = mica__cast_find((mica_dtype)x->dtype, MICA_FLOAT32);
        p.down = mica__cast_find(MICA_FLOAT32, (mica_dtype)x->dtype);
    }
    p.time = x->shape[x->ndim - 2];
    p.features = x->shape[x->ndim - 1];
    p.half = p.params->dims / 2;
    p.groups = offset->ndim ? x->shape[0] : 1;
    p.heads = x->size / (p.time * p.features) / p.groups;
    p.frequency = mica__arena_alloc(&l->scratch, (size_t)p.half * sizeof(double));
    if (!p.frequency) return MICA_EMEMORY;
    fill_frequencies(&p, l);
    int64_t line = p.heads * p.features;
    p.positions = least(p.time, line < WORK ? WORK / line : 1);
    p.some_heads = least(p.heads, line > 2 * WORK ? WORK / p.features + 1 : p.heads);
    p.blocks = (p.time + p.positions - 1) / p.positions;
    p.parts = (p.heads + p.some_heads - 1) / p.some_heads;
    mica__spread_tasks(p.groups * p.blocks * p.parts, x->size, task, &p);
    size_t missing = atomic_load(&p.missing);
    return missing ? mica__fail_memory("rope", missing) : MICA_OK;
}
