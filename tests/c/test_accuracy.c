/* Accuracy of the float32 and float64 loops, against the C library in higher precision, and that
   all instruction sets give the same bits. `test_accuracy STEP [PRIMITIVE]` samples every STEPth
   float (default 2503; 1: all of them, about a minute a function on two cores) beside the
   neighbourhoods where functions go wrong. SHOW=1 prints what was found. */
#include "loop_samples.h"
#include "references.h"
#include "runtime/pool.h"

typedef struct unary_case {
    int prim;
    double (*want)(double);
    long double (*want_long)(long double); /* NULL: float64 is compared with want */
    double ulps;
} unary_case;

static const unary_case unary_cases[] = {
    { mica_prim_abs, fabs, NULL, 0 },
    { mica_prim_negative, negative, NULL, 0 },
    { mica_prim_sign, sign, NULL, 0 },
    { mica_prim_ceil, ceil, NULL, 0 },
    { mica_prim_floor, floor, NULL, 0 },
    { mica_prim_trunc, trunc, NULL, 0 },
    { mica_prim_rint, rint, NULL, 0 },
    { mica_prim_square, square, NULL, 0.5 },
    { mica_prim_sqrt, sqrt, sqrtl, 0.5001 },
    { mica_prim_rsqrt, rsqrt_, rsqrtl_, 1.5 },
    { mica_prim_reciprocal, reciprocal, NULL, 0.5001 },
    { mica_prim_exp, exp, expl, 1 },
    { mica_prim_expm1, expm1, expm1l, 0.51 },
    { mica_prim_log, log, logl, 1 },
    { mica_prim_log2, log2, log2l, 0.51 },
    { mica_prim_log10, log10, log10l, 0.51 },
    { mica_prim_log1p, log1p, log1pl, 0.51 },
    { mica_prim_sin, sin, sinl, 1.7 },
    { mica_prim_cos, cos, cosl, 1.7 },
    { mica_prim_tan, tan, tanl, 0.51 },
    { mica_prim_sinh, sinh, sinhl, 0.51 },
    { mica_prim_cosh, cosh, coshl, 0.51 },
    { mica_prim_tanh, tanh, tanhl, 1.5 },
    { mica_prim_arcsin, asin, asinl, 0.51 },
    { mica_prim_arccos, acos, acosl, 0.51 },
    { mica_prim_arctan, atan, atanl, 0.51 },
    { mica_prim_arcsinh, asinh, asinhl, 0.51 },
    { mica_prim_arccosh, acosh, acoshl, 0.51 },
    { mica_prim_arctanh, atanh, atanhl, 0.51 },
    { mica_prim_erf, erf, erfl, 1.7 },
    { mica_prim_erfinv, erfinv, erfinvl, 0.65 },
    { mica_prim_sigmoid, sigmoid, sigmoidl, 1.5 },
    { mica_prim_conjugate, same, NULL, 0 },
    { mica_prim_real, same, NULL, 0 },
    { mica_prim_imag, zero, NULL, 0 },
};

typedef struct binary_case {
    int prim;
    long double (*want)(long double, long double);
    double ulps;
} binary_case;

static const binary_case binary_cases[] = {
    { mica_prim_add, addl, 0.5001 },           { mica_prim_subtract, subtractl, 0.5001 },
    { mica_prim_multiply, multiplyl, 0.5001 }, { mica_prim_divide, dividel, 0.5001 },
    { mica_prim_floor_divide, NULL, 0 },       { mica_prim_remainder, signed_remainderl, 0.5001 },
    { mica_prim_power, powl, 0.51 },           { mica_prim_maximum, largerl, 0 },
    { mica_prim_minimum, smallerl, 0 },        { mica_prim_logaddexp, log_add_expl, 1 },
    { mica_prim_arctan2, atan2l, 0.51 },
};

/* ---- what a task finds ---- */

typedef struct worst {
    double ulps, a, b;
} worst;

typedef struct finding {
    worst single, wide;
    int differs; /* a level that gives other bits than portable */
} finding;

typedef struct survey {
    const unary_case *unary;
    const binary_case *binary;
    uint32_t step;
    mica__loop *single[MICA_ISA_COUNT], *wide[MICA_ISA_COUNT];
    finding *found; /* one a task */
} survey;

static void note(worst *w, double ulps, double a, double b)
{
    if (!(ulps <= w->ulps)) *w = (worst){ ulps, a, b };
}

/* The loops of each level that this machine has. */
static void find_loops(survey *s, int prim)
{
    for (int level = 0; level < MICA_ISA_COUNT; level++) {
        s->single[level] = s->wide[level] = NULL;
        if (mica__isa_cap((mica__isa)level) != (mica__isa)level) continue;
        s->single[level] = mica__loop_find(prim, MICA_FLOAT32);
        s->wide[level] = mica__loop_find(prim, MICA_FLOAT64);
    }
    mica__isa_cap(MICA_ISA_COUNT);
}

/* Runs the loops of all levels, the best one last, whose results stay in `out`. */
static void run_levels(mica__loop *const loops[], size_t item, size_t n, const void *const in[],
                       void *out, finding *f)
{
    static _Thread_local char first[8 * CHUNK];
    mica__loop *last = NULL;
    for (int level = 0; level < MICA_ISA_COUNT; level++) {
        if (!loops[level] || loops[level] == last) continue;
        loops[level](n, in, 0, last ? out : first);
        if (last && memcmp(first, out, n * item) != 0)
            for (size_t i = 0; i < n; i++) {
                const float *a = (const void *)first, *b = out;
                const double *c = (const void *)first, *d = out;
                if (!(item == 4 ? same_real(a[i], b[i]) : same_real(c[i], d[i])))
                    f->differs = level;
            }
        if (!last) memcpy(out, first, n * item);
        last = loops[level];
    }
}

/* ---- one operand ---- */

static void check_floats(const survey *s, size_t n, const float *x, finding *f)
{
    static _Thread_local float y[CHUNK];
    const void *in = x;
    run_levels(s->single, 4, n, &in, y, f);
    for (size_t i = 0; i < n; i++) note(&f->single, ulps32(y[i], s->unary->want(x[i])), x[i], 0);
}

static void check_doubles(const survey *s, size_t n, const double *x, finding *f)
{
    static _Thread_local double y[CHUNK];
    const void *in = x;
    run_levels(s->wide, 8, n, &in, y, f);
    for (size_t i = 0; i < n; i++) {
        long double want = s->unary->want_long ? s->unary->want_long(x[i]) : s->unary->want(x[i]);
        note(&f->wide, ulps64(y[i], want), x[i], 0);
    }
}

/* Task t: the floats whose first 8 bits are t. */
static void sweep(void *context, size_t task)
{
    static _Thread_local float x[CHUNK];
    const survey *s = context;
    uint64_t end = (uint64_t)(task + 1) << 24;
    for (uint64_t u = (uint64_t)task << 24; u < end;) {
        size_t n = 0;
        for (; n < CHUNK && u < end; u += s->step) x[n++] = from_bits((uint32_t)u);
        check_floats(s, n, x, &s->found[task]);
    }
}

/* Hard place k: powers of two, multiples of pi/2 up to the largest, ends of ranges and of
   polynomials. */
enum { POWERS = 280, MULTIPLES = 700, PLACES = POWERS + MULTIPLES };
static double hard_place(int k)
{
    static const double ends[] = {
        88.722839,         -87.336545, -103.972084, 89.415985, 0.625,  3.92, -6.125,   0.70710678,
        1.4142135,         -0.5,       1e10,        9.0109,    0.9979, 0.95, 16.63553, 3.4028235e38,
        16367173 * 0x1p72, /* the float nearest to a multiple of pi/2 */
    };
    if (k < POWERS) return ldexp(1, k - 150);
    k -= POWERS;
    if (k < (int)(sizeof ends / sizeof *ends)) return ends[k];
    return k < 400 ? k * 1.5707963267948966 : ldexp(k, k / 6) * 1.5707963267948966;
}

static void check_hard_places(survey *s)
{
    static float x[CHUNK];
    static double wide[CHUNK];
    size_t n = 0;
    for (int k = 0; k < PLACES; k++)
        for (int d = -16; d <= 16; d++) {
            double place = hard_place(k) > 3.4028235e38 ? 3.4028235e38 : hard_place(k);
            uint32_t bits;
            float near = (float)place;
            memcpy(&bits, &near, sizeof bits);
            x[n] = from_bits(bits + (uint32_t)d);
            wide[n] = k % 3 ? x[n] : hard_place(k) * (1 + d * 0x1p-52);
            x[n + 1] = -x[n];
            wide[n + 1] = -wide[n];
            n += 2;
            if (n < CHUNK && (k + 1 < PLACES || d < 16)) continue;
            check_floats(s, n, x, s->found);
            check_doubles(s, n, wide, s->found);
            n = 0;
        }
    check_floats(s, SPECIALS, special, s->found);
}

enum { TASKS = 256 };

/* Task t: doubles between 2^-4 and 4, where float64 functions change their method and no float is
   near. */
static void sample_densely(void *context, size_t task)
{
    static _Thread_local double x[CHUNK];
    const survey *s = context;
    for (size_t i = 0; i < CHUNK; i++) {
        double place = (double)(task * CHUNK + i) / (TASKS * CHUNK);
        x[i] = exp2(6 * place - 4) * (1 + 0x1.3579bp-33) * (i & 1 ? -1 : 1);
    }
    check_doubles(s, CHUNK, x, &s->found[task]);
}

/* Doubles whose magnitudes are 1 with a difference of 2^-40 to 1 on either side, where many
   functions have a zero or an end. */
static void sample_near_one(void *context, size_t task)
{
    static _Thread_local double x[CHUNK];
    const survey *s = context;
    for (size_t i = 0; i < CHUNK; i++) {
        double place = (double)(task * CHUNK + i) / (TASKS * CHUNK), apart = exp2(-40 * place);
        x[i] = (i & 2 ? 1 - apart : 1 + apart) * (i & 1 ? -1 : 1);
    }
    check_doubles(s, CHUNK, x, &s->found[task]);
}

static void test_unary(const unary_case *c, uint32_t step)
{
    static finding found[TASKS];
    static double x[CHUNK];
    memset(found, 0, sizeof found);
    survey s = { .unary = c, .step = step, .found = found };
    find_loops(&s, c->prim);
    mica__parallel(TASKS, sweep, &s);
    mica__parallel(TASKS, sample_densely, &s);
    mica__parallel(TASKS, sample_near_one, &s);
    check_hard_places(&s);
    for (int round = 0; round < 8; round++) {
        for (size_t i = 0; i < CHUNK; i++) x[i] = mixture(i) * (i & 4 ? 1 + 0x1.23456p-30 : 1);
        check_doubles(&s, CHUNK, x, found);
    }
    finding all = { 0 };
    for (int i = 0; i < TASKS; i++) {
        note(&all.single, found[i].single.ulps, found[i].single.a, 0);
        note(&all.wide, found[i].wide.ulps, found[i].wide.a, 0);
        if (found[i].differs) all.differs = found[i].differs;
    }
    const char *name = prim_names[c->prim];
    FAIL_IF(!(all.single.ulps <= c->ulps), "%s of float32: %.4g ulp at %.9g (limit %g)", name,
            all.single.ulps, all.single.a, c->ulps);
    FAIL_IF(!(all.wide.ulps <= 2), "%s of float64: %.3g ulp at %.17g", name, all.wide.ulps,
            all.wide.a);
    FAIL_IF(all.differs, "%s: %s gives other bits than portable", name, isa_names[all.differs]);
    if (getenv("SHOW")) {
        printf("%-12s f32 %.4f ulp at %-15.9g f64 %.4f at %.17g\n", name, all.single.ulps,
               all.single.a, all.wide.ulps, all.wide.a);
        fflush(stdout);
    }
}

/* ---- two operands ---- */

/* A pair where the operation is hard: powers over all exponents of the result, quotients close to
   an integer, sums of exponentials close to 1. */
static void hard_pair(int prim, double *a, double *b)
{
    uint64_t r = random_bits();
    double unit = (double)(random_bits() >> 11) * 0x1p-53;
    float any = from_bits((uint32_t)r);
    *a = any;
    if (prim == mica_prim_power) {
        if (r >> 60 == 0) *a = 1 + (unit - 0.5) * ldexp(1, -(int)(r >> 32 & 15));
        *b = (unit * 300 - 155) / log2(fabs(*a));
        if (r >> 60 > 13) *b = rint(*b);
    } else if (prim == mica_prim_logaddexp) {
        *a = r >> 62 ? unit * 200 - 100 : -unit;
        *b = *a + (r >> 61 & 1 ? 1 : 0.01) * (double)((int64_t)(r >> 33 & 0xffff) - 0x8000) / 400;
        if (r >> 58 == 0) *b = log1p(-exp(*a)); /* the sum is 1, its logarithm nearly 0 */
    } else if (prim == mica_prim_remainder || prim == mica_prim_floor_divide) {
        *b = any;
        *a = (float)(*b * (double)(r >> 32 & 0xfffff)) * (1 + 0x1p-24 * (double)(r >> 62));
    } else {
        *b = *a * (r >> 60 & 1 ? 1 + unit * 0x1p-20 : unit * 3);
    }
}

static long double wanted(const survey *s, long double a, long double b, bool wide)
{
    if (s->binary->want) return s->binary->want(a, b);
    return wide ? floor((double)a / (double)b) : floorf((float)a / (float)b);
}

/* A sum of exponentials close to 1 has a logarithm close to 0, whose digits cancel: there counts
   the distance itself. */
static double distance32(const survey *s, float got, double want)
{
    if (s->binary->prim == mica_prim_logaddexp && fabs(got - want) < 0x1p-46) return 0;
    return ulps32(got, want);
}
static double distance64(const survey *s, double got, long double want)
{
    if (s->binary->prim == mica_prim_logaddexp && fabsl(got - want) < 0x1p-51) return 0;
    return ulps64(got, want);
}

enum { WIDE_ROUNDS = 10 };
static void pairs(void *context, size_t task)
{
    static _Thread_local float x[CHUNK], y[CHUNK], z[CHUNK];
    static _Thread_local double dx[CHUNK], dy[CHUNK], dz[CHUNK];
    const void *in[2] = { x, y }, *din[2] = { dx, dy };
    const survey *s = context;
    int prim = s->binary->prim;
    finding *f = &s->found[task];
    random_state = 88172645463325252u + task * 0x9e3779b97f4a7c15u;
    for (size_t i = 0; i < CHUNK; i++) {
        if (i % 4 == 3) {
            hard_pair(prim, &dx[i], &dy[i]);
        } else {
            dx[i] = mixture(random_bits() >> 40);
            dy[i] = i % 8 == 1 ? dx[i] * (1 + (double)(i % 16) * 0x1p-20)
                               : mixture(random_bits() >> 40);
        }
        x[i] = (float)dx[i], y[i] = (float)dy[i];
        dx[i] = x[i], dy[i] = y[i];
        if (i % 4 == 0) dx[i] *= 1 + 0x1.76543p-29, dy[i] *= 1 - 0x1.33221p-30;
    }
    run_levels(s->single, 4, CHUNK, in, z, f);
    for (size_t i = 0; i < CHUNK; i++)
        note(&f->single, distance32(s, z[i], (double)wanted(s, x[i], y[i], false)), x[i], y[i]);
    if (task >= WIDE_ROUNDS) return;
    run_levels(s->wide, 8, CHUNK, din, dz, f);
    for (size_t i = 0; i < CHUNK; i++)
        note(&f->wide, distance64(s, dz[i], wanted(s, dx[i], dy[i], true)), dx[i], dy[i]);
}

static void test_binary(const binary_case *c, uint32_t step)
{
    size_t tasks = step < 2503 ? 60 * (size_t)(2503 / step) : 60; /* 4096 pairs a task */
    survey s = { .binary = c, .found = calloc(tasks, sizeof(finding)) };
    if (!s.found) return;
    find_loops(&s, c->prim);
    mica__parallel(tasks, pairs, &s);
    finding all = { 0 };
    for (size_t i = 0; i < tasks; i++) {
        note(&all.single, s.found[i].single.ulps, s.found[i].single.a, s.found[i].single.b);
        note(&all.wide, s.found[i].wide.ulps, s.found[i].wide.a, s.found[i].wide.b);
        if (s.found[i].differs) all.differs = s.found[i].differs;
    }
    free(s.found);
    const char *name = prim_names[c->prim];
    FAIL_IF(!(all.single.ulps <= c->ulps), "%s of float32: %.4g ulp at (%.9g, %.9g)", name,
            all.single.ulps, all.single.a, all.single.b);
    FAIL_IF(!(all.wide.ulps <= 2), "%s of float64: %.3g ulp at (%.17g, %.17g)", name, all.wide.ulps,
            all.wide.a, all.wide.b);
    FAIL_IF(all.differs, "%s: %s gives other bits than portable", name, isa_names[all.differs]);
    if (getenv("SHOW")) {
        printf("%-12s f32 %.4f ulp at (%.9g, %.9g) f64 %.4f at (%.17g, %.17g)\n", name,
               all.single.ulps, all.single.a, all.single.b, all.wide.ulps, all.wide.a, all.wide.b);
        fflush(stdout);
    }
}

int main(int argc, char **argv)
{
    uint32_t step = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 2503;
    if (step == 0) step = 1;
    for (size_t i = 0; i < sizeof unary_cases / sizeof *unary_cases; i++)
        if (argc < 3 || strcmp(argv[2], prim_names[unary_cases[i].prim]) == 0)
            test_unary(&unary_cases[i], step);
    for (size_t i = 0; i < sizeof binary_cases / sizeof *binary_cases; i++)
        if (argc < 3 || strcmp(argv[2], prim_names[binary_cases[i].prim]) == 0)
            test_binary(&binary_cases[i], step);
    return check_report("accuracy");
}
