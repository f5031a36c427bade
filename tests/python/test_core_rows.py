"""Rows of any length: short ones go side by side, what is left behind blocks goes apart."""

from __future__ import annotations

import mica.core as mx
import numpy as np
import pytest

LENGTHS = (1, 2, 7, 31, 32, 33, 63, 65, 100, 1000, 5000)
NEAR = {mx.float32: 5e-7, mx.float16: 2e-3, mx.bfloat16: 2e-2, mx.float64: 1e-14}


def oracle(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both in float64."""
    with np.errstate(all="ignore"):
        top = x.max(-1, keepdims=True)
        e = np.exp(x - top)
        total = e.sum(-1, keepdims=True)
        return e / total, np.where(np.isinf(top), top, np.log(total) + top)[..., 0]


@pytest.mark.parametrize("length", LENGTHS)
def test_rows(length: int) -> None:
    """Values, infinities and NaN, for any number of rows, in all float types."""
    draw = np.random.default_rng(length)
    for rows in (1, 3, 32, 33, 70):
        x = 5 * draw.normal(size=(rows, length))
        x[rows // 2, length // 2] = (np.nan, np.inf, -np.inf, 0)[rows % 4]
        x[-1] = -np.inf if rows == 70 else x[-1]
        for dtype, near in NEAR.items():
            a = mx.array(x, dtype=dtype)
            want = oracle(np.array(a.astype(mx.float64)))
            for got, exact in zip((mx.softmax(a, axis=-1), mx.logsumexp(a, axis=-1)), want, strict=True):
                assert got.dtype == dtype
                np.testing.assert_allclose(np.array(got.astype(mx.float64)), exact, rtol=4 * near, atol=near)


@pytest.mark.parametrize("length", LENGTHS)
def test_rows_do_not_depend_on_neighbours(length: int) -> None:
    """The same bits alone, among others, and beside NaN."""
    draw = np.random.default_rng(length)
    x = draw.normal(size=(67, length)).astype(np.float32)
    x[5] = np.nan
    for function in (mx.softmax, mx.logsumexp):
        together = np.array(function(mx.array(x), axis=-1))
        for row in (0, 4, 6, 40, 66):
            assert np.array_equal(np.array(function(mx.array(x[row]), axis=-1)), together[row])


@pytest.mark.parametrize("length", LENGTHS)
def test_extrema_of_rows(length: int) -> None:
    """Wherever they lie; NaN wins from any place."""
    draw = np.random.default_rng(length)
    x = draw.normal(size=(8, length))
    for row, place in enumerate((0, length // 2, length - 1)):
        x[row, place] = np.nan
        x[row + 3, place] = 9 * (-1) ** row
    for dtype in (mx.float32, mx.float16, mx.float64):
        a = mx.array(x, dtype=dtype)
        for function, exact in ((mx.max, np.max), (mx.min, np.min)):
            assert np.array_equal(np.array(function(a, axis=-1)), exact(np.array(a), axis=-1), equal_nan=True)


@pytest.mark.parametrize("length", LENGTHS)
def test_normalised_rows(length: int) -> None:
    """Against float64."""
    x = np.random.default_rng(length).normal(size=(5, length)).astype(np.float32)
    wide = x.astype(np.float64)
    centred = wide - wide.mean(-1, keepdims=True)
    for got, exact in (
        (mx.fast.rms_norm(mx.array(x), None, 1e-3), wide / np.sqrt((wide**2).mean(-1, keepdims=True) + 1e-3)),
        (
            mx.fast.layer_norm(mx.array(x), None, None, 1e-3),
            centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-3),
        ),
    ):
        np.testing.assert_allclose(np.array(got), exact, rtol=2e-6, atol=2e-6)
