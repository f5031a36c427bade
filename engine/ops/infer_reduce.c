/* Outputs by rule: reductions, scans, order, Fourier transforms, linear algebra. */
#include "ops/infer.h"
#include "ops/linalg.h"

/* ---- reductions ---- */

/* Sums keep the type, widen it, or add up in that of a mean. */
static bool sum_type(mica_prim prim, mica_dtype in, mica_dtype out)
{
    if (prim == mica_prim_all || prim == mica_prim_any) return out == MICA_BOOL;
    if (prim == mica_prim_max || prim == mica_prim_min) return out == in;
    mica_dtype mean = mica__is_half(in) ? MICA_FLOAT32 : mica__is_inexact(in) ? in : MICA_FLOAT64;
    return out == in || out == mica__sum_dtype(in) || out == mean;
}

bool mica__infer_reduce(mica__inference *i)
{
    mica_dims axes = ((const struct mica__sum_params *)i->params)->axes; /* the field of all */
    int64_t shape[MICA_MAX_NDIM];
    if (!mica__infer_count(i, 1, 1)) return false;
    const mica_array *a = i->in[0];
    if (!mica__infer_axes(i, axes, a->ndim, true)) return false;
    if (!sum_type(i->prim, (mica_dtype)a->dtype, i->dtypes[0]))
        return mica__infer_refuse(i, "the type of a result");
    for (int k = 0; k < a->ndim; k++) shape[k] = a->shape[k];
    for (int64_t k = 0; k < axes.n; k++) shape[axes.at[k]] = 1;
    return mica__infer_give(i, 0, i->dtypes[0], (mica_dims){ a->ndim, shape });
}

/* What indices of 32 bits can tell apart. */
static bool check_countable(mica__inference *i, int64_t n, int64_t least)
{
    return (n >= least && n <= UINT32_MAX) || mica__infer_refuse(i, "an input's shape");
}

bool mica__infer_arg_reduce(mica__inference *i)
{
    int64_t axis = ((const struct mica__argmax_params *)i->params)->axis, shape[MICA_MAX_NDIM];
    if (!mica__infer_count(i, 1, 1)) return false;
    const mica_array *a = i->in[0];
    if (!mica__infer_axis(i, axis, a->ndim) || !check_countable(i, a->shape[axis], 1)) return false;
    if (!a->size) return mica__infer_refuse(i, "an input's shape");
    for (int k = 0; k < a->ndim; k++) shape[k] = k == axis ? 1 : a->shape[k];
    return mica__infer_give(i, 0, MICA_UINT32, (mica_dims){ a->ndim, shape });
}

static bool check_float(mica__inference *i, const mica_array *a)
{
    return mica__is_float((mica_dtype)a->dtype) || mica__infer_refuse(i, "an input's type");
}

bool mica__infer_softmax(mica__inference *i)
{
    return mica__infer_count(i, 1, 1) && check_float(i, i->in[0]) &&
           mica__infer_like(i, 0, i->in[0]);
}

bool mica__infer_logsumexp(mica__inference *i)
{
    int64_t shape[MICA_MAX_NDIM];
    if (!mica__infer_count(i, 1, 1) || !check_float(i, i->in[0])) return false;
    const mica_array *a = i->in[0];
    if (!a->ndim || !mica__size_from_end(a, 1)) return mica__infer_refuse(i, "an input's shape");
    for (int k = 0; k < a->ndim; k++) shape[k] = k == a->ndim - 1 ? 1 : a->shape[k];
    return mica__infer_give(i, 0, (mica_dtype)a->dtype, (mica_dims){ a->ndim, shape });
}

/* ---- scans and order ---- */

bool mica__infer_scan(mica__inference *i)
{
    const struct mica__cumsum_params *p = i->params; /* the fields of all */
    if (!mica__infer_count(i, 1, 1) || !mica__infer_axis(i, p->axis, i->in[0]->ndim)) return false;
    return mica__infer_like(i, 0, i->in[0]);
}

bool mica__infer_sort(mica__inference *i)
{
    const struct mica__sort_params *p = i->params; /* the first field of all */
    if (!mica__infer_count(i, 1, 1) || !mica__infer_axis(i, p->axis, i->in[0]->ndim)) return false;
    const mica_array *a = i->in[0];
    int64_t n = a->shape[p->axis];
    if (!check_countable(i, n, 0)) return false;
    if (i->prim == mica_prim_partition || i->prim == mica_prim_argpartition) {
        int64_t kth = ((const struct mica__partition_params *)i->params)->kth;
        if (kth < 0 || kth >= n) return mica__infer_refuse(i, "the place");
    }
    bool places = i->prim == mica_prim_argsort || i->prim == mica_prim_argpartition;
    return mica__infer_give(i, 0, places ? MICA_UINT32 : (mica_dtype)a->dtype, mica__dims_of(a));
}

bool mica__infer_searchsorted(mica__inference *i)
{
    if (!mica__infer_count(i, 2, 1) || !mica__infer_one_type(i, 0, 2)) return false;
    if (i->in[0]->ndim != 1) return mica__infer_refuse(i, "an input's shape");
    return check_countable(i, i->in[0]->shape[0], 0) &&
           mica__infer_give(i, 0, MICA_UINT32, mica__dims_of(i->in[1]));
}

bool mica__infer_run_ranks(mica__inference *i)
{
    if (!mica__infer_count(i, 1, 1)) return false;
    const mica_array *a = i->in[0];
    return (a->ndim || mica__infer_refuse(i, "an input's shape")) &&
           check_countable(i, mica__size_from_end(a, 1), 1) &&
           mica__infer_give(i, 0, MICA_UINT32, mica__dims_of(a));
}

bool mica__infer_run_starts(mica__inference *i)
{
    const struct mica__run_starts_params *p = i->params;
    int64_t shape[MICA_MAX_NDIM];
    if (!mica__infer_count(i, 1, 1)) return false;
    const mica_array *a = i->in[0];
    if (!a->ndim || p->count < 0) return mica__infer_refuse(i, "an input's shape");
    if (!check_countable(i, mica__size_from_end(a, 1), 1)) return false;
    for (int k = 0; k < a->ndim; k++) shape[k] = k == a->ndim - 1 ? p->count : a->shape[k];
    mica_dims out = { a->ndim, shape };
    return mica__infer_sizes(i, out) && mica__infer_give(i, 0, MICA_UINT32, out);
}

/* ---- Fourier and Hadamard transforms ---- */

/* n elements on the long side give `count`. */
static bool transform(mica__inference *i, int64_t axis, mica_dtype from, mica_dtype to, int64_t n,
                      int64_t count)
{
    int64_t shape[MICA_MAX_NDIM];
    const mica_array *a = i->in[0];
    if (a->dtype != from) return mica__infer_refuse(i, "an input's type");
    if (n < 1 || n > (int64_t)1 << 56) return mica__infer_refuse(i, "the length");
    for (int k = 0; k < a->ndim; k++) shape[k] = k == axis ? count : a->shape[k];
    mica_dims out = { a->ndim, shape };
    return mica__infer_sizes(i, out) && mica__infer_give(i, 0, to, out);
}

bool mica__infer_fft(mica__inference *i)
{
    int64_t axis = ((const struct mica__fft_params *)i->params)->axis;
    if (!mica__infer_count(i, 1, 1) || !mica__infer_axis(i, axis, i->in[0]->ndim)) return false;
    int64_t n = i->in[0]->shape[axis];
    return transform(i, axis, MICA_COMPLEX64, MICA_COMPLEX64, n, n);
}

bool mica__infer_rfft(mica__inference *i)
{
    int64_t axis = ((const struct mica__rfft_params *)i->params)->axis;
    if (!mica__infer_count(i, 1, 1) || !mica__infer_axis(i, axis, i->in[0]->ndim)) return false;
    int64_t n = i->in[0]->shape[axis];
    return transform(i, axis, MICA_FLOAT32, MICA_COMPLEX64, n, n / 2 + 1);
}

bool mica__infer_irfft(mica__inference *i)
{
    const struct mica__irfft_params *p = i->params;
    if (!mica__infer_count(i, 1, 1) || !mica__infer_axis(i, p->axis, i->in[0]->ndim)) return false;
    int64_t n = i->in[0]->shape[p->axis];
    if (p->n / 2 + 1 != n) return mica__infer_refuse(i, "the length");
    return transform(i, p->axis, MICA_COMPLEX64, MICA_FLOAT32, p->n, p->n);
}

bool mica__infer_hadamard(mica__inference *i)
{
    if (!mica__infer_count(i, 1, 1) || !check_float(i, i->in[0])) return false;
    const mica_array *a = i->in[0];
    int64_t n = a->ndim ? mica__size_from_end(a, 1) : 0, m = n;
    while (m && m % 2 == 0) m /= 2;
    if (n < 1 || (m != 1 && ((m != 3 && m != 5 && m != 7) || n % 4 != 0)))
        return mica__infer_refuse(i, "the length");
    return mica__infer_like(i, 0, a);
}

/* ---- linear algebra ---- */

/* Matrices of a type that LAPACK has. */
static bool check_matrices(mica__inference *i, const mica_array *a, bool square)
{
    if (!mica__lapack_has((mica_dtype)a->dtype)) return mica__infer_refuse(i, "an input's type");
    bool fits = a->ndim >= 2 && mica__size_from_end(a, 1) <= INT32_MAX &&
                mica__size_from_end(a, 2) <= INT32_MAX &&
                (!square || mica__size_from_end(a, 1) == mica__size_from_end(a, 2));
    return fits || mica__infer_refuse(i, "an input's shape");
}

bool mica__infer_square(mica__inference *i)
{
    return mica__infer_count(i, 1, 1) && check_matrices(i, i->in[0], true) &&
           mica__infer_like(i, 0, i->in[0]);
}

/* Output k has the leading axes of a, then n sizes. */
static bool give_matrices(mica__inference *i, size_t k, mica_dtype dtype, int n, int64_t first,
                          int64_t second)
{
    int64_t room[MICA_MAX_NDIM];
    return mica__infer_give(i, k, dtype, mica__batch_and(i->in[0], n, first, second, room));
}

bool mica__infer_pinv(mica__inference *i)
{
    if (!mica__infer_count(i, 1, 1) || !check_matrices(i, i->in[0], false)) return false;
    const mica_array *a = i->in[0];
    return give_matrices(i, 0, (mica_dtype)a->dtype, 2, mica__size_from_end(a, 1),
                         mica__size_from_end(a, 2));
}

bool mica__infer_solve(mica__inference *i)
{
    if (!mica__infer_count(i, 2, 1) || !mica__infer_one_type(i, 0, 2) ||
        !check_matrices(i, i->in[0], true) || !check_matrices(i, i->in[1], false))
        return false;
    const mica_array *a = i->in[0], *b = i->in[1];
    if (a->ndim != b->ndim) return mica__infer_refuse(i, "an input's shape");
    return mica__infer_leading(i, 0, 1, a->ndim - 1) && mica__infer_like(i, 0, b);
}

bool mica__infer_lu(mica__inference *i)
{
    if (!mica__infer_count(i, 1, 3) || !check_matrices(i, i->in[0], false)) return false;
    int64_t m = mica__size_from_end(i->in[0], 2), n = mica__size_from_end(i->in[0], 1);
    return mica__infer_like(i, 0, i->in[0]) &&
           give_matrices(i, 1, MICA_UINT32, 1, m < n ? m : n, 0) &&
           give_matrices(i, 2, MICA_UINT32, 1, m, 0);
}

bool mica__infer_determinant(mica__inference *i)
{
    size_t n = i->prim == mica_prim_slogdet ? 2 : 1;
    if (!mica__infer_count(i, 1, n) || !check_matrices(i, i->in[0], true)) return false;
    mica_dtype d = (mica_dtype)i->in[0]->dtype;
    return give_matrices(i, 0, d, 0, 0, 0) &&
           (n < 2 || give_matrices(i, 1, mica__real_dtype(d), 0, 0, 0));
}

bool mica__infer_qr(mica__inference *i)
{
    if (!mica__infer_count(i, 1, 2) || !check_matrices(i, i->in[0], false)) return false;
    int64_t m = mica__size_from_end(i->in[0], 2), n = mica__size_from_end(i->in[0], 1),
            k = m < n ? m : n;
    mica_dtype d = (mica_dtype)i->in[0]->dtype;
    return give_matrices(i, 0, d, 2, m, k) && give_matrices(i, 1, d, 2, k, n);
}

bool mica__infer_svd(mica__inference *i)
{
    int64_t mode = ((const struct mica__svd_params *)i->params)->mode;
    if (mode < 0 || mode > 2) return mica__infer_refuse(i, "the mode");
    if (!mica__infer_count(i, 1, mode ? 3 : 1) || !check_matrices(i, i->in[0], false)) return false;
    int64_t m = mica__size_from_end(i->in[0], 2), n = mica__size_from_end(i->in[0], 1),
            k = m < n ? m : n;
    mica_dtype d = (mica_dtype)i->in[0]->dtype;
    if (!mode) return give_matrices(i, 0, mica__real_dtype(d), 1, k, 0);
    return give_matrices(i, 0, d, 2, m, mode == 1 ? m : k) &&
           give_matrices(i, 1, mica__real_dtype(d), 1, k, 0) &&
           give_matrices(i, 2, d, 2, mode == 1 ? n : k, n);
}

bool mica__infer_eigen(mica__inference *i)
{
    bool hermitian = i->prim == mica_prim_eigh;
    int64_t vectors = hermitian ? ((const struct mica__eigh_params *)i->params)->vectors
                                : ((const struct mica__eig_params *)i->params)->vectors;
    if (!mica__infer_count(i, 1, vectors ? 2 : 1) || !check_matrices(i, i->in[0], true))
        return false;
    mica_dtype d = (mica_dtype)i->in[0]->dtype;
    if (!give_matrices(i, 0, hermitian ? mica__real_dtype(d) : MICA_COMPLEX64, 1,
                       mica__size_from_end(i->in[0], 1), 0))
        return false;
    return !vectors ||
           mica__infer_give(i, 1, hermitian ? d : MICA_COMPLEX64, mica__dims_of(i->in[0]));
}
