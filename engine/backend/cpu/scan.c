/* Kernels of cumsum, cumprod, cummax, cummin and logcumsumexp. */
#include "backend/cpu/choose.h"
#include "backend/cpu/kernel.h"
#include "backend/cpu/loop.h"
#include "backend/cpu/scan.h"

enum { WORK = 16 * 1024, LEAST = 32 };

typedef struct scanning {
    mica__scan_loop *loop;
    const char *in;
    char *out;
    int64_t outer, n, inner, tile, tiles, a_task;
    size_t item;
    bool reverse, inclusive;
} scanning;

static void scan_task(void *context, size_t task)
{
    const scanning *q = context;
    int64_t first = (int64_t)task * q->a_task, last = first + q->a_task, all = q->outer * q->tiles;
    if (last > all) last = all;
    for (int64_t i = first; i < last; i++) {
        int64_t column = i % q->tiles * q->tile,
                m = q->inner - column < q->tile ? q->inner - column : q->tile;
        int64_t start = i / q->tiles * q->n * q->inner + column;
        if (q->reverse) start += (q->n - 1) * q->inner;
        q->loop(q->in + (size_t)start * q->item, q->out + (size_t)start * q->item, q->n,
                q->reverse ? -q->inner : q->inner, m, q->inclusive);
    }
}

static int scan(mica__launch *l, int operation)
{
    const struct mica__cumsum_params *p =
        MICA_PARAMS(l->node, cumsum); /* all scans have these fields */
    const mica_array *in = l->in[0];
    if (in->size == 0) return MICA_OK;
    mica_dtype given = (mica_dtype)in->dtype, d = mica__is_half(given) ? MICA_FLOAT32 : given;
    const mica__scan_loops *loops = MICA_CHOOSE(mica__scan_);
    scanning q = { .loop = loops->of[operation][d],
                   .in = in->data,
                   .out = l->out[0].data,
                   .outer = 1,
                   .inner = 1,
                   .n = in->shape[p->axis],
                   .item = mica__dtype_sizes[d],
                   .reverse = p->reverse,
                   .inclusive = p->inclusive };
    if (!q.loop)
        return mica__fail(MICA_EVALUE, "[%s] %s is not accepted", mica__prims[l->node->prim].name,
                          mica_dtype_name(given));
    for (int i = 0; i < in->ndim; i++) {
        if (i < p->axis) q.outer *= in->shape[i];
        if (i > p->axis) q.inner *= in->shape[i];
    }
    void *wide = NULL;
    size_t bytes = (size_t)in->size * sizeof(float);
    if (d != given) {
        MICA_TRY(mica__memory_take(bytes, &wide));
        mica__convert((size_t)in->size, in->data, given, wide, d);
        q.in = q.out = wide;
    }
    int64_t tasks = 2 * (int64_t)mica__thread_count();
    for (q.tile = MICA_SCAN_COLUMNS; q.tile > LEAST;) { /* the longer, the better is memory read */
        if (q.tile <= q.inner && q.inner / q.tile * q.outer >= tasks) break;
        q.tile /= 2;
    }
    if (q.inner < q.tile) q.tile = q.inner;
    q.tiles = (q.inner + q.tile - 1) / q.tile;
    q.a_task = q.tile * q.n < WORK ? WORK / (q.tile * q.n) : 1;
    mica__parallel((size_t)((q.outer * q.tiles + q.a_task - 1) / q.a_task), scan_task, &q);
    if (wide) {
        mica__convert((size_t)in->size, wide, d, l->out[0].data, given);
        mica__memory_give(wide, bytes);
    }
    return MICA_OK;
}

int mica__kernel_cumsum(mica__launch *l)
{
    return scan(l, MICA_SCAN_SUM);
}
int mica__kernel_cumprod(mica__launch *l)
{
    return scan(l, MICA_SCAN_PROD);
}
int mica__kernel_cummax(mica__launch *l)
{
    return scan(l, MICA_SCAN_MAX);
}
int mica__kernel_cummin(mica__launch *l)
{
    return scan(l, MICA_SCAN_MIN);
}
int mica__kernel_logcumsumexp(mica__launch *l)
{
    return scan(l, MICA_SCAN_LOG);
}
