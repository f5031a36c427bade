"""Softmax and log-sum-exp of rows: short ones go side by side, what is left behind blocks goes apart."""

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
