/* Derivatives of orthogonal factors, singular values and eigenvalues. Vectors are determined up to
   signs or phases; the rules hold for functions that do not depend on them, and treat equal values
   as if they stayed equal. */
#include "autodiff/linalg.h"

static mica_array *product(mica_scope *s, mica_array *a, mica_array *b)
{
    return a && b ? mica_multiply(s, a, b) : NULL;
}
static mica_array *difference(mica_scope *s, mica_array *a, mica_array *b)
{
    return a && b ? mica_subtract(s, a, b) : NULL;
}
static mica_array *columns(mica_scope *s, mica_array *a, int64_t from, int64_t count)
{
    return a ? mica__slice_axis(s, a, a->ndim - 1, from, count) : NULL;
}
static mica_array *beside(mica_scope *s, mica_array *a, mica_array *b)
{
    mica_array *both[2] = { a, b };
    return a && b ? mica__concatenate(s, 2, both, a->ndim - 1) : NULL;
}
/* x less its part in the span of q's orthonormal columns. */
static mica_array *outside(mica_scope *s, mica_array *q, mica_array *x)
{
    return difference(s, x, mica__times3(s, q, mica__adjoint(s, q), x));
}

/* Im(diagonal); NULL for real numbers. */
static mica_array *imaginary_diagonal(mica_scope *s, mica_array *a)
{
    return a && a->dtype == MICA_COMPLEX64 ? mica_imag(s, mica__diagonal(s, a)) : NULL;
}
/* The matrix with i angles on its diagonal. */
static mica_array *turning(mica_scope *s, mica_array *angles)
{
    return mica__diagonal_matrix(s,
                                 angles ? mica_multiply(s, angles, mica__complex(s, 0, 1)) : NULL);
}

/* ---- QR: S. Walter, L. Lehmann, Algorithmic differentiation of linear algebra functions with
   application in optimum experimental design (2018); a wide A = [A1 A2] has A1 = Q R1 and R2 = Q^H
   A2. Complex: D. Roberts, L. Roberts, QR and LQ decomposition matrix backpropagation algorithms
   for square, wide, and deep - real or complex - matrices (2020); R's diagonal is real. ---- */

/* X R^-1 */
static mica_array *over_r(mica_scope *s, mica_array *x, mica_array *r)
{
    return mica__adjoint(s,
                         mica__solve_triangle(s, mica__adjoint(s, r), mica__adjoint(s, x), false));
}

/* Of A1 with the cotangents of Q and R1, either of which may be missing. */
static mica_array *qr_vjp(mica_scope *s, mica_array *q, mica_array *r, mica_array *cq,
                          mica_array *cr)
{
    mica_array *m = cr ? mica__times(s, r, mica__adjoint(s, cr)) : NULL;
    if (cq) m = mica__plus(s, m, mica__minus(s, mica__times(s, mica__adjoint(s, cq), q)));
    if (!m) return NULL;
    mica_array *half = mica__half_triangle(s, m);
    mica_array *g =
        mica__plus(s, cq, mica__times(s, q, mica__plus(s, half, mica__adjoint(s, half))));
    /* G R^-H = (R^-1 G^H)^H */
    return mica__adjoint(s, mica__solve_triangle(s, r, mica__adjoint(s, g), true));
}

VJP_RULE(qr)
{
    mica_array *q = OUTPUT, *r = mica__output(s, n, 1), *cq = C, *cr = cotangents[1];
    if (!needed[0] || (!cq && !cr)) return;
    int64_t k = q->shape[q->ndim - 1], wide = X->shape[X->ndim - 1] - k;
    mica_array *r1 = columns(s, r, 0, k), *c1 = mica__triangle(s, columns(s, cr, 0, k), true, 0);
    if (!wide) {
        gradients[0] = qr_vjp(s, q, r1, cq, c1);
        return;
    }
    mica_array *second = NULL;
    if (cr) {
        mica_array *c2 = columns(s, cr, k, wide);
        cq = mica__plus(s, cq, mica__times(s, columns(s, X, k, wide), mica__adjoint(s, c2)));
        second = mica__times(s, q, c2);
    } else {
        second = mica__full_like(s, columns(s, X, k, wide), 0);
    }
    gradients[0] = beside(s, qr_vjp(s, q, r1, cq, c1), second);
}

JVP_RULE(qr)
{
    mica_array *q = OUTPUT, *r = mica__output(s, n, 1);
    if (!q || !r) return;
    int64_t k = q->shape[q->ndim - 1], wide = X->shape[X->ndim - 1] - k;
    mica_array *r1 = columns(s, r, 0, k), *t1 = columns(s, T, 0, k);
    mica_array *x = over_r(s, t1, r1), *inside = mica__times(s, mica__adjoint(s, q), x);
    mica_array *strict = mica__triangle(s, inside, false, -1),
               *turn = difference(s, strict, mica__adjoint(s, strict));
    turn = mica__plus(s, turn, turning(s, imaginary_diagonal(s, inside)));
    mica_array *dq = mica__plus(s, mica__times(s, q, turn), outside(s, q, x));
    mica_array *dr = mica__triangle(s, mica__times(s, difference(s, inside, turn), r1), true, 0);
    results[0] = dq;
    results[1] = dr;
    if (!wide) return;
    mica_array *second = mica__plus(s, mica__times(s, mica__adjoint(s, dq), columns(s, X, k, wide)),
                                    mica__times(s, mica__adjoint(s, q), columns(s, T, k, wide)));
    results[1] = beside(s, dr, second);
}

/* ---- singular values: C. Ionescu, O. Vantzos, C. Sminchisescu, Training deep networks with
   structured layers by matrix backpropagation (2015); complex: Z. Wan, S. Zhang, Automatic
   differentiation for complex valued SVD (2019). Columns of U and V without a value turn no more
   than they must. ---- */

typedef struct svd {
    mica_array *u, *v;   /* columns with values */
    mica_array *u2, *v2; /* the others, NULL when there are none */
    mica_array *values, *inverse, *squares;
    int64_t k;
} svd;

static svd svd_parts(mica_scope *s, const mica_node *n)
{
    svd f = { 0 };
    mica_array *u = mica__output(s, n, 0), *v = mica__adjoint(s, mica__output(s, n, 2));
    f.values = mica__output(s, n, 1);
    if (!u || !v || !f.values) return f;
    f.k = f.values->shape[f.values->ndim - 1];
    int64_t more_u = u->shape[u->ndim - 1] - f.k, more_v = v->shape[v->ndim - 1] - f.k;
    f.u = columns(s, u, 0, f.k);
    f.v = columns(s, v, 0, f.k);
    if (more_u) f.u2 = columns(s, u, f.k, more_u);
    if (more_v) f.v2 = columns(s, v, f.k, more_v);
    f.inverse = mica__safe_reciprocal(s, f.values);
    f.squares = mica_square(s, f.values);
    return f;
}

/* i Im(diagonal) / values, as a matrix; NULL for real numbers. */
static mica_array *phases(mica_scope *s, const svd *f, mica_array *a)
{
    return turning(s, product(s, imaginary_diagonal(s, a), f->inverse));
}

static mica_array *values_vjp(mica_scope *s, const mica_node *n, mica_array *c)
{
    mica_array *f[3];
    return mica__svd(s, "svd", X, 2, f) ? mica__times(s, mica__scale_columns(s, f[0], c), f[2])
                                        : NULL;
}

VJP_RULE(svd)
{
    if (!needed[0]) return;
    if (MICA_PARAMS(n, svd)->mode == 0) {
        gradients[0] = values_vjp(s, n, C);
        return;
    }
    svd f = svd_parts(s, n);
    mica_array *cv = cotangents[2] ? mica__adjoint(s, cotangents[2]) : NULL, *cu = C, *sum = NULL,
               *middle = NULL;
    mica_array *vh = mica__adjoint(s, f.v);
    if (!vh) return;
    if (cotangents[1])
        middle =
            mica__diagonal_matrix(s, mica__cast(s, cotangents[1], (mica_dtype)f.values->dtype));
    if (cu) {
        mica_array *c1 = columns(s, cu, 0, f.k), *g = mica__times(s, mica__adjoint(s, f.u), c1),
                   *k = mica__over_gaps(s, g, f.squares);
        middle = mica__plus(
            s, middle, mica__scale_columns(s, mica__plus(s, k, mica__adjoint(s, k)), f.values));
        middle = mica__plus(s, middle, phases(s, &f, g));
        mica_array *rest = outside(s, f.u, c1);
        if (f.u2) {
            mica_array *c2 = columns(s, cu, f.k, f.u2->shape[f.u2->ndim - 1]);
            rest = difference(s, rest, mica__times3(s, f.u2, mica__adjoint(s, c2), f.u));
        }
        sum = mica__times(s, mica__scale_columns(s, rest, f.inverse), vh);
    }
    if (cv) {
        mica_array *c1 = columns(s, cv, 0, f.k),
                   *k = mica__over_gaps(s, mica__times(s, vh, c1), f.squares);
        middle = mica__plus(s, middle,
                            mica__scale_rows(s, mica__plus(s, k, mica__adjoint(s, k)), f.values));
        mica_array *rest = mica__adjoint(s, outside(s, f.v, c1));
        if (f.v2) {
            mica_array *c2 = columns(s, cv, f.k, f.v2->shape[f.v2->ndim - 1]);
            rest = difference(s, rest, mica__times3(s, vh, c2, mica__adjoint(s, f.v2)));
        }
        sum = mica__plus(s, sum, mica__times(s, f.u, mica__scale_rows(s, rest, f.inverse)));
    }
    if (middle)
        sum = mica__plus(s, sum,
                         mica__times3(s, f.u, mica__cast(s, middle, (mica_dtype)X->dtype), vh));
    gradients[0] = sum;
}

JVP_RULE(svd)
{
    if (MICA_PARAMS(n, svd)->mode == 0) {
        mica_array *parts[3];
        if (!mica__svd(s, "svd", X, 2, parts)) return;
        mica_array *both = mica__times(s, T, mica__adjoint(s, parts[2]));
        results[0] = mica_real(
            s, mica_sum(s, product(s, mica__conjugated(s, parts[0]), both), MICA_AXES(-2), false));
        results[0] = results[0] ? mica__cast(s, results[0], (mica_dtype)n->out[0].dtype) : NULL;
        return;
    }
    svd f = svd_parts(s, n);
    mica_array *uh = mica__adjoint(s, f.u), *th = mica__adjoint(s, T), *tv = mica__times(s, T, f.v),
               *tu = mica__times(s, th, f.u);
    mica_array *p = mica__times(s, uh, tv), *h = mica__adjoint(s, p);
    if (!p) return;
    mica_array *diagonal = mica__diagonal(s, p);
    results[1] = diagonal && diagonal->dtype == MICA_COMPLEX64 ? mica_real(s, diagonal) : diagonal;
    mica_array *turn_u = mica__over_gaps(
        s, mica__plus(s, mica__scale_columns(s, p, f.values), mica__scale_rows(s, h, f.values)),
        f.squares);
    mica_array *turn_v = mica__over_gaps(
        s, mica__plus(s, mica__scale_rows(s, p, f.values), mica__scale_columns(s, h, f.values)),
        f.squares);
    turn_u = mica__plus(s, turn_u, phases(s, &f, p));
    mica_array *du = mica__plus(s, mica__times(s, f.u, turn_u),
                                mica__scale_columns(s, outside(s, f.u, tv), f.inverse));
    mica_array *dv = mica__plus(s, mica__times(s, f.v, turn_v),
                                mica__scale_columns(s, outside(s, f.v, tu), f.inverse));
    if (f.u2)
        du = beside(s, du,
                    mica__minus(s, mica__times3(s, mica__scale_columns(s, f.u, f.inverse),
                                                mica__adjoint(s, tv), f.u2)));
    if (f.v2)
        dv = beside(s, dv,
                    mica__minus(s, mica__times3(s, mica__scale_columns(s, f.v, f.inverse),
                                                mica__adjoint(s, tu), f.v2)));
    results[0] = du;
    results[2] = mica__adjoint(s, dv);
}

/* ---- eigenvalues of Hermitian matrices: Giles (2008). The gradient is Hermitian, whichever
 * triangle is read. ---- */

/* Values and vectors of the node's matrix. */
static bool eigh_parts(mica_scope *s, const mica_node *n, mica_array *out[2])
{
    const struct mica__eigh_params *p = n->params;
    if (!p->vectors) return mica__eigh(s, "eigvalsh", X, p->upper, true, out);
    for (size_t i = 0; i < 2; i++) out[i] = mica__output(s, n, i);
    return out[0] && out[1];
}

VJP_RULE(eigh)
{
    mica_array *f[2], *cv = n->noutputs > 1 ? cotangents[1] : NULL;
    if (!needed[0] || (!C && !cv) || !eigh_parts(s, n, f)) return;
    mica_array *vh = mica__adjoint(s, f[1]),
               *middle = cv ? mica__over_gaps(s, mica__times(s, vh, cv), f[0]) : NULL;
    if (C) middle = mica__plus(s, middle, mica__diagonal_matrix(s, C));
    middle = middle ? mica__cast(s, middle, (mica_dtype)X->dtype) : NULL;
    gradients[0] = mica__hermitian(s, mica__times3(s, f[1], middle, vh));
}

JVP_RULE(eigh)
{
    mica_array *f[2];
    if (!eigh_parts(s, n, f)) return;
    mica_array *p = mica__times3(s, mica__adjoint(s, f[1]), mica__hermitian(s, T), f[1]),
               *d = mica__diagonal(s, p);
    results[0] = d && d->dtype == MICA_COMPLEX64 ? mica_real(s, d) : d;
    if (n->noutputs > 1) results[1] = mica__times(s, f[1], mica__over_gaps(s, p, f[0]));
}

/* ---- eigenvalues of general matrices: C. Boeddeker et al., On the computation of complex-valued
   gradients with application to statistically optimum beamforming (2017), with vectors of length 1.
   ---- */

static bool eig_parts(mica_scope *s, const mica_node *n, mica_array *out[2])
{
    if (MICA_PARAMS(n, eig)->vectors) {
        for (size_t i = 0; i < 2; i++) out[i] = mica__output(s, n, i);
    } else {
        mica_arrays both = mica_linalg_eig(s, X);
        for (size_t i = 0; i < 2; i++) out[i] = both.n == 2 ? both.at[i] : NULL;
    }
    return out[0] && out[1];
}

VJP_RULE(eig)
{
    mica_array *f[2], *cv = n->noutputs > 1 ? cotangents[1] : NULL, *middle = NULL;
    if (!needed[0] || (!C && !cv) || !eig_parts(s, n, f)) return;
    mica_array *vh = mica__adjoint(s, f[1]);
    if (cv) {
        mica_array *g = mica__times(s, vh, cv),
                   *length = g ? mica_real(s, mica__diagonal(s, g)) : NULL;
        g = difference(s, g, mica__scale_columns(s, mica__times(s, vh, f[1]), length));
        middle = mica__over_gaps(s, g, mica__conjugated(s, f[0]));
    }
    if (C) middle = mica__plus(s, middle, mica__diagonal_matrix(s, C));
    mica_array *g = mica__solve(s, vh, mica__times(s, middle, vh));
    if (g && X->dtype != MICA_COMPLEX64) g = mica_real(s, g);
    gradients[0] = g ? mica__cast(s, g, (mica_dtype)X->dtype) : NULL;
}

JVP_RULE(eig)
{
    mica_array *f[2];
    if (!eig_parts(s, n, f)) return;
    mica_array *p = mica__solve(s, f[1], mica__times(s, mica__cast(s, T, MICA_COMPLEX64), f[1]));
    results[0] = mica__diagonal(s, p);
    if (n->noutputs < 2) return;
    mica_array *d = mica__times(s, f[1], mica__over_gaps(s, p, f[0]));
    mica_array *along = product(s, mica__conjugated(s, f[1]), d);
    along = along ? mica_real(s, mica_sum(s, along, MICA_AXES(-2), false)) : NULL;
    results[1] = difference(s, d, mica__scale_columns(s, f[1], along));
}
