/* Inner loops of rms_norm and layer_norm. */
#include "backend/cpu/norm.h"

#include "backend/cpu/loops.h"
#include "kernel/body.h"

#define BLOCK(type) __attribute__((vector_size(64), aligned(_Alignof(type)), may_alias))
typedef float float_block BLOCK(float);
typedef double double_block BLOCK(double);

/* T: the type; V, L: a block and its elements. A sum over i of the expression `at(v, i)`, written
 * for blocks and for single elements. */
#define LOADED(V, p) (*(const V *)(const void *)(p))
#define LOOPS(suffix, T, V, L)                                                                     \
    MICA_BODY double fold_##suffix(V a, V b, const T *rest)                                        \
    {                                                                                              \
        T lanes[2 * L];                                                                            \
        memcpy(lanes, &a, sizeof a);                                                               \
        memcpy(lanes + L, &b, sizeof b);                                                           \
        for (int j = 0; j < 2 * L; j++) lanes[j] += rest[j];                                       \
        for (int half = L; half; half /= 2)                                                        \
            for (int j = 0; j < half; j++) lanes[j] += lanes[j + half];                            \
        return lanes[0];                                                                           \
    }                                                                                              \
    static double sum_##suffix(size_t n, const void *elements)                                     \
    {                                                                                              \
        const T *x = elements;                                                                     \
        V a = { 0 }, b = { 0 };                                                                    \
        T rest[2 * L] = { 0 };                                                                     \
        size_t i = 0;                                                                              \
        for (; i + 2 * L <= n; i += 2 * L) {                                                       \
            a += LOADED(V, x + i);                                                                 \
            b += LOADED(V, x + i + L);                                                             \
        }                                                                                          \
        for (size_t j = 0; i < n; i++, j++) rest[j] = x[i];                                        \
        return fold_##suffix(a, b, rest);                                                          \
    }                                                                                              \
    static double squares_##suffix(size_t n, const void *elements, double mean)                    \
    {                                                                                              \
        const T *x = elements;                                                                     \
        T m = (T)mean;                                                                             \
        V a = { 0 }, b = { 0 };                                                                    \
        T rest[2 * L] = { 0 };                                                                     \
        size_t i = 0;                                                                              \
        for (; i + 2 * L <= n; i += 2 * L) {                                                       \
            V p = LOADED(V, x + i) - m, q = LOADED(V, x + i + L) - m;                              \
            a += p * p;                                                                            \
            b += q * q;                                                                            \
        }                                                                                          \
        for (size_t j = 0; i < n; i++, j++) rest[j] = (x[i] - m) * (x[i] - m);                     \
        return fold_##suffix(a, b, rest);                                                          \
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
    MICA_BODY void moments_of_##suffix(size_t n, const T *x, const T *w, const T *d,               \
                                       const mica__norm_row *row, double sums[2])                  \
    {                                                                                              \
        T m = (T)row->mean, r = (T)row->reciprocal;                                                \
        V a[2] = { { 0 } }, b[2] = { { 0 } };                                                      \
        T rest[2][2 * L] = { { 0 } };                                                              \
        size_t i = 0;                                                                              \
        for (; i + 2 * L <= n; i += 2 * L)                                                         \
            for (int k = 0; k < 2; k++) {                                                          \
                V g = LOADED(V, d + i + k * L);                                                    \
                if (w) g *= LOADED(V, w + i + k * L);                                              \
                a[k] += g;                                                                         \
                b[k] += g * ((LOADED(V, x + i + k * L) - m) * r);                                  \
            }                                                                                      \
        for (size_t j = 0; i < n; i++, j++) {                                                      \
            rest[0][j] = w ? d[i] * w[i] : d[i];                                                   \
            rest[1][j] = rest[0][j] * ((x[i] - m) * r);                                            \
        }                                                                                          \
        sums[0] = fold_##suffix(a[0], a[1], rest[0]);                                              \
        sums[1] = fold_##suffix(b[0], b[1], rest[1]);                                              \
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

LOOPS(f32, float, float_block, 16)
LOOPS(f64, double, double_block, 8)

#define TABLE(suffix)                                                                              \
    {                                                                                              \
        sum_##suffix, squares_##suffix, normalise_##suffix, multiply_##suffix, add_##suffix,       \
            moments_##suffix, backward_##suffix                                                    \
    }
const mica__norm_loops MICA_ISA_FUNCTION(mica__norm_)[2] = { TABLE(f32), TABLE(f64) };
