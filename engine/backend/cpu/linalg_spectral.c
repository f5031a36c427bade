/* Kernels of singular values and eigenvalues. */
#include "backend/cpu/linalg.h"

/* ---- singular values: of the transpose, whose factors are ours exchanged; no matrix is transposed
 * ---- */

size_t mica__svd_rwork(const mica__matrices *b)
{
    size_t small = (size_t)b->k, large = (size_t)(b->m > b->n ? b->m : b->n);
    if (!b->complex) return 0;
    if (b->mode == MICA_SVD_VALUES) return 7 * small + 1;
    size_t one = 5 * small * small + 5 * small,
           other = 2 * large * small + 2 * small * small + small;
    return one > other ? one : other;
}

void mica__gesdd(const mica__matrices *b, void *a, void *s, void *u, void *vt, void *work,
                 void *rwork, li *iwork, li *info)
{
    const char *job = b->mode == MICA_SVD_VALUES ? "N" : b->mode == MICA_SVD_FULL ? "A" : "S";
    li columns = b->mode == MICA_SVD_THIN ? b->k : b->m;
    if (b->complex)
        b->f->gesdd_complex(job, &b->n, &b->m, a, &b->n, s, u, &b->n, vt, &columns, work, &b->lwork,
                            rwork, iwork, info, 1);
    else
        b->f->gesdd(job, &b->n, &b->m, a, &b->n, s, u, &b->n, vt, &columns, work, &b->lwork, iwork,
                    info, 1);
}

void mica__svd_workspace(mica__matrices *b)
{
    double answer[2] = { 1, 0 };
    li info = 0, none[8];
    b->lwork = -1; /* asks */
    if (b->k) mica__gesdd(b, answer, answer, answer, answer, answer, answer, none, &info);
    b->lwork = b->k ? mica__queried(answer, b->dtype) : 0;
}

/* Work: a copy of A, integers, real workspace, workspace. */
static li svd_one(const mica__matrices *b, int64_t i, char *work)
{
    int64_t size = (int64_t)b->m * b->n, columns = b->mode == MICA_SVD_THIN ? b->k : b->m,
            rows = b->mode == MICA_SVD_THIN ? b->k : b->n;
    mica_array *out = b->l->out;
    size_t values = b->mode == MICA_SVD_VALUES ? 0 : 1;
    char *u = values ? mica__matrix_at(&out[0], i, (int64_t)b->m * columns) : work;
    char *vt = values ? mica__matrix_at(&out[2], i, rows * b->n) : work;
    char *iwork = work + mica__lines((size_t)size * b->item),
         *rwork = iwork + mica__lines(8 * (size_t)b->k * sizeof(li));
    char *rest = rwork + mica__lines(mica__svd_rwork(b) * b->real);
    li info = 0;
    if (!b->k) {
        if (b->mode == MICA_SVD_FULL)
            mica__fill_identity(u, b->m, b->dtype), mica__fill_identity(vt, b->n, b->dtype);
        return 0;
    }
    memcpy(work, mica__matrix_at(b->l->in[0], i, size), (size_t)size * b->item);
    if (!mica__all_finite(work, size, b->dtype)) return MICA_NOT_FINITE;
    mica__gesdd(b, work, mica__matrix_at(&out[values], i, b->k), vt, u, rest, rwork,
                (li *)(void *)iwork, &info);
    return info;
}

int mica__kernel_svd(mica__launch *l)
{
    mica__matrices b;
    MICA_TRY(mica__matrices_init(&b, l, "linalg.svd"));
    b.mode = (int)MICA_PARAMS(l->node, svd)->mode;
    mica__svd_workspace(&b);
    b.work_bytes = mica__lines((size_t)b.m * (size_t)b.n * b.item) +
                   mica__lines(8 * (size_t)b.k * sizeof(li)) +
                   mica__lines(mica__svd_rwork(&b) * b.real) + (size_t)b.lwork * b.item + 64;
    return mica__matrices_run(&b, svd_one, "has singular values that do not converge");
}

/* ---- eigenvalues of symmetric and Hermitian matrices ---- */

typedef struct sizes {
    li work, rwork, iwork;
} sizes;

static void syevd(const mica__matrices *b, void *a, void *w, void *work, sizes s, void *rwork,
                  li *iwork, li *info)
{
    const char *job = b->mode ? "V" : "N", *uplo = b->upper ? "L" : "U"; /* of the transpose */
    li leading = b->n ? b->n : 1;
    if (b->complex)
        b->f->heevd(job, uplo, &b->n, a, &leading, w, work, &s.work, rwork, &s.rwork, iwork,
                    &s.iwork, info, 1, 1);
    else b->f->syevd(job, uplo, &b->n, a, &leading, w, work, &s.work, iwork, &s.iwork, info, 1, 1);
}

/* Sizes by LAPACK's documentation; `work` is asked for. */
static sizes eigh_sizes(const mica__matrices *b)
{
    li n = b->n;
    int64_t r = b->mode ? 1 + 5 * (int64_t)n + 2 * (int64_t)n * n : n;
    return (sizes){ b->lwork, b->complex ? (li)(r > INT32_MAX ? INT32_MAX : r) : 0,
                    b->mode ? 3 + 5 * n : 1 };
}

/* Work: integers, real workspace, workspace, a copy of A where no vectors are wanted. */
static li eigh_one(const mica__matrices *b, int64_t i, char *work)
{
    sizes s = eigh_sizes(b);
    int64_t size = (int64_t)b->n * b->n;
    char *rwork = work + mica__lines((size_t)s.iwork * sizeof(li)),
         *rest = rwork + mica__lines((size_t)s.rwork * b->real);
    char *a = b->mode ? mica__matrix_at(&b->l->out[1], i, size)
                      : rest + mica__lines((size_t)s.work * b->item);
    char *w = mica__matrix_at(&b->l->out[0], i, b->n);
    li info = 0;
    if (!b->n) return 0;
    memcpy(a, mica__matrix_at(b->l->in[0], i, size), (size_t)size * b->item);
    if (!mica__triangle_finite(a, b->n, b->upper, b->dtype)) { /* NaN is passed on */
        mica__fill_nan(w, b->n, b->real == 8 ? MICA_FLOAT64 : MICA_FLOAT32);
        if (b->mode) mica__fill_nan(a, size, b->dtype);
        return 0;
    }
    syevd(b, a, w, rest, s, rwork, (li *)(void *)work, &info);
    if (b->mode) mica__transpose_in_place(a, b->n, b->dtype);
    return info;
}

int mica__kernel_eigh(mica__launch *l)
{
    mica__matrices b;
    const struct mica__eigh_params *p = l->node->params;
    MICA_TRY(mica__matrices_init(&b, l, p->vectors ? "linalg.eigh" : "linalg.eigvalsh"));
    b.upper = p->upper != 0;
    b.mode = p->vectors != 0;
    double answer[2] = { 1, 0 }, real[2];
    li info = 0, integers;
    syevd(&b, answer, answer, answer, (sizes){ -1, -1, -1 }, real, &integers, &info);
    b.lwork = mica__queried(answer, b.dtype);
    sizes s = eigh_sizes(&b);
    size_t copy = b.mode ? 0 : (size_t)b.n * (size_t)b.n;
    b.work_bytes = mica__lines((size_t)s.iwork * sizeof(li)) +
                   mica__lines((size_t)s.rwork * b.real) + mica__lines((size_t)s.work * b.item) +
                   mica__lines(copy * b.item) + 64;
    return mica__matrices_run(&b, eigh_one, "has eigenvalues that do not converge");
}

/* ---- eigenvalues of general matrices: complex64, computed in the type of the matrix ---- */

static void geev(const mica__matrices *b, void *a, void *w, void *v, void *work, const li *lwork,
                 void *rwork, li *info)
{
    const char *job = b->mode ? "V" : "N";
    li one = 1;
    if (b->complex) {
        b->f->geev_complex("N", job, &b->n, a, &b->n, w, v, &one, v, &b->n, work, lwork, rwork,
                           info, 1, 1);
        return;
    }
    char *imaginary = (char *)w + (size_t)b->n * b->item;
    b->f->geev("N", job, &b->n, a, &b->n, w, imaginary, v, &one, v, &b->n, work, lwork, info, 1, 1);
}

/* Columns of real numbers; a conjugate pair of values has the real and imaginary part of the first
 * vector. */
static void unpack(const mica__matrices *b, const char *w, const char *v, mica_complex64 *values,
                   mica_complex64 *vectors)
{
    int64_t n = b->n;
    for (int64_t c = 0; c < n; c++)
        values[c] = (mica_complex64){ (float)mica__real_at(w, c, b->dtype),
                                      (float)mica__real_at(w, n + c, b->dtype) };
    for (int64_t c = 0; c < n && vectors; c++) {
        bool pair = mica__real_at(w, n + c, b->dtype) != 0 && c + 1 < n;
        for (int64_t r = 0; r < n; r++) {
            float re = (float)mica__real_at(v, c * n + r, b->dtype),
                  im = pair ? (float)mica__real_at(v, (c + 1) * n + r, b->dtype) : 0;
            vectors[r * n + c] = (mica_complex64){ re, im };
            if (pair) vectors[r * n + c + 1] = (mica_complex64){ re, -im };
        }
        c += pair;
    }
}

/* Work: A's columns, vectors, values, real workspace, workspace. */
static li eig_one(const mica__matrices *b, int64_t i, char *work)
{
    int64_t size = (int64_t)b->n * b->n;
    size_t bytes = mica__lines((size_t)size * b->item);
    char *v = work + bytes, *w = v + (b->mode ? bytes : 0),
         *rwork = w + mica__lines(2 * (size_t)b->n * b->item);
    char *rest = rwork + mica__lines(2 * (size_t)b->n * b->real);
    mica_complex64 *values = (mica_complex64 *)(void *)mica__matrix_at(&b->l->out[0], i, b->n),
                   *vectors = NULL;
    if (b->mode) vectors = (mica_complex64 *)(void *)mica__matrix_at(&b->l->out[1], i, size);
    li info = 0;
    if (!b->n) return 0;
    mica__transpose(mica__matrix_at(b->l->in[0], i, size), work, b->n, b->n, b->item);
    if (!mica__all_finite(work, size, b->dtype)) return MICA_NOT_FINITE;
    geev(b, work, w, v, rest, &b->lwork, rwork, &info);
    if (!b->complex) {
        unpack(b, w, v, values, vectors);
    } else {
        memcpy(values, w, (size_t)b->n * sizeof *values);
        if (vectors) mica__transpose(v, vectors, b->n, b->n, b->item);
    }
    return info;
}

int mica__kernel_eig(mica__launch *l)
{
    mica__matrices b;
    const struct mica__eig_params *p = l->node->params;
    MICA_TRY(mica__matrices_init(&b, l, p->vectors ? "linalg.eig" : "linalg.eigvals"));
    b.mode = p->vectors != 0;
    if (b.n) {
        double answer[2] = { 1, 0 };
        li ask = -1, info = 0;
        geev(&b, answer, answer, answer, answer, &ask, answer, &info);
        b.lwork = mica__queried(answer, b.dtype);
    }
    size_t n = (size_t)b.n;
    b.work_bytes = (b.mode ? 2 : 1) * mica__lines(n * n * b.item) + mica__lines(2 * n * b.item) +
                   mica__lines(2 * n * b.real) + (size_t)b.lwork * b.item + 64;
    return mica__matrices_run(&b, eig_one, "has eigenvalues that do not converge");
}
