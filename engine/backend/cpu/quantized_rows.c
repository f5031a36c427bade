/* Quantized matrices against a few rows: each code is read once, at the speed of memory. */
#include "backend/cpu/gemm/plan.h"
#include "backend/cpu/quantized_matmul.h"

/* ---- columns of the result are stored rows ---- */

/* Scales that are converted at a time. */
enum { SCALES = 512 };

/* Elements of a row that are read before the next row: `rows` of x stay in the nearest cache. */
static size_t chunk_of(size_t rows)
{
    return rows > 4 ? 512 : 4096 / rows;
}

/* Rows of x and the sums of their groups. */
typedef struct few {
    const float *x[8], *sums[8];
    mica__lanes_dot *dot;
    size_t rows, span;
} few;

/* Less than a span at the end of a stored row: the rest of it is made up with zeros. Adds to
   y[i]. */
static void add_end(const mica__lanes_rows *p, const few *f, size_t c, size_t whole, size_t n,
                    size_t bits, float *y)
{
    char codes[MICA_QUANT_SPAN] = { 0 };
    float sums[8], scales[4] = { 0 }, biases[4] = { 0 };
    mica__lanes_rows end = *p;
    memcpy(codes, p->codes + c * p->codes_apart + whole / 8 * bits, (n - whole) / 8 * bits);
    for (size_t g = whole / p->group; g < n / p->group; g++) {
        scales[g - whole / p->group] = p->scales[c * p->scales_apart + g];
        if (p->biases) biases[g - whole / p->group] = p->biases[c * p->scales_apart + g];
    }
    for (size_t i = 0; i < f->rows; i++) {
        end.x[i] += whole;
        if (p->biases) end.sums[i] += whole / p->group;
    }
    end.count = 1;
    end.n = f->span;
    end.codes = codes;
    end.scales = scales;
    end.biases = p->biases ? biases : NULL;
    f->dot(&end, sums);
    for (size_t i = 0; i < f->rows; i++) y[i] += sums[i];
}

/* Scales and biases of elements [k, k + some) of `count` rows, as many as are converted at once. */
static void several_scales(const mica__quant_matrix *w, size_t row, size_t count, size_t k,
                           size_t some, float *scales, float *biases)
{
    const size_t group = (size_t)w->f.group, groups = some / group;
    if (some == w->columns) {
        mica__quant_row_scales(w, row, 0, count * groups, scales, biases);
        return;
    }
    for (size_t i = 0; i < count; i++)
        mica__quant_row_scales(w, row + i, k / group, groups, scales + i * groups,
                               biases + i * groups);
}

/* to[c * rows + i]: what elements [k, k + some) of `count` stored rows give. */
static void dot_part(const mica__quant_matrix *w, const few *f, size_t row, size_t count, size_t k,
                     size_t some, float *to)
{
    float scales[SCALES + 4], biases[SCALES + 4];
    const size_t bits = (size_t)w->f.bits, group = (size_t)w->f.group,
                 whole = some / f->span * f->span;
    several_scales(w, row, count, k, some, scales, biases);
    mica__lanes_rows p = { .count = count,
                           .n = whole,
                           .group = group,
                           .codes = mica__quant_row(w, row) + k / 8 * bits,
                           .scales = scales,
                           .biases = w->biases ? biases : NULL,
                           .codes_apart = w->columns / 8 * bits,
                           .scales_apart = some / group };
    for (size_t i = 0; i < f->rows; i++) {
        p.x[i] = f->x[i] + k;
        p.sums[i] = w->biases ? f->sums[i] + k / group : NULL;
    }
    f->dot(&p, to);
    if (whole < some)
        for (size_t c = 0; c < count; c++) add_end(&p, f, c, whole, some, bits, to + c * f->rows);
}

/* Stored rows whose scales are converted at once, at most. */
enum { COUNT = 32 };

static void dot_some(const mica__quant_matrix *w, const few *f, size_t first, size_t last,
                     float *const y[])
{
    float sums[8 * COUNT];
    const size_t chunk = chunk_of(f->rows);
    for (size_t k = 0; k < w->columns; k += chunk) {
        size_t some = mica__least(chunk, w->columns - k), groups = some / (size_t)w->f.group;
        /* The next part of these rows lies apart: it is fetched while this one is read. */
        size_t most = mica__least(some < w->columns ? 4 : COUNT, SCALES / groups);
        for (size_t n = first, count; n < last; n += count) {
            count = mica__least(most, last - n);
            for (size_t c = 0; some < w->columns && c < count; c++)
                mica__quant_fetch_ahead(w, n + c + MICA_QUANT_AHEAD, k, some);
            dot_part(w, f, n, count, k, some, sums);
            for (size_t c = 0; c < count; c++)
                for (size_t i = 0; i < f->rows; i++) {
                    float *to = y[i] + n + c - first, sum = sums[c * f->rows + i];
                    *to = k ? *to + sum : sum;
                }
        }
    }
}

/* One dot product each. */
static void dot_rows(const mica__quant_matrix *w, size_t rows, const float *const x[],
                     const float *const sums[], size_t first, size_t last, float *const y[])
{
    const mica__lanes_kind *kind = &w->lanes->kind[w->kind];
    for (size_t i = 0, left = rows; left;) {
        int which = left >= 8 ? 3 : left >= 4 ? 2 : left >= 2 ? 1 : 0;
        few f = { .dot = kind->dot[which], .rows = (size_t)1 << which, .span = kind->span };
        for (size_t r = 0; r < f.rows; r++) {
            f.x[r] = x[i + r];
            f.sums[r] = w->biases ? sums[i + r] : NULL;
        }
        dot_some(w, &f, first, last, y + i);
        i += f.rows;
        left -= f.rows;
    }
}

/* ---- columns of the result are stored columns ---- */

/* One row, whole spans: four stored rows in each pass over the sums, in the order of the lanes. */
static void add_lanes(const mica__quant_matrix *w, const float *x, size_t first, size_t n, float *y)
{
    enum { GROUPS = MICA_QUANT_MOST_COLUMNS / 16 };
    static const char no_codes[MICA_QUANT_MOST_COLUMNS] = { 0 };
    const mica__lanes_kind *kind = &w->lanes->kind[w->kind];
    const size_t group = (size_t)w->f.group, groups = (n + group - 1) / group,
                 from = first / 8 * (size_t)w->f.bits;
    float total[MICA_QUANT_MOST_COLUMNS], shift[GROUPS] = { 0 }, biases[GROUPS];
    memset(total, 0, n * sizeof *total);
    for (size_t k = 0; k < w->rows; k += 4) {
        float a[4][GROUPS + 4] = { { 0 } };
        const void *codes[4];
        for (size_t l = 0; l < 4; l++) {
            codes[l] = k + l < w->rows ? mica__quant_row(w, k + l) + from : no_codes;
            if (k + l >= w->rows) continue;
            mica__quant_fetch_ahead(w, k + l + MICA_QUANT_AHEAD, first, n);
            mica__quant_row_scales(w, k + l, first / group, groups, a[l], biases);
            const float factor = x[k + l];
            for (size_t g = 0; g < groups; g++) a[l][g] *= factor;
            if (w->biases)
                for (size_t g = 0; g < groups; g++) shift[g] += factor * biases[g];
        }
        kind->add(n, group, codes, (const float *const[4]){ a[0], a[1], a[2], a[3] }, total);
    }
    mica__lanes_turn_back(n, kind->lane, total, y);
    if (w->biases)
        for (size_t j = 0; j < n; j++) y[j] += shift[j / group];
}

/* Rows are added up, four in each pass over the sums. */
static void add_rows(const mica__quant_matrix *w, size_t rows, const float *const x[], size_t first,
                     size_t last, float *const y[])
{
    enum { LINE = MICA_QUANT_MOST_COLUMNS + 64 };
    float lines[4 * LINE];
    size_t n = last - first, skip, k = 0;
    for (size_t i = 0; i < rows; i++) memset(y[i], 0, n * sizeof **y);
    for (; k + 4 <= w->rows; k += 4) {
        for (size_t l = 0; l < 4; l++) {
            mica__quant_fetch_ahead(w, k + l + MICA_QUANT_AHEAD, first, n);
            mica__quant_expand_range(w, k + l, first, n, lines + l * LINE, &skip);
        }
        for (size_t i = 0; i < rows; i++)
            w->loops->add_lines(n, LINE, x[i] + k, lines + skip, y[i]);
    }
    for (; k < w->rows; k++) {
        mica__quant_expand_range(w, k, first, n, lines, &skip);
        for (size_t i = 0; i < rows; i++) w->loops->add_scaled(n, x[i][k], lines + skip, y[i]);
    }
}

void mica__quant_few_rows(const mica__quant_matrix *w, size_t rows, const float *const x[],
                          const float *const sums[], size_t first, size_t last, float *const y[])
{
    if (w->transposed) dot_rows(w, rows, x, sums, first, last, y);
    else {
        const size_t n = last - first, span = w->lanes->kind[w->kind].span,
                     whole = rows == 1 ? n / span * span : 0;
        float *rest[MICA_QUANT_MOST_ROWS];
        if (whole) add_lanes(w, x[0], first, whole, y[0]);
        for (size_t i = 0; i < rows; i++) rest[i] = y[i] + whole;
        if (whole < n) add_rows(w, rows, x, first + whole, last, rest);
    }
}
