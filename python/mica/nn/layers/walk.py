"""Walks through modules and what they hold: selecting from them, and putting other arrays or modules in."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import mica.core as mx


def is_module(value: Any) -> bool:
    """Whether a value is a Module (whose file this one cannot import)."""
    return hasattr(type(value), "filter_and_map")


def select(
    module: Any, key: str, value: Any, keep: Callable, map_fn: Callable | None, is_leaf: Callable | None
) -> Any:
    """What ``filter_and_map`` makes of one value that was kept; ``key`` is its path below ``module``."""
    leaf = is_leaf(module, key, value) if is_leaf else not isinstance(value, (dict, list))
    if leaf:
        return map_fn(value) if map_fn else value
    if is_module(value):
        return value.filter_and_map(keep, map_fn, is_leaf)

    def place(name: Any, child: Any) -> Any:
        path = f"{key}.{name}"
        return select(module, path, child, keep, map_fn, is_leaf) if keep(module, path, child) else {}

    if isinstance(value, dict):
        return {name: place(name, child) for name, child in value.items()}
    if isinstance(value, list):
        return [place(i, child) for i, child in enumerate(value)]
    raise RuntimeError(
        f"Unexpected leaf found while traversing the module: {key} of {type(module).__name__} "
        f"is a {type(value).__name__}, which is_leaf_fn denies to be a leaf."
    )


def _wrong_type(value: Any) -> ValueError:
    return ValueError(f"Received invalid type: {type(value).__name__}.")


def _places(holder: Any, given: Any, strict: bool, what: str) -> Iterable[tuple[Any, Any, Any]]:
    """The places that ``given`` names and ``holder`` has: (key or index, present value, given value)."""
    if isinstance(given, dict):
        for key, new in given.items():
            if isinstance(holder, dict) and key in holder:
                yield key, holder[key], new
            elif strict:
                raise ValueError(f'Module does not have {what} named "{key}".')
    elif isinstance(given, list) and (not given or isinstance(holder, (list, tuple))):
        for i, new in enumerate(given):
            if i < len(holder):
                yield i, holder[i], new
            elif strict:
                raise ValueError(f"List index {i} is out of bounds for destination of length {len(holder)}.")
    elif strict:
        raise _wrong_type(given)


def replace_arrays(holder: Any, given: Any, strict: bool) -> None:
    """Put the arrays of a tree into the places of a module that it mirrors."""
    for place, present, new in _places(holder, given, strict, "parameter"):
        if not isinstance(present, mx.array):
            replace_arrays(present, new, strict)
        elif (strict and not isinstance(new, mx.array)) or isinstance(holder, tuple):
            raise _wrong_type(holder if isinstance(holder, tuple) else new)
        else:
            holder[place] = new


def replace_modules(holder: Any, given: Any, strict: bool) -> None:
    """Put the modules of a tree into the places of a module that it mirrors."""
    for place, present, new in _places(holder, given, strict, "sub-module"):
        if is_module(present) and is_module(new):
            if isinstance(holder, tuple):
                raise _wrong_type(holder)
            holder[place] = new
        elif isinstance(present, (dict, list)):
            replace_modules(present, new, strict)
        elif strict and not (isinstance(new, dict) and not new):
            raise _wrong_type(new)
