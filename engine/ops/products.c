/* Products of arrays other than matmul: tensordot, inner, outer, kron, vecdot. */
#include "ops/einsum.h"
#include "ops/shape.h"

static bool present(mica_scope *s, const char *name, mica_array *a, mica_array *b)
{
    if (mica__scope_ok(s) && (!a || !b))
        mica__error(s, MICA_EVALUE, "[%s] an operand is NULL", name);
    return mica__scope_ok(s);
}

/* ---- sums over axes of both ---- */

/* a's axis i has label i; b's axis `b_axes[k]` that of a's axis `a_axes[k]`, its others labels of
 * their own. */
static mica_array *dot(mica_scope *s, const char *name, mica_array *a, mica_array *b, int64_t n,
                       const int64_t *a_axes, const int64_t *b_axes)
{
    mica__term ta = { a->ndim, { 0 } }, tb = { b->ndim, { 0 } }, out = { 0, { 0 } };
    if (a->ndim + b->ndim - 2 * n > MICA_MAX_NDIM)
        return mica__error(s, MICA_EVALUE, "[%s] the result has %lld axes: an array has 0 to %d",
                           name, (long long)(a->ndim + b->ndim - 2 * n), MICA_MAX_NDIM);
    mica_dtype dtype = mica__result_dtype((mica_array *const[]){ a, b }, 2);
    if (!mica__is_inexact(dtype))
        return mica__error(
            s, MICA_EVALUE,
            "[%s] Only inexact types are supported but %s and %s were provided; cast one with "
            "astype.",
            name, mica_dtype_name((mica_dtype)a->dtype), mica_dtype_name((mica_dtype)b->dtype));
    bool summed[MICA_MAX_NDIM] = { false };
    for (int i = 0; i < a->ndim; i++) ta.at[i] = (uint8_t)i;
    for (int i = 0; i < b->ndim; i++) tb.at[i] = (uint8_t)(MICA_MAX_NDIM + i);
    for (int64_t k = 0; k < n; k++) {
        tb.at[b_axes[k]] = (uint8_t)a_axes[k];
        summed[a_axes[k]] = true;
    }
    for (int i = 0; i < a->ndim; i++)
        if (!summed[i]) out.at[out.n++] = ta.at[i];
    for (int i = 0; i < b->ndim; i++)
        if (tb.at[i] >= MICA_MAX_NDIM) out.at[out.n++] = tb.at[i];
    return mica__contract(s, name, a, &ta, b, &tb, &out);
}

mica_array *mica_tensordot(mica_scope *s, mica_array *a, mica_array *b, int64_t axes)
{
    int64_t of_a[MICA_MAX_NDIM], of_b[MICA_MAX_NDIM];
    if (!present(s, "tensordot", a, b)) return NULL;
    if (axes < 0)
        return mica__error(s, MICA_EVALUE, "[tensordot] axes must be 0 or more, not %lld",
                           (long long)axes);
    if (axes > a->ndim || axes > b->ndim)
        return mica__error(
            s, MICA_EVALUE,
            "[tensordot] axes is %lld, more than the number of dimensions of a (%d) or b (%d)",
            (long long)axes, a->ndim, b->ndim);
    for (int64_t i = 0; i < axes; i++) {
        of_a[i] = a->ndim - axes + i;
        of_b[i] = i;
    }
    return mica_tensordot_axes(s, a, b, (mica_dims){ axes, of_a }, (mica_dims){ axes, of_b });
}

/* Axes counted from the front; none twice. */
static bool normal_axes(mica_scope *s, const mica_array *a, mica_dims axes, int64_t *out)
{
    bool seen[MICA_MAX_NDIM] = { false };
    for (int64_t i = 0; i < axes.n; i++) {
        out[i] = axes.at[i] < 0 ? axes.at[i] + a->ndim : axes.at[i];
        if (out[i] < 0 || out[i] >= a->ndim)
            return mica__error(s, MICA_EINDEX,
                               "[tensordot] axis %lld is out of range for an array of shape %s",
                               (long long)axes.at[i], mica__shape_text(mica__dims_of(a)));
        if (seen[out[i]])
            return mica__error(s, MICA_EVALUE, "[tensordot] axis %lld is given twice",
                               (long long)axes.at[i]);
        seen[out[i]] = true;
    }
    return true;
}

mica_array *mica_tensordot_axes(mica_scope *s, mica_array *a, mica_array *b, mica_dims a_axes,
                                mica_dims b_axes)
{
    int64_t of_a[MICA_MAX_NDIM], of_b[MICA_MAX_NDIM];
    if (!present(s, "tensordot", a, b)) return NULL;
    if (a_axes.n != b_axes.n || a_axes.n < 0 || a_axes.n > MICA_MAX_NDIM)
        return mica__error(s, MICA_EVALUE,
                           "[tensordot] axes must have the same size: %lld of a and %lld of b",
                           (long long)a_axes.n, (long long)b_axes.n);
    if (!normal_axes(s, a, a_axes, of_a) || !normal_axes(s, b, b_axes, of_b)) return NULL;
    for (int64_t i = 0; i < a_axes.n; i++)
        if (a->shape[of_a[i]] != b->shape[of_b[i]])
            return mica__error(
                s, MICA_EVALUE,
                "[tensordot] a and b must have the same shape on the contracted axes: axis %lld of "
                "%s meets axis %lld of %s",
                (long long)of_a[i], mica__shape_text(mica__dims_of(a)), (long long)of_b[i],
                mica__shape_text(mica__dims_of(b)));
    return dot(s, "tensordot", a, b, a_axes.n, of_a, of_b);
}

mica_array *mica_inner(mica_scope *s, mica_array *a, mica_array *b)
{
    if (!present(s, "inner", a, b)) return NULL;
    if (!a->ndim || !b->ndim) return mica_multiply(s, a, b);
    int64_t last_a = a->ndim - 1, last_b = b->ndim - 1;
    if (a->shape[last_a] != b->shape[last_b])
        return mica__error(s, MICA_EVALUE,
                           "[inner] a and b must have the same last dimension; their shapes are %s "
                           "and %s",
                           mica__shape_text(mica__dims_of(a)), mica__shape_text(mica__dims_of(b)));
    return dot(s, "inner", a, b, 1, &last_a, &last_b);
}

/* ---- products of all with all ---- */

mica_array *mica_outer(mica_scope *s, mica_array *a, mica_array *b)
{
    if (!present(s, "outer", a, b)) return NULL;
    mica_array *column = mica__reshape(s, a, 2, (const int64_t[]){ a->size, 1 });
    mica_array *row = mica__reshape(s, b, 2, (const int64_t[]){ 1, b->size });
    return column && row ? mica_multiply(s, column, row) : NULL;
}

/* Axis i of the result joins axis i of a with that of b: both are multiplied with their axes
 * interleaved. But for the last axis, which is written out in both: rows are long then. */
mica_array *mica_kron(mica_scope *s, mica_array *a, mica_array *b)
{
    if (!present(s, "kron", a, b)) return NULL;
    if (!a->size || !b->size)
        return mica__error(s, MICA_EVALUE,
                           "[kron] Input arrays cannot be empty; their shapes are %s and %s.",
                           mica__shape_text(mica__dims_of(a)), mica__shape_text(mica__dims_of(b)));
    int n = a->ndim > b->ndim ? a->ndim : b->ndim, apart = 0;
    int64_t left[2 * MICA_MAX_NDIM], right[2 * MICA_MAX_NDIM], joined[MICA_MAX_NDIM];
    for (int i = 0; i < n; i++) {
        int64_t x = i < n - a->ndim ? 1 : a->shape[i - (n - a->ndim)],
                y = i < n - b->ndim ? 1 : b->shape[i - (n - b->ndim)];
        if (__builtin_mul_overflow(x, y, &joined[i]))
            return mica__error(s, MICA_EOVERFLOW, "[kron] axis %d becomes too long", i);
        if (i == n - 1 && x != 1 && y != 1) {
            a = mica_repeat(s, a, y, a->ndim - 1);
            b = mica_tile(s, b, MICA_SHAPE(x));
            if (!a || !b) return NULL;
            left[apart] = right[apart] = joined[i];
            apart++;
            break;
        }
        if (x != 1) { /* axes of size 1 need no place of their own */
            left[apart] = x;
            right[apart++] = 1;
        }
        if (y != 1) {
            left[apart] = 1;
            right[apart++] = y;
        }
    }
    if (apart > MICA_MAX_NDIM)
        return mica__error(s, MICA_EVALUE,
                           "[kron] arrays with %d and %d axes have a product with too many axes",
                           a->ndim, b->ndim);
    mica_array *x = mica__reshape(s, a, apart, left), *y = mica__reshape(s, b, apart, right);
    return x && y ? mica__reshape(s, mica_multiply(s, x, y), n, joined) : NULL;
}

mica_array *mica_vecdot(mica_scope *s, mica_array *a, mica_array *b, int axis)
{
    if (!present(s, "vecdot", a, b)) return NULL;
    mica_array *in[2] = { a, b };
    int64_t size[2];
    mica_dtype dtype = mica__result_dtype(in, 2);
    if (!a->ndim || !b->ndim)
        return mica__error(s, MICA_EVALUE,
                           "[vecdot] inputs must be at least 1D; their shapes are %s and %s",
                           mica__shape_text(mica__dims_of(a)), mica__shape_text(mica__dims_of(b)));
    for (int i = 0; i < 2; i++) {
        int at;
        if (!mica__check_axis(s, "vecdot", MICA_EINDEX, in[i], axis, &at)) return NULL;
        size[i] = in[i]->shape[at];
        /* Halves are multiplied and added in float32. */
        in[i] = mica__cast(s, in[i], mica__is_half(dtype) ? MICA_FLOAT32 : dtype);
        in[i] = mica_moveaxis(s, in[i], at, -1);
    }
    if (size[0] != size[1])
        return mica__error(
            s, MICA_EVALUE,
            "[vecdot] a and b must have the same size along axis %d; their shapes are "
            "%s and %s",
            axis, mica__shape_text(mica__dims_of(a)), mica__shape_text(mica__dims_of(b)));
    if (dtype == MICA_COMPLEX64) in[0] = mica_conjugate(s, in[0]);
    mica_array *product =
        dtype == MICA_BOOL ? mica_logical_and(s, in[0], in[1]) : mica_multiply(s, in[0], in[1]);
    mica_array *sum = mica_sum(s, product, MICA_AXES(-1), false);
    return mica__is_half(dtype) ? mica__cast(s, sum, dtype) : sum;
}
