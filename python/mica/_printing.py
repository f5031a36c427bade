"""Printing options of arrays: mx.set_printoptions, mx.get_printoptions, mx.printoptions."""

from __future__ import annotations

from mica import core


class PrintOptions:
    """How arrays are printed.

    Args:
        precision: digits after the point; -1 for six significant digits.
    """

    def __init__(self, precision: int = -1) -> None:
        self._precision = precision

    @property
    def precision(self) -> int:
        """Digits after the point; -1 for six significant digits."""
        return self._precision

    @precision.setter
    def precision(self, value: int) -> None:
        self._precision = value


def get_printoptions() -> PrintOptions:
    """Return the options in force."""
    return PrintOptions(core._print_precision())


class _PrintOptionsContext:
    """Options for the time of a ``with`` block."""

    def __init__(self, options: PrintOptions) -> None:
        self._options = options
        self._previous: list[int] = []

    def __enter__(self) -> _PrintOptionsContext:
        self._previous.append(core._print_precision())
        core.set_printoptions(precision=self._options.precision)
        return self

    def __exit__(self, *args: object) -> None:
        core.set_printoptions(precision=self._previous.pop())


def printoptions(precision: int = -1) -> _PrintOptionsContext:
    """Return a context in which arrays print with ``precision`` digits after the point."""
    return _PrintOptionsContext(PrintOptions(precision))
