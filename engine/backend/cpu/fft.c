/* Kernels of fft, rfft and irfft along any axis. Many short sequences are transformed side by side;
   long ones and single ones one after the other (fft_row.c). */
#include "backend/cpu/fft.h"

#include "backend/cpu/choose.h"
#include "backend/cpu/kernel.h"

enum { FEW = 4, LONG_ROW = 4096, LONG_COLUMN = 4096, WORK = 32 * 1024, GATHER = 8 };

typedef enum kind { COMPLEX, TO_HALF, FROM_HALF } kind;

typedef struct transform {
    const mica__fft_loops *loops;
    const mica__fft_plan *plan, *real; /* real: of n reals as n / 2 pairs, or NULL */
    kind kind;
    bool inverse;
    float scale;
    int64_t outer, inner, n;       /* n: the transform's length, in reals for the half kinds */
    int64_t in_count, out_count;   /* elements of a sequence */
    int64_t in_floats, out_floats; /* of an element */
    int64_t tiles, a_task;         /* tiles of one row of inner (or of all, inner 1) */
    float *in, *out;
    atomic_int status;
} transform;

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* ---- side by side ---- */

/* The full spectrum of n reals from its first half, real and imaginary parts swapped. */
static void mirror(int64_t n, int lanes, float *tile)
{
    for (int l = 0; l < lanes; l++) {
        tile[lanes + l] = tile[l];
        tile[l] = 0;
    }
    for (int64_t k = 1; k <= n / 2; k++) {
        float *a = tile + 2 * lanes * k, *b = tile + 2 * lanes * (n - k);
        for (int l = 0; l < lanes; l++) {
            float re = a[l], im = a[lanes + l];
            a[l] = im;
            a[lanes + l] = re;
            b[l] = -im;
            b[lanes + l] = re;
        }
    }
}

/* Where a tile's sequences lie: `first` counts sequences. `paired`: reals taken in twos. */
static mica__fft_side side(const transform *t, float *data, int64_t first, int64_t count,
                           int64_t floats, bool paired)
{
    int64_t inner = t->inner;
    float *at = data + (first / inner * count * inner + first % inner) * floats;
    ptrdiff_t step = inner * floats, lane = inner == 1 ? count * floats : floats;
    if (paired) return (mica__fft_side){ at, at + step, 2 * step, lane };
    return (mica__fft_side){ at, floats == 2 ? at + 1 : NULL, step, lane };
}

static void tile(const transform *t, int64_t first, int count, float *a, float *b)
{
    const mica__fft_loops *loops = t->loops;
    bool paired = t->real != NULL, back = t->kind == FROM_HALF;
    mica__fft_side from =
        side(t, t->in, first, t->in_count, t->in_floats, paired && t->kind == TO_HALF);
    mica__fft_side to = side(t, t->out, first, t->out_count, t->out_floats, paired && back);
    int64_t loaded = paired && t->kind == TO_HALF ? t->n / 2 : t->in_count,
            stored = paired && back ? t->n / 2 : t->out_count;
    loops->load(loaded, &from, count, t->inverse && !back, a);
    if (back && paired) loops->join(t->n, t->real->half, a);
    else if (back) mirror(t->n, loops->lanes, a);
    float *done = loops->transform(t->plan, a, b);
    if (paired && t->kind == TO_HALF) loops->split(t->n, t->real->half, done);
    loops->store(stored, done, &to, count, t->inverse, t->scale);
}

static void tiles_task(void *context, size_t task)
{
    transform *t = context;
    int64_t lanes = t->loops->lanes, run = t->inner == 1 ? t->outer : t->inner,
            all = t->inner == 1 ? t->tiles : t->outer * t->tiles, need = mica__fft_room(t->plan->n),
            room = ((need > t->n ? need : t->n) + 1) * 2 * lanes;
    size_t bytes = (size_t)room * 2 * sizeof(float);
    void *memory;
    if (mica__memory_take(bytes, &memory) != MICA_OK) {
        atomic_store(&t->status, MICA_EMEMORY);
        return;
    }
    float *a = memory, *b = a + room;
    int64_t i = (int64_t)task * t->a_task, last = least(all, i + t->a_task);
    for (; i < last; i++) {
        int64_t at = i % t->tiles * lanes;
        tile(t, i / t->tiles * run + at, (int)least(lanes, run - at), a, b);
    }
    mica__memory_give(memory, bytes);
}

static void side_by_side(transform *t)
{
    int64_t lanes = t->loops->lanes, run = t->inner == 1 ? t->outer : t->inner;
    t->tiles = (run + lanes - 1) / lanes;
    int64_t all = t->inner == 1 ? t->tiles : t->outer * t->tiles, work = t->n * lanes;
    t->a_task = work < WORK ? WORK / work : 1;
    mica__spread_tasks((all + t->a_task - 1) / t->a_task, t->outer * t->inner * t->n, tiles_task,
                       t);
}

/* ---- one after the other ---- */

/* A contiguous sequence of n reals in odd number, or its half spectrum: by way of n pairs. */
static int odd_row(const transform *t, const float *from, float *to)
{
    int64_t n = t->n;
    size_t bytes = (size_t)n * 4 * sizeof(float);
    void *memory;
    MICA_TRY(mica__memory_take(bytes, &memory));
    float *a = memory, *b = a + 2 * n;
    if (t->kind == TO_HALF) {
        for (int64_t j = 0; j < n; j++) a[2 * j] = from[j], a[2 * j + 1] = 0;
    } else {
        a[0] = from[0];
        a[1] = 0;
        for (int64_t k = 1; k <= n / 2; k++) {
            a[2 * k] = a[2 * (n - k)] = from[2 * k];
            a[2 * k + 1] = from[2 * k + 1];
            a[2 * (n - k) + 1] = -from[2 * k + 1];
        }
    }
    int status = mica__fft_row(t->loops, t->plan, a, b, t->inverse, t->scale);
    if (status == MICA_OK && t->kind == TO_HALF)
        memcpy(to, b, (size_t)t->out_count * 2 * sizeof(float));
    for (int64_t j = 0; status == MICA_OK && t->kind == FROM_HALF && j < n; j++) to[j] = b[2 * j];
    mica__memory_give(memory, bytes);
    return status;
}

/* Pairs (k, n / 2 - k) of a long row, in pieces. */
typedef struct pieces {
    const transform *t;
    const float *from;
    float *to;
} pieces;

static void piece_task(void *context, size_t task)
{
    const pieces *p = context;
    const transform *t = p->t;
    int64_t first = (int64_t)task * WORK, last = least(t->n / 4 + 1, first + WORK);
    if (t->kind == TO_HALF) t->loops->split_row(t->n, t->real->half, first, last, t->scale, p->to);
    else t->loops->join_row(t->n, t->real->half, first, last, p->from, p->to);
}

static void in_pieces(const transform *t, const float *from, float *to)
{
    pieces p = { t, from, to };
    mica__parallel((size_t)(t->n / 4 / WORK + 1), piece_task, &p);
}

static int sequence(const transform *t, const float *from, float *to)
{
    if (t->kind == COMPLEX) return mica__fft_row(t->loops, t->plan, from, to, t->inverse, t->scale);
    if (!t->real) return odd_row(t, from, to);
    if (t->kind == TO_HALF) {
        MICA_TRY(mica__fft_row(t->loops, t->plan, from, to, false, 1));
        in_pieces(t, NULL, to);
        return MICA_OK;
    }
    size_t bytes = (size_t)t->n * sizeof(float);
    void *pairs;
    MICA_TRY(mica__memory_take(bytes, &pairs));
    in_pieces(t, from, pairs);
    int status = mica__fft_row(t->loops, t->plan, pairs, to, true, t->scale);
    mica__memory_give(pairs, bytes);
    return status;
}

/* Columns first, first + 1, ... of one matrix (outer, count, inner), as rows and back. */
static void gather(const transform *t, int64_t first, int64_t columns, float *rows, bool back)
{
    int64_t count = back ? t->out_count : t->in_count, f = back ? t->out_floats : t->in_floats;
    float *data =
        (back ? t->out : t->in) + (first / t->inner * count * t->inner + first % t->inner) * f;
    for (int64_t j = 0; j < count; j++)
        for (int64_t c = 0; c < columns; c++) {
            float *a = data + (j * t->inner + c) * f, *b = rows + (c * count + j) * f;
            memcpy(back ? a : b, back ? b : a, (size_t)f * sizeof(float));
        }
}

static int some_columns(const transform *t, int64_t first, int64_t columns)
{
    int64_t in = t->in_count * t->in_floats, out = t->out_count * t->out_floats;
    size_t bytes = (size_t)((in + out) * columns) * sizeof(float);
    void *memory;
    MICA_TRY(mica__memory_take(bytes, &memory));
    float *a = memory, *b = a + in * columns;
    gather(t, first, columns, a, false);
    int status = MICA_OK;
    for (int64_t c = 0; c < columns && status == MICA_OK; c++)
        status = sequence(t, a + c * in, b + c * out);
    if (status == MICA_OK) gather(t, first, columns, b, true);
    mica__memory_give(memory, bytes);
    return status;
}

static void row_task(void *context, size_t task)
{
    transform *t = context;
    int64_t i = (int64_t)task;
    int status;
    if (t->inner == 1) {
        status = sequence(t, t->in + i * t->in_count * t->in_floats,
                          t->out + i * t->out_count * t->out_floats);
    } else {
        int64_t at = i % t->tiles * GATHER;
        status = some_columns(t, i / t->tiles * t->inner + at, least(GATHER, t->inner - at));
    }
    if (status != MICA_OK) atomic_store(&t->status, status);
}

static void one_by_one(transform *t)
{
    t->tiles = (t->inner + GATHER - 1) / GATHER;
    int64_t tasks = t->inner == 1 ? t->outer : t->outer * t->tiles;
    if (tasks >= FEW) {
        mica__parallel((size_t)tasks, row_task, t);
        return;
    }
    for (int64_t i = 0; i < tasks; i++) row_task(t, (size_t)i); /* each in parallel */
}

/* ---- kernels ---- */

static int run(mica__launch *l, kind kind, int64_t axis, int64_t n, bool inverse, double scale)
{
    const mica_array *in = l->in[0];
    mica_array *out = &l->out[0];
    if (out->size == 0) return MICA_OK;
    transform t = { .loops = MICA_CHOOSE(mica__fft_),
                    .kind = kind,
                    .inverse = inverse,
                    .scale = (float)scale,
                    .outer = 1,
                    .inner = 1,
                    .n = n,
                    .in_count = in->shape[axis],
                    .out_count = out->shape[axis],
                    .in_floats = kind == TO_HALF ? 1 : 2,
                    .out_floats = kind == FROM_HALF ? 1 : 2,
                    .in = (float *)(void *)in->data,
                    .out = (float *)(void *)out->data };
    atomic_init(&t.status, MICA_OK);
    for (int i = 0; i < in->ndim; i++) {
        if (i < axis) t.outer *= in->shape[i];
        if (i > axis) t.inner *= in->shape[i];
    }
    bool paired = kind != COMPLEX && n % 2 == 0;
    int64_t length = paired ? n / 2 : n;
    bool tiled = t.outer * t.inner >= FEW &&
                 mica__fft_room(length) <= (t.inner == 1 ? LONG_ROW : LONG_COLUMN);
    int status = mica__fft_plan_take(length, tiled ? MICA_FFT_SIDE_BY_SIDE : MICA_FFT_ROW, &t.plan);
    if (status == MICA_OK && paired) status = mica__fft_plan_take(n, MICA_FFT_REAL, &t.real);
    if (status == MICA_OK) {
        if (tiled) side_by_side(&t);
        else one_by_one(&t);
        status = atomic_load(&t.status);
    }
    mica__fft_plan_give(t.plan);
    mica__fft_plan_give(t.real);
    if (status == MICA_EMEMORY)
        return mica__fail_memory(mica__prims[l->node->prim].name, (size_t)n * 16);
    return status;
}

int mica__kernel_fft(mica__launch *l)
{
    const struct mica__fft_params *p = MICA_PARAMS(l->node, fft);
    return run(l, COMPLEX, p->axis, l->in[0]->shape[p->axis], p->inverse, p->scale);
}

int mica__kernel_rfft(mica__launch *l)
{
    const struct mica__rfft_params *p = MICA_PARAMS(l->node, rfft);
    return run(l, TO_HALF, p->axis, l->in[0]->shape[p->axis], false, p->scale);
}

int mica__kernel_irfft(mica__launch *l)
{
    const struct mica__irfft_params *p = MICA_PARAMS(l->node, irfft);
    return run(l, FROM_HALF, p->axis, p->n, true, p->scale);
}
