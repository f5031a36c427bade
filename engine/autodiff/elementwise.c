/* Derivatives of element-wise primitives. One partial serves vjp and jvp; where the derivative is
 * 0, 1 or -1 the rule is written out. */
#include "autodiff/autodiff.h"

#define PARTIAL_RULE(prim)                                                                         \
    mica_array *mica__partial_##prim(mica_scope *s, const mica_node *n, int argument)
#define X      mica__input(n, 0)
#define Y      mica__input(n, 1)
#define OUTPUT mica__output(s, n, 0)
#define NUM(v) mica_number(s, v)

/* ---- one operand: f'(x), by the output where that is cheaper ---- */

PARTIAL_RULE(abs)
{
    (void)argument;
    return mica_sign(s, X);
}
PARTIAL_RULE(square)
{
    (void)argument;
    return mica_multiply(s, NUM(2), X);
}
PARTIAL_RULE(sqrt)
{
    (void)argument;
    return mica_divide(s, NUM(0.5), OUTPUT);
}
PARTIAL_RULE(rsqrt)
{
    (void)argument;
    return mica_multiply(s, NUM(-0.5), mica_divide(s, OUTPUT, X));
}
PARTIAL_RULE(reciprocal)
{
    (void)argument;
    return mica_negative(s, mica_square(s, OUTPUT));
}
PARTIAL_RULE(exp)
{
    (void)argument;
    return OUTPUT;
}
PARTIAL_RULE(expm1)
{
    (void)argument;
    return mica_add(s, OUTPUT, NUM(1));
}
PARTIAL_RULE(log)
{
    (void)argument;
    return mica_reciprocal(s, X);
}
PARTIAL_RULE(log2)
{
    (void)argument;
    return mica_divide(s, NUM(1.4426950408889634), X);
}
PARTIAL_RULE(log10)
{
    (void)argument;
    return mica_divide(s, NUM(0.43429448190325183), X);
}
PARTIAL_RULE(log1p)
{
    (void)argument;
    return mica_reciprocal(s, mica_add(s, X, NUM(1)));
}
PARTIAL_RULE(sin)
{
    (void)argument;
    return mica_cos(s, X);
}
PARTIAL_RULE(cos)
{
    (void)argument;
    return mica_negative(s, mica_sin(s, X));
}
PARTIAL_RULE(tan)
{
    (void)argument;
    return mica_add(s, mica_square(s, OUTPUT), NUM(1));
}
PARTIAL_RULE(sinh)
{
    (void)argument;
    return mica_cosh(s, X);
}
PARTIAL_RULE(cosh)
{
    (void)argument;
    return mica_sinh(s, X);
}
PARTIAL_RULE(tanh)
{
    (void)argument;
    return mica_subtract(s, NUM(1), mica_square(s, OUTPUT));
}

static mica_array *one_minus_square(mica_scope *s, mica_array *x)
{
    return mica_subtract(s, NUM(1), mica_square(s, x));
}

/* 1 / (sqrt(a) sqrt(b)): for complex numbers no 1 / sqrt(a b), which may be the other root. */
static mica_array *one_over_roots(mica_scope *s, mica_array *a, mica_array *b)
{
    return mica_reciprocal(s, mica_multiply(s, mica_sqrt(s, a), mica_sqrt(s, b)));
}

/* Sums are differences here, which keep the sign of an imaginary zero: it tells the sides of a
 * branch cut. */
static mica_array *arcsin_slope(mica_scope *s, mica_array *x)
{
    if (!mica__ready(s, x)) return NULL;
    if (x->dtype != MICA_COMPLEX64) return mica_rsqrt(s, one_minus_square(s, x));
    return one_over_roots(s, mica_negative(s, mica_subtract(s, x, NUM(1))),
                          mica_subtract(s, x, NUM(-1)));
}
PARTIAL_RULE(arcsin)
{
    (void)argument;
    return arcsin_slope(s, X);
}
PARTIAL_RULE(arccos)
{
    (void)argument;
    return mica_negative(s, arcsin_slope(s, X));
}
PARTIAL_RULE(arctan)
{
    (void)argument;
    return mica_reciprocal(s, mica_add(s, mica_square(s, X), NUM(1)));
}
PARTIAL_RULE(arcsinh)
{
    (void)argument;
    return mica_rsqrt(s, mica_subtract(s, mica_square(s, X), NUM(-1)));
}
PARTIAL_RULE(arccosh)
{
    (void)argument;
    mica_array *x = X;
    if (mica__ready(s, x) && x->dtype == MICA_COMPLEX64)
        return one_over_roots(s, mica_subtract(s, x, NUM(1)), mica_subtract(s, x, NUM(-1)));
    return mica_rsqrt(s, mica_subtract(s, mica_square(s, x), NUM(1)));
}
PARTIAL_RULE(arctanh)
{
    (void)argument;
    return mica_reciprocal(s, one_minus_square(s, X));
}
/* d erf(x)/dx = 2/sqrt(pi) * exp(-x^2) */
PARTIAL_RULE(erf)
{
    (void)argument;
    return mica_multiply(s, NUM(1.1283791670955126),
                         mica_exp(s, mica_negative(s, mica_square(s, X))));
}
/* d erfinv(x)/dx = sqrt(pi)/2 * exp(y^2) */
PARTIAL_RULE(erfinv)
{
    (void)argument;
    return mica_multiply(s, NUM(0.88622692545275801), mica_exp(s, mica_square(s, OUTPUT)));
}
PARTIAL_RULE(sigmoid)
{
    (void)argument;
    mica_array *y = OUTPUT;
    return mica_multiply(s, y, mica_subtract(s, NUM(1), y));
}

/* ---- two operands ---- */

PARTIAL_RULE(divide)
{
    if (argument == 0) return mica_reciprocal(s, Y);
    return mica_negative(s, mica_divide(s, OUTPUT, Y));
}

/* d x^y/dx = y x^(y-1); d x^y/dy = x^y log(x), 0 where the power is 0. */
PARTIAL_RULE(power)
{
    if (argument == 0) return mica_multiply(s, Y, mica_power(s, X, mica_subtract(s, Y, NUM(1))));
    mica_array *zero = mica_equal(s, OUTPUT, NUM(0));
    mica_array *log = mica_log(s, mica_where(s, zero, NUM(1), X));
    return mica_where(s, zero, NUM(0), mica_multiply(s, OUTPUT, log));
}

/* The share of each operand: exp(x - y). Equal infinities share like equal numbers do in the
 * forward pass: by sigmoid. */
PARTIAL_RULE(logaddexp)
{
    mica_array *d = argument == 0 ? mica_subtract(s, X, Y) : mica_subtract(s, Y, X);
    if (d && d->dtype == MICA_COMPLEX64)
        return mica_exp(s, mica_subtract(s, mica__input(n, (size_t)argument), OUTPUT));
    return mica_sigmoid(s, d);
}

PARTIAL_RULE(arctan2)
{
    mica_array *r2 = mica_add(s, mica_square(s, X), mica_square(s, Y));
    return mica_divide(s, argument == 0 ? Y : mica_negative(s, X), r2);
}

PARTIAL_RULE(remainder)
{
    if (argument == 0) return mica__full_like(s, X, 1);
    return mica_negative(s, mica_floor_divide(s, X, Y));
}

/* ---- rules written out ---- */

#define VJP_RULE(prim)                                                                             \
    void mica__vjp_##prim(mica_scope *s, const mica_node *n, mica_array *const cotangents[],       \
                          const bool needed[], mica_array *gradients[])
#define JVP_RULE(prim)                                                                             \
    void mica__jvp_##prim(mica_scope *s, const mica_node *n, mica_array *const tangents[],         \
                          mica_array *results[])
#define C cotangents[0]

/* To the shape and type of input i. */
static mica_array *fit(mica_scope *s, const mica_node *n, size_t i, mica_array *g)
{
    mica_array *x = mica__input(n, i);
    return mica__cast(s, mica__unbroadcast(s, g, mica__dims_of(x)), (mica_dtype)x->dtype);
}

static mica_array *fill(mica_scope *s, const mica_node *n, mica_array *t)
{
    return mica__broadcast_to(s, mica__cast(s, t, (mica_dtype)n->out[0].dtype),
                              mica__dims_of(&n->out[0]));
}

VJP_RULE(negative)
{
    if (needed[0]) gradients[0] = fit(s, n, 0, mica_negative(s, C));
}
JVP_RULE(negative)
{
    (void)n;
    results[0] = mica_negative(s, tangents[0]);
}
VJP_RULE(conjugate)
{
    (void)n;
    if (needed[0]) gradients[0] = mica_conjugate(s, C);
}
JVP_RULE(conjugate)
{
    (void)n;
    results[0] = mica_conjugate(s, tangents[0]);
}

/* |z|: the cotangent is real, the gradient points along z: z/|z|. */
VJP_RULE(abs)
{
    if (needed[0]) gradients[0] = mica_multiply(s, C, mica_sign(s, X));
}
JVP_RULE(abs)
{
    mica_array *sign = mica_sign(s, X);
    if (sign && sign->dtype == MICA_COMPLEX64)
        results[0] = mica_real(s, mica_multiply(s, mica_conjugate(s, sign), tangents[0]));
    else results[0] = mica_multiply(s, sign, tangents[0]);
}

/* z/|z| = s of complex numbers turns with i s Im(conj(s) dz)/|z|, which is its own adjoint. Real
 * signs do not change (the row is NONDIFF). */
static mica_array *sign_turned(mica_scope *s, const mica_node *n, mica_array *by)
{
    mica_array *sign = OUTPUT, *size = mica_abs(s, X);
    mica_array *turn = mica_imag(s, mica_multiply(s, mica_conjugate(s, sign), by));
    size = mica_where(s, mica_equal(s, size, NUM(0)), NUM(1), size);
    return mica_multiply(s, mica_multiply(s, sign, mica__complex(s, 0, 1)),
                         mica_divide(s, turn, size));
}
VJP_RULE(sign)
{
    if (needed[0]) gradients[0] = sign_turned(s, n, C);
}
JVP_RULE(sign)
{
    results[0] = sign_turned(s, n, tangents[0]);
}
VJP_RULE(real)
{
    if (needed[0]) gradients[0] = mica__cast(s, C, (mica_dtype)X->dtype);
}
JVP_RULE(real)
{
    (void)n;
    results[0] = mica_real(s, tangents[0]);
}
VJP_RULE(imag)
{
    if (needed[0] && X->dtype == MICA_COMPLEX64)
        gradients[0] = mica_multiply(s, C, mica__complex(s, 0, 1));
}
JVP_RULE(imag)
{
    (void)n;
    results[0] = mica_imag(s, tangents[0]);
}

VJP_RULE(add)
{
    for (size_t i = 0; i < 2; i++)
        if (needed[i]) gradients[i] = fit(s, n, i, C);
}
JVP_RULE(add)
{
    mica_array *a = tangents[0], *b = tangents[1];
    results[0] = fill(s, n, a && b ? mica_add(s, a, b) : a ? a : b);
}
VJP_RULE(subtract)
{
    if (needed[0]) gradients[0] = fit(s, n, 0, C);
    if (needed[1]) gradients[1] = fit(s, n, 1, mica_negative(s, C));
}
JVP_RULE(subtract)
{
    mica_array *a = tangents[0], *b = tangents[1];
    results[0] = fill(s, n, a && b ? mica_subtract(s, a, b) : a ? a : mica_negative(s, b));
}
VJP_RULE(multiply)
{
    for (size_t i = 0; i < 2; i++) {
        if (!needed[i]) continue;
        mica_array *other = mica__input(n, 1 - i);
        if (other->dtype == MICA_COMPLEX64) other = mica_conjugate(s, other);
        gradients[i] = fit(s, n, i, mica_multiply(s, C, other));
    }
}
JVP_RULE(multiply)
{
    mica_array *a = tangents[0] ? mica_multiply(s, tangents[0], Y) : NULL;
    mica_array *b = tangents[1] ? mica_multiply(s, X, tangents[1]) : NULL;
    results[0] = fill(s, n, a && b ? mica_add(s, a, b) : a ? a : b);
}

/* Ties go to the second operand. `first` is true where the first operand wins. */
static void choose_vjp(mica_scope *s, const mica_node *n, mica_array *first, mica_array *c,
                       const bool needed[], mica_array *gradients[])
{
    if (needed[0]) gradients[0] = fit(s, n, 0, mica_where(s, first, c, NUM(0)));
    if (needed[1]) gradients[1] = fit(s, n, 1, mica_where(s, first, NUM(0), c));
}
static mica_array *choose_jvp(mica_scope *s, const mica_node *n, mica_array *first,
                              mica_array *const tangents[])
{
    return fill(s, n,
                mica_where(s, first, tangents[0] ? tangents[0] : NUM(0),
                           tangents[1] ? tangents[1] : NUM(0)));
}
VJP_RULE(maximum)
{
    choose_vjp(s, n, mica_greater(s, X, Y), C, needed, gradients);
}
JVP_RULE(maximum)
{
    results[0] = choose_jvp(s, n, mica_greater(s, X, Y), tangents);
}
VJP_RULE(minimum)
{
    choose_vjp(s, n, mica_less(s, X, Y), C, needed, gradients);
}
JVP_RULE(minimum)
{
    results[0] = choose_jvp(s, n, mica_less(s, X, Y), tangents);
}

VJP_RULE(where)
{
    if (needed[1]) gradients[1] = fit(s, n, 1, mica_where(s, X, C, NUM(0)));
    if (needed[2]) gradients[2] = fit(s, n, 2, mica_where(s, X, NUM(0), C));
}
JVP_RULE(where)
{
    if (!tangents[1] && !tangents[2]) return;
    results[0] = fill(
        s, n,
        mica_where(s, X, tangents[1] ? tangents[1] : NUM(0), tangents[2] ? tangents[2] : NUM(0)));
}

VJP_RULE(astype)
{
    if (needed[0]) gradients[0] = mica__cast(s, C, (mica_dtype)X->dtype);
}
JVP_RULE(astype)
{
    results[0] = mica__cast(s, tangents[0], (mica_dtype)n->out[0].dtype);
}
