/* Matrices in rules: products, adjoints, triangles, diagonals; systems of any type. */
#ifndef MICA_ENGINE_AUTODIFF_LINALG_H
#define MICA_ENGINE_AUTODIFF_LINALG_H

#include "autodiff/rule.h"
#include "ops/linalg.h"

/* The conjugate transpose of the last two axes. */
static inline mica_array *mica__adjoint(mica_scope *s, mica_array *a)
{
    return a ? mica__conjugated(s, mica_swapaxes(s, a, -1, -2)) : NULL;
}
static inline mica_array *mica__times(mica_scope *s, mica_array *a, mica_array *b)
{
    return a && b ? mica_matmul(s, a, b) : NULL;
}
static inline mica_array *mica__times3(mica_scope *s, mica_array *a, mica_array *b, mica_array *c)
{
    return mica__times(s, a, mica__times(s, b, c));
}
/* a + b, where NULL stands for 0. */
static inline mica_array *mica__plus(mica_scope *s, mica_array *a, mica_array *b)
{
    return a && b ? mica_add(s, a, b) : a ? a : b;
}
static inline mica_array *mica__minus(mica_scope *s, mica_array *a)
{
    return a ? mica_negative(s, a) : NULL;
}
/* (a + a^H) / 2 */
static inline mica_array *mica__hermitian(mica_scope *s, mica_array *a)
{
    return a ? mica_multiply(s, mica_add(s, a, mica__adjoint(s, a)), mica_number(s, 0.5)) : NULL;
}
/* One triangle of a, from diagonal k on. */
static inline mica_array *mica__triangle(mica_scope *s, mica_array *a, bool upper, int64_t k)
{
    return a ? upper ? mica_triu(s, a, k) : mica_tril(s, a, k) : NULL;
}
/* The lower triangle with half of the diagonal. */
static inline mica_array *mica__half_triangle(mica_scope *s, mica_array *a)
{
    if (!a) return NULL;
    mica_array *strict = mica_tril(s, a, -1);
    return mica_multiply(s, mica_add(s, strict, mica_tril(s, a, 0)), mica_number(s, 0.5));
}
static inline mica_array *mica__diagonal(mica_scope *s, mica_array *a)
{
    return a ? mica_diagonal(s, a, 0, -2, -1) : NULL;
}
/* Columns, or rows, of a multiplied by the numbers of v. */
static inline mica_array *mica__scale_columns(mica_scope *s, mica_array *a, mica_array *v)
{
    return a && v ? mica_multiply(s, a, mica_expand_dims(s, v, MICA_AXES(-2))) : NULL;
}
static inline mica_array *mica__scale_rows(mica_scope *s, mica_array *a, mica_array *v)
{
    return a && v ? mica_multiply(s, a, mica_expand_dims(s, v, MICA_AXES(-1))) : NULL;
}
/* The matrix with v on its diagonal. */
static inline mica_array *mica__diagonal_matrix(mica_scope *s, mica_array *v)
{
    return v ? mica__scale_columns(
                   s, mica_eye(s, v->shape[v->ndim - 1], MICA_NO_INTEGER, 0, (mica_dtype)v->dtype),
                   v)
             : NULL;
}
/* 1 / a, 0 where a is 0. */
mica_array *mica__safe_reciprocal(mica_scope *s, mica_array *a);
/* x / (w_j - w_i) in row i, column j, 0 on the diagonal. Where two values are equal the vectors,
   and derivatives through them, are not determined: infinity, unless x is 0 there. */
mica_array *mica__over_gaps(mica_scope *s, mica_array *x, mica_array *w);

/* X of A X = B for matrices of equal leading axes, of any type LAPACK has; of one triangle. */
mica_array *mica__solve(mica_scope *s, mica_array *a, mica_array *b);
mica_array *mica__solve_triangle(mica_scope *s, mica_array *a, mica_array *b, bool upper);
/* The inverse, of any type. */
mica_array *mica__inverse(mica_scope *s, mica_array *a);

#endif
