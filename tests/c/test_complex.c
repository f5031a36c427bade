/* The loops of complex64, against the C library in double and the answers of the reference. */
#include "loop_samples.h"

/* CMPLX, which not every compiler has. */
static double complex from_parts(double re, double im)
{
    double parts[2] = { re, im };
    double complex z;
    memcpy(&z, parts, sizeof z);
    return z;
}

/* ---- complex64 ---- */

static double complex z_log1p(double complex z)
{
    double x = creal(z), y = cimag(z);
    return from_parts(0.5 * log1p(x * (2 + x) + y * y), atan2(y, 1 + x));
}
static double complex z_square(double complex z)
{
    return z * z;
}
static double complex z_rsqrt(double complex z)
{
    return 1 / csqrt(z);
}
static double complex z_reciprocal(double complex z)
{
    return 1 / z;
}
static double complex z_log2(double complex z)
{
    return clog(z) / log(2);
}
static double complex z_log10(double complex z)
{
    return clog(z) / log(10);
}
static double complex z_sign(double complex z)
{
    return z == 0 ? z : z / cabs(z);
}
static double complex z_rint(double complex z)
{
    return from_parts(rint(creal(z)), rint(cimag(z)));
}
static double complex z_negative(double complex z)
{
    return -z;
}

static const struct {
    int prim;
    double complex (*want)(double complex);
} complex_cases[] = {
    { mica_prim_sqrt, csqrt },
    { mica_prim_exp, cexp },
    { mica_prim_log, clog },
    { mica_prim_sin, csin },
    { mica_prim_cos, ccos },
    { mica_prim_tan, ctan },
    { mica_prim_sinh, csinh },
    { mica_prim_cosh, ccosh },
    { mica_prim_tanh, ctanh },
    { mica_prim_arcsin, casin },
    { mica_prim_arccos, cacos },
    { mica_prim_arctan, catan },
    { mica_prim_arcsinh, casinh },
    { mica_prim_arccosh, cacosh },
    { mica_prim_arctanh, catanh },
    { mica_prim_log2, z_log2 },
    { mica_prim_log10, z_log10 },
    { mica_prim_log1p, z_log1p },
    { mica_prim_square, z_square },
    { mica_prim_rsqrt, z_rsqrt },
    { mica_prim_sign, z_sign },
    { mica_prim_rint, z_rint },
    { mica_prim_conjugate, conj },
    { mica_prim_negative, z_negative },
    { mica_prim_reciprocal, z_reciprocal },
};

static void close_complex(const char *name, mica_complex64 got, double complex want, double limit)
{
    double error = cabs(from_parts(got.re, got.im) - want);
    FAIL_IF(!(error <= limit * cabs(want) + 1e-40), "%s of complex64 is %.9g%+.9gi, not %.9g%+.9gi",
            name, got.re, got.im, creal(want), cimag(want));
}

/* What the reference answers where infinities, zeros and NaN meet; NaN stands for any. */
static const struct {
    int prim;
    mica_complex64 a, b, want;
} complex_corners[] = {
    { mica_prim_multiply, { INFINITY, 1 }, { 2, 0 }, { INFINITY, NAN } },
    { mica_prim_multiply, { -INFINITY, INFINITY }, { 1, 0 }, { -INFINITY, INFINITY } },
    { mica_prim_multiply, { 3e20f, 4e20f }, { 3e20f, 1e20f }, { NAN, INFINITY } },
    { mica_prim_divide, { 0, 0 }, { 0, 0 }, { NAN, NAN } },
    { mica_prim_divide, { 1.5f, 2.5f }, { 0, 0 }, { INFINITY, INFINITY } },
    { mica_prim_divide, { INFINITY, 1 }, { 2, 0 }, { INFINITY, NAN } },
    { mica_prim_divide, { -INFINITY, INFINITY }, { 1, 0 }, { -INFINITY, INFINITY } },
    { mica_prim_divide, { 3e20f, 4e20f }, { 3e20f, 1e20f }, { 1.3f, 0.9f } },
    { mica_prim_reciprocal, { 0, 0 }, { 0, 0 }, { INFINITY, NAN } },
    { mica_prim_reciprocal, { 1, INFINITY }, { 0, 0 }, { 0, -0.0f } },
    { mica_prim_sign, { INFINITY, 1 }, { 0, 0 }, { NAN, NAN } },
    { mica_prim_sign, { -0.0f, 0 }, { 0, 0 }, { -0.0f, 0 } },
    { mica_prim_maximum, { NAN, 1 }, { 1, 0 }, { NAN, 1 } },
    { mica_prim_maximum, { 1, 2 }, { 1, 3 }, { 1, 3 } },
    { mica_prim_minimum, { 1, NAN }, { 1, 0 }, { 1, NAN } },
    { mica_prim_minimum, { 2, 1 }, { 1, 5 }, { 1, 5 } },
    { mica_prim_logaddexp, { -INFINITY, INFINITY }, { 1, 0 }, { 1, 0 } },
    { mica_prim_logaddexp, { INFINITY, 1 }, { 2, 0 }, { INFINITY, 1 } },
    { mica_prim_sqrt, { -INFINITY, INFINITY }, { 0, 0 }, { INFINITY, INFINITY } },
};

static void test_complex(void)
{
    static mica_complex64 a[CHUNK], b[CHUNK], z[CHUNK];
    static float r[CHUNK];
    static uint8_t truth[CHUNK];
    const void *in[2] = { a, b };
    for (size_t i = 0; i < CHUNK; i++) {
        a[i].re = (float)mixture(1), a[i].im = (float)mixture(1);
        b[i].re = i % 7 ? (float)mixture(1) : a[i].re, b[i].im = (float)mixture(1);
    }
    for (size_t k = 0; k < sizeof complex_cases / sizeof *complex_cases; k++) {
        mica__loop_find(complex_cases[k].prim, MICA_COMPLEX64)(CHUNK, in, 0, z);
        for (size_t i = 0; i < CHUNK; i++)
            close_complex(prim_names[complex_cases[k].prim], z[i],
                          complex_cases[k].want(from_parts(a[i].re, a[i].im)), 6e-7);
    }
#define EACH(name, expression, limit)                                                              \
    mica__loop_find(mica_prim_##name, MICA_COMPLEX64)(CHUNK, in, 0, z);                            \
    for (size_t i = 0; i < CHUNK; i++) {                                                           \
        double complex x = from_parts(a[i].re, a[i].im), y = from_parts(b[i].re, b[i].im);         \
        close_complex(#name, z[i], expression, limit);                                             \
    }
    EACH(add, x + y, 6e-8)
    EACH(subtract, x - y, 6e-8)
    EACH(multiply, x * y, 2e-7)
    EACH(divide, x / y, 1e-7)
    EACH(power, cpow(x, y), 2e-7)
#undef EACH
    mica__loop_find(mica_prim_logaddexp, MICA_COMPLEX64)(CHUNK, in, 0, z);
    for (size_t i = 0; i < CHUNK; i++) {
        double complex want =
            clog(cexp(from_parts(a[i].re, a[i].im)) + cexp(from_parts(b[i].re, b[i].im)));
        double turns = (z[i].im - cimag(want)) / 6.283185307179586;
        FAIL_IF(!(fabs(z[i].re - creal(want)) < 1e-4 && fabs(turns - rint(turns)) < 1e-4),
                "logaddexp of complex64 is %g%+gi", z[i].re, z[i].im);
    }
#define EACH(name, out, expression)                                                                \
    mica__loop_find(mica_prim_##name, MICA_COMPLEX64)(CHUNK, in, 0, out);                          \
    for (size_t i = 0; i < CHUNK; i++) FAIL_IF(out[i] != (expression), "%s of complex64", #name);
    EACH(abs, r, hypotf(a[i].re, a[i].im))
    EACH(real, r, a[i].re)
    EACH(imag, r, a[i].im)
    EACH(equal, truth, (a[i].re == b[i].re && a[i].im == b[i].im))
    EACH(not_equal, truth, (a[i].re != b[i].re || a[i].im != b[i].im))
    EACH(less, truth, (a[i].re < b[i].re || (a[i].re == b[i].re && a[i].im < b[i].im)))
    EACH(greater_equal, truth, (a[i].re > b[i].re || (a[i].re == b[i].re && a[i].im >= b[i].im)))
    EACH(isfinite, truth, 1)
#undef EACH
    for (size_t k = 0; k < sizeof complex_corners / sizeof *complex_corners; k++) {
        const void *pair[2] = { &complex_corners[k].a, &complex_corners[k].b };
        mica_complex64 want = complex_corners[k].want;
        mica__loop_find(complex_corners[k].prim, MICA_COMPLEX64)(1, pair, 0, z);
        FAIL_IF(!same_real(z[0].re, want.re) || !same_real(z[0].im, want.im),
                "%s of corner %zu is %g%+gi", prim_names[complex_corners[k].prim], k, z[0].re,
                z[0].im);
    }
}

int main(void)
{
    test_complex();
    return check_report("complex");
}
