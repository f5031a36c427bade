/* Bodies that float32 and float64 share. Included once a type, with REAL, REAL_SUFFIX, REAL_ROUND
   (2^23, 2^52) and REAL_SQRT. */
/* clang-format off */
#define K(name) MICA_PASTE(k_##name##_, REAL_SUFFIX)

MICA_BODY REAL K(abs)(REAL a) { return K(copysign)(a, (REAL)0); }
MICA_BODY REAL K(negative)(REAL a) { return -a; }
MICA_BODY REAL K(sign)(REAL a) { return (REAL)((a > 0) - (a < 0)); }
MICA_BODY REAL K(square)(REAL a) { return a * a; }
MICA_BODY REAL K(sqrt)(REAL a) { return REAL_SQRT(a); }
MICA_BODY REAL K(rsqrt)(REAL a) { return 1 / REAL_SQRT(a); }
MICA_BODY REAL K(reciprocal)(REAL a) { return 1 / a; }
MICA_BODY REAL K(conjugate)(REAL a) { return a; }
MICA_BODY REAL K(real)(REAL a) { return a; }
MICA_BODY REAL K(imag)(REAL a)
{
    (void)a;
    return 0;
}

/* Rounds |a| to an integer, half to even: the sum has no room for a fraction. Large numbers,
   infinities and NaN are no fractions already. */
MICA_BODY REAL K(rint_abs)(REAL a)
{
    REAL m = K(abs)(a);
    REAL r = (m + REAL_ROUND) - REAL_ROUND;
    return m < REAL_ROUND ? r : m;
}
MICA_BODY REAL K(rint)(REAL a) { return K(copysign)(K(rint_abs)(a), a); }
MICA_BODY REAL K(trunc)(REAL a)
{
    REAL r = K(rint_abs)(a);
    return K(copysign)(r > K(abs)(a) ? r - 1 : r, a);
}
MICA_BODY REAL K(floor)(REAL a)
{
    REAL r = K(rint)(a);
    return r > a ? r - 1 : r;
}
MICA_BODY REAL K(ceil)(REAL a)
{
    REAL r = K(rint)(a);
    return K(copysign)(r < a ? r + 1 : r, a);
}

MICA_BODY uint8_t K(isnan)(REAL a) { return a != a; }
MICA_BODY uint8_t K(isinf)(REAL a) { return K(abs)(a) == K(infinity)(); }
MICA_BODY uint8_t K(isfinite)(REAL a) { return K(abs)(a) < K(infinity)(); }
MICA_BODY uint8_t K(isposinf)(REAL a) { return a == K(infinity)(); }
MICA_BODY uint8_t K(isneginf)(REAL a) { return a == -K(infinity)(); }

MICA_BODY REAL K(add)(REAL a, REAL b) { return a + b; }
MICA_BODY REAL K(subtract)(REAL a, REAL b) { return a - b; }
MICA_BODY REAL K(multiply)(REAL a, REAL b) { return a * b; }
MICA_BODY REAL K(divide)(REAL a, REAL b) { return a / b; }
MICA_BODY REAL K(floor_divide)(REAL a, REAL b) { return K(floor)(a / b); }
/* NaN wins; of equal operands (0 and -0) the second is taken. */
MICA_BODY REAL K(maximum)(REAL a, REAL b) { return ((a > b) | (a != a)) ? a : b; }
MICA_BODY REAL K(minimum)(REAL a, REAL b) { return ((a < b) | (a != a)) ? a : b; }

MICA_BODY uint8_t K(equal)(REAL a, REAL b) { return a == b; }
MICA_BODY uint8_t K(not_equal)(REAL a, REAL b) { return a != b; }
MICA_BODY uint8_t K(less)(REAL a, REAL b) { return a < b; }
MICA_BODY uint8_t K(less_equal)(REAL a, REAL b) { return a <= b; }
MICA_BODY uint8_t K(greater)(REAL a, REAL b) { return a > b; }
MICA_BODY uint8_t K(greater_equal)(REAL a, REAL b) { return a >= b; }

#undef K
#undef REAL
#undef REAL_SUFFIX
#undef REAL_ROUND
#undef REAL_SQRT
