"""First and second derivatives of complex functions against differences, in all four quadrants."""

# ruff: noqa: B023 - the lambdas are called where they stand
from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tests.ops import values
from tests.ops.cases import CASES, Case, V
from tests.ops.check import Failures, outcome
from tests.ops.target import mx
from tests.ops.test_transforms import shapes_of

pytestmark = pytest.mark.mica_only

# What is made of arithmetic alone, besides the element-wise functions and families; of these not what jumps.
SMOOTH = {"sum", "var", "std", "mean", "prod", "cumsum", "cumprod", "logsumexp", "softmax"}
FAMILIES = ("linalg", "fft", "index", "shape", "matmul", "products")
JUMPS = {"maximum", "minimum", "clip", "remainder", "divmod", "floor_divide"}
# Of real numbers alone, or refused whatever the numbers.
REFUSED = {"expm1", "erf", "erfinv", "sigmoid", "arctan2", "stack[unequal]"}
cases = [
    c
    for c in CASES
    if c.diff
    and not c.nondiff
    and "complex64" in c.dtypes
    and c.domains
    and (c.elementwise or c.name in SMOOTH or c.family in FAMILIES)
    and c.name not in JUMPS
    and c.label not in REFUSED
]
# Of `sign` the matrix compares the first derivative of real numbers alone, which is 0.
signs = [c for c in CASES if c.name == "sign" and c.domains]
STEP = 1 / 256


def is_extreme(case: Case, variant: V) -> bool:
    """Whether the result is the largest or smallest of several sums, which may change within a step."""
    return case.label == "linalg.norm[matrices]" and variant.args[0] not in ("fro", "nuc")


def points(case: Case, shapes, rng: np.random.Generator) -> list[np.ndarray]:
    """Numbers away from 0, both axes, and from each other; element k lies in quadrant k mod 4. Indices and
    the like as the case draws them.
    """
    found = []
    for domain, shape in zip(case.domains, shapes, strict=True):
        if domain.dtype is not None:
            found.append(domain.draw(rng, shape, domain.dtype))
            continue
        count = int(np.prod(shape))
        quadrant = (np.arange(count) + 1) % 4
        real = rng.uniform(0.3, 1.4, count) * np.where(quadrant % 3 == 0, 1, -1)
        imag = rng.uniform(0.3, 1.4, count) * np.where(quadrant < 2, 1, -1)
        found.append(values.quantized((real + 1j * imag).reshape(shape), "complex64"))
    return found


def directions(arrays: list[np.ndarray], case: Case, rng: np.random.Generator) -> list[np.ndarray]:
    """A direction for each argument that the case differentiates."""
    return [
        values.quantized(
            rng.normal(size=arrays[i].shape) + 1j * rng.normal(size=arrays[i].shape), "complex64"
        )
        for i in case.diff or (0,)
    ]


def pairing(a: list, b: list) -> float:
    """The real part of the sum of conj(a) b."""
    return float(
        sum(
            np.sum(np.conj(np.asarray(x, np.complex128)) * np.asarray(y, np.complex128)).real
            for x, y in zip(a, b, strict=True)
        )
    )


def arrays_of(numbers: list[np.ndarray]) -> list:
    """Complex arrays."""
    return [values.to_array(mx, x, "complex64") for x in numbers]


def arguments_of(case: Case, numbers: list[np.ndarray]) -> list:
    """The case's arguments in their types."""
    return [
        values.to_array(mx, x, domain.dtype or "complex64")
        for domain, x in zip(case.domains, numbers, strict=True)
    ]


def weights_of(outputs: list, rng: np.random.Generator) -> list[np.ndarray]:
    """Numbers for each element of the outputs, complex where these are."""
    return [
        rng.normal(size=y.shape) + (1j * rng.normal(size=y.shape) if y.dtype == mx.complex64 else 0)
        for y in outputs
    ]


def seeds_of(weights: list[np.ndarray], outputs: list) -> list:
    """Cotangents of the outputs."""
    return [mx.array(np.array(w)).astype(y.dtype) for w, y in zip(weights, outputs, strict=True)]


def check(
    function: Callable, at: list[np.ndarray], along: list[np.ndarray], rng, label: str, failures
) -> None:
    """vjp and jvp of a function from arrays to a list of arrays."""

    def numbers(sign: float) -> list[np.ndarray]:
        moved = [x + sign * STEP * d for x, d in zip(at, along, strict=True)]
        return [np.array(y, np.complex128) for y in function(*arrays_of(moved))]

    quotient = [(a - b) / (2 * STEP) for a, b in zip(numbers(1), numbers(-1), strict=True)]
    outputs = function(*arrays_of(at))
    weights = weights_of(outputs, rng)
    seeds = seeds_of(weights, outputs)
    tangents = mx.jvp(function, arrays_of(at), arrays_of(along))[1]
    gradients = mx.vjp(function, arrays_of(at), seeds)[1]
    wanted = pairing(weights, quotient)
    size = sum(float(np.sum(np.abs(w) * np.abs(q))) for w, q in zip(weights, quotient, strict=True)) + 0.1
    for name, got in {
        "jvp": pairing(weights, [np.array(t) for t in tangents]),
        "vjp": pairing([np.array(g) for g in gradients], along),
    }.items():
        failures.checked += 1
        if not abs(got - wanted) <= 5e-3 * size:
            failures.add(f"{name} {label}", f"{got:.6g}, the difference quotient is {wanted:.6g}")


def check_twice(function: Callable, at: list, along: list, other: list, rng, label: str, failures) -> None:
    """vjp and jvp of a function, and of its jvp and vjp."""
    check(function, at, along, rng, label, failures)
    second = lambda *some: mx.jvp(function, list(some), arrays_of(along))[1]  # noqa: E731
    check(second, at, other, rng, f"of jvp, {label}", failures)
    outputs = function(*arrays_of(at))
    seeds = seeds_of(weights_of(outputs, rng), outputs)
    slope = lambda *some: mx.vjp(function, list(some), seeds)[1]  # noqa: E731
    check(slope, at, other, rng, f"of vjp, {label}", failures)


@pytest.mark.parametrize("case", cases + signs, ids=[c.label for c in cases + signs])
def test_complex_derivatives(case: Case) -> None:
    """vjp and jvp of the function, of its jvp, and of its vjp agree with differences."""
    failures = Failures()
    diff = case.diff or (0,)
    thorough = case.family in FAMILIES
    for shapes in shapes_of(case, 3 if case.family == "linalg" else 1):
        for variant in case.variants if thorough else case.variants[:2]:
            if is_extreme(case, variant):
                continue
            label = f"{case.name}{variant} {shapes}"
            rng = np.random.default_rng(values.seed_of("complex", label))
            at = points(case, shapes, rng)
            along, other = directions(at, case, rng), directions(at, case, rng)

            def function(*some):
                full = arguments_of(case, at)
                for i, x in zip(diff, some, strict=True):
                    full[i] = x
                found = case.run(mx, full, variant)
                return list(found) if isinstance(found, (tuple, list)) else [found]

            if outcome(lambda: case.run(mx, arguments_of(case, at), variant)).error is not None:
                continue  # real numbers alone
            chosen = [at[i] for i in diff]
            check_twice(function, chosen, along, other, rng, label, failures)
    failures.raise_any()


def assigned(x, key, value):
    """A copy of x with a part replaced."""
    y = mx.array(x)
    y[key] = value
    return y


# Functions of two 3 x 3 matrices: parts that are read and written, numbers that become real and complex
# again, batches, factors of products.
COMPOSED: dict[str, Callable] = {
    "masked rows": lambda x, u: [assigned(x, mx.array([True, False, True]), u[0])],
    "reversed part": lambda x, u: [assigned(x, (slice(None, None, -1), slice(0, 2)), u[:, :2])],
    "gathered": lambda x, u: [x[mx.array([0, 2, 0]), mx.array([1, 1, 2])] * u[0]],
    "added twice": lambda x, u: [x.at[mx.array([0, 0, 2])].add(u * x)],
    "multiplied twice": lambda x, u: [x.at[mx.array([0, 0, 2])].multiply(u)],
    "put": lambda x, u: [mx.put_along_axis(x, mx.array([[2], [0], [1]]), u[:, :1] * x[:, :1], 1)],
    "strided": lambda x, u: [mx.as_strided(x, (4, 2), (1, 3), 1) * mx.as_strided(u, (4, 2), (1, 3), 1)],
    "real parts": lambda x, u: [mx.real(x).astype(mx.complex64) * u, mx.imag(u) * x],
    "transforms": lambda x, u: [mx.fft.rfft(mx.abs(x)), mx.fft.irfft(u), mx.fft.fftn(x * u), mx.fft.ifft2(u)],
    "systems beside real numbers": lambda x, u: [
        mx.linalg.solve(mx.real(x) + 4 * mx.eye(3), u),
        mx.linalg.solve(x + 4 * mx.eye(3), mx.real(u)),
        mx.linalg.solve_triangular(mx.abs(x) + mx.eye(3), u),
    ],
    "factors": lambda x, u: [mx.linalg.lu_factor(x @ u)[0], mx.linalg.pinv(x[:2]) @ u[:2]],
    "Hermitian": lambda x, u: [
        mx.linalg.cholesky(x @ mx.conj(x.T) + 3 * mx.eye(3), upper=True) @ u,
        mx.linalg.eigvalsh(x + mx.conj(x.T)),
    ],
    "batch": lambda x, u: [mx.vmap(lambda a, b: mx.linalg.solve(x + 4 * mx.eye(3) + a[0], b))(x, u)],
    "checkpoint": lambda x, u: [mx.checkpoint(lambda a, b: mx.linalg.inv(a + 3 * mx.eye(3)) @ b)(x, u)],
    "products": lambda x, u: [
        mx.einsum("ij,jk,ik->i", x, u, mx.conj(x)),
        mx.tensordot(x, u, 1),
        mx.linalg.cross(x, u),
    ],
}


@pytest.mark.parametrize("name", COMPOSED)
def test_composed(name: str) -> None:
    """The same for functions of several operations."""
    failures, rng = Failures(), np.random.default_rng(values.seed_of("composed", name))
    at, along, other = (
        [values.quantized(rng.normal(size=(3, 3)) + 1j * rng.normal(size=(3, 3)), "complex64") for _ in "xu"]
        for _ in range(3)
    )
    check_twice(COMPOSED[name], at, along, other, rng, name, failures)
    failures.raise_any()


def test_branch_cuts() -> None:
    """On a cut the derivative is that of the side which the sign of zero names."""
    zeros = np.array([0.0, -0.0], np.float32)
    for name, slope in {
        "arcsin": lambda z: 1 / (np.sqrt(1 - z) * np.sqrt(1 + z)),
        "arccos": lambda z: -1 / (np.sqrt(1 - z) * np.sqrt(1 + z)),
        "arcsinh": lambda z: 1 / (np.sqrt(1 - 1j * z) * np.sqrt(1 + 1j * z)),
        "arccosh": lambda z: 1 / (np.sqrt(z - 1) * np.sqrt(z + 1)),
    }.items():
        for far in (-2.0, -0.5, 0.5, 2.0):
            at, beside = np.empty(2, np.complex64), np.empty(2, np.complex128)
            at.real, at.imag = (zeros, far) if name == "arcsinh" else (far, zeros)
            aside = np.copysign(1e-9, zeros.astype(np.float64))
            beside.real, beside.imag = (aside, far) if name == "arcsinh" else (far, aside)
            z = mx.array(at)
            got = np.array(mx.jvp(getattr(mx, name), [z], [mx.ones_like(z)])[1][0])
            assert np.allclose(got, slope(beside), rtol=1e-5, atol=1e-6), (name, far, got, slope(beside))


def test_square_of_zero() -> None:
    """|z|^2 has a second derivative at 0, where |z| has none: of var where a number is the mean."""
    z, t = mx.array([1 + 0j, -1 + 0j, 0j]), mx.array([0j, 0j, 1 + 0j])
    slope = lambda x: mx.jvp(mx.var, [x], [t])[1][0]  # noqa: E731
    assert abs(mx.jvp(slope, [z], [t])[1][0].item() - 4 / 9) < 1e-6
