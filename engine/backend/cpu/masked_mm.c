/* The kernel of products masked by blocks: what a mask leaves out is neither packed nor multiplied.
   The right matrix is packed once, block by block; a task does some blocks of a row of blocks, and
   packs those of the left matrix that it needs. */
#include "backend/cpu/batch.h"
#include "backend/cpu/gemm/plan.h"
#include "runtime/pool.h"

/* Blocks of the result in a task. */
enum { ACROSS = 8, MOST_BLOCK = 64 };

typedef struct product {
    mica__gemm_operand left, right;
    const mica__gemm_isa *isa;
    mica__gemm_tile *const *tile;
    mica__gemm_store store;
    mica_dtype dtype;
    size_t m, n, k, block, unit, width;
    size_t rows, columns, steps; /* in blocks */
    ptrdiff_t a, b;              /* where the matrices begin */
    const mica_array *mask[3];   /* of the result, a, b */
    ptrdiff_t mask_at[3];
    char *packed; /* [steps][columns][block * block] */
    char *c;
    _Atomic int status;
} product;

enum { OUT, LEFT, RIGHT };

static bool there(const product *p, int which, size_t i, size_t j)
{
    const mica_array *m = p->mask[which];
    return *(const uint8_t *)(m->data + p->mask_at[which] + (ptrdiff_t)i * m->strides[m->ndim - 2] +
                              (ptrdiff_t)j * m->strides[m->ndim - 1]);
}

static size_t size_of(const product *p, size_t index, size_t all)
{
    return mica__least(p->block, all - index * p->block);
}

/* Columns of a packed block are whole strips. */
static char *packed_at(const product *p, size_t step, size_t column)
{
    size_t lines = mica__ceil_div(p->block, p->width) * p->width;
    return p->packed + (step * p->columns + column) * p->block * lines * p->unit;
}

static void pack_task(void *context, size_t index)
{
    const product *p = context;
    size_t step = index / p->columns, column = index % p->columns;
    if (!there(p, RIGHT, step, column)) return;
    mica__gemm_pack(&p->right, p->b, column * p->block, size_of(p, column, p->n), p->width, true,
                    step * p->block, size_of(p, step, p->k), packed_at(p, step, column));
}

/* sums = the product of a packed row of blocks and a column of them; false where none meet. */
static bool add_blocks(const product *p, size_t row, size_t column, const char *left, char *sums,
                       ptrdiff_t apart)
{
    const size_t rows = size_of(p, row, p->m), columns = size_of(p, column, p->n),
                 most = p->isa->rows;
    bool add = false;
    for (size_t step = 0; step < p->steps; step++) {
        if (!there(p, LEFT, row, step) || !there(p, RIGHT, step, column)) continue;
        const size_t steps = size_of(p, step, p->k);
        const char *a = left + step * p->block * p->block * p->unit,
                   *b = packed_at(p, step, column);
        for (size_t j = 0; j < columns; j += p->width, b += p->width * steps * p->unit)
            for (size_t i = 0; i < rows; i += most) {
                size_t lines = mica__least(most, rows - i);
                p->tile[lines - 1](
                    steps, a + i * steps * p->unit, 1, (ptrdiff_t)lines, b, (ptrdiff_t)p->width,
                    sums + ((ptrdiff_t)i * apart + (ptrdiff_t)j) * (ptrdiff_t)p->unit, apart,
                    mica__least(p->width, columns - j), add);
            }
        add = true;
    }
    return add;
}

/* A block of the result: sums stand in it, or are rounded into it. */
static void one_block(const product *p, size_t row, size_t column, const char *left)
{
    _Alignas(64) float own[MOST_BLOCK * MOST_BLOCK];
    const size_t item = (size_t)mica__dtype_sizes[p->dtype], columns = size_of(p, column, p->n);
    const bool rounds = mica__is_half(p->dtype);
    char *to = p->c + (row * p->block * p->n + column * p->block) * item;
    bool any =
        there(p, OUT, row, column) && add_blocks(p, row, column, left, rounds ? (char *)own : to,
                                                 rounds ? MOST_BLOCK : (ptrdiff_t)p->n);
    for (size_t i = 0; i < size_of(p, row, p->m); i++, to += p->n * item)
        if (!any) memset(to, 0, columns * item);
        else if (rounds) p->isa->narrow[p->store](columns, own + i * MOST_BLOCK, to);
}

static void row_task(void *context, size_t index)
{
    product *p = context;
    size_t across = mica__ceil_div(p->columns, ACROSS), row = index / across,
           first = index % across * ACROSS, last = mica__least(first + ACROSS, p->columns);
    size_t block = p->block * p->block * p->unit, bytes = p->steps * block;
    void *left;
    if (mica__memory_take(bytes, &left) != MICA_OK) {
        atomic_store(&p->status, MICA_EMEMORY);
        return;
    }
    for (size_t step = 0; step < p->steps; step++)
        if (there(p, LEFT, row, step))
            mica__gemm_pack(&p->left, p->a, row * p->block, size_of(p, row, p->m), p->isa->rows,
                            false, step * p->block, size_of(p, step, p->k),
                            (char *)left + step * block);
    for (size_t column = first; column < last; column++) one_block(p, row, column, left);
    mica__memory_give(left, bytes);
}

static mica__gemm_operand operand(const product *p, const mica_array *x, int line, int step)
{
    mica__gemm_form form = p->unit == 8              ? MICA_FORM_F64
                           : mica__is_half(p->dtype) ? MICA_FORM_HALF
                                                     : MICA_FORM_F32;
    return (mica__gemm_operand){ .form = form,
                                 .element = (size_t)mica__dtype_sizes[p->dtype],
                                 .data = x->data,
                                 .line = x->strides[line],
                                 .step = x->strides[step],
                                 .depth = p->k,
                                 .widen = p->isa->widen[p->store] };
}

static int run_all(product *p, const mica__launch *l)
{
    int leading = l->in[0]->ndim - 2;
    mica__leading at[5];
    size_t batch = 1, matrix = p->m * p->n * (size_t)mica__dtype_sizes[p->dtype];
    for (int i = 0; i < 5; i++) at[i] = (mica__leading){ .a = l->in[i], .n = leading };
    for (int i = 0; i < leading; i++) batch *= (size_t)l->in[0]->shape[i];
    for (size_t g = 0; g < batch; g++, p->c += matrix) {
        p->a = at[0].offset;
        p->b = at[1].offset;
        for (int i = 0; i < 3; i++) p->mask_at[i] = at[2 + i].offset;
        mica__parallel(p->steps * p->columns, pack_task, p);
        mica__parallel(p->rows * mica__ceil_div(p->columns, ACROSS), row_task, p);
        MICA_TRY(atomic_load(&p->status));
        for (int i = 0; i < 5; i++) mica__leading_next(&at[i]);
    }
    return MICA_OK;
}

int mica__kernel_masked_mm(mica__launch *l)
{
    const mica_array *a = l->in[0], *b = l->in[1];
    int n = a->ndim;
    product p = { .isa = mica__gemm_kernels(),
                  .dtype = (mica_dtype)a->dtype,
                  .store = mica__gemm_store_of((mica_dtype)a->dtype),
                  .m = (size_t)a->shape[n - 2],
                  .k = (size_t)a->shape[n - 1],
                  .n = (size_t)b->shape[n - 1],
                  .block = (size_t)MICA_PARAMS(l->node, masked_mm)->block,
                  .unit = a->dtype == MICA_FLOAT64 ? 8 : 4,
                  .mask = { l->in[2], l->in[3], l->in[4] },
                  .c = l->out[0].data };
    if (!l->out[0].size) return MICA_OK;
    mica__gemm_store plain = p.unit == 8 ? MICA_STORE_F64 : MICA_STORE_F32;
    p.tile = p.isa->tile[plain];
    p.width = p.isa->columns[plain];
    p.rows = mica__ceil_div(p.m, p.block);
    p.columns = mica__ceil_div(p.n, p.block);
    p.steps = mica__ceil_div(p.k, p.block);
    p.left = operand(&p, a, n - 2, n - 1);
    p.right = operand(&p, b, n - 1, n - 2);
    atomic_init(&p.status, MICA_OK);
    size_t bytes = (size_t)(packed_at(&p, p.steps, 0) - p.packed) + 64;
    void *room;
    MICA_TRY(mica__memory_take(bytes, &room));
    p.packed = room;
    int status = run_all(&p, l);
    mica__memory_give(room, bytes);
    return status;
}
