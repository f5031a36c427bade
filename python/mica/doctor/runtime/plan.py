"""What a function would run, without running it: steps, kernels, bytes, operations, time, memory.

The time is a bound of the machine (S. Williams, A. Waterman and D. Patterson, "Roofline: an insightful visual
performance model for multicore architectures", CACM 52(4), 2009): a step takes at least its bytes by the
speed of the memory and at least its operations by that of the processor.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from mica import core
from mica.doctor.runtime.finding import amount

_HEAVY = {  # operations an element, roughly, beside 1 for all others
    "exp": 15, "log": 15, "sin": 20, "cos": 20, "tanh": 20, "erf": 20, "sigmoid": 17, "power": 40,
    "sqrt": 4, "rsqrt": 5, "divide": 4, "softmax": 20, "logsumexp": 18, "rms_norm": 5, "layer_norm": 8,
}  # fmt: skip


@dataclass
class Step:
    """What runs as one: a kernel, or a tape of fused element-wise operations."""

    nodes: list[str]
    shape: tuple
    dtype: str
    read: int = 0  # bytes
    written: int = 0  # bytes
    operations: int = 0
    live: int = 0  # bytes of results held after it
    sites: list[int] = field(default_factory=list)

    @property
    def is_view(self) -> bool:
        return not self.read and not self.written

    @property
    def name(self) -> str:
        """The kernel, or the operations of the tape."""
        if len(self.nodes) == 1:
            return self.nodes[0]
        shown = "+".join(self.nodes[:6]) + ("+…" if len(self.nodes) > 6 else "")
        return f"tape({shown})"


@dataclass
class Plan:
    """What an evaluation would run, in order."""

    steps: list[Step]
    nodes: int
    bandwidth: float  # bytes a second
    speed: float  # operations a second
    sketch: list[tuple] = field(default_factory=list, repr=False)  # as the engine tells it

    @property
    def bytes(self) -> int:
        return sum(s.read + s.written for s in self.steps)

    @property
    def operations(self) -> int:
        return sum(s.operations for s in self.steps)

    @property
    def peak(self) -> int:
        """Most bytes of results that are held at once, inputs aside."""
        return max((s.live for s in self.steps), default=0)

    def seconds(self, step: Step) -> float:
        """The machine's bound for one step."""
        return max((step.read + step.written) / self.bandwidth, step.operations / self.speed)

    @property
    def total_seconds(self) -> float:
        return sum(self.seconds(s) for s in self.steps)

    def text(self) -> str:
        """A table of the steps."""
        lines = [
            f"{len(self.steps)} steps for {self.nodes} operations; {amount(self.bytes)} moved, "
            f"{self.operations / 1e9:.3g} GFLOP, at least {1e3 * self.total_seconds:.3g} ms; "
            f"at most {amount(self.peak)} of results at once",
            f"{'step':>4}  {'at least':>9}  {'bound':7}  {'read':>9}  {'written':>9}  {'MFLOP':>8}  what",
        ]
        for i, s in enumerate(self.steps):
            bound = (
                "view"
                if s.is_view
                else "memory"
                if (s.read + s.written) / self.bandwidth >= s.operations / self.speed
                else "compute"
            )
            lines.append(
                f"{i:4}  {1e3 * self.seconds(s):6.3f} ms  {bound:7}  {amount(s.read):>9}  "
                f"{amount(s.written):>9}  {s.operations / 1e6:8.3g}  {s.name} {s.dtype}{list(s.shape)}"
            )
        return "\n".join(lines)

    __str__ = text

    def html(self) -> str:
        """The same as a page of its own."""
        from mica.doctor.runtime.page import plan_page

        return plan_page(self)


def _operations(prim: str, shape: tuple, inputs: list[tuple]) -> int:
    size = math.prod(shape)
    if prim in ("matmul", "quantized_matmul", "gather_mm"):
        inner = inputs[0][3][-1] if inputs and inputs[0][3] else 1
        return 2 * size * inner
    if prim in ("conv", "conv_weight") and len(inputs) > 1:
        other = inputs[1][3]
        return 2 * size * math.prod(other[1:]) if prim == "conv" else 2 * size * math.prod(other[:-1])
    if prim == "attention" and len(inputs) > 1:
        return 4 * size * inputs[1][3][-2]
    if prim in ("sum", "max", "min", "prod", "argmax", "argmin", "cumsum", "sort"):
        return math.prod(inputs[0][3]) if inputs else size
    return size * _HEAVY.get(prim, 1)


def _bytes_that_exist(nodes: list[tuple]) -> list[int]:
    """Of each result of a sketch: a view has no more bytes than what it looks at."""
    exists: list[int] = []
    for *_, size, _, view, inputs in nodes:
        if view and inputs:
            source, count, *_ = inputs[0]
            size = min(size, exists[source] if 0 <= source < len(exists) else count)
        exists.append(size)
    return exists


def plan_of(nodes: list[tuple], bandwidth: float, speed: float) -> Plan:
    """Arranges a sketch of the engine (``_doctor_plan``) by steps."""
    steps: dict[int, Step] = {}
    home = [n[2] for n in nodes]
    last: dict[int, int] = {}  # step of the last reader
    for _, _, step, *_, inputs in nodes:
        for source, *_ in inputs:
            if source >= 0:
                last[source] = max(last.get(source, 0), step)
    counted: set[tuple[int, int]] = set()
    exists = _bytes_that_exist(nodes)
    for prim, site, at, dtype, shape, size, kept, view, inputs in nodes:
        step = steps.setdefault(at, Step([], shape, dtype))
        step.nodes.append(prim)
        step.shape, step.dtype = shape, dtype
        step.sites.append(site)
        if view:
            continue
        step.operations += _operations(prim, shape, inputs)
        if kept:
            step.written += size
        for source, count, _, _ in inputs:
            if (source, at) in counted or (source >= 0 and home[source] == at):
                continue
            counted.add((source, at))
            count = exists[source] if source >= 0 else count
            step.read += min(count, size) if prim in ("gather", "slice") else count
    live = 0
    ends: dict[int, int] = {}
    members: dict[int, list[int]] = {}
    for i, at in enumerate(home):
        members.setdefault(at, []).append(i)
    for at in sorted(steps):
        for i in members[at]:
            _, _, _, _, _, size, kept, view, _ = nodes[i]
            if kept and not view:
                live += size
                if i in last:
                    ends[last[i]] = ends.get(last[i], 0) + size
        steps[at].live = live
        live -= ends.pop(at, 0)
    return Plan([steps[at] for at in sorted(steps)], len(nodes), bandwidth, speed, nodes)


_measured: tuple[float, float] | None = None


def machine() -> tuple[float, float]:
    """Bytes and float32 operations a second of this machine, measured once (about 0.1 s)."""
    global _measured
    if _measured is None:
        x = core.ones((1 << 23,))
        a = core.ones((768, 768))
        core.eval(x, a)

        def best(work: Callable[[], Any]) -> float:
            times = []
            for _ in range(3):
                start = time.perf_counter()
                core.eval(work())
                times.append(time.perf_counter() - start)
            return min(times)

        _measured = (2 * 4 * x.size / best(lambda: x + 1.0), 2 * 768**3 / best(lambda: a @ a))
    return _measured


def explain(fn: Callable, *args: Any, **kwargs: Any) -> Plan:
    """Tell what evaluating the results of ``fn(*args, **kwargs)`` would run.

    The function itself is called, and builds its graph; nothing of it is evaluated. The arguments are
    evaluated first, so that only the function's own work is counted.

    Args:
        fn: returns a tree of arrays.
        args, kwargs: its arguments.

    Returns:
        A ``Plan``: its ``steps``, ``bytes``, ``operations``, ``peak``, ``total_seconds``; ``text()`` and
        ``html()``. The time is a lower bound from this machine's measured speed.

    Raises:
        ValueError: the function returns no array.

    Example:
        >>> print(mica.doctor.explain(lambda x: mx.softmax(x @ x.T, axis=-1), mx.ones((256, 64))))
    """
    core.eval([a for a in core._flatten([args, kwargs], False)])
    bandwidth, speed = machine()
    results = core._flatten(fn(*args, **kwargs), False)
    if not results:
        raise ValueError("[explain] the function returns no array")
    return plan_of(core._doctor_plan(results), bandwidth, speed)
