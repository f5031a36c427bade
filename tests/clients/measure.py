"""Measure a checkpoint through mlx_lm: a prompt, then tokens one by one; by the clock and by processor time.

measure.py MODEL [--prompt N] [--tokens N]

Processor seconds are those of all threads: on a machine that is shared they say more than the clock.
"""

from __future__ import annotations

import argparse
import resource
import time

import mlx.core as mx
import numpy as np
from mlx_lm import load
from mlx_lm.generate import generate_step

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("--prompt", type=int, default=512)
    parser.add_argument("--tokens", type=int, default=128)
    options = parser.parse_args()
    model, _ = load(options.model)
    random = np.random.default_rng(0)

    def run(length: int, tokens: int) -> list[tuple[float, float]]:
        """Clock and processor time at the start, at the first token and at the end."""
        prompt = mx.array(random.integers(0, 300, length))
        times = [(time.perf_counter(), time.process_time())]
        for number, _ in enumerate(generate_step(prompt, model, max_tokens=tokens)):
            if number in (0, tokens - 1):
                times.append((time.perf_counter(), time.process_time()))
        return times

    run(4, 2)
    start, first, end = run(options.prompt, options.tokens)
    for name, count, (a, b), (c, d) in (
        ("prompt", options.prompt, start, first),
        ("tokens", options.tokens - 1, first, end),
    ):
        print(f"{name:8}{count / (c - a):10.1f} a second{count / (d - b):10.1f} a processor second")
    print(f"peak    {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:10.1f} MB")
