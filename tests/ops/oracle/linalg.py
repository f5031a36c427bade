"""Linear algebra. Factors are not unique: where signs or phases are free, what does not depend on them is
compared.

The wheel divides by zero for matrices without rows in some functions; those stand in
tests/python/test_core_linalg.py.
"""

from __future__ import annotations

import numpy as np

from tests.ops.cases import X, case, family, ulps, v
from tests.ops.target import mx
from tests.ops.values import ALL, COMPLEX, FLOATS

family("linalg")

M = X(-1, 1)
SQUARE = (
    ((3, 3),),
    ((2, 4, 4),),
    ((1, 1),),
    ((6, 6),),
    ((0, 3, 3),),
    ((3,),),
    ((),),
    ((2, 3),),
    ((2, 3, 4),),
)
ANY = (((4, 3),), ((3, 4),), ((2, 3, 3),), ((1, 1),), ((5, 2),), ((0, 3, 2),), ((3,),), ((),))
LOOSE = ulps(64, 256, pair=512)
# Layouts whose matrices have all rows equal make sense for batches alone.
DENSE = ("contiguous", "transposed", "strided", "negative", "offset")


def transposed(a):
    """The last two axes exchanged; NumPy and mlx alike."""
    return a.swapaxes(-1, -2)


def adjoint(m, a):
    """The conjugate transpose; of real numbers the transpose."""
    return m.conj(transposed(a)) if "complex" in str(a.dtype) else transposed(a)


def eye_like(m, a):
    """The identity in the type of ``a``."""
    return np.eye(a.shape[-1]) if m is np else m.eye(a.shape[-1]).astype(a.dtype)


def is_square(a):
    """Whether the last two axes are."""
    return a.ndim > 1 and a.shape[-1] == a.shape[-2]


def regular(m, a):
    """A well-conditioned matrix made of any with elements up to 1."""
    return a + (a.shape[-1] + 2) * eye_like(m, a) if is_square(a) else a


def hermitian(m, a):
    """A symmetric or Hermitian matrix."""
    return a + adjoint(m, a) if is_square(a) else a


def positive(m, a):
    """A symmetric or Hermitian positive definite matrix."""
    return (
        hermitian(m, a) + 8 * (2 if "complex" in str(a.dtype) else 1) * eye_like(m, a) if is_square(a) else a
    )


def through(name, prepare, *, ref=None):
    """``call`` and ``ref`` of a function of a prepared matrix."""
    ref = ref or getattr(np.linalg, name)
    return {
        "call": lambda m, a, *b, **k: getattr(m.linalg, name)(prepare(m, a), *b, **k),
        "ref": lambda a, *b, **k: ref(prepare(np, a), *b, **k),
    }


def matrix_case(name, prepare, *, shapes=SQUARE, ref=None, **options):
    """A function of one matrix."""
    settings = {"ulp": LOOSE, "scaled": True, "dtypes": ALL, **through(name, prepare, ref=ref), **options}
    case(f"linalg.{name}", M, shapes=shapes, **settings)


# ---- factors and inverses ----


def cholesky(a, upper=False):
    """NumPy's factor, or its adjoint."""
    low = np.linalg.cholesky(a)
    return adjoint(np, low) if upper else low


matrix_case("cholesky", positive, ref=cholesky, variants=(v(), v(True), v(upper=True)))
matrix_case(
    "cholesky_inv",
    regular,
    ref=lambda a, upper=False: np.linalg.inv(
        adjoint(np, np.triu(a)) @ np.triu(a) if upper else np.tril(a) @ adjoint(np, np.tril(a))
    ),
    variants=(v(), v(upper=True)),
)
matrix_case("inv", regular)
matrix_case(
    "tri_inv",
    regular,
    ref=lambda a, upper=False: np.linalg.inv(np.triu(a) if upper else np.tril(a)),
    variants=(v(), v(True)),
)
matrix_case("pinv", lambda m, a: a, shapes=ANY, ref=lambda a: np.linalg.pinv(a, rcond=1e-6), layouts=DENSE)
matrix_case("det", regular)
matrix_case(
    "det",
    lambda m, a: a,
    layouts=("contiguous",),
    dtypes=("float32", "float64", "complex64"),
    label="as drawn",
)
matrix_case("slogdet", regular, dtypes=[name for name in ALL if name not in ("float16", "bfloat16")])
matrix_case("qr", lambda m, a: a, shapes=ANY, layouts=DENSE)


def lu_steps(a):
    """L and U in one matrix, the row that each step exchanged, and the row of L U of each row of a: by
    elimination with the largest pivot, which for complex numbers is that of the largest |re| + |im|, as in
    LAPACK.
    """
    a = np.array(a)
    m, n = a.shape[-2:]
    k = min(m, n)
    both = a.reshape(-1, m, n)
    orders, exchanged = np.zeros((len(both), m), np.uint32), np.zeros((len(both), k), np.uint32)
    for x, place, steps in zip(both, orders, exchanged, strict=True):
        order = np.arange(m)
        for step in range(k):
            best = step + np.argmax(np.abs(x[step:, step].real) + np.abs(x[step:, step].imag))
            steps[step] = best
            x[[step, best]] = x[[best, step]]
            order[[step, best]] = order[[best, step]]
            x[step + 1 :, step] /= x[step, step]
            x[step + 1 :, step + 1 :] -= np.outer(x[step + 1 :, step], x[step, step + 1 :])
        place[order] = np.arange(m)
    return both.reshape(a.shape), exchanged.reshape(*a.shape[:-2], k), orders.reshape(a.shape[:-1])


def lu(a):
    """The row of L U of each row of a, L, and U."""
    both, _, order = lu_steps(a)
    k = min(a.shape[-2:])
    return [order, np.tril(both[..., :k], -1) + np.eye(a.shape[-2], k), np.triu(both[..., :k, :])]


matrix_case("lu", lambda m, a: a, shapes=ANY, ref=lu, layouts=DENSE)
case(
    "linalg.lu_factor",
    M,
    shapes=ANY,
    ref=lambda a: lu_steps(a)[:2],
    ulp=LOOSE,
    scaled=True,
    layouts=DENSE,
    dtypes=ALL,
    diff=(),
)
for _name, _call, _ref in (
    ("lu_factor", lambda m, a: m.linalg.lu_factor(a)[0], lambda a: lu_steps(a)[0]),
    ("lu", lambda m, a: m.linalg.lu(a)[1:], lambda a: lu(a)[1:]),
):
    case(
        f"linalg.{_name}",
        M,
        shapes=ANY[:5],
        ulp=LOOSE,
        scaled=True,
        dtypes=("float32", "float64", "complex64"),
        layouts=("contiguous",),
        call=_call,
        ref=_ref,
        label="derivative",
    )

# ---- systems ----

SYSTEMS = (
    ((3, 3), (3,)),
    ((3, 3), (3, 2)),
    ((2, 4, 4), (2, 4, 3)),
    ((1, 1), (1,)),
    ((3, 3), (3, 0)),
    ((3,), (3,)),
    ((2, 3), (3,)),
    ((3, 3), (2,)),
    ((3, 3), ()),
    ((2, 3, 3), (2, 3)),
)
WIDE = (((2, 3, 3), (3,)), ((3, 3), (4, 3, 2)), ((2, 1, 3, 3), (4, 3, 2)), ((2, 3, 3), (4, 3, 2)))


def solve(a, b):
    """NumPy's solution, where a vector stays one whatever the batch."""
    return np.linalg.solve(a, b[..., None])[..., 0] if b.ndim == 1 else np.linalg.solve(a, b)


def triangle(a, upper):
    """One triangle of a."""
    return np.triu(a) if upper else np.tril(a)


case("linalg.solve", M, M, shapes=SYSTEMS, ulp=LOOSE, scaled=True, **through("solve", regular, ref=solve))
case(
    "linalg.solve_triangular",
    M,
    M,
    shapes=SYSTEMS + WIDE,
    ulp=LOOSE,
    scaled=True,
    variants=(v(), v(upper=True)),
    **through("solve_triangular", regular, ref=lambda a, b, upper=False: solve(triangle(a, upper), b)),
)

# ---- values and vectors ----


def svd_invariants(m, a):
    """What the decomposition says without signs: values, the cube A A^T A, and the spans of U and V."""
    u, s, vt = m.linalg.svd(a)
    k = s.shape[-1]
    u1, v1 = u[..., :, :k], vt[..., :k, :]
    return [s, (u1 * s[..., None, :] ** 3) @ v1, u1 @ adjoint(m, u1), adjoint(m, v1) @ v1, u @ adjoint(m, u)]


case(
    "linalg.svd",
    M,
    shapes=ANY,
    ulp=ulps(256, 1024),
    scaled=True,
    layouts=DENSE,
    dtypes=FLOATS + COMPLEX,
    call=svd_invariants,
    ref=lambda a: svd_invariants(np, a),
)
case(
    "linalg.svd",
    M,
    shapes=ANY,
    ulp=LOOSE,
    scaled=True,
    variants=(v(False), v(compute_uv=False)),
    layouts=DENSE,
    ref=lambda a, compute_uv: np.linalg.svd(a, compute_uv=False),
    label="values",
)


def eigh_invariants(m, a, uplo="L"):
    """Values, and A^3 made of values and vectors."""
    w, q = m.linalg.eigh(a, uplo)
    return [w, (q * w[..., None, :] ** 3) @ adjoint(m, q), (q[..., :, :1]) @ adjoint(m, q[..., :, :1])]


case(
    "linalg.eigh",
    M,
    shapes=SQUARE,
    ulp=ulps(256, 1024),
    scaled=True,
    layouts=DENSE,
    dtypes=FLOATS + COMPLEX,
    variants=(v(), v("U")),
    call=lambda m, a, *uplo: eigh_invariants(m, hermitian(m, a), *uplo),
    ref=lambda a, *uplo: eigh_invariants(np, hermitian(np, a), *uplo),
)
matrix_case(
    "eigvalsh",
    hermitian,
    ref=lambda a, *u, **k: np.linalg.eigvalsh(a),
    variants=(v(), v("U"), v(UPLO="L")),
)


def eig_invariants(m, a, vectors=True):
    """Real numbers that do not depend on the order of the values."""
    if vectors:
        w, q = m.linalg.eig(a)
        return [m.sum(m.real(w * w), -1), m.sum(m.abs(q) ** 2 * m.real(w)[..., None, :], -1)]
    w = m.linalg.eigvals(a)
    return [m.sum(m.real(w * w), -1), m.sum(m.abs(w), -1)]


for name, vectors in (("eig", True), ("eigvals", False)):
    case(
        f"linalg.{name}",
        M,
        shapes=SQUARE,
        ulp=ulps(1024, pair=1024),
        scaled=True,
        layouts=DENSE,
        dtypes=("float32", "float16", "int32"),
        call=lambda m, a, vectors=vectors: eig_invariants(m, a, vectors),
        ref=lambda a, vectors=vectors: eig_invariants(np, a, vectors),
    )
    # Numbers of any sign and phase add up: what is left is small.
    case(
        f"linalg.{name}",
        M,
        shapes=SQUARE,
        ulp=ulps(8192),
        scaled=True,
        layouts=DENSE,
        dtypes=COMPLEX,
        call=lambda m, a, vectors=vectors: eig_invariants(m, a, vectors),
        ref=lambda a, vectors=vectors: eig_invariants(np, a, vectors),
        label="complex",
    )
    case(
        f"linalg.{name}",
        M,
        shapes=(((1, 1),), ((0, 3, 3),)),
        dtypes=ALL,
        layouts=("contiguous",),
        diff=(),
        ulp=LOOSE,
        label="types",
    )

# ---- norms and products of vectors ----


def norm(a, ord=None, axis=None, keepdims=False):
    """NumPy's norm; mlx takes one axis as a list too."""
    if isinstance(axis, (list, tuple)):
        if not axis:
            return np.abs(a)
        axis = axis[0] if len(axis) == 1 else tuple(axis)
    return np.linalg.norm(a, ord, axis, keepdims)


INF = float("inf")
case(
    "linalg.norm",
    X(-4, 4),
    shapes=(((5,),), ((3, 4),), ((2, 3, 4),), ((),), ((0,),)),
    variants=(
        v(),
        v(axis=-1),
        v(axis=(0, 1)),
        v(keepdims=True),
        v(axis=[1, 0], keepdims=True),
        v(axis=()),
        v(axis=(0, 1, 2)),
        v(axis=5),
    ),
    ref=norm,
    ulp=ulps(8, 8, half=2),
    scaled=True,
    dtypes=ALL,
)
case(
    "linalg.norm",
    X(-4.1, 5.3, distinct=True),
    shapes=(((5,),), ((2, 3, 4),), ((),), ((0,),)),
    variants=tuple(v(p, -1) for p in (1, -1, 2, 3, -3.5, 0.5, INF, -INF, 0, "fro", "x"))
    + (v(3, axis=[1], keepdims=True), v(2), v(1, ())),
    ref=norm,
    ulp=ulps(32, 64, half=2),
    scaled=True,
    dtypes=("float32", "float64", "float16", "bfloat16", "int32"),
    label="vectors",
)
case(
    "linalg.norm",
    X(-4, 4),
    shapes=(((5,),), ((3, 4),), ((2, 3, 4),)),
    variants=tuple(v(p, -1) for p in (1, 2, 3, INF, 0)),
    ref=norm,
    ulp=ulps(32, pair=64),
    scaled=True,
    dtypes=("complex64",),
    label="complex",
)
case(
    "linalg.norm",
    X(-4.1, 5.3, distinct=True),
    shapes=(((3, 4),), ((2, 3, 4),)),
    variants=tuple(v(p, (-2, -1)) for p in (1, -1, 2, -2, INF, -INF, "fro", "nuc", 0, 3, "x"))
    + (v(1, (1, 0)), v("nuc", (-1, 0), keepdims=True), v(INF, [0, 1], True)),
    ref=norm,
    ulp=ulps(64, 128, half=2, pair=64),
    scaled=True,
    dtypes=("float32", "float64", "float16", "int32", "complex64"),
    layouts=DENSE,
    label="matrices",
)
case(
    "matrix_norm",
    X(-4, 4),
    shapes=(((3, 4),),),
    variants=(v(), v(1)),
    ref=norm,
    ulp=ulps(8, 8, half=2),
    scaled=True,
)


def cross(a, b, axis=-1):
    """The cross product, where a missing third number is 0."""
    a, b = np.moveaxis(np.asarray(a), axis, 0), np.moveaxis(np.asarray(b), axis, 0)
    a, b = ([*x, 0 * x[0]] if len(x) == 2 else list(x) for x in (a, b))
    out = np.broadcast_arrays(a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0])
    return np.stack(out, axis)


CROSS = (
    ((3,), (3,)),
    ((4, 3), (3,)),
    ((2,), (2,)),
    ((2,), (3,)),
    ((4, 2), (3,)),
    ((5, 4, 3), (4, 3)),
    ((4, 3), (5, 3)),
    ((4,), (4,)),
    ((), (3,)),
    ((0, 3), (3,)),
)
case("linalg.cross", X(-4, 4), X(-4, 4), shapes=CROSS, ref=cross, ulp=ulps(2, 2, half=2, pair=8), scaled=True)
case(
    "linalg.cross",
    X(-4, 4),
    X(-4, 4),
    shapes=(((3, 4), (3, 4)), ((2, 4), (3, 4)), ((5, 4), (5, 4))),
    variants=(v(0), v(axis=-2), v(3)),
    ref=cross,
    ulp=ulps(2, 2, half=2, pair=8),
    scaled=True,
    label="axis",
)

# ---- random numbers that depend on each other ----

family("random")

case(
    "random.multivariate_normal",
    X(-2, 2),
    M,
    shapes=(
        ((3,), (3, 3)),
        ((2, 3), (3, 3)),
        ((3,), (2, 3, 3)),
        ((3,), (3, 2)),
        ((2,), (3, 3)),
        ((), (3, 3)),
        ((3,), (3,)),
    ),
    variants=(v(), v((4, 2)), v(shape=(5,)), v(dtype="float16")),
    dtypes=("float32", "float16", "int32"),
    call=lambda m, mean, cov, *a, **k: m.random.multivariate_normal(
        mean, positive(m, cov), *a, **k, key=m.random.key(5)
    ),
    ulp=ulps(64),
    scaled=True,
    diff=(),
    layouts=("contiguous", "strided"),
)


def correlated(mean, cov, shape=()):
    """mean + sqrt(cov) z by the eigenvectors of cov, for the z that the key gives."""
    room = np.broadcast_shapes(mean.shape[:-1], cov.shape[:-2], shape)
    z = np.array(mx.random.normal((*room, mean.shape[-1]), key=mx.random.key(5)), np.float64)
    squares, vectors = np.linalg.eigh(positive(np, cov))
    root = (vectors * np.sqrt(squares)[..., None, :]) @ np.swapaxes(vectors, -1, -2)
    return (root @ z[..., None])[..., 0] + mean


case(
    "random.multivariate_normal",
    X(-2, 2),
    M,
    shapes=(((3,), (3, 3)), ((2, 3), (3, 3)), ((3,), (2, 3, 3)), ((1,), (1, 1))),
    variants=(v(), v((4, 2))),
    dtypes=("float32",),
    call=lambda m, mean, cov, *a: m.random.multivariate_normal(
        mean, positive(m, cov), *a, key=m.random.key(5)
    ),
    ref=correlated,
    ulp=ulps(64),
    scaled=True,
    vmap=False,
    layouts=("contiguous",),
    label="derivative",
)
