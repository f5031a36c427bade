"""Sequences long enough for the sort that several threads share."""

from __future__ import annotations

import numpy as np
import pytest

from tests.ops.target import mx

RANDOM = np.random.default_rng(0)
SIZE = (1 << 15) + 1


def normal(dtype: type) -> np.ndarray:
    """Normal numbers with ties, infinities and NaN."""
    x = RANDOM.standard_normal(SIZE).astype(dtype)
    x[::5] = np.round(x[::5])
    x[1::97], x[2::101], x[3::103] = np.inf, -np.inf, np.nan
    return x


def integers(dtype: type, small: bool) -> np.ndarray:
    """The whole range of a type, or a hundred values."""
    limits = np.iinfo(dtype)
    low, high = (0, 100) if small else (limits.min, limits.max)
    return RANDOM.integers(low, high, SIZE, dtype=dtype, endpoint=True)


INPUTS = {
    "float32": lambda: normal(np.float32),
    "float64": lambda: normal(np.float64),
    "float16": lambda: normal(np.float16),
    "complex64": lambda: RANDOM.integers(-50, 50, (SIZE, 2)).astype(np.float32).view(np.complex64)[:, 0],
    "bool": lambda: RANDOM.integers(0, 2, SIZE).astype(bool),
    "one value": lambda: np.full(SIZE, 3, np.int32),
    **{
        f"{np.dtype(t).name} {'few' if small else 'full'}": lambda t=t, small=small: integers(t, small)
        for t in (np.int8, np.uint16, np.int32, np.uint32, np.int64, np.uint64)
        for small in (False, True)
    },
}


@pytest.mark.parametrize("name", INPUTS)
def test_long_sequences(name: str) -> None:
    """The values and the stable order that NumPy finds; a second row is sorted apart from the first."""
    x = INPUTS[name]()
    a = mx.array(x, dtype=mx.float64) if name == "float64" else mx.array(x)
    np.testing.assert_array_equal(np.array(mx.sort(a)), np.sort(x))
    np.testing.assert_array_equal(np.array(mx.argsort(a)), np.argsort(x, kind="stable"))
    rows = mx.stack([a, a[::-1]])
    np.testing.assert_array_equal(np.array(mx.sort(rows))[1], np.sort(x))
