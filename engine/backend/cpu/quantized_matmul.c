/* The kernel of products with quantized matrices. What meets one matrix is done together: few rows
   read the codes once, at the speed of memory; many go through the general product, which asks for
   packed strips of numbers. */
#include "backend/cpu/quantized_matmul.h"

#include "backend/cpu/batch.h"
#include "backend/cpu/choose.h"
#include "backend/cpu/gemm/plan.h"
#include "backend/cpu/loop.h"

/* Bytes of codes worth a task; columns of the result that a task keeps. */
enum { TASK_BYTES = 64 * 1024, COLUMNS = 64, ROOM = 512 * MICA_QUANT_MOST_ROWS };

typedef struct product {
    mica__quant_matrix w; /* without place */
    mica__pairs pairs;
    const mica_array *x, *y, *codes, *scales, *biases;
    size_t m, k, n;
    mica_dtype dtype;
    /* Few rows: of all runs, rows in float32 and their groups' sums. */
    float *rows, *sums;
    size_t padded;             /* numbers of a row, with zeros up to a whole span */
    size_t row, row_sums;      /* from one to the next */
    size_t first, last, block; /* pairs of the current runs; columns a task */
    const size_t *runs;        /* where each begins; the last one's end */
} product;

/* Row m of pair i. */
static char *x_row(const product *p, size_t i, size_t m)
{
    ptrdiff_t at = p->pairs.at[i].left + (ptrdiff_t)m * p->x->strides[p->x->ndim - 2];
    return p->x->data + at * (ptrdiff_t)mica__dtype_sizes[p->dtype];
}

static char *y_row(const product *p, size_t i, size_t m)
{
    size_t row = p->pairs.at[i].place * p->m + m;
    return p->y->data + row * p->n * (size_t)mica__dtype_sizes[p->dtype];
}

static mica__quant_matrix matrix_of(const product *p, size_t i)
{
    mica__quant_matrix w = p->w;
    size_t words = w.columns / 32 * (size_t)w.f.bits + w.columns % 32 * (size_t)w.f.bits / 32,
           size = w.rows * words, index = size ? (size_t)p->pairs.at[i].right / size : 0;
    size_t scales =
        index * w.rows * (w.columns / (size_t)w.f.group) * (size_t)mica__dtype_sizes[w.scale_dtype];
    w.codes = p->codes->data + p->pairs.at[i].right * 4;
    w.scales = p->scales->data + scales;
    w.biases = p->biases ? p->biases->data + scales : NULL;
    return w;
}

/* ---- few rows ---- */

static void widen_task(void *context, size_t row)
{
    const product *p = context;
    const size_t group = (size_t)p->w.f.group;
    float *to = p->rows + row * p->row, some[1024];
    const char *from = x_row(p, p->first + row / p->m, row % p->m);
    for (size_t k = 0, n; k < p->padded; k += n) {
        n = mica__least(1024, p->padded - k);
        size_t given = k + n < p->k ? n : p->k - k;
        float *at = p->w.transposed ? some : to + k;
        const void *in = from + k * (size_t)mica__dtype_sizes[p->dtype];
        if (p->dtype == MICA_FLOAT32) memcpy(at, in, given * sizeof *at);
        else mica__cast_find(p->dtype, MICA_FLOAT32)(given, &in, 0, at);
        if (!p->w.transposed) continue;
        memset(at + given, 0, (n - given) * sizeof *at);
        if (p->sums) p->w.loops->sums(n, group, at, p->sums + row * p->row_sums + k / group);
        mica__lanes_turn(&p->w.lanes->kind[p->w.kind], n, at, to + k);
    }
}

static void few_task(void *context, size_t task)
{
    const product *p = context;
    float room[ROOM];
    const float *x[MICA_QUANT_MOST_ROWS] = { NULL }, *sums[MICA_QUANT_MOST_ROWS] = { NULL };
    float *y[MICA_QUANT_MOST_ROWS] = { NULL };
    size_t blocks = mica__ceil_div(p->n, p->block);
    const size_t *run = p->runs + task / blocks;
    mica__quant_matrix w = matrix_of(p, run[0]);
    size_t rows = (run[1] - run[0]) * p->m, before = (run[0] - p->first) * p->m;
    size_t first = task % blocks * p->block,
           last = first + p->block < p->n ? first + p->block : p->n;
    for (size_t i = 0; i < rows; i++) {
        x[i] = p->rows + (before + i) * p->row;
        if (p->sums) sums[i] = p->sums + (before + i) * p->row_sums;
        y[i] = room + i * (last - first);
    }
    mica__quant_few_rows(&w, rows, x, sums, first, last, y);
    for (size_t i = 0; i < rows; i++) {
        char *to =
            y_row(p, run[0] + i / p->m, i % p->m) + first * (size_t)mica__dtype_sizes[p->dtype];
        if (p->dtype == MICA_FLOAT32) memcpy(to, y[i], (last - first) * sizeof(float));
        else
            mica__cast_find(MICA_FLOAT32, p->dtype)(last - first, (const void *const[]){ y[i] }, 0,
                                                    to);
    }
}

/* Rows that begin at one place of the nearest cache would push each other out: 4 KB go round. */
enum { PLACES = 1024, APART = 528 };

/* Some runs at once: from p->runs[i] to p->runs[i + 1] each. */
static int few_rows(product *p, size_t runs, size_t most)
{
    size_t rows = (p->last - p->first) * p->m, columns;
    bool sums = p->biases && p->w.transposed;
    p->padded = p->w.transposed ? mica__ceil_div(p->k, MICA_QUANT_SPAN) * MICA_QUANT_SPAN : p->k;
    p->row = p->padded;
    if (rows > 1) p->row += (PLACES + APART - p->row % PLACES) % PLACES;
    p->row_sums = sums ? mica__ceil_div(p->padded, (size_t)p->w.f.group) : 0;
    size_t bytes = rows * (p->row + p->row_sums) * sizeof(float);
    void *room = NULL;
    MICA_TRY(mica__memory_take(bytes ? bytes : 1, &room));
    p->rows = room;
    p->sums = sums ? p->rows + rows * p->row : NULL;
    mica__spread_tasks((int64_t)rows, (int64_t)(rows * p->k) / 8, widen_task, p);
    if (p->w.transposed) {
        size_t row = p->w.columns / 8 * (size_t)p->w.f.bits + 1;
        columns = TASK_BYTES / row < 4 ? 4 : TASK_BYTES / row;
        p->block = columns > COLUMNS ? COLUMNS : columns;
    } else if (most == 1) p->block = p->n >= 4096 ? MICA_QUANT_MOST_COLUMNS : 256;
    else p->block = p->n >= 4096 ? ROOM / MICA_QUANT_MOST_ROWS : 256;
    mica__spread_tasks((int64_t)(runs * mica__ceil_div(p->n, p->block)),
                       (int64_t)(runs * p->n * p->k), few_task, p);
    mica__memory_give(room, bytes ? bytes : 1);
    return MICA_OK;
}

/* ---- many rows ---- */

/* Rows of the run lie at one distance from each other in x, and in y. */
static bool evenly(const product *p)
{
    ptrdiff_t row = p->x->strides[p->x->ndim - 2], apart = row * (ptrdiff_t)p->m;
    for (size_t i = p->first + 1; i < p->last; i++)
        if (p->pairs.at[i].left != p->pairs.at[i - 1].left + apart ||
            p->pairs.at[i].place != p->pairs.at[i - 1].place + 1)
            return false;
    return true;
}

static int multiply(const mica__quant_matrix *w, const product *p, size_t rows, const void *x,
                    ptrdiff_t x_stride, void *y)
{
    mica__gemm g = { .dtype = p->dtype,
                     .m = rows,
                     .n = p->n,
                     .k = p->k,
                     .batch = 1,
                     .alpha = 1,
                     .a = x,
                     .a_row = x_stride,
                     .a_col = 1,
                     .c = y,
                     .c_row = (ptrdiff_t)p->n,
                     .b_fill = mica__quant_fill,
                     .b_context = w };
    return mica__gemm_run(&g);
}

static int many_rows(product *p)
{
    mica__quant_matrix w = matrix_of(p, p->first);
    size_t rows = (p->last - p->first) * p->m, item = (size_t)mica__dtype_sizes[p->dtype];
    if (evenly(p))
        return multiply(&w, p, rows, x_row(p, p->first, 0), p->x->strides[p->x->ndim - 2],
                        y_row(p, p->first, 0));
    size_t bytes = rows * (p->k + p->n) * item;
    void *room = NULL;
    MICA_TRY(mica__memory_take(bytes, &room));
    char *x = room, *y = x + rows * p->k * item;
    for (size_t i = 0; i < rows; i++)
        memcpy(x + i * p->k * item, x_row(p, p->first + i / p->m, i % p->m), p->k * item);
    int status = multiply(&w, p, rows, x, (ptrdiff_t)p->k, y);
    for (size_t i = 0; i < rows && status == MICA_OK; i++)
        memcpy(y_row(p, p->first + i / p->m, i % p->m), y + i * p->n * item, p->n * item);
    mica__memory_give(room, bytes);
    return status;
}

/* ---- the kernel ---- */

/* Runs of few rows that follow each other, from pair `first` on; where they end. */
static int several_runs(product *p, size_t first, size_t *end)
{
    enum { RUNS = 64 };
    size_t starts[RUNS + 1] = { first }, runs = 0, most = 0;
    while (runs < RUNS && starts[runs] < p->pairs.count) {
        size_t last = mica__pairs_run(&p->pairs, starts[runs]), rows = (last - starts[runs]) * p->m;
        if (rows > MICA_QUANT_MOST_ROWS) break;
        most = mica__most(most, rows);
        starts[++runs] = last;
    }
    p->first = first;
    p->last = *end = starts[runs];
    p->runs = starts;
    int status = runs ? few_rows(p, runs, most) : MICA_OK;
    p->runs = NULL;
    return status;
}

/* Runs of pairs with one matrix: those of few rows share their parallel sections. */
static int run(product *p)
{
    mica__pairs_sort(&p->pairs);
    for (size_t i = 0; i < p->pairs.count;) {
        MICA_TRY(several_runs(p, i, &i));
        if (i == p->pairs.count) break;
        p->first = i;
        p->last = i = mica__pairs_run(&p->pairs, i);
        if ((p->last - p->first) * p->m > MICA_QUANT_MOST_ROWS) MICA_TRY(many_rows(p));
        else i = p->first;
    }
    return MICA_OK;
}

/* An operand, or a row-major copy of it for the time of the launch. */
typedef struct operand {
    mica_array array;
    int64_t strides[MICA_MAX_NDIM];
    void *room;
    size_t bytes;
} operand;

static int copy_rows(operand *o)
{
    mica_array *a = &o->array;
    int64_t stride = 1;
    o->bytes = (size_t)a->size * (size_t)mica__dtype_sizes[a->dtype];
    MICA_TRY(mica__memory_take(o->bytes ? o->bytes : 1, &o->room));
    mica__copy_to_row_major(a, o->room);
    a->data = o->room;
    a->strides = o->strides;
    for (int i = a->ndim - 1; i >= 0; i--) {
        o->strides[i] = stride;
        stride *= a->shape[i];
    }
    return MICA_OK;
}

/* One matrix, or several that lie one after another, serve all leading axes. */
static bool repeated(const mica_array *a, int leading)
{
    for (int i = 0; i < leading; i++)
        if (a->shape[i] != 1 && a->strides[i] != 0) return false;
    return mica__inner_rows(a, leading);
}

/* x needs contiguous rows. Codes, scales and biases lie alike: all repeated, or all row-major. */
static int prepare(mica__launch *l, operand o[4], size_t n, int leading)
{
    bool alike = true;
    for (size_t i = 0; i < n; i++) {
        mica__array_alias(&o[i].array, l->in[i]);
        o[i].room = NULL;
        if (i) alike &= repeated(l->in[i], leading);
    }
    for (size_t i = 0; i < n; i++) {
        const mica_array *a = &o[i].array;
        if (!a->size || (i && alike)) continue;
        if (!mica__inner_rows(a, i ? 0 : a->ndim - 1)) MICA_TRY(copy_rows(&o[i]));
    }
    return MICA_OK;
}

static int multiply_all(mica__launch *l, const operand o[4])
{
    const struct mica__quantized_matmul_params *p = MICA_PARAMS(l->node, quantized_matmul);
    bool affine = p->mode == MICA_QUANT_AFFINE;
    const mica_array *y = &l->out[0], *x = &o[0].array, *w = &o[1].array,
                     *lhs = p->gathered ? l->in[3 + affine] : NULL,
                     *rhs = p->gathered ? l->in[4 + affine] : NULL;
    int leading = x->ndim - 3;
    mica__quant_format f = { (mica__quant_mode)p->mode, p->group, p->bits };
    product r = { .x = x,
                  .y = y,
                  .codes = w,
                  .scales = &o[2].array,
                  .biases = affine ? &o[3].array : NULL,
                  .m = (size_t)x->shape[x->ndim - 2],
                  .k = (size_t)x->shape[x->ndim - 1],
                  .n = (size_t)y->shape[y->ndim - 1],
                  .dtype = (mica_dtype)x->dtype,
                  .w = { .f = f,
                         .loops = MICA_CHOOSE(mica__quant_),
                         .lanes = MICA_CHOOSE(mica__lanes_),
                         .kind = mica__quant_kind_of(&f),
                         .scale_dtype = (mica_dtype)o[2].array.dtype,
                         .rows = (size_t)w->shape[w->ndim - 2],
                         .columns = (size_t)mica__quant_elements(&f, w->shape[w->ndim - 1]),
                         .transposed = p->transposed } };
    MICA_TRY(mica__pairs_of(&r.pairs, &l->scratch, p->gathered ? "gather_qmm" : "quantized_matmul",
                            leading, x, w, lhs, rhs));
    MICA_TRY(p->gathered ? mica__pairs_status(&r.pairs, lhs, rhs, leading, x, w) : MICA_OK);
    if (!y->size) return MICA_OK;
    if (r.k) return run(&r);
    memset(y->data, 0, (size_t)y->size * (size_t)mica__dtype_sizes[y->dtype]);
    return MICA_OK;
}

int mica__kernel_quantized_matmul(mica__launch *l)
{
    size_t n = MICA_PARAMS(l->node, quantized_matmul)->mode == MICA_QUANT_AFFINE ? 4 : 3;
    operand *o = mica__arena_alloc(&l->scratch, 4 * sizeof *o);
    if (!o) return MICA_EMEMORY;
    for (size_t i = 0; i < n; i++) o[i].room = NULL;
    int status = prepare(l, o, n, l->in[0]->ndim - 3);
    if (status == MICA_OK) status = multiply_all(l, o);
    for (size_t i = 0; i < n; i++)
        if (o[i].room) mica__memory_give(o[i].room, o[i].bytes ? o[i].bytes : 1);
    return status;
}
