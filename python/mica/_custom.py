"""Functions with rules of their own: custom_function, checkpoint, depends."""

from __future__ import annotations

import functools
from collections.abc import Callable

from mica import core
from mica._transforms import _as_mapped, _check_callable, _only_arrays, _Traced, _wraps, jvp, vjp, vmap

# typing is left out at run time: its import takes longer than the engine's.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_array = core.array


class custom_function:
    """A function with derivative and batching rules of its own.

    Use as a decorator, then attach rules: ``@f.vjp`` takes (primals, cotangents, outputs), ``@f.jvp``
    (primals, tangents), ``@f.vmap`` (inputs, axes) and returns (outputs, axes). One positional argument is
    passed bare, several as a tuple. Derivatives come in the structure of what they belong to, or in its
    order. Where a rule is missing, the function itself is differentiated or batched.
    """

    def __init__(self, f: Callable) -> None:
        _check_callable("custom_function", f)
        self._function = f
        self._vjp: Callable | None = None
        self._jvp: Callable | None = None
        self._vmap: Callable | None = None
        functools.update_wrapper(self, f)

    def vjp(self, f: Callable) -> custom_function:
        """Register the vector-Jacobian product."""
        self._vjp = f
        return self

    def jvp(self, f: Callable) -> custom_function:
        """Register the Jacobian-vector product."""
        self._jvp = f
        return self

    def vmap(self, f: Callable) -> custom_function:
        """Register the batching rule."""
        self._vmap = f
        return self

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if not (self._vjp or self._jvp or self._vmap):
            return self._function(*args, **kwargs)
        if kwargs and (self._jvp or self._vmap):
            raise ValueError(
                "[custom_function] keyword arguments go with a vjp rule only, not with jvp or vmap."
            )
        arrays = core._flatten(args, False)
        # The function sees detached values: only the rules know its derivative.
        with _Traced(arrays) as inner:
            value = self._function(*core._rebuild(args, [core.stop_gradient(a) for a in arrays]), **kwargs)
            inner.keep = core._flatten(value, False)
        outputs = core._flatten(value, False)
        rules = _Rules(self, args, kwargs, value)
        return core._rebuild(value, core._custom(arrays, outputs, rules.pull, rules.push, rules.batch))


class _Rules:
    """The rules of one call, on lists of its arrays. What has no rule is done with the function itself."""

    def __init__(self, function: custom_function, args: tuple, kwargs: dict, value: Any) -> None:
        self.of = function
        self.args = args
        self.kwargs = kwargs
        self.value = value

    def again(self, *leaves: Any) -> list:
        """The function on other arrays."""
        return core._flatten(self.of._function(*core._rebuild(self.args, list(leaves)), **self.kwargs), False)

    def packed(self, leaves: list) -> Any:
        """Arrays in the structure of the arguments, as rules get them."""
        tree = core._rebuild(self.args, leaves)
        return tree[0] if len(self.args) == 1 else tuple(tree)

    def pull(self, primals: list, cotangents: list, results: list) -> list:
        if self.of._vjp is None:
            return vjp(self.again, primals, cotangents)[1]
        found = self.of._vjp(
            self.packed(primals),
            core._rebuild(self.value, cotangents),
            core._rebuild(self.value, results),
            **self.kwargs,
        )
        # One array stands for the gradients of all arguments.
        alone = len(self.args) == 1 or isinstance(found, _array)
        return _leaves_like(self.args, (found,) * len(self.args) if alone else found)

    def push(self, primals: list, tangents: list) -> list:
        if self.of._jvp is None:
            full = [core.zeros_like(p) if t is None else t for p, t in zip(primals, tangents, strict=True)]
            return jvp(self.again, primals, full)[1]
        return _leaves_like(self.value, self.of._jvp(self.packed(primals), self.packed(tangents)))

    def batch(self, inputs: list, axes: list, size: int) -> list:
        if self.of._vmap is None:
            return vmap(self.again, in_axes=tuple(axes))(*inputs)
        inputs, axes = _as_mapped(inputs, axes)
        pair = self.of._vmap(self.packed(inputs), self.packed(axes))
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            raise ValueError(
                "[custom_function] the vmap rule must return a tuple of its outputs and their axes, not "
                + (f"{len(pair)} items." if isinstance(pair, (tuple, list)) else f"{type(pair).__name__}.")
            )
        found, out_axes = pair
        leaves, count = core._flatten(found, False), len(core._flatten(self.value, False))
        if len(leaves) != count:
            raise ValueError(
                f"[custom_function] the vmap rule must return {count} arrays, not {len(leaves)}."
            )
        moved = []
        for leaf, axis in zip(leaves, _out_axes(out_axes, found), strict=True):
            if axis is not None and not -leaf.ndim <= axis < leaf.ndim:
                raise IndexError(
                    f"[custom_function] the vmap rule says that axis {axis} is mapped, of an output of shape "
                    f"{leaf.shape}."
                )
            if axis is None:
                leaf = core.broadcast_to(leaf, (size, *leaf.shape))
            elif axis:
                leaf = core.moveaxis(leaf, axis, 0)
            moved.append(leaf)
        return moved


def _out_axes(axes: Any, tree: Any) -> list:
    """One axis for each array of what a vmap rule returned."""
    if axes is None or (isinstance(axes, int) and not isinstance(axes, bool)):
        return [axes] * len(core._flatten(tree, False))
    sequence, of_dict = isinstance(axes, (list, tuple)), isinstance(axes, dict)
    if sequence and isinstance(tree, (list, tuple)) and len(axes) == len(tree):
        return [a for x, t in zip(axes, tree, strict=True) for a in _out_axes(x, t)]
    if of_dict and isinstance(tree, dict) and axes.keys() == tree.keys():
        return [a for key in tree for a in _out_axes(axes[key], tree[key])]
    if sequence and len(axes) == 1:
        return _out_axes(axes[0], tree)
    raise ValueError(
        "[custom_function] the axes that a vmap rule returns must be an int, None, or a tree of them like "
        f"its outputs, not {axes!r}."
    )


def _in_order(found: Any) -> list:
    """The leaves of a tree, whatever they are."""
    if isinstance(found, (list, tuple)):
        return [leaf for part in found for leaf in _in_order(part)]
    if isinstance(found, dict):
        return [leaf for part in found.values() for leaf in _in_order(part)]
    return [found]


def _leaves_like(like: Any, found: Any) -> list:
    """What a rule returned, in the order of the arrays of ``like``; None where it gave None: no derivative.

    Another structure than that of ``like`` counts by its order, if it has as many arrays.

    Raises:
        ValueError: the number of arrays differs, or a shape.
    """
    try:
        pairs = _by_structure(like, found)
    except ValueError:
        arrays, leaves = core._flatten(like, False), _in_order(found)
        if len(leaves) != len(arrays):
            raise
        pairs = list(zip(arrays, leaves, strict=True))
    return [_derivative(array, leaf) for array, leaf in pairs]


def _derivative(like: Any, found: Any) -> Any:
    if found is None:
        return None
    if not isinstance(found, _array) or found.shape != like.shape:
        raise _no_derivative(like, found)
    return found if found.dtype == like.dtype else found.astype(like.dtype)


def _no_derivative(like: Any, found: Any) -> ValueError:
    given = f"shape {found.shape}" if isinstance(found, _array) else type(found).__name__
    return ValueError(
        f"[custom_function] a rule must return an array of shape {like.shape} (or None) here, not {given}."
    )


def _by_structure(like: Any, found: Any) -> list[tuple]:
    """The arrays of ``like``, each with what a rule returned in its place."""
    if isinstance(like, _array):
        if isinstance(found, (list, tuple, dict)):
            raise _no_derivative(like, found)
        return [(like, found)]
    if isinstance(like, (list, tuple)):
        if not isinstance(found, (list, tuple)) or len(found) != len(like):
            given = f"{len(found)} parts" if isinstance(found, (list, tuple)) else type(found).__name__
            raise ValueError(
                f"[custom_function] a rule must return {len(like)} parts here, one for each, not {given}."
            )
        return [pair for a, b in zip(like, found, strict=True) for pair in _by_structure(a, b)]
    if isinstance(like, dict):
        if not isinstance(found, dict) or found.keys() != like.keys():
            raise ValueError(f"[custom_function] a rule must return a dict with the keys {list(like)} here.")
        return [pair for key in like for pair in _by_structure(like[key], found[key])]
    return []


def checkpoint(fun: Callable) -> Callable:
    """Return ``fun`` with its intermediate results recomputed in the backward pass instead of kept."""
    _check_callable("checkpoint", fun)

    def call(*args: Any, **kwargs: Any) -> Any:
        arrays = core._flatten((args, kwargs), False)
        if not any(core._is_traced(a) for a in arrays):
            return fun(*args, **kwargs)
        with _Traced(arrays) as inner:
            trees = core._rebuild((args, kwargs), [core.stop_gradient(a) for a in arrays])
            value = fun(*trees[0], **trees[1])
            inner.keep = core._flatten(value, False)
        outputs = core._flatten(value, False)

        def again(*fresh: Any) -> list:
            rebuilt = core._rebuild((args, kwargs), list(fresh))
            return core._flatten(fun(*rebuilt[0], **rebuilt[1]), False)

        def pull(primals: list, cotangents: list, results: list) -> list:
            # Tied to the cotangents, so that the second computation does not start before the backward pass
            # needs it.
            later = core._depends(primals, cotangents)
            return vjp(again, later, cotangents)[1]

        def push(primals: list, tangents: list) -> list:
            pairs = [core.zeros_like(p) if t is None else t for p, t in zip(primals, tangents, strict=False)]
            return jvp(again, primals, pairs)[1]

        def batch(inputs: list, axes: list, size: int) -> list:
            return checkpoint(vmap(again, in_axes=tuple(axes)))(*inputs)

        return core._rebuild(value, core._custom(arrays, outputs, pull, push, batch))

    return _wraps(fun, call)


def depends(inputs: Any, dependencies: Any) -> Any:
    """Return ``inputs`` (an array or a sequence) such that they are evaluated after ``dependencies``."""
    leaves = _only_arrays("depends", [inputs], lambda i: "inputs", "")
    others = _only_arrays("depends", [dependencies], lambda i: "dependencies", "")
    return core._rebuild(inputs, core._depends(leaves, others))
