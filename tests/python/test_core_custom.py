"""custom_function with any set of rules, and checkpoint, under every transformation."""

from __future__ import annotations

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
