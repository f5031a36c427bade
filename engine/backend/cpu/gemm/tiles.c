/* The general product: C is cut into tiles, a task computes a tile over all of k. */
#include "backend/cpu/gemm/plan.h"
#include "runtime/pool.h"

/* Scratch on the stack of a task, in bytes. */
#define OWN_A    ((size_t)64 << 10)
#define OWN_B    ((size_t)64 << 10)
#define OWN_SUMS ((size_t)64 << 10)

/* Packed operands are kept below this, by doing large products in parts. */
#define PACKED_LIMIT ((size_t)96 << 20)
/* Steps of k that are packed at a time. */
#define STEPS_LIMIT ((size_t)32 << 10)

/* Blocks of k are nearly equal, and a function of k alone. */
static size_t block_of(size_t k)
{
    const size_t most = 384;
    size_t blocks = mica__ceil_div(k, most);
    return mica__ceil_div(mica__ceil_div(k, blocks), 16) * 16;
}

static size_t padded_columns(const mica__gemm_plan *p, size_t columns)
{
    return mica__ceil_div(columns, p->strip_columns) * p->strip_columns;
}

/* One operand to pack; its tasks run over matrices, blocks of k and groups of strips. */
typedef struct packing {
    const mica__gemm_plan *plan;
    const mica__gemm_operand *operand;
    const ptrdiff_t *offsets;
    size_t first_line, lines, width, group;
    bool padded;
    char *to;
    size_t matrix_size;
    size_t tasks;
} packing;

static void pack_group(const packing *job, size_t index)
{
    const mica__gemm_plan *p = job->plan;
    size_t groups = mica__ceil_div(job->lines, job->group);
    size_t blocks = mica__ceil_div(p->steps, p->block);
    size_t group = index % groups, block = index / groups % blocks,
           matrix = index / groups / blocks;
    size_t step = block * p->block, steps = mica__least(p->block, p->steps - step);
    size_t all = job->padded ? padded_columns(p, job->lines) : job->lines;
    size_t end = mica__least((group + 1) * job->group, job->lines);
    ptrdiff_t offset = job->offsets ? job->offsets[p->first_matrix + matrix] : 0;
    size_t first = group * job->group;
    char *to = job->to + matrix * job->matrix_size + (step * all + first * steps) * p->unit;
    mica__gemm_pack(job->operand, offset, job->first_line + first, end - first, job->width,
                    job->padded, p->first_step + step, steps, to);
}

/* Both operands in one go: a wait for the slowest thread less. */
static void pack_task(void *context, size_t index)
{
    const packing *jobs = context;
    if (index < jobs[0].tasks) pack_group(&jobs[0], index);
    else pack_group(&jobs[1], index - jobs[0].tasks);
}

/* A task packs about 32 thousand units. */
static void plan_packing(packing *job, size_t strip)
{
    const mica__gemm_plan *p = job->plan;
    job->group = mica__most(32768 / (strip * p->block), 1) * strip;
    job->tasks =
        mica__ceil_div(job->lines, job->group) * mica__ceil_div(p->steps, p->block) * p->matrices;
}

static void pack_shared(const mica__gemm_plan *p)
{
    packing jobs[2] = { { .plan = p,
                          .operand = &p->a,
                          .offsets = p->g->a_batch,
                          .first_line = p->first_row,
                          .lines = p->rows,
                          .width = p->a_rows ? 1 : p->strip_rows,
                          .to = p->a_packed,
                          .matrix_size = p->a_packed_size },
                        { .plan = p,
                          .operand = &p->b,
                          .offsets = p->g->b_batch,
                          .first_line = p->first_column,
                          .lines = p->columns,
                          .width = p->strip_columns,
                          .padded = true,
                          .to = p->b_packed,
                          .matrix_size = p->b_packed_size } };
    if (p->a_source == MICA_SOURCE_SHARED) plan_packing(&jobs[0], p->strip_rows);
    if (p->b_source == MICA_SOURCE_SHARED) plan_packing(&jobs[1], p->strip_columns);
    mica__parallel(jobs[0].tasks + jobs[1].tasks, pack_task, jobs);
}

/* One block of k of one tile: sums (+)= A block * B block. */
static void add_block(const mica__gemm_plan *p, size_t matrix, size_t row, size_t rows,
                      size_t column, size_t columns, size_t step, char *sums, ptrdiff_t sums_row,
                      bool add)
{
    _Alignas(64) char own_a[OWN_A], own_b[OWN_B];
    const mica__gemm *g = p->g;
    size_t steps = mica__least(p->block, p->steps - step), index = p->first_matrix + matrix;
    ptrdiff_t a_offset = g->a_batch ? g->a_batch[index] : 0;
    ptrdiff_t b_offset = g->b_batch ? g->b_batch[index] : 0;
    const ptrdiff_t unit = (ptrdiff_t)p->unit;
    const char *a = NULL;
    switch (p->a_source) {
    case MICA_SOURCE_DIRECT:
        a = p->a.data + (a_offset + (ptrdiff_t)(p->first_row + row) * p->a.line +
                         (ptrdiff_t)(p->first_step + step) * p->a.step) *
                            unit;
        break;
    case MICA_SOURCE_SHARED:
        a = p->a_packed + matrix * p->a_packed_size + (step * p->rows + row * steps) * p->unit;
        break;
    case MICA_SOURCE_OWN:
        mica__gemm_pack(&p->a, a_offset, p->first_row + row, rows, p->a_rows ? 1 : p->strip_rows,
                        false, p->first_step + step, steps, own_a);
        a = own_a;
        break;
    }
    for (size_t j = 0; j < columns; j += p->strip_columns) {
        size_t width = mica__least(p->strip_columns, columns - j);
        const char *b;
        ptrdiff_t b_row = (ptrdiff_t)p->strip_columns;
        if (p->b_source == MICA_SOURCE_SHARED) {
            size_t all = padded_columns(p, p->columns);
            b = p->b_packed + matrix * p->b_packed_size +
                (step * all + (column + j) * steps) * p->unit;
        } else if (p->b_source == MICA_SOURCE_DIRECT && width == p->strip_columns) {
            b_row = p->b.step;
            b = p->b.data + (b_offset + (ptrdiff_t)(p->first_column + column + j) +
                             (ptrdiff_t)(p->first_step + step) * b_row) *
                                unit;
        } else {
            mica__gemm_pack(&p->b, b_offset, p->first_column + column + j, width, p->strip_columns,
                            true, p->first_step + step, steps, own_b);
            b = own_b;
        }
        for (size_t i = 0; i < rows; i += p->strip_rows) {
            size_t lines = mica__least(p->strip_rows, rows - i);
            char *to = sums + ((ptrdiff_t)i * sums_row + (ptrdiff_t)j) * unit;
            if (p->a_source == MICA_SOURCE_DIRECT)
                p->tile[lines - 1](steps, a + (ptrdiff_t)i * p->a.line * unit, p->a.line, p->a.step,
                                   b, b_row, to, sums_row, width, add);
            else
                p->tile[lines - 1](steps, a + i * steps * p->unit, p->a_rows ? (ptrdiff_t)steps : 1,
                                   p->a_rows ? 1 : (ptrdiff_t)lines, b, b_row, to, sums_row, width,
                                   add);
        }
    }
}

/* C itself where it can hold sums. */
static char *sums_in_c(const mica__gemm_plan *p, size_t matrix, size_t row, size_t column,
                       ptrdiff_t *stride)
{
    const mica__gemm *g = p->g;
    ptrdiff_t numbers = g->dtype == MICA_COMPLEX64 ? 2 : 1;
    ptrdiff_t offset = g->c_batch ? g->c_batch[p->first_matrix + matrix] : 0;
    *stride = g->c_row * numbers;
    return (char *)g->c + ((offset + (ptrdiff_t)(p->first_row + row) * g->c_row) * numbers +
                           (ptrdiff_t)(p->first_column + column)) *
                              (ptrdiff_t)p->unit;
}

static void tile_task(void *context, size_t index)
{
    const mica__gemm_plan *p = context;
    _Alignas(64) char own[OWN_SUMS];
    size_t across = mica__ceil_div(p->columns, p->tile_columns);
    size_t down = mica__ceil_div(p->rows, p->tile_rows);
    size_t column = index % across * p->tile_columns, row = index / across % down * p->tile_rows;
    size_t split = index / across / down % p->splits, matrix = index / across / down / p->splits;
    size_t rows = mica__least(p->tile_rows, p->rows - row);
    size_t columns = mica__least(p->tile_columns, p->columns - column);
    char *sums = own;
    ptrdiff_t stride = (ptrdiff_t)columns;
    if (p->partial) {
        size_t before = ((matrix * p->splits + split) * p->rows + row) * p->columns + column;
        sums = (char *)p->partial + before * p->unit;
        stride = (ptrdiff_t)p->columns;
    } else if (!p->rounds) {
        sums = sums_in_c(p, matrix, row, column, &stride);
    }
    size_t blocks = mica__ceil_div(p->steps, p->block);
    size_t each = mica__ceil_div(blocks, p->splits);
    size_t first = split * each * p->block, end = mica__least(first + each * p->block, p->steps);
    for (size_t step = first; step < end; step += p->block)
        add_block(p, matrix, row, rows, column, columns, step, sums, stride,
                  step > first || p->first_step > 0);
    if (!p->partial && p->first_step + p->steps == p->k)
        mica__gemm_finish(p, p->first_matrix + matrix, p->first_row + row, p->first_column + column,
                          rows, columns, sums, stride, 1);
}

/* Rows that a task adds up when k was split. */
#define COMBINED_ROWS 4

static void combine_task(void *context, size_t index)
{
    const mica__gemm_plan *p = context;
    size_t groups = mica__ceil_div(p->rows, COMBINED_ROWS);
    size_t matrix = index / groups, row = index % groups * COMBINED_ROWS;
    size_t rows = mica__least(COMBINED_ROWS, p->rows - row), all = p->rows * p->columns;
    size_t start = matrix * p->splits * all + row * p->columns, n = rows * p->columns;
    if (p->unit == 4) {
        float *sum = p->partial + start;
        for (size_t s = 1; s < p->splits; s++)
            for (size_t i = 0; i < n; i++) sum[i] += sum[s * all + i];
    } else {
        double *sum = (double *)(void *)p->partial + start;
        for (size_t s = 1; s < p->splits; s++)
            for (size_t i = 0; i < n; i++) sum[i] += sum[s * all + i];
    }
    mica__gemm_finish(p, p->first_matrix + matrix, p->first_row + row, p->first_column, rows,
                      p->columns, (char *)p->partial + start * p->unit, (ptrdiff_t)p->columns, 1);
}

/* The largest tile that leaves each thread several tasks, yet enough work in each. */
static void choose_tile(mica__gemm_plan *p, size_t rows, size_t columns)
{
    const size_t high = mica__ceil_div(rows, p->strip_rows);
    const size_t wide = mica__ceil_div(columns, p->strip_columns);
    size_t strips_high = mica__least(high, 240 / p->strip_rows);
    size_t strips_wide = mica__least(wide, 256 / p->strip_columns);
    size_t wanted = 4 * mica__thread_count();
    if (wanted < 8) wanted = 1; /* one thread: no reason to cut */
    for (;;) {
        size_t tile = strips_high * p->strip_rows * strips_wide * p->strip_columns;
        size_t tasks = mica__ceil_div(high, strips_high) * mica__ceil_div(wide, strips_wide);
        bool fits = !p->rounds || tile * p->unit <= OWN_SUMS;
        if (fits && (tasks * p->matrices * p->splits >= wanted || tile * p->k < ((size_t)1 << 20)))
            break;
        if (strips_high * p->strip_rows >= strips_wide * p->strip_columns && strips_high > 1)
            strips_high = (strips_high + 1) / 2;
        else if (strips_wide > 1) strips_wide = (strips_wide + 1) / 2;
        else if (strips_high > 1) strips_high = (strips_high + 1) / 2;
        else break;
    }
    /* As many tiles, but of one size. */
    strips_high = mica__ceil_div(high, mica__ceil_div(high, strips_high));
    strips_wide = mica__ceil_div(wide, mica__ceil_div(wide, strips_wide));
    p->tile_rows = strips_high * p->strip_rows;
    p->tile_columns = strips_wide * p->strip_columns;
}

/* Long sums of few elements are split, by the shape alone: 64 tasks are enough. */
static size_t splits_of(const mica__gemm_plan *p)
{
    size_t blocks = mica__ceil_div(mica__least(p->k, STEPS_LIMIT), p->block);
    size_t tasks = mica__ceil_div(p->m, 64) * mica__ceil_div(p->n, 64);
    if (tasks >= 32 || p->g->batch >= 32 || blocks < 4) return 1;
    size_t splits = mica__most(1, mica__least(blocks / 2, 64 / (tasks * p->g->batch)));
    return mica__ceil_div(blocks, mica__ceil_div(blocks, splits)); /* none without a block */
}

/* A is worth packing when many strips of B read it, or when its rows fall into the same few sets of
 * the caches. */
static bool reads_a_well(const mica__gemm_plan *p)
{
    size_t strips = mica__ceil_div(p->columns, p->strip_columns);
    ptrdiff_t row_bytes = p->a.line * (ptrdiff_t)p->unit;
    if (p->rows <= p->strip_rows || strips == 1) return true;
    if (p->a.line == 1) return strips <= 4;
    return p->a.step == 1 && strips <= 8 && row_bytes % 2048 != 0;
}

static void choose_sources(mica__gemm_plan *p)
{
    bool plain = p->a.form == MICA_FORM_F32 || p->a.form == MICA_FORM_F64;
    bool one_row = p->rows <= p->tile_rows, one_column = p->columns <= p->tile_columns;
    bool small_a = p->tile_rows * p->block * p->unit <= OWN_A;
    bool few_rows = p->rows <= 4 * p->strip_rows;
    p->a_source = MICA_SOURCE_SHARED;
    if (plain && reads_a_well(p)) p->a_source = MICA_SOURCE_DIRECT;
    else if (small_a && one_column) p->a_source = MICA_SOURCE_OWN;
    p->b_source = MICA_SOURCE_SHARED;
    if (plain && p->b.line == 1 && few_rows) p->b_source = MICA_SOURCE_DIRECT;
    else if (one_row) p->b_source = MICA_SOURCE_OWN;
}

/* The current part: packs what is shared, runs the tasks. */
static int run_part(mica__gemm_plan *p)
{
    choose_tile(p, p->rows, p->columns);
    choose_sources(p);
    size_t a_size = 0, b_size = 0;
    if (p->a_source == MICA_SOURCE_SHARED) a_size = p->rows * p->steps * p->unit;
    if (p->b_source == MICA_SOURCE_SHARED)
        b_size = padded_columns(p, p->columns) * p->steps * p->unit;
    a_size = mica__ceil_div(a_size, 64) * 64;
    size_t bytes = (a_size + b_size) * p->matrices;
    void *packed = NULL;
    if (bytes) MICA_TRY(mica__memory_take(bytes, &packed));
    p->a_packed = packed;
    p->b_packed = packed ? (char *)packed + a_size * p->matrices : NULL;
    p->a_packed_size = a_size;
    p->b_packed_size = b_size;
    if (bytes) pack_shared(p);
    size_t tiles =
        mica__ceil_div(p->rows, p->tile_rows) * mica__ceil_div(p->columns, p->tile_columns);
    mica__parallel(tiles * p->splits * p->matrices, tile_task, p);
    if (packed) mica__memory_give(packed, bytes);
    return MICA_OK;
}

/* All of k for the current rows, columns and matrices. */
static int run_over_k(mica__gemm_plan *p, size_t most_steps)
{
    size_t bytes = 0;
    void *partial = NULL;
    if (p->splits > 1 || (p->rounds && most_steps < p->k)) {
        bytes = p->matrices * p->splits * p->rows * p->columns * p->unit;
        MICA_TRY(mica__memory_take(bytes, &partial));
    }
    p->partial = partial;
    int status = MICA_OK;
    for (p->first_step = 0; p->first_step < p->k && status == MICA_OK;
         p->first_step += most_steps) {
        p->steps = mica__least(most_steps, p->k - p->first_step);
        status = run_part(p);
    }
    if (partial) {
        if (status == MICA_OK)
            mica__parallel(p->matrices * mica__ceil_div(p->rows, COMBINED_ROWS), combine_task, p);
        mica__memory_give(partial, bytes);
    }
    return status;
}

int mica__gemm_tiles(mica__gemm_plan *p)
{
    p->block = block_of(p->k);
    p->strip_rows = mica__ceil_div(p->m, mica__ceil_div(p->m, p->strip_rows));
    p->splits = splits_of(p);
    /* Parts: as many rows, columns and matrices as the packed operands may take. */
    size_t most_steps = mica__least(p->k, STEPS_LIMIT / p->block * p->block);
    size_t lines = PACKED_LIMIT / 2 / (most_steps * p->unit);
    size_t most_rows = mica__least(p->m, lines / p->strip_rows * p->strip_rows);
    size_t most_columns = mica__least(p->n, lines / p->strip_columns * p->strip_columns);
    size_t most_matrices = PACKED_LIMIT / ((p->m + p->n) * most_steps * p->unit);
    most_matrices = mica__least(mica__most(most_matrices, 1), p->g->batch);
    for (size_t matrix = 0; matrix < p->g->batch; matrix += most_matrices)
        for (size_t column = 0; column < p->n; column += most_columns)
            for (size_t row = 0; row < p->m; row += most_rows) {
                p->first_matrix = matrix;
                p->matrices = mica__least(most_matrices, p->g->batch - matrix);
                p->first_column = column;
                p->columns = mica__least(most_columns, p->n - column);
                p->first_row = row;
                p->rows = mica__least(most_rows, p->m - row);
                MICA_TRY(run_over_k(p, most_steps));
            }
    return MICA_OK;
}
