/* Builders that join arrays or cut them up: concatenate, stack, split, repeat, tile, roll, pad. */
#include "core/watch.h"
#include "ops/shape.h"

static const mica_arrays none = { 0, NULL };

/* ---- joining ---- */

/* An array n times along an axis: a view where its size is 1. */
static mica_array *repeat(mica_scope *s, mica_array *a, int axis, int64_t n)
{
    int64_t shape[MICA_MAX_NDIM + 1], m = 0;
    for (int i = 0; i < a->ndim; i++) {
        if (i == axis) shape[m++] = n;
        if (i != axis || a->shape[i] != 1) shape[m++] = a->shape[i];
    }
    if (m == a->ndim) return mica__broadcast_to(s, a, (mica_dims){ m, shape });
    mica_array *apart = mica_expand_dims(s, a, MICA_AXES(axis));
    mica_array *wide = apart ? mica__broadcast_to(s, apart, (mica_dims){ m, shape }) : NULL;
    shape[axis + 1] *= n;
    for (int i = axis; i < a->ndim; i++) shape[i] = shape[i + 1];
    return wide ? mica__reshape(s, wide, a->ndim, shape) : NULL;
}

mica_array *mica__concatenate(mica_scope *s, size_t n, mica_array *const arrays[], int axis)
{
    if (!mica__scope_ok(s) || !arrays[0]) return NULL;
    if (n == 1) return arrays[0];
    int64_t shape[MICA_MAX_NDIM], total = 0;
    const mica_array *first = arrays[0];
    for (int i = 0; i < first->ndim; i++) shape[i] = first->shape[i];
    for (size_t i = 0; i < n; i++) {
        if (!arrays[i]) return NULL;
        if (__builtin_add_overflow(total, arrays[i]->shape[axis], &total))
            return mica__error(s, MICA_EOVERFLOW, "[concatenate] the joined axis is too long");
    }
    bool one = first->ndim < MICA_MAX_NDIM;
    for (size_t i = 1; one && i < n; i++) one = arrays[i] == first;
    if (one) {
        mica_array *all = repeat(s, arrays[0], axis, (int64_t)n);
        if (n > 2) mica__tell_absorbed(602, all, first);
        return all;
    }
    shape[axis] = total;
    struct mica__concatenate_params p = { .axis = axis };
    return mica__build(s, mica_prim_concatenate, &p, n, arrays, (mica_dtype)first->dtype,
                       (mica_dims){ first->ndim, shape });
}

/* Arrays that concatenate and stack accept, in one type. NULL and the scope marked otherwise. */
static mica_array **same_type(mica_scope *s, const char *name, mica_arrays arrays)
{
    if (!mica__scope_ok(s)) return NULL;
    if (arrays.n == 0) return mica__error(s, MICA_EVALUE, "[%s] no arrays are given", name);
    mica_array **out = mica__scope_alloc(s, arrays.n * sizeof *out);
    if (!out) return NULL;
    for (size_t i = 0; i < arrays.n; i++)
        if (!arrays.at[i]) return mica__error(s, MICA_EVALUE, "[%s] array %zu is NULL", name, i);
    mica_dtype d = mica__result_dtype(arrays.at, arrays.n);
    for (size_t i = 0; i < arrays.n; i++)
        if (!(out[i] = mica__cast(s, arrays.at[i], d))) return NULL;
    return out;
}

mica_array *mica_concatenate(mica_scope *s, mica_arrays arrays, int axis)
{
    mica_array **in = same_type(s, "concatenate", arrays);
    if (!in) return NULL;
    if (axis == MICA_FLATTEN) {
        for (size_t i = 0; i < arrays.n; i++)
            if (!(in[i] = mica__reshape(s, in[i], 1, (const int64_t[]){ in[i]->size })))
                return NULL;
        axis = 0;
    }
    if (!mica__check_axis(s, "concatenate", MICA_EINDEX, in[0], axis, &axis)) return NULL;
    for (size_t i = 1; i < arrays.n; i++) {
        bool fits = in[i]->ndim == in[0]->ndim;
        for (int k = 0; fits && k < in[0]->ndim; k++)
            if (k != axis && in[i]->shape[k] != in[0]->shape[k]) fits = false;
        if (!fits)
            return mica__error(
                s, MICA_EVALUE,
                "[concatenate] arrays of shapes %s and %s do not match outside axis %d",
                mica__shape_text(mica__dims_of(in[0])), mica__shape_text(mica__dims_of(in[i])),
                axis);
    }
    return mica__concatenate(s, arrays.n, in, axis);
}

mica_array *mica_stack(mica_scope *s, mica_arrays arrays, int axis)
{
    mica_array **in = same_type(s, "stack", arrays);
    if (!in) return NULL;
    if (axis == MICA_FLATTEN) axis = 0;
    int ndim = in[0]->ndim + 1;
    if (axis < -ndim || axis >= ndim)
        return mica__error(s, MICA_EINDEX,
                           "[stack] axis %d is out of range for a result with %d dimensions", axis,
                           ndim);
    if (axis < 0) axis += ndim;
    for (size_t i = 0; i < arrays.n; i++) {
        if (!mica__shape_equal(mica__dims_of(arrays.at[i]), mica__dims_of(arrays.at[0])))
            return mica__error(s, MICA_EVALUE, "[stack] array %zu has shape %s, the first has %s",
                               i, mica__shape_text(mica__dims_of(arrays.at[i])),
                               mica__shape_text(mica__dims_of(arrays.at[0])));
    }
    const mica_array *first = in[0];
    for (size_t i = 0; i < arrays.n; i++) { /* the same array again stays the same */
        in[i] = i && in[i] == first ? in[0] : mica_expand_dims(s, in[i], MICA_AXES(axis));
        if (!in[i]) return NULL;
    }
    return mica__concatenate(s, arrays.n, in, axis);
}

/* ---- cutting ---- */

mica_arrays mica_split(mica_scope *s, mica_array *a, int64_t sections, int axis)
{
    a = mica__operand(s, a);
    if (!mica__ready(s, a) || !mica__check_axis(s, "split", MICA_EINDEX, a, axis, &axis))
        return none;
    if (sections < 1) {
        mica__error(s, MICA_EVALUE, "[split] %lld sections: at least one is needed",
                    (long long)sections);
        return none;
    }
    if (a->shape[axis] % sections != 0) {
        mica__error(s, MICA_EVALUE,
                    "[split] axis %d of shape %s cannot be split into %lld equal sections", axis,
                    mica__shape_text(mica__dims_of(a)), (long long)sections);
        return none;
    }
    if (a->shape[axis] == 0 && sections > 1 << 20) {
        mica__error(s, MICA_EVALUE, "[split] %lld sections of an empty axis", (long long)sections);
        return none;
    }
    mica_array **out = mica__scope_alloc(s, (size_t)sections * sizeof *out);
    if (!out) return none;
    int64_t size = a->shape[axis] / sections;
    for (int64_t i = 0; i < sections; i++)
        if (!(out[i] = mica__slice_axis(s, a, axis, i * size, size))) return none;
    return (mica_arrays){ (size_t)sections, out };
}

mica_arrays mica_split_at(mica_scope *s, mica_array *a, mica_dims indices, int axis)
{
    a = mica__operand(s, a);
    if (!mica__ready(s, a) || !mica__check_axis(s, "split", MICA_EINDEX, a, axis, &axis))
        return none;
    size_t n = indices.n < 0 ? 1 : (size_t)indices.n + 1;
    mica_array **out = mica__scope_alloc(s, n * sizeof *out);
    if (!out) return none;
    int64_t size = a->shape[axis], start = 0;
    for (size_t i = 0; i < n; i++) {
        int64_t stop = i + 1 < n ? indices.at[i] : size;
        if (stop < 0) stop += size;
        if (stop < 0) stop = 0;
        if (stop > size) stop = size;
        int64_t count = stop > start ? stop - start : 0;
        if (!(out[i] = mica__slice_axis(s, a, axis, count ? start : 0, count))) return none;
        start = stop;
    }
    return (mica_arrays){ n, out };
}

mica_arrays mica_unstack(mica_scope *s, mica_array *x, int axis)
{
    x = mica__operand(s, x);
    if (!mica__ready(s, x) || !mica__check_axis(s, "unstack", MICA_EINDEX, x, axis, &axis))
        return none;
    int64_t n = x->shape[axis];
    mica_array **out = mica__scope_alloc(s, ((size_t)n + 1) * sizeof *out);
    if (!out) return none;
    for (int64_t i = 0; i < n; i++)
        if (!(out[i] = mica__squeeze_axes(s, mica__slice_axis(s, x, axis, i, 1), 1,
                                          (const int64_t[]){ axis })))
            return none;
    return (mica_arrays){ (size_t)n, out };
}

/* ---- repeating ---- */

mica_array *mica_repeat(mica_scope *s, mica_array *a, int64_t repeats, int axis)
{
    a = mica__operand(s, a);
    if (mica__ready(s, a) && axis == MICA_FLATTEN) {
        a = mica__reshape(s, a, 1, (const int64_t[]){ a->size });
        axis = 0;
    }
    if (!mica__ready(s, a) || !mica__check_axis(s, "repeat", MICA_EINDEX, a, axis, &axis))
        return NULL;
    if (repeats < 0)
        return mica__error(s, MICA_EVALUE, "[repeat] %lld repeats: the number cannot be negative",
                           (long long)repeats);
    if (repeats == 1) return a;
    if (a->ndim == MICA_MAX_NDIM)
        return mica__error(s, MICA_EVALUE, "[repeat] the array has too many axes");
    int64_t shape[MICA_MAX_NDIM];
    for (int i = 0; i <= axis; i++) shape[i] = a->shape[i];
    shape[axis + 1] = repeats;
    for (int i = axis + 1; i < a->ndim; i++) shape[i + 1] = a->shape[i];
    mica_array *r = mica_expand_dims(s, a, MICA_AXES(axis + 1));
    r = mica__broadcast_to(s, r, (mica_dims){ a->ndim + 1, shape });
    if (!r) return NULL;
    return mica_flatten(s, r, axis, axis + 1);
}

mica_array *mica_tile(mica_scope *s, mica_array *a, mica_dims reps)
{
    a = mica__operand(s, a);
    if (!mica__ready(s, a)) return NULL;
    if (reps.n < 0) reps.n = 0;
    int64_t ndim = reps.n > a->ndim ? reps.n : a->ndim, n = 0;
    int64_t apart[2 * MICA_MAX_NDIM], wide[2 * MICA_MAX_NDIM], out[MICA_MAX_NDIM];
    if (ndim > MICA_MAX_NDIM)
        return mica__error(s, MICA_EVALUE, "[tile] %lld axes are too many", (long long)ndim);
    bool same = true;
    for (int64_t i = 0; i < ndim; i++) {
        int64_t size = i < ndim - a->ndim ? 1 : a->shape[i - (ndim - a->ndim)];
        int64_t times = i < ndim - reps.n ? 1 : reps.at[i - (ndim - reps.n)];
        if (times < 0)
            return mica__error(s, MICA_EVALUE,
                               "[tile] %lld repetitions: the number cannot be negative",
                               (long long)times);
        if (__builtin_mul_overflow(size, times, &out[i]))
            return mica__error(s, MICA_EOVERFLOW, "[tile] axis %lld is too long", (long long)i);
        if (times != 1) {
            apart[n] = 1;
            wide[n++] = times;
            same = false;
        }
        apart[n] = size;
        wide[n++] = size;
    }
    if (same) return mica__reshape(s, a, ndim, out);
    if (n > MICA_MAX_NDIM) return mica__error(s, MICA_EVALUE, "[tile] too many axes are repeated");
    mica_array *r = mica__broadcast_to(s, mica__reshape(s, a, n, apart), (mica_dims){ n, wide });
    return mica__reshape(s, r, ndim, out);
}

/* ---- rolling ---- */

static mica_array *roll_axis(mica_scope *s, mica_array *a, int axis, int64_t shift)
{
    if (!mica__ready(s, a)) return NULL;
    int64_t size = a->shape[axis];
    if (size == 0) return a;
    shift %= size;
    if (shift < 0) shift += size;
    if (shift == 0) return a;
    mica_array *parts[2] = { mica__slice_axis(s, a, axis, size - shift, shift),
                             mica__slice_axis(s, a, axis, 0, size - shift) };
    return mica__concatenate(s, 2, parts, axis);
}

mica_array *mica_roll(mica_scope *s, mica_array *a, mica_dims shift, mica_dims axis)
{
    a = mica__operand(s, a);
    if (!mica__ready(s, a)) return NULL;
    int64_t checked[MICA_MAX_NDIM];
    for (int64_t i = 0; i < axis.n; i++)
        if (mica__check_axes(s, "roll", MICA_EINDEX, a, (mica_dims){ 1, axis.at + i }, checked) < 0)
            return NULL;
    if (shift.n < 1 || axis.n == 0) return a;
    bool single = axis.n < 0 || axis.n == 1;
    if (!single && shift.n != 1 && shift.n != axis.n)
        return mica__error(s, MICA_EVALUE, "[roll] %lld shifts for %lld axes", (long long)shift.n,
                           (long long)axis.n);
    uint64_t total = 0; /* wraps: only its remainder counts, and shifts near the ends of int64 are
                           not meaningful */
    for (int64_t i = 0; i < shift.n; i++) total += (uint64_t)shift.at[i];
    if (axis.n < 0) {
        mica_array *flat =
            roll_axis(s, mica__reshape(s, a, 1, (const int64_t[]){ a->size }), 0, (int64_t)total);
        return mica__reshape(s, flat, a->ndim, a->shape);
    }
    for (int64_t i = 0; i < axis.n; i++) {
        int at = (int)(axis.at[i] < 0 ? axis.at[i] + a->ndim : axis.at[i]);
        a = roll_axis(s, a, at, single ? (int64_t)total : shift.at[shift.n == 1 ? 0 : i]);
        if (!a) return NULL;
    }
    return a;
}

/* ---- padding ---- */

/* Where element i, counted from the first of the original ones, comes from when an axis of n
 * elements is continued. */
static int64_t continued(const char *mode, int64_t i, int64_t n)
{
    if (mode[0] == 'e') return i < 0 ? 0 : i >= n ? n - 1 : i;
    int64_t period = mode[0] == 'r' ? 2 * (n - 1)
                                    : 2 * n; /* reflect leaves the edge out, symmetric repeats it */
    if (period == 0) return 0;
    i %= period;
    if (i < 0) i += period;
    return i < n ? i : mode[0] == 'r' ? period - i : period - 1 - i;
}

static mica_array *continue_axis(mica_scope *s, mica_array *a, int axis, int64_t low, int64_t high,
                                 const char *mode)
{
    if (!mica__ready(s, a) || low + high == 0) return a;
    int64_t n = a->shape[axis], total = low + n + high;
    if (n == 0 && mode[0] == 'e') { /* as the reference: zeros */
        int64_t shape[MICA_MAX_NDIM];
        for (int i = 0; i < a->ndim; i++) shape[i] = i == axis ? total : a->shape[i];
        return mica_zeros(s, (mica_dims){ a->ndim, shape }, (mica_dtype)a->dtype);
    }
    if (n == 0)
        return mica__error(s, MICA_EVALUE,
                           "[pad] mode '%s' cannot continue axis %d, which is empty", mode, axis);
    mica_array *indices = mica__empty(s, MICA_INT64, MICA_SHAPE(total));
    if (!indices) return NULL;
    int64_t *at = (int64_t *)(void *)indices->data;
    for (int64_t i = 0; i < total; i++) at[i] = continued(mode, i - low, n);
    return mica_take(s, a, indices, axis);
}

mica_array *mica_pad(mica_scope *s, mica_array *a, mica_dims low, mica_dims high, const char *mode,
                     mica_array *constant_values)
{
    a = mica__operand(s, a);
    if (!mica__ready(s, a)) return NULL;
    if (!mode) return mica__error(s, MICA_EVALUE, "[pad] the mode is NULL");
    if (low.n != a->ndim || high.n != a->ndim)
        return mica__error(s, MICA_EVALUE,
                           "[pad] %lld low and %lld high widths for an array with %d dimensions",
                           (long long)low.n, (long long)high.n, a->ndim);
    int64_t shape[MICA_MAX_NDIM], step[MICA_MAX_NDIM];
    bool same = true;
    for (int i = 0; i < a->ndim; i++) {
        if (low.at[i] < 0 || high.at[i] < 0)
            return mica__error(s, MICA_EVALUE,
                               "[pad] widths (%lld, %lld) of axis %d: they cannot be negative",
                               (long long)low.at[i], (long long)high.at[i], i);
        int64_t total;
        if (__builtin_add_overflow(low.at[i], high.at[i], &total) ||
            __builtin_add_overflow(total, a->shape[i], &shape[i]))
            return mica__error(s, MICA_EOVERFLOW, "[pad] axis %d becomes too long", i);
        if (total) same = false;
        step[i] = 1;
    }
    if (strcmp(mode, "constant") == 0) {
        if (same) return a;
        mica_array *value = mica__cast(s, constant_values, (mica_dtype)a->dtype);
        mica_array *base = mica_broadcast_to(s, value, (mica_dims){ a->ndim, shape });
        struct mica__slice_update_params p = { .start = low,
                                               .step = { a->ndim, step },
                                               .mode = MICA_SCATTER_SET };
        return mica__build(s, mica_prim_slice_update, &p, 2, (mica_array *const[]){ base, a },
                           (mica_dtype)a->dtype, (mica_dims){ a->ndim, shape });
    }
    if (strcmp(mode, "edge") != 0 && strcmp(mode, "reflect") != 0 && strcmp(mode, "symmetric") != 0)
        return mica__error(
            s, MICA_EVALUE,
            "[pad] mode '%s' is unknown; there are constant, edge, reflect and symmetric", mode);
    for (int i = 0; i < low.n && a; i++) a = continue_axis(s, a, i, low.at[i], high.at[i], mode);
    return a;
}
