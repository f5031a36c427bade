/* The kernel of QR factorizations. */
#include "backend/cpu/linalg.h"

#include <math.h>

/* Up to this size the calls of LAPACK's many steps take longer than their arithmetic (8 x 8: 2.5
 * us, here 0.7 us; complex 6.3 and 1.7). */
enum { SMALL = 16 };

/* Householder's reflections I - tau v v^T, with the signs of LAPACK: `a` holds columns and is
   destroyed, q is m x k and r k x n, both row-major. */
#define SMALL_QR(type, root, magnitude)                                                            \
    static void small_##type(li m, li n, type *a, type *tau, type *q, type *r)                     \
    {                                                                                              \
        li k = m < n ? m : n;                                                                      \
        for (li j = 0; j < k; j++) {                                                               \
            type *v = a + (ptrdiff_t)j * m, largest = 0, sum = 0, alpha = v[j];                    \
            for (li i = j; i < m; i++)                                                             \
                largest = largest > magnitude(v[i]) ? largest : magnitude(v[i]);                   \
            for (li i = j + 1; i < m && largest > 0; i++)                                          \
                sum += v[i] / largest * (v[i] / largest);                                          \
            tau[j] = 0;                                                                            \
            if (sum == 0) continue;                                                                \
            type scaled = alpha / largest, beta = largest * root(scaled * scaled + sum);           \
            if (alpha >= 0) beta = -beta;                                                          \
            tau[j] = (beta - alpha) / beta;                                                        \
            for (li i = j + 1; i < m; i++) v[i] /= alpha - beta;                                   \
            v[j] = beta;                                                                           \
            for (li c = j + 1; c < n; c++) reflect_##type(m, j, v, tau[j], a + (ptrdiff_t)c * m);  \
        }                                                                                          \
        for (li i = 0; i < k; i++)                                                                 \
            for (li c = 0; c < n; c++) r[i * n + c] = c < i ? 0 : a[c * m + i];                    \
        for (li c = 0; c < k; c++) {                                                               \
            type column[SMALL] = { 0 };                                                            \
            column[c] = 1;                                                                         \
            for (li j = c; j >= 0; j--)                                                            \
                reflect_##type(m, j, a + (ptrdiff_t)j * m, tau[j], column);                        \
            for (li i = 0; i < m; i++) q[i * k + c] = column[i];                                   \
        }                                                                                          \
    }
#define REFLECT(type)                                                                              \
    static void reflect_##type(li m, li j, const type *v, type tau, type *x)                       \
    {                                                                                              \
        type sum = x[j];                                                                           \
        for (li i = j + 1; i < m; i++) sum += v[i] * x[i];                                         \
        sum *= tau;                                                                                \
        x[j] -= sum;                                                                               \
        for (li i = j + 1; i < m; i++) x[i] -= sum * v[i];                                         \
    }
REFLECT(float)
REFLECT(double)
SMALL_QR(float, sqrtf, fabsf)
SMALL_QR(double, sqrt, fabs)

/* ---- complex numbers: columns apart in real and imaginary parts, which vectors take ---- */

typedef struct apart {
    float re[SMALL], im[SMALL];
} apart;

/* x less tau v (v^H x), where v is 1 in row j and 0 above. */
static void reflect_complex(li m, li j, const apart *v, mica_complex64 tau, apart *x)
{
    float re = x->re[j], im = x->im[j];
    for (li i = j + 1; i < m; i++) {
        re += v->re[i] * x->re[i] + v->im[i] * x->im[i];
        im += v->re[i] * x->im[i] - v->im[i] * x->re[i];
    }
    float by_re = tau.re * re - tau.im * im, by_im = tau.re * im + tau.im * re;
    x->re[j] -= by_re;
    x->im[j] -= by_im;
    for (li i = j + 1; i < m; i++) {
        x->re[i] -= v->re[i] * by_re - v->im[i] * by_im;
        x->im[i] -= v->re[i] * by_im + v->im[i] * by_re;
    }
}

/* Turns column v from row j on into its reflection, as LAPACK's clarfg: v[j] becomes R's diagonal,
   which is real. */
static mica_complex64 reflection(li m, li j, apart *v)
{
    const mica_complex64 none = { 0, 0 };
    float largest = 0, sum = 0;
    for (li i = j; i < m; i++) largest = fmaxf(largest, fmaxf(fabsf(v->re[i]), fabsf(v->im[i])));
    for (li i = j + 1; i < m && largest > 0; i++) {
        float re = v->re[i] / largest, im = v->im[i] / largest;
        sum += re * re + im * im;
    }
    if (sum == 0 && v->im[j] == 0) return none;
    float re = v->re[j] / largest, im = v->im[j] / largest, beta = sqrtf(re * re + im * im + sum);
    if (v->re[j] >= 0) beta = -beta;
    float apart_re = re - beta, size = apart_re * apart_re + im * im; /* of alpha - beta */
    for (li i = j + 1; i < m; i++) {
        float x = v->re[i] / largest, y = v->im[i] / largest;
        v->re[i] = (x * apart_re + y * im) / size;
        v->im[i] = (y * apart_re - x * im) / size;
    }
    v->re[j] = largest * beta;
    v->im[j] = 0;
    return (mica_complex64){ (beta - re) / beta, -im / beta };
}

/* As above: `a` holds columns, q and r rows. */
static void small_complex(li m, li n, const mica_complex64 *a, mica_complex64 *q, mica_complex64 *r)
{
    li k = m < n ? m : n;
    apart columns[SMALL];
    mica_complex64 tau[SMALL];
    for (li c = 0; c < n; c++)
        for (li i = 0; i < m; i++) {
            columns[c].re[i] = a[c * m + i].re;
            columns[c].im[i] = a[c * m + i].im;
        }
    for (li j = 0; j < k; j++) {
        tau[j] = reflection(m, j, &columns[j]);
        const mica_complex64 back = { tau[j].re, -tau[j].im };
        for (li c = j + 1; c < n; c++) reflect_complex(m, j, &columns[j], back, &columns[c]);
    }
    for (li i = 0; i < k; i++)
        for (li c = 0; c < n; c++)
            r[i * n + c] = c < i ? (mica_complex64){ 0, 0 }
                                 : (mica_complex64){ columns[c].re[i], columns[c].im[i] };
    for (li c = 0; c < k; c++) {
        apart column = { .re[0] = 0 };
        column.re[c] = 1;
        for (li j = c; j >= 0; j--) reflect_complex(m, j, &columns[j], tau[j], &column);
        for (li i = 0; i < m; i++) q[i * k + c] = (mica_complex64){ column.re[i], column.im[i] };
    }
}

/* NaN in both factors: reflections pass it, and infinities, on to some elements alone. */
static li qr_of_nan(const mica__matrices *b, char *q, char *r)
{
    mica__fill_nan(q, (int64_t)b->m * b->k, b->dtype);
    mica__fill_nan(r, (int64_t)b->k * b->n, b->dtype);
    for (li row = 1; row < b->k; row++)
        memset(r + (int64_t)row * b->n * (int64_t)b->item, 0, (size_t)row * b->item);
    return 0;
}

/* Work: A's columns, tau, LAPACK's workspace. */
static li qr_one(const mica__matrices *b, int64_t i, char *work)
{
    int64_t size = (int64_t)b->m * b->n;
    char *q = mica__matrix_at(&b->l->out[0], i, (int64_t)b->m * b->k),
         *r = mica__matrix_at(&b->l->out[1], i, (int64_t)b->k * b->n);
    char *tau = work + mica__lines((size_t)size * b->item),
         *rest = tau + mica__lines((size_t)b->k * b->item);
    li info = 0;
    if (!b->k) return 0;
    mica__transpose(mica__matrix_at(b->l->in[0], i, size), work, b->m, b->n, b->item);
    if (!mica__all_finite(work, size, b->dtype)) return qr_of_nan(b, q, r);
    if (b->m <= SMALL && b->n <= SMALL) {
        if (b->complex)
            small_complex(b->m, b->n, (mica_complex64 *)(void *)work, (mica_complex64 *)(void *)q,
                          (mica_complex64 *)(void *)r);
        else if (b->dtype == MICA_FLOAT32)
            small_float(b->m, b->n, (float *)(void *)work, (float *)(void *)tau, (float *)(void *)q,
                        (float *)(void *)r);
        else
            small_double(b->m, b->n, (double *)(void *)work, (double *)(void *)tau,
                         (double *)(void *)q, (double *)(void *)r);
        return 0;
    }
    b->f->geqrf(&b->m, &b->n, work, &b->m, tau, rest, &b->lwork, &info);
    if (info) return info;
    for (li row = 0; row < b->k; row++) {
        char *to = r + (int64_t)row * b->n * (int64_t)b->item;
        memset(to, 0, (size_t)row * b->item);
        for (li c = row; c < b->n; c++)
            memcpy(to + (size_t)c * b->item,
                   work + ((size_t)c * (size_t)b->m + (size_t)row) * b->item, b->item);
    }
    b->f->orgqr(&b->m, &b->k, &b->k, work, &b->m, tau, rest, &b->lwork, &info);
    mica__transpose(work, q, b->k, b->m, b->item);
    return info;
}

int mica__kernel_qr(mica__launch *l)
{
    mica__matrices b;
    MICA_TRY(mica__matrices_init(&b, l, "linalg.qr"));
    if (b.k) {
        double first[2] = { 1, 0 }, second[2] = { 1, 0 };
        li ask = -1, info = 0;
        b.f->geqrf(&b.m, &b.n, first, &b.m, first, first, &ask, &info);
        b.f->orgqr(&b.m, &b.k, &b.k, second, &b.m, second, second, &ask, &info);
        li x = mica__queried(first, b.dtype), y = mica__queried(second, b.dtype);
        b.lwork = x > y ? x : y;
    }
    b.work_bytes = mica__lines((size_t)b.m * (size_t)b.n * b.item) +
                   mica__lines((size_t)b.k * b.item) + (size_t)b.lwork * b.item + 64;
    return mica__matrices_run(&b, qr_one, NULL);
}
