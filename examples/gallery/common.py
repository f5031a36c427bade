"""What the examples of the gallery share: options, batches, and pictures."""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import mlx.core as mx
import numpy as np
from PIL import Image


@dataclass(frozen=True)
class Options:
    """How an example is run."""

    short: bool
    out: Path

    def steps(self, many: int) -> int:
        """So many steps, or a few in a short run."""
        return max(many // 20, 2) if self.short else many


def options(doc: str | None) -> Options:
    """Read the command line; seed the random numbers."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="a few steps only, to see that it runs")
    parser.add_argument("--out", type=Path, default=Path("."), help="folder for the picture")
    chosen = parser.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    mx.random.seed(0)
    return Options(chosen.short, chosen.out)


def batches(size: int, steps: int, *arrays: mx.array) -> Iterator[tuple[mx.array, ...]]:
    """The same randomly drawn rows of all arrays, so many times."""
    for _ in range(steps):
        rows = mx.random.randint(0, arrays[0].shape[0], (size,))
        yield tuple(array[rows] for array in arrays)


def digits() -> tuple[mx.array, mx.array, mx.array, mx.array]:
    """Scanned digits, 8 x 8, of scikit-learn: 1500 images and labels to learn from, 297 to test."""
    from sklearn.datasets import load_digits  # type: ignore[import-untyped]

    pixels, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(labels))
    images = mx.array(pixels[order].reshape(-1, 8, 8, 1) / 16, dtype=mx.float32)
    classes = mx.array(labels[order], dtype=mx.int32)
    return images[:1500], classes[:1500], images[1500:], classes[1500:]


def panels(count: int, width: float = 2.6, height: float = 2.6) -> tuple[Any, Any]:
    """A figure with so many panels in a row."""
    figure, axes = plt.subplots(
        1, count, figsize=(width * count, height), layout="constrained", squeeze=False
    )
    return figure, axes[0]


def save(figure: Any, chosen: Options, name: str) -> None:
    """Write the picture, in 64 colours, and say where."""
    path = chosen.out / f"{name}.png"
    figure.savefig(path, dpi=72)
    with Image.open(path) as picture:
        few = picture.convert("RGB").quantize(64)
    few.save(path, optimize=True)
    print(f"picture: {path}")
