"""What the doctor does with an exception that ends a program: it leaves no frames of its own in the
traceback, and says what the program meant where an array was asked for what another framework has."""

from __future__ import annotations

import os
import traceback as tracebacks
from types import TracebackType

import mica.core as core
from mica.doctor.api import MOVES
from mica.doctor.rules import RULES
from mica.doctor.runtime.finding import Place

_HERE = os.path.dirname(os.path.abspath(__file__))


def mistake(error: BaseException, package: str) -> tuple[str, Place] | None:
    """The rule that an exception is about, and the line of the program that raised it.

    Args:
        error: with its traceback.
        package: the folder whose lines are not the program's.

    Returns:
        The rule's number and the place; None for other exceptions.
    """
    if not isinstance(error, AttributeError) or not isinstance(error.obj, core.array):
        return None
    # Modules say it themselves; of arrays, that are asked for attributes so often, only the doctor does.
    if error.name not in MOVES:
        return None
    place = Place("?", 0)
    for frame, line in tracebacks.walk_tb(error.__traceback__):
        code = frame.f_code
        if not code.co_filename.startswith((package, "<frozen ")):
            place = Place(code.co_filename, line, getattr(code, "co_qualname", code.co_name))
    return "MX504", place


def hint(rule: str) -> str:
    """What is said below an exception: the rule's cure."""
    row = RULES[rule]
    return f"{row.title}: {row.cure} ({row.id}, docs/doctor/{row.page})"


def _without(traceback: TracebackType | None) -> TracebackType | None:
    """A traceback without the frames of the wrappers in this folder."""
    while traceback is not None and os.path.dirname(traceback.tb_frame.f_code.co_filename) == _HERE:
        traceback = traceback.tb_next
    first = traceback
    while traceback is not None:
        traceback.tb_next = _without(traceback.tb_next)
        traceback = traceback.tb_next
    return first


def hide_doctor(error: BaseException | None) -> None:
    """Take the doctor's frames out of an exception's traceback, and out of those it follows from."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        error = waiting.pop()
        if error is None or id(error) in seen:
            continue
        seen.add(id(error))
        error.__traceback__ = _without(error.__traceback__)
        waiting += (error.__cause__, error.__context__)
