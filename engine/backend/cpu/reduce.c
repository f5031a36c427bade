/* Kernels of sum, prod, max, min, all and any: over any axes of arrays with any strides. */
#include "backend/cpu/reduce.h"

#include "backend/cpu/isa.h"
#include "backend/cpu/kernel.h"
#include "backend/cpu/reduce_tasks.h"

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

/* ---- how a reduction is cut ---- */

/* The type that the loops work in. */
static mica_dtype loop_dtype(mica_prim prim, mica_dtype in, mica_dtype out)
{
    if (prim == mica_prim_all || prim == mica_prim_any) return MICA_BOOL;
    mica_dtype d = prim == mica_prim_sum || prim == mica_prim_prod ? out : in;
    return mica__is_half(d) ? MICA_FLOAT32 : d;
}

static mica__reduce_op op_of(mica_prim prim)
{
    switch (prim) {
    case mica_prim_sum: return MICA_REDUCE_SUM;
    case mica_prim_prod: return MICA_REDUCE_PROD;
    case mica_prim_max: return MICA_REDUCE_MAX;
    case mica_prim_min: return MICA_REDUCE_MIN;
    case mica_prim_all: return MICA_REDUCE_ALL;
    default: return MICA_REDUCE_ANY;
    }
}

/* All reductions have this field alone. */
static mica_dims axes_of(const mica_node *n)
{
    return MICA_PARAMS(n, sum)->axes;
}

int mica__reduction_init(mica__reduction *r, const mica_node *n, mica_dtype given)
{
    const mica_array *in = n->inputs[0], *out = &n->out[0];
    mica_dims axes = axes_of(n);
    mica_prim prim = (mica_prim)n->prim;
    mica_dtype result = (mica_dtype)out->dtype, work = loop_dtype(prim, given, result);
    *r = (mica__reduction){ .loops = mica__reducer_find(op_of(prim), work),
                            .out = out->data,
                            .outputs = out->size,
                            .count = 1 };
    for (int64_t i = 0; i < axes.n; i++) r->count *= in->shape[axes.at[i]];
    r->item = mica__dtype_sizes[given];
    r->element = mica__dtype_sizes[work];
    r->out_item = mica__dtype_sizes[result];
    if (given != work) r->convert = mica__cast_find(given, work);
    bool complex = result == MICA_COMPLEX64 && r->loops->wide_dtype == MICA_FLOAT64;
    r->store = mica__cast_find((mica_dtype)r->loops->wide_dtype, complex ? MICA_FLOAT32 : result);
    r->store_factor = complex ? 2 : 1;
    if (r->loops->rows && r->store) return MICA_OK;
    return mica__fail(MICA_EVALUE, "[%s] %s is not accepted", mica__prims[prim].name,
                      mica_dtype_name((mica_dtype)in->dtype));
}

bool mica__reduction_scattered(const mica__reduction *r, const mica_array *in,
                               const int64_t *strides)
{
    int64_t last = 0;
    for (int i = 0; i < in->ndim; i++)
        if (in->shape[i] > 1) last = strides[i];
    return r->count == in->size && (last > 64 || last < -64) && in->size >= 4096;
}

void mica__reduction_walk(mica__reduction *r, const mica_node *n, const int64_t *strides)
{
    const mica_array *in = n->inputs[0];
    mica_dims axes = axes_of(n);
    int64_t next = 0;
    r->kept.n = r->reduced.n = 0;
    for (int i = 0; i < in->ndim; i++) {
        bool reduced = next < axes.n && axes.at[next] == i;
        next += reduced;
        if (reduced && r->count == 0) continue; /* nothing to walk over: the identity */
        mica__walk_add(reduced ? &r->reduced : &r->kept, in->shape[i], strides[i]);
    }
}

/* Walking along a kept axis that is contiguous must beat gathering. */
bool mica__reduction_by_columns(mica__reduction *r)
{
    r->column = -1;
    if (r->count <= 1 || mica__walk_stride(&r->reduced) == 1) return false;
    for (int i = 0; i < r->kept.n && r->column < 0; i++)
        if (r->kept.strides[i] == 1 &&
            (r->kept.shape[i] >= 8 || mica__walk_stride(&r->reduced) == r->kept.shape[i]))
            r->column = i;
    return r->column >= 0;
}

/* ---- launch ---- */

/* Small work is not worth waking anyone. */
static void spread(int64_t tasks, void (*body)(void *, size_t), mica__reduction *r)
{
    if (r->outputs * r->count >= MICA_REDUCE_WORK) {
        mica__parallel((size_t)tasks, body, r);
        return;
    }
    for (int64_t i = 0; i < tasks; i++) body(r, (size_t)i);
}

int mica__reduction_run(mica__reduction *r)
{
    size_t bytes = 0;
    r->segments = r->count > MICA_REDUCE_SEGMENT
                      ? (r->count + MICA_REDUCE_SEGMENT - 1) / MICA_REDUCE_SEGMENT
                      : 1;
    if (r->segments > 1) {
        void *memory;
        if (mica__mul_overflow((size_t)r->outputs * r->loops->wide_size, (size_t)r->segments,
                               &bytes))
            return mica__fail_memory("reduction", SIZE_MAX);
        MICA_TRY(mica__memory_take(bytes, &memory));
        r->partials = memory;
    }
    if (mica__reduction_by_columns(r)) {
        r->columns = r->kept.shape[r->column];
        int64_t most =
            r->tape && r->columns >= 8 * MICA_REDUCE_WIDE ? MICA_REDUCE_WIDE : MICA_REDUCE_COLUMNS;
        r->block = r->columns < most ? r->columns : most;
        r->blocks = (r->columns + r->block - 1) / r->block;
        spread(r->outputs / r->columns * r->blocks * r->segments, mica__reduce_columns, r);
    } else if (r->segments > 1) {
        spread(r->outputs * r->segments, mica__reduce_rows, r);
    } else {
        r->rows_a_task =
            r->count < MICA_REDUCE_WORK ? MICA_REDUCE_WORK / (r->count ? r->count : 1) : 1;
        spread((r->outputs + r->rows_a_task - 1) / r->rows_a_task, mica__reduce_rows, r);
    }
    if (r->segments > 1) {
        r->rows_a_task = 1 + MICA_REDUCE_WORK / r->segments;
        spread((r->outputs + r->rows_a_task - 1) / r->rows_a_task, mica__reduce_combine, r);
    }
    mica__memory_give(r->partials, bytes);
    return r->status == MICA_OK ? MICA_OK : mica__fail_memory("reduction", r->element);
}

static int reduce(mica__launch *l)
{
    const mica_array *in = l->in[0];
    mica__reduction r;
    if (l->out[0].size == 0) return MICA_OK;
    MICA_TRY(mica__reduction_init(&r, l->node, (mica_dtype)in->dtype));
    r.data = in->data;
    const int64_t *strides = in->strides;
    int64_t rows[MICA_MAX_NDIM];
    void *copy = NULL;
    size_t copy_bytes = (size_t)in->size * r.item;
    if (mica__reduction_scattered(&r, in, strides)) { /* row-major is the better way */
        MICA_TRY(mica__memory_take(copy_bytes, &copy));
        mica__copy_to_row_major(in, copy);
        mica__row_major(in->ndim, in->shape, rows);
        strides = rows;
        r.data = copy;
    }
    mica__reduction_walk(&r, l->node, strides);
    int status = mica__reduction_run(&r);
    if (copy) mica__memory_give(copy, copy_bytes);
    return status;
}

int mica__kernel_sum(mica__launch *l)
{
    return reduce(l);
}
int mica__kernel_prod(mica__launch *l)
{
    return reduce(l);
}
int mica__kernel_max(mica__launch *l)
{
    return reduce(l);
}
int mica__kernel_min(mica__launch *l)
{
    return reduce(l);
}
int mica__kernel_all(mica__launch *l)
{
    return reduce(l);
}
int mica__kernel_any(mica__launch *l)
{
    return reduce(l);
}
