/* Convolutions of single channels: each channel has a window of its own. A task does a block of
   places for some channels at a time. */
#include "backend/cpu/choose.h"
#include "backend/cpu/conv.h"
#include "backend/cpu/conv_loops.h"

enum { CHANNELS = 64, PLACES = 512, MOST_SPLITS = 16 };

typedef struct depthwise {
    mica__conv *c;
    const mica__depthwise_loops *loops;
    const char *cotangent;
    char *w, *y;         /* w: [chunks][taps of the window][channels] in the arithmetic's type */
    int64_t all, chunks; /* taps of the window; parts of the channels */
    int64_t splits;      /* of the sums for the weights */
    size_t at, line, sums, bytes;
} depthwise;

static int64_t channels_of(const mica__conv *c, int64_t chunk)
{
    int64_t left = c->groups - chunk * CHANNELS;
    return left < CHANNELS ? left : CHANNELS;
}

/* The window's weights of a chunk: [taps][channels], rows of CHANNELS for all but the last. */
static char *chunk_of(const depthwise *d, char *base, int64_t chunk)
{
    return base + chunk * d->all * CHANNELS * (int64_t)d->c->unit;
}

/* Where the taps of the phase are in the source; and, if wanted, which of the window they are. */
static void find_taps(const mica__conv *c, const mica__conv_source *s, int64_t *at, int64_t *which)
{
    const mica__conv_axis *a = c->axis;
    for (int64_t z = 0; z < a[0].taps; z++)
        for (int64_t y = 0; y < a[1].taps; y++)
            for (int64_t x = 0; x < a[2].taps; x++) {
                *at++ = mica__conv_tap(c, s, 0, z) + mica__conv_tap(c, s, 1, y) +
                        mica__conv_tap(c, s, 2, x);
                *which++ = (a[0].tap[z] * c->window[1] + a[1].tap[y]) * c->window[2] + a[2].tap[x];
            }
}

typedef struct block {
    char *memory, *line, *weights;
    int64_t *at, *which;
    mica__conv_source s;
    mica__depthwise_row row;
} block;

static bool open_block(const depthwise *d, block *b)
{
    void *memory;
    if (mica__memory_take(d->bytes, &memory) != MICA_OK) {
        atomic_store(&d->c->status, MICA_EMEMORY);
        return false;
    }
    b->memory = memory;
    b->at = (void *)(b->memory + d->at);
    b->which = b->at + d->c->taps;
    b->line = b->memory + d->line;
    b->weights = b->memory + d->sums;
    return true;
}

static void look(const depthwise *d, block *b, int64_t n, int64_t index, int64_t chunk)
{
    const mica__conv *c = d->c;
    int64_t channels = channels_of(c, chunk);
    mica__conv_look(c, n, index, chunk * CHANNELS, channels, b->memory, &b->s);
    find_taps(c, &b->s, b->at, b->which);
    b->row = (mica__depthwise_row){ .places = b->s.count[2],
                                    .channels = channels,
                                    .taps = c->taps,
                                    .at = b->at,
                                    .place = b->s.place[2] };
}

static void set_row(const depthwise *d, block *b, int64_t z, int64_t y)
{
    b->row.x = b->s.data + (z * b->s.place[0] + y * b->s.place[1]) * (int64_t)d->c->unit;
}

static void copy_tap(const mica__conv *c, const char *from, char *to, int64_t channels)
{
    memcpy(to, from, (size_t)channels * c->unit);
}

static void forward_task(void *context, size_t task)
{
    const depthwise *d = context;
    const mica__conv *c = d->c;
    int64_t index = (int64_t)task, chunk = index % d->chunks, unit = (int64_t)c->unit;
    int64_t n = index / d->chunks / c->blocks, apart = c->axis[2].step * c->groups;
    block b;
    if (!open_block(d, &b)) return;
    look(d, &b, n, index / d->chunks % c->blocks, chunk);
    int64_t channels = b.row.channels;
    for (int64_t t = 0; t < c->taps; t++)
        copy_tap(c, chunk_of(d, d->w, chunk) + b.which[t] * channels * unit,
                 b.weights + t * channels * unit, channels);
    for (int64_t z = 0; z < b.s.count[0]; z++)
        for (int64_t y = 0; y < b.s.count[1]; y++) {
            int64_t to = mica__conv_row(c, &b.s, n, z, y) + chunk * CHANNELS;
            set_row(d, &b, z, y);
            if (!c->rounds) {
                d->loops->forward(&b.row, b.weights, d->y + to * unit, apart);
                continue;
            }
            d->loops->forward(&b.row, b.weights, b.line, channels);
            for (int64_t x = 0; x < b.s.count[2]; x++)
                c->isa->narrow[c->store]((size_t)channels,
                                         (const float *)(void *)b.line + x * channels,
                                         (uint16_t *)(void *)d->y + to + x * apart);
        }
    mica__memory_give(b.memory, d->bytes);
}

/* One split's share of the sums for the weights. */
static void weight_task(void *context, size_t task)
{
    const depthwise *d = context;
    const mica__conv *c = d->c;
    int64_t index = (int64_t)task, chunk = index % d->chunks, split = index / d->chunks;
    int64_t blocks = c->batch * c->blocks, unit = (int64_t)c->unit;
    int64_t apart = c->axis[2].step * c->groups;
    block b;
    if (!open_block(d, &b)) return;
    char *sums = chunk_of(d, d->w + split * d->chunks * d->all * CHANNELS * unit, chunk);
    int64_t channels = channels_of(c, chunk);
    memset(b.weights, 0, (size_t)(c->taps * channels * unit));
    for (int64_t i = blocks * split / d->splits; i < blocks * (split + 1) / d->splits; i++) {
        look(d, &b, i / c->blocks, i % c->blocks, chunk);
        for (int64_t z = 0; z < b.s.count[0]; z++)
            for (int64_t y = 0; y < b.s.count[1]; y++) {
                int64_t from = mica__conv_row(c, &b.s, i / c->blocks, z, y) + chunk * CHANNELS;
                set_row(d, &b, z, y);
                if (!c->rounds) {
                    d->loops->weight(&b.row, d->cotangent + from * unit, apart, b.weights);
                    continue;
                }
                for (int64_t x = 0; x < b.s.count[2]; x++)
                    c->isa->widen[c->store]((size_t)channels,
                                            (const uint16_t *)(const void *)d->cotangent + from +
                                                x * apart,
                                            (float *)(void *)b.line + x * channels);
                d->loops->weight(&b.row, b.line, channels, b.weights);
            }
    }
    /* A tap belongs to one phase alone. */
    if (blocks * (split + 1) / d->splits > blocks * split / d->splits)
        for (int64_t t = 0; t < c->taps; t++)
            copy_tap(c, b.weights + t * channels * unit, sums + b.which[t] * channels * unit,
                     channels);
    mica__memory_give(b.memory, d->bytes);
}

static int cut(depthwise *d)
{
    mica__conv *c = d->c;
    int64_t channels = c->groups < CHANNELS ? c->groups : CHANNELS;
    MICA_TRY(mica__conv_cut(c, PLACES, channels));
    d->at = ((size_t)c->source_size * c->unit + 63) / 64 * 64;
    d->line = d->at + (size_t)c->taps * 2 * sizeof(int64_t);
    d->sums = d->line + (c->rounds ? (size_t)(c->axis[2].block * channels) * c->unit : 0);
    d->bytes = d->sums + (size_t)(c->taps * channels) * c->unit;
    return MICA_OK;
}

static int forward_phase(mica__conv *c, void *context)
{
    depthwise *d = context;
    MICA_TRY(cut(d));
    mica__parallel((size_t)(c->batch * c->blocks * d->chunks), forward_task, d);
    return atomic_load(&c->status);
}
static int weight_phase(mica__conv *c, void *context)
{
    depthwise *d = context;
    MICA_TRY(cut(d));
    mica__parallel((size_t)(d->splits * d->chunks), weight_task, d);
    return atomic_load(&c->status);
}

/* ---- weights between [channel][tap] and the chunks ---- */

static void load_weights(const depthwise *d, const char *w)
{
    const mica__conv *c = d->c;
    for (int64_t channel = 0; channel < c->groups; channel++) {
        int64_t chunk = channel / CHANNELS, row = channels_of(c, chunk);
        char *to = chunk_of(d, d->w, chunk) + channel % CHANNELS * (int64_t)c->unit;
        for (int64_t t = 0; t < d->all; t++, w += c->item, to += row * (int64_t)c->unit) {
            if (c->rounds) c->isa->widen[c->store](1, w, (float *)(void *)to);
            else memcpy(to, w, c->unit);
        }
    }
}

static void store_weights(const depthwise *d, char *w)
{
    const mica__conv *c = d->c;
    int64_t unit = (int64_t)c->unit, apart = d->chunks * d->all * CHANNELS;
    for (int64_t channel = 0; channel < c->groups; channel++) {
        int64_t chunk = channel / CHANNELS, row = channels_of(c, chunk);
        const char *from = chunk_of(d, d->w, chunk) + channel % CHANNELS * unit;
        for (int64_t t = 0; t < d->all; t++, w += c->item, from += row * unit) {
            if (unit == 8) {
                double sum = 0;
                for (int64_t k = 0; k < d->splits; k++)
                    sum += ((const double *)(const void *)from)[k * apart];
                memcpy(w, &sum, 8);
                continue;
            }
            float sum = 0;
            for (int64_t k = 0; k < d->splits; k++)
                sum += ((const float *)(const void *)from)[k * apart];
            if (c->rounds) c->isa->narrow[c->store](1, &sum, w);
            else memcpy(w, &sum, 4);
        }
    }
}

static int begin(depthwise *d, mica__conv *c, int64_t splits, void **memory, size_t *bytes)
{
    *d = (depthwise){ .c = c,
                      .loops = &(*MICA_CHOOSE(mica__depthwise_))[c->unit == 8],
                      .splits = splits };
    d->all = c->window[0] * c->window[1] * c->window[2];
    d->chunks = (c->groups + CHANNELS - 1) / CHANNELS;
    if (mica__mul_overflow((size_t)(splits * d->chunks * d->all), CHANNELS * c->unit, bytes))
        return MICA_EMEMORY;
    return mica__memory_take(*bytes, memory);
}

int mica__conv_depthwise(mica__conv *c, const char *w, char *y)
{
    depthwise d;
    void *memory;
    size_t bytes;
    MICA_TRY(begin(&d, c, 1, &memory, &bytes));
    d.w = memory;
    d.y = y;
    load_weights(&d, w);
    int status = mica__conv_phases(c, forward_phase, &d);
    mica__memory_give(memory, bytes);
    return status;
}

int mica__conv_depthwise_weight(mica__conv *c, const char *cotangent, char *w)
{
    depthwise d;
    void *memory;
    size_t bytes;
    int64_t places = c->out[0] * c->out[1] * c->out[2];
    int64_t splits = c->batch * ((places + PLACES - 1) / PLACES);
    MICA_TRY(begin(&d, c, splits < MOST_SPLITS ? splits : MOST_SPLITS, &memory, &bytes));
    memset(memory, 0, bytes);
    d.w = memory;
    d.cotangent = cotangent;
    int status = mica__conv_phases(c, weight_phase, &d);
    if (status == MICA_OK) store_weights(&d, w);
    mica__memory_give(memory, bytes);
    return status;
}
