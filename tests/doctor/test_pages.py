"""The pages are made from the table, and their examples are what they say."""

from __future__ import annotations

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
