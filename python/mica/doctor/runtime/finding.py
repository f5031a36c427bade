"""What a run-time finding says: where, what, at what cost, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Place:
    """A line of the program."""

    path: str
    line: int
    function: str = ""
    module: str = ""  # of the model, as a path of attributes

    def __str__(self) -> str:
        inside = f" in {self.function}" if self.function else ""
        return f"{self.path}:{self.line}{inside}"


@dataclass
class Cost:
    """What a mistake took, as far as it was measured; None: not measured."""

    count: int = 1  # sightings
    milliseconds: float | None = None
    bytes: int | None = None
    share: float | None = None  # of the run's time, 0 to 1

    def __str__(self) -> str:
        parts = [f"{self.count} times" if self.count != 1 else "once"]
        if self.milliseconds is not None:
            parts.append(f"{self.milliseconds:.3g} ms")
        if self.share is not None:
            parts.append(f"{100 * self.share:.2g}% of the run")
        if self.bytes:
            parts.append(amount(self.bytes))
        return ", ".join(parts)


@dataclass
class Finding:
    """One mistake, with all its sightings."""

    rule: str  # "MX101"
    place: Place
    message: str  # the cause, one line
    cost: Cost
    related: list[tuple[Place, str]] = field(default_factory=list)


def amount(count: float) -> str:
    """Bytes for people: 1536 is "1.5 KiB"."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024 or unit == "GiB":
            return f"{count:.3g} {unit}" if count < 1000 else f"{count:.0f} {unit}"
        count /= 1024
    return ""
