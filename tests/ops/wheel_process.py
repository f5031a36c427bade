"""The wheel in a process of its own: a call of it can end the process, or never return.

Run as a program it is that process: it reads pickled calls and writes pickled outcomes.
"""

from __future__ import annotations

import os
import pickle
import select
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class Wheel:
    """Runs drawn calls on the wheel."""

    def __init__(self, seconds: float = 20.0) -> None:
        self._seconds = seconds
        self._process: subprocess.Popen | None = None

    def __enter__(self) -> Wheel:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def run(self, function: str, arguments: str) -> tuple:
        """The outcome as in ``vocabulary.run``, or ("died",) or ("hangs",)."""
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.ops.wheel_process"],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**os.environ, "PYTHONWARNINGS": "ignore"},
            )
        pipe_in, pipe_out = self._process.stdin, self._process.stdout
        assert pipe_in is not None and pipe_out is not None
        try:
            pickle.dump((function, arguments), pipe_in)
            pipe_in.flush()
            if not select.select([pipe_out], [], [], self._seconds)[0]:
                self._end()
                return ("hangs",)
            return pickle.load(pipe_out)
        except (EOFError, BrokenPipeError, pickle.UnpicklingError):
            self._end()
            return ("died",)


def main() -> None:
    """Answers calls until the input ends."""
    import resource

    import mlx.core as mx

    from tests.ops import vocabulary

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a call prints is no answer
    while True:
        try:
            function, arguments = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        pickle.dump(vocabulary.run(mx, function, arguments), answers)
        answers.flush()


if __name__ == "__main__":
    main()
