"""Instructions that building and evaluating a node takes, with and without the doctor's hooks compiled in.

python bench/instructions.py      (needs valgrind; builds the engine twice below build/)

The hooks are one load and one branch each while nobody watches; the promise is at most 1% more instructions.
Evaluating arrays of one scope one by one takes the same for each, however many the scope holds.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = ROOT / ".venv/bin"


def build(hooks: bool) -> Path:
    """The counting program, linked with the engine."""
    folder = ROOT / "build" / ("hooks" if hooks else "no-hooks")
    subprocess.run(
        [BIN / "cmake", "-S", ROOT, "-B", folder, "-G", "Ninja", f"-DCMAKE_MAKE_PROGRAM={BIN / 'ninja'}",
         f"-DMICA_WITH_DOCTOR={'ON' if hooks else 'OFF'}", "-DMICA_BUILD_SHARED=OFF"],
        check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    make = [BIN / "cmake", "--build", folder, "--target", "bench_nodes"]
    subprocess.run(make, check=True, stdout=subprocess.DEVNULL)
    return folder / "bench_nodes"


def count(program: Path, what: str, number: int) -> int:
    """Instructions of a run, as callgrind counts them."""
    done = subprocess.run(
        ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", program, what, str(number)],
        capture_output=True, text=True, check=True, env={"MICA_THREADS": "1", "MICA_ISA": "portable"},
    )  # fmt: skip
    return int(re.search(r"Collected : (\d+)", done.stderr)[1])


def main() -> None:
    """Print instructions a node for both builds, and the ratio."""
    a_node = {}
    for hooks in (False, True):
        program = build(hooks)
        a_node[hooks] = (count(program, "chain", 30) - count(program, "chain", 10)) / 20_000
    print(f"without hooks {a_node[False]:.1f} instructions a node, with {a_node[True]:.1f}")
    print(f"ratio {a_node[True] / a_node[False]:.4f} (at most 1.01)")
    runs = [count(program, "each", n) for n in (1000, 2000, 8000, 9000)]
    few, many = (runs[1] - runs[0]) / 1000, (runs[3] - runs[2]) / 1000
    print(f"evaluations of one scope: {few:.0f} instructions each of the first thousands, {many:.0f} later")
    print(f"ratio {many / few:.4f} (at most 1.1)")
    sys.exit(a_node[True] > 1.01 * a_node[False] or many > 1.1 * few)


if __name__ == "__main__":
    main()
