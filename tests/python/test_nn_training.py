"""Twenty training steps from the same seed end where the reference's do, for every layer and optimizer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from oracle import MICA, MLX, compare, normal
from test_nn_layers import IDS, LAYERS

# Every layer is trained by one of these, in turn: those whose steps do not magnify rounding.
OPTIMIZERS = [
    "SGD(0.05, momentum=0.9)",
    "Adam(0.01, eps=1e-3)",
    "AdamW(0.01, eps=1e-3, bias_correction=True)",
    "RMSprop(0.01, eps=1e-2)",
    "Adagrad(0.02, eps=1e-2)",
    "AdaDelta(0.5, eps=1e-3)",
    "Adamax(0.01, eps=1e-2)",
    "Adafactor(0.01, relative_step=False, eps=(1e-4, 1e-2))",
]
STEPS = 20


def train(side: Any, constructor: str, optimizer: str, inputs: list[np.ndarray], call: str) -> Any:
    """The losses and what the model is in the end, with all its running statistics."""
    mx, nn = side.mx, side.nn
    mx.random.seed(7)
    model = side.run(constructor)
    x = side.arrays(inputs)
    rule = side.run("optim." + optimizer)

    def loss() -> Any:
        outputs = side.run(call, m=model, x=x)
        outputs = outputs if isinstance(outputs, tuple) else (outputs,)
        return sum(mx.mean(mx.square(y - mx.cos(mx.arange(y.size)).reshape(y.shape))) for y in outputs)

    step = nn.value_and_grad(model, loss)
    losses = []
    for _ in range(STEPS):
        value, gradients = step()
        rule.update(model, gradients)
        mx.eval(value, model.parameters(), rule.state)
        losses.append(value)
    return losses, model.parameters()


def is_trainable(constructor: str) -> bool:
    """Whether a layer has parameters and is in training mode."""
    return "eval()" not in constructor and bool(
        MICA.utils.tree_flatten(MICA.run(constructor).trainable_parameters())
    )


TRAINABLE = [
    pytest.param(constructor, inputs, call, OPTIMIZERS[i % len(OPTIMIZERS)], id=name)
    for i, ((constructor, inputs, call), name) in enumerate(zip(LAYERS, IDS, strict=True))
    if is_trainable(constructor)
]


@pytest.mark.parametrize(("constructor", "inputs", "call", "optimizer"), TRAINABLE)
def test_every_layer(constructor: str, inputs: list[np.ndarray], call: str, optimizer: str) -> None:
    """Losses and parameters after twenty steps."""
    got, want = (train(side, constructor, optimizer, inputs, call) for side in (MICA, MLX))
    compare(got, want, scale=500.0)


NETWORKS = {
    "image": (
        # No bias before BatchNorm: its gradient is nothing but rounding.
        "nn.Sequential(nn.Conv2d(4, 8, 3, padding=1, bias=False), nn.BatchNorm(8), nn.ReLU(), "
        "nn.Dropout(0.1), nn.MaxPool2d(2), nn.ConvTranspose2d(8, 4, 2, stride=2), nn.GroupNorm(2, 4), "
        "nn.GELU(), nn.Upsample(2, 'linear'))",
        [normal(2, 6, 6, 4)],
    ),
    "text": (
        "nn.Sequential(nn.Linear(8, 8), nn.GRU(8, 8), nn.LayerNorm(8), nn.SiLU(), nn.RMSNorm(8), "
        "nn.Linear(8, 4))",
        [normal(2, 5, 8)],
    ),
    "attention": ("nn.Transformer(8, 2, 1, 1, 16)", [normal(2, 6, 8), normal(2, 5, 8)]),
}
ALL = [*OPTIMIZERS, "Lion(1e-3)", "Muon(0.02)", "SGD(0.05, 0.9, 0.01, 0, True)", "Adafactor()"]
ALL.append("MultiOptimizer([optim.Muon(0.02), optim.AdamW(0.01)], [lambda path, g: g.ndim == 2])")


@pytest.mark.parametrize("network", ["image", "text", pytest.param("attention", marks=pytest.mark.long)])
@pytest.mark.parametrize("optimizer", ALL)
def test_every_optimizer(network: str, optimizer: str) -> None:
    """Small networks of many layers."""
    constructor, inputs = NETWORKS[network]
    call = "m(*x, None, None, None)" if network == "attention" else "m(*x)"
    (losses, model), (their_losses, theirs) = (
        train(side, constructor, optimizer, inputs, call) for side in (MICA, MLX)
    )
    # The sign of a gradient near zero flips with its rounding; Muon makes small singular values large.
    is_rough = any(name in optimizer for name in ("Lion", "Muon"))
    compare(losses, their_losses, scale=5000.0 if is_rough else 500.0)
    if not is_rough:
        compare(model, theirs, scale=5000.0)
