/* Builders of static slices, and of other views that choose elements by arithmetic: flip,
 * as_strided, view; stop_gradient, contiguous. */
#include "ops/shape.h"

mica_array *mica__slice(mica_scope *s, mica_array *a, const int64_t *start, const int64_t *step,
                        const int64_t *shape)
{
    if (!mica__ready(s, a)) return NULL;
    bool all = true;
    for (int i = 0; i < a->ndim; i++)
        if (shape[i] != a->shape[i] || (step[i] != 1 && shape[i] > 1)) all = false;
    if (all && !mica__sizes_vary) return a;
    struct mica__slice_params p = { .start = { a->ndim, start },
                                    .step = { a->ndim, step },
                                    .shape = { a->ndim, shape } };
    return mica__build(s, mica_prim_slice, &p, 1, &a, (mica_dtype)a->dtype, p.shape);
}

mica_array *mica__slice_axis(mica_scope *s, mica_array *a, int axis, int64_t start, int64_t count)
{
    if (!mica__ready(s, a)) return NULL;
    int64_t starts[MICA_MAX_NDIM] = { 0 }, steps[MICA_MAX_NDIM], shape[MICA_MAX_NDIM];
    for (int i = 0; i < a->ndim; i++) {
        steps[i] = 1;
        shape[i] = a->shape[i];
    }
    starts[axis] = start;
    shape[axis] = count;
    return mica__slice(s, a, starts, steps, shape);
}

/* A bound as Python reads it: from the end when negative, clamped; NO_INTEGER is the end where the
 * slice begins or ends. */
static int64_t bound(int64_t given, int64_t size, int64_t step, bool is_start)
{
    int64_t lowest = step > 0 ? 0 : -1, highest = step > 0 ? size : size - 1;
    if (given == MICA_NO_INTEGER) return is_start == (step > 0) ? lowest : highest;
    if (given < 0) given += size;
    return given < lowest ? lowest : given > highest ? highest : given;
}

/* Axes not listed are taken whole; MICA_NO_INTEGER stands for None in start and stop; no steps:
 * all 1. */
mica_array *mica_slice_static(mica_scope *s, mica_array *a, mica_dims start, mica_dims stop,
                              mica_dims step)
{
    a = mica__operand(s, a);
    if (!mica__ready(s, a)) return NULL;
    if (start.n != stop.n || start.n > a->ndim || (step.n > 0 && step.n != start.n))
        return mica__error(
            s, MICA_EVALUE,
            "[slice] %lld starts, %lld stops and %lld steps for an array with %d dimensions",
            (long long)start.n, (long long)stop.n, (long long)step.n, a->ndim);
    int64_t starts[MICA_MAX_NDIM] = { 0 }, steps[MICA_MAX_NDIM], shape[MICA_MAX_NDIM];
    for (int i = 0; i < a->ndim; i++) {
        steps[i] = 1;
        shape[i] = a->shape[i];
        if (i >= start.n) continue;
        if (step.n > 0) steps[i] = step.at[i];
        if (steps[i] == 0)
            return mica__error(s, MICA_EVALUE, "[slice] the step of axis %d is 0", i);
        if (steps[i] < -INT64_MAX) steps[i] = -INT64_MAX;
        int64_t first = bound(start.at[i], a->shape[i], steps[i], true),
                end = bound(stop.at[i], a->shape[i], steps[i], false);
        int64_t span = steps[i] > 0 ? end - first : first - end,
                stride = steps[i] > 0 ? steps[i] : -steps[i];
        shape[i] = span > 0 ? 1 + (span - 1) / stride : 0;
        starts[i] = shape[i] ? first : 0;
        if (shape[i] <= 1 && !mica__sizes_vary) steps[i] = 1;
    }
    return mica__slice(s, a, starts, steps, shape);
}

mica_array *mica_flip(mica_scope *s, mica_array *a, mica_dims axis)
{
    a = mica__operand(s, a);
    int64_t axes[MICA_MAX_NDIM], start[MICA_MAX_NDIM] = { 0 }, step[MICA_MAX_NDIM];
    if (!mica__ready(s, a)) return NULL;
    int n = mica__check_axes(s, "flip", MICA_EINDEX, a, axis, axes);
    if (n < 0) return NULL;
    for (int i = 0; i < a->ndim; i++) step[i] = 1;
    for (int i = 0; i < n; i++)
        if (a->shape[axes[i]] > (mica__sizes_vary ? 0 : 1)) {
            step[axes[i]] = -1;
            start[axes[i]] = a->shape[axes[i]] - 1;
        }
    return mica__slice(s, a, start, step, a->shape);
}

/* Adds the places that a view of `shape` and `strides` reaches on either side of its first element.
 */
static bool reach(mica_dims shape, const int64_t *strides, int64_t *low, int64_t *high)
{
    for (int64_t i = 0; i < shape.n; i++) {
        int64_t span;
        if (__builtin_mul_overflow(shape.at[i] - 1, strides[i], &span)) return false;
        if (__builtin_add_overflow(span < 0 ? *low : *high, span, span < 0 ? low : high))
            return false;
    }
    return true;
}

mica_array *mica_as_strided(mica_scope *s, mica_array *a, mica_dims shape, mica_dims strides,
                            int64_t offset)
{
    a = mica__operand(s, a);
    if (!mica__ready(s, a)) return NULL;
    int64_t dense[MICA_MAX_NDIM], size;
    if (shape.n < 0) shape = mica__dims_of(a);
    if (shape.n > MICA_MAX_NDIM || !mica__shape_size(shape, &size))
        return mica__error(s, MICA_EVALUE, "[as_strided] %s is no shape of an array",
                           mica__shape_text(shape));
    if (strides.n < 0) {
        mica__row_major(shape.n, shape.at, dense);
        strides = (mica_dims){ shape.n, dense };
    }
    if (strides.n != shape.n)
        return mica__error(s, MICA_EVALUE,
                           "[as_strided] shape %s and %lld strides: their numbers differ",
                           mica__shape_text(shape), (long long)strides.n);
    int64_t low = offset, high = offset;
    if (size > 0 && (!reach(shape, strides.at, &low, &high) || low < 0 || high >= a->size))
        return mica__error(s, MICA_EINDEX,
                           "[as_strided] shape %s with strides %s and offset %lld reaches outside "
                           "the %lld elements of the array",
                           mica__shape_text(shape), mica__shape_text(strides), (long long)offset,
                           (long long)a->size);
    struct mica__as_strided_params p = { .shape = shape, .strides = strides, .offset = offset };
    return mica__build(s, mica_prim_as_strided, &p, 1, &a, (mica_dtype)a->dtype, shape);
}

mica_array *mica_view(mica_scope *s, mica_array *a, mica_dtype dtype)
{
    a = mica__operand(s, a);
    if (!mica__ready(s, a)) return NULL;
    if ((unsigned)dtype >= MICA_DTYPE_COUNT)
        return mica__error(s, MICA_EVALUE, "[view] %d is no element type", (int)dtype);
    if (a->dtype == dtype) return a;
    int64_t from = mica__dtype_sizes[a->dtype], to = mica__dtype_sizes[dtype], shape[MICA_MAX_NDIM],
            last = a->ndim - 1;
    if (from != to && a->ndim == 0)
        return mica__error(
            s, MICA_EVALUE,
            "[view] a 0-d %s can only be viewed as a type of the same size, not as %s",
            mica_dtype_name((mica_dtype)a->dtype), mica_dtype_name(dtype));
    for (int i = 0; i < a->ndim; i++) shape[i] = a->shape[i];
    if (from != to) {
        if (shape[last] * from % to != 0)
            return mica__error(
                s, MICA_EVALUE,
                "[view] the last axis has %lld bytes, which is no multiple of the size of %s",
                (long long)(shape[last] * from), mica_dtype_name(dtype));
        shape[last] = shape[last] * from / to;
    }
    struct mica__view_params p = { .dtype = dtype };
    return mica__build(s, mica_prim_view, &p, 1, &a, dtype, (mica_dims){ a->ndim, shape });
}

mica_array *mica_contiguous(mica_scope *s, mica_array *a, bool allow_col_major)
{
    a = mica__operand(s, a);
    if (!mica__ready(s, a)) return NULL;
    struct mica__contiguous_params p = { .allow_col_major = allow_col_major };
    return mica__build(s, mica_prim_contiguous, &p, 1, &a, (mica_dtype)a->dtype, mica__dims_of(a));
}

mica_array *mica_stop_gradient(mica_scope *s, mica_array *a)
{
    a = mica__operand(s, a);
    if (!mica__ready(s, a)) return NULL;
    return mica__build(s, mica_prim_stop_gradient, NULL, 1, &a, (mica_dtype)a->dtype,
                       mica__dims_of(a));
}

mica_array *mica__axes_last(mica_scope *s, mica_array *a, int n, const int64_t *axes)
{
    if (!mica__ready(s, a)) return NULL;
    int64_t order[MICA_MAX_NDIM], shape[MICA_MAX_NDIM + 1], joined = 1;
    int kept = 0;
    for (int i = 0, next = 0; i < a->ndim; i++)
        if (next < n && axes[next] == i) next++;
        else order[kept++] = i;
    for (int i = 0; i < n; i++) {
        order[kept + i] = axes[i];
        joined *= a->shape[axes[i]];
    }
    for (int i = 0; i < kept; i++) shape[i] = a->shape[order[i]];
    shape[kept] = joined;
    return mica__reshape(s, mica__permute(s, a, order), kept + 1, shape);
}

mica_array *mica__axes_restore(mica_scope *s, mica_array *result, const mica_array *a, int n,
                               const int64_t *axes)
{
    if (!mica__ready(s, result)) return NULL;
    int64_t shape[MICA_MAX_NDIM], order[MICA_MAX_NDIM];
    int kept = 0, total = a->ndim;
    bool full = result->shape[result->ndim - 1] != 1;
    for (int i = 0, next = 0; i < total; i++) {
        bool moved = next < n && axes[next] == i;
        order[i] = moved ? total - n + next++ : kept++;
        shape[order[i]] = moved && !full ? 1 : a->shape[i];
    }
    return mica__permute(s, mica__reshape(s, result, total, shape), order);
}
