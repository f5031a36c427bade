"""Calls with one mistake: right calls of the matrix in which one argument is another, so that what both
libraries raise is about the same thing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tests.ops import values
from tests.ops.cases import Case, V
from tests.ops.wrong import ODD, misspelt, pick


@dataclass(frozen=True)
class Call:
    """The text of a call: a function, positional arguments, keywords."""

    function: str
    args: tuple[str, ...]
    kwargs: tuple[tuple[str, str], ...]
    arrays: tuple[tuple[tuple[int, ...], str], ...]  # shape and dtype of the first positional arguments

    @property
    def arguments(self) -> str:
        """What stands between the parentheses."""
        named = [f"{name}={value}" for name, value in self.kwargs]
        return ", ".join([f"({a})" if a.startswith("lambda") else a for a in self.args] + named)

    def __str__(self) -> str:
        return f"{self.function}({self.arguments})"

    def with_arg(self, i: int, text: str) -> Call:
        """Argument ``i`` replaced."""
        return Call(self.function, (*self.args[:i], text, *self.args[i + 1 :]), self.kwargs, self.arrays)


def text_of(name: str, value: object) -> str | None:
    """The text of a variant's argument; None when it has none."""
    if name == "dtype" and isinstance(value, str):
        return f"mx.{value}"
    if isinstance(value, (type(None), bool, int, float, complex, str)):
        return f"float('{value}')" if isinstance(value, float) else repr(value)
    if isinstance(value, (list, tuple)):
        inside = [text_of("", item) for item in value]
        if None in inside:
            return None
        joined = ", ".join(str(item) for item in inside)
        return f"[{joined}]" if isinstance(value, list) else f"({joined}{',' if len(value) == 1 else ''})"
    return None


def right_calls(case: Case) -> list[Call]:
    """The calls of a case as text, one a variant and group of shapes; none where the case calls otherwise."""
    if case.call is not None:
        return []
    groups = case.shapes or (((2, 3),) * len(case.domains),)
    dtype = "float32" if "float32" in case.dtypes else case.dtypes[0]
    found = []
    for variant in case.variants:
        for shapes in groups[:3]:
            made = make_call(case, shapes, dtype, variant)
            if made is not None:
                found.append(made)
    return found


def make_call(case: Case, shapes, dtype: str, variant: V) -> Call | None:
    """One right call; None when an argument has no text or an array is large."""
    if any(int(np.prod(shape)) > 500 for shape in shapes):
        return None
    arrays = tuple((tuple(s), d.dtype or dtype) for d, s in zip(case.domains, shapes, strict=False))
    args = [f"array({shape}, {name!r})" for shape, name in arrays]
    args += [text_of("", value) for value in variant.args]
    kwargs = [(name, text_of(name, value)) for name, value in variant.kwargs.items()]
    if None in args or any(value is None for _, value in kwargs):
        return None
    return Call(f"mx.{case.name}", tuple(args), tuple(kwargs), arrays)


def other_array(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> str:
    """An array of another type, rank or size."""
    choice = rng.random()
    if choice < 0.35:
        dtype = pick(rng, tuple(name for name in values.ALL if name != dtype))
    elif choice < 0.5:
        shape = (*shape, 2) if rng.random() < 0.5 else shape[1:]
    elif choice < 0.65:
        shape = tuple(n + int(i == len(shape) - 1) for i, n in enumerate(shape))
    elif choice < 0.75:
        shape = (0, *shape[1:])
    elif choice < 0.85:
        shape = ()
    else:
        shape = shape[::-1]
    return f"array({shape}, {dtype!r})"


def other_value(rng: np.random.Generator, text: str) -> str:
    """Another value of the same kind, or of any."""
    if rng.random() < 0.5:
        if text.lstrip("-").isdigit():
            return pick(rng, ("100", "-100", "2.5", "0", f"{text}.0", f"[{text}]", f"mx.array({text})"))
        if text[0] in "([":
            return pick(rng, (text[0] + text[-1], "3", f"{text[0]}100, 100{text[-1]}", f"[*{text}, -7]"))
        if text[0] == "'":
            return "'no such name'"
    return pick(rng, ODD)


def mistake(rng: np.random.Generator, call: Call) -> Call:
    """The call with one argument changed, left out, added or misspelt."""
    choice, n = rng.random(), len(call.args)
    if choice < 0.08:
        return Call(call.function, call.args[:-1], call.kwargs, call.arrays)
    if choice < 0.14:
        return Call(call.function, (*call.args, pick(rng, ODD)), call.kwargs, call.arrays)
    if choice < 0.22:
        name = pick(rng, ("unknown", "out", "dim"))
        return Call(call.function, call.args, (*call.kwargs, (name, "1")), call.arrays)
    if call.kwargs and choice < 0.5:
        i = int(rng.integers(len(call.kwargs)))
        name, text = call.kwargs[i]
        changed = (misspelt(rng, name), text) if choice < 0.3 else (name, other_value(rng, text))
        return Call(call.function, call.args, (*call.kwargs[:i], changed, *call.kwargs[i + 1 :]), call.arrays)
    if not n:
        return Call(call.function, (pick(rng, ODD),), call.kwargs, call.arrays)
    i = int(rng.integers(n))
    if i < len(call.arrays) and rng.random() < 0.6:
        return call.with_arg(i, other_array(rng, *call.arrays[i]))
    return call.with_arg(i, other_value(rng, call.args[i]) if i >= len(call.arrays) else pick(rng, ODD))
