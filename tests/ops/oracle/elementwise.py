"""Element-wise functions of one, two and three operands."""

from __future__ import annotations

import math

import numpy as np

from tests.ops.cases import EXACT, X, case, family, ulps, v
from tests.ops.values import ALL, HALVES, REALS, UNSIGNED

family("elementwise")


def _each(function):
    many = np.vectorize(function, otypes=[np.float64])
    return lambda x: many(np.asarray(x, np.float64))


def _erfinv(y):
    """Newton's iteration on erf, on erfc in the tails, for all elements that still move."""
    y = np.asarray(y, np.float64)
    a = np.abs(y)
    # Winitzki's approximation starts it.
    with np.errstate(all="ignore"):
        w = np.log1p(-a * a)
        t = 2 / (math.pi * 0.147) + w / 2
        x = np.sqrt(np.maximum(np.sqrt(t * t - w / 0.147) - t, 0.0))
    moving = np.isfinite(x) & (a < 1)
    for _ in range(60):
        if not moving.any():
            break
        b, z = a[moving], x[moving]
        # erfc keeps its digits where erf is nearly 1.
        tail = b > 0.5
        error = np.empty_like(b)
        error[tail] = (1 - b[tail]) - erfc(z[tail])
        error[~tail] = erf(z[~tail]) - b[~tail]
        step = error * math.sqrt(math.pi) / 2 * np.exp(z * z)
        x[moving] = z - step
        # Steps shrink with their square.
        moving[moving] = np.abs(step) > 1e-12 * np.abs(z)
    x = np.where(a == 1, np.inf, np.where(a < 1, x, np.nan))
    return np.copysign(x, y)


erf = _each(math.erf)
erfc = _each(math.erfc)


def erfinv(y):
    """The inverse of erf, in float64."""
    return _erfinv(np.atleast_1d(y)).reshape(np.shape(y))


def sigmoid(x):
    """1 / (1 + exp(-x)) without overflow."""
    x = np.asarray(x, np.float64)
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + e), e / (1 + e))


def logaddexp(a, b):
    """log(exp(a) + exp(b)); refuses complex numbers, whose branch the wheel decides."""
    return np.logaddexp(a, b)


def _float(function):
    """In float64 whatever integers come in."""

    def wrapped(*args):
        return function(*(np.asarray(x, np.complex128 if np.iscomplexobj(x) else np.float64) for x in args))

    return wrapped


# ---- one operand: transcendental ----
# Tolerances are for float32 over the whole domain; float64 where it differs.
case("sqrt", X(0, 1e4), ref=_float(np.sqrt), ulp=ulps(0.5, half=0.5, pair=8), grad=X(0.2, 4))
case("rsqrt", X(0.01, 1e4), ref=_float(lambda x: 1 / np.sqrt(x)), ulp=ulps(2), grad=X(0.2, 4))
case("reciprocal", X(0.01, 100), ref=_float(lambda x: 1 / x), ulp=ulps(0.5, half=0.5, pair=8), grad=X(0.2, 4))
case("exp", X(-20, 20), ref=_float(np.exp), ulp=ulps(2), grad=X(-2, 2))
case("expm1", X(-10, 10), ref=_float(np.expm1), ulp=ulps(4), grad=X(-2, 2))
case("log", X(1e-3, 1e4, log=True), ref=_float(np.log), ulp=ulps(2), grad=X(0.2, 4))
case("log2", X(1e-3, 1e4, log=True), ref=_float(np.log2), ulp=ulps(2), grad=X(0.2, 4))
case("log10", X(1e-3, 1e4, log=True), ref=_float(np.log10), ulp=ulps(2), grad=X(0.2, 4))
case("log1p", X(-0.9, 100), ref=_float(np.log1p), ulp=ulps(4, pair=64), grad=X(-0.5, 4))
case("sin", X(-100, 100), ref=_float(np.sin), ulp=ulps(2), grad=X(-3, 3), dtypes=REALS)
case(
    "sin", X(-5, 5), ref=_float(np.sin), ulp=ulps(2, pair=64), dtypes=("complex64",), diff=(), label="complex"
)
case("cos", X(-100, 100), ref=_float(np.cos), ulp=ulps(2), grad=X(-3, 3), dtypes=REALS)
case(
    "cos", X(-5, 5), ref=_float(np.cos), ulp=ulps(2, pair=64), dtypes=("complex64",), diff=(), label="complex"
)
case("tan", X(-1.5, 1.5), ref=_float(np.tan), ulp=ulps(4, pair=64), grad=X(-1.2, 1.2))
case("sinh", X(-10, 10), ref=_float(np.sinh), ulp=ulps(4, pair=64), grad=X(-2, 2))
case("cosh", X(-10, 10), ref=_float(np.cosh), ulp=ulps(4, pair=64), grad=X(-2, 2))
case("tanh", X(-10, 10), ref=_float(np.tanh), ulp=ulps(2, pair=64), grad=X(-2, 2))
case("arcsin", X(-1, 1), ref=_float(np.arcsin), ulp=ulps(4, pair=64), grad=X(-0.9, 0.9))
case("arccos", X(-1, 1), ref=_float(np.arccos), ulp=ulps(4, pair=64), grad=X(-0.9, 0.9))
case("arctan", X(-10, 10), ref=_float(np.arctan), ulp=ulps(4, pair=64), grad=X(-4, 4))
case("arcsinh", X(-100, 100), ref=_float(np.arcsinh), ulp=ulps(4, pair=64), grad=X(-4, 4))
case("arccosh", X(1, 100), ref=_float(np.arccosh), ulp=ulps(4, pair=64), grad=X(1.2, 4))
case("arctanh", X(-0.99, 0.99), ref=_float(np.arctanh), ulp=ulps(4, pair=64), grad=X(-0.9, 0.9))
case("erf", X(-4, 4), ref=erf, ulp=ulps(2))
case("erfinv", X(-0.99, 0.99), ref=erfinv, ulp=ulps(4), grad=X(-0.9, 0.9))
case("sigmoid", X(-20, 20), ref=sigmoid, ulp=ulps(4))
case("degrees", X(-10, 10), ref=_float(np.degrees), ulp=ulps(2))
case("radians", X(-360, 360), ref=_float(np.radians), ulp=ulps(2))

# ---- one operand: exact ----
case("abs", X(-100, 100), ref=np.abs, ulp=ulps(0.5, half=0.5, pair=2))
case("negative", X(-100, 100), ref=np.negative, ulp=EXACT)
case("positive", X(-100, 100), ref=np.positive, ulp=EXACT)
case("square", X(-10, 10), ref=np.square, ulp=ulps(0.5, half=0.5))
case("sign", X(-4, 4), nondiff=True, ulp=ulps(0, half=0, pair=4))
case("ceil", X(-100, 100), ref=np.ceil, ulp=EXACT, nondiff=True)
case("floor", X(-100, 100), ref=np.floor, ulp=EXACT, nondiff=True)
case("trunc", X(-100, 100), ref=np.trunc, ulp=EXACT, nondiff=True)
case("round", X(-100, 100), ref=np.round, ulp=EXACT, nondiff=True)
case(
    "round",
    X(-100, 100),
    variants=[v(1), v(decimals=2), v(-1)],
    ulp=ulps(1, half=1),
    nondiff=True,
    label="decimals",
    dtypes=[n for n in ALL if n != "float64"],
)
case(
    "round",
    X(-100, 100),
    variants=[v(1), v(decimals=2), v(-1)],
    ref=np.round,
    ulp=ulps(1),
    nondiff=True,
    dtypes=("float64",),
    label="decimals of float64",
)
case("conj", X(), ref=np.conj, ulp=EXACT)
case("conjugate", X(), ref=np.conjugate, ulp=EXACT)
case("real", X(), ref=np.real, ulp=EXACT)
case("imag", X(), ref=np.imag, ulp=EXACT)
case("logical_not", X(-1, 1), nondiff=True)
case("bitwise_invert", X(-100, 100), nondiff=True)
case("isnan", X(), nondiff=True)
case("isinf", X(), nondiff=True)
case("isfinite", X(), nondiff=True)
case("isposinf", X(), nondiff=True)
case("isneginf", X(), nondiff=True)
case(
    "nan_to_num",
    X(),
    variants=[v(), v(nan=2.0, posinf=3.0, neginf=-3.0)],
    ulp=EXACT,
    dtypes=[n for n in ALL if n not in ("float64", "complex64")],
)
case("stop_gradient", X(), ulp=EXACT, nondiff=True)
case(
    "astype",
    X(-4, 4),
    variants=[v(name) for name in ALL],
    ulp=ulps(0.5, half=0.5),
    call=lambda m, x, name: m.astype(x, getattr(m, name)),
    specials=False,
    diff=(),
)
case(
    "astype",
    X(-4, 4),
    variants=[v(name) for name in ALL],
    ulp=ulps(0.5, half=0.5),
    call=lambda m, x, name: x.astype(getattr(m, name)),
    specials=False,
    diff=(),
    label="method",
)

case(
    "astype",
    X(-4, 4),
    variants=[v("float32"), v("float64")],
    ulp=ulps(0.5, half=0.5),
    ref=lambda x, name: x,
    call=lambda m, x, name: m.astype(x, getattr(m, name)),
    dtypes=("float32", "float64"),
    specials=False,
    label="derivative",
)

for alias, name in {
    "acos": "arccos",
    "asin": "arcsin",
    "atan": "arctan",
    "acosh": "arccosh",
    "asinh": "arcsinh",
    "atanh": "arctanh",
}.items():
    low, high = {"acos": (-1, 1), "asin": (-1, 1), "acosh": (1, 100), "atanh": (-0.9, 0.9)}.get(
        alias, (-9, 9)
    )
    case(
        alias,
        X(low, high),
        ref=_float(getattr(np, name)),
        ulp=ulps(4, pair=64),
        dtypes=("float32", "int32"),
        diff=(),
    )

# ---- two operands ----
case("add", X(-100, 100), X(-100, 100), ref=np.add, ulp=ulps(0.5, half=0.5))
case("subtract", X(-100, 100), X(-100, 100), ulp=ulps(0.5, half=0.5))
case("multiply", X(-10, 10), X(-10, 10), ref=np.multiply, ulp=ulps(0.5, half=0.5))
case("divide", X(-10, 10), X(0.25, 10), ref=_float(np.divide), ulp=ulps(0.5, half=0.5))
case(
    "floor_divide",
    X(-100, 100),
    X(-10, 10),
    nondiff=True,
    ulp=EXACT,
    dtypes=[n for n in ALL if n not in HALVES],
)
# The wheel floors the rounded quotient.
case(
    "floor_divide",
    X(-100, 100),
    X(0.5, 10),
    nondiff=True,
    ulp=EXACT,
    ref=np.floor_divide,
    dtypes=HALVES,
    specials=False,
    label="halves",
)
case(
    "remainder",
    X(-100, 100),
    X(0.5, 10),
    ref=np.remainder,
    ulp=ulps(2),
    diff=(0,),
    grad=(X(0.5, 2.5), X(3, 5)),
)
case(
    "divmod",
    X(-100, 100),
    X(0.5, 10),
    ulp=ulps(2),
    nondiff=True,
    dtypes=[n for n in ALL if n not in (*HALVES, "bool_")],
)
case("power", X(0.1, 5), X(-3, 3), ref=_float(np.power), ulp=ulps(4, pair=64), grad=(X(0.3, 3), X(-2, 2)))
case("pow", X(0.1, 5), X(-3, 3), ref=_float(np.power), ulp=ulps(4, pair=64), diff=())
case("maximum", X(-100, 100), X(-100, 100), ref=np.maximum, ulp=EXACT)
case("minimum", X(-100, 100), X(-100, 100), ref=np.minimum, ulp=EXACT)
case(
    "logaddexp",
    X(-10, 10),
    X(-10, 10),
    ref=_float(logaddexp),
    ulp=ulps(4, pair=64),
    scaled=True,
    grad=X(-2, 2),
)
case("arctan2", X(-10, 10), X(-10, 10), ref=_float(np.arctan2), ulp=ulps(4))
case("atan2", X(-10, 10), X(-10, 10), ref=_float(np.arctan2), ulp=ulps(4), diff=())
for name in ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal"):
    case(name, X(-3, 3), X(-3, 3), nondiff=True)
for name in ("logical_and", "logical_or", "logical_xor"):
    case(name, X(-1, 1), X(-1, 1), nondiff=True)
for name in ("bitwise_and", "bitwise_or", "bitwise_xor"):
    case(name, X(-100, 100), X(-100, 100), nondiff=True)
for name in ("left_shift", "right_shift", "bitwise_left_shift", "bitwise_right_shift"):
    case(name, X(0, 100), X(0, 7), nondiff=True)
case(
    "isclose",
    X(-1, 1),
    X(-1, 1),
    variants=[v(), v(0.5, 0.5), v(rtol=0.1, atol=0.2, equal_nan=True)],
    nondiff=True,
    dtypes=[n for n in ALL if n not in UNSIGNED],
)

# ---- three operands ----
case("where", X(dtype="bool_"), X(), X(), ref=np.where, ulp=EXACT)
case("where", X(-1, 1), X(), X(), ulp=EXACT, nondiff=True, label="number as condition")
case(
    "clip",
    X(-4, 4),
    X(-2, 0),
    X(0, 2),
    ulp=EXACT,
    ref=np.clip,
    dtypes=("float16", "bfloat16", "float32", "float64"),
    specials=False,
)
case(
    "clip",
    X(-4, 4),
    variants=[v(-1, 1), v(None, 1), v(0, None), v(-1.5, 2.5), v(2, 1)],
    ulp=EXACT,
    specials=False,
    label="numbers",
)
