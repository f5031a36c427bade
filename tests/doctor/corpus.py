"""The corpus of the static checker: programs in cells, with the findings that must come marked on their
lines."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).parent / "corpus"
PRELUDE = "import mlx.core as mx; import mlx.nn as nn; import mlx.optimizers as optim; import numpy as np\n"
CELL = re.compile(r"^# %% (wrong|right): (.*)\n", re.M)
FILE = re.compile(r"^# %% file: (.*)\n", re.M)
MARK = re.compile(r"# expect: (.*)$")


class Program(NamedTuple):
    """One program: files by name, the first of which is the one to check, and the expected findings."""

    rule: str
    wrong: bool
    title: str
    files: dict[str, str]
    expected: list[tuple[str, int, str]]


def programs(files: str = "mx*.py") -> list[Program]:
    """All programs of the corpus, in order, or those of some of its files."""
    out = []
    for path in sorted(FOLDER.glob(files)):
        parts = CELL.split(path.read_text())
        for kind, title, text in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
            pieces = FILE.split(text)
            files = {"main.py": pieces[0], **dict(zip(pieces[1::2], pieces[2::2], strict=True))}
            if not re.search(r"^(import|from) ", pieces[0], re.M):
                files["main.py"] = PRELUDE + pieces[0]
            expected = []
            for name, source in files.items():
                for number, line in enumerate(source.splitlines(), 1):
                    found = MARK.search(line)
                    if found:
                        expected += [(name, number, rule.strip()) for rule in found[1].split(",")]
            out.append(Program(path.stem.upper(), kind == "wrong", title, files, expected))
    return out
