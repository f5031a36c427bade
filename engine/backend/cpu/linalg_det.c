/* Kernels of determinants, and of what follows from singular values: pseudo-inverses and cofactors.
 */
#include "backend/cpu/linalg.h"

#include <math.h>

static const double ONE[2] = { 1, 0 };
static const float ONE_SINGLE[2] = { 1, 0 };
static const double ZERO[2] = { 0, 0 };

static const void *one_of(const mica__matrices *b)
{
    return b->dtype == MICA_FLOAT64 ? (const void *)ONE : (const void *)ONE_SINGLE;
}

/* ---- determinants ---- */

/* Sign and log(|det|) of up to 3 x 3 by the formula, exact where the products are. */
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

/* det = mantissa * 2^exponent, so that nothing overflows before the end. Leaves the factors in
 * work, pivots behind them. */
static double determinant(const mica__matrices *b, int64_t i, char *work, int64_t *exponent)
{
    const char *a = mica__matrix_at(b->l->in[0], i, (int64_t)b->n * b->n);
    double product = 1;
    *exponent = 0;
    if (b->n <= 3) return small_determinant(a, b->n, b->dtype);
    li *pivots = (li *)(void *)(work + mica__lines((size_t)b->n * (size_t)b->n * b->item)),
       info = 0;
    mica__copy_matrix(b, i, work);
    b->f->getrf(&b->n, &b->n, work, &b->n, pivots, &info);
    for (li r = 0; r < b->n; r++) {
        int power = 0;
        product *= mica__real_at(work, (int64_t)r * (b->n + 1), b->dtype);
        if (pivots[r] != r + 1) product = -product;
        if (product == 0 || !isfinite(product)) continue;
        product = frexp(product, &power);
        *exponent += power;
    }
    return product;
}

static void store(const mica__matrices *b, size_t output, int64_t i, double value)
{
    if (b->dtype == MICA_FLOAT64) ((double *)(void *)b->l->out[output].data)[i] = value;
    else ((float *)(void *)b->l->out[output].data)[i] = (float)value;
}

static li det_one(const mica__matrices *b, int64_t i, char *work)
{
    int64_t exponent;
    double mantissa = determinant(b, i, work, &exponent);
    store(b, 0, i,
          ldexp(mantissa, exponent > 100000    ? 100000
                          : exponent < -100000 ? -100000
                                               : (int)exponent));
    return 0;
}

static li slogdet_one(const mica__matrices *b, int64_t i, char *work)
{
    int64_t exponent;
    double mantissa = determinant(b, i, work, &exponent);
    store(b, 0, i, mantissa > 0 ? 1 : mantissa < 0 ? -1 : 0);
    store(b, 1, i, log(fabs(mantissa)) + (double)exponent * 0.69314718055994530942);
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

/* A product (m x n, columns first, into `out`) of the factors of the transpose that gesdd left:
 * vt^T diag(weights) u^T. */
static void join(const mica__matrices *b, char *out, char *u, const char *vt, const double *weights)
{
    for (li r = 0; r < b->k; r++)
        for (li c = 0; c < b->n; c++) {
            int64_t at = (int64_t)r * b->n + c;
            if (b->dtype == MICA_FLOAT64) ((double *)(void *)u)[at] *= weights[r];
            else ((float *)(void *)u)[at] = (float)(((float *)(void *)u)[at] * weights[r]);
        }
    b->f->gemm("T", "T", &b->m, &b->n, &b->k, one_of(b), vt, &b->k, u, &b->n, ZERO, out, &b->m, 1,
               1);
}

/* Places in the work of `svd_in_work`. */
typedef struct parts {
    char *a, *s, *u, *vt, *work;
    double *weights;
    li *iwork;
    size_t bytes;
} parts;

static parts parts_of(const mica__matrices *b, char *work)
{
    size_t m = (size_t)b->m, n = (size_t)b->n, k = (size_t)b->k;
    parts p = { .a = work };
    p.s = p.a + mica__lines(m * n * b->item);
    p.u = p.s + mica__lines(k * b->item);
    p.vt = p.u + mica__lines(n * k * b->item);
    p.weights = (double *)(void *)(p.vt + mica__lines(k * m * b->item));
    p.iwork = (li *)(void *)((char *)p.weights + mica__lines(k * sizeof(double)));
    p.work = (char *)p.iwork + mica__lines(8 * k * sizeof(li));
    p.bytes = (size_t)(p.work - work) + (size_t)b->lwork * b->item;
    return p;
}

/* The thin factors of the transpose of matrix i. */
static li svd_in_work(const mica__matrices *b, int64_t i, const parts *p)
{
    li info = 0;
    mica__copy_matrix(b, i, p->a);
    if (!mica__all_finite(p->a, (int64_t)b->m * b->n, b->dtype)) return MICA_NOT_FINITE;
    b->f->gesdd("S", &b->n, &b->m, p->a, &b->n, p->s, p->u, &b->n, p->vt, &b->k, p->work, &b->lwork,
                p->iwork, &info, 1);
    return info;
}

static int run_by_svd(mica__launch *l, const char *name, mica__matrix_body *body)
{
    mica__matrices b;
    MICA_TRY(mica__matrices_init(&b, l, name));
    if (b.k) {
        double answer[2] = { 1, 0 };
        li ask = -1, info = 0, none[8];
        b.f->gesdd("S", &b.n, &b.m, answer, &b.n, answer, answer, &b.n, answer, &b.k, answer, &ask,
                   none, &info, 1);
        b.lwork = mica__queried(answer, b.dtype);
    }
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
    double least = 10.0 * (b->m > b->n ? b->m : b->n) * epsilon * mica__real_at(p.s, 0, b->dtype);
    for (li r = 0; r < b->k; r++) {
        double s = mica__real_at(p.s, r, b->dtype);
        p.weights[r] = s > least ? 1 / s : 0;
    }
    join(b, mica__matrix_at(&b->l->out[0], i, (int64_t)b->m * b->n), p.u, p.vt, p.weights);
    return 0;
}

int mica__kernel_pinv(mica__launch *l)
{
    return run_by_svd(l, "linalg.pinv", pinv_one);
}

/* The sign of the product of the two orthogonal factors' determinants; both are destroyed. */
static double orientation(const mica__matrices *b, const parts *p, char *q)
{
    double sign = 1;
    li info = 0;
    b->f->getrf(&b->n, &b->n, q, &b->n, p->iwork, &info);
    for (li r = 0; r < b->n; r++) {
        if (p->iwork[r] != r + 1) sign = -sign;
        if (mica__real_at(q, (int64_t)r * (b->n + 1), b->dtype) < 0) sign = -sign;
    }
    return sign;
}

/* With A = U S V^T the cofactors are det(U) det(V) U C V^T, C_r the product of the other singular
 * values: it holds for singular A. */
static li cofactor_one(const mica__matrices *b, int64_t i, char *work)
{
    if (!b->n) return 0;
    char *out = mica__matrix_at(&b->l->out[0], i, (int64_t)b->n * b->n);
    size_t bytes = (size_t)b->n * (size_t)b->n * b->item;
    parts p = parts_of(b, work);
    li info = svd_in_work(b, i, &p);
    if (info) return info;
    memcpy(p.a, p.u, bytes);
    double sign = orientation(b, &p, p.a);
    memcpy(p.a, p.vt, bytes);
    sign *= orientation(b, &p, p.a);
    for (li r = 0; r < b->n; r++) {
        p.weights[r] = sign;
        for (li other = 0; other < b->n; other++)
            if (other != r) p.weights[r] *= mica__real_at(p.s, other, b->dtype);
    }
    join(b, out, p.u, p.vt, p.weights);
    mica__transpose_in_place(out, b->n, b->dtype);
    return 0;
}

int mica__kernel_cofactor(mica__launch *l)
{
    return run_by_svd(l, "linalg.det", cofactor_one);
}
