#!/usr/bin/env python3
"""Write docs/doctor, a page a rule, from the doctor's table; with --check only say whether it is up to
date.

The costs come from docs/doctor/measured.json: under "pairs" what `bench/antipatterns --json` writes, under
"machine" where it ran. A pair without figures is an error.
"""

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "python"))

sys.path[:0] = [str(ROOT), str(ROOT / "bench" / "antipatterns")]

from mica.doctor.pages import pages  # noqa: E402
from pairs import PAIRS  # noqa: E402

from tests.doctor.corpus import programs  # noqa: E402

folder = ROOT / "docs" / "doctor"


def digits(value: float) -> str:
    """A number with three digits, never with an exponent."""
    return f"{value:.0f}" if value >= 99.95 else f"{value:.3g}"


def amount(value: float, unit: str) -> str:
    """Seconds or bytes, as people say them."""
    if unit == "B":
        return f"{digits(value / 2**20)} MiB"
    for factor, name in ((1, "s"), (1e3, "ms"), (1e6, "us")):
        if value * factor >= 0.9995 or name == "us":
            return f"{digits(value * factor)} {name}"
    return ""


def costs(rule: str, measured: list[dict], machine: str) -> str:
    """The section about measured costs; empty for rules without any."""
    rows, faster = [], False
    for pair in measured:
        if pair["rule"] != rule:
            continue
        cells = [pair["name"]]
        for system in ("mica", "mlx"):
            found = pair["measured"].get(system, {})
            if "ratio" in found:
                bad, good = (amount(found[form], pair["unit"]) for form in ("bad", "good"))
                cells.append(f"{bad} / {good} = {digits(found['ratio'])}")
                faster |= found["ratio"] < 0.95
            else:
                cells.append(found.get("error", "").split("\n")[0][:60] or "not measured")
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    if not rows:
        return ""
    head = ["## Measured", f"By `python bench/antipatterns` on {machine}; what is named first / second:", ""]
    tail = ["", "Below 1, what is named first was faster there."] if faster else []
    return "\n".join([*head, "| what | mica | mlx |", "|---|---|---|", *rows, *tail, "", ""])


def without_figures(pairs: list, measured: list[dict]) -> list[str]:
    """The pairs that were not measured in both systems."""
    known = {(row["rule"], row["name"]): row["measured"] for row in measured}
    return [
        f"{pair.rule} {pair.name}"
        for pair in pairs
        if any("ratio" not in known.get((pair.rule, pair.name), {}).get(s, {}) for s in ("mica", "mlx"))
    ]


wanted = pages()
wanted["README.md"] = wanted["README.md"].replace("PROGRAMS", str(len(programs())))
measurements = json.loads((folder / "measured.json").read_text())
missing = without_figures(PAIRS, measurements["pairs"])
if missing:
    names = "; ".join(missing)
    sys.exit(
        f"put what bench/antipatterns --json writes into docs/doctor/measured.json: no figures of {names}"
    )
for name in wanted:
    section = costs(name.partition("-")[0], measurements["pairs"], measurements["machine"])
    wanted[name] = wanted[name].replace("## Fix\n", section + "## Fix\n", 1)
if "--check" in sys.argv:
    stale = [
        name
        for name, text in wanted.items()
        if not (folder / name).is_file() or (folder / name).read_text() != text
    ]
    if stale:
        sys.exit(f"stale pages, run tools/doctor_pages.py: {', '.join(stale)}")
else:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in wanted.items():
        (folder / name).write_text(text)
