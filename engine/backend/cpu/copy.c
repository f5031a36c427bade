/* Copies between strided memories: rows where possible, square tiles where two axes are swapped, so
 * that both sides use whole cache lines. */
#include "backend/cpu/gather.h"
#include "backend/cpu/kernel.h"
#include "backend/cpu/loop.h"

enum { TILE = 64, PART = 1 << 16 };

void mica__convert(size_t n, const void *from, mica_dtype from_dtype, void *to, mica_dtype to_dtype)
{
    if (from_dtype == to_dtype) {
        memcpy(to, from, n * mica__dtype_sizes[to_dtype]);
        return;
    }
    mica__cast_find(from_dtype, to_dtype)(n, &from, 0, to);
}

/* ---- gathering in parallel ---- */

typedef struct gathering {
    const mica__gather *g;
    char *to;
    int64_t n;
} gathering;

static void gather_part(void *context, size_t index)
{
    gathering *c = context;
    int64_t start = (int64_t)index * PART, n = c->n - start < PART ? c->n - start : PART;
    mica__gather_run(c->g, start, (size_t)n, c->to + (size_t)start * c->g->item);
}

/* ---- tiles: the last axis of the result runs across the source, another axis along it ---- */

typedef struct tiling {
    const char *from;
    char *to;
    size_t item;
    int64_t rows, columns; /* rows: strided in `to`, contiguous in `from`; columns: the reverse */
    int64_t from_column, to_row; /* strides in elements */
    int64_t outer[MICA_MAX_NDIM], outer_from[MICA_MAX_NDIM], outer_to[MICA_MAX_NDIM];
    int nouter;
    int64_t row_tiles;
} tiling;

/* A square whose sides are one cache line: its lines are read whole, one after the other, and
   written whole. Lines that lie a power of two apart share a place in the cache, and would push
   each other out if they were visited again. Element (row r, column c) is from[c][r]. */
#define SQUARE(type)                                                                               \
    static void square_##type(const type *from, int64_t from_column, type *to, int64_t to_row)     \
    {                                                                                              \
        enum { SIDE = 64 / sizeof(type) };                                                         \
        type lines[SIDE][SIDE];                                                                    \
        for (int c = 0; c < SIDE; c++) memcpy(lines[c], from + c * from_column, sizeof lines[c]);  \
        for (int r = 0; r < SIDE; r++, to += to_row)                                               \
            for (int c = 0; c < SIDE; c++) to[c] = lines[c][r];                                    \
    }                                                                                              \
    static void tile_##type(const tiling *t, const void *base_from, void *base_to, int64_t r0,     \
                            int64_t r1)                                                            \
    {                                                                                              \
        enum { SIDE = 64 / sizeof(type) };                                                         \
        int64_t whole = r0 + (r1 - r0) / SIDE * SIDE, c = 0;                                       \
        for (; c + SIDE <= t->columns; c += SIDE) {                                                \
            const type *from = (const type *)base_from + c * t->from_column;                       \
            type *to = (type *)base_to + c;                                                        \
            for (int64_t r = r0; r < whole; r += SIDE)                                             \
                square_##type(from + r, t->from_column, to + r * t->to_row, t->to_row);            \
            for (int64_t r = whole; r < r1; r++)                                                   \
                for (int64_t i = 0; i < SIDE; i++)                                                 \
                    to[r * t->to_row + i] = from[i * t->from_column + r];                          \
        }                                                                                          \
        for (; c < t->columns; c++)                                                                \
            for (int64_t r = r0; r < r1; r++)                                                      \
                ((type *)base_to)[r * t->to_row + c] =                                             \
                    ((const type *)base_from)[c * t->from_column + r];                             \
    }
SQUARE(uint8_t)
SQUARE(uint16_t)
SQUARE(uint32_t)
SQUARE(uint64_t)

static void tile_rows(void *context, size_t index)
{
    const tiling *t = context;
    int64_t rest = (int64_t)index / t->row_tiles, r0 = (int64_t)index % t->row_tiles * TILE;
    const char *base_from = t->from;
    char *base_to = t->to;
    for (int i = t->nouter - 1; i >= 0; i--) {
        int64_t k = rest % t->outer[i];
        rest /= t->outer[i];
        base_from += k * t->outer_from[i] * (int64_t)t->item;
        base_to += k * t->outer_to[i] * (int64_t)t->item;
    }
    int64_t r1 = r0 + TILE < t->rows ? r0 + TILE : t->rows;
    switch (t->item) {
    case 1: tile_uint8_t(t, base_from, base_to, r0, r1); break;
    case 2: tile_uint16_t(t, base_from, base_to, r0, r1); break;
    case 4: tile_uint32_t(t, base_from, base_to, r0, r1); break;
    default: tile_uint64_t(t, base_from, base_to, r0, r1); break;
    }
}

/* Tiles pay when the last axis is strided in the source and another axis is contiguous there. */
static bool copy_tiled(const mica__gather *g, void *to)
{
    int last = g->ndim - 1, along = -1;
    for (int i = 0; i < last; i++)
        if (g->strides[i] == 1) along = i;
    if (along < 0 || g->strides[last] == 0 || g->shape[along] < 8 || g->shape[last] < 8)
        return false;
    int64_t dense[MICA_MAX_NDIM];
    mica__row_major(g->ndim, g->shape, dense);
    tiling t = { .from = g->data,
                 .to = to,
                 .item = g->item,
                 .rows = g->shape[along],
                 .columns = g->shape[last],
                 .from_column = g->strides[last],
                 .to_row = dense[along] };
    size_t count = 1;
    for (int i = 0; i < last; i++) {
        if (i == along) continue;
        t.outer[t.nouter] = g->shape[i];
        t.outer_from[t.nouter] = g->strides[i];
        t.outer_to[t.nouter++] = dense[i];
        count *= (size_t)g->shape[i];
    }
    t.row_tiles = (t.rows + TILE - 1) / TILE;
    mica__parallel(count * (size_t)t.row_tiles, tile_rows, &t);
    return true;
}

void mica__gather_to_row_major(int ndim, const int64_t *shape, const int64_t *strides, size_t item,
                               const void *from, void *to)
{
    int64_t size = 1;
    for (int i = 0; i < ndim; i++) size *= shape[i];
    if (!size) return;
    mica__gather g;
    mica__gather_init(&g, ndim, shape, strides, item, from);
    if (size >= 4096 && (uintptr_t)from % item == 0 && copy_tiled(&g, to)) return;
    gathering c = { &g, to, size };
    mica__parallel(((size_t)size + PART - 1) / PART, gather_part, &c);
}

void mica__copy_to_row_major(const mica_array *a, void *to)
{
    size_t item = mica__dtype_sizes[a->dtype];
    int64_t one = 1;
    if (mica__is_row_major(a)) mica__gather_to_row_major(1, &a->size, &one, item, a->data, to);
    else mica__gather_to_row_major(a->ndim, a->shape, a->strides, item, a->data, to);
}

int mica__row_major_copy(const mica_array *a, mica_array *copy)
{
    mica__buffer *b = mica__buffer_new((size_t)a->size * mica__dtype_sizes[a->dtype]);
    if (!b) return MICA_EMEMORY;
    mica__copy_to_row_major(a, b->data);
    mica__array_alias(copy, a);
    copy->strides = copy->local + 4;
    if (a->ndim > 4) {
        copy->strides = mica__alloc((size_t)a->ndim * sizeof(int64_t));
        if (!copy->strides) {
            mica__buffer_release(b);
            return MICA_EMEMORY;
        }
    }
    mica__array_set_data(copy, b, b->data, NULL);
    return MICA_OK;
}

void mica__drop_copy(mica_array *copy)
{
    mica__buffer_release(copy->buffer);
    if (copy->ndim > 4) mica__free(copy->strides);
}

void mica__copy_strided(int64_t ndim, const int64_t *shape, size_t item, const void *from,
                        const int64_t *from_strides, void *to, const int64_t *to_strides)
{
    int64_t index[MICA_MAX_NDIM] = { 0 };
    const char *f = from;
    char *t = to;
    for (int64_t i = 0; i < ndim; i++)
        if (shape[i] == 0) return;
    if (ndim == 0) {
        memcpy(to, from, item);
        return;
    }
    int64_t inner = ndim - 1, n = shape[inner], fs = from_strides[inner], ts = to_strides[inner];
    for (;;) {
        if (fs == 1 && ts == 1) memcpy(t, f, (size_t)n * item);
        else
            for (int64_t i = 0; i < n; i++)
                memcpy(t + i * ts * (int64_t)item, f + i * fs * (int64_t)item, item);
        int64_t axis = inner - 1;
        for (; axis >= 0; axis--) {
            f += from_strides[axis] * (int64_t)item;
            t += to_strides[axis] * (int64_t)item;
            if (++index[axis] < shape[axis]) break;
            f -= shape[axis] * from_strides[axis] * (int64_t)item;
            t -= shape[axis] * to_strides[axis] * (int64_t)item;
            index[axis] = 0;
        }
        if (axis < 0) return;
    }
}
