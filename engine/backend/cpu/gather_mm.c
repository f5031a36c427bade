/* Kernels of products of gathered matrices and of segments of the inner axis. */
#include "backend/cpu/batch.h"
#include "backend/cpu/gemm/gemm.h"

/* ---- gather_mm ---- */

/* Few rows of many matrices with one right operand are put together into one product. */
enum { JOINED_ROWS = 32 };

typedef struct product {
    mica__pairs pairs;
    const mica_array *a, *b, *c;
    size_t m, n, k, item;
} product;

static mica__gemm product_of(const product *p, size_t rows)
{
    const mica_array *a = p->a, *b = p->b;
    return (mica__gemm){ .dtype = (mica_dtype)a->dtype,
                         .m = rows,
                         .n = p->n,
                         .k = p->k,
                         .batch = 1,
                         .alpha = 1,
                         .a_row = a->strides[a->ndim - 2],
                         .a_col = a->strides[a->ndim - 1],
                         .b_row = b->strides[b->ndim - 2],
                         .b_col = b->strides[b->ndim - 1],
                         .c_row = (ptrdiff_t)p->n };
}

/* Pairs [first, last), each a product of its own. */
static int one_by_one(const product *p, mica__arena *scratch, size_t first, size_t last)
{
    size_t count = last - first, bytes;
    if (mica__mul_overflow(3 * count, sizeof(ptrdiff_t), &bytes))
        return mica__fail(MICA_EOVERFLOW, "[gather_mm] too many matrices");
    ptrdiff_t *room = mica__arena_alloc(scratch, bytes);
    if (!room) return MICA_EMEMORY;
    for (size_t i = 0; i < count; i++) {
        const mica__pair *at = &p->pairs.at[first + i];
        room[i] = at->left;
        room[count + i] = at->right;
        room[2 * count + i] = (ptrdiff_t)(at->place * p->m * p->n);
    }
    mica__gemm g = product_of(p, p->m);
    g.batch = count;
    g.a = p->a->data;
    g.b = p->b->data;
    g.c = p->c->data;
    g.a_batch = room;
    g.b_batch = room + count;
    g.c_batch = room + 2 * count;
    return mica__gemm_run(&g);
}

/* Pairs [first, last) share the right matrix: their rows are gathered and multiplied at once. */
static int joined(const product *p, size_t first, size_t last)
{
    size_t count = last - first, rows = count * p->m, bytes = rows * (p->k + p->n) * p->item;
    void *room;
    MICA_TRY(mica__memory_take(bytes, &room));
    char *x = room, *y = x + rows * p->k * p->item;
    const int64_t shape[2] = { (int64_t)p->m, (int64_t)p->k }, to[2] = { (int64_t)p->k, 1 };
    for (size_t i = 0; i < count; i++)
        mica__copy_strided(2, shape, p->item,
                           p->a->data + p->pairs.at[first + i].left * (ptrdiff_t)p->item,
                           p->a->strides + p->a->ndim - 2, x + i * p->m * p->k * p->item, to);
    mica__gemm g = product_of(p, rows);
    g.a = x;
    g.a_row = (ptrdiff_t)p->k;
    g.a_col = 1;
    g.b = p->b->data + p->pairs.at[first].right * (ptrdiff_t)p->item;
    g.c = y;
    int status = mica__gemm_run(&g);
    size_t block = p->m * p->n * p->item;
    for (size_t i = 0; i < count && status == MICA_OK; i++)
        memcpy(p->c->data + p->pairs.at[first + i].place * block, y + i * block, block);
    mica__memory_give(room, bytes);
    return status;
}

int mica__kernel_gather_mm(mica__launch *l)
{
    const mica_array *a = l->in[0], *b = l->in[1], *lhs = l->in[2], *rhs = l->in[3];
    int leading = a->ndim - 3;
    product p = { .a = a,
                  .b = b,
                  .c = &l->out[0],
                  .m = (size_t)a->shape[a->ndim - 2],
                  .k = (size_t)a->shape[a->ndim - 1],
                  .n = (size_t)b->shape[b->ndim - 1],
                  .item = (size_t)mica__dtype_sizes[a->dtype] };
    MICA_TRY(mica__pairs_of(&p.pairs, &l->scratch, "gather_mm", leading, a, b, lhs, rhs));
    MICA_TRY(mica__pairs_status(&p.pairs, lhs, rhs, leading, a, b));
    if (!p.c->size) return MICA_OK;
    if (p.k && p.m < JOINED_ROWS) mica__pairs_sort(&p.pairs);
    for (size_t i = 0; i < p.pairs.count;) {
        /* A run of one matrix, or all that have none to share it with. */
        size_t end = mica__pairs_run(&p.pairs, i);
        if (p.k && p.m < JOINED_ROWS && end - i > 1) {
            MICA_TRY(joined(&p, i, end));
            i = end;
            continue;
        }
        size_t first = i;
        for (i = end; i < p.pairs.count; i = end) {
            end = mica__pairs_run(&p.pairs, i);
            if (p.k && p.m < JOINED_ROWS && end - i > 1) break;
        }
        MICA_TRY(one_by_one(&p, &l->scratch, first, i));
    }
    return MICA_OK;
}

/* ---- segmented_mm ---- */

int mica__kernel_segmented_mm(mica__launch *l)
{
    const mica_array *a = l->in[0], *b = l->in[1], *segments = l->in[2];
    const mica_array *c = &l->out[0];
    int leading = a->ndim - 2;
    size_t groups = 1, count = (size_t)segments->shape[leading],
           item = (size_t)mica__dtype_sizes[a->dtype];
    for (int i = 0; i < leading; i++) groups *= (size_t)a->shape[i];
    const int64_t k = a->shape[a->ndim - 1], pair = segments->strides[leading],
                  end = segments->strides[leading + 1];
    mica__leading at_a = { .a = a, .n = leading }, at_b = { .a = b, .n = leading },
                  at_s = { .a = segments, .n = leading };
    product p = {
        .a = a, .b = b, .m = (size_t)a->shape[a->ndim - 2], .n = (size_t)b->shape[b->ndim - 1]
    };
    char *to = c->data;
    for (size_t g = 0; g < groups; g++) {
        for (size_t i = 0; i < count; i++, to += p.m * p.n * item) {
            ptrdiff_t s = at_s.offset + (ptrdiff_t)i * pair;
            int64_t first = mica__index_at(segments->data, (mica_dtype)segments->dtype, s),
                    last = mica__index_at(segments->data, (mica_dtype)segments->dtype, s + end);
            if (first < 0 || last > k || last < 0)
                return mica__fail(
                    MICA_EINDEX,
                    "[segmented_mm] segment (%lld, %lld) is out of range for an inner "
                    "axis of size %lld",
                    (long long)first, (long long)last, (long long)k);
            p.k = last > first ? (size_t)(last - first) : 0;
            if (first > k) first = 0; /* nothing is read */
            mica__gemm m = product_of(&p, p.m);
            m.a = a->data + (at_a.offset + first * m.a_col) * (ptrdiff_t)item;
            m.b = b->data + (at_b.offset + first * m.b_row) * (ptrdiff_t)item;
            m.c = to;
            MICA_TRY(mica__gemm_run(&m));
        }
        mica__leading_next(&at_a);
        mica__leading_next(&at_b);
        mica__leading_next(&at_s);
    }
    return MICA_OK;
}
