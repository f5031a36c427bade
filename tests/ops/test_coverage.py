"""No function without a case."""

from __future__ import annotations

import pytest

from tests.ops import coverage, target
from tests.ops.cases import all_cases


def test_tables_are_read() -> None:
    """The regular expression still fits the tables."""
    names = {name for _, name, _ in coverage.rows()}
    assert {"exp", "add", "where", "sum"} <= names
    for table in coverage.TABLES:
        rows = [line for line in table.read_text().splitlines() if line.startswith(("PRIM(", "FUNC("))]
        kind = "PRIM" if table.name.startswith("prim") else "FUNC"
        assert len(rows) == sum(1 for found, _, _ in coverage.rows() if found == kind), table.name


def test_no_holes() -> None:
    """Every row of the tables has a case, or tests of its own."""
    assert coverage.holes() == []


def test_every_primitive_has_its_rules() -> None:
    """A doc line, a derivative or the mark that there is none, a way to batch."""
    assert coverage.rule_holes() == []


def test_every_mode_is_run() -> None:
    """Each function is batched, compiled and differentiated by some case, or it is said why not."""
    assert coverage.mode_holes() == []


def test_reasons_are_needed() -> None:
    """What is excused exists."""
    names = {case.name for case in all_cases()}
    assert {name for _, name in coverage.NOT_IN_MODE} <= names
    assert set(coverage.NOT_DIFFERENTIATED) <= {name for _, name, _ in coverage.rows()}


def test_holes_are_seen(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    """A row without anything is reported in every way."""
    table = tmp_path / "prim.def"
    row = 'PRIM(cube, SPECIAL, "", NO_FIELDS, CUSTOM, INTERNAL)\n'
    table.write_text(coverage.TABLES[0].read_text() + "\n" + row)
    monkeypatch.setattr(coverage, "TABLES", (table, coverage.TABLES[1]))
    text = "\n".join(coverage.every_hole())
    for what in ("cube has no case", "cube has no doc", "VMAP(cube)", "VJP(cube)", "JVP(cube)"):
        assert what in text


def test_labels_are_unique() -> None:
    """A failure names one case."""
    labels = [case.label for case in all_cases()]
    assert sorted(set(labels)) == sorted(labels)


def test_functions_exist() -> None:
    """Functions that the matrix knows are there, and so are the wheel's of the same name."""
    absent = []
    for case in all_cases():
        if case.call is None and not case.missing:
            for module in (target.mx, target.wheel):
                try:
                    target.resolve(module, case.name)
                except AttributeError:
                    absent.append(f"{module.__name__}.{case.name}")
    assert absent == []
