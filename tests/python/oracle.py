"""Runs the same program on mica and on the reference, and compares what comes out.

A program is a string of Python, or a function of a ``Side``; values cross between the two as NumPy arrays.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType, SimpleNamespace
from typing import Any

import mica.core as mica_core
import mica.nn as mica_nn
import mica.optimizers as mica_optimizers
import mica.utils as mica_utils
import mlx.core as mlx_core
import mlx.nn as mlx_nn
import mlx.optimizers as mlx_optimizers
import mlx.utils as mlx_utils
import numpy as np


@dataclass(frozen=True)
class Side:
    """One of the two libraries."""

    name: str
    mx: ModuleType
    nn: ModuleType
    optim: ModuleType
    utils: ModuleType

    def array(self, value: np.ndarray, dtype: str | None = None) -> Any:
        """The array of this library with the values, and the dtype, of a NumPy array."""
        array = self.mx.array(value)
        return array if dtype is None else array.astype(getattr(self.mx, dtype))

    def arrays(self, tree: Any, dtype: str | None = None) -> Any:
        """A tree whose NumPy arrays have become arrays of this library, floating ones of ``dtype``."""

        def leaf(value: Any) -> Any:
            if not isinstance(value, np.ndarray):
                return value
            return self.array(value, dtype if np.issubdtype(value.dtype, np.floating) else None)

        return self.utils.tree_map(leaf, tree)

    def run(self, program: str | Callable, **names: Any) -> Any:
        """Evaluate an expression, with ``mx``, ``nn``, ``optim``, ``utils`` and ``names`` at hand."""
        if callable(program):
            return program(self, **names)
        scope = {
            "mx": self.mx,
            "nn": self.nn,
            "optim": self.optim,
            "utils": self.utils,
            "side": self,
            **names,
        }
        return eval(program, scope)  # noqa: S307


MICA = Side("mica", mica_core, mica_nn, mica_optimizers, mica_utils)
MLX = Side("mlx", mlx_core, mlx_nn, mlx_optimizers, mlx_utils)


def is_array(value: Any) -> bool:
    """Whether a value is an array of either library."""
    return isinstance(value, (MICA.mx.array, MLX.mx.array))


def dtype_name(array: Any) -> str:
    """The name of an array's dtype, without that of its library."""
    return str(array.dtype).rpartition(".")[2]


def to_numpy(array: Any) -> np.ndarray:
    """The values of an array of either library; bfloat16 becomes float32."""
    if dtype_name(array) == "bfloat16":
        core = MICA.mx if isinstance(array, MICA.mx.array) else MLX.mx
        array = array.astype(core.float32)
    return np.array(array)


def to_mica(value: Any) -> Any:
    """An array of the reference as one of mica."""
    return MICA.array(to_numpy(value), dtype_name(value))


def to_mlx(value: Any) -> Any:
    """An array of mica as one of the reference."""
    return MLX.array(to_numpy(value), dtype_name(value))


TOLERANCE = {"float32": 2e-6, "complex64": 2e-6, "float64": 1e-12, "float16": 2e-3, "bfloat16": 1.6e-2}


def compare(got: Any, want: Any, *, scale: float = 1.0, path: str = "") -> None:
    """Require that two trees agree: structure, shapes, dtypes, and values to rounding.

    Args:
        got: a tree of mica.
        want: the tree of the reference.
        scale: multiplies the tolerance, which is relative to the largest magnitude in an array.
        path: where in the tree this is, for messages.
    """
    where = path or "result"
    if is_array(want):
        assert is_array(got), f"{where}: {type(got).__name__} instead of an array"
        assert tuple(got.shape) == tuple(want.shape), f"{where}: shape {got.shape} instead of {want.shape}"
        assert dtype_name(got) == dtype_name(want), f"{where}: {got.dtype} instead of {want.dtype}"
        a, b = to_numpy(got), to_numpy(want)
        tolerance = scale * TOLERANCE.get(dtype_name(want), 0.0)
        finite = b[np.isfinite(b)] if b.size else b
        largest = max(float(np.max(np.abs(finite))), 1e-3) if finite.size else 1.0
        np.testing.assert_allclose(
            a, b, rtol=tolerance, atol=tolerance * largest, equal_nan=True, err_msg=where
        )
    elif isinstance(want, dict):
        assert isinstance(got, dict), f"{where}: {type(got).__name__} instead of a dictionary"
        assert list(got) == list(want), f"{where}: keys {list(got)} instead of {list(want)}"
        for key in want:
            compare(got[key], want[key], scale=scale, path=f"{path}.{key}")
    elif isinstance(want, (list, tuple)):
        assert isinstance(got, list if isinstance(want, list) else tuple), f"{where}: {type(got).__name__}"
        assert len(got) == len(want), f"{where}: {len(got)} items instead of {len(want)}"
        for i, (g, w) in enumerate(zip(got, want, strict=True)):
            compare(g, w, scale=scale, path=f"{path}.{i}")
    else:
        assert got == want, f"{where}: {got!r} instead of {want!r}"


def plain(value: Any) -> Any:
    """A value of either library as plain Python that can be compared with ``==``."""
    if is_array(value):
        return ("array", tuple(value.shape), dtype_name(value), to_numpy(value).tolist())
    if isinstance(value, (MICA.nn.Module, MLX.nn.Module)):
        return ("module", type(value).__name__, {key: plain(item) for key, item in value.items()})
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        items = [plain(item) for item in value]
        return items if isinstance(value, list) else tuple(items)
    if isinstance(value, str):
        return masked(value)
    return "function" if callable(value) and not isinstance(value, type) else value


def masked(text: str) -> str:
    """A text without what functions print as, and without the names of the libraries."""
    return re.sub(r"<[^<>]* at 0x[0-9a-f]+>", "<>", text).replace("mica", "mlx")


def outcome(side: Side, program: str | Callable, **names: Any) -> Any:
    """What a program does: its value in plain Python, or the class of what it raises."""
    try:
        return plain(side.run(program, **names))
    except Exception as error:
        return ("raises", type(error).__name__)


def same_outcome(program: str | Callable, **names: Any) -> Any:
    """Require that a program does the same on both sides, and return what."""
    got, want = outcome(MICA, program, **names), outcome(MLX, program, **names)
    assert got == want
    return got


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    """Normally distributed float32 numbers."""
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def uniform(*shape: int, low: float = 0.0, high: float = 1.0, seed: int = 0) -> np.ndarray:
    """Evenly distributed float32 numbers."""
    return np.random.default_rng(seed).uniform(low, high, size=shape).astype(np.float32)


def integers(high: int, *shape: int, seed: int = 0) -> np.ndarray:
    """Evenly distributed int32 numbers from 0 to high - 1."""
    return np.random.default_rng(seed).integers(high, size=shape).astype(np.int32)


INPUTS = SimpleNamespace(normal=normal, uniform=uniform, integers=integers)
