/* Inflating: codes of up to 10 bits by one look into a table, longer ones by their canonical order
   (RFC 1951, section 3.2.2). */
#include "base/inflate.h"

enum { FAST = 10, LONGEST = 15, LITERALS = 288, DISTANCES = 32 };

typedef struct stream {
    const unsigned char *in, *end;
    unsigned char *out, *start, *stop;
    uint64_t bits; /* the next ones, low first */
    unsigned n;    /* how many are at hand; beyond the end zeros come */
    unsigned over; /* how many of them are beyond the end */
    bool partial;  /* what there is no room for is left out */
} stream;

typedef struct code {
    uint16_t fast[1 << FAST]; /* symbol << 4 | length; 0: longer than FAST, or none */
    uint16_t count[LONGEST + 1], symbol[LITERALS];
} code;

/* ---- bits ---- */

static void refill(stream *s)
{
    while (s->n <= 56) {
        if (s->in < s->end) s->bits |= (uint64_t)*s->in++ << s->n;
        else s->over += 8;
        s->n += 8;
    }
}
static uint32_t take(stream *s, unsigned n)
{
    uint32_t value = (uint32_t)(s->bits & ((UINT64_C(1) << n) - 1));
    s->bits >>= n;
    s->n -= n;
    return value;
}
/* Whether bits beyond the end were used. */
static bool overrun(const stream *s)
{
    return s->n < s->over;
}

/* ---- codes ---- */

static uint32_t reversed(uint32_t value, unsigned n)
{
    uint32_t out = 0;
    for (unsigned i = 0; i < n; i++) out |= (value >> i & 1) << (n - 1 - i);
    return out;
}

/* From lengths of symbols. False for more codes than there can be; fewer are accepted where the
   format does: one code alone, or none. */
static bool make_code(code *c, const uint8_t *lengths, unsigned n)
{
    uint32_t next[LONGEST + 2] = { 0 }, offset[LONGEST + 2] = { 0 };
    int32_t left = 1;
    unsigned used = 0;
    memset(c, 0, sizeof *c);
    for (unsigned i = 0; i < n; i++) c->count[lengths[i]]++;
    used = n - c->count[0];
    c->count[0] = 0;
    for (unsigned k = 1; k <= LONGEST; k++) {
        left = 2 * left - c->count[k];
        if (left < 0) return false;
        next[k + 1] = (next[k] + c->count[k]) << 1;
        offset[k + 1] = offset[k] + c->count[k];
    }
    if (left && used > 1) return false;
    for (unsigned i = 0; i < n; i++) {
        unsigned k = lengths[i];
        if (!k) continue;
        c->symbol[offset[k]++] = (uint16_t)i;
        uint32_t at = reversed(next[k]++, k);
        if (k <= FAST)
            for (; at < 1u << FAST; at += 1u << k) c->fast[at] = (uint16_t)(i << 4 | k);
    }
    return true;
}

/* The next symbol; -1: no code. At least LONGEST bits are at hand. */
static int next_symbol(stream *s, const code *c)
{
    uint16_t found = c->fast[s->bits & ((1 << FAST) - 1)];
    if (found) {
        take(s, found & 15);
        return found >> 4;
    }
    int32_t value = 0, first = 0, index = 0;
    for (unsigned k = 1; k <= LONGEST; k++) {
        value |= (int32_t)(s->bits >> (k - 1) & 1);
        if (value - c->count[k] < first) {
            take(s, k);
            return c->symbol[index + (value - first)];
        }
        index += c->count[k];
        first = (first + c->count[k]) << 1;
        value <<= 1;
    }
    return -1;
}

/* ---- blocks ---- */

static bool stored(stream *s)
{
    take(s, s->n % 8);
    refill(s);
    uint32_t size = take(s, 16), check = take(s, 16);
    if (size != (check ^ 0xFFFF) || overrun(s)) return false;
    /* Whole bytes that were taken in advance go back. */
    s->in -= (s->n - s->over) / 8;
    s->bits = 0;
    s->n = s->over = 0;
    if (size > (size_t)(s->end - s->in)) return false;
    size_t room = (size_t)(s->stop - s->out), fits = size < room ? size : room;
    if (fits < size && !s->partial) return false;
    if (fits) memcpy(s->out, s->in, fits);
    s->in += size;
    s->out += fits;
    return fits == size;
}

static bool copy(stream *s, size_t length, size_t distance)
{
    size_t room = (size_t)(s->stop - s->out), wanted = length;
    if (distance > (size_t)(s->out - s->start) || (length > room && !s->partial)) return false;
    if (length > room) length = room;
    const unsigned char *from = s->out - distance;
    if (distance >= length) {
        memcpy(s->out, from, length);
        s->out += length;
    } else {
        for (size_t i = 0; i < length; i++) *s->out++ = *from++;
    }
    return length == wanted;
}

static bool coded(stream *s, const code *literals, const code *distances)
{
    static const uint16_t lengths[29] = { 3,  4,  5,  6,   7,   8,   9,   10,  11, 13,
                                          15, 17, 19, 23,  27,  31,  35,  43,  51, 59,
                                          67, 83, 99, 115, 131, 163, 195, 227, 258 };
    static const uint8_t length_bits[29] = { 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2,
                                             2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0 };
    static const uint16_t far[30] = {
        1,   2,   3,   4,   5,   7,    9,    13,   17,   25,   33,   49,   65,    97,    129,
        193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577
    };
    static const uint8_t far_bits[30] = { 0, 0, 0, 0, 1, 1, 2, 2,  3,  3,  4,  4,  5,  5,  6,
                                          6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13 };
    for (;;) {
        refill(s); /* 57 bits or more: enough for a length and a distance */
        int symbol = next_symbol(s, literals);
        if (symbol < 0 || overrun(s)) return false;
        if (symbol < 256) {
            if (s->out == s->stop) return false;
            *s->out++ = (unsigned char)symbol;
            continue;
        }
        if (symbol == 256) return true;
        if (symbol > 285) return false;
        size_t length = lengths[symbol - 257] + take(s, length_bits[symbol - 257]);
        int place = next_symbol(s, distances);
        if (place < 0 || place > 29) return false;
        size_t distance = far[place] + take(s, far_bits[place]);
        if (overrun(s) || !copy(s, length, distance)) return false;
    }
}

static bool fixed(stream *s)
{
    code literals, distances;
    uint8_t lengths[LITERALS];
    for (unsigned i = 0; i < LITERALS; i++)
        lengths[i] = i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8;
    make_code(&literals, lengths, LITERALS);
    for (unsigned i = 0; i < DISTANCES; i++) lengths[i] = 5;
    make_code(&distances, lengths, DISTANCES);
    return coded(s, &literals, &distances);
}

/* Lengths of `n` symbols, coded themselves. */
static bool read_lengths(stream *s, const code *c, uint8_t *lengths, unsigned n)
{
    for (unsigned i = 0; i < n;) {
        refill(s);
        int symbol = next_symbol(s, c);
        unsigned times = 1;
        uint8_t value = 0;
        if (symbol < 0 || overrun(s)) return false;
        if (symbol < 16) value = (uint8_t)symbol;
        else if (symbol == 16 && !i) return false;
        else if (symbol == 16) value = lengths[i - 1], times = 3 + take(s, 2);
        else if (symbol == 17) times = 3 + take(s, 3);
        else times = 11 + take(s, 7);
        if (times > n - i) return false;
        while (times--) lengths[i++] = value;
    }
    return true;
}

static bool dynamic(stream *s)
{
    static const uint8_t order[19] = { 16, 17, 18, 0, 8,  7, 9,  6, 10, 5,
                                       11, 4,  12, 3, 13, 2, 14, 1, 15 };
    code literals, distances;
    uint8_t lengths[LITERALS + DISTANCES] = { 0 };
    refill(s);
    unsigned nliterals = 257 + take(s, 5), ndistances = 1 + take(s, 5), n = 4 + take(s, 4);
    if (nliterals > 286 || ndistances > 30) return false;
    for (unsigned i = 0; i < n; i++) {
        refill(s);
        lengths[order[i]] = (uint8_t)take(s, 3);
    }
    if (!make_code(&literals, lengths, 19)) return false;
    code lengths_code = literals;
    memset(lengths, 0, sizeof lengths);
    if (!read_lengths(s, &lengths_code, lengths, nliterals + ndistances) || !lengths[256])
        return false;
    return make_code(&literals, lengths, nliterals) &&
           make_code(&distances, lengths + nliterals, ndistances) &&
           coded(s, &literals, &distances);
}

/* Up to the end of the stream, or false where it is damaged or has no room. */
static bool run(stream *s)
{
    for (bool last = false; !last;) {
        refill(s);
        last = take(s, 1);
        uint32_t kind = take(s, 2);
        bool ok = kind == 0 ? stored(s) : kind == 1 ? fixed(s) : kind == 2 ? dynamic(s) : false;
        if (!ok || overrun(s)) return false;
    }
    return true;
}

static stream stream_of(void *out, size_t size, const void *in, size_t bytes)
{
    stream s = { .in = in, .end = (const unsigned char *)in + bytes, .out = out, .start = out };
    s.stop = s.start + size;
    return s;
}

bool mica__inflate(void *out, size_t size, const void *in, size_t bytes)
{
    stream s = stream_of(out, size, in, bytes);
    return run(&s) && s.out == s.stop;
}

size_t mica__inflate_start(void *out, size_t size, const void *in, size_t bytes)
{
    stream s = stream_of(out, size, in, bytes);
    s.partial = true;
    run(&s);
    return (size_t)(s.out - s.start);
}
