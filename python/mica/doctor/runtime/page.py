"""The report as one HTML page without network: findings beside their source, timeline, memory, graph."""

from __future__ import annotations

import json
import linecache
import os
from typing import Any

from mica.doctor.rules import RULES
from mica.doctor.runtime.finding import Place, amount
from mica.doctor.runtime.plan import Plan, Step
from mica.doctor.runtime.report import PAGES, by_line, by_module, shown, summary
from mica.doctor.runtime.watching import Watch

_BARS = 4000  # drawn of each kind; the longest are kept
_BOXES = 400  # steps of the graph that are drawn


def _excerpt(place: Place, around: int = 2) -> list[tuple[int, str, bool]]:
    """Lines about a place, with their numbers; whether each is the one."""
    lines = []
    for number in range(max(place.line - around, 1), place.line + around + 1):
        text = linecache.getline(place.path, number)
        if text:
            lines.append((number, text.rstrip("\n"), number == place.line))
    return lines


def _findings(watch: Watch) -> list[dict[str, Any]]:
    return [
        {
            "rule": f.rule,
            "slug": RULES[f.rule].slug,
            "severity": RULES[f.rule].severity,
            "message": f.message,
            "place": shown(f.place),
            "excerpt": _excerpt(f.place),
            "related": [(shown(p), text, _excerpt(p, 1)) for p, text in f.related],
            "cost": str(f.cost),
            "cure": f"{RULES[f.rule].cure} ({PAGES}{RULES[f.rule].page})",
        }
        for f in watch.findings
    ]


def _longest(bars: list[tuple]) -> list[tuple]:
    """At most ``_BARS`` of (thread, begin, end, ...), in order of time."""
    if len(bars) > _BARS:
        bars = sorted(bars, key=lambda b: b[1] - b[2])[:_BARS]
    return sorted(bars, key=lambda b: b[1])


def _timeline(watch: Watch) -> dict[str, Any]:
    zero, record = watch.notes.begin, watch.record
    evaluations = [
        (
            e[2],
            (e[7] - zero) / 1e6,
            (e[9] - zero) / 1e6,
            f"{e[0]}, {e[3]} operations, {shown(watch.place(e[1]))}",
            e[10],
        )
        for e in record["evaluations"]
        if e[9]
    ]
    steps, active = [], []
    for _, site, prim, nodes, thread, begin, end, held in record["steps"]:
        name = prim if nodes == 1 else f"tape of {nodes} to {prim}"
        steps.append(
            (thread, (begin - zero) / 1e6, (end - zero) / 1e6, f"{name}, {shown(watch.place(site))}")
        )
        active.append(((end - zero) / 1e6, held))
    active.sort()
    stride = max(len(active) // _BARS, 1)
    thinned = [max(active[i : i + stride], key=lambda a: a[1]) for i in range(0, len(active), stride)]
    return {"evaluations": _longest(evaluations), "steps": _longest(steps), "active": thinned}


def graph(nodes: list[tuple], place: Any) -> list[dict[str, Any]]:
    """The steps of a sketched plan and what each needs."""
    home = [n[2] for n in nodes]
    steps: dict[int, dict[str, Any]] = {}
    for prim, site, at, dtype, shape, _, _, view, inputs in nodes:
        step = steps.setdefault(at, {"names": [], "from": set(), "view": True})
        step["names"].append(prim)
        step["view"] = step["view"] and view
        step["shape"] = f"{dtype}{list(shape)}"
        step["place"] = place(site)
        step["from"] |= {home[i] for i, *_ in inputs if i >= 0 and home[i] != at}
    order = {at: i for i, at in enumerate(sorted(steps)[:_BOXES])}
    drawn = []
    for at in order:
        step = steps[at]
        names = step["names"]
        drawn.append(
            {
                "name": names[0] if len(names) == 1 else f"{len(names)}: {'+'.join(names)}",
                "kind": "view" if step["view"] else "tape" if len(names) > 1 else "kernel",
                "shape": step["shape"],
                "place": step["place"],
                "from": sorted(order[f] for f in step["from"] if f in order and order[f] < order[at]),
            }
        )
    return drawn


def _fill(data: dict[str, Any]) -> str:
    path = os.path.join(os.path.dirname(__file__), "page.html")
    with open(path, encoding="utf-8") as file:
        template = file.read()
    # Inside <script> only "</" could end the data early.
    return template.replace("/*DATA*/", json.dumps(data).replace("</", "<\\/"))


def html(watch: Watch) -> str:
    """The page of a watch that is over."""
    record, notes = watch.record, watch.notes
    lines = by_line(watch)
    data: dict[str, Any] = {
        "summary": summary(watch),
        "span": max((notes.end - notes.begin) / 1e6, 1e-6),
        "tiles": [
            (f"{(notes.end - notes.begin) / 1e9:.3g} s", "watched"),
            (str(record["total_evaluations"]), "evaluations"),
            (str(record["nodes"]), "operations"),
            (str(record["total_steps"]), "steps"),
            (amount(notes.peak), "peak"),
            (str(len(notes.updates)), "updates"),
        ],
        "findings": _findings(watch),
        "peak": notes.peak,
        **_timeline(watch),
        "alive": sorted(((b, shown(p)) for p, _, _, b in lines if b > 0), reverse=True)[:40],
        "modules": by_module(watch)[:100] if any(notes.modules[1:]) else [],
        "lines": [(shown(p), n, ms, b) for p, n, ms, b in lines[:100]],
    }
    if record["largest"] is not None:
        number, nodes = record["largest"]
        steps = graph(nodes, lambda site: shown(watch.place(site)))
        more = f", the first {_BOXES} steps" if len({n[2] for n in nodes}) > _BOXES else ""
        data["graph"] = {
            "title": f"Graph of evaluation {number}: {len(nodes)} operations{more}",
            "steps": steps,
        }
    return _fill(data)


def plan_page(plan: Plan) -> str:
    """The page of ``mica.doctor.explain``."""

    def row(step: Step) -> tuple:
        memory = (step.read + step.written) / plan.bandwidth >= step.operations / plan.speed
        bound = "view" if step.is_view else "memory" if memory else "compute"
        return (
            f"{1e3 * plan.seconds(step):.3f} ms",
            bound,
            amount(step.read),
            amount(step.written),
            f"{step.operations / 1e6:.3g}",
            f"{step.name} {step.dtype}{list(step.shape)}",
        )

    return _fill(
        {
            "summary": "What an evaluation would run",
            "tiles": [
                (f"{1e3 * plan.total_seconds:.3g} ms", "at least"),
                (str(plan.nodes), "operations"),
                (str(len(plan.steps)), "steps"),
                (amount(plan.bytes), "moved"),
                (f"{plan.operations / 1e9:.3g}", "GFLOP"),
                (amount(plan.peak), "of results at once"),
            ],
            "steptable": [row(s) for s in plan.steps],
            "graph": {"title": "Graph", "steps": graph(plan.sketch, lambda site: "")},
        }
    )
