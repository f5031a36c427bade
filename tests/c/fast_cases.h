/* What the tests of fused operations share: random arrays, distances, and problems of attention. */
#ifndef MICA_TEST_FAST_CASES_H
#define MICA_TEST_FAST_CASES_H

#include <math.h>
#include <stdlib.h>

#include "backend/cpu/isa.h"
#include "check.h"
#include "mica/transforms.h"
#include "ops/builder.h"
#include "runtime/pool.h"

void mica__cpu_register(void); /* the static library leaves out what nobody names */

static uint64_t seed = 1;
static inline double uniform(void)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (double)(seed >> 33) / 1073741824.0 - 1;
}

/* Random numbers that `dtype` can hold. */
static inline mica_array *draw(mica_scope *s, mica_dims shape, mica_dtype dtype)
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

static inline double *values(mica_scope *s, mica_array *a)
{
    double *x = malloc((size_t)(mica_size(a) + 1) * sizeof *x);
    CHECK_EQUAL(
        mica_to_data(s, mica_astype(s, a, MICA_FLOAT64), x, (size_t)mica_size(a) * sizeof *x),
        MICA_OK);
    return x;
}

static inline double unit_of(mica_dtype d)
{
    return d == MICA_FLOAT64   ? 0x1p-52
           : d == MICA_FLOAT32 ? 0x1p-23
           : d == MICA_FLOAT16 ? 0x1p-10
                               : 0x1p-7;
}

/* The largest difference, in units of `dtype` at the size of the largest expected number. */
static inline double distance(mica_scope *s, mica_array *a, const double *expected,
                              mica_dtype dtype)
{
    double worst = 0, size = 1e-3, *x = values(s, a);
    for (int64_t i = 0; i < mica_size(a); i++) size = fmax(size, fabs(expected[i]));
    for (int64_t i = 0; i < mica_size(a); i++) {
        double d = isnan(expected[i]) && isnan(x[i])
                       ? 0
                       : fabs(x[i] - expected[i]) / size / unit_of(dtype);
        if (!(d <= worst)) worst = isnan(d) ? INFINITY : d;
    }
    free(x);
    return worst;
}

static const mica_dtype floats[] = { MICA_FLOAT64, MICA_FLOAT32, MICA_FLOAT16, MICA_BFLOAT16 };

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

static inline operands make(mica_scope *s, const problem *p, mica_dtype dtype)
{
    operands o = { .scale = 0.7, .causal = p->mask == CAUSAL };
    const int64_t shapes[3][4] = { { p->batch, p->heads, p->queries, p->features },
                                   { p->batch, p->shared, p->keys, p->features },
                                   { p->batch, p->shared, p->keys, p->values } };
    for (int i = 0; i < 3; i++) {
        const int64_t *d = shapes[i];
        if (!p->strided) o.in[i] = draw(s, (mica_dims){ 4, d }, dtype);
        else if (i != 1)
            o.in[i] = mica_transpose(s, draw(s, MICA_SHAPE(d[0], d[2], d[1], d[3]), dtype),
                                     MICA_AXES(0, 2, 1, 3));
        else
            o.in[i] = mica_transpose(s, draw(s, MICA_SHAPE(d[3], d[2], d[1], d[0]), dtype),
                                     MICA_AXES(3, 2, 1, 0));
    }
    if (p->mask == ADDED) o.in[3] = draw(s, MICA_SHAPE(p->batch, 1, p->queries, p->keys), dtype);
    if (p->mask == ADDED_BY_KEY) o.in[3] = draw(s, MICA_SHAPE(p->heads, 1, p->keys), dtype);
    if (p->mask == TRUTH)
        o.in[3] = mica_greater(s, draw(s, MICA_SHAPE(p->heads, p->queries, p->keys), MICA_FLOAT32),
                               mica_number(s, 0.2));
    if (p->sinks) o.in[4] = draw(s, MICA_SHAPE(p->heads), dtype);
    return o;
}

static inline mica_array *attend(mica_scope *s, const operands *o, mica_array *const in[])
{
    mica_mask mask = { .causal = o->causal, .array = in[3] };
    return mica_fast_scaled_dot_product_attention(s, in[0], in[1], in[2], o->scale, mask, in[4],
                                                  false);
}

static const problem problems[] = {
    { 2, 4, 4, 5, 7, 8, 8, NO_MASK, false, false },
    { 1, 4, 2, 3, 9, 8, 6, CAUSAL, true, true },
    { 1, 2, 1, 1, 1100, 16, 16, NO_MASK, true, false },
    { 1, 8, 2, 2, 777, 33, 31, ADDED, false, true },
    { 2, 2, 2, 150, 150, 32, 32, CAUSAL, false, false },
    { 1, 2, 1, 70, 300, 17, 40, CAUSAL, true, true },
    { 1, 2, 2, 140, 9, 16, 16, CAUSAL, false, false },
    { 2, 2, 2, 131, 257, 48, 64, ADDED, true, true },
    { 1, 4, 2, 37, 140, 64, 64, TRUTH, false, false },
    { 1, 2, 2, 33, 129, 1, 1, ADDED_BY_KEY, false, true },
    { 1, 2, 2, 40, 0, 8, 8, NO_MASK, false, false },
    { 1, 3, 3, 7, 20, 80, 80, TRUTH, true, false },
    { 1, 1, 1, 260, 600, 64, 64, NO_MASK, true, false },
};
enum { PROBLEMS = sizeof problems / sizeof *problems };

#endif
