/* Strided reads: collapsed axes, runs of the innermost axis copied, repeated or picked one by one.
 */
#include "backend/cpu/gather.h"

void mica__gather_init(mica__gather *g, int ndim, const int64_t *shape, const int64_t *strides,
                       size_t item, const char *data)
{
    g->item = item;
    g->data = data;
    int n = 0;
    for (int i = 0; i < ndim; i++) {
        if (shape[i] == 1) continue;
        if (n && g->strides[n - 1] == strides[i] * shape[i]) { /* continues the axis before */
            g->shape[n - 1] *= shape[i];
            g->strides[n - 1] = strides[i];
        } else {
            g->shape[n] = shape[i];
            g->strides[n++] = strides[i];
        }
    }
    if (!n) {
        g->shape[0] = 1;
        g->strides[0] = 0;
        n = 1;
    }
    g->ndim = n;
}

mica__gather *mica__gather_new(mica__arena *arena, int ndim, const int64_t *shape,
                               const int64_t *strides, size_t item, const char *data)
{
    mica__gather *g = mica__arena_alloc(arena, sizeof *g);
    if (g) mica__gather_init(g, ndim, shape, strides, item, data);
    return g;
}

/* memcpy of one element: it may lie anywhere (mica__is_aligned), and becomes one load. */
#define PICK(type)                                                                                 \
    do {                                                                                           \
        type *to = out, value;                                                                     \
        for (size_t i = 0; i < n; i++) {                                                           \
            memcpy(&value, from + (int64_t)i * stride * (int64_t)sizeof(type), sizeof(type));      \
            to[i] = value;                                                                         \
        }                                                                                          \
    } while (0)

static void copy_run(const char *from, int64_t stride, size_t item, size_t n, void *out)
{
    if (stride == 1) {
        memcpy(out, from, n * item);
        return;
    }
    switch (item) {
    case 1: PICK(uint8_t); break;
    case 2: PICK(uint16_t); break;
    case 4: PICK(uint32_t); break;
    default: PICK(uint64_t); break;
    }
}

void mica__gather_run(const mica__gather *g, int64_t start, size_t n, void *out)
{
    int64_t index[MICA_MAX_NDIM], rest = start;
    const char *from = g->data;
    for (int i = g->ndim - 1; i >= 0; i--) {
        index[i] = rest % g->shape[i];
        rest /= g->shape[i];
        from += index[i] * g->strides[i] * (int64_t)g->item;
    }
    int inner = g->ndim - 1;
    char *to = out;
    while (n) {
        int64_t left = g->shape[inner] - index[inner];
        size_t run = (size_t)left < n ? (size_t)left : n;
        copy_run(from, g->strides[inner], g->item, run, to);
        to += run * g->item;
        n -= run;
        if (!n) return;
        from -= index[inner] * g->strides[inner] * (int64_t)g->item;
        index[inner] = 0;
        for (int i = inner - 1; i >= 0; i--) { /* the next row: carry */
            from += g->strides[i] * (int64_t)g->item;
            if (++index[i] < g->shape[i]) break;
            from -= g->shape[i] * g->strides[i] * (int64_t)g->item;
            index[i] = 0;
        }
    }
}
