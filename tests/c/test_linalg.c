/* Linear algebra from C: values, faults of the data, memory that runs out, and the library that may
   be missing. MICA_LAPACK names it for this test; without it, and without one of the system's,
   every call must say what to install. */
#include "failing.h"
#include "mica/mica.h"

static bool available;

static mica_array *matrix(mica_scope *s, double a, double b, double c, double d)
{
    const double values[4] = { a, b, c, d };
    return mica_from_data(s, values, MICA_SHAPE(2, 2), MICA_FLOAT64);
}

static void test_library(void)
{
    char name[2048];
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = 0;
    CHECK_EQUAL(mica_set_lapack(name), MICA_EVALUE);
    CHECK_EQUAL(mica_set_lapack("/nowhere/at/all.so"), MICA_OK); /* others are tried after it */
    mica_scope *s = mica_scope_open(NULL);
    double x = mica_item(s, mica_linalg_norm(s, mica_linalg_inv(s, matrix(s, 2, 0, 0, 4)),
                                             MICA_ORDER(2), MICA_ALL_AXES, false));
    available = mica_scope_status(s) == MICA_OK;
    if (available) CHECK(x == 0.5);
    else CHECK_MENTIONS(mica_last_error(), "scipy-openblas32");
    CHECK_EQUAL(mica_scope_close(s), available ? MICA_OK : MICA_ERUNTIME);
}

static void test_values(void)
{
    mica_scope *s = mica_scope_open(NULL);
    mica_array *a = matrix(s, 4, 2, 2, 5);
    double out[4];
    CHECK_EQUAL(mica_to_data(s, mica_linalg_cholesky(s, a, false), out, sizeof out), MICA_OK);
    CHECK(out[0] == 2 && out[1] == 0 && out[2] == 1 && out[3] == 2);
    mica_arrays q = mica_linalg_qr(s, a), u = mica_linalg_svd(s, a, true),
                v = mica_linalg_svd(s, a, false);
    CHECK_EQUAL(q.n, 2);
    CHECK_EQUAL(u.n, 3);
    CHECK_EQUAL(v.n, 1);
    double trace =
        mica_item(s, mica_linalg_norm(s, a, MICA_ORDER_NAMED("nuc"), MICA_ALL_AXES, false));
    CHECK(trace > 8.999999 && trace < 9.000001);
    CHECK(mica_item(s, mica_linalg_det(s, a)) == 16);
    CHECK_EQUAL(mica_scope_close(s), MICA_OK);
}

/* 2 x 2 matrices of complex numbers: L of L L^H, the determinant, what solves a system. */
static void test_complex(void)
{
    static const mica_complex64 values[4] = { { 4, 0 }, { 0, -2 }, { 0, 2 }, { 5, 0 } };
    mica_scope *s = mica_scope_open(NULL);
    mica_array *a = mica_from_data(s, values, MICA_SHAPE(2, 2), MICA_COMPLEX64);
    mica_complex64 out[4], one;
    CHECK_EQUAL(mica_to_data(s, mica_linalg_cholesky(s, a, false), out, sizeof out), MICA_OK);
    CHECK(out[0].re == 2 && out[1].re == 0 && out[2].im == 1 && out[3].re == 2);
    CHECK_EQUAL(mica_to_data(s, mica_linalg_det(s, a), &one, sizeof one), MICA_OK);
    CHECK(one.re == 16 && one.im == 0);
    mica_array *x = mica_linalg_solve(s, a, mica_ones(s, MICA_SHAPE(2), MICA_FLOAT32));
    CHECK_EQUAL(mica_to_data(s, mica_matmul(s, a, x), out, 2 * sizeof *out), MICA_OK);
    for (int i = 0; i < 2; i++)
        CHECK(out[i].re > 0.99999F && out[i].re < 1.00001F && out[i].im < 1e-6F);
    mica_arrays sign = mica_linalg_slogdet(s, a);
    CHECK_EQUAL(sign.n, 2);
    CHECK_EQUAL(mica_dtype_of(sign.at[0]), MICA_COMPLEX64);
    CHECK_EQUAL(mica_dtype_of(sign.at[1]), MICA_FLOAT32);
    CHECK_EQUAL(mica_scope_close(s), MICA_OK);
}

/* The fault belongs to the node; the scope of another call is not touched. */
static void test_faults(void)
{
    mica_scope *s = mica_scope_open(NULL);
    mica_array *bad = mica_linalg_inv(s, matrix(s, 1, 2, 2, 4));
    for (int i = 0; i < 2; i++) {
        mica_scope *t = mica_scope_open(NULL);
        CHECK_EQUAL(mica_eval(t, &bad, 1), MICA_ERUNTIME);
        CHECK_MENTIONS(mica_last_error(), "[linalg.inv] the matrix is singular");
        CHECK_EQUAL(mica_scope_close(t), MICA_ERUNTIME);
    }
    CHECK(mica_item(s, mica_linalg_det(s, matrix(s, 1, 2, 2, 4))) == 0);
    CHECK_EQUAL(mica_scope_close(s), MICA_OK);
}

/* Real, and complex where `turn` is. */
static mica_array *all_of(mica_scope *s, mica_array *turn)
{
    mica_array *a = mica_add(
        s,
        mica_random_normal(s, MICA_SHAPE(3, 5, 5), MICA_FLOAT32, NULL, NULL, mica_random_key(s, 1)),
        mica_multiply(s, mica_number(s, 8), mica_identity(s, 5, MICA_FLOAT32)));
    a = mica_multiply(s, a, turn);
    mica_arrays parts[5] = { mica_linalg_svd(s, a, true), mica_linalg_qr(s, a),
                             mica_linalg_lu(s, a), mica_linalg_eigh(s, a, "L"),
                             mica_linalg_slogdet(s, a) };
    mica_array *sum =
        mica_sum(s, mica_linalg_solve(s, a, mica_linalg_pinv(s, a)), MICA_ALL_AXES, false);
    for (int i = 0; i < 5; i++)
        for (size_t k = 0; k < parts[i].n; k++)
            sum =
                mica_add(s, sum, mica_sum(s, mica_square(s, parts[i].at[k]), MICA_ALL_AXES, false));
    mica_array *values = mica_linalg_eigvals(s, a);
    return values ? mica_add(s, sum, mica_sum(s, mica_abs(s, values), MICA_ALL_AXES, false)) : NULL;
}

static mica_array *all_of_them(mica_scope *s)
{
    return all_of(s, mica_scalar(s, 1, MICA_FLOAT32));
}
static mica_array *all_of_complex(mica_scope *s)
{
    static const mica_complex64 turn = { 0.8F, 0.6F };
    return mica_abs(s, all_of(s, mica_from_data(s, &turn, MICA_SHAPE(1), MICA_COMPLEX64)));
}

int main(void)
{
    test_library();
    if (!available) return check_report("linalg (without LAPACK)");
    test_values();
    test_complex();
    test_faults();
    check_each_failure(all_of_them);
    check_each_failure(all_of_complex);
    return check_report("linalg");
}
