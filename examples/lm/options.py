"""The command line of the example, and what a resumed run takes over from its checkpoint."""

import argparse
from pathlib import Path

from lm import checkpoint

# Options that decide the loss curve: a checkpoint remembers them, and a resumed run must agree.
CURVE = (
    "layers", "dim", "heads", "dropout", "context", "batch", "steps",
    "learning_rate", "warmup", "weight_decay", "clip", "seed",
)  # fmt: skip


def make_parser() -> argparse.ArgumentParser:
    """The command line."""
    p = argparse.ArgumentParser(
        description="Trains a small byte-level GPT and holds it against three rivals.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    model = p.add_argument_group("model")
    model.add_argument("--layers", type=positive, default=4, help="blocks")
    model.add_argument("--dim", type=positive, default=128, help="width of the residual stream")
    model.add_argument("--heads", type=positive, default=4, help="of the attention")
    model.add_argument("--dropout", type=fraction, default=0.0, help="share of dropped features")
    training = p.add_argument_group("training")
    training.add_argument("--context", type=positive, default=128, help="bytes in a training piece")
    training.add_argument("--batch", type=positive, default=16, help="pieces a step")
    training.add_argument("--steps", type=positive, default=700, help="of training")
    training.add_argument("--learning-rate", type=float, default=3e-3, help="at the end of the warm-up")
    training.add_argument("--warmup", type=positive, default=50, help="steps")
    training.add_argument("--weight-decay", type=float, default=0.1, help="of AdamW")
    training.add_argument("--clip", type=float, default=1.0, help="largest norm of the gradients")
    training.add_argument("--seed", type=seed, default=0, help="of weights and batches")
    training.add_argument(
        "--data",
        type=Path,
        default=argparse.SUPPRESS,
        help="a text file instead of Python's language reference",
    )
    output = p.add_argument_group("output")
    output.add_argument("--out", type=Path, default=Path("out"), help="folder for results")
    output.add_argument("--resume", action="store_true", help="go on from the checkpoint in the folder")
    output.add_argument("--save-every", type=positive, default=100, help="steps between checkpoints")
    output.add_argument("--eval-every", type=positive, default=200, help="steps between measurements")
    output.add_argument("--prompt", default="The statement ", help="where the sample begins")
    output.add_argument("--sample-bytes", type=positive, default=600, help="length of the sample")
    output.add_argument("--temperature", type=float, default=0.8, help="of the sample")
    output.add_argument("--top-p", type=fraction, default=0.95, help="probability that is sampled from")
    return p


def positive(text: str) -> int:
    """An integer of at least 1."""
    if (value := int(text)) < 1:
        raise ValueError(text)
    return value


def fraction(text: str) -> float:
    """A number from 0 to 1."""
    if not 0 <= (value := float(text)) <= 1:
        raise ValueError(text)
    return value


def seed(text: str) -> int:
    """A seed, which must leave room for the step beside it in a 64-bit key."""
    if not 0 <= (value := int(text)) < 2**31:
        raise ValueError(text)
    return value


def read(
    arguments: list[str] | None,
) -> tuple[argparse.ArgumentParser, argparse.Namespace, checkpoint.Progress | None]:
    """Read the command line, and with --resume the checkpoint, whose settings then are the defaults."""
    p = make_parser()
    o = p.parse_args(arguments)
    progress = None
    if o.resume:
        try:
            progress = checkpoint.read_progress(o.out / "checkpoint.safetensors")
        except (OSError, RuntimeError, ValueError) as error:
            p.error(f"--resume: {error}")
        p.set_defaults(**{name: progress.settings[name] for name in CURVE})
        o = p.parse_args(arguments)
        for name in CURVE:
            if getattr(o, name) != progress.settings[name]:
                option = "--" + name.replace("_", "-")
                p.error(f"--resume: the checkpoint was made with {option} {progress.settings[name]}")
    if o.dim % (2 * o.heads):
        p.error(f"--dim must be an even multiple of --heads; {o.dim} / {o.heads} is not")
    return p, o, progress
