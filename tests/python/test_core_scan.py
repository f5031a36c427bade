"""Cumulative functions against NumPy: how columns are cut, where NaN stands, both ways and both kinds."""

from __future__ import annotations

import numpy as np
import pytest

from tests.ops.target import mx

RANDOM = np.random.default_rng(5)
SHAPES = (
    (1, 1),
    (3, 300),
    (300, 3),
    (255, 2),
    (256, 33),
    (257, 31),
    (600, 1),
    (70, 256),
    (5, 257),
    (9, 520),
    (700, 64),
)
DTYPES = ("float32", "float64", "int32", "int16", "uint8", "int64", "bool")


def numbers(dtype: str, shape: tuple[int, ...]) -> np.ndarray:
    """Numbers that rise now and then; in half of the float rows and columns a NaN and infinities."""
    if dtype == "bool":
        return RANDOM.random(shape) < 0.9
    if not dtype.startswith("float"):
        return RANDOM.integers(0, 100, shape).astype(dtype)
    x = RANDOM.standard_normal(shape).astype(dtype)
    x.reshape(-1)[:: max(1, x.size // 7)] = -0.0
    for place, value in ((2, np.inf), (5, -np.inf), (11, np.nan)):
        x[::2].reshape(-1)[:: max(3, x.size // place)] = value
    return x


def wanted(name: str, x: np.ndarray, axis: int, reverse: bool, inclusive: bool) -> np.ndarray:
    """By NumPy, sums of float32 in float64."""
    x = np.flip(x, axis) if reverse else x
    if x.dtype == bool:
        start = {"cummax": False, "cummin": True}[name]
    elif x.dtype.kind == "f":
        start = {"cumsum": 0, "cummax": -np.inf, "cummin": np.inf}[name]
    else:
        start = {"cumsum": 0, "cummax": np.iinfo(x.dtype).min, "cummin": np.iinfo(x.dtype).max}[name]
    wide = x.astype(np.float64) if name == "cumsum" and x.dtype.kind == "f" else x
    with np.errstate(invalid="ignore", over="ignore"):
        if name == "cumsum":
            out = np.cumsum(wide, axis, dtype=wide.dtype).astype(x.dtype)
        else:
            out = {"cummax": np.maximum, "cummin": np.minimum}[name].accumulate(wide, axis)
    if not inclusive:
        first = np.full_like(np.take(out, [0], axis), start)
        out = np.concatenate([first, np.delete(out, -1, axis)], axis)
    return np.flip(out, axis) if reverse else out


@pytest.mark.parametrize(
    ("name", "dtype"),
    [("cumsum", d) for d in DTYPES if d != "bool"]
    + [(name, d) for name in ("cummax", "cummin") for d in DTYPES],
)
def test_shapes(name: str, dtype: str) -> None:
    """Along both axes, of arrays that live on and of ones whose memory the result may take."""
    for shape in SHAPES:
        x = numbers(dtype, shape)
        a = mx.array(x, dtype=mx.float64) if dtype == "float64" else mx.array(x)
        for axis in (0, 1):
            for reverse in (False, True):
                for inclusive in (False, True):
                    oracle = wanted(name, x, axis, reverse, inclusive)
                    scan = getattr(mx, name)
                    found = np.array(scan(a, axis, reverse=reverse, inclusive=inclusive))
                    text = f"{shape}, axis {axis}, reverse {reverse}, inclusive {inclusive}"
                    np.testing.assert_array_equal(found, oracle, text)
                    dying = (
                        mx.stop_gradient(a[::-1])[::-1] if dtype == "bool" else mx.negative(mx.negative(a))
                    )
                    found = np.array(scan(dying, axis, reverse=reverse, inclusive=inclusive))
                    np.testing.assert_array_equal(found, oracle, text)


def test_nan_in_each_place() -> None:
    """From a NaN on there is nothing else, in whichever block of a long row it stands."""
    for n in (7, 256, 300, 1100):
        for place in (0, 1, n // 2, n - 1):
            x = np.linspace(-3, 5, n, dtype=np.float32)
            x[place] = np.nan
            for reverse in (False, True):
                oracle = wanted("cummax", x, 0, reverse, inclusive=True)
                np.testing.assert_array_equal(np.array(mx.cummax(mx.array(x), reverse=reverse)), oracle)


def test_many_columns_do_not_depend_on_the_cut() -> None:
    """Columns beside each other, and each alone."""
    x = RANDOM.standard_normal((40, 700)).astype(np.float32)
    together = np.array(mx.cumsum(mx.array(x), 0))
    alone = np.stack([np.array(mx.cumsum(mx.array(x[:, c].copy()))) for c in range(700)], 1)
    np.testing.assert_array_equal(together.view(np.uint32), alone.view(np.uint32))
