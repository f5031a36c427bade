"""What a function did while it was traced without regard to sizes: its calls of the engine, to be made again.

``compile(shapeless=True)`` traces once: while it does, every call of a function of ``mica.core`` on what
depends on an argument is recorded. For other sizes the calls are made again, so each function derives shapes
as it always does. Where Python code asked for a size itself (``x.shape``), the size belongs to the
recording; what is not recorded (rules in Python, say) makes the function be traced for each shape.
"""

from __future__ import annotations

import operator
from collections.abc import Callable

from mica import core
from mica._number import Number

# typing is left out at run time: its import takes longer than the engine's.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_array = core.array


def _set_item(x: Any, key: Any, value: Any) -> Any:
    changed = x.__copy__()
    changed[key] = value
    return changed


def _at(x: Any, key: Any, name: str, value: Any) -> Any:
    return getattr(x.at[key], name)(value)


def _next_key(state: Any) -> tuple:
    following, draw = core.random.split(state, 2)
    return draw, following


_CALLS: dict[str, Callable] = {
    "addition": operator.add,
    "subtraction": operator.sub,
    "multiplication": operator.mul,
    "division": operator.truediv,
    "floor division": operator.floordiv,
    "modulus": operator.mod,
    "power": operator.pow,
    "matmul": operator.matmul,
    "bitwise and": operator.and_,
    "bitwise or": operator.or_,
    "bitwise xor": operator.xor,
    "left shift": operator.lshift,
    "right shift": operator.rshift,
    "less than": operator.lt,
    "less than or equal": operator.le,
    "equal": operator.eq,
    "not equal": operator.ne,
    "greater than": operator.gt,
    "greater than or equal": operator.ge,
    "negative": operator.neg,
    "absolute": operator.abs,
    "invert": operator.invert,
    "getitem": operator.getitem,
    "setitem": _set_item,
    "at": _at,
    "next_key": _next_key,
    "T": operator.attrgetter("T"),
    "mT": operator.attrgetter("mT"),
    "real": operator.attrgetter("real"),
    "imag": operator.attrgetter("imag"),
}
_FUNCTIONS = (
    "_trace_begin",
    "_trace_end",
    "_pull_back",
    "_push_forward",
    "_batch_begin",
    "_batch_end",
    "_batch_close",
    "_depends",
    "pad",
    "split",
    "tensordot",
    "conv_general",
)
_CALLS |= {name: getattr(core, name) for name in _FUNCTIONS}
_OPENS = {core._trace_begin: lambda: core._trace_end([]), core._batch_begin: core._batch_close}
_CLOSES = (core._trace_end, core._batch_close)


class _Slot:
    """Stands for an array of the recording."""

    __slots__ = ("index",)

    def __init__(self, index: int) -> None:
        self.index = index


class _Unknown(Exception):
    """Something that was not recorded."""


def _leaves(tree: Any) -> list:
    if type(tree) is _array:
        return [tree]
    if isinstance(tree, (list, tuple)):
        return [leaf for item in tree for leaf in _leaves(item)]
    return []


def _filled(tree: Any, values: list) -> Any:
    kind = type(tree)
    if kind is _Slot:
        return values[tree.index]
    if kind is tuple or kind is list:
        return kind([_filled(item, values) for item in tree])
    if kind is dict:
        return {key: _filled(item, values) for key, item in tree.items()}
    return tree


class Recording:
    """The calls between the arguments and the results of a traced function."""

    def __init__(self, recorded: list, holders: list, results: list) -> None:
        """Raises _Unknown when it cannot be repeated."""
        self._slots = {core._address(h): i for i, h in enumerate(holders)}
        self._count = self._next = len(holders)
        self._found = False  # whether a template holds a slot
        self._held = [*holders, recorded]  # so that addresses stay theirs
        self.sizes: set[int] = set()  # the inputs whose sizes Python code asked for
        self.steps: list[tuple] = []
        for call, args, keywords, result in recorded:
            self._add(call, args, keywords, result)
        self.results = [self._template(r) for r in results]
        del self._slots, self._held

    def _add(self, call: Any, args: tuple, keywords: Any, result: Any) -> None:
        if call == "observe":
            slot = self._slots.get(core._address(args[0]))
            if slot is not None:
                self.sizes |= {slot} if slot < self._count else set(range(self._count))
            elif core._is_abstract(args[0]):
                raise _Unknown
            return
        if call == "failed":
            raise _Unknown
        self._found = False
        template = self._template(args), self._template(keywords)
        call = _CALLS[call] if isinstance(call, str) else call
        if not self._found and call not in _OPENS and call not in _CLOSES:
            return
        for leaf in _leaves(result):
            self._slots[core._address(leaf)] = self._next
            self._next += 1
        self.steps.append((call, *template))

    def _template(self, tree: Any) -> Any:
        kind = type(tree)
        if kind is Number:
            tree, kind = tree._mica, _array
        if kind is _array:
            slot = self._slots.get(core._address(tree))
            if slot is None:
                if core._is_abstract(tree):
                    raise _Unknown
                return tree
            self._found = True
            return _Slot(slot)
        if kind is tuple or kind is list:
            return kind([self._template(item) for item in tree])
        if kind is dict:
            return {key: self._template(item) for key, item in tree.items()}
        return tree

    def replay(self, holders: list) -> list:
        """The results for other arguments."""
        values, opened = list(holders), []
        try:
            for call, args, keywords in self.steps:
                result = call(*_filled(args, values), **_filled(keywords or {}, values))
                if call in _OPENS:
                    opened.append(_OPENS[call])
                elif call in _CLOSES:
                    opened.pop()
                values.extend(_leaves(result))
        finally:
            for close in reversed(opened):
                close()
        return [_filled(r, values) for r in self.results]


def recorded(recording: list, holders: list, results: list) -> Recording | None:
    """The recording, or None where it cannot be repeated for other sizes."""
    try:
        return Recording(recording, holders, results)
    except _Unknown:
        return None
