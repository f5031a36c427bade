"""Optimizers: they make new parameters of parameters and gradients, and keep their state in a tree."""

from __future__ import annotations

from mica.optimizers.adaptive import AdaDelta, Adagrad, Adam, Adamax, AdamW, RMSprop
from mica.optimizers.base import MultiOptimizer, Optimizer, clip_grad_norm
from mica.optimizers.factored import Adafactor, Muon
from mica.optimizers.momentum import SGD, Lion

__all__ = [
    "AdaDelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Lion",
    "MultiOptimizer",
    "Muon",
    "Optimizer",
    "RMSprop",
    "SGD",
    "clip_grad_norm",
]
