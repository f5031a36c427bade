/* Convolutions of groups of a few channels: too narrow for the matrix product. A task copies what
   its block needs of the input once for each input of a group, each number as often as its group
   has outputs. Then an output meets single channels, in as many taps more, and the loops are those
   of convolutions of single channels. */
#include "backend/cpu/choose.h"
#include "backend/cpu/conv.h"
#include "backend/cpu/conv_loops.h"

/* Outputs of a task; inputs and outputs of a group; places of a block. */
enum { CHANNELS = 32, MOST = 4, PLACES = 512 };

typedef struct grouped {
    mica__conv *c;
    const mica__depthwise_loops *loops;
    const char *w;
    char *y;
    float *packed;                  /* [chunks][taps][inputs][CHANNELS] */
    int64_t each, chunks;           /* groups of a chunk */
    size_t copies, line, at, bytes; /* of a task's memory: where parts begin */
} grouped;

bool mica__conv_is_grouped(const mica__conv *c)
{
    return c->unit == sizeof(float) && c->inputs <= MOST && c->outputs <= MOST && c->inputs &&
           c->groups * c->outputs >= 8;
}

static int64_t groups_of(const grouped *d, int64_t chunk)
{
    int64_t left = d->c->groups - chunk * d->each;
    return left < d->each ? left : d->each;
}

/* ---- weights of the phase ---- */

static void pack_task(void *context, size_t task)
{
    const grouped *d = context;
    const mica__conv *c = d->c;
    const mica__conv_axis *a = c->axis;
    int64_t chunk = (int64_t)task, channels = groups_of(d, chunk) * c->outputs;
    int64_t all = c->window[0] * c->window[1] * c->window[2], first = chunk * d->each * c->outputs;
    float *to = d->packed + chunk * c->taps * c->inputs * CHANNELS;
    for (int64_t z = 0; z < a[0].taps; z++)
        for (int64_t y = 0; y < a[1].taps; y++)
            for (int64_t x = 0; x < a[2].taps; x++) {
                int64_t tap =
                    (a[0].tap[z] * c->window[1] + a[1].tap[y]) * c->window[2] + a[2].tap[x];
                for (int64_t i = 0; i < c->inputs; i++)
                    for (int64_t k = 0; k < channels; k++, to++) {
                        int64_t at = ((first + k) * all + tap) * c->inputs + i;
                        const char *from = d->w + at * (int64_t)c->item;
                        if (c->rounds) c->isa->widen[c->store](1, from, to);
                        else memcpy(to, from, sizeof *to);
                    }
            }
}

/* ---- a block ---- */

/* Positions of an axis as the copies hold them: side by side, or apart for each tap where that is
   less. */
typedef struct line {
    int64_t size, count;
    bool apart;          /* the copies */
    const int64_t *taps; /* where the source is not apart: of mica__conv_axis */
    int64_t stride;
} line;

static line line_of(const mica__conv *c, const mica__conv_source *s, int i)
{
    const mica__conv_axis *a = &c->axis[i];
    int64_t count = s->count[i], apart = a->taps * count,
            shared = (count - 1) * a->stride + a->offset[a->taps - 1] - a->offset[0] + 1;
    line l = { .size = apart < shared ? apart : shared, .count = count, .apart = apart < shared };
    if (l.apart && !s->apart[i]) {
        l.taps = a->offset;
        l.stride = a->stride;
    }
    return l;
}

/* Where position i of the copies is in the source. */
static int64_t position(const line *l, int64_t i)
{
    return l->taps ? i % l->count * l->stride + l->taps[i / l->count] - l->taps[0] : i;
}

/* Input i of each group, `outputs` times. */
static void repeat(const mica__conv *c, int64_t groups, const float *x, float *to)
{
    typedef float four __attribute__((vector_size(16), aligned(4), may_alias));
    if (c->outputs == 4) {
        for (int64_t g = 0; g < groups; g++)
            *(four *)(void *)(to + 4 * g) = (four){ 0 } + x[g * c->inputs];
        return;
    }
    for (int64_t g = 0; g < groups; g++)
        for (int64_t k = 0; k < c->outputs; k++) *to++ = x[g * c->inputs];
}

/* Copies the source for each input, one copy behind the other; returns their distance. */
static int64_t copy_inputs(const mica__conv *c, mica__conv_source *s, int64_t groups, float *to)
{
    const float *x = (const float *)(const void *)s->data;
    line l[MICA_CONV_AXES];
    for (int i = 0; i < MICA_CONV_AXES; i++) l[i] = line_of(c, s, i);
    const int64_t channels = groups * c->outputs,
                  copy = l[0].size * l[1].size * l[2].size * channels;
    for (int64_t i = 0; i < c->inputs; i++) {
        float *out = to + i * copy;
        for (int64_t z = 0; z < l[0].size; z++)
            for (int64_t y = 0; y < l[1].size; y++) {
                const float *from =
                    x + position(&l[0], z) * s->stride[0] + position(&l[1], y) * s->stride[1] + i;
                for (int64_t p = 0; p < l[2].size; p++, out += channels)
                    repeat(c, groups, from + position(&l[2], p) * s->stride[2], out);
            }
    }
    const int64_t stride[MICA_CONV_AXES] = { l[1].size * l[2].size * channels, l[2].size * channels,
                                             channels };
    for (int i = 0; i < MICA_CONV_AXES; i++) {
        s->apart[i] = l[i].apart;
        s->stride[i] = stride[i];
        s->place[i] = l[i].apart ? stride[i] : c->axis[i].stride * stride[i];
    }
    s->data = (const char *)to;
    return copy;
}

static void find_taps(const mica__conv *c, const mica__conv_source *s, int64_t copy, int64_t *at)
{
    const mica__conv_axis *a = c->axis;
    for (int64_t z = 0; z < a[0].taps; z++)
        for (int64_t y = 0; y < a[1].taps; y++)
            for (int64_t x = 0; x < a[2].taps; x++)
                for (int64_t i = 0; i < c->inputs; i++)
                    *at++ = mica__conv_tap(c, s, 0, z) + mica__conv_tap(c, s, 1, y) +
                            mica__conv_tap(c, s, 2, x) + i * copy;
}

static void rows_of(const grouped *d, const mica__conv_source *s, int64_t n, int64_t chunk,
                    const int64_t *at, float *line)
{
    const mica__conv *c = d->c;
    const float *w = d->packed + chunk * c->taps * c->inputs * CHANNELS;
    int64_t channels = groups_of(d, chunk) * c->outputs,
            apart = c->axis[2].step * c->groups * c->outputs;
    mica__depthwise_row row = { .places = s->count[2],
                                .channels = channels,
                                .taps = c->taps * c->inputs,
                                .at = at,
                                .place = s->place[2] };
    for (int64_t z = 0; z < s->count[0]; z++)
        for (int64_t y = 0; y < s->count[1]; y++) {
            int64_t to = mica__conv_row(c, s, n, z, y) + chunk * d->each * c->outputs;
            row.x = s->data + (z * s->place[0] + y * s->place[1]) * (int64_t)sizeof(float);
            if (!c->rounds) {
                d->loops->forward(&row, w, d->y + to * (int64_t)sizeof(float), apart);
                continue;
            }
            d->loops->forward(&row, w, line, channels);
            for (int64_t x = 0; x < s->count[2]; x++)
                c->isa->narrow[c->store]((size_t)channels, line + x * channels,
                                         (uint16_t *)(void *)d->y + to + x * apart);
        }
}

static void block_task(void *context, size_t task)
{
    const grouped *d = context;
    const mica__conv *c = d->c;
    int64_t index = (int64_t)task, chunk = index % d->chunks, n = index / d->chunks / c->blocks;
    void *memory;
    if (mica__memory_take(d->bytes, &memory) != MICA_OK) {
        atomic_store(&d->c->status, MICA_EMEMORY);
        return;
    }
    char *room = memory;
    int64_t *at = (void *)(room + d->at), groups = groups_of(d, chunk);
    mica__conv_source s;
    mica__conv_look(c, n, index / d->chunks % c->blocks, chunk * d->each * c->inputs,
                    groups * c->inputs, room, &s);
    int64_t copy = copy_inputs(c, &s, groups, (void *)(room + d->copies));
    find_taps(c, &s, copy, at);
    rows_of(d, &s, n, chunk, at, (void *)(room + d->line));
    mica__memory_give(memory, d->bytes);
}

static size_t after(size_t at, int64_t count, size_t size)
{
    return (at + (size_t)count * size + 63) / 64 * 64;
}

static int run_phase(mica__conv *c, void *context)
{
    grouped *d = context;
    MICA_TRY(mica__conv_cut(c, PLACES, d->each * c->outputs * c->inputs));
    d->copies = after(0, c->source_size / c->outputs + c->inputs, c->unit);
    d->line = after(d->copies, c->source_size, c->unit);
    d->at = after(d->line, c->rounds ? c->axis[2].block * CHANNELS : 0, c->unit);
    d->bytes = after(d->at, c->taps * c->inputs, sizeof(int64_t));
    size_t packed = (size_t)(d->chunks * c->taps * c->inputs * CHANNELS) * sizeof(float);
    void *memory;
    MICA_TRY(mica__memory_take(packed, &memory));
    d->packed = memory;
    mica__parallel((size_t)d->chunks, pack_task, d);
    mica__parallel((size_t)(c->batch * c->blocks * d->chunks), block_task, d);
    mica__memory_give(memory, packed);
    return atomic_load(&c->status);
}

int mica__conv_grouped(mica__conv *c, const char *w, char *y)
{
    grouped d = { .c = c,
                  .loops = &(*MICA_CHOOSE(mica__depthwise_))[0],
                  .w = w,
                  .y = y,
                  .each = CHANNELS / c->outputs };
    if (d.each > c->groups) d.each = c->groups;
    d.chunks = (c->groups + d.each - 1) / d.each;
    return mica__conv_phases(c, run_phase, &d);
}
