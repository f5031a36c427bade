/* Builders of Fourier transforms: each axis is one node. Lengths are made to fit before (padding
   with zeros, cutting), types too: complex64, and float32 on the real side. */
#include <math.h>

#include "ops/shape.h"

typedef enum kind { FORWARD, INVERSE, REAL_FORWARD, REAL_INVERSE } kind;

/* What one transform of length n is multiplied with. NaN, and the scope is marked: no such norm. */
static double scale_of(mica_scope *s, const char *name, const char *norm, kind k, double n)
{
    bool inverse = k == INVERSE || k == REAL_INVERSE;
    if (norm && strcmp(norm, "ortho") == 0) return 1 / sqrt(n);
    if (norm && strcmp(norm, "backward") == 0) return inverse ? 1 / n : 1;
    if (norm && strcmp(norm, "forward") == 0) return inverse ? 1 : 1 / n;
    mica__error(s, MICA_EVALUE,
                "[%s] norm '%s' is unknown; there are 'backward', 'ortho' and 'forward'", name,
                norm ? norm : "");
    return NAN;
}

/* a with `count` elements along an axis: cut, or followed by zeros. */
static mica_array *fit(mica_scope *s, mica_array *a, int axis, int64_t count)
{
    int64_t low[MICA_MAX_NDIM] = { 0 }, high[MICA_MAX_NDIM] = { 0 };
    if (!a || a->shape[axis] == count) return a;
    if (a->shape[axis] > count) return mica__slice_axis(s, a, axis, 0, count);
    high[axis] = count - a->shape[axis];
    return mica_pad(s, a, (mica_dims){ a->ndim, low }, (mica_dims){ a->ndim, high }, "constant",
                    mica_integer(s, 0));
}

/* One axis; n elements on the long side. */
static mica_array *along(mica_scope *s, const char *name, kind k, mica_array *a, int axis,
                         int64_t n, const char *norm)
{
    double scale = scale_of(s, name, norm, k, (double)n);
    if (!a || isnan(scale)) return NULL;
    if (n > (int64_t)1 << 56)
        return mica__error(s, MICA_EOVERFLOW, "[%s] a transform of %lld elements is too long", name,
                           (long long)n);
    int64_t shape[MICA_MAX_NDIM];
    memcpy(shape, a->shape, (size_t)a->ndim * sizeof *shape);
    mica_dims out = { a->ndim, shape };
    if (k == REAL_FORWARD) {
        struct mica__rfft_params p = { .axis = axis, .scale = scale };
        a = mica__cast(s, fit(s, a, axis, n), MICA_FLOAT32);
        shape[axis] = n / 2 + 1;
        return a ? mica__build(s, mica_prim_rfft, &p, 1, &a, MICA_COMPLEX64, out) : NULL;
    }
    if (k == REAL_INVERSE) {
        struct mica__irfft_params p = { .axis = axis, .n = n, .scale = scale };
        a = mica__cast(s, fit(s, a, axis, n / 2 + 1), MICA_COMPLEX64);
        shape[axis] = n;
        return a ? mica__build(s, mica_prim_irfft, &p, 1, &a, MICA_FLOAT32, out) : NULL;
    }
    struct mica__fft_params p = { .axis = axis, .inverse = k == INVERSE, .scale = scale };
    a = mica__cast(s, fit(s, a, axis, n), MICA_COMPLEX64);
    shape[axis] = n;
    return a ? mica__build(s, mica_prim_fft, &p, 1, &a, MICA_COMPLEX64, out) : NULL;
}

/* Axes in the order given, each once, and the sizes of the transforms along them. */
static bool check(mica_scope *s, const char *name, kind k, const mica_array *a, mica_dims sizes,
                  mica_dims axes, int64_t n[MICA_MAX_NDIM], int at[MICA_MAX_NDIM])
{
    bool seen[MICA_MAX_NDIM] = { false };
    if (sizes.n >= 0 && sizes.n != axes.n)
        return mica__error(s, MICA_EVALUE, "[%s] s has %lld sizes for %lld axes", name,
                           (long long)sizes.n, (long long)axes.n);
    for (int64_t i = 0; i < axes.n; i++) {
        int64_t axis = axes.at[i];
        if (axis < -a->ndim || axis >= a->ndim)
            return mica__error(s, MICA_EINDEX,
                               "[%s] axis %lld is out of range for an array of shape %s", name,
                               (long long)axis, mica__shape_text(mica__dims_of(a)));
        int normal = (int)(axis < 0 ? axis + a->ndim : axis);
        if (seen[normal])
            return mica__error(s, MICA_EVALUE, "[%s] axis %lld is given twice", name,
                               (long long)axis);
        seen[normal] = true;
        at[i] = normal;
    }
    for (int64_t i = 0; i < axes.n; i++) {
        bool halved = k == REAL_INVERSE && i == axes.n - 1;
        int64_t size = a->shape[at[i]];
        n[i] = sizes.n >= 0 ? sizes.at[i] : halved ? 2 * (size - 1) : size;
        if (n[i] < 1)
            return mica__error(s, MICA_EVALUE,
                               "[%s] a transform of %lld elements along axis %lld of shape %s; at "
                               "least 1 is needed",
                               name, (long long)n[i], (long long)axes.at[i],
                               mica__shape_text(mica__dims_of(a)));
    }
    return true;
}

static mica_array *along_axes(mica_scope *s, const char *name, kind k, mica_array *a,
                              mica_dims sizes, mica_dims axes, const char *norm)
{
    int64_t n[MICA_MAX_NDIM], every[MICA_MAX_NDIM];
    int at[MICA_MAX_NDIM];
    a = mica__operand(s, a);
    if (!mica__ready(s, a) || isnan(scale_of(s, name, norm, k, 1))) return NULL;
    if (a->ndim == 0 && axes.n <= 0)
        return mica__error(s, MICA_EVALUE, "[%s] a must have at least one axis but has shape ()",
                           name);
    if (axes.n < 0) {
        for (int i = 0; i < a->ndim; i++) every[i] = i;
        axes = (mica_dims){ a->ndim, every };
    }
    if (!check(s, name, k, a, sizes, axes, n, at)) return NULL;
    int64_t last = axes.n - 1;
    if (last < 0) return a;
    /* The real side is the last axis: first on the way there, last on the way back. */
    kind plain = k == FORWARD || k == REAL_FORWARD ? FORWARD : INVERSE;
    if (k == REAL_FORWARD) a = along(s, name, k, a, at[last], n[last], norm);
    for (int64_t i = k == plain ? last : last - 1; i >= 0; i--)
        a = along(s, name, plain, a, at[i], n[i], norm);
    if (k == REAL_INVERSE) a = along(s, name, k, a, at[last], n[last], norm);
    return a;
}

/* As the reference has it, the functions of n axes want axes where s is given. */
static mica_array *along_all(mica_scope *s, const char *name, kind k, mica_array *a,
                             mica_dims sizes, mica_dims axes, const char *norm)
{
    if (sizes.n >= 0 && axes.n < 0)
        return mica__error(s, MICA_EVALUE, "[%s] s needs axes, which say what its sizes belong to",
                           name);
    return along_axes(s, name, k, a, sizes, axes, norm);
}

#define TRANSFORMS(name, kind)                                                                     \
    mica_array *mica_fft_##name(mica_scope *s, mica_array *a, int64_t n, int axis,                 \
                                const char *norm)                                                  \
    {                                                                                              \
        mica_dims sizes = n == MICA_NO_INTEGER ? (mica_dims){ -1, NULL } : MICA_SHAPE(n);          \
        return along_axes(s, #name, kind, a, sizes, MICA_SHAPE(axis), norm);                       \
    }                                                                                              \
    mica_array *mica_fft_##name##2(mica_scope * s, mica_array * a, mica_dims sizes,                \
                                   mica_dims axes, const char *norm)                               \
    {                                                                                              \
        return along_axes(s, #name "2", kind, a, sizes, axes, norm);                               \
    }                                                                                              \
    mica_array *mica_fft_##name##n(mica_scope *s, mica_array *a, mica_dims sizes, mica_dims axes,  \
                                   const char *norm)                                               \
    {                                                                                              \
        return along_all(s, #name "n", kind, a, sizes, axes, norm);                                \
    }
TRANSFORMS(fft, FORWARD)
TRANSFORMS(ifft, INVERSE)
TRANSFORMS(rfft, REAL_FORWARD)
TRANSFORMS(irfft, REAL_INVERSE)

/* ---- order and frequencies ---- */

/* Turns each axis by half its size; `more`: by the larger half. An axis given twice turns twice. */
static mica_array *shift(mica_scope *s, const char *name, mica_array *a, mica_dims axes, bool more)
{
    int64_t every[MICA_MAX_NDIM];
    a = mica__operand(s, a);
    if (!mica__ready(s, a)) return NULL;
    if (axes.n < 0) {
        for (int i = 0; i < a->ndim; i++) every[i] = i;
        axes = (mica_dims){ a->ndim, every };
    }
    for (int64_t i = 0; i < axes.n; i++)
        if (axes.at[i] < -a->ndim || axes.at[i] >= a->ndim)
            return mica__error(s, MICA_EINDEX,
                               "[%s] axis %lld is out of range for an array of shape %s", name,
                               (long long)axes.at[i], mica__shape_text(mica__dims_of(a)));
    for (int64_t i = 0; i < axes.n && a; i++) {
        int64_t axis = axes.at[i] < 0 ? axes.at[i] + a->ndim : axes.at[i], size = a->shape[axis];
        a = mica_roll(s, a, MICA_SHAPE(more ? size - size / 2 : size / 2), MICA_AXES(axis));
    }
    return a;
}

mica_array *mica_fft_fftshift(mica_scope *s, mica_array *a, mica_dims axes)
{
    return shift(s, "fftshift", a, axes, false);
}
mica_array *mica_fft_ifftshift(mica_scope *s, mica_array *a, mica_dims axes)
{
    return shift(s, "ifftshift", a, axes, true);
}

/* k / (n d) for `count` numbers from `first`, rounded once. */
static mica_array *frequencies(mica_scope *s, int64_t first, int64_t count, int64_t n, double d)
{
    mica_array *k = mica_arange_integer(s, first, first + count, 1, MICA_INT64);
    k = mica_multiply(s, mica__cast(s, k, MICA_FLOAT64),
                      mica_scalar(s, 1 / ((double)n * d), MICA_FLOAT64));
    return mica__cast(s, k, MICA_FLOAT32);
}

static bool sampled(mica_scope *s, const char *name, int64_t n, double d)
{
    if (!mica__scope_ok(s)) return false;
    if (n < 1)
        return mica__error(s, MICA_EVALUE, "[%s] n must be at least 1, not %lld", name,
                           (long long)n);
    if (d == 0) return mica__error(s, MICA_EVALUE, "[%s] the sample spacing d cannot be 0", name);
    return true;
}

mica_array *mica_fft_fftfreq(mica_scope *s, int64_t n, double d)
{
    if (!sampled(s, "fftfreq", n, d)) return NULL;
    mica_array *parts[2] = { frequencies(s, 0, n - n / 2, n, d),
                             frequencies(s, -(n / 2), n / 2, n, d) };
    return parts[0] && parts[1] ? mica__concatenate(s, 2, parts, 0) : NULL;
}

mica_array *mica_fft_rfftfreq(mica_scope *s, int64_t n, double d)
{
    return sampled(s, "rfftfreq", n, d) ? frequencies(s, 0, n / 2 + 1, n, d) : NULL;
}
