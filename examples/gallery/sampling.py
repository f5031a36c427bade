"""What a small language model thinks while it writes: the odds of each next byte, and what temperature does.

The model is that of examples/lm, trained for a moment on Python's own help texts.
"""

import sys
from pathlib import Path
from pydoc_data import topics

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np
from common import Options, options, panels, save

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from lm.model import GPT, Shape
from lm.sample import generate

CONTEXT = 64


def main(chosen: Options) -> None:
    """Train, write with three temperatures, draw the odds along the likeliest text."""
    text = mx.array(list("".join(topics.topics.values()).encode()), dtype=mx.int32)
    model = GPT(Shape(layers=2, dim=96, heads=4))
    steps = chosen.steps(600)
    optimizer = optim.AdamW(learning_rate=optim.cosine_decay(4e-3, steps), betas=[0.9, 0.98])
    step = nn.value_and_grad(model, lambda x, y: nn.losses.cross_entropy(model(x), y, reduction="mean"))
    loss = mx.array(0.0)
    for _ in range(steps):
        start = mx.random.randint(0, text.size - CONTEXT - 1, (16, 1))
        rows = text[start + mx.arange(CONTEXT + 1)]
        loss, grads = step(rows[:, :-1], rows[:, 1:])
        optimizer.update(model, grads)
        del grads  # their memory is free for the update
        mx.eval(loss, model.parameters(), optimizer.state)
    print(f"sampling: {loss.item() / np.log(2):.2f} bits a byte after {steps} steps")

    prompt = b"The function returns "
    for temperature in (0.0, 0.7, 1.2):
        written = generate(model, prompt, 48, window=CONTEXT, temperature=temperature, seed=1)
        print(f"  {temperature}: {(prompt + written).decode(errors='replace')!r}")
    written = generate(model, prompt, 24, window=CONTEXT, temperature=0.0)
    whole = prompt + written
    odds = np.array(mx.softmax(model(mx.array([list(whole)]))[0], axis=-1))[len(prompt) - 1 : -1]
    shown = sorted(set(np.argsort(-odds, axis=1)[:, :2].flatten().tolist()))
    figure, (axis,) = panels(1, 7, 3.4)
    axis.imshow(odds[:, shown].T, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    axis.set_xticks(range(len(written)), [chr(c) for c in written], fontsize=8, family="monospace")
    axis.set_yticks(range(len(shown)), [repr(chr(c))[1:-1] for c in shown], fontsize=6, family="monospace")
    axis.set(title=f"odds of the next byte after {prompt.decode()!r}", xlabel="what was written")
    save(figure, chosen, "sampling")


if __name__ == "__main__":
    main(options(__doc__))
