/* The kernel of conv: an implicit matrix product of windows and weights. The micro-kernels of the
   matrix product read the windows where they lie in the source of a block, row after row of the
   window; only windows with short rows are laid out one after the other, for a block and some
   hundred steps at a time. */
#include "backend/cpu/conv.h"
#include "runtime/pool.h"

enum {
    STEPS = 384,       /* of the sums, that a kernel adds at once */
    SHORT = 24,        /* pieces below this are laid out */
    PLACES = 128,      /* a block */
    ENOUGH_TASKS = 16, /* then columns are not cut */
};

typedef struct forward {
    mica__conv *c;
    const char *w;
    char *y;
    char *packed;                      /* [groups][strips][steps][width] */
    int64_t strips;                    /* of the columns of a group */
    int64_t chunk, chunks;             /* columns of a task, in strips */
    int64_t most;                      /* steps of a piece */
    size_t panel, sums, pieces, bytes; /* of a task's memory: where parts end */
} forward;

/* ---- weights, packed for the phase: the taps that it meets ---- */

static void pack_task(void *context, size_t index)
{
    const forward *f = context;
    const mica__conv *c = f->c;
    int64_t strip = (int64_t)index % f->strips, group = (int64_t)index / f->strips;
    int64_t all = c->window[0] * c->window[1] * c->window[2];
    mica__gemm_operand o =
        mica__conv_operand(c, f->w, (ptrdiff_t)(all * c->inputs), 1, (size_t)c->inputs);
    int64_t line = strip * c->width,
            lines = c->outputs - line < c->width ? c->outputs - line : c->width;
    char *to = f->packed + (group * f->strips + strip) * c->steps * c->width * (int64_t)c->unit;
    const mica__conv_axis *a = c->axis;
    for (int64_t z = 0; z < a[0].taps; z++)
        for (int64_t y = 0; y < a[1].taps; y++)
            for (int64_t x = 0; x < a[2].taps; x++) {
                int64_t tap =
                    (a[0].tap[z] * c->window[1] + a[1].tap[y]) * c->window[2] + a[2].tap[x];
                ptrdiff_t offset = (group * c->outputs * all + tap) * c->inputs;
                mica__gemm_pack(&o, offset, (size_t)line, (size_t)lines, (size_t)c->width, true, 0,
                                (size_t)c->inputs, to);
                to += c->inputs * c->width * (int64_t)c->unit;
            }
}

/* ---- a block ---- */

/* Some steps of all windows of a block, one window after the other. */
static void lay_out(const mica__conv *c, const mica__conv_source *s, const mica__conv_piece *pieces,
                    int64_t n, char *to)
{
    int64_t unit = (int64_t)c->unit;
    for (int64_t z = 0; z < s->count[0]; z++)
        for (int64_t y = 0; y < s->count[1]; y++)
            for (int64_t x = 0; x < s->count[2]; x++) {
                const char *from =
                    s->data + (z * s->place[0] + y * s->place[1] + x * s->place[2]) * unit;
                for (int64_t i = 0; i < n; i++) {
                    const char *in = from + pieces[i].at * unit;
                    int64_t steps = pieces[i].steps;
                    if (unit == 4)
                        for (int64_t k = 0; k < steps; k++)
                            ((float *)(void *)to)[k] = ((const float *)(const void *)in)[k];
                    else
                        for (int64_t k = 0; k < steps; k++)
                            ((double *)(void *)to)[k] = ((const double *)(const void *)in)[k];
                    to += steps * unit;
                }
            }
}

/* What one strip of columns adds over consecutive pieces. */
typedef struct strip {
    const char *a;        /* the first place's window */
    ptrdiff_t a_place[3]; /* units */
    const mica__conv_piece *pieces;
    int64_t n;
    const char *b;
    int64_t columns;
    char *to; /* the first place's sums */
    ptrdiff_t to_place[3];
    bool add;
} strip;

static void add_strip(const mica__conv *c, const mica__conv_source *s, const strip *t)
{
    int64_t unit = (int64_t)c->unit, rows = c->rows, count = s->count[2];
    int64_t tiles = (count + rows - 1) / rows;
    for (int64_t z = 0; z < s->count[0]; z++)
        for (int64_t y = 0; y < s->count[1]; y++) {
            const char *a = t->a + (z * t->a_place[0] + y * t->a_place[1]) * unit;
            char *to = t->to + (z * t->to_place[0] + y * t->to_place[1]) * unit;
            for (int64_t i = 0; i < tiles; i++) {
                int64_t lines = count / tiles + (i < count % tiles);
                const char *b = t->b;
                for (int64_t p = 0; p < t->n; p++) {
                    c->tile[lines - 1]((size_t)t->pieces[p].steps, a + t->pieces[p].at * unit,
                                       t->a_place[2], 1, b, c->width, to, t->to_place[2],
                                       (size_t)t->columns, t->add || p > 0);
                    b += t->pieces[p].steps * c->width * unit;
                }
                a += lines * t->a_place[2] * unit;
                to += lines * t->to_place[2] * unit;
            }
        }
}

/* Float32 sums of the block, [z][y][x][columns], as halves in the result. */
static void store_halves(const forward *f, const mica__conv_source *s, int64_t n, int64_t column,
                         int64_t columns, const float *sums)
{
    const mica__conv *c = f->c;
    int64_t apart = c->axis[2].step * c->groups * c->outputs;
    for (int64_t z = 0; z < s->count[0]; z++)
        for (int64_t y = 0; y < s->count[1]; y++) {
            uint16_t *to = (uint16_t *)(void *)f->y + mica__conv_row(c, s, n, z, y) + column;
            for (int64_t x = 0; x < s->count[2]; x++, sums += columns, to += apart)
                c->isa->narrow[c->store]((size_t)columns, sums, to);
        }
}

/* Consecutive pieces that a kernel adds at once. */
static int64_t some_pieces(const mica__conv_piece *pieces, int64_t n, int64_t *steps)
{
    int64_t taken = 0;
    *steps = 0;
    while (taken < n && (!taken || *steps + pieces[taken].steps <= STEPS))
        *steps += pieces[taken++].steps;
    return taken;
}

static void add_pieces(const forward *f, const mica__conv_source *s, const mica__conv_piece *pieces,
                       int64_t n, int64_t first_step, int64_t steps, int64_t group, int64_t chunk,
                       char *panel, strip *t)
{
    const mica__conv *c = f->c;
    int64_t unit = (int64_t)c->unit, first = chunk * f->chunk;
    mica__conv_piece whole = { 0, steps };
    t->a = s->data;
    for (int i = 0; i < 3; i++) t->a_place[i] = s->place[i];
    t->pieces = pieces;
    t->n = n;
    if (n > 1 && steps < SHORT * n) {
        lay_out(c, s, pieces, n, panel);
        t->a = panel;
        t->pieces = &whole;
        t->n = 1;
        t->a_place[2] = steps;
        t->a_place[1] = steps * s->count[2];
        t->a_place[0] = t->a_place[1] * s->count[1];
    }
    char *to = t->to;
    for (int64_t j = first; j < first + f->chunk && j < f->strips; j++) {
        int64_t left = c->outputs - j * c->width;
        t->columns = left < c->width ? left : c->width;
        t->b = f->packed + ((group * f->strips + j) * c->steps + first_step) * c->width * unit;
        t->to = to + (j - first) * c->width * unit;
        add_strip(c, s, t);
    }
    t->to = to;
}

static void block_task(void *context, size_t task)
{
    const forward *f = context;
    mica__conv *c = f->c;
    int64_t index = (int64_t)task, chunk = index % f->chunks, group = index / f->chunks % c->groups;
    int64_t block = index / f->chunks / c->groups % c->blocks,
            n = index / f->chunks / c->groups / c->blocks;
    void *memory;
    if (mica__memory_take(f->bytes, &memory) != MICA_OK) {
        atomic_store(&c->status, MICA_EMEMORY);
        return;
    }
    char *room = memory, *panel = room + f->panel, *sums = room + f->sums;
    mica__conv_piece *pieces = (void *)(room + f->pieces);
    mica__conv_source s;
    mica__conv_look(c, n, block, group * c->inputs, c->inputs, room, &s);
    int64_t count = mica__conv_pieces(c, &s, c->inputs, f->most, pieces);
    int64_t column = chunk * f->chunk * c->width;
    int64_t columns = f->chunk * c->width;
    if (columns > c->outputs - column) columns = c->outputs - column;
    strip t = { 0 };
    if (c->rounds) {
        t.to = sums;
        t.to_place[2] = columns;
        t.to_place[1] = columns * s.count[2];
        t.to_place[0] = t.to_place[1] * s.count[1];
    } else {
        int64_t all = c->groups * c->outputs;
        t.to = f->y +
               (mica__conv_row(c, &s, n, 0, 0) + group * c->outputs + column) * (int64_t)c->unit;
        t.to_place[2] = c->axis[2].step * all;
        t.to_place[1] = c->axis[1].step * c->out[2] * all;
        t.to_place[0] = c->axis[0].step * c->out[1] * c->out[2] * all;
    }
    for (int64_t p = 0, step = 0, steps; p < count; step += steps) {
        int64_t some = some_pieces(pieces + p, count - p, &steps);
        t.add = p > 0;
        add_pieces(f, &s, pieces + p, some, step, steps, group, chunk, panel, &t);
        p += some;
    }
    if (c->rounds)
        store_halves(f, &s, n, group * c->outputs + column, columns, (const float *)(void *)sums);
    mica__memory_give(memory, f->bytes);
}

static size_t after(size_t at, int64_t count, size_t size)
{
    return (at + (size_t)count * size + 63) / 64 * 64;
}

static int run_phase(mica__conv *c, void *context)
{
    forward *f = context;
    MICA_TRY(mica__conv_cut(c, PLACES, c->inputs));
    int64_t places = c->axis[0].block * c->axis[1].block * c->axis[2].block;
    int64_t tasks = c->batch * c->blocks * c->groups, parts = (ENOUGH_TASKS + tasks - 1) / tasks;
    f->most = STEPS;
    f->strips = (c->outputs + c->width - 1) / c->width;
    f->chunk = (f->strips + parts - 1) / parts;
    if (f->chunk * c->width > 512) f->chunk = 512 / c->width;
    f->chunks = (f->strips + f->chunk - 1) / f->chunk;
    f->panel = after(0, c->source_size, c->unit);
    f->sums = after(f->panel, places * STEPS, c->unit);
    f->pieces = after(f->sums, c->rounds ? places * f->chunk * c->width : 0, c->unit);
    f->bytes = after(f->pieces, c->taps * (c->inputs / f->most + 2), sizeof(mica__conv_piece));
    size_t packed = (size_t)(c->groups * f->strips * c->width * c->steps) * c->unit;
    void *memory;
    MICA_TRY(mica__memory_take(packed, &memory));
    f->packed = memory;
    mica__parallel((size_t)(c->groups * f->strips), pack_task, f);
    mica__parallel((size_t)(tasks * f->chunks), block_task, f);
    mica__memory_give(memory, packed);
    return atomic_load(&c->status);
}

int mica__kernel_conv(mica__launch *l)
{
    const mica_array *x = l->in[0], *w = l->in[1];
    mica_array *y = &l->out[0];
    mica__conv c;
    if (!y->size) return MICA_OK;
    MICA_TRY(mica__conv_begin(&c, l, x, w, y));
    bool sparse = false; /* places that meet no tap may exist */
    for (int i = 0; i < MICA_CONV_AXES; i++)
        sparse |= c.input_dilation[i] > 1 || c.kernel_dilation[i] > 1 || c.low[i] < 0 ||
                  c.low[i] >= c.window[i] || !c.in[i] || !c.inputs;
    if (sparse) memset(y->data, 0, (size_t)y->size * c.item);
    int status;
    if (c.inputs == 1 && c.outputs == 1) {
        status = mica__conv_depthwise(&c, w->data, y->data);
    } else if (mica__conv_is_grouped(&c)) {
        status = mica__conv_grouped(&c, w->data, y->data);
    } else {
        forward f = { .c = &c, .w = w->data, .y = y->data };
        mica__conv_use_pairs(&c);
        status = mica__conv_phases(&c, run_phase, &f);
    }
    return status == MICA_EMEMORY
               ? mica__fail_memory("conv", (size_t)y->size * mica_dtype_size(c.dtype))
               : status;
}
