/* Derivatives of complex functions, at ties, zeros and infinities; what transformations refuse. */
#include "derivative_values.h"

/* ---- complex numbers: the gradient of a real result is d/dRe + i d/dIm ---- */

CASE(prod_all)
{
    return mica_prod(s, x[0], MICA_ALL_AXES, false);
}
CASE(cumprod)
{
    return mica_cumprod(s, x[0], 1, false, true, MICA_DEFAULT_DTYPE);
}
CASE(softmax)
{
    return mica_softmax(s, x[0], MICA_AXES(-1), false);
}
CASE(complex_sum)
{
    return SQ(mica_sum(s, SQ(x[0]), MICA_AXES(0), false));
}
CASE(complex_slices)
{
    return SQ(mica_concatenate(
        s,
        MICA_ARRAYS(mica_slice_static(s, x[0], MICA_SHAPE(1), MICA_SHAPE(3), MICA_SHAPE(1)), x[0]),
        0));
}
CASE(complex_take)
{
    return SQ(mica_take(
        s, x[0], mica_from_data(s, (const int32_t[]){ 2, 0, 2 }, MICA_SHAPE(3), MICA_INT32), 0));
}
CASE(complex_put)
{
    mica_array *at = mica_from_data(s, (const int32_t[]){ 2, 0, 2 }, MICA_SHAPE(3), MICA_INT32);
    mica_array *u =
        mica_reshape(s, mica_slice_static(s, x[0], MICA_SHAPE(0), MICA_SHAPE(3), MICA_SHAPE(1)),
                     MICA_SHAPE(3, 1));
    return SQ(mica_scatter(s, x[0], MICA_ARRAYS(at), u, MICA_AXES(0), MICA_SCATTER_PROD));
}

static const struct {
    const char *name;
    body *f;
} complex_cases[] = {
    { "sum, complex", complex_sum },   { "prod, complex", prod_all },
    { "cumprod, complex", cumprod },   { "slices, complex", complex_slices },
    { "take, complex", complex_take }, { "scatter prod, complex", complex_put },
    { "softmax, complex", softmax },
};

static mica_array *real_part(mica_scope *s, mica_array *const x[], void *user)
{
    body *f = *(body **)user;
    return mica_sum(s, mica_real(s, mica_multiply(s, f(s, x), mica__complex(s, 0.75, -0.5))),
                    MICA_ALL_AXES, false);
}

static void run_complex(const char *name, body *f)
{
    enum { N = 4 };
    current = name;
    stage = "gradient";
    mica_complex64 z[N];
    for (int i = 0; i < N; i++) z[i] = (mica_complex64){ (float)uniform(), (float)uniform() };
    mica_dims shape = f == cumprod ? MICA_SHAPE(1, N) : MICA_SHAPE(N);
    mica_scope *s = mica_scope_open(NULL);
    mica_array *x = mica_from_data(s, z, shape, MICA_COMPLEX64), *gradient = NULL;
    mica_complex64 found[N];
    double parts[2 * N], expected[2 * N];
    mica_value_and_grad(s, real_part, &f, &x, 1, NULL, &gradient);
    CHECK(gradient && gradient->dtype == MICA_COMPLEX64 &&
          mica_to_data(s, gradient, found, sizeof found) == MICA_OK);
    const float h = 1.0f / 64;
    for (int i = 0; gradient && i < 2 * N; i++) {
        float *part = i % 2 ? &z[i / 2].im : &z[i / 2].re, at = *part;
        double sides[2];
        for (int side = 0; side < 2; side++) {
            *part = side ? at + h : at - h;
            mica_array *y = mica_from_data(s, z, shape, MICA_COMPLEX64);
            sides[side] = mica_item(s, real_part(s, &y, &f));
        }
        *part = at;
        expected[i] = (sides[1] - sides[0]) / (2 * (double)h);
        parts[i] = i % 2 ? found[i / 2].im : found[i / 2].re;
    }
    check_scope(s);
    if (gradient) check_close(parts, expected, 2 * N, 2e-3);
}

/* ---- edges ---- */

static const double edge_weights[] = { 1, 10, 100, 1000 };

static mica_array *edge(mica_scope *s, mica_array *const x[], void *user)
{
    body *f = *(body **)user;
    mica_array *y = f(s, x);
    if (!y) return NULL;
    return mica_sum(
        s,
        mica_multiply(s, y,
                      mica_from_data(s, edge_weights, MICA_SHAPE(mica_size(y)), MICA_FLOAT64)),
        MICA_ALL_AXES, false);
}

/* The gradient of sum(edge_weights * f(x, u)) by four elements x, and by u, if there are some. */
static void check_edge(const char *name, body *f, const double *x, const double *gx, int nu,
                       const double *u, const double *gu)
{
    mica_scope *s = mica_scope_open(NULL);
    mica_array *in[2] = { mica_from_data(s, x, MICA_SHAPE(4), MICA_FLOAT64),
                          u ? mica_from_data(s, u, MICA_SHAPE(nu), MICA_FLOAT64) : NULL };
    mica_array *gradients[2];
    double found[2][4] = { { 0 } };
    current = name;
    stage = "edge";
    if (mica_value_and_grad(s, edge, &f, in, u ? 2 : 1, NULL, gradients) == MICA_OK) {
        read(s, gradients[0], found[0]);
        if (u) read(s, gradients[1], found[1]);
    }
    check_scope(s);
    check_close(found[0], gx, 4, 1e-12);
    if (u) check_close(found[1], gu, nu, 1e-12);
}

CASE(edge_max)
{
    return mica_max(s, x[0], MICA_AXES(0), true);
}
CASE(edge_prod)
{
    return mica_prod(s, x[0], MICA_AXES(0), true);
}
CASE(edge_cumprod)
{
    return mica_cumprod(s, x[0], 0, false, true, MICA_DEFAULT_DTYPE);
}
CASE(edge_cummax)
{
    return mica_cummax(s, x[0], 0, false, true);
}
CASE(edge_cummax_reverse)
{
    return mica_cummax(s, x[0], 0, true, true);
}
CASE(edge_sort)
{
    return mica_sort(s, x[0], 0);
}
CASE(edge_logsumexp)
{
    return mica_logsumexp(s, x[0], MICA_AXES(0), true);
}
CASE(edge_logcumsumexp)
{
    return mica_logcumsumexp(s, x[0], 0, false, true);
}
CASE(edge_argmax)
{
    return mica_take(s, x[0], mica_argmax(s, x[0], 0, true), 0);
}
CASE(edge_stop)
{
    return mica_multiply(s, x[0], mica_stop_gradient(s, x[0]));
}
CASE(edge_set)
{
    mica_array *at = mica_from_data(s, (const int32_t[]){ 1, 1, 2 }, MICA_SHAPE(3), MICA_INT32);
    return mica_scatter(s, x[0], MICA_ARRAYS(at), mica_reshape(s, x[1], MICA_SHAPE(3, 1)),
                        MICA_AXES(0), MICA_SCATTER_SET);
}
CASE(edge_scatter_max)
{
    mica_array *at = mica_from_data(s, (const int32_t[]){ 1, 1, 2 }, MICA_SHAPE(3), MICA_INT32);
    return mica_scatter(s, x[0], MICA_ARRAYS(at), mica_reshape(s, x[1], MICA_SHAPE(3, 1)),
                        MICA_AXES(0), MICA_SCATTER_MAX);
}

static void run_edges(void)
{
#define D(...) ((const double[]){ __VA_ARGS__ })
    const double *x = D(1, 3, 3, 2);
    check_edge("max shares ties", edge_max, x, D(0, 0.5, 0.5, 0), 0, NULL, NULL);
    check_edge("max of NaN", edge_max, D(1, NAN, 3, 2), D(NAN, NAN, NAN, NAN), 0, NULL, NULL);
    check_edge("prod with a zero", edge_prod, D(1, 2, 0, 4), D(0, 0, 8, 0), 0, NULL, NULL);
    check_edge("prod with two zeros", edge_prod, D(0, 2, 0, 4), D(0, 0, 0, 0), 0, NULL, NULL);
    check_edge("cumprod with a zero", edge_cumprod, D(1, 2, 0, 4), D(21, 10, 8200, 0), 0, NULL,
               NULL);
    check_edge("cummax takes the last of equals", edge_cummax, x, D(1, 10, 1100, 0), 0, NULL, NULL);
    check_edge("cummax, reverse", edge_cummax_reverse, x, D(0, 11, 100, 1000), 0, NULL, NULL);
    check_edge("sort is stable", edge_sort, x, D(1, 100, 1000, 10), 0, NULL, NULL);
    check_edge("logsumexp of -inf", edge_logsumexp, D(0, -INFINITY, -INFINITY, -INFINITY),
               D(1, 0, 0, 0), 0, NULL, NULL);
    check_edge("logcumsumexp of -inf", edge_logcumsumexp, D(-INFINITY, -INFINITY, 0, -INFINITY),
               D(0, 0, 1100, 0), 0, NULL, NULL);
    check_edge("element at argmax", edge_argmax, D(1, 2, 4, 3), D(0, 0, 1, 0), 0, NULL, NULL);
    check_edge("stop_gradient", edge_stop, x, D(1, 30, 300, 2000), 0, NULL, NULL);
    check_edge("scatter keeps the last", edge_set, x, D(1, 0, 0, 1000), 3, D(7, 8, 9),
               D(0, 10, 100));
    check_edge("scatter, max", edge_scatter_max, x, D(1, 0, 100, 1000), 3, D(3, 5, 3),
               D(0, 10, 100));
}

/* ---- failures and types of cotangents ---- */

static mica_arrays take_fixed(mica_scope *s, mica_arrays x, void *user)
{
    (void)user;
    mica_array **out = mica__scope_alloc(s, sizeof *out);
    mica_array *a = mica_from_data(s, edge_weights, MICA_SHAPE(4), MICA_FLOAT64);
    if (!out || !(*out = mica_take(s, a, x.at[0], 0))) return (mica_arrays){ 0, NULL };
    return (mica_arrays){ 1, out };
}

static mica_arrays viewed_as_integers(mica_scope *s, mica_arrays x, void *user)
{
    (void)user;
    mica_array **out = mica__scope_alloc(s, sizeof *out);
    if (!out || !(*out = mica_astype(s, mica_view(s, x.at[0], MICA_INT64), MICA_FLOAT64)))
        return (mica_arrays){ 0, NULL };
    return (mica_arrays){ 1, out };
}

static mica_arrays running_sum(mica_scope *s, mica_arrays x, void *user)
{
    (void)user;
    mica_array **out = mica__scope_alloc(s, sizeof *out);
    if (!out || !(*out = mica_cumsum(s, x.at[0], 0, false, true, MICA_DEFAULT_DTYPE)))
        return (mica_arrays){ 0, NULL };
    return (mica_arrays){ 1, out };
}

/* As many axes as there can be: one more does not fit. */
static mica_arrays deepest(mica_scope *s, mica_arrays x, void *user)
{
    int64_t shape[MICA_MAX_NDIM], axes[MICA_MAX_NDIM];
    for (int i = 0; i < MICA_MAX_NDIM; i++) {
        shape[i] = 1;
        axes[i] = i;
    }
    mica_array **out = mica__scope_alloc(s, sizeof *out), *a = x.at[0];
    switch (*(int *)user) {
    case 0: a = mica_reshape(s, a, (mica_dims){ MICA_MAX_NDIM, shape }); break;
    case 1: a = mica_broadcast_to(s, a, (mica_dims){ MICA_MAX_NDIM, shape }); break;
    case 2: a = mica_expand_dims(s, a, (mica_dims){ MICA_MAX_NDIM, axes }); break;
    case 3:
        a = mica_as_strided(s, a, (mica_dims){ MICA_MAX_NDIM, shape },
                            (mica_dims){ MICA_MAX_NDIM, shape }, 0);
        break;
    case 4:
        a = mica_gather(s,
                        mica_reshape(s, mica_ones(s, MICA_SHAPE(1), MICA_FLOAT64), MICA_SHAPE(1)),
                        MICA_ARRAYS(mica_reshape(s, mica_astype(s, a, MICA_INT32),
                                                 (mica_dims){ MICA_MAX_NDIM - 1, shape })),
                        MICA_AXES(0), MICA_SHAPE(1));
        break;
    default:
        a = mica_add(s, a, mica_ones(s, (mica_dims){ MICA_MAX_NDIM, shape }, MICA_FLOAT64));
        break;
    }
    if (!out || !(*out = a)) return (mica_arrays){ 0, NULL };
    return (mica_arrays){ 1, out };
}

static void check_failure(int status, const char *part)
{
    CHECK_EQUAL(status, MICA_EVALUE);
    CHECK_MENTIONS(mica_last_error(), part);
}

static void run_failures(void)
{
    mica_arrays r, g;
    mica_scope *s = mica_scope_open(NULL);
    mica_array *index = mica_from_data(s, (const int32_t[]){ 0, 1 }, MICA_SHAPE(2), MICA_INT32);
    mica_array *c = mica_ones(s, MICA_SHAPE(2), MICA_FLOAT64);
    mica_vjp(s, take_fixed, NULL, MICA_ARRAYS(index), MICA_ARRAYS(c), &r, &g);
    check_failure(mica_scope_close(s), "[gather] Cannot calculate VJP with respect to indices");

    s = mica_scope_open(NULL);
    c = mica_ones(s, MICA_SHAPE(2), MICA_FLOAT64);
    mica_vjp(s, viewed_as_integers, NULL, MICA_ARRAYS(c), MICA_ARRAYS(c), &r, &g);
    check_failure(mica_scope_close(s), "Not implemented for view");

    for (int kind = 0; kind < 6; kind++) {
        s = mica_scope_open(NULL);
        c = mica_ones(s, MICA_SHAPE(2), MICA_FLOAT64);
        mica_vmap(s, deepest, &kind, MICA_ARRAYS(c), (const int[]){ 0 }, 0, &r);
        check_failure(mica_scope_close(s), "axes");
    }

    s = mica_scope_open(NULL);
    mica_array *half = mica_ones(s, MICA_SHAPE(3), MICA_FLOAT16),
               *wide = mica_ones(s, MICA_SHAPE(3), MICA_FLOAT32);
    double found[4] = { 0 };
    CHECK_EQUAL(mica_vjp(s, running_sum, NULL, MICA_ARRAYS(half), MICA_ARRAYS(wide), &r, &g),
                MICA_OK);
    CHECK(g.at[0]->dtype == MICA_FLOAT16 && read(s, g.at[0], found) && found[0] == 3 &&
          found[2] == 1);
    CHECK_EQUAL(mica_jvp(s, running_sum, NULL, MICA_ARRAYS(half), MICA_ARRAYS(wide), &r, &g),
                MICA_OK);
    CHECK(g.at[0]->dtype == MICA_FLOAT16 && read(s, g.at[0], found) && found[0] == 1 &&
          found[2] == 3);
    CHECK_EQUAL(mica_scope_close(s), MICA_OK);
}

int main(void)
{
    for (size_t i = 0; i < sizeof complex_cases / sizeof *complex_cases; i++)
        run_complex(complex_cases[i].name, complex_cases[i].f);
    run_edges();
    run_failures();
    return check_report("autodiff_edges");
}
