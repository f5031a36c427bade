"""Measures pieces of work in several systems side by side, and says where mica stands.

Every system works in an interpreter process of its own. The processes take turns, a short run each, so that a
neighbour who slows the machine down for a while slows all of them down.
"""

from __future__ import annotations

import json
import math
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from registry import System, Work, show, show_ratio

HERE = Path(__file__).resolve().parent
TURN = 0.05  # seconds that one turn should last at least
PAUSE = 0.02  # between turns, so that worker threads of the last system have stopped spinning
LONG = 5.0  # what takes longer than this is measured once
ENDLESS = 30.0  # what takes longer than this is not warmed up either
HANGING = 600.0  # what takes longer than this is ended


@dataclass
class Result:
    """Seconds for one operation (or other units) of every turn, and errors, by system."""

    work: Work
    turns: dict[str, list[float]] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)

    def values(self, statistic: str) -> dict[str, float]:
        """One number a system: the median or the least of its turns."""
        combine = {"median": statistics.median, "min": min}[statistic]
        return {system: combine(turns) for system, turns in self.turns.items() if turns}


class Failed(Exception):
    """A system cannot do a piece of work."""


class Worker:
    """One system's process for one piece of work."""

    def __init__(self, system: System, work: Work, key: str) -> None:
        self.messages = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115 (closed in close)
        self.process = subprocess.Popen(
            [*system.program, str(HERE / "worker.py"), str(work.file.parent), work.name, key],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.messages,
            text=True,
        )
        self.runs = 1

    def prepare(self) -> float:
        """Wait until the work is ready, warm up, and choose the number of runs in a turn.

        Returns:
            Seconds of the second run; the first one compiles and fills caches. Where the first is endless
            there is no second.
        """
        self._answer()
        first = self.turn()
        if first >= ENDLESS:
            return first
        again = self.turn()
        self.runs = max(1, math.ceil(TURN / max(again, 1e-9)))
        return again

    def turn(self) -> float:
        """Seconds for one run."""
        self.process.stdin.write(f"{self.runs}\n")
        self.process.stdin.flush()
        return self._answer()["seconds"] / self.runs

    def _answer(self) -> dict:
        alarm = threading.Timer(HANGING, self.process.kill)
        alarm.start()
        line = self.process.stdout.readline()
        alarm.cancel()
        if not line:
            self.process.wait()
            self.messages.seek(0)
            tail = self.messages.read().strip().splitlines()[-1:] or ["no message"]
            raise Failed(f"the process ended with {self.process.returncode}: {tail[0]}")
        answer = json.loads(line)
        if "error" in answer:
            raise Failed(answer["error"])
        return answer

    def close(self) -> None:
        """End the process."""
        self.process.stdin.close()
        try:
            self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.messages.close()


def measure(work: Work, systems: Sequence[System], seconds: float, turns: int) -> Result:
    """Let the systems take turns at a piece of work.

    Args:
        work: what to do.
        systems: who does it; those that have no version of it are left out.
        seconds: how long each system works, at most about.
        turns: how often each system's turn comes, at most.
    """
    result = Result(work)
    sources = _externals(work, systems) if work.external else _workers(work, systems, result)
    try:
        spent = dict.fromkeys(sources, 0.0)
        for _ in range(turns):
            for name, (source, _) in sources.items():
                kept = result.turns.setdefault(name, [])
                if name in result.errors or (kept and spent[name] + spent[name] / len(kept) > seconds):
                    continue
                start = time.perf_counter()
                try:
                    kept.append(source() / work.calls)
                except (Failed, OSError, ValueError, subprocess.SubprocessError) as error:
                    result.errors[name] = str(error)
                    kept.clear()
                spent[name] += time.perf_counter() - start
                time.sleep(PAUSE)
    finally:
        for _, close in sources.values():
            close()
    return result


Source = tuple[Callable[[], float], Callable[[], None]]


def _externals(work: Work, systems: Sequence[System]) -> dict[str, Source]:
    return {
        system.name: (lambda s=system, key=key: work.external[key](s), lambda: None)
        for system in systems
        if (key := work.of(system.name)) is not None
    }


def _workers(work: Work, systems: Sequence[System], result: Result) -> dict[str, Source]:
    """Start and warm up the systems, one after the other; what is slow has its one measurement already."""
    sources: dict[str, Source] = {}
    for system in systems:
        if (key := work.of(system.name)) is None:
            continue
        worker = None
        try:
            worker = Worker(system, work, key)
            seconds = worker.prepare()
        except (Failed, OSError) as error:
            result.errors[system.name] = str(error)
            if worker is not None:
                worker.close()
            continue
        if seconds >= LONG:
            result.turns[system.name] = [seconds / work.calls]
            worker.close()
        else:
            sources[system.name] = (worker.turn, worker.close)
    return sources


def verdict(work: Work, values: Mapping[str, float]) -> tuple[str, str, str]:
    """What is demanded, how mica compares with the best, and "ok", "short", or "" where that is not known."""
    demand = "; ".join(bound.explain(values) for bound in work.bounds)
    if "mica" not in values:
        return demand, "", ""
    peers = {name: value for name, value in values.items() if name != "mica" and value > 0}
    best = min(peers, key=peers.get, default=None)
    ratio = f"{show_ratio(values['mica'] / peers[best])} {best}" if best else ""
    shares = [bound.share(values) for bound in work.bounds]
    if any(share is not None and share > 1 for share in shares):
        return demand, ratio, "short"
    return demand, ratio, "ok" if shares and None not in shares else ""


def table(results: Sequence[Result], systems: Sequence[str], statistic: str) -> str:
    """The results as a table that reads well as plain text and is Markdown as well."""
    rows = [["work", *systems, "mica / best", "at most", ""]]
    for result in results:
        values = result.values(statistic)
        cells = [_cell(result, name, values) for name in systems]
        bounds, ratio, word = verdict(result.work, values)
        rows.append([result.work.name, *cells, ratio, bounds, word])
    widths = [max(3, *(len(row[i]) for row in rows)) for i in range(len(rows[0]))]
    rows.insert(1, ["-" * width for width in widths])
    lines = []
    for row in rows:
        cells = [
            cell.ljust(w) if i == 0 else cell.rjust(w)
            for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(result: Result, name: str, values: Mapping[str, float]) -> str:
    if name in values:
        return show(values[name], result.work.unit)
    return "error" if name in result.errors else ""
