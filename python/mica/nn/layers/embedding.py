"""Learned vectors for whole numbers."""

from __future__ import annotations

import math

import mica.core as mx
from mica.nn.layers.base import Module
from mica.nn.layers.quantized import QuantizedEmbedding

__all__ = ["Embedding"]


class Embedding(Module):
    r"""A table of vectors, looked up by index.

    Args:
        num_embeddings: how many vectors.
        dims: size of a vector.

    ``weight`` has shape ``(num_embeddings, dims)`` and is drawn from a normal distribution of deviation
    :math:`1 / \sqrt{\text{dims}}`.
    """

    def __init__(self, num_embeddings: int, dims: int) -> None:
        super().__init__()
        self.weight = mx.random.normal(shape=(num_embeddings, dims), scale=math.sqrt(1 / dims))

    def _extra_repr(self) -> str:
        num_embeddings, dims = self.weight.shape
        return f"{num_embeddings}, {dims}"

    def __call__(self, x: mx.array) -> mx.array:
        """Map indices ``x`` of any shape to vectors of shape ``x.shape + (dims,)``."""
        return self["weight"][x]

    def as_linear(self, x: mx.array) -> mx.array:
        """Use the table as the weight of a linear layer: ``(..., dims)`` to ``(..., num_embeddings)``."""
        return x @ self["weight"].T

    def to_quantized(
        self,
        group_size: int | None = None,
        bits: int | None = None,
        mode: str = "affine",
        quantize_input: bool = False,
    ) -> Module:
        """The layer with its weight in few bits: ``QuantizedEmbedding``."""
        if quantize_input:
            raise ValueError("Quantized input is not supported.")
        return QuantizedEmbedding.from_embedding(self, group_size, bits, mode)
