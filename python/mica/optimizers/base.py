"""What all optimizers share: state, schedules, several optimizers as one, clipping of gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mica.core as mx
from mica.nn.layers.base import Module
from mica.utils import tree_flatten, tree_map, tree_merge, tree_reduce, tree_unflatten

Schedule = Callable[[mx.array], mx.array]


class Optimizer:
    """What optimizers derive from.

    A subclass says how the state of one parameter begins (``init_single``) and how one parameter is updated
    (``apply_single``). The state is a dictionary: "step", the number of updates; "learning_rate" and whatever
    else may follow a schedule; and beside them a tree that mirrors the parameters, with a dictionary of
    arrays for each.

    Args:
        schedulers: names in the state and the schedules that they follow.
    """

    def __init__(self, schedulers: dict[str, Schedule] | None = None) -> None:
        self._initialized = False
        self._state = {"step": mx.array(0, mx.uint64)}
        self._schedulers = dict(schedulers or {})

    def update(self, model: Module, gradients: dict) -> None:
        """Update the parameters of a model.

        Args:
            model: the model.
            gradients: mirrors its parameters, wholly or in part.
        """
        model.update(self.apply_gradients(gradients, model))

    def init(self, parameters: dict) -> None:
        """Begin the state of parameters that have none. The first update does it by itself.

        Args:
            parameters: a tree of arrays, or of anything with their shapes and dtypes.
        """

        if isinstance(parameters, dict):
            self._begin(parameters, self._state)
        self._initialized = True

    def _begin(self, parameter: Any, state: Any) -> Any:
        """The state of a subtree; what ``state`` has already is kept."""
        if isinstance(parameter, dict):
            state = state if isinstance(state, dict) else {}
            for key, child in parameter.items():
                state[key] = self._begin(child, state.get(key))
            return state
        if isinstance(parameter, (list, tuple)):
            present = list(state) if isinstance(state, (list, tuple)) else []
            present += [None] * (len(parameter) - len(present))
            items = [self._begin(child, present[i]) for i, child in enumerate(parameter)]
            items += present[len(parameter) :]
            return tuple(items) if isinstance(parameter, tuple) else items
        if not isinstance(state, dict):
            state = {}
        if not state:
            self.init_single(parameter, state)
        return state

    def init_single(self, parameter: mx.array, state: dict) -> None:
        """Begin the state of one parameter: put arrays into ``state``. Subclasses say how."""
        raise NotImplementedError(f"{type(self).__name__} does not define init_single.")

    def apply_gradients(self, gradients: dict, parameters: dict) -> dict:
        """Compute new parameters.

        Args:
            gradients: a tree of arrays.
            parameters: a tree that holds at least the places of ``gradients``.

        Returns:
            The new parameters, a tree of the structure of ``gradients``.

        Raises:
            KeyError: a gradient has no parameter.
        """
        if not self._initialized:
            self.init(gradients)
        state = self._state
        step = state["step"]
        for name, schedule in self._schedulers.items():
            state[name] = schedule(step)
        state["step"] = step + 1
        return tree_map(self.apply_single, gradients, parameters, state)

    def apply_single(self, gradient: mx.array, parameter: mx.array, state: dict) -> mx.array:
        """Compute one new parameter and change its ``state``. Subclasses say how."""
        raise NotImplementedError(f"{type(self).__name__} does not define apply_single.")

    @property
    def state(self) -> dict:
        """The state. A tree that is assigned replaces it; what it lacks begins anew at the next update."""
        return self._state

    @state.setter
    def state(self, state: dict) -> None:
        self._initialized = False
        self._state = state

    @property
    def step(self) -> mx.array:
        """How many updates there have been, a 0-d uint64 array."""
        return self.state["step"]

    @property
    def learning_rate(self) -> mx.array:
        """The learning rate of the last update, a 0-d array; may be assigned when it follows no schedule."""
        return self.state["learning_rate"]

    @learning_rate.setter
    def learning_rate(self, learning_rate: float | mx.array) -> None:
        self.state["learning_rate"] = mx.array(learning_rate)

    def _maybe_schedule(self, name: str, param: float | Schedule) -> None:
        """Keep a number in the state under a name or, if ``param`` is callable, let it follow that."""
        if callable(param):
            self._schedulers[name] = param
            self._state[name] = param(self.step)
        else:
            self._state[name] = mx.array(param)

    def _rate(self, gradient: mx.array) -> mx.array:
        """The learning rate in the dtype of a gradient, so that it does not promote."""
        return self._state["learning_rate"].astype(gradient.dtype)


def _check(kind: type, name: str, value: float, accepted: bool, range_text: str) -> None:
    if not accepted:
        raise ValueError(f"[{kind.__name__}] {name} must be {range_text}, but {value} was given.")


def _check_betas(kind: type, betas: list[float]) -> None:
    for i, beta in enumerate(betas, start=1):
        _check(kind, f"beta{i}", beta, 0.0 <= beta < 1, "in [0, 1)")


class MultiOptimizer(Optimizer):
    """Different optimizers for different parameters.

    Args:
        optimizers: the optimizers.
        filters: one less than optimizers: functions of path and gradient. The first that returns true gives
            the parameter to its optimizer; the last optimizer takes the rest.

    Raises:
        ValueError: the number of filters is wrong.
    """

    def __init__(
        self,
        optimizers: list[Optimizer],
        filters: list[Callable[[str, mx.array], bool]] = [],  # noqa: B006
    ) -> None:
        super().__init__()
        self._state = {}
        if len(filters) != len(optimizers) - 1:
            raise ValueError(
                f"[MultiOptimizer] {len(optimizers)} optimizers need {len(optimizers) - 1} filters, "
                f"but {len(filters)} were given."
            )
        self.optimizers = list(optimizers)
        self.filters = [*filters, lambda path, gradient: True]

    def _split_dictionary(self, gradients: dict) -> list[dict]:
        if len(self.optimizers) == 1:
            return [gradients]
        parts = [[] for _ in self.optimizers]
        for path, gradient in tree_flatten(gradients):
            chosen = next(i for i, accepts in enumerate(self.filters) if accepts(path, gradient))
            parts[chosen].append((path, gradient))
        return [tree_unflatten(part) if part else {} for part in parts]

    def init(self, parameters: dict) -> None:
        for optimizer, part in zip(self.optimizers, self._split_dictionary(parameters), strict=True):
            optimizer.init(part)
        self._initialized = True

    def apply_gradients(self, gradients: dict, parameters: dict) -> dict:
        updated: dict = {}
        for optimizer, part in zip(self.optimizers, self._split_dictionary(gradients), strict=True):
            updated = tree_merge(updated, optimizer.apply_gradients(part, parameters))
        return updated

    @property
    def state(self) -> dict:
        """The optimizers' states, in a list under "states"."""
        return {"states": [optimizer.state for optimizer in self.optimizers]}

    @state.setter
    def state(self, state: dict) -> None:
        states = state.get("states")
        if states is None or len(states) != len(self.optimizers):
            raise ValueError(
                '[MultiOptimizer] a state must hold, under "states", one state for each of the '
                f"{len(self.optimizers)} optimizers."
            )
        for optimizer, own in zip(self.optimizers, states, strict=True):
            optimizer.state = own

    @property
    def step(self) -> mx.array:
        """How many updates there have been, a 0-d uint64 array."""
        return self.optimizers[0].step

    @property
    def learning_rate(self) -> mx.array:
        """The learning rate of the first optimizer; one that is assigned goes to all."""
        return self.optimizers[0].learning_rate

    @learning_rate.setter
    def learning_rate(self, learning_rate: float | mx.array) -> None:
        for optimizer in self.optimizers:
            optimizer.learning_rate = learning_rate


def sum_of_squares(gradients: Any) -> mx.array:
    """The sum of the squared magnitudes in a tree of arrays, a 0-d float32 array."""

    def squares(gradient: mx.array) -> mx.array:
        if mx.issubdtype(gradient.dtype, mx.complexfloating):
            gradient = mx.abs(gradient)
        return mx.sum(mx.square(gradient.astype(mx.float32)))

    return tree_reduce(lambda so_far, gradient: so_far + squares(gradient), gradients, mx.array(0.0))


def scale_to_norm(gradients: Any, max_norm: float, squares: mx.array) -> tuple[Any, mx.array]:
    """Scale a tree so that its norm, the root of ``squares``, is at most ``max_norm``."""
    norm = mx.sqrt(squares)
    scale = mx.minimum(max_norm / (norm + 1e-6), 1.0)

    def scaled(gradient: mx.array) -> mx.array:
        keeps_dtype = mx.issubdtype(gradient.dtype, mx.floating)
        return gradient * (scale.astype(gradient.dtype) if keeps_dtype else scale)

    return tree_map(scaled, gradients), norm


def clip_grad_norm(grads: Any, max_norm: float) -> tuple[Any, mx.array]:
    """Scale gradients so that their joint L2 norm is at most ``max_norm``.

    Args:
        grads: a tree of arrays, of any shapes and float dtypes.
        max_norm: the largest norm, at least 0.

    Returns:
        The scaled tree and the norm before scaling, a 0-d float32 array.

    Raises:
        ValueError: ``max_norm`` is negative.
    """
    if max_norm < 0:
        raise ValueError(f"[clip_grad_norm] max_norm must be at least 0, but {max_norm} was given.")
    return scale_to_norm(grads, max_norm, sum_of_squares(grads))
