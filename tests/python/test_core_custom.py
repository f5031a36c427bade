"""custom_function with any set of rules, and checkpoint, under every transformation."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.ops.target import mx

RULES = ("", "v", "j", "m", "vj", "vm", "jm", "vjm")
X = np.array([0.5, -1.0, 2.0], np.float32)
Y = np.array([2.0, 3.0, -0.5], np.float32)


def function(rules: str):
    """sin(x) * y with rules that cannot be mistaken for its derivatives."""

    @mx.custom_function
    def f(x, y):
        return mx.sin(x) * y

    if "v" in rules:
        f.vjp(lambda primals, cotangent, output: (primals[0] * cotangent * 10, primals[1] * cotangent * 100))
    if "j" in rules:
        f.jvp(
            lambda primals, tangents: sum(
                k * t for k, t in zip((7, 70), tangents, strict=True) if t is not None
            )
        )
    if "m" in rules:
        f.vmap(lambda inputs, axes: (inputs[0] * 1000, axes[0]))
    return f


def check(got, *want) -> None:
    """Close to the expected arrays."""
    for x, y in zip(got if isinstance(got, (list, tuple)) else [got], want, strict=True):
        assert np.allclose(np.array(x), y, rtol=1e-5), (x, y)


@pytest.mark.parametrize("rules", RULES)
def test_gradient(rules: str) -> None:
    """The vjp rule, else the function's own derivative; also compiled, on either side."""
    f, args = function(rules), (mx.array(X), mx.array(Y))
    want = (X * 10, Y * 100) if "v" in rules else (np.cos(X) * Y, np.sin(X))
    loss = lambda x, y: f(x, y).sum()  # noqa: E731
    for gradient in (
        mx.grad(loss, (0, 1)),
        mx.compile(mx.grad(loss, (0, 1))),
        mx.grad(mx.compile(loss), (0, 1)),
        mx.grad(mx.checkpoint(loss), (0, 1)),
    ):
        check(gradient(*args), *want)


@pytest.mark.parametrize("rules", RULES)
def test_jvp(rules: str) -> None:
    """The jvp rule, else the function's own derivative; an argument that is constant gives None."""
    f, x, y = function(rules), mx.array(X), mx.array(Y)
    both = 7 * Y + 70 * X if "j" in rules else np.cos(X) * Y * Y + np.sin(X) * X
    one = 7 * Y if "j" in rules else np.cos(X) * Y * Y
    check(mx.jvp(f, [x, y], [y, x])[1], both)
    check(mx.jvp(lambda z: f(z, y), [x], [y])[1], one)


@pytest.mark.parametrize("rules", RULES)
def test_vmap(rules: str) -> None:
    """The vmap rule, else the function over the batch; what it gives is differentiated as it stands."""
    f = function(rules)
    x, y = mx.array(np.stack([X, Y])), mx.array(np.stack([Y, X]))
    own = np.sin(np.stack([X, Y])) * np.stack([Y, X])
    check(mx.vmap(f)(x, y), np.stack([X, Y]) * 1000 if "m" in rules else own)
    slope = 1000.0 if "m" in rules else np.cos(np.stack([X, Y])) * np.stack([Y, X])
    check(mx.grad(lambda a: mx.vmap(f)(a, y).sum())(x), np.broadcast_to(slope, x.shape))
    inner = 10 * np.stack([X, Y]) if "v" in rules else np.cos(np.stack([X, Y])) * np.stack([Y, X])
    check(mx.vmap(mx.grad(lambda a, b: f(a, b).sum()))(x, y), inner)


def test_trees_and_keywords() -> None:
    """Arguments, cotangents and results have the function's structures; keywords go to the vjp rule."""

    @mx.custom_function
    def f(tree, *, scale):
        return [tree["a"] * scale, tree["a"] + 1]

    seen = []

    @f.vjp
    def rule(primals, cotangents, outputs, *, scale):
        seen.append((type(primals), type(cotangents), type(outputs), scale))
        return {"a": cotangents[0] * 3 + cotangents[1] * 5}

    check(mx.grad(lambda t: f(t, scale=2.0)[0].sum())({"a": mx.array(X)})["a"], np.full(3, 3.0))
    assert seen == [(dict, list, list, 2.0)]


@pytest.mark.parametrize(
    "wrap",
    (
        lambda f: mx.checkpoint(f),
        lambda f: mx.compile(mx.checkpoint(f)),
        lambda f: mx.vmap(mx.checkpoint(f)),
        lambda f: mx.checkpoint(mx.vmap(f)),
        lambda f: mx.checkpoint(mx.checkpoint(f)),
        lambda f: mx.vmap(mx.checkpoint(lambda x: mx.vmap(mx.checkpoint(f))(x[None])[0])),
    ),
)
def test_checkpoint_anywhere(wrap) -> None:
    """Values and derivatives are the function's, whatever stands around."""
    plain, x, v = lambda z: mx.sin(z) * z, mx.array(X), mx.array(Y)  # noqa: E731
    f = wrap(plain)
    check(f(x), np.sin(X) * X)
    slope = np.cos(X) * X + np.sin(X)
    check(mx.grad(lambda z: f(z).sum())(x), slope)
    check(mx.jvp(f, [x], [v])[1], slope * Y)
    curve = mx.grad(lambda z: mx.grad(lambda w: f(w).sum())(z).sum())(x)
    check(curve, 2 * np.cos(X) - np.sin(X) * X)


def close(x, y, tolerance: float = 1e-5) -> bool:
    """Whether two arrays are close."""
    return np.allclose(np.array(x), np.array(y), rtol=tolerance, atol=tolerance, equal_nan=True)


# ---- custom_function, checkpoint ----
def test_custom_vjp() -> None:
    """The rule replaces the derivative; one argument arrives bare, several as a tuple."""

    @mx.custom_function
    def f(x):
        return mx.sin(x)

    @f.vjp
    def f_vjp(primal, cotangent, output):
        return cotangent * 10 + output * 0 + primal * 0

    assert mx.grad(f)(mx.array(1.0)).item() == 10.0
    assert abs(f(mx.array(1.0)).item() - math.sin(1)) < 1e-6

    @mx.custom_function
    def g(x, y):
        return x * y

    @g.vjp
    def g_vjp(primals, cotangent, output):
        x, y = primals
        return cotangent * y, cotangent * x * 100

    assert [d.item() for d in mx.grad(g, (0, 1))(mx.array(2.0), mx.array(3.0))] == [3.0, 200.0]


def test_custom_jvp_and_vmap() -> None:
    """Rules for jvp and vmap; without rules a plain call."""

    @mx.custom_function
    def f(x):
        return mx.sin(x)

    assert abs(mx.grad(f)(mx.array(1.0)).item() - math.cos(1)) < 1e-6

    @f.jvp
    def f_jvp(primal, tangent):
        return tangent * 7

    @f.vmap
    def f_vmap(x, axis):
        return mx.sin(x) + 100, axis

    assert mx.jvp(f, [mx.array(1.0)], [mx.array(2.0)])[1][0].item() == 14.0
    assert close(mx.vmap(f)(mx.array([0.0, 1.0])), [100.0, 100 + math.sin(1)], 1e-4)


def test_checkpoint() -> None:
    """Same values, same gradients; the function runs once more in the backward pass."""
    calls = []

    def f(x, w):
        calls.append(1)
        return mx.tanh(x @ w)

    x, w = mx.ones((2, 3)), mx.full((3, 4), 0.1)
    plain = mx.grad(lambda a, b: f(a, b).sum(), (0, 1))(x, w)
    saved = mx.grad(lambda a, b: mx.checkpoint(f)(a, b).sum(), (0, 1))(x, w)
    for p, s in zip(plain, saved, strict=False):
        assert close(p, s)
    assert close(mx.checkpoint(f)(x, w), f(x, w))


def test_training_step_by_hand() -> None:
    """Gradient descent on a small problem reaches the solution."""
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(4, 1)).astype(np.float32)
    x = mx.array(rng.normal(size=(64, 4)).astype(np.float32))
    y = x @ mx.array(truth)
    w = mx.zeros((4, 1))
    step = mx.value_and_grad(lambda w: ((x @ w - y) ** 2).mean())
    for _ in range(200):
        _, g = step(w)
        w = w - 0.1 * g
        mx.eval(w)
    assert close(w, truth, 1e-3)


@pytest.mark.mica_only
@pytest.mark.parametrize(
    ("found", "message"),
    [
        (lambda c: 3.0, "2 parts"),
        (lambda c: [c, c, c], "2 parts here, one for each, not 3"),
        (lambda c: (mx.ones((3,)), c), r"shape \(\).*not shape \(3,\)"),
        (lambda c: (c, 1.0), "shape .*not float"),
        (lambda c: [[c]], "2 parts here, one for each, not 1"),
    ],
)
def test_wrong_rules_are_refused(found, message: str) -> None:
    @mx.custom_function
    def f(x, y):
        return x * y

    f.vjp(lambda primals, cotangent, output: found(cotangent))
    with pytest.raises(ValueError, match=message):
        mx.grad(f, argnums=(0, 1))(mx.array(2.0), mx.array(3.0))


@pytest.mark.mica_only
def test_one_array_for_all_arguments() -> None:
    @mx.custom_function
    def f(x, y):
        return x * y

    f.vjp(lambda primals, cotangent, output: cotangent * 5)
    assert [g.item() for g in mx.grad(f, argnums=(0, 1))(mx.array(2.0), mx.array(3.0))] == [5, 5]


@pytest.mark.mica_only
def test_rules_without_a_derivative() -> None:
    @mx.custom_function
    def f(x, y):
        return x * y

    f.vjp(lambda primals, cotangent, output: (cotangent.astype(mx.float16), None))
    gradients = mx.grad(f, argnums=(0, 1))(mx.array(2.0), mx.array(3.0))
    assert [g.item() for g in gradients] == [1, 0] and gradients[0].dtype == mx.float32


def test_compile_takes_functions() -> None:
    with pytest.raises(TypeError):
        mx.compile(3)


@pytest.mark.parametrize(
    "form",
    (list, tuple, lambda parts: [list(parts)], lambda parts: {"a": parts[0]}),
    ids=("list", "tuple", "nested", "dict"),
)
def test_rules_return_one_array_in_a_container(form) -> None:
    @mx.custom_function
    def f(x):
        return x * x

    f.vjp(lambda primal, cotangent, output: form((7 * primal * cotangent,)))
    f.jvp(lambda primal, tangent: form((7 * primal * tangent,)))
    x = mx.array([1.0, 2.0, 3.0])
    assert mx.grad(lambda x: f(x).sum())(x).tolist() == [7, 14, 21]
    assert mx.jvp(f, [x], [x])[1][0].tolist() == [7, 28, 63]


def test_rules_return_arrays_in_order() -> None:
    """Nested otherwise than the arguments, but as many."""

    @mx.custom_function
    def f(x, y):
        return x["a"] * x["b"] * y

    f.vjp(lambda p, cotangent, output: [[p[0]["a"]], p[0]["b"] * 10, (p[1] * 100,)])
    tree = {"a": mx.array(2.0), "b": mx.array(3.0)}
    first, second = mx.grad(f, argnums=(0, 1))(tree, mx.array(4.0))
    assert [first["a"].item(), first["b"].item(), second.item()] == [2, 30, 400]


@pytest.mark.parametrize(
    ("in_axes", "prepare", "want"),
    [
        ((1, 1), lambda x, y: (x, y), ((2, 3), (2, 3), 1, 1)),
        ((-1, 1), lambda x, y: (x, y), ((2, 3), (2, 3), 1, 1)),
        ((0, 0), lambda x, y: (x, y), ((2, 3), (2, 3), 0, 0)),
        ((1, None), lambda x, y: (x, y), ((2, 3), (2, 3), 1, None)),
        pytest.param(
            (1, 1),
            lambda x, y: (x + 1, y),
            ((3, 2), (3, 2), 0, 0),
            marks=pytest.mark.mica_only,
        ),
    ],
)
def test_axes_of_vmap_rules(in_axes, prepare, want) -> None:
    """Inputs that come from the mapped function's arguments are as they were given."""
    seen: list = []

    @mx.custom_function
    def f(x, y):
        return x + y.sum()

    def rule(inputs, axes):
        seen.append((*(tuple(x.shape) for x in inputs), *axes))
        return inputs[0] * 2, axes[0]

    f.vmap(rule)
    x, y = mx.arange(6.0).reshape(2, 3), mx.ones((2, 3))
    got = mx.vmap(lambda x, y: f(*prepare(x, y)), in_axes=in_axes, out_axes=in_axes[0])(x, y)
    assert mx.array_equal(got, prepare(x, y)[0] * 2).item()
    assert seen == [want]


@pytest.mark.mica_only
@pytest.mark.parametrize(
    ("rule", "error", "text"),
    [
        (lambda x, axis: x * 2, ValueError, "tuple of its outputs and their axes, not array"),
        (lambda x, axis: (x, 0, 1), ValueError, "tuple of its outputs and their axes, not 3 items"),
        (lambda x, axis: None, ValueError, "tuple of its outputs and their axes, not NoneType"),
        (lambda x, axis: (x, "x"), ValueError, "axes that a vmap rule returns must be .* not 'x'"),
        (lambda x, axis: (x, [0, 0]), ValueError, "axes that a vmap rule returns must be"),
        (lambda x, axis: ([x, x], [0, 0]), ValueError, "must return 1 arrays, not 2"),
        (lambda x, axis: (x, 5), IndexError, r"axis 5 is mapped, of an output of shape \(2, 3\)"),
    ],
)
def test_wrong_vmap_rules(rule, error, text) -> None:
    """What a rule returned is named where it is not outputs and axes."""
    f = mx.custom_function(lambda x: x + 1)
    f.vmap(rule)
    with pytest.raises(error, match=text):
        mx.vmap(f)(mx.ones((2, 3)))
