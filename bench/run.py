"""Runs the benchmarks: mica beside MLX, PyTorch, JAX and NumPy, all on the CPU.

bench/peers.sh                                  once: installs the peers into .peers
python bench/run.py                             everything
python bench/run.py --only matmul --systems mica,numpy --json result.json
"""

import argparse
import json
import os
import platform
import re
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import harness
import registry

ROOT = Path(__file__).resolve().parents[1]


def options() -> argparse.Namespace:
    """The command line."""
    p = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    p.add_argument("--only", metavar="PATTERN", default="", help="regular expression on the names of works")
    p.add_argument("--group", choices=(registry.FIGURES, registry.OTHERS), help="one group only")
    p.add_argument("--systems", default=",".join(registry.SYSTEMS), help="comma-separated, default: all")
    p.add_argument("--peers", type=Path, default=ROOT / ".peers", help="where bench/peers.sh put them")
    p.add_argument("--python", default=sys.executable, help="the Python that has mica (default: this one)")
    p.add_argument("--seconds", type=float, default=3.0, help="at most about, for a system in a work")
    p.add_argument("--turns", type=int, default=9, help="at most, for a system in a work")
    p.add_argument("--statistic", choices=("median", "min"), default="median")
    p.add_argument("--json", type=Path, metavar="FILE", help="write all measurements")
    p.add_argument("--list", action="store_true", help="print the names of the works")
    o = p.parse_args()
    o.systems = o.systems.split(",")
    if unknown := set(o.systems) - set(registry.SYSTEMS):
        p.error(f"--systems: {', '.join(sorted(unknown))}: choose from {', '.join(registry.SYSTEMS)}")
    if o.turns < 1:
        p.error("--turns: at least 1")
    return o


def find_systems(o: argparse.Namespace) -> list[registry.System]:
    """The systems that are asked for and installed."""
    found = []
    for name in o.systems:
        places = [o.peers / name / "run", o.peers / name / "bin" / "python"]
        if name == "mica":
            places = [Path(o.python)]
        elif name == "numpy":
            places.append(o.peers / "mlx" / "bin" / "python")  # it needs numpy too
        start = next((place for place in places if place.exists()), None)
        if start is None:
            print(f"no {name} in {o.peers}; bench/peers.sh installs it", file=sys.stderr)
        else:
            found.append(registry.System(name, (str(start.absolute()),)))
    return found


def main() -> int:
    """Measure and print; 1 when mica fails in something or falls short."""
    o = options()
    works = registry.load(ROOT / "bench" / "works")
    works = [w for w in works if re.search(o.only, w.name) and o.group in (None, w.group)]
    if o.list:
        print("\n".join(work.name for work in works))
        return 0
    systems = find_systems(o)
    results: list[harness.Result] = []
    start = time.perf_counter()
    for i, work in enumerate(works, 1):
        if sys.stderr.isatty():
            print(f"\r\x1b[2K{i}/{len(works)} {work.name}", end="", file=sys.stderr, flush=True)
        results.append(harness.measure(work, systems, o.seconds, o.turns))
    if sys.stderr.isatty():
        print("\r\x1b[2K", end="", file=sys.stderr)

    names = [system.name for system in systems]
    threads = len(os.sched_getaffinity(0))
    print(f"{platform.machine()}, {threads} threads, {o.statistic} of up to {o.turns} turns, "
          f"{time.perf_counter() - start:.0f} s in all")  # fmt: skip
    for group in (registry.FIGURES, registry.OTHERS):
        if rows := [result for result in results if result.work.group == group]:
            print(f"\n{group}\n\n{harness.table(rows, names, o.statistic)}")
    failed = [(r.work.name, name, text) for r in results for name, text in r.errors.items()]
    if failed:
        print()
    for name, system, text in failed:
        print(f"{name}: {system}: {text}", file=sys.stderr)
    if o.json:
        o.json.write_text(json.dumps([as_json(result, o.statistic) for result in results], indent=1) + "\n")
    short = any(harness.verdict(r.work, r.values(o.statistic))[2] == "short" for r in results)
    return int(short or any(system == "mica" for _, system, _ in failed))


def as_json(result: harness.Result, statistic: str) -> dict[str, object]:
    """One work's measurements for a file."""
    bounds, ratio, word = harness.verdict(result.work, result.values(statistic))
    return {
        "work": result.work.name,
        "group": result.work.group,
        "unit": result.work.unit,
        "turns": result.turns,
        "errors": result.errors,
        "ratio": ratio,
        "bounds": bounds,
        "verdict": word,
    }


if __name__ == "__main__":
    sys.exit(main())
