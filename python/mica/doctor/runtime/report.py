"""Run-time findings as text, JSON, SARIF and GitHub annotations; the trace for Perfetto and chrome://tracing."""

from __future__ import annotations

import json
import linecache
import os
from typing import Any

from mica.doctor.formats import PAGES, annotation, document, escape, level, uri
from mica.doctor.rules import ERROR, INFORMATION, RULES, WARNING
from mica.doctor.runtime.finding import Finding, Place, amount
from mica.doctor.runtime.watching import Watch

SEVERITIES = (ERROR, WARNING, INFORMATION)


def shown_path(path: str) -> str:
    """A path as short as it can be said: relative to the working folder where it lies below it."""
    try:
        relative = os.path.relpath(path)
    except ValueError:
        return path
    return path if relative.startswith("..") else relative


def shown(place: Place) -> str:
    """A place for people."""
    where = f"{shown_path(place.path)}:{place.line}"
    inside = " ".join(
        part
        for part in (
            f"in {place.function}" if place.function else "",
            f"({place.module})" if place.module else "",
        )
        if part
    )
    return f"{where} {inside}".rstrip()


def _milliseconds(watch: Watch) -> float:
    return (watch.notes.end - watch.notes.begin) / 1e6


def summary(watch: Watch) -> str:
    """One line about the whole run."""
    record = watch.record
    return (
        f"{_milliseconds(watch) / 1e3:.3g} s watched: {record['total_evaluations']} evaluations, "
        f"{record['nodes']} operations in {record['total_steps']} steps, "
        f"peak {amount(watch.notes.peak)}, cache {amount(watch.notes.cache)}"
    )


def by_line(watch: Watch) -> list[tuple[Place, int, float, int]]:
    """(place, operations, milliseconds, bytes at the peak) of each line, the most time first."""
    rows = []
    for site, (nodes, nanoseconds, _, at_peak) in enumerate(watch.record["accounts"]):
        if nodes or at_peak:
            rows.append((watch.place(site), nodes, nanoseconds / 1e6, at_peak))
    return sorted(rows, key=lambda r: -r[2])


def by_module(watch: Watch) -> list[tuple[str, int, float, int]]:
    """(module of the model, operations, milliseconds, bytes at the peak), derivatives included."""
    modules: dict[str, list] = {}
    for place, nodes, milliseconds, at_peak in by_line(watch):
        row = modules.setdefault(place.module or "(outside of modules)", [0, 0.0, 0])
        row[0] += nodes
        row[1] += milliseconds
        row[2] += at_peak
    return sorted(((name, *row) for name, row in modules.items()), key=lambda r: -r[2])


def evaluations_by_line(watch: Watch) -> list[tuple[Place, str, int, int, float]]:
    """(place, reason, evaluations, operations, milliseconds), the most time first."""
    lines: dict[tuple[int, str], list] = {}
    for reason, site, _, nodes, _, _, _, begin, _, end, *_ in watch.record["evaluations"]:
        row = lines.setdefault((site, reason), [0, 0, 0.0])
        row[0] += 1
        row[1] += nodes
        row[2] += max(end - begin, 0) / 1e6
    rows = [(watch.place(site), reason, *row) for (site, reason), row in lines.items()]
    return sorted(rows, key=lambda r: -r[4])


def _finding_text(finding: Finding) -> list[str]:
    rule = RULES[finding.rule]
    place = finding.place
    lines = [f"{shown(place)}: {finding.rule} {rule.slug} ({rule.severity})", f"    {finding.message}"]
    source = linecache.getline(place.path, place.line).strip()
    if source:
        lines.insert(1, f"    | {source}")
    lines += [f"    {text}: {shown(where)}" for where, text in finding.related]
    lines += [f"    cost: {finding.cost}", f"    cure: {rule.cure}", f"    see {PAGES}{rule.page}"]
    return lines


def text(watch: Watch, *, profile: bool = False) -> str:
    """The report for people.

    Args:
        watch: a watch that is over.
        profile: also time and memory by module and by line.
    """
    findings = watch.findings
    lines = [summary(watch), ""]
    for finding in findings:
        lines += [*_finding_text(finding), ""]
    counts = {s: sum(RULES[f.rule].severity == s for f in findings) for s in SEVERITIES}
    named = ", ".join(f"{n} {s}{'s' if n > 1 and s != 'information' else ''}" for s, n in counts.items() if n)
    lines.append(f"Found {named}." if findings else "No mistakes found.")
    if profile:
        lines += ["", f"{'ms':>10}  {'operations':>10}  {'at peak':>9}  module"]
        lines += [f"{ms:10.3f}  {n:10}  {amount(b):>9}  {name}" for name, n, ms, b in by_module(watch)[:40]]
        lines += ["", f"{'ms':>10}  {'operations':>10}  {'at peak':>9}  line"]
        lines += [f"{ms:10.3f}  {n:10}  {amount(b):>9}  {shown(p)}" for p, n, ms, b in by_line(watch)[:20]]
        lines += ["", f"{'ms':>10}  {'times':>6}  {'operations':>10}  evaluated by"]
        lines += [
            f"{ms:10.3f}  {times:6}  {n:10}  {reason}, {shown(p)}"
            for p, reason, times, n, ms in evaluations_by_line(watch)[:20]
        ]
    return "\n".join(lines) + "\n"


def _place(place: Place) -> dict[str, Any]:
    return {"path": place.path, "line": place.line, "function": place.function, "module": place.module}


def as_json(watch: Watch) -> str:
    """Findings and figures as one JSON object."""
    record, notes = watch.record, watch.notes
    return json.dumps(
        {
            "findings": [
                {
                    "rule": f.rule,
                    "slug": RULES[f.rule].slug,
                    "severity": RULES[f.rule].severity,
                    **_place(f.place),
                    "message": f.message,
                    "cure": RULES[f.rule].cure,
                    "page": PAGES + RULES[f.rule].page,
                    "cost": {
                        "count": f.cost.count,
                        "milliseconds": f.cost.milliseconds,
                        "bytes": f.cost.bytes,
                        "share": f.cost.share,
                    },
                    "related": [{**_place(p), "message": m} for p, m in f.related],
                }
                for f in watch.findings
            ],
            "run": {
                "milliseconds": _milliseconds(watch),
                "evaluations": record["total_evaluations"],
                "operations": record["nodes"],
                "steps": record["total_steps"],
                "peak_bytes": notes.peak,
                "cache_bytes": notes.cache,
                "updates": len(notes.updates),
                "left_out": record["left_out"],
            },
            "modules": [
                {"module": name, "operations": n, "milliseconds": ms, "bytes_at_peak": b}
                for name, n, ms, b in by_module(watch)
            ],
            "lines": [
                {**_place(p), "operations": n, "milliseconds": ms, "bytes_at_peak": b}
                for p, n, ms, b in by_line(watch)
            ],
            "evaluations": [
                {**_place(p), "reason": r, "count": times, "operations": n, "milliseconds": ms}
                for p, r, times, n, ms in evaluations_by_line(watch)
            ],
        },
        indent=1,
    )


def _location(place: Place, message: str | None = None) -> dict[str, Any]:
    location: dict[str, Any] = {
        "physicalLocation": {
            "artifactLocation": {"uri": uri(place.path)},
            "region": {"startLine": max(place.line, 1)},
        }
    }
    if message:
        location["message"] = {"text": message}
    return location


def sarif(watch: Watch) -> str:
    """Findings as SARIF 2.1.0."""
    findings = watch.findings
    used = sorted({f.rule for f in findings})
    results = []
    for f in findings:
        result = {
            "ruleId": f.rule,
            "ruleIndex": used.index(f.rule),
            "level": level(f.rule),
            "message": {"text": f"{f.message} ({f.cost}). {RULES[f.rule].cure}"},
            "locations": [_location(f.place)],
        }
        if f.related:
            result["relatedLocations"] = [_location(p, m) for p, m in f.related]
        results.append(result)
    return document("mica doctor", used, {"results": results})


def github(watch: Watch) -> str:
    """Findings as annotations of GitHub's workflows."""
    return "".join(
        f"::{annotation(f.rule)} file={escape(shown_path(f.place.path))},line={f.place.line},"
        f"title={f.rule} {RULES[f.rule].slug}::"
        f"{escape(f'{f.message} ({f.cost}). {RULES[f.rule].cure}', True)}\n"
        for f in watch.findings
    )


def trace(watch: Watch) -> str:
    """Evaluations, steps and memory in the Trace Event Format, for Perfetto and chrome://tracing."""
    zero = watch.notes.begin
    events: list[dict[str, Any]] = [
        {"ph": "M", "pid": 1, "name": "process_name", "args": {"name": "mica"}},
    ]
    for reason, site, thread, nodes, steps, _, _, begin, _, end, waited, *_ in watch.record["evaluations"]:
        events.append(
            {
                "ph": "X",
                "pid": 1,
                "tid": thread,
                "cat": "evaluation",
                "name": f"{reason} {shown(watch.place(site))}",
                "ts": (begin - zero) / 1e3,
                "dur": max(end - begin, 0) / 1e3,
                "args": {"operations": nodes, "steps": steps, "waited": waited},
            }
        )
    for number, site, prim, nodes, thread, begin, end, active in watch.record["steps"]:
        place = watch.place(site)
        events.append(
            {
                "ph": "X",
                "pid": 1,
                "tid": thread,
                "cat": "step",
                "name": prim if nodes == 1 else f"tape of {nodes} to {prim}",
                "ts": (begin - zero) / 1e3,
                "dur": (end - begin) / 1e3,
                "args": {"evaluation": number, "line": shown(place), "module": place.module},
            }
        )
        events.append(
            {
                "ph": "C",
                "pid": 1,
                "name": "memory",
                "ts": (end - zero) / 1e3,
                "args": {"active bytes": active},
            }
        )
    return json.dumps({"traceEvents": events, "displayTimeUnit": "ms"})


def html(watch: Watch) -> str:
    """One HTML page; see ``mica.doctor.runtime.page``."""
    from mica.doctor.runtime import page

    return page.html(watch)


FORMATS = {"text": text, "json": as_json, "sarif": sarif, "github": github, "html": html, "trace": trace}
