/* Builders that make arrays from numbers and shapes; constants and masks take no memory of their
 * size. */
#include <math.h>

#include "ops/shape.h"

static mica_dtype default_type(mica_dtype given, mica_dtype otherwise)
{
    return given == MICA_DEFAULT_DTYPE ? otherwise : given;
}

static bool check_type(mica_scope *s, const char *name, mica_dtype d)
{
    if ((unsigned)d < MICA_DTYPE_COUNT) return true;
    return mica__error(s, MICA_EVALUE, "[%s] %d is no element type", name, (int)d);
}

static bool check_shape(mica_scope *s, const char *name, mica_dims shape)
{
    int64_t size;
    if (!mica__scope_ok(s)) return false;
    if (shape.n < 0 || shape.n > MICA_MAX_NDIM)
        return mica__error(s, MICA_EVALUE, "[%s] %lld axes: an array has 0 to %d", name,
                           (long long)shape.n, MICA_MAX_NDIM);
    for (int64_t i = 0; i < shape.n; i++)
        if (shape.at[i] < 0)
            return mica__error(s, MICA_EVALUE, "[%s] shape %s has a negative size", name,
                               mica__shape_text(shape));
    if (!mica__shape_size(shape, &size))
        return mica__error(s, MICA_EOVERFLOW,
                           "[%s] shape %s has more elements than can be addressed", name,
                           mica__shape_text(shape));
    return true;
}

/* ---- constants ---- */

static mica_array *filled(mica_scope *s, const char *name, mica_dims shape, double value,
                          mica_dtype dtype)
{
    dtype = default_type(dtype, MICA_FLOAT32);
    if (!check_shape(s, name, shape) || !check_type(s, name, dtype)) return NULL;
    return mica__full(s, shape, value, dtype);
}

mica_array *mica_zeros(mica_scope *s, mica_dims shape, mica_dtype dtype)
{
    return filled(s, "zeros", shape, 0, dtype);
}
mica_array *mica_ones(mica_scope *s, mica_dims shape, mica_dtype dtype)
{
    return filled(s, "ones", shape, 1, dtype);
}
mica_array *mica_empty(mica_scope *s, mica_dims shape, mica_dtype dtype)
{
    return filled(s, "empty", shape, 0, dtype);
}

mica_array *mica_zeros_like(mica_scope *s, mica_array *a, mica_dtype dtype)
{
    return mica__ready(s, a) ? filled(s, "zeros_like", mica__dims_of(a), 0,
                                      default_type(dtype, (mica_dtype)a->dtype))
                             : NULL;
}

mica_array *mica_ones_like(mica_scope *s, mica_array *a, mica_dtype dtype)
{
    return mica__ready(s, a) ? filled(s, "ones_like", mica__dims_of(a), 1,
                                      default_type(dtype, (mica_dtype)a->dtype))
                             : NULL;
}

mica_array *mica_empty_like(mica_scope *s, mica_array *a, mica_dtype dtype)
{
    return mica_zeros_like(s, a, dtype);
}

/* As the reference has it, dtype is what a number of the same or a lower kind becomes: a float
 * keeps float32 where an integer type is asked for. */
mica_array *mica_full(mica_scope *s, mica_dims shape, mica_array *vals, mica_dtype dtype)
{
    if (!mica__ready(s, vals) || !check_shape(s, "full", shape)) return NULL;
    if ((vals->flags & MICA_ARRAY_WEAK) && dtype != MICA_DEFAULT_DTYPE) {
        if (!check_type(s, "full", dtype)) return NULL;
        mica_dtype weak = (mica_dtype)vals->dtype;
        bool keeps = weak == MICA_BOOL || weak == dtype ||
                     (mica__is_integer(weak) && dtype != MICA_BOOL) ||
                     (mica__is_float(weak) && mica__is_float(dtype));
        vals = keeps ? mica__strong(s, vals, dtype) : mica__operand(s, vals);
    }
    return mica_broadcast_to(s, mica__operand(s, vals), shape);
}

mica_array *mica_full_like(mica_scope *s, mica_array *a, mica_array *vals, mica_dtype dtype)
{
    if (!mica__ready(s, a) || !mica__ready(s, vals)) return NULL;
    dtype = default_type(dtype, (mica_dtype)a->dtype);
    if (!check_type(s, "full_like", dtype)) return NULL;
    return mica_broadcast_to(s, mica__cast(s, vals, dtype), mica__dims_of(a));
}

/* ---- sequences ---- */

static mica_array *build_arange(mica_scope *s, struct mica__arange_params *p)
{
    return mica__build(s, mica_prim_arange, p, 0, NULL, (mica_dtype)p->dtype, MICA_SHAPE(p->count));
}

/* As the reference counts: from start, in the type, by what start and start + step differ by in the
 * type. */
mica_array *mica_arange(mica_scope *s, double start, double stop, double step, mica_dtype dtype)
{
    if (!mica__scope_ok(s)) return NULL;
    dtype = default_type(dtype, MICA_FLOAT32);
    if (!check_type(s, "arange", dtype)) return NULL;
    if (dtype == MICA_BOOL) return mica__error(s, MICA_EVALUE, "[arange] bool is not accepted");
    if (isnan(start) || isnan(stop) || isnan(step))
        return mica__error(s, MICA_EVALUE, "[arange] start, stop and step cannot be NaN");
    if (isinf(start) || isinf(stop))
        return mica__error(s, MICA_EVALUE, "[arange] start and stop must be finite");
    if (step == 0) return mica__error(s, MICA_EVALUE, "[arange] step cannot be 0");
    double count =
        isinf(step) ? (step > 0) == (stop > start) && stop != start : ceil((stop - start) / step);
    if (!(count < 1e18))
        return mica__error(s, MICA_EVALUE, "[arange] %g numbers are too many", count);
    struct mica__arange_params p = { .start = start,
                                     .count = count > 0 ? (int64_t)count : 0,
                                     .dtype = dtype };
    char element[16];
    double next = count <= 1 ? start : start + step; /* a step that is not taken may overflow */
    if (mica__is_integer(dtype)) {
        int64_t ends[2] = { 0, 0 };
        for (int i = 0; i < 2; i++) {
            mica__store_number(MICA_INT64, &ends[i], false, 0, i ? next : start, 0);
        }
        p.integer_start = ends[0];
        p.integer_step = (int64_t)((uint64_t)ends[1] - (uint64_t)ends[0]);
    } else {
        mica__store_number(dtype, element, false, 0, start, 0);
        p.start = mica__load_number(dtype, element);
        mica__store_number(dtype, element, false, 0, next, 0);
        p.step = mica__load_number(dtype, element) - p.start;
    }
    return build_arange(s, &p);
}

mica_array *mica_arange_integer(mica_scope *s, int64_t start, int64_t stop, int64_t step,
                                mica_dtype dtype)
{
    if (!mica__scope_ok(s)) return NULL;
    if (dtype == MICA_DEFAULT_DTYPE)
        dtype = start == (int32_t)start && stop == (int32_t)stop && step == (int32_t)step
                    ? MICA_INT32
                    : MICA_INT64;
    if (!check_type(s, "arange", dtype)) return NULL;
    if (dtype == MICA_BOOL) return mica__error(s, MICA_EVALUE, "[arange] bool is not accepted");
    if (step == 0) return mica__error(s, MICA_EVALUE, "[arange] step cannot be 0");
    uint64_t span = step > 0 ? (uint64_t)stop - (uint64_t)start : (uint64_t)start - (uint64_t)stop;
    uint64_t stride = step > 0 ? (uint64_t)step : 0 - (uint64_t)step;
    uint64_t count = (step > 0 ? stop > start : stop < start) ? 1 + (span - 1) / stride : 0;
    if (count > INT64_MAX / 16)
        return mica__error(s, MICA_EOVERFLOW, "[arange] %llu numbers are too many",
                           (unsigned long long)count);
    struct mica__arange_params p = { .start = (double)start,
                                     .step = (double)step,
                                     .integer_start = start,
                                     .integer_step = step,
                                     .count = (int64_t)count,
                                     .dtype = dtype };
    return build_arange(s, &p);
}

/* (1 - t) * start + t * stop with t = i / (num - 1), as the reference rounds it. */
mica_array *mica_linspace(mica_scope *s, double start, double stop, int64_t num, bool endpoint,
                          mica_dtype dtype)
{
    if (!mica__scope_ok(s)) return NULL;
    dtype = default_type(dtype, MICA_FLOAT32);
    if (num == MICA_NO_INTEGER) num = 50;
    if (!check_type(s, "linspace", dtype)) return NULL;
    if (num < 0)
        return mica__error(s, MICA_EVALUE, "[linspace] %lld numbers: the count cannot be negative",
                           (long long)num);
    mica_dtype work = dtype == MICA_FLOAT64 ? MICA_FLOAT64 : MICA_FLOAT32;
    if (num <= 1) return mica__cast(s, mica__full(s, MICA_SHAPE(num), start, work), dtype);
    mica_array *t = mica_arange_integer(s, 0, num, 1, work);
    t = mica_divide(s, t, mica_number(s, (double)(endpoint ? num - 1 : num)));
    mica_array *from =
        mica_multiply(s, mica_subtract(s, mica_number(s, 1), t), mica_number(s, start));
    return mica__cast(s, mica_add(s, from, mica_multiply(s, t, mica_number(s, stop))), dtype);
}

/* ---- matrices ---- */

/* Row numbers as a column, and column numbers minus k as a row: comparing them gives diagonals and
 * triangles. */
static mica_array *compare_places(mica_scope *s, mica_prim prim, int64_t n, int64_t m, int64_t k)
{
    mica_array *rows =
        mica__reshape(s, mica_arange_integer(s, 0, n, 1, MICA_INT64), 2, (const int64_t[]){ n, 1 });
    int64_t first;
    if (__builtin_sub_overflow((int64_t)0, k, &first) || __builtin_add_overflow(m, first, &k))
        return mica__error(s, MICA_EOVERFLOW, "[eye] the diagonal is too far away");
    mica_array *columns = mica_arange_integer(s, first, first + m, 1, MICA_INT64);
    return mica__binary(s, prim, rows, columns);
}

/* The same for the last two axes of x. Where sizes vary the graph counts its rows and columns
 * itself: numbers would stay those of the trace. */
mica_array *mica__compare_places(mica_scope *s, mica_prim prim, mica_array *x, int64_t k)
{
    if (!mica__ready(s, x)) return NULL;
    if (!mica__sizes_vary)
        return compare_places(s, prim, x->shape[x->ndim - 2], x->shape[x->ndim - 1], k);
    int64_t column = x->ndim - 1, row = x->ndim - 2, far = INT64_C(1) << 62;
    k = k > far ? far : k < -far ? -far : k;
    mica_array *each = mica_logical_or(s, mica_equal(s, x, x), mica_not_equal(s, x, x));
    mica_array *rows = mica_any(s, each, (mica_dims){ 1, &column }, true),
               *columns = mica_any(s, each, (mica_dims){ 1, &row }, true);
    rows = mica_cumsum(s, rows, (int)row, false, true, MICA_INT64);
    columns = mica_cumsum(s, columns, (int)column, false, true, MICA_INT64);
    return mica__binary(s, prim, rows, mica_subtract(s, columns, mica_integer(s, k)));
}

static bool matrix_sizes(mica_scope *s, const char *name, int64_t n, int64_t *m)
{
    if (!mica__scope_ok(s)) return false;
    if (*m == MICA_NO_INTEGER) *m = n;
    if (n < 0 || *m < 0)
        return mica__error(s, MICA_EVALUE, "[%s] a matrix of %lld x %lld: sizes cannot be negative",
                           name, (long long)n, (long long)*m);
    return check_shape(s, name, MICA_SHAPE(n, *m));
}

/* Zeros, with values on a diagonal: every (m + 1)-th element of the joined axes. */
static mica_array *on_diagonal(mica_scope *s, mica_array *values, int64_t n, int64_t m, int64_t k)
{
    if (!values) return NULL;
    mica_array *zero = mica_scalar(s, 0, (mica_dtype)values->dtype);
    if (!m || k >= m || k <= -n) return mica_broadcast_to(s, zero, MICA_SHAPE(n, m));
    int64_t row = k < 0 ? -k : 0, column = k > 0 ? k : 0,
            count = n - row < m - column ? n - row : m - column, first = row * m + column,
            last = first + (count - 1) * (m + 1);
    mica_array *flat = mica_broadcast_to(s, zero, MICA_SHAPE(n * m));
    flat = mica_slice_assign(s, flat, values, MICA_SHAPE(first), MICA_SHAPE(last + 1),
                             MICA_SHAPE(m + 1), MICA_SCATTER_SET);
    return mica__reshape(s, flat, 2, (const int64_t[]){ n, m });
}

mica_array *mica_eye(mica_scope *s, int64_t n, int64_t m, int64_t k, mica_dtype dtype)
{
    dtype = default_type(dtype, MICA_FLOAT32);
    if (!matrix_sizes(s, "eye", n, &m) || !check_type(s, "eye", dtype)) return NULL;
    return on_diagonal(s, mica_scalar(s, 1, dtype), n, m, k);
}

mica_array *mica_identity(mica_scope *s, int64_t n, mica_dtype dtype)
{
    return mica_eye(s, n, n, 0, dtype);
}

mica_array *mica_tri(mica_scope *s, int64_t n, int64_t m, int64_t k, mica_dtype dtype)
{
    dtype = default_type(dtype, MICA_FLOAT32);
    if (n < 0) n = 0; /* the reference gives an empty matrix here */
    if (m < 0 && m != MICA_NO_INTEGER) m = 0;
    if (!matrix_sizes(s, "tri", n, &m) || !check_type(s, "tri", dtype)) return NULL;
    return mica__cast(s, compare_places(s, mica_prim_greater_equal, n, m, k), dtype);
}

/* Keeps the lower (or upper) triangle of the last two axes. */
static mica_array *triangle(mica_scope *s, const char *name, mica_array *x, int64_t k, bool lower)
{
    x = mica__operand(s, x);
    if (!mica__ready(s, x)) return NULL;
    if (x->ndim < 2)
        return mica__error(s, MICA_EVALUE,
                           "[%s] at least two dimensions are needed, shape %s has %d", name,
                           mica__shape_text(mica__dims_of(x)), x->ndim);
    mica_array *keep =
        mica__compare_places(s, lower ? mica_prim_greater_equal : mica_prim_less_equal, x, k);
    return mica_where(s, keep, x, mica_scalar(s, 0, (mica_dtype)x->dtype));
}

mica_array *mica_tril(mica_scope *s, mica_array *x, int64_t k)
{
    return triangle(s, "tril", x, k, true);
}
mica_array *mica_triu(mica_scope *s, mica_array *x, int64_t k)
{
    return triangle(s, "triu", x, k, false);
}

mica_array *mica_diagonal(mica_scope *s, mica_array *a, int64_t offset, int axis1, int axis2)
{
    a = mica__operand(s, a);
    if (!mica__ready(s, a)) return NULL;
    if (a->ndim < 2)
        return mica__error(s, MICA_EVALUE,
                           "[diagonal] at least two dimensions are needed, the array has %d",
                           a->ndim);
    if (!mica__check_axis(s, "diagonal", MICA_EINDEX, a, axis1, &axis1) ||
        !mica__check_axis(s, "diagonal", MICA_EINDEX, a, axis2, &axis2))
        return NULL;
    if (axis1 == axis2)
        return mica__error(s, MICA_EVALUE, "[diagonal] axis1 and axis2 are both %d", axis1);
    int64_t order[MICA_MAX_NDIM], n = a->shape[axis1], m = a->shape[axis2];
    int kept = 0;
    for (int i = 0; i < a->ndim; i++)
        if (i != axis1 && i != axis2) order[kept++] = i;
    order[kept] = axis1;
    order[kept + 1] = axis2;
    int64_t row = offset < 0 ? (offset < -n ? n : -offset) : 0,
            column = offset > 0 ? (offset > m ? m : offset) : 0;
    int64_t count = n - row < m - column ? n - row : m - column;
    /* The diagonal is every (m + 1)-th element of the joined axes. */
    a = mica__permute(s, a, order);
    if (!a) return NULL;
    int64_t shape[MICA_MAX_NDIM], start[MICA_MAX_NDIM] = { 0 }, step[MICA_MAX_NDIM];
    for (int i = 0; i < kept; i++) {
        shape[i] = a->shape[i];
        step[i] = 1;
    }
    shape[kept] = n * m;
    a = mica__reshape(s, a, kept + 1, shape);
    shape[kept] = count;
    start[kept] = count ? row * m + column : 0;
    step[kept] = count > 1 ? m + 1 : 1;
    return mica__slice(s, a, start, step, shape);
}

mica_array *mica_diag(mica_scope *s, mica_array *a, int64_t k)
{
    a = mica__operand(s, a);
    if (!mica__ready(s, a)) return NULL;
    if (a->ndim == 2) return mica_diagonal(s, a, k, 0, 1);
    if (a->ndim != 1)
        return mica__error(s, MICA_EVALUE,
                           "[diag] a 1-D or 2-D array is needed, shape %s has %d dimensions",
                           mica__shape_text(mica__dims_of(a)), a->ndim);
    int64_t away = k == INT64_MIN ? INT64_MAX : k < 0 ? -k : k, n;
    if (__builtin_add_overflow(a->size, away, &n))
        return mica__error(s, MICA_EOVERFLOW, "[diag] the diagonal is too far away");
    if (!check_shape(s, "diag", MICA_SHAPE(n, n))) return NULL;
    return on_diagonal(s, a, n, n, k);
}

mica_array *mica_trace(mica_scope *s, mica_array *a, int64_t offset, int axis1, int axis2,
                       mica_dtype dtype)
{
    mica_array *d = mica_diagonal(s, a, offset, axis1, axis2);
    if (!d) return NULL;
    if (dtype != MICA_DEFAULT_DTYPE && !check_type(s, "trace", dtype)) return NULL;
    if (dtype != MICA_DEFAULT_DTYPE) d = mica__cast(s, d, dtype);
    return mica_sum(s, d, MICA_AXES(-1), false);
}

mica_arrays mica_meshgrid(mica_scope *s, mica_arrays arrays, bool sparse, const char *indexing)
{
    mica_arrays none = { 0, NULL };
    if (!mica__scope_ok(s)) return none;
    bool swapped = indexing && strcmp(indexing, "xy") == 0;
    if (!indexing || (!swapped && strcmp(indexing, "ij") != 0)) {
        mica__error(s, MICA_EVALUE, "[meshgrid] indexing '%s' is unknown; there are 'xy' and 'ij'",
                    indexing ? indexing : "");
        return none;
    }
    mica_array **out = mica__scope_alloc(s, (arrays.n + 1) * sizeof *out);
    if (!out) return none;
    if (arrays.n > MICA_MAX_NDIM) {
        mica__error(s, MICA_EVALUE, "[meshgrid] %zu arrays are more than the %d axes of a grid",
                    arrays.n, MICA_MAX_NDIM);
        return none;
    }
    for (size_t i = 0; i < arrays.n; i++) {
        mica_array *a = mica__operand(s, arrays.at[i]);
        if (!mica__ready(s, a)) return none;
        int64_t shape[MICA_MAX_NDIM];
        for (size_t k = 0; k < arrays.n; k++) shape[k] = 1;
        size_t at = swapped && arrays.n > 1 && i < 2 ? 1 - i : i;
        shape[at] = a->size;
        if (!(out[i] = mica__reshape(s, a, (int64_t)arrays.n, shape))) return none;
    }
    mica_arrays grid = { arrays.n, out };
    return sparse ? grid : mica_broadcast_arrays(s, grid);
}
