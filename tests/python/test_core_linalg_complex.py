"""Linear algebra of complex matrices beyond the matrix of tests, whose derivatives of all functions are in
tests/ops/test_complex_derivatives.py.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tests.ops.target import mx

linalg = mx.linalg


def complex_matrix(*shape: int, seed: int = 0) -> np.ndarray:
    """Normal numbers."""
    rng = np.random.default_rng(seed)
    return rng.standard_normal(shape) + 1j * rng.standard_normal(shape)


def complex_array(x) -> mx.array:
    """A complex64 array."""
    return mx.array(np.asarray(x, np.complex64))


def test_one_triangle_of_hermitian_matrices() -> None:
    """Neither the other triangle nor imaginary parts of the diagonal are read."""
    a = complex_matrix(5, 5)
    a = a @ a.conj().T + np.eye(5)
    want = np.linalg.cholesky(a)
    for upper, factor in ((False, want), (True, want.conj().T)):
        other = np.tri(5, k=-1) > 0 if upper else np.tri(5, k=-1).T > 0
        given = np.where(other, np.nan, a) + 7j * np.eye(5)
        got = np.array(linalg.cholesky(complex_array(given), upper=upper))
        assert np.allclose(got, factor, atol=1e-5) and not np.diagonal(got).imag.any()
        solved = linalg.solve_triangular(
            complex_array(np.where(other, np.nan, factor)), complex_array(a), upper=upper
        )
        assert np.allclose(np.array(solved), np.linalg.solve(factor, a), atol=1e-4)


def test_complex_determinants() -> None:
    """The sign is a number of magnitude 1, the logarithm is real, and neither over- nor underflows."""
    for n in (1, 2, 3, 4, 70):
        for scale in (1, 1e-9, 1e9):
            a = complex_matrix(n, n, seed=n) * scale
            sign, log = linalg.slogdet(complex_array(a))
            want_sign, want_log = np.linalg.slogdet(a)
            assert (sign.dtype, log.dtype) == (mx.complex64, mx.float32)
            assert np.isclose(sign.item(), want_sign, atol=1e-4)
            assert np.isclose(log.item(), want_log, rtol=1e-5)
    sign, log = linalg.slogdet(complex_array([[1, 2j], [1j, -2]]))
    assert sign.item() == 0 and log.item() == -np.inf
    assert linalg.det(complex_array([[1, 2j], [3, 4]])).item() == 4 - 6j


def test_complex_beside_real() -> None:
    """Systems are solved in the type that both promote to."""
    a, b = complex_matrix(3, 3) + 4 * np.eye(3), np.arange(6.0).reshape(3, 2)
    for x in (mx.array(b), mx.array(b, dtype=mx.float64), mx.array(b).astype(mx.int32)):
        got = linalg.solve(complex_array(a), x)
        assert got.dtype == mx.complex64 and np.allclose(np.array(got), np.linalg.solve(a, b), atol=1e-5)
        got = linalg.solve_triangular(x[:2] + mx.ones((2, 2), dtype=x.dtype), complex_array(a[:2]))
        want = np.linalg.solve(np.tril(b[:2] + 1), a[:2])
        assert got.dtype == mx.complex64 and np.allclose(np.array(got), want, atol=1e-5)


def test_complex_without_rows() -> None:
    """Empty complex matrices, and their determinant."""
    nothing, batch = mx.zeros((0, 0), dtype=mx.complex64), mx.zeros((2, 0, 0), dtype=mx.complex64)
    for name in ("inv", "tri_inv", "cholesky", "cholesky_inv", "pinv"):
        got = getattr(linalg, name)(batch)
        assert np.array(got).shape == (2, 0, 0) and got.dtype == mx.complex64
    assert linalg.solve(batch, mx.zeros((2, 0, 3))).dtype == mx.complex64
    parts = linalg.lu(mx.zeros((0, 3), dtype=mx.complex64))
    assert [np.array(x).shape for x in parts] == [(0,), (0, 0), (0, 3)]
    assert linalg.pinv(mx.zeros((3, 0), dtype=mx.complex64)).shape == (0, 3)
    assert linalg.det(batch).tolist() == [1, 1]
    sign, log = linalg.slogdet(nothing)
    assert (sign.item(), log.item(), log.dtype) == (1, 0, mx.float32)
    q, r = linalg.qr(mx.zeros((3, 0), dtype=mx.complex64))
    assert q.shape == (3, 0) and r.shape == (0, 0)


def test_small_complex_factors_are_lapacks() -> None:
    """Small matrices have a path of their own: the same phases, no overflow; zeros stay."""
    for shape in ((1, 1), (16, 16), (16, 3), (3, 16), (17, 5), (2, 2)):
        a = complex_matrix(*shape)
        a[0, 0] = abs(a[0, 0].real)
        for scale in (1.0, 1e30, 1e-30):
            q, r = (np.array(x) for x in linalg.qr(complex_array(a * scale)))
            want_q, want_r = np.linalg.qr(a)
            assert np.allclose(q, want_q, atol=1e-5) and np.allclose(r / scale, want_r, atol=1e-5)
            assert not np.diagonal(r).imag.any()
    q, r = linalg.qr(mx.zeros((3, 2), dtype=mx.complex64))
    assert np.array_equal(np.array(q), np.eye(3, 2)) and not np.array(r).any()
    q, r = linalg.qr(mx.array([[-2j]]))
    assert q.item() * r.item() == -2j and r.item() == -2


def test_large_complex() -> None:
    """Blocked paths of LAPACK: R has a real diagonal, and NumPy's signs."""
    a = complex_matrix(150, 130)
    close = {"atol": 2e-3}
    q, r = (np.array(x) for x in linalg.qr(complex_array(a)))
    want_q, want_r = np.linalg.qr(a)
    assert np.allclose(q, want_q, **close) and np.allclose(r, want_r, **close)
    assert not np.diagonal(r).imag.any() and not np.tril(r, -1).any()
    p, low, up = (np.array(x) for x in linalg.lu(complex_array(a)))
    assert np.allclose(low[p.astype(int)] @ up, a, **close)
    both, steps = linalg.lu_factor(complex_array(a))
    order = np.arange(150)
    for k, other in enumerate(steps.tolist()):
        order[[k, other]] = order[[other, k]]
    assert np.allclose(np.tril(np.array(both), -1) + np.eye(150, 130), low, **close)
    assert np.array_equal(order[p], np.arange(150))
    assert np.allclose(np.triu(np.array(both))[:130], up, **close)
    assert np.allclose(np.array(linalg.pinv(complex_array(a))), np.linalg.pinv(a), **close)
    square = a[:130] + 30 * np.eye(130)
    assert np.allclose(np.array(linalg.inv(complex_array(square))) @ square, np.eye(130), **close)
    for upper in (False, True):
        triangle = np.triu(square) if upper else np.tril(square)
        assert np.allclose(
            np.array(linalg.tri_inv(complex_array(square), upper)) @ triangle, np.eye(130), **close
        )
    positive = square @ square.conj().T / 1000
    low = np.linalg.cholesky(positive)
    assert np.allclose(np.array(linalg.cholesky(complex_array(positive))), low, **close)
    inverse = np.array(linalg.cholesky_inv(complex_array(low)))
    assert np.allclose(inverse @ positive, np.eye(130), atol=2e-2)
    assert np.allclose(
        np.array(linalg.solve(complex_array(square), complex_array(a[:130]))),
        np.linalg.solve(square, a[:130]),
        **close,
    )


# ---- derivatives ----


def test_derivative_of_singular_complex_determinant() -> None:
    """The cofactors, conjugated: they exist where no inverse does."""
    a = np.array([[1.0, 2j, 3], [2, 4j, 6], [1, 0, 1]]) * (1 + 2j)
    cofactor = [
        [np.linalg.det(np.delete(np.delete(a, i, 0), j, 1)) * (-1) ** (i + j) for j in range(3)]
        for i in range(3)
    ]
    assert np.abs(np.linalg.det(a)) < 1e-9
    found = mx.vjp(linalg.det, [complex_array(a)], [mx.array(1 + 0j)])[1][0]
    assert np.allclose(np.array(found), np.conj(cofactor), atol=1e-4)


def complex_difference(f: Callable, a: np.ndarray, direction: np.ndarray) -> float:
    """The derivative of a real function of complex numbers along a direction."""
    step = 1e-6
    return (f(np, a + step * direction) - f(np, a - step * direction)) / (2 * step)


def adjoint(m, a):
    """The conjugate transpose."""
    return m.conj(a.swapaxes(-1, -2))


def of_svd(m, a):
    """Values and A A^H A, weighted."""
    u, s, vt = m.linalg.svd(a)
    k = s.shape[-1]
    cube = (u[:, :k] * s**3) @ vt[:k]
    return m.sum(m.real(cube) * (1.5 + m.imag(cube))) + m.sum(m.abs(u[:, :1] * vt[:1, 0]) ** 2 * s[0])


def of_eigh(m, a):
    """Values and A^3, weighted."""
    w, q = m.linalg.eigh(a + adjoint(m, a))
    cube = (q * w**3) @ adjoint(m, q)
    return m.sum(m.real(cube) * (1.5 + m.imag(cube))) + m.sum(m.abs(q) ** 2 * w)


def of_eig(m, a):
    """Values, and vectors by their magnitudes."""
    w, q = m.linalg.eig(a)
    return m.sum(m.real(w * w * w)) + m.sum(m.abs(q[:1]) ** 2 * m.imag(w))


def of_values(m, a):
    """Values alone."""
    return m.sum(m.imag(m.linalg.eigvals(a) ** 3)) + m.sum(m.linalg.eigvalsh(a + adjoint(m, a)) ** 3)


@pytest.mark.parametrize("f", [of_svd, of_eigh, of_eig, of_values])
@pytest.mark.parametrize("shape", [(3, 3), (4, 2), (2, 4)])
def test_complex_derivatives(f: Callable, shape: tuple[int, int]) -> None:
    """vjp and jvp of complex decompositions against differences of NumPy in double precision."""
    if shape[0] != shape[1] and f is not of_svd:
        shape = (5, 5)
    rng = np.random.default_rng(7)
    a = rng.standard_normal(shape) + 1j * rng.standard_normal(shape)
    x = mx.array(a.astype(np.complex64))
    gradient = np.array(mx.vjp(lambda z: f(mx, z), [x], [mx.array(1.0)])[1][0])
    for _ in range(3):
        direction = rng.standard_normal(shape) + 1j * rng.standard_normal(shape)
        want = complex_difference(f, a, direction)
        size = np.sum(np.abs(gradient) * np.abs(direction))
        assert abs(np.sum((np.conj(gradient) * direction).real) - want) < 1e-4 * size
        forward = mx.jvp(lambda z: f(mx, z), [x], [mx.array(direction.astype(np.complex64))])[1][0]
        assert abs(forward.item() - want) < 1e-4 * size
