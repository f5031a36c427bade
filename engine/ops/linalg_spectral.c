/* Builders of orthogonal factors, singular values and eigenvalues. */
#include "ops/linalg.h"

mica_arrays mica_linalg_qr(mica_scope *s, mica_array *a)
{
    int64_t room[2][MICA_MAX_NDIM];
    a = mica__matrix(s, "qr", a);
    if (!a) return (mica_arrays){ 0, NULL };
    int64_t m = a->shape[a->ndim - 2], n = a->shape[a->ndim - 1], k = m < n ? m : n;
    const mica_dtype dtypes[2] = { (mica_dtype)a->dtype, (mica_dtype)a->dtype };
    const mica_dims shapes[2] = { mica__batch_and(a, 2, m, k, room[0]),
                                  mica__batch_and(a, 2, k, n, room[1]) };
    mica_array *out[2];
    return mica__build_many(s, mica_prim_qr, NULL, 1, &a, 2, dtypes, shapes, out)
               ? mica__several(s, 2, out)
               : (mica_arrays){ 0, NULL };
}

/* As mode says (prim.def): fills out[0 .. 2], or out[0] alone. */
bool mica__svd(mica_scope *s, const char *name, mica_array *a, int64_t mode, mica_array *out[3])
{
    int64_t room[3][MICA_MAX_NDIM];
    a = mica__matrix(s, name, a);
    if (!a) return false;
    struct mica__svd_params p = { .mode = mode };
    int64_t m = a->shape[a->ndim - 2], n = a->shape[a->ndim - 1], k = m < n ? m : n;
    mica_dtype d = (mica_dtype)a->dtype;
    const mica_dtype dtypes[3] = { d, mica__real_dtype(d), d };
    const mica_dims shapes[3] = { mica__batch_and(a, 2, m, mode == 1 ? m : k, room[0]),
                                  mica__batch_and(a, 1, k, 0, room[1]),
                                  mica__batch_and(a, 2, mode == 1 ? n : k, n, room[2]) };
    return mode ? mica__build_many(s, mica_prim_svd, &p, 1, &a, 3, dtypes, shapes, out)
                : mica__build_many(s, mica_prim_svd, &p, 1, &a, 1, dtypes + 1, shapes + 1, out);
}

mica_arrays mica_linalg_svd(mica_scope *s, mica_array *a, bool compute_uv)
{
    mica_array *out[3];
    return mica__svd(s, "svd", a, compute_uv, out) ? mica__several(s, compute_uv ? 3 : 1, out)
                                                   : (mica_arrays){ 0, NULL };
}

bool mica__eigh(mica_scope *s, const char *name, mica_array *a, bool upper, bool vectors,
                mica_array *out[2])
{
    int64_t room[MICA_MAX_NDIM];
    a = mica__square_matrix(s, name, a);
    if (!a) return false;
    struct mica__eigh_params p = { .upper = upper, .vectors = vectors };
    const mica_dtype dtypes[2] = { mica__real_dtype((mica_dtype)a->dtype), (mica_dtype)a->dtype };
    const mica_dims shapes[2] = { mica__batch_and(a, 1, a->shape[a->ndim - 1], 0, room),
                                  mica__dims_of(a) };
    return mica__build_many(s, mica_prim_eigh, &p, 1, &a, vectors ? 2 : 1, dtypes, shapes, out);
}

static bool hermitian(mica_scope *s, const char *name, mica_array *a, const char *uplo,
                      bool vectors, mica_array *out[2])
{
    if (!mica__ready(s, a)) return false;
    if (!uplo || (strcmp(uplo, "L") != 0 && strcmp(uplo, "U") != 0)) {
        mica__error(s, MICA_EVALUE,
                    "[linalg.%s] UPLO is '%s'; it may be 'L' (the lower triangle is read) or 'U' "
                    "(the upper one)",
                    name, uplo ? uplo : "");
        return false;
    }
    return mica__eigh(s, name, a, *uplo == 'U', vectors, out);
}

mica_arrays mica_linalg_eigh(mica_scope *s, mica_array *a, const char *UPLO)
{
    mica_array *out[2];
    return hermitian(s, "eigh", a, UPLO, true, out) ? mica__several(s, 2, out)
                                                    : (mica_arrays){ 0, NULL };
}

mica_array *mica_linalg_eigvalsh(mica_scope *s, mica_array *a, const char *UPLO)
{
    mica_array *out[2];
    return hermitian(s, "eigvalsh", a, UPLO, false, out) ? out[0] : NULL;
}

static bool eig(mica_scope *s, const char *name, mica_array *a, bool vectors, mica_array *out[2])
{
    int64_t room[MICA_MAX_NDIM];
    a = mica__square_matrix(s, name, a);
    if (!a) return false;
    struct mica__eig_params p = { .vectors = vectors };
    const mica_dtype dtypes[2] = { MICA_COMPLEX64, MICA_COMPLEX64 };
    const mica_dims shapes[2] = { mica__batch_and(a, 1, a->shape[a->ndim - 1], 0, room),
                                  mica__dims_of(a) };
    return mica__build_many(s, mica_prim_eig, &p, 1, &a, vectors ? 2 : 1, dtypes, shapes, out);
}

mica_arrays mica_linalg_eig(mica_scope *s, mica_array *a)
{
    mica_array *out[2];
    return eig(s, "eig", a, true, out) ? mica__several(s, 2, out) : (mica_arrays){ 0, NULL };
}

mica_array *mica_linalg_eigvals(mica_scope *s, mica_array *a)
{
    mica_array *out[2];
    return eig(s, "eigvals", a, false, out) ? out[0] : NULL;
}
