"""A byte-level GPT: RMSNorm, rotary positions, causal attention, MLP, tied embedding."""

from dataclasses import dataclass

import mlx.core as mx
import mlx.nn as nn

VOCABULARY = 256


class KeyValueCache:
    """Keys and values of what one layer has read, at most the last `window` positions.

    Rotary positions are relative, so dropping the oldest entries lets a text grow without end while no
    distance becomes larger than those seen in training.
    """

    def __init__(self, window: int) -> None:
        self.window = window
        self.offset = 0
        self.keys: mx.array | None = None
        self.values: mx.array | None = None

    def extend(self, keys: mx.array, values: mx.array) -> tuple[mx.array, mx.array]:
        """Append (batch, heads, new, head_dim) and return all that is remembered."""
        new = keys.shape[2]
        if self.keys is not None and self.values is not None:
            first = max(self.keys.shape[2] + new - self.window, 0)
            keys = mx.concatenate([self.keys[:, :, first:], keys], axis=2)
            values = mx.concatenate([self.values[:, :, first:], values], axis=2)
        self.offset += new
        self.keys, self.values = keys, values
        return keys, values


@dataclass(frozen=True)
class Shape:
    """The sizes of a model."""

    layers: int = 4
    dim: int = 128
    heads: int = 4
    dropout: float = 0.0


class Attention(nn.Module):
    """Causal multi-head self-attention with rotary positions."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.heads = shape.heads
        self.head_dim = shape.dim // shape.heads
        self.query_key_value = nn.Linear(shape.dim, 3 * shape.dim, bias=False)
        self.out = nn.Linear(shape.dim, shape.dim, bias=False)
        self.rope = nn.RoPE(self.head_dim)

    def __call__(self, x: mx.array, cache: KeyValueCache | None = None) -> mx.array:
        """Mix positions: (batch, length, dim) in and out."""
        batch, length, dim = x.shape
        split = self.query_key_value(x).reshape(batch, length, 3, self.heads, self.head_dim)
        queries, keys, values = (split[:, :, i].transpose(0, 2, 1, 3) for i in range(3))
        offset = cache.offset if cache is not None else 0
        queries, keys = self.rope(queries, offset=offset), self.rope(keys, offset=offset)
        if cache is not None:
            keys, values = cache.extend(keys, values)
        mixed = mx.fast.scaled_dot_product_attention(
            queries, keys, values, scale=self.head_dim**-0.5, mask="causal" if length > 1 else None
        )
        return self.out(mixed.transpose(0, 2, 1, 3).reshape(batch, length, dim))


class Block(nn.Module):
    """Attention, then an MLP, each on a normalised copy that is added back."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.attention_norm = nn.RMSNorm(shape.dim)
        self.attention = Attention(shape)
        self.mlp_norm = nn.RMSNorm(shape.dim)
        self.up = nn.Linear(shape.dim, 4 * shape.dim, bias=False)
        self.down = nn.Linear(4 * shape.dim, shape.dim, bias=False)
        self.dropout = nn.Dropout(shape.dropout)

    def __call__(self, x: mx.array, cache: KeyValueCache | None = None) -> mx.array:
        """One layer: (batch, length, dim) in and out."""
        x = x + self.dropout(self.attention(self.attention_norm(x), cache))
        return x + self.dropout(self.down(nn.gelu_approx(self.up(self.mlp_norm(x)))))


class GPT(nn.Module):
    """A decoder over bytes; the embedding is also the output layer."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, shape.dim)
        self.blocks = [Block(shape) for _ in range(shape.layers)]
        self.norm = nn.RMSNorm(shape.dim)
        self._initialise(shape.dim)

    def _initialise(self, dim: int) -> None:
        """Small logits and blocks that begin as the identity: deep models then start like shallow ones."""
        self.embedding.weight = mx.random.normal(self.embedding.weight.shape, scale=0.02)
        for block in self.blocks:
            for layer in (block.attention.query_key_value, block.up):
                layer.weight = mx.random.normal(layer.weight.shape, scale=dim**-0.5)
            for layer in (block.attention.out, block.down):
                layer.weight = mx.zeros_like(layer.weight)

    def __call__(self, tokens: mx.array, cache: list[KeyValueCache] | None = None) -> mx.array:
        """Scores of the next byte at every position.

        Args:
            tokens: integers below 256, shape (batch, length).
            cache: one a layer; what it holds comes before `tokens`.

        Returns:
            float32, shape (batch, length, 256).
        """
        x = self.embedding(tokens)
        for i, block in enumerate(self.blocks):
            x = block(x, cache[i] if cache is not None else None)
        return self.embedding.as_linear(self.norm(x))

    def new_cache(self, window: int) -> list[KeyValueCache]:
        """An empty cache for one text (or one batch of equally long texts)."""
        return [KeyValueCache(window) for _ in self.blocks]
