"""Indexing of arrays that do not lie row by row, and with indices or values that do not, against NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from tests.ops import target
from tests.ops.target import mx

SHAPE = (5, 34, 67)
LAYOUTS = {
    "rows": lambda x: x,
    "turned": lambda x: x.transpose(2, 1, 0),
    "swapped": lambda x: x.transpose(1, 0, 2),
    "every other": lambda x: x[:, ::2, 1::3],
    "backwards": lambda x: x[::-1, :, ::-1],
    "repeated row": lambda x: broadcast(x[:, 3:4, :], (5, 40, 67)),
    "repeated element": lambda x: broadcast(x[:, :, 7:8], (5, 34, 19)),
    "one element": lambda x: broadcast(x[2:3, 3:4, 4:5], (6, 7, 8)),
    "apart": lambda x: x.transpose(2, 1, 0)[5:30, ::-2],
}
DTYPES = ["int8", "float16", "float32", "complex64"]
INDICES = ["uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64"]


def broadcast(x, shape: tuple[int, ...]):
    return np.broadcast_to(x, shape) if isinstance(x, np.ndarray) else mx.broadcast_to(x, shape)


def draw(dtype: str) -> np.ndarray:
    return np.arange(np.prod(SHAPE)).reshape(SHAPE).astype(dtype)


def both(values: np.ndarray, layout: str):
    """The same view of NumPy's array and of one's own; the latter's memory is there already."""
    x = mx.array(values)
    mx.eval(x)
    view = LAYOUTS[layout](x)
    mx.eval(view)
    return LAYOUTS[layout](values), view


def indices(rng: np.random.Generator, size: int, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    signed = np.dtype(dtype).kind == "i" and target.IS_MICA
    return rng.integers(-size if signed else 0, size, shape).astype(dtype)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_take(layout: str, dtype: str) -> None:
    """Few and many indices along each axis, and arrays of them that are broadcast."""
    rng = np.random.default_rng(1)
    reference, x = both(draw(dtype), layout)
    for axis, size in enumerate(reference.shape):
        for count in (1, 3, 300):
            i = indices(rng, size, (count,), "int32")
            np.testing.assert_array_equal(mx.take(x, mx.array(i), axis), np.take(reference, i, axis))
    i, k = (indices(rng, reference.shape[n], (4,), "int32") for n in (0, 2))
    np.testing.assert_array_equal(x[mx.array(i)[:, None], :, mx.array(k)], reference[i[:, None], :, k])
    np.testing.assert_array_equal(
        x[mx.array(i)[:, None], 2, mx.array(k)[None, ::-1]], reference[i[:, None], 2, k[None, ::-1]]
    )
    i = indices(rng, reference.size, (2, 50), "int32")
    np.testing.assert_array_equal(mx.take(x, mx.array(i)), np.take(reference, i))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("count", [1, 3, 50])
def test_along_axis(layout: str, dtype: str, axis: int, count: int) -> None:
    """Indices and values that lie row by row, turned, and broadcast; short and long along the axis."""
    rng = np.random.default_rng(2)
    reference, x = both(draw(dtype), layout)
    size = reference.shape[axis]
    shape = [min(count, size) if n == axis else m for n, m in enumerate(reference.shape)]
    one = [m if n == axis else 1 for n, m in enumerate(shape)]
    distinct = np.argsort(rng.standard_normal(reference.shape), axis).astype(np.int32)
    i = np.take(distinct, range(shape[axis]), axis)
    turned = mx.array(i.T.copy()).T
    same = rng.permutation(size)[: shape[axis]].astype(np.int32).reshape(one)
    for ours, theirs in ((mx.array(i), i), (turned, i), (mx.array(same), np.broadcast_to(same, shape))):
        read = mx.take_along_axis(x, ours, axis)
        np.testing.assert_array_equal(read, np.take_along_axis(reference, theirs, axis))
        values = (-np.arange(np.prod(shape))).reshape(shape).astype(dtype)
        for put, given in (
            (values, mx.array(values)),
            (values, mx.array(values.T.copy()).T),
            (np.full(shape, 9, dtype), mx.array(np.array(9, dtype))),
        ):
            expected = reference.copy()
            np.put_along_axis(expected, theirs, put, axis)
            np.testing.assert_array_equal(mx.put_along_axis(x, ours, given, axis), expected)


@pytest.mark.parametrize("index", INDICES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_types_of_indices(index: str, dtype: str) -> None:
    """Each width of an index with each of an element, next to each other and apart."""
    rng = np.random.default_rng(3)
    reference, x = both(draw(dtype), "turned")
    for axis in (0, 2):
        i = indices(rng, reference.shape[axis], reference.shape, index)
        np.testing.assert_array_equal(
            mx.take_along_axis(x, mx.array(i), axis), np.take_along_axis(reference, i.astype(np.int64), axis)
        )
    distinct = np.argsort(rng.standard_normal(reference.shape), 0).astype(index)
    expected = reference.copy()
    np.put_along_axis(expected, distinct.astype(np.int64), reference[::-1], 0)
    np.testing.assert_array_equal(mx.put_along_axis(x, mx.array(distinct), x[::-1], 0), expected)


@pytest.mark.mica_only
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_the_last_of_repeated_indices_stays(axis: int) -> None:
    """Values that meet in one place: the last in row-major order is seen."""
    rng = np.random.default_rng(4)
    reference, x = both(draw("float32"), "turned")
    shape = [300 if n == axis else m for n, m in enumerate(reference.shape)]
    i = rng.integers(0, reference.shape[axis], shape).astype(np.int32)
    values = np.arange(i.size, dtype=np.float32).reshape(shape)
    expected = reference.copy()
    np.put_along_axis(expected, i, values, axis)
    np.testing.assert_array_equal(mx.put_along_axis(x, mx.array(i), mx.array(values), axis), expected)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_slices_at_a_start_of_its_own(layout: str, dtype: str) -> None:
    """The start is an array, also one that lies apart; small slices, and almost all."""
    reference, x = both(draw(dtype), layout)
    for sizes in ((2, 3, 4), tuple(n - 1 for n in reference.shape)):
        spread = mx.array(np.array([1, 9, 0, 9, 1], np.int32))[::2]
        read = mx.slice(x, spread, (0, 1, 2), sizes)
        expected = reference[1 : 1 + sizes[0], : sizes[1], 1 : 1 + sizes[2]]
        np.testing.assert_array_equal(read, expected)


@pytest.mark.mica_only
@pytest.mark.parametrize("layout", LAYOUTS)
def test_indices_that_do_not_exist(layout: str) -> None:
    """The first of them in row-major order is named, wherever it lies."""
    reference, x = both(draw("float32"), layout)
    for axis, size in enumerate(reference.shape):
        i = np.zeros(reference.shape, np.int32)
        i[2, 3, 1], i[2, 3, 4], i[3, 0, 0] = size, -size - 1, size + 5
        turned = mx.array(i.T.copy()).T
        text = rf"index {size} is out of range for axis {axis} with size {size}"
        for call in (
            lambda turned=turned, axis=axis: mx.take_along_axis(x, turned, axis),
            lambda turned=turned, axis=axis: mx.put_along_axis(x, turned, mx.array(1.0), axis),
            lambda turned=turned, axis=axis: mx.take(x, turned, axis),
        ):
            with pytest.raises(IndexError, match=text):
                mx.eval(call())


@pytest.mark.mica_only
def test_reads_take_the_memory_of_what_they_return() -> None:
    """Where few elements are read, the array that they come from is not copied, however it lies."""
    x = mx.zeros((1024, 1024)) + 1
    huge = mx.broadcast_to(mx.array(1.0), (2**33,))
    i = mx.array([1, 5, -1])
    last = mx.array([2**33 - 1])
    mx.eval(x, huge, i, last)
    for read in (
        lambda: x.T[i],
        lambda: x[:, ::2][i],
        lambda: x[::-1][:, i],
        lambda: x.T[i[:, None], i],
        lambda: mx.take_along_axis(x.T, i[None], 1),
        lambda: mx.broadcast_to(x[0], (1024, 1024))[i],
        lambda: mx.slice(x.T, i[:2], (0, 1), (2, 2)),
        lambda: huge[last],
        lambda: mx.take_along_axis(huge, last, 0),
        lambda: mx.slice(huge, last, (0,), (1,)),
    ):
        before = mx.get_active_memory()
        mx.reset_peak_memory()
        result = read()
        mx.eval(result)
        assert mx.min(result).item() == mx.max(result).item() == 1
        assert mx.get_peak_memory() - before < 64 * 1024
