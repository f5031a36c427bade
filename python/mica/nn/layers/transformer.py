"""Attention, and the transformer built from it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mica.core as mx
from mica.nn.layers.activations import relu
from mica.nn.layers.base import Module
from mica.nn.layers.dropout import Dropout
from mica.nn.layers.linear import Linear
from mica.nn.layers.normalization import LayerNorm
from mica.nn.utils import checkpoint

__all__ = [
    "MultiHeadAttention",
    "Transformer",
    "TransformerDecoder",
    "TransformerDecoderLayer",
    "TransformerEncoder",
    "TransformerEncoderLayer",
]


class MultiHeadAttention(Module):
    """Scaled dot product attention in several heads, with linear maps before and after.

    Args:
        dims: size of the queries and keys of all heads together, and what the other sizes are by default.
        num_heads: how many heads; divides ``dims`` and ``value_dims``.
        query_input_dims: size of the queries that come in.
        key_input_dims: size of the keys that come in.
        value_input_dims: size of the values that come in; by default that of the keys.
        value_dims: size of the values of all heads together.
        value_output_dims: size of what goes out.
        bias: whether the linear maps have biases.

    Raises:
        ValueError: ``num_heads`` does not divide ``dims``.
    """

    def __init__(
        self,
        dims: int,
        num_heads: int,
        query_input_dims: int | None = None,
        key_input_dims: int | None = None,
        value_input_dims: int | None = None,
        value_dims: int | None = None,
        value_output_dims: int | None = None,
        bias: bool = False,
    ) -> None:
        super().__init__()
        if dims % num_heads != 0:
            raise ValueError(
                f"[MultiHeadAttention] num_heads must divide dims, but {num_heads} does not divide {dims}."
            )
        query_input_dims = query_input_dims or dims
        key_input_dims = key_input_dims or dims
        value_input_dims = value_input_dims or key_input_dims
        value_dims = value_dims or dims
        value_output_dims = value_output_dims or dims

        self.num_heads = num_heads
        self.query_proj = Linear(query_input_dims, dims, bias=bias)
        self.key_proj = Linear(key_input_dims, dims, bias=bias)
        self.value_proj = Linear(value_input_dims, value_dims, bias=bias)
        self.out_proj = Linear(value_dims, value_output_dims, bias=bias)

    def __call__(
        self, queries: mx.array, keys: mx.array, values: mx.array, mask: mx.array | str | None = None
    ) -> mx.array:
        """Attend.

        Args:
            queries: shape ``(batch, q_length, query_input_dims)``.
            keys: shape ``(batch, k_length, key_input_dims)``.
            values: shape ``(batch, k_length, value_input_dims)``.
            mask: broadcasts to ``(batch, num_heads, q_length, k_length)``; added to the scores, or boolean
                and true where to attend; or "causal".

        Returns:
            Shape ``(batch, q_length, value_output_dims)``.
        """
        split = (self.num_heads, -1)
        queries = mx.unflatten(self.query_proj(queries), -1, split).transpose(0, 2, 1, 3)
        keys = mx.unflatten(self.key_proj(keys), -1, split).transpose(0, 2, 1, 3)
        values = mx.unflatten(self.value_proj(values), -1, split).transpose(0, 2, 1, 3)
        scale = queries.shape[-1] ** -0.5
        heads = mx.fast.scaled_dot_product_attention(queries, keys, values, scale=scale, mask=mask)
        return self.out_proj(heads.transpose(0, 2, 1, 3).flatten(-2, -1))

    @staticmethod
    def create_additive_causal_mask(N: int, dtype: mx.Dtype = mx.float32) -> mx.array:
        """A mask of shape ``(N, N)``: 0 up to the diagonal, the lowest finite number above it."""
        position = mx.arange(N)
        above = position[:, None] < position[None]
        return above.astype(dtype) * mx.finfo(dtype).min


class TransformerEncoderLayer(Module):
    """Self-attention and a perceptron, each with layer normalization and a residual connection.

    Args:
        dims: size of the features.
        num_heads: how many heads; divides ``dims``.
        mlp_dims: size of the perceptron's hidden layer; None: ``4 * dims``.
        dropout: probability of dropout after the attention and inside the perceptron.
        activation: the perceptron's.
        norm_first: normalize before attention and perceptron; otherwise after the residual connection.
    """

    def __init__(
        self,
        dims: int,
        num_heads: int,
        mlp_dims: int | None = None,
        dropout: float = 0.0,
        activation: Callable[[Any], Any] = relu,
        norm_first: bool = True,
    ) -> None:
        super().__init__()
        mlp_dims = mlp_dims or 4 * dims
        self.attention = MultiHeadAttention(dims, num_heads)
        self.ln1 = LayerNorm(dims)
        self.ln2 = LayerNorm(dims)
        self.linear1 = Linear(dims, mlp_dims)
        self.linear2 = Linear(mlp_dims, dims)
        self.dropout1 = Dropout(dropout)
        self.dropout2 = Dropout(dropout)
        self.activation = activation
        self.norm_first = norm_first

    def _perceptron(self, x: mx.array) -> mx.array:
        return self.linear2(self.dropout2(self.activation(self.linear1(x))))

    def __call__(self, x: mx.array, mask: mx.array | str | None) -> mx.array:
        """Map ``x`` of shape ``(batch, length, dims)``; ``mask`` as for ``MultiHeadAttention``."""
        if self.norm_first:
            y = self.ln1(x)
            x = x + self.dropout1(self.attention(y, y, y, mask))
            return x + self._perceptron(self.ln2(x))
        x = self.ln1(x + self.dropout1(self.attention(x, x, x, mask)))
        return self.ln2(x + self._perceptron(x))


class TransformerEncoder(Module):
    """Encoder layers one after the other, and a final layer normalization.

    Args:
        num_layers: how many.
        dims, num_heads, mlp_dims, dropout, activation, norm_first: as for ``TransformerEncoderLayer``.
        checkpoint: compute each layer again in the backward pass, to save memory.
    """

    def __init__(
        self,
        num_layers: int,
        dims: int,
        num_heads: int,
        mlp_dims: int | None = None,
        dropout: float = 0.0,
        activation: Callable[[Any], Any] = relu,
        norm_first: bool = True,
        checkpoint: bool = False,
    ) -> None:
        super().__init__()
        self.layers = [
            TransformerEncoderLayer(dims, num_heads, mlp_dims, dropout, activation, norm_first)
            for _ in range(num_layers)
        ]
        self.ln = LayerNorm(dims)
        self.checkpoint = checkpoint

    def __call__(self, x: mx.array, mask: mx.array | str | None) -> mx.array:
        """Map ``x`` of shape ``(batch, length, dims)``; ``mask`` as for ``MultiHeadAttention``."""
        for layer in self.layers:
            call = checkpoint(layer) if self.checkpoint else layer
            x = call(x, mask)
        return self.ln(x)


class TransformerDecoderLayer(Module):
    """Self-attention, attention to a memory and a perceptron, each normalized and with a residual connection.

    Args:
        dims: size of the features.
        num_heads: how many heads; divides ``dims``.
        mlp_dims: size of the perceptron's hidden layer; None: ``4 * dims``.
        dropout: probability of dropout after each attention and inside the perceptron.
        activation: the perceptron's.
        norm_first: normalize before attention and perceptron; otherwise after the residual connection.
    """

    def __init__(
        self,
        dims: int,
        num_heads: int,
        mlp_dims: int | None = None,
        dropout: float = 0.0,
        activation: Callable[[Any], Any] = relu,
        norm_first: bool = True,
    ) -> None:
        super().__init__()
        mlp_dims = mlp_dims or 4 * dims
        self.self_attention = MultiHeadAttention(dims, num_heads)
        self.cross_attention = MultiHeadAttention(dims, num_heads)
        self.ln1 = LayerNorm(dims)
        self.ln2 = LayerNorm(dims)
        self.ln3 = LayerNorm(dims)
        self.linear1 = Linear(dims, mlp_dims)
        self.linear2 = Linear(mlp_dims, dims)
        self.dropout1 = Dropout(dropout)
        self.dropout2 = Dropout(dropout)
        self.dropout3 = Dropout(dropout)
        self.activation = activation
        self.norm_first = norm_first

    def _perceptron(self, x: mx.array) -> mx.array:
        return self.linear2(self.dropout3(self.activation(self.linear1(x))))

    def __call__(
        self,
        x: mx.array,
        memory: mx.array,
        x_mask: mx.array | str | None,
        memory_mask: mx.array | str | None,
    ) -> mx.array:
        """Map ``x`` of shape ``(batch, length, dims)``, with ``memory`` of shape ``(batch, m_length, dims)``.

        ``x_mask`` is for the attention to ``x`` and ``memory_mask`` for that to ``memory``, as for
        ``MultiHeadAttention``.
        """
        if self.norm_first:
            y = self.ln1(x)
            x = x + self.dropout1(self.self_attention(y, y, y, x_mask))
            y = self.ln2(x)
            x = x + self.dropout2(self.cross_attention(y, memory, memory, memory_mask))
            return x + self._perceptron(self.ln3(x))
        x = self.ln1(x + self.dropout1(self.self_attention(x, x, x, x_mask)))
        x = self.ln2(x + self.dropout2(self.cross_attention(x, memory, memory, memory_mask)))
        return self.ln3(x + self._perceptron(x))


class TransformerDecoder(Module):
    """Decoder layers one after the other, and a final layer normalization.

    Args:
        num_layers: how many.
        dims, num_heads, mlp_dims, dropout, activation, norm_first: as for ``TransformerDecoderLayer``.
        checkpoint: compute each layer again in the backward pass, to save memory.
    """

    def __init__(
        self,
        num_layers: int,
        dims: int,
        num_heads: int,
        mlp_dims: int | None = None,
        dropout: float = 0.0,
        activation: Callable[[Any], Any] = relu,
        norm_first: bool = True,
        checkpoint: bool = False,
    ) -> None:
        super().__init__()
        self.layers = [
            TransformerDecoderLayer(dims, num_heads, mlp_dims, dropout, activation, norm_first)
            for _ in range(num_layers)
        ]
        self.ln = LayerNorm(dims)
        self.checkpoint = checkpoint

    def __call__(
        self,
        x: mx.array,
        memory: mx.array,
        x_mask: mx.array | str | None,
        memory_mask: mx.array | str | None,
    ) -> mx.array:
        """Map ``x`` and ``memory`` as ``TransformerDecoderLayer`` does."""
        for layer in self.layers:
            call = checkpoint(layer) if self.checkpoint else layer
            x = call(x, memory, x_mask, memory_mask)
        return self.ln(x)


class Transformer(Module):
    """An encoder, and a decoder that attends to what it makes.

    Args:
        dims: size of the features.
        num_heads: how many heads; divides ``dims``.
        num_encoder_layers: how many encoder layers.
        num_decoder_layers: how many decoder layers.
        mlp_dims: size of the perceptrons' hidden layers; None: ``4 * dims``.
        dropout: probability of dropout.
        activation: the perceptrons'.
        custom_encoder: called in the encoder's place with ``(src, src_mask)``.
        custom_decoder: called in the decoder's place with ``(tgt, memory, tgt_mask, memory_mask)``.
        norm_first: normalize before attention and perceptron; otherwise after the residual connection.
        checkpoint: compute each layer again in the backward pass, to save memory.
    """

    def __init__(
        self,
        dims: int = 512,
        num_heads: int = 8,
        num_encoder_layers: int = 6,
        num_decoder_layers: int = 6,
        mlp_dims: int | None = None,
        dropout: float = 0.0,
        activation: Callable[[Any], Any] = relu,
        custom_encoder: Any | None = None,
        custom_decoder: Any | None = None,
        norm_first: bool = True,
        checkpoint: bool = False,
    ) -> None:
        super().__init__()
        same = (dims, num_heads, mlp_dims, dropout, activation, norm_first, checkpoint)
        # "is None": a custom module without items is false.
        self.encoder = (
            TransformerEncoder(num_encoder_layers, *same) if custom_encoder is None else custom_encoder
        )
        self.decoder = (
            TransformerDecoder(num_decoder_layers, *same) if custom_decoder is None else custom_decoder
        )

    def __call__(
        self,
        src: mx.array,
        tgt: mx.array,
        src_mask: mx.array | str | None,
        tgt_mask: mx.array | str | None,
        memory_mask: mx.array | str | None,
    ) -> mx.array:
        """Map ``tgt`` of shape ``(batch, t_length, dims)``, given ``src`` ``(batch, s_length, dims)``."""
        memory = self.encoder(src, src_mask)
        return self.decoder(tgt, memory, tgt_mask, memory_mask)
