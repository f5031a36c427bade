/* Builder of unique: a sort, then the places where runs of equal elements start. Its result has a
   shape that is known beforehand, so it batches, compiles and differentiates like its parts. */
#include "ops/shape.h"

/* The parts of the result that were asked for, in order. */
static mica_arrays listed(mica_scope *s, mica_array *const parts[4], const bool wanted[4])
{
    mica_array **out = mica__scope_alloc(s, 4 * sizeof *out);
    size_t n = 0;
    for (int i = 0; out && i < 4; i++)
        if (wanted[i] && !(out[n++] = parts[i])) return (mica_arrays){ 0, NULL };
    return mica__scope_ok(s) ? (mica_arrays){ n, out } : (mica_arrays){ 0, NULL };
}

/* Runs of equal elements in a sorted sequence: the first `count` starts, then its length; or for
   each element the number of its run. */
static mica_array *starts_of(mica_scope *s, mica_array *sorted, int64_t count)
{
    struct mica__run_starts_params p = { .count = count };
    return mica__build(s, mica_prim_run_starts, &p, 1, &sorted, MICA_UINT32, MICA_SHAPE(count));
}
static mica_array *ranks_of(mica_scope *s, mica_array *sorted)
{
    return mica__ready(s, sorted) ? mica__build(s, mica_prim_run_ranks, NULL, 1, &sorted,
                                                MICA_UINT32, mica__dims_of(sorted))
                                  : NULL;
}

static mica_arrays of_nothing(mica_scope *s, mica_array *a, int64_t size, mica_array *fill,
                              const bool wanted[4])
{
    mica_dims shape = { 1, &size };
    if (size && !fill)
        mica__error(s, MICA_EVALUE,
                    "[unique] a fill value is required for an empty input with size %lld",
                    (long long)size);
    mica_array *parts[4] = { size && fill ? mica__broadcast_to(s, fill, shape)
                                          : mica__reshape(s, a, 1, &size),
                             mica__full(s, shape, 0, MICA_UINT32), mica__cast(s, a, MICA_UINT32),
                             mica__full(s, shape, 0, MICA_INT32) };
    return listed(s, parts, wanted);
}

/* The number of each element's run, clamped to the last that is kept, in the order of the elements.
 */
static mica_array *inverse_of(mica_scope *s, const mica_array *a, mica_array *sorted,
                              mica_array *order, int64_t size)
{
    mica_array *ranks = mica_minimum(s, ranks_of(s, sorted),
                                     mica_scalar(s, size ? (double)(size - 1) : 0, MICA_UINT32));
    mica_array *zero = mica__full(s, mica__dims_of(order), 0, MICA_UINT32);
    return mica__reshape(s, mica_put_along_axis(s, zero, order, ranks, 0), a->ndim, a->shape);
}

mica_arrays mica_unique(mica_scope *s, mica_array *a, int64_t size, bool return_index,
                        bool return_inverse, bool return_counts, mica_array *fill_value)
{
    const bool wanted[4] = { true, return_index, return_inverse, return_counts };
    mica_array *parts[4] = { NULL };
    a = mica__operand(s, a);
    if (!mica__ready(s, a)) return (mica_arrays){ 0, NULL };
    if (size < 0 || size == INT64_MAX)
        mica__error(s, MICA_EVALUE, "[unique] the size %lld is negative or too large",
                    (long long)size);
    if (fill_value && fill_value->size != 1)
        mica__error(s, MICA_EVALUE, "[unique] Fill value must have one element, but got shape %s.",
                    mica__shape_text(mica__dims_of(fill_value)));
    mica_array *fill =
        fill_value ? mica__reshape(s, mica__cast(s, fill_value, (mica_dtype)a->dtype), 0, NULL)
                   : NULL;
    if (!mica__scope_ok(s)) return (mica_arrays){ 0, NULL };
    int64_t n = a->size;
    if (!n) return of_nothing(s, a, size, fill, wanted);

    mica_array *flat = mica__reshape(s, a, 1, &n);
    mica_array *order = return_index || return_inverse ? mica_argsort(s, flat, 0) : NULL;
    mica_array *sorted = order ? mica_take(s, flat, order, 0) : mica_sort(s, flat, 0);
    /* One start more than asked for: where the last run ends. */
    mica_array *starts = mica__ready(s, sorted) ? starts_of(s, sorted, size + 1) : NULL;
    if (!starts) return (mica_arrays){ 0, NULL };
    mica_array *first = mica__slice_axis(s, starts, 0, 0, size),
               *next = mica__slice_axis(s, starts, 0, 1, size);
    mica_array *there = mica_less(s, first, mica_scalar(s, (double)n, MICA_UINT32));
    mica_array *at = mica_minimum(s, first, mica_scalar(s, (double)(n - 1), MICA_UINT32));
    if (!fill) fill = mica__reshape(s, mica__slice_axis(s, sorted, 0, 0, 1), 0, NULL);
    parts[0] = mica_where(s, there, mica_take(s, sorted, at, 0), fill);
    if (return_index)
        parts[1] =
            mica_where(s, there, mica_take(s, order, at, 0), mica__slice_axis(s, order, 0, 0, 1));
    if (return_inverse) parts[2] = inverse_of(s, a, sorted, order, size);
    if (return_counts) parts[3] = mica__cast(s, mica_subtract(s, next, first), MICA_INT32);
    return listed(s, parts, wanted);
}
