/* Derivatives of systems, inverses, triangular factors and determinants. Formulas without another
   source: M. Giles, Collected matrix derivative results for forward and reverse mode algorithmic
   differentiation (2008). G^H is the adjoint. */
#include "autodiff/linalg.h"

mica_array *mica__safe_reciprocal(mica_scope *s, mica_array *a)
{
    if (!a) return NULL;
    mica_array *zero = mica_equal(s, a, NUM(0));
    return mica__kept(s, mica_logical_not(s, zero),
                      mica_reciprocal(s, mica__replaced(s, zero, 1, a)));
}

mica_array *mica__over_gaps(mica_scope *s, mica_array *x, mica_array *w)
{
    if (!x || !w) return NULL;
    mica_array *diagonal = mica_eye(s, w->shape[w->ndim - 1], MICA_NO_INTEGER, 0, MICA_BOOL);
    mica_array *gap = mica_subtract(s, mica_expand_dims(s, w, MICA_AXES(-2)),
                                    mica_expand_dims(s, w, MICA_AXES(-1)));
    mica_array *nothing = mica_logical_and(s, mica_equal(s, x, NUM(0)), mica_equal(s, gap, NUM(0)));
    gap = mica__replaced(s, mica_logical_or(s, diagonal, nothing), 1, gap);
    return mica_divide(s, mica__kept(s, mica_logical_not(s, diagonal), x), gap);
}

mica_array *mica__solve(mica_scope *s, mica_array *a, mica_array *b)
{
    mica_array *in[2] = { a, b };
    return a && b ? mica__build(s, mica_prim_solve, NULL, 2, in, (mica_dtype)a->dtype,
                                mica__dims_of(b))
                  : NULL;
}

mica_array *mica__solve_triangle(mica_scope *s, mica_array *a, mica_array *b, bool upper)
{
    struct mica__solve_triangular_params p = { .upper = upper };
    mica_array *in[2] = { a, b };
    return a && b ? mica__build(s, mica_prim_solve_triangular, &p, 2, in, (mica_dtype)a->dtype,
                                mica__dims_of(b))
                  : NULL;
}

mica_array *mica__inverse(mica_scope *s, mica_array *a)
{
    return a ? mica__build(s, mica_prim_inv, NULL, 1, &a, (mica_dtype)a->dtype, mica__dims_of(a))
             : NULL;
}

/* X B^-1 for one triangle B: (B^-H X^H)^H. */
static mica_array *divide_triangle(mica_scope *s, mica_array *x, mica_array *b, bool upper)
{
    return mica__adjoint(s,
                         mica__solve_triangle(s, mica__adjoint(s, b), mica__adjoint(s, x), !upper));
}

/* ---- inverses: dP = -P dA P ---- */

static mica_array *inverse_vjp(mica_scope *s, mica_array *p, mica_array *c)
{
    mica_array *h = mica__adjoint(s, p);
    return mica__minus(s, mica__times3(s, h, c, h));
}

VJP_RULE(inv)
{
    if (needed[0]) gradients[0] = inverse_vjp(s, OUTPUT, C);
}
JVP_RULE(inv)
{
    results[0] = mica__minus(s, mica__times3(s, OUTPUT, T, OUTPUT));
}

VJP_RULE(tri_inv)
{
    bool upper = MICA_PARAMS(n, tri_inv)->upper != 0;
    if (needed[0])
        gradients[0] =
            mica__triangle(s, inverse_vjp(s, OUTPUT, mica__triangle(s, C, upper, 0)), upper, 0);
}
JVP_RULE(tri_inv)
{
    mica_array *t = mica__triangle(s, T, MICA_PARAMS(n, tri_inv)->upper != 0, 0);
    results[0] = mica__minus(s, mica__times3(s, OUTPUT, t, OUTPUT));
}

/* I - a b */
static mica_array *complement(mica_scope *s, mica_array *a, mica_array *b)
{
    if (!a || !b) return NULL;
    return mica_subtract(
        s, mica_eye(s, a->shape[a->ndim - 2], MICA_NO_INTEGER, 0, (mica_dtype)a->dtype),
        mica__times(s, a, b));
}

/* G. Golub, V. Pereyra, The differentiation of pseudo-inverses (1973), for constant rank:
   dP = -P dA P + P P^H dA^H (I - A P) + (I - P A) dA^H P^H P. */
VJP_RULE(pinv)
{
    if (!needed[0]) return;
    mica_array *p = OUTPUT, *h = mica__adjoint(s, p), *g = mica__adjoint(s, C);
    mica_array *first = mica__times3(s, h, C, h);
    mica_array *second = mica__times3(s, complement(s, X, p), g, mica__times(s, p, h));
    mica_array *third = mica__times3(s, mica__times(s, h, p), g, complement(s, p, X));
    gradients[0] = mica__plus(s, mica__plus(s, second, third), mica__minus(s, first));
}
JVP_RULE(pinv)
{
    mica_array *p = OUTPUT, *h = mica__adjoint(s, p), *t = mica__adjoint(s, T);
    mica_array *first = mica__times3(s, p, T, p);
    mica_array *second = mica__times3(s, mica__times(s, p, h), t, complement(s, X, p));
    mica_array *third = mica__times3(s, complement(s, p, X), t, mica__times(s, h, p));
    results[0] = mica__plus(s, mica__plus(s, second, third), mica__minus(s, first));
}

/* ---- systems: dX = A^-1 (dB - dA X) ---- */

VJP_RULE(solve)
{
    mica_array *b = mica__solve(s, mica__adjoint(s, X), C);
    if (needed[0]) gradients[0] = mica__minus(s, mica__times(s, b, mica__adjoint(s, OUTPUT)));
    if (needed[1]) gradients[1] = b;
}
JVP_RULE(solve)
{
    mica_array *a = T ? mica__minus(s, mica__times(s, T, OUTPUT)) : NULL;
    results[0] = mica__solve(s, X, mica__plus(s, tangents[1], a));
}

VJP_RULE(solve_triangular)
{
    bool upper = MICA_PARAMS(n, solve_triangular)->upper != 0;
    mica_array *b = mica__solve_triangle(s, mica__adjoint(s, X), C, !upper);
    if (needed[0])
        gradients[0] = mica__triangle(
            s, mica__minus(s, mica__times(s, b, mica__adjoint(s, OUTPUT))), upper, 0);
    if (needed[1]) gradients[1] = b;
}
JVP_RULE(solve_triangular)
{
    bool upper = MICA_PARAMS(n, solve_triangular)->upper != 0;
    mica_array *a =
        T ? mica__minus(s, mica__times(s, mica__triangle(s, T, upper, 0), OUTPUT)) : NULL;
    results[0] = mica__solve_triangle(s, X, mica__plus(s, tangents[1], a), upper);
}

/* ---- Cholesky factors: I. Murray, Differentiation of the Cholesky decomposition (2016). The
   matrix is Hermitian, and so is its gradient, whichever triangle is read. ---- */

VJP_RULE(cholesky)
{
    if (!needed[0]) return;
    bool upper = MICA_PARAMS(n, cholesky)->upper != 0;
    mica_array *l = upper ? mica__adjoint(s, OUTPUT) : OUTPUT, *c = upper ? mica__adjoint(s, C) : C;
    mica_array *phi =
        mica__half_triangle(s, mica__times(s, mica__adjoint(s, l), mica__triangle(s, c, false, 0)));
    mica_array *left = mica__solve_triangle(s, mica__adjoint(s, l), phi, true);
    gradients[0] = mica__hermitian(s, divide_triangle(s, left, l, false));
}
JVP_RULE(cholesky)
{
    bool upper = MICA_PARAMS(n, cholesky)->upper != 0;
    mica_array *l = upper ? mica__adjoint(s, OUTPUT) : OUTPUT;
    mica_array *left = mica__solve_triangle(s, l, mica__hermitian(s, T), false);
    mica_array *both = divide_triangle(s, left, mica__adjoint(s, l), true);
    mica_array *t = mica__times(s, l, mica__half_triangle(s, both));
    results[0] = upper ? mica__adjoint(s, t) : t;
}

/* ---- LU: A[order] = L U with L unit lower. M. Seeger et al., Auto-differentiating linear algebra
   (2017); wide and tall matrices by splitting off what is square. ---- */

typedef struct lu {
    mica_array *l, *u;  /* square k x k */
    mica_array *below;  /* the rest of L: (m - k) x k, NULL when there is none */
    mica_array *beside; /* the rest of U: k x (n - k) */
    mica_array *order;  /* the row of L U where each row of A is, as indices for take_along_axis */
    int64_t m, n, k;
} lu;

static mica_array *rows(mica_scope *s, mica_array *a, int64_t from, int64_t count)
{
    return a ? mica__slice_axis(s, a, a->ndim - 2, from, count) : NULL;
}
static mica_array *columns(mica_scope *s, mica_array *a, int64_t from, int64_t count)
{
    return a ? mica__slice_axis(s, a, a->ndim - 1, from, count) : NULL;
}
static mica_array *along(mica_scope *s, mica_array *a, mica_array *b, int axis)
{
    if (!a || !b) return a ? a : b;
    mica_array *both[2] = { a, b };
    return mica__concatenate(s, 2, both, a->ndim + axis);
}

static lu lu_parts(mica_scope *s, const mica_node *node)
{
    mica_array *both = mica__output(s, node, 0);
    lu f = { .m = node->inputs[0]->shape[node->inputs[0]->ndim - 2],
             .n = node->inputs[0]->shape[node->inputs[0]->ndim - 1] };
    f.k = f.m < f.n ? f.m : f.n;
    mica_array *top = rows(s, both, 0, f.k), *square = columns(s, top, 0, f.k);
    f.u = mica__triangle(s, square, true, 0);
    f.l = mica__triangle(s, square, false, -1);
    if (f.l) f.l = mica_add(s, f.l, mica_eye(s, f.k, MICA_NO_INTEGER, 0, (mica_dtype)f.l->dtype));
    if (f.m > f.k) f.below = columns(s, rows(s, both, f.k, f.m - f.k), 0, f.k);
    if (f.n > f.k) f.beside = columns(s, top, f.k, f.n - f.k);
    f.order = mica_expand_dims(s, mica_stop_gradient(s, mica__output(s, node, 2)), MICA_AXES(-1));
    return f;
}

/* Rows of a in the order of A, or of L U where `inverse`. */
static mica_array *reordered(mica_scope *s, const lu *f, mica_array *a, bool inverse)
{
    if (!a || !f->order) return NULL;
    mica_array *order = inverse ? mica_argsort(s, f->order, -2) : f->order;
    return order ? mica_take_along_axis(s, a, mica__broadcast_to(s, order, mica__dims_of(a)), -2)
                 : NULL;
}

VJP_RULE(lu)
{
    if (!needed[0] || !C) return;
    lu f = lu_parts(s, n);
    mica_array *top = rows(s, C, 0, f.k), *square = columns(s, top, 0, f.k);
    mica_array *l = mica__triangle(s, square, false, -1), *u = mica__triangle(s, square, true, 0),
               *below = NULL, *beside = NULL;
    if (f.beside) { /* U2 = L^-1 A2 */
        beside =
            mica__solve_triangle(s, mica__adjoint(s, f.l), columns(s, top, f.k, f.n - f.k), true);
        l = mica__plus(s, l, mica__minus(s, mica__times(s, beside, mica__adjoint(s, f.beside))));
    }
    if (f.below) { /* L2 = A2 U^-1 */
        below = divide_triangle(s, columns(s, rows(s, C, f.k, f.m - f.k), 0, f.k),
                                mica__adjoint(s, f.u), false);
        u = mica__plus(s, u, mica__minus(s, mica__times(s, mica__adjoint(s, f.below), below)));
    }
    mica_array *inner =
        mica__plus(s, mica__triangle(s, mica__times(s, mica__adjoint(s, f.l), l), false, -1),
                   mica__triangle(s, mica__times(s, u, mica__adjoint(s, f.u)), true, 0));
    inner = mica__solve_triangle(s, mica__adjoint(s, f.l), inner, true);
    mica_array *a = divide_triangle(s, inner, mica__adjoint(s, f.u), false);
    a = f.beside ? along(s, a, beside, -1) : f.below ? along(s, a, below, -2) : a;
    gradients[0] = reordered(s, &f, a, false);
}

JVP_RULE(lu)
{
    lu f = lu_parts(s, n);
    mica_array *t = reordered(s, &f, T, true), *top = rows(s, t, 0, f.k),
               *square = columns(s, top, 0, f.k);
    mica_array *inner = divide_triangle(s, mica__solve_triangle(s, f.l, square, false), f.u, true);
    mica_array *l = mica__times(s, f.l, mica__triangle(s, inner, false, -1)),
               *u = mica__times(s, mica__triangle(s, inner, true, 0), f.u);
    mica_array *both = mica__plus(s, l, u);
    if (f.beside) {
        mica_array *rest = mica__plus(s, columns(s, top, f.k, f.n - f.k),
                                      mica__minus(s, mica__times(s, l, f.beside)));
        both = along(s, both, mica__solve_triangle(s, f.l, rest, false), -1);
    }
    if (f.below) {
        mica_array *rest = mica__plus(s, columns(s, rows(s, t, f.k, f.m - f.k), 0, f.k),
                                      mica__minus(s, mica__times(s, f.below, u)));
        both = along(s, both, divide_triangle(s, rest, f.u, true), -2);
    }
    results[0] = both;
}

/* ---- determinants ---- */

/* A number for each matrix times the matrix. */
static mica_array *times_matrix(mica_scope *s, mica_array *number, mica_array *a)
{
    return number && a ? mica_multiply(s, mica_expand_dims(s, number, MICA_AXES(-2, -1)), a) : NULL;
}
static mica_array *matrix_sum(mica_scope *s, mica_array *a)
{
    return a ? mica_sum(s, a, MICA_AXES(-2, -1), false) : NULL;
}

static mica_array *product(mica_scope *s, mica_array *a, mica_array *b)
{
    return a && b ? mica_multiply(s, a, b) : NULL;
}
static mica_array *transposed(mica_scope *s, mica_array *a)
{
    return a ? mica_swapaxes(s, a, -1, -2) : NULL;
}

static mica_array *cofactors(mica_scope *s, mica_array *a)
{
    return mica__build(s, mica_prim_cofactor, NULL, 1, &a, (mica_dtype)a->dtype, mica__dims_of(a));
}

VJP_RULE(det)
{
    if (needed[0]) gradients[0] = times_matrix(s, C, mica__conjugated(s, cofactors(s, X)));
}
JVP_RULE(det)
{
    results[0] = matrix_sum(s, mica_multiply(s, cofactors(s, X), T));
}

/* Cofactors K = det(A) A^-T of regular matrices: dK = tr(A^-1 dA) K - K dA^T A^-T. */
VJP_RULE(cofactor)
{
    if (!needed[0]) return;
    mica_array *k = mica__conjugated(s, OUTPUT), *h = mica__adjoint(s, mica__inverse(s, X));
    mica_array *first = times_matrix(s, matrix_sum(s, product(s, C, k)), h);
    gradients[0] = mica__plus(s, first, mica__minus(s, mica__times3(s, h, transposed(s, C), k)));
}
JVP_RULE(cofactor)
{
    mica_array *k = OUTPUT, *t = transposed(s, mica__inverse(s, X));
    mica_array *first = times_matrix(s, matrix_sum(s, product(s, t, T)), k);
    results[0] = mica__plus(s, first, mica__minus(s, mica__times3(s, k, transposed(s, T), t)));
}

/* With w = tr(A^-1 dA): d log|det| = Re w, d sign = i Im(w) sign, which is 0 for real numbers. */
VJP_RULE(slogdet)
{
    mica_array *by = cotangents[1];
    if (!needed[0]) return;
    if (C && X->dtype == MICA_COMPLEX64) {
        mica_array *turn = mica_imag(s, product(s, C, mica__conjugated(s, OUTPUT)));
        by = mica__plus(s, by, product(s, turn, mica__complex(s, 0, 1)));
    }
    gradients[0] = times_matrix(s, by, by ? mica__adjoint(s, mica__inverse(s, X)) : NULL);
}
JVP_RULE(slogdet)
{
    mica_array *w = matrix_sum(s, product(s, transposed(s, mica__inverse(s, X)), T));
    results[1] = w;
    if (!w || w->dtype != MICA_COMPLEX64) return;
    results[1] = mica_real(s, w);
    results[0] = product(s, product(s, mica_imag(s, w), mica__complex(s, 0, 1)), OUTPUT);
}
