"""The pages are made from the table, and their examples are what they say."""

from __future__ import annotations

from pathlib import Path

import pytest
from mica.doctor.pages import PROSE, pages, program
from mica.doctor.rules import RULES
from mica.doctor.run import check_text

FOLDER = Path(__file__).resolve().parent.parent.parent / "docs" / "doctor"


def test_pages_are_up_to_date() -> None:
    for name, text in pages().items():
        assert (FOLDER / name).read_text() == text, f"run tools/doctor_pages.py ({name})"


@pytest.mark.parametrize("rule", [r for r in RULES if r != "MX901"])
def test_examples(rule: str) -> None:
    _, _, bad, good = PROSE[rule]
    assert [f.rule for f in check_text("bad.py", program(bad))] == [rule]
    assert check_text("good.py", program(good)) == []
