/* Kernels that read and write at indices along one axis, and under masks. All operands may lie in
 * any strides. */
#include "backend/cpu/gather.h"
#include "backend/cpu/index.h"
#include "backend/cpu/kernel.h"
#include "backend/cpu/region.h"

enum { A, INDEX, VALUE, PLACE, WALKS }; /* PLACE: an index's number in row-major order */
enum { TASK = 16 * 1024, BLOCK = 1024, LEAST = 64, SHORT = 16, NEAR_BYTES = 512 * 1024 };

/* Indices side by side, of one place of a's other axes each or all of the same one. All strides in
 * elements. */
typedef struct strip {
    char *a, *value;
    const char *index;
    int64_t n, length, stride;              /* of the indexed axis */
    int64_t a_step, index_step, value_step; /* from one index to the next */
} strip;

/* Strips return whether an index was out of range: it reads the first element, and writes none. */
typedef bool strip_loop(const strip *s);

#define PLACE_AT(index_type, wraps, i, index_step)                                                 \
    uint64_t at = (uint64_t)(int64_t)index[(i) * (index_step)];                                    \
    if ((wraps) && (int64_t)at < 0) at += length
#define GATHER_LOOP(index_type, wraps, stride, a_step, index_step, value_step)                     \
    for (int64_t i = 0; i < n; i++) {                                                              \
        PLACE_AT(index_type, wraps, i, index_step);                                                \
        if (at >= length) { /* rare: a branch lets the read begin at once */                       \
            bad = true;                                                                            \
            at = 0;                                                                                \
        }                                                                                          \
        value[i * (value_step)] = a[(int64_t)at * (stride) + i * (a_step)];                        \
    }
#define SCATTER_LOOP(index_type, wraps, stride, a_step, index_step, value_step)                    \
    for (int64_t i = 0; i < n; i++) {                                                              \
        PLACE_AT(index_type, wraps, i, index_step);                                                \
        if (at < length) a[(int64_t)at * (stride) + i * (a_step)] = value[i * (value_step)];       \
        else bad = true;                                                                           \
    }
/* Rows whose own axis is indexed, rows across it, and all others. */
#define STRIP(name, LOOP, index_type, wraps, type)                                                 \
    static bool name##_##index_type##_##type(const strip *s)                                       \
    {                                                                                              \
        type *a = (type *)(void *)s->a, *value = (type *)(void *)s->value;                         \
        const index_type *index = (const index_type *)(const void *)s->index;                      \
        const int64_t n = s->n, stride = s->stride, a_step = s->a_step;                            \
        const int64_t index_step = s->index_step, value_step = s->value_step;                      \
        const uint64_t length = (uint64_t)s->length;                                               \
        bool bad = false, dense = index_step == 1 && value_step == 1;                              \
        if (dense && a_step == 0 && stride == 1) LOOP(index_type, wraps, 1, 0, 1, 1)               \
        else if (dense && a_step == 1) LOOP(index_type, wraps, stride, 1, 1, 1)                    \
        else LOOP(index_type, wraps, stride, a_step, index_step, value_step)                       \
        return bad;                                                                                \
    }
#define STRIPS(index_type, wraps)                                                                  \
    STRIP(gather, GATHER_LOOP, index_type, wraps, uint8_t)                                         \
    STRIP(gather, GATHER_LOOP, index_type, wraps, uint16_t)                                        \
    STRIP(gather, GATHER_LOOP, index_type, wraps, uint32_t)                                        \
    STRIP(gather, GATHER_LOOP, index_type, wraps, uint64_t)                                        \
    STRIP(scatter, SCATTER_LOOP, index_type, wraps, uint8_t)                                       \
    STRIP(scatter, SCATTER_LOOP, index_type, wraps, uint16_t)                                      \
    STRIP(scatter, SCATTER_LOOP, index_type, wraps, uint32_t)                                      \
    STRIP(scatter, SCATTER_LOOP, index_type, wraps, uint64_t)
STRIPS(uint8_t, false)
STRIPS(uint16_t, false)
STRIPS(uint32_t, false)
STRIPS(uint64_t, false)
STRIPS(int8_t, true)
STRIPS(int16_t, true)
STRIPS(int32_t, true)
STRIPS(int64_t, true)

#define ROW(name, type)                                                                            \
    {                                                                                              \
        name##_##type##_uint8_t, name##_##type##_uint16_t, name##_##type##_uint32_t,               \
            name##_##type##_uint64_t                                                               \
    }
#define TABLE(name)                                                                                \
    static strip_loop *const name##_loops[][4] = {                                                 \
        [MICA_BOOL] = ROW(name, uint8_t),    [MICA_UINT8] = ROW(name, uint8_t),                    \
        [MICA_UINT16] = ROW(name, uint16_t), [MICA_UINT32] = ROW(name, uint32_t),                  \
        [MICA_UINT64] = ROW(name, uint64_t), [MICA_INT8] = ROW(name, int8_t),                      \
        [MICA_INT16] = ROW(name, int16_t),   [MICA_INT32] = ROW(name, int32_t),                    \
        [MICA_INT64] = ROW(name, int64_t)                                                          \
    }
TABLE(gather);
TABLE(scatter);

static int width(size_t item)
{
    return item == 1 ? 0 : item == 2 ? 1 : item == 4 ? 2 : 3;
}

/* ---- the walk ---- */

typedef struct along {
    strip first; /* at the beginning of all */
    const mica_array *index;
    mica_dtype dtype; /* of the index */
    size_t item, index_item;
    strip_loop *loop; /* NULL: `combine` element by element */
    const mica__combine *combine;
    /* Axes other than the indexed one and that of the strips, continuing ones joined. */
    int ndim;
    int64_t shape[MICA_MAX_NDIM], strides[WALKS][MICA_MAX_NDIM], lines;
    bool across;                          /* strips lie across the indexed axis */
    int64_t js, j_strides[WALKS];         /* that axis then; else 1 */
    int64_t run, steps[WALKS];            /* a strip, cut into blocks */
    int64_t blocks, block, pieces, piece; /* pieces of the js */
    int64_t tasks, a_batch;
    mica__index_fault fault;
} along;

static void add_axis(along *x, int64_t shape, const int64_t *strides)
{
    if (shape == 1) return;
    int k = x->ndim - 1;
    bool joins = k >= 0;
    for (int w = 0; w < WALKS; w++) joins = joins && x->strides[w][k] == strides[w] * shape;
    if (joins) x->shape[k] *= shape;
    else x->shape[k = x->ndim++] = shape;
    for (int w = 0; w < WALKS; w++) x->strides[w][k] = strides[w];
}

/* Strips lie on the last axis that is not indexed, so that neighbours are read together; on the
 * indexed one if that is last, and long. */
static void along_walk(along *x, const mica_array *a, const mica_array *values, int axis)
{
    const mica_array *index = x->index;
    int64_t dense[MICA_MAX_NDIM], indexed[WALKS] = { 0 }, inner = 1, count = index->shape[axis];
    mica__row_major(index->ndim, index->shape, dense);
    for (int i = 0; i < index->ndim; i++) {
        int64_t strides[WALKS] = { [A] = i == axis ? 0 : a->strides[i],
                                   [INDEX] = index->strides[i],
                                   [VALUE] = values->strides[i],
                                   [PLACE] = dense[i] };
        if (i > axis) inner *= index->shape[i];
        if (i == axis) memcpy(indexed, strides, sizeof strides);
        else add_axis(x, index->shape[i], strides);
    }
    x->across = x->ndim && (inner > 1 || count < SHORT);
    x->js = 1;
    x->run = count;
    memcpy(x->steps, indexed, sizeof indexed);
    if (x->across) {
        int last = --x->ndim;
        x->js = count;
        memcpy(x->j_strides, indexed, sizeof indexed);
        x->run = x->shape[last];
        for (int w = 0; w < WALKS; w++) x->steps[w] = x->strides[w][last];
    }
    x->lines = 1;
    for (int i = 0; i < x->ndim; i++) x->lines *= x->shape[i];
}

/* Reads are cut anywhere; writes never along the indexed axis, where values may meet. */
static void along_cut(along *x, bool reads)
{
    int64_t near = NEAR_BYTES / (int64_t)x->item / x->first.length, js = x->js;
    x->block = near < LEAST ? LEAST : near < BLOCK ? near : BLOCK;
    if (x->js == 1 || x->steps[A] != 1) x->block = BLOCK;
    if (x->block > x->run || (!reads && !x->across)) x->block = x->run;
    x->blocks = (x->run + x->block - 1) / x->block;
    x->piece = !reads || js * x->block <= TASK ? js : TASK / x->block + 1;
    x->pieces = (js + x->piece - 1) / x->piece;
    x->tasks = x->lines * x->blocks * x->pieces;
    int64_t work = x->piece * x->block;
    x->a_batch = work < TASK ? TASK / work : 1;
}

static void add_fault(along *x, const strip *s, int64_t place)
{
    for (int64_t i = 0; i < s->n; i++) {
        const char *at = s->index + i * s->index_step * (int64_t)x->index_item;
        if (mica__index_wrap(mica__index_at(at, x->dtype, 0), s->length) >= 0) continue;
        mica__index_fault_add(&x->fault, (size_t)(place + i * x->steps[PLACE]));
    }
}

static bool combine_strip(const along *x, const strip *s)
{
    int64_t item = (int64_t)x->item;
    bool bad = false;
    for (int64_t i = 0; i < s->n; i++) {
        const char *index = s->index + i * s->index_step * (int64_t)x->index_item;
        int64_t at = mica__index_wrap(mica__index_at(index, x->dtype, 0), s->length);
        bad |= at < 0;
        if (at >= 0)
            mica__combine_row(x->combine, s->a + (at * s->stride + i * s->a_step) * item, 1,
                              s->value + i * s->value_step * item, 1, 1);
    }
    return bad;
}

/* One block of a line, at the indices `j0` to `j1` across it. */
static void run_block(along *x, const int64_t *at, int64_t start, int64_t j0, int64_t j1)
{
    strip s = x->first;
    int64_t item = (int64_t)x->item, place[WALKS];
    s.n = x->run - start < x->block ? x->run - start : x->block;
    for (int64_t j = j0; j < j1; j++) {
        for (int w = 0; w < WALKS; w++)
            place[w] = at[w] + start * x->steps[w] + j * x->j_strides[w];
        s.a = x->first.a + place[A] * item;
        s.value = x->first.value + place[VALUE] * item;
        s.index = x->first.index + place[INDEX] * (int64_t)x->index_item;
        if (x->loop ? x->loop(&s) : combine_strip(x, &s)) add_fault(x, &s, place[PLACE]);
    }
}

static void along_batch(void *context, size_t batch)
{
    along *x = context;
    int64_t task = (int64_t)batch * x->a_batch, a_line = x->blocks * x->pieces,
            end = task + x->a_batch < x->tasks ? task + x->a_batch : x->tasks;
    int64_t index[MICA_MAX_NDIM], at[WALKS] = { 0 }, rest = task / a_line, part = task % a_line;
    for (int i = x->ndim - 1; i >= 0; i--) {
        index[i] = rest % x->shape[i];
        rest /= x->shape[i];
        for (int w = 0; w < WALKS; w++) at[w] += index[i] * x->strides[w][i];
    }
    for (; task < end; task++) {
        int64_t j0 = part % x->pieces * x->piece,
                j1 = j0 + x->piece < x->js ? j0 + x->piece : x->js;
        run_block(x, at, part / x->pieces * x->block, j0, j1);
        if (++part < a_line) continue;
        part = 0;
        for (int i = x->ndim - 1; i >= 0; i--) { /* the next line */
            int64_t back = ++index[i] < x->shape[i] ? 0 : x->shape[i];
            for (int w = 0; w < WALKS; w++) at[w] += (1 - back) * x->strides[w][i];
            if (!back) break;
            index[i] = 0;
        }
    }
}

static int along_run(along *x, const mica_node *node, const char *name, const mica_array *a,
                     const mica_array *index, const mica_array *values, int axis, bool reads)
{
    x->index = index;
    x->dtype = (mica_dtype)index->dtype;
    x->index_item = mica__dtype_sizes[index->dtype];
    x->item = mica__dtype_sizes[a->dtype];
    atomic_init(&x->fault.first, SIZE_MAX);
    if (!index->size) return MICA_OK;
    if (a->size) {
        along_walk(x, a, values, axis);
        x->first = (strip){ .a = a->data,
                            .value = values->data,
                            .index = index->data,
                            .length = a->shape[axis],
                            .stride = a->strides[axis],
                            .a_step = x->steps[A],
                            .index_step = x->steps[INDEX],
                            .value_step = x->steps[VALUE] };
        along_cut(x, reads);
        mica__parallel((size_t)((x->tasks + x->a_batch - 1) / x->a_batch), along_batch, x);
    } else { /* nothing can be read: every index is out of range */
        mica__index_fault_add(&x->fault, 0);
    }
    size_t place = atomic_load(&x->fault.first);
    if (place == SIZE_MAX) return MICA_OK;
    int64_t raw = 0;
    mica__gather g;
    mica__gather_init(&g, index->ndim, index->shape, index->strides, x->index_item, index->data);
    mica__gather_run(&g, (int64_t)place, 1, &raw);
    return mica__index_error(node, name, &raw, x->dtype, axis, a->shape[axis]);
}

int mica__kernel_gather_axis(mica__launch *l)
{
    const mica_array *a = l->in[0], *index = l->in[1];
    along x = { .loop = gather_loops[index->dtype][width(mica__dtype_sizes[a->dtype])] };
    return along_run(&x, l->node, "take_along_axis", a, index, &l->out[0],
                     (int)MICA_PARAMS(l->node, gather_axis)->axis, true);
}

int mica__kernel_scatter_axis(mica__launch *l)
{
    const struct mica__scatter_axis_params *p = MICA_PARAMS(l->node, scatter_axis);
    const mica_array *index = l->in[1];
    mica__combine combine;
    MICA_TRY(mica__launch_donate(l));
    MICA_TRY(mica__combine_init(&combine, "put_along_axis", (mica_scatter_mode)p->mode,
                                (mica_dtype)l->out[0].dtype));
    along x = { .combine = &combine };
    if (combine.mode == MICA_SCATTER_SET) x.loop = scatter_loops[index->dtype][width(combine.item)];
    return along_run(&x, l->node, "put_along_axis", &l->out[0], index, l->in[2], (int)p->axis,
                     false);
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
