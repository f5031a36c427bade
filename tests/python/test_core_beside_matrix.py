"""What the matrix cannot say of single functions (tests/ops/coverage.py names this file)."""

from __future__ import annotations

import numpy as np
import pytest

from tests.ops.target import mx


@pytest.mark.mica_only
@pytest.mark.parametrize("mode", ("mxfp8", "mxfp4"))
def test_picked_products_are_products(mode: str) -> None:
    """Bits of single products; indices of both sides."""
    x = mx.random.normal((3, 4, 64), key=mx.random.key(1))
    w = mx.random.normal((2, 32, 64), key=mx.random.key(2))
    left, right = [2, 0, 1], [1, 1, 0]
    got = mx.gather_qqmm(x, w, lhs_indices=mx.array(left), rhs_indices=mx.array(right), mode=mode)
    for i, (a, b) in enumerate(zip(left, right, strict=True)):
        assert mx.array_equal(got[i], mx.qqmm(x[a], w[b], mode=mode)).item(), (i, mode)


@pytest.mark.mica_only
def test_quantized_products_batch() -> None:
    """vmap of qqmm is the loop."""
    x = mx.random.normal((3, 2, 64), key=mx.random.key(1))
    w = mx.random.normal((32, 64), key=mx.random.key(2))
    got = mx.vmap(lambda a: mx.qqmm(a, w, mode="mxfp8"))(x)
    for i in range(3):
        assert mx.allclose(got[i], mx.qqmm(x[i], w, mode="mxfp8"), rtol=1e-5, atol=1e-5).item()


@pytest.mark.mica_only
@pytest.mark.parametrize("dtype", (mx.uint32, mx.int16, mx.uint8), ids=str)
@pytest.mark.parametrize("axis", (0, 1, 2))
def test_views_batch(dtype, axis: int) -> None:
    """vmap of view is the loop, for wider and narrower elements, along every axis."""
    x = mx.random.normal((3, 3, 3), key=mx.random.key(1))
    got = mx.vmap(lambda a: mx.view(a, dtype), in_axes=axis)(x)
    for i in range(3):
        assert mx.array_equal(got[i], mx.view(mx.take(x, i, axis=axis), dtype)).item()


@pytest.mark.mica_only
@pytest.mark.parametrize("n", (2, 3, 5, 20))
def test_nan_reaches_the_factors(n: int) -> None:
    """Wherever NaN or an infinity stands, triangles of QR and LU have no finite number on their diagonals
    from its column on.
    """
    rng = np.random.default_rng(n)
    for bad in (np.nan, np.inf):
        for i, j in ((0, 0), (n - 1, 0), (1, 1), (n - 1, 1), (n - 1, n - 1)):
            x = rng.normal(size=(n, n)).astype(np.float32) + n * np.eye(n, dtype=np.float32)
            x[i, j] = bad
            r = np.array(mx.linalg.qr(mx.array(x))[1])
            assert not np.isfinite(np.diag(r)[j:]).any(), (bad, i, j, r)
            _, lower, upper = mx.linalg.lu(mx.array(x))
            assert not np.isfinite(np.array(lower) @ np.array(upper)).any(), (bad, i, j)
