"""grad, value_and_grad, vjp, jvp, stop_gradient: arguments, results, errors, edges."""

from __future__ import annotations

import math
from collections import namedtuple

import numpy as np
import pytest

from tests.ops.target import mx


def close(x, y, tolerance: float = 1e-5) -> bool:
    """Whether two arrays are close."""
    return np.allclose(np.array(x), np.array(y), rtol=tolerance, atol=tolerance, equal_nan=True)


# ---- grad: arguments and results ----
def f2(x, y):
    return (x * x * y).sum()


def test_argnums() -> None:
    """None and int give a bare gradient; sequences a tuple in ascending order; one element unwraps."""
    x, y = mx.array([1.0, 2.0]), mx.array([3.0, 4.0])
    gx, gy = [6.0, 16.0], [1.0, 4.0]
    assert mx.grad(f2)(x, y).tolist() == gx
    assert mx.grad(f2, 1)(x, y).tolist() == gy
    assert mx.grad(f2, [1])(x, y).tolist() == gy
    both = mx.grad(f2, [1, 0])(x, y)
    assert isinstance(both, tuple) and [g.tolist() for g in both] == [gx, gy]
    value, grads = mx.value_and_grad(f2, (0, 1))(x, y)
    assert value.item() == 19.0 and [g.tolist() for g in grads] == [gx, gy]


def test_argnames() -> None:
    """Names give (positional part or None, dict)."""
    x, y = mx.array([1.0, 2.0]), mx.array([3.0, 4.0])
    positional, named = mx.grad(f2, argnames="y")(x, y=y)
    assert positional is None and named["y"].tolist() == [1.0, 4.0]
    positional, named = mx.grad(f2, argnums=0, argnames=["y"])(x, y=y)
    assert positional.tolist() == [6.0, 16.0] and set(named) == {"y"}


@pytest.mark.parametrize(
    "wrong",
    (
        lambda: mx.grad(f2, -1),
        lambda: mx.grad(f2, (0, 0)),
        lambda: mx.grad(f2, 5)(mx.array(1.0), mx.array(1.0)),
        lambda: mx.grad(f2, argnames="z")(mx.array(1.0), y=mx.array(1.0)),
        lambda: mx.grad(f2, argnums=[], argnames=[])(mx.array(1.0), mx.array(1.0)),
        lambda: mx.grad(lambda x: x)(mx.array([1.0])),
        lambda: mx.grad(lambda x: x * 2)(mx.array([1.0, 2.0])),
        lambda: mx.grad(lambda x: 3.0)(mx.array(1.0)),
        lambda: mx.grad(lambda x: (x, x))(mx.array(1.0)),
        lambda: mx.value_and_grad(lambda x: [x, x])(mx.array(1.0)),
        lambda: mx.value_and_grad(lambda x: ())(mx.array(1.0)),
        lambda: mx.grad(lambda x: x["a"])({"a": 1.0}),
        lambda: mx.grad(lambda x: x * 2)(2.0),
    ),
)
def test_wrong_calls(wrong) -> None:
    """Each is a ValueError."""
    with pytest.raises(ValueError):
        wrong()


def test_errors_of_the_function_pass() -> None:
    """What the function raises arrives unchanged, and the library is usable after it."""

    class OwnError(Exception):
        pass

    def f(x):
        raise OwnError("mine")

    for transform in (
        mx.grad(f),
        mx.value_and_grad(f),
        mx.vmap(f),
        mx.compile(f),
        mx.checkpoint(f),
        lambda x: mx.vjp(f, [x], [x]),
        lambda x: mx.jvp(f, [x], [x]),
    ):
        with pytest.raises(OwnError):
            transform(mx.array([1.0]))
    assert mx.grad(lambda x: x * x)(mx.array(3.0)).item() == 6.0


def test_trees() -> None:
    """Gradients have the structure of their argument; other arguments are free."""
    Point = namedtuple("Point", ["x", "y"])

    def f(tree, text, number):
        return (tree["a"][0] * tree["b"][1].x).sum() * number + len(text)

    tree = {
        "a": [mx.array([1.0, 2.0]), mx.array([9.0])],
        "b": (mx.array(0.0), Point(mx.array([3.0, 4.0]), mx.array(1.0))),
    }
    g = mx.grad(f)(tree, "text", 2)
    assert g["a"][0].tolist() == [6.0, 8.0] and g["a"][1].tolist() == [0.0]
    assert isinstance(g["b"], tuple) and isinstance(g["b"][1], Point) and g["b"][1].x.tolist() == [2.0, 4.0]


def test_auxiliary_results() -> None:
    """value_and_grad hands on further results of any kind."""
    (value, extra, text), g = mx.value_and_grad(lambda x: (x * x, x + 1, "text"))(mx.array(3.0))
    assert value.item() == 9.0 and extra.item() == 4.0 and text == "text" and g.item() == 6.0


def test_higher_orders() -> None:
    """grad nests, and mixes with vmap, jvp and compile in any order."""

    def f(x):
        return mx.sin(x) * x

    third = mx.grad(mx.grad(mx.grad(f)))(mx.array(0.7)).item()
    assert abs(third - (-3 * math.sin(0.7) - 0.7 * math.cos(0.7))) < 1e-4
    x = mx.array([0.1, 0.2, 0.3])
    want = [-x_ * math.sin(x_) + 2 * math.cos(x_) for x_ in (0.1, 0.2, 0.3)]
    for second in (
        mx.vmap(mx.grad(mx.grad(f))),
        mx.vmap(mx.grad(lambda a: mx.jvp(f, [a], [mx.array(1.0)])[1][0])),
        mx.grad(lambda v: mx.vmap(mx.grad(f))(v).sum()),
        lambda v: mx.jvp(mx.vmap(mx.grad(f)), [v], [mx.ones((3,))])[1][0],
    ):
        assert close(second(x), want, 1e-4)


def test_integers_and_untouched() -> None:
    """Integer arguments give integer gradients; arguments without influence give zeros."""
    g = mx.grad(lambda x, y: (x * 2).sum(), (0, 1))(mx.array([1, 2]), mx.array([1.0, 2.0]))
    assert g[0].dtype == mx.int32 and g[1].tolist() == [0.0, 0.0]


def test_in_place_updates_do_not_leak() -> None:
    """Writing into an argument while tracing leaves the caller's array alone."""
    x = mx.array([1.0, 2.0])

    def f(y):
        y[0] = y[1] * 3
        y += 1
        return y.sum()

    assert mx.grad(f)(x).tolist() == [0.0, 4.0]
    assert x.tolist() == [1.0, 2.0]


def scale(x: dict) -> mx.array:
    """Replace an entry, one inside, and one in place; return the sum of squares of the first."""
    x["a"] = x["a"] * 2
    x["n"][0] = x["a"] * 3
    x["b"] += 1
    return (x["a"] ** 2).sum()


def test_changed_containers_stay_changed() -> None:
    """What the function does to dicts and lists in its arguments stays done, with arrays for tracers."""
    first, second, third = (mx.array([1.0, 2.0, 3.0]) for _ in range(3))
    inner = [second, third]
    d = {"a": first, "n": inner, "b": third}
    gradient = mx.grad(scale)(d)
    assert gradient["a"].tolist() == [8, 16, 24] and gradient["n"][0].tolist() == [0, 0, 0]
    assert d["a"].tolist() == [2, 4, 6] and d["b"].tolist() == [2, 3, 4]
    assert d["n"] is inner and inner[0].tolist() == [6, 12, 18] and inner[1].tolist() == [1, 2, 3]
    assert [x.tolist() for x in (first, second, third)] == [[1, 2, 3]] * 3
    assert mx.grad(lambda x: (d["a"] * x).sum())(mx.ones((3,))).tolist() == [2, 4, 6]


def test_containers_change_in_nested_and_failing_functions() -> None:
    """Transformations inside, keyword arguments, and functions that raise."""

    def outer(x: dict) -> mx.array:
        return mx.grad(lambda y: scale(y))(x)["a"].sum()

    def made() -> dict:
        return {"a": mx.array([1.0, 2.0]), "n": [mx.array(0.0)], "b": mx.array(1.0)}

    d = made()
    assert mx.grad(outer)(d)["a"].tolist() == [8, 8] and d["a"].tolist() == [2, 4]
    d = made()
    mx.grad(lambda x, y: x.sum() * scale(y), argnames=["y"])(mx.ones((1,)), y=d)
    assert d["a"].tolist() == [2, 4] and d["n"][0].tolist() == [6, 12]
    d = made()
    with pytest.raises(ZeroDivisionError):
        mx.grad(lambda x: scale(x) * (1 // 0))(d)
    assert d["a"].tolist() == [2, 4]


@pytest.mark.mica_only
def test_containers_that_get_or_lose_entries() -> None:
    """The gradient has the structure that the argument had."""

    def f(x: dict) -> mx.array:
        x["new"] = [x["a"], x["a"] * 2]
        x["n"].append(x.pop("b"))
        return (x["a"] ** 2).sum()

    a, b = mx.array(3.0), mx.array(4.0)
    d = {"a": a, "b": b, "n": []}
    value, gradient = mx.value_and_grad(f)(d)
    assert value.item() == 9 and gradient["a"].item() == 6 and gradient["b"].item() == 0
    assert list(gradient) == ["a", "b", "n"] and list(d) == ["a", "n", "new"]
    assert d["a"] is a and d["n"] == [b] and d["n"][0] is b
    assert d["new"][0] is a and d["new"][1].item() == 6


def test_eval_inside() -> None:
    """Values may be asked for inside grad and jvp; inside vmap and compile not."""
    seen = []

    def f(x):
        y = x * x
        mx.eval(y)
        seen.append(y.item())
        return y * x

    assert mx.grad(f)(mx.array(2.0)).item() == 12.0 and seen == [4.0]
    assert mx.jvp(f, [mx.array(2.0)], [mx.array(1.0)])[1][0].item() == 12.0
    for transform in (
        mx.vmap(lambda x: x * x.item()),
        mx.compile(lambda x: x * x.item()),
        mx.vmap(lambda x: (mx.eval(x * 2), x)[1]),
        mx.compile(lambda x: (print(x + 1), x)[1]),
    ):
        with pytest.raises(ValueError, match="eval"):
            transform(mx.array([1.0]))


@pytest.mark.mica_only
@pytest.mark.parametrize("transform", (mx.compile, mx.vmap))
def test_leaked_arrays_say_where_they_were_made(transform) -> None:
    """The file and line of the user's code, also for what is made of them outside, and of arguments."""
    kept = []

    def step(x):
        kept.append(x * 2)
        kept.append(x)
        return x

    transform(step)(mx.array([1.0]))
    code = step.__code__
    for wrong in (lambda: mx.eval(kept[0]), lambda: (kept[0] + 1).tolist()):
        with pytest.raises(RuntimeError, match=f"{code.co_filename}:{code.co_firstlineno + 1}, in step"):
            wrong()
    with pytest.raises(
        RuntimeError, match=f"{code.co_filename}:{code.co_firstlineno}, as an argument of step"
    ):
        kept[1].item()


@pytest.mark.parametrize("transform", (mx.compile, mx.vmap))
def test_leaked_arrays_are_refused(transform) -> None:
    """It is the state that is wrong then, not the call."""
    kept: list = []

    def step(x):
        kept.append(x * 2)
        return x

    transform(step)(mx.array([1.0]))
    for wrong in (mx.eval, mx.async_eval, repr, lambda x: x.tolist(), lambda x: mx.eval(x + 1)):
        with pytest.raises(RuntimeError, match="eval"):
            wrong(kept[0])


def test_async_eval_inside() -> None:
    """No transformation allows it."""

    def f(x):
        mx.async_eval(x * 2)
        return x.sum()

    for transform in (mx.grad(f), mx.vmap(f), mx.compile(f)):
        with pytest.raises(ValueError):
            transform(mx.array([1.0]))


# ---- vjp and jvp ----
def test_vjp_jvp_shapes() -> None:
    """Lists in, lists out; counts and shapes are checked."""
    x, y = mx.array([1.0, 2.0]), mx.array([3.0, 4.0])
    outs, grads = mx.vjp(lambda a, b: (a * b, a + b), [x, y], [mx.ones((2,)), mx.ones((2,))])
    assert isinstance(outs, list) and isinstance(grads, list)
    assert [g.tolist() for g in grads] == [[4.0, 5.0], [2.0, 3.0]]
    outs, tangents = mx.jvp(lambda a, b: (a * b, a + b), (x, y), (mx.ones((2,)), mx.zeros((2,))))
    assert [t.tolist() for t in tangents] == [[3.0, 4.0], [1.0, 1.0]]
    for wrong in (
        lambda: mx.vjp(lambda a: a, [x], []),
        lambda: mx.vjp(lambda a: a, [x], [mx.ones((3,))]),
        lambda: mx.jvp(lambda a: a, [x], []),
        lambda: mx.jvp(lambda a: a, [x], [mx.ones((3,))]),
    ):
        with pytest.raises(ValueError):
            wrong()


def test_stop_gradient() -> None:
    """No derivative passes; in vjp its results need no cotangent."""
    assert mx.grad(lambda x: (mx.stop_gradient(x) * x).sum())(mx.array([2.0, 3.0])).tolist() == [2.0, 3.0]
    x = mx.array([1.0])
    outs, grads = mx.vjp(lambda a: (a * 2, mx.stop_gradient(a)), [x], [mx.array([1.0])])
    assert len(outs) == 2 and grads[0].tolist() == [2.0]
    assert mx.jvp(lambda a: mx.stop_gradient(a), [x], [x])[1][0].tolist() == [0.0]


EDGES = [
    ("maximum tie", lambda x: mx.maximum(x, mx.array(1.0)), 1.0, 0.0),
    ("maximum tie, second", lambda x: mx.maximum(mx.array(1.0), x), 1.0, 1.0),
    ("minimum tie", lambda x: mx.minimum(x, mx.array(1.0)), 1.0, 0.0),
    ("relu at 0", lambda x: mx.maximum(x, 0), 0.0, 0.0),
    ("abs at 0", mx.abs, 0.0, 0.0),
    ("sqrt at 0", mx.sqrt, 0.0, math.inf),
    ("0 ** x", lambda x: mx.array(0.0) ** x, 2.0, 0.0),
    ("sign", mx.sign, 0.5, 0.0),
    ("round", mx.round, 0.4, 0.0),
    ("floor", mx.floor, 0.4, 0.0),
    ("remainder", lambda x: x % 3, 4.5, 1.0),
    ("clip at the upper bound", lambda x: mx.clip(x, -1, 1), 1.0, 0.0),
    ("astype", lambda x: x.astype(mx.float16).astype(mx.float32) * 2, 1.5, 2.0),
    ("square", mx.square, 0.0, 0.0),
    ("x ** 0 at 0", lambda x: x ** mx.array(0.0), 0.0, math.nan),
]


@pytest.mark.parametrize(("function", "at", "want"), [e[1:] for e in EDGES], ids=[e[0] for e in EDGES])
def test_conventions_at_edges(function, at: float, want: float) -> None:
    """Where a derivative is a convention, it is the reference's."""
    got = mx.grad(function)(mx.array(at)).item()
    assert got == want or (math.isnan(got) and math.isnan(want))


def test_reductions_at_ties() -> None:
    """max splits evenly, prod is safe at zeros, sort and cummax route to the selected element."""
    assert mx.grad(lambda x: x.max())(mx.array([1.0, 3.0, 3.0])).tolist() == [0.0, 0.5, 0.5]
    assert mx.grad(lambda x: x.prod())(mx.array([0.0, 3.0, 2.0])).tolist() == [6.0, 0.0, 0.0]
    assert mx.grad(lambda x: x.prod())(mx.array([0.0, 0.0, 2.0])).tolist() == [0.0, 0.0, 0.0]
    weights = mx.array([1.0, 2.0, 3.0])
    assert mx.grad(lambda x: (mx.sort(x) * weights).sum())(mx.array([3.0, 1.0, 2.0])).tolist() == [
        3.0,
        1.0,
        2.0,
    ]
    assert mx.grad(lambda x: (mx.cummax(x) * weights).sum())(mx.array([1.0, 3.0, 2.0])).tolist() == [
        1.0,
        5.0,
        0.0,
    ]


def test_complex_convention() -> None:
    """The gradient of a real function is d/dRe + i d/dIm."""
    z = mx.array(3 + 4j)
    assert abs(mx.grad(lambda w: mx.abs(w))(z).item() - (0.6 + 0.8j)) < 1e-6
    assert abs(mx.grad(lambda w: mx.real(w * w))(z).item() - 2 * (3 - 4j)) < 1e-5


def test_shared_subexpressions() -> None:
    """A graph with exponentially many paths is walked once."""

    def f(x):
        for _ in range(60):
            x = x + x * 0.0
        return x

    assert mx.grad(f)(mx.array(1.0)).item() == 1.0
