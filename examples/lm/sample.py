"""Text from a trained model: a key-value cache, temperature and top-p."""

import mlx.core as mx

from lm.model import GPT


def draw(logits: mx.array, temperature: float, top_p: float, key: mx.array) -> mx.array:
    """Draw one token for each row.

    Args:
        logits: float, shape (batch, vocabulary).
        temperature: 0 takes the likeliest token; 1 draws from the model as it is.
        top_p: draw only among the likeliest tokens that together have this probability.

    Returns:
        integers, shape (batch,).
    """
    if temperature == 0:
        return mx.argmax(logits, axis=-1)
    order = mx.argsort(-logits, axis=-1)
    ranked = mx.take_along_axis(logits, order, axis=-1) / temperature
    probability = mx.softmax(ranked, axis=-1)
    before = mx.cumsum(probability, axis=-1) - probability
    choice = mx.random.categorical(mx.where(before < top_p, ranked, -mx.inf), key=key)
    return mx.take_along_axis(order, choice[:, None], axis=-1)[:, 0]


def generate(
    model: GPT,
    prompt: bytes,
    length: int,
    *,
    window: int,
    temperature: float = 0.8,
    top_p: float = 0.95,
    seed: int = 0,
) -> bytes:
    """Continue a prompt by `length` bytes; the same seed gives the same text."""
    cache = model.new_cache(window)
    key = mx.random.key(seed)

    def advance(tokens: mx.array) -> mx.array:
        nonlocal key
        key, now = mx.random.split(key)
        return draw(model(tokens, cache)[:, -1], temperature, top_p, now)

    token = advance(mx.array([list(prompt[-window:])]))
    out = bytearray()
    for _ in range(length):
        following = advance(token[:, None])
        mx.async_eval(following)  # the next byte is computed while this one is read
        out.append(token.item())
        token = following
    return bytes(out)
