"""Trains a small byte-level GPT on real English text and holds it against three rivals.

    python -m mica examples/train_lm.py
    python -m mica examples/train_lm.py --layers 6 --dim 256 --steps 2000 --data my.txt
    python -m mica examples/train_lm.py --resume

Written as any MLX program: nothing here knows what runs it. Leaves in the output folder: model.safetensors
(the weights), checkpoint.safetensors (the whole state of the run), loss.csv, loss.png, sample.txt and
result.json.
"""

import argparse
import io
import json
import math
import signal
import statistics
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import FrameType, SimpleNamespace

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from lm import checkpoint, data, options, rivals, sample
from lm.model import GPT, Shape
from lm.plot import Rule, Series, line_chart
from lm.progress import Bar
from mlx.utils import tree_flatten

NATS_TO_BITS = 1 / math.log(2)


def loss_of(model: GPT, tokens: mx.array) -> mx.array:
    """Mean cross entropy of all next bytes, in bits.

    Args:
        model: the model.
        tokens: integers, shape (batch, context + 1).
    """
    scores = model(tokens[:, :-1])
    return nn.losses.cross_entropy(scores, tokens[:, 1:], reduction="mean") * NATS_TO_BITS


def make_optimizer(o: argparse.Namespace) -> optim.Optimizer:
    """AdamW: a linear warm-up, then half a cosine down to nothing."""
    rest = max(o.steps - o.warmup, 1)
    schedule = optim.join_schedules(
        [optim.linear_schedule(o.learning_rate / o.warmup, o.learning_rate, o.warmup),
         optim.cosine_decay(o.learning_rate, rest)],
        [o.warmup],
    )  # fmt: skip
    return optim.AdamW(schedule, betas=[0.9, 0.99], weight_decay=o.weight_decay)


def make_step(model: GPT, optimizer: optim.Optimizer, clip: float) -> Callable[[mx.array], mx.array]:
    """The compiled training step: takes a batch, updates everything, returns the loss."""
    loss_and_grad = nn.value_and_grad(model, loss_of)
    state = [model.state, optimizer.state, mx.random.state]

    @partial(mx.compile, inputs=state, outputs=state)
    def step(tokens: mx.array) -> mx.array:
        loss, grads = loss_and_grad(model, tokens)
        grads, _ = optim.clip_grad_norm(grads, clip)
        optimizer.update(model, grads)
        return loss

    def run(tokens: mx.array) -> mx.array:
        loss = step(tokens)
        mx.eval(state, loss)
        return loss

    return run


def bits_per_byte(model: GPT, text: mx.array, first: int, context: int, batch: int) -> float:
    """What each byte from `first` on costs, predicted once and from at least half a context before it.

    Args:
        model: the model.
        text: uint8, shape (n,).
        first: the first byte that counts, beyond `context`.
        context: bytes that the model sees at a time.
        batch: pieces at a time.
    """
    stride = max(context // 2, 1)
    ends = [*range(first + stride, text.size, stride), text.size]
    scored = [stride] * (len(ends) - 1) + [text.size - first - stride * (len(ends) - 1)]
    model.eval()
    total = 0.0
    for i in range(0, len(ends), batch):
        starts = mx.array(ends[i : i + batch]) - (context + 1)
        tokens = data.windows(text, starts, context + 1)
        nats = nn.losses.cross_entropy(model(tokens[:, :-1]), tokens[:, 1:])
        counts = mx.arange(context) >= context - mx.array(scored[i : i + batch])[:, None]
        total += mx.where(counts, nats, 0.0).sum().item()
    model.train()
    return total * NATS_TO_BITS / (text.size - first)


@contextmanager
def ctrl_c() -> Iterator[SimpleNamespace]:
    """Let Ctrl-C end the loop between two steps; a second one ends the program at once."""
    pressed = SimpleNamespace(once=False)

    def handler(signum: int, frame: FrameType | None) -> None:
        if pressed.once:
            raise KeyboardInterrupt
        pressed.once = True

    before = signal.signal(signal.SIGINT, handler)
    try:
        yield pressed
    finally:
        signal.signal(signal.SIGINT, before)


def train(
    o: argparse.Namespace,
    model: GPT,
    optimizer: optim.Optimizer,
    progress: checkpoint.Progress,
    text: mx.array,
    border: int,
) -> bool:
    """Run the steps that are left; True when all are done, False after Ctrl-C."""
    path = o.out / "checkpoint.safetensors"
    step = make_step(model, optimizer, o.clip)
    seconds: list[float] = []
    with ctrl_c() as pressed, Bar(o.steps, progress.step) as bar:
        while progress.step < o.steps and not pressed.once:
            start = time.perf_counter()
            tokens = data.batch(text[:border], o.seed, progress.step, o.batch, o.context)
            loss = step(tokens).item()
            seconds = [*seconds[-19:], time.perf_counter() - start]
            progress.losses.append(loss)
            rate = o.batch * o.context / statistics.median(seconds)
            bar.advance(f"loss {loss:.3f}  {rate:,.0f} tokens/s  peak {mx.get_peak_memory() / 1e6:,.0f} MB")
            if progress.step % o.eval_every == 0 or progress.step == o.steps:
                bits = bits_per_byte(model, text, border, o.context, o.batch)
                progress.held_out.append((progress.step, bits))
                bar.note(f"step {progress.step}: held-out text {bits:.3f} bits/byte")
            if progress.step % o.save_every == 0:
                checkpoint.save(path, model, optimizer, progress)
    checkpoint.save(path, model, optimizer, progress)
    return progress.step == o.steps


def write_curve(out: Path, progress: checkpoint.Progress, scores: dict[str, float]) -> None:
    """loss.csv and loss.png."""
    held_out = dict(progress.held_out)
    rows = [f"{i},{x!r},{held_out.get(i, '')}\n" for i, x in enumerate(progress.losses, 1)]
    checkpoint.write_atomically(
        out / "loss.csv", "".join(["step,loss_bits_per_byte,held_out_bits_per_byte\n", *rows]).encode()
    )
    steps = range(1, len(progress.losses) + 1)
    smooth, mean = [], progress.losses[0]
    for i, loss in enumerate(progress.losses, 1):
        mean += max(0.05, 1 / i) * (loss - mean)
        smooth.append(mean)
    series = [
        Series("each batch", steps, progress.losses),
        Series(f"train {mean:.2f}", steps, smooth),
        Series(f"held out {progress.held_out[-1][1]:.2f}", list(held_out), list(held_out.values())),
    ]
    rules = [Rule(f"{name} {bits:.2f}", bits) for name, bits in scores.items()]
    chart = line_chart(series, rules, "step", "bits per byte", y_limit=max(4.0, 1.2 * mean))
    checkpoint.write_atomically(out / "loss.png", chart)


def report(
    o: argparse.Namespace, model: GPT, progress: checkpoint.Progress, scores: dict[str, float], held_out: int
) -> None:
    """The comparison, as a table and as result.json."""
    bits = progress.held_out[-1][1]
    parameters = sum(value.size for _, value in tree_flatten(model.parameters()))
    print(f"\nheld-out text, {held_out:,} bytes: bits per byte")
    rows = [(bits, "this model", f"{parameters:,} parameters, {progress.step} steps")]
    rows += [(scores[name], name, rivals.RIVALS[name]) for name in scores]
    for value, name, about in sorted(rows):
        print(f"  {value:6.3f}  {name:<10}  {about}")
    result = {"bits_per_byte": bits, "rivals": scores, "parameters": parameters, "steps": progress.step}
    checkpoint.write_atomically(o.out / "result.json", (json.dumps(result, indent=1) + "\n").encode())


def main(arguments: list[str] | None = None) -> int:
    """Train, compare, plot and write a sample; 0 when done, 130 after Ctrl-C."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a sample may hold what the terminal cannot show
    parser, o, progress = options.read(arguments)
    try:
        content, source = data.load(getattr(o, "data", None))
    except OSError as error:
        parser.error(f"--data: {error}")
    before, after = data.split(content)
    if len(before) < o.context + 2 or not after:
        parser.error(f"the text has {len(content)} bytes, too few for --context {o.context}")
    settings = {name: getattr(o, name) for name in options.CURVE} | {"text": zlib.crc32(content)}
    if progress is not None and progress.settings["text"] != settings["text"]:
        parser.error("--resume: the checkpoint was made with another text")
    progress = progress or checkpoint.Progress(settings)
    o.out.mkdir(parents=True, exist_ok=True)

    print(f"text: {source}, {len(before):,} bytes to train on, {len(after):,} held out")
    mx.random.seed(o.seed)
    model = GPT(Shape(o.layers, o.dim, o.heads, o.dropout))
    optimizer = make_optimizer(o)
    optimizer.init(model.trainable_parameters())
    if progress.step:
        checkpoint.restore(o.out / "checkpoint.safetensors", model, optimizer)
        print(f"resumed after step {progress.step}")
    mx.eval(model.state, optimizer.state)

    done = train(o, model, optimizer, progress, mx.array(memoryview(content)), len(before))
    if not done:
        print(f"stopped after step {progress.step}; --resume goes on from {o.out / 'checkpoint.safetensors'}")
        return 130
    checkpoint.save_arrays(o.out / "model.safetensors", tree_flatten(model.parameters()), {"format": "mlx"})
    scores = rivals.compute(before, after)
    write_curve(o.out, progress, scores)
    report(o, model, progress, scores, len(after))

    model.eval()
    prompt = o.prompt.encode() or b"\n"
    text = prompt + sample.generate(
        model, prompt, o.sample_bytes, window=o.context, temperature=o.temperature, top_p=o.top_p, seed=o.seed
    )
    checkpoint.write_atomically(o.out / "sample.txt", text)
    print(f"\na sample:\n{text.decode(errors='replace')}\n\nin {o.out}: {', '.join(sorted(outputs(o.out)))}")
    return 0


def outputs(folder: Path) -> list[str]:
    """The files that a finished run leaves."""
    return [path.name for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")]


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("\nstopped", file=sys.stderr)
        sys.exit(130)
