/* Numbers of plans, and lengths that are convolutions: with a chirp, or over the powers of a
   primitive root. All angles and sums in double; each number is rounded once. */
#include <math.h>

#include "backend/cpu/fft.h"

#define TURN 6.283185307179586477 /* 2 pi */
enum { LONGEST_CYCLE = 65537 };   /* beyond, steps from power to power miss the cache */

/* The angle is brought to the first eighth of the circle exactly. */
void mica__fft_root(int64_t k, int64_t n, double *re, double *im)
{
    uint64_t eighth = 8 * (uint64_t)k / (uint64_t)n; /* n < 2^60: checked by the caller */
    double c, s;
    int64_t left = k;
    bool odd = eighth & 1;
    /* odd eighths are measured back from their end: cosine and sine change places */
    double angle;
    if (!odd) angle = TURN * ((double)(8 * left - (int64_t)eighth * n) / (8.0 * (double)n));
    else angle = TURN * ((double)(((int64_t)eighth + 1) * n - 8 * left) / (8.0 * (double)n));
    c = cos(angle);
    s = sin(angle);
    switch (eighth) {
    case 0: *re = c, *im = -s; break;
    case 1: *re = s, *im = -c; break;
    case 2: *re = -s, *im = -c; break;
    case 3: *re = -c, *im = -s; break;
    case 4: *re = -c, *im = s; break;
    case 5: *re = -s, *im = c; break;
    case 6: *re = s, *im = c; break;
    default: *re = c, *im = s; break;
    }
}

float *mica__fft_table(mica__fft_plan *p, int64_t pairs)
{
    size_t bytes;
    if (mica__mul_overflow((size_t)pairs, 2 * sizeof(float), &bytes)) bytes = SIZE_MAX - 64;
    p->bytes = bytes;
    return p->numbers = mica__alloc(bytes);
}

/* ---- chirps ---- */

/* The transform of x[0], x[step], ... in double: recursion over the smallest factors. */
static void slow_transform(int64_t n, const double *x, int64_t step, double *y, const double *roots,
                           int64_t whole, double *scratch)
{
    if (n == 1) {
        y[0] = x[0];
        y[1] = x[1];
        return;
    }
    int64_t r = 2;
    while (n % r != 0) r++;
    int64_t m = n / r;
    for (int64_t i = 0; i < r; i++)
        slow_transform(m, x + 2 * i * step, step * r, y + 2 * i * m, roots, whole, scratch);
    for (int64_t k = 0; k < n; k++) {
        double re = 0, im = 0;
        for (int64_t i = 0; i < r; i++) {
            const double *w = roots + 2 * (i * k % n * (whole / n)), *a = y + 2 * (i * m + k % m);
            re += a[0] * w[0] - a[1] * w[1];
            im += a[0] * w[1] + a[1] * w[0];
        }
        scratch[2 * k] = re;
        scratch[2 * k + 1] = im;
    }
    memcpy(y, scratch, (size_t)n * 2 * sizeof(double));
}

/* The shortest of 2^a, 3 * 2^a, 5 * 2^a and 15 * 2^a that holds the convolution. */
static int64_t convolution_length(int64_t n)
{
    static const int64_t odd[] = { 1, 3, 5, 15 };
    int64_t best = INT64_MAX;
    for (int i = 0; i < 4; i++) {
        int64_t m = odd[i] * 16;
        while (m < 2 * n - 1) m *= 2;
        if (m < best) best = m;
    }
    return best;
}

/* The plan of the transforms that a convolution is made of. */
static int take_part(mica__fft_plan *p, int64_t m)
{
    return mica__fft_plan_take(m, p->use, p->use == MICA_FFT_ROW ? &p->row : &p->first);
}

/* Bluestein: k j = (k^2 + j^2 - (k - j)^2) / 2 makes a convolution with a chirp of the transform (A
   linear filtering approach to the computation of discrete Fourier transform, 1970). */
static int make_chirp(mica__fft_plan *p)
{
    int64_t n = p->n, m = convolution_length(n);
    p->way = MICA_FFT_CHIRP;
    MICA_TRY(take_part(p, m));
    float *chirp = mica__fft_table(p, n + m);
    double *work = chirp ? mica__alloc_zero((size_t)m, 8 * sizeof(double)) : NULL;
    if (!work) return MICA_EMEMORY;
    double *x = work, *y = work + 2 * m, *roots = work + 4 * m, *scratch = work + 6 * m;
    p->chirp = chirp;
    p->filter = chirp + 2 * n;
    int64_t square = 0; /* j^2 modulo 2 n */
    for (int64_t j = 0; j < n; j++) {
        double re, im;
        mica__fft_root(square, 2 * n, &re, &im);
        chirp[2 * j] = (float)re;
        chirp[2 * j + 1] = (float)im;
        x[2 * j] = re;
        x[2 * j + 1] = -im;
        if (j) {
            x[2 * (m - j)] = re;
            x[2 * (m - j) + 1] = -im;
        }
        square = (square + 2 * j + 1) % (2 * n);
    }
    for (int64_t j = 0; j < m; j++) mica__fft_root(j, m, roots + 2 * j, roots + 2 * j + 1);
    slow_transform(m, x, 1, y, roots, m, scratch);
    float *filter = chirp + 2 * n;
    for (int64_t j = 0; j < 2 * m; j++) filter[j] = (float)(y[j] / (double)m);
    mica__free(work);
    return MICA_OK;
}

/* ---- primes ---- */

static bool is_prime(int64_t n)
{
    for (int64_t p = 2; p * p <= n; p++)
        if (n % p == 0) return false;
    return n > 1;
}

static int64_t power(int64_t base, int64_t exponent, int64_t n)
{
    int64_t result = 1;
    for (; exponent; exponent /= 2, base = base * base % n)
        if (exponent % 2) result = result * base % n;
    return result;
}

/* The least number whose powers are all of 1 ... n - 1: none of them is 1 too early. */
static int64_t primitive_root(int64_t n)
{
    for (int64_t g = 2;; g++) {
        bool early = false;
        for (int64_t left = n - 1, p = 2; left > 1 && !early; p++) {
            if (left % p != 0) continue;
            while (left % p == 0) left /= p;
            early = power(g, (n - 1) / p, n) == 1;
        }
        if (!early) return g;
    }
}

/* Rader: over the powers of a primitive root, the transform of a prime length without its first
   elements is a cyclic convolution (Discrete Fourier transforms when the number of data samples is
   prime, 1968): half as long as with a chirp. */
static int make_cycle(mica__fft_plan *p)
{
    int64_t n = p->n, m = n - 1, g = primitive_root(n), last = power(g, n - 2, n);
    p->way = MICA_FFT_CYCLE;
    MICA_TRY(take_part(p, m));
    float *filter = mica__fft_table(p, 2 * m);
    double *work = filter ? mica__alloc_zero((size_t)m, 8 * sizeof(double)) : NULL;
    if (!work) return MICA_EMEMORY;
    double *x = work, *y = work + 2 * m, *roots = work + 4 * m, *scratch = work + 6 * m;
    int32_t *from = (int32_t *)(void *)(filter + 2 * m), *to = from + m;
    int64_t up = 1, down = 1;
    for (int64_t q = 0; q < m; q++, up = up * g % n, down = down * last % n) {
        from[q] = (int32_t)up;
        to[q] = (int32_t)down;
        mica__fft_root(down, n, x + 2 * q, x + 2 * q + 1);
        mica__fft_root(q, m, roots + 2 * q, roots + 2 * q + 1);
    }
    slow_transform(m, x, 1, y, roots, m, scratch);
    for (int64_t j = 0; j < 2 * m; j++) filter[j] = (float)(y[j] / (double)m);
    p->filter = filter;
    p->from = from;
    p->to = to;
    mica__free(work);
    return MICA_OK;
}

/* Whether the length without one has passes, and the length is a prime. */
static bool is_cycle(int64_t n)
{
    return n <= LONGEST_CYCLE && mica__fft_is_smooth(n - 1) && is_prime(n);
}

int64_t mica__fft_room(int64_t n)
{
    return mica__fft_is_smooth(n) || is_cycle(n) ? n : convolution_length(n);
}

int mica__fft_make_convolution(mica__fft_plan *p)
{
    return is_cycle(p->n) ? make_cycle(p) : make_chirp(p);
}
