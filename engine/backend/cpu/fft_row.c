/* One contiguous sequence: passes alone, rows and columns of a matrix in turn (Bailey, FFTs in
   external or hierarchical memory, 1990), or a convolution. */
#include "backend/cpu/choose.h"
#include "backend/cpu/fft.h"

enum { WORK = 32 * 1024 }; /* elements of a task */

typedef struct row {
    const mica__fft_loops *loops;
    const mica__fft_plan *plan;
    const float *from;
    float *middle, *to;
    bool inverse;
    float scale;
    int64_t a_task; /* tiles */
    atomic_int status;
} row;

static size_t tile_bytes(const mica__fft_loops *loops, int64_t n)
{
    return (size_t)n * 2 * (size_t)loops->lanes * sizeof(float);
}

/* Twice the memory of a tile; what is left is taken note of. */
static float *take_tiles(row *r, int64_t n)
{
    void *memory = NULL;
    if (mica__memory_take(2 * tile_bytes(r->loops, n), &memory) != MICA_OK)
        atomic_store(&r->status, MICA_EMEMORY);
    return memory;
}

/* Transforms of the columns, and twiddles. */
static void columns_task(void *context, size_t task)
{
    row *r = context;
    int64_t n = r->plan->first->n, columns = r->plan->second->n, lanes = r->loops->lanes;
    float *a = take_tiles(r, n), *b = a ? a + n * 2 * lanes : NULL;
    int64_t j = (int64_t)task * r->a_task * lanes, last = j + r->a_task * lanes;
    for (; a && j < last && j < columns; j += lanes) {
        int count = columns - j < lanes ? (int)(columns - j) : (int)lanes;
        float *x = (float *)(uintptr_t)r->from + 2 * j;
        mica__fft_side from = { x, x + 1, 2 * columns, 2 },
                       to = { r->middle + 2 * j, r->middle + 2 * j + 1, 2 * columns, 2 };
        r->loops->load(n, &from, count, r->inverse, a);
        float *done = r->loops->transform(r->plan->first, a, b);
        r->loops->twist(r->plan, j, count, done);
        r->loops->store(n, done, &to, count, false, 1);
    }
    mica__memory_give(a, 2 * tile_bytes(r->loops, n));
}

/* Transforms of the rows, which become columns. */
static void rows_task(void *context, size_t task)
{
    row *r = context;
    int64_t rows = r->plan->first->n, n = r->plan->second->n, lanes = r->loops->lanes;
    float *a = take_tiles(r, n), *b = a ? a + n * 2 * lanes : NULL;
    int64_t k = (int64_t)task * r->a_task * lanes, last = k + r->a_task * lanes;
    for (; a && k < last && k < rows; k += lanes) {
        int count = rows - k < lanes ? (int)(rows - k) : (int)lanes;
        float *x = r->middle + 2 * k * n;
        mica__fft_side from = { x, x + 1, 2, 2 * n },
                       to = { r->to + 2 * k, r->to + 2 * k + 1, 2 * rows, 2 };
        r->loops->load(n, &from, count, false, a);
        r->loops->store(n, r->loops->transform(r->plan->second, a, b), &to, count, r->inverse,
                        r->scale);
    }
    mica__memory_give(a, 2 * tile_bytes(r->loops, n));
}

static void spread(row *r, int64_t n, int64_t sequences, void (*body)(void *, size_t))
{
    int64_t lanes = r->loops->lanes, tiles = (sequences + lanes - 1) / lanes, work = n * lanes;
    r->a_task = work < WORK ? WORK / work : 1;
    mica__spread_tasks((tiles + r->a_task - 1) / r->a_task, n * sequences, body, r);
}

static int by_steps(row *r)
{
    int64_t rows = r->plan->first->n, columns = r->plan->second->n;
    size_t bytes = (size_t)r->plan->n * 2 * sizeof(float);
    void *middle;
    MICA_TRY(mica__memory_take(bytes, &middle));
    r->middle = middle;
    spread(r, rows, columns, columns_task);
    if (atomic_load(&r->status) == MICA_OK) spread(r, columns, rows, rows_task);
    mica__memory_give(middle, bytes);
    return atomic_load(&r->status);
}

static int directly(row *r)
{
    int64_t n = r->plan->n;
    float *a = take_tiles(r, n);
    if (!a) return MICA_EMEMORY;
    float *x = (float *)(uintptr_t)r->from;
    mica__fft_side from = { x, x + 1, 2, 0 }, to = { r->to, r->to + 1, 2, 0 };
    r->loops->load(n, &from, 1, r->inverse, a);
    float *done = r->loops->transform(r->plan->first, a, a + n * 2 * r->loops->lanes);
    r->loops->store(n, done, &to, 1, r->inverse, r->scale);
    mica__memory_give(a, 2 * tile_bytes(r->loops, n));
    return MICA_OK;
}

static int by_chirp(row *r)
{
    const mica__fft_plan *p = r->plan;
    int64_t n = p->n, m = p->row->n;
    size_t bytes = (size_t)m * 4 * sizeof(float);
    void *memory;
    MICA_TRY(mica__memory_take(bytes, &memory));
    float *a = memory, *b = a + 2 * m;
    r->loops->multiply(n, r->from, r->inverse, p->chirp, 1, false, a);
    memset(a + 2 * n, 0, (size_t)(m - n) * 2 * sizeof(float));
    int status = mica__fft_row(r->loops, p->row, a, b, false, 1);
    if (status == MICA_OK) {
        r->loops->multiply(m, b, false, p->filter, 1, true, b);
        status = mica__fft_row(r->loops, p->row, b, a, false, 1);
    }
    if (status == MICA_OK) r->loops->multiply(n, a, true, p->chirp, r->scale, r->inverse, r->to);
    mica__memory_give(memory, bytes);
    return status;
}

/* Pairs in the order of powers, and back, swapped. */
static void gather(int64_t m, const float *from, const int32_t *place, bool swap, float *to)
{
    for (int64_t q = 0; q < m; q++) {
        const float *x = from + 2 * (int64_t)place[q];
        to[2 * q] = x[swap];
        to[2 * q + 1] = x[!swap];
    }
}
static void scatter(int64_t m, const float *from, const int32_t *place, bool swap, float scale,
                    float *to)
{
    for (int64_t q = 0; q < m; q++) {
        float *x = to + 2 * (int64_t)place[q];
        x[swap] = from[2 * q] * scale;
        x[!swap] = from[2 * q + 1] * scale;
    }
}

/* The first element adds to all results, through the first of the convolution's spectrum. */
static int by_cycle(row *r)
{
    const mica__fft_plan *p = r->plan;
    int64_t m = p->row->n;
    size_t bytes = (size_t)m * 4 * sizeof(float);
    void *memory;
    MICA_TRY(mica__memory_take(bytes, &memory));
    float *a = memory, *b = a + 2 * m, re = r->from[0], im = r->from[1];
    gather(m, r->from, p->from, r->inverse, a);
    int status = mica__fft_row(r->loops, p->row, a, b, false, 1);
    if (status == MICA_OK) {
        r->to[0] = (re + b[r->inverse]) * r->scale;
        r->to[1] = (im + b[!r->inverse]) * r->scale;
        r->loops->multiply(m, b, false, p->filter, 1, true, b);
        b[r->inverse] += im;
        b[!r->inverse] += re;
        status = mica__fft_row(r->loops, p->row, b, a, false, 1);
    }
    if (status == MICA_OK) scatter(m, a, p->to, !r->inverse, r->scale, r->to);
    mica__memory_give(memory, bytes);
    return status;
}

int mica__fft_row(const mica__fft_loops *loops, const mica__fft_plan *plan, const float *from,
                  float *to, bool inverse, float scale)
{
    row r = {
        .loops = loops, .plan = plan, .from = from, .to = to, .inverse = inverse, .scale = scale
    };
    atomic_init(&r.status, MICA_OK);
    switch (plan->way) {
    case MICA_FFT_STEPS: return by_steps(&r);
    case MICA_FFT_CHIRP: return by_chirp(&r);
    case MICA_FFT_CYCLE: return by_cycle(&r);
    default: return directly(&r);
    }
}
