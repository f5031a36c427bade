/* Kernels that read and write at indices along one axis, and under masks. */
#include "backend/cpu/index.h"
#include "backend/cpu/kernel.h"
#include "backend/cpu/region.h"

typedef struct along {
    mica_array *a;
    const mica_array *index;
    char *values;
    int64_t outer, inner, length,
        indices; /* a: (outer, length, inner), index and values: (outer, indices, inner) */
    int64_t blocks, block; /* the inner axis is cut */
    mica__combine combine;
    mica__index_fault fault;
} along;

static void along_init(along *x, mica_array *a, const mica_array *index, char *values, int64_t axis)
{
    *x = (along){ .a = a,
                  .index = index,
                  .values = values,
                  .outer = 1,
                  .inner = 1,
                  .length = a->shape[axis],
                  .indices = index->shape[axis] };
    for (int i = 0; i < a->ndim; i++) {
        if (i < axis) x->outer *= a->shape[i];
        if (i > axis) x->inner *= a->shape[i];
    }
    atomic_init(&x->fault.first, SIZE_MAX);
    x->block = x->inner < 1024 ? x->inner : 1024;
    x->blocks = x->block ? (x->inner + x->block - 1) / x->block : 0;
}

static int along_status(const along *x, const char *name, int64_t axis)
{
    size_t i = atomic_load(&x->fault.first);
    if (i == SIZE_MAX) return MICA_OK;
    return mica__index_error(
        name, mica__index_at(x->index->data, (mica_dtype)x->index->dtype, (int64_t)i), axis,
        x->length);
}

/* Calls for each place of a task: `i` counts indices and values, `at` is the place in a. */
#define EACH_ALONG(x, task, body)                                                                  \
    int64_t outer = (int64_t)(task) / (x)->blocks,                                                 \
            start = (int64_t)(task) % (x)->blocks * (x)->block;                                    \
    int64_t stop = start + (x)->block < (x)->inner ? start + (x)->block : (x)->inner;              \
    for (int64_t j = 0; j < (x)->indices; j++) {                                                   \
        int64_t row = (outer * (x)->indices + j) * (x)->inner,                                     \
                base = outer * (x)->length * (x)->inner;                                           \
        for (int64_t i = row + start; i < row + stop; i++) {                                       \
            int64_t at = mica__index_wrap(                                                         \
                mica__index_at((x)->index->data, (mica_dtype)(x)->index->dtype, i), (x)->length);  \
            if (at < 0) mica__index_fault_add(&(x)->fault, (size_t)i);                             \
            else at = base + at * (x)->inner + (i - row);                                          \
            body;                                                                                  \
        }                                                                                          \
    }

#define GATHER_AS(type)                                                                            \
    EACH_ALONG(x, task,                                                                            \
               ((type *)(void *)x->values)[i] =                                                    \
                   at < 0 ? 0 : ((const type *)(const void *)x->a->data)[at])

static void gather_axis_task(void *context, size_t task)
{
    along *x = context;
    switch (x->combine.item) {
    case 1: {
        GATHER_AS(uint8_t)
        break;
    }
    case 2: {
        GATHER_AS(uint16_t)
        break;
    }
    case 4: {
        GATHER_AS(uint32_t)
        break;
    }
    default: {
        GATHER_AS(uint64_t)
        break;
    }
    }
}

static void scatter_axis_task(void *context, size_t task)
{
    along *x = context;
    size_t item = x->combine.item;
    EACH_ALONG(x, task,
               if (at >= 0) mica__combine_row(&x->combine, x->a->data + (size_t)at * item, 1,
                                              x->values + (size_t)i * item, 1, 1))
}

/* Tasks of a few thousand elements; a row of the outer axis is never cut along the indexed one,
 * where values may meet. */
typedef struct batch {
    along *x;
    void (*task)(void *, size_t);
    size_t count, a_batch;
} batch;

static void batch_task(void *context, size_t index)
{
    const batch *b = context;
    size_t first = index * b->a_batch,
           last = first + b->a_batch < b->count ? first + b->a_batch : b->count;
    for (size_t i = first; i < last; i++) b->task(b->x, i);
}

static void along_run(along *x, void (*task)(void *, size_t))
{
    batch b = { .x = x, .task = task, .count = (size_t)(x->outer * x->blocks) };
    int64_t work = x->indices * x->block;
    b.a_batch = work && work < 16 * 1024 ? (size_t)(16 * 1024 / work) : 1;
    mica__parallel((b.count + b.a_batch - 1) / b.a_batch, batch_task, &b);
}

int mica__kernel_gather_axis(mica__launch *l)
{
    int64_t axis = MICA_PARAMS(l->node, gather_axis)->axis;
    along x;
    along_init(&x, l->in[0], l->in[1], l->out[0].data, axis);
    MICA_TRY(mica__combine_init(&x.combine, "take_along_axis", MICA_SCATTER_SET,
                                (mica_dtype)l->out[0].dtype));
    if (l->out[0].size) along_run(&x, gather_axis_task);
    return along_status(&x, "take_along_axis", axis);
}

int mica__kernel_scatter_axis(mica__launch *l)
{
    const struct mica__scatter_axis_params *p = MICA_PARAMS(l->node, scatter_axis);
    along x;
    MICA_TRY(mica__launch_donate(l));
    along_init(&x, &l->out[0], l->in[1], l->in[2]->data, p->axis);
    MICA_TRY(mica__combine_init(&x.combine, "put_along_axis", (mica_scatter_mode)p->mode,
                                (mica_dtype)l->out[0].dtype));
    if (l->in[1]->size) along_run(&x, scatter_axis_task);
    return along_status(&x, "put_along_axis", p->axis);
}

/* ---- masks ---- */

int mica__kernel_masked_scatter(mica__launch *l)
{
    const mica_array *mask = l->in[1], *source = l->in[2];
    mica_array *out = &l->out[0];
    const uint8_t *on = (const uint8_t *)mask->data;
    int64_t row = mask->size ? out->size / mask->size : 0, chosen = 0;
    for (int64_t i = 0; i < mask->size; i++) chosen += on[i] != 0;
    if (chosen * row > source->size)
        return mica__fail(MICA_ERUNTIME,
                          "[masked_scatter] the mask selects %lld elements, the source has %lld",
                          (long long)(chosen * row), (long long)source->size);
    MICA_TRY(mica__launch_donate(l));
    size_t bytes = (size_t)row * mica__dtype_sizes[out->dtype];
    const char *from = source->data;
    for (int64_t i = 0; i < mask->size; i++) {
        if (!on[i]) continue;
        memcpy(out->data + (size_t)i * bytes, from, bytes);
        from += bytes;
    }
    return MICA_OK;
}
