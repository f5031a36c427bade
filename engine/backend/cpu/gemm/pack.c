/* Packing of operands into strips: any strides, conversion of halves, complex numbers and pairs on the way. */
#include "backend/cpu/gemm/plan.h"

typedef float four __attribute__((vector_size(16)));
typedef float four_anywhere __attribute__((vector_size(16), aligned(4), may_alias));

#if defined(__clang__) || __GNUC__ >= 12
#define SHUFFLE(a, b, i, j, k, l) __builtin_shufflevector(a, b, i, j, k, l)
#else
typedef int four_indices __attribute__((vector_size(16)));
#define SHUFFLE(a, b, i, j, k, l) __builtin_shuffle(a, b, (four_indices){ i, j, k, l })
#endif

static inline four load(const float *p) { return *(const four_anywhere *)p; }
static inline void store(float *p, four v) { *(four_anywhere *)p = v; }

/* Four lines by four steps, lines contiguous in `from`, steps contiguous in `to`. */
static inline void transpose_4x4(const float *from, ptrdiff_t line, float *to, size_t width)
{
    four a = load(from), b = load(from + line), c = load(from + 2 * line), d = load(from + 3 * line);
    four ab = SHUFFLE(a, b, 0, 4, 1, 5), cd = SHUFFLE(c, d, 0, 4, 1, 5);
    four ef = SHUFFLE(a, b, 2, 6, 3, 7), gh = SHUFFLE(c, d, 2, 6, 3, 7);
    store(to, SHUFFLE(ab, cd, 0, 1, 4, 5));
    store(to + width, SHUFFLE(ab, cd, 2, 3, 6, 7));
    store(to + 2 * width, SHUFFLE(ef, gh, 0, 1, 4, 5));
    store(to + 3 * width, SHUFFLE(ef, gh, 2, 3, 6, 7));
}

static void zero_rest(size_t bytes, size_t lines, size_t width, size_t steps, char *to)
{
    if (lines < width)
        for (size_t p = 0; p < steps; p++)
            memset(to + (p * width + lines) * bytes, 0, (width - lines) * bytes);
}

/* Sixteen steps at a time: a cache line of each source line is used up at once, whatever the stride. */
static void transpose(const float *from, ptrdiff_t line, size_t lines, size_t width, size_t steps,
                      float *to)
{
    for (size_t p = 0; p < steps; p += 16) {
        size_t count = mica__least(16, steps - p), fours = count & ~(size_t)3;
        size_t l = 0;
        for (; l + 4 <= lines; l += 4) {
            const float *in = from + (ptrdiff_t)l * line + p;
            float *out = to + p * width + l;
            for (int i = 0; i < 4; i++) __builtin_prefetch(in + i * line + 32);
            for (size_t q = 0; q < fours; q += 4)
                transpose_4x4(in + q, line, out + q * width, width);
            for (size_t q = fours; q < count; q++)
                for (int i = 0; i < 4; i++) out[q * width + i] = in[i * line + (ptrdiff_t)q];
        }
        for (; l < lines; l++)
            for (size_t q = 0; q < count; q++)
                to[(p + q) * width + l] = from[(ptrdiff_t)l * line + (ptrdiff_t)(p + q)];
    }
    zero_rest(4, lines, width, steps, (char *)to);
}

static void pack_f32(const float *from, ptrdiff_t line, ptrdiff_t step, size_t lines, size_t width,
                     size_t steps, float *to)
{
    if (step == 1 && line != 1) {
        transpose(from, line, lines, width, steps, to);
        return;
    }
    if (line == 1 && lines == 32 && width == 32) {
        for (size_t p = 0; p < steps; p++) memcpy(to + p * 32, from + (ptrdiff_t)p * step, 128);
        return;
    }
    for (size_t p = 0; p < steps; p++) {
        const float *in = from + (ptrdiff_t)p * step;
        if (line == 1)
            for (size_t l = 0; l < lines; l++) to[p * width + l] = in[l];
        else
            for (size_t l = 0; l < lines; l++) to[p * width + l] = in[(ptrdiff_t)l * line];
    }
    zero_rest(4, lines, width, steps, (char *)to);
}

static void pack_f64(const double *from, ptrdiff_t line, ptrdiff_t step, size_t lines, size_t width,
                     size_t steps, double *to)
{
    for (size_t p = 0; p < steps; p += 8) {
        size_t count = mica__least(8, steps - p);
        const double *in = from + (ptrdiff_t)p * step;
        double *out = to + p * width;
        if (line == 1)
            for (size_t q = 0; q < count; q++)
                memcpy(out + q * width, in + (ptrdiff_t)q * step, lines * sizeof *to);
        else
            for (size_t l = 0; l < lines; l++)
                for (size_t q = 0; q < count; q++)
                    out[q * width + l] = in[(ptrdiff_t)l * line + (ptrdiff_t)q * step];
    }
    zero_rest(8, lines, width, steps, (char *)to);
}

#define PIECE 128 /* halves that are widened at a time */

static void pack_half(const mica__gemm_operand *o, const uint16_t *from, size_t lines, size_t width,
                      size_t steps, float *to)
{
    if (o->line == 1) {
        for (size_t p = 0; p < steps; p++)
            o->widen(lines, from + (ptrdiff_t)p * o->step, to + p * width);
        zero_rest(4, lines, width, steps, (char *)to);
        return;
    }
    float wide[4 * PIECE];
    uint16_t gathered[PIECE];
    for (size_t p = 0; p < steps; p += PIECE) {
        size_t count = mica__least(PIECE, steps - p);
        for (size_t l = 0; l < lines; l += 4) {
            size_t some = mica__least(4, lines - l);
            for (size_t i = 0; i < some; i++) {
                const uint16_t *in = from + (ptrdiff_t)(l + i) * o->line + (ptrdiff_t)p * o->step;
                if (o->step != 1) {
                    for (size_t q = 0; q < count; q++) gathered[q] = in[(ptrdiff_t)q * o->step];
                    in = gathered;
                }
                o->widen(count, in, wide + i * PIECE);
            }
            float *out = to + p * width + l;
            size_t q = 0;
            if (some == 4)
                for (; q + 4 <= count; q += 4) transpose_4x4(wide + q, PIECE, out + q * width, width);
            for (; q < count; q++)
                for (size_t i = 0; i < some; i++) out[q * width + i] = wide[i * PIECE + q];
        }
    }
    zero_rest(4, lines, width, steps, (char *)to);
}

/* `odd`: the last unit has no second element. */
static void pack_pairs(const uint16_t *from, ptrdiff_t line, ptrdiff_t step, size_t lines,
                       size_t width, size_t steps, bool odd, uint32_t *to)
{
    size_t whole = steps - odd;
    bool words = step == 1 && line % 2 == 0 && (uintptr_t)from % 4 == 0;
    if (words) {
        transpose((const float *)(const void *)from, line / 2, lines, width, whole, (float *)to);
    } else {
        for (size_t p = 0; p < whole; p++) {
            const uint16_t *in = from + (ptrdiff_t)(2 * p) * step;
            uint32_t *out = to + p * width;
            if (line == 1)
                for (size_t l = 0; l < lines; l++) out[l] = in[l] | (uint32_t)in[step + (ptrdiff_t)l] << 16;
            else
                for (size_t l = 0; l < lines; l++) {
                    const uint16_t *x = in + (ptrdiff_t)l * line;
                    out[l] = x[0] | (uint32_t)x[step] << 16;
                }
        }
        zero_rest(4, lines, width, whole, (char *)to);
    }
    if (odd) {
        const uint16_t *in = from + (ptrdiff_t)(2 * whole) * step;
        for (size_t l = 0; l < lines; l++) to[whole * width + l] = in[(ptrdiff_t)l * line];
        zero_rest(4, lines, width, 1, (char *)(to + whole * width));
    }
}

static void pack_complex_a(const mica_complex64 *from, ptrdiff_t line, ptrdiff_t step, size_t lines,
                           size_t width, size_t steps, float *to)
{
    if (step == 1) {
        transpose((const float *)(const void *)from, 2 * line, lines, width, steps, to);
        return;
    }
    for (size_t p = 0; p < steps / 2; p++)
        for (size_t l = 0; l < lines; l++) {
            mica_complex64 x = from[(ptrdiff_t)l * line + (ptrdiff_t)p * step];
            to[2 * p * width + l] = x.re;
            to[(2 * p + 1) * width + l] = x.im;
        }
    zero_rest(4, lines, width, steps, (char *)to);
}

static void pack_complex_b(const mica_complex64 *from, ptrdiff_t line, ptrdiff_t step, size_t lines,
                           size_t width, size_t steps, float *to)
{
    for (size_t p = 0; p < steps / 2; p++)
        for (size_t l = 0; l < lines / 2; l++) {
            mica_complex64 x = from[(ptrdiff_t)l * line + (ptrdiff_t)p * step];
            float *out = to + 2 * (p * width + l);
            out[0] = x.re;
            out[1] = x.im;
            out[width] = -x.im;
            out[width + 1] = x.re;
        }
    zero_rest(4, lines, width, steps, (char *)to);
}

void mica__gemm_pack(const mica__gemm_operand *o, ptrdiff_t offset, size_t first_line, size_t lines,
                     size_t width, size_t first_step, size_t steps, void *to)
{
    bool complex = o->form == MICA_FORM_COMPLEX_A || o->form == MICA_FORM_COMPLEX_B;
    size_t line = o->form == MICA_FORM_COMPLEX_B ? first_line / 2 : first_line;
    size_t step = complex ? first_step / 2 : o->form == MICA_FORM_PAIRS ? 2 * first_step : first_step;
    ptrdiff_t start = offset + (ptrdiff_t)line * o->line + (ptrdiff_t)step * o->step;
    const void *from = o->data + start * (ptrdiff_t)o->element;
    switch (o->form) {
    case MICA_FORM_F32: pack_f32(from, o->line, o->step, lines, width, steps, to); break;
    case MICA_FORM_F64: pack_f64(from, o->line, o->step, lines, width, steps, to); break;
    case MICA_FORM_HALF: pack_half(o, from, lines, width, steps, to); break;
    case MICA_FORM_PAIRS:
        pack_pairs(from, o->line, o->step, lines, width, steps, step + 2 * steps > o->depth, to);
        break;
    case MICA_FORM_COMPLEX_A: pack_complex_a(from, o->line, o->step, lines, width, steps, to); break;
    case MICA_FORM_COMPLEX_B: pack_complex_b(from, o->line, o->step, lines, width, steps, to); break;
    }
}
