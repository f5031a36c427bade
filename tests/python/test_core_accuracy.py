"""Halves are rounded from float32 results: every one of their values, for every function of one operand."""

from __future__ import annotations

import numpy as np
import pytest

from tests.ops.oracle.elementwise import erf, erfinv, sigmoid
from tests.ops.target import mx

FUNCTIONS = {
    "exp": np.exp, "expm1": np.expm1, "log": np.log, "log2": np.log2, "log10": np.log10,
    "log1p": np.log1p, "sin": np.sin, "cos": np.cos, "tan": np.tan, "sinh": np.sinh, "cosh": np.cosh,
    "tanh": np.tanh, "arcsin": np.arcsin, "arccos": np.arccos, "arctan": np.arctan,
    "arcsinh": np.arcsinh, "arccosh": np.arccosh, "arctanh": np.arctanh, "erf": erf, "erfinv": erfinv,
    "sigmoid": sigmoid, "sqrt": np.sqrt, "rsqrt": lambda x: 1 / np.sqrt(x), "square": np.square,
    "reciprocal": lambda x: 1 / x,
}  # fmt: skip


def halves(dtype: str) -> mx.array:
    """All 65536 values of a type."""
    return mx.arange(1 << 16, dtype=mx.uint16).view(getattr(mx, dtype))


def order(x: mx.array) -> np.ndarray:
    """The place of each half among all of them, -0 beside 0; far away for NaN."""
    bits = np.array(x.view(mx.uint16)).astype(np.int64)
    place = np.where(bits >> 15, -(bits & 0x7FFF), bits)
    return np.where(np.isnan(np.array(x.astype(mx.float32))), 1 << 20, place)


@pytest.mark.mica_only
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_halves(name: str, dtype: str) -> None:
    """The neighbour of the exact value at worst, and the exact value rounded nearly always."""
    x = halves(dtype)
    with np.errstate(all="ignore"):
        exact = FUNCTIONS[name](np.array(x.astype(mx.float32)).astype(np.float64))
        want = mx.array(exact.astype(np.float32)).astype(getattr(mx, dtype))
    off = np.abs(order(getattr(mx, name)(x)) - order(want))
    assert off.max() <= 1, (name, np.array(x.astype(mx.float32))[off.argmax()])
    assert np.mean(off != 0) < 2e-3
