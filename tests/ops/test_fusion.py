"""Random programs of element-wise work, reductions and products: one step at a time, all at once and
compiled give the same bits.
"""

from __future__ import annotations

import numpy as np
import pytest

from tests.ops import target, values
from tests.ops.target import mx

UNARY = (
    "exp",
    "log1p",
    "tanh",
    "sigmoid",
    "sin",
    "abs",
    "negative",
    "square",
    "sqrt",
    "erf",
    "floor",
    "rsqrt",
)
BINARY = ("add", "subtract", "multiply", "divide", "maximum", "minimum", "arctan2", "logaddexp")
SHAPES = ((), (7,), (3, 1), (3, 7), (2, 3, 7), (1, 1, 7))
COUNT = 400 if target.LONG else (80 if target.IS_MICA else 6)


def draw(seed: int):
    """A program: a list of steps, each a function of earlier results, and its inputs."""
    rng = np.random.default_rng(seed)
    dtypes = [
        str(rng.choice(["float32", "float16", "bfloat16", "int32", "float64"], p=[0.6, 0.1, 0.1, 0.1, 0.1]))
        for _ in range(3)
    ]
    inputs = [
        (values.quantized(rng.uniform(0.1, 2, SHAPES[rng.integers(len(SHAPES))]), name), name)
        for name in dtypes
    ]
    steps, count = [], len(inputs)
    for _ in range(int(rng.integers(2, 14))):
        kind = rng.random()
        a, b, c = (int(i) for i in rng.integers(0, count, 3))
        if kind < 0.4:
            name = str(rng.choice(UNARY))
            steps.append((name, lambda m, v, a=a, name=name: getattr(m, name)(m.abs(v[a]))))
        elif kind < 0.75:
            name = str(rng.choice(BINARY))
            steps.append((name, lambda m, v, a=a, b=b, name=name: getattr(m, name)(v[a], v[b])))
        elif kind < 0.82:
            steps.append(("where", lambda m, v, a=a, b=b, c=c: m.where(v[a] > 0.5, v[b], v[c])))
        elif kind < 0.88:
            number = float(rng.uniform(-2, 2))
            steps.append(("number", lambda m, v, a=a, number=number: v[a] * number + 1))
        elif kind < 0.92:
            name = str(rng.choice(["sum", "max", "mean"]))
            steps.append(
                (
                    name,
                    lambda m, v, a=a, name=name: (
                        getattr(m, name)(v[a], axis=-1, keepdims=True) if v[a].ndim else v[a]
                    ),
                )
            )
        elif kind < 0.96:
            steps.append(
                (
                    "transpose",
                    lambda m, v, a=a: m.transpose(m.transpose(v[a]))[..., ::-1] if v[a].ndim else v[a],
                )
            )
        else:
            to = str(rng.choice(["float16", "float32", "int32"]))
            steps.append(
                (
                    "astype",
                    lambda m, v, a=a, to=to: m.minimum(m.maximum(v[a], -100), 100).astype(getattr(m, to)),
                )
            )
        count += 1
    outputs = sorted({count - 1, *(int(i) for i in rng.integers(len(inputs), count, 2))})
    return inputs, steps, outputs


def run(steps, inputs, outputs, each=lambda x: x):
    """The values at ``outputs``."""
    found = list(inputs)
    for _, step in steps:
        found.append(each(step(mx, found)))
    return [found[i] for i in outputs]


def evaluated(x):
    """``x``, computed now."""
    mx.eval(x)
    return x


@pytest.mark.parametrize("seed", range(COUNT))
def test_program(seed: int) -> None:
    """Bit equality on mica; the wheel's compiled code may contract, so closeness there."""
    inputs, steps, outputs = draw(seed)
    names = [name for name, _ in steps]
    arrays = [values.to_array(mx, x, name) for x, name in inputs]
    stepped = run(steps, arrays, outputs, evaluated)
    lazy = run(steps, arrays, outputs)
    mx.eval(lazy)
    compiled = mx.compile(lambda *args: run(steps, args, outputs))(*arrays)
    mx.eval(compiled)
    for label, others in (("lazy", lazy), ("compiled", compiled)):
        for i, (x, y) in enumerate(zip(stepped, others, strict=True)):
            assert x.dtype == y.dtype and x.shape == y.shape, (label, i, names)
            if target.IS_MICA or label == "lazy":
                assert values.bits(x) == values.bits(y), f"{label} result {i} of {names}"


@pytest.mark.parametrize("seed", range(COUNT // 4))
def test_gradient_of_program(seed: int) -> None:
    """Gradients too: computed at once, compiled, and with a checkpoint."""
    inputs, steps, outputs = draw(seed + 10_000)
    arrays = [values.to_array(mx, x, "float32") for x, _ in inputs]

    def loss(*args):
        return sum(mx.sum(out.astype(mx.float32)) for out in run(steps, args, outputs))

    plain = mx.grad(loss, (0, 1, 2))(*arrays)
    mx.eval(plain)
    variants = {"checkpoint": mx.grad(mx.checkpoint(loss), (0, 1, 2))(*arrays)}
    if target.IS_MICA or seed < 2:
        variants["compiled"] = mx.compile(mx.grad(loss, (0, 1, 2)))(*arrays)
    for label, others in variants.items():
        for i, (x, y) in enumerate(zip(plain, others, strict=True)):
            if target.IS_MICA:
                assert values.bits(x) == values.bits(y), f"{label}, argument {i} of {[n for n, _ in steps]}"
            else:
                assert np.allclose(
                    values.to_numpy(x), values.to_numpy(y), rtol=1e-3, atol=1e-3, equal_nan=True
                ), (label, i)
