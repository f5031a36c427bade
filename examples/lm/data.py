"""Text as bytes: where it comes from, how it is split, and which batch belongs to which step."""

from pathlib import Path

import mlx.core as mx


def load(path: Path | None) -> tuple[bytes, str]:
    """The bytes to learn from, and a name to show for them.

    Args:
        path: a file of any kind; None takes the language reference that ships inside CPython.
    """
    if path is not None:
        return path.read_bytes(), path.name
    from pydoc_data import topics

    return "".join(topics.topics.values()).encode(), "the Python language reference (pydoc_data.topics)"


def split(text: bytes) -> tuple[bytes, bytes]:
    """Nine tenths to train on, and the last tenth, which no training step sees."""
    border = len(text) * 9 // 10
    return text[:border], text[border:]


def windows(text: mx.array, starts: mx.array, length: int) -> mx.array:
    """Cut pieces of one length out of a text.

    Args:
        text: uint8, shape (n,).
        starts: integers, shape (b,).
        length: bytes in a piece.

    Returns:
        uint8, shape (b, length).
    """
    return text[starts[:, None] + mx.arange(length)]


def batch(text: mx.array, seed: int, step: int, size: int, context: int) -> mx.array:
    """The batch of one step: a function of (seed, step) alone, so a resumed run sees the same batches.

    Args:
        text: uint8, shape (n,), longer than `context`.
        seed: 0 .. 2**31 - 1.
        step: counts from 0.
        size: pieces in a batch.
        context: bytes that a piece has to predict.

    Returns:
        uint8, shape (size, context + 1): inputs are [:, :-1], targets [:, 1:].
    """
    key = mx.random.key((seed << 32) + step)
    starts = mx.random.randint(0, text.size - context, (size,), key=key)
    return windows(text, starts, context + 1)
