"""The pages are made from the table, and their examples are what they say."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest
from mica.doctor.pages import PROSE, pages, program
from mica.doctor.rules import RULES
from mica.doctor.run import check_text

FOLDER = Path(__file__).resolve().parent.parent.parent / "docs" / "doctor"


def test_pages_are_up_to_date() -> None:
    tool = FOLDER.parent.parent / "tools" / "doctor_pages.py"
    done = subprocess.run([sys.executable, tool, "--check"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert {p.name for p in FOLDER.glob("MX*.md")} == set(pages()) - {"README.md"}


@pytest.mark.parametrize("rule", [r for r in RULES if r != "MX901"])
def test_examples(rule: str) -> None:
    _, _, bad, good = PROSE[rule]
    assert [f.rule for f in check_text("bad.py", program(bad))] == [rule]
    assert check_text("good.py", program(good)) == []


@pytest.mark.parametrize("path", sorted(FOLDER.glob("MX*.md")), ids=lambda p: p.stem)
def test_every_page_has_the_four_headings(path: Path) -> None:
    headings = re.findall(r"^## (.+)$", path.read_text(), re.M)
    assert headings[:4] == ["What it does", "Why is this bad", "Example", "Use instead"]
    assert headings[4:] in (["Fix"], ["Measured", "Fix"])


def test_measured_costs_stand_before_the_fix() -> None:
    """Times with their units, three digits, and what could not be measured said in a table that holds."""
    spec = importlib.util.spec_from_file_location(
        "doctor_pages", FOLDER.parents[1] / "tools" / "doctor_pages.py"
    )
    tool = importlib.util.module_from_spec(spec)
    saved, sys.argv = sys.argv, ["doctor_pages.py", "--check"]
    try:
        spec.loader.exec_module(tool)
    finally:
        sys.argv = saved
    rows = [{"rule": "MX101", "name": "a; b", "unit": "s", "measured": {
                "mica": {"bad": 0.0123456, "good": 9.996e-4, "ratio": 12.35}, "mlx": {"error": "a|b\nc"}}},
            {"rule": "MX402", "name": "c; d", "unit": "B", "measured": {
                "mica": {"bad": 2**34, "good": 2**20, "ratio": 16384.0}}}]  # fmt: skip
    section = tool.costs("MX101", rows, "a machine")
    assert section.startswith("## Measured\n") and section.endswith("\n\n")
    assert "| a; b | 12.3 ms / 1 ms = 12.3 | a\\|b |" in section
    assert "| c; d | 16384 MiB / 1 MiB = 16384 | not measured |" in tool.costs("MX402", rows, "a machine")
    assert tool.costs("MX999", rows, "a machine") == ""
    assert "on a machine;" in section and "was faster" not in section
    rows[0]["measured"]["mlx"] = {"bad": 1.0, "good": 2.0, "ratio": 0.5}
    assert "was faster" in tool.costs("MX101", rows, "a machine")
    assert tool.without_figures(tool.PAIRS, tool.measurements["pairs"]) == []
    assert len(tool.without_figures(tool.PAIRS, tool.measurements["pairs"][1:])) == 1
