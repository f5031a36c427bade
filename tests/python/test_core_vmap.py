"""vmap: axes of arguments and results, nesting, errors."""

from __future__ import annotations

import numpy as np
import pytest

from tests.ops.target import mx


def test_vmap_axes() -> None:
    """in_axes: numbers, None, trees; out_axes too."""
    x, y = mx.arange(6.0).reshape(2, 3), mx.arange(3.0)
    assert (
        mx.vmap(lambda a, b: a + b, in_axes=(0, None))(x, y).tolist() == (np.array(x) + np.array(y)).tolist()
    )
    assert (
        mx.vmap(lambda a, b: a * b, in_axes=(1, 0), out_axes=1)(x, y).tolist()
        == (np.array(x) * np.array(y)).tolist()
    )
    assert mx.vmap(lambda a: a.sum(), in_axes=-1)(x).tolist() == [3.0, 5.0, 7.0]
    out = mx.vmap(lambda t: t["a"] + t["b"], in_axes={"a": 0, "b": None})({"a": x, "b": y})
    assert out.tolist() == (np.array(x) + np.array(y)).tolist()
    pair = mx.vmap(lambda a: (a, a * 2), out_axes=(0, 1))(x)
    assert pair[0].shape == (2, 3) and pair[1].shape == (3, 2)
    constant = mx.vmap(lambda a: mx.array([1.0, 2.0]))(x)
    assert constant.tolist() == [[1.0, 2.0], [1.0, 2.0]]


def test_axes_of_a_single_argument() -> None:
    """They may stand without the tuple of arguments around them."""
    x = mx.arange(6.0).reshape(2, 3)
    want = (2 * np.arange(6.0)).reshape(2, 3).tolist()
    add = lambda pair: pair[0] + pair[1]  # noqa: E731
    assert mx.vmap(add, in_axes=[0, 1])([x, x.T]).tolist() == want
    assert mx.vmap(add, in_axes=(0, 1))((x, x.T)).tolist() == want
    assert mx.vmap(lambda t: t["a"] + t["b"], in_axes={"a": 0, "b": 1})({"a": x, "b": x.T}).tolist() == want
    with pytest.raises(IndexError):
        mx.vmap(lambda a: a, out_axes=5)(x)


@pytest.mark.parametrize(
    "wrong",
    (
        lambda x: mx.vmap(lambda a, b: a, in_axes=(None, None))(x, x),
        lambda x: mx.vmap(lambda a, b: a + b)(x, mx.zeros((5, 3))),
        lambda x: mx.vmap(lambda a: a, in_axes=7)(x),
        lambda x: mx.vmap(lambda a: a)(3.0),
        lambda x: mx.vmap(lambda a: a, in_axes=1.5)(x),
        lambda x: mx.vmap(lambda a: a, in_axes=(0, 0))(x),
        lambda x: mx.vmap(lambda a: a)(mx.array(1.0)),
    ),
)
def test_wrong_vmap(wrong) -> None:
    """Refused; an axis that does not exist may be an IndexError."""
    with pytest.raises((ValueError, IndexError)):
        wrong(mx.zeros((2, 3)))


def test_vmap_refuses_keywords() -> None:
    """Only positional arguments are batched."""
    with pytest.raises(TypeError, match="Keyword arguments are not supported"):
        mx.vmap(lambda a, b=None: a)(mx.zeros((2,)), b=mx.zeros((2,)))


def test_nested_vmap() -> None:
    """Batches inside batches, on different axes."""
    x, y = mx.array(np.random.default_rng(0).normal(size=(2, 3, 4)).astype(np.float32)), mx.arange(4.0)
    table = mx.vmap(mx.vmap(lambda a, b: (a * b).sum(), in_axes=(0, None)), in_axes=(1, None))(x, y)
    assert np.allclose(
        np.array(table), np.einsum("ijk,k->ji", np.array(x), np.array(y)), rtol=1e-5, atol=1e-5
    )
    outer = mx.vmap(lambda a: mx.vmap(lambda b: a * b)(y))(y)
    assert np.allclose(np.array(outer), np.outer(np.arange(4.0), np.arange(4.0)))


def test_vmap_of_random_keys() -> None:
    """Each key has its own stream."""
    keys = mx.random.split(mx.random.key(0), 3)
    batched = mx.vmap(lambda k: mx.random.uniform(shape=(4,), key=k))(keys)
    for i in range(3):
        assert batched[i].tolist() == mx.random.uniform(shape=(4,), key=keys[i]).tolist()
