/* Strided reads: collapsed axes, runs of the innermost axis copied, repeated or picked one by one.
 */
#include "backend/cpu/gather.h"

#include "backend/cpu/choose.h"

void mica__gather_init(mica__gather *g, int ndim, const int64_t *shape, const int64_t *strides,
                       size_t item, const char *data)
{
    g->item = item;
    g->data = data;
    g->pick = MICA_CHOOSE(mica__picks_)->of[item == 1 ? 0 : item == 2 ? 1 : item == 4 ? 2 : 3];
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

static void copy_run(const mica__gather *g, const char *from, int64_t stride, size_t n, void *out)
{
    if (stride == 1) memcpy(out, from, n * g->item);
    else g->pick(from, stride, n, out);
}

enum { BLOCK = 16, SHORT = 64 };

/* Blocks are written over the end of an element's places, into what is written next. */
#define REPEAT(type)                                                                               \
    static void repeat_##type(const char *from, int64_t stride, size_t bytes, size_t count,        \
                              char *to)                                                            \
    {                                                                                              \
        for (; count; count--, to += bytes, from += stride * (int64_t)sizeof(type)) {              \
            type value, block[BLOCK / sizeof(type)];                                               \
            memcpy(&value, from, sizeof value);                                                    \
            for (size_t i = 0; i < BLOCK / sizeof(type); i++) block[i] = value;                    \
            memcpy(to, block, BLOCK);                                                              \
            for (size_t b = BLOCK; b < bytes; b += BLOCK) memcpy(to + b, block, BLOCK);            \
        }                                                                                          \
    }
REPEAT(uint8_t)
REPEAT(uint16_t)
REPEAT(uint32_t)
REPEAT(uint64_t)

/* Each of `count` elements `times` times, in place for `room` bytes. */
static void repeat_run(const mica__gather *g, const char *from, int64_t stride, size_t times,
                       size_t count, char *to, size_t room)
{
    size_t item = g->item;
    size_t bytes = times * item, written = (bytes + BLOCK - 1) / BLOCK * BLOCK, blocks = 0;
    if (room >= written) blocks = (room - written) / bytes + 1;
    if (blocks > count) blocks = count;
    switch (item) {
    case 1: repeat_uint8_t(from, stride, bytes, blocks, to); break;
    case 2: repeat_uint16_t(from, stride, bytes, blocks, to); break;
    case 4: repeat_uint32_t(from, stride, bytes, blocks, to); break;
    default: repeat_uint64_t(from, stride, bytes, blocks, to); break;
    }
    for (size_t i = blocks; i < count; i++)
        g->pick(from + (int64_t)i * stride * (int64_t)item, 0, times, to + i * bytes);
}

/* One step along an axis, and along those before it as each comes to its end. */
static const char *step(const mica__gather *g, int64_t *index, const char *from, int axis)
{
    for (int i = axis; i >= 0; i--) {
        from += g->strides[i] * (int64_t)g->item;
        if (++index[i] < g->shape[i]) break;
        from -= g->shape[i] * g->strides[i] * (int64_t)g->item;
        index[i] = 0;
    }
    return from;
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
    size_t times = (size_t)g->shape[inner];
    bool repeats = inner > 0 && g->strides[inner] == 0 && times * g->item <= SHORT;
    char *to = out;
    while (n) {
        if (repeats && index[inner] == 0 && n >= times) {
            size_t count = (size_t)(g->shape[inner - 1] - index[inner - 1]);
            if (count > n / times) count = n / times;
            repeat_run(g, from, g->strides[inner - 1], times, count, to, n * g->item);
            to += count * times * g->item;
            n -= count * times;
            index[inner - 1] += (int64_t)count - 1;
            from += ((int64_t)count - 1) * g->strides[inner - 1] * (int64_t)g->item;
            from = step(g, index, from, inner - 1);
            continue;
        }
        int64_t left = g->shape[inner] - index[inner];
        size_t run = (size_t)left < n ? (size_t)left : n;
        copy_run(g, from, g->strides[inner], run, to);
        to += run * g->item;
        n -= run;
        if (!n) return;
        from -= index[inner] * g->strides[inner] * (int64_t)g->item;
        index[inner] = 0;
        from = step(g, index, from, inner - 1); /* the next row */
    }
}
