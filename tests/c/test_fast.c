/* Fused operations against plain loops in double, their derivatives against finite differences, and what must not change the bits. */
#include <math.h>
#include <stdlib.h>

#include "backend/cpu/isa.h"
#include "check.h"
#include "mica/transforms.h"
#include "ops/builder.h"
#include "runtime/pool.h"

void mica__cpu_register(void); /* the static library leaves out what nobody names */

static uint64_t seed = 1;
static double uniform(void)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (double)(seed >> 33) / 1073741824.0 - 1;
}

/* Random numbers that `dtype` can hold. */
static mica_array *draw(mica_scope *s, mica_dims shape, mica_dtype dtype)
{
    int64_t n;
    mica__shape_size(shape, &n);
    double *x = malloc((size_t)(n + 1) * sizeof *x);
    for (int64_t i = 0; i < n; i++) x[i] = uniform();
    mica_array *a = mica_astype(s, mica_from_data(s, x, shape, MICA_FLOAT64), dtype);
    free(x);
    mica_eval(s, &a, 1);
    return a;
}

static double *values(mica_scope *s, mica_array *a)
{
    double *x = malloc((size_t)(mica_size(a) + 1) * sizeof *x);
    CHECK_EQUAL(mica_to_data(s, mica_astype(s, a, MICA_FLOAT64), x, (size_t)mica_size(a) * sizeof *x), MICA_OK);
    return x;
}

static double unit_of(mica_dtype d)
{
    return d == MICA_FLOAT64 ? 0x1p-52 : d == MICA_FLOAT32 ? 0x1p-23 : d == MICA_FLOAT16 ? 0x1p-10 : 0x1p-7;
}

/* The largest difference, in units of `dtype` at the size of the largest expected number. */
static double distance(mica_scope *s, mica_array *a, const double *expected, mica_dtype dtype)
{
    double worst = 0, size = 1e-3, *x = values(s, a);
    for (int64_t i = 0; i < mica_size(a); i++) size = fmax(size, fabs(expected[i]));
    for (int64_t i = 0; i < mica_size(a); i++) {
        double d = isnan(expected[i]) && isnan(x[i]) ? 0 : fabs(x[i] - expected[i]) / size / unit_of(dtype);
        if (!(d <= worst)) worst = isnan(d) ? INFINITY : d;
    }
    free(x);
    return worst;
}

/* ---- normalisations ---- */

static void check_norm(int64_t rows, int64_t n, mica_dtype dtype, bool centred, bool weighted, bool biased)
{
    mica_scope *s = mica_scope_open(NULL);
    mica_array *x = draw(s, MICA_SHAPE(rows, n), dtype), *w = weighted ? draw(s, MICA_SHAPE(n), dtype) : NULL;
    mica_array *b = biased ? draw(s, MICA_SHAPE(n), dtype) : NULL;
    double *xs = values(s, x), *ws = w ? values(s, w) : NULL, *bs = b ? values(s, b) : NULL;
    double *expected = malloc((size_t)(rows * n + 1) * sizeof *expected);
    for (int64_t r = 0; r < rows; r++) {
        long double mean = 0, square = 0;
        for (int64_t i = 0; centred && i < n; i++) mean += xs[r * n + i] / (long double)n;
        for (int64_t i = 0; i < n; i++) square += (xs[r * n + i] - mean) * (xs[r * n + i] - mean) / (long double)n;
        for (int64_t i = 0; i < n; i++)
            expected[r * n + i] = (double)((xs[r * n + i] - mean) / sqrtl(square + 1e-5L) * (ws ? ws[i] : 1) + (bs ? bs[i] : 0));
    }
    mica_array *y = centred ? mica_fast_layer_norm(s, x, w, b, 1e-5) : mica_fast_rms_norm(s, x, w, 1e-5);
    double away = distance(s, y, expected, dtype);
    if (!(away < 4)) fprintf(stderr, "norm of (%d, %d), type %d, %d %d %d: %g units\n", (int)rows, (int)n, (int)dtype, centred, weighted, biased, away);
    CHECK(away < 4);
    free(xs), free(ws), free(bs), free(expected);
    CHECK_EQUAL(mica_scope_close(s), MICA_OK);
}

static const mica_dtype floats[] = { MICA_FLOAT64, MICA_FLOAT32, MICA_FLOAT16, MICA_BFLOAT16 };

static void test_norms(void)
{
    const int64_t sizes[][2] = { { 1, 1 }, { 3, 7 }, { 5, 64 }, { 2, 4096 }, { 2, 4097 }, { 70, 1030 }, { 0, 4 } };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (size_t d = 0; d < 4; d++)
            for (int form = 0; form < 6; form++)
                check_norm(sizes[i][0], sizes[i][1], floats[d], form >= 2, form % 2, form == 3 || form == 4);
}

/* ---- rotary embedding ---- */

static void check_rope(mica_dtype dtype, bool traditional, bool custom, bool transposed, bool offsets)
{
    mica_scope *s = mica_scope_open(NULL);
    enum { B = 2, H = 3, T = 37, D = 20, DIMS = 14, HALF = DIMS / 2 };
    mica_array *x = transposed ? mica_transpose(s, draw(s, MICA_SHAPE(B, D, T, H), dtype), MICA_AXES(0, 3, 2, 1))
                               : draw(s, MICA_SHAPE(B, H, T, D), dtype);
    const float periods[HALF] = { 1, 2, 3, 5, 8, 13, 21 };
    const int32_t starts[B] = { 1000, -4 };
    double *xs = values(s, x), *expected = values(s, x);
    for (int64_t r = 0; r < B * H * T; r++)
        for (int64_t i = 0; i < HALF; i++) {
            double frequency = custom ? 1 / (double)periods[i] : pow(100.0, -(double)i / HALF);
            double angle = (double)(r % T + (offsets ? starts[r / (H * T)] : 11)) * 0.5 * frequency;
            int64_t a = r * D + (traditional ? 2 * i : i), b = r * D + (traditional ? 2 * i + 1 : i + HALF);
            expected[a] = xs[a] * cos(angle) - xs[b] * sin(angle);
            expected[b] = xs[a] * sin(angle) + xs[b] * cos(angle);
        }
    mica_array *offset = offsets ? mica_from_data(s, starts, MICA_SHAPE(B), MICA_INT32) : mica_integer(s, 11);
    mica_array *y = mica_fast_rope(s, x, DIMS, traditional, custom ? NAN : 100.0, 0.5, offset,
                                   custom ? mica_from_data(s, periods, MICA_SHAPE(HALF), MICA_FLOAT32) : NULL);
    double away = distance(s, y, expected, dtype);
    double limit = dtype == MICA_FLOAT64 ? 600 : 4; /* angles of 500 are themselves known to so many units */
    if (!(away < limit)) fprintf(stderr, "rope, type %d, %d %d %d %d: %g units\n", (int)dtype, traditional, custom, transposed, offsets, away);
    CHECK(away < limit);
    free(xs), free(expected);
    CHECK_EQUAL(mica_scope_close(s), MICA_OK);
}

static void test_rope(void)
{
    for (size_t d = 0; d < 4; d++)
        for (int form = 0; form < 16; form++) check_rope(floats[d], form & 1, form & 2, form & 4, form & 8);
}

/* ---- attention ---- */

enum { NO_MASK, CAUSAL, ADDED, TRUTH, ADDED_BY_KEY };

typedef struct problem {
    int64_t batch, heads, shared, queries, keys, features, values;
    int mask;
    bool sinks, strided;
} problem;

typedef struct operands {
    mica_array *in[5]; /* q, k, v, mask, sinks */
    double scale;
    bool causal;
} operands;

static operands make(mica_scope *s, const problem *p, mica_dtype dtype)
{
    operands o = { .scale = 0.7, .causal = p->mask == CAUSAL };
    const int64_t shapes[3][4] = { { p->batch, p->heads, p->queries, p->features }, { p->batch, p->shared, p->keys, p->features },
                                   { p->batch, p->shared, p->keys, p->values } };
    for (int i = 0; i < 3; i++) {
        const int64_t *d = shapes[i];
        if (!p->strided) o.in[i] = draw(s, (mica_dims){ 4, d }, dtype);
        else if (i != 1) o.in[i] = mica_transpose(s, draw(s, MICA_SHAPE(d[0], d[2], d[1], d[3]), dtype), MICA_AXES(0, 2, 1, 3));
        else o.in[i] = mica_transpose(s, draw(s, MICA_SHAPE(d[3], d[2], d[1], d[0]), dtype), MICA_AXES(3, 2, 1, 0));
    }
    if (p->mask == ADDED) o.in[3] = draw(s, MICA_SHAPE(p->batch, 1, p->queries, p->keys), dtype);
    if (p->mask == ADDED_BY_KEY) o.in[3] = draw(s, MICA_SHAPE(p->heads, 1, p->keys), dtype);
    if (p->mask == TRUTH) o.in[3] = mica_greater(s, draw(s, MICA_SHAPE(p->heads, p->queries, p->keys), MICA_FLOAT32), mica_number(s, 0.2));
    if (p->sinks) o.in[4] = draw(s, MICA_SHAPE(p->heads), dtype);
    return o;
}

static mica_array *attend(mica_scope *s, const operands *o, mica_array *const in[])
{
    mica_mask mask = { .causal = o->causal, .array = in[3] };
    return mica_fast_scaled_dot_product_attention(s, in[0], in[1], in[2], o->scale, mask, in[4], false);
}

/* The masked score of one query and key. */
static double score(const problem *p, const double *q, const double *k, int64_t i, int64_t j, double mask)
{
    double sum = 0;
    for (int64_t f = 0; f < p->features; f++) sum += q[f] * k[f];
    sum *= 0.7;
    if (p->mask == CAUSAL && j > i + p->keys - p->queries) return -3e38;
    if (p->mask == TRUTH) return mask != 0 ? sum : -3e38;
    return sum + mask;
}

static double *expected_attention(mica_scope *s, const problem *p, const operands *o)
{
    double *x[5] = { 0 }, *out = malloc((size_t)(p->batch * p->heads * p->queries * p->values + 1) * sizeof *out);
    double *e = malloc((size_t)(p->keys + 1) * sizeof *e);
    for (int i = 0; i < 5; i++) {
        mica_array *a = o->in[i];
        if (a && i == 3) a = mica_broadcast_to(s, a, MICA_SHAPE(p->batch, p->heads, p->queries, p->keys));
        x[i] = a ? values(s, a) : NULL;
    }
    for (int64_t r = 0; r < p->batch * p->heads * p->queries; r++) {
        int64_t i = r % p->queries, head = r / p->queries % p->heads, batch = r / p->queries / p->heads;
        int64_t group = (batch * p->shared + head / (p->heads / p->shared)) * p->keys;
        double top = x[4] ? x[4][head] : -INFINITY, sum;
        for (int64_t j = 0; j < p->keys; j++) {
            e[j] = score(p, x[0] + r * p->features, x[1] + (group + j) * p->features, i, j, x[3] ? x[3][r * p->keys + j] : 0);
            top = fmax(top, e[j]);
        }
        sum = x[4] ? exp(x[4][head] - top) : 0;
        for (int64_t j = 0; j < p->keys; j++) sum += e[j] = exp(e[j] - top);
        for (int64_t f = 0; f < p->values; f++) {
            double y = 0;
            for (int64_t j = 0; j < p->keys; j++) y += e[j] * x[2][(group + j) * p->values + f];
            out[r * p->values + f] = p->keys ? y / sum : 0;
        }
    }
    for (int i = 0; i < 5; i++) free(x[i]);
    free(e);
    return out;
}

static const problem problems[] = {
    { 2, 4, 4, 5, 7, 8, 8, NO_MASK, false, false },      { 1, 4, 2, 3, 9, 8, 6, CAUSAL, true, true },
    { 1, 2, 1, 1, 1100, 16, 16, NO_MASK, true, false },  { 1, 8, 2, 2, 777, 33, 31, ADDED, false, true },
    { 2, 2, 2, 150, 150, 32, 32, CAUSAL, false, false }, { 1, 2, 1, 70, 300, 17, 40, CAUSAL, true, true },
    { 1, 2, 2, 140, 9, 16, 16, CAUSAL, false, false },   { 2, 2, 2, 131, 257, 48, 64, ADDED, true, true },
    { 1, 4, 2, 37, 140, 64, 64, TRUTH, false, false },   { 1, 2, 2, 33, 129, 1, 1, ADDED_BY_KEY, false, true },
    { 1, 2, 2, 40, 0, 8, 8, NO_MASK, false, false },     { 1, 3, 3, 7, 20, 80, 80, TRUTH, true, false },
    { 1, 1, 1, 260, 600, 64, 64, NO_MASK, true, false },
};
enum { PROBLEMS = sizeof problems / sizeof *problems };

static void test_attention(void)
{
    for (int i = 0; i < PROBLEMS; i++)
        for (size_t d = 0; d < 4; d++) {
            mica_scope *s = mica_scope_open(NULL);
            operands o = make(s, &problems[i], floats[d]);
            double *expected = expected_attention(s, &problems[i], &o);
            double away = distance(s, attend(s, &o, o.in), expected, floats[d]);
            if (!(away < 16)) fprintf(stderr, "problem %d, type %d: %g units\n", i, (int)floats[d], away);
            CHECK(away < 16);
            free(expected);
            CHECK_EQUAL(mica_scope_close(s), MICA_OK);
        }
}

/* Rows of which nothing is seen: the average of the values for a bool mask, NaN for -inf. */
static void test_masked_rows(void)
{
    const int64_t lengths[] = { 3, 40 };
    for (int i = 0; i < 2; i++) {
        mica_scope *s = mica_scope_open(NULL);
        int64_t n = lengths[i];
        mica_array *q = draw(s, MICA_SHAPE(1, 1, n, 8), MICA_FLOAT32), *k = draw(s, MICA_SHAPE(1, 1, 300, 8), MICA_FLOAT32);
        mica_array *none = mica_zeros(s, MICA_SHAPE(n, 300), MICA_BOOL), *infinite = mica_full(s, MICA_SHAPE(n, 300), mica_number(s, -INFINITY), MICA_FLOAT32);
        mica_array *mean = mica_broadcast_to(s, mica_mean(s, k, MICA_AXES(2), true), MICA_SHAPE(1, 1, n, 8));
        double *expected = values(s, mean);
        mica_array *y = mica_fast_scaled_dot_product_attention(s, q, k, k, 1, (mica_mask){ .array = none }, NULL, false);
        CHECK(distance(s, y, expected, MICA_FLOAT32) < 8);
        y = mica_fast_scaled_dot_product_attention(s, q, k, k, 1, (mica_mask){ .array = infinite }, NULL, false);
        CHECK(mica_item(s, mica_all(s, mica_isnan(s, y), MICA_ALL_AXES, false)) == 1);
        /* -inf on the first block of keys alone does no harm. */
        mica_array *start = mica_where(s, mica_less(s, mica_arange(s, 0, 300, 1, MICA_FLOAT32), mica_number(s, 200)), mica_number(s, -INFINITY), mica_number(s, 0));
        y = mica_fast_scaled_dot_product_attention(s, q, k, k, 1, (mica_mask){ .array = start }, NULL, false);
        CHECK(mica_item(s, mica_any(s, mica_isnan(s, y), MICA_ALL_AXES, false)) == 0);
        free(expected);
        CHECK_EQUAL(mica_scope_close(s), MICA_OK);
    }
}

/* ---- derivatives: functions of several arrays, differentiated in float64 ---- */

typedef struct subject {
    const char *name;
    mica_array *(*call)(mica_scope *s, mica_array *const in[], const void *user);
    const void *user;
    size_t n, differentiable; /* arguments; the first ones are differentiated */
} subject;

static mica_arrays one_result(mica_scope *s, mica_arrays in, void *user)
{
    const subject *f = user;
    mica_array **out = mica__scope_alloc(s, sizeof *out);
    *out = f->call(s, in.at, f->user);
    return (mica_arrays){ 1, out };
}

/* Gradients of the sum of f * its last argument but one, as a function of its own. */
typedef struct gradient {
    const subject *f;
    mica_array *cotangent;
} gradient;

static mica_arrays gradients_of(mica_scope *s, mica_arrays in, void *user)
{
    const gradient *g = user;
    mica_arrays found = { 0, NULL };
    mica_vjp(s, one_result, (void *)(uintptr_t)g->f, in, (mica_arrays){ 1, &g->cotangent }, NULL, &found);
    return found;
}

static double inner(mica_scope *s, mica_array *a, mica_array *b)
{
    return mica_item(s, mica_sum(s, mica_multiply(s, a, b), MICA_ALL_AXES, false));
}

/* <cotangent, J tangent> by vjp, by jvp and by a central difference; `orders` 2: the same of the gradient. */
static void check_derivatives(mica_scope *s, const char *name, mica_functions *f, void *user, mica_array *const in[], size_t n, double tolerance)
{
    mica_array *tangents[6], *moved[2][6], *cotangents[6];
    const double step = 1e-5;
    for (size_t i = 0; i < n; i++) {
        tangents[i] = draw(s, mica_shape(in[i]), MICA_FLOAT64);
        for (int k = 0; k < 2; k++) moved[k][i] = mica_add(s, in[i], mica_multiply(s, tangents[i], mica_number(s, k ? -step : step)));
    }
    mica_arrays high = f(s, (mica_arrays){ n, moved[0] }, user), low = f(s, (mica_arrays){ n, moved[1] }, user), pulled, pushed;
    double difference = 0, backward = 0, forward = 0;
    for (size_t i = 0; i < high.n; i++) {
        cotangents[i] = draw(s, mica_shape(high.at[i]), MICA_FLOAT64);
        difference += inner(s, cotangents[i], mica_subtract(s, high.at[i], low.at[i])) / (2 * step);
    }
    mica_vjp(s, f, user, (mica_arrays){ n, in }, (mica_arrays){ high.n, cotangents }, NULL, &pulled);
    mica_jvp(s, f, user, (mica_arrays){ n, in }, (mica_arrays){ n, tangents }, NULL, &pushed);
    if (mica_scope_status(s) != MICA_OK) {
        CHECK(!"a transformation failed");
        return;
    }
    for (size_t i = 0; i < n; i++) backward += inner(s, pulled.at[i], tangents[i]);
    for (size_t i = 0; i < high.n; i++) forward += inner(s, pushed.at[i], cotangents[i]);
    double size = 1 + fabs(difference);
    bool good = fabs(backward - difference) < tolerance * size && fabs(forward - difference) < tolerance * size;
    if (!good) fprintf(stderr, "%s: difference %.12g, vjp %.12g, jvp %.12g\n", name, difference, backward, forward);
    CHECK(good);
}

static mica_array *call_rms(mica_scope *s, mica_array *const in[], const void *user)
{
    (void)user;
    return mica_fast_rms_norm(s, in[0], in[1], 1e-3);
}
static mica_array *call_layer(mica_scope *s, mica_array *const in[], const void *user)
{
    (void)user;
    return mica_fast_layer_norm(s, in[0], in[1], in[2], 1e-3);
}
static mica_array *call_plain(mica_scope *s, mica_array *const in[], const void *user)
{
    (void)user;
    return mica_add(s, mica_fast_rms_norm(s, in[0], NULL, 1e-3), mica_fast_layer_norm(s, in[0], NULL, in[1], 1e-3));
}
static mica_array *call_rope(mica_scope *s, mica_array *const in[], const void *user)
{
    (void)user;
    mica_array *y = mica_fast_rope(s, in[0], 6, true, 10, 0.5, mica_integer(s, 2), NULL);
    return mica_fast_rope(s, y, 8, false, 10, 1, mica_from_data(s, (const int64_t[]){ 1, 5 }, MICA_SHAPE(2), MICA_INT64), NULL);
}
static mica_array *call_attention(mica_scope *s, mica_array *const in[], const void *user)
{
    const operands *o = user;
    mica_array *all[5] = { in[0], in[1], in[2], o->in[3], o->in[4] };
    size_t next = 3;
    if (all[3] && all[3]->dtype != MICA_BOOL) all[3] = in[next++];
    if (all[4]) all[4] = in[next];
    return attend(s, o, all);
}

static void check_subject(const subject *f, mica_array *const in[], bool second)
{
    mica_scope *s = mica_scope_open(NULL);
    check_derivatives(s, f->name, one_result, (void *)(uintptr_t)f, in, f->n, 1e-6);
    if (second) {
        gradient g = { f, draw(s, mica_shape(f->call(s, in, f->user)), MICA_FLOAT64) };
        check_derivatives(s, f->name, gradients_of, &g, in, f->n, 1e-6);
    }
    CHECK_EQUAL(mica_scope_close(s), MICA_OK);
}

static void test_derivatives(void)
{
    mica_scope *s = mica_scope_open(NULL);
    mica_array *norm[3] = { draw(s, MICA_SHAPE(3, 2, 37), MICA_FLOAT64), draw(s, MICA_SHAPE(37), MICA_FLOAT64), draw(s, MICA_SHAPE(37), MICA_FLOAT64) };
    mica_array *turned[1] = { draw(s, MICA_SHAPE(2, 3, 5, 9), MICA_FLOAT64) };
    check_subject(&(subject){ "rms_norm", call_rms, NULL, 2, 2 }, norm, true);
    check_subject(&(subject){ "layer_norm", call_layer, NULL, 3, 3 }, norm, true);
    check_subject(&(subject){ "plain norms", call_plain, NULL, 2, 2 }, norm, true);
    check_subject(&(subject){ "rope", call_rope, NULL, 1, 1 }, turned, true);
    for (int i = 0; i < PROBLEMS; i++) {
        const problem *p = &problems[i];
        operands o = make(s, p, MICA_FLOAT64);
        mica_array *in[5] = { o.in[0], o.in[1], o.in[2] };
        size_t n = 3;
        if (o.in[3] && o.in[3]->dtype != MICA_BOOL) in[n++] = o.in[3];
        if (o.in[4]) in[n++] = o.in[4];
        char name[32];
        snprintf(name, sizeof name, "attention %d", i);
        check_subject(&(subject){ name, call_attention, &o, n, n }, in, p->queries < 100);
    }
    CHECK_EQUAL(mica_scope_close(s), MICA_OK);
}

/* Narrow types: the gradient against that of the same numbers in float64. */
static void test_narrow_gradients(void)
{
    for (int i = 0; i < PROBLEMS; i++)
        for (size_t d = 1; d < 4; d++) {
            mica_scope *s = mica_scope_open(NULL);
            operands o = make(s, &problems[i], floats[d]), wide = o;
            mica_array *in[2][5] = { { 0 } }, *g = draw(s, mica_shape(attend(s, &o, o.in)), floats[d]);
            size_t n = 0;
            for (int k = 0; k < 5; k++) {
                if (!o.in[k]) continue;
                if (o.in[k]->dtype != MICA_BOOL) wide.in[k] = mica_astype(s, o.in[k], MICA_FLOAT64);
                if (o.in[k]->dtype == MICA_BOOL) continue;
                in[0][n] = o.in[k];
                in[1][n++] = wide.in[k];
            }
            subject f[2] = { { "", call_attention, &o, n, n }, { "", call_attention, &wide, n, n } };
            mica_array *cotangents[2] = { g, mica_astype(s, g, MICA_FLOAT64) };
            mica_arrays found[2];
            for (int k = 0; k < 2; k++)
                mica_vjp(s, one_result, &f[k], (mica_arrays){ n, in[k] }, (mica_arrays){ 1, &cotangents[k] }, NULL, &found[k]);
            for (size_t k = 0; k < n && mica_scope_status(s) == MICA_OK; k++) {
                double *expected = values(s, found[1].at[k]), away = distance(s, found[0].at[k], expected, floats[d]);
                if (!(away < 40)) fprintf(stderr, "problem %d, type %d, argument %zu: %g units\n", i, (int)floats[d], k, away);
                CHECK(away < 40);
                free(expected);
            }
            CHECK_EQUAL(mica_scope_close(s), MICA_OK);
        }
}

/* ---- batching: vmap against a loop ---- */

static void check_batched(const char *name, const subject *f, mica_array *const in[], const int axes[], mica_functions *function, void *user)
{
    mica_scope *s = mica_scope_open(NULL);
    mica_arrays all, one;
    if (mica_vmap(s, function, user, (mica_arrays){ f->n, in }, axes, 0, &all) == MICA_OK)
        for (int64_t b = 0; b < 3; b++) {
            mica_array *row[6];
            for (size_t i = 0; i < f->n; i++) row[i] = axes[i] == 0 ? mica__row(s, in[i], b) : in[i];
            one = function(s, (mica_arrays){ f->n, row }, user);
            for (size_t k = 0; k < one.n && k < all.n; k++) {
                double *expected = values(s, one.at[k]), away = distance(s, mica__row(s, all.at[k], b), expected, MICA_FLOAT32);
                if (!(away < 64)) fprintf(stderr, "%s, result %zu: %g units\n", name, k, away);
                CHECK(away < 64);
                free(expected);
            }
        }
    CHECK_EQUAL(mica_scope_close(s), MICA_OK);
}

static void check_vmap(const subject *f, mica_array *const in[], const int64_t unbatched)
{
    mica_scope *s = mica_scope_open(NULL);
    for (int64_t set = 1; set < (1 << f->n); set++) {
        int axes[6];
        mica_array *given[6], *plain[6];
        if (set & unbatched) continue;
        for (size_t i = 0; i < f->n; i++) {
            axes[i] = set >> i & 1 ? 0 : MICA_NO_AXIS;
            given[i] = set >> i & 1 ? in[i] : mica__row(s, in[i], 1);
            plain[i] = mica__row(s, in[i], 0);
        }
        gradient g = { f, draw(s, mica_shape(f->call(s, plain, f->user)), MICA_FLOAT32) };
        check_batched(f->name, f, given, axes, one_result, (void *)(uintptr_t)f);
        check_batched(f->name, f, given, axes, gradients_of, &g);
    }
    CHECK_EQUAL(mica_scope_close(s), MICA_OK);
}

static void test_vmap(void)
{
    mica_scope *s = mica_scope_open(NULL);
    mica_dtype d = MICA_FLOAT32;
    mica_array *norm[3] = { draw(s, MICA_SHAPE(3, 2, 4, 19), d), draw(s, MICA_SHAPE(3, 19), d), draw(s, MICA_SHAPE(3, 19), d) };
    mica_array *turned[1] = { draw(s, MICA_SHAPE(3, 2, 3, 5, 9), d) };
    check_vmap(&(subject){ "rms_norm", call_rms, NULL, 2, 2 }, norm, 0);
    check_vmap(&(subject){ "layer_norm", call_layer, NULL, 3, 3 }, norm, 0);
    check_vmap(&(subject){ "plain norms", call_plain, NULL, 2, 2 }, norm, 0);
    check_vmap(&(subject){ "rope", call_rope, NULL, 1, 1 }, turned, 0);
    operands o = { .scale = 0.5, .in = { [4] = draw(s, MICA_SHAPE(4), d) }, .causal = true };
    mica_array *qkv[4] = { draw(s, MICA_SHAPE(3, 2, 4, 9, 8), d), draw(s, MICA_SHAPE(3, 2, 2, 11, 8), d), draw(s, MICA_SHAPE(3, 2, 2, 11, 5), d),
                           draw(s, MICA_SHAPE(3, 4), d) };
    check_vmap(&(subject){ "attention with sinks", call_attention, &o, 4, 4 }, qkv, 0);
    o.in[4] = NULL;
    check_vmap(&(subject){ "attention", call_attention, &o, 3, 3 }, qkv, 0);
    CHECK_EQUAL(mica_scope_close(s), MICA_OK);
}

/* ---- the same bits for any number of threads ---- */

static void test_threads(void)
{
    mica_scope *s = mica_scope_open(NULL);
    for (int i = 0; i < PROBLEMS; i++) {
        operands o = make(s, &problems[i], MICA_FLOAT32);
        mica_array *in[5] = { o.in[0], o.in[1], o.in[2] }, *g = draw(s, mica_shape(attend(s, &o, o.in)), MICA_FLOAT32);
        size_t n = 3;
        if (o.in[3] && o.in[3]->dtype != MICA_BOOL) in[n++] = o.in[3];
        if (o.in[4]) in[n++] = o.in[4];
        subject f = { "", call_attention, &o, n, n };
        mica_array *first[6];
        for (size_t threads = 1; threads <= 3; threads += 2) {
            mica_arrays found, y;
            mica__set_thread_count(threads);
            mica_vjp(s, one_result, &f, (mica_arrays){ n, in }, (mica_arrays){ 1, &g }, &y, &found);
            mica_array *all[6] = { y.at[0] };
            for (size_t k = 0; k < n; k++) all[k + 1] = found.at[k];
            mica_eval(s, all, n + 1);
            for (size_t k = 0; k <= n; k++) {
                if (threads == 1) first[k] = all[k];
                else CHECK(mica_item(s, mica_array_equal(s, first[k], all[k], true)) == 1);
            }
        }
    }
    mica__set_thread_count(0);
    CHECK_EQUAL(mica_scope_close(s), MICA_OK);
}

/* ---- mistakes ---- */

static void check_message(mica_scope *s, const char *part)
{
    CHECK(mica_scope_close(s) == MICA_EVALUE);
    CHECK_MENTIONS(mica_last_error(), part);
}

static void test_errors(void)
{
    mica_scope *s = mica_scope_open(NULL);
    mica_fast_rms_norm(s, mica_zeros(s, MICA_SHAPE(2, 3), MICA_INT32), NULL, 1e-5);
    check_message(s, "[rms_norm] Received unsupported type int32");
    s = mica_scope_open(NULL);
    mica_fast_layer_norm(s, draw(s, MICA_SHAPE(2, 3), MICA_FLOAT32), draw(s, MICA_SHAPE(4), MICA_FLOAT32), NULL, 1e-5);
    check_message(s, "[layer_norm] weight must have the same size");
    s = mica_scope_open(NULL);
    mica_fast_rope(s, draw(s, MICA_SHAPE(1, 2, 4), MICA_FLOAT32), 6, false, 10, 1, mica_integer(s, 0), NULL);
    check_message(s, "dims must not exceed");
    s = mica_scope_open(NULL);
    mica_fast_rope(s, draw(s, MICA_SHAPE(1, 2, 4), MICA_FLOAT32), 4, false, 10, 1, mica_number(s, 0), NULL);
    check_message(s, "offset must be an integer");
    s = mica_scope_open(NULL);
    mica_array *q = draw(s, MICA_SHAPE(1, 2, 3, 4), MICA_FLOAT16);
    mica_fast_scaled_dot_product_attention(s, q, q, q, 1, (mica_mask){ .array = mica_zeros(s, MICA_SHAPE(3, 3), MICA_FLOAT32) }, NULL, false);
    check_message(s, "Mask type must promote to output type float16");
}

int main(void)
{
    mica__cpu_register();
    const mica__isa best = mica__isa_cap(MICA_ISA_COUNT);
    for (int level = 0; level <= (int)best; level++) {
        mica__isa_cap((mica__isa)level);
        test_norms();
        test_rope();
        test_attention();
        test_masked_rows();
    }
    test_derivatives();
    test_narrow_gradients();
    test_vmap();
    test_threads();
    test_errors();
    mica__isa_cap(MICA_ISA_COUNT);
    return check_report("fast");
}
