"""Measures pairs in one system's interpreter: worker.py SECONDS INDEX... answers with a line of JSON each."""

import gc
import json
import os
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from pairs import PAIRS, Pair, Run

TURN = 0.02  # seconds that one turn should last at least


def timed(run: Run, runs: int) -> float:
    """What one run takes: what it says itself, or seconds."""
    gc.collect()
    start = time.perf_counter()
    said = [run() for _ in range(runs)]
    seconds = (time.perf_counter() - start) / runs
    return statistics.median(said) if isinstance(said[0], float) else seconds


def measure(pair: Pair, seconds: float) -> dict[str, float]:
    """Both forms by turns: the least of each, which neighbours disturb the least, and their ratio."""
    forms = {"bad": pair.bad(), "good": pair.good()}
    runs, values = {}, {"bad": [], "good": []}
    for name, run in forms.items():
        for _ in range(2):  # the first one compiles and fills caches
            start = time.perf_counter()
            run()
            last = time.perf_counter() - start
        runs[name] = max(1, round(TURN / max(last, 1e-9)))
    end = time.perf_counter() + seconds
    while len(values["bad"]) < 3 or (time.perf_counter() < end and len(values["bad"]) < 100):
        for name, run in forms.items():
            values[name].append(timed(run, runs[name]))
    best = min if pair.unit == "s" else statistics.median
    bad, good = best(values["bad"]), best(values["good"])
    return {"bad": bad, "good": good, "ratio": bad / good}


def main(seconds: float, indices: list[int]) -> None:
    """Measure and answer; whatever else is printed goes to standard error."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    for i in indices:
        try:
            answer = measure(PAIRS[i], seconds)
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps({"index": i, **answer}) + "\n")


if __name__ == "__main__":
    main(float(sys.argv[1]), [int(i) for i in sys.argv[2:]])
