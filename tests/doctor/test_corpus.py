"""The corpus: every mistake is found, and nothing else."""

from __future__ import annotations

from collections import Counter

import pytest
from mica.doctor.rules import RULES

from tests.doctor.corpus import programs
from tests.doctor.score import ratio, score

STATIC = [r for r in RULES if r != "MX901"]


@pytest.fixture(scope="module")
def counts() -> tuple[Counter, Counter, Counter]:
    """Right, false and missed findings by rule."""
    return score(programs())


def test_every_rule_has_twelve_wrong_and_twelve_right_programs() -> None:
    wrong = Counter(p.rule for p in programs() if p.wrong)
    right = Counter(p.rule for p in programs() if not p.wrong)
    assert min(wrong[r] for r in STATIC) >= 12
    assert min(right[r] for r in STATIC) >= 12


def test_precision_and_recall(counts: tuple[Counter, Counter, Counter]) -> None:
    right, false, missed = counts
    assert ratio(right.total(), right.total() + false.total()) >= 0.95
    assert ratio(right.total(), right.total() + missed.total()) >= 0.90


def test_programs_that_were_written_later() -> None:
    """49 programs as people write them; what is missed stands in the corpus's README."""
    right, false, missed = score(programs("later.py"))
    assert len(programs("later.py")) == 49
    assert ratio(right.total(), right.total() + false.total()) >= 0.95
    assert ratio(right.total(), right.total() + missed.total()) >= 0.95


@pytest.mark.parametrize("rule", STATIC)
def test_each_rule(rule: str, counts: tuple[Counter, Counter, Counter]) -> None:
    right, false, missed = counts
    assert ratio(right[rule], right[rule] + false[rule]) >= 0.85
    assert ratio(right[rule], right[rule] + missed[rule]) >= 0.85


def test_judged_findings_of_real_programs() -> None:
    from tests.doctor.judged import FOLDER, precision, read

    verdicts = [v for path in FOLDER.glob("*.tsv") for v in read(path)]
    assert verdicts and all(v.rule in RULES and (v.before or v.after) for v in verdicts)
    right, count = precision([v for v in verdicts if v.after])
    assert right / count >= 0.95
