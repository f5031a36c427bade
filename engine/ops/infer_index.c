/* Outputs by rule: slices, indexing, joining. */
#include "ops/infer.h"

/* ---- slices ---- */

/* Whether elements start, start + step, ... (count of them) lie in an axis; where no step is taken
   it becomes 1. */
static bool in_axis(int64_t size, int64_t *start, int64_t *step, int64_t count)
{
    int64_t last;
    if (count <= 1) *step = 1;
    if (count == 0) *start = 0;
    if (count == 0) return true;
    if (count < 0 || *start < 0 || *start >= size) return false;
    return !__builtin_mul_overflow(count - 1, *step, &last) &&
           !__builtin_add_overflow(last, *start, &last) && last >= 0 && last < size;
}

/* Starts and steps as lists that may be changed. */
static bool own_lists(mica__inference *i, mica_dims *start, mica_dims *step, int ndim,
                      int64_t *lists[2])
{
    if (start->n != ndim || step->n != ndim) return mica__infer_refuse(i, "the starts or steps");
    lists[0] = mica__scope_alloc(i->s, 2 * ((size_t)ndim + 1) * sizeof(int64_t));
    if (!lists[0]) return false;
    lists[1] = lists[0] + ndim;
    for (int k = 0; k < ndim; k++) {
        lists[0][k] = start->at[k];
        lists[1][k] = step->at[k];
    }
    *start = (mica_dims){ ndim, lists[0] };
    *step = (mica_dims){ ndim, lists[1] };
    return true;
}

bool mica__infer_slice(mica__inference *i)
{
    struct mica__slice_params *p = i->params;
    int64_t *lists[2], *shape;
    if (!mica__infer_count(i, 1, 1)) return false;
    const mica_array *a = i->in[0];
    if (!own_lists(i, &p->start, &p->step, a->ndim, lists)) return false;
    shape = mica__scope_alloc(i->s, ((size_t)a->ndim + 1) * sizeof *shape);
    if (!shape) return false;
    if (p->shape.n != a->ndim) return mica__infer_refuse(i, "the sizes");
    for (int k = 0; k < a->ndim; k++) {
        shape[k] = p->shape.at[k];
        if (!in_axis(a->shape[k], &lists[0][k], &lists[1][k], shape[k]))
            return mica__infer_refuse(i, "the range");
    }
    p->shape = (mica_dims){ a->ndim, shape };
    return mica__infer_give(i, 0, (mica_dtype)a->dtype, p->shape);
}

/* ---- indexing ---- */

/* Index arrays 1 ... n of one shape. */
static bool check_indices(mica__inference *i, size_t n)
{
    for (size_t k = 1; k <= n; k++)
        if (!mica__infer_is_index(i->in[k]) ||
            !mica__shape_equal(mica__dims_of(i->in[k]), mica__dims_of(i->in[1])))
            return mica__infer_refuse(i, "an index");
    return true;
}

static bool is_indexed(mica_dims axes, int axis)
{
    for (int64_t k = 0; k < axes.n; k++)
        if (axes.at[k] == axis) return true;
    return false;
}

bool mica__infer_gather(mica__inference *i)
{
    struct mica__gather_params *p = i->params;
    int64_t out[2 * MICA_MAX_NDIM], *slice;
    if (p->axes.n < 0 || !mica__infer_count(i, (size_t)p->axes.n + 1, 1)) return false;
    const mica_array *a = i->in[0];
    if (!mica__infer_axes(i, p->axes, a->ndim, false) || !check_indices(i, (size_t)p->axes.n))
        return false;
    int lead = p->axes.n ? i->in[1]->ndim : 0;
    if (p->slice_sizes.n != a->ndim || lead + a->ndim > MICA_MAX_NDIM)
        return mica__infer_refuse(i, "the slice sizes");
    slice = mica__scope_alloc(i->s, ((size_t)a->ndim + 1) * sizeof *slice);
    if (!slice) return false;
    for (int k = 0; k < lead; k++) out[k] = i->in[1]->shape[k];
    for (int k = 0; k < a->ndim; k++) {
        int64_t size = p->slice_sizes.at[k];
        bool indexed = is_indexed(p->axes, k);
        if (size < 0 || (indexed ? size != 1 : size > a->shape[k]))
            return mica__infer_refuse(i, "the slice sizes");
        out[lead + k] = slice[k] = size;
    }
    p->slice_sizes = (mica_dims){ a->ndim, slice };
    return mica__infer_give(i, 0, (mica_dtype)a->dtype, (mica_dims){ lead + a->ndim, out });
}

static bool check_mode(mica__inference *i, int64_t mode)
{
    return (mode >= MICA_SCATTER_SET && mode <= MICA_SCATTER_MIN) ||
           mica__infer_refuse(i, "the mode");
}

/* The values written have the target's type and this shape. */
static bool check_update(mica__inference *i, size_t k, mica_dims shape)
{
    if (i->in[k]->dtype != i->in[0]->dtype) return mica__infer_refuse(i, "an input's type");
    return mica__shape_equal(mica__dims_of(i->in[k]), shape) ||
           mica__infer_refuse(i, "an input's shape");
}

bool mica__infer_scatter(mica__inference *i)
{
    const struct mica__scatter_params *p = i->params;
    int64_t shape[2 * MICA_MAX_NDIM];
    if (p->axes.n < 0 || !mica__infer_count(i, (size_t)p->axes.n + 2, 1)) return false;
    const mica_array *a = i->in[0];
    if (!mica__infer_axes(i, p->axes, a->ndim, false) || !check_indices(i, (size_t)p->axes.n) ||
        !check_mode(i, p->mode))
        return false;
    int lead = p->axes.n ? i->in[1]->ndim : 0;
    for (int k = 0; k < lead; k++) shape[k] = i->in[1]->shape[k];
    for (int k = 0; k < a->ndim; k++) shape[lead + k] = is_indexed(p->axes, k) ? 1 : a->shape[k];
    return check_update(i, i->nin - 1, (mica_dims){ lead + a->ndim, shape }) &&
           mica__infer_like(i, 0, a);
}

/* An index array that goes beside the first input: all axes but one agree. */
static bool check_along(mica__inference *i, int64_t axis)
{
    const mica_array *a = i->in[0], *x = i->in[1];
    if (!mica__infer_axis(i, axis, a->ndim)) return false;
    bool fits = x->ndim == a->ndim && mica__infer_is_index(x);
    for (int k = 0; fits && k < a->ndim; k++) fits = k == axis || x->shape[k] == a->shape[k];
    return fits || mica__infer_refuse(i, "the index");
}

bool mica__infer_gather_axis(mica__inference *i)
{
    const struct mica__gather_axis_params *p = i->params;
    return mica__infer_count(i, 2, 1) && check_along(i, p->axis) &&
           mica__infer_give(i, 0, (mica_dtype)i->in[0]->dtype, mica__dims_of(i->in[1]));
}

bool mica__infer_scatter_axis(mica__inference *i)
{
    const struct mica__scatter_axis_params *p = i->params;
    return mica__infer_count(i, 3, 1) && check_along(i, p->axis) && check_mode(i, p->mode) &&
           check_update(i, 2, mica__dims_of(i->in[1])) && mica__infer_like(i, 0, i->in[0]);
}

bool mica__infer_slice_update(mica__inference *i)
{
    struct mica__slice_update_params *p = i->params;
    int64_t *lists[2];
    if (!mica__infer_count(i, 2, 1) || !check_mode(i, p->mode)) return false;
    const mica_array *a = i->in[0], *update = i->in[1];
    if (update->ndim != a->ndim || update->dtype != a->dtype)
        return mica__infer_refuse(i, "the update");
    if (!own_lists(i, &p->start, &p->step, a->ndim, lists)) return false;
    for (int k = 0; k < a->ndim; k++)
        if (!in_axis(a->shape[k], &lists[0][k], &lists[1][k], update->shape[k]))
            return mica__infer_refuse(i, "the range");
    return mica__infer_like(i, 0, a);
}

/* One integer for each of the axes. */
static bool check_start(mica__inference *i, size_t k, mica_dims axes)
{
    const mica_array *start = i->in[k];
    if (!mica__infer_axes(i, axes, i->in[0]->ndim, false)) return false;
    return (mica__infer_is_index(start) && start->ndim <= 1 && start->size == axes.n) ||
           mica__infer_refuse(i, "the start");
}

static bool fits_into(mica_dims part, const mica_array *a)
{
    bool fits = part.n == a->ndim;
    for (int k = 0; fits && k < a->ndim; k++) fits = part.at[k] >= 0 && part.at[k] <= a->shape[k];
    return fits;
}

bool mica__infer_dynamic_slice(mica__inference *i)
{
    const struct mica__dynamic_slice_params *p = i->params;
    if (!mica__infer_count(i, 2, 1) || !check_start(i, 1, p->axes)) return false;
    const mica_array *a = i->in[0];
    return (fits_into(p->shape, a) || mica__infer_refuse(i, "the sizes")) &&
           mica__infer_give(i, 0, (mica_dtype)a->dtype, p->shape);
}

bool mica__infer_dynamic_slice_update(mica__inference *i)
{
    const struct mica__dynamic_slice_update_params *p = i->params;
    if (!mica__infer_count(i, 3, 1) || !check_start(i, 2, p->axes) ||
        !mica__infer_one_type(i, 0, 2))
        return false;
    return (fits_into(mica__dims_of(i->in[1]), i->in[0]) || mica__infer_refuse(i, "the update")) &&
           mica__infer_like(i, 0, i->in[0]);
}

bool mica__infer_masked_scatter(mica__inference *i)
{
    if (!mica__infer_count(i, 3, 1)) return false;
    const mica_array *a = i->in[0], *mask = i->in[1];
    bool fits = mask->dtype == MICA_BOOL && mask->ndim <= a->ndim && i->in[2]->dtype == a->dtype;
    for (int k = 0; fits && k < mask->ndim; k++) fits = mask->shape[k] == a->shape[k];
    return (fits || mica__infer_refuse(i, "the mask")) && mica__infer_like(i, 0, a);
}

bool mica__infer_concatenate(mica__inference *i)
{
    const struct mica__concatenate_params *p = i->params;
    int64_t shape[MICA_MAX_NDIM];
    if (!i->nin) return mica__infer_refuse(i, "the number of inputs");
    if (!mica__infer_count(i, i->nin, 1) || !mica__infer_one_type(i, 0, i->nin)) return false;
    const mica_array *a = i->in[0];
    if (!mica__infer_axis(i, p->axis, a->ndim)) return false;
    for (int k = 0; k < a->ndim; k++) shape[k] = a->shape[k];
    for (size_t n = 1; n < i->nin; n++) {
        bool fits = i->in[n]->ndim == a->ndim;
        for (int k = 0; fits && k < a->ndim; k++)
            fits = k == p->axis || i->in[n]->shape[k] == a->shape[k];
        if (!fits ||
            __builtin_add_overflow(shape[p->axis], i->in[n]->shape[p->axis], &shape[p->axis]))
            return mica__infer_refuse(i, "an input's shape");
    }
    return mica__infer_give(i, 0, (mica_dtype)a->dtype, (mica_dims){ a->ndim, shape });
}
