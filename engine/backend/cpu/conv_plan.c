/* Phases, blocks and sources of convolutions. */
#include "backend/cpu/conv.h"

static int64_t gcd(int64_t a, int64_t b)
{
    while (b) {
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

int mica__conv_begin(mica__conv *c, mica__launch *l, const mica_array *x, const mica_array *w,
                     const mica_array *y)
{
    const struct mica__conv_params *p = l->node->params;
    int n = x->ndim - 2, missing = MICA_CONV_AXES - n;
    *c = (mica__conv){ .dtype = (mica_dtype)x->dtype,
                       .isa = mica__gemm_kernels(),
                       .store = mica__gemm_store_of((mica_dtype)x->dtype),
                       .item = mica_dtype_size((mica_dtype)x->dtype),
                       .unit = x->dtype == MICA_FLOAT64 ? 8 : 4,
                       .rounds = mica__is_half((mica_dtype)x->dtype),
                       .flip = p->flip,
                       .batch = x->shape[0],
                       .groups = p->groups,
                       .inputs = w->shape[n + 1],
                       .outputs = w->shape[0] / p->groups,
                       .x = x->data };
    mica__gemm_store plain = c->unit == 8 ? MICA_STORE_F64 : MICA_STORE_F32;
    c->tile = c->isa->tile[plain];
    c->rows = (int64_t)c->isa->rows;
    c->width = (int64_t)c->isa->columns[plain];
    c->widens = c->rounds;
    c->grain = 1;
    atomic_init(&c->status, MICA_OK);
    for (int i = 0; i < MICA_CONV_AXES; i++) {
        bool there = i >= missing;
        int at = i - missing;
        c->in[i] = there ? x->shape[at + 1] : 1;
        c->out[i] = there ? y->shape[at + 1] : 1;
        c->window[i] = there ? w->shape[at + 1] : 1;
        c->stride[i] = there ? p->stride.at[at] : 1;
        c->low[i] = there ? p->low.at[at] : 0;
        c->kernel_dilation[i] = there ? p->kernel_dilation.at[at] : 1;
        c->input_dilation[i] = there ? p->input_dilation.at[at] : 1;
        mica__conv_axis *a = &c->axis[i];
        a->size = c->in[i];
        a->step = c->input_dilation[i] / gcd(c->stride[i], c->input_dilation[i]);
        a->stride = c->stride[i] / gcd(c->stride[i], c->input_dilation[i]);
        size_t bytes;
        if (mica__mul_overflow((size_t)c->window[i], 2 * sizeof(int64_t), &bytes))
            return mica__fail(MICA_EOVERFLOW, "[conv] the window is too large");
        a->tap = mica__arena_alloc(&l->scratch, bytes + 16);
        if (!a->tap) return MICA_EMEMORY;
        a->offset = a->tap + c->window[i];
    }
    return MICA_OK;
}

void mica__conv_use_pairs(mica__conv *c)
{
    const mica__gemm_pairs *pairs = c->dtype == MICA_BFLOAT16 ? mica__gemm_pair_kernels() : NULL;
    if (!pairs || !c->inputs || c->inputs % (2 * (int64_t)pairs->step)) return;
    c->widens = false;
    c->inputs /= 2;
    c->item = c->unit;
    c->tile = pairs->tile;
    c->rows = (int64_t)pairs->rows;
    c->width = (int64_t)pairs->columns;
    c->grain = (int64_t)pairs->step;
}

/* The taps that places first, first + step, ... meet. */
static void set_phase(const mica__conv *c, int i, mica__conv_axis *a, int64_t first)
{
    a->first = first;
    a->count = (c->out[i] - first + a->step - 1) / a->step;
    a->taps = 0;
    for (int64_t k = 0; k < c->window[i]; k++) {
        int64_t at = c->stride[i] * first + k * c->kernel_dilation[i] - c->low[i];
        if (at % c->input_dilation[i]) continue;
        a->tap[a->taps] = c->flip ? c->window[i] - 1 - k : k;
        a->offset[a->taps++] = at / c->input_dilation[i];
    }
    /* What lies outside for all places counts for nothing. */
    int64_t reach = (a->count - 1) * a->stride, kept = 0;
    for (int64_t t = 0; t < a->taps; t++) {
        if (a->offset[t] >= a->size || a->offset[t] + reach < 0) continue;
        a->tap[kept] = a->tap[t];
        a->offset[kept++] = a->offset[t];
    }
    a->taps = kept;
}

int mica__conv_phases(mica__conv *c, int (*run)(mica__conv *c, void *context), void *context)
{
    int64_t n[MICA_CONV_AXES];
    for (int i = 0; i < MICA_CONV_AXES; i++)
        n[i] = c->axis[i].step < c->out[i] ? c->axis[i].step : c->out[i];
    for (int64_t z = 0; z < n[0]; z++) {
        set_phase(c, 0, &c->axis[0], z);
        for (int64_t y = 0; y < n[1]; y++) {
            set_phase(c, 1, &c->axis[1], y);
            for (int64_t x = 0; x < n[2]; x++) {
                set_phase(c, 2, &c->axis[2], x);
                c->taps = c->axis[0].taps * c->axis[1].taps * c->axis[2].taps;
                c->steps = c->taps * c->inputs;
                if (c->steps) MICA_TRY(run(c, context));
                MICA_TRY(atomic_load(&c->status));
            }
        }
    }
    return MICA_OK;
}

/* ---- blocks ---- */

/* Positions that `count` places see, side by side or apart. */
static int64_t shared_size(const mica__conv_axis *a, int64_t count)
{
    return (count - 1) * a->stride + a->offset[a->taps - 1] - a->offset[0] + 1;
}
static bool is_apart(const mica__conv_axis *a, int64_t count)
{
    return (double)a->taps * (double)count < (double)shared_size(a, count);
}
static double positions(const mica__conv_axis *a, int64_t count)
{
    return is_apart(a, count) ? (double)a->taps * (double)count : (double)shared_size(a, count);
}

static double source_size(const mica__conv *c, int64_t channels)
{
    double size = (double)channels;
    for (int i = 0; i < MICA_CONV_AXES; i++) size *= positions(&c->axis[i], c->axis[i].block);
    return size;
}

static void set_block(mica__conv_axis *a, int64_t most)
{
    if (most < 1) most = 1;
    a->blocks = (a->count + most - 1) / most;
    a->block = (a->count + a->blocks - 1) / a->blocks;
    a->blocks = (a->count + a->block - 1) / a->block;
}

int mica__conv_cut(mica__conv *c, int64_t places, int64_t channels)
{
    const double most = 64 * 1024; /* elements of a source: they stay in the second cache */
    mica__conv_axis *a = c->axis;
    set_block(&a[2], places < 72 ? places : 72);
    set_block(&a[1], places / a[2].block);
    set_block(&a[0], places / (a[2].block * a[1].block));
    for (int i = 0; i < MICA_CONV_AXES; i++)
        while (source_size(c, channels) > most && a[i].block > (i == 2 ? 12 : 1))
            set_block(&a[i], (a[i].block + 1) / 2);
    double size = source_size(c, channels);
    if (size * (double)c->unit > 1e15) return mica__fail_memory("conv", SIZE_MAX);
    c->source_size = (int64_t)size;
    c->blocks = a[0].blocks * a[1].blocks * a[2].blocks;
    return MICA_OK;
}

/* ---- sources ---- */

static int64_t position(const mica__conv_axis *a, const mica__conv_source *s, int i, int64_t at)
{
    int64_t p = s->first[i] * a->stride + a->offset[0] + at;
    if (s->apart[i]) p = (s->first[i] + at % s->count[i]) * a->stride + a->offset[at / s->count[i]];
    return p >= 0 && p < a->size ? p : -1;
}

static void copy_elements(const mica__conv *c, int64_t n, const char *from, char *to)
{
    if (c->widens) c->isa->widen[c->store]((size_t)n, from, (void *)to);
    else memcpy(to, from, (size_t)n * c->unit);
}

/* One line of positions along the last axis. */
static void copy_line(const mica__conv *c, const mica__conv_source *s, const char *from,
                      int64_t size, int64_t channels, char *to)
{
    const mica__conv_axis *a = &c->axis[2];
    int64_t all = c->groups * c->inputs, unit = (int64_t)c->unit, item = (int64_t)c->item;
    for (int64_t i = 0; i < size;) {
        int64_t p = from ? position(a, s, 2, i) : -1, run = 1;
        char *out = to + i * channels * unit;
        if (p < 0) {
            while (i + run < size && (!from || position(a, s, 2, i + run) < 0)) run++;
            memset(out, 0, (size_t)(run * channels * unit));
        } else if (all == channels) {
            while (i + run < size && position(a, s, 2, i + run) == p + run) run++;
            copy_elements(c, run * channels, from + p * all * item, out);
        } else {
            copy_elements(c, channels, from + p * all * item, out);
        }
        i += run;
    }
}

/* True where the block needs no zeros and no conversion. */
static bool lies_inside(const mica__conv *c, const mica__conv_source *s)
{
    for (int i = 0; i < MICA_CONV_AXES; i++) {
        const mica__conv_axis *a = &c->axis[i];
        int64_t low = s->first[i] * a->stride + a->offset[0];
        int64_t high = (s->first[i] + s->count[i] - 1) * a->stride + a->offset[a->taps - 1];
        if (low < 0 || high >= a->size) return false;
    }
    return !c->widens;
}

void mica__conv_look(const mica__conv *c, int64_t n, int64_t index, int64_t channel,
                     int64_t channels, char *room, mica__conv_source *s)
{
    int64_t all = c->groups * c->inputs, size[MICA_CONV_AXES];
    for (int i = MICA_CONV_AXES - 1; i >= 0; i--) {
        const mica__conv_axis *a = &c->axis[i];
        s->first[i] = index % a->blocks * a->block;
        s->count[i] = a->count - s->first[i] < a->block ? a->count - s->first[i] : a->block;
        index /= a->blocks;
        s->apart[i] = false;
    }
    const char *x = c->x + (n * c->in[0] * c->in[1] * c->in[2] * all + channel) * (int64_t)c->item;
    if (lies_inside(c, s)) {
        s->stride[2] = all;
        s->stride[1] = all * c->in[2];
        s->stride[0] = s->stride[1] * c->in[1];
        s->data = x;
        for (int i = 0; i < MICA_CONV_AXES; i++) {
            const mica__conv_axis *a = &c->axis[i];
            s->place[i] = a->stride * s->stride[i];
            s->data += (s->first[i] * a->stride + a->offset[0]) * s->stride[i] * (int64_t)c->unit;
        }
        return;
    }
    for (int i = 0; i < MICA_CONV_AXES; i++) {
        s->apart[i] = is_apart(&c->axis[i], s->count[i]);
        size[i] = (int64_t)positions(&c->axis[i], s->count[i]);
    }
    s->data = room;
    s->stride[2] = channels;
    s->stride[1] = channels * size[2];
    s->stride[0] = s->stride[1] * size[1];
    for (int i = 0; i < MICA_CONV_AXES; i++)
        s->place[i] = s->apart[i] ? s->stride[i] : c->axis[i].stride * s->stride[i];
    for (int64_t z = 0; z < size[0]; z++)
        for (int64_t y = 0; y < size[1]; y++, room += s->stride[1] * (int64_t)c->unit) {
            int64_t pz = position(&c->axis[0], s, 0, z), py = position(&c->axis[1], s, 1, y);
            const char *from = NULL;
            if (pz >= 0 && py >= 0)
                from = x + (pz * c->in[1] + py) * c->in[2] * all * (int64_t)c->item;
            copy_line(c, s, from, size[2], channels, room);
        }
}

int64_t mica__conv_tap(const mica__conv *c, const mica__conv_source *s, int axis, int64_t t)
{
    const mica__conv_axis *a = &c->axis[axis];
    return s->stride[axis] * (s->apart[axis] ? t * s->count[axis] : a->offset[t] - a->offset[0]);
}

int64_t mica__conv_pieces(const mica__conv *c, const mica__conv_source *s, int64_t channels,
                          int64_t most, mica__conv_piece *pieces)
{
    int64_t n = 0, nx = c->axis[2].taps;
    for (int64_t z = 0; z < c->axis[0].taps; z++)
        for (int64_t y = 0; y < c->axis[1].taps; y++)
            for (int64_t x = 0; x < nx;) {
                int64_t start = mica__conv_tap(c, s, 2, x), run = channels;
                for (x++; x < nx && mica__conv_tap(c, s, 2, x) == start + run; x++) run += channels;
                start += mica__conv_tap(c, s, 0, z) + mica__conv_tap(c, s, 1, y);
                int64_t parts = (run + most - 1) / most, part = (run + parts - 1) / parts;
                part = (part + c->grain - 1) / c->grain * c->grain;
                for (int64_t at = 0; at < run; at += part)
                    pieces[n++] =
                        (mica__conv_piece){ start + at, at + part < run ? part : run - at };
            }
    return n;
}

int64_t mica__conv_row(const mica__conv *c, const mica__conv_source *s, int64_t n, int64_t z,
                       int64_t y)
{
    const mica__conv_axis *a = c->axis;
    int64_t at = n * c->out[0] + a[0].first + (s->first[0] + z) * a[0].step;
    at = at * c->out[1] + a[1].first + (s->first[1] + y) * a[1].step;
    at = at * c->out[2] + a[2].first + s->first[2] * a[2].step;
    return at * c->groups * c->outputs;
}
