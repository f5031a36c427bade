"""Watching a part of a program: what the engine notes, and what only Python can see.

While a watch is on, a few functions of the package are wrapped: updates of optimizers, calls of modules and
traces of compiled functions. All of them are as before when it ends.
"""

from __future__ import annotations

import gc
import os
import time
import weakref
from collections.abc import Callable
from functools import cached_property
from typing import Any

import mica
import mica.core as core  # first: it brings the module below
from mica import _compile
from mica.doctor.runtime.arguments import described_call, difference
from mica.doctor.runtime.finding import Place
from mica.doctor.runtime.leaks import held_inside, in_plain_dicts

_FOLDER = os.path.dirname(os.path.abspath(mica.__file__)) + os.sep
NONFINITE, STEPS = 1, 2  # options of the engine's half


class Trace:
    """The traces and calls of one compiled function."""

    def __init__(self, function: Callable) -> None:
        code = getattr(function, "__code__", None)
        self.name = getattr(function, "__qualname__", repr(function))
        self.path = code.co_filename if code else ""
        self.line = code.co_firstlineno if code else 0
        self.calls = 0
        self.traces = 0
        self.nanoseconds = 0  # of all traces
        self.sites: list[int] = []  # of calls that traced
        self.changes: list[str] = []  # what each trace but the first had new
        self.leaks: list[int] = []  # lines where placeholders were made that outlived their trace
        self.last: Any = None


class Notes:
    """What Python noted beside the engine's record."""

    def __init__(self) -> None:
        self.updates: list[tuple[int, int]] = []  # time and line of each optimizer update
        self.traces: dict[Any, Trace] = {}  # by code
        self.compiled: dict[tuple[str, int], int] = {}  # functions compiled, by place of the function
        self.modules: list[str] = [""]  # names by number
        self.quantized: dict[int, int] = {}  # lines that called QQLinear layers, and how often
        self.untrainable: list[int] = []  # lines where one is differentiated in evaluation mode
        self.differentiated = 0  # transformations that ask for derivatives
        self.raised: list[tuple[str, Place]] = []  # rules that exceptions were about, and where
        self.begin = self.end = 0  # nanoseconds of the monotonic clock
        self.cache = 0  # bytes by which it grew
        self.peak = 0


class Watch:
    """A watch over a part of a program, as a context manager; afterwards the report.

    Args:
        nan: look for the first NaN or infinity. Nothing is fused meanwhile, so that the operation is known.
        timeline: keep every step that runs, for timelines and traces.
    """

    def __init__(self, *, nan: bool = False, timeline: bool = True) -> None:
        self.nan = nan
        self.timeline = timeline
        self.notes = Notes()
        self._record: dict[str, Any] = {}
        self.sites: list[tuple] = []
        self._undo: list[Callable[[], None]] = []
        self._ids: dict[int, int] = {}
        self._differentiating = 0  # transformations that are open

    # ---- on and off ----

    def __enter__(self) -> Watch:
        self.start()
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        self.stop()
        if error is not None:
            self.annotate(error)

    def annotate(self, error: BaseException) -> None:
        """Adds to an exception which line built the operation that failed, when an evaluation did, and what
        to do where an array was asked for what other frameworks have."""
        from mica.doctor.runtime import raised

        meant = raised.mistake(error, _FOLDER)
        if meant:
            self.notes.raised.append(meant)
            error.add_note(raised.hint(meant[0]))
        faults, prim, site = self.record["fault"]
        if faults and site and "[" in str(error):
            place = self.place(site)
            error.add_note(f"[{prim}] was built at {place}; it failed when it was evaluated")

    def start(self) -> None:
        """Begin to watch.

        Raises:
            RuntimeError: another watch is on.
        """
        core._doctor_start(_FOLDER, (NONFINITE if self.nan else 0) | (STEPS if self.timeline else 0))
        core.reset_peak_memory()
        self.notes.cache = core.get_cache_memory()
        self.notes.begin = time.monotonic_ns()
        self._wrap_optimizers()
        self._wrap_modules()
        self._wrap_compile()
        self._wrap_derivatives()

    def stop(self) -> None:
        """End the watch; a second call does nothing."""
        if self._record:
            return
        self.notes.end = time.monotonic_ns()
        core._doctor_stop()
        while self._undo:
            self._undo.pop()()
        self.notes.cache = core.get_cache_memory() - self.notes.cache
        self.notes.peak = core.get_peak_memory()
        self._record = core._doctor_record()
        self.sites = core._doctor_sites()

    @property
    def record(self) -> dict[str, Any]:
        """What the engine noted.

        Raises:
            RuntimeError: the watch is still on, or was never begun.
        """
        if not self._record:
            raise RuntimeError(
                "[doctor.watch] what was found is known when the watch ends, and it is still on or was never "
                "begun; read it after the `with` block, or after stop()"
            )
        return self._record

    def place(self, site: int) -> Place:
        """The line of a site."""
        code, line, module = self.sites[site] if site < len(self.sites) else (None, 0, 0)
        if code is None:
            return Place("?", 0)
        return Place(code.co_filename, line, code.co_qualname, self.notes.modules[module])

    @cached_property
    def findings(self) -> list:
        """The mistakes, the most expensive first.

        Raises:
            RuntimeError: the watch is still on.
        """
        from mica.doctor.runtime.diagnose import diagnose

        return diagnose(self)

    def text(self) -> str:
        """The report for people."""
        from mica.doctor.runtime.report import text

        return text(self)

    def __str__(self) -> str:
        return self.text() if self._record else "<a watch that is still on>"

    # ---- wrapping ----

    def _replace(self, owner: Any, name: str, value: Any) -> None:
        old = owner.__dict__.get(name)
        setattr(owner, name, value)
        self._undo.append(lambda: delattr(owner, name) if old is None else setattr(owner, name, old))

    def _wrap_optimizers(self) -> None:
        from mica.optimizers.base import Optimizer
        from mica.utils import tree_flatten

        notes = self.notes
        apply = Optimizer.apply_gradients

        def apply_gradients(optimizer: Any, gradients: Any, parameters: Any) -> Any:
            here = core._doctor_here()
            notes.updates.append((time.monotonic_ns(), here))
            core._doctor_gradients([g for _, g in tree_flatten(gradients)])
            # The package's own optimizers make all nodes for this line.
            own = type(optimizer).__module__.startswith("mica.") and not optimizer._schedulers
            outer = core._doctor_at(here if own else 0)
            try:
                return apply(optimizer, gradients, parameters)
            finally:
                core._doctor_at(outer)

        self._replace(Optimizer, "apply_gradients", apply_gradients)

    def _number(self, module: Any) -> int:
        """The number of a module; modules inside one that is called first get paths from it."""
        number = self._ids.get(id(module))
        if number is None:
            names = self.notes.modules
            root = type(module).__name__
            for path, child in module.named_modules():
                if id(child) not in self._ids:
                    self._ids[id(child)] = len(names)
                    names.append(f"{root}.{path}" if path else root)
                    weakref.finalize(child, self._ids.pop, id(child), None)
            number = self._ids[id(module)]
        return number

    def _wrap_modules(self) -> None:
        from mica.nn.layers.base import Module

        notes = self.notes

        def wrap(cls: type) -> None:
            quantized = cls.__name__ == "QQLinear"
            call = cls.__dict__.get("__call__")
            if call is None or not callable(call):
                return

            def watched(module: Any, *args: Any, **kwargs: Any) -> Any:
                outer = core._doctor_module(self._number(module))
                try:
                    if quantized:
                        here = core._doctor_here()
                        notes.quantized[here] = notes.quantized.get(here, 0) + 1
                        # Its weights are traced where they are asked for, its input behind other layers.
                        taken = (*args, *kwargs.values(), *module.values())
                        differentiated = self._differentiating and any(core._is_traced(a) for a in taken)
                        if not module.training and differentiated:
                            notes.untrainable.append(here)
                    return call(module, *args, **kwargs)
                finally:
                    core._doctor_module(outer)

            watched.__wrapped__ = call  # type: ignore[attr-defined]
            watched.__doc__ = call.__doc__
            self._replace(cls, "__call__", watched)

        def all_of(cls: type) -> None:
            wrap(cls)
            for child in cls.__subclasses__():
                all_of(child)

        for child in Module.__subclasses__():
            all_of(child)
        later = Module.__dict__.get("__init_subclass__")

        def init_subclass(cls: type, **kwargs: Any) -> None:
            super(Module, cls).__init_subclass__(**kwargs)
            wrap(cls)

        Module.__init_subclass__ = classmethod(init_subclass)  # type: ignore[assignment]
        if later is None:
            self._undo.append(lambda: delattr(Module, "__init_subclass__"))
        else:
            self._undo.append(lambda: setattr(Module, "__init_subclass__", later))

    def _wrap_derivatives(self) -> None:
        from mica._transforms import _Traced

        enter, leave = _Traced.__enter__, _Traced.__exit__

        def entered(traced: Any) -> Any:
            self.notes.differentiated += 1
            self._differentiating += 1
            return enter(traced)

        def left(traced: Any, *error: object) -> None:
            self._differentiating -= 1
            leave(traced, *error)

        self._replace(_Traced, "__enter__", entered)
        self._replace(_Traced, "__exit__", left)

    def _trace_of(self, compiled: Any) -> Trace:
        key = getattr(compiled.fun, "__code__", None) or id(compiled.fun)  # modules cannot be hashed
        trace = self.notes.traces.get(key)
        if trace is None:
            trace = self.notes.traces[key] = Trace(compiled.fun)
        return trace

    def _wrap_compile(self) -> None:
        cls = _compile._Compiled
        begin, call, trace_with = cls.__init__, cls.__call__, cls._trace_with
        depth: list = []
        suspects: list = []  # (trace, weak reference, line) of objects that outlived their trace

        def judge() -> None:
            """Declared state has its values by now: what is a placeholder still has leaked."""
            gc.collect()
            plain: set[int] | None = None  # looked for once, and only if needed
            for trace, reference, line in suspects:
                array = reference()
                if array is not None and core._is_abstract(array):
                    held = not held_inside(array)
                    if not held:
                        plain = in_plain_dicts() if plain is None else plain
                        held = id(array) in plain
                    if held:
                        trace.leaks.append(line)
                del array
            suspects.clear()

        def init(compiled: Any, fun: Any, *args: Any) -> None:
            begin(compiled, fun, *args)
            trace = self._trace_of(compiled)
            place = (trace.path, trace.line)
            self.notes.compiled[place] = self.notes.compiled.get(place, 0) + 1

        def called(compiled: Any, *args: Any, **kwargs: Any) -> Any:
            self._trace_of(compiled).calls += 1
            depth.append(compiled)
            try:
                return call(compiled, *args, **kwargs)
            finally:
                depth.pop()
                if suspects and not depth:
                    judge()

        def traced(compiled: Any, needs: Any, traced_call: Any) -> Any:
            trace = self._trace_of(compiled)
            made: list = []
            outer = core._doctor_tracers(made)
            site, start = core._doctor_here(), time.monotonic_ns()
            try:
                entry = trace_with(compiled, needs, traced_call)
            finally:
                core._doctor_tracers(outer)
            if entry is None:
                return None
            trace.nanoseconds += time.monotonic_ns() - start
            trace.traces += 1
            trace.sites.append(site)
            pinned = compiled.needs.get(traced_call.signature, needs)[0]
            shown = described_call(compiled.fun, traced_call.given, pinned)
            if trace.last is not None:
                trace.changes.append(difference(trace.last, shown))
            trace.last = shown
            returned = {id(a) for a in core._flatten(entry[2], False)}
            for reference, line in made:
                array = reference()
                if array is not None and id(array) not in returned:
                    suspects.append((trace, reference, line))
            return entry

        self._replace(cls, "__init__", init)
        self._replace(cls, "__call__", called)
        self._replace(cls, "_trace_with", traced)


def watch(*, nan: bool = False, timeline: bool = True) -> Watch:
    """Watch a part of a program.

    Args:
        nan: look for the first NaN or infinity; see ``Watch``.
        timeline: keep every step that runs.

    Returns:
        A context manager: inside it everything is watched, afterwards it is the report: ``findings`` (a
        list), ``text()``, and what ``mica.doctor.runtime.report`` writes in other forms.

    Raises:
        RuntimeError: when it is entered while another watch is on.

    Example:
        >>> with mica.doctor.watch() as report:
        ...     train(model)
        >>> print(report)
    """
    return Watch(nan=nan, timeline=timeline)
