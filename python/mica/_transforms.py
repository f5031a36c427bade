"""Function transformations: grad, value_and_grad, vjp, jvp, vmap.

The walking of graphs is the engine's; here arguments are taken apart and results put together.
"""

from __future__ import annotations

import functools
import operator
import types
from collections.abc import Callable, Sequence

from mica import core

# typing is left out at run time: its import takes longer than the engine's.
TYPE_CHECKING = False

# The reference's name for the type of what transformations return: here plain functions.
_gc_func = types.FunctionType
if TYPE_CHECKING:
    from typing import Any

_array = core.array


def _wraps(fun: Callable, wrapper: Callable) -> Callable:
    """Carry over name and documentation where the function has them."""
    try:
        return functools.update_wrapper(wrapper, fun)
    except (AttributeError, TypeError):
        return wrapper


def _note_arguments(fun: Callable, placeholders: list) -> None:
    """Let the message say where placeholders come from, should they leak."""
    code = getattr(fun, "__code__", None)
    if code is not None:
        place = f"{code.co_filename}:{code.co_firstlineno}, as an argument of {code.co_name}"
        core._made_at(placeholders, place)


def _check_callable(name: str, fun: Any) -> None:
    if not callable(fun):
        raise TypeError(f"[{name}] a function is needed, not {type(fun).__name__}")


def _argument_numbers(name: str, argnums, argnames) -> tuple[tuple[int, ...], tuple[str, ...]]:
    if not isinstance(argnames, (str, list, tuple, type(None))):
        raise TypeError(f"[{name}] argnames must be a str or strs, not {type(argnames).__name__}")
    names = (argnames,) if isinstance(argnames, str) else tuple(argnames or ())
    if argnums is None:
        return (() if names else (0,)), names
    if not isinstance(argnums, (int, list, tuple)):
        raise TypeError(f"[{name}] argnums must be an int or ints, not {type(argnums).__name__}")
    numbers = (argnums,) if isinstance(argnums, int) else tuple(argnums)
    for n in numbers:
        if not isinstance(n, int):
            raise TypeError(f"[{name}] argnums must be ints, not {type(n).__name__}")
        if n < 0:
            raise ValueError(f"[{name}] Can't compute the gradient of negative argument index {n}")
    if len(set(numbers)) != len(numbers):
        raise ValueError(f"[{name}] Duplicate argument index in argnums {numbers}")
    if not numbers and not names:
        raise ValueError(f"[{name}] Gradient wrt no argument requested")
    return tuple(sorted(numbers)), names


def _other_leaf(tree: Any, path: str) -> tuple[str, Any] | None:
    """The first leaf that is no array, and the way to it."""
    if isinstance(tree, _array):
        return None
    if not isinstance(tree, (list, tuple, dict)):
        return path, tree
    for key, part in tree.items() if isinstance(tree, dict) else enumerate(tree):
        if (found := _other_leaf(part, f"{path}[{key!r}]")) is not None:
            return found
    return None


def _only_arrays(name: str, trees: Sequence, label: Callable[[int], str], instead: str) -> list:
    """The arrays of trees in order; what is none is told with its tree's label and the way to it."""
    try:
        return core._flatten(trees, True)
    except ValueError:
        for i, tree in enumerate(trees):
            if (found := _other_leaf(tree, "")) is not None:
                path, leaf = found
                number = isinstance(leaf, (bool, int, float, complex))
                raise ValueError(
                    f"[{name}] {label(i)}{path} is of type {type(leaf).__name__}. The argument should "
                    f"contain only arrays, alone or in lists, tuples and dicts: "
                    f"{f'write mx.array({leaf!r})' if number else 'make it an array'}{instead}."
                ) from None
        raise


class _Traced:
    """Arrays replaced by tracers for the time of a transformation."""

    def __init__(self, arrays: list) -> None:
        self.tracers = core._trace_begin(arrays)
        # What the function gets: it may write into these objects; the tracers stay what they are.
        self.given = [t.__copy__() for t in self.tracers]
        self.keep: list = []

    def __enter__(self) -> _Traced:
        return self

    def __exit__(self, *exc: object) -> None:
        core._trace_end(self.keep)


class _Containers:
    """Lists and dicts in arguments: what a function does to the copies that it gets is done to them too."""

    def __init__(self, trees: list, replaced: list, arrays: list, traced: _Traced) -> None:
        self.arrays = arrays
        self.traced = traced
        self.pairs: list = []
        self._pair(trees, replaced)
        del self.pairs[0]  # the list of the arguments themselves
        self.before = [copy.copy() for _, copy in self.pairs]

    def _pair(self, old: Any, new: Any) -> None:
        if not isinstance(old, tuple):
            self.pairs.append((old, new))
        inside = (old.values(), new.values()) if isinstance(old, dict) else (old, new)
        for a, b in zip(*inside, strict=True):
            if isinstance(a, (list, tuple, dict)):
                self._pair(a, b)

    def write_back(self) -> None:
        """Do it, with the arrays in the place of those that stood for them."""
        given, tracers = self.traced.given, self.traced.tracers
        key = core._key
        # Arrays that the function wrote into are others now: the caller's own stays what it was.
        kept = [a if key(g) == key(t) else g for a, g, t in zip(self.arrays, given, tracers, strict=True)]
        written = any(map(operator.is_, kept, given))
        changed = [
            (old, new)
            for (old, new), before in zip(self.pairs, self.before, strict=True)
            if written or not _same_parts(new, before)
        ]
        if not changed:
            return
        stands = {id(g): a for g, a in zip(given, kept, strict=True)}
        stands |= {id(new): old for old, new in self.pairs}

        def original(part: Any) -> Any:
            if id(part) in stands:
                return stands[id(part)]
            if not isinstance(part, (list, tuple, dict)):
                return part
            leaves = core._flatten(part, False)
            return core._rebuild(part, [stands.get(id(leaf), leaf) for leaf in leaves])

        for old, new in changed:
            if isinstance(old, dict):
                parts = {name: original(part) for name, part in new.items()}
                old.clear()
                old.update(parts)
            else:
                old[:] = [original(part) for part in new]
        self.traced.keep += core._flatten([old for old, _ in changed], False)


def _same_parts(a: Any, b: Any) -> bool:
    """Whether two lists or two dicts hold the same objects."""
    if len(a) != len(b):
        return False
    if isinstance(a, dict):
        return all(map(operator.eq, a, b)) and all(map(operator.is_, a.values(), b.values()))
    return all(map(operator.is_, a, b))


def _differentiate(name: str, fun: Callable, argnums, argnames, check: Callable) -> Callable:
    _check_callable(name, fun)
    numbers, names = _argument_numbers(name, argnums, argnames)
    bare = len(numbers) == 1

    def call(*args: Any, **kwargs: Any):
        if numbers and numbers[-1] >= len(args):
            raise ValueError(
                f"[{name}] Can't compute the gradient of argument index {numbers[-1]} because the function"
                " is called "
                f"with only {len(args)} positional arguments."
            )
        for key in names:
            if key not in kwargs:
                raise ValueError(
                    f"[{name}] Can't compute the gradient of keyword argument '{key}': it is not passed."
                )
        trees = [args[n] for n in numbers] + [kwargs[key] for key in names]
        arrays = _only_arrays(
            name,
            trees,
            lambda i: f"argument {[*numbers, *names][i]!r}",
            ", or differentiate other arguments (argnums)",
        )
        if not arrays:
            raise ValueError(
                f"[{name}] Must specify at least one argument: what is to be differentiated holds no array."
            )
        with _Traced(arrays) as traced:
            replaced = core._rebuild(trees, traced.given)
            containers = _Containers(trees, replaced, arrays, traced)
            given, named = list(args), dict(kwargs)
            for n, tree in zip(numbers, replaced, strict=False):
                given[n] = tree
            for key, tree in zip(names, replaced[len(numbers) :], strict=False):
                named[key] = tree
            try:
                value = fun(*given, **named)
                loss = check(value)
                # Results that ride along are evaluated and used outside: they take part in the clean-up.
                traced.keep = [loss, *core._flatten(value, False)]
                found = core._pull_back([loss], [core.ones_like(loss)], traced.tracers)
                traced.keep += found
                grads = core._rebuild(trees, found)
            finally:
                containers.write_back()
        positional = tuple(grads[: len(numbers)])
        out: Any = positional[0] if bare else positional if numbers else None
        if names:
            out = (out, dict(zip(names, grads[len(numbers) :], strict=False)))
        return value, out

    return call


def _scalar(name: str, loss: Any) -> Any:
    if not isinstance(loss, _array):
        raise ValueError(f"[{name}] The return value must be an array, not {type(loss).__name__}.")
    if loss.ndim:
        raise ValueError(
            f"[{name}] The function must return a scalar (0-d) array to be differentiated, not one of "
            f"shape {loss.shape}; "
            "reduce it, for example with mx.mean or .sum()."
        )
    return loss


def value_and_grad(
    fun: Callable, argnums: int | Sequence[int] | None = None, argnames: str | Sequence[str] = ()
) -> Callable:
    """Return a function that computes ``fun`` and its gradient.

    Args:
        fun: returns a 0-d array, or a tuple whose first item is one.
        argnums: positions of the arguments to differentiate, trees of arrays; the first when neither is
            given.
        argnames: names of keyword arguments to differentiate.

    Returns:
        A function with the arguments of ``fun`` that returns ``(value, gradient)``. The gradient has the
        structure of the argument; a tuple for several; ``(positional, {name: gradient})`` with ``argnames``.

    Raises:
        ValueError: no or a wrong argument is named, the result is not a 0-d array, an argument holds
            something else than arrays.
    """

    def check(value: Any) -> Any:
        if isinstance(value, tuple):
            if not value:
                raise ValueError(
                    "[value_and_grad] The return value must be an array or a non-empty tuple, not an "
                    "empty tuple."
                )
            return _scalar("value_and_grad", value[0])
        return _scalar("value_and_grad", value)

    return _wraps(fun, _differentiate("value_and_grad", fun, argnums, argnames, check))


def grad(
    fun: Callable, argnums: int | Sequence[int] | None = None, argnames: str | Sequence[str] = ()
) -> Callable:
    """Return a function that computes the gradient of ``fun``.

    Args:
        fun: returns a 0-d array.
        argnums: positions of the arguments to differentiate, trees of arrays; the first when neither is
            given.
        argnames: names of keyword arguments to differentiate.

    Returns:
        A function with the arguments of ``fun`` that returns the gradient, with the structure of the
        argument; a tuple for several; ``(positional, {name: gradient})`` with ``argnames``.

    Raises:
        TypeError: ``fun`` is no function, ``argnums`` or ``argnames`` are no ints or strs.
        ValueError: no or a wrong argument is named, the result is not a 0-d array, an argument holds
            something else than arrays.
    """
    call = _differentiate("grad", fun, argnums, argnames, functools.partial(_scalar, "grad"))

    def gradient(*args: Any, **kwargs: Any) -> Any:
        return call(*args, **kwargs)[1]

    return _wraps(fun, gradient)


def _results(name: str, value: Any) -> list:
    if isinstance(value, _array):
        return [value]
    if isinstance(value, (list, tuple)) and all(isinstance(v, _array) for v in value):
        return list(value)
    raise ValueError(
        f"[{name}] The function must return an array or a list or tuple of arrays, not "
        f"{type(value).__name__}."
    )


def _primals(name: str, primals: Sequence, others: Sequence, what: str) -> tuple[list, list]:
    for given in (primals, others):
        if not isinstance(given, (list, tuple)):
            raise TypeError(
                f"[{name}] primals and {what} must be lists of arrays, not of type {type(given).__name__}."
            )
    primals, others = list(primals), list(others)
    for x in primals + others:
        if not isinstance(x, _array):
            raise ValueError(
                f"[{name}] primals and {what} must be lists of arrays, not of {type(x).__name__}."
            )
    return primals, others


def vjp(fun: Callable, primals: Sequence, cotangents: Sequence) -> tuple[list, list]:
    """Compute ``fun(*primals)`` and the product of ``cotangents`` with its Jacobian.

    Args:
        fun: takes arrays, returns an array or a list or tuple of arrays.
        primals: arrays at which it is evaluated.
        cotangents: one array for each result, of its shape.

    Returns:
        ``(results, gradients)``, two lists of arrays.

    Raises:
        ValueError: numbers or shapes do not match.
    """
    _check_callable("vjp", fun)
    primals, cotangents = _primals("vjp", primals, cotangents, "cotangents")
    with _Traced(primals) as traced:
        results = _results("vjp", fun(*traced.given))
        live = [r for r in results if core._is_traced(r) and not core._is_stopped(r)]
        if len(cotangents) not in (len(results), len(live)):
            raise ValueError(
                f"[vjp] Number of outputs to compute gradients for ({len(live)}) does not match number of "
                f"cotangents ({len(cotangents)})."
            )
        targets = results if len(cotangents) == len(results) else live
        for r, c in zip(targets, cotangents, strict=False):
            if core._shape(r) != core._shape(c):
                raise ValueError(f"[vjp] Output shape {r.shape} does not match cotangent shape {c.shape}.")
        found = core._pull_back(targets, cotangents, traced.tracers)
        traced.keep = results + found
    return results, found


def jvp(fun: Callable, primals: Sequence, tangents: Sequence) -> tuple[list, list]:
    """Compute ``fun(*primals)`` and the product of its Jacobian with ``tangents``.

    Args:
        fun: takes arrays, returns an array or a list or tuple of arrays.
        primals: arrays at which it is evaluated.
        tangents: one array for each primal, of its shape.

    Returns:
        ``(results, result tangents)``, two lists of arrays.

    Raises:
        ValueError: numbers or shapes do not match.
    """
    _check_callable("jvp", fun)
    primals, tangents = _primals("jvp", primals, tangents, "tangents")
    if len(primals) != len(tangents):
        raise ValueError(
            f"[jvp] Number of inputs ({len(primals)}) does not match number of tangents ({len(tangents)})."
        )
    for p, t in zip(primals, tangents, strict=False):
        if core._shape(p) != core._shape(t):
            raise ValueError(f"[jvp] Input shape {p.shape} does not match tangent shape {t.shape}.")
    with _Traced(primals) as traced:
        results = _results("jvp", fun(*traced.given))
        found = core._push_forward(results, traced.tracers, tangents)
        traced.keep = results + found
    return results, found


# ---- vmap ----


def _spread(axes: Any, tree: Any, name: str) -> list:
    """One axis for each array of the tree; ``axes`` is an int, None, or a tree with the structure of a
    prefix of it.
    """
    if axes is None or (isinstance(axes, int) and not isinstance(axes, bool)):
        return [axes] * len(core._flatten(tree, True))
    if isinstance(axes, (list, tuple)) and isinstance(tree, (list, tuple)):
        if len(axes) != len(tree):
            raise ValueError(f"[vmap] {name} has {len(axes)} entries where there are {len(tree)}.")
        return [a for x, t in zip(axes, tree, strict=False) for a in _spread(x, t, name)]
    if isinstance(axes, dict) and isinstance(tree, dict):
        return [
            a
            for key, t in tree.items()
            for a in _spread(axes[key] if key in axes else _missing(name, key), t, name)
        ]
    raise ValueError(
        f"[vmap] {name} must hold ints, None, or trees like the arguments, not {type(axes).__name__}."
    )


def _is_tree_of(axes: Any, args: tuple) -> bool:
    """Whether the axes of a single argument stand without the tuple of arguments around them."""
    if len(args) != 1:
        return False
    sequences = isinstance(axes, (list, tuple)) and isinstance(args[0], (list, tuple))
    return isinstance(axes, dict) or (sequences and len(axes) == len(args[0]) != 1)


# Arguments of mapped functions as they were given and their mapped axes, by the key of what has the batch in
# front, for the time of a vmap.
_moved: dict[int, tuple[_array, int]] = {}


def _as_mapped(inputs: list, axes: list) -> tuple[list, list]:
    """Arguments of a batching rule as they were given to the mapped function, if all come from there.

    Where one was computed first, all have the batch in front: rules expect axes that go together.
    """
    both = [
        _moved.get(core._key(x)) if axis == 0 else (x, axis) for x, axis in zip(inputs, axes, strict=True)
    ]
    given = [pair for pair in both if pair is not None]
    return ([x for x, _ in given], [a for _, a in given]) if len(given) == len(both) else (inputs, axes)


def _missing(name: str, key: object) -> None:
    raise ValueError(f"[vmap] {name} has no entry for {key!r}.")


def vmap(fun: Callable, in_axes: Any = 0, out_axes: Any = 0) -> Callable:
    """Return a function that applies ``fun`` along axes of its arguments.

    Args:
        fun: takes and returns trees of arrays.
        in_axes: the axis of every argument: an int, None (not mapped), or a tree of these.
        out_axes: where results carry the mapped axis: an int or a tree of ints.

    Returns:
        The batched function; positional arguments only.

    Raises:
        IndexError: an axis does not exist.
        TypeError: keyword arguments.
        ValueError: nothing is mapped, sizes differ, or an argument or result holds something else than
            arrays.
    """

    def check(axes: Any, optional: bool, name: str) -> None:
        if isinstance(axes, (list, tuple)):
            for a in axes:
                check(a, optional, name)
        elif isinstance(axes, dict):
            for a in axes.values():
                check(a, optional, name)
        elif not (isinstance(axes, int) and not isinstance(axes, bool)) and not (optional and axes is None):
            raise ValueError(
                f"[vmap] {name} must be an int{' or None' if optional else ''} or a tree of them, not "
                f"{axes!r}."
            )

    _check_callable("vmap", fun)
    check(in_axes, True, "in_axes")
    check(out_axes, False, "out_axes")

    def call(*args: Any, **keywords: Any) -> Any:
        if keywords:
            name = next(iter(keywords))
            raise TypeError(
                f"[vmap] Keyword arguments are not supported: give {name!r} by position, or bind it: "
                f"vmap(lambda x: f(x, {name}=it))."
            )
        arrays = _only_arrays(
            "vmap",
            args,
            lambda i: f"argument {i}",
            ", or bind it: vmap(lambda x: f(x, it))",
        )
        axes_tree = (in_axes,) if _is_tree_of(in_axes, args) else in_axes
        axes = _spread(axes_tree, args, "in_axes")
        batch = None
        for i, (a, axis) in enumerate(zip(arrays, axes, strict=False)):
            if axis is None:
                continue
            if not -a.ndim <= axis < a.ndim:
                raise IndexError(f"[vmap] Invalid in_axes {axis} for an array with {a.ndim} dimensions.")
            axes[i] = axis % a.ndim
            size = core._shape(a)[axes[i]]
            if batch is not None and batch != size:
                raise ValueError(f"[vmap] Inconsistent axis sizes: {batch} and {size}.")
            batch = size
        if batch is None:
            raise ValueError("[vmap] At least one of in_axes must be non-None.")
        holders, fronted = core._batch_begin(arrays, axes)
        _note_arguments(fun, holders)
        moved = {
            core._key(f): (a, axis)
            for f, a, axis in zip(fronted, arrays, axes, strict=True)
            if axis is not None
        }
        try:
            # The function may write into what it gets; the holders stay what they are.
            value = fun(*core._rebuild(args, [holder.__copy__() for holder in holders]))
            results = _only_arrays(
                "vmap", [value], lambda i: "the function's result", " inside of the function"
            )
            outs = _spread(out_axes, value, "out_axes")
            _moved.update(moved)
            found = core._batch_end(results, holders, fronted, axes, outs)
        finally:
            for key in moved:
                _moved.pop(key, None)
            core._batch_close()
        return core._rebuild(value, found)

    return _wraps(fun, call)


# ---- custom rules ----
