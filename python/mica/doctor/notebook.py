"""Notebooks: their code cells as one program, and the way back from its lines to cells."""

from __future__ import annotations

import json
from typing import NamedTuple

from mica.doctor.project import SourceError


class Cells(NamedTuple):
    """The program of a notebook: its text, and for each line the number of its cell and the line in it."""

    source: str
    lines: list[tuple[int, int]]


def read(text: str) -> Cells:
    """The code cells of a notebook, magics commented out.

    Raises:
        SourceError: it is no notebook.
    """
    try:
        document = json.loads(text)
        cells = document["cells"]
        out: list[str] = []
        lines: list[tuple[int, int]] = []
        for number, cell in enumerate(cells, 1):
            if cell.get("cell_type") != "code":
                continue
            source = cell.get("source", "")
            body = source if isinstance(source, str) else "".join(source)
            foreign = body.lstrip().startswith("%%")
            for index, line in enumerate(body.splitlines(), 1):
                stripped = line.lstrip()
                magic = foreign or stripped.startswith(("%", "!", "?")) or stripped.endswith("?")
                # What stands there is replaced, not removed, so that blocks keep a statement.
                out.append(line[: len(line) - len(stripped)] + "pass" if magic and stripped else line)
                lines.append((number, index))
        return Cells("\n".join(out) + "\n", lines)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise SourceError(f"not a notebook: {type(error).__name__}: {error}") from None
