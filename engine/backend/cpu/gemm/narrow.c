/* Products with at most 16 rows or columns: one pass over the large operand where it lies, at the
 * speed of memory. */
#include "backend/cpu/gemm/plan.h"
#include "runtime/pool.h"

#define THIN_MOST ((size_t)16)
/* Where the lines of the large operand are its columns in memory: steps that are added up at a
   time, along a stretch of lines. The sums of a stretch stay in the first cache: SUMS of them for
   all thin lines. */
#define STEPS ((size_t)8)
#define SUMS  ((size_t)2048)
/* Bytes of the large operand worth a task. */
#define TASK_BYTES  ((size_t)256 << 10)
#define STACK_BYTES ((size_t)16 << 10)

/* The thin operand has `thin` lines, the large one `lines`; C, or its transpose, is thin x lines.
 */
typedef struct narrow {
    const mica__gemm_plan *plan;
    bool transposed; /* the thin operand is B */
    bool dots;       /* the lines of the large operand are contiguous along k */
    size_t thin, lines;
    const mica__gemm_operand *small, *large;
    const ptrdiff_t *small_batch, *large_batch;
    char *wide;                       /* the thin operand, converted; or NULL */
    size_t wide_size;                 /* bytes of one matrix of it */
    ptrdiff_t small_line, small_step; /* of what the kernels read */
    size_t stretch, stretches, span, splits, group, items;
    char *partial; /* [batch][splits][thin][lines]; or NULL */
} narrow;

static bool real(const mica__gemm_operand *o)
{
    return o->form == MICA_FORM_F32 || o->form == MICA_FORM_F64 || o->form == MICA_FORM_HALF;
}

/* The large operand can be read in place: its lines or its steps are contiguous. */
static bool readable(const mica__gemm_operand *o, size_t k)
{
    return o->step == 1 || o->line == 1 || k == 1;
}

static bool orient(const mica__gemm_plan *p, bool transposed)
{
    size_t thin = transposed ? p->n : p->m, lines = transposed ? p->m : p->n;
    return thin <= THIN_MOST && thin <= lines && readable(transposed ? &p->a : &p->b, p->k);
}

bool mica__gemm_is_narrow(const mica__gemm_plan *p)
{
    return real(&p->a) && real(&p->b) && (orient(p, false) || orient(p, true));
}

static const char *small_of(const narrow *w, size_t matrix)
{
    if (w->wide) return w->wide + matrix * w->wide_size;
    ptrdiff_t offset = w->small_batch ? w->small_batch[matrix] : 0;
    return w->small->data + offset * (ptrdiff_t)w->small->element;
}

/* Steps of the thin operand that a task converts. */
#define WIDENED ((size_t)512)

static void widen_task(void *context, size_t index)
{
    const narrow *w = context;
    const mica__gemm_plan *p = w->plan;
    size_t pieces = mica__ceil_div(p->k, WIDENED);
    size_t matrix = index / pieces, step = index % pieces * WIDENED;
    size_t steps = mica__least(WIDENED, p->k - step);
    ptrdiff_t offset = w->small_batch ? w->small_batch[matrix] : 0;
    char *to = w->wide + matrix * w->wide_size + step * (size_t)w->small_step * p->unit;
    if (!w->dots) mica__gemm_pack(w->small, offset, 0, w->thin, w->thin, true, step, steps, to);
    else
        for (size_t i = 0; i < w->thin; i++, to += w->small_line * (ptrdiff_t)p->unit)
            mica__gemm_pack(w->small, offset, i, 1, 1, true, step, steps, to);
}

/* sums[i][j] = product over steps [first, first + steps) for lines [line, line + count), by dot
 * products. */
static void add_dots(const narrow *w, const char *small, const char *large, size_t count,
                     size_t steps, char *sums, ptrdiff_t sums_row)
{
    mica__gemm_dot *dot = w->plan->isa->dot[w->plan->store];
    dot(w->thin, count, steps, small, w->small_line, large, w->large->line, sums, sums_row);
}

/* The same, a few steps at a time along the contiguous columns. */
static void add_stretch(const narrow *w, const char *small, const char *large, size_t count,
                        size_t steps, char *sums, ptrdiff_t sums_row)
{
    const mica__gemm_plan *p = w->plan;
    const mica__gemm_isa *isa = p->isa;
    const ptrdiff_t unit = (ptrdiff_t)p->unit, element = (ptrdiff_t)w->large->element;
    const size_t width = isa->columns[p->store];
    const size_t most = mica__ceil_div(w->thin, mica__ceil_div(w->thin, isa->rows));
    mica__gemm_operand last = *w->large;
    last.data = large;
    last.line = 1;
    for (size_t step = 0; step < steps; step += STEPS) {
        size_t some = mica__least(STEPS, steps - step);
        bool more = steps - step >= 2 * STEPS;
        const char *x = small + (ptrdiff_t)step * w->small_step * unit;
        for (size_t j = 0; j < count; j += width) {
            _Alignas(64) char own[STEPS * 32 * sizeof(float)];
            size_t columns = mica__least(width, count - j);
            const char *y = large + ((ptrdiff_t)step * w->large->step + (ptrdiff_t)j) * element;
            ptrdiff_t y_row = w->large->step;
            mica__gemm_tile *const *tile = isa->tile[p->store];
            if (more)
                for (size_t q = STEPS; q < 2 * STEPS; q++) {
                    const char *next = y + (ptrdiff_t)q * y_row * element;
                    __builtin_prefetch(next, 0, 2);
                    if (element * (ptrdiff_t)width > 64) __builtin_prefetch(next + 64, 0, 2);
                }
            if (columns < width) {
                mica__gemm_pack(&last, 0, j, columns, width, true, step, some, own);
                y = own;
                y_row = (ptrdiff_t)width;
                tile = p->tile;
            }
            for (size_t i = 0; i < w->thin; i += most) {
                size_t rows = mica__least(most, w->thin - i);
                tile[rows - 1](some, x + (ptrdiff_t)i * w->small_line * unit, w->small_line,
                               w->small_step, y, y_row,
                               sums + ((ptrdiff_t)i * sums_row + (ptrdiff_t)j) * unit, sums_row,
                               columns, step > 0);
            }
        }
    }
}

static void finish(const narrow *w, size_t matrix, size_t line, size_t count, const void *sums,
                   ptrdiff_t sums_row)
{
    if (w->transposed)
        mica__gemm_finish(w->plan, matrix, line, 0, count, w->thin, sums, 1, sums_row);
    else mica__gemm_finish(w->plan, matrix, 0, line, w->thin, count, sums, sums_row, 1);
}

static void one_item(const narrow *w, size_t item)
{
    const mica__gemm_plan *p = w->plan;
    _Alignas(64) char own[SUMS * sizeof(double)];
    size_t line = item % w->stretches * w->stretch, split = item / w->stretches % w->splits;
    size_t matrix = item / w->stretches / w->splits, first = split * w->span;
    size_t count = mica__least(w->stretch, w->lines - line);
    size_t steps = mica__least(w->span, p->k - first);
    ptrdiff_t offset = w->large_batch ? w->large_batch[matrix] : 0;
    offset += (ptrdiff_t)line * w->large->line + (ptrdiff_t)first * w->large->step;
    const char *large = w->large->data + offset * (ptrdiff_t)w->large->element;
    const char *small = small_of(w, matrix) + (ptrdiff_t)first * w->small_step * (ptrdiff_t)p->unit;
    char *sums = own;
    ptrdiff_t sums_row = (ptrdiff_t)count;
    if (w->partial) {
        sums = w->partial + ((matrix * w->splits + split) * w->thin * w->lines + line) * p->unit;
        sums_row = (ptrdiff_t)w->lines;
    }
    (w->dots ? add_dots : add_stretch)(w, small, large, count, steps, sums, sums_row);
    if (!w->partial) finish(w, matrix, line, count, sums, sums_row);
}

static void items_task(void *context, size_t index)
{
    const narrow *w = context;
    size_t end = mica__least((index + 1) * w->group, w->items);
    for (size_t item = index * w->group; item < end; item++) one_item(w, item);
}

static void combine_task(void *context, size_t index)
{
    const narrow *w = context;
    size_t matrix = index / w->stretches, line = index % w->stretches * w->stretch;
    size_t count = mica__least(w->stretch, w->lines - line), all = w->thin * w->lines;
    char *sums = w->partial + (matrix * w->splits * all + line) * w->plan->unit;
    for (size_t i = 0; i < w->thin; i++)
        for (size_t s = 1; s < w->splits; s++)
            for (size_t j = i * w->lines; j < i * w->lines + count; j++) {
                if (w->plan->unit == 4)
                    ((float *)(void *)sums)[j] += ((float *)(void *)sums)[s * all + j];
                else ((double *)(void *)sums)[j] += ((double *)(void *)sums)[s * all + j];
            }
    finish(w, matrix, line, count, sums, (ptrdiff_t)w->lines);
}

/* Tasks, by the shape alone: stretches of lines; spans of k where there are few stretches and k is
 * long. */
static void cut(narrow *w)
{
    const mica__gemm_plan *p = w->plan;
    const size_t element = w->large->element, batch = p->g->batch;
    size_t fours = mica__most(TASK_BYTES / 4 / element / p->k, 1);
    w->stretch = SUMS / w->thin / 32 * 32;
    if (w->dots) w->stretch = mica__least(4 * fours, w->stretch);
    w->stretches = mica__ceil_div(w->lines, w->stretch);
    w->splits = 1;
    size_t bytes = w->lines * p->k * element, tasks = w->stretches * batch;
    if (tasks < 32 && bytes >= 4 * TASK_BYTES && p->k >= 512)
        w->splits = mica__least(mica__least(p->k / 256, bytes / TASK_BYTES), 64 / tasks);
    w->span = mica__ceil_div(mica__ceil_div(p->k, w->splits), 64) * 64;
    w->splits = mica__ceil_div(p->k, w->span);
    w->items = batch * w->splits * w->stretches;
    w->group =
        mica__most(TASK_BYTES / 4 / (element * mica__least(w->stretch, w->lines) * w->span), 1);
}

/* Whether the kernels cannot, or should not, read the thin operand where it lies: rows far apart
   fall into the same few sets of the caches. Chooses its layout. */
static bool converts(narrow *w)
{
    const mica__gemm_plan *p = w->plan;
    ptrdiff_t line = w->small->line, step = w->small->step;
    bool half = w->small->form == MICA_FORM_HALF, several = w->thin > 2;
    w->small_line = line;
    w->small_step = step;
    if (w->dots ? !half && step == 1 && !(several && line * (ptrdiff_t)p->unit % 2048 == 0)
                : !half && (line == 1 || !several))
        return false;
    size_t row = mica__ceil_div(p->k, 16) * 16 + 16; /* no power of two */
    w->small_line = w->dots ? (ptrdiff_t)row : 1;
    w->small_step = w->dots ? 1 : (ptrdiff_t)w->thin;
    w->wide_size = mica__ceil_div(w->thin * (w->dots ? row : p->k) * p->unit, 64) * 64;
    return true;
}

static int run_with(narrow *w, char *stack)
{
    const mica__gemm_plan *p = w->plan;
    const size_t batch = p->g->batch;
    size_t sums = 0;
    bool convert = converts(w);
    size_t wide = w->wide_size * batch;
    if (w->splits > 1) sums = batch * w->splits * w->thin * w->lines * p->unit;
    void *scratch = stack;
    bool taken = wide + sums > STACK_BYTES;
    if (taken) MICA_TRY(mica__memory_take(wide + sums, &scratch));
    if (sums) w->partial = (char *)scratch + wide;
    if (convert) {
        size_t pieces = batch * mica__ceil_div(p->k, WIDENED);
        w->wide = scratch;
        if (taken) mica__parallel(pieces, widen_task, w);
        else
            for (size_t i = 0; i < pieces; i++) widen_task(w, i);
    }
    mica__parallel(mica__ceil_div(w->items, w->group), items_task, w);
    if (sums) mica__parallel(batch * w->stretches, combine_task, w);
    if (taken) mica__memory_give(scratch, wide + sums);
    return MICA_OK;
}

int mica__gemm_narrow_run(mica__gemm_plan *p)
{
    const mica__gemm *g = p->g;
    bool t = !orient(p, false);
    narrow w = { .plan = p,
                 .transposed = t,
                 .thin = t ? p->n : p->m,
                 .lines = t ? p->m : p->n,
                 .small = t ? &p->b : &p->a,
                 .large = t ? &p->a : &p->b,
                 .small_batch = t ? g->b_batch : g->a_batch,
                 .large_batch = t ? g->a_batch : g->b_batch };
    w.dots = w.large->step == 1 || p->k == 1;
    cut(&w);
    _Alignas(64) char stack[STACK_BYTES];
    return run_with(&w, stack);
}
