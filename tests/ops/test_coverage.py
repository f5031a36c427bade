"""No function without a case."""

from __future__ import annotations

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
