/* Loops over codes that lie in lanes. A vector has eight lanes whatever the instruction set. */
#include "backend/cpu/quantized_lanes.h"

#include "backend/cpu/quantized_vectors.h"

#define ALWAYS static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 16")

/* ---- codes to numbers ---- */

/* Codes in a lane's word. */
#define LANE_OF(kind) ((kind) >= MICA_QUANT_BITS_5 && (kind) != MICA_QUANT_E2M1 ? 4 : 8)
#define BITS_OF(kind)                                                                              \
    ((kind) == MICA_QUANT_E2M1                                  ? 4                                \
     : (kind) == MICA_QUANT_E4M3 || (kind) == MICA_QUANT_BITS_8 ? 8                                \
                                                                : (kind) + 1)

/* Lanes of three bytes. */
ALWAYS void triples(const char *at, u8 *out)
{
#if defined(__AVX2__)
    const __m128i first = _mm_setr_epi8(0, 1, 2, -1, 3, 4, 5, -1, 6, 7, 8, -1, 9, 10, 11, -1),
                  second = _mm_setr_epi8(4, 5, 6, -1, 7, 8, 9, -1, 10, 11, 12, -1, 13, 14, 15, -1);
    __m128i low = _mm_loadu_si128((const __m128i *)(const void *)at),
            high = _mm_loadu_si128((const __m128i *)(const void *)(at + 8));
    *out = (u8)_mm256_set_m128i(_mm_shuffle_epi8(high, second), _mm_shuffle_epi8(low, first));
#else
    *out = (u8){ word_at(at),      word_at(at + 3),  word_at(at + 6),  word_at(at + 9),
                 word_at(at + 12), word_at(at + 15), word_at(at + 18), word_at(at + 20) >> 8 };
#endif
}

/* Lanes of twenty bits. */
ALWAYS void twenties(const char *at, u8 *out)
{
#if defined(__AVX2__)
    const __m128i first = _mm_setr_epi8(0, 1, 2, -1, 2, 3, 4, -1, 5, 6, 7, -1, 7, 8, 9, -1),
                  second = _mm_setr_epi8(6, 7, 8, -1, 8, 9, 10, -1, 11, 12, 13, -1, 13, 14, 15, -1);
    __m128i low = _mm_loadu_si128((const __m128i *)(const void *)at),
            high = _mm_loadu_si128((const __m128i *)(const void *)(at + 4));
    u8 words = (u8)_mm256_set_m128i(_mm_shuffle_epi8(high, second), _mm_shuffle_epi8(low, first));
    *out = words >> (u8){ 0, 4, 0, 4, 0, 4, 0, 4 };
#else
    *out = (u8){ word_at(at),      word_at(at + 2),  word_at(at + 5),  word_at(at + 7),
                 word_at(at + 10), word_at(at + 12), word_at(at + 15), word_at(at + 16) } >>
           (u8){ 0, 4, 0, 4, 0, 4, 0, 12 };
#endif
}

/* The words of eight lanes; above their codes they hold anything. */
ALWAYS void words_at(const int kind, const char *at, u8 *out)
{
    if (kind == MICA_QUANT_BITS_1) {
        bytes8 narrow;
        memcpy(&narrow, at, sizeof narrow);
        *out = __builtin_convertvector(narrow, u8);
    } else if (kind == MICA_QUANT_BITS_2) {
        shorts8 narrow;
        memcpy(&narrow, at, sizeof narrow);
        *out = __builtin_convertvector(narrow, u8);
    } else if (kind == MICA_QUANT_BITS_3 || kind == MICA_QUANT_BITS_6) triples(at, out);
    else if (kind == MICA_QUANT_BITS_5) twenties(at, out);
    else memcpy(out, at, sizeof *out);
}

/* What words are turned into before their codes are read. E2M1 with byte shuffles: bytes of twice
   the numbers, of even and of odd codes. */
typedef struct lanes {
    u8 even, odd;
} lanes;

#if defined(__AVX2__)
#define E2M1_BYTES 1
#define E2M1_SCALE 0.5f
#else
#define E2M1_BYTES 0
#define E2M1_SCALE 1.0f
#endif
/* Numbers are this much too large. */
#define SCALE_OF(kind) ((kind) == MICA_QUANT_E2M1 ? E2M1_SCALE : 1.0f)

ALWAYS void lanes_of(const int kind, const u8 *words, lanes *out)
{
    (void)kind; /* not everywhere */
    out->even = *words;
#if E2M1_BYTES
    if (kind == MICA_QUANT_E2M1) {
        const __m256i table = _mm256_broadcastsi128_si256(
                          _mm_setr_epi8(0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12)),
                      low = _mm256_set1_epi8(15);
        __m256i odd = _mm256_and_si256(_mm256_srli_epi32((__m256i)*words, 4), low);
        out->even = (u8)_mm256_shuffle_epi8(table, _mm256_and_si256((__m256i)*words, low));
        out->odd = (u8)_mm256_shuffle_epi8(table, odd);
    }
#endif
}

/* The numbers of the lanes' codes i. */
ALWAYS void number(const int kind, const lanes *w, const int i, v8 *out)
{
    if (kind == MICA_QUANT_E2M1 && E2M1_BYTES) {
        i8 byte = (i8)((i % 2 ? w->odd : w->even) << (24 - 8 * (i / 2)));
        *out = __builtin_convertvector(byte >> 24, v8);
    } else {
        const int bits = BITS_OF(kind);
        u8 shifted = w->even >> (bits * i);
        if (kind == MICA_QUANT_E2M1) e2m1_value(&shifted, out);
        else if (kind == MICA_QUANT_E4M3) e4m3_value(&shifted, out);
        else *out = INTEGER_VALUE(bits, shifted);
    }
}

/* The same for dots, where integers keep their place in 16 bits: what meets them is smaller. */
#define IN_PLACE(kind) ((kind) != MICA_QUANT_E2M1 && (kind) != MICA_QUANT_E4M3)

ALWAYS void number_in_place(const int kind, const lanes *w, const int i, v8 *out)
{
    const int bit = BITS_OF(kind) * i;
    const uint32_t mask = ((1u << BITS_OF(kind)) - 1) << bit % 16;
    if (!IN_PLACE(kind)) number(kind, w, i, out);
    else *out = __builtin_convertvector((i8)((bit < 16 ? w->even : w->even >> 16) & mask), v8);
}

/* The scale of each lane in the span that begins with element `first`; groups have 2^places. */
ALWAYS void scale_of(const int kind, const float *scales, size_t first, int places, v8 *out)
{
    const float *at = scales + (first >> places);
    const float f = SCALE_OF(kind);
    if (LANE_OF(kind) == 4 || places >= 6) *out = (v8){ 0 } + f * at[0];
    else if (places == 5) {
        float a = f * at[0], b = f * at[1];
        *out = (v8){ a, a, a, a, b, b, b, b };
    } else {
        float a = f * at[0], b = f * at[1], c = f * at[2], d = f * at[3];
        *out = (v8){ a, a, b, b, c, c, d, d };
    }
}

/* ---- dot products ---- */

ALWAYS void finish(const int rows, const mica__lanes_rows *p, size_t c, const v8 *total, float *y)
{
    UNROLL for (int r = 0; r < rows; r++)
    {
        y[r] = sum_of(&total[r]);
        if (p->biases)
            y[r] += small_dot(p->n / p->group, p->biases + c * p->scales_apart, p->sums[r]);
    }
}

/* Numbers of one vector meet all rows. Up to four rows are scaled once a span, in two chains if it
   is one; more share the scaled numbers. */
ALWAYS void meet(const int rows, const int i, v8 *q, const v8 *scale, const float *const row[],
                 size_t j, v8 *part, v8 *total)
{
    if (rows > 4) *q *= *scale;
    UNROLL for (int r = 0; r < rows; r++)
    {
        v8 at = LOAD(row[r] + j + 8 * (size_t)i);
        v8 *sum = rows > 4 ? &total[r] : rows == 1 && i % 2 ? &part[1] : &part[r];
        if (rows <= 4 && (i == 0 || (rows == 1 && i == 1))) *sum = *q * at;
        else *sum = FMA(*q, at, *sum);
    }
}

ALWAYS void add_span(const int rows, const v8 *scale, v8 *part, v8 *total)
{
    if (rows == 1) part[0] += part[1];
    if (rows <= 4) UNROLL for (int r = 0; r < rows; r++) total[r] = FMA(part[r], *scale, total[r]);
}

ALWAYS void dot(const int kind, const int rows, const mica__lanes_rows *p, float *y)
{
    const int lane = LANE_OF(kind), places = __builtin_ctzll(p->group);
    const size_t n = p->n;
    const float *row[8];
    UNROLL for (int r = 0; r < rows; r++) row[r] = p->x[r];
    for (size_t c = 0; c < p->count; c++, y += rows) {
        const char *codes = p->codes + c * p->codes_apart;
        const float *scales = p->scales + c * p->scales_apart;
        v8 total[8];
        UNROLL for (int r = 0; r < rows; r++) total[r] = (v8){ 0 };
        for (size_t j = 0; j < n; j += 8 * (size_t)lane, codes += lane * BITS_OF(kind)) {
            u8 words;
            lanes w;
            v8 scale, part[8];
            words_at(kind, codes, &words);
            lanes_of(kind, &words, &w);
            scale_of(kind, scales, j, places, &scale);
            UNROLL for (int i = 0; i < lane; i++)
            {
                v8 q;
                number_in_place(kind, &w, i, &q);
                meet(rows, i, &q, &scale, row, j, part, total);
            }
            add_span(rows, &scale, part, total);
        }
        finish(rows, p, c, total, y);
    }
}

#if defined(__AVX2__) && defined(__F16C__)
#define E4M3_HALVES 1
/* E4M3 moved to the places of float16 is 2^-8 of itself, and its small numbers are small there too;
   only NaN is none, and is looked for aside. A lane holds two neighbours. */
ALWAYS void e4m3_halves(const char *codes, __m256i half[2], __m256i *nan)
{
    const __m256i high = _mm256_set1_epi16((short)0xff00), all = _mm256_set1_epi8(0x7f),
                  clear = _mm256_set1_epi16((short)0xbfff);
    __m256i w = _mm256_loadu_si256((const __m256i *)(const void *)codes);
    *nan = _mm256_or_si256(*nan, _mm256_cmpeq_epi8(_mm256_and_si256(w, all), all));
    half[0] = _mm256_and_si256(_mm256_srai_epi16(_mm256_slli_epi16(w, 8), 1), clear);
    half[1] = _mm256_and_si256(_mm256_srai_epi16(_mm256_and_si256(w, high), 1), clear);
}

ALWAYS void dot_e4m3(const int rows, const mica__lanes_rows *p, float *y)
{
    const int places = __builtin_ctzll(p->group);
    const float *row[8];
    UNROLL for (int r = 0; r < rows; r++) row[r] = p->x[r];
    for (size_t c = 0; c < p->count; c++, y += rows) {
        const char *codes = p->codes + c * p->codes_apart;
        const float *scales = p->scales + c * p->scales_apart;
        __m256i nan = _mm256_setzero_si256(), half[2];
        v8 total[8];
        UNROLL for (int r = 0; r < rows; r++) total[r] = (v8){ 0 };
        for (size_t j = 0; j < p->n; j += 32, codes += 32) {
            const v8 scale = (v8){ 0 } + 256 * scales[j >> places];
            v8 part[8];
            e4m3_halves(codes, half, &nan);
            UNROLL for (int i = 0; i < 4; i++)
            {
                __m128i some = i < 2 ? _mm256_castsi256_si128(half[i % 2])
                                     : _mm256_extracti128_si256(half[i % 2], 1);
                v8 q = (v8)_mm256_cvtph_ps(some);
                meet(rows, i, &q, &scale, row, j, part, total);
            }
            add_span(rows, &scale, part, total);
        }
        finish(rows, p, c, total, y);
        if (!_mm256_testz_si256(nan, nan)) UNROLL for (int r = 0; r < rows; r++) y[r] = k_nan_f32();
    }
}
#else
#define E4M3_HALVES 0
#endif

/* ---- sums of lines ---- */

ALWAYS void add(const int kind, size_t n, size_t group, const void *const codes[4],
                const float *const a[4], float *y)
{
    const int lane = LANE_OF(kind), places = __builtin_ctzll(group);
    for (size_t j = 0; j < n; j += 8 * (size_t)lane, y += 8 * lane) {
        v8 total[8];
        UNROLL for (int i = 0; i < lane; i++) total[i] = LOAD(y + 8 * i);
        for (int l = 0; l < 4; l++) {
            u8 words;
            lanes w;
            v8 scale;
            words_at(kind, (const char *)codes[l] + j / 8 * BITS_OF(kind), &words);
            lanes_of(kind, &words, &w);
            scale_of(kind, a[l], j, places, &scale);
            UNROLL for (int i = 0; i < lane; i++)
            {
                v8 q;
                number(kind, &w, i, &q);
                total[i] = FMA(q, scale, total[i]);
            }
        }
        UNROLL for (int i = 0; i < lane; i++) STORE(y + 8 * i, total[i]);
    }
}

/* ---- strips ---- */

/* Eight vectors of eight words, turned. */
ALWAYS void turn(u8 w[8])
{
#if defined(__AVX2__)
    __m256i a[8], b[8];
    UNROLL for (int i = 0; i < 8; i += 2)
    {
        a[i] = _mm256_unpacklo_epi32((__m256i)w[i], (__m256i)w[i + 1]);
        a[i + 1] = _mm256_unpackhi_epi32((__m256i)w[i], (__m256i)w[i + 1]);
    }
    UNROLL for (int i = 0; i < 8; i += 4) UNROLL for (int h = 0; h < 2; h++)
    {
        b[i + 2 * h] = _mm256_unpacklo_epi64(a[i + h], a[i + 2 + h]);
        b[i + 2 * h + 1] = _mm256_unpackhi_epi64(a[i + h], a[i + 2 + h]);
    }
    UNROLL for (int i = 0; i < 4; i++)
    {
        w[i] = (u8)_mm256_permute2x128_si256(b[i], b[i + 4], 0x20);
        w[i + 4] = (u8)_mm256_permute2x128_si256(b[i], b[i + 4], 0x31);
    }
#else
    uint32_t from[8][8], to[8][8];
    memcpy(from, w, sizeof from);
    for (int i = 0; i < 8; i++)
        for (int j = 0; j < 8; j++) to[j][i] = from[i][j];
    memcpy(w, to, sizeof to);
#endif
}

ALWAYS void strip(const int kind, size_t n, size_t group, const void *const codes[8],
                  const float *scales, const float *biases, size_t width, float *to)
{
    const int lane = LANE_OF(kind), places = __builtin_ctzll(group);
    for (size_t j = 0; j < n; j += 8 * (size_t)lane) {
        u8 words[8];
        UNROLL for (int l = 0; l < 8; l++)
            words_at(kind, (const char *)codes[l] + j / 8 * BITS_OF(kind), &words[l]);
        turn(words);
        UNROLL for (int l = 0; l < 8; l++)
        {
            const size_t g = (j + (size_t)(l * lane)) >> places;
            lanes w;
            v8 scale = LOAD(scales + 8 * g) * SCALE_OF(kind), bias = { 0 };
            if (biases) bias = LOAD(biases + 8 * g);
            lanes_of(kind, &words[l], &w);
            UNROLL for (int i = 0; i < lane; i++, to += width)
            {
                v8 q;
                number(kind, &w, i, &q);
                STORE(to, FMA(q, scale, bias));
            }
        }
    }
}

/* ---- tables ---- */

#define DOT(name, kind, rows)                                                                      \
    static void name(const mica__lanes_rows *p, float *y)                                          \
    {                                                                                              \
        dot(kind, rows, p, y);                                                                     \
    }
#define DOT_E4M3(name, rows)                                                                       \
    static void name(const mica__lanes_rows *p, float *y)                                          \
    {                                                                                              \
        dot_e4m3(rows, p, y);                                                                      \
    }
#define OTHERS(suffix, kind)                                                                       \
    static void add_##suffix(size_t n, size_t group, const void *const codes[4],                   \
                             const float *const a[4], float *y)                                    \
    {                                                                                              \
        add(kind, n, group, codes, a, y);                                                          \
    }                                                                                              \
    static void strip_##suffix(size_t n, size_t group, const void *const codes[8],                 \
                               const float *scales, const float *biases, size_t width, float *to)  \
    {                                                                                              \
        strip(kind, n, group, codes, scales, biases, width, to);                                   \
    }
#define KIND(suffix, kind)                                                                         \
    DOT(dot_##suffix##_1, kind, 1)                                                                 \
    DOT(dot_##suffix##_2, kind, 2)                                                                 \
    DOT(dot_##suffix##_4, kind, 4)                                                                 \
    DOT(dot_##suffix##_8, kind, 8)                                                                 \
    OTHERS(suffix, kind)

KIND(b1, MICA_QUANT_BITS_1)
KIND(b2, MICA_QUANT_BITS_2)
KIND(b3, MICA_QUANT_BITS_3)
KIND(b4, MICA_QUANT_BITS_4)
KIND(b5, MICA_QUANT_BITS_5)
KIND(b6, MICA_QUANT_BITS_6)
KIND(b8, MICA_QUANT_BITS_8)
KIND(e2m1, MICA_QUANT_E2M1)
#if E4M3_HALVES
#define E4M3_LANE 2
DOT_E4M3(dot_e4m3_1, 1)
DOT_E4M3(dot_e4m3_2, 2)
DOT_E4M3(dot_e4m3_4, 4)
DOT_E4M3(dot_e4m3_8, 8)
OTHERS(e4m3, MICA_QUANT_E4M3)
#else
#define E4M3_LANE 4
KIND(e4m3, MICA_QUANT_E4M3)
#endif

#define ROW(KIND, suffix, dot_lane)                                                                \
    [KIND] = { 8 * LANE_OF(KIND),                                                                  \
               LANE_OF(KIND),                                                                      \
               dot_lane,                                                                           \
               IN_PLACE(KIND) ? BITS_OF(KIND) : 0,                                                 \
               { dot_##suffix##_1, dot_##suffix##_2, dot_##suffix##_4, dot_##suffix##_8 },         \
               add_##suffix,                                                                       \
               strip_##suffix }
const mica__lanes_loops MICA_ISA_FUNCTION(mica__lanes_) = {
    .kind = { ROW(MICA_QUANT_BITS_1, b1, 8), ROW(MICA_QUANT_BITS_2, b2, 8),
              ROW(MICA_QUANT_BITS_3, b3, 8), ROW(MICA_QUANT_BITS_4, b4, 8),
              ROW(MICA_QUANT_BITS_5, b5, 4), ROW(MICA_QUANT_BITS_6, b6, 4),
              ROW(MICA_QUANT_BITS_8, b8, 4), ROW(MICA_QUANT_E2M1, e2m1, 8),
              ROW(MICA_QUANT_E4M3, e4m3, E4M3_LANE) }
};
