#!/usr/bin/env python3
"""Check that every room of the engine includes only itself and rooms below it.

base < core < ops < autodiff < compile < runtime < backend, io, distributed < python. Rooms on one level do
not include each other. engine/kernel holds arithmetic alone: the backends may use it, and it uses no room.
engine/backend/<name> counts as one room each, below which the headers of engine/backend itself lie.
The exit status is 1 when an include breaks the order.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LEVELS = {
    "base": 0,
    "core": 1,
    "ops": 2,
    "autodiff": 3,
    "compile": 4,
    "runtime": 5,
    "backend": 6,
    "io": 6,
    "distributed": 6,
    "doctor": 6,
    "python": 7,
}
# The function table through which the runtime calls the backends: an interface, not an implementation.
INTERFACES = {("runtime", "backend/backend.h")}
SUFFIXES = {".c", ".h", ".def"}
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.M)


def room_of(path: Path) -> str:
    """The room of a source file: its folder in engine/, or python."""
    parts = path.relative_to(ROOT).parts
    return "python" if parts[0] == "python" else parts[1]


def included_room(name: str, path: Path) -> str | None:
    """The room of an included header; None for public headers and for headers beside the file."""
    first = name.split("/")[0]
    if first == "mica" or ("/" not in name and (path.parent / name).exists()):
        return None
    if first in LEVELS or first == "kernel":
        return first
    if first == "python" or (ROOT / "python/src" / name).exists():
        return "python"
    return f"unknown ({name})"


def allowed(room: str, other: str) -> bool:
    if room == other:
        return True
    if other == "kernel":
        return room == "backend"
    if room == "kernel":
        return False
    return LEVELS.get(other, 99) < LEVELS.get(room, -1)


def main() -> int:
    wrong = []
    count = 0
    files = sorted(
        path
        for top in ("engine", "python/src")
        for path in (ROOT / top).rglob("*.*")
        if path.suffix in SUFFIXES
    )
    for path in files:
        room = room_of(path)
        text = path.read_text()
        for match in INCLUDE.finditer(text):
            other = included_room(match.group(1), path)
            if other is None:
                continue
            count += 1
            if not allowed(room, other) and (room, match.group(1)) not in INTERFACES:
                line = text.count("\n", 0, match.start(1)) + 1
                place = f"{path.relative_to(ROOT)}:{line}"
                wrong.append(f"{place}: {room} may not include {other} ({match.group(1)})")
    for line in wrong:
        print(line, file=sys.stderr)
    print(f"{len(files)} files, {count} includes between rooms, {len(wrong)} against the order")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
