/* Inner loops of rms_norm and layer_norm. */
#include "backend/cpu/norm.h"

#include "backend/cpu/abreast.h"
#include "backend/cpu/lanes.h"
#include "kernel/body.h"

#include <math.h>

/* T: the type; V: a vector; 2 L: lanes. A sum over i of the expression `at(v, i)`, written
 * for blocks and for single elements. */
#define LOOPS(suffix, T, V, L)                                                                     \
    MICA_BODY double fold_##suffix(const V *a)                                                     \
    {                                                                                              \
        T lanes[2 * L];                                                                            \
        memcpy(lanes, a, sizeof lanes);                                                            \
        MICA_HALVES_##L(lanes, MICA_SUM) return lanes[0];                                          \
    }                                                                                              \
    /* What is left of a row, filled up to a block. */                                             \
    MICA_BODY void fill_##suffix(const T *x, size_t n, T with, T *block)                           \
    {                                                                                              \
        for (int j = 0; j < 2 * L; j++) block[j] = with;                                           \
        memcpy(block, x, n * sizeof *x);                                                           \
    }                                                                                              \
    static double sum_##suffix(size_t n, const void *elements)                                     \
    {                                                                                              \
        const T *x = elements;                                                                     \
        V a[MICA_VECTORS] = { { 0 } };                                                             \
        T rest[2 * L];                                                                             \
        size_t i = 0;                                                                              \
        for (; i + 2 * L <= n; i += 2 * L) MICA_EACH_VECTOR(k) a[k] += MICA_AT(V, x + i, k);       \
        if (i < n) {                                                                               \
            fill_##suffix(x + i, n - i, 0, rest);                                                  \
            MICA_EACH_VECTOR(k) a[k] += MICA_AT(V, rest, k);                                       \
        }                                                                                          \
        return fold_##suffix(a);                                                                   \
    }                                                                                              \
    MICA_BODY void square_##suffix(const T *x, T m, V *a)                                          \
    {                                                                                              \
        MICA_EACH_VECTOR(k)                                                                        \
        {                                                                                          \
            V p = MICA_AT(V, x, k) - m;                                                            \
            a[k] += p * p;                                                                         \
        }                                                                                          \
    }                                                                                              \
    static double squares_##suffix(size_t n, const void *elements, double mean)                    \
    {                                                                                              \
        const T *x = elements;                                                                     \
        T m = (T)mean;                                                                             \
        V a[MICA_VECTORS] = { { 0 } };                                                             \
        T rest[2 * L];                                                                             \
        size_t i = 0;                                                                              \
        for (; i + 2 * L <= n; i += 2 * L) square_##suffix(x + i, m, a);                           \
        if (i < n) {                                                                               \
            fill_##suffix(x + i, n - i, m, rest);                                                  \
            square_##suffix(rest, m, a);                                                           \
        }                                                                                          \
        return fold_##suffix(a);                                                                   \
    }                                                                                              \
    static void normalise_##suffix(size_t n, const void *elements, const mica__norm_row *row,      \
                                   void *out)                                                      \
    {                                                                                              \
        const T *x = elements;                                                                     \
        T *y = out, m = (T)row->mean, r = (T)row->reciprocal;                                      \
        MICA_LOOP                                                                                  \
        for (size_t i = 0; i < n; i++) y[i] = (x[i] - m) * r;                                      \
    }                                                                                              \
    static void multiply_##suffix(size_t n, const void *by, void *out)                             \
    {                                                                                              \
        const T *restrict w = by;                                                                  \
        T *restrict y = out;                                                                       \
        for (size_t i = 0; i < n; i++) y[i] *= w[i];                                               \
    }                                                                                              \
    static void add_##suffix(size_t n, const void *what, void *out)                                \
    {                                                                                              \
        const T *restrict b = what;                                                                \
        T *restrict y = out;                                                                       \
        for (size_t i = 0; i < n; i++) y[i] += b[i];                                               \
    }                                                                                              \
    static void apply_##suffix(size_t n, const void *elements, const mica__norm_row *row,          \
                               const void *weight, const void *bias, void *out)                    \
    {                                                                                              \
        const T *x = elements, *w = weight, *b = bias;                                             \
        T *y = out, m = (T)row->mean, r = (T)row->reciprocal;                                      \
        if (w && b) {                                                                              \
            MICA_LOOP                                                                              \
            for (size_t i = 0; i < n; i++) y[i] = (x[i] - m) * r * w[i] + b[i];                    \
        } else if (w) {                                                                            \
            MICA_LOOP                                                                              \
            for (size_t i = 0; i < n; i++) y[i] = (x[i] - m) * r * w[i];                           \
        } else {                                                                                   \
            normalise_##suffix(n, x, row, y);                                                      \
            if (b) add_##suffix(n, b, y);                                                          \
        }                                                                                          \
    }                                                                                              \
    MICA_BODY void moments_of_##suffix(size_t n, const T *x, const T *w, const T *d,               \
                                       const mica__norm_row *row, double sums[2])                  \
    {                                                                                              \
        T m = (T)row->mean, r = (T)row->reciprocal;                                                \
        V a[MICA_VECTORS] = { { 0 } }, b[MICA_VECTORS] = { { 0 } };                                \
        T rest[2][2 * L] = { { 0 } };                                                              \
        size_t i = 0;                                                                              \
        for (; i + 2 * L <= n; i += 2 * L) MICA_EACH_VECTOR(k)                                     \
            {                                                                                      \
                V g = MICA_AT(V, d + i, k);                                                        \
                if (w) g *= MICA_AT(V, w + i, k);                                                  \
                a[k] += g;                                                                         \
                b[k] += g * ((MICA_AT(V, x + i, k) - m) * r);                                      \
            }                                                                                      \
        for (size_t j = 0; i < n; i++, j++) {                                                      \
            rest[0][j] = w ? d[i] * w[i] : d[i];                                                   \
            rest[1][j] = rest[0][j] * ((x[i] - m) * r);                                            \
        }                                                                                          \
        MICA_EACH_VECTOR(k) a[k] += MICA_AT(V, rest[0], k);                                        \
        MICA_EACH_VECTOR(k) b[k] += MICA_AT(V, rest[1], k);                                        \
        sums[0] = fold_##suffix(a);                                                                \
        sums[1] = fold_##suffix(b);                                                                \
    }                                                                                              \
    static void moments_##suffix(size_t n, const void *x, const void *w, const void *d,            \
                                 const mica__norm_row *row, double sums[2])                        \
    {                                                                                              \
        if (w) moments_of_##suffix(n, x, w, d, row, sums);                                         \
        else moments_of_##suffix(n, x, NULL, d, row, sums);                                        \
    }                                                                                              \
    MICA_BODY void backward_of_##suffix(size_t n, const T *restrict x, const T *restrict w,        \
                                        const T *restrict d, const mica__norm_row *row,            \
                                        T *restrict dx, T *restrict dw, T *restrict db)            \
    {                                                                                              \
        T m = (T)row->mean, r = (T)row->reciprocal;                                                \
        T shift = (T)row->shift, factor = (T)row->factor;                                          \
        for (size_t i = 0; i < n; i++) {                                                           \
            T y = (x[i] - m) * r, g = w ? d[i] * w[i] : d[i];                                      \
            if (dw) dw[i] += d[i] * y;                                                             \
            if (db) db[i] += d[i];                                                                 \
            dx[i] = r * ((g - shift) - y * factor);                                                \
        }                                                                                          \
    }                                                                                              \
    static void backward_##suffix(size_t n, const void *x, const void *w, const void *d,           \
                                  const mica__norm_row *row, void *dx, void *dw, void *db)         \
    {                                                                                              \
        if (w && dw && db) backward_of_##suffix(n, x, w, d, row, dx, dw, db);                      \
        else if (w && dw) backward_of_##suffix(n, x, w, d, row, dx, dw, NULL);                     \
        else if (db) backward_of_##suffix(n, x, NULL, d, row, dx, NULL, db);                       \
        else backward_of_##suffix(n, x, NULL, d, row, dx, NULL, NULL);                             \
    }

LOOPS(f32, float, mica__floats, 16)
LOOPS(f64, double, mica__doubles, 8)

/* The same sums for eight rows at a time. What fills a row up adds nothing. */
static void abreast(size_t n, const float *x, bool last, bool centred, double eps,
                    mica__norm_row *rows)
{
    mica__eight c[MICA_ABREAST_MOST], mean = { 0 };
    mica__turn(x, (ptrdiff_t)n, n, last, c);
    if (centred) {
        mica__eight a[MICA_ABREAST_MOST];
        for (size_t j = 0; j < n; j++) a[j] = 0.0f + c[j];
        MICA_ABREAST_HALVES(a, n, MICA_SUM)
        for (int l = 0; l < MICA_ABREAST; l++) mean[l] = (float)((double)a[0][l] / (double)n);
    }
    for (size_t j = 0; j < n; j++) c[j] = (c[j] - mean) * (c[j] - mean);
    MICA_ABREAST_HALVES(c, n, MICA_SUM)
    for (int l = 0; l < MICA_ABREAST; l++) {
        rows[l].mean = mean[l];
        rows[l].reciprocal = 1 / sqrt((double)c[0][l] / (double)n + eps);
    }
}

#define TABLE(suffix)                                                                              \
    {                                                                                              \
        sum_##suffix, squares_##suffix, normalise_##suffix, multiply_##suffix, add_##suffix,       \
            abreast, apply_##suffix, moments_##suffix, backward_##suffix                           \
    }
const mica__norm_loops MICA_ISA_FUNCTION(mica__norm_)[2] = { TABLE(f32), TABLE(f64) };
