"""Layers that tell attention where a token stands."""

from __future__ import annotations

import math

import mica.core as mx
from mica.nn.layers.base import Module

__all__ = ["ALiBi", "RoPE", "SinusoidalPositionalEncoding"]


class RoPE(Module):
    """Rotary positions: rotates pairs of features by angles that grow with the position.

    Args:
        dims: how many of the features are rotated, an even number; the others pass.
        traditional: pairs are neighbours; otherwise a feature is paired with that ``dims / 2`` further on.
        base: the longest period, in units of 2 pi.
        scale: multiplies positions.
    """

    def __init__(self, dims: int, traditional: bool = False, base: float = 10000, scale: float = 1.0) -> None:
        super().__init__()
        self.dims = dims
        self.traditional = traditional
        self.base = base
        self.scale = scale

    def _extra_repr(self) -> str:
        return f"{self.dims}, traditional={self.traditional}"

    def __call__(self, x: mx.array, offset: int | mx.array = 0) -> mx.array:
        """Rotate ``x`` of shape ``(..., length, features)``, whose first position is ``offset``."""
        return mx.fast.rope(
            x,
            self.dims,
            traditional=self.traditional,
            base=self.base,
            scale=self.scale,
            offset=offset,
        )


class SinusoidalPositionalEncoding(Module):
    """Sines and cosines of positions, of frequencies that fall geometrically.

    Args:
        dims: how many features, an even number; half are sines.
        min_freq: the lowest frequency.
        max_freq: the highest frequency.
        scale: multiplies the features; None: the root of ``2 / dims``.
        cos_first: cosines before sines.
        full_turns: frequencies count turns, not radians.

    Raises:
        ValueError: ``dims`` is odd or not positive.
    """

    def __init__(
        self,
        dims: int,
        min_freq: float = 0.0001,
        max_freq: float = 1,
        scale: float | None = None,
        cos_first: bool = False,
        full_turns: bool = False,
    ) -> None:
        super().__init__()
        if dims <= 0 or dims % 2:
            raise ValueError(
                f"[SinusoidalPositionalEncoding] dims must be a positive even number, but {dims} was given."
            )
        half = dims // 2
        fraction = 1 - mx.arange(0, half) / max(half - 1, 1)
        frequencies = mx.exp(fraction * (math.log(max_freq) - math.log(min_freq)) + math.log(min_freq))
        if full_turns:
            frequencies = frequencies * (2 * math.pi)
        self._sigmas = frequencies
        self.scale = scale or (2 / dims) ** 0.5
        self.cos_first = cos_first

    def __call__(self, x: mx.array) -> mx.array:
        """Map positions ``x`` of any shape to features of shape ``x.shape + (dims,)``."""
        angle = x[..., None] * self._sigmas
        cosine, sine = mx.cos(angle), mx.sin(angle)
        features = mx.concatenate([cosine, sine] if self.cos_first else [sine, cosine], axis=-1)
        return features if self.scale == 1 else features * self.scale


class ALiBi(Module):
    """Attention with linear biases: each score loses the distance of its tokens times a slope a head."""

    @staticmethod
    def create_alibi_matrix(
        q_sequence_length: int,
        k_sequence_length: int,
        num_heads: int,
        offset: int = 0,
        dtype: mx.Dtype = mx.float32,
    ) -> mx.array:
        """The biases of all heads.

        Args:
            q_sequence_length: where the queries end.
            k_sequence_length: how many keys.
            num_heads: how many heads.
            offset: position of the first query.
            dtype: dtype of the result.

        Returns:
            Shape ``(1, num_heads, q_sequence_length - offset, k_sequence_length)``.
        """
        queries = mx.arange(offset, q_sequence_length)
        keys = mx.arange(0, k_sequence_length)
        distance = mx.abs(queries[:, None] - keys[None, :]).astype(dtype)
        return -distance * ALiBi.create_alibi_slope(num_heads=num_heads, dtype=dtype)[None]

    @staticmethod
    def create_alibi_slope(num_heads: int, dtype: mx.Dtype = mx.float32) -> mx.array:
        """The slope of each head, shape ``(num_heads, 1, 1)``: a geometric row that ends at 1/256.

        Where ``num_heads`` is no power of two, the row of the next lower power is filled up with every other
        slope of the next higher one.
        """
        power = 2 ** math.floor(math.log2(num_heads))

        def row(count: int) -> list[float]:
            return [2 ** (-8 * (i + 1) / count) for i in range(count)]

        slopes = row(power) + row(2 * power)[::2][: num_heads - power]
        return mx.array(slopes, dtype=dtype)[:, None, None]

    def __call__(self, attention_scores: mx.array, offset: int = 0, mask: mx.array | None = None) -> mx.array:
        """Add the biases, and ``mask`` if given, to scores of shape ``(batch, heads, queries, keys)``."""
        biases = ALiBi.create_alibi_matrix(
            q_sequence_length=attention_scores.shape[-2] + offset,
            k_sequence_length=attention_scores.shape[-1],
            num_heads=attention_scores.shape[1],
            offset=offset,
            dtype=attention_scores.dtype,
        )
        return attention_scores + (biases if mask is None else biases + mask)
