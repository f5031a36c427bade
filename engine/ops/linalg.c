/* Builders of linear algebra on the last two axes: checks and nodes. What needs LAPACK is known
 * where it runs. */
#include "ops/linalg.h"

/* ---- checks ---- */

/* Types that LAPACK computes in. */
static bool check_type(mica_scope *s, const char *name, mica_dtype d)
{
    if (mica__lapack_has(d)) return true;
    mica__error(s, MICA_EVALUE,
                "[linalg.%s] Arrays must have type float32, float64 or complex64. Received array "
                "with type %s; convert it with astype.",
                name, mica_dtype_name(d));
    return false;
}

/* At least two axes, of sizes that LAPACK can count. */
static bool check_matrix(mica_scope *s, const char *name, const mica_array *a)
{
    if (a->ndim < 2)
        mica__error(
            s, MICA_EVALUE,
            "[linalg.%s] Arrays must have >= 2 dimensions. Received array with %d dimensions.",
            name, a->ndim);
    else if (a->shape[a->ndim - 1] > INT32_MAX || a->shape[a->ndim - 2] > INT32_MAX)
        mica__error(s, MICA_EOVERFLOW,
                    "[linalg.%s] matrices of shape %s have more than 2147483647 rows or columns",
                    name, mica__shape_text(mica__dims_of(a)));
    return mica__scope_ok(s);
}

static bool check_square(mica_scope *s, const char *name, const mica_array *a)
{
    if (a->shape[a->ndim - 1] != a->shape[a->ndim - 2])
        mica__error(s, MICA_EVALUE,
                    "[linalg.%s] Only defined for square matrices. Received array with shape %s.",
                    name, mica__shape_text(mica__dims_of(a)));
    return mica__scope_ok(s);
}

/* A matrix, or a square one, of a type that LAPACK has. */
mica_array *mica__matrix(mica_scope *s, const char *name, mica_array *a)
{
    a = mica__operand(s, a);
    if (!mica__ready(s, a) || !check_type(s, name, (mica_dtype)a->dtype) ||
        !check_matrix(s, name, a))
        return NULL;
    return a;
}
mica_array *mica__square_matrix(mica_scope *s, const char *name, mica_array *a)
{
    a = mica__matrix(s, name, a);
    return a && check_square(s, name, a) ? a : NULL;
}

/* The leading axes of a, then `n` sizes. */
mica_dims mica__batch_and(const mica_array *a, int n, int64_t first, int64_t second,
                          int64_t room[MICA_MAX_NDIM])
{
    int lead = a->ndim - 2;
    for (int i = 0; i < lead; i++) room[i] = a->shape[i];
    if (n > 0) room[lead] = first;
    if (n > 1) room[lead + 1] = second;
    return (mica_dims){ lead + n, room };
}

/* The list of results, none when one failed. */
mica_arrays mica__several(mica_scope *s, size_t n, mica_array *const arrays[])
{
    mica_array **at = mica__scope_alloc(s, n * sizeof *at);
    for (size_t i = 0; i < n && at; i++)
        if (!(at[i] = arrays[i])) return (mica_arrays){ 0, NULL };
    return at ? (mica_arrays){ n, at } : (mica_arrays){ 0, NULL };
}

/* ---- factors and inverses of square matrices ---- */

static mica_array *same_shape(mica_scope *s, mica_prim prim, const void *params, mica_array *a)
{
    return a ? mica__build(s, prim, params, 1, &a, (mica_dtype)a->dtype, mica__dims_of(a)) : NULL;
}

mica_array *mica_linalg_cholesky(mica_scope *s, mica_array *a, bool upper)
{
    struct mica__cholesky_params p = { .upper = upper };
    return same_shape(s, mica_prim_cholesky, &p, mica__square_matrix(s, "cholesky", a));
}

mica_array *mica_linalg_inv(mica_scope *s, mica_array *a)
{
    return same_shape(s, mica_prim_inv, NULL, mica__square_matrix(s, "inv", a));
}

static mica_array *tri_inv(mica_scope *s, const char *name, mica_array *a, bool upper)
{
    struct mica__tri_inv_params p = { .upper = upper };
    return same_shape(s, mica_prim_tri_inv, &p, mica__square_matrix(s, name, a));
}

mica_array *mica_linalg_tri_inv(mica_scope *s, mica_array *a, bool upper)
{
    return tri_inv(s, "tri_inv", a, upper);
}

/* inv(L L^H) = inv(L)^H inv(L), inv(U^H U) = inv(U) inv(U)^H. */
mica_array *mica_linalg_cholesky_inv(mica_scope *s, mica_array *a, bool upper)
{
    mica_array *x = tri_inv(s, "cholesky_inv", a, upper);
    mica_array *h = mica__ready(s, x) ? mica_swapaxes(s, x, -2, -1) : NULL;
    if (h && h->dtype == MICA_COMPLEX64) h = mica_conjugate(s, h);
    return h ? upper ? mica_matmul(s, x, h) : mica_matmul(s, h, x) : NULL;
}

mica_array *mica_linalg_pinv(mica_scope *s, mica_array *a)
{
    int64_t room[MICA_MAX_NDIM];
    a = mica__matrix(s, "pinv", a);
    if (!a) return NULL;
    mica_dims shape = mica__batch_and(a, 2, a->shape[a->ndim - 1], a->shape[a->ndim - 2], room);
    return mica__build(s, mica_prim_pinv, NULL, 1, &a, (mica_dtype)a->dtype, shape);
}

/* ---- determinants ---- */

/* In float32 where the type has no LAPACK; `dtype`: of the result. */
static mica_array *for_determinant(mica_scope *s, const char *name, mica_array *a,
                                   mica_dtype *dtype)
{
    a = mica__operand(s, a);
    if (!mica__ready(s, a) || !check_matrix(s, name, a) || !check_square(s, name, a)) return NULL;
    *dtype = mica__float_dtype((mica_dtype)a->dtype);
    return mica__cast(s, a, mica__lapack_has(*dtype) ? *dtype : MICA_FLOAT32);
}

mica_array *mica_linalg_det(mica_scope *s, mica_array *a)
{
    mica_dtype dtype;
    int64_t room[MICA_MAX_NDIM];
    a = for_determinant(s, "det", a, &dtype);
    if (!a) return NULL;
    return mica__cast(s,
                      mica__build(s, mica_prim_det, NULL, 1, &a, (mica_dtype)a->dtype,
                                  mica__batch_and(a, 0, 0, 0, room)),
                      dtype);
}

mica_arrays mica_linalg_slogdet(mica_scope *s, mica_array *a)
{
    mica_dtype dtype;
    int64_t room[MICA_MAX_NDIM];
    a = for_determinant(s, "slogdet", a, &dtype);
    if (!a) return (mica_arrays){ 0, NULL };
    mica_dims shape = mica__batch_and(a, 0, 0, 0, room);
    const mica_dtype dtypes[2] = { (mica_dtype)a->dtype, mica__real_dtype((mica_dtype)a->dtype) };
    const mica_dims shapes[2] = { shape, shape };
    mica_array *out[2];
    if (!mica__build_many(s, mica_prim_slogdet, NULL, 1, &a, 2, dtypes, shapes, out))
        return (mica_arrays){ 0, NULL };
    out[0] = mica__cast(s, out[0], dtype);
    out[1] = mica__cast(s, out[1], mica__real_dtype(dtype));
    return mica__several(s, 2, out);
}

/* ---- systems ---- */

/* Operands in their common type; b as a matrix; `vector`: b was one. */
static bool check_system(mica_scope *s, const char *name, mica_array **a, mica_array **b,
                         bool *vector)
{
    *a = mica__operand(s, *a);
    *b = mica__operand(s, *b);
    if (!mica__ready(s, *a) || !*b) return false;
    mica_array *in[2] = { *a, *b };
    mica_dtype d = mica__result_dtype(in, 2);
    const char *shapes[2] = { mica__shape_text(mica__dims_of(*a)),
                              mica__shape_text(mica__dims_of(*b)) };
    *vector = (*b)->ndim == 1;
    if ((*a)->ndim < 2)
        mica__error(
            s, MICA_EVALUE,
            "[linalg.%s] First input must have >= 2 dimensions. Received array with %d dimensions.",
            name, (*a)->ndim);
    else if ((*b)->ndim < 1)
        mica__error(
            s, MICA_EVALUE,
            "[linalg.%s] Second input must have >= 1 dimensions. Received array with 0 dimensions.",
            name);
    else if ((*a)->shape[(*a)->ndim - 1] != (*a)->shape[(*a)->ndim - 2])
        mica__error(
            s, MICA_EVALUE,
            "[linalg.%s] First input must be a square matrix. Received array with shape %s.", name,
            shapes[0]);
    else if ((*b)->shape[(*b)->ndim - (*vector ? 1 : 2)] != (*a)->shape[(*a)->ndim - 1])
        mica__error(s, MICA_EVALUE,
                    "[linalg.%s] Last dimension of first input with shape %s must match second to "
                    "last dimension of second "
                    "input with shape %s.",
                    name, shapes[0], shapes[1]);
    else if (!mica__lapack_has(d))
        mica__error(s, MICA_EVALUE,
                    "[linalg.%s] Input arrays must promote to float32, float64 or complex64. "
                    "Received arrays with type %s and %s; convert them with astype.",
                    name, mica_dtype_name((mica_dtype)(*a)->dtype),
                    mica_dtype_name((mica_dtype)(*b)->dtype));
    if (!mica__scope_ok(s) || !check_matrix(s, name, *a)) return false;
    *a = mica__cast(s, *a, d);
    *b = mica__cast(s, *b, d);
    if (*b && *vector) *b = mica_expand_dims(s, *b, MICA_AXES(1));
    return *a && *b && check_matrix(s, name, *b);
}

/* One matrix, many right-hand sides: their columns side by side, so that it is factorized once.
 * `order` takes b's axes there. */
static mica_array *solve_side_by_side(mica_scope *s, mica_prim prim, const void *params,
                                      mica_array *a, mica_array *b)
{
    int64_t order[MICA_MAX_NDIM], back[MICA_MAX_NDIM], moved[MICA_MAX_NDIM];
    int n = b->ndim;
    order[0] = n - 2;
    for (int i = 0; i < n - 2; i++) order[i + 1] = i;
    order[n - 1] = n - 1;
    for (int i = 0; i < n; i++) {
        back[order[i]] = i;
        moved[i] = b->shape[order[i]];
    }
    int64_t rows = moved[0], flat[2] = { rows, rows ? b->size / rows : 0 };
    for (int i = 1; i < n && !rows; i++) flat[1] = i == 1 ? moved[1] : flat[1] * moved[i];
    if (flat[1] > INT32_MAX) return NULL;
    mica_array *in[2] = { a, mica__reshape(s, mica__permute(s, b, order), 2, flat) };
    mica_array *x =
        in[1] ? mica__build(s, prim, params, 2, in, (mica_dtype)a->dtype, (mica_dims){ 2, flat })
              : NULL;
    return x ? mica__permute(s, mica__reshape(s, x, n, moved), back) : NULL;
}

static mica_array *system_of(mica_scope *s, mica_prim prim, const void *params, mica_array *a,
                             mica_array *b)
{
    const char *name = mica__prims[prim].name;
    bool vector;
    if (!check_system(s, name, &a, &b, &vector)) return NULL;
    mica_array *x = a->ndim == 2 && b->ndim > 2 ? solve_side_by_side(s, prim, params, a, b) : NULL;
    if (!x && mica__scope_ok(s)) {
        int64_t both[MICA_MAX_NDIM], n = a->shape[a->ndim - 1], columns = b->shape[b->ndim - 1];
        int lead = mica__broadcast((mica_dims){ a->ndim - 2, a->shape },
                                   (mica_dims){ b->ndim - 2, b->shape }, both);
        if (lead < 0)
            return mica__error(
                s, MICA_EVALUE, "[linalg.%s] leading axes of shapes %s and %s cannot be broadcast",
                name, mica__shape_text(mica__dims_of(a)), mica__shape_text(mica__dims_of(b)));
        both[lead] = both[lead + 1] = n;
        mica_array *in[2] = { mica__broadcast_to(s, a, (mica_dims){ lead + 2, both }), NULL };
        both[lead + 1] = columns;
        in[1] = mica__broadcast_to(s, b, (mica_dims){ lead + 2, both });
        x = in[0] && in[1] ? mica__build(s, prim, params, 2, in, (mica_dtype)a->dtype,
                                         (mica_dims){ lead + 2, both })
                           : NULL;
    }
    return x && vector ? mica_squeeze(s, x, MICA_AXES(-1)) : x;
}

mica_array *mica_linalg_solve(mica_scope *s, mica_array *a, mica_array *b)
{
    return system_of(s, mica_prim_solve, NULL, a, b);
}

mica_array *mica_linalg_solve_triangular(mica_scope *s, mica_array *a, mica_array *b, bool upper)
{
    struct mica__solve_triangular_params p = { .upper = upper };
    return system_of(s, mica_prim_solve_triangular, &p, a, b);
}

/* ---- LU ---- */

static bool lu(mica_scope *s, const char *name, mica_array *a, mica_array *out[3])
{
    int64_t room[3][MICA_MAX_NDIM];
    a = mica__matrix(s, name, a);
    if (!a) return false;
    int64_t m = a->shape[a->ndim - 2], n = a->shape[a->ndim - 1];
    const mica_dtype dtypes[3] = { (mica_dtype)a->dtype, MICA_UINT32, MICA_UINT32 };
    const mica_dims shapes[3] = { mica__batch_and(a, 2, m, n, room[0]),
                                  mica__batch_and(a, 1, m < n ? m : n, 0, room[1]),
                                  mica__batch_and(a, 1, m, 0, room[2]) };
    if (!mica__build_many(s, mica_prim_lu, NULL, 1, &a, 3, dtypes, shapes, out)) return false;
    for (int i = 1; i < 3; i++)
        out[i] = mica_stop_gradient(s, out[i]); /* indices have no derivative */
    return out[1] && out[2];
}

mica_arrays mica_linalg_lu_factor(mica_scope *s, mica_array *a)
{
    mica_array *out[3];
    return lu(s, "lu_factor", a, out) ? mica__several(s, 2, out) : (mica_arrays){ 0, NULL };
}

mica_arrays mica_linalg_lu(mica_scope *s, mica_array *a)
{
    mica_array *out[3];
    if (!lu(s, "lu", a, out)) return (mica_arrays){ 0, NULL };
    mica_array *both = out[0];
    int64_t m = both->shape[both->ndim - 2], n = both->shape[both->ndim - 1], k = m < n ? m : n;
    mica_array *lower = mica__slice_axis(s, both, both->ndim - 1, 0, k),
               *upper = mica__slice_axis(s, both, both->ndim - 2, 0, k);
    lower = mica_where(s, mica__compare_places(s, mica_prim_equal, lower, 0),
                       mica_scalar(s, 1, (mica_dtype)both->dtype), mica_tril(s, lower, -1));
    mica_array *parts[3] = { out[2], lower, mica_triu(s, upper, 0) };
    return mica__several(s, 3, parts);
}
