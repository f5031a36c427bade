"""Each meant difference is one: its example gives another outcome on the wheel."""

from __future__ import annotations

import pickle

import pytest

from tests.ops import vocabulary
from tests.ops.differences import DIFFERENCES
from tests.ops.target import mx
from tests.ops.wheel_process import Wheel


def outcome(run, expression: str) -> tuple:
    """What an expression gives; of an error its class alone."""
    found = run("lambda f: f()", f"lambda: ({expression})")
    assert found[0] != "skipped", found
    return found[:2] if found[0] == "error" else found


@pytest.mark.mica_only
def test_differences() -> None:
    """An entry on which both agree is stale."""
    stale = []
    with Wheel() as wheel:
        for row in DIFFERENCES:
            if row.example:
                got = outcome(lambda *call: vocabulary.run(mx, *call), row.example)
                if pickle.dumps(got) == pickle.dumps(outcome(wheel.run, row.example)):
                    stale.append(f"{row.name}: {row.example} gives {got} on both")
    assert not stale, "\n".join(stale)


def test_differences_are_argued() -> None:
    """Each entry has a reason, what happens instead, and an example or the place of its proof."""
    for row in DIFFERENCES:
        assert row.reason and row.instead and bool(row.example) != bool(row.proven), row
    assert len({row.name for row in DIFFERENCES}) == len(DIFFERENCES)
