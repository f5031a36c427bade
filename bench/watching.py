"""What watching costs: the training step of the benchmark's language model, and one of a model so small that
nearly all its time goes into building, with the doctor on and off.

python -m mica bench/watching.py [rounds]

Rounds alternate, so that both see the same machine; the promise is at most 10% more for the language model.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from mica import doctor  # noqa: E402
from works.language_model import mlx_train  # noqa: E402


def times(work, count: int) -> list[float]:
    """Seconds of each of some calls."""
    taken = []
    for _ in range(count):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return taken


def small_train(width: int = 64, batch: int = 32) -> Callable[[], object]:
    """A training step of four small layers: about 300 nodes of 2048 elements."""
    import mica.core as mx
    from mica import nn, optimizers

    layers = [m for _ in range(4) for m in (nn.Linear(width, width), nn.LayerNorm(width), nn.GELU())]
    model, optimizer = nn.Sequential(*layers), optimizers.AdamW(1e-3)
    x, y = mx.random.normal((batch, width)), mx.random.normal((batch, width))
    mx.eval(model.parameters(), x, y)
    loss_and_grad = nn.value_and_grad(model, lambda x, y: nn.losses.mse_loss(model(x), y))

    def update() -> mx.array:
        loss, grads = loss_and_grad(x, y)
        optimizer.update(model, grads)
        return loss

    return lambda: mx.eval(update(), model.state, optimizer.state)


def main(rounds: int) -> None:
    """Print both times and their ratio, for each step."""
    for name, step, count in (
        ("language model", mlx_train(compiled=False), 5),
        ("four small layers", small_train(), 50),
    ):
        times(step, count)
        off: list[float] = []
        on: list[float] = []
        for _ in range(rounds):
            off += times(step, count)
            with doctor.watch() as report:
                on += times(step, count)
        print(f"{name}: off {1e3 * min(off):.2f} ms, on {1e3 * min(on):.2f} ms (least of {len(on)} steps)")
        print(
            f"  ratio of the least {min(on) / min(off):.3f}, of the medians "
            f"{statistics.median(on) / statistics.median(off):.3f}"
        )
        print(f"  findings: {[f.rule for f in report.findings]} (none)")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10)
