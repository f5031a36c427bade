"""Checks many files: finds them, spreads them over the cores, and remembers what did not change."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import sys
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

from mica.doctor import notebook
from mica.doctor.config import EXCLUDED, Config, matches
from mica.doctor.interpreter import Finding, Interpreter
from mica.doctor.project import TOO_DEEP, Project, SourceError, decode
from mica.doctor.relevance import may_hold_arrays

RECURSION = 20_000
CACHE_FOLDER = ".mica_cache"


class Broken(NamedTuple):
    """A file that could not be checked."""

    path: str
    line: int
    column: int
    message: str


class Result(NamedTuple):
    """What one file gave; findings may lie in files it imports."""

    path: str
    findings: list[Finding]
    broken: Broken | None
    cells: list[tuple[int, int]] | None


def discover(paths: Iterable[str], config: Config) -> tuple[list[str], list[Broken]]:
    """The Python files and notebooks that paths name, sorted; and paths that do not exist."""
    found: set[str] = set()
    missing: list[Broken] = []
    for given in paths:
        path = Path(given)
        if path.is_dir():
            for folder, folders, names in os.walk(path):
                folders[:] = sorted(
                    f
                    for f in folders
                    if f not in EXCLUDED
                    and not any(matches(os.path.join(folder, f), p, config.root) for p in config.exclude)
                )
                for name in names:
                    if name.endswith((".py", ".pyi", ".ipynb")) and not name.endswith(".pyi"):
                        file = os.path.normpath(os.path.join(folder, name))
                        if not any(matches(file, p, config.root) for p in config.exclude):
                            found.add(file)
        elif path.exists():
            found.add(os.path.normpath(given))
        else:
            missing.append(Broken(given, 1, 1, "no such file or folder"))
    return sorted(found), missing


_parsed: dict[tuple[str, bytes], tuple[str, ast.Module]] = {}


class CachingProject(Project):
    """A project whose files are parsed once a process."""

    def _parse(self, path: str, data: bytes) -> tuple[str, ast.Module]:
        key = (path, hashlib.sha1(data).digest())
        if key not in _parsed:
            _parsed[key] = super()._parse(path, data)
        return _parsed[key]


def check_text(path: str, source: str, project: Project | None = None) -> list[Finding]:
    """The findings of one program.

    Raises:
        SourceError: it is no Python, or too deep.
    """
    project = project or CachingProject()
    module = project.add(path, source)
    if not may_hold_arrays(path, source.encode(errors="replace"), project.touched):
        return []
    return Interpreter(project).check(module)


def check_file(path: str, data: bytes | None = None) -> tuple[Result, Project | None]:
    """Check one file; nothing it holds makes this raise."""
    sys.setrecursionlimit(max(sys.getrecursionlimit(), RECURSION))
    cells = None
    try:
        if data is None:
            data = Path(path).read_bytes()
        source = decode(data)
        if path.endswith(".ipynb"):
            source, cells = notebook.read(source)
        project = CachingProject()
        findings = check_text(path, source, project)
        return Result(path, findings, None, cells), project
    except SourceError as error:
        return Result(path, [], Broken(path, error.line, error.column, str(error)), cells), None
    except OSError as error:
        return Result(path, [], Broken(path, 1, 1, error.strerror or str(error)), cells), None
    except RecursionError:
        return Result(path, [], Broken(path, 1, 1, TOO_DEEP), cells), None
    except Exception as error:  # a fault of the checker must not keep the other files from being checked
        message = f"the checker failed on this file ({type(error).__name__}: {error}); please report it"
        return Result(path, [], Broken(path, 1, 1, message), cells), None


# ---- the cache ----


def version() -> str:
    """A digest of the checker itself: results of another version are not used."""
    digest = hashlib.sha1(sys.version.encode())
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _digest(data: bytes | None) -> str:
    return "" if data is None else hashlib.sha1(data).hexdigest()


def cached(folder: Path, path: str, data: bytes) -> Result | None:
    """The remembered result of a file, if neither it nor what it imports has changed."""
    entry = folder / hashlib.sha1(os.path.abspath(path).encode()).hexdigest()
    try:
        document = json.loads(entry.read_bytes())
        if document["digest"] != _digest(data) or document["path"] != path:
            return None
        for name, digest in document["imports"].items():
            try:
                now = _digest(Path(name).read_bytes())
            except OSError:
                now = ""
            if now != digest:
                return None
        broken = document["broken"]
        cells = document["cells"]
        return Result(path, [Finding(*f) for f in document["findings"]], Broken(*broken) if broken else None,
                      [tuple(c) for c in cells] if cells else None)  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError):
        return None


def remember(folder: Path, result: Result, data: bytes, project: Project | None) -> None:
    """Keep a result; a cache that cannot be written is none."""
    entry = folder / hashlib.sha1(os.path.abspath(result.path).encode()).hexdigest()
    imports = {name: _digest(d) for name, d in project.touched.items()} if project else {}
    document = {"path": result.path, "digest": _digest(data), "imports": imports, "findings": result.findings,
                "broken": result.broken, "cells": result.cells}  # fmt: skip
    try:
        temporary = entry.with_suffix(f".{os.getpid()}")
        temporary.write_text(json.dumps(document))
        os.replace(temporary, entry)
    except OSError:
        pass


def _task(job: tuple[str, str | None]) -> Result:
    path, folder = job
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        return Result(path, [], Broken(path, 1, 1, error.strerror or str(error)), None)
    if folder is not None:
        known = cached(Path(folder), path, data)
        if known is not None:
            return known
    result, project = check_file(path, data)
    if folder is not None:
        remember(Path(folder), result, data, project)
    return result


def check_files(files: list[str], config: Config) -> list[Result]:
    """Check files on all cores, with the cache."""
    folder: str | None = None
    if config.cache:
        place = config.root / CACHE_FOLDER / "lint" / version()
        try:
            place.mkdir(parents=True, exist_ok=True)
            (config.root / CACHE_FOLDER / ".gitignore").write_text("*\n")
            folder = str(place)
        except OSError:
            folder = None
    jobs = (
        config.jobs or len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count() or 1
    )
    work = [(f, folder) for f in files]
    if jobs <= 1 or len(files) < 8:
        return [_task(w) for w in work]
    with ProcessPoolExecutor(min(jobs, len(files))) as pool:
        return list(pool.map(_task, work, chunksize=max(1, min(16, len(files) // (4 * jobs)))))
