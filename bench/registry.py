"""What a piece of work is, and what is demanded of mica in it. Needs nothing beyond the standard library."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

SYSTEMS = ("mica", "mlx", "torch", "jax", "numpy")
FIGURES, OTHERS = "figures", "others"

# Prepares a piece of work and returns a function that does it once and waits for the result.
Prepare = Callable[[], Callable[[], object]]


@dataclass(frozen=True)
class System:
    """One of the systems that are compared."""

    name: str
    python: tuple[str, ...]

    @property
    def program(self) -> tuple[str, ...]:
        """What stands before the name of a Python program; with mica, `import mlx` then means mica."""
        return (*self.python, "-m", "mica") if self.name == "mica" else self.python


@dataclass(frozen=True)
class AtMost:
    """mica needs at most `factor` times as much as the best of some peers."""

    factor: float
    peers: tuple[str, ...]

    def __init__(self, factor: float, *peers: str) -> None:
        object.__setattr__(self, "factor", factor)
        object.__setattr__(self, "peers", peers)

    def __str__(self) -> str:
        peers = self.peers[0] if len(self.peers) == 1 else f"the best of {', '.join(self.peers)}"
        return f"{show_ratio(self.factor)} of {peers}"

    def share(self, values: Mapping[str, float]) -> float | None:
        """How much of what is allowed mica needs; above 1 it falls short, None when a peer is missing."""
        if not all(peer in values for peer in self.peers):
            return None
        return values["mica"] / (self.factor * min(values[peer] for peer in self.peers))

    def explain(self, values: Mapping[str, float]) -> str:
        """The demand, and what was measured."""
        share = self.share(values) if "mica" in values else None
        return str(self) if share is None else f"{self} (is {show_ratio(share * self.factor)})"


@dataclass(frozen=True)
class Limit:
    """mica needs at most this: seconds, or the unit of the work."""

    value: float
    unit: str = "s"

    def __str__(self) -> str:
        return show(self.value, self.unit)

    def share(self, values: Mapping[str, float]) -> float | None:
        """As for `AtMost`."""
        return values["mica"] / self.value

    def explain(self, values: Mapping[str, float]) -> str:
        """The demand; what was measured stands beside it."""
        return str(self)


@dataclass(frozen=True)
class Work:
    """A piece of work, written once for every system that can do it.

    `calls` is the number of operations in one run, by which times are divided. An `external` work measures
    whole processes: it is called with a system and returns a value in `unit`.
    """

    name: str
    group: str
    file: Path
    bounds: Sequence[AtMost | Limit] = ()
    calls: int = 1
    unit: str = "s"
    prepare: Mapping[str, Prepare] = field(default_factory=dict)
    external: Mapping[str, Callable[[System], float]] = field(default_factory=dict)

    def of(self, system: str) -> str | None:
        """The key under which a system's version stands: mica runs what is written for mlx."""
        for key in (system, "mlx") if system == "mica" else (system,):
            if key in self.prepare or key in self.external:
                return key
        return None


WORKS: list[Work] = []
_current_file = Path()


def work(
    name: str,
    *bounds: AtMost | Limit,
    group: str = OTHERS,
    calls: int = 1,
    unit: str = "s",
    external: Mapping[str, Callable[[System], float]] | None = None,
    **prepare: Prepare,
) -> None:
    """Register a piece of work; the keywords are names of systems.

    Args:
        name: unique.
        bounds: what mica must reach.
        group: `FIGURES` for what is promised, `OTHERS` for what is watched.
        calls: operations in one run.
        unit: "s", "x" (a ratio) or "MB".
        external: measurements of whole processes, by system.
        prepare: what to run, by system; "mlx" serves for mica too.
    """
    if any(other.name == name for other in WORKS):
        raise ValueError(f"two works are called {name!r}")
    if unknown := set(prepare) - set(SYSTEMS):
        raise ValueError(f"{name}: no such system: {', '.join(sorted(unknown))}")
    WORKS.append(Work(name, group, _current_file, bounds, calls, unit, prepare, external or {}))


def load(folder: Path) -> list[Work]:
    """Read all files of works; the promised figures come first."""
    global _current_file
    for file in sorted(folder.glob("*.py")):
        _current_file = file
        spec = importlib.util.spec_from_file_location(f"works_{file.stem}", file)
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
    return sorted(WORKS, key=lambda work: work.group != FIGURES)


def show_ratio(value: float) -> str:
    """A ratio as people say it: 1.2, or 1/15."""
    return f"1/{1 / value:.3g}" if 0 < value < 0.8 else f"{value:.3g}"


def show(value: float, unit: str = "s") -> str:
    """A measurement with three digits and a fitting unit."""
    if unit != "s":
        return f"{value:.3g} {unit}"
    for scale, name in ((1, "s"), (1e-3, "ms"), (1e-6, "us")):
        if value >= scale:
            return f"{value / scale:.3g} {name}" if value / scale < 1000 else f"{value / scale:.0f} {name}"
    return f"{value / 1e-9:.3g} ns"
