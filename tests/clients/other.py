"""Packages beside mlx_lm, run on mica or on the wheel: graphs, speech, optimizers.

other.py graphs|speech|optimizers OUTPUT.npz

Weights, graphs and sounds are made by NumPy from fixed seeds, so both sides compute on the same numbers.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers
import numpy as np
from mlx.utils import tree_flatten, tree_unflatten

Results = dict[str, np.ndarray]


def fill(module: nn.Module, seed: int, scale: float = 0.2) -> None:
    """Random weights, the same on both sides."""
    random = np.random.default_rng(seed)
    weights = [
        (name, mx.array(random.standard_normal(value.shape, np.float32) * np.float32(scale)))
        for name, value in sorted(tree_flatten(module.parameters()), key=lambda pair: pair[0])
        if value.dtype == mx.float32
    ]
    module.update(tree_unflatten(weights))


def train(
    model: nn.Module, loss: Callable[[nn.Module], mx.array], optimizer: mlx.optimizers.Optimizer, steps: int
) -> np.ndarray:
    """The loss of each step."""
    step = nn.value_and_grad(model, loss)
    losses = []
    for _ in range(steps):
        value, gradients = step(model)
        optimizer.update(model, gradients)
        mx.eval(model.parameters(), optimizer.state)
        losses.append(value.item())
    return np.array(losses)


def graphs() -> Results:
    """mlx_graphs: every convolution forward and trained on Zachary's karate club, pools and norms."""
    # The dataset keeps a pickle of itself where the program was started.
    os.chdir(tempfile.mkdtemp(prefix="mica-clients-"))
    from mlx_graphs import nn as layers
    from mlx_graphs.data import GraphData
    from mlx_graphs.data.batch import batch
    from mlx_graphs.datasets import KarateClubDataset

    club = KarateClubDataset()[0]
    edges, count = club.edge_index, 34
    random = np.random.default_rng(0)
    features = mx.array(random.standard_normal((count, 16), np.float32))
    labels = mx.array(random.integers(0, 2, count))
    hidden = 8
    kinds = {
        "gcn": lambda: layers.GCNConv(16, hidden),
        "gcn_loops": lambda: layers.GCNConv(16, hidden, add_self_loops=True),
        "gat": lambda: layers.GATConv(16, hidden // 2, heads=2),
        "gatv2": lambda: layers.GATv2Conv(16, hidden // 2, heads=2),
        "sage": lambda: layers.SAGEConv(16, hidden),
        "gin": lambda: layers.GINConv(nn.Sequential(nn.Linear(16, hidden), nn.ReLU()), learn_eps=True),
    }
    out: Results = {}
    for name, make in kinds.items():
        convolution, head = make(), nn.Linear(hidden, 2)
        model = nn.Sequential(convolution, head)
        fill(model, 3)

        def loss(model: nn.Module) -> mx.array:
            first, last = model.layers
            scores = last(nn.relu(first(edges, features)))
            return nn.losses.cross_entropy(scores, labels, reduction="mean")

        out[name] = np.array(convolution(edges, features))
        out[f"{name}_losses"] = train(model, loss, mlx.optimizers.Adam(1e-2), 20)
    parts = [
        GraphData(
            edge_index=mx.array(random.integers(0, n, (2, 3 * n))),
            node_features=mx.array(random.standard_normal((n, 4), np.float32)),
        )
        for n in (5, 9, 2)
    ]
    joined = batch(parts)
    for name in ("global_add_pool", "global_max_pool", "global_mean_pool"):
        out[name] = np.array(getattr(layers, name)(joined.node_features, joined.batch_indices))
    norms = [layers.BatchNormalization(4), layers.LayerNormalization(4, mode="node")]
    for norm in [*norms, layers.InstanceNormalization(4)]:
        out[type(norm).__name__] = np.array(norm(joined.node_features))
    return out


def speech() -> Results:
    """mlx_whisper: a whole transcription of 35 seconds of noise and tones, by a model of random weights."""
    import mlx_whisper
    from mlx_whisper.audio import log_mel_spectrogram
    from mlx_whisper.load_models import load_model
    from mlx_whisper.whisper import ModelDimensions, Whisper

    size = {"n_mels": 80, "n_audio_ctx": 1500, "n_audio_state": 64, "n_audio_head": 2, "n_audio_layer": 2}
    size |= {"n_vocab": 51865, "n_text_ctx": 448, "n_text_state": 64, "n_text_head": 2, "n_text_layer": 2}
    random = np.random.default_rng(5)
    time = np.arange(16000 * 35) / 16000
    sound = 0.3 * np.sin(2 * np.pi * 440 * time * (1 + time / 40)) + 0.05 * random.standard_normal(time.size)
    sound = sound.astype(np.float32)
    mel = log_mel_spectrogram(sound, padding=480000)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "config.json").write_text(json.dumps(size))
        made = Whisper(ModelDimensions(**size), mx.float32)
        fill(made, 9, 0.1)
        made.save_weights(str(Path(folder) / "weights.safetensors"))
        model = load_model(folder)
        tokens = mx.array([[50258, 50259, 50359, 50363, 400, 500, 600]])
        logits, heads = model.forward_with_cross_qk(mel[None, :3000], tokens)
        options = {"path_or_hf_repo": folder, "temperature": 0.0, "fp16": False, "verbose": None}
        options |= {"sample_len": 12, "no_speech_threshold": None, "logprob_threshold": None}
        found = mlx_whisper.transcribe(sound, word_timestamps=True, language="en", **options)
        language = mlx_whisper.transcribe(sound[:16000], **options)["language"]
    return {
        "mel": np.array(mel[:400]),
        "logits": np.array(logits),
        "heads": np.array(heads[-1]),
        "tokens": np.array([token for part in found["segments"] for token in part["tokens"]]),
        "language": np.array(language),
    }


def optimizers() -> Results:
    """mlx_optimizers: 20 steps of each on a small network."""
    import mlx_optimizers

    random = np.random.default_rng(1)
    x = mx.array(random.standard_normal((64, 8), np.float32))
    y = mx.array(random.standard_normal((64, 2), np.float32))

    def loss(model: nn.Module) -> mx.array:
        return nn.losses.mse_loss(model(x), y)

    out: Results = {}
    for name in ("ADOPT", "DiffGrad", "Lamb", "MADGRAD", "MARS", "Muon", "QHAdam", "Shampoo"):
        mx.random.seed(3)
        model = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 2))
        fill(model, 2)
        out[name] = train(model, loss, getattr(mlx_optimizers, name)(learning_rate=1e-2), 20)
    return out


if __name__ == "__main__":
    with open(sys.argv[2], "wb") as file:
        np.savez(file, **{"graphs": graphs, "speech": speech, "optimizers": optimizers}[sys.argv[1]]())
