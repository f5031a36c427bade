"""Calls with one mistake are refused as the wheel refuses them: the class of the exception is its, or stands
among the meant differences.
"""

from __future__ import annotations

import numpy as np
import pytest

from tests.ops import mistakes, refusals, target, vocabulary
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


def test_refusals_are_argued() -> None:
    """Each entry gives a reason and matches something narrower than everything."""
    for row in refusals.REFUSALS:
        assert len(row.reason) > 20 and (row.call or row.mica or row.wheel), row
