"""A convolutional network that reads scanned digits, 8 x 8 pixels each."""

from functools import partial

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np
from common import Options, batches, digits, options, panels, save


class Reader(nn.Module):
    """Two convolutions with normalisation, then a linear layer over what is left of the image."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1, bias=False), nn.BatchNorm(16), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1, bias=False), nn.BatchNorm(32), nn.ReLU(), nn.MaxPool2d(2),
        )  # fmt: skip
        self.classify = nn.Sequential(nn.Dropout(0.2), nn.Linear(2 * 2 * 32, 10))

    def __call__(self, images: mx.array) -> mx.array:
        """Scores of the ten digits: (batch, 8, 8, 1) to (batch, 10)."""
        return self.classify(self.features(images).flatten(1))


def main(chosen: Options) -> None:
    """Train, test, and show what is read wrongly."""
    images, labels, other_images, other_labels = digits()
    model = Reader()
    steps = chosen.steps(400)
    optimizer = optim.AdamW(learning_rate=optim.cosine_decay(3e-3, steps), weight_decay=0.01)
    state = [model.state, optimizer.state, mx.random.state]

    def loss_fn(model: Reader, x: mx.array, y: mx.array) -> mx.array:
        return nn.losses.cross_entropy(model(x), y, label_smoothing=0.05, reduction="mean")

    @partial(mx.compile, inputs=state, outputs=state)
    def step(x: mx.array, y: mx.array) -> mx.array:
        loss, grads = nn.value_and_grad(model, loss_fn)(model, x, y)
        optimizer.update(model, grads)
        return loss

    losses = []
    for x, y in batches(128, steps, images, labels):
        loss = step(x, y)
        mx.eval(state)
        losses.append(loss.item())

    model.eval()
    found = mx.argmax(model(other_images), axis=1)
    right = (found == other_labels).mean().item()
    print(f"digits: accuracy on {len(other_labels)} other images {right:.3f}")

    figure, axes = panels(5)
    axes[0].plot(losses)
    axes[0].set(title=f"loss; {100 * right:.1f} % right", xlabel="step")
    # The least certain come first.
    order = np.argsort(np.array(mx.softmax(model(other_images), axis=1).max(axis=1)))
    for axis, i in zip(axes[1:], order.tolist(), strict=False):
        axis.imshow(np.array(other_images[i, :, :, 0]), cmap="gray_r")
        axis.set(title=f"{other_labels[i].item()} read as {found[i].item()}", xticks=[], yticks=[])
    save(figure, chosen, "digits")


if __name__ == "__main__":
    main(options(__doc__))
