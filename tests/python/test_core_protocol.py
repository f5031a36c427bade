"""The array as a Python object: construction, conversion, operators on both sides, NumPy, buffers, DLPack,
pickle, dtypes.
"""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

from tests.ops import target, values
from tests.ops.target import mx

A = mx.array([1, 2, 3])


def name(a) -> str:
    """The dtype's name."""
    return values.dtype_name(a.dtype)


# ---- construction ----
@pytest.mark.parametrize(
    ("value", "dtype", "shape"),
    (
        (1, "int32", ()),
        (2**31, "int64", ()),
        (1.5, "float32", ()),
        (True, "bool_", ()),
        (1j, "complex64", ()),
        ([], "float32", (0,)),
        ([[], []], "float32", (2, 0)),
        ([1, 2.5], "float32", (2,)),
        ([1, 2**40], "int64", (2,)),
        ([True, 1], "int32", (2,)),
        (((1, 2), [3, 4]), "int32", (2, 2)),
        (np.zeros((2, 3), np.int16), "int16", (2, 3)),
        (np.zeros(2), "float32", (2,)),
        (np.zeros(2, np.complex128), "complex64", (2,)),
        (np.int64(3), "int64", ()),
        (np.float16(3), "float16", ()),
        (b"abc", "uint8", (3,)),
        (bytearray(b"ab"), "uint8", (2,)),
        (memoryview(b"ab"), "uint8", (2,)),
        ([A, A], "int32", (2, 3)),
        ([A, mx.array([1.0, 2.0, 3.0])], "float32", (2, 3)),
        (np.zeros((3, 2)).T, "float32", (2, 3)),
        (np.asfortranarray(np.zeros((3, 2), np.int8)), "int8", (3, 2)),
    ),
)
def test_construction(value, dtype: str, shape: tuple[int, ...]) -> None:
    """Shape and dtype follow from the value."""
    a = mx.array(value)
    assert name(a) == dtype and a.shape == shape


@pytest.mark.parametrize(
    ("value", "kind"),
    (
        ("abc", ValueError),
        (None, TypeError),
        (range(3), ValueError),
        ([None], ValueError),
        (["a"], ValueError),
        ([np.float32(1)], ValueError),
        ([np.ones(2)], ValueError),
        ([[1], [2, 3]], ValueError),
        ([1, [2]], ValueError),
        ([[1], 2], ValueError),
        (np.array(["a"]), RuntimeError),
        (np.array([1], dtype=">i4"), RuntimeError),
        (np.array([object()]), RuntimeError),
        (np.zeros(3)[::-1], ValueError),
        ({"a": 1}, ValueError),
        (object(), ValueError),
    ),
)
def test_refused_values(value, kind) -> None:
    """No array can be made of these."""
    with pytest.raises(kind):
        mx.array(value)


def test_explicit_dtype_wraps() -> None:
    """Conversion is C's."""
    assert mx.array([300, -1], dtype=mx.uint8).tolist() == [44, 255]
    assert mx.array([1.7, -1.7], dtype=mx.int32).tolist() == [1, -1]
    assert mx.array([0, 2], dtype=mx.bool_).tolist() == [False, True]
    assert mx.array(np.array([1 / 3]), dtype=mx.float64).item() == 1 / 3
    assert mx.array(A, dtype=mx.float16).dtype == mx.float16


def test_copies() -> None:
    """An array never shares memory with what it was made of, nor with its copies."""
    host = np.array([1, 2, 3], np.int32)
    a = mx.array(host)
    host[0] = 9
    assert a.tolist() == [1, 2, 3]
    for other in (mx.array(a), copy.copy(a), copy.deepcopy(a), a[:]):
        other[0] = 7
        assert a.tolist() == [1, 2, 3] and other.tolist() == [7, 2, 3]


@pytest.mark.mica_only
def test_numbers_beyond_int64() -> None:
    """The whole range of uint64."""
    assert mx.array(2**63, dtype=mx.uint64).item() == 2**63
    assert mx.array([2**64 - 1], dtype=mx.uint64).tolist() == [2**64 - 1]


@pytest.mark.mica_only
def test_deep_nesting() -> None:
    """A list nested without end is refused, not a crash."""
    deep: list = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises((ValueError, RecursionError)):
        mx.array(deep)
    loop: list = []
    loop.append(loop)
    with pytest.raises((ValueError, RecursionError)):
        mx.array(loop)


class Convertible:
    """An object that says how it becomes an array."""

    def __mlx_array__(self):
        """The array."""
        return mx.array([1.0, 2.0, 3.0])


def test_objects_that_convert() -> None:
    """``__mlx_array__`` in construction and operators."""
    assert mx.array(Convertible()).tolist() == [1.0, 2.0, 3.0]
    assert (A + Convertible()).tolist() == [2.0, 4.0, 6.0]


# ---- scalars and containers ----
def test_conversion_to_python() -> None:
    """Arrays of one element are numbers."""
    assert (
        mx.array(5).item() == 5
        and type(mx.array(True).item()) is bool
        and type(mx.array(2.5).item()) is float
    )
    assert mx.array(1 + 2j).item() == 1 + 2j and mx.array(1.5).astype(mx.bfloat16).item() == 1.5
    assert (
        float(mx.array([[2.5]])) == 2.5
        and int(mx.array(2.7)) == 2
        and complex(mx.array(1j)) == 1j
        and bool(mx.array([0.0])) is False
    )
    assert [10, 20, 30][mx.array(1)] == 20 and list(range(mx.array(3))) == [0, 1, 2]
    for convert in (bool, int, float, complex, lambda a: a.item()):
        for a in (A, mx.zeros((0,))):
            with pytest.raises(ValueError):
                convert(a)
    for a in (mx.array([1]), mx.array(1.0)):
        with pytest.raises(TypeError):
            range(a)


def test_containers() -> None:
    """len, iteration, membership, tolist."""
    m = mx.arange(6).reshape(2, 3)
    assert len(m) == 2 and [row.tolist() for row in m] == m.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert 2 in A and 5 not in A
    for f in (len, list):
        with pytest.raises((TypeError, IndexError)):
            f(mx.array(1))
    assert list(mx.zeros((0, 2))) == [] and mx.zeros((0, 2)).tolist() == [] and mx.array(3).tolist() == 3
    assert mx.array([True]).tolist() == [True] and mx.array([1j]).tolist() == [1j]
    assert max(A).item() == 3 and sorted(mx.array([3, 1, 2]).tolist()) == [1, 2, 3]


def test_attributes() -> None:
    """Facts about an array."""
    m = mx.zeros((2, 3), dtype=mx.float16)
    assert (m.shape, m.ndim, m.size, m.itemsize, m.nbytes) == ((2, 3), 2, 6, 2, 12)
    assert m.T.shape == (3, 2) and m.dtype == mx.float16
    z = mx.array([1 + 2j])
    assert z.real.tolist() == [1.0] and z.imag.tolist() == [2.0]
    with pytest.raises(AttributeError):
        m.foo = 1
    with pytest.raises(AttributeError):
        m.shape = (3, 2)
    with pytest.raises(AttributeError):
        m.nothing  # noqa: B018 - reading is the test


def test_identity() -> None:
    """Arrays are dictionary keys by identity."""
    b = mx.array([1, 2, 3])
    table = {A: 1, b: 2}
    assert table[A] == 1 and table[b] == 2 and hash(A) == hash(A)


# ---- operators ----
def test_comparison_with_others() -> None:
    """Lists and strings are unequal; None is refused; order with them too."""
    assert (A == [1, 2, 3]) is False and (A != "x") is True
    for operation in (lambda: A < [1], lambda: A + "x", lambda: A * [1, 2, 3], lambda: A - (1, 2, 3)):
        with pytest.raises(ValueError):
            operation()
    with pytest.raises(TypeError):
        A == None  # noqa: B015, E711 - comparing is the test
    with pytest.raises(ValueError, match=r"3"):
        A + mx.zeros((4,))


def test_in_place() -> None:
    """The object keeps its identity, aliases see the change, dtypes follow promotion."""
    a = mx.array([1, 2, 3])
    alias = a
    a += 1
    assert alias is a and alias.tolist() == [2, 3, 4]
    a *= 2
    a -= 1
    a //= 2
    assert alias.tolist() == [1, 2, 3]
    a += 1.5
    assert name(alias) == "float32"
    a /= 2
    a **= 2
    a %= 3
    b = mx.array([6, 3])
    b &= 5
    b |= 8
    b ^= 1
    b <<= 2
    b >>= 1
    assert b.tolist() == [(((6 & 5) | 8) ^ 1) << 2 >> 1, (((3 & 5) | 8) ^ 1) << 2 >> 1]
    m = mx.eye(2)
    m @= mx.array([[1.0, 2.0], [3.0, 4.0]])
    assert m.tolist() == [[1.0, 2.0], [3.0, 4.0]]
    with pytest.raises(ValueError):
        i = mx.array([1])
        i /= 2


def test_unary_operators() -> None:
    """Minus, plus, absolute value, inversion."""
    assert (-A).tolist() == [-1, -2, -3] and (+A).tolist() == [1, 2, 3] and abs(-A).tolist() == [1, 2, 3]
    assert (~A).tolist() == [-2, -3, -4] and (~mx.array([True])).tolist() == [False]
    for operation in (
        lambda: -mx.array([True]),
        lambda: ~mx.array([1.0]),
        lambda: A & 1.5,
        lambda: mx.array([1.0]) << 1,
    ):
        with pytest.raises(ValueError):
            operation()


@pytest.mark.mica_only
def test_operators_that_the_reference_lacks() -> None:
    """Reflected bit operators, round, divmod, matrix product with NumPy."""
    assert (5 & A).tolist() == [1, 0, 1] and (4 | A).tolist() == [5, 6, 7] and (1 ^ A).tolist() == [0, 3, 2]
    assert (1 << A).tolist() == [2, 4, 8] and (16 >> A).tolist() == [8, 4, 2]
    assert round(mx.array([1.26]), 1).item() == pytest.approx(1.3) and round(mx.array(2.5)).item() == 2
    assert [x.tolist() for x in divmod(A, 2)] == [[0, 1, 1], [1, 0, 1]] and [
        x.tolist() for x in divmod(7, A)
    ] == [[7, 3, 2], [0, 1, 1]]


def test_numpy_operands() -> None:
    """A NumPy operand on the right takes the array's dtype; on the left NumPy decides."""
    assert name(A * np.float32(2.5)) == "int32" and (A + np.array([1.5, 2.5, 3.5])).tolist() == [2, 4, 6]
    assert name(A * np.float64(2.5)) == "float32"
    assert isinstance(np.ones(3) + A, np.ndarray)
    assert name(mx.add(np.ones(2), np.ones(2))) == "float32"
    assert name(mx.array([1.0], dtype=mx.float16) * np.ones(1, np.float32)) == "float16"
    assert np.allclose(np.exp(mx.array([0.0])), [1.0])


def test_weak_numbers() -> None:
    """A Python integer must fit a narrow dtype."""
    small = mx.array([1], dtype=mx.uint8)
    for operation in (
        lambda: small + 300,
        lambda: small + -1,
        lambda: mx.array([1], dtype=mx.int8) * 128,
        lambda: mx.maximum(small, 256),
    ):
        with pytest.raises(ValueError):
            operation()
    assert name(small + 2.5) == "float32" and name(small * True) == "uint8" and name(A + 2j) == "complex64"
    with pytest.raises((RuntimeError, OverflowError, ValueError)):
        A + 2**70


# ---- NumPy, buffers, DLPack, pickle ----
@pytest.mark.parametrize("dtype", [n for n in values.ALL if n not in ("bfloat16",)])
def test_buffer(dtype: str) -> None:
    """Format, strides and values; a view, not a copy."""
    a = mx.array([[1, 2, 3], [4, 5, 6]]).astype(getattr(mx, dtype))
    view = memoryview(a)
    assert view.shape == (2, 3) and view.itemsize == a.itemsize and not view.readonly
    assert (
        view.format
        == {
            "bool_": "?",
            "uint8": "B",
            "uint16": "H",
            "uint32": "I",
            "uint64": "Q",
            "int8": "b",
            "int16": "h",
            "int32": "i",
            "int64": "q",
            "float16": "e",
            "float32": "f",
            "float64": "d",
            "complex64": "Zf",
        }[dtype]
    )
    assert np.array_equal(np.array(a), values.to_numpy(a)) and np.array(a).dtype == values.NUMPY[dtype]
    shared = np.asarray(a)
    shared[0, 0] = 0
    assert a.tolist()[0][0] == 0
    assert memoryview(a.T).strides == (a.itemsize, 3 * a.itemsize)


def test_buffer_of_bfloat16() -> None:
    """NumPy does not know it; as uint16 it passes."""
    a = mx.array([1.0, 2.0]).astype(mx.bfloat16)
    assert memoryview(a).format == "bfloat16"
    with pytest.raises((ValueError, TypeError)):
        np.array(a)
    assert np.array(a.view(mx.uint16)).tolist() == [16256, 16384]


def test_buffer_keeps_memory() -> None:
    """A view outlives its array."""
    view = np.asarray(mx.arange(1000) * 2)
    for _ in range(10):
        mx.eval(mx.ones((1000,)) * 3)
    assert view.tolist() == list(range(0, 2000, 2))


def test_dlpack() -> None:
    """Both ways, with any strides."""
    host = np.arange(6, dtype=np.float32).reshape(2, 3)
    for x in (host, host.T, host[:, ::2]):
        assert np.array_equal(np.array(mx.from_dlpack(x)), x)
    a = mx.arange(6).reshape(2, 3)
    assert a.__dlpack_device__() == (1, 0)
    for b in (a, a.T, a[:, 1:]):
        assert np.array_equal(np.from_dlpack(b), np.array(b))
    with pytest.raises((TypeError, ValueError, RuntimeError, AttributeError)):
        mx.from_dlpack(5)
    unused = a.__dlpack__()
    del unused


@pytest.mark.parametrize("dtype", [n for n in values.ALL if n != "float64"])
def test_pickle(dtype: str) -> None:
    """Value, dtype and shape survive, for any layout."""
    a = mx.arange(6).reshape(2, 3).astype(getattr(mx, dtype))
    for b in (a, a.T, a[:, 1], mx.array(1).astype(a.dtype), a[:, :0]):
        c = pickle.loads(pickle.dumps(b))
        assert c.dtype == b.dtype and c.shape == b.shape and c.tolist() == b.tolist()
    assert copy.deepcopy(a).tolist() == a.tolist()


def test_array_namespace() -> None:
    """The array API's entry."""
    assert A.__array_namespace__() is mx
    assert bytes(mx.array([1], dtype=mx.uint8)) == b"\x01"


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
