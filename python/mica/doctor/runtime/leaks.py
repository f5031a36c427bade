"""Who holds an array: what the engine keeps for itself, or the program."""

from __future__ import annotations

import gc
from types import FrameType
from typing import Any

import mica.core as core


def in_plain_dicts() -> set[int]:
    """The identities of arrays that dictionaries hold which the collector does not track.

    A dictionary of arrays only is not tracked (arrays cannot form cycles) and is no referrer of its values to
    ``gc.get_referrers``; but what holds it is tracked.
    """
    plain: dict[int, dict] = {}
    for holder in gc.get_objects():
        for held in gc.get_referents(holder):
            if type(held) is dict and not gc.is_tracked(held):
                plain[id(held)] = held
    return {id(v) for d in plain.values() for v in list(d.values()) if isinstance(v, core.array)}


def held_inside(array: Any) -> bool:
    """Whether nobody but the engine seems to hold an object: what a checkpoint needs later, say."""
    return not [r for r in gc.get_referrers(array) if not isinstance(r, FrameType)]
