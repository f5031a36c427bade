"""An autoencoder that squeezes digits of 64 pixels into two numbers, and the map that comes of it."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np
from common import Options, batches, digits, options, panels, save


def mlp(*sizes: int) -> nn.Sequential:
    """Linear layers with GELU between them."""
    layers: list = []
    for wide, narrow in zip(sizes[:-1], sizes[1:], strict=True):
        layers += [nn.Linear(wide, narrow), nn.GELU()]
    return nn.Sequential(*layers[:-1])


class Autoencoder(nn.Module):
    """Pixels to a point in the square, and back."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = mlp(64, 128, 64, 2)
        self.decoder = mlp(2, 64, 128, 64)

    def encode(self, pixels: mx.array) -> mx.array:
        """(batch, 64) to (batch, 2), each from -1 to 1."""
        return mx.tanh(self.encoder(pixels))

    def __call__(self, pixels: mx.array) -> mx.array:
        """What is left of the pixels after the squeeze."""
        code = self.encode(pixels)
        return self.decoder(code + 0.02 * mx.random.normal(code.shape))


def main(chosen: Options) -> None:
    """Train, then draw the map and what lies on a grid of it."""
    images, _, other_images, labels = digits()
    pixels, other = images.reshape(-1, 64), other_images.reshape(-1, 64)
    model = Autoencoder()
    steps = chosen.steps(2000)
    optimizer = optim.Adam(learning_rate=optim.cosine_decay(3e-3, steps))
    step = nn.value_and_grad(model, lambda x: nn.losses.mse_loss(model(x), x))
    for (x,) in batches(256, steps, pixels):
        loss, grads = step(x)
        optimizer.update(model, grads)
        del grads  # their memory is free for the update
        mx.eval(loss, model.parameters(), optimizer.state)
    error = nn.losses.mse_loss(model(other), other).item()
    spread = mx.var(other, axis=0).mean().item()
    print(f"autoencoder: two numbers keep {100 * (1 - error / spread):.0f} % of the variance of 64")

    figure, (left, middle, right) = panels(3, 3)
    code = np.array(model.encode(other))
    dots = left.scatter(code[:, 0], code[:, 1], c=np.array(labels), cmap="tab10", s=7)
    left.set(title="297 digits", xticks=[], yticks=[])
    figure.colorbar(dots, ax=left, ticks=range(10))
    line = mx.linspace(-0.95, 0.95, 12)
    grid = mx.stack([a.flatten() for a in mx.meshgrid(line, -line)], axis=1)
    decoded = model.decoder(grid).reshape(12, 12, 8, 8).transpose(0, 2, 1, 3).reshape(96, 96)
    middle.imshow(np.array(decoded), cmap="gray_r")
    middle.set(title="the map, decoded", xticks=[], yticks=[])
    both = mx.concatenate([other[:12].reshape(6, 2, 8, 8), model(other[:12]).reshape(6, 2, 8, 8)], axis=1)
    right.imshow(np.array(both.transpose(0, 2, 1, 3).reshape(48, 32)), cmap="gray_r")
    right.set(title="before | after", xticks=[], yticks=[])
    save(figure, chosen, "autoencoder")


if __name__ == "__main__":
    main(options(__doc__))
