/* Bodies of float64 beyond real.h: the C library, in full double precision. */
#ifndef MICA_KERNEL_FLOAT64_H
#define MICA_KERNEL_FLOAT64_H

#include "kernel/body.h"

MICA_BODY double k_exp_f64(double x)
{
    return exp(x);
}
MICA_BODY double k_expm1_f64(double x)
{
    return expm1(x);
}
MICA_BODY double k_log_f64(double x)
{
    return log(x);
}
MICA_BODY double k_log2_f64(double x)
{
    return log2(x);
}
MICA_BODY double k_log10_f64(double x)
{
    return log10(x);
}
MICA_BODY double k_log1p_f64(double x)
{
    return log1p(x);
}
MICA_BODY double k_sin_f64(double x)
{
    return sin(x);
}
MICA_BODY double k_cos_f64(double x)
{
    return cos(x);
}
MICA_BODY double k_tan_f64(double x)
{
    return tan(x);
}
MICA_BODY double k_sinh_f64(double x)
{
    return sinh(x);
}
MICA_BODY double k_cosh_f64(double x)
{
    return cosh(x);
}
/* The C library's is off by up to 2.2 ulp about 0.23, where it goes through expm1. Below 0.625
   x + x^3 P(x^2)/Q(x^2) (Cephes coefficients), beyond 1 - 2/(e^2x + 1): at most 1.3 ulp. */
MICA_BODY double k_tanh_f64(double x)
{
    double a = k_abs_f64(x), z = x * x;
    if (a < 0x1p-27) return x; /* -0 and subnormal numbers too */
    if (a < 0.625) {
        double p = -1614.6876844170845 + z * (-99.28772310019185 + z * -0.9643991794250523);
        double q = 4844.063053251255 + z * (2235.4883906010045 + z * (112.81167849163293 + z));
        return x + x * z * (p / q);
    }
    double y = 1 - 2 / (exp(2 * a) + 1);
    return x < 0 ? -y : y;
}
MICA_BODY double k_arcsin_f64(double x)
{
    return asin(x);
}
MICA_BODY double k_arccos_f64(double x)
{
    return acos(x);
}
MICA_BODY double k_arctan_f64(double x)
{
    return atan(x);
}
MICA_BODY double k_arcsinh_f64(double x)
{
    return asinh(x);
}
/* Below 2 the C library is off by more than 2 ulp. With t = x - 1, which is exact, it is
   log1p(s + t) of s = sqrt(t (2 + t)). What rounding takes from s, `rest`, is found as the root's
   remainder, by Dekker's product of s in two halves, and is added by log1p's derivative. */
MICA_BODY double k_arccosh_f64(double x)
{
    if (!(x > 1 && x < 2)) return acosh(x);
    double t = x - 1, square = 2 * t + t * t, s = sqrt(square);
    double wide = s * 134217729, high = wide - (wide - s), low = s - high;
    double left = ((square - high * high) - 2 * high * low) - low * low;
    left += (2 * t - square) + t * t;
    double sum = s + t, rest = (s - sum) + t + left / (2 * s);
    return log1p(sum) + rest / (1 + sum);
}
MICA_BODY double k_arctanh_f64(double x)
{
    return atanh(x);
}
MICA_BODY double k_erf_f64(double x)
{
    return erf(x);
}
MICA_BODY double k_power_f64(double x, double y)
{
    return pow(x, y);
}
MICA_BODY double k_arctan2_f64(double y, double x)
{
    return atan2(y, x);
}

MICA_BODY double k_sigmoid_f64(double x)
{
    if (x < -40) return exp(x); /* 1 + e^x is 1 */
    double e = exp(-x), d = 1 + e, q = 1 / d;
    double lost = e < 1 ? e - (d - 1) : 1 - (d - e); /* by the addition; without it 2.2 ulp */
    return q - lost * q * q;
}

MICA_BODY double k_logaddexp_f64(double x, double y)
{
    double high = k_maximum_f64(x, y), low = k_minimum_f64(x, y);
    if (high == k_infinity_f64() || low == -k_infinity_f64()) return high;
    return high + log1p(exp(low - high));
}

MICA_BODY double k_remainder_f64(double x, double y)
{
    double r = fmod(x, y);
    return r != 0 && (r < 0) != (y < 0) ? r + y : r;
}

/* Giles' single-precision start (in the far tails, which it does not know, erfc's asymptote), then
   two steps of Halley's method on erf, or on erfc where erf would cancel. */
MICA_BODY double k_erfinv_f64(double x)
{
    double a = k_abs_f64(x), t = log((1 - a) * (1 + a));
    if (!(a < 1)) return a == 1 ? k_copysign_f64(k_infinity_f64(), x) : k_nan_f64();
    double w = -t, y;
    if (w < 5) {
        w -= 2.5;
        y = 2.81022636e-8;
        y = 3.43273939e-7 + w * y;
        y = -3.5233877e-6 + w * y;
        y = -4.39150654e-6 + w * y;
        y = 0.00021858087 + w * y;
        y = -0.00125372503 + w * y;
        y = -0.00417768164 + w * y;
        y = 0.246640727 + w * y;
        y = 1.50140941 + w * y;
    } else if (w > 15) {
        w += 0.69314718055994531; /* -log(1 - a) */
        y = sqrt(w - log(1.7724538509055160 * sqrt(w)));
    } else {
        w = sqrt(w) - 3;
        y = -0.000200214257;
        y = 0.000100950558 + w * y;
        y = 0.00134934322 + w * y;
        y = -0.00367342844 + w * y;
        y = 0.00573950773 + w * y;
        y = -0.0076224613 + w * y;
        y = 0.00943887047 + w * y;
        y = 1.00167406 + w * y;
        y = 2.83297682 + w * y;
    }
    y *= a;
    for (int step = 0; step < 2; step++) {
        double error = a < 0.5 ? erf(y) - a : (1 - a) - erfc(y);
        double slope = 1.1283791670955126 * exp(-y * y);
        double newton = error / slope;
        y -= newton / (1 + y * newton);
    }
    return k_copysign_f64(y, x);
}

#endif
