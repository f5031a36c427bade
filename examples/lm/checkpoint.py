"""A run's whole state in one file, replaced atomically: a killed save leaves the previous checkpoint."""

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from mlx.utils import tree_flatten, tree_unflatten


@dataclass
class Progress:
    """How far a run is: settings, losses of all steps, and what was measured on the held-out text."""

    settings: Mapping[str, object]
    losses: list[float] = field(default_factory=list)
    held_out: list[tuple[int, float]] = field(default_factory=list)

    @property
    def step(self) -> int:
        """The number of steps that are done."""
        return len(self.losses)


def write_atomically(path: Path, data: bytes) -> None:
    """Replace a file in one step."""
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_bytes(data)
    os.replace(temporary, path)


def save_arrays(path: Path, arrays: Iterable[tuple[str, mx.array]], about: dict[str, str]) -> None:
    """Write a safetensors file in one step; `path` ends in .safetensors."""
    temporary = path.with_name(f".tmp.{path.name}")
    mx.save_safetensors(str(temporary), dict(arrays), metadata=about)
    os.replace(temporary, path)


def save(path: Path, model: nn.Module, optimizer: optim.Optimizer, progress: Progress) -> None:
    """Write weights, optimizer state, random state and progress together."""
    state = {"model": model.parameters(), "optimizer": optimizer.state, "random": mx.random.state[0]}
    save_arrays(path, tree_flatten(state), {"progress": json.dumps(asdict(progress))})


def read_progress(path: Path) -> Progress:
    """What a checkpoint says about its run, without its arrays."""
    _, about = mx.load(str(path), return_metadata=True)
    try:
        saved = json.loads(about["progress"])
        held_out = [(step, bits) for step, bits in saved["held_out"]]
        return Progress(saved["settings"], saved["losses"], held_out)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is not a checkpoint of this program") from error


def restore(path: Path, model: nn.Module, optimizer: optim.Optimizer) -> None:
    """Put weights, optimizer state and random state back."""
    state = tree_unflatten(list(mx.load(str(path)).items()))
    model.update(state["model"])
    optimizer.state = state["optimizer"]
    high, low = state["random"].tolist()
    mx.random.seed((high << 32) | low)  # the seed's two halves are the key
    mx.eval(model.state, optimizer.state)
