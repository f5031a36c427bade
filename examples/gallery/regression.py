"""Linear and logistic regression by gradient descent, against the solutions known in closed form.

Diabetes (442 patients, 10 measurements, progress of the disease) and breast cancer (569 tumours, 30
measurements, malignant or not), both of scikit-learn.
"""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np
from common import Options, options, panels, save
from sklearn.datasets import load_breast_cancer, load_diabetes  # type: ignore[import-untyped]


def standard(x: np.ndarray) -> mx.array:
    """Columns of mean 0 and deviation 1."""
    return mx.array((x - x.mean(axis=0)) / x.std(axis=0), dtype=mx.float32)


def fit(model: nn.Module, loss_fn, x: mx.array, y: mx.array, steps: int) -> list[float]:
    """Train on everything at once; the loss of every step."""
    optimizer = optim.SGD(learning_rate=optim.cosine_decay(0.2, steps), momentum=0.9)
    step = nn.value_and_grad(model, loss_fn)
    losses = []
    for _ in range(steps):
        loss, grads = step(model, x, y)
        optimizer.update(model, grads)
        del grads  # their memory is free for the update
        mx.eval(model.parameters(), optimizer.state)
        losses.append(loss.item())
    return losses


def main(chosen: Options) -> None:
    """Fit both, compare, draw."""
    x, y = (standard(np.asarray(a)) for a in load_diabetes(return_X_y=True))
    linear = nn.Linear(10, 1)
    fit(linear, lambda m, x, y: nn.losses.mse_loss(m(x)[:, 0], y), x, y, chosen.steps(400))
    exact, *_ = np.linalg.lstsq(np.array(x), np.array(y), rcond=None)
    gap = np.abs(np.array(linear.weight[0]) - exact).max()
    print(f"linear: largest difference of a weight from the exact solution {gap:.1e}")

    pixels, classes = load_breast_cancer(return_X_y=True)
    x2, y2 = standard(pixels), mx.array(classes, dtype=mx.float32)
    logistic = nn.Linear(30, 1)
    loss_fn = lambda m, x, y: (  # noqa: E731
        nn.losses.binary_cross_entropy(m(x)[:, 0], y) + 0.01 * mx.square(m.weight).sum()
    )
    losses = fit(logistic, loss_fn, x2[:400], y2[:400], chosen.steps(400))
    right = ((logistic(x2[400:])[:, 0] > 0) == (y2[400:] > 0)).mean().item()
    print(f"logistic: accuracy on 169 other tumours {right:.3f}")

    figure, (left, middle, last) = panels(3)
    left.scatter(np.array(y), np.array(linear(x)[:, 0]), s=4)
    left.axline((0, 0), slope=1, color="gray", lw=0.8)
    left.set(title="diabetes", xlabel="progress", ylabel="predicted")
    middle.plot(losses)
    middle.set(title="tumours: loss", xlabel="step", yscale="log")
    scores = np.array(logistic(x2[400:])[:, 0])
    truth = np.array(y2[400:]) > 0
    last.hist([scores[truth], scores[~truth]], bins=20, stacked=True, label=["benign", "malignant"])
    last.set(title=f"score, {100 * right:.0f} % right", xlabel="score")
    last.legend(fontsize=7)
    save(figure, chosen, "regression")


if __name__ == "__main__":
    main(options(__doc__))
