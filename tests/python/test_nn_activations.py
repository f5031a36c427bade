"""Activation functions and their layers agree with the reference."""

from __future__ import annotations

import numpy as np
import pytest
from oracle import MICA, MLX, compare, masked, normal, same_outcome

FUNCTIONS = [
    "nn.sigmoid(x)",
    "nn.relu(x)",
    "nn.relu2(x)",
    "nn.relu6(x)",
    "nn.leaky_relu(x)",
    "nn.leaky_relu(x, 0.3)",
    "nn.leaky_relu(x, negative_slope=0.3)",
    "nn.log_softmax(x)",
    "nn.log_softmax(x, axis=0)",
    "nn.elu(x)",
    "nn.elu(x, 0.5)",
    "nn.softmax(x)",
    "nn.softmax(x, axis=0)",
    "nn.softplus(x)",
    "nn.softsign(x)",
    "nn.softshrink(x)",
    "nn.softshrink(x, lambd=1.5)",
    "nn.celu(x)",
    "nn.celu(x, alpha=0.5)",
    "nn.silu(x)",
    "nn.log_sigmoid(x)",
    "nn.gelu(x)",
    "nn.gelu_approx(x)",
    "nn.gelu_fast_approx(x)",
    "nn.glu(x)",
    "nn.glu(x, axis=0)",
    "nn.step(x)",
    "nn.step(x, threshold=0.5)",
    "nn.selu(x)",
    "nn.prelu(x, mx.array(0.2, x.dtype))",
    "nn.prelu(x, mx.full((8,), 0.2, x.dtype))",
    "nn.mish(x)",
    "nn.hardswish(x)",
    "nn.hard_tanh(x)",
    "nn.hard_tanh(x, min_val=-2.0, max_val=0.5)",
    "nn.hard_shrink(x)",
    "nn.hard_shrink(x, lambd=1.5)",
    "nn.softmin(x)",
    "nn.softmin(x, axis=0)",
    "nn.tanh(x)",
]
LAYERS = [
    "nn.CELU()", "nn.CELU(0.5)", "nn.ELU()", "nn.ELU(2.0)", "nn.GELU()", "nn.GELU('none')",
    "nn.GELU('tanh')", "nn.GELU('precise')", "nn.GELU('fast')", "nn.GLU()", "nn.GLU(0)", "nn.HardShrink()",
    "nn.HardShrink(1.0)", "nn.HardTanh()", "nn.Hardswish()", "nn.LeakyReLU()", "nn.LeakyReLU(0.2)",
    "nn.LogSigmoid()", "nn.LogSoftmax()", "nn.Mish()", "nn.PReLU()", "nn.PReLU(8, 0.1)", "nn.ReLU()",
    "nn.ReLU2()", "nn.ReLU6()", "nn.SELU()", "nn.SiLU()", "nn.Sigmoid()", "nn.Softmax()", "nn.Softmin()",
    "nn.Softplus()", "nn.Softshrink()", "nn.Softshrink(1.0)", "nn.Softsign()", "nn.Step()", "nn.Step(0.5)",
    "nn.Tanh()",
]  # fmt: skip

# Both sides of every threshold, ties, and what overflows.
SPECIAL = np.array(
    [[-np.inf, -100.0, -6.0, -3.0, -1.0, -0.5, -0.0, 0.0], [0.25, 0.5, 1.0, 1.5, 3.0, 6.0, 100.0, np.inf]],
    np.float32,
)


@pytest.mark.parametrize("program", FUNCTIONS)
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_values(program, dtype):
    x = 3 * normal(6, 8)
    compare(MICA.run(program, x=MICA.array(x, dtype)), MLX.run(program, x=MLX.array(x, dtype)), scale=2.0)


@pytest.mark.parametrize("program", [p for p in FUNCTIONS if "soft" not in p or "softplus" in p])
def test_special_values(program):
    compare(MICA.run(program, x=MICA.array(SPECIAL)), MLX.run(program, x=MLX.array(SPECIAL)))


@pytest.mark.parametrize("program", FUNCTIONS)
def test_integers(program):
    x = np.arange(-8, 8, dtype=np.int32).reshape(2, 8)
    if "prelu" in program:
        program = program.replace("x.dtype", "mx.float32")
    compare(MICA.run(program, x=MICA.array(x)), MLX.run(program, x=MLX.array(x)), scale=2.0)


@pytest.mark.parametrize("program", [p for p in FUNCTIONS if "step" not in p])
def test_gradients(program):
    x = np.concatenate([3 * normal(6, 8), np.zeros((2, 8), np.float32)])

    def gradient(side):
        return side.mx.grad(lambda x: (side.run(program, x=x) * side.mx.cos(x)).sum())(side.array(x))

    if "glu(" in program and "nn.glu" in program:
        program = program.replace("nn.glu(", "mx.repeat(nn.glu(").removesuffix(")")
        program += "), 2, axis=0)" if "axis=0" in program else "), 2, axis=-1)"
    compare(gradient(MICA), gradient(MLX), scale=10.0)


@pytest.mark.parametrize("constructor", LAYERS)
def test_layers(constructor):
    def program(side):
        layer = side.run(constructor)
        return layer(side.array(3 * normal(6, 8))), layer.parameters(), masked(repr(layer))

    compare(program(MICA), program(MLX), scale=2.0)


@pytest.mark.parametrize("program", ["nn.relu(2.0)", "nn.silu(mx.array(1.0)).shape", "nn.glu(mx.ones((3,)))"])
def test_edges(program):
    same_outcome(program)


@pytest.mark.parametrize("name", ["elu", "selu", "celu", "gelu", "silu", "mish", "softplus", "log_sigmoid"])
def test_derivatives_of_large_numbers(name):
    """They are finite; those of elu and selu are not in the reference."""
    mx, nn = MICA.mx, MICA.nn
    x = mx.array([-1e30, -200.0, -1e-6, 0.0, 1e-6, 200.0, 1e30])
    gradient = mx.grad(lambda x: getattr(nn, name)(x).sum())(x)
    assert np.isfinite(np.array(gradient)).all(), gradient
    assert (
        abs(gradient[-2].item() - getattr(nn, name)(mx.array(201.0)).item() + getattr(nn, name)(x[-2]).item())
        < 1e-3
    )
