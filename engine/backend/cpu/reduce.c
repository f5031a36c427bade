/* Kernels of sum, prod, max, min, all and any: over any axes of arrays with any strides. */
#include "backend/cpu/reduce.h"

#include "backend/cpu/isa.h"
#include "backend/cpu/kernel.h"
#include "backend/cpu/loops.h"
#include "backend/cpu/walk.h"

enum { COLUMNS = 128, WORK = 32 * 1024, AHEAD = 8 };

/* ---- loops by instruction set ---- */

const mica__reducer *mica__reducer_find(mica__reduce_op op, mica_dtype dtype)
{
    static mica__reducer_table tables[MICA_ISA_COUNT];
    static atomic_int states[MICA_ISA_COUNT]; /* 0 empty, 1 being filled, 2 ready */
    mica__isa level = mica__isa_level();
    if (atomic_load_explicit(&states[level], memory_order_acquire) != 2) {
        int empty = 0;
        if (atomic_compare_exchange_strong(&states[level], &empty, 1)) {
#if defined(__x86_64__)
            if (level == MICA_ISA_V4) mica__reducers_v4(tables[level]);
            else if (level == MICA_ISA_V3) mica__reducers_v3(tables[level]);
            else mica__reducers_portable(tables[level]);
#else
            mica__reducers_portable(tables[level]);
#endif
            atomic_store_explicit(&states[level], 2, memory_order_release);
        }
        while (atomic_load_explicit(&states[level], memory_order_acquire) != 2) continue;
    }
    return &tables[level][op][mica__is_half(dtype) ? MICA_FLOAT32 : dtype];
}

/* ---- a reduction at work ---- */

typedef struct plan {
    const mica__reducer *loops;
    const char *data;
    size_t item;         /* bytes of an input element */
    size_t element;      /* bytes of an element of the loops */
    mica__loop *convert; /* input to loop type; NULL: the same */
    mica__loop *store;   /* wide to output type */
    size_t store_factor; /* numbers that `store` converts an element */
    int64_t outputs, count, segments;
    mica__walk kept, reduced;
    int column;                     /* the kept axis that is walked along, -1: rows */
    int64_t columns, blocks, block; /* its size, cut into `blocks` of `block` */
    char *out;
    size_t out_item;
    char *partials; /* outputs x segments wide values, when there are several segments */
    int64_t rows_a_task;
} plan;

/* ---- rows: the reduced elements of one result after another ---- */

/* Elements [0, n) from the walk's place, contiguous and of the loops' type: in memory as they are,
 * or copied to `buffer`. */
static const void *read_chunk(const plan *p, const char *data, mica__walk *w, int64_t n,
                              void *buffer)
{
    char raw[MICA_REDUCE_CHUNK * 8];
    const char *from = data + w->offset * (int64_t)p->item;
    if (mica__walk_stride(w) == 1 && mica__walk_run(w) >= n) {
        mica__walk_advance(w, n);
    } else {
        char *to = p->convert ? raw : buffer;
        from = to;
        for (int64_t done = 0; done < n;) {
            int64_t run = mica__walk_run(w) < n - done ? mica__walk_run(w) : n - done,
                    stride = mica__walk_stride(w);
            const char *at = data + w->offset * (int64_t)p->item;
            char *place = to + (size_t)done * p->item;
#define GATHER(type)                                                                               \
    for (int64_t i = 0; i < run; i++)                                                              \
    ((type *)(void *)place)[i] = ((const type *)(const void *)at)[i * stride]
            switch (p->item) {
            case 1: GATHER(uint8_t); break;
            case 2: GATHER(uint16_t); break;
            case 4: GATHER(uint32_t); break;
            default: GATHER(uint64_t); break;
            }
#undef GATHER
            mica__walk_advance(w, run);
            done += run;
        }
    }
    if (!p->convert) return from;
    p->convert((size_t)n, (const void *const[]){ from }, 0, buffer);
    return buffer;
}

/* The reduction of n elements of one result, from the walk's place on, into *wide. */
static void reduce_sequence(const plan *p, const char *data, mica__walk *w, int64_t n, void *wide)
{
    char buffer[MICA_REDUCE_CHUNK * 8], part[16];
    memcpy(wide, p->loops->wide_identity, p->loops->wide_size);
    for (int64_t done = 0; done < n; done += MICA_REDUCE_CHUNK) {
        int64_t m = n - done < MICA_REDUCE_CHUNK ? n - done : MICA_REDUCE_CHUNK;
        const void *x = read_chunk(p, data, w, m, buffer);
        p->loops->rows(x, 1, 0, (size_t)m, part);
        p->loops->merge(wide, part, 1);
    }
}

static void store(const plan *p, const void *wide, int64_t output, int64_t n)
{
    p->store((size_t)n * p->store_factor, (const void *const[]){ wide }, 0,
             p->out + (size_t)output * p->out_item);
}

/* Whole rows that lie in memory as they are, at equal distances, go to the loop many at a time. */
static bool rows_in_place(const plan *p, int64_t output, int64_t n)
{
    bool one_run = p->reduced.n == 0 || (p->reduced.n == 1 && p->reduced.strides[0] == 1);
    if (p->convert || !one_run || p->count > MICA_REDUCE_CHUNK || p->kept.n > 1) return false;
    char wide[64 * 16];
    int64_t stride = p->kept.n ? p->kept.strides[0] : 0;
    for (int64_t done = 0; done < n; done += 64) {
        int64_t m = n - done < 64 ? n - done : 64;
        const char *at = p->data + (output + done) * stride * (int64_t)p->item;
        p->loops->rows(at, (size_t)m, (ptrdiff_t)stride, (size_t)p->count, wide);
        store(p, wide, output + done, m);
    }
    return true;
}

static void rows_task(void *context, size_t task)
{
    const plan *p = context;
    char wide[16];
    mica__walk kept = p->kept, w = p->reduced;
    if (p->segments > 1) {
        int64_t first = (int64_t)task % p->segments * MICA_REDUCE_SEGMENT;
        int64_t n = p->count - first < MICA_REDUCE_SEGMENT ? p->count - first : MICA_REDUCE_SEGMENT;
        mica__walk_seek(&kept, (int64_t)task / p->segments);
        mica__walk_seek(&w, first);
        reduce_sequence(p, p->data + kept.offset * (int64_t)p->item, &w, n, wide);
        memcpy(p->partials + task * p->loops->wide_size, wide, p->loops->wide_size);
        return;
    }
    int64_t output = (int64_t)task * p->rows_a_task, n = p->outputs - output;
    if (n > p->rows_a_task) n = p->rows_a_task;
    if (rows_in_place(p, output, n)) return;
    mica__walk_seek(&kept, output);
    for (int64_t i = output; i < output + n; i++) {
        mica__walk_seek(&w, 0);
        reduce_sequence(p, p->data + kept.offset * (int64_t)p->item, &w, p->count, wide);
        store(p, wide, i, 1);
        mica__walk_advance(&kept, 1);
    }
}

/* ---- columns: many results side by side, one reduced row after another ---- */

typedef struct column_state {
    _Alignas(64) char lanes[MICA_REDUCE_LANES * COLUMNS * 4];
    _Alignas(64) char wide[COLUMNS * 16];
    _Alignas(64) char row[MICA_REDUCE_LANES * COLUMNS * 4];
} column_state;

static void fill(void *to, const void *element, size_t size, size_t n)
{
    if (!n) return;
    memcpy(to, element, size);
    mica__spread(to, n, size);
}

/* Short pieces far apart are not what the processor's own prefetching is made for. Beyond the array
 * nothing happens. */
static inline void fetch_ahead(const char *x, int64_t distance, size_t bytes)
{
#if defined(__GNUC__)
    uintptr_t at = (uintptr_t)x + (uintptr_t)(AHEAD * distance);
    for (size_t i = 0; i < bytes; i += 64) __builtin_prefetch((const void *)(at + i));
#endif
}

/* Rows [first, first + n) of `m` columns that begin at `data`, into state->wide. */
static void reduce_columns(const plan *p, column_state *state, const char *data, int64_t m,
                           int64_t first, int64_t n)
{
    const mica__reducer *loops = p->loops;
    size_t width = (size_t)m * p->element;
    mica__walk w = p->reduced;
    mica__walk_seek(&w, first);
    fill(state->wide, loops->wide_identity, loops->wide_size, (size_t)m);
    /* Where order is free, lanes still serve to take several narrow rows at once. */
    unsigned lanes = loops->lanes > 1 ? loops->lanes : 16;
    for (int64_t done = 0; done < n; done += MICA_REDUCE_CHUNK) {
        int64_t rows = n - done < MICA_REDUCE_CHUNK ? n - done : MICA_REDUCE_CHUNK;
        fill(state->lanes, loops->identity, p->element, (size_t)m * lanes);
        for (int64_t r = 0; r < rows;) {
            const char *x = data + w.offset * (int64_t)p->item;
            /* Rows that lie close together fall into consecutive lanes. */
            int64_t close = mica__walk_stride(&w) == m && r % lanes == 0 ? lanes : 1;
            if (close > rows - r || close > mica__walk_run(&w)) close = 1;
            size_t values = (size_t)(close * m);
            mica__walk_advance(&w, close);
            if (close == 1)
                fetch_ahead(x, mica__walk_stride(&w) * (int64_t)p->item, (size_t)m * p->item);
            if (p->convert) {
                p->convert(values, (const void *const[]){ x }, 0, state->row);
                x = state->row;
            }
            loops->into(state->lanes + (size_t)(r % lanes) * width, x, values);
            r += close;
        }
        for (unsigned half = lanes / 2; half; half /= 2)
            loops->into(state->lanes, state->lanes + half * width, half * (size_t)m);
        loops->widen(state->wide, state->lanes, (size_t)m);
    }
}

static void columns_task(void *context, size_t task)
{
    const plan *p = context;
    column_state state;
    int64_t segment = (int64_t)task % p->segments, rest = (int64_t)task / p->segments;
    int64_t block = rest % p->blocks, outer = rest / p->blocks;
    int64_t first = segment * MICA_REDUCE_SEGMENT, column = block * p->block;
    int64_t n = p->count - first < MICA_REDUCE_SEGMENT ? p->count - first : MICA_REDUCE_SEGMENT;
    int64_t m = p->columns - column < p->block ? p->columns - column : p->block;
    /* Place in the output: the column axis has output stride `inner`; the axes outside and inside
     * of it count `outer`. */
    mica__walk kept = p->kept;
    int64_t inner = 1, outputs_before;
    for (int i = p->column + 1; i < kept.n; i++) inner *= kept.shape[i];
    outputs_before = (outer / inner * p->columns + column) * inner + outer % inner;
    mica__walk_seek(&kept, outputs_before);
    reduce_columns(p, &state, p->data + kept.offset * (int64_t)p->item, m, first, n);
    size_t size = p->loops->wide_size;
    for (int64_t i = 0; i < m; i++) {
        int64_t output = outputs_before + i * inner;
        if (p->segments > 1)
            memcpy(p->partials + (size_t)(output * p->segments + segment) * size,
                   state.wide + (size_t)i * size, size);
        else if (inner > 1) store(p, state.wide + (size_t)i * size, output, 1);
    }
    if (p->segments == 1 && inner == 1) store(p, state.wide, outputs_before, m);
}

/* ---- launch ---- */

static void combine_task(void *context, size_t task)
{
    const plan *p = context;
    char wide[16];
    size_t size = p->loops->wide_size;
    int64_t first = (int64_t)task * p->rows_a_task,
            last = first + p->rows_a_task < p->outputs ? first + p->rows_a_task : p->outputs;
    for (int64_t i = first; i < last; i++) {
        memcpy(wide, p->loops->wide_identity, size);
        for (int64_t k = 0; k < p->segments; k++)
            p->loops->merge(wide, p->partials + (size_t)(i * p->segments + k) * size, 1);
        store(p, wide, i, 1);
    }
}

/* The longest kept axis along which memory is contiguous, if walking along it beats gathering; -1:
 * none. */
static int choose_column(const plan *p)
{
    if (p->count <= 1 || mica__walk_stride(&p->reduced) == 1) return -1;
    for (int i = 0; i < p->kept.n; i++)
        if (p->kept.strides[i] == 1 &&
            (p->kept.shape[i] >= 8 || mica__walk_stride(&p->reduced) == p->kept.shape[i]))
            return i;
    return -1;
}

/* Small work is not worth waking anyone. */
static void spread(int64_t tasks, void (*body)(void *, size_t), plan *p)
{
    if (p->outputs * p->count >= WORK) {
        mica__parallel((size_t)tasks, body, p);
        return;
    }
    for (int64_t i = 0; i < tasks; i++) body(p, (size_t)i);
}

static int run(plan *p)
{
    size_t bytes = 0;
    p->segments = p->count > MICA_REDUCE_SEGMENT
                      ? (p->count + MICA_REDUCE_SEGMENT - 1) / MICA_REDUCE_SEGMENT
                      : 1;
    if (p->segments > 1) {
        void *memory;
        if (mica__mul_overflow((size_t)p->outputs * p->loops->wide_size, (size_t)p->segments,
                               &bytes))
            return mica__fail_memory("reduction", SIZE_MAX);
        MICA_TRY(mica__memory_take(bytes, &memory));
        p->partials = memory;
    }
    p->column = choose_column(p);
    if (p->column >= 0) {
        p->columns = p->kept.shape[p->column];
        p->block = p->columns < COLUMNS ? p->columns : COLUMNS;
        p->blocks = (p->columns + p->block - 1) / p->block;
        spread(p->outputs / p->columns * p->blocks * p->segments, columns_task, p);
    } else if (p->segments > 1) {
        spread(p->outputs * p->segments, rows_task, p);
    } else {
        p->rows_a_task = p->count < WORK ? WORK / (p->count ? p->count : 1) : 1;
        spread((p->outputs + p->rows_a_task - 1) / p->rows_a_task, rows_task, p);
    }
    if (p->segments > 1) {
        p->rows_a_task = 1 + WORK / p->segments;
        spread((p->outputs + p->rows_a_task - 1) / p->rows_a_task, combine_task, p);
    }
    mica__memory_give(p->partials, bytes);
    return MICA_OK;
}

/* The type that the loops work in. */
static mica_dtype loop_dtype(mica__reduce_op op, mica_dtype in, mica_dtype out)
{
    if (op == MICA_REDUCE_ALL || op == MICA_REDUCE_ANY) return MICA_BOOL;
    mica_dtype d = op == MICA_REDUCE_SUM || op == MICA_REDUCE_PROD ? out : in;
    return mica__is_half(d) ? MICA_FLOAT32 : d;
}

static int reduce(mica__launch *l, mica__reduce_op op)
{
    const mica_array *in = l->in[0], *out = &l->out[0];
    mica_dims axes = MICA_PARAMS(l->node, sum)->axes; /* all reductions have this field alone */
    mica_dtype work = loop_dtype(op, (mica_dtype)in->dtype, (mica_dtype)out->dtype);
    if (out->size == 0) return MICA_OK;
    plan p = { .loops = mica__reducer_find(op, work),
               .data = in->data,
               .out = out->data,
               .outputs = out->size,
               .count = 1 };
    p.item = mica__dtype_sizes[in->dtype];
    p.element = mica__dtype_sizes[work];
    p.out_item = mica__dtype_sizes[out->dtype];
    if ((mica_dtype)in->dtype != work) p.convert = mica__cast_find((mica_dtype)in->dtype, work);
    bool complex = out->dtype == MICA_COMPLEX64 && p.loops->wide_dtype == MICA_FLOAT64;
    p.store = mica__cast_find((mica_dtype)p.loops->wide_dtype,
                              complex ? MICA_FLOAT32 : (mica_dtype)out->dtype);
    p.store_factor = complex ? 2 : 1;
    if (!p.loops->rows || !p.store)
        return mica__fail(MICA_EVALUE, "[%s] %s is not accepted", mica__prims[l->node->prim].name,
                          mica_dtype_name((mica_dtype)in->dtype));
    /* Reading down long strides with nothing contiguous beside them wastes a cache line an element:
     * make it row-major first. */
    int64_t last = 0, rows[MICA_MAX_NDIM];
    for (int i = 0; i < in->ndim; i++)
        if (in->shape[i] > 1) last = in->strides[i];
    for (int64_t i = 0; i < axes.n; i++) p.count *= in->shape[axes.at[i]];
    bool scattered = p.count == in->size && (last > 64 || last < -64) && in->size >= 4096;
    void *copy = NULL;
    size_t copy_bytes = (size_t)in->size * p.item;
    const int64_t *strides = in->strides;
    if (scattered) {
        MICA_TRY(mica__memory_take(copy_bytes, &copy));
        mica__copy_to_row_major(in, copy);
        mica__row_major(in->ndim, in->shape, rows);
        strides = rows;
        p.data = copy;
    }
    int64_t next = 0;
    for (int i = 0; i < in->ndim; i++) {
        bool reduced = next < axes.n && axes.at[next] == i;
        next += reduced;
        if (reduced && p.count == 0) continue; /* nothing to walk over: the identity */
        mica__walk_add(reduced ? &p.reduced : &p.kept, in->shape[i], strides[i]);
    }
    int status = run(&p);
    if (copy) mica__memory_give(copy, copy_bytes);
    return status;
}

int mica__kernel_sum(mica__launch *l)
{
    return reduce(l, MICA_REDUCE_SUM);
}
int mica__kernel_prod(mica__launch *l)
{
    return reduce(l, MICA_REDUCE_PROD);
}
int mica__kernel_max(mica__launch *l)
{
    return reduce(l, MICA_REDUCE_MAX);
}
int mica__kernel_min(mica__launch *l)
{
    return reduce(l, MICA_REDUCE_MIN);
}
int mica__kernel_all(mica__launch *l)
{
    return reduce(l, MICA_REDUCE_ALL);
}
int mica__kernel_any(mica__launch *l)
{
    return reduce(l, MICA_REDUCE_ANY);
}
