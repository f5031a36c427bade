"""Numbers and in-place writes in compiled functions: what eager calls give, with no needless traces."""

from __future__ import annotations

import math

import mica.core as mx
import pytest


def traced(fun, **kwargs):
    """``fun`` compiled, and a list that grows with each trace."""
    traces: list = []

    def counted(*args):
        traces.append(args)
        return fun(*args)

    return mx.compile(counted, **kwargs), traces


def test_writes_into_arguments() -> None:
    def add(a):
        a += 1
        return a

    def put(a):
        a[0] = 7
        return a * 2

    for fun, want in ((add, [1, 2, 3]), (put, [14, 2, 4])):
        x = mx.arange(3.0)
        assert mx.compile(fun)(x).tolist() == want
        assert x.tolist() == [0, 1, 2]
        assert mx.vmap(fun)(mx.arange(6.0).reshape(2, 3)).tolist()[0] == want


def test_gradient_of_a_batched_write() -> None:
    def square(a):
        a *= a
        return a

    gradient = mx.grad(lambda x: mx.vmap(square)(x).sum())(mx.arange(3.0))
    assert gradient.tolist() == [0, 2, 4]


def test_writes_into_state() -> None:
    state = [mx.array(1.0)]

    def step(x):
        state[0] += x
        return state[0] * 2

    compiled = mx.compile(step, inputs=state, outputs=state)
    assert [compiled(mx.array(v)).item() for v in (1.0, 2.0)] == [4, 8]
    assert state[0].item() == 4


def test_returned_numbers() -> None:
    compiled = mx.compile(lambda x, t: [x + t, t, {"twice": 2 * t}, (t,)])
    x = mx.array(1.0)
    for t in (2, 5, 2.5, -0.0):
        total, number, tree, pair = compiled(x, t)
        assert total.item() == 1 + t and number == t and type(number) is type(t)
        assert tree == {"twice": 2 * t} and pair == (t,)


@pytest.mark.parametrize("value", [0, 1, -1, 200, 70_000, 2**31 - 1, 2**31, 2**40, -(2**31), -(2**31) - 1])
def test_integers_have_the_type_of_eager_calls(value: int) -> None:
    functions = [
        lambda x, t: mx.full((2,), t),
        lambda x, t: x + mx.array(t),
        lambda x, t: mx.add(t, t),
        lambda x, t: mx.full((2,), t + 1),
        lambda x, t: (x > 0) * t,
    ]
    for fun in functions:
        compiled = mx.compile(fun)
        for t in (1, value):
            got, want = compiled(mx.array(1), t), fun(mx.array(1), t)
            assert got.dtype == want.dtype and got.tolist() == want.tolist(), t


@pytest.mark.parametrize(
    ("dtype", "value"), [("uint8", 500), ("uint8", -1), ("int8", 200), ("int32", 2**40), ("uint16", 65536)]
)
def test_integers_that_do_not_fit(dtype: str, value: int) -> None:
    compiled, traces = traced(lambda x, t: x * t)
    x = mx.ones((2,), dtype=getattr(mx, dtype))
    assert compiled(x, 3).tolist() == [3, 3]
    with pytest.raises(ValueError, match="overflow"):
        compiled(x, value)
    before = len(traces)
    assert [compiled(x, t).tolist()[0] for t in (4, 5, 6)] == [4, 5, 6]
    assert len(traces) == before


def test_one_trace_for_all_values() -> None:
    for fun, values in (
        (lambda x, t: x * t + 2 * t, range(1000)),
        (lambda x, t: x * t, (0.5, 1e300, -3.25, math.inf)),
        (lambda x, t: x * (t + 1), range(0, 100_000, 999)),
    ):
        compiled, traces = traced(fun)
        x = mx.array([1.0, 2.0])
        for t in values:
            assert compiled(x, t).tolist() == fun(x, t).tolist()
        assert len(traces) == 1


def test_range_of_an_integer_is_traced_once() -> None:
    compiled, traces = traced(lambda x, t: mx.full((2,), t))
    x = mx.array(1)
    for t in (*range(100), 2**20, 2**20 + 1, 2**33, 2**33 + 1):
        assert compiled(x, t).tolist() == [t, t]
    assert len(traces) <= 4


def test_signed_zeros_and_nan_are_values() -> None:
    compiled, traces = traced(lambda x, t: x * math.copysign(1, t))
    x = mx.array(1.0)
    assert [compiled(x, t).item() for t in (0.0, -0.0, 0.0)] == [1, -1, 1]
    compiled, traces = traced(lambda x, t: x if math.isnan(t) else -x)
    for _ in range(5):
        assert compiled(x, math.nan).item() == 1
    assert len(traces) <= 2
