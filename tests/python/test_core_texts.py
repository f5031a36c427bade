"""Texts of errors that the oracle's calls do not reach: transformations, indexed updates, nested lists."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import mica.core as mx
import numpy as np
import pytest

X = mx.arange(3.0)
TWO = mx.stack([X, X])
BAD = mx.array([0, 7])
HUGE = mx.array([2**63], dtype=mx.uint64)

TEXTS: list[tuple[Callable, type[Exception], str]] = [
    (lambda: X.__setitem__(0, "a"), ValueError, "[__setitem__] argument 'value': cannot convert str"),
    (lambda: X.at[0].add("a"), ValueError, "[at.add] argument 'value': cannot convert str to an array; acc"),
    (lambda: mx.finfo("float32"), TypeError, "[finfo] argument 'dtype': a dtype is needed, such"),
    (lambda: mx.iinfo("int8"), TypeError, "[iinfo] argument 'dtype': a dtype is needed"),
    (lambda: mx.split(X, 2.5), TypeError, "is of type float; accepted: int, sequence of ints"),
    (lambda: mx.random.permutation("a"), TypeError, "'x' is of type str; accepted: int, array"),
    (
        lambda: mx.conv_general(mx.ones((1, 5, 1)), mx.ones((1, 2, 1)), padding=(1, 2, 3)),
        ValueError,
        "[conv_general] padding has 3 values where 1 is accepted, or two lists",
    ),
    # Transformations of what is no array.
    (lambda: mx.grad(lambda x: x)(2.0), ValueError, "[grad] argument 0 is of type float."),
    (lambda: mx.grad(lambda x: x)(2.0), ValueError, "write mx.array(2.0), or differentiate other arguments"),
    (
        lambda: mx.value_and_grad(lambda p, q: p, argnums=1)(X, {"w": [X, None]}),
        ValueError,
        "[value_and_grad] argument 1['w'][1] is of type NoneType. The argument should contain only arrays",
    ),
    (
        lambda: mx.grad(lambda p, q: p, argnames="q")(X, q="a"),
        ValueError,
        "[grad] argument 'q' is of type str",
    ),
    (lambda: mx.vmap(lambda x, y: x)(X, 1.0), ValueError, "[vmap] argument 1 is of type float."),
    (lambda: mx.vmap(lambda x: (x, 2))(X), ValueError, "[vmap] the function's result[1] is of type int."),
    (lambda: mx.depends(X, 1.0), ValueError, "[depends] dependencies is of type float."),
    # Nested lists: which item, what it is, what came before.
    (
        lambda: mx.array([[1, 2], [3]]),
        ValueError,
        "[1] is a list of length 1 where those before it are of shape (2,)",
    ),
    (
        lambda: mx.array([[1, 2], 3]),
        ValueError,
        "item [1] is of type int where those before it are of shape (2,)",
    ),
    (
        lambda: mx.array([1, (2,)]),
        ValueError,
        "item [1] is a tuple of length 1 where those before it are numbers",
    ),
    (lambda: mx.array([[[1]], [[2, 3]]]), ValueError, "item [1][0] is a list of length 2 where"),
    (
        lambda: mx.array([X, X[:2]]),
        ValueError,
        "item [1] is an array of shape (2,) where those before it are of shape (3,)",
    ),
    (
        lambda: mx.array([1.0, X]),
        ValueError,
        "item [1] is an array of shape (3,) where those before it are numbers",
    ),
    (lambda: mx.array([[1], []]), ValueError, "item [1] is a list of length 0"),
    (lambda: mx.array([[1, 2], [3]]), ValueError, "[array] Initialization encountered non-uniform length"),
]

# The function that was called, and its caller's axis.
INDEXED: list[tuple[str, Callable]] = [
    ("__getitem__", lambda: mx.vmap(lambda x, i: x[i])(TWO, BAD)),
    ("__getitem__", lambda: mx.vmap(lambda i: X[i])(BAD)),
    ("__getitem__", lambda: mx.vmap(mx.vmap(lambda x, i: x[i]))(mx.stack([TWO, TWO]), mx.stack([BAD, BAD]))),
    ("__getitem__", lambda: mx.vmap(lambda x: x[mx.array([7])])(TWO)),
    ("take", lambda: mx.vmap(mx.take)(TWO, BAD)),
    ("take_along_axis", lambda: mx.vmap(lambda x, i: mx.take_along_axis(x, i, 0))(TWO, BAD[:, None])),
    ("put_along_axis", lambda: mx.vmap(lambda x, i: mx.put_along_axis(x, i, X[:1], 0))(TWO, BAD[:, None])),
    ("at.add", lambda: mx.vmap(lambda x, i: x.at[i].add(1))(TWO, BAD)),
    ("__getitem__", lambda: mx.grad(lambda x: x[BAD].sum())(X)),
    ("__getitem__", lambda: mx.jvp(lambda x: x[BAD], [X], [X])[1][0]),
    ("take", lambda: mx.grad(lambda x: mx.take(x, BAD).sum())(X)),
    ("take_along_axis", lambda: mx.grad(lambda x: mx.take_along_axis(x, BAD, 0).sum())(X)),
    ("__getitem__", lambda: mx.vmap(mx.grad(lambda x, i: x[i]))(TWO, BAD)),
    ("__getitem__", lambda: mx.grad(lambda t: mx.vmap(lambda x, i: x[i])(t, BAD).sum())(TWO)),
    ("__getitem__", lambda: mx.compile(mx.vmap(lambda x, i: x[i]))(TWO, BAD)),
]


@pytest.mark.parametrize(("call", "kind", "text"), TEXTS, ids=[text for _, _, text in TEXTS])
def test_texts(call: Callable, kind: type[Exception], text: str) -> None:
    """Function, argument, what was given, and what to do."""
    with pytest.raises(kind, match=re.escape(text)):
        call()


@pytest.mark.parametrize(("name", "call"), INDEXED, ids=[f"{i}_{n}" for i, (n, _) in enumerate(INDEXED)])
def test_transformed_reads_name_the_function_and_its_axis(name: str, call: Callable) -> None:
    """Not the operation that a derivative or a batch is made of, nor an axis with the batch in front."""
    text = rf"^\[{re.escape(name)}\] index 7 is out of range for axis 0 with size 3$"
    with pytest.raises(IndexError, match=text):
        mx.eval(call())


def test_batched_starts_name_the_function_and_its_axis() -> None:
    """Slices whose start differs from example to example."""
    starts = mx.array([[0, 0], [0, 2]])
    x = mx.ones((2, 2, 3))
    read = mx.vmap(lambda x, i: mx.slice(x, i, (0, 1), (2, 2)))
    write = mx.vmap(lambda x, i: mx.slice_update(x, mx.ones((2, 2)), i, (0, 1)))
    for name, call in (("slice", read), ("slice_update", write)):
        with pytest.raises(IndexError, match=rf"^\[{name}\] index 3 is out of range for axis 1 with size 3$"):
            mx.eval(call(x, starts))
    shared = mx.vmap(lambda x: mx.slice(x, mx.array([2]), (1,), (2, 2)))
    with pytest.raises(IndexError, match=r"^\[slice\] start 2 and size 2 are out of range for axis 1 with"):
        mx.eval(shared(x))


def test_indices_beyond_64_bits_with_sign_are_printed_as_given() -> None:
    """2**63 of uint64, in each kind of read and write."""
    table = mx.ones((1, 4))
    for call in (
        lambda: X[HUGE],
        lambda: mx.take(X, HUGE),
        lambda: mx.take_along_axis(X, HUGE, 0),
        lambda: X.at[HUGE].add(1),
        lambda: mx.fast.cross_entropy(table, HUGE),
        lambda: mx.gather_mm(mx.ones((2, 1, 1)), mx.ones((2, 1, 1)), rhs_indices=HUGE),
    ):
        with pytest.raises(IndexError, match=r"9223372036854775808 is out of range"):
            mx.eval(call())


@pytest.mark.parametrize("k", [-1, 0, 2, 2**63 - 1, -(2**63)])
@pytest.mark.parametrize("shape", [(5, 4), (2, 4, 6), (1, 1)])
def test_triangles_of_other_sizes(tmp_path: Path, k: int, shape: tuple) -> None:
    """A shapeless export of tril and triu follows rows and columns."""
    for name in ("tril", "triu"):
        path = tmp_path / f"{name}.mica"
        start = mx.ones((3,) * len(shape))
        function = getattr(mx, name)
        mx.export_function(path, lambda a, f=function: f(a, k), start, shapeless=True)
        x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
        x.flat[0] = np.nan
        (got,) = mx.import_function(path)(mx.array(x))
        assert np.array_equal(np.array(got), getattr(np, name)(x, int(np.clip(k, -9, 9))), equal_nan=True)


def test_lu_of_other_sizes(tmp_path: Path) -> None:
    """A shapeless export of linalg.lu follows the size of square matrices."""
    path = tmp_path / "lu.mica"
    mx.export_function(path, lambda a: mx.linalg.lu(a), mx.eye(3), shapeless=True)
    a = mx.array(np.random.default_rng(0).standard_normal((5, 5)).astype(np.float32))
    p, lower, upper = mx.import_function(path)(a)
    assert np.allclose(np.array(mx.matmul(lower, upper)[p]), np.array(a), atol=1e-5)
    assert np.array_equal(np.array(lower), np.array(mx.linalg.lu(a)[1]))
