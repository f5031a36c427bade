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
