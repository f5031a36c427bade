"""Layers that call other layers."""

from __future__ import annotations

from collections.abc import Callable

import mica.core as mx
from mica.nn.layers.base import Module

__all__ = ["Sequential"]


class Sequential(Module):
    """Calls modules, or plain functions of an array, one after the other; they stand in ``layers``.

    Args:
        modules: the modules and functions.
    """

    def __init__(self, *modules: Callable) -> None:
        super().__init__()
        self.layers = list(modules)

    def __call__(self, x: mx.array) -> mx.array:
        for layer in self["layers"]:
            x = layer(x)
        return x
