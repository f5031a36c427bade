"""Graphs of 100,000 nodes, handing work over, caches in place, and the peak of a training step."""

from __future__ import annotations

import json
import subprocess
from functools import partial
from pathlib import Path

from registry import FIGURES, Limit, System, work

US = 1e-6

# Each prints a number. Times are those of the thread itself where it does all the work.
BUILD_AND_RUN = """
import json, time
import mlx.core as mx
N = 100_000
build = run = 1.0
for _ in range(7):
    x = mx.array(0.0)
    mx.eval(x)
    start = time.thread_time()
    for _ in range(N):
        x = x + 1.0
    built = time.thread_time()
    mx.eval(x)
    run = min(run, (time.thread_time() - built) / N)
    build = min(build, (built - start) / N)
print(json.dumps({"build": build, "run": run}))
"""

HAND_OVER = """
import json, time
import mlx.core as mx
x = mx.random.normal((500, 500))
mx.eval(x)
times = []
for _ in range(30):
    y = x
    for _ in range(4):
        y = y @ x
    start = time.perf_counter()
    mx.async_eval(y)
    times.append(time.perf_counter() - start)
    mx.eval(y)
print(json.dumps({"seconds": sorted(times)[len(times) // 2]}))
"""

CACHE = """
import json
import mlx.core as mx
cache, keys = mx.zeros((1, 8, 4096, 64)) + 0, mx.ones((1, 8, 1, 64))
mx.eval(cache, keys)
mx.reset_peak_memory()
before = mx.get_active_memory()
for i in range(10_000):
    cache[..., i % 4096 : i % 4096 + 1, :] = keys
    mx.eval(cache)
print(json.dumps({"peak": (before + max(0, mx.get_peak_memory() - before)) / before}))
"""

TRAINING = """
import json, sys
sys.path[:0] = [{bench!r}, {works!r}]
import language_model
from mica import liveness
step = language_model.mlx_train(False)
step()
with liveness.watch() as report:
    step()
    step()
print(json.dumps({{"ratio": report.ratio}}))
"""


def measure(program: str, key: str, system: System) -> float:
    """The number that a program prints under a key, run by a system."""
    done = subprocess.run([*system.program, "-c", program], capture_output=True, text=True, check=False)
    if done.returncode:
        raise ValueError((done.stderr.strip().splitlines() or ["no message"])[-1])
    return float(json.loads(done.stdout)[key])


def both(program: str, key: str) -> dict[str, object]:
    """The measurement for mica and for the reference."""
    return dict.fromkeys(("mica", "mlx"), partial(measure, program, key))


work(
    "scalar graph of 100,000 nodes: build, each",
    Limit(0.5 * US),
    group=FIGURES,
    external=both(BUILD_AND_RUN, "build"),
)
work(
    "scalar graph of 100,000 nodes: run, each",
    Limit(0.5 * US),
    group=FIGURES,
    external=both(BUILD_AND_RUN, "run"),
)
work("async_eval returns", Limit(50 * US), group=FIGURES, external=both(HAND_OVER, "seconds"))
work(
    "peak of 10,000 writes into a key-value cache, times the cache",
    Limit(1.01, "x"),
    group=FIGURES,
    unit="x",
    external=both(CACHE, "peak"),
)

HERE = Path(__file__).resolve().parent
work(
    "peak of a training step, times what liveness requires",
    Limit(1.1, "x"),
    group=FIGURES,
    unit="x",
    external={
        "mica": partial(measure, TRAINING.format(bench=str(HERE.parent), works=str(HERE)), "ratio"),
    },
)
