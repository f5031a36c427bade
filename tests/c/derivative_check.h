/* Every case, a small function, goes through vjp, jvp and derivatives of its gradient against
   central differences in float64, and through vmap, vmap of its gradient and the gradient of vmap
   against loops. */
#ifndef MICA_TEST_DERIVATIVE_CHECK_H
#define MICA_TEST_DERIVATIVE_CHECK_H

#include "derivative_values.h"

/* ---- against differences ---- */

static inline int float_arguments(mica_scope *s, const call *k, const values *v, mica_array *x[])
{
    int n = 0;
    for (int i = 0; i < count(k->c); i++) {
        int64_t room[5];
        if (is_float(&k->c->inputs[i]))
            x[n++] = mica_astype(s, from_values(s, v[i].at, 'f', call_dims(k, i, room)), k->dtype);
    }
    return n;
}

static inline double evaluate(mica_function *f, const call *k, const values *v)
{
    mica_scope *s = mica_scope_open(NULL);
    mica_array *x[INPUTS];
    float_arguments(s, k, v, x);
    mica_array *r = f(s, x, (void *)(uintptr_t)k);
    double value = r ? mica_item(s, r) : NAN;
    check_scope(s);
    return value;
}

/* The gradient of f, a scalar, against central differences. */
static inline void check_gradient(mica_function *f, const call *k, double tolerance)
{
    mica_scope *s = mica_scope_open(NULL);
    mica_array *x[INPUTS], *gradients[INPUTS];
    int n = float_arguments(s, k, k->fixed, x);
    double found[INPUTS][ELEMENTS], expected[ELEMENTS];
    bool ok =
        mica_value_and_grad(s, f, (void *)(uintptr_t)k, x, (size_t)n, NULL, gradients) == MICA_OK;
    for (int i = 0; ok && i < n; i++) {
        CHECK(mica__shape_equal(mica__dims_of(gradients[i]), mica__dims_of(x[i])) &&
              gradients[i]->dtype == MICA_FLOAT64);
        ok = read(s, gradients[i], found[i]);
    }
    check_scope(s);
    values v[INPUTS];
    memcpy(v, k->fixed, sizeof v);
    const double h = 1e-5;
    for (int i = 0, at = 0; ok && i < count(k->c); i++) {
        if (!is_float(&k->c->inputs[i])) continue;
        int64_t size = size_of(&k->c->inputs[i]) * (k->batched ? BATCH : 1);
        for (int64_t e = 0; e < size; e++) {
            double x0 = v[i].at[e];
            v[i].at[e] = x0 + h;
            double above = evaluate(f, k, v);
            v[i].at[e] = x0 - h;
            expected[e] = (above - evaluate(f, k, v)) / (2 * h);
            v[i].at[e] = x0;
        }
        check_close(found[at++], expected, size, tolerance);
    }
}

/* jvp: the transpose of vjp, which was compared with differences: <c, J t> = <J' c, t>. */
static inline void check_forward(const call *k)
{
    mica_scope *s = mica_scope_open(NULL);
    mica_array *x[INPUTS], *t[INPUTS];
    int n = float_arguments(s, k, k->fixed, x);
    double tangent[INPUTS][ELEMENTS], forward = NAN, backward = 0;
    for (int i = 0; i < n; i++) {
        for (int e = 0; e < ELEMENTS; e++) tangent[i][e] = uniform();
        t[i] = mica_from_data(s, tangent[i], mica__dims_of(x[i]), MICA_FLOAT64);
    }
    mica_arrays r = { 0 }, rt = { 0 };
    mica_array *gradients[INPUTS];
    size_t m = (size_t)n;
    if (mica_jvp(s, one_result, (void *)(uintptr_t)k, (mica_arrays){ m, x }, (mica_arrays){ m, t },
                 &r, &rt) == MICA_OK) {
        CHECK(mica__shape_equal(mica__dims_of(r.at[0]), mica__dims_of(rt.at[0])));
        forward = mica_item(s, weighted(s, rt.at[0], k->weights));
    }
    if (mica_value_and_grad(s, scalar, (void *)(uintptr_t)k, x, m, NULL, gradients) == MICA_OK)
        for (int i = 0; i < n; i++) backward += mica_item(s, weighted(s, gradients[i], tangent[i]));
    check_scope(s);
    check_close(&forward, &backward, 1, 1e-9);
}

/* ---- against loops ---- */

typedef struct gradient_user {
    const function_case *c;
    const double *weights;
} gradient_user;

static inline mica_array *example_scalar(mica_scope *s, mica_array *const x[], void *user)
{
    gradient_user *g = user;
    return weighted(s, g->c->f(s, x), g->weights);
}

/* Gradients by the first input, a number; the others are constants of the derivative. */
typedef struct first_input {
    gradient_user *g;
    mica_array *const *rest;
} first_input;

static inline mica_array *first_scalar(mica_scope *s, mica_array *const x[], void *user)
{
    first_input *f = user;
    mica_array *all[INPUTS];
    memcpy(all, f->rest, sizeof all);
    all[0] = x[0];
    return example_scalar(s, all, f->g);
}

static inline mica_arrays first_gradient(mica_scope *s, mica_arrays x, void *user)
{
    mica_array *rest[INPUTS] = { NULL }, **out = mica__scope_alloc(s, sizeof *out);
    memcpy(rest, x.at, x.n * sizeof *rest);
    first_input f = { user, rest };
    if (!out || mica_value_and_grad(s, first_scalar, &f, x.at, 1, NULL, out) != MICA_OK)
        return (mica_arrays){ 0, NULL };
    return (mica_arrays){ 1, out };
}

/* f mapped over those inputs whose bit is set, against one call an example. */
static inline void check_map(mica_functions *f, void *user, const function_case *c, const values *v,
                             int bits)
{
    int n = count(c), axes[INPUTS];
    double found[BATCH * ELEMENTS], expected[ELEMENTS];
    mica_scope *s = mica_scope_open(NULL);
    mica_array *x[INPUTS];
    call k = { .c = c, .batched = true };
    for (int i = 0; i < n; i++) {
        int64_t room[5];
        bool mapped_over = bits >> i & 1;
        x[i] = from_values(s, v[i].at, c->inputs[i].kind,
                           mapped_over ? call_dims(&k, i, room) : dims(&c->inputs[i]));
        axes[i] = mapped_over ? 0 : MICA_NO_AXIS;
    }
    mica_arrays r = { 0 };
    if (mica_vmap(s, f, user, (mica_arrays){ (size_t)n, x }, axes, 0, &r) != MICA_OK) {
        check_scope(s);
        return;
    }
    mica_array *all = mica_astype(s, r.at[0], MICA_FLOAT64);
    int64_t size = mica_size(all) / BATCH;
    CHECK(mica_size(all) <= BATCH * ELEMENTS &&
          mica_to_data(s, all, found, (size_t)mica_size(all) * sizeof *found) == MICA_OK);
    for (int b = 0; b < BATCH; b++) {
        mica_array *one[INPUTS];
        for (int i = 0; i < n; i++) {
            int64_t offset = bits >> i & 1 ? b * size_of(&c->inputs[i]) : 0;
            one[i] = from_values(s, v[i].at + offset, c->inputs[i].kind, dims(&c->inputs[i]));
        }
        mica_arrays single = f(s, (mica_arrays){ (size_t)n, one }, user);
        if (!single.n || !read(s, single.at[0], expected)) break;
        CHECK(mica__shape_equal(mica__dims_of(single.at[0]),
                                (mica_dims){ all->ndim - 1, all->shape + 1 }));
        CHECK_EQUAL(r.at[0]->dtype, single.at[0]->dtype);
        check_close(found + b * size, expected, size, 1e-12);
    }
    check_scope(s);
}

/* Gradients have the type of the inputs, and the values of those in float64, but for rounding. */
static inline void check_types(const call *in_float64)
{
    static const struct {
        mica_dtype dtype;
        double tolerance;
    } types[] = {
        { MICA_FLOAT32, 2e-5 }, { MICA_BFLOAT16, 0.15 }, { MICA_FLOAT16, 0.03 }, { MICA_INT32, 0 }
    };
    for (size_t t = 0; t < sizeof types / sizeof *types; t++) {
        mica_scope *s = mica_scope_open(NULL);
        mica_array *x[INPUTS], *rounded[INPUTS], *gradients[INPUTS], *wide[INPUTS];
        call k = *in_float64;
        k.dtype = types[t].dtype;
        int n = float_arguments(s, &k, k.fixed, x);
        for (int i = 0; i < n; i++) rounded[i] = mica_astype(s, x[i], MICA_FLOAT64);
        bool ok = mica_value_and_grad(s, scalar, &k, x, (size_t)n, NULL, gradients) == MICA_OK &&
                  mica_value_and_grad(s, scalar, &k, rounded, (size_t)n, NULL, wide) == MICA_OK;
        for (int i = 0; ok && i < n; i++) {
            double found[ELEMENTS], expected[ELEMENTS];
            CHECK_EQUAL(gradients[i]->dtype, types[t].dtype);
            ok = read(s, gradients[i], found) && read(s, wide[i], expected);
            if (ok && types[t].tolerance > 0)
                check_close(found, expected, mica_size(x[i]), types[t].tolerance);
        }
        check_scope(s);
    }
}

static inline void run(const function_case *c)
{
    current = c->name;
    int n = count(c);
    values plain[INPUTS], batch[INPUTS];
    double weights[BATCH * ELEMENTS], outer[INPUTS * ELEMENTS];
    for (int i = 0; i < BATCH * ELEMENTS; i++) weights[i] = uniform();
    for (int i = 0; i < INPUTS * ELEMENTS; i++) outer[i] = uniform();
    memset(batch, 0, sizeof batch);
    for (int i = 0; i < n; i++) {
        draw(&c->inputs[i], &plain[i]);
        for (int b = 0; b < BATCH; b++) {
            values one;
            draw(&c->inputs[i], &one);
            memcpy(batch[i].at + b * size_of(&c->inputs[i]), one.at,
                   (size_t)size_of(&c->inputs[i]) * sizeof(double));
        }
    }
    if (floats(c)) {
        call k = {
            .c = c, .fixed = plain, .weights = weights, .outer = outer, .dtype = MICA_FLOAT64
        };
        stage = "gradient";
        check_gradient(scalar, &k, 1e-7);
        stage = "forward";
        check_forward(&k);
        stage = "types";
        check_types(&k);
        stage = "second derivative";
        if (!c->piecewise) check_gradient(scalar_of_gradient, &k, 1e-7);
        stage = "gradient of vmap";
        k.fixed = batch;
        k.batched = true;
        check_gradient(scalar, &k, 1e-7);
    }
    for (int bits = 1; bits < 1 << n; bits++) {
        stage = "vmap";
        check_map(mapped, (void *)(uintptr_t)c, c, batch, bits);
        if (!is_float(&c->inputs[0])) continue;
        stage = "vmap of gradient";
        gradient_user g = { c, weights };
        check_map(first_gradient, &g, c, batch, bits);
    }
}

#endif
