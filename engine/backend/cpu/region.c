/* Regions: copies and combinations between strided parts of arrays, row by row. */
#include "backend/cpu/region.h"

#include "runtime/pool.h"

enum { PART = 256, TASK_BYTES = 256 * 1024 };

int mica__combine_init(mica__combine *c, const char *name, mica_scatter_mode mode, mica_dtype dtype)
{
    static const mica_prim prims[] = { [MICA_SCATTER_SUM] = mica_prim_add,
                                       [MICA_SCATTER_PROD] = mica_prim_multiply,
                                       [MICA_SCATTER_MAX] = mica_prim_maximum,
                                       [MICA_SCATTER_MIN] = mica_prim_minimum };
    *c = (mica__combine){ .mode = mode, .dtype = dtype, .item = mica__dtype_sizes[dtype] };
    if (mode == MICA_SCATTER_SET) return MICA_OK;
    bool half = mica__is_half(dtype);
    c->loop = mica__loop_find(prims[mode], half ? MICA_FLOAT32 : dtype);
    if (half) {
        c->up = mica__cast_find(dtype, MICA_FLOAT32);
        c->down = mica__cast_find(MICA_FLOAT32, dtype);
    }
    if (!c->loop)
        return mica__fail(MICA_EVALUE, "[%s] %s cannot be combined", name, mica_dtype_name(dtype));
    return MICA_OK;
}

static void copy_row(size_t item, void *to, int64_t to_stride, const void *from,
                     int64_t from_stride, int64_t n)
{
    if (to_stride == 1 && from_stride == 1) {
        memcpy(to, from, (size_t)n * item);
        return;
    }
#define COPY(type)                                                                                 \
    for (int64_t i = 0; i < n; i++)                                                                \
    ((type *)to)[i * to_stride] = ((const type *)from)[i * from_stride]
    switch (item) {
    case 1: COPY(uint8_t); break;
    case 2: COPY(uint16_t); break;
    case 4: COPY(uint32_t); break;
    default: COPY(uint64_t); break;
    }
#undef COPY
}

/* At most PART elements through contiguous buffers. */
static void combine_part(const mica__combine *c, char *to, int64_t to_stride, const char *from,
                         int64_t from_stride, int64_t n)
{
    char a[PART * 8], b[PART * 8];
    const void *in[2] = { to, from };
    void *out = to;
    if (to_stride != 1) {
        copy_row(c->item, a, 1, to, to_stride, n);
        in[0] = out = a;
    }
    if (from_stride != 1) {
        copy_row(c->item, b, 1, from, from_stride, n);
        in[1] = b;
    }
    if (c->up) {
        float x[PART], y[PART];
        c->up((size_t)n, &in[0], 0, x);
        c->up((size_t)n, &in[1], 0, y);
        c->loop((size_t)n, (const void *const[]){ x, y }, 0, x);
        c->down((size_t)n, (const void *const[]){ x }, 0, out);
    } else {
        c->loop((size_t)n, in, 0, out);
    }
    if (to_stride != 1) copy_row(c->item, to, to_stride, a, 1, n);
}

void mica__combine_row(const mica__combine *c, void *to, int64_t to_stride, const void *from,
                       int64_t from_stride, int64_t n)
{
    if (c->mode == MICA_SCATTER_SET) {
        copy_row(c->item, to, to_stride, from, from_stride, n);
        return;
    }
    if (c->mode == MICA_SCATTER_SUM && c->dtype == MICA_FLOAT32 &&
        n == 1) { /* single numbers are common enough */
        *(float *)to += *(const float *)from;
        return;
    }
    for (int64_t i = 0; i < n; i += PART)
        combine_part(c, (char *)to + i * to_stride * (int64_t)c->item, to_stride,
                     (const char *)from + i * from_stride * (int64_t)c->item, from_stride,
                     n - i < PART ? n - i : PART);
}

typedef struct region {
    const mica__combine *c;
    int ndim; /* at least 1 */
    int64_t shape[MICA_MAX_NDIM], to_strides[MICA_MAX_NDIM], from_strides[MICA_MAX_NDIM];
    char *to;
    const char *from;
    int64_t rows, rows_a_task, pieces, piece; /* rows are cut into pieces when there are few */
} region;

static void region_task(void *context, size_t task)
{
    const region *r = context;
    int inner = r->ndim - 1;
    int64_t first = (int64_t)task / r->pieces * r->rows_a_task,
            start = (int64_t)task % r->pieces * r->piece;
    int64_t last = first + r->rows_a_task < r->rows ? first + r->rows_a_task : r->rows;
    int64_t n = r->shape[inner] - start < r->piece ? r->shape[inner] - start : r->piece;
    int64_t index[MICA_MAX_NDIM], rest = first, to = start * r->to_strides[inner],
                                  from = start * r->from_strides[inner];
    for (int i = inner - 1; i >= 0; i--) {
        index[i] = rest % r->shape[i];
        rest /= r->shape[i];
        to += index[i] * r->to_strides[i];
        from += index[i] * r->from_strides[i];
    }
    for (int64_t row = first; row < last; row++) {
        mica__combine_row(r->c, r->to + to * (int64_t)r->c->item, r->to_strides[inner],
                          r->from + from * (int64_t)r->c->item, r->from_strides[inner], n);
        for (int i = inner - 1; i >= 0; i--) {
            to += r->to_strides[i];
            from += r->from_strides[i];
            if (++index[i] < r->shape[i]) break;
            to -= r->shape[i] * r->to_strides[i];
            from -= r->shape[i] * r->from_strides[i];
            index[i] = 0;
        }
    }
}

void mica__combine_region(const mica__combine *c, int ndim, const int64_t *shape, void *to,
                          const int64_t *to_strides, const void *from, const int64_t *from_strides)
{
    region r = { .c = c, .to = to, .from = from };
    int64_t size = 1;
    for (int i = 0; i < ndim; i++) {
        size *= shape[i];
        if (shape[i] == 1) continue;
        int k = r.ndim - 1;
        if (k >= 0 && r.to_strides[k] == to_strides[i] * shape[i] &&
            r.from_strides[k] == from_strides[i] * shape[i]) {
            r.shape[k] *= shape[i];
        } else {
            k = r.ndim++;
            r.shape[k] = shape[i];
        }
        r.to_strides[k] = to_strides[i];
        r.from_strides[k] = from_strides[i];
    }
    if (size == 0) return;
    if (r.ndim == 0) {
        r.shape[0] = r.to_strides[0] = r.from_strides[0] = 1;
        r.ndim = 1;
    }
    int64_t inner = r.shape[r.ndim - 1], worth = TASK_BYTES / (int64_t)c->item;
    r.rows = size / inner;
    r.rows_a_task = inner < worth ? worth / inner : 1;
    r.piece = inner < worth ? inner : worth;
    r.pieces = (inner + r.piece - 1) / r.piece;
    mica__parallel((size_t)((r.rows + r.rows_a_task - 1) / r.rows_a_task * r.pieces), region_task,
                   &r);
}
