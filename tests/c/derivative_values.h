/* Functions of several inputs and random values for them: what tests of derivatives share. */
#ifndef MICA_TEST_DERIVATIVE_VALUES_H
#define MICA_TEST_DERIVATIVE_VALUES_H

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
static inline uint64_t next(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}
static inline double uniform(void)
{
    return (double)(next() >> 11) / (double)(UINT64_C(1) << 53) * 2 - 1;
}

static inline mica_dims dims(const input *in)
{
    return (mica_dims){ in->ndim, in->shape };
}
static inline bool is_float(const input *in)
{
    return in->kind == 'f' || in->kind == 'z';
}
static inline int64_t size_of(const input *in)
{
    int64_t size = 1;
    for (int i = 0; i < in->ndim; i++) size *= in->shape[i];
    return size;
}
static inline int count(const function_case *c)
{
    int n = 0;
    while (n < INPUTS && c->inputs[n].kind) n++;
    return n;
}

/* ---- values ---- */

typedef struct values {
    double at[ELEMENTS];
} values;

static inline void draw(const input *in, values *v)
{
    for (int64_t i = 0; i < size_of(in); i++) switch (in->kind) {
        case 'i': v->at[i] = (double)(next() % (uint64_t)in->limit); break;
        case 'm': v->at[i] = (double)(i % 3 != 1 || next() % 2 == 0); break;
        case 'k': v->at[i] = (double)(next() & UINT32_MAX); break;
        case 'z': v->at[i] = next() % 3 == 0 ? 0 : uniform(); break;
        default: v->at[i] = uniform(); break;
        }
}

static inline mica_array *from_values(mica_scope *s, const double *v, char kind, mica_dims shape)
{
    mica_array *a = mica_from_data(s, v, shape, MICA_FLOAT64);
    return kind == 'i'   ? mica_astype(s, a, MICA_INT32)
           : kind == 'm' ? mica_astype(s, a, MICA_BOOL)
           : kind == 'k' ? mica_astype(s, a, MICA_UINT32)
                         : a;
}

static inline bool read(mica_scope *s, mica_array *a, double *out)
{
    a = mica_astype(s, a, MICA_FLOAT64);
    return a && mica_size(a) <= ELEMENTS &&
           mica_to_data(s, a, out, (size_t)mica_size(a) * sizeof *out) == MICA_OK;
}

static inline bool close_to(double a, double b, double tolerance)
{
    return a == b || (isnan(a) && isnan(b)) ||
           fabs(a - b) <= tolerance * (1 + fmax(fabs(a), fabs(b)));
}

static const char *current, *stage;

static inline void check_close(const double *a, const double *b, int64_t n, double tolerance)
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

static inline void check_scope(mica_scope *s)
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

static inline mica_dims call_dims(const call *k, int i, int64_t room[5])
{
    const input *in = &k->c->inputs[i];
    if (!k->batched) return dims(in);
    room[0] = BATCH;
    memcpy(room + 1, in->shape, sizeof in->shape);
    return (mica_dims){ in->ndim + 1, room };
}

static inline mica_arrays mapped(mica_scope *s, mica_arrays x, void *user)
{
    const function_case *c = user;
    mica_array **out = mica__scope_alloc(s, sizeof *out);
    if (!out || !(*out = c->f(s, x.at))) return (mica_arrays){ 0, NULL };
    return (mica_arrays){ 1, out };
}

/* All inputs: numbers from x, in order, others as they were drawn. */
static inline mica_array *apply(mica_scope *s, mica_array *const x[], const call *k)
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

static inline mica_arrays one_result(mica_scope *s, mica_arrays x, void *user)
{
    mica_array **out = mica__scope_alloc(s, sizeof *out);
    if (!out || !(*out = apply(s, x.at, user))) return (mica_arrays){ 0, NULL };
    return (mica_arrays){ 1, out };
}

static inline mica_array *weighted(mica_scope *s, mica_array *a, const double *weights)
{
    if (!a) return NULL;
    mica_array *w = mica_from_data(s, weights, mica__dims_of(a), MICA_FLOAT64);
    return mica_sum(s, mica_multiply(s, mica_astype(s, a, MICA_FLOAT64), w), MICA_ALL_AXES, false);
}

static inline mica_array *scalar(mica_scope *s, mica_array *const x[], void *user)
{
    const call *k = user;
    return weighted(s, apply(s, x, k), k->weights);
}

static inline int floats(const function_case *c)
{
    int n = 0;
    for (int i = 0; i < count(c); i++) n += is_float(&c->inputs[i]);
    return n;
}

/* sum(outer * gradient of scalar): its own gradient is a second derivative. */
static inline mica_array *scalar_of_gradient(mica_scope *s, mica_array *const x[], void *user)
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

/* ---- how cases are written; squares make second derivatives of linear functions matter ---- */

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

#endif
