"""Checks that each public declaration of the C API has a documentation comment of its own.

    python3 tools/check_comments.py

Prints the declarations without one; exit status 1 when there are any.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

HEADERS = Path(__file__).resolve().parents[1] / "include" / "mica"


def bare(text: str) -> list[str]:
    """The names that ``text`` declares with MICA_API and without a comment right before."""
    found = []
    for declaration in re.finditer(r"^MICA_API [^;{]*?\b(mica_\w+)\(", text, re.M):
        before = text[: declaration.start()].rstrip("\n")
        gap = text[: declaration.start()][len(before) :]
        if not before.endswith("*/") or len(gap) > 1:
            found.append(declaration.group(1))
    return found


def main() -> int:
    """Print what lacks a comment."""
    status = 0
    for path in sorted(HEADERS.glob("*.h")):
        for name in bare(path.read_text()):
            print(f"{path.relative_to(HEADERS.parents[1])}: {name} has no documentation comment of its own")
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
