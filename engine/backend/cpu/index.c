/* Kernels of gather and scatter. */
#include "backend/cpu/index.h"

#include "backend/cpu/gather.h"
#include "backend/cpu/kernel.h"
#include "backend/cpu/region.h"

enum { LINE_BYTES = 64, TASK_BYTES = 128 * 1024, NEAR_BYTES = 512 * 1024, PLACES = 256 };

static const int64_t OUT = INT64_MIN; /* strides may be negative, and so places */

typedef struct indexed {
    mica_array *a;            /* what is indexed */
    mica_array *const *index; /* one array an axis, all of `count` elements */
    mica__gather *reads;      /* of index arrays, where they are not row-major */
    mica_dims axes;
    int64_t count;
    /* A slice: its axes of more than one element, continuing ones joined, in elements of `a`;
     * inside `values` slices lie one after another. */
    int ndim;
    int64_t shape[MICA_MAX_NDIM], strides[MICA_MAX_NDIM], slice;
    char *values;
    mica__combine combine;
    mica__index_fault fault;
    int64_t a_task;      /* gather: indices a task */
    int64_t parts, part; /* into which a slice's last axis is cut, and their size. scatter: each
                            part goes through all indices. */
} indexed;

static int64_t magnitude(int64_t stride)
{
    return stride < 0 ? -stride : stride;
}

static int read_indices(indexed *x, mica__launch *l)
{
    bool strided = false;
    for (int64_t k = 0; k < x->axes.n; k++) strided |= !mica__is_row_major(x->index[k]);
    if (!strided) return MICA_OK;
    x->reads = mica__arena_alloc(&l->scratch, (size_t)x->axes.n * sizeof *x->reads);
    if (!x->reads) return MICA_EMEMORY;
    for (int64_t k = 0; k < x->axes.n; k++) {
        const mica_array *i = x->index[k];
        mica__gather_init(&x->reads[k], i->ndim, i->shape, i->strides, mica__dtype_sizes[i->dtype],
                          i->data);
    }
    return MICA_OK;
}

/* Indices first .. first + n for one of the axes; `room` for PLACES of them. */
static const void *indices(const indexed *x, int64_t k, int64_t first, int64_t n, void *room)
{
    const mica_array *i = x->index[k];
    if (!x->reads) return i->data + first * (int64_t)mica__dtype_sizes[i->dtype];
    mica__gather_run(&x->reads[k], first, (size_t)n, room);
    return room;
}

static int indexed_init(indexed *x, mica__launch *l, const char *name, mica_array *a,
                        mica_dims axes, const int64_t *slice_sizes, mica_scatter_mode mode)
{
    *x = (indexed){
        .a = a, .index = l->in + 1, .axes = axes, .count = axes.n ? l->in[1]->size : 1, .slice = 1
    };
    atomic_init(&x->fault.first, SIZE_MAX);
    for (int i = 0; i < l->in[0]->ndim; i++) {
        int64_t size = slice_sizes[i], stride = a->strides[i];
        x->slice *= size;
        if (size == 1) continue;
        if (x->ndim && x->strides[x->ndim - 1] == stride * size) {
            x->shape[x->ndim - 1] *= size;
            x->strides[x->ndim - 1] = stride;
        } else {
            x->shape[x->ndim] = size;
            x->strides[x->ndim++] = stride;
        }
    }
    if (x->ndim == 0) x->shape[x->ndim++] = 1;
    MICA_TRY(read_indices(x, l));
    return mica__combine_init(&x->combine, name, mode, (mica_dtype)a->dtype);
}

/* Where the slices of n index tuples begin, in elements; OUT for those that are out of
 * range. */
static void find_places(indexed *x, int64_t first, int64_t n, int64_t *place)
{
    bool bad = false;
    for (int64_t i = 0; i < n; i++) place[i] = 0;
    for (int64_t k = 0; k < x->axes.n; k++) {
        int64_t size = x->a->shape[x->axes.at[k]], stride = x->a->strides[x->axes.at[k]];
        int64_t room[PLACES];
        const void *data = indices(x, k, first, n, room);
#define FIND(type, beyond)                                                                         \
    for (int64_t i = 0; i < n; i++) {                                                              \
        type given = ((const type *)data)[i];                                                      \
        int64_t at = (int64_t)given;                                                               \
        if (at < 0) at += size;                                                                    \
        bool out = at < 0 || at >= size || (beyond);                                               \
        bad |= out;                                                                                \
        place[i] = out || place[i] == OUT ? OUT : place[i] + at * stride;                          \
    }
        switch ((mica_dtype)x->index[k]->dtype) {
        case MICA_UINT8: FIND(uint8_t, false) break;
        case MICA_INT8: FIND(int8_t, false) break;
        case MICA_UINT16: FIND(uint16_t, false) break;
        case MICA_INT16: FIND(int16_t, false) break;
        case MICA_UINT32: FIND(uint32_t, false) break;
        case MICA_INT32: FIND(int32_t, false) break;
        case MICA_UINT64: FIND(uint64_t, given > INT64_MAX) break;
        default: FIND(int64_t, false) break;
        }
#undef FIND
    }
    for (int64_t i = 0; bad && i < n; i++)
        if (place[i] == OUT) mica__index_fault_add(&x->fault, (size_t)(first + i));
}

static int indexed_status(const indexed *x, const mica_node *node, const char *name)
{
    size_t i = atomic_load(&x->fault.first);
    if (i == SIZE_MAX) return MICA_OK;
    for (int64_t k = 0; k < x->axes.n; k++) {
        int64_t room[PLACES], size = x->a->shape[x->axes.at[k]];
        const void *data = indices(x, k, (int64_t)i, 1, room);
        mica_dtype dtype = (mica_dtype)x->index[k]->dtype;
        if (mica__index_wrap(mica__index_at(data, dtype, 0), size) < 0)
            return mica__index_error(node, name, data, dtype, x->axes.at[k], size);
    }
    return MICA_ERUNTIME;
}

/* One slice between `a` and values: for each row of its last axis. */
static inline void each_row(const indexed *x, int64_t place, char *values, bool scatter,
                            int64_t from, int64_t to)
{
    int inner = x->ndim - 1;
    int64_t index[MICA_MAX_NDIM] = { 0 }, size = (int64_t)x->combine.item,
            stride = x->strides[inner], n = x->shape[inner];
    for (;;) {
        char *at = x->a->data + (place + from * stride) * size, *value = values + from * size;
        if (scatter) mica__combine_row(&x->combine, at, stride, value, 1, to - from);
        else mica__combine_row(&x->combine, value, 1, at, stride, to - from);
        values += n * size;
        int i = inner - 1;
        for (; i >= 0; i--) {
            place += x->strides[i];
            if (++index[i] < x->shape[i]) break;
            place -= x->shape[i] * x->strides[i];
            index[i] = 0;
        }
        if (i < 0) return;
    }
}

#define EACH_ELEMENT(type)                                                                         \
    for (int64_t i = 0; i < n; i++)                                                                \
    ((type *)(void *)x->values)[at + i] =                                                          \
        ((const type *)(const void *)x->a->data)[place[i] == OUT ? 0 : place[i]]

static void gather_task(void *context, size_t task)
{
    indexed *x = context;
    int64_t first = (int64_t)task / x->parts * x->a_task,
            last = first + x->a_task < x->count ? first + x->a_task : x->count;
    /* Strided slices are taken a part of their last axis at a time, so that what the next index
     * needs is near. */
    int64_t run = x->shape[x->ndim - 1], from = (int64_t)task % x->parts * x->part,
            to = from + x->part < run ? from + x->part : run;
    size_t bytes = (size_t)x->slice * x->combine.item;
    bool dense = x->ndim == 1 && x->strides[0] == 1;
    int64_t place[PLACES];
    for (int64_t at = first; at < last; at += PLACES) {
        int64_t n = last - at < PLACES ? last - at : PLACES;
        find_places(x, at, n, place);
        if (x->slice == 1) {
            switch (x->combine.item) {
            case 1: EACH_ELEMENT(uint8_t); break;
            case 2: EACH_ELEMENT(uint16_t); break;
            case 4: EACH_ELEMENT(uint32_t); break;
            default: EACH_ELEMENT(uint64_t); break;
            }
            continue;
        }
        for (int64_t i = 0; i < n; i++) {
            char *value = x->values + (size_t)(at + i) * bytes;
            if (place[i] == OUT)
                memset(value, 0, bytes); /* several tasks may: nobody will see it */
            else if (dense) memcpy(value, x->a->data + place[i] * (int64_t)x->combine.item, bytes);
            else each_row(x, place[i], value, false, from, to);
        }
    }
}

static int gather_from(mica__launch *l, mica_array *a)
{
    const struct mica__gather_params *p = MICA_PARAMS(l->node, gather);
    indexed x;
    MICA_TRY(indexed_init(&x, l, "gather", a, p->axes, p->slice_sizes.at, MICA_SCATTER_SET));
    x.values = l->out[0].data;
    int64_t bytes = x.slice * (int64_t)x.combine.item + 8;
    x.a_task = bytes < TASK_BYTES ? TASK_BYTES / bytes : 1;
    x.parts = 1;
    int64_t run = x.part = x.shape[x.ndim - 1], stride = magnitude(x.strides[x.ndim - 1]);
    if (x.ndim == 1 && stride > 1 && run > 64) {
        int64_t near = NEAR_BYTES / (stride * (int64_t)x.combine.item);
        x.part = near < 16 ? 16 : near > run ? run : near;
        x.parts = (run + x.part - 1) / x.part;
        x.a_task = TASK_BYTES / ((int64_t)x.combine.item * x.part) + 1;
    }
    if (a->size) {
        int64_t tasks = (x.count + x.a_task - 1) / x.a_task * x.parts;
        mica__parallel((size_t)tasks, gather_task, &x);
    } else { /* nothing can be read: every index is out of range */
        mica__index_fault_add(&x.fault, 0);
    }
    return indexed_status(&x, l->node, "gather");
}

/* Slices whose elements each lie in a cache line of their own: where about all of `a` is read,
 * turning it first, tile by tile, costs less (a fifth for 2048 rows of a transposed 64 x 64 x
 * 1024).
 */
static bool turns_first(const mica_array *a, const int64_t *sizes, const mica_array *out)
{
    int last = a->ndim - 1;
    while (last >= 0 && sizes[last] == 1) last--;
    return last >= 0 && !mica__is_row_major(a) && out->size >= a->size / 2 &&
           magnitude(a->strides[last]) * (int64_t)mica__dtype_sizes[a->dtype] >= LINE_BYTES;
}

int mica__kernel_gather(mica__launch *l)
{
    mica_array *a = l->in[0], copy;
    if (l->out[0].size == 0) return MICA_OK;
    if (!turns_first(a, MICA_PARAMS(l->node, gather)->slice_sizes.at, &l->out[0]))
        return gather_from(l, a);
    MICA_TRY(mica__row_major_copy(a, &copy));
    int status = gather_from(l, &copy);
    mica__drop_copy(&copy);
    return status;
}

/* Every task sees all indices in order, and writes its own part of `a` only: what meets in one
   place meets in the order of the indices. Parts are ranges of the slice's last axis, or, for
   single elements, ranges of places. */
static void scatter_task(void *context, size_t task)
{
    indexed *x = context;
    size_t bytes = (size_t)x->slice * x->combine.item;
    int64_t n = x->slice == 1 ? x->a->size : x->shape[x->ndim - 1];
    int64_t from = n * (int64_t)task / x->parts, to = n * ((int64_t)task + 1) / x->parts;
    int64_t place[PLACES];
    for (int64_t at = 0; at < x->count && (!at || !mica__parallel_given_up()); at += PLACES) {
        int64_t count = x->count - at < PLACES ? x->count - at : PLACES;
        find_places(x, at, count, place);
        for (int64_t i = 0; i < count; i++) {
            char *value = x->values + (size_t)(at + i) * bytes;
            if (place[i] == OUT) continue;
            if (x->slice > 1) each_row(x, place[i], value, true, from, to);
            else if (place[i] >= from && place[i] < to)
                mica__combine_row(&x->combine, x->a->data + place[i] * (int64_t)x->combine.item, 1,
                                  value, 1, 1);
        }
    }
}

int mica__kernel_scatter(mica__launch *l)
{
    const struct mica__scatter_params *p = MICA_PARAMS(l->node, scatter);
    mica_array *out = &l->out[0];
    const mica_array *updates = l->in[l->ninputs - 1];
    indexed x;
    int64_t sizes[MICA_MAX_NDIM];
    MICA_TRY(mica__launch_donate(l));
    for (int i = 0; i < out->ndim; i++) sizes[i] = out->shape[i];
    for (int64_t k = 0; k < p->axes.n; k++) sizes[p->axes.at[k]] = 1;
    MICA_TRY(indexed_init(&x, l, "scatter", out, p->axes, sizes, (mica_scatter_mode)p->mode));
    if (updates->size == 0) return MICA_OK;
    if (out->size == 0) {
        mica__index_fault_add(&x.fault, 0);
        return indexed_status(&x, l->node, "scatter");
    }
    x.values = updates->data;
    int64_t n = x.slice == 1 ? out->size : x.shape[x.ndim - 1], worth = x.slice == 1 ? 1 : 64;
    x.parts = updates->size < 16 * 1024 ? 1 : n / worth < 1 ? 1 : n / worth;
    if (x.parts > (int64_t)mica__thread_count())
        x.parts = (int64_t)mica__thread_count(); /* the order in each place does not depend on it */
    mica__parallel((size_t)x.parts, scatter_task, &x);
    return indexed_status(&x, l->node, "scatter");
}
