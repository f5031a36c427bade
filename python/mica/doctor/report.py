"""Findings as text, JSON, SARIF 2.1.0 and annotations of GitHub."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any, NamedTuple

from mica.doctor.formats import PAGES, annotation, document, escape, level, uri
from mica.doctor.interpreter import Finding
from mica.doctor.rules import ERROR, NO_FIX, RULES
from mica.doctor.run import Broken

FORMATS = ("text", "json", "sarif", "github")


class Report(NamedTuple):
    """What is printed: findings with the lines of their files, and files that could not be checked."""

    findings: list[Finding]
    broken: list[Broken]
    lines: dict[str, list[str]]
    cells: dict[str, list[tuple[int, int]]]


def place(report: Report, path: str, line: int) -> tuple[str, int]:
    """A file's name as people know it, with the cell of a notebook, and the line in it."""
    cells = report.cells.get(path)
    if cells and 0 < line <= len(cells):
        cell, inner = cells[line - 1]
        return f"{path}:cell {cell}", inner
    return path, line


def text(report: Report) -> str:
    """For people: place, rule, cause, the line with carets, and the cure."""
    out: list[str] = []
    for item in sorted([*report.broken, *report.findings], key=lambda f: (f.path, f.line, f.column)):
        name, number = place(report, item.path, item.line)
        if isinstance(item, Broken):
            out += [f"{name}:{number}:{item.column}: error: {item.message}", ""]
            continue
        rule = RULES[item.rule]
        out.append(f"{name}:{number}:{item.column}: {rule.id} {rule.slug}  {item.message}")
        lines = report.lines.get(item.path, [])
        if 0 < item.line <= len(lines):
            source = lines[item.line - 1].expandtabs(1)
            end = item.end_column if item.end_line == item.line else len(source) + 1
            head = f"{number:6d} | "
            out.append(head + source)
            out.append(
                " " * (len(head) - 2) + "| " + " " * (item.column - 1) + "^" * max(1, end - item.column)
            )
        out += [f"  cure: {rule.cure}", ""]
    return "\n".join(out)


def summary(report: Report, fixed: int = 0, fixable: int | None = 0) -> str:
    """The last lines of the text report. ``fixable``: how many findings --fix would mend, None where LibCST
    is missing to say it."""
    count = len(report.findings)
    if not count and not report.broken:
        return f"Fixed {fixed}. No findings left." if fixed else "No findings."
    parts = [f"Found {count} {'finding' if count == 1 else 'findings'}."]
    if fixed:
        parts.insert(0, f"Fixed {fixed}.")
    if report.broken:
        parts.append(f"{len(report.broken)} not checked.")
    if fixable is None:
        parts.append("Some may be fixed with --fix, which needs LibCST: pip install 'mica-array[lint]'.")
    elif fixable:
        parts.append(f"{fixable} may be fixed with --fix.")
    return " ".join(parts)


def statistics(report: Report) -> str:
    """How often each rule was broken."""
    counts = Counter(f.rule for f in report.findings)
    rows = [
        f"{count:6d}  {rule}  {RULES[rule].slug}"
        for rule, count in sorted(counts.items(), key=lambda c: (-c[1], c))
    ]
    return "\n".join(rows)


def as_json(report: Report) -> str:
    """For programs: a list of findings, the names as ruff's output has them."""
    rows: list[dict[str, Any]] = []
    for f in report.findings:
        rule = RULES[f.rule]
        cells = report.cells.get(f.path)
        cell, line = cells[f.line - 1] if cells else (None, f.line)
        rows.append({
            "code": rule.id,
            "name": rule.slug,
            "severity": rule.severity,
            "message": f.message,
            "cure": rule.cure,
            "filename": f.path,
            "cell": cell,
            "location": {"row": line, "column": f.column},
            "end_location": {"row": line + f.end_line - f.line, "column": f.end_column},
            "fix": None if f.applicability == NO_FIX else {"applicability": f.applicability},
            "page": PAGES + rule.page,
        })  # fmt: skip
    for b in report.broken:
        rows.append({
            "code": None, "name": "not-checked", "severity": ERROR, "message": b.message, "cure": None,
            "filename": b.path, "cell": None, "location": {"row": b.line, "column": b.column},
            "end_location": {"row": b.line, "column": b.column}, "fix": None, "page": None,
        })  # fmt: skip
    return json.dumps(rows, indent=1)


def sarif(report: Report) -> str:
    """SARIF 2.1.0; information is the level note."""
    used = sorted({f.rule for f in report.findings})
    results = []
    for f in report.findings:
        lines = report.lines.get(f.path, [])
        region: dict[str, Any] = {
            "startLine": f.line, "startColumn": f.column, "endLine": f.end_line,
            "endColumn": max(f.end_column, 1 if f.end_line > f.line else f.column + 1),
        }  # fmt: skip
        if 0 < f.line <= len(lines):
            region["snippet"] = {"text": lines[f.line - 1]}
        results.append({
            "ruleId": f.rule,
            "ruleIndex": used.index(f.rule),
            "level": level(f.rule),
            "message": {"text": f"{f.message}. {RULES[f.rule].cure}"},
            "locations": [
                {"physicalLocation": {"artifactLocation": {"uri": uri(f.path)}, "region": region}}
            ],
        })  # fmt: skip
    notes = [{
        "level": "error",
        "message": {"text": b.message},
        "locations": [{"physicalLocation": {
            "artifactLocation": {"uri": uri(b.path)},
            "region": {"startLine": max(1, b.line), "startColumn": max(1, b.column)},
        }}],
    } for b in report.broken]  # fmt: skip
    run = {
        "columnKind": "unicodeCodePoints",
        "results": results,
        "invocations": [{"executionSuccessful": not notes, "toolExecutionNotifications": notes}],
    }
    return document("mica lint", used, run)


def github(report: Report) -> str:
    """Annotations of GitHub's workflows."""

    out = []
    for b in report.broken:
        out.append(f"::error title=mica lint,file={escape(b.path)},line={b.line},col={b.column}::"
                   + escape(b.message, True))  # fmt: skip
    for f in report.findings:
        rule = RULES[f.rule]
        kind = annotation(f.rule)
        _, line = place(report, f.path, f.line)
        out.append(f"::{kind} title=mica ({rule.id}),file={escape(f.path)},line={line},col={f.column},"
                   f"endLine={line + f.end_line - f.line},endColumn={f.end_column}::"
                   + escape(f"{rule.id} {rule.slug}: {f.message}. {rule.cure}", True))  # fmt: skip
    return "\n".join(out)


def render(report: Report, kind: str) -> str:
    """A report in one of `FORMATS`."""
    return {"text": text, "json": as_json, "sarif": sarif, "github": github}[kind](report)
