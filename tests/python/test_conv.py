"""Convolutions: geometries drawn at random against float64 and the reference, derivatives of any order,
batching, edges, bad calls, memory."""

from __future__ import annotations

import gc
import os
import random
import subprocess
import sys

import mica.nn as nn
import numpy as np
import pytest

from tests.ops.oracle.conv import conv_general
from tests.ops.target import mx, wheel

TOLERANCE = {"float32": 2e-5, "float64": 1e-12, "float16": 2e-3, "bfloat16": 1.6e-2}


def draw(seed: int) -> tuple:
    """Shapes and parameters of a convolution that fits; None where the drawn one does not."""
    r = random.Random(seed)
    while True:
        axes, groups = r.randint(1, 3), r.choice([1, 1, 1, 2, 3])
        each, outputs = r.choice([1, 2, 3, 5, 8, 17]), r.choice([1, 2, 3, 16, 19])
        if r.random() < 0.2:
            groups, each, outputs = r.choice([3, 8, 70]), 1, 1

        def pick(low: int, high: int, axes: int = axes) -> list[int]:
            return [r.randint(low, high) for _ in range(axes)]

        size, window = pick(1, {1: 40, 2: 14, 3: 6}[axes]), pick(1, 5)
        stride, reach, spread = pick(1, 3), pick(1, 3), [r.choice([1, 1, 2, 3, 4]) for _ in range(axes)]
        low, high = pick(-2, 6), pick(-2, 6)
        whole = [(n - 1) * d + 1 for n, d in zip(size, spread, strict=True)]
        if all(
            n + a + b >= d * (k - 1) + 1 and n + a > 0 and n + b > 0
            for n, a, b, d, k in zip(whole, low, high, reach, window, strict=True)
        ):
            break
    shapes = (r.randint(1, 3), *size, groups * each), (groups * outputs, *window, each)
    dtype = r.choice(list(TOLERANCE))
    return *shapes, (stride, (low, high), reach, spread, groups, r.random() < 0.5), dtype


def as_numpy(a) -> np.ndarray:
    """Values in float64."""
    return np.array(a.astype(mx.float64), dtype=np.float64)


def numbers(seed: int, shape, dtype: str):
    """Random numbers of an element type, as an array."""
    x = np.random.default_rng(seed).standard_normal(shape)
    return mx.array(x, dtype=mx.float64).astype(getattr(mx, dtype))


@pytest.mark.parametrize("seed", range(150))
def test_any_geometry(seed: int) -> None:
    """Values are those of sums in float64; both derivatives are the adjoints of the linear maps."""
    xs, ws, how, dtype = draw(seed)
    x, w = numbers(seed, xs, dtype), numbers(seed + 1000, ws, dtype)
    x64, w64, tolerance = as_numpy(x), as_numpy(w), TOLERANCE[dtype]
    expected = conv_general(x64, w64, *how)
    got = mx.conv_general(x, w, *how)
    assert got.dtype == x.dtype and got.shape == expected.shape
    assert np.abs(as_numpy(got) - expected).max() <= tolerance * max(1, np.abs(expected).max()), how

    c = numbers(seed + 2000, expected.shape, dtype)
    dx, dw = (as_numpy(g) for g in mx.vjp(lambda x, w: mx.conv_general(x, w, *how), [x, w], [c])[1])
    tx, tw = as_numpy(numbers(seed + 3000, xs, "float64")), as_numpy(numbers(seed + 4000, ws, "float64"))
    for derivative, tangent, image in (
        (dx, tx, conv_general(tx, w64, *how)),
        (dw, tw, conv_general(x64, tw, *how)),
    ):
        bound = 4 * tolerance * (1 + np.sqrt((derivative**2).sum()))
        assert abs((as_numpy(c) * image).sum() - (derivative * tangent).sum()) <= bound, how


@pytest.mark.skipif(wheel is None, reason="the reference is not installed")
@pytest.mark.parametrize("seed", range(40))
def test_like_the_reference(seed: int) -> None:
    """What the reference accepts of the drawn geometries gives the same."""
    xs, ws, how, _ = draw(seed)
    if min(min(p) for p in how[1]) < 0 and max(how[3]) > 1:
        pytest.skip("the reference cuts before it spreads")
    x, w = (np.array(numbers(seed + k, shape, "float32")) for k, shape in ((0, xs), (1, ws)))
    try:
        expected = np.array(wheel.conv_general(wheel.array(x), wheel.array(w), *how))
    except ValueError:
        pytest.skip("the reference does not do this one")
    got = np.array(mx.conv_general(mx.array(x), mx.array(w), *how))
    np.testing.assert_allclose(got, expected, atol=3e-4, rtol=1e-4)


@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize("which", [(0, None), (None, 0), (0, 0), (1, 2)])
def test_vmap_is_a_loop(groups: int, which: tuple) -> None:
    """Over the input, the weight, or both; of the function and of its derivatives."""
    x, w = numbers(0, (3, 5, 3, 6, 4), "float32"), numbers(1, (4, 3, 2, 4 // groups), "float32")
    x = x if which[0] is not None else x[0]
    if which[1] is not None:
        w = mx.stack([w, 2 * w, w - 1], axis=which[1])
    if which[0] == 1:
        x = mx.moveaxis(x, 0, 1)

    def one(x, w):
        def loss(x, w):
            y = mx.conv2d(x, w, (2, 1), 1, 1, groups)
            return (y * mx.sin(y)).sum()

        return mx.conv2d(x, w, (2, 1), 1, 1, groups), *mx.grad(loss, argnums=(0, 1))(x, w)

    got = mx.vmap(one, in_axes=which)(x, w)
    looped = [
        one(
            x if which[0] is None else mx.take(x, mx.array(i), axis=which[0]),
            w if which[1] is None else mx.take(w, mx.array(i), axis=which[1]),
        )
        for i in range(3)
    ]
    for a, b in zip(got, zip(*looped, strict=True), strict=True):
        np.testing.assert_allclose(np.array(a), np.array(mx.stack(b)), atol=2e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (lambda x, w: mx.conv2d(x, w, 2, 1), ((2, 5, 6, 4), (6, 3, 2, 4))),
        (lambda x, w: mx.conv2d(x, w, 1, 1, 2, groups=2), ((2, 5, 6, 4), (6, 3, 2, 2))),
        (lambda x, w: mx.conv_transpose2d(x, w, 2, 1), ((2, 3, 4, 4), (6, 3, 2, 4))),
        (lambda x, w: mx.conv1d(x, w, 1, 1, groups=6), ((2, 5, 6), (6, 3, 1))),
        (lambda x, w: mx.conv2d(x, w), ((2, 3, 4, 3), (5, 1, 1, 3))),
    ],
)
def test_second_derivatives(function, arguments) -> None:
    """The derivative of a gradient is what its difference quotient says."""
    x, w = (numbers(k, shape, "float64") for k, shape in enumerate(arguments))
    dx, dw = (numbers(k + 9, shape, "float64") for k, shape in enumerate(arguments))

    def slope(x, w):
        gx, gw = mx.grad(lambda x, w: mx.sin(function(x, w)).sum(), argnums=(0, 1))(x, w)
        return (gx * gx).sum() + (gw * dw).sum()

    got = [float((g * d).sum()) for g, d in zip(mx.grad(slope, (0, 1))(x, w), (dx, dw), strict=True)]
    forward = mx.jvp(slope, [x, w], [dx, dw])[1][0].item()
    step = 1e-6
    quotients = [
        (slope(x + step * a * dx, w + step * b * dw) - slope(x - step * a * dx, w - step * b * dw)).item()
        / (2 * step)
        for a, b in ((1, 0), (0, 1))
    ]
    np.testing.assert_allclose(got, quotients, rtol=1e-5)
    np.testing.assert_allclose(forward, sum(got), rtol=1e-9)


def test_edges() -> None:
    """Nothing in a batch, in the channels, in the window; padding far beyond the input; bias of none."""
    z = mx.zeros
    assert mx.conv2d(z((0, 5, 5, 4)), z((6, 3, 3, 4))).shape == (0, 3, 3, 6)
    assert mx.conv2d(mx.ones((2, 5, 5, 0)), z((6, 3, 3, 0))).sum().item() == 0
    assert mx.conv2d(z((2, 5, 5, 4)), z((0, 3, 3, 4))).shape == (2, 3, 3, 0)
    empty = mx.conv2d(mx.ones((2, 5, 5, 4)), z((6, 0, 3, 4)))
    assert empty.shape == (2, 6, 3, 6) and empty.sum().item() == 0
    assert mx.conv2d(z((2, 0, 5, 4)), z((6, 3, 3, 4)), 1, 2).shape == (2, 2, 7, 6)
    huge = mx.conv1d(mx.ones((1, 3, 2)), mx.ones((4, 2, 2)), padding=20_000)
    assert huge.shape == (1, 40_002, 4) and huge.sum().item() == 4 * 2 * 2 * 3
    far = mx.conv1d(mx.ones((1, 3, 2)), mx.ones((1, 2, 2)), 1_000_000, 2_000_000, 3_000_000)
    assert far.shape == (1, 2, 1) and far.tolist() == [[[0.0], [0.0]]]
    spread = mx.conv_transpose1d(mx.ones((1, 3, 1)), mx.ones((1, 2, 1)), stride=50_000)
    assert spread.shape == (1, 100_002, 1) and spread.sum().item() == 6
    grads = mx.grad(lambda x, w: mx.conv2d(x, w).sum(), (0, 1))(z((0, 5, 5, 4)), mx.ones((6, 3, 3, 4)))
    assert grads[0].shape == (0, 5, 5, 4) and not grads[1].any().item()


X2, W2 = mx.zeros((2, 5, 5, 4)), mx.zeros((6, 3, 3, 4))
BAD = [
    (lambda: mx.conv2d(X2, W2, 0), ValueError, "stride must be positive"),
    (lambda: mx.conv2d(X2, W2, dilation=-1), ValueError, "dilation must be positive"),
    (lambda: mx.conv_general(X2, W2, input_dilation=0), ValueError, "input dilation must be positive"),
    (lambda: mx.conv2d(X2, W2, groups=0), ValueError, "groups must be positive"),
    (lambda: mx.conv2d(X2, W2, groups=3), ValueError, "3 groups must divide the input's 4 channels"),
    (lambda: mx.conv2d(X2, mx.zeros((6, 3, 3, 3))), ValueError, r"last axis of weight \(6, 3, 3, 3\)"),
    (lambda: mx.conv2d(X2, mx.zeros((6, 7, 3, 4))), ValueError, "does not fit into spatial axis 0"),
    (lambda: mx.conv_transpose2d(X2, W2, padding=5), ValueError, "does not fit into spatial axis 0"),
    (lambda: mx.conv2d(X2, W2, (1, 1, 1)), TypeError, "stride has 3 values where 1 or 2"),
    (lambda: mx.conv_general(X2, W2, [1, 1, 1]), ValueError, "stride has 3 values where 1 or 2"),
    (lambda: mx.conv_general(X2, W2, padding="a"), TypeError, "'padding' is of type str"),
    (lambda: mx.conv_general(X2, W2, padding=([1, 1, 1], 2)), TypeError, "padding"),
    (lambda: mx.conv_general(X2, W2, padding=1, padding_high=[1, 1, 1]), ValueError, "padding has 3"),
    (lambda: mx.conv_general(X2, W2, flip=1), TypeError, "flip"),
    (lambda: mx.conv2d(X2, mx.zeros((6, 3, 4))), ValueError, "as many axes"),
    (lambda: mx.conv_general(mx.zeros((1, 2)), mx.zeros((1, 2))), ValueError, "1 to 3 spatial axes"),
    (lambda: mx.conv2d(X2.astype(mx.int32), W2), ValueError, "int32 .* only floating types"),
    (lambda: mx.conv2d(X2, W2.astype(mx.complex64)), ValueError, "complex64: only floating types"),
    (lambda: mx.conv1d(mx.zeros((1, 4, 4)), mx.zeros((1, 2, 4)), 2**40), ValueError, "32 bits"),
    (lambda: mx.convolve(X2, W2), ValueError, "must have one axis"),
    (lambda: mx.convolve(mx.zeros((0,)), mx.zeros((2,))), ValueError, "must not be empty"),
    (lambda: mx.convolve(mx.zeros((3,)), mx.zeros((2,)), "some"), ValueError, "full, same or valid"),
]


@pytest.mark.parametrize("k", range(len(BAD)))
def test_bad_calls(k: int) -> None:
    """The error names the function, what was given and what is accepted."""
    call, error, message = BAD[k]
    with pytest.raises(error, match=message):
        call()


def test_integers_as_weights_are_promoted() -> None:
    """The input decides that a convolution is one of floating numbers."""
    y = mx.conv1d(mx.ones((1, 3, 1), mx.float16), mx.ones((1, 2, 1), mx.int32))
    assert y.dtype == mx.float16 and y.tolist() == [[[2.0], [2.0]]]


def test_memory_is_small() -> None:
    """Windows are not copied: little more is needed than the result, not nine times the input."""
    x, w = numbers(0, (4, 96, 96, 32), "float32"), numbers(1, (32, 3, 3, 32), "float32")
    mx.eval(x, w)
    gc.collect()
    mx.synchronize()
    mx.reset_peak_memory()
    before = mx.get_active_memory()
    mx.eval(mx.conv2d(x, w, 1, 1))
    assert mx.get_peak_memory() - before < 1.6 * x.nbytes


def test_layers_and_gradients() -> None:
    """The layers train through these functions, compiled or not."""
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(8, 8, 3, groups=8),
        nn.ConvTranspose2d(8, 2, 2, 2),
    )
    x = numbers(5, (2, 6, 7, 3), "float32")

    def loss(x):
        return mx.square(model(x)).mean()

    value, grads = nn.value_and_grad(model, loss)(x)
    assert np.isfinite(value.item())
    again, same = nn.value_and_grad(model, mx.compile(loss, inputs=model.state))(x)
    np.testing.assert_allclose(again.item(), value.item(), rtol=1e-5)
    key = "layers"
    for a, b in zip(grads[key], same[key], strict=True):
        for name in a:
            np.testing.assert_allclose(np.array(a[name]), np.array(b[name]), rtol=1e-4, atol=1e-6)


def test_same_bits_for_any_number_of_threads() -> None:
    """Nothing depends on who does which block."""
    program = (
        "import mica.core as mx, numpy as np, hashlib\n"
        "mx.random.seed(1)\n"
        "x, w = mx.random.normal((3, 23, 19, 20)), mx.random.normal((24, 3, 3, 20))\n"
        "d, v = mx.random.normal((2, 30, 40, 70)), mx.random.normal((70, 3, 3, 1))\n"
        "h = hashlib.sha256()\n"
        "f1, f2 = lambda x, w: mx.conv2d(x, w, (1, 2), 1), lambda x, w: mx.conv2d(x, w, groups=70)\n"
        "f3 = lambda x, w: mx.conv_transpose2d(x, w, 2)\n"
        "for f, a, b in ((f1, x, w), (f2, d, v), (f3, x, w)):\n"
        "    y = f(a, b)\n"
        "    for r in (y, *mx.vjp(f, [a, b], [mx.sin(y)])[1]): h.update(np.array(r).tobytes())\n"
        "print(h.hexdigest())\n"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "MICA_THREADS": str(n)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for n in (1, 2, 5)
    }
    assert len(digests) == 1


@pytest.mark.parametrize(
    ("groups", "inputs", "outputs"), [(32, 4, 4), (5, 3, 2), (8, 2, 1), (9, 1, 4), (4, 4, 3)]
)
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_groups_of_few_channels(groups: int, inputs: int, outputs: int, dtype: str) -> None:
    """Against one convolution a group, in float64; with strides and dilations positions lie apart."""
    rng = np.random.default_rng(groups)
    x = mx.array(rng.normal(size=(2, 9, 7, groups * inputs)).astype(np.float32)).astype(getattr(mx, dtype))
    w = mx.array(rng.normal(size=(groups * outputs, 3, 2, inputs)).astype(np.float32)).astype(x.dtype)
    for stride, padding, dilation, spread in ((1, 1, 1, 1), (2, 0, 2, 1), (1, 2, 1, 2), (2, 1, 2, 2)):
        kind = {
            "stride": stride,
            "padding": padding,
            "kernel_dilation": dilation,
            "input_dilation": spread,
            "flip": spread == 2,
        }
        y = mx.conv_general(x, w, groups=groups, **kind)
        wide = [
            mx.conv_general(a.astype(mx.float64), b.astype(mx.float64), **kind, stream=mx.cpu)
            for a, b in zip(mx.split(x, groups, axis=-1), mx.split(w, groups, axis=0), strict=True)
        ]
        error = mx.abs(y.astype(mx.float64, stream=mx.cpu) - mx.concatenate(wide, axis=-1), stream=mx.cpu)
        bound = {"float32": 2e-5, "float16": 2e-2, "bfloat16": 0.15}[dtype]
        assert mx.max(error, stream=mx.cpu).item() < bound, kind
