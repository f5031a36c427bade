"""The Python array API standard, version 2023.12: which functions are there, and whether they do as it says.

The reference follows the standard in part, and mica follows the reference: what contradicts the standard is
listed with the reason.
"""

from __future__ import annotations

import inspect
from pathlib import Path

import mica.core as mx
import numpy as np
import pytest

NAMESPACE = """
e inf nan newaxis pi
arange asarray empty empty_like eye from_dlpack full full_like linspace meshgrid ones ones_like tril triu
zeros
zeros_like
astype broadcast_arrays broadcast_to can_cast finfo iinfo isdtype result_type
bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float32 float64 complex64 complex128
abs acos acosh add asin asinh atan atan2 atanh bitwise_and bitwise_left_shift bitwise_invert bitwise_or
bitwise_right_shift bitwise_xor ceil clip conj copysign cos cosh divide equal exp expm1 floor
floor_divide greater
greater_equal hypot imag isfinite isinf isnan less less_equal log log1p log2 log10 logaddexp logical_and
logical_not logical_or logical_xor maximum minimum multiply negative not_equal positive pow real
remainder round
sign signbit sin sinh square sqrt subtract tan tanh trunc
take argmax argmin nonzero searchsorted where matmul matrix_transpose tensordot vecdot
concat expand_dims flip moveaxis permute_dims repeat reshape roll squeeze stack tile unstack
unique_all unique_counts unique_inverse unique_values
argsort sort cumulative_sum max mean min prod std sum var all any
__array_namespace_info__
""".split()

# The standard's names that the reference lacks too: shapes that depend on values, complex128, and a few
# element-wise functions.
ABSENT = {
    "bool",
    "complex128",
    "copysign",
    "hypot",
    "nonzero",
    "signbit",
    "unique_all",
    "unique_counts",
    "unique_inverse",
    "unique_values",
}

ARRAY = """
T mT dtype ndim shape size device
__abs__ __add__ __and__ __array_namespace__ __bool__ __complex__ __dlpack__ __dlpack_device__ __eq__
__float__ __floordiv__ __ge__ __getitem__ __gt__ __index__ __int__ __invert__ __le__ __lshift__ __lt__
__matmul__
__mod__ __mul__ __ne__ __neg__ __or__ __pos__ __pow__ __rshift__ __setitem__ __sub__ __truediv__ __xor__
to_device
__radd__ __rsub__ __rmul__ __rtruediv__ __rfloordiv__ __rmod__ __rpow__ __rmatmul__ __rand__ __ror__
__rxor__
__rlshift__ __rrshift__ __iadd__ __isub__ __imul__ __itruediv__ __ifloordiv__ __imod__ __ipow__
__imatmul__
__iand__ __ior__ __ixor__ __ilshift__ __irshift__
""".split()

# An array lies where its streams run: there is one memory for all devices.
ABSENT_ATTRIBUTES = {"device", "to_device"}


@pytest.mark.parametrize("name", [name for name in NAMESPACE if name not in ABSENT])
def test_name_is_there(name: str) -> None:
    """Functions, constants and element types of the standard."""
    assert hasattr(mx, name)


def test_absent_names_are_absent() -> None:
    """A name that has come must leave the list."""
    assert sorted(name for name in ABSENT if hasattr(mx, name)) == []
    assert sorted(name for name in ABSENT_ATTRIBUTES if hasattr(mx.array, name)) == []


@pytest.mark.parametrize("name", [name for name in ARRAY if name not in ABSENT_ATTRIBUTES])
def test_attribute_is_there(name: str) -> None:
    """Attributes, methods and operators of arrays."""
    assert hasattr(mx.ones((2, 2)), name)


def test_namespace() -> None:
    """Arrays know their namespace, by any version of the standard that is known."""
    x = mx.array([1.0])
    assert x.__array_namespace__() is mx
    assert x.__array_namespace__(api_version="2023.12") is mx
    with pytest.raises(ValueError, match="1999.12"):
        x.__array_namespace__(api_version="1999.12")
    with pytest.raises(TypeError):
        x.__array_namespace__(3)


def test_inspection() -> None:
    """The answers of __array_namespace_info__."""
    info = mx.__array_namespace_info__()
    assert set(info.capabilities()) == {"boolean indexing", "data-dependent shapes", "max dimensions"}
    assert mx.zeros((1,) * info.capabilities()["max dimensions"]).ndim == 32
    assert info.default_device() in info.devices()
    assert info.default_dtypes() == {
        "real floating": mx.zeros(1).dtype,
        "complex floating": mx.array(1j).dtype,
        "integral": mx.arange(1).dtype,
        "indexing": mx.int32,
    }
    everything = info.dtypes()
    assert everything["bool"] == mx.bool_ and everything["float64"] == mx.float64
    for kind in (
        "bool",
        "signed integer",
        "unsigned integer",
        "integral",
        "real floating",
        "complex floating",
    ):
        found = info.dtypes(kind=kind)
        assert found and all(mx.isdtype(dtype, kind) for dtype in found.values())
        assert not any(mx.isdtype(everything[name], kind) for name in set(everything) - set(found))
    assert info.dtypes(kind=("bool", "integral")).keys() == {"bool"} | info.dtypes(kind="integral").keys()
    with pytest.raises(ValueError, match="no kind"):
        info.dtypes(kind="no kind")
    with pytest.raises(TypeError):
        info.dtypes(device="cpu")


# Calls that the standard defines, each with NumPy as the judge.
X = np.array([[3.0, -1.5, 2.0], [0.5, 4.0, -2.0]], np.float32)
I = np.array([[3, 1, 2], [1, 4, 2]], np.int32)  # noqa: E741 - as in mathematics
ZEROS = np.array([0.0, -0.0], np.float32)
CALLS = {
    "arange": lambda xp, a: xp.arange(1, 10, 3),
    "linspace without endpoint": lambda xp, a: xp.linspace(0, 1, 4, endpoint=False),
    "eye with an offset": lambda xp, a: xp.eye(3, 4, k=-1),
    "full_like": lambda xp, a: xp.full_like(a(I), 7),
    "tril": lambda xp, a: xp.tril(a(X), k=-1),
    "triu": lambda xp, a: xp.triu(a(X), k=1),
    "meshgrid": lambda xp, a: xp.meshgrid(a(X[0]), a(X[1]), indexing="ij")[1],
    "broadcast_arrays": lambda xp, a: xp.broadcast_arrays(a(X), a(X[0]))[1],
    "broadcast_to": lambda xp, a: xp.broadcast_to(a(X[0]), (2, 3)),
    "clip by min": lambda xp, a: xp.clip(a(X), 0.0, None),
    "divide": lambda xp, a: xp.divide(a(X), 2.0),
    "floor_divide": lambda xp, a: xp.floor_divide(a(I), 2),
    "remainder": lambda xp, a: xp.remainder(a(X), 1.5),
    "pow": lambda xp, a: xp.power(a(X), 2.0),
    "logaddexp": lambda xp, a: xp.logaddexp(a(X), a(X)),
    "round": lambda xp, a: xp.round(a(X)),
    "take": lambda xp, a: xp.take(a(X), a(np.array([2, 0], np.int32)), axis=1),
    "argmax": lambda xp, a: xp.argmax(a(X), axis=1, keepdims=True),
    "argmin of all": lambda xp, a: xp.argmin(a(X)),
    "searchsorted": lambda xp, a: xp.searchsorted(a(np.sort(X[0])), a(X[1]), side="right"),
    "where": lambda xp, a: xp.where(a(X) > 0, a(X), 0.0),
    "matmul": lambda xp, a: xp.matmul(a(X), a(X.T.copy())),
    "tensordot": lambda xp, a: xp.tensordot(a(X), a(X), axes=((0, 1), (0, 1))),
    "vecdot": lambda xp, a: xp.sum(a(X) * a(X[0]), axis=-1) if xp is np else xp.vecdot(a(X), a(X[0])),
    "matrix_transpose": lambda xp, a: a(X).T if xp is np else xp.matrix_transpose(a(X)),
    "concat": lambda xp, a: xp.concatenate([a(X), a(I)], axis=None),
    "stack": lambda xp, a: xp.stack([a(X), a(X)], axis=-1),
    "expand_dims": lambda xp, a: xp.expand_dims(a(X), axis=1),
    "flip": lambda xp, a: xp.flip(a(X), axis=(0, 1)),
    "moveaxis": lambda xp, a: xp.moveaxis(a(X), 0, -1),
    "repeat": lambda xp, a: xp.repeat(a(X), 2, axis=1),
    "roll": lambda xp, a: xp.roll(a(X), (1, -1), axis=(0, 1)),
    "squeeze": lambda xp, a: xp.squeeze(a(X[None]), axis=0),
    "tile": lambda xp, a: xp.tile(a(X), (2, 1)),
    "argsort": lambda xp, a: xp.argsort(a(X), axis=0),
    "sort": lambda xp, a: xp.sort(a(X), axis=-1),
    "cumulative_sum": lambda xp, a: xp.cumsum(a(X), axis=1),
    "max": lambda xp, a: xp.max(a(X), axis=(0, 1)),
    "mean": lambda xp, a: xp.mean(a(X), axis=0, keepdims=True),
    "prod": lambda xp, a: xp.prod(a(X), axis=1),
    "all over axes": lambda xp, a: xp.all(a(X) > -9, axis=(0, 1)),
    "any": lambda xp, a: xp.any(a(X) > 3.5, axis=1),
    "Boolean mask": lambda xp, a: a(X)[a(X) > 0],
    "ellipsis and newaxis": lambda xp, a: a(X)[..., None, 1:],
    "negative step": lambda xp, a: a(X)[::-1, ::-2],
    "reshape with -1": lambda xp, a: xp.reshape(a(X), (3, -1)),
    "nan in max": lambda xp, a: xp.max(a(np.array([1, np.nan, 2], np.float32))),
    "nan in sort": lambda xp, a: xp.sort(a(np.array([np.nan, 1, -np.inf, np.inf], np.float32))),
    "sign of -0": lambda xp, a: 1 / (a(np.array([-0.0], np.float32)) * 1),
    "atan2 of zeros": lambda xp, a: xp.arctan2(a(ZEROS), a(-ZEROS)),
    "complex abs": lambda xp, a: xp.abs(a(np.array([3 + 4j], np.complex64))),
    "complex sqrt": lambda xp, a: xp.sqrt(a(np.array([-1 + 0j], np.complex64))),
    "int negation": lambda xp, a: -a(I),
    "shifts": lambda xp, a: (a(I) << 3) >> 1,
    "uint8 overflow": lambda xp, a: a(np.array([250], np.uint8)) + a(np.array([10], np.uint8)),
}


@pytest.mark.parametrize("name", CALLS)
def test_call(name: str) -> None:
    """Values as NumPy's."""
    with np.errstate(all="ignore"):
        want = np.asarray(CALLS[name](np, lambda x: x))
        got = np.array(CALLS[name](mx, mx.array))
    assert got.shape == want.shape
    np.testing.assert_allclose(got, want, rtol=1e-6)


def test_readme_counts() -> None:
    """The numbers in the README are those of this file."""
    names, members = len(NAMESPACE), len(ARRAY)
    said = (
        f"{names - len(ABSENT)} of {names} names and {members - len(ABSENT_ATTRIBUTES)} of {members} members "
        f"of arrays are there, and {len(CALLS)} calls give NumPy's values"
    )
    readme = (Path(__file__).resolve().parents[2] / "README.md").read_text()
    assert said in readme, f"README.md should say: {said}"


def test_var_takes_correction() -> None:
    """The standard's name for ddof."""
    x = mx.array(X)
    assert mx.allclose(mx.var(x, correction=1), mx.array(X.var(ddof=1)))
    assert mx.allclose(mx.std(x, axis=0, correction=1), mx.array(X.std(axis=0, ddof=1)))


# ---- where the reference contradicts the standard, and mica follows the reference ----

CONTRADICTIONS = {
    "sums of small integers are 32 bits wide": lambda: mx.sum(mx.array([1], dtype=mx.int8)).dtype == mx.int32,
    "indices are uint32": lambda: mx.argmax(mx.array(X)).dtype == mx.uint32,
    "sum has no dtype": lambda: "dtype" not in inspect.signature(mx.sum).parameters,
    "creation has no device": lambda: "device" not in inspect.signature(mx.zeros).parameters,
    "eye takes m for n_cols": lambda: "m" in inspect.signature(mx.eye).parameters,
    "sort has no descending": lambda: "descending" not in inspect.signature(mx.sort).parameters,
    "reshape has no copy": lambda: "copy" not in inspect.signature(mx.reshape).parameters,
    "uint64 meets int64 as float32": lambda: mx.result_type(mx.uint64, mx.int64) == mx.float32,
    "the default type of integers is int32": lambda: mx.array([1]).dtype == mx.int32,
}


@pytest.mark.parametrize("what", CONTRADICTIONS)
def test_contradiction_stands(what: str) -> None:
    """A contradiction that has gone must leave the list."""
    assert CONTRADICTIONS[what]()
