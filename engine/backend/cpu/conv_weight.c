/* The kernel of conv_weight: sums over all places of windows times cotangents. A task adds some
   blocks into sums of its own, [taps][inputs][outputs] for each group; how many sums there are
   depends on the shapes alone, and they are added in order. */
#include "backend/cpu/conv.h"
#include "runtime/pool.h"

enum { PLACES = 256, MOST_SPLITS = 16, ENOUGH_TASKS = 16, LINES = 32 };
#define SUMS_BYTES ((size_t)16 << 20) /* of all splits, unless one alone is larger */

typedef struct backward {
    mica__conv *c;
    const char *cotangent;
    char *w;
    char *sums; /* [splits][groups][taps of the window][inputs][outputs] */
    int64_t splits, all;
    int64_t strips, chunk, chunks; /* as in conv.c */
    size_t strip, pieces, bytes;   /* of a task's memory */
} backward;

/* Columns [line, line + lines) of the block's cotangents: place after place, `width` apart. */
static void pack_strip(const backward *b, const mica__conv_source *s, int64_t n, int64_t channel,
                       int64_t lines, char *to)
{
    const mica__conv *c = b->c;
    ptrdiff_t step = (ptrdiff_t)(c->axis[2].step * c->groups * c->outputs);
    mica__gemm_operand o = mica__conv_operand(c, b->cotangent, 1, step, (size_t)s->count[2]);
    for (int64_t z = 0; z < s->count[0]; z++)
        for (int64_t y = 0; y < s->count[1]; y++) {
            mica__gemm_pack(&o, mica__conv_row(c, s, n, z, y) + channel, 0, (size_t)lines,
                            (size_t)c->width, true, 0, (size_t)s->count[2], to);
            to += s->count[2] * c->width * (int64_t)c->unit;
        }
}

/* One run of inputs and taps, whose sums lie one behind the other, for a strip of outputs. */
static void add_run(const mica__conv *c, const mica__conv_source *s, const char *a, int64_t lines,
                    const char *strip, int64_t columns, char *to)
{
    int64_t unit = (int64_t)c->unit, rows = c->rows;
    int64_t tiles = (lines + rows - 1) / rows;
    for (int64_t i = 0; i < tiles; i++) {
        int64_t some = lines / tiles + (i < lines % tiles);
        const char *b = strip;
        for (int64_t z = 0; z < s->count[0]; z++)
            for (int64_t y = 0; y < s->count[1]; y++) {
                const char *from = a + (z * s->place[0] + y * s->place[1]) * unit;
                c->tile[some - 1]((size_t)s->count[2], from, 1, s->place[2], b, c->width, to,
                                  c->outputs, (size_t)columns, true);
                b += s->count[2] * c->width * unit;
            }
        a += some * unit;
        to += some * c->outputs * unit;
    }
}

static void add_block(const backward *b, int64_t n, int64_t block, int64_t group, int64_t chunk,
                      char *sums, char *memory)
{
    const mica__conv *c = b->c;
    const mica__conv_axis *ax = c->axis;
    int64_t unit = (int64_t)c->unit;
    mica__conv_source s;
    char *strip = memory + b->strip;
    mica__conv_look(c, n, block, group * c->inputs, c->inputs, memory, &s);
    for (int64_t j = chunk * b->chunk; j < (chunk + 1) * b->chunk && j < b->strips; j++) {
        int64_t column = j * c->width, left = c->outputs - column;
        int64_t columns = left < c->width ? left : c->width;
        pack_strip(b, &s, n, group * c->outputs + column, columns, strip);
        for (int64_t z = 0; z < ax[0].taps; z++)
            for (int64_t y = 0; y < ax[1].taps; y++)
                for (int64_t x = 0; x < ax[2].taps;) {
                    int64_t start = x, at = mica__conv_tap(c, &s, 2, x), lines = c->inputs;
                    for (x++; x < ax[2].taps && mica__conv_tap(c, &s, 2, x) == at + lines &&
                              ax[2].tap[x] == ax[2].tap[start] + x - start;
                         x++)
                        lines += c->inputs;
                    int64_t tap = (ax[0].tap[z] * c->window[1] + ax[1].tap[y]) * c->window[2] +
                                  ax[2].tap[start];
                    at += mica__conv_tap(c, &s, 0, z) + mica__conv_tap(c, &s, 1, y);
                    add_run(c, &s, s.data + at * unit, lines, strip, columns,
                            sums + (tap * c->inputs * c->outputs + column) * unit);
                }
    }
}

static void split_task(void *context, size_t task)
{
    const backward *b = context;
    mica__conv *c = b->c;
    int64_t index = (int64_t)task, chunk = index % b->chunks, group = index / b->chunks % c->groups;
    int64_t split = index / b->chunks / c->groups;
    void *memory;
    if (mica__memory_take(b->bytes, &memory) != MICA_OK) {
        atomic_store(&c->status, MICA_EMEMORY);
        return;
    }
    char *sums =
        b->sums + (split * c->groups + group) * b->all * c->inputs * c->outputs * (int64_t)c->unit;
    int64_t blocks = c->batch * c->blocks;
    for (int64_t i = blocks * split / b->splits; i < blocks * (split + 1) / b->splits; i++)
        add_block(b, i / c->blocks, i % c->blocks, group, chunk, sums, memory);
    mica__memory_give(memory, b->bytes);
}

static size_t after(size_t at, int64_t count, size_t size)
{
    return (at + (size_t)count * size + 63) / 64 * 64;
}

static int run_phase(mica__conv *c, void *context)
{
    backward *b = context;
    MICA_TRY(mica__conv_cut(c, PLACES, c->inputs));
    int64_t places = c->axis[0].block * c->axis[1].block * c->axis[2].block;
    int64_t tasks = b->splits * c->groups, parts = (ENOUGH_TASKS + tasks - 1) / tasks;
    b->strips = (c->outputs + c->width - 1) / c->width;
    b->chunk = (b->strips + parts - 1) / parts;
    b->chunks = (b->strips + b->chunk - 1) / b->chunk;
    b->strip = after(0, c->source_size, c->unit);
    b->bytes = after(b->strip, places * c->width, c->unit);
    mica__parallel((size_t)(tasks * b->chunks), split_task, b);
    return atomic_load(&c->status);
}

/* ---- the end: sums of the splits in their order, turned to [outputs][taps][inputs] ---- */

#define COMBINE(T)                                                                                 \
    static void combine_##T(const backward *b, int64_t group, int64_t line, int64_t lines, T *to,  \
                            int64_t to_row)                                                        \
    {                                                                                              \
        const mica__conv *c = b->c;                                                                \
        int64_t one = b->all * c->inputs * c->outputs, rest = c->groups * one;                     \
        const T *from = (const T *)(const void *)b->sums + group * one + line * c->outputs;        \
        for (int64_t o = 0; o < c->outputs; o++)                                                   \
            for (int64_t i = 0; i < lines; i++) {                                                  \
                const T *at = from + i * c->outputs + o;                                           \
                T sum = at[0];                                                                     \
                for (int64_t k = 1; k < b->splits; k++) sum += at[k * rest];                       \
                to[o * to_row + i] = sum;                                                          \
            }                                                                                      \
    }
COMBINE(float)
COMBINE(double)

static void combine_task(void *context, size_t task)
{
    const backward *b = context;
    const mica__conv *c = b->c;
    int64_t all = b->all * c->inputs, parts = (all + LINES - 1) / LINES;
    int64_t line = (int64_t)task % parts * LINES, group = (int64_t)task / parts;
    int64_t lines = all - line < LINES ? all - line : LINES;
    int64_t start = group * c->outputs * all + line;
    if (c->unit == 8) {
        combine_double(b, group, line, lines, (double *)(void *)b->w + start, all);
        return;
    }
    if (!c->rounds) {
        combine_float(b, group, line, lines, (float *)(void *)b->w + start, all);
        return;
    }
    /* In place of the first split's sums nothing else reads any more: not needed, rows are short.
     */
    float sum[LINES];
    int64_t one = all * c->outputs, rest = c->groups * one;
    const float *from = (const float *)(const void *)b->sums + group * one + line * c->outputs;
    for (int64_t o = 0; o < c->outputs; o++) {
        for (int64_t i = 0; i < lines; i++) {
            sum[i] = from[i * c->outputs + o];
            for (int64_t k = 1; k < b->splits; k++) sum[i] += from[k * rest + i * c->outputs + o];
        }
        c->isa->narrow[c->store]((size_t)lines, sum, (uint16_t *)(void *)b->w + start + o * all);
    }
}

static int sum_up(backward *b, size_t most)
{
    mica__conv *c = b->c;
    size_t one, bytes;
    b->all = c->window[0] * c->window[1] * c->window[2];
    if (mica__mul_overflow((size_t)(b->all * c->inputs * c->outputs * c->groups), c->unit, &one))
        return MICA_EMEMORY;
    b->splits = (int64_t)(SUMS_BYTES / one);
    if (b->splits > MOST_SPLITS) b->splits = MOST_SPLITS;
    if (b->splits > (int64_t)most) b->splits = (int64_t)most;
    if (b->splits < 1) b->splits = 1;
    if (mica__mul_overflow(one, (size_t)b->splits, &bytes)) return MICA_EMEMORY;
    void *memory;
    MICA_TRY(mica__memory_take(bytes, &memory));
    b->sums = memory;
    memset(memory, 0, bytes);
    int status = mica__conv_phases(c, run_phase, b);
    if (status == MICA_OK) {
        int64_t parts = (b->all * c->inputs + LINES - 1) / LINES;
        mica__parallel((size_t)(parts * c->groups), combine_task, b);
    }
    mica__memory_give(memory, bytes);
    return status;
}

int mica__kernel_conv_weight(mica__launch *l)
{
    const mica_array *x = l->in[0], *y = l->in[1];
    mica_array *w = &l->out[0];
    mica__conv c;
    if (!w->size) return MICA_OK;
    MICA_TRY(mica__conv_begin(&c, l, x, w, y));
    if (!x->size || !y->size) {
        memset(w->data, 0, (size_t)w->size * c.item);
        return MICA_OK;
    }
    int status;
    if (c.inputs == 1 && c.outputs == 1) {
        status = mica__conv_depthwise_weight(&c, y->data, w->data);
    } else {
        backward b = { .c = &c, .cotangent = y->data, .w = w->data };
        size_t places = (size_t)(c.out[0] * c.out[1] * c.out[2]);
        size_t blocks = (size_t)c.batch * ((places + PLACES - 1) / PLACES);
        status = sum_up(&b, blocks);
    }
    return status == MICA_EMEMORY ? mica__fail_memory("conv", (size_t)w->size * c.unit) : status;
}
