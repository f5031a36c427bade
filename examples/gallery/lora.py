"""LoRA: a network that reads digits learns to read them upside down, by training few of its numbers.

Hu et al. (2021): the weight stays frozen, and a product of two thin matrices is added to it.
"""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np
from common import Options, batches, digits, options, panels, save
from mlx.utils import tree_flatten


class LoRALinear(nn.Module):
    """A frozen linear layer and what is learned beside it."""

    def __init__(self, linear: nn.Linear, rank: int, scale: float = 4.0) -> None:
        super().__init__()
        output, inputs = linear.weight.shape
        self.linear = linear.freeze()
        self.a = mx.random.normal((inputs, rank), scale=inputs**-0.5)
        self.b = mx.zeros((rank, output))
        self.scale = scale

    def __call__(self, x: mx.array) -> mx.array:
        """The frozen map, and the low-rank one."""
        return self.linear(x) + self.scale * ((x @ self.a) @ self.b)

    def fuse(self) -> nn.Linear:
        """One linear layer that does both."""
        self.linear.weight = self.linear.weight + self.scale * (self.a @ self.b).T
        return self.linear


def train(model: nn.Module, x: mx.array, y: mx.array, steps: int, rate: float) -> None:
    """Train what is trainable."""
    optimizer = optim.Adam(learning_rate=rate)
    step = nn.value_and_grad(model, lambda x, y: nn.losses.cross_entropy(model(x), y, reduction="mean"))
    for rows, labels in batches(64, steps, x, y):
        loss, grads = step(rows, labels)
        optimizer.update(model, grads)
        del grads  # their memory is free for the update
        mx.eval(loss, model.parameters(), optimizer.state)


def accuracy(model: nn.Module, x: mx.array, y: mx.array) -> float:
    """The share of rows that are read rightly."""
    return (mx.argmax(model(x), axis=1) == y).mean().item()


def main(chosen: Options) -> None:
    """Train upright, adapt with several ranks, fuse, draw."""
    images, labels, other_images, other_labels = digits()
    x, other = images.reshape(-1, 64), other_images.reshape(-1, 64)
    turned, other_turned = x[:, ::-1], other[:, ::-1]
    base = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 10))
    train(base, x, labels, chosen.steps(400), 2e-3)
    saved = [(name, mx.array(value)) for name, value in tree_flatten(base.parameters())]
    whole = sum(value.size for _, value in saved)
    upright, before = accuracy(base, other, other_labels), accuracy(base, other_turned, other_labels)
    print(f"base: {upright:.3f} upright, {before:.3f} upside down, {whole} numbers")

    found = []
    for rank in (1, 2, 4, 8):
        base.unfreeze().load_weights(saved)
        layers = [LoRALinear(m, rank) if isinstance(m, nn.Linear) else m for m in base.layers]
        model = nn.Sequential(*layers)
        size = sum(value.size for _, value in tree_flatten(model.trainable_parameters()))
        train(model, turned, labels, chosen.steps(400), 5e-3)
        score = accuracy(model, other_turned, other_labels)
        fused = nn.Sequential(*[m.fuse() if isinstance(m, LoRALinear) else m for m in layers])
        assert abs(accuracy(fused, other_turned, other_labels) - score) < 0.01
        print(f"rank {rank}: {score:.3f} upside down, {size} numbers trained ({100 * size / whole:.0f} %)")
        found.append((100 * size / whole, score))

    figure, (left, right) = panels(2, 3)
    left.imshow(
        np.array(mx.concatenate([x[:4].reshape(-1, 8), turned[:4].reshape(-1, 8)], axis=1)), cmap="gray_r"
    )
    left.set(title="what it knows | learns", xticks=[], yticks=[])
    right.plot(*zip((0, before), *found, strict=True), "o-")
    right.axhline(upright, color="gray", lw=0.8)
    right.set(title="read upside down", xlabel="numbers trained, %", ylabel="accuracy", ylim=(0, 1))
    save(figure, chosen, "lora")


if __name__ == "__main__":
    main(options(__doc__))
