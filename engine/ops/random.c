/* Builders of random numbers: threefry words, and what distributions are made of them. The steps,
   and the types they round to, are the reference's, so that a seed gives the same numbers. */
#include <math.h>

#include "ops/shape.h"

/* ---- keys and bits ---- */

mica_array *mica_random_key(mica_scope *s, int64_t seed)
{
    uint32_t words[2] = { (uint32_t)((uint64_t)seed >> 32), (uint32_t)(uint64_t)seed };
    return mica_from_data(s, words, MICA_SHAPE(2), MICA_UINT32);
}

mica_array *mica_random_bits(mica_scope *s, mica_dims shape, int64_t width, mica_array *key)
{
    if (!mica__ready(s, key)) return NULL;
    if (width != 1 && width != 2 && width != 4 && width != 8)
        return mica__error(s, MICA_EVALUE,
                           "[random.bits] a width of %lld bytes; it may be 1, 2, 4 or 8",
                           (long long)width);
    if (key->dtype != MICA_UINT32)
        return mica__error(s, MICA_EVALUE, "[random.bits] a key is uint32, not %s",
                           mica_dtype_name((mica_dtype)key->dtype));
    if (key->ndim < 1 || key->shape[key->ndim - 1] != 2)
        return mica__error(s, MICA_EVALUE, "[random.bits] a key has shape (2,), not %s",
                           mica__shape_text(mica__dims_of(key)));
    int64_t out[2 * MICA_MAX_NDIM], n = 0;
    if (shape.n < 0 || shape.n + key->ndim - 1 > MICA_MAX_NDIM)
        return mica__error(s, MICA_EVALUE, "[random.bits] too many axes");
    for (int i = 0; i < key->ndim - 1; i++) out[n++] = key->shape[i];
    for (int64_t i = 0; i < shape.n; i++) out[n++] = shape.at[i];
    for (int64_t i = 0; i < n; i++)
        if (out[i] < 0)
            return mica__error(s, MICA_EVALUE, "[random.bits] shape %s has a negative size",
                               mica__shape_text(shape));
    mica_dtype d = width == 1   ? MICA_UINT8
                   : width == 2 ? MICA_UINT16
                   : width == 4 ? MICA_UINT32
                                : MICA_UINT64;
    struct mica__random_bits_params p = { .shape = shape, .width = width };
    return mica__build(s, mica_prim_random_bits, &p, 1, &key, d, (mica_dims){ n, out });
}

/* One key, as users give it; rows of keys come from batching alone. */
static bool check_key(mica_scope *s, const char *name, const mica_array *key)
{
    if (!mica__scope_ok(s)) return false;
    if (!key) return mica__error(s, MICA_EVALUE, "[random.%s] a key is needed", name);
    if (key->dtype == MICA_UINT32 && key->ndim == 1 && key->shape[0] == 2) return true;
    return mica__error(
        s, MICA_EVALUE, "[random.%s] a key is uint32 of shape (2,), not %s of shape %s", name,
        mica_dtype_name((mica_dtype)key->dtype), mica__shape_text(mica__dims_of(key)));
}

mica_array *mica_random_split(mica_scope *s, mica_array *key, int64_t num)
{
    if (!check_key(s, "split", key)) return NULL;
    return mica_random_bits(s, MICA_SHAPE(num, 2), 4, key);
}

/* ---- checks that distributions share ---- */

static bool check_float(mica_scope *s, const char *name, mica_dtype *d)
{
    if (*d == MICA_DEFAULT_DTYPE) *d = MICA_FLOAT32;
    if ((unsigned)*d < MICA_DTYPE_COUNT && mica__is_float(*d)) return true;
    return mica__error(s, MICA_EVALUE,
                       "[random.%s] %s is not accepted: the type must be a real floating one", name,
                       mica_dtype_name(*d));
}

/* The joint shape of two bounds must broadcast to the shape asked for. */
static bool check_bounds(mica_scope *s, const char *name, const mica_array *low,
                         const mica_array *high, mica_dims shape)
{
    int64_t joint[MICA_MAX_NDIM], with[MICA_MAX_NDIM];
    int n = mica__broadcast(mica__dims_of(low), mica__dims_of(high), joint);
    int all = n < 0 ? -1 : mica__broadcast((mica_dims){ n, joint }, shape, with);
    if (all >= 0 && mica__shape_equal((mica_dims){ all, with }, shape)) return true;
    return mica__error(s, MICA_EVALUE,
                       "[random.%s] bounds of shapes %s and %s do not broadcast to shape %s", name,
                       mica__shape_text(mica__dims_of(low)), mica__shape_text(mica__dims_of(high)),
                       mica__shape_text(shape));
}

/* ---- distributions ---- */

/* [0, 1) in the type: words over 2^32, below the largest number of the type that is less than 1. */
static mica_array *unit(mica_scope *s, mica_dims shape, mica_dtype dtype, mica_array *key)
{
    mica_array *x = mica__cast(s, mica_random_bits(s, shape, 4, key), MICA_FLOAT32);
    x = mica_multiply(s, x, mica_scalar(s, 0x1p-32, MICA_FLOAT32));
    double below_1 = dtype == MICA_FLOAT16    ? 1 - 0x1p-11
                     : dtype == MICA_BFLOAT16 ? 1 - 0x1p-8
                                              : 1 - 0x1p-24;
    return mica__cast(s, mica_minimum(s, x, mica_scalar(s, below_1, MICA_FLOAT32)), dtype);
}

static mica_array *uniform(mica_scope *s, const char *name, mica_array *low, mica_array *high,
                           mica_dims shape, mica_dtype dtype, mica_array *key)
{
    if (!check_float(s, name, &dtype) || !check_key(s, name, key)) return NULL;
    low = mica__cast(s, low, dtype);
    high = mica__cast(s, high, dtype);
    if (!low || !high || !check_bounds(s, name, low, high, shape)) return NULL;
    return mica_add(s, mica_multiply(s, unit(s, shape, dtype, key), mica_subtract(s, high, low)),
                    low);
}

mica_array *mica_random_uniform(mica_scope *s, mica_array *low, mica_array *high, mica_dims shape,
                                mica_dtype dtype, mica_array *key)
{
    return uniform(s, "uniform", low, high, shape, dtype, key);
}

mica_array *mica_random_normal(mica_scope *s, mica_dims shape, mica_dtype dtype, mica_array *loc,
                               mica_array *scale, mica_array *key)
{
    if (dtype == MICA_DEFAULT_DTYPE) dtype = MICA_FLOAT32;
    bool complex = dtype == MICA_COMPLEX64;
    int64_t pairs[MICA_MAX_NDIM + 1];
    if (!mica__scope_ok(s) || (!complex && !check_float(s, "normal", &dtype))) return NULL;
    if (shape.n < 0 || shape.n > MICA_MAX_NDIM - complex)
        return mica__error(s, MICA_EVALUE, "[random.normal] too many axes");
    for (int64_t i = 0; i < shape.n; i++) pairs[i] = shape.at[i];
    pairs[shape.n] = 2;
    for (int64_t i = 0; i < shape.n; i++)
        if (shape.at[i] < 0)
            return mica__error(s, MICA_EVALUE, "[random.normal] shape %s has a negative size",
                               mica__shape_text(shape));
    if (!check_key(s, "normal", key)) return NULL;
    struct mica__random_normal_params p = { .shape = { shape.n + complex, pairs } };
    mica_array *x = mica__build(s, mica_prim_random_normal, &p, 1, &key, MICA_FLOAT32, p.shape);
    if (complex)
        x = mica__reshape(s, mica_view(s, x, MICA_COMPLEX64), shape.n,
                          shape.at); /* real and imaginary parts; variance 1 in all */
    else x = mica_multiply(s, mica__cast(s, x, dtype), mica_scalar(s, 1.4142135623730951, dtype));
    if (scale) x = mica_multiply(s, x, mica__cast(s, scale, dtype));
    /* As in the reference, loc and scale may have more axes than the draws, which then repeat. */
    return loc ? mica_add(s, x, mica__cast(s, loc, dtype)) : x;
}

mica_array *mica_random_randint(mica_scope *s, mica_array *low, mica_array *high, mica_dims shape,
                                mica_dtype dtype, mica_array *key)
{
    if (dtype == MICA_DEFAULT_DTYPE) dtype = MICA_INT32;
    if (!mica__ready(s, low) || !mica__ready(s, high)) return NULL;
    if ((unsigned)dtype >= MICA_DTYPE_COUNT || mica__is_inexact(dtype))
        return mica__error(
            s, MICA_EVALUE,
            "[random.randint] %s is not accepted: the type must be an integer one or bool",
            mica_dtype_name(dtype));
    low = mica__operand(s, low);
    high = mica__operand(s, high);
    mica_array *u = uniform(s, "randint", low, high, shape, MICA_FLOAT32, key);
    mica_array *x = mica__cast(s, mica_floor(s, u), dtype);
    /* Rounding may reach the upper bound. */
    mica_array *last = mica__cast(s, mica_subtract(s, high, mica_integer(s, 1)), dtype);
    return mica_maximum(s, mica_minimum(s, x, last), mica__cast(s, low, dtype));
}

mica_array *mica_random_bernoulli(mica_scope *s, mica_array *p, mica_dims shape, mica_array *key)
{
    p = mica__operand(s, p);
    if (!mica__ready(s, p) || !check_key(s, "bernoulli", key)) return NULL;
    if (!mica__is_float((mica_dtype)p->dtype))
        return mica__error(s, MICA_EVALUE,
                           "[random.bernoulli] the probability must be a float, not %s",
                           mica_dtype_name((mica_dtype)p->dtype));
    if (shape.n < 0) shape = mica__dims_of(p);
    if (!check_bounds(s, "bernoulli", p, p, shape)) return NULL;
    /* The next float32 above 2^32: with it, a probability of 1 is always met. */
    mica_array *limit = mica_multiply(s, mica__cast(s, p, MICA_FLOAT32),
                                      mica_scalar(s, 4294967808.0, MICA_FLOAT32));
    return mica_less(s, mica__cast(s, mica_random_bits(s, shape, 4, key), MICA_FLOAT32), limit);
}

/* a * b + c, rounded once to float32. */
static mica_array *fused(mica_scope *s, mica_array *a, mica_array *b, mica_array *c)
{
    mica_array *x =
        mica_multiply(s, mica__cast(s, a, MICA_FLOAT64), mica__cast(s, b, MICA_FLOAT64));
    return mica__cast(s, mica_add(s, x, mica__cast(s, c, MICA_FLOAT64)), MICA_FLOAT32);
}

static mica_array *polynomial(mica_scope *s, mica_array *x, const double *coefficients, int n)
{
    mica_array *y = mica_scalar(s, coefficients[0], MICA_FLOAT32);
    for (int i = 1; i < n; i++) y = fused(s, y, x, mica_scalar(s, coefficients[i], MICA_FLOAT32));
    return y;
}

/* 2^k 2^r for x / ln 2 = k + r, |r| <= 1/2, with the coefficients of Cephes' exp2f. */
static mica_array *bound_exp(mica_scope *s, mica_array *x)
{
    static const double c[] = { 1.535336188319500e-4,
                                1.339887440266574e-3,
                                9.618437357674640e-3,
                                5.550332471162809e-2,
                                2.402264791363012e-1,
                                6.931472028550421e-1,
                                1 };
    x = mica_multiply(s, x, mica_scalar(s, 1.442695, MICA_FLOAT32));
    mica_array *k = mica_floor(s, mica_add(s, x, mica_number(s, 0.5)));
    mica_array *scale =
        mica_power(s, mica_scalar(s, 2, MICA_FLOAT64), mica__cast(s, k, MICA_FLOAT64));
    mica_array *y = polynomial(s, mica_subtract(s, x, k), c, 7);
    return mica_multiply(s, y, mica__cast(s, scale, MICA_FLOAT32));
}

/* The error function of the bounds. In float32 it is that of the reference to the bit (Abramowitz
 * and Stegun 7.1.26, off by at most 4e-7, each step rounded once): the draws follow the bounds'
 * last digits, so those of an exact one would differ by tens of units in the last place. */
static mica_array *bound_erf(mica_scope *s, mica_array *x)
{
    static const double c[] = { 1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592 };
    if (!x || x->dtype != MICA_FLOAT32) return mica_erf(s, x);
    mica_array *one = mica_scalar(s, 1, MICA_FLOAT32);
    mica_array *rate = mica_scalar(s, 0.3275911, MICA_FLOAT32);
    mica_array *t = mica_reciprocal(s, fused(s, mica_abs(s, x), rate, one));
    mica_array *e = bound_exp(s, mica_negative(s, mica_square(s, x)));
    mica_array *y = mica_negative(s, polynomial(s, t, c, 5));
    return mica_multiply(s, mica_sign(s, x), fused(s, y, mica_multiply(s, t, e), one));
}

mica_array *mica_random_truncated_normal(mica_scope *s, mica_array *lower, mica_array *upper,
                                         mica_dims shape, mica_dtype dtype, mica_array *key)
{
    if (!check_float(s, "truncated_normal", &dtype) || !check_key(s, "truncated_normal", key))
        return NULL;
    lower = mica__cast(s, lower, dtype);
    upper = mica__cast(s, upper, dtype);
    if (!lower || !upper) return NULL;
    int64_t joint[MICA_MAX_NDIM];
    if (shape.n < 0) {
        int n = mica__broadcast(mica__dims_of(lower), mica__dims_of(upper), joint);
        if (n < 0)
            return mica__error(
                s, MICA_EVALUE,
                "[random.truncated_normal] bounds of shapes %s and %s do not broadcast",
                mica__shape_text(mica__dims_of(lower)), mica__shape_text(mica__dims_of(upper)));
        shape = (mica_dims){ n, joint };
    }
    mica_array *root = mica_scalar(s, 1.4142135623730951, dtype);
    mica_array *a = bound_erf(s, mica_divide(s, lower, root)),
               *b = bound_erf(s, mica_divide(s, upper, root));
    mica_array *u = uniform(s, "truncated_normal", a, b, shape, dtype, key);
    mica_array *x = mica_multiply(s, root, mica_erfinv(s, u));
    return mica_maximum(s, mica_minimum(s, x, upper), lower);
}

static mica_array *minus_log(mica_scope *s, mica_array *x)
{
    return mica_negative(s, mica_log(s, x));
}

/* Where -log(u) is near 1 a rounding of it that differs from the reference's is many units of a
   result near 0: so it is rounded once, from float64, as a good logf does. */
mica_array *mica_random_gumbel(mica_scope *s, mica_dims shape, mica_dtype dtype, mica_array *key)
{
    mica_array *u = uniform(s, "gumbel", mica_number(s, 0), mica_number(s, 1), shape, dtype, key);
    if (!mica__ready(s, u)) return NULL;
    if (u->dtype != MICA_FLOAT32) return minus_log(s, minus_log(s, u));
    mica_array *wide = minus_log(s, mica__cast(s, u, MICA_FLOAT64));
    return minus_log(s, mica__cast(s, wide, MICA_FLOAT32));
}

mica_array *mica_random_laplace(mica_scope *s, mica_dims shape, mica_dtype dtype, double loc,
                                double scale, mica_array *key)
{
    if (!check_float(s, "laplace", &dtype)) return NULL;
    mica_array *u = uniform(s, "laplace", mica_number(s, -1 + 0x1p-24), mica_number(s, 1), shape,
                            MICA_FLOAT32, key);
    mica_array *x =
        mica_multiply(s, mica_sign(s, u), mica_log1p(s, mica_negative(s, mica_abs(s, u))));
    x = mica__cast(s, x, dtype);
    if (scale != 1) x = mica_multiply(s, x, mica_scalar(s, scale, dtype));
    if (loc != 0) x = mica_add(s, x, mica_scalar(s, loc, dtype));
    return x;
}

/* ---- choices ---- */

/* One distribution, many draws: invert its cumulative sum. */
static mica_array *draw_from_one(mica_scope *s, mica_array *logits, mica_dims shape,
                                 mica_array *key)
{
    mica_array *x = mica__reshape(s, logits, 1, (const int64_t[]){ logits->size });
    mica_array *w = mica_exp(s, mica_subtract(s, x, mica_max(s, x, MICA_ALL_AXES, true)));
    mica_array *before = mica_cumsum(s, w, 0, false, false, MICA_DEFAULT_DTYPE);
    mica_array *u =
        mica_multiply(s, unit(s, shape, MICA_FLOAT32, key), mica_sum(s, w, MICA_ALL_AXES, false));
    return mica_subtract(s, mica_searchsorted(s, before, u, "right"),
                         mica_scalar(s, 1, MICA_UINT32));
}

mica_array *mica_random_categorical(mica_scope *s, mica_array *logits, int axis, mica_dims shape,
                                    int64_t num_samples, mica_array *key)
{
    logits = mica__operand(s, logits);
    if (!mica__ready(s, logits) || !check_key(s, "categorical", key) ||
        !mica__check_axis(s, "categorical", MICA_EINDEX, logits, axis, &axis))
        return NULL;
    if (shape.n >= 0 && num_samples != MICA_NO_INTEGER)
        return mica__error(s, MICA_EVALUE,
                           "[random.categorical] shape and num_samples exclude each other");
    int64_t batch[MICA_MAX_NDIM], out[MICA_MAX_NDIM + 1], size;
    int n = 0;
    for (int i = 0; i < logits->ndim; i++)
        if (i != axis) batch[n++] = logits->shape[i];
    mica_dims given = { n, batch };
    bool samples = num_samples != MICA_NO_INTEGER;
    if (samples) { /* the samples are the last axis */
        memcpy(out, batch, (size_t)n * sizeof *out);
        out[n] = num_samples;
        given = (mica_dims){ n + 1, out };
    } else if (shape.n >= 0) {
        int64_t joint[MICA_MAX_NDIM];
        int all = shape.n >= MICA_MAX_NDIM ? -1 : mica__broadcast(shape, given, joint);
        if (all < 0 || !mica__shape_equal((mica_dims){ all, joint }, shape))
            return mica__error(
                s, MICA_EVALUE,
                "[random.categorical] distributions of shape %s do not broadcast to shape %s",
                mica__shape_text(given), mica__shape_text(shape));
        given = shape;
    }
    if (!mica__shape_size(given, &size))
        return mica__error(s, MICA_EVALUE, "[random.categorical] %s is no shape of an array",
                           mica__shape_text(given));
    if (logits->size == logits->shape[axis] && given.n > 0 && logits->size > 0)
        return draw_from_one(s, mica__cast(s, logits, mica__float_dtype((mica_dtype)logits->dtype)),
                             given, key);
    /* The largest of logits with Gumbel noise added. The noise has the distribution's axis where
     * the logits have it. */
    int64_t noise[MICA_MAX_NDIM + 1];
    int at = samples ? axis : (int)given.n - n + axis;
    for (int64_t i = 0, k = 0; i <= given.n; i++)
        noise[i] = i == at ? logits->shape[axis] : given.at[k++];
    if (given.n + 1 > MICA_MAX_NDIM)
        return mica__error(s, MICA_EVALUE, "[random.categorical] too many axes");
    if (samples) logits = mica_expand_dims(s, logits, MICA_AXES(-1));
    mica_array *u = uniform(s, "categorical", mica_number(s, 0), mica_number(s, 1),
                            (mica_dims){ given.n + 1, noise }, MICA_FLOAT32, key);
    return mica_argmax(s, mica_add(s, minus_log(s, minus_log(s, u)), logits), at, false);
}

mica_array *mica_random_permutation_of(mica_scope *s, int64_t n, mica_array *key)
{
    if (!check_key(s, "permutation", key)) return NULL;
    return mica_argsort(s, mica_random_bits(s, MICA_SHAPE(n), 4, key), -1);
}

mica_array *mica_random_permutation(mica_scope *s, mica_array *x, int axis, mica_array *key)
{
    x = mica__operand(s, x);
    if (!mica__ready(s, x) || !mica__check_axis(s, "permutation", MICA_EINDEX, x, axis, &axis))
        return NULL;
    return mica_take(s, x, mica_random_permutation_of(s, x->shape[axis], key), axis);
}
