/* Transposes of transforms, all of which are linear. */
#include "autodiff/rule.h"

/* The adjoint of a transform is the one in the other direction, with the same factor. */
VJP_RULE(fft)
{
    struct mica__fft_params p;
    mica__params_take(n, &p);
    p.inverse = !p.inverse;
    if (needed[0])
        gradients[0] =
            mica__build(s, mica_prim_fft, &p, 1, cotangents, MICA_COMPLEX64, mica__dims_of(X));
}

/* `inside` for elements of a half spectrum that stand for two of the whole one, 1 for the first
   and, of an even length, the last, which stand for themselves. */
static mica_array *weighted(mica_scope *s, mica_array *a, int64_t axis, int64_t length,
                            double inside)
{
    if (!a) return NULL;
    mica_array *k = mica__positions(s, mica__dims_of(a), axis);
    mica_array *edge = mica_equal(s, k, mica_integer(s, 0));
    if (length % 2 == 0)
        edge = mica_logical_or(s, edge, mica_equal(s, k, mica_integer(s, length / 2)));
    mica_array *w =
        mica_where(s, edge, mica_scalar(s, 1, MICA_FLOAT32), mica_scalar(s, inside, MICA_FLOAT32));
    return mica_multiply(s, a, w);
}

/* x_j = Re sum_k c_k exp(2 pi i j k / n) over the half spectrum: irfft, in which the elements
   inside count twice. */
VJP_RULE(rfft)
{
    const struct mica__rfft_params *p = MICA_PARAMS(n, rfft);
    if (!needed[0]) return;
    struct mica__irfft_params q = { .axis = p->axis, .n = X->shape[p->axis], .scale = p->scale };
    mica_array *c = weighted(s, C, q.axis, q.n, 0.5);
    if (c)
        gradients[0] = mica__build(s, mica_prim_irfft, &q, 1, &c, MICA_FLOAT32, mica__dims_of(X));
}

VJP_RULE(irfft)
{
    const struct mica__irfft_params *p = MICA_PARAMS(n, irfft);
    if (!needed[0]) return;
    struct mica__rfft_params q = { .axis = p->axis, .scale = p->scale };
    mica_array *g =
        mica__build(s, mica_prim_rfft, &q, 1, cotangents, MICA_COMPLEX64, mica__dims_of(X));
    gradients[0] = weighted(s, g, p->axis, p->n, 2);
}

VJP_RULE(hadamard)
{
    struct mica__hadamard_params p;
    mica__params_take(n, &p);
    p.transposed = !p.transposed;
    if (needed[0])
        gradients[0] = mica__build(s, mica_prim_hadamard, &p, 1, cotangents, (mica_dtype)X->dtype,
                                   mica__dims_of(X));
}
