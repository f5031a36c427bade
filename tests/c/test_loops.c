/* Element-wise loops: which there are, that all instruction sets agree bit by bit, with scalar
   operands and in place, and what they answer for integers and bool. */
#include "loop_samples.h"

static void test_presence(void)
{
    for (int p = 0; p < MICA_PRIM_COUNT; p++)
        for (int t = 0; t < MICA_DTYPE_COUNT; t++)
            FAIL_IF((mica__loop_find(p, t) != NULL) != expects_loop(p, t),
                    "%s of type %d: presence", prim_names[p], t);
    for (int i = 0; i < MICA_DTYPE_COUNT; i++)
        for (int j = 0; j < MICA_DTYPE_COUNT; j++)
            FAIL_IF(mica__cast_find(i, j) == NULL, "cast %d to %d is missing", i, j);
}

/* ---- all instruction sets, scalar operands and in-place results agree bit by bit ---- */

enum { LENGTH = 1031 };

/* NaN has many bit patterns, and which of two operands' it is depends on the compiler: all count as
   one. */
static void settle_nan(mica_dtype t, void *at, size_t n)
{
    size_t count = t == MICA_COMPLEX64 ? 2 * n : n;
    if (t == MICA_FLOAT32 || t == MICA_COMPLEX64)
        for (size_t i = 0; i < count; i++)
            if (isnan(((float *)at)[i])) ((float *)at)[i] = NAN;
    if (t == MICA_FLOAT64)
        for (size_t i = 0; i < n; i++)
            if (isnan(((double *)at)[i])) ((double *)at)[i] = NAN;
}

static void test_agreement(int prim, mica_dtype t)
{
    static _Alignas(64) char data[3][8 * LENGTH + 64], plain[8 * LENGTH], got[8 * LENGTH + 64],
        spread[3][8 * LENGTH];
    int operands = rows[prim].operands;
    mica_dtype out_type = result_type(prim, t);
    size_t out_size = mica_dtype_size(out_type);
    size_t sizes[3];
    for (int k = 0; k < operands; k++) {
        mica_dtype type = prim == mica_prim_where && k == 0 ? MICA_BOOL : t;
        fill_samples(type, data[k], LENGTH);
        sizes[k] = mica_dtype_size(type);
    }
    for (unsigned scalars = 0; scalars < 1u << operands; scalars++) {
        const void *in[3], *full[3];
        for (int k = 0; k < operands; k++) {
            in[k] = data[k] + 5 * sizes[k];
            for (size_t i = 0; i < LENGTH; i++)
                memcpy(spread[k] + i * sizes[k],
                       (const char *)in[k] +
                           (scalars >> k & 1 ? 0 : i) * sizes[k] % (8 * LENGTH - 40),
                       sizes[k]);
            full[k] = spread[k];
        }
        for (size_t n = LENGTH - 5; n > 0; n = n * 2 / 3) {
            mica__isa_cap(MICA_ISA_PORTABLE);
            mica__loop_find(prim, t)(n, full, 0, plain);
            settle_nan(out_type, plain, n);
            for (int isa = 0; isa < MICA_ISA_COUNT; isa++) {
                if (mica__isa_cap(isa) != (mica__isa)isa) continue;
                memset(got, 0x5a, sizeof got);
                mica__loop_find(prim, t)(n, in, scalars, got + 3 * out_size);
                for (size_t i = 0; i < 3 * out_size; i++)
                    FAIL_IF(got[i] != 0x5a || got[(n + 3) * out_size + i] != 0x5a,
                            "%s %d: wrote outside", prim_names[prim], t);
                settle_nan(out_type, got + 3 * out_size, n);
                FAIL_IF(memcmp(plain, got + 3 * out_size, n * out_size) != 0,
                        "%s of type %d on %s: differs, n = %zu, scalars %u", prim_names[prim], t,
                        isa_names[isa], n, scalars);
                for (int k = 0; k < operands; k++) {
                    if (sizes[k] != out_size || scalars >> k & 1) continue;
                    const void *same[3] = { in[0], in[1], in[2] };
                    memcpy(got, in[k], n * out_size);
                    same[k] = got;
                    mica__loop_find(prim, t)(n, same, scalars, got);
                    settle_nan(out_type, got, n);
                    FAIL_IF(memcmp(plain, got, n * out_size) != 0,
                            "%s of type %d on %s: in place differs", prim_names[prim], t,
                            isa_names[isa]);
                }
            }
        }
    }
    mica__isa_cap(MICA_ISA_COUNT);
}

/* ---- predicates and comparisons of real numbers ---- */

static void test_predicates(void)
{
    float x[SPECIALS], y[SPECIALS];
    uint8_t got[SPECIALS];
    const void *in[2] = { x, y };
    for (size_t shift = 0; shift < SPECIALS; shift++) {
        for (size_t i = 0; i < SPECIALS; i++)
            x[i] = special[i], y[i] = special[(i + shift) % SPECIALS];
#define TRUE_WHERE(name, condition)                                                                \
    mica__loop_find(mica_prim_##name, MICA_FLOAT32)(SPECIALS, in, 0, got);                         \
    for (size_t i = 0; i < SPECIALS; i++)                                                          \
        FAIL_IF(got[i] != (condition), "%s(%g, %g) is %d", #name, x[i], y[i], got[i]);
        TRUE_WHERE(isnan, (isnan(x[i]) != 0))
        TRUE_WHERE(isinf, (isinf(x[i]) != 0))
        TRUE_WHERE(isfinite, (isfinite(x[i]) != 0))
        TRUE_WHERE(isposinf, (x[i] == INFINITY))
        TRUE_WHERE(isneginf, (x[i] == -INFINITY))
        TRUE_WHERE(equal, (x[i] == y[i]))
        TRUE_WHERE(not_equal, (x[i] != y[i]))
        TRUE_WHERE(less, (x[i] < y[i]))
        TRUE_WHERE(less_equal, (x[i] <= y[i]))
        TRUE_WHERE(greater, (x[i] > y[i]))
        TRUE_WHERE(greater_equal, (x[i] >= y[i]))
#undef TRUE_WHERE
    }
}

/* ---- integers and bool ---- */

static uint64_t magnitude(bool is_sign, int64_t a)
{
    return is_sign && a < 0 ? 0 - (uint64_t)a : (uint64_t)a;
}

/* Quotient rounded down and remainder, from magnitudes. */
static void divide_integers(bool s, int64_t a, int64_t b, uint64_t *q, uint64_t *r)
{
    bool negative = s && ((a < 0) != (b < 0));
    uint64_t n = magnitude(s, a), d = magnitude(s, b);
    if (b == 0) {
        *q = 0;
        *r = (uint64_t)a;
        return;
    }
    *q = negative ? 0 - (n / d + (n % d != 0)) : n / d;
    *r = (uint64_t)a - *q * (uint64_t)b;
}

static uint64_t power_integer(bool s, int64_t a, int64_t b)
{
    uint64_t result = 1, base = (uint64_t)a;
    if (s && b < 0) return 0;
    for (int bit = 63; bit >= 0; bit--) {
        result *= result;
        if ((uint64_t)b >> bit & 1) result *= base;
    }
    return result;
}

static int64_t want_integer(int prim, mica_dtype t, int64_t a, int64_t b)
{
    bool s = is_signed(t), less = s ? a < b : (uint64_t)a < (uint64_t)b;
    unsigned shift = (unsigned)(b & (mica_dtype_size(t) == 8 ? 63 : 31));
    uint64_t ua = (uint64_t)a, ub = (uint64_t)b, q, r;
    divide_integers(s, a, b, &q, &r);
    switch (prim) {
    case mica_prim_abs: return wrap(t, magnitude(s, a));
    case mica_prim_negative: return wrap(t, 0 - ua);
    case mica_prim_sign: return s && a < 0 ? -1 : a != 0;
    case mica_prim_square: return wrap(t, ua * ua);
    case mica_prim_bitwise_invert: return wrap(t, ~ua);
    case mica_prim_imag:
    case mica_prim_isnan:
    case mica_prim_isinf: return 0;
    case mica_prim_isposinf:
    case mica_prim_isneginf: return 0;
    case mica_prim_isfinite: return 1;
    case mica_prim_add: return wrap(t, ua + ub);
    case mica_prim_subtract: return wrap(t, ua - ub);
    case mica_prim_multiply: return wrap(t, ua * ub);
    case mica_prim_floor_divide: return wrap(t, q);
    case mica_prim_remainder: return wrap(t, r);
    case mica_prim_power: return wrap(t, power_integer(s, a, b));
    case mica_prim_maximum: return less ? b : a;
    case mica_prim_minimum: return less ? a : b;
    case mica_prim_equal: return a == b;
    case mica_prim_not_equal: return a != b;
    case mica_prim_less: return less;
    case mica_prim_less_equal: return less || a == b;
    case mica_prim_greater: return !less && a != b;
    case mica_prim_greater_equal: return !less;
    case mica_prim_bitwise_and: return a & b;
    case mica_prim_bitwise_or: return a | b;
    case mica_prim_bitwise_xor: return a ^ b;
    case mica_prim_left_shift: return wrap(t, shift < 64 ? ua << shift : 0);
    case mica_prim_right_shift: return s ? a >> shift : (int64_t)(ua >> shift);
    default: return a; /* ceil, floor, trunc, rint, conjugate, real */
    }
}

/* bool: what the reference answers for (0, 0), (0, 1), (1, 0), (1, 1). */
static const struct {
    int prim;
    const char *answers;
} bool_cases[] = {
    { mica_prim_add, "0111" },         { mica_prim_subtract, "0110" },
    { mica_prim_multiply, "0001" },    { mica_prim_floor_divide, "0001" },
    { mica_prim_remainder, "0010" },   { mica_prim_power, "1011" },
    { mica_prim_maximum, "0111" },     { mica_prim_minimum, "0001" },
    { mica_prim_equal, "1001" },       { mica_prim_not_equal, "0110" },
    { mica_prim_less, "0100" },        { mica_prim_less_equal, "1101" },
    { mica_prim_greater, "0010" },     { mica_prim_greater_equal, "1011" },
    { mica_prim_logical_and, "0001" }, { mica_prim_logical_or, "0111" },
    { mica_prim_bitwise_and, "0001" }, { mica_prim_bitwise_or, "0111" },
    { mica_prim_bitwise_xor, "0110" }, { mica_prim_left_shift, "0012" },
    { mica_prim_right_shift, "0010" }, { mica_prim_logical_not, "1100" },
    { mica_prim_sign, "0011" },        { mica_prim_bitwise_invert, "1100" },
    { mica_prim_square, "0011" },      { mica_prim_isfinite, "1111" },
    { mica_prim_isnan, "0000" },       { mica_prim_imag, "0000" },
};

static void test_integers(void)
{
    static int64_t a[CHUNK], b[CHUNK], got[CHUNK];
    const void *in[2] = { a, b };
    for (int t = MICA_UINT8; t <= MICA_INT64; t++)
        for (int p = 0; p < MICA_PRIM_COUNT; p++) {
            if (!expects_loop(p, t) || rows[p].operands > 2) continue;
            fill_samples(t, a, CHUNK);
            fill_samples(t, b, CHUNK);
            mica__loop_find(p, t)(CHUNK, in, 0, got);
            for (size_t i = 0; i < CHUNK; i++) {
                int64_t x = read_integer(t, a, i), y = read_integer(t, b, i);
                int64_t z = read_integer(result_type(p, t), got, i),
                        want = want_integer(p, t, x, y);
                FAIL_IF(z != want, "%s(%lld, %lld) of type %d is %lld, not %lld", prim_names[p],
                        (long long)x, (long long)y, t, (long long)z, (long long)want);
            }
        }
    static const uint8_t left[4] = { 0, 0, 1, 1 }, right[4] = { 0, 1, 0, 1 };
    const void *bools[2] = { left, right };
    for (size_t k = 0; k < sizeof bool_cases / sizeof *bool_cases; k++) {
        uint8_t answers[4];
        mica__loop_find(bool_cases[k].prim, MICA_BOOL)(4, bools, 0, answers);
        for (int i = 0; i < 4; i++)
            FAIL_IF(answers[i] != bool_cases[k].answers[i] - '0', "%s of bool %d, %d is %d",
                    prim_names[bool_cases[k].prim], left[i], right[i], answers[i]);
    }
}

int main(void)
{
    test_predicates();
    test_integers();
    for (int isa = 0; isa < MICA_ISA_COUNT; isa++)
        if (mica__isa_cap(isa) == (mica__isa)isa) test_presence();
    mica__isa_cap(MICA_ISA_COUNT);
    for (int p = 0; p < MICA_PRIM_COUNT; p++)
        for (int t = 0; t < MICA_DTYPE_COUNT; t++)
            if (expects_loop(p, t)) test_agreement(p, t);
    return check_report("loops");
}
