"""mx.compile: trace once for a signature, then replay without Python.

Python numbers given as arguments become run-time inputs: while tracing, a stand-in takes the number's place.
Arithmetic with it is recorded; where the number itself is needed (a comparison, a shape, ``math.exp``) it is
pinned: its value becomes part of the signature from then on.
"""

from __future__ import annotations

from collections.abc import Callable

from mica import core
from mica._number import Number, Trace, exact, plain, range_of
from mica._transforms import _check_callable, _wraps

# typing is left out at run time: its import takes longer than the engine's.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_array = core.array
_enabled = True
_CACHE_LIMIT = 256  # programs kept for each function


def disable_compile() -> None:
    """Make compiled functions call the plain ones."""
    global _enabled
    _enabled = False


def enable_compile() -> None:
    """Undo ``disable_compile``."""
    global _enabled
    _enabled = True


class _Program:
    """What a trace left: the engine's program, and where its results go."""

    def __init__(self, program: Any, free: tuple, output: Any, nresults: int, nstate: int) -> None:
        self.program = program
        self.free = free  # the numbers that are inputs
        self.output = output
        self.nresults = nresults
        self.nstate = nstate


class _Needs:
    """What a signature's traces asked of its numbers, by place."""

    def __init__(
        self, pinned: frozenset[int] | None = frozenset(), sized: frozenset[int] = frozenset()
    ) -> None:
        self.pinned = pinned  # the value; None: of all
        self.sized = sized  # the range, of an integer

    def free(self, numbers: list) -> tuple:
        """The places of numbers that are inputs at run time."""
        return () if self.pinned is None else tuple(i for i in range(len(numbers)) if i not in self.pinned)

    def key(self, numbers: list) -> tuple:
        """What these numbers add to the signature."""
        if not self.pinned and not self.sized and self.pinned is not None:
            return ()
        constants = numbers if self.pinned is None else [numbers[i] for i in sorted(self.pinned)]
        sized = () if self.pinned is None else sorted(self.sized - self.pinned)
        ranges = [range_of(numbers[i]) for i in sized]
        return (*((type(c), exact(c)) for c in constants), *ranges)


_NOTHING = _Needs()
_PLAIN = (str, bool, type(None))


def _describe(tree: Any, arrays: list, numbers: list) -> Any:
    """The structure of an argument as a hashable value; its arrays and numbers are collected in order."""
    kind = type(tree)
    if kind is _array:
        arrays.append(tree)
        return (tree.shape, tree.dtype)
    if kind is float or kind is int:
        numbers.append(tree)
        return kind
    if isinstance(tree, _PLAIN):
        return (kind, tree)
    if isinstance(tree, dict):
        return ("d", *((k, _describe(v, arrays, numbers)) for k, v in tree.items()))
    if isinstance(tree, (list, tuple)):
        return ("l", *(_describe(v, arrays, numbers) for v in tree))
    if isinstance(tree, (int, float)):
        numbers.append(tree)
        return kind
    raise ValueError(
        "[compile] Function arguments must be trees of arrays or constants (floats, ints, strings, or "
        "None), but received "
        f"type {kind.__module__}.{kind.__name__}."
    )


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


# ---- state: containers that are read before and written after each call ----


def _state_arrays(tree: Any, out: list) -> None:
    """Containers' arrays with the places they stand at: (container, key, array)."""
    if isinstance(tree, dict):
        for k, v in tree.items():
            if type(v) is _array:
                out.append((tree, k, v))
            else:
                _state_arrays(v, out)
    elif isinstance(tree, list):
        for i, v in enumerate(tree):
            if type(v) is _array:
                out.append((tree, i, v))
            else:
                _state_arrays(v, out)
    elif isinstance(tree, tuple):
        for v in tree:
            if type(v) is not _array:
                _state_arrays(v, out)
    elif hasattr(tree, "_mica_state"):  # mx.random.state
        out.append((tree, None, tree._mica_state()))


def _places(tree: Any) -> list:
    out: list = []
    if tree is not None:
        _state_arrays(tree, out)
    return out


def _put(place: tuple, value: Any) -> None:
    container, key, _ = place
    if key is None:
        container._mica_set_state(value)
    else:
        container[key] = value


class _Compiled:
    """A compiled function: its programs by signature."""

    def __init__(self, fun: Callable, inputs: Any, outputs: Any) -> None:
        self.fun = fun
        self.inputs = inputs
        self.outputs = outputs
        self.programs: dict[Any, _Program] = {}
        self.needs: dict[Any, _Needs] = {}  # by signature

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if not _enabled:
            return self.fun(*args, **kwargs)
        arrays: list = []
        numbers: list = []
        given = (args, kwargs) if kwargs else (args,)
        structure = _describe(given, arrays, numbers)
        if any(core._is_traced(a) for a in arrays):
            return self.fun(*args, **kwargs)
        places = _places(self.inputs)
        for place in places:
            if core._is_traced(place[2]):
                return self.fun(*args, **kwargs)
        state = tuple((id(p[0]), p[1], p[2].shape, p[2].dtype) for p in places)
        signature = (
            (structure, state, core.default_stream(core.cpu))
            if numbers or state
            else (structure, core.default_stream(core.cpu))
        )
        program = self.programs.get((signature, self.needs.get(signature, _NOTHING).key(numbers)))
        while program is None:  # again when numbers were pinned
            program = self._trace(signature, given, arrays, numbers, places)
        values = [p[2] for p in places] + arrays + [core._weak_number(numbers[i]) for i in program.free]
        results = core._run(program.program, values, program.nresults + program.nstate)
        if program.nstate:
            for place, value in zip(_places(self.outputs), results[program.nresults :], strict=False):
                _put(place, value)
        return core._rebuild(program.output, results[: program.nresults])

    def _trace(self, signature, given, arrays, numbers, places) -> _Program | None:
        """A new program, or None when the function asked for more numbers than were known."""
        needs = self.needs.get(signature, _NOTHING)
        try:
            return self._trace_with(needs, signature, given, arrays, numbers, places)
        except Exception:
            if not needs.free(numbers):
                raise
        # NumPy, JSON and others refuse stand-ins: the numbers become constants, the function runs once more.
        return self._trace_with(_Needs(None), signature, given, arrays, numbers, places)

    def _trace_with(self, needs, signature, given, arrays, numbers, places) -> _Program | None:
        trace, free = Trace(), needs.free(numbers)
        fixed = [p[2] for p in places] + arrays
        weak = [core._weak_number(numbers[i]) for i in free]
        holders = core._placeholders(fixed + weak, [False] * len(fixed) + [True] * len(weak))
        stand_ins = list(numbers)
        for i, holder in zip(free, holders[len(fixed) :], strict=True):
            stand_ins[i] = Number(numbers[i], holder, trace, frozenset((i,)))
        # The function may write into what it gets; the holders stay what they are.
        written = [holder.__copy__() for holder in holders[: len(fixed)]]
        call = _substitute(given, iter(written[len(places) :]), iter(stand_ins))
        before = _places(self.outputs)
        for place, holder in zip(places, written, strict=False):
            _put(place, holder)
        core._transforming(1)
        try:
            output = plain(self.fun(*call[0], **(call[1] if len(call) > 1 else {})))
            after = _places(self.outputs)
            results = core._flatten(output, False)
            program = core._program(results + [p[2] for p in after], holders)
        finally:
            core._transforming(-1)
            for place in places:
                _put(place, place[2])
            for place in before:
                _put(place, place[2])
        trace.pin_sized()
        if trace.pinned:
            self.needs[signature] = _Needs(needs.pinned | trace.pinned, needs.sized)
            return None
        sized = {i for i, holder in zip(free, holders[len(fixed) :], strict=True) if core._is_sized(holder)}
        if needs.pinned is None or sized - needs.sized:
            needs = self.needs[signature] = _Needs(needs.pinned, needs.sized | sized)
        while len(self.programs) >= _CACHE_LIMIT:
            self.programs.pop(next(iter(self.programs)))
        made = _Program(program, free, output, len(results), len(after))
        self.programs[signature, needs.key(numbers)] = made
        return made


def compile(fun: Callable, inputs: Any = None, outputs: Any = None, shapeless: bool = False) -> Callable:  # noqa: A001
    """Return a function that traces ``fun`` once for each signature and replays the graph afterwards.

    Args:
        fun: takes trees of arrays and constants, returns a tree.
        inputs: containers (lists, dicts, modules, ``mx.random.state``) that ``fun`` reads besides its
            arguments.
        outputs: containers that it changes.
        shapeless: accepted for compatibility: a new shape is traced like any other signature.

    Returns:
        The compiled function.

    Raises:
        TypeError: ``fun`` cannot be called.
        ValueError: an argument holds something else than arrays and constants; or an array is evaluated
            inside.
    """
    _check_callable("compile", fun)
    compiled = _Compiled(fun, inputs, outputs)

    def call(*args: Any, **kwargs: Any) -> Any:
        return compiled(*args, **kwargs)

    call._compiled = compiled  # type: ignore[attr-defined]
    return _wraps(fun, call)
