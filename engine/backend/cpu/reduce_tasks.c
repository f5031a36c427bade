/* The tasks of reductions: rows (the elements of one result after another), columns (many results
   side by side) and the combination of segments. Where a tape computes the elements, the loops see
   the same chunks in the same order as they would in memory: so fusion changes no bit. */
#include "backend/cpu/reduce_tasks.h"

#include "backend/cpu/kernel.h"
#include "backend/cpu/loops.h"

enum { COLUMNS = MICA_REDUCE_WIDE, AHEAD = 8, ROWS = 64 };

typedef mica__reduction plan;

/* ---- elements ---- */

/* Registers of the tape for one task; false, and noted, when there is no memory for them. */
static bool begin(plan *p, void **registers)
{
    *registers = NULL;
    size_t bytes = p->tape ? p->tape->nregisters * p->tape->register_bytes : 0;
    if (!bytes || mica__memory_take(bytes, registers) == MICA_OK) return true;
    atomic_store(&p->status, MICA_EMEMORY);
    return false;
}

static void end(const plan *p, void *registers)
{
    if (p->tape) mica__memory_give(registers, p->tape->nregisters * p->tape->register_bytes);
}

/* n elements from `at` on, which lie side by side, in the loops' type: as they are, or in `buffer`.
   Of a tape at most a block. */
static const void *elements(const plan *p, void *registers, int64_t at, size_t n, void *buffer)
{
    const void *from =
        p->tape ? mica__tape_read(p->tape, registers, at, n) : p->data + at * (int64_t)p->item;
    if (!p->convert) return from;
    p->convert(n, (const void *const[]){ from }, 0, buffer);
    return buffer;
}

/* The same of a tape for up to a chunk. */
static const void *computed(const plan *p, void *registers, int64_t at, size_t n, char *buffer)
{
    if (n <= p->tape->block) return elements(p, registers, at, n, buffer);
    for (size_t done = 0; done < n; done += p->tape->block) {
        size_t m = n - done < p->tape->block ? n - done : p->tape->block;
        char *to = buffer + done * p->element;
        const void *from = elements(p, registers, at + (int64_t)done, m, to);
        if (from != to) memcpy(to, from, m * p->element);
    }
    return buffer;
}

/* The next n elements of the walk, which begins at element `base`. */
static const void *read_chunk(const plan *p, void *registers, int64_t base, mica__walk *w,
                              int64_t n, void *buffer)
{
    if (mica__walk_stride(w) == 1 && mica__walk_run(w) >= n) {
        int64_t at = base + w->offset;
        mica__walk_advance(w, n);
        return p->tape ? computed(p, registers, at, (size_t)n, buffer)
                       : elements(p, registers, at, (size_t)n, buffer);
    }
    char raw[MICA_REDUCE_CHUNK * 8];
    char *to = p->convert ? raw : buffer;
    for (int64_t done = 0; done < n;) {
        int64_t run = mica__walk_run(w) < n - done ? mica__walk_run(w) : n - done,
                stride = mica__walk_stride(w);
        const char *at = p->data + (base + w->offset) * (int64_t)p->item;
        char *place = to + (size_t)done * p->item;
#define GATHER(type)                                                                               \
    for (int64_t i = 0; i < run; i++)                                                              \
    ((type *)(void *)place)[i] = ((const type *)(const void *)at)[i * stride]
        switch (p->item) {
        case 1: GATHER(uint8_t); break;
        case 2: GATHER(uint16_t); break;
        case 4: GATHER(uint32_t); break;
        default: GATHER(uint64_t); break;
        }
#undef GATHER
        mica__walk_advance(w, run);
        done += run;
    }
    if (!p->convert) return to;
    p->convert((size_t)n, (const void *const[]){ to }, 0, buffer);
    return buffer;
}

static void store(const plan *p, const void *wide, int64_t output, int64_t n)
{
    p->store((size_t)n * p->store_factor, (const void *const[]){ wide }, 0,
             p->out + (size_t)output * p->out_item);
}

/* ---- rows: the reduced elements of one result after another ---- */

/* The reduction of n elements of one result, from the walk's place on, into *wide. */
static void reduce_sequence(const plan *p, void *registers, int64_t base, mica__walk *w, int64_t n,
                            void *wide)
{
    char buffer[MICA_REDUCE_CHUNK * 8], part[16];
    memcpy(wide, p->loops->wide_identity, p->loops->wide_size);
    for (int64_t done = 0; done < n; done += MICA_REDUCE_CHUNK) {
        int64_t m = n - done < MICA_REDUCE_CHUNK ? n - done : MICA_REDUCE_CHUNK;
        const void *x = read_chunk(p, registers, base, w, m, buffer);
        p->loops->rows(x, 1, 0, (size_t)m, part);
        p->loops->merge(wide, part, 1);
    }
}

/* Whole rows that lie at equal distances go to the loop many at a time: in memory as they are, or
   side by side where a tape computes them. */
static bool whole_rows(const plan *p, void *registers, int64_t output, int64_t n)
{
    bool one_run = p->reduced.n == 0 || (p->reduced.n == 1 && p->reduced.strides[0] == 1);
    if (!one_run || p->count > MICA_REDUCE_CHUNK || p->kept.n > 1 || (p->convert && !p->tape))
        return false;
    char wide[ROWS * 16], buffer[MICA_REDUCE_CHUNK * 8];
    int64_t stride = p->kept.n ? p->kept.strides[0] : 0, most = ROWS;
    if (p->tape && most * p->count > MICA_REDUCE_CHUNK) most = MICA_REDUCE_CHUNK / p->count;
    for (int64_t done = 0; done < n; done += most) {
        int64_t m = n - done < most ? n - done : most, at = (output + done) * stride;
        const void *x = p->tape ? computed(p, registers, at, (size_t)(m * p->count), buffer)
                                : p->data + at * (int64_t)p->item;
        p->loops->rows(x, (size_t)m, (ptrdiff_t)stride, (size_t)p->count, wide);
        store(p, wide, output + done, m);
    }
    return true;
}

void mica__reduce_rows(void *reduction, size_t task)
{
    plan *p = reduction;
    char wide[16];
    void *registers;
    mica__walk kept = p->kept, w = p->reduced;
    if (!begin(p, &registers)) return;
    if (p->segments > 1) {
        int64_t first = (int64_t)task % p->segments * MICA_REDUCE_SEGMENT;
        int64_t n = p->count - first < MICA_REDUCE_SEGMENT ? p->count - first : MICA_REDUCE_SEGMENT;
        mica__walk_seek(&kept, (int64_t)task / p->segments);
        mica__walk_seek(&w, first);
        reduce_sequence(p, registers, kept.offset, &w, n, wide);
        memcpy(p->partials + task * p->loops->wide_size, wide, p->loops->wide_size);
        end(p, registers);
        return;
    }
    int64_t output = (int64_t)task * p->rows_a_task, n = p->outputs - output;
    if (n > p->rows_a_task) n = p->rows_a_task;
    if (!whole_rows(p, registers, output, n)) {
        mica__walk_seek(&kept, output);
        for (int64_t i = output; i < output + n; i++) {
            mica__walk_seek(&w, 0);
            reduce_sequence(p, registers, kept.offset, &w, p->count, wide);
            store(p, wide, i, 1);
            mica__walk_advance(&kept, 1);
        }
    }
    end(p, registers);
}

/* ---- columns: many results side by side, one reduced row after another ---- */

typedef struct column_state {
    _Alignas(64) char lanes[MICA_REDUCE_LANES * COLUMNS * 4];
    _Alignas(64) char wide[COLUMNS * 16];
    _Alignas(64) char row[MICA_REDUCE_LANES * COLUMNS * 4];
} column_state;

static void fill(void *to, const void *element, size_t size, size_t n)
{
    if (!n) return;
    memcpy(to, element, size);
    mica__spread(to, n, size);
}

/* Short pieces far apart are not what the processor's own prefetching is made for. Beyond the array
 * nothing happens. */
static inline void fetch_ahead(const plan *p, int64_t at, size_t n)
{
    if (p->tape) {
        mica__tape_fetch(p->tape, at, n);
        return;
    }
#if defined(__GNUC__)
    uintptr_t from = (uintptr_t)p->data + (uintptr_t)at * p->item;
    for (size_t i = 0; i < n * p->item; i += 64) __builtin_prefetch((const void *)(from + i));
#endif
}

/* Takes n elements from `at` on into lanes that begin at `to`. */
static void into_lanes(const plan *p, void *registers, int64_t at, size_t n, char *to, char *row)
{
    size_t most = p->tape ? p->tape->block : n;
    for (size_t done = 0; done < n; done += most) {
        size_t m = n - done < most ? n - done : most;
        const void *x = elements(p, registers, at + (int64_t)done, m, row);
        p->loops->into(to + done * p->element, x, m);
    }
}

/* Rows [first, first + n) of `m` columns that begin at element `base`, into state->wide. */
static void reduce_columns(const plan *p, void *registers, column_state *state, int64_t base,
                           int64_t m, int64_t first, int64_t n)
{
    const mica__reducer *loops = p->loops;
    size_t width = (size_t)m * p->element;
    mica__walk w = p->reduced;
    mica__walk_seek(&w, first);
    fill(state->wide, loops->wide_identity, loops->wide_size, (size_t)m);
    /* Where order is free, lanes still serve to take several narrow rows at once. */
    unsigned lanes = loops->lanes > 1 ? loops->lanes : 16;
    for (int64_t done = 0; done < n; done += MICA_REDUCE_CHUNK) {
        int64_t rows = n - done < MICA_REDUCE_CHUNK ? n - done : MICA_REDUCE_CHUNK;
        fill(state->lanes, loops->identity, p->element, (size_t)m * lanes);
        for (int64_t r = 0; r < rows;) {
            int64_t at = base + w.offset;
            /* Rows that lie close together fall into consecutive lanes. */
            int64_t close = mica__walk_stride(&w) == m && r % lanes == 0 ? lanes : 1;
            if (close > rows - r || close > mica__walk_run(&w)) close = 1;
            mica__walk_advance(&w, close);
            if (close == 1) fetch_ahead(p, at + AHEAD * mica__walk_stride(&w), (size_t)m);
            into_lanes(p, registers, at, (size_t)(close * m),
                       state->lanes + (size_t)(r % lanes) * width, state->row);
            r += close;
        }
        for (unsigned half = lanes / 2; half; half /= 2)
            loops->into(state->lanes, state->lanes + half * width, half * (size_t)m);
        loops->widen(state->wide, state->lanes, (size_t)m);
    }
}

void mica__reduce_columns(void *reduction, size_t task)
{
    plan *p = reduction;
    column_state state;
    void *registers;
    if (!begin(p, &registers)) return;
    int64_t segment = (int64_t)task % p->segments, rest = (int64_t)task / p->segments;
    int64_t block = rest % p->blocks, outer = rest / p->blocks;
    int64_t first = segment * MICA_REDUCE_SEGMENT, column = block * p->block;
    int64_t n = p->count - first < MICA_REDUCE_SEGMENT ? p->count - first : MICA_REDUCE_SEGMENT;
    int64_t m = p->columns - column < p->block ? p->columns - column : p->block;
    /* Place in the output: the column axis has output stride `inner`; the axes outside and inside
     * of it count `outer`. */
    mica__walk kept = p->kept;
    int64_t inner = 1, outputs_before;
    for (int i = p->column + 1; i < kept.n; i++) inner *= kept.shape[i];
    outputs_before = (outer / inner * p->columns + column) * inner + outer % inner;
    mica__walk_seek(&kept, outputs_before);
    reduce_columns(p, registers, &state, kept.offset, m, first, n);
    end(p, registers);
    size_t size = p->loops->wide_size;
    for (int64_t i = 0; i < m; i++) {
        int64_t output = outputs_before + i * inner;
        if (p->segments > 1)
            memcpy(p->partials + (size_t)(output * p->segments + segment) * size,
                   state.wide + (size_t)i * size, size);
        else if (inner > 1) store(p, state.wide + (size_t)i * size, output, 1);
    }
    if (p->segments == 1 && inner == 1) store(p, state.wide, outputs_before, m);
}

/* ---- segments ---- */

void mica__reduce_combine(void *reduction, size_t task)
{
    const plan *p = reduction;
    char wide[16];
    size_t size = p->loops->wide_size;
    int64_t first = (int64_t)task * p->rows_a_task,
            last = first + p->rows_a_task < p->outputs ? first + p->rows_a_task : p->outputs;
    for (int64_t i = first; i < last; i++) {
        memcpy(wide, p->loops->wide_identity, size);
        for (int64_t k = 0; k < p->segments; k++)
            p->loops->merge(wide, p->partials + (size_t)(i * p->segments + k) * size, 1);
        store(p, wide, i, 1);
    }
}
