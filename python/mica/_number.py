"""Stand-ins for Python numbers while a compiled function is traced.

Arithmetic with a stand-in is recorded; where the number itself is needed (a comparison, a shape,
``math.exp``) it is pinned: its value becomes part of the signature. Where only the size of an integer was
asked for (does it fit into int32, into uint8?), its range does; where it is an exponent, whether its powers
are products (2, 3, 4); where integers are added or multiplied, its magnitude, so that the result fits.
"""

from __future__ import annotations

import operator
from collections.abc import Callable

from mica import core

# typing is left out at run time: its import takes longer than the engine's.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_array = core.array


class Trace:
    """One run of the Python function on placeholders."""

    def __init__(self) -> None:
        self.pinned: set[int] = set()
        self.measured: set[int] = set()  # those whose magnitude counts
        self.made: list[Number] = []  # from other numbers

    def pin_asked(self) -> None:
        """Pin what those computed numbers are made of that chose something: the choice may change with it."""
        for number in self.made:
            if any(core._asked(number._mica)):
                self.pinned.update(number._places)


def plain(tree: Any) -> Any:
    """A result with numbers in the place of stand-ins: what a function returns is part of its signature."""
    if type(tree) is Number:
        return tree._pin()
    kind = type(tree)
    if kind is dict:
        return {key: plain(value) for key, value in tree.items()}
    if kind is list:
        return [plain(value) for value in tree]
    if isinstance(tree, tuple):
        items = [plain(value) for value in tree]
        return tuple(items) if kind is tuple else kind(*items) if hasattr(tree, "_fields") else tree
    return tree


class Number:
    """Stands for a Python float or int while a function is traced."""

    __slots__ = ("_value", "_mica", "_trace", "_places", "_bound")

    def __init__(self, value: float | int, array: Any, trace: Trace, places: frozenset[int]) -> None:
        self._value = value
        self._mica = array
        self._trace = trace
        self._places = places  # the arguments it is made of
        # No call of this trace has a larger one.
        self._bound = _bound_of(value) if isinstance(value, int) else 0

    @property
    def __class__(self):  # noqa: ANN204 - isinstance(x, float) is to hold
        return type(self._value)

    @property
    def __mlx_array__(self) -> Any:
        return self._mica

    def _pin(self) -> float | int:
        self._trace.pinned.update(self._places)
        return self._value

    def __float__(self) -> float:
        return float(self._pin())

    def __int__(self) -> int:
        return int(self._pin())

    def __index__(self) -> int:
        return operator.index(self._pin())

    def __bool__(self) -> bool:
        return bool(self._pin())

    def __hash__(self) -> int:
        return hash(self._pin())

    def __repr__(self) -> str:
        return repr(self._pin())

    def __format__(self, spec: str) -> str:
        return format(self._pin(), spec)

    def __reduce__(self):  # noqa: ANN204
        value = self._pin()
        return (type(value), (value,))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pin(), name)


def _arithmetic(name: str, operation: Callable) -> None:
    """With an array: the array's operation. With a number: recorded in float64 or int64, which is
    Python's arithmetic, where it is; else pinned.
    """

    def forward(self: Number, other: Any) -> Any:
        if type(other) is _array:
            return operation(_operand(self), other)
        return _combine(name, operation, self, other)

    def backward(self: Number, other: Any) -> Any:
        if type(other) is _array:
            return operation(other, _operand(self))
        return _combine(name, operation, other, self)

    setattr(Number, f"__{name}__", forward)
    setattr(Number, f"__r{name}__", backward)


_RECORDED = frozenset(("add", "sub", "mul", "truediv"))
_EXACT = 2**52  # whole numbers up to here are exact in float64
_MAGNITUDES = (2**20, _EXACT)  # what put_magnitude of python/src/compile_key.c tells apart
_WIDEST = 2**62  # integers up to here are recorded, in int64


def _bound_of(value: int) -> int:
    """What all integers of the magnitude of ``value`` are smaller than."""
    return next((end for end in _MAGNITUDES if abs(value) < end), 2 * _WIDEST)


def _reach(name: str, left: Any, right: Any) -> int:
    """The bound of a sum, difference or product of integers."""
    bounds = [x._bound if type(x) is Number else abs(x) for x in (left, right)]
    return bounds[0] * bounds[1] if name == "mul" else bounds[0] + bounds[1]


def _combine(name: str, operation: Callable, left: Any, right: Any) -> Any:
    """A number from two, at least one of them a stand-in."""
    values = [x._value if type(x) is Number else x for x in (left, right)]
    numbers = [x for x in (left, right) if type(x) is Number]
    plain = all(type(v) in (int, float) for v in values) and all(
        type(v) is float or abs(v) < _EXACT for v in values
    )
    whole = plain and all(type(v) is int for v in values)
    # A stand-in as divisor may be 0 another time, and then Python raises.
    divides = name == "truediv" and (type(right) is Number or values[1] == 0 or whole)
    if name not in _RECORDED or not plain or divides or (whole and _reach(name, left, right) >= _WIDEST):
        return operation(*(x._pin() if type(x) is Number else x for x in (left, right)))
    dtype = core.int64 if whole else core.float64
    arrays = [_operand(x).astype(dtype) if type(x) is Number else x for x in (left, right)]
    first = numbers[0]
    value = operation(*values)
    array = core._mark_weak(operation(*arrays), value)
    made = Number(value, array, first._trace, first._places | numbers[-1]._places)
    if whole:
        made._bound = _reach(name, left, right)
        first._trace.measured |= made._places
    first._trace.made.append(made)
    return made


def _operand(number: Number) -> Any:
    return number._mica


for _name, _operation in (
    ("add", operator.add),
    ("sub", operator.sub),
    ("mul", operator.mul),
    ("truediv", operator.truediv),
    ("floordiv", operator.floordiv),
    ("mod", operator.mod),
    ("pow", operator.pow),
):
    _arithmetic(_name, _operation)


def _comparison(name: str, operation: Callable) -> None:
    def compare(self: Number, other: Any) -> Any:
        if type(other) is _array:
            return operation(_operand(self), other)
        return operation(self._pin(), other._pin() if type(other) is Number else other)

    setattr(Number, f"__{name}__", compare)


for _name in ("lt", "le", "gt", "ge", "eq", "ne"):
    _comparison(_name, getattr(operator, _name))
for _name in ("neg", "pos", "abs", "trunc", "floor", "ceil", "round", "divmod", "rdivmod"):

    def _unary(self: Number, *args: Any, _name: str = _name) -> Any:
        return getattr(self._pin(), f"__{_name}__")(*args)

    setattr(Number, f"__{_name}__", _unary)
