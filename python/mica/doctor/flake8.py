"""The checker as a plugin of flake8: rules MX101 and on."""

from __future__ import annotations

import ast
from collections.abc import Iterator


class Checker:
    """What flake8 calls for each file."""

    name = "mica"
    version = "0.1"

    def __init__(self, tree: ast.AST, filename: str, lines: list[str]) -> None:
        self.filename = filename
        self.source = "".join(lines)

    def run(self) -> Iterator[tuple[int, int, str, type]]:
        """The findings in this file: line, column from 0, text, and the class that found it."""
        from mica.doctor.rules import RULES
        from mica.doctor.run import check_file

        result, _ = check_file(self.filename, self.source.encode())
        for f in result.findings:
            if f.path == self.filename:
                yield f.line, f.column - 1, f"{f.rule} {RULES[f.rule].slug}: {f.message}", type(self)
