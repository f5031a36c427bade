"""The names in which drawn calls are written, so that one text can be run on several modules.

Imports neither mica nor the wheel: the process that holds the wheel reads this file too.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np

# What an evaluation may touch; more elements would only take time.
SMALL = 20_000

BASES = (
    IndexError,
    KeyError,
    ValueError,
    TypeError,
    OverflowError,
    MemoryError,
    NotImplementedError,
    RuntimeError,
    OSError,
    AttributeError,
    BufferError,
    SystemError,
)


def names(mx: ModuleType) -> dict[str, Any]:
    """The names of a drawn call, for one module.

    ``array(shape, dtype, layout, salt)`` is the same array on each: small values that the salt chooses.
    """

    def array(shape: tuple[int, ...], dtype: str, layout: str = "plain", salt: int = 0):
        rng = np.random.default_rng([salt, *shape])
        whole = rng.integers(0 if dtype[0] == "u" else -3, 7, shape)
        if dtype == "bool_":
            whole = whole > 1
        elif dtype[0] in "fbc":
            whole = whole * 0.75 + rng.integers(0, 4, shape) * 0.0625
        a = mx.array(np.asarray(whole, np.float64 if np.asarray(whole).dtype.kind == "f" else None))
        a = a.astype(getattr(mx, dtype))
        if layout == "pending" and dtype != "bool_":
            return a * 1
        mx.eval(a)
        if layout == "transposed":
            return a.T
        if layout == "reversed" and a.ndim:
            return a[::-1]
        if layout == "nan":
            return mx.full(shape, float("nan"))
        if layout == "large":
            return mx.full(shape, 2**30).astype(mx.int32)
        return a

    def huge(shape: tuple[int, ...]):
        return mx.broadcast_to(mx.array(1.0), shape)

    return {"mx": mx, "np": np, "array": array, "huge": huge}


def leaves_of(mx: ModuleType, tree: Any) -> list:
    """The arrays in nested sequences and dictionaries."""
    if isinstance(tree, mx.array):
        return [tree]
    if isinstance(tree, dict):
        tree = list(tree.values())
    if isinstance(tree, (list, tuple)):
        return [leaf for item in tree for leaf in leaves_of(mx, item)]
    return []


def numbers_of(tree: Any) -> list[int]:
    """The Python integers in nested sequences and dictionaries."""
    if type(tree) is int:
        return [tree]
    if isinstance(tree, dict):
        tree = list(tree.values())
    if isinstance(tree, (list, tuple)):
        return [number for item in tree for number in numbers_of(item)]
    return []


def result_of(mx: ModuleType, tree: Any) -> Any:
    """A result as data: arrays as ("array", dtype, NumPy array), None in place of values that are large."""
    if isinstance(tree, mx.array):
        dtype = str(tree.dtype).rpartition(".")[2]
        if tree.size > SMALL:
            return ("array", dtype, tuple(tree.shape))
        mx.eval(tree)
        plain = tree.astype(mx.float32) if dtype == "bfloat16" else tree
        return ("array", dtype, np.array(plain))
    if isinstance(tree, (list, tuple)):
        return (type(tree).__name__, [result_of(mx, item) for item in tree])
    if isinstance(tree, (bool, int, float, complex, str, type(None))):
        return ("python", repr(tree))
    return ("python", type(tree).__name__)


def base_of(error: BaseException) -> str:
    """The name of an exception's public class."""
    return next((kind.__name__ for kind in BASES if isinstance(error, kind)), type(error).__name__)


def run(mx: ModuleType, function: str, arguments: str) -> tuple:
    """Runs ``function(arguments)``; ("result", data), ("skipped",) or ("error", class, text)."""
    scope = names(mx)
    try:
        args, kwargs = eval(f"(lambda *a, **k: (a, k))({arguments})", scope)  # noqa: S307
    except Exception as error:  # noqa: BLE001 - an argument cannot be made here
        return ("skipped", f"{type(error).__name__}: {error}")
    sizes = [leaf.size for leaf in leaves_of(mx, [args, kwargs])]
    small = all(abs(n) <= SMALL for n in sizes + numbers_of([args, kwargs]))
    try:
        mx.random.seed(0)
        result = eval(function, scope)(*args, **kwargs)  # noqa: S307
        return ("result", result_of(mx, result) if small else None)
    except Exception as error:  # noqa: BLE001 - the class of any exception is what is compared
        return ("error", base_of(error), str(error))
