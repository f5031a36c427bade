/* Outputs by rule: views, sources, indexing, joining. */
#include "ops/infer.h"
#include "ops/shape.h"

/* ---- sources ---- */

bool mica__infer_arange(mica__inference *i)
{
    const struct mica__arange_params *p = i->params;
    if (!mica__infer_count(i, 0, 1)) return false;
    if (p->dtype == MICA_BOOL || p->count < 0 || p->count > INT64_MAX / 16)
        return mica__infer_refuse(i, "the type or the count");
    return mica__infer_give(i, 0, (mica_dtype)p->dtype, (mica_dims){ 1, &p->count });
}

/* Each row of keys draws an array of `shape`. Both primitives begin with that field. */
bool mica__infer_random(mica__inference *i)
{
    mica_dims shape = ((const struct mica__random_normal_params *)i->params)->shape;
    int64_t out[MICA_MAX_NDIM];
    if (!mica__infer_count(i, 1, 1) || !mica__infer_sizes(i, shape)) return false;
    const mica_array *key = i->in[0];
    int lead = key->ndim - 1;
    if (key->dtype != MICA_UINT32 || lead < 0 || key->shape[lead] != 2 ||
        lead + shape.n > MICA_MAX_NDIM)
        return mica__infer_refuse(i, "the key");
    mica_dtype dtype = MICA_FLOAT32;
    if (i->prim == mica_prim_random_bits) {
        int64_t width = ((const struct mica__random_bits_params *)i->params)->width;
        if (width != 1 && width != 2 && width != 4 && width != 8)
            return mica__infer_refuse(i, "the width");
        dtype = width == 1   ? MICA_UINT8
                : width == 2 ? MICA_UINT16
                : width == 4 ? MICA_UINT32
                             : MICA_UINT64;
    }
    for (int k = 0; k < lead; k++) out[k] = key->shape[k];
    for (int64_t k = 0; k < shape.n; k++) out[lead + k] = shape.at[k];
    return mica__infer_give(i, 0, dtype, (mica_dims){ lead + shape.n, out });
}

/* ---- views ---- */

bool mica__infer_broadcast_to(mica__inference *i)
{
    struct mica__broadcast_to_params *p = i->params;
    if (!mica__infer_count(i, 1, 1) || !mica__infer_sizes(i, p->shape)) return false;
    const mica_array *a = i->in[0];
    mica_dims was = i->was[0];
    int64_t lead = p->shape.n - a->ndim;
    if (lead < 0 || was.n != a->ndim) return mica__infer_refuse(i, "the shape");
    int64_t *sizes = mica__scope_alloc(i->s, ((size_t)p->shape.n + 1) * sizeof *sizes);
    if (!sizes) return false;
    for (int64_t k = 0; k < p->shape.n; k++) sizes[k] = p->shape.at[k];
    for (int k = 0; k < a->ndim; k++) {
        if (was.at[k] != 1 && was.at[k] != sizes[lead + k])
            return mica__infer_refuse(i, "the shape");
        if (was.at[k] == sizes[lead + k]) sizes[lead + k] = a->shape[k];
        else if (a->shape[k] != 1) return mica__infer_fixed(i);
    }
    p->shape = (mica_dims){ p->shape.n, sizes };
    return mica__infer_sizes(i, p->shape) && mica__infer_give(i, 0, (mica_dtype)a->dtype, p->shape);
}

static int64_t product(const int64_t *sizes, int64_t n)
{
    int64_t all = 1;
    for (int64_t k = 0; k < n; k++) all *= sizes[k];
    return all;
}

/* One group of a reshape: axes of equal products. Sizes that changed are followed through joins of
   axes, and through splits of what was joined before. */
static bool follow(mica__inference *i, mica_dims was, mica_dims now, bool first, mica_dims out,
                   int64_t *sizes)
{
    bool changed = !mica__shape_equal(was, now), lone = false;
    for (int64_t k = 0; k < was.n; k++) /* an axis of size 1 might belong to the group before */
        lone |= was.at[k] == 1 && now.at[k] != 1 && was.n > 1 && !first;
    if (!changed) {
        memcpy(sizes, out.at, (size_t)out.n * sizeof *sizes);
        return true;
    }
    if (lone) return mica__infer_fixed(i);
    int64_t all = product(now.at, now.n);
    if (out.n == 1) {
        sizes[0] = all;
        if (was.n > 1 && *i->njoins < MICA_INFER_JOINS)
            i->joins[(*i->njoins)++] = (mica__join){ was, now };
        return true;
    }
    for (size_t k = *i->njoins; k-- > 0;)
        if (mica__shape_equal(i->joins[k].was, out) && product(i->joins[k].now.at, out.n) == all) {
            memcpy(sizes, i->joins[k].now.at, (size_t)out.n * sizeof *sizes);
            return true;
        }
    return mica__infer_fixed(i);
}

static bool reshape_resized(mica__inference *i, mica_dims was, const mica_array *a, mica_dims out,
                            int64_t *sizes)
{
    int64_t from = 0, to = 0;
    for (int64_t k = 0; k < was.n; k++)
        if (!was.at[k] || !a->shape[k]) return mica__infer_fixed(i);
    while (from < was.n || to < out.n) {
        int64_t begin = from, start = to, x = 1, y = 1;
        if (from < was.n) x = was.at[from++];
        if (to < out.n) y = out.at[to++];
        while (x != y) {
            if (x < y && from < was.n) x *= was.at[from++];
            else if (y < x && to < out.n) y *= out.at[to++];
            else return mica__infer_refuse(i, "the shape");
        }
        if (from == was.n) /* axes of size 1 at the end */
            while (to < out.n) to++;
        if (to == out.n)
            while (from < was.n) from++;
        if (!follow(i, (mica_dims){ from - begin, was.at + begin },
                    (mica_dims){ from - begin, a->shape + begin }, begin == 0,
                    (mica_dims){ to - start, out.at + start }, sizes + start))
            return false;
    }
    return true;
}

bool mica__infer_reshape(mica__inference *i)
{
    struct mica__reshape_params *p = i->params;
    int64_t size, before;
    if (!mica__infer_count(i, 1, 1) || !mica__infer_sizes(i, p->shape)) return false;
    const mica_array *a = i->in[0];
    if (!mica__shape_size(p->shape, &size) || !mica__shape_size(i->was[0], &before) ||
        size != before)
        return mica__infer_refuse(i, "the shape");
    if (!mica__shape_equal(i->was[0], mica__dims_of(a))) {
        int64_t *sizes = mica__scope_alloc(i->s, ((size_t)p->shape.n + 1) * sizeof *sizes);
        if (!sizes || !reshape_resized(i, i->was[0], a, p->shape, sizes)) return false;
        p->shape = (mica_dims){ p->shape.n, sizes };
        if (!mica__infer_sizes(i, p->shape)) return false;
        if (!mica__shape_size(p->shape, &size) || size != a->size) return mica__infer_fixed(i);
    }
    return mica__infer_give(i, 0, (mica_dtype)a->dtype, p->shape);
}

bool mica__infer_transpose(mica__inference *i)
{
    mica_dims axes = ((const struct mica__transpose_params *)i->params)->axes;
    int64_t shape[MICA_MAX_NDIM];
    if (!mica__infer_count(i, 1, 1)) return false;
    const mica_array *a = i->in[0];
    if (!mica__infer_axes(i, axes, a->ndim, false)) return false;
    if (axes.n != a->ndim) return mica__infer_refuse(i, "the axes");
    for (int k = 0; k < a->ndim; k++) shape[k] = a->shape[axes.at[k]];
    return mica__infer_give(i, 0, (mica_dtype)a->dtype, (mica_dims){ a->ndim, shape });
}

bool mica__infer_expand_dims(mica__inference *i)
{
    mica_dims axes = ((const struct mica__expand_dims_params *)i->params)->axes;
    int64_t shape[MICA_MAX_NDIM], n = 0;
    if (!mica__infer_count(i, 1, 1)) return false;
    const mica_array *a = i->in[0];
    if (!mica__infer_axes(i, axes, a->ndim + axes.n, true)) return false;
    for (int64_t k = 0, from = 0; k < a->ndim + axes.n; k++) {
        bool inserted = n < axes.n && axes.at[n] == k;
        shape[k] = inserted ? 1 : a->shape[from++];
        n += inserted;
    }
    return mica__infer_give(i, 0, (mica_dtype)a->dtype, (mica_dims){ a->ndim + axes.n, shape });
}

bool mica__infer_squeeze(mica__inference *i)
{
    mica_dims axes = ((const struct mica__squeeze_params *)i->params)->axes;
    int64_t shape[MICA_MAX_NDIM], n = 0, kept = 0;
    if (!mica__infer_count(i, 1, 1)) return false;
    const mica_array *a = i->in[0];
    if (!mica__infer_axes(i, axes, a->ndim, true)) return false;
    for (int k = 0; k < a->ndim; k++) {
        if (n == axes.n || axes.at[n] != k) {
            shape[kept++] = a->shape[k];
            continue;
        }
        n++;
        if (a->shape[k] == 1) continue;
        return i->resized ? mica__infer_fixed(i) : mica__infer_refuse(i, "the axes");
    }
    return mica__infer_give(i, 0, (mica_dtype)a->dtype, (mica_dims){ kept, shape });
}

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

/* A resized axis: taken as a whole, forwards or backwards, it stays so. */
static bool resize_slice(mica__inference *i, int64_t was, int64_t now, int64_t *start, int64_t step,
                         int64_t *count)
{
    if (*count != was || (was > 1 && step != 1 && step != -1)) return mica__infer_fixed(i);
    *start = was > 1 && step == -1 && now ? now - 1 : 0;
    *count = now;
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
        if (i->was[0].at[k] != a->shape[k] &&
            !resize_slice(i, i->was[0].at[k], a->shape[k], &lists[0][k], lists[1][k], &shape[k]))
            return false;
        if (!in_axis(a->shape[k], &lists[0][k], &lists[1][k], shape[k]))
            return mica__infer_refuse(i, "the range");
    }
    p->shape = (mica_dims){ a->ndim, shape };
    return mica__infer_give(i, 0, (mica_dtype)a->dtype, p->shape);
}

bool mica__infer_as_strided(mica__inference *i)
{
    const struct mica__as_strided_params *p = i->params;
    if (!mica__infer_count(i, 1, 1) || !mica__infer_sizes(i, p->shape)) return false;
    if (p->strides.n != p->shape.n) return mica__infer_refuse(i, "the strides");
    if (i->resized) return mica__infer_fixed(i);
    const mica_array *a = mica_as_strided(i->s, i->in[0], p->shape, p->strides, p->offset);
    return a && mica__infer_like(i, 0, a);
}

bool mica__infer_view(mica__inference *i)
{
    const struct mica__view_params *p = i->params;
    if (!mica__infer_count(i, 1, 1)) return false;
    const mica_array *a = mica_view(i->s, i->in[0], (mica_dtype)p->dtype);
    return a && mica__infer_like(i, 0, a);
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
        if (!indexed && a->shape[k] != i->was[0].at[k]) {
            if (size != i->was[0].at[k]) return mica__infer_fixed(i);
            size = a->shape[k]; /* the whole axis */
        }
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
    if (mica__shape_equal(mica__dims_of(i->in[k]), shape)) return true;
    return i->resized ? mica__infer_fixed(i) : mica__infer_refuse(i, "an input's shape");
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
    for (int k = 0; k < a->ndim; k++) {
        int64_t count = i->was[1].at[k];
        if (i->was[0].at[k] != a->shape[k]) {
            if (!resize_slice(i, i->was[0].at[k], a->shape[k], &lists[0][k], lists[1][k], &count))
                return false;
        }
        if (count != update->shape[k]) return mica__infer_fixed(i);
        if (!in_axis(a->shape[k], &lists[0][k], &lists[1][k], count))
            return mica__infer_refuse(i, "the range");
    }
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
    if (i->resized && !mica__shape_equal(i->was[0], mica__dims_of(a))) return mica__infer_fixed(i);
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
