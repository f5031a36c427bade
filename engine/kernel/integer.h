/* Bodies of the integer types. Included once a type, with INT, UINT (unsigned, of the same width),
   INT_SUFFIX and INT_SIGNED (0 or 1). Arithmetic wraps; nothing traps. */
/* clang-format off */
#define K(name)   MICA_PASTE(k_##name##_, INT_SUFFIX)
#define WRAP(x)   ((INT)(UINT)(x))
/* Shift counts wrap as on x86: at 32, for types of 8 bytes at 64. */
#define SHIFT(b)  ((unsigned)((b) & (sizeof(INT) == 8 ? 63 : 31)))

/* A sign test that is silent about types without one. */
#define NEGATIVE(x) (INT_SIGNED && ((UINT)(x) >> (8 * sizeof(INT) - 1)) != 0)

/* Products and shifts of 16-bit types must not overflow int, so they are done in 32 bits at least.
   */
#define WIDE(x)   ((sizeof(INT) == 8) ? (uint64_t)(x) : (uint32_t)(x))

MICA_BODY INT K(abs)(INT a) { return NEGATIVE(a) ? WRAP(0 - (UINT)a) : a; }
MICA_BODY INT K(negative)(INT a) { return WRAP(0 - (UINT)a); }
MICA_BODY INT K(sign)(INT a) { return (INT)((a > 0) - NEGATIVE(a)); }
MICA_BODY INT K(ceil)(INT a) { return a; }
MICA_BODY INT K(floor)(INT a) { return a; }
MICA_BODY INT K(trunc)(INT a) { return a; }
MICA_BODY INT K(rint)(INT a) { return a; }
MICA_BODY INT K(square)(INT a) { return WRAP(WIDE(a) * WIDE(a)); }
MICA_BODY INT K(bitwise_invert)(INT a) { return (INT)~a; }
MICA_BODY INT K(conjugate)(INT a) { return a; }
MICA_BODY INT K(real)(INT a) { return a; }
MICA_BODY INT K(imag)(INT a) { return (INT)(a & 0); }
MICA_BODY uint8_t K(isnan)(INT a) { return (uint8_t)(a & 0); }
MICA_BODY uint8_t K(isinf)(INT a) { return (uint8_t)(a & 0); }
MICA_BODY uint8_t K(isfinite)(INT a) { return (uint8_t)(a & 0) + 1; }
MICA_BODY uint8_t K(isposinf)(INT a) { return (uint8_t)(a & 0); }
MICA_BODY uint8_t K(isneginf)(INT a) { return (uint8_t)(a & 0); }

MICA_BODY INT K(add)(INT a, INT b) { return WRAP((UINT)a + (UINT)b); }
MICA_BODY INT K(subtract)(INT a, INT b) { return WRAP((UINT)a - (UINT)b); }
MICA_BODY INT K(multiply)(INT a, INT b) { return WRAP(WIDE(a) * WIDE(b)); }

/* A divisor that cannot trap: 1 instead of 0 and -1, whose results are selected afterwards. */
MICA_BODY INT K(divisor)(INT b) { return (INT)(b == 0 || (INT_SIGNED && b == (INT)-1) ? 1 : b); }

MICA_BODY INT K(floor_divide)(INT a, INT b)
{
    INT d = K(divisor)(b), q = (INT)(a / d), r = (INT)(a - q * d);
    if (INT_SIGNED) q = (INT)(q - (r != 0 && NEGATIVE(r) != NEGATIVE(d)));
    if (INT_SIGNED && b == (INT)-1) q = K(negative)(a);
    return b == 0 ? 0 : q;
}

/* The sign of the divisor; the dividend when that is 0. */
MICA_BODY INT K(remainder)(INT a, INT b)
{
    INT d = K(divisor)(b), r = (INT)(a % d);
    if (INT_SIGNED) r = (INT)(r + (r != 0 && NEGATIVE(r) != NEGATIVE(d) ? d : 0));
    return b == 0 ? a : r;
}

/* Square and multiply; a negative exponent gives 0, whatever the base. */
MICA_BODY INT K(power)(INT a, INT b)
{
    UINT result = 1, base = (UINT)a, e = (UINT)b;
    if (NEGATIVE(b)) return 0;
    for (; e != 0; e = (UINT)(e >> 1)) {
        if (e & 1) result = (UINT)(WIDE(result) * WIDE(base));
        base = (UINT)(WIDE(base) * WIDE(base));
    }
    return (INT)result;
}

MICA_BODY INT K(maximum)(INT a, INT b) { return a > b ? a : b; }
MICA_BODY INT K(minimum)(INT a, INT b) { return a < b ? a : b; }
MICA_BODY uint8_t K(equal)(INT a, INT b) { return a == b; }
MICA_BODY uint8_t K(not_equal)(INT a, INT b) { return a != b; }
MICA_BODY uint8_t K(less)(INT a, INT b) { return a < b; }
MICA_BODY uint8_t K(less_equal)(INT a, INT b) { return a <= b; }
MICA_BODY uint8_t K(greater)(INT a, INT b) { return a > b; }
MICA_BODY uint8_t K(greater_equal)(INT a, INT b) { return a >= b; }
MICA_BODY INT K(bitwise_and)(INT a, INT b) { return (INT)(a & b); }
MICA_BODY INT K(bitwise_or)(INT a, INT b) { return (INT)(a | b); }
MICA_BODY INT K(bitwise_xor)(INT a, INT b) { return (INT)(a ^ b); }
MICA_BODY INT K(left_shift)(INT a, INT b) { return WRAP(WIDE(a) << SHIFT(b)); }
/* Narrow types are shifted as int, so a large count leaves the sign. */
MICA_BODY INT K(right_shift)(INT a, INT b) { return (INT)(a >> SHIFT(b)); }

#undef NEGATIVE
#undef WIDE
#undef SHIFT
#undef WRAP
#undef K
#undef INT
#undef UINT
#undef INT_SUFFIX
