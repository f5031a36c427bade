"""Numbers given to compiled functions: the same types, bits and refusals as of eager calls, for all types."""

from __future__ import annotations

import math
from collections.abc import Callable

import mica.core as mx
import mica.nn as nn
import pytest

REALS = ("float16", "bfloat16", "float32", "float64")
INTEGERS = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64")
TYPES = ("bool_", *INTEGERS, *REALS, "complex64")
# Traced in this order: one that chooses nothing comes before those that do.
NUMBERS = (5, 2, 3, 4, 0, 1, -1, -2, 7, 200, 2049, 2**24 + 1, 2**31, 2**40, 2**53 + 1, 2**64)
FLOATS = (
    2.5,
    2.0,
    3.0,
    4.0,
    -1.0,
    0.5,
    -0.5,
    0.0,
    -0.0,
    1.0,
    1 / 3,
    1e-45,
    65519.99,
    1e39,
    math.inf,
    math.nan,
)


def _write(name: str) -> Callable:
    def write(x, k):
        y = x + 0
        return getattr(y, name)(k)

    return write


def _set(x, k):
    y = x + 0
    y[:3] = k
    return y


FUNCTIONS: dict[str, Callable] = {
    "x**k": lambda x, k: x**k,
    "k**x": lambda x, k: k**x,
    "x**(k+1)": lambda x, k: x ** (k + 1),
    "x**-k": lambda x, k: x**-k,
    "x[2]**k": lambda x, k: x[2] ** k,
    "x[2:3]**k": lambda x, k: x[2:3] ** k,
    "power": mx.power,
    "power of the number": lambda x, k: mx.power(k, x),
    "array(k)**2": lambda x, k: x * mx.array(k) ** 2,
    "vmap of x**k": lambda x, k: mx.vmap(lambda v: v**k)(x),
    "grad of x**k": lambda x, k: mx.grad(lambda v: (v**k).sum())(x),
    "jvp of x**k": lambda x, k: mx.jvp(lambda v: v**k * k, [x], [x])[1][0],
    "x+k": lambda x, k: x + k,
    "k-x": lambda x, k: k - x,
    "x*k": lambda x, k: x * k,
    "x/k": lambda x, k: x / k,
    "k/x": lambda x, k: k / x,
    "x//k": lambda x, k: x // k,
    "x%k": lambda x, k: x % k,
    "x<<k": lambda x, k: x << k,
    "k>>x": lambda x, k: k >> x,
    "x&k": lambda x, k: x & k,
    "x<k": lambda x, k: x < k,
    "k==x": lambda x, k: k == x,
    **{
        name: _write(f"__{name}__")
        for name in ("iadd", "imul", "itruediv", "ifloordiv", "imod", "ipow", "ilshift")
    },
    "x[:3]=k": _set,
    "x.at.add": lambda x, k: x.at[:3].add(k),
    "x*(k*k)": lambda x, k: x * (k * k),
    "x*(k*k*k)": lambda x, k: x * (k * k * k),
    "x*(1-k)+x*k": lambda x, k: x * (1 - k) + x * k,
    "x*(k/3)": lambda x, k: x * (k / 3),
    "add of k": lambda x, k: x + mx.add(k, k),
    "sin of k": lambda x, k: x + mx.sin(k),
    "minimum": lambda x, k: mx.minimum(x, k),
    "logaddexp": lambda x, k: mx.logaddexp(k, x),
    "arctan2": lambda x, k: mx.arctan2(x, k),
    "where": lambda x, k: mx.where(x > 0, k, x),
    "clip": lambda x, k: mx.clip(x, k, None),
    "clip both": lambda x, k: mx.clip(x, -k, k),
    "full": lambda x, k: mx.full((2,), k),
    "full of a type": lambda x, k: mx.full((2,), k, dtype=x.dtype),
    "array": lambda x, k: mx.array([k, k], dtype=x.dtype),
    "pad": lambda x, k: mx.pad(x, 1, constant_values=k),
    "take": lambda x, k: mx.take(x, k),
    "isclose": lambda x, k: mx.isclose(x, x + 1, atol=k),
    "nan_to_num": lambda x, k: mx.nan_to_num(x, k),
    "addmm": lambda x, k: mx.addmm(x, x.reshape(1, 8), x.reshape(8, 1) * mx.ones((8, 8), x.dtype), alpha=k),
    "addmm beta": lambda x, k: mx.addmm(x, x.reshape(1, 8), mx.ones((8, 8), x.dtype), beta=k),
    "norm": lambda x, k: mx.linalg.norm(x, k),
    "norm of a matrix": lambda x, k: mx.linalg.norm(x.reshape(2, 4), k),
    "std": lambda x, k: mx.std(x, ddof=k),
    "round": lambda x, k: mx.round(x, k),
    "rms_norm": lambda x, k: mx.fast.rms_norm(x, None, k),
    "rope": lambda x, k: mx.fast.rope(
        x.reshape(1, 2, 4), 4, traditional=False, base=100.0, scale=1.0, offset=k
    ),
    "uniform": lambda x, k: mx.random.uniform(0, k, (5,), key=mx.random.key(1)),
    "bernoulli": lambda x, k: mx.random.bernoulli(k, (50,), key=mx.random.key(1)),
    "normal": lambda x, k: mx.random.normal((5,), loc=k, scale=k, key=mx.random.key(1)),
    "leaky_relu": nn.leaky_relu,
    "elu": nn.elu,
    "celu": nn.celu,
    "softplus": lambda x, k: nn.softplus(x) * k,
    "softshrink": nn.softshrink,
    "step": nn.step,
    "Dropout": lambda x, k: nn.Dropout(k)(x).shape and x if k != 0 else nn.Dropout(k)(x),
}


def _bits(fun: Callable, *args) -> tuple:
    try:
        result = fun(*args)
        return result.dtype, result.shape, bytes(result)
    except (ValueError, TypeError, RuntimeError, IndexError, OverflowError, ZeroDivisionError):
        return ("refused",)


def _operand(name: str) -> mx.array:
    values = [0.0, -0.0, 1.75, -2.3, 0.3, 97.7, 3.1, -1.0]
    dtype = getattr(mx, name)
    x = mx.array(values)
    if name == "complex64":
        return x + 1j * x[::-1]
    return (mx.abs(x) if name.startswith("u") else x).astype(dtype)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_bits_of_eager_calls(name: str) -> None:
    fun = FUNCTIONS[name]
    compiled = mx.compile(fun)
    for dtype in TYPES:
        x = _operand(dtype)
        for k in (*NUMBERS, *FLOATS):
            assert _bits(compiled, x, k) == _bits(fun, x, k), (dtype, k)


@pytest.mark.parametrize("dtype", [*REALS, "complex64"])
@pytest.mark.parametrize("shapeless", [False, True])
def test_small_powers_of_many_values(dtype: str, shapeless: bool) -> None:
    """Products and powers differ in few places: enough values meet one."""
    compiled = mx.compile(lambda x, k: x**k, shapeless=shapeless)
    for n in (1000, 3000):
        x = mx.random.normal((n,), key=mx.random.key(n)).astype(getattr(mx, dtype))
        for k in (5, 2, 3, 4, 6, 3.0):
            assert bytes(compiled(x, k)) == bytes(x**k), (n, k)


def test_exponents_trace_once_for_each_way() -> None:
    """2, 3 and 4 have products of their own, all other integers share a trace; mx.power has one for all."""
    for fun, most in ((lambda x, k: x**k, 4), (mx.power, 1), (lambda x, k: k**x, 1)):
        traces: list = []
        compiled = mx.compile(lambda x, k, fun=fun, traces=traces: (traces.append(1), fun(x, k))[1])
        for k in (*range(-5, 30), *range(30, -5, -1)):
            compiled(mx.array([1.5, 2.0]), k)
        assert len(traces) == most


def test_integers_beyond_64_bits() -> None:
    """Python's integers have no end: what was traced for small ones is not replayed where it would wrap."""
    compiled = mx.compile(lambda x, k: x * (k * k - k))
    assert compiled(mx.array(1.0), 3).item() == 6
    with pytest.raises(RuntimeError, match="does not fit"):
        compiled(mx.array(1.0), 2**40)
    assert compiled(mx.array(1.0), 4).item() == 12
