"""Transposed copies: squares of a cache line, and what is left at the edges."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from tests.ops.target import mx


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.int64])
@pytest.mark.parametrize("shape", [(64, 64), (65, 130), (100, 333), (9, 4097), (3, 70, 90)], ids=str)
def test_transposed_copies(shape: tuple[int, ...], dtype: type) -> None:
    """Each permutation of the axes."""
    x = np.random.default_rng(0).integers(0, 255, shape).astype(dtype)
    for axes in permutations(range(len(shape))):
        got = mx.contiguous(mx.transpose(mx.array(x), axes))
        np.testing.assert_array_equal(np.array(got), x.transpose(axes))


@pytest.mark.parametrize("dtype", [np.bool_, np.uint8, np.float16, np.float32, np.int64, np.complex64])
@pytest.mark.parametrize("times", [2, 3, 4, 5, 7, 8, 9, 16, 17, 31, 64, 65])
def test_repeated_elements(dtype: type, times: int) -> None:
    """Each element a few times: short and long, in parts that begin anywhere, from any layout."""
    x = np.random.default_rng(times).integers(0, 100, (37, 53)).astype(dtype)
    long = np.resize(x, 70001)
    a = mx.array(x)
    views = (
        (a, x),
        (a[::-1, ::-1], x[::-1, ::-1]),
        (mx.transpose(a), x.T),
        (a[:, ::5], x[:, ::5]),
        (a[:1, :1], x[:1, :1]),
        (a[3], x[3]),
    )
    for view, part in views:
        np.testing.assert_array_equal(np.array(mx.repeat(view, times, -1)), np.repeat(part, times, -1))
        np.testing.assert_array_equal(np.array(mx.repeat(view, times, 0)), np.repeat(part, times, 0))
    np.testing.assert_array_equal(np.array(mx.repeat(mx.array(long), times)), np.repeat(long, times))


@pytest.mark.parametrize("times", [2, 3, 5, 16, 17])
def test_repeated_operands(times: int) -> None:
    """Operands that broadcast along a short last axis, and along that before it too."""
    random = np.random.default_rng(times)
    x, y = (
        random.standard_normal((301, 7, times)).astype(np.float32),
        random.standard_normal((301, 7)).astype(np.float32),
    )
    z = random.standard_normal((301,)).astype(np.float32)
    a, b, c = mx.array(x), mx.array(y), mx.array(z)
    np.testing.assert_array_equal(np.array(a + b[..., None]), x + y[..., None])
    np.testing.assert_array_equal(np.array(a * c[:, None, None]), x * z[:, None, None])
    whole = mx.contiguous(mx.broadcast_to(b[..., None, None], (301, 7, 2, times)))
    np.testing.assert_array_equal(np.array(whole), np.broadcast_to(y[..., None, None], (301, 7, 2, times)))
