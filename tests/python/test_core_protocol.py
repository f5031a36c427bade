"""The array as a Python object: construction, conversion, operators on both sides, NumPy, buffers, DLPack,
pickle.
"""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

from tests.ops import values
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
