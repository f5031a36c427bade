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

/* A part of `rows` rows of x and of the sums of their groups, against part of a stored row. */
typedef struct part {
    const float *x[8], *sums[8];
    mica__lanes_dot *dot;
    size_t rows, span;
} part;

/* Adds to sums[i] what elements [k, k + n) give; scales and biases are theirs. */
static void add_dots(const mica__quant_matrix *w, const part *p, size_t row, size_t k, size_t n,
                     const float *scales, const float *biases, float *to)
{
    const size_t bits = (size_t)w->f.bits, group = (size_t)w->f.group,
                 whole = n / p->span * p->span;
    const char *codes = mica__quant_row(w, row) + k / 8 * bits;
    const float *x[8], *sums[8] = { NULL };
    for (size_t i = 0; i < p->rows; i++) {
        x[i] = p->x[i] + k;
        if (biases) sums[i] = p->sums[i] + k / group;
    }
    p->dot(whole, group, codes, scales, biases, x, sums, to);
    if (whole == n) return;
    /* Less than a span: the rest of it is made up with zeros. */
    char last[MICA_QUANT_SPAN] = { 0 };
    float rest[8], last_scales[4] = { 0 }, last_biases[4] = { 0 };
    memcpy(last, codes + whole / 8 * bits, (n - whole) / 8 * bits);
    for (size_t g = whole / group; g < n / group; g++) {
        last_scales[g - whole / group] = scales[g];
        if (biases) last_biases[g - whole / group] = biases[g];
    }
    for (size_t i = 0; i < p->rows; i++) {
        x[i] += whole;
        if (biases) sums[i] += whole / group;
    }
    p->dot(p->span, group, last, last_scales, biases ? last_biases : NULL, x, sums, rest);
    for (size_t i = 0; i < p->rows; i++) to[i] += rest[i];
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

static void dot_some(const mica__quant_matrix *w, const part *p, size_t first, size_t last,
                     float *const y[])
{
    float scales[SCALES + 4], biases[SCALES + 4], sums[8];
    const size_t chunk = chunk_of(p->rows);
    for (size_t k = 0; k < w->columns; k += chunk) {
        size_t some = mica__least(chunk, w->columns - k), groups = some / (size_t)w->f.group;
        for (size_t n = first, count; n < last; n += count) {
            count = mica__least(SCALES / groups, last - n);
            several_scales(w, n, count, k, some, scales, biases);
            for (size_t c = 0; c < count; c++) {
                if (some < w->columns)
                    mica__quant_fetch_ahead(w, n + c + MICA_QUANT_AHEAD, k, some);
                add_dots(w, p, n + c, k, some, scales + c * groups,
                         w->biases ? biases + c * groups : NULL, sums);
                for (size_t i = 0; i < p->rows; i++)
                    y[i][n + c - first] = k ? y[i][n + c - first] + sums[i] : sums[i];
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
        part p = { .dot = kind->dot[which], .rows = (size_t)1 << which, .span = kind->span };
        for (size_t r = 0; r < p.rows; r++) {
            p.x[r] = x[i + r];
            p.sums[r] = w->biases ? sums[i + r] : NULL;
        }
        dot_some(w, &p, first, last, y + i);
        i += p.rows;
        left -= p.rows;
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
