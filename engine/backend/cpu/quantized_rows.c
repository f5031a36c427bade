/* Quantized matrices read row by row: for products with a few rows, and for the packed strips of
   the general product. */
#include "backend/cpu/gemm/plan.h"
#include "backend/cpu/quantized_matmul.h"

void mica__quant_row_scales(const mica__quant_matrix *w, size_t row, size_t first, size_t n,
                            float *scales, float *biases)
{
    size_t at = row * (w->columns / (size_t)w->f.group) + first;
    mica__quant_scales(&w->f, w->scale_dtype, w->scales, at, n, scales);
    if (w->biases) mica__quant_scales(&w->f, w->scale_dtype, w->biases, at, n, biases);
}

/* ---- few rows ---- */

/* Elements of a row whose scales are converted at a time; whole groups. */
enum { CHUNK = 8192, GROUPS = CHUNK / 16 };

/* Columns of the result are stored rows: one dot product each. */
static void dot_rows(const mica__quant_matrix *w, size_t rows, const float *const x[],
                     const float *const sums[], size_t first, size_t last, float *const y[])
{
    float scales[GROUPS], biases[GROUPS], part[MICA_QUANT_ROWS];
    const float *xs[MICA_QUANT_ROWS], *ss[MICA_QUANT_ROWS];
    const size_t group = (size_t)w->f.group, bits = (size_t)w->f.bits;
    for (size_t n = first; n < last; n++) {
        for (size_t i = 0; i < rows; i++) y[i][n - first] = 0;
        for (size_t k = 0; k < w->columns; k += CHUNK) {
            size_t some = mica__least(CHUNK, w->columns - k), left = rows;
            mica__quant_row_scales(w, n, k / group, some / group, scales, biases);
            const char *codes = mica__quant_row(w, n) + k / 8 * bits;
            for (size_t i = 0; left;) {
                int which = left >= 8 ? 3 : left >= 4 ? 2 : left >= 2 ? 1 : 0;
                size_t take = (size_t)1 << which;
                for (size_t r = 0; r < take; r++) {
                    xs[r] = x[i + r] + k;
                    if (w->biases) ss[r] = sums[i + r] + k / group;
                }
                w->loops->dot[w->kind][which](some, group, codes, scales, w->biases ? biases : NULL,
                                              xs, ss, part);
                for (size_t r = 0; r < take; r++) y[i + r][n - first] += part[r];
                i += take;
                left -= take;
            }
        }
    }
}

/* Elements [first, first + n) of a stored row, widened to whole vectors: out[*skip] is the first.
 */
static void expand_range(const mica__quant_matrix *w, size_t row, size_t first, size_t n,
                         float *out, size_t *skip)
{
    float scales[2 * MICA_QUANT_MOST_COLUMNS / 16 + 4],
        biases[2 * MICA_QUANT_MOST_COLUMNS / 16 + 4];
    const size_t group = (size_t)w->f.group, step = w->kind == MICA_QUANT_E2M1 ? 16 : 32;
    size_t low = first / step * step, high = (first + n + step - 1) / step * step;
    size_t from = low / group, groups = (high + group - 1) / group - from;
    mica__quant_row_scales(w, row, from, groups, scales, biases);
    w->loops->expand[w->kind](low - from * group, high - low, group,
                              mica__quant_row(w, row) + from * group / 8 * (size_t)w->f.bits,
                              scales, w->biases ? biases : NULL, out);
    *skip = first - low;
}

/* Rows lie too far apart for the hardware to see where reading goes next: it is told. */
enum { AHEAD = 8, CACHE_LINE = 64 };

static void fetch_ahead(const mica__quant_matrix *w, size_t row, size_t first, size_t n)
{
    if (row >= w->rows) return;
    const size_t bits = (size_t)w->f.bits, group = (size_t)w->f.group, bytes = n * bits / 8;
    const char *codes = mica__quant_row(w, row) + first * bits / 8;
    const size_t scale =
        (row * (w->columns / group) + first / group) * (size_t)mica__dtype_sizes[w->scale_dtype];
    for (size_t at = 0; at < bytes; at += CACHE_LINE) __builtin_prefetch(codes + at);
    __builtin_prefetch(w->scales + scale);
    if (w->biases) __builtin_prefetch(w->biases + scale);
}

/* Columns of the result are stored columns: rows are added up, four in each pass over the sums. */
static void add_rows(const mica__quant_matrix *w, size_t rows, const float *const x[], size_t first,
                     size_t last, float *const y[])
{
    enum { LINE = MICA_QUANT_MOST_COLUMNS + 64 };
    float lines[4 * LINE];
    size_t n = last - first, skip, k = 0;
    for (size_t i = 0; i < rows; i++) memset(y[i], 0, n * sizeof **y);
    for (; k + 4 <= w->rows; k += 4) {
        for (size_t l = 0; l < 4; l++) {
            fetch_ahead(w, k + l + AHEAD, first, n);
            expand_range(w, k + l, first, n, lines + l * LINE, &skip);
        }
        for (size_t i = 0; i < rows; i++)
            w->loops->add_lines(n, LINE, x[i] + k, lines + skip, y[i]);
    }
    for (; k < w->rows; k++) {
        expand_range(w, k, first, n, lines, &skip);
        for (size_t i = 0; i < rows; i++) w->loops->add_scaled(n, x[i][k], lines + skip, y[i]);
    }
}

void mica__quant_few_rows(const mica__quant_matrix *w, size_t rows, const float *const x[],
                          const float *const sums[], size_t first, size_t last, float *const y[])
{
    if (w->transposed) dot_rows(w, rows, x, sums, first, last, y);
    else add_rows(w, rows, x, first, last, y);
}

/* ---- strips for the general product ---- */

/* Steps that are made at a time, and the lines of a strip. */
enum { PIECE = 128, WIDE = PIECE + 64, LINES = 32 };

/* Lines are stored rows: made one by one, then turned. */
static void fill_turned(const mica__quant_matrix *w, size_t first_line, size_t lines, size_t width,
                        bool pad, size_t first_step, size_t steps, float *to)
{
    float wide[LINES * WIDE];
    for (size_t s = 0; s < lines; s += width) {
        size_t some = mica__least(width, lines - s), apart = pad ? width : some;
        for (size_t p = 0; p < steps; p += PIECE) {
            size_t count = mica__least(PIECE, steps - p), skip = 0;
            for (size_t l = 0; l < some; l++)
                expand_range(w, first_line + s + l, first_step + p, count, wide + l * WIDE, &skip);
            mica__gemm_operand o = { .form = MICA_FORM_F32,
                                     .element = sizeof(float),
                                     .data = (const char *)(wide + skip),
                                     .line = WIDE,
                                     .step = 1,
                                     .depth = count };
            mica__gemm_pack(&o, 0, 0, some, width, pad, 0, count, to + s * steps + p * apart);
        }
    }
}

/* Strips are short: a call for each would cost more than the copy. */
static inline void copy_some(size_t n, const float *from, float *to)
{
    for (; n >= 8; n -= 8, from += 8, to += 8) memcpy(to, from, 8 * sizeof *to);
    for (; n; n--) *to++ = *from++;
}

/* Lines are stored columns: a step lies as it is needed. */
static void fill_along(const mica__quant_matrix *w, size_t first_line, size_t lines, size_t width,
                       bool pad, size_t first_step, size_t steps, float *to)
{
    float wide[MICA_QUANT_MOST_COLUMNS + 64];
    const size_t most = MICA_QUANT_MOST_COLUMNS / width * width;
    for (size_t from = 0; from < lines; from += most) {
        size_t count = mica__least(most, lines - from), skip;
        for (size_t p = 0; p < steps; p++) {
            fetch_ahead(w, first_step + p + AHEAD, first_line + from, count);
            expand_range(w, first_step + p, first_line + from, count, wide, &skip);
            for (size_t s = 0; s < count; s += width) {
                size_t some = mica__least(width, count - s), apart = pad ? width : some;
                float *at = to + (from + s) * steps + p * apart;
                copy_some(some, wide + skip + s, at);
                if (some < apart) memset(at + some, 0, (apart - some) * sizeof *at);
            }
        }
    }
}

void mica__quant_fill(const void *context, size_t first_line, size_t lines, size_t width, bool pad,
                      size_t first_step, size_t steps, float *to)
{
    const mica__quant_matrix *w = context;
    (w->transposed ? fill_turned : fill_along)(w, first_line, lines, width, pad, first_step, steps,
                                               to);
}
