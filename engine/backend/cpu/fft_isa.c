/* Inner loops of Fourier transforms. Sequences stand side by side in the lanes of vectors, so every
   operation of a pass is one of vectors, and the bits do not depend on their width. */
#include "backend/cpu/fft.h"
#include "kernel/body.h"

#if defined(__AVX512F__)
enum { W = 16 };
#define EVEN    0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30
#define ODD     1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31
#define LOW     0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define HIGH    8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
#define REVERSE 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0
#elif defined(__AVX__)
enum { W = 8 };
#define EVEN    0, 2, 4, 6, 8, 10, 12, 14
#define ODD     1, 3, 5, 7, 9, 11, 13, 15
#define LOW     0, 8, 1, 9, 2, 10, 3, 11
#define HIGH    4, 12, 5, 13, 6, 14, 7, 15
#define REVERSE 7, 6, 5, 4, 3, 2, 1, 0
#else
enum { W = 4 };
#define EVEN    0, 2, 4, 6
#define ODD     1, 3, 5, 7
#define LOW     0, 4, 1, 5
#define HIGH    2, 6, 3, 7
#define REVERSE 3, 2, 1, 0
#endif

typedef float V __attribute__((vector_size(4 * W)));
typedef float U __attribute__((vector_size(4 * W), aligned(4), may_alias));
typedef struct pair {
    V re, im;
} pair;

#define GET(p)    ((V) * (const U *)(const void *)(p))
#define PUT(p, v) (*(U *)(void *)(p) = (U)(v))

/* Neighbouring pairs of memory, taken apart and put together. */
MICA_BODY pair get_pairs(const float *p)
{
    V a = GET(p), b = GET(p + W);
    return (pair){ __builtin_shufflevector(a, b, EVEN), __builtin_shufflevector(a, b, ODD) };
}

MICA_BODY void put_pairs(float *p, pair x)
{
    PUT(p, __builtin_shufflevector(x.re, x.im, LOW));
    PUT(p + W, __builtin_shufflevector(x.re, x.im, HIGH));
}

MICA_BODY pair add(pair a, pair b) { return (pair){ a.re + b.re, a.im + b.im }; }
MICA_BODY pair sub(pair a, pair b) { return (pair){ a.re - b.re, a.im - b.im }; }
MICA_BODY pair times_minus_i(pair a) { return (pair){ a.im, -a.re }; }
MICA_BODY pair times(pair a, float re, float im)
{
    return (pair){ a.re * re - a.im * im, a.re * im + a.im * re };
}
MICA_BODY pair times_pair(pair a, pair b)
{
    return (pair){ a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re };
}

/* ---- tiles ---- */

/* W elements of W rows: transposed through registers by the compiler's scalar moves. */
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
    } else if (count == W && step == 2 && im == re + 1) {
        for (int64_t j = 0; j < n; j++) {
            const float *p = re + 2 * j;
            float *t = tile + 2 * W * j;
            for (int l = 0; l < W; l++) {
                t[real + l] = p[l * lane];
                t[imaginary + l] = p[l * lane + 1];
            }
        }
    } else {
        for (int64_t j = 0; j < n; j++)
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
    for (int64_t j = 0; j < n; j++) {
        V a = GET(tile + 2 * W * j + real) * scale, b = GET(tile + 2 * W * j + imaginary) * scale;
        if (count == W && lane == 2 && im == re + 1) {
            put_pairs(re + j * step, (pair){ a, b });
        } else if (count == W && lane == 1 && im) {
            PUT(re + j * step, a);
            PUT(im + j * step, b);
        } else {
            for (int l = 0; l < count; l++) {
                re[j * step + l * lane] = a[l];
                if (im) im[j * step + l * lane] = b[l];
            }
        }
    }
}

/* ---- butterflies: x[i * apart] in, y[i * s] out, times the powers w ---- */

#define PAIR(t, i) ((pair){ (t)[2 * (i)], (t)[2 * (i) + 1] })

MICA_BODY void put(V *y, int64_t i, pair x, int power, const float *w)
{
    if (power > 0) x = times(x, w[2 * power - 2], w[2 * power - 1]);
    y[2 * i] = x.re;
    y[2 * i + 1] = x.im;
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

static float *transform(const mica__fft_plan *plan, float *a, float *b)
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
        put(x, 0, times_pair(PAIR(x, 0), w), 0, NULL);
    }
}

/* ---- between pairs and reals (Sorensen et al., Real-valued fast Fourier transform algorithms,
 *      1987). T: float or V; a and b: elements k and n / 2 - k. ---- */

#define SPLIT(T, a_re, a_im, b_re, b_im, w_re, w_im, scale)                                        \
    T e_re = (a_re + b_re) * 0.5f, e_im = (a_im - b_im) * 0.5f, o_re = (a_im + b_im) * 0.5f,       \
      o_im = (b_re - a_re) * 0.5f, t_re = o_re * (w_re)-o_im * (w_im),                             \
      t_im = o_re * (w_im) + o_im * (w_re);                                                        \
    a_re = (e_re + t_re) * (scale);                                                                \
    a_im = (e_im + t_im) * (scale);                                                                \
    b_re = (e_re - t_re) * (scale);                                                                \
    b_im = (t_im - e_im) * (scale);

#define JOIN(T, a_re, a_im, b_re, b_im, w_re, w_im)                                                \
    T e_re = a_re + b_re, e_im = a_im - b_im, d_re = a_re - b_re, d_im = a_im + b_im,              \
      o_re = d_re * (w_re) + d_im * (w_im), o_im = d_im * (w_re)-d_re * (w_im);                    \
    a_re = e_re - o_im;                                                                            \
    a_im = e_im + o_re;                                                                            \
    b_re = e_re + o_im;                                                                            \
    b_im = o_re - e_im;

static void split(int64_t n, const float *half, float *tile)
{
    int64_t h = n / 2;
    V *t = (V *)(void *)tile, sum = t[0] + t[1], difference = t[0] - t[1], zero = { 0 };
    t[0] = sum;
    t[1] = zero;
    t[2 * h] = difference;
    t[2 * h + 1] = zero;
    for (int64_t k = 1; k <= h / 2; k++) {
        pair a = PAIR(t, k), b = PAIR(t, h - k);
        SPLIT(V, a.re, a.im, b.re, b.im, half[2 * k], half[2 * k + 1], 1.0f)
        put(t, k, a, 0, NULL);
        put(t, h - k, b, 0, NULL);
    }
}

static void join(int64_t n, const float *half, float *tile)
{
    int64_t h = n / 2;
    V *t = (V *)(void *)tile, first = t[0], last = t[2 * h];
    put(t, 0, (pair){ first - last, first + last }, 0, NULL);
    for (int64_t k = 1; k <= h / 2; k++) {
        pair a = PAIR(t, k), b = PAIR(t, h - k);
        JOIN(V, a.re, a.im, b.re, b.im, half[2 * k], half[2 * k + 1])
        put(t, k, (pair){ a.im, a.re }, 0, NULL);
        put(t, h - k, (pair){ b.im, b.re }, 0, NULL);
    }
}

/* ---- rows ---- */

MICA_BODY pair reversed(pair x)
{
    return (pair){ __builtin_shufflevector(x.re, x.re, REVERSE),
                   __builtin_shufflevector(x.im, x.im, REVERSE) };
}

static void split_row(int64_t n, const float *half, int64_t first, int64_t last, float scale,
                      float *row)
{
    int64_t h = n / 2, k = first;
    if (k == 0 && last > 0) {
        float sum = row[0] + row[1], difference = row[0] - row[1];
        row[0] = sum * scale;
        row[2 * h] = difference * scale;
        row[1] = row[2 * h + 1] = 0;
        k = 1;
    }
    /* Both ends must not meet inside a vector. */
    for (; k + W <= last && k + W <= h - k - W + 1; k += W) {
        float *far = row + 2 * (h - k - W + 1);
        pair a = get_pairs(row + 2 * k), b = reversed(get_pairs(far)), w = get_pairs(half + 2 * k);
        SPLIT(V, a.re, a.im, b.re, b.im, w.re, w.im, scale)
        put_pairs(row + 2 * k, a);
        put_pairs(far, reversed(b));
    }
    for (; k < last; k++) {
        float a_re = row[2 * k], a_im = row[2 * k + 1], b_re = row[2 * (h - k)],
              b_im = row[2 * (h - k) + 1];
        SPLIT(float, a_re, a_im, b_re, b_im, half[2 * k], half[2 * k + 1], scale)
        row[2 * k] = a_re;
        row[2 * k + 1] = a_im;
        row[2 * (h - k)] = b_re;
        row[2 * (h - k) + 1] = b_im;
    }
}

static void join_row(int64_t n, const float *half, int64_t first, int64_t last, const float *from,
                     float *to)
{
    int64_t h = n / 2, k = first;
    if (k == 0 && last > 0) {
        to[0] = from[0] + from[2 * h];
        to[1] = from[0] - from[2 * h];
        k = 1;
    }
    for (; k + W <= last && k + W <= h - k - W + 1; k += W) {
        int64_t far = 2 * (h - k - W + 1);
        pair a = get_pairs(from + 2 * k), b = reversed(get_pairs(from + far)),
             w = get_pairs(half + 2 * k);
        JOIN(V, a.re, a.im, b.re, b.im, w.re, w.im)
        put_pairs(to + 2 * k, a);
        put_pairs(to + far, reversed(b));
    }
    for (; k < last; k++) {
        float a_re = from[2 * k], a_im = from[2 * k + 1], b_re = from[2 * (h - k)],
              b_im = from[2 * (h - k) + 1];
        JOIN(float, a_re, a_im, b_re, b_im, half[2 * k], half[2 * k + 1])
        to[2 * k] = a_re;
        to[2 * k + 1] = a_im;
        to[2 * (h - k)] = b_re;
        to[2 * (h - k) + 1] = b_im;
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
    W, load, store, transform, twist, split, join, split_row, join_row, multiply,
};
