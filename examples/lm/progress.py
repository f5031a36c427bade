"""A progress bar for people at a terminal, and now and then a plain line for everybody else."""

import shutil
import sys
import time
from types import TracebackType
from typing import Any

PLAIN_LINES = 20


class Bar:
    """Shows how far a loop is; uses rich where it is installed.

    Args:
        total: steps in the whole run.
        done: steps that an earlier run has done.
    """

    def __init__(self, total: int, done: int = 0) -> None:
        self.total, self.done, self.first = total, done, done
        self.started = time.perf_counter()
        self.terminal = sys.stdout.isatty()
        self.every = max(total // PLAIN_LINES, 1)
        self.rich = _rich_bar(total, done) if self.terminal else None

    def __enter__(self) -> "Bar":
        if self.rich is not None:
            self.rich.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.rich is not None:
            self.rich.stop()
        elif self.terminal:
            print()

    def advance(self, text: str) -> None:
        """One more step is done; `text` says how it went."""
        self.done += 1
        if self.rich is not None:
            self.rich.update(self.rich.task_ids[0], completed=self.done, text=text)
        elif self.terminal:
            print(f"\r\x1b[2K{self._line(text)}", end="", flush=True)
        elif self.done % self.every == 0 or self.done in (self.first + 1, self.total):
            print(f"step {self.done}/{self.total}  {text}", flush=True)

    def note(self, text: str) -> None:
        """A line of its own above the bar."""
        if self.rich is not None:
            self.rich.console.print(text, highlight=False, markup=False)
        else:
            print(f"\r\x1b[2K{text}" if self.terminal else text, flush=True)

    def _line(self, text: str) -> str:
        width = 16
        filled = width * self.done // self.total
        per_step = (time.perf_counter() - self.started) / max(self.done - self.first, 1)
        minutes, seconds = divmod(round(per_step * (self.total - self.done)), 60)
        bar = "█" * filled + "░" * (width - filled)
        line = f"{bar} {self.done}/{self.total}  {text}  {minutes}:{seconds:02} left"
        return line[: shutil.get_terminal_size().columns - 1]  # a line that wraps could not be overwritten


def _rich_bar(total: int, done: int) -> Any:
    try:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
    except ImportError:
        return None
    bar = Progress(
        BarColumn(24), MofNCompleteColumn(), TextColumn("{task.fields[text]}"), TimeRemainingColumn()
    )
    bar.add_task("train", total=total, completed=done, text="")
    return bar
