"""Hold the peak of memory against what the evaluations' schedules require.

In a program::

    with mica.liveness.watch() as report:
        train_step()
    print(report.peak, report.required, report.ratio)

For a whole program: ``python -m mica.liveness train.py arguments...`` runs it and prints the report.
"""

from __future__ import annotations

import runpy
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import mica.core as mx


@dataclass
class Report:
    """What was measured, in bytes; complete when the ``with`` block has ended.

    Attributes:
        peak: the most that arrays occupied at once, `mx.get_peak_memory()`.
        required: the most that liveness requires: for each evaluation, what was active before it and
            the results that are alive at once in the order chosen, each from the step that makes it
            to the last that reads it; an operand that dies gives its memory to a result.
        largest: operation and shape of the step where that is.
        evaluations: how many there were.
    """

    peak: int = 0
    required: int = 0
    largest: str = ""
    evaluations: int = 0

    @property
    def ratio(self) -> float:
        """Peak over required; what is above 1 are kernels' own needs and work of other streams."""
        return self.peak / self.required if self.required else 1.0

    def __str__(self) -> str:
        return (
            f"{self.evaluations} evaluations\n"
            f"required by liveness {self.required:>15,} bytes, at {self.largest or 'no step'}\n"
            f"peak                 {self.peak:>15,} bytes, {self.ratio:.3f} of it"
        )


@contextmanager
def watch() -> Iterator[Report]:
    """Measure the block: resets the peak, and fills the report that it yields at the end.

    Returns:
        A `Report`.
    """
    report = Report()
    mx.synchronize()
    mx.reset_peak_memory()
    before = mx.get_active_memory()  # the peak moves when memory is taken, which may never happen
    mx._watch_memory(True)
    try:
        yield report
    finally:
        mx.synchronize()
        record = mx._memory_record()
        mx._watch_memory(False)
        report.peak = max(before, mx.get_peak_memory())
        report.required = record["required"]
        report.largest = record["largest"]
        report.evaluations = record["evaluations"]


def main(arguments: list[str]) -> int:
    """Run a Python file with its arguments and print the report to stderr.

    Args:
        arguments: the file's path and what it is given.

    Returns:
        The exit status.
    """
    if not arguments:
        print("usage: python -m mica.liveness program.py arguments...", file=sys.stderr)
        return 2
    sys.argv = arguments
    status = 0
    with watch() as report:
        try:
            runpy.run_path(arguments[0], run_name="__main__")
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else int(end.code is not None)
    print(report, file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
