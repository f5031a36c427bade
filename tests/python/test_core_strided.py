"""Operands at equal distances from one another: repeated, every other, turned; for all widths, and for
lengths around those of vectors.
"""

from __future__ import annotations

import numpy as np
import pytest

from tests.ops.target import mx

LENGTHS = [*range(1, 20), 31, 32, 33, 63, 64, 65, 127, 129, 1023, 1024, 1025, 2500]
DTYPES = ["int8", "int16", "int32", "int64", "float16", "float32", "complex64"]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("stride", [-3, -2, -1, 2, 3])
def test_steps(dtype: str, stride: int) -> None:
    """Elements of rows, one to three apart in both directions, up to the array's own ends."""
    for length in LENGTHS:
        values = (np.arange(2 * ((length - 1) * abs(stride) + 1)) % 101).reshape(2, -1).astype(dtype)
        x = mx.array(values)
        mx.eval(x)
        expected = values[:, ::stride]
        assert expected.shape[1] == length
        np.testing.assert_array_equal(mx.contiguous(x[:, ::stride]), expected)
        np.testing.assert_array_equal(x[:, ::stride] + x[:, ::stride], expected + expected)


@pytest.mark.parametrize("dtype", DTYPES)
def test_repeated_columns(dtype: str) -> None:
    """A column beside whole rows, and beside a row."""
    for length in LENGTHS:
        values = (np.arange(3 * length) % 50).reshape(3, length).astype(dtype)
        x, column = mx.array(values), mx.array(values[:, -1:])
        np.testing.assert_array_equal(x + column, values + values[:, -1:])
        np.testing.assert_array_equal(column + x[:1], values[:, -1:] + values[:1])
        copied = mx.contiguous(mx.broadcast_to(column, (3, length)))
        np.testing.assert_array_equal(copied, np.broadcast_to(values[:, -1:], (3, length)))


@pytest.mark.parametrize("k", [-9, -4, -3, -1, 0, 1, 2, 5, 9])
def test_diagonals(k: int) -> None:
    """Inside and beyond; empty matrices; types; the derivative of ``diag`` is ``diagonal``."""
    for n, m in ((4, 4), (3, 5), (5, 3), (1, 1), (0, 3), (3, 0), (1, 6), (6, 1)):
        for dtype in (mx.float32, mx.int8, mx.bool_, mx.complex64):
            expected = np.eye(n, m, k)
            result = mx.eye(n, m, k, dtype)
            assert result.dtype == dtype
            np.testing.assert_array_equal(np.array(result).astype(np.complex64), expected)
    for n in (1, 2, 7):
        values = np.arange(1, n + 1, dtype=np.float32)
        np.testing.assert_array_equal(mx.diag(mx.array(values), k), np.diag(values, k))
        weights = np.arange((n + abs(k)) ** 2, dtype=np.float32).reshape(n + abs(k), -1)
        gradient = mx.grad(lambda v, w: (mx.diag(v, k) * w).sum())(mx.array(values), mx.array(weights))
        np.testing.assert_array_equal(gradient, np.diagonal(weights, k))
        rows = np.stack([values, values + 10])
        batched = mx.vmap(lambda v: mx.diag(v, k))(mx.array(rows))
        np.testing.assert_array_equal(batched, np.stack([np.diag(row, k) for row in rows]))
