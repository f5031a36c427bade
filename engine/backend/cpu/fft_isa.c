/* Inner loops of Fourier transforms. Sequences stand side by side in the lanes of vectors, so every
   operation of a pass is one of vectors, and the bits do not depend on their width. */
#include "backend/cpu/fft_vectors.h"

/* W vectors of W numbers, rows and columns exchanged: for each bit d of the numbers of rows and
   columns, the squares above and below the diagonal of blocks of d change places (Eklundh, 1972).
 */
#define UPPER(l, d) ((l) & (d) ? W + (l) - (d) : (l))
#define LOWER(l, d) ((l) & (d) ? W + (l) : (l) + (d))
#define EXCHANGE(d)                                                                                \
    for (int i = 0; i < W; i++) {                                                                  \
        if (i & (d)) continue;                                                                     \
        V a = x[i], b = x[i + (d)];                                                                \
        x[i] = __builtin_shufflevector(a, b, EACH_LANE(UPPER, d));                                 \
        x[i + (d)] = __builtin_shufflevector(a, b, EACH_LANE(LOWER, d));                           \
    }

MICA_BODY void transpose(V x[W])
{
    EXCHANGE(1)
    EXCHANGE(2)
#if defined(__AVX__)
    EXCHANGE(4)
#endif
#if defined(__AVX512F__)
    EXCHANGE(8)
#endif
}

/* W pairs of each of W rows into a tile, and back. The rows that are next are asked for early:
   short ones, side by side in memory, escape the hardware's prefetching (16384 rows of 64: 2.9
   ms, 2.1 so). */
MICA_BODY void load_square(const float *p, ptrdiff_t lane, int real, float *tile)
{
    V re[W], im[W];
    for (int l = 0; l < W; l++) {
        pair x = get_pairs(p + l * lane);
        __builtin_prefetch(p + (l + W) * lane);
        re[l] = x.re;
        im[l] = x.im;
    }
    transpose(re);
    transpose(im);
    for (int j = 0; j < W; j++) {
        PUT(tile + 2 * W * j + real, re[j]);
        PUT(tile + 2 * W * j + W - real, im[j]);
    }
}

MICA_BODY void store_square(const float *tile, int real, float scale, float *p, ptrdiff_t lane)
{
    V re[W], im[W];
    for (int j = 0; j < W; j++) {
        re[j] = GET(tile + 2 * W * j + real) * scale;
        im[j] = GET(tile + 2 * W * j + W - real) * scale;
    }
    transpose(re);
    transpose(im);
    for (int l = 0; l < W; l++) {
        put_pairs(p + l * lane, (pair){ re[l], im[l] });
        __builtin_prefetch(p + (l + W) * lane, 1);
    }
}

static void load(int64_t n, const mica__fft_side *from, int count, bool swap, float *tile)
{
    int real = swap ? W : 0, imaginary = swap ? 0 : W;
    ptrdiff_t step = from->step, lane = from->lane;
    const float *re = from->re, *im = from->im;
    if (count < W || !im) memset(tile, 0, (size_t)n * 2 * W * sizeof(float));
    if (count == W && lane == 1 && im) {
        for (int64_t j = 0; j < n; j++) {
            PUT(tile + 2 * W * j + real, GET(re + j * step));
            PUT(tile + 2 * W * j + imaginary, GET(im + j * step));
        }
    } else if (count == W && lane == 2 && im == re + 1) {
        for (int64_t j = 0; j < n; j++) {
            pair x = get_pairs(re + j * step);
            PUT(tile + 2 * W * j + real, x.re);
            PUT(tile + 2 * W * j + imaginary, x.im);
        }
    } else {
        int64_t first = 0;
        if (count == W && step == 2 && im == re + 1)
            for (; first + W <= n; first += W)
                load_square(re + 2 * first, lane, real, tile + 2 * W * first);
        for (int64_t j = first; j < n; j++)
            for (int l = 0; l < count; l++) {
                tile[2 * W * j + real + l] = re[j * step + l * lane];
                if (im) tile[2 * W * j + imaginary + l] = im[j * step + l * lane];
            }
    }
}

static void store(int64_t n, const float *tile, const mica__fft_side *to, int count, bool swap,
                  float scale)
{
    int real = swap ? W : 0, imaginary = swap ? 0 : W;
    ptrdiff_t step = to->step, lane = to->lane;
    float *re = to->re, *im = to->im;
    int64_t first = 0;
    if (count == W && lane == 2 && im == re + 1) {
        for (; first < n; first++)
            put_pairs(re + first * step, (pair){ GET(tile + 2 * W * first + real) * scale,
                                                 GET(tile + 2 * W * first + imaginary) * scale });
    } else if (count == W && lane == 1 && im) {
        for (; first < n; first++) {
            PUT(re + first * step, GET(tile + 2 * W * first + real) * scale);
            PUT(im + first * step, GET(tile + 2 * W * first + imaginary) * scale);
        }
    } else if (count == W && step == 2 && im == re + 1) {
        for (; first + W <= n; first += W)
            store_square(tile + 2 * W * first, real, scale, re + 2 * first, lane);
    }
    for (int64_t j = first; j < n; j++)
        for (int l = 0; l < count; l++) {
            re[j * step + l * lane] = tile[2 * W * j + real + l] * scale;
            if (im) im[j * step + l * lane] = tile[2 * W * j + imaginary + l] * scale;
        }
}

/* ---- butterflies: x[i * apart] in, y[i * s] out, times the powers w ---- */

MICA_BODY void put(V *y, int64_t i, pair x, int power, const float *w)
{
    if (power > 0) x = times(x, w[2 * power - 2], w[2 * power - 1]);
    put_pair(y, i, x);
}

MICA_BODY void butterfly2(const V *x, int64_t apart, V *y, int64_t s, const float *w)
{
    pair a = PAIR(x, 0), b = PAIR(x, apart);
    put(y, 0, add(a, b), 0, w);
    put(y, s, sub(a, b), 1, w);
}

MICA_BODY void four(pair a[4])
{
    pair s = add(a[0], a[2]), d = sub(a[0], a[2]), t = add(a[1], a[3]),
         e = times_minus_i(sub(a[1], a[3]));
    a[0] = add(s, t);
    a[1] = add(d, e);
    a[2] = sub(s, t);
    a[3] = sub(d, e);
}

MICA_BODY void butterfly4(const V *x, int64_t apart, V *y, int64_t s, const float *w)
{
    pair a[4];
    for (int i = 0; i < 4; i++) a[i] = PAIR(x, i * apart);
    four(a);
    for (int i = 0; i < 4; i++) put(y, i * s, a[i], i, w);
}

MICA_BODY void butterfly8(const V *x, int64_t apart, V *y, int64_t s, const float *w)
{
    pair a[4], b[4];
    for (int i = 0; i < 4; i++) {
        a[i] = PAIR(x, 2 * i * apart);
        b[i] = PAIR(x, (2 * i + 1) * apart);
    }
    four(a);
    four(b);
    const float r = 0.70710678118654752f;
    b[1] = (pair){ (b[1].re + b[1].im) * r, (b[1].im - b[1].re) * r };
    b[2] = times_minus_i(b[2]);
    b[3] = (pair){ (b[3].im - b[3].re) * r, (b[3].re + b[3].im) * -r };
    for (int i = 0; i < 4; i++) {
        put(y, i * s, add(a[i], b[i]), i, w);
        put(y, (i + 4) * s, sub(a[i], b[i]), i + 4, w);
    }
}

/* Odd primes: sums and differences of the elements j and r - j meet cosines and sines. */
MICA_BODY void butterfly_odd(int r, const V *x, int64_t apart, V *y, int64_t s, const float *w,
                             const float *roots)
{
    pair sum[MICA_FFT_PRIME / 2 + 1], difference[MICA_FFT_PRIME / 2 + 1];
    pair first = PAIR(x, 0), total = first;
    for (int j = 1; j <= r / 2; j++) {
        pair a = PAIR(x, j * apart), b = PAIR(x, (r - j) * apart);
        sum[j] = add(a, b);
        difference[j] = sub(a, b);
        total = add(total, sum[j]);
    }
    put(y, 0, total, 0, w);
    for (int k = 1; k <= r / 2; k++) {
        pair c = first, d = { { 0 }, { 0 } };
        for (int j = 1, at = k; j <= r / 2; j++) {
            c.re += sum[j].re * roots[2 * at];
            c.im += sum[j].im * roots[2 * at];
            d.re += difference[j].re * roots[2 * at + 1];
            d.im += difference[j].im * roots[2 * at + 1];
            at += k;
            if (at >= r) at -= r;
        }
        d = times_minus_i(d);
        put(y, k * s, add(c, d), k, w);
        put(y, (r - k) * s, sub(c, d), r - k, w);
    }
}

/* m: the length that remains after this factor; s: the product of the factors before. */
#define PASS(name, r, call)                                                                        \
    static void name(int64_t m, int64_t s, const mica__fft_pass *pass, const V *x, V *y)           \
    {                                                                                              \
        for (int64_t p = 0; p < m; p++) {                                                          \
            const float *w = pass->twiddles + 2 * p * ((r)-1);                                     \
            for (int64_t q = 0; q < s; q++) {                                                      \
                const V *from = x + 2 * (q + s * p);                                               \
                V *to = y + 2 * (q + s * (r)*p);                                                   \
                call;                                                                              \
            }                                                                                      \
        }                                                                                          \
    }
PASS(pass2, 2, butterfly2(from, s *m, to, s, w))
PASS(pass4, 4, butterfly4(from, s *m, to, s, w))
PASS(pass8, 8, butterfly8(from, s *m, to, s, w))
PASS(pass3, 3, butterfly_odd(3, from, s *m, to, s, w, pass->roots))
PASS(pass5, 5, butterfly_odd(5, from, s *m, to, s, w, pass->roots))
PASS(pass7, 7, butterfly_odd(7, from, s *m, to, s, w, pass->roots))
PASS(pass_odd, pass->radix, butterfly_odd(pass->radix, from, s *m, to, s, w, pass->roots))

static float *passes(const mica__fft_plan *plan, float *a, float *b)
{
    int64_t s = 1, m = plan->n;
    for (int i = 0; i < plan->passes; i++) {
        const mica__fft_pass *pass = &plan->pass[i];
        const V *x = (const V *)(const void *)a;
        V *y = (V *)(void *)b;
        m /= pass->radix;
        switch (pass->radix) {
        case 2: pass2(m, s, pass, x, y); break;
        case 3: pass3(m, s, pass, x, y); break;
        case 4: pass4(m, s, pass, x, y); break;
        case 5: pass5(m, s, pass, x, y); break;
        case 7: pass7(m, s, pass, x, y); break;
        case 8: pass8(m, s, pass, x, y); break;
        default: pass_odd(m, s, pass, x, y); break;
        }
        s *= pass->radix;
        float *swap = a;
        a = b;
        b = swap;
    }
    return a;
}

/* ---- convolutions (fft_convolution.c) ---- */

MICA_BODY pair swapped(pair a)
{
    return (pair){ a.im, a.re };
}

/* The convolution with the plan's filter: a is swapped by the way, so that the second transform is
   an inverse one. The result is in a or in b, swapped. */
static float *convolve(const mica__fft_plan *plan, V first[2], float *a, float *b)
{
    float *spectrum = passes(plan->first, a, b), *other = spectrum == a ? b : a;
    V *x = (V *)(void *)spectrum;
    pair sum = PAIR(x, 0);
    for (int64_t k = 0; k < plan->first->n; k++)
        put_pair(x, k, swapped(times(PAIR(x, k), plan->filter[2 * k], plan->filter[2 * k + 1])));
    if (first) { /* adds to all, and the sum is wanted */
        pair all = { first[0], first[1] };
        put_pair(x, 0, add(PAIR(x, 0), swapped(all)));
        sum = add(sum, all);
        first[0] = sum.re;
        first[1] = sum.im;
    }
    return passes(plan->first, spectrum, other);
}

static float *by_chirp(const mica__fft_plan *plan, float *a, float *b)
{
    int64_t n = plan->n, m = plan->first->n;
    V *x = (V *)(void *)a;
    for (int64_t j = 0; j < n; j++)
        put_pair(x, j, times(PAIR(x, j), plan->chirp[2 * j], plan->chirp[2 * j + 1]));
    memset(a + 2 * W * n, 0, (size_t)(m - n) * 2 * W * sizeof(float));
    float *done = convolve(plan, NULL, a, b);
    x = (V *)(void *)done;
    for (int64_t j = 0; j < n; j++)
        put_pair(x, j, times(swapped(PAIR(x, j)), plan->chirp[2 * j], plan->chirp[2 * j + 1]));
    return done;
}

static float *by_cycle(const mica__fft_plan *plan, float *a, float *b)
{
    int64_t m = plan->first->n;
    V *x = (V *)(void *)a, *y = (V *)(void *)b, first[2] = { x[0], x[1] };
    for (int64_t q = 0; q < m; q++) put_pair(y, q, PAIR(x, plan->from[q]));
    float *done = convolve(plan, first, b, a), *other = done == a ? b : a;
    x = (V *)(void *)done;
    y = (V *)(void *)other;
    put_pair(y, 0, (pair){ first[0], first[1] });
    for (int64_t q = 0; q < m; q++) put_pair(y, plan->to[q], swapped(PAIR(x, q)));
    return other;
}

static float *transform(const mica__fft_plan *plan, float *a, float *b)
{
    return plan->way == MICA_FFT_CHIRP   ? by_chirp(plan, a, b)
           : plan->way == MICA_FFT_CYCLE ? by_cycle(plan, a, b)
                                         : passes(plan, a, b);
}

static void twist(const mica__fft_plan *steps, int64_t j, int count, float *tile)
{
    int64_t n = steps->first->n, columns = steps->second->n;
    float room[2][W] = { { 0 } }, more[2][W] = { { 0 } };
    for (int64_t k = 1; k < n; k++) {
        const float *f = steps->fine + k % steps->grain * 2 * columns + j;
        int64_t step = columns;
        if (count < W) {
            memcpy(room[0], f, (size_t)count * sizeof(float));
            memcpy(room[1], f + columns, (size_t)count * sizeof(float));
            f = room[0];
            step = W;
        }
        pair w = { GET(f), GET(f + step) };
        if (steps->coarse) {
            const float *c = steps->coarse + k / steps->grain * 2 * columns + j;
            if (count < W) {
                memcpy(more[0], c, (size_t)count * sizeof(float));
                memcpy(more[1], c + columns, (size_t)count * sizeof(float));
                c = more[0];
            }
            w = times_pair(w, (pair){ GET(c), GET(c + step) });
        }
        V *x = (V *)(void *)(tile + 2 * W * k);
        put_pair(x, 0, times_pair(PAIR(x, 0), w));
    }
}

static void multiply(int64_t n, const float *from, bool swap_in, const float *by, float scale,
                     bool swap_out, float *to)
{
    for (int64_t j = 0; j < n; j++) {
        float re = from[2 * j + swap_in], im = from[2 * j + !swap_in], c = by[2 * j],
              d = by[2 * j + 1];
        to[2 * j + swap_out] = (re * c - im * d) * scale;
        to[2 * j + !swap_out] = (re * d + im * c) * scale;
    }
}

const mica__fft_loops MICA_PASTE(mica__fft_, MICA_ISA_NAME) = {
    W,
    load,
    store,
    transform,
    twist,
    MICA_PASTE(mica__fft_split_, MICA_ISA_NAME),
    MICA_PASTE(mica__fft_join_, MICA_ISA_NAME),
    MICA_PASTE(mica__fft_split_row_, MICA_ISA_NAME),
    MICA_PASTE(mica__fft_join_row_, MICA_ISA_NAME),
    multiply,
};
