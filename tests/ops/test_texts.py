"""Texts of errors: each names the function that was called, the argument, and what was given."""

from __future__ import annotations

import math
import re

import pytest

from tests.ops import one_mistake
from tests.ops.cases import all_cases
from tests.ops.one_mistake import Mistake
from tests.ops.target import mx

CASES = [case for case in all_cases() if not case.missing and one_mistake.of_case(case)]
PARTS = 4
# The mistakes of which a text must name the argument: of others what was given tells which it is.
BY_NAME = ("another type", "too large", "unknown keyword")


def words_of(given: str) -> list[str]:
    """What of a wrong value a text may tell: the value, its type; of an array shape, type or sizes."""
    if match := re.match(r"array\((\(.*?\)), '(\w+)'\)", given):
        shape = eval(match[1])  # noqa: S307
        sizes = [str(shape), f"{len(shape)}", f"{math.prod(shape)}", *map(str, shape)]
        return [*sizes, match[2].rstrip("_")]
    value = eval(given, {"mx": mx})  # noqa: S307
    inner = value if isinstance(value, (list, tuple)) else []
    some = [value, *inner]
    return [str(item) for item in some] + [type(item).__name__ for item in some]


def hole(name: str, mistake: Mistake, text: str) -> str | None:
    """What a text leaves out."""
    head, _, body = text.partition("]")
    if head not in (f"[{name}", f"[{name.rsplit('.', 1)[-1]}"):
        return "the function"
    argument = mistake.argument
    told = re.search(rf"\b{re.escape(argument)}\b", body) or "the arguments are: " in body
    if mistake.kind in BY_NAME and not told:
        return f"the argument '{argument}'"
    # "of size 2 with its padding" is about padding_high.
    told = (argument and told) or any(word in body for word in argument.split("_") if len(word) > 4)
    if "an index" in text or "too large" in text or "out of range" in text or not mistake.given:
        return None
    if not told and not any(
        re.search(rf"(?<!\w){re.escape(w)}(?!\w)", body) for w in words_of(mistake.given)
    ):
        return f"{argument}={mistake.given}"
    return None


@pytest.mark.mica_only
@pytest.mark.parametrize("part", range(PARTS))
def test_texts(part: int) -> None:
    """Every mistake in every argument: what the text must name it names."""
    holes, refused = [], 0
    for case in CASES[part::PARTS]:
        for mistake in one_mistake.of_case(case):
            if (got := one_mistake.outcome(mistake)) is None:
                continue
            refused += 1
            if left_out := hole(case.name, mistake, got[1]):
                holes.append(f"{mistake.call}: {got[0]}: {got[1][:200]!r} leaves out {left_out}")
    assert not holes, f"{len(holes)} of {refused}:\n  " + "\n  ".join(holes[:25])
    assert refused > 300, "hardly a call was wrong"


def test_a_hole_is_seen() -> None:
    """Of a text without function, without argument, and without what was given."""
    call = one_mistake.Call("mx.sort", (), (), ())
    mistake = Mistake("another type", "axis", "1.5", call)
    assert hole("sort", mistake, "axis must be an int") == "the function"
    assert hole("sort", mistake, "[sort] not a float") == "the argument 'axis'"
    assert hole("sort", Mistake("negative", "k", "-5", call), "[sort] that is wrong") == "k=-5"
    assert hole("sort", mistake, "[sort] argument 'axis' is of type float; accepted: int") is None
