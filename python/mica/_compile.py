"""mx.compile: trace once for a signature, then replay without Python.

Python numbers given as arguments become run-time inputs: while tracing, a stand-in takes the number's place.
Arithmetic with it is recorded; where the number itself is needed (a comparison, a shape, ``math.exp``) it is
pinned: its value becomes part of the signature from then on.
"""

from __future__ import annotations

import operator
from collections.abc import Callable

from mica import core
from mica._transforms import _wraps

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


class _Number:
    """Stands for a Python float or int while a function is traced."""

    __slots__ = ("_value", "_mica", "_trace", "_places")

    def __init__(self, value: float | int, array: Any, trace: _Trace, places: frozenset[int]) -> None:
        self._value = value
        self._mica = array
        self._trace = trace
        self._places = places  # the arguments it is made of

    @property
    def __class__(self):  # noqa: ANN204 - isinstance(x, float) is to hold
        return type(self._value)

    @property
    def __mlx_array__(self) -> Any:
        return self._mica

    def _pin(self) -> float | int:
        self._trace.pinned.update(self._places)
        return self._value

    def __float__(self) -> float:
        return float(self._pin())

    def __int__(self) -> int:
        return int(self._pin())

    def __index__(self) -> int:
        return operator.index(self._pin())

    def __bool__(self) -> bool:
        return bool(self._pin())

    def __hash__(self) -> int:
        return hash(self._pin())

    def __repr__(self) -> str:
        return repr(self._pin())

    def __format__(self, spec: str) -> str:
        return format(self._pin(), spec)

    def __reduce__(self):  # noqa: ANN204
        value = self._pin()
        return (type(value), (value,))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pin(), name)


def _arithmetic(name: str, operation: Callable) -> None:
    """With an array: the array's operation. With a number: recorded in float64 or int64, which is
    Python's arithmetic, where it is; else pinned.
    """

    def forward(self: _Number, other: Any) -> Any:
        if type(other) is _array:
            return operation(_operand(self), other)
        return _combine(name, operation, self, other)

    def backward(self: _Number, other: Any) -> Any:
        if type(other) is _array:
            return operation(other, _operand(self))
        return _combine(name, operation, other, self)

    setattr(_Number, f"__{name}__", forward)
    setattr(_Number, f"__r{name}__", backward)


_RECORDED = frozenset(("add", "sub", "mul", "truediv"))
_EXACT = 2**52  # whole numbers up to here are exact in float64, and their products do not leave int64


def _combine(name: str, operation: Callable, left: Any, right: Any) -> Any:
    """A number from two, at least one of them a stand-in."""
    values = [x._value if type(x) is _Number else x for x in (left, right)]
    numbers = [x for x in (left, right) if type(x) is _Number]
    plain = all(type(v) in (int, float) for v in values) and all(
        type(v) is float or abs(v) < _EXACT for v in values
    )
    whole = plain and all(type(v) is int for v in values)
    # A stand-in as divisor may be 0 another time, and then Python raises.
    divides = name == "truediv" and (type(right) is _Number or values[1] == 0 or whole)
    if (
        name not in _RECORDED
        or not plain
        or divides
        or (whole and name == "mul" and abs(values[0] * values[1]) >= _EXACT)
    ):
        return operation(*(x._pin() if type(x) is _Number else x for x in (left, right)))
    dtype = core.int64 if whole else core.float64
    arrays = [_operand(x).astype(dtype) if type(x) is _Number else x for x in (left, right)]
    first = numbers[0]
    return _Number(
        operation(*values),
        core._mark_weak(operation(*arrays)),
        first._trace,
        first._places | numbers[-1]._places,
    )


def _operand(number: _Number) -> Any:
    return number._mica


for _name, _operation in (
    ("add", operator.add),
    ("sub", operator.sub),
    ("mul", operator.mul),
    ("truediv", operator.truediv),
    ("floordiv", operator.floordiv),
    ("mod", operator.mod),
    ("pow", operator.pow),
):
    _arithmetic(_name, _operation)


def _comparison(name: str, operation: Callable) -> None:
    def compare(self: _Number, other: Any) -> Any:
        if type(other) is _array:
            return operation(_operand(self), other)
        return operation(self._pin(), other._pin() if type(other) is _Number else other)

    setattr(_Number, f"__{name}__", compare)


for _name in ("lt", "le", "gt", "ge", "eq", "ne"):
    _comparison(_name, getattr(operator, _name))
for _name in ("neg", "pos", "abs", "trunc", "floor", "ceil", "round", "divmod", "rdivmod"):

    def _unary(self: _Number, *args: Any, _name: str = _name) -> Any:
        return getattr(self._pin(), f"__{_name}__")(*args)

    setattr(_Number, f"__{_name}__", _unary)


class _Trace:
    """One run of the Python function on placeholders."""

    def __init__(self) -> None:
        self.pinned: set[int] = set()


class _Program:
    """What a trace left: the engine's program, and where its results go."""

    def __init__(self, program: Any, output: Any, nresults: int, nstate: int) -> None:
        self.program = program
        self.output = output
        self.nresults = nresults
        self.nstate = nstate


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
        self.pinned: dict[Any, frozenset[int] | None] = {}  # by signature; None: all numbers are constants

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
        while True:
            pinned = self.pinned.get(signature, frozenset())
            constants = tuple(numbers) if pinned is None else tuple(numbers[i] for i in sorted(pinned))
            key = (signature, constants, tuple(map(type, constants)))
            program = self.programs.get(key)
            free = [] if pinned is None else [i for i in range(len(numbers)) if i not in pinned]
            if program is None:
                program = self._trace(signature, key, given, arrays, numbers, places, pinned, free)
                if program is None:
                    continue
            break
        values = [p[2] for p in places] + arrays + [core._weak_number(numbers[i]) for i in free]
        results = core._run(program.program, values, program.nresults + program.nstate)
        if program.nstate:
            for place, value in zip(_places(self.outputs), results[program.nresults :], strict=False):
                _put(place, value)
        return core._rebuild(program.output, results[: program.nresults])

    def _trace(self, signature, key, given, arrays, numbers, places, pinned, free) -> _Program | None:
        trace = _Trace()
        weak = [core._weak_number(numbers[i]) for i in free]
        everything = [p[2] for p in places] + arrays + weak
        holders = core._placeholders(everything, [False] * (len(places) + len(arrays)) + [True] * len(weak))
        stand_ins = list(numbers)
        for i, holder in zip(free, holders[len(places) + len(arrays) :], strict=False):
            stand_ins[i] = _Number(numbers[i], holder, trace, frozenset((i,)))
        call = _substitute(given, iter(holders[len(places) : len(places) + len(arrays)]), iter(stand_ins))
        before = _places(self.outputs)
        for place, holder in zip(places, holders, strict=False):
            _put(place, holder)
        core._transforming(1)
        try:
            output = self.fun(*call[0], **(call[1] if len(call) > 1 else {}))
            after = _places(self.outputs)
            results = core._flatten(output, False)
            program = core._program(results + [p[2] for p in after], holders)
        except Exception:
            if not free:
                raise
            # NumPy, JSON and others refuse the stand-ins: the numbers become constants, and the function runs
            # once more.
            self.pinned[signature] = None
            return None
        finally:
            core._transforming(-1)
            for place in places:
                _put(place, place[2])
            for place in before:
                _put(place, place[2])
        if trace.pinned:
            self.pinned[signature] = frozenset(trace.pinned | (pinned or frozenset()))
            return None
        while len(self.programs) >= _CACHE_LIMIT:
            self.programs.pop(next(iter(self.programs)))
        made = _Program(program, output, len(results), len(after))
        self.programs[key] = made
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
        ValueError: an argument holds something else than arrays and constants; or an array is evaluated
            inside.
    """
    compiled = _Compiled(fun, inputs, outputs)

    def call(*args: Any, **kwargs: Any) -> Any:
        return compiled(*args, **kwargs)

    call._compiled = compiled  # type: ignore[attr-defined]
    return _wraps(fun, call)
