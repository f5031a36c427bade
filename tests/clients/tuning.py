"""Fine-tune a checkpoint through mlx_lm.lora and write down the loss of every step.

tuning.py LOSSES.json ADAPTERS MODEL DATA KIND RATE STEPS

The numbers that mlx_lm prints have three digits; its callback has them all.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace

from mlx_lm import lora
from mlx_lm.tuner.callbacks import TrainingCallback


class Recorder(TrainingCallback):
    """Keeps the loss of each report."""

    def __init__(self) -> None:
        self.losses: list[float] = []

    def on_train_loss_report(self, info: dict) -> None:
        """A training step."""
        self.losses.append(info["train_loss"])


if __name__ == "__main__":
    output, adapters, model, data, kind, rate, steps = sys.argv[1:]
    recorder = Recorder()
    lora.get_reporting_callbacks = lambda *_, **__: recorder
    options = lora.CONFIG_DEFAULTS | {
        "model": model,
        "data": data,
        "adapter_path": adapters,
        "train": True,
        "fine_tune_type": kind,
        "learning_rate": float(rate),
        "iters": int(steps),
        "optimizer": "adamw",
        "num_layers": 2,
        "batch_size": 8,
        "max_seq_length": 128,
        "val_batches": 1,
        "steps_per_report": 1,
        "steps_per_eval": 1000,
        "seed": 3,
    }
    lora.run(SimpleNamespace(**options))
    Path(output).write_text(json.dumps(recorder.losses))
