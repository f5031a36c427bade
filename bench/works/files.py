"""Saving and loading of 1 GiB: against what the disk and the memory give without any library."""

import os
import statistics
import subprocess
import tempfile
from functools import partial
from pathlib import Path

from registry import FIGURES, Limit, System, work

ROUNDS = 5
FOLDER = os.environ.get("MICA_BENCH_FOLDER")

# Times the saving of an array of random bytes, and prints it; argv: path of the file, kind.
SAVE = """
import sys, time
import mlx.core as mx
path, kind = sys.argv[1:]
x = mx.random.randint(-(1 << 31), (1 << 31) - 1, (1 << 28,))
mx.eval(x)
t = time.perf_counter()
if kind == "npy":
    mx.save(path, x)
else:
    mx.save_safetensors(path, {"x": x})
print(time.perf_counter() - t)
"""

# The same bytes with dd.
DD = ["dd", "bs=16M", "conv=fsync", "status=none"]

# Times loading and one sum over all elements; the file is in the system's memory.
LOAD = """
import sys, time
import mlx.core as mx
path, kind = sys.argv[1:]
mx.eval(mx.sum(mx.zeros((1 << 20,), mx.int32)))
t = time.perf_counter()
x = mx.load(path)
x = x if kind == "npy" else x["x"]
mx.eval(mx.max(x))
print(time.perf_counter() - t)
"""

# Times reading all bytes into memory that is there.
READ = """
import sys, time
path = sys.argv[1]
room = bytearray(16 << 20)
view = memoryview(room)
t = time.perf_counter()
with open(path, "rb", buffering=0) as file:
    while file.readinto(view):
        pass
print(time.perf_counter() - t)
"""


def run(program: tuple[str, ...], code: str, *args: object) -> float:
    """What a program prints: seconds."""
    done = subprocess.run(
        [*program, "-c", code, *map(str, args)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise ValueError((done.stderr.strip().splitlines() or ["no message"])[-1])
    return float(done.stdout)


def aliased(system: System, code: str) -> str:
    """The code with the module's name."""
    return code.replace("mlx.core", "mica.core") if system.name == "mica" else code


def saving(kind: str, system: System) -> float:
    """The median, over some rounds, of the time over that of dd right before or after it.

    Both write a new file in every second round and replace one in the others: what a disk does beside the
    work differs more from minute to minute than what is compared.
    """
    ratios = []
    with tempfile.TemporaryDirectory(dir=FOLDER) as folder:
        source, path, copy = (Path(folder) / name for name in ("source", f"x.{kind}", "copy"))
        run(system.python, aliased(system, SAVE), path, kind)
        os.link(path, source)
        script = f"import subprocess, time; t = time.perf_counter(); subprocess.run({DD!r} + ['if=' + "
        script += f"{str(source)!r}, 'of=' + {str(copy)!r}], check=True); print(time.perf_counter() - t)"
        run(system.python, script)
        for turn in range(ROUNDS):
            if turn % 2 == 0:
                path.unlink()
                copy.unlink()
            own = run(system.python, aliased(system, SAVE), path, kind)
            ratios.append(own / run(system.python, script))
    return statistics.median(ratios)


def loading(kind: str, system: System) -> float:
    """The median, over some rounds, of the time over that of a plain read before it."""
    ratios = []
    with tempfile.TemporaryDirectory(dir=FOLDER) as folder:
        path = Path(folder) / f"x.{kind}"
        run(system.python, aliased(system, SAVE), path, kind)
        for _ in range(ROUNDS):
            plain = run(system.python, READ, path)
            ratios.append(run(system.python, aliased(system, LOAD), path, kind) / plain)
    return statistics.median(ratios)


for kind in ("safetensors", "npy"):
    work(
        f"save 1 GiB ({kind}), times dd conv=fsync",
        Limit(1.25, "x"),
        group=FIGURES,
        unit="x",
        external=dict.fromkeys(("mica", "mlx"), partial(saving, kind)),
    )
    work(
        f"load 1 GiB and use it ({kind}), times reading the file",
        Limit(1.25, "x"),
        group=FIGURES,
        unit="x",
        external=dict.fromkeys(("mica", "mlx"), partial(loading, kind)),
    )
