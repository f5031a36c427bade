/* Quantized matrices as the general product reads them: packed strips of numbers. */
#include "backend/cpu/gemm/plan.h"
#include "backend/cpu/quantized_matmul.h"

void mica__quant_row_scales(const mica__quant_matrix *w, size_t row, size_t first, size_t n,
                            float *scales, float *biases)
{
    size_t at = row * (w->columns / (size_t)w->f.group) + first;
    mica__quant_scales(&w->f, w->scale_dtype, w->scales, at, n, scales);
    if (w->biases) mica__quant_scales(&w->f, w->scale_dtype, w->biases, at, n, biases);
}

/* Elements [first, first + n) of a stored row, widened to whole vectors: out[*skip] is the first.
 */
void mica__quant_expand_range(const mica__quant_matrix *w, size_t row, size_t first, size_t n,
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
enum { CACHE_LINE = 64 };

void mica__quant_fetch_ahead(const mica__quant_matrix *w, size_t row, size_t first, size_t n)
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

/* Steps that are made at a time, and the lines of a strip. */
enum { PIECE = 128, WIDE = PIECE + 64, LINES = 32 };

/* Lines are stored rows: made one by one, then turned. Step p goes to to[p * apart]. */
static void turn_lines(const mica__quant_matrix *w, size_t first_line, size_t lines, size_t apart,
                       size_t first_step, size_t steps, float *to)
{
    float wide[LINES * WIDE];
    for (size_t p = 0; p < steps; p += PIECE) {
        size_t count = mica__least(PIECE, steps - p), skip = 0;
        for (size_t l = 0; l < lines; l++)
            mica__quant_expand_range(w, first_line + l, first_step + p, count, wide + l * WIDE,
                                     &skip);
        for (size_t q = 0; q < count; q++)
            for (size_t l = 0; l < lines; l++) to[(p + q) * apart + l] = wide[l * WIDE + skip + q];
    }
}

/* Eight lines whose steps are whole spans and groups, without a copy in their own order. */
static void turn_eight(const mica__quant_matrix *w, size_t first_line, size_t apart,
                       size_t first_step, size_t steps, float *to)
{
    enum { MOST = 1024, GROUPS = MOST / 16 };
    const size_t group = (size_t)w->f.group;
    float scales[8 * GROUPS], biases[8 * GROUPS], line[2][GROUPS];
    for (size_t p = 0; p < steps; p += MOST) {
        const size_t count = mica__least(MOST, steps - p), groups = count / group;
        const void *codes[8];
        for (size_t l = 0; l < 8; l++) {
            codes[l] =
                mica__quant_row(w, first_line + l) + (first_step + p) / 8 * (size_t)w->f.bits;
            mica__quant_row_scales(w, first_line + l, (first_step + p) / group, groups, line[0],
                                   line[1]);
            for (size_t g = 0; g < groups; g++) scales[8 * g + l] = line[0][g];
            if (w->biases)
                for (size_t g = 0; g < groups; g++) biases[8 * g + l] = line[1][g];
        }
        w->lanes->kind[w->kind].strip(count, group, codes, scales, w->biases ? biases : NULL, apart,
                                      to + p * apart);
    }
}

static void fill_turned(const mica__quant_matrix *w, size_t first_line, size_t lines, size_t width,
                        bool pad, size_t first_step, size_t steps, float *to)
{
    const size_t span = mica__most(w->lanes->kind[w->kind].span, (size_t)w->f.group),
                 whole = first_step % span ? 0 : steps / span * span;
    for (size_t s = 0; s < lines; s += width) {
        size_t some = mica__least(width, lines - s), apart = pad ? width : some, l = 0;
        float *at = to + s * steps;
        for (; whole && l + 8 <= some; l += 8) {
            turn_eight(w, first_line + s + l, apart, first_step, whole, at + l);
            turn_lines(w, first_line + s + l, 8, apart, first_step + whole, steps - whole,
                       at + whole * apart + l);
        }
        if (l < some) turn_lines(w, first_line + s + l, some - l, apart, first_step, steps, at + l);
        for (size_t p = 0; some < apart && p < steps; p++)
            memset(at + p * apart + some, 0, (apart - some) * sizeof *at);
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
            mica__quant_fetch_ahead(w, first_step + p + MICA_QUANT_AHEAD, first_line + from, count);
            mica__quant_expand_range(w, first_step + p, first_line + from, count, wide, &skip);
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
