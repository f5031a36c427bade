/* Kernels of determinants, and of what follows from singular values: pseudo-inverses and cofactors.
 */
#include "backend/cpu/linalg.h"

#include <math.h>

/* A number of any type, in double precision. */
typedef struct pair {
    double re, im;
} pair;

static pair times(pair a, pair b)
{
    return (pair){ a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re };
}
static pair minus(pair a, pair b)
{
    return (pair){ a.re - b.re, a.im - b.im };
}
static pair complex_at(const void *a, int64_t i)
{
    const mica_complex64 *x = a;
    return (pair){ x[i].re, x[i].im };
}
static pair number_at(const mica__matrices *b, const void *a, int64_t i)
{
    return b->complex ? complex_at(a, i) : (pair){ mica__real_at(a, i, b->dtype), 0 };
}

/* ---- determinants ---- */

/* Up to 3 x 3 by the formula, exact where the products are. */
static double small_determinant(const void *a, li n, mica_dtype d)
{
#define A(i) mica__real_at(a, i, d)
    if (n == 0) return 1;
    if (n == 1) return A(0);
    if (n == 2) return A(0) * A(3) - A(1) * A(2);
    return A(0) * (A(4) * A(8) - A(5) * A(7)) - A(1) * (A(3) * A(8) - A(5) * A(6)) +
           A(2) * (A(3) * A(7) - A(4) * A(6));
#undef A
}

/* a_i a_j - a_k a_l */
static pair minor_of(const void *a, int i, int j, int k, int l)
{
    return minus(times(complex_at(a, i), complex_at(a, j)),
                 times(complex_at(a, k), complex_at(a, l)));
}
static pair small_complex_determinant(const void *a, li n)
{
    if (n == 0) return (pair){ 1, 0 };
    if (n == 1) return complex_at(a, 0);
    if (n == 2) return minor_of(a, 0, 3, 1, 2);
    pair sum = minus(times(complex_at(a, 0), minor_of(a, 4, 8, 5, 7)),
                     times(complex_at(a, 1), minor_of(a, 3, 8, 5, 6)));
    pair last = times(complex_at(a, 2), minor_of(a, 3, 7, 4, 6));
    return (pair){ sum.re + last.re, sum.im + last.im };
}

static pair multiplied(const mica__matrices *b, pair product, pair factor)
{
    /* of real numbers alone: 0 times an infinite part would be NaN */
    return b->complex ? times(product, factor) : (pair){ product.re * factor.re, 0 };
}

/* det = mantissa * 2^exponent, so that nothing overflows before the end. Leaves the factors in
 * work, pivots behind them. */
static pair determinant(const mica__matrices *b, int64_t i, char *work, int64_t *exponent)
{
    const char *a = mica__matrix_at(b->l->in[0], i, (int64_t)b->n * b->n);
    pair product = { 1, 0 };
    *exponent = 0;
    if (b->n <= 3)
        return b->complex ? small_complex_determinant(a, b->n)
                          : (pair){ small_determinant(a, b->n, b->dtype), 0 };
    li *pivots = (li *)(void *)(work + mica__lines((size_t)b->n * (size_t)b->n * b->item)),
       info = 0;
    mica__copy_matrix(b, i, work);
    b->f->getrf(&b->n, &b->n, work, &b->n, pivots, &info);
    for (li r = 0; r < b->n; r++) {
        int power = 0;
        product = multiplied(b, product, number_at(b, work, (int64_t)r * (b->n + 1)));
        if (pivots[r] != r + 1) product = (pair){ -product.re, -product.im };
        double size = fmax(fabs(product.re), fabs(product.im));
        if (size == 0 || !isfinite(size)) continue;
        frexp(size, &power);
        product = (pair){ ldexp(product.re, -power), ldexp(product.im, -power) };
        *exponent += power;
    }
    return product;
}

static void store(const mica__matrices *b, size_t output, int64_t i, pair value)
{
    const mica_array *out = &b->l->out[output];
    if (out->dtype == MICA_FLOAT64) ((double *)(void *)out->data)[i] = value.re;
    else if (out->dtype == MICA_FLOAT32) ((float *)(void *)out->data)[i] = (float)value.re;
    else
        ((mica_complex64 *)(void *)out->data)[i] =
            (mica_complex64){ (float)value.re, (float)value.im };
}

static li det_one(const mica__matrices *b, int64_t i, char *work)
{
    int64_t exponent;
    pair mantissa = determinant(b, i, work, &exponent);
    int power = exponent > 100000 ? 100000 : exponent < -100000 ? -100000 : (int)exponent;
    store(b, 0, i, (pair){ ldexp(mantissa.re, power), ldexp(mantissa.im, power) });
    return 0;
}

static li slogdet_one(const mica__matrices *b, int64_t i, char *work)
{
    int64_t exponent;
    pair mantissa = determinant(b, i, work, &exponent), sign = { 0, 0 };
    double size = b->complex ? hypot(mantissa.re, mantissa.im) : fabs(mantissa.re);
    if (!b->complex) sign.re = mantissa.re > 0 ? 1 : mantissa.re < 0 ? -1 : 0;
    else if (size != 0) sign = (pair){ mantissa.re / size, mantissa.im / size };
    store(b, 0, i, sign);
    store(b, 1, i, (pair){ log(size) + (double)exponent * 0.69314718055994530942, 0 });
    return 0;
}

static int run_determinant(mica__launch *l, const char *name, mica__matrix_body *body)
{
    mica__matrices b;
    MICA_TRY(mica__matrices_init(&b, l, name));
    b.work_bytes = mica__lines((size_t)b.n * (size_t)b.n * b.item) + (size_t)b.n * sizeof(li) + 64;
    return mica__matrices_run(&b, body, NULL);
}

int mica__kernel_det(mica__launch *l)
{
    return run_determinant(l, "linalg.det", det_one);
}
int mica__kernel_slogdet(mica__launch *l)
{
    return run_determinant(l, "linalg.slogdet", slogdet_one);
}

/* ---- what singular values give: pseudo-inverses and cofactors ---- */

/* Places in the work of `svd_in_work`. */
typedef struct parts {
    char *a, *s, *u, *vt, *rwork, *work;
    double *weights;
    li *iwork;
    size_t bytes;
} parts;

static parts parts_of(const mica__matrices *b, char *work)
{
    size_t m = (size_t)b->m, n = (size_t)b->n, k = (size_t)b->k;
    parts p = { .a = work };
    p.s = p.a + mica__lines(m * n * b->item);
    p.u = p.s + mica__lines(k * b->real);
    p.vt = p.u + mica__lines(n * k * b->item);
    p.weights = (double *)(void *)(p.vt + mica__lines(k * m * b->item));
    p.iwork = (li *)(void *)((char *)p.weights + mica__lines(k * sizeof(double)));
    p.rwork = (char *)p.iwork + mica__lines(8 * k * sizeof(li));
    p.work = p.rwork + mica__lines(mica__svd_rwork(b) * b->real);
    p.bytes = (size_t)(p.work - work) + (size_t)b->lwork * b->item;
    return p;
}

/* The thin factors of the transpose of matrix i. */
static li svd_in_work(const mica__matrices *b, int64_t i, const parts *p)
{
    li info = 0;
    mica__copy_matrix(b, i, p->a);
    if (!mica__all_finite(p->a, (int64_t)b->m * b->n, b->dtype)) return MICA_NOT_FINITE;
    mica__gesdd(b, p->a, p->s, p->u, p->vt, p->work, p->rwork, p->iwork, &info);
    return info;
}

/* Singular values are real numbers. */
static double value_at(const mica__matrices *b, const parts *p, int64_t i)
{
    return mica__real_at(p->s, i, b->real == 8 ? MICA_FLOAT64 : MICA_FLOAT32);
}

/* A product (m x n, columns first, into `out`) of the factors of the transpose that gesdd left:
 * factor vt^op diag(weights) u^op. Destroys u. */
static void join(const mica__matrices *b, char *out, const parts *p, const char *op, pair factor)
{
    static const double zero[2] = { 0, 0 };
    double wide[2] = { factor.re, factor.im };
    float single[2] = { (float)factor.re, (float)factor.im };
    bool twice = b->dtype == MICA_FLOAT64;
    int64_t column = b->complex ? 2 * (int64_t)b->n : b->n; /* of real numbers */
    for (li r = 0; r < b->k; r++)
        for (int64_t at = r * column; at < (r + 1) * column; at++) {
            if (twice) ((double *)(void *)p->u)[at] *= p->weights[r];
            else ((float *)(void *)p->u)[at] = (float)(((float *)(void *)p->u)[at] * p->weights[r]);
        }
    b->f->gemm(op, op, &b->m, &b->n, &b->k, twice ? (void *)wide : (void *)single, p->vt, &b->k,
               p->u, &b->n, zero, out, &b->m, 1, 1);
}

static int run_by_svd(mica__launch *l, const char *name, mica__matrix_body *body)
{
    mica__matrices b;
    MICA_TRY(mica__matrices_init(&b, l, name));
    b.mode = MICA_SVD_THIN;
    mica__svd_workspace(&b);
    char base; /* only distances count */
    b.work_bytes = parts_of(&b, &base).bytes + 64;
    return mica__matrices_run(&b, body, "has singular values that do not converge");
}

/* Singular values up to 10 max(m, n) epsilon of the largest count as 0, as in the reference. */
static li pinv_one(const mica__matrices *b, int64_t i, char *work)
{
    if (!b->k) return 0;
    parts p = parts_of(b, work);
    li info = svd_in_work(b, i, &p);
    if (info) return info;
    double epsilon = b->dtype == MICA_FLOAT64 ? 0x1p-52 : 0x1p-23;
    double least = 10.0 * (b->m > b->n ? b->m : b->n) * epsilon * value_at(b, &p, 0);
    for (li r = 0; r < b->k; r++) {
        double s = value_at(b, &p, r);
        p.weights[r] = s > least ? 1 / s : 0;
    }
    join(b, mica__matrix_at(&b->l->out[0], i, (int64_t)b->m * b->n), &p, "C", (pair){ 1, 0 });
    return 0;
}

int mica__kernel_pinv(mica__launch *l)
{
    return run_by_svd(l, "linalg.pinv", pinv_one);
}

/* The determinant of an orthogonal or unitary matrix, made exact in magnitude; copied to p->a. */
static pair orientation(const mica__matrices *b, const parts *p, const char *q)
{
    pair phase = { 1, 0 };
    li info = 0;
    memcpy(p->a, q, (size_t)b->n * (size_t)b->n * b->item);
    b->f->getrf(&b->n, &b->n, p->a, &b->n, p->iwork, &info);
    for (li r = 0; r < b->n; r++) {
        pair x = number_at(b, p->a, (int64_t)r * (b->n + 1));
        double size = p->iwork[r] == r + 1 ? hypot(x.re, x.im) : -hypot(x.re, x.im);
        if (size != 0) phase = times(phase, (pair){ x.re / size, x.im / size });
    }
    return phase;
}

/* A^T = U S V^H gives the cofactors det(U) det(V^H) V C U^H, C_r the product of the other singular
   values: it holds for singular A. What is joined is their adjoint. */
static li cofactor_one(const mica__matrices *b, int64_t i, char *work)
{
    if (!b->n) return 0;
    char *out = mica__matrix_at(&b->l->out[0], i, (int64_t)b->n * b->n);
    parts p = parts_of(b, work);
    li info = svd_in_work(b, i, &p);
    if (info) return info;
    pair phase = times(orientation(b, &p, p.u), orientation(b, &p, p.vt));
    for (li r = 0; r < b->n; r++) {
        p.weights[r] = 1;
        for (li other = 0; other < b->n; other++)
            if (other != r) p.weights[r] *= value_at(b, &p, other);
    }
    join(b, out, &p, "T", (pair){ phase.re, -phase.im });
    mica__transpose_in_place(out, b->n, b->dtype);
    return 0;
}

int mica__kernel_cofactor(mica__launch *l)
{
    return run_by_svd(l, "linalg.det", cofactor_one);
}
