/* The kernel of matmul: geometry for the blocked driver. */
#include "backend/cpu/matmul.h"

/* Element offset of each matrix of a batch: the leading axes' strides walked in row-major order. */
static void offsets(const mica_array *a, size_t batch, ptrdiff_t *out)
{
    int64_t index[MICA_MAX_NDIM] = { 0 };
    ptrdiff_t at = 0;
    for (size_t i = 0; i < batch; i++) {
        out[i] = at;
        for (int axis = a->ndim - 3; axis >= 0; axis--) {
            at += a->strides[axis];
            if (++index[axis] < a->shape[axis]) break;
            at -= a->strides[axis] * a->shape[axis];
            index[axis] = 0;
        }
    }
}

int mica__matmul_run(mica__arena *scratch, const mica_array *a, const mica_array *b, mica_array *c,
                     mica__epilogue *epilogue, void *context)
{
    int n = c->ndim;
    if (!c->size) return MICA_OK;
    mica__gemm g = {
        .m = (size_t)c->shape[n - 2],
        .n = (size_t)c->shape[n - 1],
        .k = (size_t)a->shape[n - 1],
        .batch = 1,
        .a = a->data,
        .a_row = a->strides[n - 2],
        .a_col = a->strides[n - 1],
        .b = b->data,
        .b_row = b->strides[n - 2],
        .b_col = b->strides[n - 1],
        .c = c->data,
        .c_row = c->shape[n - 1],
        .alpha = 1,
        .dtype = (mica_dtype)c->dtype,
        .epilogue = epilogue,
        .epilogue_context = context,
    };
    for (int i = 0; i < n - 2; i++) g.batch *= (size_t)c->shape[i];
    if (g.batch > 1) {
        size_t bytes;
        if (mica__mul_overflow(3 * sizeof(ptrdiff_t), g.batch, &bytes))
            return mica__fail(MICA_EOVERFLOW, "[matmul] too many matrices");
        ptrdiff_t *room = mica__arena_alloc(scratch, bytes);
        if (!room) return MICA_EMEMORY;
        offsets(a, g.batch, room);
        offsets(b, g.batch, room + g.batch);
        for (size_t i = 0; i < g.batch; i++) room[2 * g.batch + i] = (ptrdiff_t)(i * g.m * g.n);
        g.a_batch = room;
        g.b_batch = room + g.batch;
        g.c_batch = room + 2 * g.batch;
    }
    return mica__gemm_run(&g);
}

int mica__kernel_matmul(mica__launch *l)
{
    return mica__matmul_run(&l->scratch, l->in[0], l->in[1], &l->out[0], NULL, NULL);
}
