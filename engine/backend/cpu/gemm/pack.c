/* Packing of operands into strips: any strides, conversion of halves, complex numbers and pairs on
 * the way. */
#include "backend/cpu/gemm/plan.h"

typedef float four __attribute__((vector_size(16)));
typedef float any_float __attribute__((may_alias)); /* 32 bits of anything */
typedef float four_anywhere __attribute__((vector_size(16), aligned(4), may_alias));

#if defined(__clang__) || __GNUC__ >= 12
#define SHUFFLE(a, b, i, j, k, l) __builtin_shufflevector(a, b, i, j, k, l)
#else
typedef int four_indices __attribute__((vector_size(16)));
#define SHUFFLE(a, b, i, j, k, l) __builtin_shuffle(a, b, (four_indices){ i, j, k, l })
#endif

static inline four load(const any_float *p)
{
    return *(const four_anywhere *)p;
}
static inline void store(any_float *p, four v)
{
    *(four_anywhere *)p = v;
}

/* Four lines by four steps, lines contiguous in `from`, steps contiguous in `to`. */
static inline void transpose_4x4(const any_float *from, ptrdiff_t line, any_float *to, size_t width)
{
    four a = load(from), b = load(from + line), c = load(from + 2 * line),
         d = load(from + 3 * line);
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

/* Steps at a time: whole cache lines of four source lines are used up at once, whatever the stride,
   and what is written stays in the first cache. */
#define RUN 64

static void transpose(const any_float *from, ptrdiff_t line, size_t lines, size_t width,
                      size_t steps, any_float *to)
{
    for (size_t p = 0; p < steps; p += RUN) {
        size_t count = mica__least(RUN, steps - p), fours = count & ~(size_t)3;
        size_t l = 0;
        for (; l + 4 <= lines; l += 4) {
            const any_float *in = from + (ptrdiff_t)l * line + p;
            any_float *out = to + p * width + l;
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
    if (step == 1) {
        transpose(from, line, lines, width, steps, to);
        return;
    }
    for (size_t p = 0; p < steps; p++)
        for (size_t l = 0; l < lines; l++)
            to[p * width + l] = from[(ptrdiff_t)l * line + (ptrdiff_t)p * step];
    zero_rest(4, lines, width, steps, (char *)to);
}

static void pack_f64(const double *from, ptrdiff_t line, ptrdiff_t step, size_t lines, size_t width,
                     size_t steps, double *to)
{
    for (size_t p = 0; p < steps; p += 8) {
        size_t count = mica__least(8, steps - p);
        const double *in = from + (ptrdiff_t)p * step;
        double *out = to + p * width;
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
                for (; q + 4 <= count; q += 4)
                    transpose_4x4(wide + q, PIECE, out + q * width, width);
            for (; q < count; q++)
                for (size_t i = 0; i < some; i++) out[q * width + i] = wide[i * PIECE + q];
        }
    }
    zero_rest(4, lines, width, steps, (char *)to);
}

/* `left`: stored elements from the first step to the end of k. */
static void pack_pairs(const uint16_t *from, ptrdiff_t line, ptrdiff_t step, size_t lines,
                       size_t width, size_t steps, size_t left, uint32_t *to)
{
    size_t whole = mica__least(steps, left / 2);
    if (step == 1 && width == 1) {
        memcpy(to, from, whole * sizeof *to);
    } else if (step == 1 && line % 2 == 0 && (uintptr_t)from % 4 == 0) {
        transpose((const any_float *)(const void *)from, line / 2, lines, width, whole,
                  (any_float *)to);
    } else {
        for (size_t p = 0; p < whole; p++) {
            const uint16_t *in = from + (ptrdiff_t)(2 * p) * step;
            uint32_t *out = to + p * width;
            if (line == 1)
                for (size_t l = 0; l < lines; l++)
                    out[l] = in[l] | (uint32_t)in[step + (ptrdiff_t)l] << 16;
            else
                for (size_t l = 0; l < lines; l++) {
                    const uint16_t *x = in + (ptrdiff_t)l * line;
                    out[l] = x[0] | (uint32_t)x[step] << 16;
                }
        }
        zero_rest(4, lines, width, whole, (char *)to);
    }
    if (whole < steps) memset(to + whole * width, 0, (steps - whole) * width * sizeof *to);
    if (whole < steps && left % 2)
        for (size_t l = 0; l < lines; l++)
            to[whole * width + l] = from[(ptrdiff_t)l * line + (ptrdiff_t)(2 * whole) * step];
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

/* Copies n units of 4 bytes; n is small. */
static inline void copy_f32(const float *from, size_t n, float *to)
{
    size_t i = 0;
    for (; i + 4 <= n; i += 4) store(to + i, load(from + i));
    for (; i < n; i++) to[i] = from[i];
}

/* Lines are neighbours in memory: step by step over all strips, so memory is read in its order. */
static void pack_along(const mica__gemm_operand *o, const char *from, size_t lines, size_t width,
                       bool pad, size_t steps, size_t unit, char *to)
{
    size_t strips = lines / width, rest = lines % width, rest_width = pad ? width : rest;
    for (size_t p = 0; p < steps; p++, from += o->step * (ptrdiff_t)o->element) {
        const char *in = from;
        for (size_t s = 0; s <= strips; s++, in += width * o->element) {
            size_t some = s < strips ? width : rest, apart = s < strips ? width : rest_width;
            if (!some) break;
            char *out = to + (s * width * steps + p * apart) * unit;
            if (o->form == MICA_FORM_F32 && some == 32) memcpy(out, in, 128);
            else if (o->form == MICA_FORM_F32) copy_f32((const void *)in, some, (void *)out);
            else if (o->form == MICA_FORM_HALF) o->widen(some, in, (void *)out);
            else memcpy(out, in, some * unit);
            if (some < apart) memset(out + some * unit, 0, (apart - some) * unit);
        }
    }
}

void mica__gemm_pack(const mica__gemm_operand *o, ptrdiff_t offset, size_t first_line, size_t lines,
                     size_t width, bool pad, size_t first_step, size_t steps, void *to)
{
    if (o->form == MICA_FORM_FILLED) {
        o->fill(o->context, first_line, lines, width, pad, first_step, steps, to);
        return;
    }
    bool complex = o->form == MICA_FORM_COMPLEX_A || o->form == MICA_FORM_COMPLEX_B;
    size_t unit = o->form == MICA_FORM_F64 ? 8 : 4;
    size_t step = complex                      ? first_step / 2
                  : o->form == MICA_FORM_PAIRS ? 2 * first_step
                                               : first_step;
    size_t left = step < o->depth ? o->depth - step : 0;
    size_t first = o->form == MICA_FORM_COMPLEX_B ? first_line / 2 : first_line;
    ptrdiff_t start = offset + (ptrdiff_t)first * o->line + (ptrdiff_t)step * o->step;
    const char *from = o->data + start * (ptrdiff_t)o->element;
    if (o->line == 1 && !complex && o->form != MICA_FORM_PAIRS) {
        pack_along(o, from, lines, width, pad, steps, unit, to);
        return;
    }
    for (size_t l = 0; l < lines; l += width) {
        size_t some = mica__least(width, lines - l), apart = pad ? width : some;
        size_t passed = o->form == MICA_FORM_COMPLEX_B ? l / 2 : l;
        const void *in = from + (ptrdiff_t)passed * o->line * (ptrdiff_t)o->element;
        void *out = (char *)to + l * steps * unit;
        switch (o->form) {
        case MICA_FORM_F32: pack_f32(in, o->line, o->step, some, apart, steps, out); break;
        case MICA_FORM_F64: pack_f64(in, o->line, o->step, some, apart, steps, out); break;
        case MICA_FORM_HALF: pack_half(o, in, some, apart, steps, out); break;
        case MICA_FORM_PAIRS:
            pack_pairs(in, o->line, o->step, some, apart, steps, left, out);
            break;
        case MICA_FORM_FILLED: break;
        case MICA_FORM_COMPLEX_A:
            pack_complex_a(in, o->line, o->step, some, apart, steps, out);
            break;
        case MICA_FORM_COMPLEX_B:
            pack_complex_b(in, o->line, o->step, some, apart, steps, out);
            break;
        }
    }
}
