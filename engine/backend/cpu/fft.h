/* Fourier transforms: plans (what a length needs, computed once in double) and the loops that run
   them, compiled once per instruction set. */
#ifndef MICA_ENGINE_FFT_H
#define MICA_ENGINE_FFT_H

#include "base/base.h"

enum {
    MICA_FFT_PASSES = 40, /* factors of a length: at most 62 */
    MICA_FFT_PRIME = 61,  /* the largest prime factor that has a pass; others are convolutions */
    MICA_FFT_LANES = 16   /* at most so many sequences side by side */
};

/* ---- plans ---- */

/* One pass of Stockham's algorithm: a factor, and for each p of the remaining length the powers
   w^(p i), 0 < i < radix, as pairs of real and imaginary part. `roots`: cosines and sines of
   2 pi j / radix. */
typedef struct mica__fft_pass {
    int radix;
    const float *twiddles, *roots;
} mica__fft_pass;

typedef enum mica__fft_use {
    MICA_FFT_SIDE_BY_SIDE, /* passes over several sequences at once */
    MICA_FFT_ROW,          /* one sequence after the other */
    MICA_FFT_REAL          /* exp(-2 pi i k / n), k <= n / 4: between n reals and n / 2 pairs */
} mica__fft_use;

typedef enum mica__fft_way {
    MICA_FFT_DIRECT,
    MICA_FFT_STEPS,
    MICA_FFT_CHIRP,
    MICA_FFT_CYCLE
} mica__fft_way;

/* All members but the first two are constant once the plan is made. */
typedef struct mica__fft_plan mica__fft_plan;
struct mica__fft_plan {
    int references; /* under the cache's lock */
    bool cached;    /* now or once */
    int64_t n;
    mica__fft_use use;
    size_t bytes;
    float *numbers; /* owner of all tables below */
    /* SIDE_BY_SIDE: passes, or a convolution by `first` */
    int passes;
    mica__fft_pass pass[MICA_FFT_PASSES];
    /* ROW: DIRECT by `first` alone; STEPS: n = first->n * second->n; CHIRP, CYCLE: a convolution
       by `row` */
    mica__fft_way way;
    const mica__fft_plan *first, *second, *row;
    /* STEPS: exp(-2 pi i k j / n) = fine[k % grain][j] * coarse[k / grain][j], k < first->n,
       j < second->n; each line holds its real parts, then its imaginary parts. coarse: NULL when
       fine has all. */
    int64_t grain;
    const float *fine, *coarse;
    /* CHIRP: exp(-i pi j^2 / n), and the transform of its conjugate, divided by row->n. */
    const float *chirp, *filter;
    /* CYCLE: g^q and g^-q modulo the prime n, 0 <= q < n - 1, and as `filter` the transform of
       exp(-2 pi i g^-q / n), divided by n - 1. */
    const int32_t *from, *to;
    /* REAL */
    const float *half;
};

/* The plan of a length, from a bounded cache; safe from any thread. EMEMORY without memory. */
int mica__fft_plan_take(int64_t n, mica__fft_use use, const mica__fft_plan **plan);
void mica__fft_plan_give(const mica__fft_plan *plan); /* NULL is fine */
/* Whether passes can do it: no prime factor above MICA_FFT_PRIME. */
bool mica__fft_is_smooth(int64_t n);
/* Elements that a tile needs room for. */
int64_t mica__fft_room(int64_t n);

/* ---- for what makes plans ---- */

/* exp(-2 pi i k / n), 0 <= k < n < 2^60. */
void mica__fft_root(int64_t k, int64_t n, double *re, double *im);
/* Memory for the plan's tables, of so many pairs of numbers. */
float *mica__fft_table(mica__fft_plan *p, int64_t pairs);
/* A length that has a prime factor without a pass. */
int mica__fft_make_convolution(mica__fft_plan *p);

/* ---- loops ---- */

/* Where elements of several sequences lie: element j of sequence l has its real part at
   re[j * step + l * lane]; im NULL: there are no imaginary parts. In floats. */
typedef struct mica__fft_side {
    float *re, *im;
    ptrdiff_t step, lane;
} mica__fft_side;

/* A tile holds `lanes` sequences side by side: 2 * lanes floats an element, real parts first.
   `swap` exchanges real and imaginary parts, which makes an inverse transform of a forward one.
   Rows are pairs of real and imaginary part. */
typedef struct mica__fft_loops {
    int lanes;
    void (*load)(int64_t n, const mica__fft_side *from, int count, bool swap, float *tile);
    void (*store)(int64_t n, const float *tile, const mica__fft_side *to, int count, bool swap,
                  float scale);
    /* Forward, unscaled, of tiles with the room that the plan's length needs. The result is in a or
       in b, as returned. */
    float *(*transform)(const mica__fft_plan *plan, float *a, float *b);
    /* Twiddles of STEPS on columns j, j + 1, ... */
    void (*twist)(const mica__fft_plan *steps, int64_t j, int count, float *tile);
    /* Transforms of n / 2 pairs to spectra of n reals (n / 2 + 1 elements), and back: what the
       latter leaves is swapped, for an inverse transform. */
    void (*split)(int64_t n, const float *half, float *tile);
    void (*join)(int64_t n, const float *half, float *tile);
    /* The same of one row, for pairs (k, n / 2 - k) with first <= k < last; to and from may be the
       same for split. join does not swap. */
    void (*split_row)(int64_t n, const float *half, int64_t first, int64_t last, float scale,
                      float *row);
    void (*join_row)(int64_t n, const float *half, int64_t first, int64_t last, const float *from,
                     float *to);
    /* to[j] = from[j] * by[j] * scale. swap_in, swap_out: of from and to. */
    void (*multiply)(int64_t n, const float *from, bool swap_in, const float *by, float scale,
                     bool swap_out, float *to);
} mica__fft_loops;

extern const mica__fft_loops mica__fft_portable, mica__fft_v3, mica__fft_v4;

/* ---- one contiguous sequence ---- */

/* to = scale * the (inverse) transform of from, n pairs each; in parallel where it is long. from
   and to do not overlap. */
int mica__fft_row(const mica__fft_loops *loops, const mica__fft_plan *plan, const float *from,
                  float *to, bool inverse, float scale);

#endif
