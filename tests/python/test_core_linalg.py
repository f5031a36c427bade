"""Linear algebra beyond the matrix of tests: faults of the data, matrices without rows, complex derivatives,
and the library that is opened at the first use.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest

from tests.ops.target import mx

linalg = mx.linalg
SINGULAR = [[1.0, 2.0], [2.0, 4.0]]
NAN = [[float("nan"), 1.0], [1.0, 2.0]]


def double(x) -> mx.array:
    """A float64 array."""
    return mx.array(np.asarray(x, np.float64), dtype=mx.float64)


# ---- what only the values show ----


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: linalg.inv(mx.array(SINGULAR)), r"\[inv\] the matrix is singular: pivot 2"),
        (lambda: linalg.solve(mx.array(SINGULAR), mx.ones((2,))), r"\[solve\] the matrix is singular"),
        (
            lambda: linalg.tri_inv(mx.array([[0.0, 1], [1, 2]])),
            r"\[tri_inv\] .* element 1 of its diagonal",
        ),
        (
            lambda: linalg.solve_triangular(mx.array([[1.0, 1], [1, 0]]), mx.ones((2,))),
            r"element 2 of its diagonal",
        ),
        (
            lambda: linalg.cholesky(mx.array([[1.0, 2], [2, 1]])),
            r"\[cholesky\] .*not positive definite.* order 2",
        ),
        (
            lambda: linalg.cholesky(mx.stack([mx.eye(2), -mx.eye(2)])),
            r"matrix 1 of 2 is not positive definite",
        ),
        (lambda: linalg.inv(mx.array(SINGULAR) * 1j), r"\[inv\] the matrix is singular: pivot 2"),
        (lambda: linalg.solve(mx.array(SINGULAR) * 1j, mx.ones((2,))), r"\[solve\] the matrix is singular"),
        (lambda: linalg.tri_inv(mx.array([[0j, 1], [1, 2j]])), r"element 1 of its diagonal"),
        (lambda: linalg.cholesky(mx.array([[1, 2j], [-2j, 1]])), r"not positive definite.* order 2"),
        (lambda: linalg.pinv(mx.array(NAN) * 1j), r"\[pinv\] the matrix holds NaN"),
        (lambda: linalg.svd(mx.array(NAN))[1], r"\[svd\] the matrix holds NaN"),
        (lambda: linalg.pinv(mx.array(NAN)), r"\[pinv\] the matrix holds NaN"),
        (lambda: linalg.eig(mx.array(NAN))[0], r"\[eig\] the matrix holds NaN"),
        (lambda: linalg.eigvals(mx.array(NAN)), r"\[eigvals\] the matrix holds NaN"),
    ],
)
def test_faults_stick(call: Callable[[], mx.array], text: str) -> None:
    """The evaluation raises, and raises again; what does not depend on the fault goes on."""
    bad = call()
    for _ in range(2):
        with pytest.raises(RuntimeError, match=text):
            mx.eval(bad)
    with pytest.raises(RuntimeError, match=text):
        mx.eval(bad + 1)
    assert mx.sum(linalg.inv(mx.eye(2))).item() == 2


def test_nan_passes_where_lapack_lets_it() -> None:
    """Inverses, QR and symmetric eigenvalues of NaN are NaN."""
    assert np.isnan(np.array(linalg.inv(mx.array(NAN)))).all()
    assert np.isnan(np.array(linalg.solve(mx.array(NAN), mx.ones((2, 3))))).all()
    assert np.isnan(linalg.det(mx.array(np.where(np.eye(5) > 0, np.nan, 1.0).astype(np.float32))).item())
    assert np.isnan(np.array(linalg.cholesky(mx.array(NAN)))[np.tri(2) > 0]).all()
    c = mx.array(NAN).astype(mx.complex64)
    assert np.isnan(np.array(linalg.inv(c))).all() and np.isnan(np.array(linalg.solve(c, c))).all()
    assert np.isnan(np.array(linalg.cholesky(c))[np.tri(2) > 0]).all()
    assert np.isnan(np.array(linalg.qr(c)[0])).all() and np.isnan(linalg.slogdet(c)[1].item())
    w, v = linalg.eigh(mx.array(NAN))
    assert np.isnan(np.array(w)).all() and np.isnan(np.array(v)).all()
    assert not np.isnan(np.array(linalg.eigvalsh(mx.array([[1.0, float("nan")], [2.0, 3.0]])))).any()


def test_without_rows() -> None:
    """Matrices of size 0 give empty results, and the determinant 1."""
    nothing, batch = mx.zeros((0, 0)), mx.zeros((2, 0, 0))
    for name in ("inv", "tri_inv", "cholesky", "cholesky_inv", "pinv"):
        assert getattr(linalg, name)(nothing).shape == (0, 0)
        assert np.array(getattr(linalg, name)(batch)).shape == (2, 0, 0)
    assert linalg.solve(batch, mx.zeros((2, 0, 3))).shape == (2, 0, 3)
    assert linalg.solve(nothing, mx.zeros((4, 0, 3))).shape == (4, 0, 3)
    assert [np.array(x).shape for x in linalg.lu(mx.zeros((0, 3)))] == [(0,), (0, 0), (0, 3)]
    p, low, up = linalg.lu(mx.zeros((3, 0)))
    assert p.tolist() == [0, 1, 2] and low.shape == (3, 0) and up.shape == (0, 0)
    assert linalg.det(batch).tolist() == [1, 1]
    assert [x.item() for x in linalg.slogdet(nothing)] == [1, 0]
    u, s, vt = linalg.svd(mx.zeros((0, 3)))
    assert u.shape == (0, 0) and s.shape == (0,) and np.array_equal(np.array(vt), np.eye(3))
    q, r = linalg.qr(mx.zeros((3, 0)))
    assert q.shape == (3, 0) and r.shape == (0, 0)
    assert linalg.eigvals(nothing).shape == (0,) and linalg.eigh(batch)[1].shape == (2, 0, 0)


def test_wrong_calls() -> None:
    """Classes and texts of what is wrong with a call."""
    for uplo in ("l", "X", "", "UL"):
        with pytest.raises(ValueError, match="UPLO is"):
            linalg.eigh(mx.eye(2), uplo)
        with pytest.raises(ValueError, match="UPLO is"):
            linalg.eigvalsh(mx.eye(2), UPLO=uplo)
    for call in (
        lambda: linalg.eigh(mx.eye(2), 3),
        lambda: linalg.svd(mx.eye(2), 1),
        lambda: linalg.solve_triangular(mx.eye(2), mx.ones((2,)), True),
        lambda: linalg.norm(mx.eye(2), [2]),
        lambda: linalg.norm(a=mx.eye(2)),
        lambda: linalg.inv([[1.0]]),
        lambda: linalg.norm(mx.eye(2), None, 1.5),
    ):
        with pytest.raises(TypeError):
            call()
    with pytest.raises(ValueError, match="float32, float64 or complex64.* type int32"):
        linalg.inv(mx.eye(2).astype(mx.int32))
    with pytest.raises(ValueError, match="float32, float64 or complex64.* int32 and int32"):
        linalg.solve(mx.eye(2).astype(mx.int32), mx.ones((2,), dtype=mx.int32))
    with pytest.raises(ValueError, match="axis 1 is given twice"):
        linalg.norm(mx.eye(2), axis=(1, -1))
    with pytest.raises(ValueError):
        linalg.inv(mx.eye(2), stream=mx.gpu)


def test_results_by_name() -> None:
    """Containers: tuples where several arrays come back, one array without vectors."""
    a = mx.array([[2.0, 1], [1, 3]])
    for name, count in (
        ("qr", 2),
        ("svd", 3),
        ("lu", 3),
        ("lu_factor", 2),
        ("eig", 2),
        ("eigh", 2),
        ("slogdet", 2),
    ):
        result = getattr(linalg, name)(a)
        assert type(result) is tuple and len(result) == count
    assert isinstance(linalg.svd(a, compute_uv=False), mx.array)


def test_solve_broadcasts() -> None:
    """Leading axes broadcast; one matrix is factorized once for many right-hand sides."""
    rng = np.random.default_rng(0)
    a = rng.standard_normal((2, 1, 3, 3)) + 4 * np.eye(3)
    b = rng.standard_normal((4, 3, 2))
    assert np.allclose(np.array(linalg.solve(double(a), double(b))), np.linalg.solve(a, b))
    got = np.array(linalg.solve(double(a[0, 0]), double(b)))
    assert np.allclose(got, np.linalg.solve(a[0, 0], b))
    assert np.allclose(
        np.array(linalg.solve(double(a), double(b[0, :, 0]))), np.linalg.solve(a, b[0, :, :1])[..., 0]
    )


def test_determinants_of_halves() -> None:
    """Computed in float32, rounded once."""
    a = mx.array(np.diag([3.0, 2, 5, 7, 1.5]))
    for dtype in (mx.float16, mx.bfloat16):
        assert linalg.det(a.astype(dtype)).dtype == dtype
        assert linalg.det(a.astype(dtype)).item() == mx.array(315.0).astype(dtype).item()
    sign, log = linalg.slogdet(double(np.eye(400) * 1e-3))
    assert sign.item() == 1 and np.isclose(log.item(), 400 * np.log(1e-3))
    assert linalg.det(mx.array(SINGULAR)).item() == 0


# ---- derivatives that the matrix of tests does not reach ----


def test_derivative_of_singular_determinant() -> None:
    """The determinant's derivative exists where no inverse does; its second for regular matrices."""
    a = np.array([[1.0, 2, 3], [2, 4, 6], [1, 0, 1]])
    cofactor = np.array(
        [
            [np.linalg.det(np.delete(np.delete(a, i, 0), j, 1)) * (-1) ** (i + j) for j in range(3)]
            for i in range(3)
        ]
    )
    assert np.allclose(np.array(mx.grad(linalg.det)(double(a))), cofactor, atol=1e-12)
    assert np.allclose(np.array(mx.grad(linalg.det)(double(np.zeros((3, 3))))), 0)
    regular = a + np.eye(3)
    weights = np.arange(9.0).reshape(3, 3)

    def twice(x: mx.array) -> mx.array:
        return mx.sum(mx.grad(linalg.det)(x) * double(weights))

    got, step = np.array(mx.grad(twice)(double(regular))), 1e-5
    direction = np.random.default_rng(1).standard_normal((3, 3))
    above, below = (twice(double(regular + sign * step * direction)).item() for sign in (1, -1))
    assert np.isclose(np.sum(got * direction), (above - below) / (2 * step), rtol=1e-6)


def second_derivatives() -> dict[str, Callable]:
    """Functions of a 4 x 4 matrix whose first derivative is differentiated once more."""

    def even(z: mx.array) -> mx.array:
        return (z + z.T) / 2

    def of_lu(z: mx.array) -> mx.array:
        p, low, up = linalg.lu(z)
        return mx.sum(low[p] ** 3) + mx.sum(up**3) + mx.sum(linalg.lu_factor(z)[0] ** 2)

    def of_vectors(z: mx.array) -> mx.array:
        u, s, vt = linalg.svd(z[:, :3])
        return mx.sum(s**3) + mx.sum((u[:, :1] @ vt[:1]) ** 3) + mx.sum(linalg.eigh(even(z))[1][:, 0] ** 4)

    return {
        "cholesky": lambda z: mx.sum(linalg.cholesky(z @ z.T + 4 * mx.eye(4).astype(mx.float64)) ** 3),
        "inv": lambda z: mx.sum(linalg.inv(z) ** 3),
        "pinv": lambda z: mx.sum(linalg.pinv(z[:3]) ** 3),
        "solve": lambda z: mx.sum(linalg.solve(z, z[:, :2]) ** 3),
        "solve_triangular": lambda z: mx.sum(linalg.solve_triangular(z, z[:, :2] * z[:, :2]) ** 2),
        "qr": lambda z: mx.sum(linalg.qr(z[:3])[0] ** 3) + mx.sum(linalg.qr(z)[1] ** 3),
        "lu": of_lu,
        "vectors": of_vectors,
        "values": lambda z: (
            mx.sum(linalg.svd(z, compute_uv=False) ** 3) + mx.sum(linalg.eigvalsh(even(z)) ** 3)
        ),
        "slogdet": lambda z: linalg.slogdet(z)[1] ** 2,
    }


@pytest.mark.parametrize("name", second_derivatives())
def test_second_derivatives(name: str) -> None:
    """The gradient's gradient against differences of the gradient."""
    f = second_derivatives()[name]
    rng = np.random.default_rng(9)
    x, weights, direction = (rng.standard_normal((4, 4)) for _ in range(3))
    x = x + 2 * np.eye(4)

    def slope(z: mx.array) -> mx.array:
        return mx.sum(mx.grad(f)(z) * double(weights))

    got = np.sum(np.array(mx.grad(slope)(double(x))) * direction)
    step = 1e-5
    above, below = (slope(double(x + sign * step * direction)).item() for sign in (1, -1))
    assert np.isclose(got, (above - below) / (2 * step), rtol=1e-5, atol=1e-5)


def test_equal_values() -> None:
    """Derivatives of equal values exist; those through their vectors are not determined, and say so."""
    one = double(np.eye(3))
    assert np.allclose(np.array(mx.grad(lambda z: mx.sum(linalg.eigh(z)[0]))(one)), np.eye(3))
    assert np.allclose(np.array(mx.grad(lambda z: linalg.norm(z, "nuc"))(one)), np.eye(3))

    def root(z: mx.array) -> mx.array:
        w, v = linalg.eigh(z)
        return mx.sum((v * mx.sqrt(w)) @ v.T)

    assert not np.isfinite(np.array(mx.grad(root)(one))).all()


def test_derivatives_batch() -> None:
    """grad under vmap is grad of each."""
    a = np.random.default_rng(3).standard_normal((3, 4, 4))

    def f(x: mx.array) -> mx.array:
        q, r = linalg.qr(x)
        s = linalg.svd(x, compute_uv=False)
        return mx.sum(q[0] * r[0]) + mx.sum(s**3) + linalg.slogdet(x)[1] + mx.sum(linalg.inv(x)[:, 1])

    got = np.array(mx.vmap(mx.grad(f))(double(a)))
    assert np.allclose(got, np.stack([np.array(mx.grad(f)(double(x))) for x in a]))


def test_vmap_over_other_axes() -> None:
    """The batch axis may be any; the other operand may stay whole."""
    a = np.random.default_rng(4).standard_normal((3, 5, 3)) + 4 * np.eye(3)[:, None]
    b = np.random.default_rng(5).standard_normal((3, 2))
    got = np.array(mx.vmap(linalg.solve, in_axes=(1, None), out_axes=2)(double(a), double(b)))
    assert np.allclose(got, np.stack([np.linalg.solve(a[:, i], b) for i in range(5)], 2))


def test_large() -> None:
    """Blocked paths of LAPACK: products give the matrix back."""
    a = np.random.default_rng(6).standard_normal((150, 130))
    u, s, vt = (np.array(x) for x in linalg.svd(double(a)))
    assert np.allclose((u[:, :130] * s) @ vt, a) and np.allclose(u @ u.T, np.eye(150))
    q, r = (np.array(x) for x in linalg.qr(double(a)))
    assert np.allclose(q @ r, a) and np.allclose(np.tril(r, -1), 0)
    p, low, up = (np.array(x) for x in linalg.lu(double(a)))
    assert np.allclose(low[p.astype(int)] @ up, a)
    square = a[:130] + a[:130].T
    w, v = (np.array(x) for x in linalg.eigh(double(square)))
    assert np.allclose((v * w) @ v.T, square)
    assert np.allclose(np.array(linalg.inv(double(square))) @ square, np.eye(130))


def test_small_factors_are_lapacks() -> None:
    """Small matrices have a path of their own: the same signs, NaN passed on, no overflow, zeros stay."""
    rng = np.random.default_rng(8)
    for shape in ((1, 1), (16, 16), (16, 3), (3, 16), (17, 5), (2, 2)):
        a = rng.standard_normal(shape)
        for scale in (1.0, 1e200, 1e-200):
            q, r = (np.array(x) for x in linalg.qr(double(a * scale)))
            want_q, want_r = np.linalg.qr(a)
            assert np.allclose(q, want_q) and np.allclose(r / scale, want_r)
    q, r = linalg.qr(mx.zeros((3, 2)))
    assert np.array_equal(np.array(q), np.eye(3, 2)) and not np.array(r).any()
    assert np.isnan(np.array(linalg.qr(mx.array(NAN))[1])[0]).all()


# ---- the library ----


def run(code: str, **environment: str) -> str:
    """What a fresh interpreter prints."""
    path = os.pathsep.join(sys.path)
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": path, **environment},
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


TRY = """
import mica.core as mx
{before}
try:
    print(mx.linalg.inv(mx.eye(2)).tolist())
except RuntimeError as error:
    print(error)
"""


def test_opened_at_first_use() -> None:
    """Importing and building open nothing."""
    loaded = "any('openblas' in line for line in open('/proc/self/maps'))"
    code = (
        f"import mica.core as mx; a = mx.linalg.inv(mx.eye(2)); print({loaded}); mx.eval(a); print({loaded})"
    )
    assert run(code).split() == ["False", "True"]


def test_library_that_is_none() -> None:
    """A setting that names no library with LAPACK is an error that says so."""
    assert "MICA_LAPACK names a library that cannot be used" in run(
        TRY.format(before=""), MICA_LAPACK="/nowhere.so"
    )
    assert "has no routine" in run(TRY.format(before=""), MICA_LAPACK="libm.so.6")


@pytest.mark.unsanitized
def test_tight_address_space() -> None:
    """OpenBLAS would end the process: the limit is looked at before."""
    before = "import resource; resource.setrlimit(resource.RLIMIT_AS, (400 << 20, 400 << 20))"
    assert "limit of the address space" in run(TRY.format(before=before))


@pytest.mark.unsanitized
def test_address_space_full_of_cache() -> None:
    """Cached memory gives way to the library."""
    before = """
import resource
x = mx.ones((160 << 20,)) + 1
mx.eval(x)
del x
pages = int(open("/proc/self/statm").read().split()[0])
resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + (64 << 20), -1))
"""
    assert "[1.0, 0.0]" in run(TRY.format(before=before))


def test_any_number_of_threads() -> None:
    """The same bits for 1 and 2 threads."""
    code = """
import hashlib, mica.core as mx, numpy as np
a = mx.random.normal((40, 20, 20), key=mx.random.key(1))
out = [*mx.linalg.svd(a), *mx.linalg.qr(a), mx.linalg.inv(a), *mx.linalg.eigh(a), *mx.linalg.eig(a)]
print(hashlib.sha256(b"".join(np.array(x).tobytes() for x in out)).hexdigest())
"""
    assert run(code, MICA_THREADS="1") == run(code, MICA_THREADS="2")
