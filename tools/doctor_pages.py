#!/usr/bin/env python3
"""Write docs/doctor, a page a rule, from the doctor's table; with --check only say whether it is up to
date.

The costs come from docs/doctor/measured.json, which `bench/antipatterns --json` writes.
"""

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "python"))

sys.path.insert(0, str(ROOT))

from mica.doctor.pages import pages  # noqa: E402

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


def costs(rule: str, measured: list[dict]) -> str:
    """The section about measured costs; empty for rules without any."""
    rows = []
    for pair in measured:
        if pair["rule"] != rule:
            continue
        cells = [pair["name"]]
        for system in ("mica", "mlx"):
            found = pair["measured"].get(system, {})
            if "ratio" in found:
                bad, good = (amount(found[form], pair["unit"]) for form in ("bad", "good"))
                cells.append(f"{bad} / {good} = {digits(found['ratio'])}")
            else:
                cells.append(found.get("error", "").split("\n")[0][:60] or "not measured")
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    if not rows:
        return ""
    head = ["## Measured", "Example / use instead, by `python bench/antipatterns`:", ""]
    return "\n".join([*head, "| what | mica | mlx |", "|---|---|---|", *rows, "", ""])


wanted = pages()
wanted["README.md"] = wanted["README.md"].replace("PROGRAMS", str(len(programs())))
file = folder / "measured.json"
if file.is_file():
    measured = json.loads(file.read_text())
    for name in wanted:
        section = costs(name.partition("-")[0], measured)
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
