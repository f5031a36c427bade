/* Kernels of solving, inverses and triangular factors. */
#include "backend/cpu/linalg.h"

/* ---- Cholesky factors: A = L L^H, or U^H U ---- */

static li cholesky_one(const mica__matrices *b, int64_t i, char *work)
{
    (void)work;
    char *out = mica__matrix_at(&b->l->out[0], i, (int64_t)b->n * b->n);
    li info = 0;
    mica__copy_matrix(b, i, out);
    for (li r = 0; r < b->n && b->complex; r++) /* imaginary parts there are not read */
        ((mica_complex64 *)(void *)out)[(int64_t)r * (b->n + 1)].im = 0;
    if (!mica__triangle_finite(out, b->n, b->upper, b->dtype))
        mica__fill_nan(out, (int64_t)b->n * b->n, b->dtype); /* NaN is passed on */
    else if (b->n) b->f->potrf(b->upper ? "L" : "U", &b->n, out, &b->n, &info, 1);
    mica__clear_triangle(out, b->n, b->item, !b->upper);
    return info;
}

int mica__kernel_cholesky(mica__launch *l)
{
    mica__matrices b;
    MICA_TRY(mica__matrices_init(&b, l, "linalg.cholesky"));
    b.upper = MICA_PARAMS(l->node, cholesky)->upper != 0;
    return mica__matrices_run(
        &b, cholesky_one,
        "is not positive definite: its leading minor of order %d is not positive");
}

/* ---- inverses ---- */

/* Work: pivots, LAPACK's workspace. The transpose's inverse is the inverse's transpose. */
static li inv_one(const mica__matrices *b, int64_t i, char *work)
{
    char *out = mica__matrix_at(&b->l->out[0], i, (int64_t)b->n * b->n);
    li info = 0, *pivots = (li *)(void *)work;
    mica__copy_matrix(b, i, out);
    if (!b->n) return 0;
    if (!mica__all_finite(out, (int64_t)b->n * b->n,
                          b->dtype)) { /* OpenBLAS passes NaN on to some elements alone */
        mica__fill_nan(out, (int64_t)b->n * b->n, b->dtype);
        return 0;
    }
    b->f->getrf(&b->n, &b->n, out, &b->n, pivots, &info);
    if (info == 0)
        b->f->getri(&b->n, out, &b->n, pivots, work + mica__lines((size_t)b->n * sizeof(li)),
                    &b->lwork, &info);
    return info;
}

int mica__kernel_inv(mica__launch *l)
{
    mica__matrices b;
    MICA_TRY(mica__matrices_init(&b, l, "linalg.inv"));
    double answer[2] = { 1, 0 };
    li ask = -1, info = 0, none = 0, leading = b.n ? b.n : 1;
    b.f->getri(&b.n, answer, &leading, &none, answer, &ask, &info);
    b.lwork = mica__queried(answer, b.dtype);
    b.work_bytes = mica__lines((size_t)b.n * sizeof(li)) + (size_t)b.lwork * b.item;
    return mica__matrices_run(&b, inv_one, "is singular: pivot %d of its LU factorization is 0");
}

static li tri_inv_one(const mica__matrices *b, int64_t i, char *work)
{
    (void)work;
    char *out = mica__matrix_at(&b->l->out[0], i, (int64_t)b->n * b->n);
    li info = 0;
    mica__copy_matrix(b, i, out);
    if (b->n) b->f->trtri(b->upper ? "L" : "U", "N", &b->n, out, &b->n, &info, 1, 1);
    mica__clear_triangle(out, b->n, b->item, !b->upper);
    return info;
}

int mica__kernel_tri_inv(mica__launch *l)
{
    mica__matrices b;
    MICA_TRY(mica__matrices_init(&b, l, "linalg.tri_inv"));
    b.upper = MICA_PARAMS(l->node, tri_inv)->upper != 0;
    return mica__matrices_run(&b, tri_inv_one,
                              "is singular: element %d of its diagonal, counted from 1, is 0");
}

/* ---- systems A X = B ---- */

/* B with columns next to each other, in scratch; one column is solved in its place. */
static char *columns_in(const mica__matrices *b, int64_t i, char *work, char *out)
{
    int64_t size = (int64_t)b->n * b->columns;
    char *to = b->columns == 1 ? out : work;
    mica__transpose(mica__matrix_at(b->l->in[1], i, size), to, b->n, b->columns, b->item);
    return to;
}

static void columns_out(const mica__matrices *b, const char *x, char *out)
{
    if (b->columns != 1) mica__transpose(x, out, b->columns, b->n, b->item);
}

/* Work: the factors of A^T, B^T, pivots. */
static li solve_one(const mica__matrices *b, int64_t i, char *work)
{
    char *out = mica__matrix_at(&b->l->out[0], i, (int64_t)b->n * b->columns);
    char *rhs = work + mica__lines((size_t)b->n * (size_t)b->n * b->item);
    li *pivots = (li *)(void *)(rhs + mica__lines((size_t)b->n * (size_t)b->columns * b->item)),
       info = 0;
    if (!b->n || !b->columns) return 0;
    mica__copy_matrix(b, i, work);
    if (!mica__all_finite(work, (int64_t)b->n * b->n, b->dtype)) {
        mica__fill_nan(out, (int64_t)b->n * b->columns, b->dtype);
        return 0;
    }
    char *x = columns_in(b, i, rhs, out);
    b->f->getrf(&b->n, &b->n, work, &b->n, pivots, &info);
    if (info == 0) b->f->getrs("T", &b->n, &b->columns, work, &b->n, pivots, x, &b->n, &info, 1);
    columns_out(b, x, out);
    return info;
}

static int solve_init(mica__matrices *b, mica__launch *l, const char *name)
{
    MICA_TRY(mica__matrices_init(b, l, name));
    b->columns = (li)l->in[1]->shape[l->in[1]->ndim - 1];
    return MICA_OK;
}

int mica__kernel_solve(mica__launch *l)
{
    mica__matrices b;
    MICA_TRY(solve_init(&b, l, "linalg.solve"));
    size_t n = (size_t)b.n, columns = (size_t)b.columns;
    b.work_bytes = mica__lines(n * n * b.item) + mica__lines(n * columns * b.item) +
                   mica__lines(n * sizeof(li));
    return mica__matrices_run(&b, solve_one, "is singular: pivot %d of its LU factorization is 0");
}

static li solve_triangular_one(const mica__matrices *b, int64_t i, char *work)
{
    const char *a = mica__matrix_at(b->l->in[0], i, (int64_t)b->n * b->n);
    char *out = mica__matrix_at(&b->l->out[0], i, (int64_t)b->n * b->columns);
    li info = 0;
    if (!b->n || !b->columns) return 0;
    char *x = columns_in(b, i, work, out);
    b->f->trtrs(b->upper ? "L" : "U", "T", "N", &b->n, &b->columns, a, &b->n, x, &b->n, &info, 1, 1,
                1);
    columns_out(b, x, out);
    return info;
}

int mica__kernel_solve_triangular(mica__launch *l)
{
    mica__matrices b;
    MICA_TRY(solve_init(&b, l, "linalg.solve_triangular"));
    b.upper = MICA_PARAMS(l->node, solve_triangular)->upper != 0;
    b.work_bytes = mica__lines((size_t)b.n * (size_t)b.columns * b.item);
    return mica__matrices_run(&b, solve_triangular_one,
                              "is singular: element %d of its diagonal, counted from 1, is 0");
}

/* ---- LU with pivoting of rows: A[order] = L U ---- */

/* Work: A's columns, pivots, the order. */
static li lu_one(const mica__matrices *b, int64_t i, char *work)
{
    int64_t size = (int64_t)b->m * b->n;
    li *pivots = (li *)(void *)(work + mica__lines((size_t)size * b->item)), *order = pivots + b->k,
       info = 0;
    uint32_t *steps = (uint32_t *)(void *)mica__matrix_at(&b->l->out[1], i, b->k);
    uint32_t *place = (uint32_t *)(void *)mica__matrix_at(&b->l->out[2], i, b->m);
    mica__transpose(mica__matrix_at(b->l->in[0], i, size), work, b->m, b->n, b->item);
    if (size && !mica__all_finite(work, size, b->dtype)) {
        mica__fill_nan(work, size, b->dtype);
        for (li r = 0; r < b->k; r++) pivots[r] = r + 1;
    } else if (size) {
        b->f->getrf(&b->m, &b->n, work, &b->m, pivots, &info);
    }
    mica__transpose(work, mica__matrix_at(&b->l->out[0], i, size), b->n, b->m, b->item);
    for (li r = 0; r < b->m; r++) order[r] = r;
    for (li r = 0; r < b->k; r++) {
        li other = pivots[r] - 1, swap = order[r];
        steps[r] = (uint32_t)other;
        order[r] = order[other];
        order[other] = swap;
    }
    for (li r = 0; r < b->m; r++) place[order[r]] = (uint32_t)r;
    return info;
}

int mica__kernel_lu(mica__launch *l)
{
    mica__matrices b;
    MICA_TRY(mica__matrices_init(&b, l, "linalg.lu"));
    b.work_bytes =
        mica__lines((size_t)b.m * (size_t)b.n * b.item) + (size_t)(b.k + b.m) * sizeof(li) + 64;
    return mica__matrices_run(&b, lu_one, NULL);
}
