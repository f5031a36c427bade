"""The benchmark of anti-patterns: both forms run, and what is written follows from the numbers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

BENCH = Path(__file__).resolve().parents[2] / "bench/antipatterns"


def test_pairs_are_measured(tmp_path: Path) -> None:
    """A pair of the worker's own, and one of the list through the command line."""
    out = tmp_path / "result.json"
    command = [sys.executable, str(BENCH), "--only", "MX602 .*tile", "--systems", "mica", "--seconds", "0.01"]
    done = subprocess.run([*command, "--json", str(out)], capture_output=True, text=True, timeout=120)
    (row,) = json.loads(out.read_text())
    measured = row["measured"]["mica"]
    assert row["rule"] == "MX602" and row["limit"] == 1.1
    assert measured["ratio"] == measured["bad"] / measured["good"] > 0
    short = measured["ratio"] > row["limit"]
    assert done.returncode == int(short) and ("SHORT" if short else "reached") in done.stdout


def test_failures_are_told() -> None:
    """A pair that cannot run is an error of that pair alone."""
    code = (
        "import sys; sys.path.insert(0, sys.argv.pop(1)); import pairs, worker\n"
        "pairs.pair('MX0', 'broken', None)(lambda: (lambda: 1 / 0, lambda: None))\n"
        "pairs.pair('MX1', 'equal', None)(lambda: (lambda: lambda: 2.0, lambda: lambda: 1.0))\n"
        "n = len(pairs.PAIRS)\n"
        "worker.main(0.0, [n - 2, n - 1])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(BENCH)], capture_output=True, text=True, timeout=60
    )
    broken, equal = map(json.loads, done.stdout.splitlines())
    assert broken["error"] == "ZeroDivisionError: division by zero"
    assert equal["ratio"] == 2.0
