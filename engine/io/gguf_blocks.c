/* The block formats of ggml (its file ggml-quants describes them) as graphs of bytes. A block is
   (bytes) of an array (blocks, bytes); numbers are worked out in float32 and rounded to float16. */
#include "io/gguf_blocks.h"

#include "mica/ops.h"
#include "ops/builder.h"
#include "ops/shape.h"

typedef struct blocks {
    mica_scope *s;
    mica_array *bytes; /* (n, size) */
    int64_t n, size;
} blocks;

/* ---- small words ---- */

static mica_array *number(mica_scope *s, double value)
{
    return mica_scalar(s, value, MICA_UINT8);
}

/* Bytes first ... first + count - 1 of each block. */
static mica_array *part(const blocks *b, int64_t first, int64_t count)
{
    return mica__slice_axis(b->s, b->bytes, 1, first, count);
}
static mica_array *shaped(const blocks *b, mica_array *a, int64_t x, int64_t y)
{
    return mica__reshape(b->s, a, 3, (const int64_t[]){ b->n, x, y });
}
static mica_array *shaped_4(const blocks *b, mica_array *a, int64_t x, int64_t y, int64_t z)
{
    return mica__reshape(b->s, a, 4, (const int64_t[]){ b->n, x, y, z });
}
static mica_array *low_bits(mica_scope *s, mica_array *a, int bits)
{
    return a ? mica_bitwise_and(s, a, number(s, (1 << bits) - 1)) : NULL;
}
static mica_array *down(mica_scope *s, mica_array *a, int by)
{
    return a ? mica_right_shift(s, a, number(s, by)) : NULL;
}
static mica_array *up(mica_scope *s, mica_array *a, int by)
{
    return a ? mica_left_shift(s, a, number(s, by)) : NULL;
}
static mica_array *either(mica_scope *s, mica_array *a, mica_array *b)
{
    return a && b ? mica_bitwise_or(s, a, b) : NULL;
}
static mica_array *beside(mica_scope *s, mica_array *a, mica_array *b, int axis)
{
    return a && b ? mica__concatenate(s, 2, (mica_array *[]){ a, b }, axis) : NULL;
}
static mica_array *real(mica_scope *s, mica_array *a)
{
    return mica__cast(s, a, MICA_FLOAT32);
}
static mica_array *times(mica_scope *s, mica_array *a, mica_array *b)
{
    return a && b ? mica_multiply(s, a, b) : NULL;
}
static mica_array *minus(mica_scope *s, mica_array *a, mica_array *b)
{
    return a && b ? mica_subtract(s, a, b) : NULL;
}
/* The bits at 0, step, 2 step, ... of bytes, each `bits` wide, along a new axis at 2: bytes
   (n, x, y) to (n, x, count, y). */
static mica_array *spread_bits(const blocks *b, mica_array *a, int bits, int count)
{
    mica_array *places = mica_arange_integer(b->s, 0, (int64_t)bits * count, bits, MICA_UINT8);
    places = mica__reshape(b->s, places, 2, (const int64_t[]){ count, 1 });
    if (!a || !places) return NULL;
    a = shaped_4(b, a, a->shape[1], 1, a->shape[2]);
    return a ? low_bits(b->s, mica_right_shift(b->s, a, places), bits) : NULL;
}
/* A float16 number of each block, as (n, 1, 1), in float32. */
static mica_array *factor(const blocks *b, int64_t at)
{
    mica_array *a = mica_view(b->s, part(b, at, 2), MICA_FLOAT16);
    return real(b->s, shaped(b, a, 1, 1));
}

/* ---- one factor a block ---- */

/* Low halves of bytes first ... first + 15, then their high halves: (n, 1, 32). */
static mica_array *nibbles(const blocks *b, int64_t first)
{
    mica_array *q = part(b, first, 16);
    return shaped(b, beside(b->s, low_bits(b->s, q, 4), down(b->s, q, 4), 1), 1, 32);
}

/* The fifth bits: bit i of the four bytes at `first` for element i. */
static mica_array *fifth_bits(const blocks *b, int64_t first)
{
    mica_array *q = shaped(b, part(b, first, 4), 4, 1);
    return up(b->s, shaped(b, spread_bits(b, q, 1, 8), 1, 32), 4);
}

static mica_array *q5(const blocks *b, bool offset)
{
    int64_t at = offset ? 4 : 2;
    mica_array *q = real(b->s, either(b->s, nibbles(b, at + 4), fifth_bits(b, at)));
    if (!offset) return times(b->s, factor(b, 0), minus(b->s, q, mica_number(b->s, 16)));
    mica_array *scaled = times(b->s, factor(b, 0), q);
    return scaled ? mica_add(b->s, scaled, factor(b, 2)) : NULL;
}

static mica_array *iq4_nl(const blocks *b)
{
    static const int8_t values[16] = { -127, -104, -83, -65, -49, -35, -22, -10,
                                       1,    13,   25,  38,  53,  69,  89,  113 };
    mica_array *table = mica_from_data(b->s, values, MICA_SHAPE(16), MICA_INT8);
    mica_array *q = nibbles(b, 2);
    return q ? times(b->s, factor(b, 0), real(b->s, mica_take(b->s, table, q, 0))) : NULL;
}

/* ---- 256 elements with factors of their own for each 16 or 32 ---- */

/* Two bits each of 64 bytes, in order: (n, 16, 16). */
static mica_array *pairs_of_bits(const blocks *b, int64_t first)
{
    return shaped(b, spread_bits(b, shaped(b, part(b, first, 64), 2, 32), 2, 4), 16, 16);
}

static mica_array *q2_k(const blocks *b)
{
    mica_scope *s = b->s;
    mica_array *scales = shaped(b, part(b, 0, 16), 16, 1);
    mica_array *d = times(s, factor(b, 80), real(s, low_bits(s, scales, 4))),
               *m = times(s, factor(b, 82), real(s, down(s, scales, 4)));
    return minus(s, times(s, d, real(s, pairs_of_bits(b, 16))), m);
}

static mica_array *q3_k(const blocks *b)
{
    mica_scope *s = b->s;
    mica_array *low = part(b, 96, 8), *high = shaped(b, part(b, 104, 4), 1, 4);
    low = beside(s, low_bits(s, low, 4), down(s, low, 4), 1);
    high = shaped(b, spread_bits(b, high, 2, 4), 1, 16);
    mica_array *scales = either(s, shaped(b, low, 1, 16), up(s, high, 4));
    scales = minus(s, real(s, shaped(b, scales, 16, 1)), mica_number(s, 32));
    mica_array *mask = spread_bits(b, shaped(b, part(b, 0, 32), 1, 32), 1, 8);
    mica_array *q = either(s, pairs_of_bits(b, 32), up(s, shaped(b, mask, 16, 16), 2));
    q = minus(s, real(s, q), mica_number(s, 4));
    return times(s, times(s, factor(b, 108), scales), q);
}

/* Six bits for each 32 elements: scales in out[0], least values in out[1]; (n, 8, 1). */
static void six_bits(const blocks *b, mica_array *out[2])
{
    mica_scope *s = b->s;
    mica_array *x = part(b, 4, 4), *y = part(b, 8, 4), *z = part(b, 12, 4);
    out[0] = either(s, low_bits(s, z, 4), up(s, down(s, x, 6), 4));
    out[1] = either(s, down(s, z, 4), up(s, down(s, y, 6), 4));
    out[0] = real(s, shaped(b, beside(s, low_bits(s, x, 6), out[0], 1), 8, 1));
    out[1] = real(s, shaped(b, beside(s, low_bits(s, y, 6), out[1], 1), 8, 1));
}

/* Half bytes of runs of 32: low ones, then high ones; (n, 8, 32). */
static mica_array *runs_of_nibbles(const blocks *b, int64_t first)
{
    return shaped(b, spread_bits(b, shaped(b, part(b, first, 128), 4, 32), 4, 2), 8, 32);
}

static mica_array *q4_k(const blocks *b, bool fifth)
{
    mica_scope *s = b->s;
    mica_array *six[2], *q = runs_of_nibbles(b, fifth ? 48 : 16);
    six_bits(b, six);
    if (fifth) {
        mica_array *bits = spread_bits(b, shaped(b, part(b, 16, 32), 1, 32), 1, 8);
        q = either(s, q, up(s, shaped(b, bits, 8, 32), 4));
    }
    mica_array *d = times(s, factor(b, 0), six[0]), *m = times(s, factor(b, 2), six[1]);
    return minus(s, times(s, d, real(s, q)), m);
}

static mica_array *q6_k(const blocks *b)
{
    mica_scope *s = b->s;
    mica_array *low = spread_bits(b, shaped(b, part(b, 0, 128), 2, 64), 4, 2),
               *high = spread_bits(b, shaped(b, part(b, 128, 64), 2, 32), 2, 4);
    mica_array *q = either(s, shaped(b, low, 16, 16), up(s, shaped(b, high, 16, 16), 4));
    mica_array *scales = mica_view(s, part(b, 192, 16), MICA_INT8);
    mica_array *d = times(s, factor(b, 208), real(s, shaped(b, scales, 16, 1)));
    return times(s, d, minus(s, real(s, q), mica_number(s, 32)));
}

/* ---- tensors ---- */

static blocks blocks_of(mica_scope *s, const mica__gguf_tensor *t, mica_array *bytes)
{
    uint32_t elements = 1, size = 1;
    mica__gguf_block(t->type, &elements, &size);
    blocks b = { .s = s, .size = size, .n = (int64_t)(t->bytes / size) };
    b.bytes = mica__reshape(s, bytes, 2, (const int64_t[]){ b.n, b.size });
    return b;
}

mica_array *mica__gguf_numbers(mica_scope *s, const mica__gguf_tensor *t, mica_array *bytes)
{
    blocks b = blocks_of(s, t, bytes);
    mica_array *a = NULL;
    if (!b.bytes) return NULL;
    switch (t->type) {
    case MICA_GGUF_Q5_0: a = q5(&b, false); break;
    case MICA_GGUF_Q5_1: a = q5(&b, true); break;
    case MICA_GGUF_IQ4_NL: a = iq4_nl(&b); break;
    case MICA_GGUF_Q2_K: a = q2_k(&b); break;
    case MICA_GGUF_Q3_K: a = q3_k(&b); break;
    case MICA_GGUF_Q4_K: a = q4_k(&b, false); break;
    case MICA_GGUF_Q5_K: a = q4_k(&b, true); break;
    default: a = q6_k(&b); break;
    }
    return mica__reshape(s, mica__cast(s, a, MICA_FLOAT16), t->ndim, t->shape);
}

/* The shape of the tensor with the last axis divided. */
static mica_array *rows_of(mica_scope *s, const mica__gguf_tensor *t, mica_array *a, int64_t by)
{
    int64_t shape[MICA_MAX_NDIM];
    for (int i = 0; i < t->ndim; i++) shape[i] = t->shape[i];
    shape[t->ndim - 1] /= by;
    return mica__reshape(s, a, t->ndim, shape);
}

/* Two codes in each byte, the first one low. */
static mica_array *packed(const blocks *b, mica_array *codes)
{
    mica_array *pairs = codes ? shaped(b, codes, 16, 2) : NULL;
    mica_array *even = mica__slice_axis(b->s, pairs, 2, 0, 1),
               *odd = mica__slice_axis(b->s, pairs, 2, 1, 1);
    return either(b->s, even, up(b->s, odd, 4));
}

bool mica__gguf_triple(mica_scope *s, const mica__gguf_tensor *t, mica_array *bytes,
                       mica_array *out[3])
{
    blocks b = blocks_of(s, t, bytes);
    if (!b.bytes) return false;
    mica_array *codes, *scales = factor(&b, 0), *biases;
    if (t->type == MICA_GGUF_Q8_0) { /* signed codes become unsigned ones */
        codes = mica_bitwise_xor(s, part(&b, 2, 32), number(s, 128));
        biases = times(s, scales, mica_number(s, -128));
    } else if (t->type == MICA_GGUF_Q4_0) {
        codes = packed(&b, nibbles(&b, 2));
        biases = times(s, scales, mica_number(s, -8));
    } else {
        codes = packed(&b, nibbles(&b, 4));
        biases = factor(&b, 2);
    }
    int64_t bytes_a_block = t->type == MICA_GGUF_Q8_0 ? 32 : 16, words = b.n * bytes_a_block / 4;
    codes = mica__reshape(s, codes, 2, (const int64_t[]){ words, 4 });
    out[0] = rows_of(s, t, mica_view(s, codes, MICA_UINT32), 32 / (bytes_a_block / 4));
    out[1] = rows_of(s, t, mica__cast(s, scales, MICA_FLOAT16), 32);
    out[2] = rows_of(s, t, mica__cast(s, biases, MICA_FLOAT16), 32);
    return out[0] && out[1] && out[2];
}
