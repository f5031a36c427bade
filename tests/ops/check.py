"""Running a case and comparing what it gives: results as trees of NumPy arrays, or the class of the
exception.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from tests.ops import differences, refusals, target, values
from tests.ops.cases import Case

ERRORS = (IndexError, ValueError, TypeError, OverflowError, MemoryError, RuntimeError)


@dataclass
class Outcome:
    """What a call gave: leaves (dtype name, values) and the container, or an exception."""

    leaves: list[tuple[str, np.ndarray]]
    container: str
    error: Exception | None

    @property
    def error_class(self) -> type | None:
        """The public class of the error."""
        if self.error is None:
            return None
        return next((kind for kind in ERRORS if isinstance(self.error, kind)), type(self.error))


def outcome(function: Callable) -> Outcome:
    """Calls and evaluates; exceptions become part of the outcome."""
    try:
        result = function()
        if isinstance(result, (list, tuple)):
            container, items = type(result).__name__, list(result)
        else:
            container, items = "array", [result]
        leaves = []
        for item in items:
            if isinstance(item, (target.mx.array, target.wheel.array)):
                leaves.append((values.dtype_name(item.dtype), values.to_numpy(item)))
            else:
                leaves.append(("python", np.asarray(item)))
        return Outcome(leaves, container, None)
    except Exception as error:  # noqa: BLE001 - the class of any exception is what is compared
        return Outcome([], "", error)


class Failures:
    """Collects what fails in one test, so that a batch names every failing case."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.checked = 0

    def add(self, label: str, message: str) -> None:
        """Records a failure, unless it is a meant difference from the wheel."""
        line = f"{label}: {message}"
        if not differences.is_meant(line):
            self.lines.append(line)

    def raise_any(self) -> None:
        """Fails the test when anything failed; a test that checked nothing fails too."""
        if self.lines:
            shown = "\n  ".join(self.lines[:15])
            more = f"\n  ... and {len(self.lines) - 15} more" if len(self.lines) > 15 else ""
            pytest.fail(f"{len(self.lines)} of {self.checked} failed:\n  {shown}{more}", pytrace=False)
        assert self.checked, "nothing was checked"


def tolerance(case: Case, name: str) -> float:
    """Units in the last place allowed for results of dtype ``name``."""
    allowed = case.ulp.get(name, 0.0)
    if not target.IS_MICA:
        allowed = max(allowed, differences.rough(case.name, name))
    return allowed


def compare_values(
    got: np.ndarray,
    want: np.ndarray,
    name: str,
    allowed: float,
    scaled: bool,
    magnitude: np.ndarray | None = None,
) -> str | None:
    """None when ``got`` (of dtype ``name``) is within ``allowed`` units in the last place of ``want``.

    The unit is that of each element, of the largest one if ``scaled``, or of ``magnitude``.
    """
    if got.shape != want.shape:
        return f"shape {got.shape}, expected {want.shape}"
    if not values.is_float(name):
        if np.array_equal(got, want):
            return None
        at = np.argwhere(np.atleast_1d(got != want))[0]
        return (
            f"{np.atleast_1d(got)[tuple(at)]!r} at {at.tolist()}, expected {np.atleast_1d(want)[tuple(at)]!r}"
        )
    if got.size == 0:
        return None
    with np.errstate(all="ignore"):
        wide = np.complex128 if np.iscomplexobj(got) or np.iscomplexobj(want) else np.float64
        g, w = np.asarray(got, wide), np.asarray(want, wide)
        exact = np.asarray(values.quantized(w, name), wide)
        same = (g == exact) | (np.isnan(g) & np.isnan(w))
        if np.all(same):
            return None
        finite = np.abs(w)[np.isfinite(w)]
        reference = (
            magnitude
            if magnitude is not None
            else np.full(w.shape, finite.max() if finite.size else 1.0)
            if scaled
            else np.abs(w)
        )
        off = np.abs(g - w) / values.spacing(np.minimum(reference, values.LARGEST[name]), name)
        off = np.where(same, 0.0, np.where(np.isfinite(off), off, np.inf))
        # Half a unit for the rounding of the result itself.
        bad = off > allowed + 0.5
    if not np.any(bad):
        return None
    at = np.unravel_index(int(np.argmax(off)), off.shape)
    return (
        f"{got[at]!r} at {[int(i) for i in at]}, expected {w[at]!r}: {off[at]:.3g} ulp of {name}, "
        f"allowed {allowed:g} ({int(np.sum(bad))} of {bad.size})"
    )


def described(outcome: Outcome) -> str:
    """An error as "Class: message", or "result"."""
    return "result" if outcome.error is None else f"{outcome.error_class.__name__}: {outcome.error}"


def refused(label: str, error: Exception) -> tuple[str, str]:
    """A failure's label and message: a result where the wheel has an error."""
    return label, f"a result, expected {type(error).__name__}: {str(error)[:120]}"


def check_errors(got: Outcome, want: Outcome, label: str, failures: Failures) -> bool:
    """True when both gave results; records it when only one did or the errors' classes differ."""
    if want.error is None and got.error is None:
        return True
    if differences.wheel_fails(want.error):
        return False
    if want.error is None:
        failures.add(label, f"{type(got.error).__name__}: {str(got.error)[:200]}, expected a result")
    elif got.error is None:
        failures.add(*refused(label, want.error))
    elif got.error_class is not want.error_class and not refusals.error_class_differs(
        label, described(got), described(want)
    ):
        failures.add(
            label,
            f"{type(got.error).__name__} ({str(got.error)[:120]}), expected "
            f"{type(want.error).__name__} ({str(want.error)[:120]})",
        )
    return False
