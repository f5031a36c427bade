"""What is measured from outside: start-up, memory at its highest, and the build of mica itself."""

import json
import os
import shutil
import subprocess
import tempfile
import time
from functools import partial
from pathlib import Path

from registry import FIGURES, Limit, System, work

ROOT = Path(__file__).resolve().parents[2]
MODULES = {"mica": "mica.core", "mlx": "mlx.core", "torch": "torch", "jax": "jax", "numpy": "numpy"}


def import_time(system: System) -> float:
    """Seconds for the import alone, after the interpreter has started; its byte code may be cached."""
    program = (
        f"import time; t = time.perf_counter(); import {MODULES[system.name]}; print(time.perf_counter() - t)"
    )
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(
        [*system.python, "-c", program], capture_output=True, text=True, check=False, env=environment
    )
    if done.returncode:
        raise ValueError((done.stderr.strip().splitlines() or ["no message"])[-1])
    return float(done.stdout)


work("import", Limit(40e-3), group=FIGURES, external=dict.fromkeys(MODULES, import_time))

CAST = """
import json, sys
import mlx.core as mx
path, order = sys.argv[1:]
mx.eval(mx.zeros(8).astype(mx.float16))
def anonymous():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("RssAnon")) * 1024
print(anonymous(), flush=True)
weights = mx.load(path)
if order == "eval first":
    mx.eval(weights)
weights = {name: value.astype(mx.float16) for name, value in weights.items()}
mx.eval(weights)
print(json.dumps({"size": sum(value.nbytes for value in weights.values()), "peak": mx.get_peak_memory()}))
"""
TENSORS, LENGTH = 8, 1 << 22


def write_safetensors(path: Path) -> None:
    """Float32 tensors of zeros, 16 MB each: how much memory they take does not depend on the numbers."""
    size = 4 * LENGTH
    header = json.dumps(
        {f"layer.{i}": {"dtype": "F32", "shape": [LENGTH], "data_offsets": [i * size, (i + 1) * size]}
         for i in range(TENSORS)}
    ).encode()  # fmt: skip
    with open(path, "wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        for _ in range(TENSORS):
            file.write(bytes(size))


def load_peak(order: str, system: System) -> float:
    """Highest memory of load, cast to float16 and eval, over the size of the result.

    Counted is what the process itself needs (anonymous pages), sampled from outside, or the peak that the
    system reports, whichever is higher; pages of the file, which the kernel can drop, do not count.
    """
    with tempfile.TemporaryDirectory() as folder:
        path, program = Path(folder) / "weights.safetensors", Path(folder) / "cast.py"
        write_safetensors(path)
        program.write_text(CAST)
        process = subprocess.Popen(
            [*system.program, str(program), str(path), order],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        before = process.stdout.readline()
        highest = 0
        while process.poll() is None:
            highest = max(highest, anonymous_memory(process.pid))
            time.sleep(0.0005)
        output, errors = process.communicate()
        if process.returncode:
            raise ValueError((errors.strip().splitlines() or ["no message"])[-1])
        answer = json.loads(output)
        return max(highest - int(before), answer["peak"]) / answer["size"]


def anonymous_memory(process: int) -> int:
    """Bytes of anonymous memory that a process holds; 0 when it has ended."""
    try:
        for line in Path(f"/proc/{process}/status").read_text().splitlines():
            if line.startswith("RssAnon"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


for order in ("cast first", "eval first"):
    measure = partial(load_peak, order)
    work(
        f"peak of load, cast, eval ({order}), times the result",
        Limit(1.1, "x"),
        group=FIGURES,
        unit="x",
        external={"mica": measure, "mlx": measure},
    )


def make(folder: Path, *arguments: str) -> float:
    """Seconds of a make run on two cores."""
    cores = sorted(os.sched_getaffinity(0))[:2]
    start = time.perf_counter()
    done = subprocess.run(
        ["make", *arguments], cwd=folder, capture_output=True, text=True, check=False,
        preexec_fn=lambda: os.sched_setaffinity(0, cores),
    )  # fmt: skip
    if done.returncode:
        raise ValueError((done.stderr.strip().splitlines() or ["no message"])[-1])
    return time.perf_counter() - start


class Build:
    """A fresh clone of what is committed, built once and looked at by several works."""

    folder: tempfile.TemporaryDirectory | None = None
    seconds = 0.0

    @classmethod
    def tree(cls) -> Path:
        """The built clone."""
        if cls.folder is None:
            cls.folder = tempfile.TemporaryDirectory()
            subprocess.run(["git", "clone", "--quiet", str(ROOT), cls.folder.name], check=True)
            try:
                cls.seconds = make(Path(cls.folder.name), "build")
            except ValueError:
                cls.folder = None
                raise
        return Path(cls.folder.name)


def clean_build(system: System) -> float:
    """Seconds from a fresh clone to a usable package, parts by pip included."""
    Build.tree()
    return Build.seconds


def touched_build(system: System) -> float:
    """Seconds after one family's source file has changed."""
    tree = Build.tree()
    source = max((tree / "engine" / "ops").glob("*.c"), key=lambda path: path.stat().st_size)
    os.utime(source)
    return make(tree, "build")


def library_size(system: System) -> float:
    """Megabytes of the engine, or of the extension that contains it, without symbols for a debugger."""
    tree = Build.tree()
    found = [*tree.rglob("libmica*.so*"), *tree.glob("python/mica/core*.so")]
    libraries = [path for path in found if not path.is_symlink()]
    if not libraries:
        raise ValueError("the build left no shared library")
    strip = shutil.which("strip")
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "libmica.so"
        shutil.copy(max(libraries, key=lambda path: path.stat().st_size), copy)
        if strip:
            subprocess.run([strip, "--strip-debug", str(copy)], check=True)
        return copy.stat().st_size / 1e6


work("clean build, two cores", Limit(300), group=FIGURES, external={"mica": clean_build})
work("build after touching one file", Limit(15), group=FIGURES, external={"mica": touched_build})
work("size of libmica", Limit(20, "MB"), group=FIGURES, unit="MB", external={"mica": library_size})
