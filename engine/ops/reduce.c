/* Builders of reductions: which types they add up in, and what is made of sums, sorted sequences
 * and exponentials. */
#include "ops/shape.h"

/* A reduction in one node: `out` is its result's type; the reduced axes are removed unless they are
 * to be kept. */
static mica_array *reduce(mica_scope *s, mica_prim prim, mica_array *a, int n, const int64_t *axes,
                          bool keepdims, mica_dtype out)
{
    if (!mica__ready(s, a)) return NULL;
    int64_t shape[MICA_MAX_NDIM];
    for (int i = 0; i < a->ndim; i++) shape[i] = a->shape[i];
    for (int i = 0; i < n; i++) shape[axes[i]] = 1;
    struct mica__sum_params p = { .axes = {
                                      n, axes } }; /* all REDUCE primitives have the same field */
    mica_array *r = mica__build(s, prim, &p, 1, &a, out, (mica_dims){ a->ndim, shape });
    return keepdims ? r : mica__squeeze_axes(s, r, n, axes);
}

/* Operand and axes of a reduction. Returns the number of axes, -1 on failure. */
static int begin(mica_scope *s, const char *name, mica_array **a, mica_dims axis, int64_t *axes)
{
    *a = mica__operand(s, *a);
    if (!mica__ready(s, *a)) return -1;
    /* The reference calls an axis of a 0-d array a wrong value in these two alone. */
    bool value =
        (*a)->ndim == 0 && (strcmp(name, "softmax") == 0 || strcmp(name, "logsumexp") == 0);
    return mica__check_axes(s, name, value ? MICA_EVALUE : MICA_EINDEX, *a, axis, axes);
}

/* Number of elements that go into one result. */
static int64_t reduced_count(const mica_array *a, int n, const int64_t *axes)
{
    int64_t count = 1;
    for (int i = 0; i < n; i++) count *= a->shape[axes[i]];
    return count;
}

/* ---- in one node ---- */

mica_dtype mica__sum_dtype(mica_dtype d)
{
    switch (d) {
    case MICA_BOOL:
    case MICA_INT8:
    case MICA_INT16: return MICA_INT32;
    case MICA_UINT8:
    case MICA_UINT16: return MICA_UINT32;
    default: return d;
    }
}

static mica_array *widening(mica_scope *s, mica_prim prim, mica_array *a, mica_dims axis,
                            bool keepdims)
{
    int64_t axes[MICA_MAX_NDIM];
    int n = begin(s, mica__prims[prim].name, &a, axis, axes);
    if (n <= 0) return n < 0 ? NULL : a; /* over no axes: the input as it is, whatever its type */
    return reduce(s, prim, a, n, axes, keepdims, mica__sum_dtype((mica_dtype)a->dtype));
}

mica_array *mica_sum(mica_scope *s, mica_array *a, mica_dims axis, bool keepdims)
{
    return widening(s, mica_prim_sum, a, axis, keepdims);
}
mica_array *mica_prod(mica_scope *s, mica_array *a, mica_dims axis, bool keepdims)
{
    return widening(s, mica_prim_prod, a, axis, keepdims);
}

static mica_array *extremum(mica_scope *s, mica_prim prim, mica_array *a, mica_dims axis,
                            bool keepdims)
{
    int64_t axes[MICA_MAX_NDIM];
    int n = begin(s, mica__prims[prim].name, &a, axis, axes);
    if (n < 0 || axis.n == 0) return n < 0 ? NULL : a;
    for (int i = 0; i < n; i++)
        if (a->shape[axes[i]] == 0)
            return mica__error(s, MICA_EVALUE, "[%s] axis %d of shape %s is empty and has no %s",
                               mica__prims[prim].name, (int)axes[i],
                               mica__shape_text(mica__dims_of(a)), mica__prims[prim].name);
    return reduce(s, prim, a, n, axes, keepdims, (mica_dtype)a->dtype);
}

mica_array *mica_max(mica_scope *s, mica_array *a, mica_dims axis, bool keepdims)
{
    return extremum(s, mica_prim_max, a, axis, keepdims);
}
mica_array *mica_min(mica_scope *s, mica_array *a, mica_dims axis, bool keepdims)
{
    return extremum(s, mica_prim_min, a, axis, keepdims);
}

mica_arrays mica_minmax(mica_scope *s, mica_array *a, mica_dims axis, bool keepdims)
{
    mica_array **out = mica__scope_alloc(s, 2 * sizeof *out);
    if (out) {
        out[0] = mica_min(s, a, axis, keepdims);
        out[1] = mica_max(s, a, axis, keepdims);
    }
    return out && out[0] && out[1] ? (mica_arrays){ 2, out } : (mica_arrays){ 0, NULL };
}

static mica_array *truth(mica_scope *s, mica_prim prim, mica_array *a, mica_dims axis,
                         bool keepdims)
{
    int64_t axes[MICA_MAX_NDIM];
    int n = begin(s, mica__prims[prim].name, &a, axis, axes);
    if (n < 0) return NULL;
    return axis.n == 0 ? mica__cast(s, a, MICA_BOOL)
                       : reduce(s, prim, a, n, axes, keepdims, MICA_BOOL);
}

mica_array *mica_all(mica_scope *s, mica_array *a, mica_dims axis, bool keepdims)
{
    return truth(s, mica_prim_all, a, axis, keepdims);
}
mica_array *mica_any(mica_scope *s, mica_array *a, mica_dims axis, bool keepdims)
{
    return truth(s, mica_prim_any, a, axis, keepdims);
}

mica_array *mica_count_nonzero(mica_scope *s, mica_array *a, mica_dims axis, bool keepdims)
{
    int64_t axes[MICA_MAX_NDIM];
    int n = begin(s, "count_nonzero", &a, axis, axes);
    if (n < 0) return NULL;
    mica_array *nonzero = mica_not_equal(
        s, a, mica_integer(s, 0)); /* not a cast, through which a derivative would pass */
    return axis.n == 0 ? mica__cast(s, nonzero, MICA_INT32)
                       : reduce(s, mica_prim_sum, nonzero, n, axes, keepdims, MICA_INT32);
}

static mica_array *arg_extremum(mica_scope *s, mica_prim prim, mica_array *a, int axis,
                                bool keepdims)
{
    const char *name = mica__prims[prim].name;
    a = mica__operand(s, a);
    if (!mica__ready(s, a)) return NULL;
    if (a->size == 0)
        return mica__error(s, MICA_EVALUE, "[%s] shape %s has no elements", name,
                           mica__shape_text(mica__dims_of(a)));
    int64_t shape[MICA_MAX_NDIM];
    int ndim = a->ndim;
    if (axis == MICA_FLATTEN) a = mica__reshape(s, a, 1, (const int64_t[]){ a->size });
    else if (!mica__check_axis(s, name, MICA_EINDEX, a, axis, &axis)) return NULL;
    if (!a) return NULL;
    for (int i = 0; i < MICA_MAX_NDIM; i++) shape[i] = i < a->ndim ? a->shape[i] : 1;
    bool flat = axis == MICA_FLATTEN;
    if (flat) axis = 0;
    if (a->shape[axis] > UINT32_MAX)
        return mica__error(s, MICA_EOVERFLOW,
                           "[%s] %lld elements are more than a uint32 index can tell apart", name,
                           (long long)a->shape[axis]);
    shape[axis] = 1;
    struct mica__argmax_params p = { .axis = axis };
    mica_array *r = mica__build(s, prim, &p, 1, &a, MICA_UINT32, (mica_dims){ a->ndim, shape });
    if (flat) return mica__reshape(s, r, keepdims ? ndim : 0, shape);
    return keepdims ? r : mica__squeeze_axes(s, r, 1, (const int64_t[]){ axis });
}

mica_array *mica_argmax(mica_scope *s, mica_array *a, int axis, bool keepdims)
{
    return arg_extremum(s, mica_prim_argmax, a, axis, keepdims);
}
mica_array *mica_argmin(mica_scope *s, mica_array *a, int axis, bool keepdims)
{
    return arg_extremum(s, mica_prim_argmin, a, axis, keepdims);
}

/* ---- moments ---- */

/* The type in which a mean is worked out: halves in float32; integers add up in float64, where they
 * do not overflow. */
static mica_dtype mean_work(mica_dtype d)
{
    return mica__is_half(d) ? MICA_FLOAT32 : mica__is_inexact(d) ? d : MICA_FLOAT64;
}

/* total / (count - ddof), where `count` elements of a went into each result. Where sizes vary the
   graph counts them itself: a number would stay that of the trace. */
static mica_array *divided(mica_scope *s, mica_array *total, mica_array *a, int n,
                           const int64_t *axes, bool keepdims, int64_t ddof)
{
    if (!mica__ready(s, total) || !a) return NULL;
    if (!mica__sizes_vary) {
        double count = (double)reduced_count(a, n, axes) - (double)ddof;
        return mica_multiply(s, total, mica_number(s, 1.0 / (count > 0 || !ddof ? count : 0.0)));
    }
    /* In float64 and as a factor, so that the bits are those of the number. */
    mica_array *each = mica_logical_or(s, mica_equal(s, a, a), mica_not_equal(s, a, a));
    mica_array *count = reduce(s, mica_prim_sum, mica__cast(s, each, MICA_FLOAT64), n, axes,
                               keepdims, MICA_FLOAT64);
    if (ddof)
        count = mica_maximum(s, mica_subtract(s, count, mica_integer(s, ddof)), mica_integer(s, 0));
    mica_array *factor = count ? mica_divide(s, mica_number(s, 1), count) : NULL;
    mica_dtype d = total->dtype == MICA_COMPLEX64 ? MICA_FLOAT32 : (mica_dtype)total->dtype;
    return factor ? mica_multiply(s, total, mica__cast(s, factor, d)) : NULL;
}

/* The mean in the working type. */
static mica_array *wide_mean(mica_scope *s, mica_array *a, int n, const int64_t *axes,
                             bool keepdims)
{
    if (!mica__ready(s, a)) return NULL;
    mica_array *total =
        reduce(s, mica_prim_sum, a, n, axes, keepdims, mean_work((mica_dtype)a->dtype));
    return divided(s, total, a, n, axes, keepdims, 0);
}

mica_array *mica_mean(mica_scope *s, mica_array *a, mica_dims axis, bool keepdims)
{
    int64_t axes[MICA_MAX_NDIM];
    int n = begin(s, "mean", &a, axis, axes);
    if (n < 0) return NULL;
    mica_dtype out = mica__float_dtype((mica_dtype)a->dtype);
    return n == 0 ? mica__cast(s, a, out) : mica__cast(s, wide_mean(s, a, n, axes, keepdims), out);
}

/* The variance in float32 or float64. */
static mica_array *wide_var(mica_scope *s, mica_array *a, int n, const int64_t *axes, bool keepdims,
                            int64_t ddof)
{
    mica_dtype work = mean_work((mica_dtype)a->dtype);
    mica_array *x = mica__cast(s, a, work);
    mica_array *d = mica_subtract(s, x, wide_mean(s, x, n, axes, true));
    mica_array *squares = mica__abs_square(s, d);
    if (!squares) return NULL;
    mica_array *total =
        n ? reduce(s, mica_prim_sum, squares, n, axes, keepdims, (mica_dtype)squares->dtype)
          : squares;
    return divided(s, total, squares, n, axes, keepdims, ddof);
}

static mica_array *deviation(mica_scope *s, const char *name, mica_array *a, mica_dims axis,
                             bool keepdims, int64_t ddof, int64_t correction, bool root)
{
    int64_t axes[MICA_MAX_NDIM];
    int n = begin(s, name, &a, axis, axes);
    if (n < 0) return NULL;
    mica_dtype out = mica__float_dtype((mica_dtype)a->dtype);
    mica_array *v =
        wide_var(s, a, n, axes, keepdims, correction == MICA_NO_INTEGER ? ddof : correction);
    return mica__cast(s, root ? mica_sqrt(s, v) : v, out == MICA_COMPLEX64 ? MICA_FLOAT32 : out);
}

mica_array *mica_var(mica_scope *s, mica_array *a, mica_dims axis, bool keepdims, int64_t ddof,
                     int64_t correction)
{
    return deviation(s, "var", a, axis, keepdims, ddof, correction, false);
}

mica_array *mica_std(mica_scope *s, mica_array *a, mica_dims axis, bool keepdims, int64_t ddof,
                     int64_t correction)
{
    return deviation(s, "std", a, axis, keepdims, ddof, correction, true);
}

/* ---- along joined axes ---- */

/* a as a float, with the reduced axes joined into the last one. */
static mica_array *joined(mica_scope *s, mica_array *a, int n, const int64_t *axes)
{
    if (!mica__ready(s, a)) return NULL;
    return mica__axes_last(s, mica__cast(s, a, mica__float_dtype((mica_dtype)a->dtype)), n, axes);
}

static mica_array *finish(mica_scope *s, mica_array *result, const mica_array *a, int n,
                          const int64_t *axes, bool keepdims)
{
    mica_array *r = mica__axes_restore(s, result, a, n, axes);
    return keepdims ? r : mica__squeeze_axes(s, r, n, axes);
}

mica_array *mica_median(mica_scope *s, mica_array *a, mica_dims axis, bool keepdims)
{
    int64_t axes[MICA_MAX_NDIM];
    int n = begin(s, "median", &a, axis, axes);
    if (n < 0) return NULL;
    if (n == 0) return mica__cast(s, a, mica__float_dtype((mica_dtype)a->dtype));
    int64_t count = reduced_count(a, n, axes);
    if (count == 0)
        return mica__error(s, MICA_EVALUE, "[median] shape %s is empty along the axes",
                           mica__shape_text(mica__dims_of(a)));
    mica_array *x = joined(s, a, n, axes);
    if (!x) return NULL;
    int last = x->ndim - 1;
    mica_array *sorted = mica_sort(s, x, last);
    mica_array *middle = mica__slice_axis(s, sorted, last, (count - 1) / 2, 1);
    if (count % 2 == 0)
        middle =
            mica_multiply(s, mica_add(s, middle, mica__slice_axis(s, sorted, last, count / 2, 1)),
                          mica_number(s, 0.5));
    /* NaN sorts to the end: if there is one, it is there. */
    mica_array *largest = mica__slice_axis(s, sorted, last, count - 1, 1);
    return finish(s, mica_where(s, mica_isnan(s, largest), largest, middle), a, n, axes, keepdims);
}

mica_array *mica_logsumexp(mica_scope *s, mica_array *a, mica_dims axis, bool keepdims)
{
    int64_t axes[MICA_MAX_NDIM];
    int n = begin(s, "logsumexp", &a, axis, axes);
    if (n < 0) return NULL;
    if (a->size == 0)
        return mica__error(s, MICA_EVALUE, "[logsumexp] shape %s has no elements",
                           mica__shape_text(mica__dims_of(a)));
    if (n == 0 && a->ndim > 0) return mica__cast(s, a, mica__float_dtype((mica_dtype)a->dtype));
    mica_array *x = joined(s, a, n, axes);
    if (!x) return NULL;
    if (x->dtype == MICA_COMPLEX64) { /* rare: composed of what complex numbers have */
        mica_array *top = mica_stop_gradient(s, mica_max(s, x, MICA_AXES(-1), true));
        mica_array *total = mica_sum(s, mica_exp(s, mica_subtract(s, x, top)), MICA_AXES(-1), true);
        return finish(s, mica_add(s, mica_log(s, total), top), a, n, axes, keepdims);
    }
    int64_t shape[MICA_MAX_NDIM];
    for (int i = 0; i < x->ndim; i++) shape[i] = x->shape[i];
    shape[x->ndim - 1] = 1;
    mica_array *r = mica__build(s, mica_prim_logsumexp, NULL, 1, &x, (mica_dtype)x->dtype,
                                (mica_dims){ x->ndim, shape });
    return finish(s, r, a, n, axes, keepdims);
}

mica_array *mica_softmax(mica_scope *s, mica_array *a, mica_dims axis, bool precise)
{
    int64_t axes[MICA_MAX_NDIM];
    int n = begin(s, "softmax", &a, axis, axes);
    if (n < 0) return NULL;
    mica_dtype given = (mica_dtype)a->dtype, out = mica__float_dtype(given);
    if (a->size == 0) return a;
    mica_array *x = joined(s, a, n, axes);
    if (!x) return NULL;
    mica_array *r;
    if (x->dtype == MICA_COMPLEX64) {
        mica_array *top = mica_stop_gradient(s, mica_max(s, x, MICA_AXES(-1), true));
        mica_array *e = mica_exp(s, mica_subtract(s, x, top));
        r = mica_divide(s, e, mica_sum(s, e, MICA_AXES(-1), true));
    } else {
        struct mica__softmax_params p = { .precise = precise };
        r = mica__build(s, mica_prim_softmax, &p, 1, &x, out, mica__dims_of(x));
    }
    r = mica__axes_restore(s, r, a, n, axes);
    /* As the reference: only over the last axis alone (others of size 1 aside) do integers stay the
     * floats that they became. */
    bool last = n > 0 && axes[n - 1] == a->ndim - 1;
    for (int i = 0; i + 1 < n; i++) last &= a->shape[axes[i]] == 1;
    return mica__cast(s, r, last ? out : given);
}
