/* Vectors of W floats and pairs of them, real and imaginary parts: what the loops of Fourier
   transforms share. */
#ifndef MICA_ENGINE_FFT_VECTORS_H
#define MICA_ENGINE_FFT_VECTORS_H

#include "backend/cpu/fft.h"
#include "kernel/body.h"

#if defined(__AVX512F__)
enum { W = 16 };
#define EACH_LANE(f, d)                                                                            \
    f(0, d), f(1, d), f(2, d), f(3, d), f(4, d), f(5, d), f(6, d), f(7, d), f(8, d), f(9, d),      \
        f(10, d), f(11, d), f(12, d), f(13, d), f(14, d), f(15, d)
#define EVEN    0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30
#define ODD     1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31
#define LOW     0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define HIGH    8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
#define REVERSE 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0
#elif defined(__AVX__)
enum { W = 8 };
#define EACH_LANE(f, d) f(0, d), f(1, d), f(2, d), f(3, d), f(4, d), f(5, d), f(6, d), f(7, d)
#define EVEN            0, 2, 4, 6, 8, 10, 12, 14
#define ODD             1, 3, 5, 7, 9, 11, 13, 15
#define LOW             0, 8, 1, 9, 2, 10, 3, 11
#define HIGH            4, 12, 5, 13, 6, 14, 7, 15
#define REVERSE         7, 6, 5, 4, 3, 2, 1, 0
#else
enum { W = 4 };
#define EACH_LANE(f, d) f(0, d), f(1, d), f(2, d), f(3, d)
#define EVEN            0, 2, 4, 6
#define ODD             1, 3, 5, 7
#define LOW             0, 4, 1, 5
#define HIGH            2, 6, 3, 7
#define REVERSE         3, 2, 1, 0
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

MICA_BODY pair add(pair a, pair b)
{
    return (pair){ a.re + b.re, a.im + b.im };
}
MICA_BODY pair sub(pair a, pair b)
{
    return (pair){ a.re - b.re, a.im - b.im };
}
MICA_BODY pair times_minus_i(pair a)
{
    return (pair){ a.im, -a.re };
}
MICA_BODY pair times(pair a, float re, float im)
{
    return (pair){ a.re * re - a.im * im, a.re * im + a.im * re };
}
MICA_BODY pair times_pair(pair a, pair b)
{
    return (pair){ a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re };
}

/* ---- tiles ---- */

/* Element i of a tile. */
#define PAIR(t, i) ((pair){ (t)[2 * (i)], (t)[2 * (i) + 1] })

MICA_BODY void put_pair(V *y, int64_t i, pair x)
{
    y[2 * i] = x.re;
    y[2 * i + 1] = x.im;
}

/* In fft_real_isa.c. */
void MICA_PASTE(mica__fft_split_, MICA_ISA_NAME)(int64_t n, const float *half, float *tile);
void MICA_PASTE(mica__fft_join_, MICA_ISA_NAME)(int64_t n, const float *half, float *tile);
void MICA_PASTE(mica__fft_split_row_, MICA_ISA_NAME)(int64_t n, const float *half, int64_t first,
                                                     int64_t last, float scale, float *row);
void MICA_PASTE(mica__fft_join_row_, MICA_ISA_NAME)(int64_t n, const float *half, int64_t first,
                                                    int64_t last, const float *from, float *to);

#endif
