/* Conversions between all element types, at each instruction set of this machine. */
#include "loop_samples.h"

/* ---- conversions ---- */

static double read_half(mica_dtype t, uint16_t h)
{
    int bits = t == MICA_FLOAT16 ? 10 : 7, bias = t == MICA_FLOAT16 ? 15 : 127;
    int exponent = (h & 0x7fff) >> bits, fraction = h & ((1 << bits) - 1);
    double m = exponent == 0 ? ldexp(fraction, 1 - bias - bits)
                             : ldexp(fraction + (1 << bits), exponent - bias - bits);
    if (exponent == 2 * bias + 1) m = fraction ? NAN : INFINITY;
    return h & 0x8000 ? -m : m;
}

/* Nearest value of the half type, half to even. */
static double round_half(mica_dtype t, float x)
{
    int bits = t == MICA_FLOAT16 ? 10 : 7, least = t == MICA_FLOAT16 ? -14 : -126, e;
    if (isnan(x) || isinf(x) || x == 0) return x;
    frexp(x, &e);
    e = e - 1 < least ? least : e - 1;
    double r = ldexp(rint(ldexp(x, bits - e)), e - bits);
    double limit = t == MICA_FLOAT16 ? 65504 : 0x1.fep127;
    return fabs(r) > limit ? copysign(INFINITY, r) : r;
}

static double read_real(mica_dtype t, const void *at, size_t i)
{
    switch (t) {
    case MICA_FLOAT16:
    case MICA_BFLOAT16: return read_half(t, ((const uint16_t *)at)[i]);
    case MICA_FLOAT32: return ((const float *)at)[i];
    case MICA_FLOAT64: return ((const double *)at)[i];
    case MICA_COMPLEX64: return ((const float *)at)[2 * i];
    case MICA_UINT64: return (double)((const uint64_t *)at)[i];
    default: return (double)read_integer(t, at, i);
    }
}

static int64_t truncated(mica_dtype t, double x)
{
    if (t == MICA_BOOL) return x != 0;
    bool wide = mica_dtype_size(t) == 8;
    double limit = wide ? 0x1p63 : 0x1p31;
    if (!is_signed(t) && mica_dtype_size(t) >= 4 && x >= limit)
        return x < 2 * limit ? wrap(t, (uint64_t)x) : 0;
    if (!(x > -limit - (wide ? 0 : 1) || x == -limit) || !(x < limit))
        return wrap(t, wide ? (uint64_t)INT64_MIN : (uint64_t)INT32_MIN);
    return wrap(t, (uint64_t)(int64_t)x);
}

static void test_cast(mica_dtype from, mica_dtype to)
{
    enum { COUNT = 65536 };
    static int64_t in_data[COUNT], out[COUNT];
    const void *in = in_data;
    bool from_integer = from <= MICA_INT64;
    fill_samples(from, in_data, COUNT);
    if (from == MICA_FLOAT16 || from == MICA_BFLOAT16)
        for (size_t i = 0; i < COUNT; i++) ((uint16_t *)in_data)[i] = (uint16_t)i;
    mica__cast_find(from, to)(COUNT, &in, 0, out);
    for (size_t i = 0; i < COUNT; i++) {
        double x = read_real(from, in_data, i);
        int64_t v = from_integer ? read_integer(from, in_data, i) : 0;
        float single = !from_integer ? (float)x : is_signed(from) ? (float)v : (float)(uint64_t)v;
        bool good;
        if (to <= MICA_INT64) {
            int64_t want = from_integer ? (to == MICA_BOOL ? v != 0 : wrap(to, (uint64_t)v))
                                        : truncated(to, x);
            if (from == MICA_COMPLEX64 && to == MICA_BOOL)
                want |= ((float *)in_data)[2 * i + 1] != 0;
            good = read_integer(to, out, i) == want;
        } else {
            double want = to == MICA_FLOAT64 ? x : single;
            if (to == MICA_FLOAT16 || to == MICA_BFLOAT16) want = round_half(to, single);
            good = same_real(read_real(to, out, i), want);
            if (from == MICA_COMPLEX64 && to == MICA_COMPLEX64)
                good = memcmp(in_data + i, out + i, 8) == 0;
            if (from != MICA_COMPLEX64 && to == MICA_COMPLEX64)
                good &= ((float *)out)[2 * i + 1] == 0;
        }
        FAIL_IF(!good, "cast %d to %d of %.17g gives %.17g", from, to, x, read_real(to, out, i));
    }
    for (size_t n = 700; n > 0; n /= 2) { /* lengths, a scalar operand, in place */
        static char scalar[8 * 700], spread[8 * 700], same[8 * 700];
        mica__cast_find(from, to)(n, &in, 1, scalar);
        for (size_t i = 0; i < n; i++)
            memcpy(spread + i * mica_dtype_size(to), out, mica_dtype_size(to));
        FAIL_IF(memcmp(scalar, spread, n * mica_dtype_size(to)) != 0, "cast %d to %d of a scalar",
                from, to);
        if (mica_dtype_size(from) != mica_dtype_size(to)) continue;
        memcpy(same, in_data, n * mica_dtype_size(to));
        const void *place = same;
        mica__cast_find(from, to)(n, &place, 0, same);
        FAIL_IF(memcmp(same, out, n * mica_dtype_size(to)) != 0, "cast %d to %d in place", from,
                to);
    }
}

static void test_rounding(mica_dtype half)
{
    static float x[CHUNK], y[CHUNK];
    const void *in = x;
    for (uint64_t u = 0; u < 1ull << 32; u += 7919) {
        size_t n = 0;
        for (; n < CHUNK - 3 && u < 1ull << 32; u += 7919) x[n++] = from_bits((uint32_t)u);
        mica__round_find(half)(n, &in, 0, y);
        for (size_t i = 0; i < n; i++)
            FAIL_IF(!same_real(y[i], round_half(half, x[i])), "rounding %.9g to %d gives %.9g",
                    x[i], half, y[i]);
    }
}

int main(void)
{
    for (int isa = 0; isa < MICA_ISA_COUNT; isa++) {
        if (mica__isa_cap(isa) != (mica__isa)isa) continue;
        for (int i = 0; i < MICA_DTYPE_COUNT; i++)
            for (int j = 0; j < MICA_DTYPE_COUNT; j++) test_cast(i, j);
        test_rounding(MICA_FLOAT16);
        test_rounding(MICA_BFLOAT16);
    }
    return check_report("casts");
}
