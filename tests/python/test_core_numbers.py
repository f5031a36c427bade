"""Methods of arrays, element types, and what numbers mean."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from tests.ops import target, values
from tests.ops.target import mx

A = mx.array([1, 2, 3])


def name(a) -> str:
    """The dtype's name."""
    return values.dtype_name(a.dtype)


# ---- methods ----
METHODS = (
    "abs",
    "all",
    "any",
    "argmax",
    "argmin",
    "conj",
    "cos",
    "cummax",
    "cummin",
    "cumprod",
    "cumsum",
    "exp",
    "flatten",
    "log",
    "log10",
    "log1p",
    "log2",
    "logcumsumexp",
    "logsumexp",
    "max",
    "mean",
    "min",
    "prod",
    "reciprocal",
    "round",
    "rsqrt",
    "sin",
    "sqrt",
    "square",
    "squeeze",
    "std",
    "sum",
    "transpose",
    "var",
)


@pytest.mark.parametrize("method", METHODS)
def test_methods(method: str) -> None:
    """A method gives what the function gives."""
    x = mx.array([[0.5, 1.5], [2.5, 0.25]])
    got, want = getattr(x, method)(), getattr(mx, method)(x)
    assert got.dtype == want.dtype and np.array_equal(np.array(got), np.array(want))
    if method in ("all", "any", "sum", "prod", "max", "min", "mean", "var", "std", "logsumexp"):
        got, want = getattr(x, method)(axis=1, keepdims=True), getattr(mx, method)(x, axis=1, keepdims=True)
        assert np.array_equal(np.array(got), np.array(want)) and got.shape == (2, 1)
    if method in ("cumsum", "cumprod", "cummax", "cummin", "logcumsumexp"):
        assert np.array_equal(
            np.array(getattr(x, method)(0, reverse=True, inclusive=False)),
            np.array(getattr(mx, method)(x, 0, reverse=True, inclusive=False)),
        )


# ---- dtypes ----
def test_dtypes() -> None:
    """Fourteen objects that compare, hash and print."""
    for i, dtype in enumerate(
        (
            "bool_",
            "uint8",
            "uint16",
            "uint32",
            "uint64",
            "int8",
            "int16",
            "int32",
            "int64",
            "float16",
            "float32",
            "float64",
            "bfloat16",
            "complex64",
        )
    ):
        d = getattr(mx, dtype)
        assert (
            isinstance(d, mx.Dtype)
            and hash(d) == i
            and d == getattr(mx, dtype)
            and d != "float32"
            and repr(d).endswith("." + dtype.rstrip("_"))
        )
        assert d.size == mx.zeros((1,), dtype=d).itemsize
    with pytest.raises(TypeError):
        mx.zeros((1,), dtype="float32")
    if target.IS_MICA:  # the wheel's do not pickle
        assert pickle.loads(pickle.dumps(mx.float32)) == mx.float32


def test_categories() -> None:
    """The tree of issubdtype, kinds of isdtype."""
    assert (
        mx.issubdtype(mx.float16, mx.floating)
        and mx.issubdtype(mx.bfloat16, mx.inexact)
        and mx.issubdtype(mx.uint8, mx.unsignedinteger)
    )
    assert (
        mx.issubdtype(mx.complex64, mx.complexfloating)
        and not mx.issubdtype(mx.bool_, mx.number)
        and mx.issubdtype(mx.bool_, mx.generic)
    )
    assert (
        mx.issubdtype(mx.floating, mx.inexact)
        and not mx.issubdtype(mx.floating, mx.integer)
        and not mx.issubdtype(mx.floating, mx.float32)
    )
    with pytest.raises(ValueError):
        mx.issubdtype("a", mx.floating)
    with pytest.raises(TypeError):
        mx.issubdtype(None, mx.floating)
    assert (
        mx.isdtype(mx.float32, "real floating")
        and mx.isdtype(mx.int8, ("signed integer", mx.float32))
        and mx.isdtype(mx.bool_, "bool")
        and not mx.isdtype(mx.bool_, "numeric")
    )


def test_limits_of_types() -> None:
    """finfo, iinfo, can_cast."""
    assert (
        mx.finfo(mx.float16).max == 65504
        and mx.finfo(mx.bfloat16).eps == 2**-7
        and mx.finfo(mx.float32).bits == 32
    )
    assert (
        mx.finfo(mx.float32).smallest_normal == np.finfo(np.float32).tiny
        and mx.finfo(mx.float64).min == np.finfo(np.float64).min
    )
    assert (mx.iinfo(mx.int8).min, mx.iinfo(mx.int8).max) == (-128, 127) and mx.iinfo(
        mx.uint64
    ).max == 2**64 - 1
    for wrong in (lambda: mx.finfo(mx.int32), lambda: mx.iinfo(mx.float32), lambda: mx.iinfo(mx.bool_)):
        with pytest.raises(ValueError):
            wrong()
    assert mx.can_cast(mx.int64, mx.float16) and not mx.can_cast(mx.int32, mx.int8)


def test_broadcast_shapes() -> None:
    """Shapes alone."""
    assert tuple(mx.broadcast_shapes((1, 2), (3, 1))) == (3, 2) and tuple(mx.broadcast_shapes((), (4,))) == (
        4,
    )
    with pytest.raises(ValueError):
        mx.broadcast_shapes((2,), (3,))


def test_constants() -> None:
    """Numbers and None under names."""
    assert (
        mx.pi == np.pi
        and mx.e == np.e
        and mx.inf == np.inf
        and np.isnan(mx.nan)
        and mx.newaxis is None
        and mx.euler_gamma == np.euler_gamma
    )


# ---- meaning of numbers ----
def test_integer_arithmetic() -> None:
    """Floors, zero divisors, wrapping, powers."""
    assert (mx.array([-7, 7, -7]) // mx.array([2, -2, -2])).tolist() == [-4, -4, 3]
    assert (mx.array([-7, 7]) % mx.array([2, -2])).tolist() == [1, -1]
    assert (mx.array([5]) // 0).tolist() == [0] and (mx.array([5]) % 0).tolist() == [5]
    assert (mx.array([255], dtype=mx.uint8) + mx.array([1], dtype=mx.uint8)).tolist() == [0]
    assert (mx.array([2, 3]) ** mx.array([-1, 3])).tolist() == [0, 27] and (mx.array([0]) ** 0).tolist() == [
        1
    ]
    assert name(mx.array([1]) / mx.array([2])) == "float32"
    assert (
        mx.array([2**31 - 1]).sum().dtype == mx.int32
        and mx.array([1], dtype=mx.int64).sum().dtype == mx.int64
    )


def test_wide_sums() -> None:
    """Halves are summed in float32."""
    assert mx.ones((8192,), dtype=mx.float16).sum().item() == 8192
    assert mx.ones((4096,), dtype=mx.bfloat16).sum().item() == 4096


@pytest.mark.mica_only
def test_wide_means() -> None:
    """Means do not overflow."""
    assert mx.ones((70_000,), dtype=mx.float16).mean().item() == 1.0
    assert mx.full((4,), 2**30).mean().item() == 2**30
    assert abs(mx.full((70_000,), 3.0, dtype=mx.float16).astype(mx.float16).var().item()) < 1e-3


def test_casts() -> None:
    """NaN is true, fractions are cut, imaginary parts drop."""
    assert mx.array([float("nan"), 0.0]).astype(mx.bool_).tolist() == [True, False]
    assert mx.array([1.9, -1.9]).astype(mx.int32).tolist() == [1, -1]
    assert mx.array([1 + 2j]).astype(mx.float32).tolist() == [1.0]
    assert mx.array([300]).astype(mx.uint8).tolist() == [44]


def test_nan_order() -> None:
    """Extrema and their positions find NaN, sorting puts it last."""
    x = mx.array([1.0, float("nan"), 3.0])
    assert (
        np.isnan(x.max().item())
        and np.isnan(x.min().item())
        and x.argmax().item() == 1
        and x.argmin().item() == 1
    )
    assert mx.argsort(x).tolist() == [0, 2, 1] and mx.argmax(mx.array([1, 3, 3])).item() == 1
    assert mx.sort(mx.array([1 + 2j, 1 + 1j, 0 + 5j])).tolist() == [5j, 1 + 1j, 1 + 2j]


@pytest.mark.mica_only
def test_integers_that_fit_nowhere() -> None:
    for value in (2**63, [1, 2**64], -(2**63) - 1):
        with pytest.raises(RuntimeError, match="does not fit"):
            mx.array(value)
    assert mx.array([2**63, 2**64 - 1], dtype=mx.uint64).tolist() == [2**63, 2**64 - 1]
    with pytest.raises(RuntimeError, match="does not fit"):
        mx.array(2**64, dtype=mx.uint64)
    x = mx.array([1.0])
    for name, call in {
        r"\[multiply\] argument 'b'": lambda: x * 2**70,
        r"\[divide\] argument 'b'": lambda: x / 10**30,
        r"\[subtract\] argument 'a'": lambda: 2**70 - x,
        r"\[add\] argument 'b'": lambda: x.__iadd__(2**64),
    }.items():
        with pytest.raises(RuntimeError, match=name + ": the integer .* does not fit"):
            call()


@pytest.mark.mica_only
def test_array_with_a_copy_that_is_no_truth_value() -> None:
    with pytest.raises(ValueError, match="length-1"):
        mx.ones(2).__array__(None, mx.ones((2, 2)))


@pytest.mark.mica_only
def test_numpy_arrays_as_indices() -> None:
    x = mx.arange(12).reshape(3, 4)
    assert x[np.array([2, 0])].tolist() == x[mx.array([2, 0])].tolist()
    assert x[np.array([True, False, True])].tolist() == [[0, 1, 2, 3], [8, 9, 10, 11]]
    assert x[np.int64(1), np.array([[3]])].tolist() == [[7]]


def test_put_along_axis_broadcasts_indices() -> None:
    got = mx.put_along_axis(mx.zeros((3, 4)), mx.array([[0], [1], [2]]), mx.array([1.0, 2.0, 3.0]), axis=1)
    assert got.tolist() == [[3, 0, 0, 0], [0, 3, 0, 0], [0, 0, 3, 0]]


@pytest.mark.mica_only
def test_datetimes_are_refused() -> None:
    for value in (np.datetime64("2020"), np.timedelta64(3), np.array(["2020"], "datetime64[Y]")):
        with pytest.raises(ValueError, match="Invalid type|cannot|not"):
            mx.array(value)


def test_reversed() -> None:
    assert [row.tolist() for row in reversed(mx.array([[1, 2], [3, 4]]))] == [[3, 4], [1, 2]]


def test_operators_with_none() -> None:
    x = mx.ones((2,))
    for operation in (lambda: x + None, lambda: None * x, lambda: x // None, lambda: x >= None):
        with pytest.raises(TypeError):
            operation()


def test_shapes_as_numpy_arrays() -> None:
    assert mx.zeros(np.array([2, 3])).shape == (2, 3)
    assert mx.sum(mx.ones((2, 3, 4)), axis=np.array([0, 2])).tolist() == [8, 8, 8]


def test_normal_repeats_along_loc() -> None:
    key = mx.random.key(0)
    x = mx.random.normal((2,), loc=mx.zeros((3, 2)), key=key)
    assert x.shape == (3, 2) and x[0].tolist() == x[2].tolist() == mx.random.normal((2,), key=key).tolist()


@pytest.mark.mica_only
def test_cross_entropy_of_an_infinite_logit() -> None:
    logits = mx.array([[np.inf, 1.0, 2.0]])
    assert mx.fast.cross_entropy(logits, mx.array([1])).tolist() == [np.inf]


def test_transformations_take_functions() -> None:
    for transformation in (mx.grad, mx.vmap, mx.compile, mx.checkpoint, mx.custom_function):
        with pytest.raises(TypeError):
            transformation(3)


def test_cross_of_different_ranks() -> None:
    a, b = mx.arange(9.0).reshape(3, 3), mx.array([1.0, 2.0, 3.0])
    want = np.cross(np.array(a), np.array(b)[:, None], axisa=0, axisb=0, axisc=0)
    assert mx.linalg.cross(a, b, axis=0, stream=mx.cpu).tolist() == want.tolist()
