"""What a run is told: options, ``[tool.mica.lint]`` of pyproject.toml, noqa comments and baselines."""

from __future__ import annotations

import fnmatch
import json
import re
import tomllib
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from mica.doctor.interpreter import Finding
from mica.doctor.rules import selected

EXCLUDED = frozenset(
    ".git .hg .svn .venv venv .tox .nox .mypy_cache .ruff_cache .pytest_cache .mica_cache "
    "__pycache__ build dist "
    "node_modules site-packages .eggs .ipynb_checkpoints".split()
)
NOQA = re.compile(r"#\s*noqa(?P<codes>\s*:\s*(?P<list>[A-Z]+[0-9]+(?:[\s,]+[A-Z]+[0-9]+)*))?", re.I)
LIST = "a list of strings"
# What each setting takes, and an example of it.
KEYS = {
    "select": (LIST, '["MX1"]'),
    "ignore": (LIST, '["MX7"]'),
    "exclude": (LIST, '["third_party"]'),
    "baseline": ("a string", '"known.json"'),
    "cache": ("true or false", "false"),
    "per-file-ignores": ("a table of lists of strings", '{"tests/*" = ["MX101"]}'),
    "jobs": ("a number that is not negative", "2"),
}


class ConfigError(Exception):
    """A setting that means nothing."""


@dataclass
class Config:
    """The settings of a run."""

    root: Path = field(default_factory=Path.cwd)
    select: list[str] = field(default_factory=list)
    ignore: list[str] = field(default_factory=list)
    exclude: list[str] = field(default_factory=list)
    per_file_ignores: dict[str, list[str]] = field(default_factory=dict)
    baseline: str | None = None
    cache: bool = True
    jobs: int = 0

    def rules(self) -> set[str]:
        """The rules that are asked for."""
        try:
            return selected(self.select, self.ignore)
        except ValueError as error:
            raise ConfigError(str(error)) from None

    def ignored_in(self, path: str) -> set[str]:
        """Rules that per-file-ignores leaves out in a file."""
        out: set[str] = set()
        for pattern, rules in self.per_file_ignores.items():
            if matches(path, pattern, self.root):
                out |= selected(rules, [])
        return out


def matches(path: str, pattern: str, root: Path) -> bool:
    """Whether a file is meant by a pattern: its name, or its path below the root."""
    whole = Path(path).absolute()
    name = whole.relative_to(root).as_posix() if whole.is_relative_to(root) else whole.as_posix()
    pattern = pattern.rstrip("/")
    return (
        fnmatch.fnmatch(name, pattern)
        or fnmatch.fnmatch(whole.name, pattern)
        or fnmatch.fnmatch(name, pattern + "/*")
        or pattern in Path(name).parts
    )


def load(start: Path, explicit: str | None = None) -> Config:
    """The configuration nearest above a path, or that of a given file.

    Raises:
        ConfigError: the file cannot be read, or has an unknown setting.
    """
    config = Config()
    if explicit is not None:
        candidates = [Path(explicit)]
    else:
        start = start.absolute()
        candidates = [folder / "pyproject.toml" for folder in (start, *start.parents)]
    for path in candidates:
        if not path.is_file():
            if explicit is not None:
                raise ConfigError(f"{path}: no such file")
            continue
        try:
            document = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, tomllib.TOMLDecodeError, UnicodeError) as error:
            raise ConfigError(f"{path}: {error}") from None
        table = document
        for word in ("tool", "mica", "lint"):
            table = table.get(word) if isinstance(table, dict) else None
        if table is None and explicit is not None:
            table = document.get("lint", document)
        if table is None:
            continue
        if not isinstance(table, dict):
            raise ConfigError(f"{path}: tool.mica.lint is {table!r}; it takes a table: [tool.mica.lint]")
        for key, value in table.items():
            if key not in KEYS:
                raise ConfigError(
                    f"{path}: [tool.mica.lint] has no setting {key!r}; it has {', '.join(KEYS)}"
                )
            wanted, example = KEYS[key]
            if not fits(wanted, value):
                raise ConfigError(
                    f"{path}: [tool.mica.lint] has {key} = {value!r}; it takes {wanted}: {key} = {example}"
                )
            setattr(config, key.replace("-", "_"), value)
        try:
            for rules in config.per_file_ignores.values():
                selected(rules, [])
        except ValueError as error:
            raise ConfigError(f"{path}: [tool.mica.lint.per-file-ignores]: {error}") from None
        config.root = path.absolute().parent
        break
    return config


def fits(wanted: str, value: object) -> bool:
    """Whether a value is what a setting takes."""
    if wanted == LIST:
        return isinstance(value, list) and all(isinstance(v, str) for v in value)
    if wanted.startswith("a table"):
        return isinstance(value, dict) and all(fits(LIST, v) for v in value.values())
    if wanted == "a string":
        return isinstance(value, str)
    if wanted == "true or false":
        return isinstance(value, bool)
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def suppressed(finding: Finding, lines: list[str]) -> bool:
    """Whether a ``# noqa`` comment on a finding's first or last line silences it."""
    for number in {finding.line, finding.end_line}:
        if not 0 < number <= len(lines):
            continue
        found = NOQA.search(lines[number - 1])
        if found is None:
            continue
        if found["codes"] is None or finding.rule in re.split(r"[\s,]+", found["list"].upper()):
            return True
    return False


def fingerprint(finding: Finding, lines: list[str], root: Path) -> str:
    """What a baseline knows a finding by: file, rule and the text of its line, not its number."""
    path = Path(finding.path).absolute()
    name = path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()
    text = lines[finding.line - 1].strip() if 0 < finding.line <= len(lines) else ""
    return f"{name}|{finding.rule}|{text}"


def read_baseline(path: Path) -> Counter[str]:
    """The findings that are known, each as often as it is known.

    Raises:
        ConfigError: the file cannot be read or is no baseline.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        return Counter({str(k): int(v) for k, v in document["findings"].items()})
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"{path}: not a baseline ({error})") from None


def write_baseline(path: Path, known: Counter[str]) -> None:
    """Write the findings of a run as a baseline."""
    path.write_text(json.dumps({"version": 1, "findings": dict(sorted(known.items()))}, indent=1) + "\n",
                    encoding="utf-8")  # fmt: skip
