/* Derivatives of matrix products. */
#include "autodiff/autodiff.h"

static mica_array *adjoint(mica_scope *s, mica_array *a)
{
    mica_array *t = mica_swapaxes(s, a, -1, -2);
    return t && t->dtype == MICA_COMPLEX64 ? mica_conjugate(s, t) : t;
}

void mica__vjp_matmul(mica_scope *s, const mica_node *n, mica_array *const cotangents[],
                      const bool needed[], mica_array *gradients[])
{
    if (needed[0]) gradients[0] = mica_matmul(s, cotangents[0], adjoint(s, n->inputs[1]));
    if (needed[1]) gradients[1] = mica_matmul(s, adjoint(s, n->inputs[0]), cotangents[0]);
}

void mica__jvp_matmul(mica_scope *s, const mica_node *n, mica_array *const tangents[],
                      mica_array *results[])
{
    mica_array *a = tangents[0] ? mica_matmul(s, tangents[0], n->inputs[1]) : NULL;
    mica_array *b = tangents[1] ? mica_matmul(s, n->inputs[0], tangents[1]) : NULL;
    results[0] = a && b ? mica_add(s, a, b) : a ? a : b;
}
