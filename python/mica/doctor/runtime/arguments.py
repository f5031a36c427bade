"""What the arguments of compiled functions look like to their signatures, and which of them changed."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import mica.core as core


def difference(before: Any, after: Any, path: str = "an argument") -> str:
    """Which part of a description changed, and how; empty: none did.

    Args:
        before, after: what ``described`` made of two calls' arguments.
        path: how the program names this part.
    """
    if before == after:
        return ""
    kind = before[0]
    if kind != after[0]:
        return f"{path} changed from {_said(before)} to {_said(after)}"
    if kind == "array":
        if before[1] != after[1]:
            return f"{path} changed its shape from {before[1]} to {after[1]}"
        return f"{path} changed its type from {before[2]} to {after[2]}"
    if kind == "number":
        return f"{path} changed from {_said(before)} to {_said(after)}"
    if kind == "sequence":
        if len(before) != len(after):
            return f"{path} has {len(after) - 1} elements, before {len(before) - 1}"
        parts = enumerate(zip(before[1:], after[1:], strict=True))
        return next(filter(None, (difference(x, y, f"{path}[{i}]") for i, (x, y) in parts)), "")
    if kind in ("dict", "call"):
        old, new = before[1], after[1]
        if list(old) != list(new):
            changed = [k for k in (*old, *new) if (k in old) != (k in new)]
            what = f": {', '.join(map(str, dict.fromkeys(changed)))}" if changed else " in another order"
            return f"{path} has other keys{what}" if kind == "dict" else f"other arguments are given{what}"
        names = {k: f"{path}[{k!r}]" if kind == "dict" else k for k in old}
        return next(filter(None, (difference(old[k], new[k], names[k]) for k in old)), "")
    return f"{path} changed from {_said(before)} to {_said(after)}"


def _said(part: tuple) -> str:
    """A part of a description, for people."""
    kind, *rest = part
    if kind == "array":
        return f"an array of {rest[1]}{list(rest[0])}"
    if kind == "number":
        return rest[0].__name__ if len(rest) == 1 else repr(rest[1])
    if kind == "other":
        return repr(rest[0])
    return f"a {kind}"


def described(tree: Any, pinned: Any, numbers: list) -> tuple:
    """What one argument of a compiled function looks like to its signature, for ``difference``.

    Args:
        tree: the argument.
        pinned: places of the numbers whose values count; None: all.
        numbers: takes the numbers, in order.
    """
    if isinstance(tree, core.array):
        return ("array", tree.shape, str(tree.dtype).rpartition(".")[2])
    if isinstance(tree, (list, tuple)):
        return ("sequence", *(described(t, pinned, numbers) for t in tree))
    if isinstance(tree, dict):
        return ("dict", {k: described(t, pinned, numbers) for k, t in tree.items()})
    if isinstance(tree, (int, float)) and not isinstance(tree, bool):
        numbers.append(tree)
        if pinned is None or len(numbers) - 1 in pinned:
            return ("number", type(tree), tree)
        return ("number", type(tree))
    return ("other", tree)


def described_call(function: Callable, given: tuple, pinned: Any) -> tuple:
    """All arguments of a call, by the names that the function gives them."""
    bound = getattr(function, "__self__", None) is not None
    plain = getattr(function, "__func__", function)
    if not hasattr(plain, "__code__"):  # a module, or another object that is called
        plain, bound = type(plain).__call__, True
    code = getattr(inspect.unwrap(plain), "__code__", None)
    names: tuple[str, ...] = code.co_varnames[bound : code.co_argcount] if code else ()
    numbers: list = []
    call = {}
    for i, argument in enumerate(given[0]):
        name = names[i] if i < len(names) else f"argument {i}"
        call[name] = described(argument, pinned, numbers)
    for name, argument in (given[1] if len(given) > 1 else {}).items():
        call[name] = described(argument, pinned, numbers)
    return ("call", call)
