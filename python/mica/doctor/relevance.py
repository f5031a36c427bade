"""Which files can hold arrays at all: those that name mlx or mica, or import one that does.

All others are parsed, so that broken ones are reported, and not walked through. Imports are read off the
text: one too many costs a look at a file, and files are looked at once a process.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import NamedTuple

_WORDS = re.compile(rb"\b_?(?:mlx|mica)")
_IMPORTS = re.compile(
    rb"^[ \t]*(?:from[ \t]+(?P<from>[.\w]+)[ \t]+import[ \t]*(?P<names>\([^)]*\)|[^\n#;]*)"
    rb"|import[ \t]+(?P<plain>[^\n#;]*))|;[ \t]*(?P<behind>(?:import|from)[ \t][^\n#;]*)",
    re.MULTILINE,
)
_NAME = re.compile(rb"[.\w]+")
# A file that imports this many others, near and far, is looked at for itself.
MOST = 2_000


class Text(NamedTuple):
    """What matters of a file's text."""

    names_arrays: bool
    imports: tuple[tuple[int, str], ...]  # dots, and the dotted name behind them


_texts: dict[str, tuple[tuple[int, int], Text]] = {}


def _imports(data: bytes) -> tuple[tuple[int, str], ...]:
    out: dict[tuple[int, str], None] = {}

    def add(given: bytes) -> None:
        name = given.decode("ascii", "ignore")
        dots = len(name) - len(name.lstrip("."))
        out[dots, name.lstrip(".")] = None

    for match in _IMPORTS.finditer(data):
        if match["behind"]:
            out.update(dict.fromkeys(_imports(match["behind"])))
        elif match["plain"]:
            for part in match["plain"].split(b","):
                add((part.split() or [b""])[0])
        elif match["from"]:
            start = match["from"]
            add(start)
            for name in _NAME.findall(match["names"] or b""):
                add(start + name if start.endswith(b".") else start + b"." + name)
    return tuple(out)


def read(data: bytes) -> Text:
    """What matters of a text."""
    if _WORDS.search(data):
        return Text(True, ())
    return Text(False, _imports(data))


def _text_of(path: str) -> Text:
    try:
        state = os.stat(path)
        key = (state.st_mtime_ns, state.st_size)
        known = _texts.get(path)
        if known is None or known[0] != key:
            with open(path, "rb") as file:
                known = _texts[path] = (key, read(file.read()))
        return known[1]
    except OSError:
        return Text(False, ())


def _bytes_of(path: str) -> bytes | None:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return None


def import_folders(importer: str, level: int = 0) -> list[str]:
    """Where the imports of a file are looked for: those with dots, or the absolute ones."""
    folder = os.path.dirname(Path(importer)) or "."
    for _ in range(level - 1):
        folder = os.path.dirname(folder) or "."
    out = [folder]
    for _ in range(0 if level else 8):
        if not os.path.exists(os.path.join(folder, "__init__.py")):
            break
        folder = os.path.dirname(folder) or "."
        out.append(folder)
    return out


def import_files(folder: str, name: str) -> list[str]:
    """The files that a dotted name may mean in a folder."""
    parts = [p for p in name.split(".") if p]
    base = "" if folder == "." else folder
    inside = os.path.join(base, *parts, "__init__.py")
    return [inside, os.path.join(base, *parts) + ".py"] if parts else [inside]


def _is_file(path: str, tried: dict[str, bool]) -> bool:
    known = tried.get(path)
    if known is None:
        known = tried[path] = os.path.isfile(path)
    return known


def _files(path: str, text: Text, tried: dict[str, bool]) -> list[str]:
    """The files of the project that a file imports; all that were looked for go to ``tried``."""
    out = []
    absolute = import_folders(path)
    for dots, name in text.imports:
        folders = import_folders(path, dots) if dots else absolute
        names = (file for folder in folders for file in import_files(folder, name))
        there = next((n for n in names if _is_file(n, tried)), None)
        if there is not None:
            out.append(there)
    return out


def may_hold_arrays(path: str, data: bytes, touched: dict[str, bytes | None] | None = None) -> bool:
    """Whether a file names mlx or mica, or imports one of its project that does, however far.

    Args:
        path: of the file.
        data: its text.
        touched: takes the files that the answer depends on, if it is no, with their bytes or None.

    Returns:
        False only if nothing in the file can be an array as far as a text tells.
    """
    text = read(data)
    if text.names_arrays:
        return True
    tried: dict[str, bool] = {}
    seen = {path}
    waiting = _files(path, text, tried)
    while waiting:
        file = waiting.pop()
        if file in seen:
            continue
        seen.add(file)
        text = _text_of(file)
        if text.names_arrays or len(seen) > MOST:
            return True
        waiting += _files(file, text, tried)
    if touched is not None:
        for file, there in tried.items():
            touched[file] = _bytes_of(file) if there else None
    return False
