"""Mends findings in the source text with LibCST: comments and formatting stay."""

from __future__ import annotations

import difflib
from pathlib import Path

from mica.doctor.config import Config, ConfigError, suppressed
from mica.doctor.interpreter import Finding
from mica.doctor.project import SourceError, decode, parse
from mica.doctor.rules import NO_FIX, SAFE_FIX
from mica.doctor.run import Result, check_file

try:
    import libcst as cst
    from libcst.metadata import MetadataWrapper

    from mica.doctor.mending import fixer
    from mica.doctor.skeleton import Names
except ImportError:  # pragma: no cover - the part mica[lint] is not installed
    cst = None  # type: ignore[assignment]

ROUNDS = 5


def need_libcst() -> None:
    """Refuse to go on without LibCST.

    Raises:
        ConfigError: it is not installed.
    """
    if cst is None:
        raise ConfigError("--fix and --diff need LibCST: pip install 'mica-array[lint]'")


def apply_all(results: list[Result], chosen: set[str], unsafe: bool, config: Config,
              sources: dict[str, bytes]) -> tuple[int, dict[str, str], str]:  # fmt: skip
    """Mend the files of a run.

    Args:
        results: what was found; ``sources`` holds the bytes of files that are not on disk, and is left alone.
        chosen: the rules that are asked for.
        unsafe: also mend what may change meaning.

    Returns:
        How many findings are gone, the new texts by path, and the difference as a unified diff. Files on disk
        are written only if ``sources`` is empty and the caller did not ask for a difference.
    """
    fixed = 0
    changed: dict[str, str] = {}
    differences: list[str] = []
    for result in results:
        if result.broken is not None or result.path.endswith(".ipynb"):
            continue
        mine = [f for f in result.findings if f.path == result.path]
        if not any(is_fixable(f, chosen, unsafe) for f in mine):
            continue
        data = sources.get(result.path)
        raw = Path(result.path).read_bytes() if data is None else data
        try:
            before = raw.decode("utf-8")
        except UnicodeDecodeError:
            continue
        after, count = fix_text(result.path, before, chosen, unsafe, config)
        if after == before:
            continue
        fixed += count
        changed[result.path] = after
        differences += difflib.unified_diff(
            before.splitlines(True), after.splitlines(True), result.path, result.path)  # fmt: skip
    return fixed, changed, "".join(line if line.endswith("\n") else line + "\n" for line in differences)


def write(changed: dict[str, str]) -> None:
    """Write mended texts to their files."""
    for path, text in changed.items():
        Path(path).write_bytes(text.encode("utf-8"))


def is_fixable(finding: Finding, chosen: set[str], unsafe: bool) -> bool:
    """Whether a finding may be mended in this run."""
    fix = finding.applicability
    return finding.rule in chosen and fix != NO_FIX and (unsafe or fix == SAFE_FIX)


def fix_text(path: str, source: str, chosen: set[str], unsafe: bool, config: Config) -> tuple[str, int]:
    """The mended text and the number of mended findings; a fix that would break the program is left out."""
    first = None
    for _ in range(ROUNDS):
        result, _ = check_file(path, source.encode())
        lines = source.splitlines()
        findings = [
            f for f in result.findings
            if f.path == path and is_fixable(f, chosen, unsafe) and not suppressed(f, lines)
            and f.rule not in config.ignored_in(path)
        ]  # fmt: skip
        first = len(findings) if first is None else first
        if not findings:
            break
        text = one_round(source, findings)
        if text == source:
            break
        source = text
    left = len(findings) if first else 0
    return source, (first or 0) - left


def one_round(source: str, findings: list[Finding]) -> str:
    """Mend what does not overlap."""
    try:
        wrapper = MetadataWrapper(cst.parse_module(source))
        names = Names(parse(source))
        text = wrapper.visit(fixer(findings, names)).code
        parse(text)
        decode(text.encode())
        return text
    except (cst.ParserSyntaxError, SourceError, RecursionError, UnicodeError):
        return source
