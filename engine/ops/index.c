/* Builders that read and write at indices. What an index array holds is only known when the kernel
 * runs; all else is checked here. */
#include "ops/shape.h"

static bool check_index(mica_scope *s, const char *name, const mica_array *i)
{
    if (mica__is_integer((mica_dtype)i->dtype)) return true;
    return mica__error(s, MICA_EVALUE, "[%s] indices must be integers, not %s", name,
                       mica_dtype_name((mica_dtype)i->dtype));
}

/* Axes as given (order matters), normal and distinct. */
static bool distinct_axes(mica_scope *s, const char *name, const mica_array *a, mica_dims axes,
                          int64_t *out)
{
    int64_t sorted[MICA_MAX_NDIM];
    if (axes.n < 0) return mica__error(s, MICA_EVALUE, "[%s] the axes must be given", name);
    if (mica__check_axes(s, name, MICA_EINDEX, a, axes, sorted) < 0) return false;
    for (int64_t i = 0; i < axes.n; i++)
        out[i] = axes.at[i] < 0 ? axes.at[i] + a->ndim : axes.at[i];
    return true;
}

/* ---- gather and scatter ---- */

/* a and the index arrays, broadcast against each other, as inputs of a node; `shape` receives the
 * common shape. NULL on failure. */
static mica_array **index_inputs(mica_scope *s, const char *name, mica_array *a,
                                 mica_arrays indices, mica_dims axes, int64_t *shape, int *ndim)
{
    if ((int64_t)indices.n != axes.n)
        return mica__error(s, MICA_EVALUE, "[%s] %zu index arrays for %lld axes", name, indices.n,
                           (long long)axes.n);
    mica_array **in = mica__scope_alloc(s, (indices.n + 2) * sizeof *in);
    if (!in) return NULL;
    in[0] = a;
    *ndim = 0;
    for (size_t i = 0; i < indices.n; i++) {
        in[i + 1] = mica__operand(s, indices.at[i]);
        if (!mica__ready(s, in[i + 1]) || !check_index(s, name, in[i + 1])) return NULL;
        int64_t before[MICA_MAX_NDIM];
        memcpy(before, shape, (size_t)*ndim * sizeof *shape);
        int joint = mica__broadcast((mica_dims){ *ndim, before }, mica__dims_of(in[i + 1]), shape);
        if (joint < 0)
            return mica__error(s, MICA_EVALUE,
                               "[%s] index array %zu of shape %s cannot be broadcast with shape %s "
                               "of those before it",
                               name, i, mica__shape_text(mica__dims_of(in[i + 1])),
                               mica__shape_text((mica_dims){ *ndim, before }));
        *ndim = joint;
    }
    for (size_t i = 0; i < indices.n; i++)
        if (!(in[i + 1] = mica__broadcast_to(s, in[i + 1], (mica_dims){ *ndim, shape })))
            return NULL;
    return in;
}

mica_array *mica_gather(mica_scope *s, mica_array *a, mica_arrays indices, mica_dims axes,
                        mica_dims slice_sizes)
{
    a = mica__operand(s, a);
    int64_t normal[MICA_MAX_NDIM], shape[2 * MICA_MAX_NDIM];
    int ndim;
    if (!mica__ready(s, a) || !distinct_axes(s, "gather", a, axes, normal)) return NULL;
    if (slice_sizes.n != a->ndim)
        return mica__error(s, MICA_EVALUE,
                           "[gather] %lld slice sizes for an array with %d dimensions",
                           (long long)slice_sizes.n, a->ndim);
    mica_array **in = index_inputs(s, "gather", a, indices, axes, shape, &ndim);
    if (!in) return NULL;
    for (int i = 0; i < a->ndim; i++) {
        bool indexed = false;
        for (int64_t k = 0; k < axes.n; k++) indexed |= normal[k] == i;
        int64_t size = slice_sizes.at[i];
        if (size < 0 || (indexed ? size != 1 : size > a->shape[i]))
            return mica__error(s, MICA_EVALUE, "[gather] slice size %lld on axis %d of shape %s",
                               (long long)size, i, mica__shape_text(mica__dims_of(a)));
        shape[ndim + i] = size;
    }
    struct mica__gather_params p = { .axes = { axes.n, normal }, .slice_sizes = slice_sizes };
    return mica__build(s, mica_prim_gather, &p, indices.n + 1, in, (mica_dtype)a->dtype,
                       (mica_dims){ ndim + a->ndim, shape });
}

mica_array *mica_scatter(mica_scope *s, mica_array *a, mica_arrays indices, mica_array *updates,
                         mica_dims axes, mica_scatter_mode mode)
{
    a = mica__operand(s, a);
    int64_t normal[MICA_MAX_NDIM], shape[2 * MICA_MAX_NDIM];
    int ndim;
    if (!mica__ready(s, a) || !distinct_axes(s, "scatter", a, axes, normal)) return NULL;
    mica_array **in = index_inputs(s, "scatter", a, indices, axes, shape, &ndim);
    if (!in) return NULL;
    for (int i = 0; i < a->ndim; i++) shape[ndim + i] = a->shape[i];
    for (int64_t k = 0; k < axes.n; k++) shape[ndim + normal[k]] = 1;
    updates = mica__cast(s, updates, (mica_dtype)a->dtype);
    in[indices.n + 1] = mica_broadcast_to(s, updates, (mica_dims){ ndim + a->ndim, shape });
    struct mica__scatter_params p = { .axes = { axes.n, normal }, .mode = mode };
    return mica__build(s, mica_prim_scatter, &p, indices.n + 2, in, (mica_dtype)a->dtype,
                       mica__dims_of(a));
}

/* ---- along one axis ---- */

/* An index that is a number is checked now and makes a view. */
static mica_array *take_number(mica_scope *s, mica_array *a, int64_t index, int axis)
{
    int64_t size = a->shape[axis], at = index < 0 ? index + size : index;
    if (at < 0 || at >= size)
        return mica__error(s, MICA_EINDEX,
                           "[take] index %lld is out of range for axis %d with size %lld",
                           (long long)index, axis, (long long)size);
    return mica__squeeze_axes(s, mica__slice_axis(s, a, axis, at, 1), 1, (const int64_t[]){ axis });
}

mica_array *mica_take(mica_scope *s, mica_array *a, mica_array *indices, int axis)
{
    a = mica__operand(s, a);
    if (!mica__ready(s, a) || !mica__ready(s, indices)) return NULL;
    if (axis == MICA_FLATTEN) {
        a = mica__reshape(s, a, 1, (const int64_t[]){ a->size });
        axis = 0;
    }
    if (!a || !mica__check_axis(s, "take", MICA_EINDEX, a, axis, &axis) ||
        !check_index(s, "take", indices))
        return NULL;
    if ((indices->flags & MICA_ARRAY_WEAK) && mica__node_of(indices)->prim == mica_prim_constant)
        return take_number(s, a, indices->number.integer, axis);
    if (a->shape[axis] == 0 && indices->size > 0)
        return mica__error(s, MICA_EVALUE,
                           "[take] axis %d of shape %s is empty: there is nothing to take", axis,
                           mica__shape_text(mica__dims_of(a)));
    int64_t sizes[MICA_MAX_NDIM];
    for (int i = 0; i < a->ndim; i++) sizes[i] = i == axis ? 1 : a->shape[i];
    int64_t lead = indices->ndim;
    mica_array *g =
        mica_gather(s, a, MICA_ARRAYS(indices), MICA_AXES(axis), (mica_dims){ a->ndim, sizes });
    g = mica__squeeze_axes(s, g, 1, (const int64_t[]){ lead + axis });
    if (!g || axis == 0) return g;
    /* (indices..., before, after) to (before, indices..., after) */
    int64_t order[MICA_MAX_NDIM];
    int n = 0;
    for (int i = 0; i < axis; i++) order[n++] = lead + i;
    for (int i = 0; i < lead; i++) order[n++] = i;
    while (n < g->ndim) order[n] = n, n++;
    return mica__permute(s, g, order);
}

/* Broadcasts a and indices against each other on all axes but one. */
static bool broadcast_along(mica_scope *s, const char *name, mica_array **a, mica_array **indices,
                            int axis)
{
    mica_array *x = *a, *y = *indices;
    if (!check_index(s, name, y)) return false;
    if (x->ndim != y->ndim)
        return mica__error(
            s, MICA_EVALUE,
            "[%s] indices with %d dimensions for an array with %d: they must be the same", name,
            y->ndim, x->ndim);
    int64_t xs[MICA_MAX_NDIM], ys[MICA_MAX_NDIM];
    for (int i = 0; i < x->ndim; i++) {
        xs[i] = x->shape[i];
        ys[i] = y->shape[i];
        if (i == axis || xs[i] == ys[i]) continue;
        if (xs[i] != 1 && ys[i] != 1)
            return mica__error(s, MICA_EVALUE,
                               "[%s] array of shape %s and indices of shape %s differ on axis %d, "
                               "and neither has size 1 there",
                               name, mica__shape_text(mica__dims_of(x)),
                               mica__shape_text(mica__dims_of(y)), i);
        xs[i] = ys[i] = xs[i] == 1 ? ys[i] : xs[i];
    }
    *a = mica__broadcast_to(s, x, (mica_dims){ x->ndim, xs });
    *indices = mica__broadcast_to(s, y, (mica_dims){ y->ndim, ys });
    return *a && *indices;
}

mica_array *mica_take_along_axis(mica_scope *s, mica_array *a, mica_array *indices, int axis)
{
    a = mica__operand(s, a);
    indices = mica__operand(s, indices);
    if (!mica__ready(s, a) || !indices) return NULL;
    if (axis == MICA_FLATTEN) {
        a = mica__reshape(s, a, 1, (const int64_t[]){ a->size });
        indices = mica__reshape(s, indices, 1, (const int64_t[]){ indices->size });
        axis = 0;
    }
    if (!a || !indices || !mica__check_axis(s, "take_along_axis", MICA_EINDEX, a, axis, &axis) ||
        !broadcast_along(s, "take_along_axis", &a, &indices, axis))
        return NULL;
    struct mica__gather_axis_params p = { .axis = axis };
    return mica__build(s, mica_prim_gather_axis, &p, 2, (mica_array *const[]){ a, indices },
                       (mica_dtype)a->dtype, mica__dims_of(indices));
}

/* More values than indices along the axis: the index counts for each of them. */
static mica_array *broadcast_with(mica_scope *s, mica_array *indices, mica_array *values, int axis)
{
    int64_t joint[MICA_MAX_NDIM];
    if (!values || indices->shape[axis] != 1) return indices;
    int n = mica__broadcast(mica__dims_of(indices), mica__dims_of(values), joint);
    for (int i = 0; i < n; i++)
        if (n != indices->ndim || (i != axis && joint[i] != indices->shape[i])) return indices;
    return n < 0 ? indices : mica_broadcast_to(s, indices, (mica_dims){ n, joint });
}

mica_array *mica_put_along_axis(mica_scope *s, mica_array *a, mica_array *indices,
                                mica_array *values, int axis)
{
    a = mica__operand(s, a);
    indices = mica__operand(s, indices);
    if (!mica__ready(s, a) || !indices) return NULL;
    mica_array *given = a;
    bool flat = axis == MICA_FLATTEN;
    if (flat) {
        a = mica__reshape(s, a, 1, (const int64_t[]){ a->size });
        indices = mica__reshape(s, indices, 1, (const int64_t[]){ indices->size });
        axis = 0;
    }
    if (!a || !indices || !mica__check_axis(s, "put_along_axis", MICA_EINDEX, a, axis, &axis) ||
        !broadcast_along(s, "put_along_axis", &a, &indices, axis))
        return NULL;
    indices = broadcast_with(s, indices, values, axis);
    if (!indices) return NULL;
    values =
        mica_broadcast_to(s, mica__cast(s, values, (mica_dtype)a->dtype), mica__dims_of(indices));
    struct mica__scatter_axis_params p = { .axis = axis, .mode = MICA_SCATTER_SET };
    mica_array *r =
        mica__build(s, mica_prim_scatter_axis, &p, 3, (mica_array *const[]){ a, indices, values },
                    (mica_dtype)a->dtype, mica__dims_of(a));
    return flat ? mica__reshape(s, r, given->ndim, given->shape) : r;
}

/* ---- slices ---- */

mica_array *mica_slice_assign(mica_scope *s, mica_array *a, mica_array *update, mica_dims start,
                              mica_dims stop, mica_dims step, mica_scatter_mode mode)
{
    a = mica__operand(s, a);
    mica_array *place = mica_slice_static(s, a, start, stop, step);
    if (!mica__ready(s, place)) return NULL;
    update =
        mica_broadcast_to(s, mica__cast(s, update, (mica_dtype)a->dtype), mica__dims_of(place));
    if (!update || place->size == 0) return update ? a : NULL;
    if (place == a && mode == MICA_SCATTER_SET) return update;
    int64_t first[MICA_MAX_NDIM] = { 0 }, stride[MICA_MAX_NDIM];
    for (int i = 0; i < a->ndim; i++) stride[i] = 1;
    struct mica__slice_update_params p = { .start = { a->ndim, first },
                                           .step = { a->ndim, stride },
                                           .mode = mode };
    if (place != a) {
        p.start = MICA_PARAMS(mica__node_of(place), slice)->start;
        p.step = MICA_PARAMS(mica__node_of(place), slice)->step;
    }
    return mica__build(s, mica_prim_slice_update, &p, 2, (mica_array *const[]){ a, update },
                       (mica_dtype)a->dtype, mica__dims_of(a));
}

/* The start of a dynamic slice: integers, one for each of the axes. */
static mica_array *check_start(mica_scope *s, const char *name, const mica_array *a,
                               mica_array *start, mica_dims axes, int64_t *normal)
{
    start = mica__operand(s, start);
    if (!mica__ready(s, start) || !distinct_axes(s, name, a, axes, normal)) return NULL;
    if (!mica__is_integer((mica_dtype)start->dtype))
        return mica__error(s, MICA_EVALUE, "[%s] start indices must be integers, not %s", name,
                           mica_dtype_name((mica_dtype)start->dtype));
    if (start->ndim > 1 || start->size != axes.n)
        return mica__error(s, MICA_EVALUE, "[%s] start indices of shape %s for %lld axes", name,
                           mica__shape_text(mica__dims_of(start)), (long long)axes.n);
    return start;
}

mica_array *mica_slice(mica_scope *s, mica_array *a, mica_array *start_indices, mica_dims axes,
                       mica_dims slice_size)
{
    a = mica__operand(s, a);
    int64_t normal[MICA_MAX_NDIM];
    if (!mica__ready(s, a)) return NULL;
    start_indices = check_start(s, "slice", a, start_indices, axes, normal);
    if (!start_indices) return NULL;
    bool fits = slice_size.n == a->ndim;
    for (int i = 0; fits && i < a->ndim; i++)
        fits = slice_size.at[i] >= 0 && slice_size.at[i] <= a->shape[i];
    if (!fits)
        return mica__error(s, MICA_EVALUE, "[slice] slice size %s for an array of shape %s",
                           mica__shape_text(slice_size), mica__shape_text(mica__dims_of(a)));
    struct mica__dynamic_slice_params p = { .axes = { axes.n, normal }, .shape = slice_size };
    return mica__build(s, mica_prim_dynamic_slice, &p, 2, (mica_array *const[]){ a, start_indices },
                       (mica_dtype)a->dtype, slice_size);
}

mica_array *mica_slice_update(mica_scope *s, mica_array *a, mica_array *update,
                              mica_array *start_indices, mica_dims axes)
{
    a = mica__operand(s, a);
    int64_t normal[MICA_MAX_NDIM], shape[MICA_MAX_NDIM];
    if (!mica__ready(s, a)) return NULL;
    start_indices = check_start(s, "slice_update", a, start_indices, axes, normal);
    update = mica__cast(s, update, (mica_dtype)a->dtype);
    if (!start_indices || !update) return NULL;
    int lead =
        a->ndim -
        update->ndim; /* axes that the update lacks: whole, or one element where a start is given */
    bool fits = lead >= 0;
    for (int i = 0; fits && i < a->ndim; i++) {
        shape[i] = i < lead ? a->shape[i] : update->shape[i - lead];
        for (int64_t k = 0; i < lead && k < axes.n; k++)
            if (normal[k] == i) shape[i] = 1;
        fits = shape[i] <= a->shape[i];
    }
    if (!fits)
        return mica__error(
            s, MICA_EVALUE, "[slice_update] an update of shape %s does not fit into shape %s",
            mica__shape_text(mica__dims_of(update)), mica__shape_text(mica__dims_of(a)));
    update = mica__broadcast_to(s, update, (mica_dims){ a->ndim, shape });
    struct mica__dynamic_slice_update_params p = { .axes = { axes.n, normal } };
    return mica__build(s, mica_prim_dynamic_slice_update, &p, 3,
                       (mica_array *const[]){ a, update, start_indices }, (mica_dtype)a->dtype,
                       mica__dims_of(a));
}

/* ---- masks ---- */

static mica_array *check_mask(mica_scope *s, const char *name, const mica_array *a,
                              mica_array *mask)
{
    mask = mica__operand(s, mask);
    if (!mica__ready(s, mask)) return NULL;
    if (mask->dtype != MICA_BOOL)
        return mica__error(s, MICA_EVALUE, "[%s] a mask is bool, not %s", name,
                           mica_dtype_name((mica_dtype)mask->dtype));
    bool fits = mask->ndim <= a->ndim;
    for (int i = 0; fits && i < mask->ndim; i++) fits = mask->shape[i] == a->shape[i];
    if (fits) return mask;
    return mica__error(
        s, MICA_EVALUE,
        "[%s] a mask of shape %s for an array of shape %s: it must have the leading sizes", name,
        mica__shape_text(mica__dims_of(mask)), mica__shape_text(mica__dims_of(a)));
}

bool mica__mask_has_values(mica_scope *s, const char *name, const mica_array *mask)
{
    if (!(mica__node_of(mask)->flags & MICA_NODE_ABSTRACT)) return true;
    const char *place = mica__node_place(mica__node_of(mask));
    mica__error(
        s, MICA_EVALUE,
        "[%s] a mask of shape %s, which depends on an argument of a function that compile or "
        "vmap traces, selects an unknown number of elements: use where(mask, a, other), assign "
        "x[mask] = v, or select outside the function%s%s",
        name, mica__shape_text(mica__dims_of(mask)), place ? "; it was made at " : "",
        place ? place : "");
    return false;
}

mica_array *mica_masked_scatter(mica_scope *s, mica_array *a, mica_array *mask, mica_array *source)
{
    a = mica__operand(s, a);
    if (!mica__ready(s, a)) return NULL;
    mask = check_mask(s, "masked_scatter", a, mask);
    source = mica__cast(s, source, (mica_dtype)a->dtype);
    if (!mask || !source) return NULL;
    return mica__build(s, mica_prim_masked_scatter, NULL, 3,
                       (mica_array *const[]){ a, mask, source }, (mica_dtype)a->dtype,
                       mica__dims_of(a));
}

mica_array *mica_masked_select(mica_scope *s, mica_array *a, mica_array *mask)
{
    a = mica__operand(s, a);
    if (!mica__ready(s, a)) return NULL;
    mask = check_mask(s, "masked_select", a, mask);
    if (!mask || !mica__mask_has_values(s, "masked_select", mask)) return NULL;
    int64_t lead = mask->size, count = 0;
    mica_array *flags = mica_contiguous(s, mask, false);
    if (!flags || mica_eval(s, &flags, 1) != MICA_OK) return NULL;
    const uint8_t *on = (const uint8_t *)flags->data;
    for (int64_t i = 0; i < lead; i++) count += on[i] != 0;
    mica_array *places = mica__empty(s, MICA_INT64, MICA_SHAPE(count));
    if (!places) return NULL;
    int64_t *at = (int64_t *)(void *)places->data, shape[MICA_MAX_NDIM + 1] = { lead };
    for (int64_t i = 0, k = 0; i < lead && k < count; i++)
        if (on[i]) at[k++] = i;
    int fault = mica__check_values(flags);
    if (fault) return mica__scope_failed(s, fault);
    for (int i = mask->ndim; i < a->ndim; i++) shape[1 + i - mask->ndim] = a->shape[i];
    return mica_take(s, mica__reshape(s, a, 1 + a->ndim - mask->ndim, shape), places, 0);
}
