"""Dtypes of every pair of dtypes, and of arrays with Python numbers, against the wheel."""

# ruff: noqa: B023 - the lambdas are called where they stand
from __future__ import annotations

import numpy as np
import pytest

from tests.ops import values
from tests.ops.check import Failures, check_errors, outcome
from tests.ops.target import mx, resolve, wheel

BINARY = (
    "add",
    "subtract",
    "multiply",
    "divide",
    "floor_divide",
    "remainder",
    "power",
    "maximum",
    "minimum",
    "logaddexp",
    "arctan2",
    "equal",
    "less",
    "greater_equal",
    "logical_and",
    "bitwise_and",
    "bitwise_xor",
    "left_shift",
    "right_shift",
    "matmul",
)
OPERATORS = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "//": lambda a, b: a // b,
    "%": lambda a, b: a % b,
    "**": lambda a, b: a**b,
    "<": lambda a, b: a < b,
    ">=": lambda a, b: a >= b,
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "&": lambda a, b: a & b,
    "|": lambda a, b: a | b,
    "^": lambda a, b: a ^ b,
    "<<": lambda a, b: a << b,
    ">>": lambda a, b: a >> b,
}
NUMBERS = (
    True,
    2,
    -1,
    300,
    2**31,
    2**40,
    1.5,
    2j,
    float("inf"),
    np.float32(1.5),
    np.int8(2),
    np.float64(0.5),
)


def compare(function, left, right, label: str, failures: Failures) -> None:
    """The same dtype, values and class of error from both."""
    results = []
    for module in (mx, wheel):
        operands = [
            values.to_array(module, np.asarray(x[0]), x[1]) if isinstance(x, tuple) else x
            for x in (left, right)
        ]
        results.append(outcome(lambda: function(module, *operands)))
    got, want = results
    failures.checked += 1
    if not check_errors(got, want, label, failures):
        return
    (name, x), (wanted, y) = got.leaves[0], want.leaves[0]
    if name != wanted:
        failures.add(label, f"dtype {name}, expected {wanted}")
    elif x.shape != y.shape or not np.allclose(x, y, rtol=0.02, atol=1e-3, equal_nan=True):
        failures.add(label, f"{x!r}, expected {y!r}")


@pytest.mark.parametrize("name", BINARY)
def test_pairs(name: str) -> None:
    """All 196 pairs."""
    failures = Failures()
    shape = (2, 2) if name == "matmul" else (2,)
    for a in values.ALL:
        for b in values.ALL:
            left, right = (
                (np.full(shape, 3).astype(float) if a != "bool_" else np.ones(shape, bool), a),
                (np.full(shape, 2).astype(float) if b != "bool_" else np.ones(shape, bool), b),
            )
            compare(lambda m, x, y: resolve(m, name)(x, y), left, right, f"{name} {a} {b}", failures)
    failures.raise_any()


@pytest.mark.parametrize("symbol", OPERATORS)
def test_operators_with_numbers(symbol: str) -> None:
    """Python and NumPy numbers on the right of every dtype."""
    failures = Failures()
    for name in values.ALL:
        for number in NUMBERS:
            if symbol in ("<<", ">>") and not (isinstance(number, int) and 0 <= number < 8):
                continue
            if symbol == "**" and isinstance(number, int) and abs(number) > 300:
                continue
            array = (np.array([1.0, 2.0]) if name != "bool_" else np.array([True, False]), name)
            compare(
                lambda m, x, y: OPERATORS[symbol](x, y),
                array,
                number,
                f"array({name}) {symbol} {number!r}",
                failures,
            )
    failures.raise_any()


@pytest.mark.parametrize("symbol", [s for s in OPERATORS if s not in ("&", "|", "^", "<<", ">>")])
def test_operators_with_numbers_on_the_left(symbol: str) -> None:
    """The reflected operators that the reference has."""
    failures = Failures()
    for name in values.ALL:
        for number in (True, 2, -1, 300, 2**40, 1.5, 2j):
            if symbol == "**" and isinstance(number, int) and abs(number) > 300:
                continue
            array = (np.array([1.0, 2.0]) if name != "bool_" else np.array([True, False]), name)
            compare(
                lambda m, x, y: OPERATORS[symbol](x, y),
                number,
                array,
                f"{number!r} {symbol} array({name})",
                failures,
            )
    failures.raise_any()


@pytest.mark.parametrize(
    "name", [n for n in BINARY if n not in ("matmul", "arctan2", "left_shift", "right_shift")]
)
def test_functions_with_numbers(name: str) -> None:
    """A number on either side, and on both."""
    failures = Failures()
    for number in (True, 2, 300, 1.5, 2j):
        for kind in values.ALL:
            array = (np.array([1.0, 2.0]) if kind != "bool_" else np.array([True, False]), kind)
            compare(
                lambda m, x, y: resolve(m, name)(x, y),
                array,
                number,
                f"{name}(array({kind}), {number!r})",
                failures,
            )
            compare(
                lambda m, x, y: resolve(m, name)(x, y),
                number,
                array,
                f"{name}({number!r}, array({kind}))",
                failures,
            )
        for other in (True, 3, 2.5):
            compare(
                lambda m, x, y: resolve(m, name)(x, y),
                number,
                other,
                f"{name}({number!r}, {other!r})",
                failures,
            )
    failures.raise_any()


def test_types_of_where_and_clip() -> None:
    """``where`` and ``clip`` promote their branches as operators do."""
    failures = Failures()
    for a in values.ALL:
        for b in values.ALL:
            compare(
                lambda m, x, y: m.where(m.array([True, False]), x, y),
                (np.ones(2), a),
                (np.ones(2), b),
                f"where {a} {b}",
                failures,
            )
        for number in (True, 3, 2.5, 1j):
            compare(
                lambda m, x, y: m.where(m.array([True, False]), x, y),
                (np.ones(2), a),
                number,
                f"where {a} {number!r}",
                failures,
            )
            compare(
                lambda m, x, y: m.where(m.array([True, False]), y, x),
                (np.ones(2), a),
                number,
                f"where {number!r} {a}",
                failures,
            )
            if a != "complex64" and number != 1j:
                compare(
                    lambda m, x, y: m.clip(x, 0, y), (np.ones(2), a), number, f"clip {a} {number!r}", failures
                )
    failures.raise_any()


def test_result_type_and_casts() -> None:
    """The table itself, for all pairs."""
    for a in values.ALL:
        for b in values.ALL:
            got, want = (
                mx.result_type(getattr(mx, a), getattr(mx, b)),
                wheel.result_type(getattr(wheel, a), getattr(wheel, b)),
            )
            assert values.dtype_name(got) == values.dtype_name(want), (a, b)
            assert mx.issubdtype(getattr(mx, a), getattr(mx, b)) == (a == b)
