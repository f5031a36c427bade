"""Run a checkpoint through mlx_lm's Python functions and write down all numbers, on mica or on the wheel.

probe.py OUTPUT.npz MODEL [--draft MODEL] [--tokens N]

Everything that ends in the file comes from the client's own code paths: loading, the attention cache, the
generation loop, prompt caches on disk, speculative decoding.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import mlx.core as mx
import numpy as np
from mlx_lm import load
from mlx_lm.generate import batch_generate, generate_step, speculative_generate_step
from mlx_lm.models.cache import load_prompt_cache, make_prompt_cache, save_prompt_cache, trim_prompt_cache

PROMPT = "The red fox hears the silver otter near the river. The old crow"
TEACHER = (
    "The brown bear watches the grey owl near the meadow. The small mouse follows the small mouse near the "
    "river. The silver otter avoids the grey owl near the harbour. The white heron greets the old crow."
)


def numbers(array: mx.array) -> np.ndarray:
    """An array of any element type as float32."""
    return np.array(array.astype(mx.float32))


def generated(steps, count: int) -> tuple[list[int], list[np.ndarray]]:
    """Tokens and log probabilities of a generation loop."""
    tokens, scores = [], []
    for (token, logprobs, *_), _ in zip(steps, range(count), strict=False):
        tokens.append(int(token))
        scores.append(numbers(logprobs).reshape(-1))
    return tokens, scores


def main() -> None:
    """Read the options, run, save."""
    parser = argparse.ArgumentParser()
    parser.add_argument("output")
    parser.add_argument("model")
    parser.add_argument("--draft")
    parser.add_argument("--tokens", type=int, default=24)
    options = parser.parse_args()
    model, tokenizer = load(options.model)
    out: dict[str, np.ndarray] = {}
    prompt = mx.array(tokenizer.encode(PROMPT))
    teacher = mx.array(tokenizer.encode(TEACHER))
    count = options.tokens

    # The whole text at once, and the same text through the cache in uneven pieces.
    out["teacher"] = numbers(model(teacher[None])[0])
    cache = make_prompt_cache(model)
    pieces = []
    start = 0
    for length in (7, 1, 16, 1, 1, teacher.size):
        if start < teacher.size:
            pieces.append(numbers(model(teacher[None, start : start + length], cache=cache)[0]))
            start += length
    out["pieces"] = np.concatenate(pieces)
    assert trim_prompt_cache(cache, 5) == 5
    out["trimmed"] = numbers(model(teacher[None, -5:], cache=cache)[0])

    tokens, scores = generated(generate_step(prompt, model, max_tokens=count), count)
    out["greedy"], out["scores"] = np.array(tokens), np.stack(scores)

    # A prompt cache that goes to a file and comes back, and one of quantized keys and values.
    with tempfile.TemporaryDirectory() as folder:
        file = str(Path(folder) / "prompt.safetensors")
        cache = make_prompt_cache(model)
        model(prompt[None, :-1], cache=cache)
        save_prompt_cache(file, cache, {"model": options.model})
        resumed, metadata = load_prompt_cache(file, return_metadata=True)
        assert metadata["model"] == options.model
        steps = generate_step(prompt[-1:], model, max_tokens=count, prompt_cache=resumed)
        tokens, scores = generated(steps, count)
        out["resumed"], out["resumed_scores"] = np.array(tokens), np.stack(scores)
    steps = generate_step(prompt, model, max_tokens=count, kv_bits=8, kv_group_size=32, quantized_kv_start=4)
    tokens, scores = generated(steps, count)
    out["quantized_cache"], out["quantized_cache_scores"] = np.array(tokens), np.stack(scores)

    prompts = [tokenizer.encode(text) for text in (PROMPT, TEACHER[:60], "The")]
    texts = batch_generate(model, tokenizer, prompts, max_tokens=count).texts
    out["batch"] = np.array(texts)

    if options.draft:
        draft, _ = load(options.draft)
        steps = speculative_generate_step(prompt, model, draft, num_draft_tokens=3, max_tokens=count)
        tokens, scores = generated(steps, count)
        out["speculative"], out["speculative_scores"] = np.array(tokens), np.stack(scores)
    np.savez(options.output, **out)


if __name__ == "__main__":
    main()
