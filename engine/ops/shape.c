/* Builders that change an array's shape without touching its elements. A view that would change
 * nothing is the input itself. */
#include "ops/shape.h"

static mica_array *build_view(mica_scope *s, mica_prim prim, const void *params, mica_array *a,
                              int64_t n, const int64_t *shape)
{
    return mica__build(s, prim, params, 1, &a, (mica_dtype)a->dtype, (mica_dims){ n, shape });
}

/* ---- reshape ---- */

mica_array *mica__reshape(mica_scope *s, mica_array *a, int64_t n, const int64_t *shape)
{
    if (!mica__ready(s, a)) return NULL;
    if (!mica__sizes_vary && mica__shape_equal(mica__dims_of(a), (mica_dims){ n, shape })) return a;
    struct mica__reshape_params p = { .shape = { n, shape } };
    return build_view(s, mica_prim_reshape, &p, a, n, shape);
}

/* Fills in the size given as -1 so that the product is `size`. `what` names what is reshaped in
 * messages. */
static bool infer_size(mica_scope *s, const char *name, int64_t size, mica_dims shape, int64_t *out)
{
    int unknown = -1;
    int64_t known = 1;
    bool overflow = false;
    for (int64_t i = 0; i < shape.n; i++) {
        out[i] = shape.at[i];
        if (out[i] != -1) {
            if (out[i] < 0) overflow = true;
            else if (out[i] && __builtin_mul_overflow(known, out[i], &known)) overflow = true;
            if (out[i] == 0) known = 0;
        } else if (unknown >= 0) {
            return mica__error(s, MICA_EVALUE,
                               "[%s] shape %s has more than one -1; only one size can be inferred",
                               name, mica__shape_text(shape));
        } else {
            unknown = (int)i;
        }
    }
    if (!overflow && unknown >= 0 && known > 0 && size % known == 0) {
        out[unknown] = size / known;
        return true;
    }
    if (!overflow && unknown < 0 && known == size) return true;
    return mica__error(s, MICA_EVALUE, "[%s] %lld elements do not fit into shape %s", name,
                       (long long)size, mica__shape_text(shape));
}

static bool check_ndim(mica_scope *s, const char *name, int64_t n)
{
    if (n >= 0 && n <= MICA_MAX_NDIM) return true;
    return mica__error(s, MICA_EVALUE, "[%s] %lld axes: an array has 0 to %d", name, (long long)n,
                       MICA_MAX_NDIM);
}

mica_array *mica_reshape(mica_scope *s, mica_array *a, mica_dims shape)
{
    a = mica__operand(s, a);
    int64_t out[MICA_MAX_NDIM];
    if (!mica__ready(s, a) || !check_ndim(s, "reshape", shape.n) ||
        !infer_size(s, "reshape", a->size, shape, out))
        return NULL;
    return mica__reshape(s, a, shape.n, out);
}

mica_array *mica_flatten(mica_scope *s, mica_array *a, int start_axis, int end_axis)
{
    a = mica__operand(s, a);
    if (!mica__ready(s, a)) return NULL;
    if (a->ndim == 0) return mica__reshape(s, a, 1, (const int64_t[]){ 1 });
    int start = start_axis < 0 ? start_axis + a->ndim : start_axis,
        end = end_axis < 0 ? end_axis + a->ndim : end_axis;
    if (start < 0) start = 0;
    if (end >= a->ndim) end = a->ndim - 1;
    if (start >= a->ndim)
        return mica__error(s, MICA_EVALUE, "[flatten] start_axis %d is out of range for shape %s",
                           start_axis, mica__shape_text(mica__dims_of(a)));
    if (start > end)
        return mica__error(s, MICA_EVALUE, "[flatten] start_axis %d comes after end_axis %d",
                           start_axis, end_axis);
    int64_t out[MICA_MAX_NDIM], joined = 1;
    int n = 0;
    for (int i = 0; i < start; i++) out[n++] = a->shape[i];
    for (int i = start; i <= end; i++) joined *= a->shape[i];
    out[n++] = joined;
    for (int i = end + 1; i < a->ndim; i++) out[n++] = a->shape[i];
    return mica__reshape(s, a, n, out);
}

mica_array *mica_unflatten(mica_scope *s, mica_array *a, int axis, mica_dims shape)
{
    a = mica__operand(s, a);
    if (!mica__ready(s, a) || !mica__check_axis(s, "unflatten", MICA_EINDEX, a, axis, &axis))
        return NULL;
    if (shape.n < 1)
        return mica__error(s, MICA_EVALUE,
                           "[unflatten] the shape to unflatten axis %d into is empty", axis);
    int64_t out[2 * MICA_MAX_NDIM];
    if (!check_ndim(s, "unflatten", shape.n + a->ndim - 1)) return NULL;
    for (int i = 0; i < axis; i++) out[i] = a->shape[i];
    if (!infer_size(s, "unflatten", a->shape[axis], shape, out + axis)) return NULL;
    for (int i = axis + 1; i < a->ndim; i++) out[i + shape.n - 1] = a->shape[i];
    return mica__reshape(s, a, a->ndim + shape.n - 1, out);
}

/* ---- axes of size 1 ---- */

mica_array *mica__squeeze_axes(mica_scope *s, mica_array *a, int64_t n, const int64_t *axes)
{
    if (!mica__ready(s, a) || n == 0) return a;
    int64_t out[MICA_MAX_NDIM], next = 0, kept = 0;
    for (int i = 0; i < a->ndim; i++)
        if (next < n && axes[next] == i) next++;
        else out[kept++] = a->shape[i];
    struct mica__squeeze_params p = { .axes = { n, axes } };
    return build_view(s, mica_prim_squeeze, &p, a, kept, out);
}

mica_array *mica_squeeze(mica_scope *s, mica_array *a, mica_dims axis)
{
    a = mica__operand(s, a);
    if (!mica__ready(s, a)) return NULL;
    int64_t axes[MICA_MAX_NDIM];
    int n = 0;
    if (axis.n < 0) {
        for (int i = 0; i < a->ndim; i++)
            if (a->shape[i] == 1) axes[n++] = i;
        return mica__squeeze_axes(s, a, n, axes);
    }
    n = mica__check_axes(s, "squeeze", MICA_EINDEX, a, axis, axes);
    if (n < 0) return NULL;
    for (int i = 0; i < n; i++)
        if (a->shape[axes[i]] != 1)
            return mica__error(s, MICA_EVALUE, "[squeeze] axis %d of shape %s has size %lld, not 1",
                               (int)axes[i], mica__shape_text(mica__dims_of(a)),
                               (long long)a->shape[axes[i]]);
    return mica__squeeze_axes(s, a, n, axes);
}

mica_array *mica_expand_dims(mica_scope *s, mica_array *a, mica_dims axis)
{
    a = mica__operand(s, a);
    if (!mica__ready(s, a)) return NULL;
    if (axis.n < 0)
        return mica__error(s, MICA_ETYPE, "[expand_dims] the axes to insert must be given");
    int64_t ndim = a->ndim + axis.n, out[MICA_MAX_NDIM], axes[MICA_MAX_NDIM];
    if (!check_ndim(s, "expand_dims", ndim)) return NULL;
    bool inserted[MICA_MAX_NDIM] = { false };
    for (int64_t i = 0; i < axis.n; i++)
        if (axis.at[i] < -ndim || axis.at[i] >= ndim)
            return mica__error(
                s, MICA_EINDEX,
                "[expand_dims] axis %lld is out of range for a result with %lld dimensions",
                (long long)axis.at[i], (long long)ndim);
    for (int64_t i = 0; i < axis.n; i++) {
        int64_t at = axis.at[i] < 0 ? axis.at[i] + ndim : axis.at[i];
        if (inserted[at])
            return mica__error(s, MICA_EVALUE, "[expand_dims] axis %lld is given twice",
                               (long long)at);
        inserted[at] = true;
    }
    if (axis.n == 0) return a;
    int from = 0, n = 0;
    for (int i = 0; i < ndim; i++) {
        if (inserted[i]) axes[n++] = i;
        out[i] = inserted[i] ? 1 : a->shape[from++];
    }
    struct mica__expand_dims_params p = { .axes = { n, axes } };
    return build_view(s, mica_prim_expand_dims, &p, a, ndim, out);
}

static mica_arrays at_least(mica_scope *s, mica_arrays arrays, int ndim)
{
    mica_array **out = mica__scope_alloc(s, (arrays.n + 1) * sizeof *out);
    if (!out) return (mica_arrays){ 0, NULL };
    for (size_t i = 0; i < arrays.n; i++) {
        mica_array *a = mica__operand(s, arrays.at[i]);
        if (!mica__ready(s, a)) return (mica_arrays){ 0, NULL };
        int64_t shape[3] = { 1, 1, 1 };
        /* One axis becomes the middle one of three, the last of two. */
        if (a->ndim == 1) shape[ndim == 3 ? 1 : ndim - 1] = a->shape[0];
        if (a->ndim == 2) memcpy(shape, a->shape, 2 * sizeof *shape);
        out[i] = a->ndim >= ndim ? a : mica__reshape(s, a, ndim, shape);
        if (!out[i]) return (mica_arrays){ 0, NULL };
    }
    return (mica_arrays){ arrays.n, out };
}

mica_arrays mica_atleast_1d(mica_scope *s, mica_arrays arys)
{
    return at_least(s, arys, 1);
}
mica_arrays mica_atleast_2d(mica_scope *s, mica_arrays arys)
{
    return at_least(s, arys, 2);
}
mica_arrays mica_atleast_3d(mica_scope *s, mica_arrays arys)
{
    return at_least(s, arys, 3);
}

/* ---- order of axes ---- */

mica_array *mica__permute(mica_scope *s, mica_array *a, const int64_t *axes)
{
    if (!mica__ready(s, a)) return NULL;
    int64_t out[MICA_MAX_NDIM];
    bool same = true;
    for (int i = 0; i < a->ndim; i++) {
        out[i] = a->shape[axes[i]];
        if (axes[i] != i) same = false;
    }
    if (same) return a;
    struct mica__transpose_params p = { .axes = { a->ndim, axes } };
    return build_view(s, mica_prim_transpose, &p, a, a->ndim, out);
}

mica_array *mica_transpose(mica_scope *s, mica_array *a, mica_dims axes)
{
    a = mica__operand(s, a);
    if (!mica__ready(s, a)) return NULL;
    int64_t order[MICA_MAX_NDIM];
    if (axes.n < 0)
        for (int i = 0; i < a->ndim; i++) order[i] = a->ndim - 1 - i;
    else if (axes.n != a->ndim)
        return mica__error(s, MICA_EVALUE, "[transpose] %lld axes for an array with %d dimensions",
                           (long long)axes.n, a->ndim);
    int64_t sorted[MICA_MAX_NDIM];
    if (axes.n >= 0 && mica__check_axes(s, "transpose", MICA_EINDEX, a, axes, sorted) < 0)
        return NULL;
    for (int64_t i = 0; i < axes.n; i++)
        order[i] = axes.at[i] < 0 ? axes.at[i] + a->ndim : axes.at[i];
    return mica__permute(s, a, order);
}

mica_array *mica_permute_dims(mica_scope *s, mica_array *a, mica_dims axes)
{
    return mica_transpose(s, a, axes);
}

mica_array *mica_swapaxes(mica_scope *s, mica_array *a, int axis1, int axis2)
{
    a = mica__operand(s, a);
    if (!mica__ready(s, a) || !mica__check_axis(s, "swapaxes", MICA_EINDEX, a, axis1, &axis1) ||
        !mica__check_axis(s, "swapaxes", MICA_EINDEX, a, axis2, &axis2))
        return NULL;
    int64_t order[MICA_MAX_NDIM];
    for (int i = 0; i < a->ndim; i++) order[i] = i == axis1 ? axis2 : i == axis2 ? axis1 : i;
    return mica__permute(s, a, order);
}

mica_array *mica_moveaxis(mica_scope *s, mica_array *a, int source, int destination)
{
    a = mica__operand(s, a);
    if (!mica__ready(s, a) || !mica__check_axis(s, "moveaxis", MICA_EINDEX, a, source, &source) ||
        !mica__check_axis(s, "moveaxis", MICA_EINDEX, a, destination, &destination))
        return NULL;
    int64_t order[MICA_MAX_NDIM];
    for (int i = 0, from = 0; i < a->ndim; i++) {
        if (from == source) from++;
        order[i] = i == destination ? source : from++;
    }
    return mica__permute(s, a, order);
}

/* ---- broadcasting ---- */

mica_array *mica__broadcast_to(mica_scope *s, mica_array *a, mica_dims shape)
{
    if (!mica__ready(s, a)) return NULL;
    if (!mica__sizes_vary && mica__shape_equal(mica__dims_of(a), shape)) return a;
    struct mica__broadcast_to_params p = { .shape = shape };
    return build_view(s, mica_prim_broadcast_to, &p, a, shape.n, shape.at);
}

mica_array *mica_broadcast_to(mica_scope *s, mica_array *a, mica_dims shape)
{
    a = mica__operand(s, a);
    if (!mica__ready(s, a) || !check_ndim(s, "broadcast_to", shape.n)) return NULL;
    for (int64_t i = 0; i < shape.n; i++)
        if (shape.at[i] < 0)
            return mica__error(s, MICA_EVALUE, "[broadcast_to] shape %s has a negative size",
                               mica__shape_text(shape));
    bool fits = shape.n >= a->ndim;
    for (int64_t i = 0; fits && i < a->ndim; i++) {
        int64_t have = a->shape[i], want = shape.at[i + shape.n - a->ndim];
        if (have != want && have != 1) fits = false;
    }
    if (!fits)
        return mica__error(s, MICA_EVALUE,
                           "[broadcast_to] shape %s cannot be broadcast to %s: sizes must match "
                           "from the right, or be 1",
                           mica__shape_text(mica__dims_of(a)), mica__shape_text(shape));
    return mica__broadcast_to(s, a, shape);
}

mica_arrays mica_broadcast_arrays(mica_scope *s, mica_arrays arrays)
{
    mica_arrays none = { 0, NULL };
    mica_array **out = mica__scope_alloc(s, (arrays.n + 1) * sizeof *out);
    if (!out) return none;
    int64_t shape[MICA_MAX_NDIM], before[MICA_MAX_NDIM];
    int ndim = 0;
    for (size_t i = 0; i < arrays.n; i++) {
        out[i] = mica__operand(s, arrays.at[i]);
        if (!mica__ready(s, out[i])) return none;
        memcpy(before, shape, (size_t)ndim * sizeof *shape);
        int joint = mica__broadcast((mica_dims){ ndim, before }, mica__dims_of(out[i]), shape);
        if (joint < 0) {
            mica__error(
                s, MICA_EVALUE,
                "[broadcast_arrays] array %zu of shape %s cannot be broadcast with those before it",
                i, mica__shape_text(mica__dims_of(out[i])));
            return none;
        }
        ndim = joint;
    }
    for (size_t i = 0; i < arrays.n; i++)
        if (!(out[i] = mica__broadcast_to(s, out[i], (mica_dims){ ndim, shape }))) return none;
    return (mica_arrays){ arrays.n, out };
}
