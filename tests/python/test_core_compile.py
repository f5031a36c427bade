"""compile: results, when it traces again, captured and mutated state, shapeless, errors."""

from __future__ import annotations

import gc

import numpy as np
import pytest

from tests.ops import target
from tests.ops.target import mx

# The wheel's first evaluation makes the default stream, which is part of its cache key.
mx.eval(mx.zeros((1,)) + 1)


def counting(function):
    """``function`` compiled, and a list that grows with each trace."""
    traces: list[int] = []

    def traced(*args, **kwargs):
        traces.append(1)
        return function(*args, **kwargs)

    return mx.compile(traced), traces


def test_once_a_signature() -> None:
    """Shapes, dtypes and structure decide; values of arrays do not."""
    f, traces = counting(lambda x: x * 2 + 1)
    for x, count in (
        (mx.array([1.0]), 1),
        (mx.array([5.0]), 1),
        (mx.array([1.0, 2.0]), 2),
        (mx.array([1]), 3),
        (mx.array([[1.0]]), 4),
        (mx.array([9.0]), 4),
    ):
        assert f(x).tolist() == (np.array(x) * 2 + 1).tolist()
        assert len(traces) == count


def test_trees_and_keywords() -> None:
    """Arguments and results are trees of lists, tuples and dicts."""
    f = mx.compile(lambda t, *, k: {"sum": t["a"] + t["b"][0], "pair": (k, [k * 2])})
    out = f({"a": mx.array([1.0]), "b": [mx.array([2.0])]}, k=mx.array(3.0))
    assert out["sum"].tolist() == [3.0] and out["pair"][0].item() == 3.0 and out["pair"][1][0].item() == 6.0


def test_constants_by_value() -> None:
    """Strings, None and booleans are part of the signature."""
    f, traces = counting(lambda x, mode, flag=None: x * 2 if mode == "twice" and flag is None else x)
    x = mx.array([3.0])
    assert (
        f(x, "twice").tolist() == [6.0]
        and f(x, "same").tolist() == [3.0]
        and f(x, "twice", flag=True).tolist() == [3.0]
    )
    assert len(traces) == 3
    f(x, "twice")
    assert len(traces) == 3


def test_numbers() -> None:
    """Python numbers give what eager gives, whatever their values."""

    def g(x, a, n):
        y = x * a + n
        return y if n > 2 else y * 2

    f = mx.compile(g)
    for x in (mx.array([1.0, 2.0]), mx.array([1, 2]), mx.array([1, 2], dtype=mx.float16)):
        for a in (0.5, 2, -1.5):
            for n in (1, 2, 3, 5):
                got, want = f(x, a, n), g(x, a, n)
                assert got.dtype == want.dtype and got.tolist() == want.tolist(), (x.dtype, a, n)


@pytest.mark.mica_only
def test_numbers_do_not_retrace() -> None:
    """A number that only arithmetic uses is an input; one whose value is asked for is part of the
    signature.
    """
    f, traces = counting(lambda x, a: x * a + a / 2)
    for i in range(20):
        assert np.allclose(np.array(f(mx.array([2.0]), i * 0.1)), 2 * i * 0.1 + i * 0.05)
    assert len(traces) <= 2
    g, pinned = counting(lambda x, n: x + (1 if n > 3 else 2))
    assert [g(mx.array(0), n).item() for n in (1, 5, 1, 5, 2)] == [2, 1, 2, 1, 2]
    h, traces = counting(lambda x, a: x * float(a))
    assert [h(mx.array(2.0), a).item() for a in (1.0, 3.0, 1.0)] == [2.0, 6.0, 2.0]


@pytest.mark.mica_only
@pytest.mark.parametrize(
    "use",
    (
        lambda x, a: x * a,
        lambda x, a: a * x,
        lambda x, a: x + a * 2,
        lambda x, a: x * (a + 1) ** 2,
        lambda x, a: x - (-a),
        lambda x, a: x / abs(a),
        lambda x, a: x * int(a),
        lambda x, a: x * round(a),
        lambda x, a: x * max(a, 1),
        lambda x, a: x * (a if a else 7),
        lambda x, a: x + len(f"{a:.2f}"),
        lambda x, a: x * __import__("math").sqrt(a),
        lambda x, a: x * np.float32(a),
        lambda x, a: x * (a if isinstance(a, float) else 99.0),
        lambda x, a: x * sum([a, a]),
        lambda x, a: mx.full((2,), a) + x,
        lambda x, a: mx.array([a, 2 * a]) + x,
        lambda x, a: mx.where(x > a, x, a),
        lambda x, a: x * {a: 1}[a],
        lambda x, a: x * hash(a) % 7,
        lambda x, a: x.astype(mx.int32) * a,
        lambda x, a: mx.clip(x, -a, a),
        lambda x, a: x * a // 1,
        lambda x, a: x * divmod(a, 2)[1],
        lambda x, a: mx.maximum(x, a),
    ),
)
def test_any_use_of_a_number(use) -> None:
    """Whatever a function does with a Python float, the compiled one gives what eager gives."""
    x = mx.array([1.5, -2.5])
    f = mx.compile(use)
    for a in (0.5, 2.0, 2.5, 1e10, 0.5):
        got, want = f(x, a), use(x, a)
        assert got.dtype == want.dtype and np.array_equal(np.array(got), np.array(want), equal_nan=True), a


def test_other_arguments_are_refused() -> None:
    """Objects that are neither arrays nor constants."""
    f = mx.compile(lambda x, y: x)
    for other in (np.zeros(2), object(), mx.float32, 1j):
        with pytest.raises(ValueError):
            f(mx.array(1.0), other)


def test_results_that_are_no_arrays() -> None:
    """They are frozen from the first trace."""
    f = mx.compile(lambda x: (x, 3, "text", None, {"k": 1.5}))
    for _ in range(2):
        assert f(mx.array(1.0))[1:] == (3, "text", None, {"k": 1.5})


def test_captured_arrays() -> None:
    """Arrays of the closure are constants of the trace."""
    w = mx.array([2.0])
    mx.eval(w)

    def f(x):
        return x * w

    compiled = mx.compile(f)
    assert compiled(mx.array([3.0])).tolist() == [6.0]
    w = mx.array([100.0])
    assert compiled(mx.array([3.0])).tolist() == [6.0]


@pytest.mark.mica_only
def test_captured_pending_array() -> None:
    """Its history runs once and becomes an input."""
    w = mx.exp(mx.zeros((2,))) + 1
    assert mx.compile(lambda x: x * w)(mx.array([3.0, 4.0])).tolist() == [6.0, 8.0]


def test_state() -> None:
    """Containers named as inputs and outputs are read and written at each call."""
    state = {"w": mx.array([1.0]), "n": [mx.array(0)]}

    def step(x):
        state["w"] = state["w"] + x
        state["n"][0] = state["n"][0] + 1
        return state["w"] * 2

    f = mx.compile(step, inputs=state, outputs=state)
    assert f(mx.array([1.0])).tolist() == [4.0]
    assert f(mx.array([1.0])).tolist() == [6.0]
    state["w"] = mx.array([10.0])
    assert f(mx.array([1.0])).tolist() == [22.0]
    assert state["w"].tolist() == [11.0] and state["n"][0].item() == 3


def test_random_state() -> None:
    """Named as state, random numbers advance; otherwise they are constants of the trace."""
    f = mx.compile(lambda: mx.random.uniform(shape=(4,)), inputs=mx.random.state, outputs=mx.random.state)
    mx.random.seed(3)
    first = [f().tolist() for _ in range(3)]
    mx.random.seed(3)
    assert first == [mx.random.uniform(shape=(4,)).tolist() for _ in range(3)]
    assert first[0] != first[1]
    g = mx.compile(lambda: mx.random.uniform(shape=(4,)))
    assert g().tolist() == g().tolist()


def test_inside_other_transformations() -> None:
    """compile composes with grad and vmap on both sides."""

    def f(x):
        return mx.sin(x) * x

    x = mx.array([0.1, 0.5])
    want = np.cos(np.array(x)) * np.array(x) + np.sin(np.array(x))
    loss = lambda g: lambda v: g(v).sum()  # noqa: E731 - reads better than a def
    for gradient in (
        mx.grad(loss(mx.compile(f))),
        mx.compile(mx.grad(loss(f))),
        mx.vmap(mx.grad(mx.compile(f))),
        mx.compile(mx.vmap(mx.grad(f))),
    ):
        assert np.allclose(np.array(gradient(x)), want, atol=1e-5)
    assert np.allclose(np.array(mx.compile(mx.compile(f))(x)), np.array(f(x)), atol=1e-6)


def test_shapeless() -> None:
    """One trace for all sizes where every primitive can infer its shape."""
    f, _ = counting(lambda x: x)
    traces = []

    def g(x, y):
        traces.append(1)
        return mx.softmax((x * 2 + y).sum(axis=0, keepdims=True).reshape(-1), axis=-1)

    f = mx.compile(g, shapeless=True)
    for n in (2, 3, 7):
        x, y = mx.ones((n, 4)), mx.arange(4.0)
        assert np.allclose(np.array(f(x, y)), np.array(g(x, y)), atol=1e-6)
    assert len(traces) == 4  # one trace, and three plain calls
    cut = mx.compile(lambda x: x[:2] * 2, shapeless=True)
    if target.IS_MICA:
        assert cut(mx.ones((4,))).tolist() == [2.0, 2.0]
    else:
        with pytest.raises(ValueError):
            cut(mx.ones((4,)))


def test_disable() -> None:
    """The global switch calls the plain function."""
    f, traces = counting(lambda x: x + 1)
    mx.disable_compile()
    try:
        for _ in range(3):
            assert f(mx.array(1)).item() == 2
        assert len(traces) == 3
    finally:
        mx.enable_compile()
    f(mx.array(1)), f(mx.array(1))
    assert len(traces) == 4


def test_errors_while_tracing() -> None:
    """A failed trace leaves no entry; the next call traces again."""
    fail = [True]

    def f(x):
        if fail[0]:
            raise KeyError("first")
        return x + 1

    compiled = mx.compile(f)
    with pytest.raises(KeyError):
        compiled(mx.array(1))
    fail[0] = False
    assert compiled(mx.array(1)).item() == 2


def test_multiple_results_and_unused_inputs() -> None:
    """Results may be inputs, repeated, or constants."""
    f = mx.compile(lambda x, y: (x, x, mx.array([7.0]), x + 0, x * 1))
    out = f(mx.array([2.0]), mx.array([3.0]))
    assert [o.tolist() for o in out] == [[2.0], [2.0], [7.0], [2.0], [2.0]]


def test_wrapper_looks_like_the_function() -> None:
    """Name and doc of the function show."""

    def named(x):
        """Its doc."""
        return x

    for wrapper in (mx.compile(named), mx.grad(named), mx.vmap(named)):
        assert wrapper.__name__ == "named" and wrapper.__doc__ == "Its doc."


def test_as_decorator() -> None:
    """With and without arguments."""
    from functools import partial

    @mx.compile
    def f(x):
        return x + 1

    @partial(mx.compile, shapeless=True)
    def g(x):
        return x + 2

    assert f(mx.array(1)).item() == 2 and g(mx.array(1)).item() == 3


def test_state_that_only_inputs_name() -> None:
    """What the function changes there without saying so is refused where it is used, not lost."""
    state = {"a": mx.ones((2,)), "b": mx.zeros((2,))}

    def step(x):
        y = state["a"] + state["b"] + x
        state["a"] = state["a"] * 2
        return y

    f = mx.compile(step, inputs=state)
    assert f(mx.zeros((2,))).tolist() == [1, 1]
    assert state["b"].tolist() == [0, 0]
    for wrong in (lambda: state["a"].tolist(), lambda: mx.eval(f(mx.zeros((2,))))):
        with pytest.raises(RuntimeError, match="eval"):
            wrong()
    state["a"] = mx.ones((2,)) * 3
    assert f(mx.zeros((2,))).tolist() == [3, 3]


def test_nothing_leaks() -> None:
    """Compiled functions that are dropped give their arrays back."""

    def once():
        w = mx.ones((100_000,))
        mx.eval(w)
        out = mx.compile(lambda x: x * w)(mx.ones((100_000,)))
        mx.eval(out)

    once()
    gc.collect()
    before, live = mx.get_active_memory(), target.live()
    for _ in range(3):
        once()
    gc.collect()
    assert mx.get_active_memory() <= before + 500_000
    assert target.live() == live


@pytest.mark.mica_only
def test_constants_and_common_subexpressions() -> None:
    """Simplification does not change bits: signed zeros and NaN stay."""
    x = mx.array([-0.0, float("nan"), float("inf"), 1.0])
    for f in (
        lambda v: v + 0.0,
        lambda v: v * 1,
        lambda v: v - v,
        lambda v: v * 0,
        lambda v: (v + 1) * (v + 1),
        lambda v: v / 1,
        lambda v: mx.negative(-v),
    ):
        eager, compiled = np.array(f(x)), np.array(mx.compile(f)(x))
        assert np.array_equal(eager, compiled, equal_nan=True) and np.array_equal(
            np.signbit(eager), np.signbit(compiled)
        )
