"""mx.compile: trace once for a signature, then replay without Python.

Python numbers given as arguments become run-time inputs: while tracing, a stand-in takes the number's place.
Arithmetic with it is recorded; where the number itself is needed (a comparison, a shape, ``math.exp``) it is
pinned: its value becomes part of the signature from then on.
"""

from __future__ import annotations

from collections.abc import Callable

from mica import core
from mica._number import Number, Trace, plain
from mica._state import Filling, Leaving, arrays, contents, restore
from mica._transforms import _check_callable, _note_arguments, _wraps

# typing is left out at run time: its import takes longer than the engine's.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from mica._record import Recording
    from mica._state import Contents

_array = core.array
_CACHE_LIMIT = 256  # programs kept for each function


def disable_compile() -> None:
    """Make compiled functions call the plain ones."""
    core._compile_switch(False)


def enable_compile() -> None:
    """Undo ``disable_compile`` and the settings MICA_DISABLE_COMPILE and MLX_DISABLE_COMPILE."""
    core._compile_switch(True)


# What a signature's traces asked of its numbers, by place: those whose value is pinned (None: all), those
# whose range is, those that are exponents, those whose magnitude counts.
_Needs = tuple[tuple[int, ...] | None, tuple[int, ...], tuple[int, ...], tuple[int, ...]]
_NOTHING: _Needs = ((), (), (), ())
_EVERYTHING: _Needs = (None, (), (), ())
_PLAIN = (str, bool, type(None))


def _join(needs: _Needs, pinned: set[int], *chosen: set[int]) -> _Needs:
    """What was known to be needed, and more."""
    if needs[0] is None:
        return needs
    pinned = pinned.union(needs[0])
    rest = [
        tuple(sorted(old.union(new) - pinned)) for old, new in zip(map(set, needs[1:]), chosen, strict=True)
    ]
    return (tuple(sorted(pinned)), *rest)  # type: ignore[return-value]


def _substitute(tree: Any, arrays: Any, numbers: Any) -> Any:
    """The argument again, with arrays and numbers taken from two iterators."""
    kind = type(tree)
    if kind is _array:
        return next(arrays)
    if isinstance(tree, _PLAIN):
        return tree
    if isinstance(tree, (int, float)):
        return next(numbers)
    if isinstance(tree, dict):
        return {k: _substitute(v, arrays, numbers) for k, v in tree.items()}
    items = [_substitute(v, arrays, numbers) for v in tree]
    if kind is tuple:
        return tuple(items)
    return kind(*items) if hasattr(tree, "_fields") else items


def _equal(x: Any, y: Any) -> bool:
    """Equal types, shapes and bits; any NaN equals any."""
    if x.dtype != y.dtype or x.shape != y.shape:
        return False
    return bytes(x) == bytes(y) or core.array_equal(x, y, equal_nan=True).item()


class _Call:
    """One call that is traced."""

    def __init__(
        self, signature: bytes, loose: bytes, given: tuple, arrays: list, numbers: list, state: list
    ):
        self.signature = signature
        self.loose = loose  # the signature without sizes
        self.given = given
        self.arrays = arrays
        self.numbers = numbers
        self.nstate = len(state)
        self.fixed = state + arrays

    def free(self, needs: _Needs) -> tuple[int, ...]:
        """The places of numbers that are inputs at run time."""
        pinned = needs[0]
        return () if pinned is None else tuple(i for i in range(len(self.numbers)) if i not in pinned)

    def holders(self, free: tuple[int, ...]) -> list:
        """Placeholders of what the program takes."""
        weak = [core._weak_number(self.numbers[i]) for i in free]
        return core._placeholders(self.fixed + weak, [False] * len(self.fixed) + [True] * len(weak))


class _Shapeless:
    """A recording, and what it holds for."""

    def __init__(self, recording: Recording, call: _Call, needs: _Needs, entry: tuple) -> None:
        self.recording = recording
        self.needs = needs
        self.numbers = core._with_numbers(b"", needs, call.numbers)
        self.sizes = {i: core._shape(call.fixed[i]) for i in recording.sizes if i < len(call.fixed)}
        self.entry = entry

    def fits(self, call: _Call) -> bool:
        """Whether it stands for a call of the same signature but for sizes."""
        return self.numbers == core._with_numbers(b"", self.needs, call.numbers) and all(
            core._shape(call.fixed[i]) == size for i, size in self.sizes.items()
        )


class _Compiled(core._Compiled):
    """A compiled function: the engine looks up programs by signature, here they are made.

    A program's entry is (program, free numbers, output, number of results, number of arrays of the state,
    ``Leaving`` or None where arrays are all that changes in the state).
    """

    def __init__(self, fun: Callable, inputs: Any, outputs: Any, shapeless: bool) -> None:
        self.fun = fun
        self.inputs = inputs
        self.outputs = outputs
        self.programs: dict[bytes, tuple] = {}
        self.needs: dict[bytes, _Needs] = {}
        self.recordings: dict[bytes, list[_Shapeless]] | None = {} if shapeless else None
        super().__init__(fun, inputs, outputs, self.programs, self.needs)

    def _trace(
        self, signature: bytes, loose: bytes, given: tuple, arrays: list, numbers: list, state: list
    ) -> tuple:
        """The entry of a call that was not seen before."""
        call = _Call(signature, loose, given, arrays, numbers, state)
        entry = self._repeat(call)
        while entry is None:  # again when numbers were pinned
            needs = self.needs.get(signature, _NOTHING)
            try:
                entry = self._trace_with(needs, call)
            except Exception:
                if not call.free(needs):
                    raise
                # NumPy, JSON and others refuse stand-ins: the numbers become constants, the function runs
                # once more.
                entry = self._trace_with(_EVERYTHING, call)
        return entry

    def _keep(self, call: _Call, needs: _Needs, entry: tuple) -> tuple:
        while len(self.programs) >= _CACHE_LIMIT:
            self.programs.pop(next(iter(self.programs)))
        while len(self.needs) >= 4 * _CACHE_LIMIT:
            self.needs.pop(next(iter(self.needs)))
        if needs == _NOTHING:
            self.programs[call.signature] = entry
        else:
            self.needs[call.signature] = needs
            self.programs[core._with_numbers(call.signature, needs, call.numbers)] = entry
        return entry

    def _trace_with(self, needs: _Needs, call: _Call) -> tuple | None:
        """An entry, or None when the function asked for more numbers than were known."""
        trace, free = Trace(), call.free(needs)
        holders = call.holders(free)
        _note_arguments(self.fun, holders)
        count = len(call.fixed)
        stand_ins = list(call.numbers)
        for i, holder in zip(free, holders[count:], strict=True):
            stand_ins[i] = Number(call.numbers[i], holder, trace, frozenset((i,)))
        # The function may write into what it gets; the holders stay what they are.
        written = [holder.__copy__() for holder in holders[:count]]
        given = _substitute(call.given, iter(written[call.nstate :]), iter(stand_ins))
        before = contents(self.outputs)
        steps: list | None = None if self.recordings is None else []
        traced = False
        core._transforming(1)
        filling = Filling(self.inputs, iter(written[: call.nstate]))
        outer = core._record(steps)
        try:
            output = plain(self.fun(*given[0], **(given[1] if len(given) > 1 else {})))
            core._record(outer)
            leaving = Leaving(self.outputs, before)
            results = core._flatten(output, False)
            everything = results + leaving.arrays
            program = core._program(everything, holders)
            traced = True
        finally:
            core._record(outer)
            core._transforming(-1)
            if traced:
                filling.undo()
            else:
                restore(filling.kept)
            restore(before)
        trace.pin_asked()
        asked = [(i, core._asked(holder)) for i, holder in zip(free, holders[count:], strict=True)]
        chosen = [{i for i, answer in asked if answer[kind]} for kind in range(2)]
        needs = _join(needs, trace.pinned, *chosen, trace.measured)
        if trace.pinned:
            self.needs[call.signature] = needs
            return None
        entry = (
            program,
            free,
            output,
            len(results),
            len(leaving.arrays),
            None if leaving.simple else leaving,
        )
        leaving.settle()
        if steps is not None:
            self._remember(steps, call, needs, holders, everything, entry)
        return self._keep(call, needs, entry)

    def _contents(self) -> Contents:
        return contents(self.inputs, self.outputs)

    def _verify(self, given: tuple, before: Contents, result: Any) -> None:
        """Make the plain call too, from the same state, and compare: what MICA_CHECK=2 asks for."""
        after, left = self._contents(), arrays(self.outputs)
        copies = core._rebuild(given, [a.__copy__() for a in core._flatten(given, False)])
        restore(before)
        try:
            plain_result = self.fun(*copies[0], **(copies[1] if len(copies) > 1 else {}))
            wanted = core._flatten(plain_result, False) + arrays(self.outputs)
        finally:
            restore(after)
        found = core._flatten(result, False) + left
        same = len(found) == len(wanted) and all(map(_equal, found, wanted))
        if not same:
            name = getattr(self.fun, "__name__", type(self.fun).__name__)
            raise RuntimeError(
                f"[compile] MICA_CHECK: a compiled call of '{name}' and the plain one give different results"
            )

    # ---- without sizes ----

    def _remember(self, steps, call: _Call, needs: _Needs, holders, results, entry: tuple) -> None:
        from mica._record import recorded

        recording = recorded(steps, holders, results)
        if recording is None or self.recordings is None:
            return
        while len(self.recordings) >= _CACHE_LIMIT:
            self.recordings.pop(next(iter(self.recordings)))
        known = self.recordings.setdefault(call.loose, [])
        del known[: max(0, len(known) - 15)]
        known.append(_Shapeless(recording, call, needs, entry))

    def _repeat(self, call: _Call) -> tuple | None:
        """An entry from the recording of a call with other sizes, where there is one."""
        for known in (self.recordings or {}).get(call.loose, ()):
            if not known.fits(call):
                continue
            _, free, output, nresults, nstate, leaving = known.entry
            holders = call.holders(free)
            core._transforming(1)
            outer = core._record(None)
            try:
                results = known.recording.replay([holder.__copy__() for holder in holders])
                program = core._program(results, holders)
            except Exception:
                return None  # the function itself says what is wrong with these sizes
            finally:
                core._record(outer)
                core._transforming(-1)
            return self._keep(call, known.needs, (program, free, output, nresults, nstate, leaving))
        return None


def compile(fun: Callable, inputs: Any = None, outputs: Any = None, shapeless: bool = False) -> Callable:  # noqa: A001
    """Return a function that traces ``fun`` once for each signature and replays the graph afterwards.

    Args:
        fun: takes trees of arrays and constants, returns a tree.
        inputs: containers (lists, dicts, modules, ``mx.random.state``) that ``fun`` reads besides its
            arguments.
        outputs: containers that it changes.
        shapeless: trace once for all sizes of the axes: for other sizes the recorded calls are made again.
            A size that ``fun`` asks for (``x.shape``) stays part of the signature.

    Returns:
        The compiled function.

    Raises:
        TypeError: ``fun`` cannot be called.
        ValueError: an argument holds something else than arrays and constants; or an array is evaluated
            inside.
    """
    _check_callable("compile", fun)
    compiled = _Compiled(fun, inputs, outputs, bool(shapeless))

    def call(*args: Any, **kwargs: Any) -> Any:
        return compiled(*args, **kwargs)

    call._compiled = compiled  # type: ignore[attr-defined]
    return _wraps(fun, call)
