"""Short rows are worked on side by side: results must be those of each row alone, bit for bit."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tests.ops.target import mx

RANDOM = np.random.default_rng(3)
LENGTHS = (1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 16, 17, 23, 24, 25, 31, 32, 33)


def rows(n: int, count: int = 29) -> np.ndarray:
    """Rows of normal numbers with what is special in floats, in some rows nothing else."""
    x = RANDOM.standard_normal((count, n)).astype(np.float32)
    special = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 3e38, -3e38, 1e-40], np.float32)
    drawn = special[RANDOM.integers(0, special.size, x.shape)]
    x[5:9] = drawn[5:9]
    x[11:20] = np.where(RANDOM.random((9, n)) < 0.1, drawn[11:20], x[11:20])
    x[20], x[21], x[22], x[23] = -np.inf, np.nan, -0.0, np.round(x[23])
    return x


def weighted(n: int, layer: bool) -> Callable[[mx.array], mx.array]:
    """A norm with a weight, and a bias where it has one."""
    w, b = mx.array(np.linspace(-2, 3, n, dtype=np.float32)), mx.array(np.linspace(1, 5, n, dtype=np.float32))
    if layer:
        return lambda a: mx.fast.layer_norm(a, w, b, 1e-5)
    return lambda a: mx.fast.rms_norm(a, w, 1e-5)


def functions(n: int) -> dict[str, Callable[[mx.array], mx.array]]:
    """What has a path for short rows."""
    return {
        "sum": lambda a: mx.sum(a, -1),
        "mean": lambda a: mx.mean(a, -1),
        "max": lambda a: mx.max(a, -1),
        "min": lambda a: mx.min(a, -1),
        "argmax": lambda a: mx.argmax(a, -1),
        "argmin": lambda a: mx.argmin(a, -1),
        "var": lambda a: mx.var(a, -1),
        "rms_norm": weighted(n, layer=False),
        "layer_norm": weighted(n, layer=True),
        "plain rms_norm": lambda a: mx.fast.rms_norm(a, None, 1e-5),
        "plain layer_norm": lambda a: mx.fast.layer_norm(a, None, None, 1e-5),
    }


def bits(a: mx.array) -> np.ndarray:
    """Every bit, but those of NaN."""
    x = np.array(a)
    return np.where(np.isnan(x), np.float32(np.nan), x).view(np.uint32) if x.dtype == np.float32 else x


@pytest.mark.parametrize("n", LENGTHS)
def test_rows_do_not_depend_on_each_other(n: int) -> None:
    """All together, and each in an evaluation of its own."""
    x = rows(n)
    for name, function in functions(n).items():
        together = bits(function(mx.array(x)))
        for r in range(len(x)):
            np.testing.assert_array_equal(
                together[r], bits(function(mx.array(x[r : r + 1])))[0], f"{name}, row {r}"
            )


@pytest.mark.parametrize("n", LENGTHS)
def test_parts_of_wider_rows(n: int) -> None:
    """Rows that begin anywhere, stand apart, run upside down or are the same memory."""
    x = RANDOM.standard_normal((29, n + 3)).astype(np.float32)
    a = mx.array(x)
    views = {
        "apart": (a[:, 2 : 2 + n], x[:, 2 : 2 + n]),
        "upside down": (a[::-1, :n], x[::-1, :n]),
        "every second": (a[::2, 1 : 1 + n], x[::2, 1 : 1 + n]),
        "one row": (mx.broadcast_to(a[3, :n], (19, n)), np.broadcast_to(x[3, :n], (19, n))),
    }
    for name, function in functions(n).items():
        for view, (part, values) in views.items():
            whole = function(mx.array(np.ascontiguousarray(values)))
            np.testing.assert_array_equal(bits(function(part)), bits(whole), f"{name}, {view}")


@pytest.mark.parametrize("n", LENGTHS)
def test_against_numpy(n: int) -> None:
    """Extrema and their places exactly, sums to rounding."""
    x = rows(n)
    a = mx.array(x)
    with np.errstate(invalid="ignore", over="ignore"):
        np.testing.assert_array_equal(np.array(mx.max(a, -1)), x.max(-1))
        np.testing.assert_array_equal(np.array(mx.min(a, -1)), x.min(-1))
        plain = np.isfinite(x).all(-1) & (np.abs(x) < 1e30).all(-1)
        np.testing.assert_array_equal(np.array(mx.argmax(a, -1))[plain], x.argmax(-1)[plain])
        np.testing.assert_array_equal(np.array(mx.argmin(a, -1))[plain], x.argmin(-1)[plain])
        wide = x[plain].astype(np.float64)
        mean, square = wide.mean(-1, keepdims=True), (wide**2).mean(-1, keepdims=True)
        normal = (wide - mean) / np.sqrt(wide.var(-1, keepdims=True) + 1e-5)
        np.testing.assert_allclose(np.array(mx.sum(a, -1))[plain], wide.sum(-1), rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(np.array(mx.var(a, -1))[plain], wide.var(-1), rtol=1e-5, atol=1e-6)
        found = np.array(mx.fast.rms_norm(a, None, 1e-5))[plain]
        np.testing.assert_allclose(found, wide / np.sqrt(square + 1e-5), rtol=1e-5, atol=1e-6)
        found = np.array(mx.fast.layer_norm(a, None, None, 1e-5))[plain]
        np.testing.assert_allclose(found, normal, rtol=1e-4, atol=1e-4)
