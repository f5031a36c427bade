"""Indexing: random keys on random shapes against NumPy, for reads, writes and ``.at``; masks; indices that
do not exist.
"""

from __future__ import annotations

import numpy as np
import pytest

from tests.ops import target
from tests.ops.target import mx

COUNT = 6000 if target.LONG else 1500


def draw_slice(rng: np.random.Generator, size: int, inside: bool) -> slice:
    """A slice with any signs and steps; ``inside``: bounds that exist (beside index arrays the wheel does
    not clamp).
    """
    reach = size if inside else size + 3

    def bound():
        return None if rng.random() < 0.3 else int(rng.integers(-size if inside else -reach, reach + 1))

    step = None if rng.random() < 0.4 else int(rng.choice([1, 2, 3] if inside else [-3, -2, -1, 1, 2, 3]))
    return slice(bound(), bound(), step)


def draw_key(
    rng: np.random.Generator,
    shape: tuple[int, ...],
    arrays: bool,
    distinct: bool = False,
    new_axes: bool = True,
):
    """A key for NumPy; index arrays are lists or ndarrays of int32."""
    parts: list = []
    left = list(shape)
    use_arrays = arrays and rng.random() < 0.5
    common = tuple(int(n) for n in rng.integers(1, 4, rng.integers(1, 3)))
    taken = int(rng.integers(1, len(left) + 1))
    ellipsis_at = int(rng.integers(0, taken + 1)) if rng.random() < 0.3 else -1
    if use_arrays and not target.IS_MICA:
        ellipsis_at = -1  # one that stands for no axis separates index arrays in NumPy, not in the wheel
    axes = left[:taken]
    if ellipsis_at >= 0:
        rest = taken - ellipsis_at
        axes = left[:ellipsis_at] + (left[len(left) - rest :] if rest else [])
    used = False
    for i, size in enumerate(axes):
        if i == ellipsis_at:
            parts.append(Ellipsis)
        if rng.random() < 0.1 and new_axes:
            parts.append(None)
        kind = rng.random()
        if use_arrays and kind < 0.45:
            count = int(np.prod(common))
            if distinct:
                # Writes through arrays: one array alone, without repetition.
                if used:
                    parts.append(draw_slice(rng, size, True))
                    continue
                index = rng.permutation(size)[: max(1, int(rng.integers(1, size + 1)))]
            else:
                index = rng.integers(-size, size, count).reshape(common if rng.random() < 0.7 else (count,))
                if index.shape != common:
                    index = index.reshape(common)
            parts.append(index.astype(np.int32))
            used = True
        elif kind < 0.6:
            parts.append(int(rng.integers(-size, size)))
        else:
            parts.append(draw_slice(rng, size, use_arrays))
    if ellipsis_at == len(axes):
        parts.append(Ellipsis)
    return tuple(parts) if len(parts) != 1 or rng.random() < 0.5 else parts[0]


def converted(key, rng: np.random.Generator):
    """The same key with mx arrays (of any integer dtype) or lists for ndarrays."""
    if isinstance(key, tuple):
        return tuple(converted(part, rng) for part in key)
    if isinstance(key, np.ndarray):
        if key.ndim == 1 and rng.random() < 0.3:
            return key.tolist()
        dtype = (
            rng.choice(["int32", "int64", "int16"])
            if key.min(initial=0) < 0
            else rng.choice(["int32", "uint32", "uint8"])
        )
        return mx.array(key).astype(getattr(mx, str(dtype)))
    return key


def host(rng: np.random.Generator) -> np.ndarray:
    """Distinct float32 values in a random shape."""
    shape = tuple(int(n) for n in rng.integers(1, 6, rng.integers(1, 5)))
    return rng.permutation(int(np.prod(shape))).reshape(shape).astype(np.float32)


def skipped(selected: np.ndarray) -> bool:
    """Writes to nothing kill the wheel."""
    return selected.size == 0 and not target.IS_MICA


@pytest.mark.parametrize("batch", range(10))
def test_get(batch: int) -> None:
    """``x[key]`` as NumPy, shape and values."""
    rng = np.random.default_rng(100 + batch)
    for _ in range(COUNT // 10):
        x = host(rng)
        key = draw_key(rng, x.shape, arrays=True)
        want = x[key]
        got = mx.array(x)[converted(key, rng)]
        assert got.shape == want.shape, (x.shape, key)
        assert np.array_equal(np.array(got), want), (x.shape, key)


@pytest.mark.parametrize("batch", range(5))
def test_get_of_views(batch: int) -> None:
    """Keys on arrays that are views themselves."""
    rng = np.random.default_rng(200 + batch)
    for _ in range(COUNT // 20):
        x = host(rng)
        y = mx.array(x)
        for _ in range(2):
            if rng.random() < 0.5:
                order = rng.permutation(x.ndim).tolist()
                x, y = x.transpose(order), y.transpose(order)
            else:
                back = tuple(slice(None, None, int(rng.choice([-1, 1, 2]))) for _ in x.shape)
                x, y = x[back], y[back]
        key = draw_key(rng, x.shape, arrays=True)
        assert np.array_equal(np.array(y[converted(key, rng)]), x[key]), (x.shape, key)


@pytest.mark.parametrize("batch", range(10))
def test_set(batch: int) -> None:
    """``x[key] = v`` with numbers, full and broadcasting values."""
    rng = np.random.default_rng(300 + batch)
    for _ in range(COUNT // 10):
        x = host(rng)
        new_axes = rng.random() < 0.2
        key = draw_key(rng, x.shape, arrays=True, distinct=True, new_axes=new_axes)
        shape = x[key].shape
        if skipped(x[key]):
            continue
        # The wheel does not broadcast values against new axes, nor always against index arrays.
        mixed = isinstance(key, tuple) and any(isinstance(part, np.ndarray) for part in key)
        choice = 0.0 if new_axes or (mixed and not target.IS_MICA) else rng.random()
        if choice < 0.3:
            value = float(rng.integers(100))
        elif choice < 0.7:
            value = rng.integers(100, 200, shape).astype(np.float32)
        else:
            kept = shape[int(rng.integers(0, len(shape) + 1)) :]
            value = rng.integers(100, 200, kept).astype(np.float32)
        want = x.copy()
        want[key] = value
        got = mx.array(x)
        other = got
        got[converted(key, rng)] = value if isinstance(value, float) else mx.array(value)
        assert np.array_equal(np.array(got), want), (x.shape, key, np.shape(value))
        assert other is got


@pytest.mark.parametrize("name", ("add", "subtract", "multiply", "maximum", "minimum"))
def test_at(name: str) -> None:
    """``x.at[key]`` accumulates over repeated indices and leaves x alone."""
    rng = np.random.default_rng(400)
    ufunc = getattr(np, name)
    for _ in range(COUNT // 10):
        x = host(rng)
        key = draw_key(rng, x.shape, arrays=True, new_axes=False)
        shape = x[key].shape
        if skipped(x[key]):
            continue
        value = rng.integers(1, 4, shape).astype(np.float32) if rng.random() < 0.7 else np.float32(2)
        want = x.copy()
        ufunc.at(want, key, value)
        y = mx.array(x)
        got = getattr(y.at[converted(key, rng)], name)(mx.array(value))
        assert np.allclose(np.array(got), want), (name, x.shape, key, np.shape(value))
        assert np.array_equal(np.array(y), x)


def test_gradient_of_get() -> None:
    """The derivative adds the cotangent at every place that was read."""
    rng = np.random.default_rng(500)
    for _ in range(COUNT // 10):
        x = host(rng)
        key = draw_key(rng, x.shape, arrays=True)
        cotangent = rng.integers(1, 5, x[key].shape).astype(np.float32)
        if cotangent.size == 0:
            continue
        want = np.zeros_like(x)
        np.add.at(want, key, cotangent)
        theirs = converted(key, rng)
        _, (got,) = mx.vjp(lambda y, theirs=theirs: y[theirs], [mx.array(x)], [mx.array(cotangent)])
        assert np.allclose(np.array(got), want), (x.shape, key)


def test_boolean_mask_writes() -> None:
    """A mask as the only key: numbers, broadcasting rows, and values in the order of the true places."""
    x = np.arange(12, dtype=np.float32).reshape(3, 4)
    for mask in (x > 5, x < -1, x >= 0, np.array([True, False, True])):
        for value in (7.0, np.arange(4, dtype=np.float32) if mask.ndim == 1 else 3.0):
            want, got = x.copy(), mx.array(x)
            want[mask] = value
            got[mx.array(mask)] = value if isinstance(value, float) else mx.array(value)
            assert np.array_equal(np.array(got), want)
    want, got = x.copy(), mx.array(x)
    values = np.arange(100, 100 + int((x > 5).sum()), dtype=np.float32)
    want[x > 5] = values
    got[mx.array(x > 5)] = mx.array(values)
    assert np.array_equal(np.array(got), want)
    with pytest.raises(ValueError):
        mx.array(x)[mx.array([True, False])] = 1


@pytest.mark.mica_only
def test_boolean_mask_reads() -> None:
    """As NumPy; inside a transformation a clear error."""
    rng = np.random.default_rng(600)
    for _ in range(50):
        x = host(rng)
        mask = rng.random(x.shape[: int(rng.integers(1, x.ndim + 1))]) < 0.5
        got = mx.array(x)[mx.array(mask)]
        assert got.shape == x[mask].shape and np.array_equal(np.array(got), x[mask])
    with pytest.raises((ValueError, IndexError)):
        mx.arange(4)[mx.array([True, False])]
    with pytest.raises(ValueError):
        mx.compile(lambda y: y[y > 1])(mx.arange(4))


@pytest.mark.mica_only
def test_masks_behind_an_ellipsis() -> None:
    """They fit the last axes, or are refused wherever they stand."""
    x = np.arange(12).reshape(2, 3, 2)
    for mask in (np.array([True, False]), np.array([[True, False], [False, True], [True, True]])):
        for key in ((..., mask), (None, ..., mask), (..., None, mask)):
            ours = tuple(mx.array(k) if isinstance(k, np.ndarray) else k for k in key)
            assert np.array_equal(np.array(mx.array(x)[ours]), x[key])
    for mask in ([True, False, False], [True], [[True, False]]):
        key = (..., mx.array(mask))
        with pytest.raises(IndexError, match=r"a mask of shape \(.*\) does not fit"):
            mx.array(x)[key]
        with pytest.raises(IndexError, match="does not fit"):
            mx.array(x)[key] = 1
        with pytest.raises(IndexError, match="does not fit"):
            mx.array(x).at[key].add(1)


def draw_key_with_truths(rng: np.random.Generator, shape: tuple[int, ...]) -> tuple:
    """A key for NumPy with one or two truth values among integers, slices, index arrays, None and ..."""
    length, axis, items = int(rng.integers(1, 3)), 0, []
    used = int(rng.integers(0, len(shape) + 1))
    ellipsis = int(rng.integers(0, 2 * used + 1))  # at this item, if there are so many
    for at in range(used):
        if at == ellipsis:
            items.append(...)
            axis += len(shape) - used
        size = shape[axis]
        items.append(
            [
                int(rng.integers(-size, size)),
                slice(None, None, int(rng.choice((-1, 1, 2)))),
                rng.integers(-size, size, length),
                rng.integers(0, size, length).tolist(),
            ][int(rng.integers(4))]
        )
        axis += 1
    for _ in range(int(rng.integers(1, 3))):
        truth = bool(rng.random() < 0.7)
        truth = [truth, np.bool_(truth), np.array(truth)][int(rng.integers(3))]
        items.insert(int(rng.integers(len(items) + 1)), truth)
    if rng.random() < 0.5:
        items.insert(int(rng.integers(len(items) + 1)), None)
    return tuple(items)


@pytest.mark.mica_only
@pytest.mark.parametrize("seed", range(4))
def test_truth_values_among_keys(seed: int) -> None:
    """True and False, from Python, NumPy or arrays, take all or nothing along an axis that they add."""
    rng = np.random.default_rng(700 + seed)
    for _ in range(100):
        x = rng.integers(0, 100, rng.integers(1, 4, int(rng.integers(0, 5)))).astype(np.float32)
        key = draw_key_with_truths(rng, x.shape)
        ours = tuple(mx.array(k) if isinstance(k, np.ndarray) else k for k in key)
        if len(key) == 1 and rng.random() < 0.5:
            key, ours = key[0], ours[0]
        try:
            want = x[key]
        except IndexError:
            with pytest.raises(ValueError, match="index arrays of shapes .* cannot be broadcast"):
                mx.array(x)[ours]
            continue
        values = rng.integers(0, 100, np.shape(want)).astype(np.float32)
        written, added, ones = x.copy(), x.copy(), np.zeros_like(x)
        written[key] = values
        np.add.at(added, key, values)
        np.add.at(ones, key, 1)

        def read(y, ours=ours):
            return y[ours]

        got = mx.array(x)
        got[ours] = mx.array(values)
        assert got.shape == x.shape and np.array_equal(np.array(got), written), (x.shape, key)
        assert np.array_equal(np.array(mx.array(x).at[ours].add(mx.array(values))), added), (x.shape, key)
        for call in (read, mx.compile(read)):
            got = call(mx.array(x))
            assert got.shape == np.shape(want) and np.array_equal(np.array(got), want), (x.shape, key)
        got = mx.vmap(read)(mx.array(np.stack([x, x + 1])))
        assert np.array_equal(np.array(got), np.stack([want, (x + 1)[key]])), (x.shape, key)
        _, (got,) = mx.vjp(read, [mx.array(x)], [mx.ones(np.shape(want))])
        assert np.array_equal(np.array(got), ones), (x.shape, key)
        _, (got,) = mx.jvp(read, [mx.array(x)], [mx.array(x)])
        assert np.array_equal(np.array(got), want), (x.shape, key)


@pytest.mark.mica_only
def test_truth_values_as_only_keys() -> None:
    """Reads add an axis as in NumPy; writes take what broadcasts to the array, as in the reference."""
    for value in (True, False):
        for key in (value, mx.array(value), np.bool_(value)):
            x = mx.arange(6).reshape(2, 3)
            assert x[key].shape == (int(value), 2, 3)
            x[key] = mx.array([7, 8, 9])
            assert x.tolist() == ([[7, 8, 9]] * 2 if value else [[0, 1, 2], [3, 4, 5]])
    for traced in (lambda a: a[a > 0], lambda a: a[..., a > 0]):
        with pytest.raises(ValueError, match=r"use where\(mask, a"):
            mx.compile(traced)(mx.array(1.0))


def test_rejected_keys() -> None:
    """Keys that are no indices."""
    x = mx.arange(6).reshape(2, 3)
    for key in (
        "a",
        1.0,
        range(2),
        mx.array([0.5]),
        (0, 0, 0),
        (..., 0, ...),
        slice("a"),
        slice(1.0),
        (slice(None), "b"),
    ):
        with pytest.raises((ValueError, IndexError, TypeError)):
            mx.eval(x[key])
    scalar = mx.array(3)
    assert scalar[...].item() == 3 and scalar[None].shape == (1,)
    for key in (0, slice(None)):
        with pytest.raises((ValueError, IndexError)):
            mx.eval(scalar[key])


def test_results_are_new_objects() -> None:
    """``x[:]`` is another object; assignment through it does not touch x."""
    x = mx.array([1, 2, 3])
    y = x[:]
    y[0] = 9
    assert x.tolist() == [1, 2, 3] and y.tolist() == [9, 2, 3]


def test_values_are_cast() -> None:
    """Values take the array's dtype; a Python integer has to fit."""
    x = mx.array([1, 2, 3])
    x[0] = 1.7
    assert x.tolist() == [1, 2, 3] and x.dtype == mx.int32
    small = mx.array([1, 2], dtype=mx.uint8)
    with pytest.raises(ValueError):
        small[0] = 300
    with pytest.raises(ValueError):
        x[:] = mx.zeros((4,))
    for value in ([1, 2, 3], None, "a"):
        with pytest.raises((ValueError, TypeError)):
            x[:] = value


def test_repeated_indices() -> None:
    """The last write wins; ``x[i] += v`` does not accumulate."""
    x = mx.zeros((4,))
    x[mx.array([1, 1, 2])] = mx.array([1.0, 2.0, 3.0])
    assert x.tolist() == [0, 2, 3, 0]
    x[mx.array([0, 0])] += 1
    assert x.tolist()[0] == 1
    assert mx.zeros((4,)).at[mx.array([0, 0, 3])].add(1).tolist() == [2, 0, 0, 1]


@pytest.mark.mica_only
@pytest.mark.parametrize("index", (2, -3, 100, -100, 2**40))
def test_missing_integers(index: int) -> None:
    """A number that is no index is refused where the call stands."""
    x = mx.arange(6).reshape(2, 3)
    for read in (
        lambda: x[index],
        lambda: x[index, 0],
        lambda: x[..., index + 1 if index > 0 else index - 1],
        lambda: mx.take(x, index, axis=0),
    ):
        with pytest.raises(IndexError, match="2|3"):
            mx.eval(read())
    with pytest.raises(IndexError):
        x[index] = 1
        mx.eval(x)


@pytest.mark.mica_only
def test_missing_indices_in_arrays() -> None:
    """Found by the evaluation that needs them; the stream goes on."""
    x = mx.arange(6).reshape(2, 3)
    bad = mx.array([0, 2])
    calls = {
        "get": lambda: x[bad],
        "negative": lambda: x[mx.array([-3])],
        "pair": lambda: x[mx.array([0]), mx.array([3])],
        "take": lambda: mx.take(x, bad, axis=0),
        "flat": lambda: mx.take(x, mx.array([6])),
        "along": lambda: mx.take_along_axis(x, mx.array([[0, 1, 2]]), axis=0),
        "put": lambda: mx.put_along_axis(x, mx.array([[0, 1, 2]]), mx.array(1), axis=0),
        "at": lambda: x.at[bad].add(1),
        "list": lambda: x[[0, 5]],
        "large": lambda: x[mx.array([2**31 + 5, 1], dtype=mx.int64)],
        "unsigned": lambda: x[mx.array([2**32 - 1], dtype=mx.uint32)],
        "slice": lambda: mx.slice(x, mx.array([1]), (1,), (2, 3)),
        "update": lambda: mx.slice_update(x, mx.zeros((2, 3), dtype=mx.int32), mx.array([1]), (1,)),
    }
    for name, call in calls.items():
        with pytest.raises(IndexError):
            mx.eval(call())
            print(name)
        assert (x + 1).tolist() == [[1, 2, 3], [4, 5, 6]], name

    def write():
        y = mx.array(x)
        y[bad] = 7
        mx.eval(y)

    with pytest.raises(IndexError):
        write()


@pytest.mark.mica_only
def test_as_strided_stays_inside() -> None:
    """Strides that leave the elements are refused."""
    x = mx.arange(12)
    for shape, strides, offset in (
        ((13,), (1,), 0),
        ((2,), (12,), 0),
        ((2,), (1,), 11),
        ((2,), (-1,), 0),
        ((3, 5), (4, 1), 0),
        ((1,), (1,), -1),
        ((2**40,), (2**40,), 0),
    ):
        with pytest.raises((IndexError, ValueError)):
            mx.eval(mx.as_strided(x, shape, strides, offset))


@pytest.mark.mica_only
@pytest.mark.parametrize("call", ("a[a > 2]", "a[..., a[0] > 0]", "a.at[a > 2].add(1)"))
@pytest.mark.parametrize("transform", (mx.compile, mx.vmap))
def test_traced_masks_say_what_to_do(transform, call: str) -> None:
    """A mask that only the run will know is refused, with the ways out and where it was made."""
    x = mx.arange(12).reshape(2, 2, 3)
    with pytest.raises(ValueError, match=r"^\[(__getitem__|at\.add)\] a mask of shape .*use where\(mask, a"):
        transform(eval(f"lambda a: {call}"))(x)  # noqa: S307

    def assigned(a):
        a[a > 2] = 0
        return mx.where(a > 1, a, -1)

    assert transform(assigned)(x).tolist() == assigned(mx.array(x)).tolist()
