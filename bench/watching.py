"""What watching costs: the training step of the benchmark's language model with the doctor on and off.

python -m mica bench/watching.py [rounds]

Rounds alternate, so that both see the same machine; the promise is at most 10% more.
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from mica import doctor  # noqa: E402
from works.language_model import mlx_train  # noqa: E402


def times(work, count: int) -> list[float]:
    """Seconds of each of some calls."""
    taken = []
    for _ in range(count):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return taken


def main(rounds: int) -> None:
    """Print both times and their ratio."""
    step = mlx_train(compiled=False)
    times(step, 3)
    off: list[float] = []
    on: list[float] = []
    for _ in range(rounds):
        off += times(step, 5)
        with doctor.watch() as report:
            on += times(step, 5)
    print(f"off {1e3 * min(off):.2f} ms, on {1e3 * min(on):.2f} ms (least of {len(on)} steps each)")
    print(
        f"ratio of the least {min(on) / min(off):.3f}, of the medians "
        f"{statistics.median(on) / statistics.median(off):.3f} (at most 1.1)"
    )
    print(f"findings on this program: {[f.rule for f in report.findings]} (none)")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10)
