"""Calls of table functions: placing, conversion, messages, documentation."""

from __future__ import annotations

import copy
import inspect
import pickle
import pydoc
import sys

import mica.core as mx
import numpy as np
import pytest


@pytest.fixture
def a() -> mx.array:
    return mx.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])


def test_function_objects() -> None:
    assert repr(mx.exp) == "<built-in function exp>"
    assert mx.exp.__module__ == "mica.core" and mx.exp.__name__ == "exp"
    assert pickle.loads(pickle.dumps(mx.exp)) is mx.exp
    assert copy.deepcopy(mx.exp) is mx.exp
    assert mx.acos.__name__ == "acos"  # errors name what was called
    assert sys.modules["mica.core.random"] is mx.random


def test_signatures_and_help() -> None:
    assert str(inspect.signature(mx.exp)) == "(a, /, *, stream=None)"
    assert str(inspect.signature(mx.where)) == "(condition, x, y, /, *, stream=None)"
    assert str(inspect.signature(mx.softmax)) == "(a, /, axis=None, *, precise=False, stream=None)"
    text = pydoc.plain(pydoc.render_doc(mx.softmax))
    assert "Args:" in text and "axis: int, sequence of ints, None; default None" in text
    for name in dir(mx):
        function = getattr(mx, name)
        if inspect.isbuiltin(function) and getattr(function, "__text_signature__", None):
            assert inspect.signature(function) and function.__doc__, name


def test_places_arguments(a: mx.array) -> None:
    expected = [6.0, 15.0]
    assert mx.softmax(a, 1, precise=True).shape == (2, 3)
    for result in (
        mx.sum(a, 1),
        mx.sum(a, axis=1),
        mx.sum(a, axis=[1]),
        mx.sum(a, (-1,)),
        mx.sum(a, **{"ax" + "is": 1}),
    ):
        assert result.tolist() == expected
    assert mx.sum(a, axis=1, keepdims=True, stream=None).shape == (2, 1)
    assert mx.sum(a, axis=np.int64(1)).tolist() == expected
    assert mx.sum(a, axis=range(2)).item() == 21.0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda a: mx.exp(),
            r"\[exp\] argument 'a' is missing: the signature is exp\(a, /, \*, stream=None\)",
        ),
        (lambda a: mx.exp(a, a), r"\[exp\] 2 positional arguments are too many"),
        (lambda a: mx.exp(a=a), r"\[exp\] argument 'a' is positional only"),
        (lambda a: mx.softmax(a, 0, axis=1), r"\[softmax\] argument 'axis' is given twice"),
        (lambda a: mx.softmax(a, foo=1), r"\[softmax\] there is no argument 'foo'"),
        (lambda a: mx.softmax(a, **{"fo" + "o": 1}), r"\[softmax\] there is no argument 'foo'"),
        (lambda a: mx.softmax(a, 0, True), r"\[softmax\] 3 positional arguments are too many"),
        (lambda a: mx.softmax(3), r"\[softmax\] argument 'a' is of type int; accepted: array"),
        (
            lambda a: mx.softmax(a, precise=1),
            r"\[softmax\] argument 'precise' is of type int; accepted: bool",
        ),
        (
            lambda a: mx.softmax(a, axis=1.0),
            r"\[softmax\] argument 'axis' is of type float; accepted: int, sequence",
        ),
        (lambda a: mx.softmax(a, axis=[1.0]), r"\[softmax\] argument 'axis' holds an element of type float"),
        (lambda a: mx.softmax(a, axis="01"), r"\[softmax\] argument 'axis' is of type str"),
        (lambda a: mx.softmax(a, axis={0}), r"\[softmax\] argument 'axis' is of type set"),
        (lambda a: mx.softmax(a, axis=2**70), r"\[softmax\] an integer in argument 'axis' is too large"),
        (lambda a: mx.sort(a, axis=2**40), r"\[sort\] an integer in argument 'axis' is too large"),
        (
            lambda a: mx.addmm(a, a, a, alpha="x"),
            r"\[addmm\] argument 'alpha' is of type str; accepted: float, int",
        ),
        (
            lambda a: mx.searchsorted(a, a, side=3),
            r"\[searchsorted\] argument 'side' is of type int; accepted: str",
        ),
        (
            lambda a: mx.concatenate([a, None]),
            r"\[concatenate\] argument 'arrays' holds an element of type NoneType",
        ),
        (lambda a: mx.concatenate(x for x in [a]), r"\[concatenate\] argument 'arrays' is of type generator"),
        (lambda a: mx.exp(a, stream="gpu"), r"\[exp\] argument 'stream'"),
        (lambda a: mx.add(a, None), r"\[add\] argument 'b'"),
        (lambda a: mx.zeros((2,), dtype="float32"), r"\[zeros\] argument 'dtype'"),
        (lambda a: mx.zeros((1.5,)), r"\[zeros\] argument 'shape' holds an element of type float"),
    ],
)
def test_wrong_calls(call, message: str, a: mx.array) -> None:
    with pytest.raises(TypeError, match=message):
        call(a)


def test_sizes_that_are_too_large() -> None:
    with pytest.raises(OverflowError, match=r"\[zeros\] an integer in argument 'shape' is too large"):
        mx.zeros((2**64,))


def test_numpy_operands_take_the_arrays_type() -> None:
    x = mx.array([1, 2], dtype=mx.int32)
    assert mx.add(x, np.array([1.5, 1.5])).dtype == mx.int32
    assert mx.add(np.array([1.5, 1.5]), x).tolist() == [2, 3]
    # The condition's type is its own.
    chosen = mx.where(mx.array([True, False]), np.array([2.5, 2.5], np.float32), 0.0)
    assert chosen.dtype == mx.float32 and chosen.tolist() == [2.5, 0.0]


def test_a_sequence_that_changes_while_it_is_read(a: mx.array) -> None:
    class Shrinking:
        def __index__(self) -> int:
            axes.clear()
            return 0

    axes: list[object] = [Shrinking(), 1]
    assert mx.sum(a, axis=axes).tolist() == [5.0, 7.0, 9.0]


def test_nothing_leaks(a: mx.array) -> None:
    references = sys.getrefcount(a)
    for _ in range(10):
        mx.concatenate([a, a])
        mx.sum(a, axis=0)
        for wrong in (lambda: mx.concatenate([a, 3]), lambda: mx.exp(a, 1), lambda: mx.sum(a, axis=[0, "x"])):
            with pytest.raises(TypeError):
                wrong()
    assert sys.getrefcount(a) == references
