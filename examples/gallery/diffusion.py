"""A diffusion model of points in the plane: it learns to take noise away, and makes a spiral of noise."""

import math
from functools import partial

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np
from common import Options, options, panels, save

LEVELS = 100
# How much of the point is left after each level of noise: the cosine schedule of Nichol and Dhariwal (2021).
KEPT = mx.cos((mx.arange(1, LEVELS + 1) / LEVELS) * (math.pi / 2) * 0.99) ** 2
mx.eval(KEPT)  # the compiled step reads it


def spiral(count: int) -> mx.array:
    """Points of one and a half turns of a spiral, with a little noise."""
    turn = mx.sqrt(mx.random.uniform(low=0.1, shape=(count,))) * 3 * math.pi
    points = mx.stack([turn * mx.cos(turn), turn * mx.sin(turn)], axis=1) / 5
    return points + 0.03 * mx.random.normal((count, 2))


class Denoiser(nn.Module):
    """Guesses the noise in a point, given the level."""

    def __init__(self, width: int = 128) -> None:
        super().__init__()
        self.level = nn.SinusoidalPositionalEncoding(32, scale=1.0)
        self.layers = [nn.Linear(34, width), nn.Linear(width, width), nn.Linear(width, width)]
        self.out = nn.Linear(width, 2)

    def __call__(self, points: mx.array, level: mx.array) -> mx.array:
        """(batch, 2) and (batch,) to (batch, 2)."""
        h = mx.concatenate([points, self.level(level.astype(mx.float32))], axis=1)
        for layer in self.layers:
            h = nn.silu(layer(h))
        return self.out(h)


def sample(model: Denoiser, count: int) -> list[mx.array]:
    """From noise to points, all stages (Ho, Jain and Abbeel, 2020, algorithm 2)."""
    x = mx.random.normal((count, 2))
    stages = [x]
    shares = [1.0, *KEPT.tolist()]
    for t in reversed(range(LEVELS)):
        before, kept = shares[t], shares[t + 1]
        step = 1 - kept / before
        noise = model(x, mx.full((count,), t))
        x = (x - step / math.sqrt(1 - kept) * noise) / math.sqrt(1 - step)
        if t:
            x = x + math.sqrt(step * (1 - before) / (1 - kept)) * mx.random.normal(x.shape)
        mx.eval(x)
        stages.append(x)
    return stages


def main(chosen: Options) -> None:
    """Train on fresh points, sample, draw."""
    model = Denoiser()
    steps = chosen.steps(4000)
    optimizer = optim.Adam(learning_rate=optim.cosine_decay(2e-3, steps))
    state = [model.state, optimizer.state, mx.random.state]

    @partial(mx.compile, inputs=state, outputs=state)
    def step() -> mx.array:
        points, level = spiral(512), mx.random.randint(0, LEVELS, (512,))
        noise, kept = mx.random.normal(points.shape), KEPT[level][:, None]
        noisy = mx.sqrt(kept) * points + mx.sqrt(1 - kept) * noise
        loss, grads = nn.value_and_grad(model, lambda: nn.losses.mse_loss(model(noisy, level), noise))()
        optimizer.update(model, grads)
        return loss

    loss = step()
    for _ in range(steps - 1):
        loss = step()
        mx.eval(state)
    stages = sample(model, 1500)
    truth = spiral(1500)
    distance = mx.sqrt(((stages[-1][:, None] - truth[None]) ** 2).sum(axis=-1)).min(axis=1).mean().item()
    print(f"diffusion: loss {loss.item():.3f}, mean distance of a sample to the spiral {distance:.3f}")

    figure, axes = panels(5, 2, 2.3)
    for axis, share in zip(axes, (0, 0.5, 0.75, 0.9, 1), strict=True):
        at = np.array(stages[round(share * LEVELS)])
        axis.scatter(at[:, 0], at[:, 1], s=1)
        axis.set(
            xlim=(-2.5, 2.5), ylim=(-2.5, 2.5), xticks=[], yticks=[], title=f"step {round(share * LEVELS)}"
        )
    save(figure, chosen, "diffusion")


if __name__ == "__main__":
    main(options(__doc__))
