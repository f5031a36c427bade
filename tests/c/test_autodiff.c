/* Derivatives and batching of primitives that are not element-wise: every case, a small function,
   goes through vjp, jvp and derivatives of its gradient against central differences in float64, and
   through vmap, vmap of its gradient and the gradient of vmap against loops. */
#include <math.h>
#include <stdlib.h>

#include "autodiff/autodiff.h"
#include "ops/shape.h"
#include "check.h"

enum { INPUTS = 4, ELEMENTS = 256, BATCH = 3 };

typedef mica_array *body(mica_scope *s, mica_array *const x[]);

typedef struct input {
    char kind; /* f: numbers, z: numbers with some zeros, i: indices below `limit`, m: mask, k:
                  uint32 words; 0: none */
    int64_t limit;
    int ndim;
    int64_t shape[4];
} input;

typedef struct function_case {
    const char *name;
    body *f;
    input inputs[INPUTS];
    bool piecewise; /* second derivatives at zeros, or across kinks, are not compared */
} function_case;

static uint64_t state = 88172645463325252u;
static uint64_t next(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}
static double uniform(void)
{
    return (double)(next() >> 11) / (double)(UINT64_C(1) << 53) * 2 - 1;
}

static mica_dims dims(const input *in)
{
    return (mica_dims){ in->ndim, in->shape };
}
static bool is_float(const input *in)
{
    return in->kind == 'f' || in->kind == 'z';
}
static int64_t size_of(const input *in)
{
    int64_t size = 1;
    for (int i = 0; i < in->ndim; i++) size *= in->shape[i];
    return size;
}
static int count(const function_case *c)
{
    int n = 0;
    while (n < INPUTS && c->inputs[n].kind) n++;
    return n;
}

/* ---- values ---- */

typedef struct values {
    double at[ELEMENTS];
} values;

static void draw(const input *in, values *v)
{
    for (int64_t i = 0; i < size_of(in); i++) switch (in->kind) {
        case 'i': v->at[i] = (double)(next() % (uint64_t)in->limit); break;
        case 'm': v->at[i] = (double)(i % 3 != 1 || next() % 2 == 0); break;
        case 'k': v->at[i] = (double)(next() & UINT32_MAX); break;
        case 'z': v->at[i] = next() % 3 == 0 ? 0 : uniform(); break;
        default: v->at[i] = uniform(); break;
        }
}

static mica_array *from_values(mica_scope *s, const double *v, char kind, mica_dims shape)
{
    mica_array *a = mica_from_data(s, v, shape, MICA_FLOAT64);
    return kind == 'i'   ? mica_astype(s, a, MICA_INT32)
           : kind == 'm' ? mica_astype(s, a, MICA_BOOL)
           : kind == 'k' ? mica_astype(s, a, MICA_UINT32)
                         : a;
}

static bool read(mica_scope *s, mica_array *a, double *out)
{
    a = mica_astype(s, a, MICA_FLOAT64);
    return a && mica_size(a) <= ELEMENTS &&
           mica_to_data(s, a, out, (size_t)mica_size(a) * sizeof *out) == MICA_OK;
}

static bool close_to(double a, double b, double tolerance)
{
    return a == b || (isnan(a) && isnan(b)) ||
           fabs(a - b) <= tolerance * (1 + fmax(fabs(a), fabs(b)));
}

static const char *current, *stage;

static void check_close(const double *a, const double *b, int64_t n, double tolerance)
{
    int64_t bad = -1;
    for (int64_t i = n - 1; i >= 0; i--)
        if (!close_to(a[i], b[i], tolerance)) bad = i;
    checks++;
    if (bad < 0) return;
    failures++;
    fprintf(stderr, "%s, %s: element %lld is %.9g, expected %.9g\n", current, stage, (long long)bad,
            a[bad], b[bad]);
}

static void check_scope(mica_scope *s)
{
    checks++;
    if (mica_scope_close(s) == MICA_OK) return;
    failures++;
    fprintf(stderr, "%s, %s: %s\n", current, stage, mica_last_error());
}

/* ---- a case as functions of its float inputs alone ---- */

typedef struct call {
    const function_case *c;
    const values *fixed;   /* of all inputs; those that are no numbers are taken from here */
    const double *weights; /* of the results in the scalar sum(weights * f) */
    const double *outer;   /* of the gradients in sum(outer * gradient) */
    bool batched;          /* inputs have a batch axis, f is mapped */
    mica_dtype dtype;      /* of numbers */
} call;

static mica_dims call_dims(const call *k, int i, int64_t room[5])
{
    const input *in = &k->c->inputs[i];
    if (!k->batched) return dims(in);
    room[0] = BATCH;
    memcpy(room + 1, in->shape, sizeof in->shape);
    return (mica_dims){ in->ndim + 1, room };
}

static mica_arrays mapped(mica_scope *s, mica_arrays x, void *user)
{
    const function_case *c = user;
    mica_array **out = mica__scope_alloc(s, sizeof *out);
    if (!out || !(*out = c->f(s, x.at))) return (mica_arrays){ 0, NULL };
    return (mica_arrays){ 1, out };
}

/* All inputs: numbers from x, in order, others as they were drawn. */
static mica_array *apply(mica_scope *s, mica_array *const x[], const call *k)
{
    mica_array *all[INPUTS];
    int n = count(k->c), axes[INPUTS] = { 0 };
    for (int i = 0, at = 0; i < n; i++) {
        int64_t room[5];
        all[i] = is_float(&k->c->inputs[i])
                     ? x[at++]
                     : from_values(s, k->fixed[i].at, k->c->inputs[i].kind, call_dims(k, i, room));
    }
    if (!k->batched) return k->c->f(s, all);
    mica_arrays r;
    return mica_vmap(s, mapped, (void *)(uintptr_t)k->c, (mica_arrays){ (size_t)n, all }, axes, 0,
                     &r) == MICA_OK
               ? r.at[0]
               : NULL;
}

static mica_arrays one_result(mica_scope *s, mica_arrays x, void *user)
{
    mica_array **out = mica__scope_alloc(s, sizeof *out);
    if (!out || !(*out = apply(s, x.at, user))) return (mica_arrays){ 0, NULL };
    return (mica_arrays){ 1, out };
}

static mica_array *weighted(mica_scope *s, mica_array *a, const double *weights)
{
    if (!a) return NULL;
    mica_array *w = mica_from_data(s, weights, mica__dims_of(a), MICA_FLOAT64);
    return mica_sum(s, mica_multiply(s, mica_astype(s, a, MICA_FLOAT64), w), MICA_ALL_AXES, false);
}

static mica_array *scalar(mica_scope *s, mica_array *const x[], void *user)
{
    const call *k = user;
    return weighted(s, apply(s, x, k), k->weights);
}

static int floats(const function_case *c)
{
    int n = 0;
    for (int i = 0; i < count(c); i++) n += is_float(&c->inputs[i]);
    return n;
}

/* sum(outer * gradient of scalar): its own gradient is a second derivative. */
static mica_array *scalar_of_gradient(mica_scope *s, mica_array *const x[], void *user)
{
    const call *k = user;
    mica_array *gradients[INPUTS], *total = NULL;
    size_t n = (size_t)floats(k->c);
    if (mica_value_and_grad(s, scalar, user, x, n, NULL, gradients) != MICA_OK) return NULL;
    const double *outer = k->outer;
    for (size_t i = 0; i < n; i++) {
        mica_array *part = weighted(s, gradients[i], outer);
        outer += mica_size(gradients[i]);
        total = total ? mica_add(s, total, part) : part;
    }
    return total;
}

/* ---- against differences ---- */

static int float_arguments(mica_scope *s, const call *k, const values *v, mica_array *x[])
{
    int n = 0;
    for (int i = 0; i < count(k->c); i++) {
        int64_t room[5];
        if (is_float(&k->c->inputs[i]))
            x[n++] = mica_astype(s, from_values(s, v[i].at, 'f', call_dims(k, i, room)), k->dtype);
    }
    return n;
}

static double evaluate(mica_function *f, const call *k, const values *v)
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
static void check_gradient(mica_function *f, const call *k, double tolerance)
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
static void check_forward(const call *k)
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

static mica_array *example_scalar(mica_scope *s, mica_array *const x[], void *user)
{
    gradient_user *g = user;
    return weighted(s, g->c->f(s, x), g->weights);
}

/* Gradients by the first input, a number; the others are constants of the derivative. */
typedef struct first_input {
    gradient_user *g;
    mica_array *const *rest;
} first_input;

static mica_array *first_scalar(mica_scope *s, mica_array *const x[], void *user)
{
    first_input *f = user;
    mica_array *all[INPUTS];
    memcpy(all, f->rest, sizeof all);
    all[0] = x[0];
    return example_scalar(s, all, f->g);
}

static mica_arrays first_gradient(mica_scope *s, mica_arrays x, void *user)
{
    mica_array *rest[INPUTS] = { NULL }, **out = mica__scope_alloc(s, sizeof *out);
    memcpy(rest, x.at, x.n * sizeof *rest);
    first_input f = { user, rest };
    if (!out || mica_value_and_grad(s, first_scalar, &f, x.at, 1, NULL, out) != MICA_OK)
        return (mica_arrays){ 0, NULL };
    return (mica_arrays){ 1, out };
}

/* f mapped over those inputs whose bit is set, against one call an example. */
static void check_map(mica_functions *f, void *user, const function_case *c, const values *v,
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
static void check_types(const call *in_float64)
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

static void run(const function_case *c)
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

/* ---- the cases; squares make second derivatives of linear functions matter ---- */

#define F(...)                                                                                     \
    {                                                                                              \
        'f', 0, __VA_ARGS__                                                                        \
    }
#define Z(...)                                                                                     \
    {                                                                                              \
        'z', 0, __VA_ARGS__                                                                        \
    }
#define I(limit, ...)                                                                              \
    {                                                                                              \
        'i', limit, __VA_ARGS__                                                                    \
    }
#define M(...)                                                                                     \
    {                                                                                              \
        'm', 0, __VA_ARGS__                                                                        \
    }
#define CASE(name) static mica_array *name(mica_scope *s, mica_array *const x[])
#define SQ(a)      mica_square(s, a)

CASE(broadcast)
{
    return SQ(mica_broadcast_to(s, SQ(x[0]), MICA_SHAPE(2, 3, 4)));
}
CASE(broadcast_0d)
{
    return SQ(mica_broadcast_to(s, x[0], MICA_SHAPE(2, 3)));
}
CASE(reshape)
{
    return SQ(mica_reshape(s, x[0], MICA_SHAPE(4, -1)));
}
CASE(reshape_0d)
{
    return SQ(mica_reshape(s, x[0], MICA_SCALAR));
}
CASE(transpose)
{
    return SQ(mica_transpose(s, x[0], MICA_AXES(2, 0, 1)));
}
CASE(expand)
{
    return SQ(mica_expand_dims(s, x[0], MICA_AXES(0, 2, -1)));
}
CASE(squeeze)
{
    return SQ(mica_squeeze(s, x[0], MICA_AXES(0, -1)));
}
CASE(slice)
{
    return SQ(mica_slice_static(s, x[0], MICA_SHAPE(1, -1), MICA_SHAPE(4, -6), MICA_SHAPE(1, -2)));
}
CASE(slice_empty)
{
    return mica_sum(s, SQ(mica_slice_static(s, x[0], MICA_SHAPE(3), MICA_SHAPE(1), MICA_SHAPE(1))),
                    MICA_ALL_AXES, false);
}
CASE(flip)
{
    return SQ(mica_flip(s, x[0], MICA_AXES(1)));
}
CASE(strided)
{
    return SQ(mica_as_strided(s, SQ(x[0]), MICA_SHAPE(3, 2, 2), MICA_SHAPE(3, 2, -1), 1));
}
CASE(contiguous)
{
    return SQ(mica_contiguous(s, mica_transpose(s, x[0], MICA_ALL_AXES), false));
}
CASE(join)
{
    return SQ(mica_concatenate(s, MICA_ARRAYS(x[0], x[1], SQ(x[0])), 1));
}
CASE(stack)
{
    return SQ(mica_stack(s, MICA_ARRAYS(x[0], x[1]), -1));
}
CASE(cast)
{
    return SQ(mica_astype(s, SQ(mica_astype(s, x[0], MICA_FLOAT64)), MICA_FLOAT64));
}
CASE(pad)
{
    return SQ(mica_pad(s, x[0], MICA_SHAPE(1, 0), MICA_SHAPE(0, 2), "constant", x[1]));
}
CASE(viewed)
{
    return mica_view(s, x[0], MICA_UINT8);
}

CASE(sum)
{
    return SQ(mica_sum(s, x[0], MICA_AXES(0, 2), false));
}
CASE(sum_keep)
{
    return SQ(mica_sum(s, SQ(x[0]), MICA_AXES(1), true));
}
CASE(sum_all)
{
    return SQ(mica_sum(s, x[0], MICA_ALL_AXES, false));
}
CASE(mean)
{
    return SQ(mica_mean(s, SQ(x[0]), MICA_AXES(-1), false));
}
CASE(variance)
{
    return mica_var(s, x[0], MICA_AXES(1), false, 1, MICA_NO_INTEGER);
}
CASE(prod)
{
    return mica_prod(s, x[0], MICA_AXES(0, 2), false);
}
CASE(prod_all)
{
    return mica_prod(s, x[0], MICA_ALL_AXES, false);
}
CASE(max)
{
    return SQ(mica_max(s, x[0], MICA_AXES(0, 2), false));
}
CASE(min)
{
    return SQ(mica_min(s, x[0], MICA_AXES(1), true));
}
CASE(softmax)
{
    return mica_softmax(s, x[0], MICA_AXES(-1), false);
}
CASE(softmax_axes)
{
    return mica_softmax(s, x[0], MICA_AXES(0, 2), true);
}
CASE(logsumexp)
{
    return mica_logsumexp(s, x[0], MICA_AXES(-1), false);
}
CASE(logsumexp_axes)
{
    return mica_logsumexp(s, x[0], MICA_AXES(0, 1), true);
}
CASE(logsumexp_large)
{
    return mica_logsumexp(s, mica_multiply(s, x[0], mica_number(s, 2000)), MICA_AXES(-1), false);
}
CASE(all_any)
{
    return mica_where(s,
                      mica_logical_xor(s, mica_all(s, x[0], MICA_AXES(1), true),
                                       mica_any(s, x[0], MICA_AXES(1), true)),
                      x[1], SQ(x[1]));
}
CASE(argmax)
{
    return mica_argmax(s, x[0], 1, false);
}
CASE(argmin)
{
    return mica_argmin(s, x[0], MICA_FLATTEN, false);
}

CASE(cumsum)
{
    return SQ(mica_cumsum(s, x[0], 1, false, true, MICA_DEFAULT_DTYPE));
}
CASE(cumsum_other)
{
    return SQ(mica_cumsum(s, x[0], 0, true, false, MICA_DEFAULT_DTYPE));
}
CASE(cumprod)
{
    return mica_cumprod(s, x[0], 1, false, true, MICA_DEFAULT_DTYPE);
}
CASE(cumprod_exclusive)
{
    return mica_cumprod(s, x[0], 1, false, false, MICA_DEFAULT_DTYPE);
}
CASE(cumprod_reverse)
{
    return mica_cumprod(s, x[0], 0, true, true, MICA_DEFAULT_DTYPE);
}
CASE(cumprod_both)
{
    return mica_cumprod(s, x[0], 1, true, false, MICA_DEFAULT_DTYPE);
}
CASE(cummax)
{
    return SQ(mica_cummax(s, x[0], 1, false, true));
}
CASE(cummax_reverse)
{
    return SQ(mica_cummax(s, x[0], 0, true, true));
}
CASE(cummax_exclusive)
{
    return mica_exp(s, mica_cummax(s, x[0], 1, false, false));
}
CASE(cummin)
{
    return SQ(mica_cummin(s, x[0], 1, false, true));
}
CASE(cummin_both)
{
    return mica_exp(s, mica_negative(s, mica_cummin(s, x[0], 1, true, false)));
}
CASE(logcumsumexp)
{
    return mica_logcumsumexp(s, x[0], 1, false, true);
}
CASE(logcumsumexp_reverse)
{
    return mica_logcumsumexp(s, x[0], 0, true, true);
}
CASE(logcumsumexp_exclusive)
{
    return mica_exp(s, mica_logcumsumexp(s, x[0], 1, false, false));
}

CASE(sort)
{
    return SQ(mica_sort(s, x[0], 1));
}
CASE(argsort)
{
    return mica_argsort(s, x[0], 0);
}
CASE(partition)
{
    return SQ(mica_partition(s, x[0], 2, 0));
}
CASE(argpartition)
{
    return mica_take_along_axis(s, x[0], mica_argpartition(s, x[0], 1, 1), 1);
}
CASE(topk)
{
    return SQ(mica_topk(s, x[0], 2, 1));
}
CASE(median)
{
    return SQ(mica_median(s, x[0], MICA_AXES(1), false));
}
CASE(searchsorted)
{
    return mica_searchsorted(s, mica_sort(s, x[0], 0), x[1], "left");
}
CASE(searchsorted_right)
{
    return mica_searchsorted(s, mica_sort(s, x[0], 0), x[1], "right");
}
CASE(random_words)
{
    return mica_random_bits(s, MICA_SHAPE(3, 2), 4, x[0]);
}

CASE(take)
{
    return SQ(mica_take(s, x[0], x[1], 1));
}
CASE(take_first)
{
    return SQ(mica_take(s, x[0], x[1], 0));
}
CASE(take_flat)
{
    return SQ(mica_take(s, x[0], x[1], MICA_FLATTEN));
}
CASE(gather)
{
    return SQ(mica_gather(s, x[0], MICA_ARRAYS(x[1], x[2]), MICA_AXES(2, 0), MICA_SHAPE(1, 2, 1)));
}
CASE(gather_partial)
{
    return SQ(mica_gather(s, x[0], MICA_ARRAYS(x[1]), MICA_AXES(1), MICA_SHAPE(2, 1)));
}
CASE(gather_none)
{
    return SQ(
        mica_gather(s, x[0], (mica_arrays){ 0, NULL }, (mica_dims){ 0, NULL }, MICA_SHAPE(2, 3)));
}
CASE(take_along)
{
    return SQ(mica_take_along_axis(s, x[0], x[1], 1));
}
CASE(put_along)
{
    return SQ(mica_put_along_axis(s, SQ(x[0]), x[2], x[1], 1));
}
CASE(dynamic_slice)
{
    return SQ(mica_slice(s, x[0], x[1], MICA_AXES(2, 0), MICA_SHAPE(2, 2, 2)));
}
CASE(dynamic_slice_1)
{
    return SQ(mica_slice(s, x[0], x[1], MICA_AXES(1), MICA_SHAPE(3, 2)));
}
CASE(dynamic_update)
{
    return SQ(mica_slice_update(s, SQ(x[0]), x[1], x[2], MICA_AXES(2, 0)));
}
CASE(slice_set)
{
    return SQ(mica_slice_assign(s, SQ(x[0]), x[1], MICA_SHAPE(0, 3), MICA_SHAPE(2, 0),
                                MICA_SHAPE(1, -2), MICA_SCATTER_SET));
}
CASE(slice_sum)
{
    return SQ(mica_slice_assign(s, SQ(x[0]), x[1], MICA_SHAPE(0, 3), MICA_SHAPE(2, 0),
                                MICA_SHAPE(1, -2), MICA_SCATTER_SUM));
}
CASE(slice_prod)
{
    return SQ(mica_slice_assign(s, SQ(x[0]), x[1], MICA_SHAPE(0, 3), MICA_SHAPE(2, 0),
                                MICA_SHAPE(1, -2), MICA_SCATTER_PROD));
}
CASE(slice_max)
{
    return SQ(mica_slice_assign(s, x[0], x[1], MICA_SHAPE(0, 3), MICA_SHAPE(2, 0),
                                MICA_SHAPE(1, -2), MICA_SCATTER_MAX));
}
#define SCATTER(mode)                                                                              \
    mica_exp(s, mica_scatter(s, x[0], MICA_ARRAYS(x[2]), x[1], MICA_AXES(1), MICA_SCATTER_##mode))
CASE(scatter_set)
{
    return SCATTER(SET);
}
CASE(scatter_sum)
{
    return SCATTER(SUM);
}
CASE(scatter_prod)
{
    return SCATTER(PROD);
}
CASE(scatter_max)
{
    return SCATTER(MAX);
}
CASE(scatter_min)
{
    return SCATTER(MIN);
}
CASE(scatter_two)
{
    return SQ(mica_scatter(s, SQ(x[0]), MICA_ARRAYS(x[2], x[3]), x[1], MICA_AXES(2, 0),
                           MICA_SCATTER_SET));
}
CASE(masked)
{
    return SQ(mica_masked_scatter(s, SQ(x[0]), x[2], x[1]));
}
CASE(matmul)
{
    return mica_matmul(s, mica_exp(s, x[0]), mica_sin(s, x[1]));
}
CASE(cross_entropy)
{
    mica_array *picked =
        mica_take_along_axis(s, x[0], mica_expand_dims(s, x[1], MICA_AXES(-1)), -1);
    return mica_mean(s, mica_subtract(s, mica_logsumexp(s, x[0], MICA_AXES(-1), true), picked),
                     MICA_ALL_AXES, false);
}

static const function_case cases[] = {
    { "broadcast_to", broadcast, { F(2, { 3, 1 }) }, false },
    { "broadcast_to of 0-d", broadcast_0d, { F(0, { 0 }) }, false },
    { "reshape", reshape, { F(2, { 6, 2 }) }, false },
    { "reshape to 0-d", reshape_0d, { F(2, { 1, 1 }) }, false },
    { "transpose", transpose, { F(3, { 2, 3, 4 }) }, false },
    { "expand_dims", expand, { F(2, { 2, 3 }) }, false },
    { "squeeze", squeeze, { F(4, { 1, 2, 3, 1 }) }, false },
    { "slice", slice, { F(2, { 4, 5 }) }, false },
    { "slice, empty", slice_empty, { F(1, { 4 }) }, false },
    { "flip", flip, { F(2, { 2, 3 }) }, false },
    { "as_strided", strided, { F(2, { 4, 3 }) }, false },
    { "contiguous", contiguous, { F(2, { 2, 3 }) }, false },
    { "concatenate", join, { F(2, { 2, 3 }), F(2, { 2, 1 }) }, false },
    { "stack", stack, { F(2, { 2, 3 }), F(2, { 2, 3 }) }, false },
    { "astype", cast, { F(1, { 3 }) }, false },
    { "pad", pad, { F(2, { 2, 3 }), F(0, { 0 }) }, false },
    { "view", viewed, { I(1000, 2, { 2, 3 }) }, false },
    { "sum", sum, { F(3, { 2, 3, 2 }) }, false },
    { "sum, kept axes", sum_keep, { F(2, { 2, 3 }) }, false },
    { "sum of all", sum_all, { F(2, { 2, 3 }) }, false },
    { "mean", mean, { F(2, { 2, 3 }) }, false },
    { "var", variance, { F(2, { 2, 3 }) }, false },
    { "prod", prod, { F(3, { 2, 3, 2 }) }, false },
    { "prod with zeros", prod, { Z(3, { 2, 4, 2 }) }, false },
    { "prod of all with zeros", prod_all, { Z(2, { 2, 2 }) }, false },
    { "max", max, { F(3, { 2, 3, 2 }) }, false },
    { "min", min, { F(2, { 2, 3 }) }, false },
    { "softmax", softmax, { F(2, { 2, 4 }) }, false },
    { "softmax, axes", softmax_axes, { F(3, { 2, 2, 2 }) }, false },
    { "logsumexp", logsumexp, { F(2, { 2, 4 }) }, false },
    { "logsumexp, axes", logsumexp_axes, { F(3, { 2, 2, 2 }) }, false },
    { "logsumexp of large numbers", logsumexp_large, { F(2, { 2, 4 }) }, true },
    { "all, any", all_any, { Z(2, { 2, 3 }), F(2, { 2, 1 }) }, true },
    { "argmax", argmax, { F(2, { 2, 4 }) }, false },
    { "argmin", argmin, { F(2, { 2, 4 }) }, false },
    { "cumsum", cumsum, { F(2, { 2, 4 }) }, false },
    { "cumsum, reverse, exclusive", cumsum_other, { F(2, { 3, 2 }) }, false },
    { "cumprod", cumprod, { F(2, { 2, 4 }) }, false },
    { "cumprod with zeros", cumprod, { Z(2, { 3, 4 }) }, true },
    { "cumprod, exclusive, with zeros", cumprod_exclusive, { Z(2, { 3, 4 }) }, true },
    { "cumprod, reverse, with zeros", cumprod_reverse, { Z(2, { 4, 3 }) }, true },
    { "cumprod, reverse, exclusive, with zeros", cumprod_both, { Z(2, { 3, 4 }) }, true },
    { "cummax", cummax, { F(2, { 2, 5 }) }, false },
    { "cummax, reverse", cummax_reverse, { F(2, { 5, 2 }) }, false },
    { "cummax, exclusive", cummax_exclusive, { F(2, { 2, 5 }) }, false },
    { "cummin", cummin, { F(2, { 2, 5 }) }, false },
    { "cummin, reverse, exclusive", cummin_both, { F(2, { 2, 5 }) }, false },
    { "logcumsumexp", logcumsumexp, { F(2, { 2, 4 }) }, false },
    { "logcumsumexp, reverse", logcumsumexp_reverse, { F(2, { 4, 2 }) }, false },
    { "logcumsumexp, exclusive", logcumsumexp_exclusive, { F(2, { 2, 4 }) }, false },
    { "sort", sort, { F(2, { 2, 5 }) }, false },
    { "argsort", argsort, { F(2, { 5, 2 }) }, false },
    { "partition", partition, { F(2, { 5, 2 }) }, false },
    { "argpartition", argpartition, { F(2, { 2, 5 }) }, false },
    { "topk", topk, { F(2, { 2, 5 }) }, false },
    { "median", median, { F(2, { 2, 4 }) }, false },
    { "searchsorted", searchsorted, { I(9, 1, { 7 }), I(9, 2, { 2, 5 }) }, false },
    { "searchsorted, right", searchsorted_right, { I(9, 1, { 7 }), I(9, 0, { 0 }) }, false },
    { "random_bits", random_words, { { 'k', 0, 1, { 2 } } }, false },
    { "take", take, { F(3, { 2, 3, 2 }), I(3, 2, { 2, 2 }) }, false },
    { "take rows", take_first, { F(2, { 4, 3 }), I(4, 1, { 5 }) }, false },
    { "take one row", take_first, { F(2, { 4, 3 }), I(4, 0, { 0 }) }, false },
    { "take, flattened", take_flat, { F(2, { 4, 3 }), I(12, 1, { 5 }) }, false },
    { "gather, two axes", gather, { F(3, { 3, 2, 4 }), I(4, 1, { 2 }), I(3, 2, { 2, 1 }) }, false },
    { "gather, part of an axis", gather_partial, { F(2, { 3, 4 }), I(4, 1, { 3 }) }, false },
    { "gather without indices", gather_none, { F(2, { 3, 4 }) }, false },
    { "take_along_axis", take_along, { F(2, { 2, 4 }), I(4, 2, { 2, 3 }) }, false },
    { "put_along_axis", put_along, { F(2, { 2, 4 }), F(2, { 2, 3 }), I(4, 2, { 2, 3 }) }, false },
    { "dynamic slice", dynamic_slice, { F(3, { 3, 2, 4 }), I(2, 1, { 2 }) }, false },
    { "dynamic slice, also shorter", dynamic_slice_1, { F(2, { 4, 3 }), I(2, 1, { 1 }) }, false },
    { "dynamic slice, 0-d start", dynamic_slice_1, { F(2, { 3, 3 }), I(2, 0, { 0 }) }, false },
    { "dynamic slice update",
      dynamic_update,
      { F(3, { 3, 2, 4 }), F(3, { 2, 1, 2 }), I(2, 1, { 2 }) },
      false },
    { "slice_update, set", slice_set, { F(2, { 3, 4 }), F(2, { 2, 2 }) }, false },
    { "slice_update, sum", slice_sum, { F(2, { 3, 4 }), F(1, { 2 }) }, false },
    { "slice_update, prod", slice_prod, { F(2, { 3, 4 }), Z(2, { 2, 2 }) }, false },
    { "slice_update, max", slice_max, { F(2, { 3, 4 }), F(2, { 2, 2 }) }, false },
    { "scatter, set", scatter_set, { F(2, { 2, 4 }), F(3, { 5, 2, 1 }), I(4, 1, { 5 }) }, false },
    { "scatter, sum", scatter_sum, { F(2, { 2, 4 }), F(3, { 5, 2, 1 }), I(4, 1, { 5 }) }, false },
    { "scatter, prod", scatter_prod, { F(2, { 2, 4 }), F(3, { 5, 2, 1 }), I(4, 1, { 5 }) }, false },
    { "scatter, prod with zeros",
      scatter_prod,
      { F(2, { 2, 4 }), Z(3, { 5, 2, 1 }), I(4, 1, { 5 }) },
      true },
    { "scatter, max", scatter_max, { F(2, { 2, 4 }), F(3, { 5, 2, 1 }), I(4, 1, { 5 }) }, false },
    { "scatter, min", scatter_min, { F(2, { 2, 4 }), F(3, { 5, 2, 1 }), I(4, 1, { 5 }) }, false },
    { "scatter, two axes",
      scatter_two,
      { F(3, { 2, 2, 3 }), F(4, { 4, 1, 2, 1 }), I(3, 1, { 4 }), I(2, 1, { 4 }) },
      false },
    { "masked_scatter", masked, { F(2, { 3, 2 }), F(1, { 7 }), M(1, { 3 }) }, false },
    { "masked_scatter, whole mask",
      masked,
      { F(2, { 3, 2 }), F(2, { 2, 4 }), M(2, { 3, 2 }) },
      false },
    { "matmul", matmul, { F(2, { 2, 3 }), F(2, { 3, 2 }) }, false },
    { "cross entropy", cross_entropy, { F(2, { 3, 4 }), I(4, 1, { 3 }) }, false },
};

/* ---- complex numbers: the gradient of a real result is d/dRe + i d/dIm ---- */

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
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) run(&cases[i]);
    for (size_t i = 0; i < sizeof complex_cases / sizeof *complex_cases; i++)
        run_complex(complex_cases[i].name, complex_cases[i].f);
    run_edges();
    run_failures();
    return check_report("autodiff");
}
