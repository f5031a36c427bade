/* Inner loops between transforms of n / 2 pairs and spectra of n real numbers. */
#include "backend/cpu/fft_vectors.h"

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

void MICA_PASTE(mica__fft_split_, MICA_ISA_NAME)(int64_t n, const float *half, float *tile)
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
        put_pair(t, k, a);
        put_pair(t, h - k, b);
    }
}

void MICA_PASTE(mica__fft_join_, MICA_ISA_NAME)(int64_t n, const float *half, float *tile)
{
    int64_t h = n / 2;
    V *t = (V *)(void *)tile, first = t[0], last = t[2 * h];
    put_pair(t, 0, (pair){ first - last, first + last });
    for (int64_t k = 1; k <= h / 2; k++) {
        pair a = PAIR(t, k), b = PAIR(t, h - k);
        JOIN(V, a.re, a.im, b.re, b.im, half[2 * k], half[2 * k + 1])
        put_pair(t, k, (pair){ a.im, a.re });
        put_pair(t, h - k, (pair){ b.im, b.re });
    }
}

/* ---- rows ---- */

MICA_BODY pair reversed(pair x)
{
    return (pair){ __builtin_shufflevector(x.re, x.re, REVERSE),
                   __builtin_shufflevector(x.im, x.im, REVERSE) };
}

void MICA_PASTE(mica__fft_split_row_, MICA_ISA_NAME)(int64_t n, const float *half, int64_t first,
                                                     int64_t last, float scale, float *row)
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

void MICA_PASTE(mica__fft_join_row_, MICA_ISA_NAME)(int64_t n, const float *half, int64_t first,
                                                    int64_t last, const float *from, float *to)
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
