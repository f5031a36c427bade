"""Single calls at the edge of what is accepted: mica does what the wheel does, whatever that is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.ops import vocabulary
from tests.ops.target import mx
from tests.ops.wheel_process import Wheel

CALLS = Path(__file__).with_name("single_calls.txt")
EXACT = ("bool_", "bool", "float16", "bfloat16")


def same(got, want) -> bool:
    """Whether two results agree: dtypes and shapes, and values to some units in the last place."""
    if got[0] != want[0]:
        return False
    if got[0] != "array":
        pairs = zip(got[1], want[1], strict=False)
        same_items = got[0] in ("list", "tuple") and len(got[1]) == len(want[1])
        return all(same(g, w) for g, w in pairs) if same_items else got[1] == want[1]
    if got[1] != want[1] or np.shape(got[2]) != np.shape(want[2]):
        return False
    close = 0 if got[1] in EXACT else 1e-6
    return bool(np.allclose(got[2], want[2], rtol=close, atol=close, equal_nan=True))


def agree(got: tuple, want: tuple) -> bool:
    """Whether two outcomes are the same: both an error of one class, or results that agree."""
    if got[0] != want[0] or got[0] == "skipped":
        return False
    return got[1] == want[1] if got[0] == "error" else same(got[1], want[1])


@pytest.mark.mica_only
def test_single_calls() -> None:
    """Results, dtypes, shapes, classes of exceptions."""
    failures = []
    calls = [line for line in CALLS.read_text().splitlines() if line and not line.startswith("#")]
    with Wheel() as wheel:
        for call in calls:
            got = vocabulary.run(mx, "lambda f: f()", f"lambda: ({call})")
            want = wheel.run("lambda f: f()", f"lambda: ({call})")
            if not agree(got, want):
                failures.append(f"{call}: {str(got)[:150]}, expected {str(want)[:150]}")
    assert len(calls) > 100
    assert not failures, f"{len(failures)} of {len(calls)}:\n  " + "\n  ".join(failures[:15])
