"""Calls with one mistake are refused as the wheel refuses them: the class of the exception is its, or stands
among the meant differences.
"""

from __future__ import annotations

import numpy as np
import pytest

from tests.ops import mistakes, refusals, target, vocabulary, wrong
from tests.ops.cases import all_cases
from tests.ops.target import mx
from tests.ops.wheel_process import Wheel

COUNT = 60 if target.LONG else 5
CASES = [case for case in all_cases() if not case.missing and mistakes.right_calls(case)]
PARTS = 8


def described(outcome: tuple) -> str:
    """An outcome as ``refusals.REFUSALS`` describes it."""
    return f"{outcome[1]}: {outcome[2]}" if outcome[0] == "error" else outcome[0]


@pytest.mark.mica_only
@pytest.mark.parametrize("part", range(PARTS))
def test_mistakes(part: int) -> None:
    """What one refuses the other refuses, with the same class of exception, or the difference is meant."""
    failures, compared, refused = [], 0, 0
    with Wheel() as wheel:
        for case in CASES[part::PARTS]:
            calls = mistakes.right_calls(case)
            rng = np.random.default_rng([7, *map(ord, case.label)])
            for _ in range(COUNT):
                call = mistakes.mistake(rng, mistakes.pick(rng, calls))
                got = described(vocabulary.run(mx, call.function, call.arguments))
                if got == "skipped":
                    continue
                want = described(wheel.run(call.function, call.arguments))
                compared += 1
                refused += got != "result"
                same = got.split(":")[0] == want.split(":")[0]
                if not same and not refusals.error_class_differs(str(call), got, want):
                    failures.append(f"{call}: {got[:150]}, expected {want[:150]}")
    assert not failures, f"{len(failures)} of {compared}:\n  " + "\n  ".join(failures[:15])
    assert compared > 20 and refused > compared / 4, "hardly a call was wrong"


OPERATORS = ("+", "-", "*", "/", "//", "%", "**", "@", "&", "|", "^", "<<", ">>", "==", "!=", "<", ">=")


@pytest.mark.mica_only
def test_operators() -> None:
    """Operators with anything on either side; in place, too."""
    rng, failures, refused = np.random.default_rng(3), [], 0
    with Wheel() as wheel:
        for _ in range(40 * len(OPERATORS) if target.LONG else 8 * len(OPERATORS)):
            sign = mistakes.pick(rng, OPERATORS)
            one, other = wrong.array_text(rng, huge=False), wrong.text(rng, "operand", huge=False, odd=0.6)
            if rng.random() < 0.3:
                one, other = other, one
            call = f"({one}) {sign} ({other})"
            got = described(vocabulary.run(mx, "lambda f: f()", f"lambda: {call}"))
            want = described(wheel.run("lambda f: f()", f"lambda: {call}"))
            refused += got != "result"
            same = got.split(":")[0] == want.split(":")[0]
            if got != "skipped" and not same and not refusals.error_class_differs(call, got, want):
                failures.append(f"{call}: {got[:150]}, expected {want[:150]}")
    assert not failures, f"{len(failures)}:\n  " + "\n  ".join(failures[:25])
    assert refused > 20, "hardly a call was wrong"


def test_refusals_are_argued() -> None:
    """Each entry gives a reason and matches something narrower than everything."""
    for row in refusals.REFUSALS:
        assert len(row.reason) > 20 and (row.call or row.mica or row.wheel), row
