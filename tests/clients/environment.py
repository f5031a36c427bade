"""Start clients on mica or on the wheel, and keep what both sides share.

Checkpoints and the wheel's answers do not depend on mica, so they are made once and kept in build/clients, in
a folder named by the sources that made them.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
CLIENTS = ROOT / ".clients"
SIDES = {
    "mica": [str(CLIENTS / "mica" / "bin" / "python"), "-m", "mica"],
    "mlx": [str(CLIENTS / "mlx" / "bin" / "python")],
}
# What the checkpoints are made of, and what the wheel is asked.
_SOURCES = ("checkpoints.py", "probe.py", "tuning.py", "other.py")


def needs(stage: str) -> pytest.MarkDecorator:
    """Skips tests while the parts of a stage are missing (`make test` brings clients, `make check` all)."""
    file = CLIENTS / "mica" / f"{stage}.txt"
    return pytest.mark.skipif(not file.exists(), reason=f"no parts: make .venv/stamps/{stage}")


def surroundings(**more: str) -> dict[str, str]:
    """The environment of a client: no network, one plain terminal."""
    hidden = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
    kept = {name: value for name, value in os.environ.items() if name not in hidden}
    plain = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "COLUMNS": "200", "NO_COLOR": "1"}
    return kept | plain | more


def run(side: str, *arguments: str | Path, timeout: int = 400, **more: str) -> str:
    """Run a program to its end and return what it printed; a failure shows the end of its errors."""
    command = [*SIDES[side], *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, env=surroundings(**more))
    said = f"{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    assert done.returncode == 0, f"{side}: {' '.join(command[1:])}\n{said}"
    return done.stdout


def _digest() -> str:
    total = hashlib.sha256()
    versions = [CLIENTS / "mica" / f"{stage}.txt" for stage in ("clients", "clients-more")]
    for file in [*(HERE / name for name in _SOURCES), *versions]:
        total.update(file.read_bytes() if file.exists() else b"")
    return total.hexdigest()[:12]


def kept(name: str, make: Callable[[Path], None]) -> Path:
    """A file or folder that is made once, also when several processes ask for it."""
    store = ROOT / "build" / "clients" / _digest()
    store.mkdir(parents=True, exist_ok=True)
    target, part = store / name, store / f"part-{name}"
    with open(store / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.exists():
            shutil.rmtree(part, ignore_errors=True)
            part.unlink(missing_ok=True)
            make(part)
            part.rename(target)
    return target


def answer(side: str, name: str, make: Callable[[Path], None], folder: Path) -> Path:
    """What a side answers: the wheel's answer is kept, mica's is made anew."""
    if side == "mlx":
        return kept(name, make)
    target = folder / name
    make(target)
    return target


def checkpoints() -> Path:
    """A folder with the checkpoints, `data`, and `trained`: llama after it learned the grammar."""

    def make(folder: Path) -> None:
        command = [str(CLIENTS / "mica" / "bin" / "python"), str(HERE / "checkpoints.py"), str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, env=surroundings())
        assert done.returncode == 0, done.stderr[-4000:]
        options = "--train --fine-tune-type full --num-layers 2 --iters 250 --batch-size 8"
        options += " --learning-rate 1e-3 --optimizer adamw --max-seq-length 128"
        options += " --val-batches 1 --steps-per-eval 1000"
        where = ["--model", folder / "llama", "--data", folder / "data", "--adapter-path", folder / "full"]
        run("mica", "-m", "mlx_lm", "lora", *where, *options.split())
        run("mica", "-m", "mlx_lm", "fuse", *where[:2], *where[4:], "--save-path", folder / "trained")

    return kept("checkpoints", make)


if __name__ == "__main__":
    print(checkpoints(), file=sys.stdout)
