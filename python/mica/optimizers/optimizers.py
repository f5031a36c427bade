"""Optimizers: they make new parameters of parameters and gradients, and keep their state in a tree."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import mica.core as mx
from mica.nn.layers.base import Module
from mica.utils import tree_flatten, tree_map, tree_merge, tree_reduce, tree_unflatten

__all__ = [
    "AdaDelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Lion",
    "MultiOptimizer",
    "Muon",
    "Optimizer",
    "RMSprop",
    "SGD",
    "clip_grad_norm",
]

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

    def __init__(self, schedulers: dict[str, Schedule] | None = None):
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

        def begin(parameter: Any, state: Any) -> Any:
            """The state of a subtree; what ``state`` has already is kept."""
            if isinstance(parameter, dict):
                state = state if isinstance(state, dict) else {}
                for key, child in parameter.items():
                    state[key] = begin(child, state.get(key))
                return state
            if isinstance(parameter, (list, tuple)):
                present = list(state) if isinstance(state, (list, tuple)) else []
                present += [None] * (len(parameter) - len(present))
                items = [begin(child, present[i]) for i, child in enumerate(parameter)]
                items += present[len(parameter) :]
                return tuple(items) if isinstance(parameter, tuple) else items
            if not isinstance(state, dict):
                state = {}
            if not state:
                self.init_single(parameter, state)
            return state

        if isinstance(parameters, dict):
            begin(parameters, self._state)
        self._initialized = True

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
    ):
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


class SGD(Optimizer):
    r"""Stochastic gradient descent.

    :math:`v \leftarrow \mu v + (1 - \tau) g`, :math:`w \leftarrow w - \lambda v`.

    Args:
        learning_rate: :math:`\lambda`, a number or a schedule.
        momentum: :math:`\mu`.
        weight_decay: what part of the parameter is added to the gradient.
        dampening: :math:`\tau`.
        nesterov: step by :math:`g + \mu v`.

    Raises:
        ValueError: ``nesterov`` without momentum or with dampening.
    """

    def __init__(
        self,
        learning_rate: float | Schedule,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
        dampening: float = 0.0,
        nesterov: bool = False,
    ):
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError(
                "[SGD] Nesterov momentum needs a momentum above 0 and no dampening, "
                f"but momentum={momentum} and dampening={dampening} were given."
            )
        super().__init__()
        self._maybe_schedule("learning_rate", learning_rate)
        self.momentum = momentum
        self.weight_decay = weight_decay
        self.dampening = dampening
        self.nesterov = nesterov

    def init_single(self, parameter: mx.array, state: dict) -> None:
        state["v"] = mx.zeros_like(parameter)

    def apply_single(self, gradient: mx.array, parameter: mx.array, state: dict) -> mx.array:
        if self.weight_decay != 0:
            gradient = gradient + self.weight_decay * parameter
        rate = self._rate(gradient)
        if self.momentum <= 0:
            return parameter - rate * gradient

        v = self.momentum * state["v"]
        v = v + ((1 - self.dampening) * gradient if self.dampening > 0 else gradient)
        state["v"] = v
        change = gradient + self.momentum * v if self.nesterov else v
        return parameter - rate * change


class RMSprop(Optimizer):
    r"""Divides by a running root of squares: :math:`v \leftarrow \alpha v + (1 - \alpha) g^2`,
    :math:`w \leftarrow w - \lambda g / (\sqrt{v} + \epsilon)`.

    Args:
        learning_rate: :math:`\lambda`, a number or a schedule.
        alpha: :math:`\alpha`, at least 0.
        eps: :math:`\epsilon`, above 0.

    Raises:
        ValueError: an argument is out of range.
    """

    def __init__(self, learning_rate: float | Schedule, alpha: float = 0.99, eps: float = 1e-8):
        super().__init__()
        self._maybe_schedule("learning_rate", learning_rate)
        _check(type(self), "alpha", alpha, alpha >= 0, "at least 0")
        _check(type(self), "eps", eps, eps > 0, "above 0")
        self.alpha = alpha
        self.eps = eps

    def init_single(self, parameter: mx.array, state: dict) -> None:
        state["v"] = mx.zeros_like(parameter)

    def apply_single(self, gradient: mx.array, parameter: mx.array, state: dict) -> mx.array:
        v = self.alpha * state["v"] + (1 - self.alpha) * mx.square(gradient)
        state["v"] = v
        return parameter - self._rate(gradient) * gradient / (mx.sqrt(v) + self.eps)


class Adagrad(Optimizer):
    r"""Divides by the root of the sum of squares: :math:`v \leftarrow v + g^2`,
    :math:`w \leftarrow w - \lambda g / (\sqrt{v} + \epsilon)`.

    Args:
        learning_rate: :math:`\lambda`, a number or a schedule.
        eps: :math:`\epsilon`, above 0.

    Raises:
        ValueError: ``eps`` is not above 0.
    """

    def __init__(self, learning_rate: float | Schedule, eps: float = 1e-8):
        super().__init__()
        self._maybe_schedule("learning_rate", learning_rate)
        _check(type(self), "eps", eps, eps > 0, "above 0")
        self.eps = eps

    def init_single(self, parameter: mx.array, state: dict) -> None:
        state["v"] = mx.zeros_like(parameter)

    def apply_single(self, gradient: mx.array, parameter: mx.array, state: dict) -> mx.array:
        v = state["v"] + mx.square(gradient)
        state["v"] = v
        return parameter - self._rate(gradient) * gradient / (mx.sqrt(v) + self.eps)


class AdaDelta(Optimizer):
    r"""Adagrad with running means, and steps in the unit of the parameter.

    :math:`v \leftarrow \rho v + (1 - \rho) g^2`, :math:`d = \sqrt{u + \epsilon} / \sqrt{v + \epsilon} \, g`,
    :math:`u \leftarrow \rho u + (1 - \rho) d^2`, :math:`w \leftarrow w - \lambda d`.

    Args:
        learning_rate: :math:`\lambda`, a number or a schedule.
        rho: :math:`\rho`, at least 0.
        eps: :math:`\epsilon`, above 0.

    Raises:
        ValueError: an argument is out of range.
    """

    def __init__(self, learning_rate: float | Schedule, rho: float = 0.9, eps: float = 1e-6):
        super().__init__()
        self._maybe_schedule("learning_rate", learning_rate)
        _check(type(self), "rho", rho, rho >= 0, "at least 0")
        _check(type(self), "eps", eps, eps > 0, "above 0")
        self.rho = rho
        self.eps = eps

    def init_single(self, parameter: mx.array, state: dict) -> None:
        state["v"] = mx.zeros_like(parameter)
        state["u"] = mx.zeros_like(parameter)

    def apply_single(self, gradient: mx.array, parameter: mx.array, state: dict) -> mx.array:
        rho, eps = self.rho, self.eps
        u = state["u"]
        v = rho * state["v"] + (1 - rho) * mx.square(gradient)
        d = mx.sqrt(u + eps) / mx.sqrt(v + eps) * gradient
        state["v"] = v
        state["u"] = rho * u + (1 - rho) * mx.square(d)
        return parameter - self._rate(gradient) * d


class Adam(Optimizer):
    r"""Running means of gradients and of their squares.

    :math:`m \leftarrow \beta_1 m + (1 - \beta_1) g`, :math:`v \leftarrow \beta_2 v + (1 - \beta_2) g^2`,
    :math:`w \leftarrow w - \lambda m / (\sqrt{v} + \epsilon)`.

    Args:
        learning_rate: :math:`\lambda`, a number or a schedule.
        betas: :math:`\beta_1` and :math:`\beta_2`, in [0, 1).
        eps: :math:`\epsilon`, at least 0.
        bias_correction: divide :math:`m` and :math:`v` by :math:`1 - \beta^t` at step :math:`t`.

    Raises:
        ValueError: an argument is out of range.
    """

    def __init__(
        self,
        learning_rate: float | Schedule,
        betas: list[float] = [0.9, 0.999],  # noqa: B006
        eps: float = 1e-8,
        bias_correction: bool = False,
    ):
        super().__init__()
        self._maybe_schedule("learning_rate", learning_rate)
        _check_betas(type(self), betas)
        _check(type(self), "eps", eps, eps >= 0, "at least 0")
        self.betas = betas
        self.eps = eps
        self.bias_correction = bias_correction

    def init_single(self, parameter: mx.array, state: dict) -> None:
        state["m"] = mx.zeros_like(parameter)
        state["v"] = mx.zeros_like(parameter)

    def apply_single(self, gradient: mx.array, parameter: mx.array, state: dict) -> mx.array:
        rate = self._rate(gradient)
        b1, b2 = self.betas
        m = b1 * state["m"] + (1 - b1) * gradient
        v = b2 * state["v"] + (1 - b2) * mx.square(gradient)
        state["m"] = m
        state["v"] = v
        if not self.bias_correction:
            return parameter - rate * m / (mx.sqrt(v) + self.eps)

        step = self.step
        scale_m = (rate / (1 - b1**step)).astype(gradient.dtype)
        scale_v = mx.rsqrt(1 - b2**step).astype(gradient.dtype)
        return parameter - (scale_m * m) / (mx.sqrt(v) * scale_v + self.eps)


class AdamW(Adam):
    r"""``Adam`` that first shrinks parameters.

    :math:`w \leftarrow w (1 - \lambda \cdot \text{weight\_decay})`.

    Args:
        learning_rate: :math:`\lambda`, a number or a schedule.
        betas: as for ``Adam``.
        eps: as for ``Adam``.
        weight_decay: what part of the learning rate they shrink by.
        bias_correction: as for ``Adam``.

    Raises:
        ValueError: an argument is out of range.
    """

    def __init__(
        self,
        learning_rate: float | Schedule,
        betas: list[float] = [0.9, 0.999],  # noqa: B006
        eps: float = 1e-8,
        weight_decay: float = 0.01,
        bias_correction: bool = False,
    ):
        super().__init__(learning_rate=learning_rate, betas=betas, eps=eps, bias_correction=bias_correction)
        self.weight_decay = weight_decay

    def apply_single(self, gradient: mx.array, parameter: mx.array, state: dict) -> mx.array:
        shrunk = parameter * (1 - self._rate(gradient) * self.weight_decay)
        return super().apply_single(gradient, shrunk, state)


class Adamax(Adam):
    r"""``Adam`` with a running maximum: :math:`v \leftarrow \max(\beta_2 v, |g|)`,
    :math:`w \leftarrow w - \lambda m / (v + \epsilon)`.

    Args:
        learning_rate: :math:`\lambda`, a number or a schedule.
        betas: as for ``Adam``.
        eps: as for ``Adam``.

    Raises:
        ValueError: an argument is out of range.
    """

    def __init__(
        self,
        learning_rate: float | Schedule,
        betas: list[float] = [0.9, 0.999],  # noqa: B006
        eps: float = 1e-8,
    ):
        super().__init__(learning_rate, betas, eps)

    def apply_single(self, gradient: mx.array, parameter: mx.array, state: dict) -> mx.array:
        b1, b2 = self.betas
        m = b1 * state["m"] + (1 - b1) * gradient
        v = mx.maximum(b2 * state["v"], mx.abs(gradient))
        state["m"] = m
        state["v"] = v
        return parameter - self._rate(gradient) * m / (v + self.eps)


class Lion(Optimizer):
    r"""Steps by the sign of a momentum.

    :math:`c = \beta_1 m + (1 - \beta_1) g`, :math:`m \leftarrow \beta_2 m + (1 - \beta_2) g`,
    :math:`w \leftarrow w (1 - \lambda \cdot \text{weight\_decay}) - \lambda \, \text{sign}(c)`.

    Args:
        learning_rate: :math:`\lambda`, a number or a schedule; a third to a tenth of what suits ``AdamW``.
        betas: :math:`\beta_1` and :math:`\beta_2`, in [0, 1).
        weight_decay: what part of the learning rate parameters shrink by; three to ten times what suits
            ``AdamW``.

    Raises:
        ValueError: an argument is out of range.
    """

    def __init__(
        self,
        learning_rate: float | Schedule,
        betas: list[float] = [0.9, 0.99],  # noqa: B006
        weight_decay: float = 0.0,
    ):
        super().__init__()
        self._maybe_schedule("learning_rate", learning_rate)
        _check_betas(type(self), betas)
        self.betas = betas
        self.weight_decay = weight_decay

    def init_single(self, parameter: mx.array, state: dict) -> None:
        state["m"] = mx.zeros_like(parameter)

    def apply_single(self, gradient: mx.array, parameter: mx.array, state: dict) -> mx.array:
        rate = self._rate(gradient)
        b1, b2 = self.betas
        m = state["m"]
        c = b1 * m + (1 - b1) * gradient
        state["m"] = b2 * m + (1 - b2) * gradient
        if self.weight_decay > 0:
            parameter = (1 - rate * self.weight_decay) * parameter
        return parameter - rate * mx.sign(c)


def _rms(a: mx.array) -> mx.array:
    return mx.sqrt(mx.mean(mx.square(a)))


class Adafactor(Optimizer):
    r"""``Adam`` that keeps, for matrices, only the means of rows and columns of the squares.

    Args:
        learning_rate: a number or a schedule; needed when ``relative_step`` is false.
        eps: what is added to squared gradients, and the least scale of a parameter.
        clip_threshold: updates of a larger root mean square are scaled down to it.
        decay_rate: the running means at step :math:`t` keep :math:`1 - t^{\text{decay\_rate}}`.
        beta_1: keep a running mean of updates, too; None: no.
        weight_decay: what part of the learning rate parameters shrink by.
        scale_parameter: multiply the learning rate by the parameter's root mean square.
        relative_step: take :math:`\min(0.01, 1 / \sqrt t)` for the learning rate.
        warmup_init: take :math:`\min(10^{-6} t, 1 / \sqrt t)`.
    """

    def __init__(
        self,
        learning_rate: float | Schedule | None = None,
        eps: tuple[float, float] = (1e-30, 1e-3),
        clip_threshold: float = 1.0,
        decay_rate: float = -0.8,
        beta_1: float | None = None,
        weight_decay: float = 0.0,
        scale_parameter: bool = True,
        relative_step: bool = True,
        warmup_init: bool = False,
    ):
        super().__init__()
        if learning_rate is not None:
            self._maybe_schedule("learning_rate", learning_rate)
        self.eps = eps
        self.clip_threshold = clip_threshold
        self.decay_rate = decay_rate
        self.beta_1 = beta_1
        self.weight_decay = weight_decay
        self.scale_parameter = scale_parameter
        self.relative_step = relative_step
        self.warmup_init = warmup_init

    def init_single(self, parameter: mx.array, state: dict) -> None:
        shape, dtype = tuple(parameter.shape), parameter.dtype
        if len(shape) >= 2:
            state["exp_avg_sq_row"] = mx.zeros(shape[:-1], dtype=dtype)
            state["exp_avg_sq_col"] = mx.zeros(shape[:-2] + shape[-1:], dtype=dtype)
        else:
            state["exp_avg_sq"] = mx.zeros_like(parameter)
        if self.beta_1 is not None:
            state["exp_avg"] = mx.zeros_like(parameter)

    def _learning_rate(self, step: mx.array, parameter: mx.array) -> mx.array:
        if self.relative_step:
            least = 1e-6 * step if self.warmup_init else 1e-2
            rate = mx.minimum(least, mx.rsqrt(step))
        else:
            rate = self.learning_rate
        rate = rate.astype(parameter.dtype)
        return rate * mx.maximum(self.eps[1], _rms(parameter)) if self.scale_parameter else rate

    def apply_single(self, gradient: mx.array, parameter: mx.array, state: dict) -> mx.array:
        step = self.step
        rate = self._learning_rate(step, parameter)
        keep = 1.0 - (step**self.decay_rate).astype(parameter.dtype)
        square = mx.square(gradient) + self.eps[0]

        def mean_of(name: str, value: mx.array) -> mx.array:
            state[name] = keep * state[name] + (1 - keep) * value
            return state[name]

        if gradient.ndim >= 2:
            row = mean_of("exp_avg_sq_row", mx.mean(square, axis=-1))
            column = mean_of("exp_avg_sq_col", mx.mean(square, axis=-2))
            row_factor = mx.rsqrt(row / mx.mean(row, axis=-1, keepdims=True))
            update = row_factor[..., None] * mx.rsqrt(column)[..., None, :] * gradient
        else:
            update = mx.rsqrt(mean_of("exp_avg_sq", square)) * gradient

        update = rate * (update / mx.maximum(1.0, _rms(update) / self.clip_threshold))
        if self.beta_1 is not None:
            update = self.beta_1 * state["exp_avg"] + (1 - self.beta_1) * update
            state["exp_avg"] = update
        if self.weight_decay != 0:
            parameter = parameter + parameter * (-self.weight_decay * rate)
        return parameter - update


class Muon(Optimizer):
    """Momentum whose matrices are made orthogonal, by an iteration of Newton and Schulz.

    It is meant for the matrices of hidden layers; embeddings, output layers, biases and gains are better left
    to another optimizer (see ``MultiOptimizer``). Arrays of more than 2 axes count as matrices of their first
    axis by all the others.

    Args:
        learning_rate: a number or a schedule.
        momentum: what part of the momentum a step keeps.
        weight_decay: what part of the parameter is added to the gradient.
        nesterov: step by the momentum that the same gradient would make of the new one.
        ns_steps: how many iterations.
    """

    def __init__(
        self,
        learning_rate: float | Schedule,
        momentum: float = 0.95,
        weight_decay: float = 0.01,
        nesterov: bool = True,
        ns_steps: int = 5,
    ):
        super().__init__()
        self._maybe_schedule("learning_rate", learning_rate)
        self.momentum = momentum
        self.weight_decay = weight_decay
        self.nesterov = nesterov
        self.ns_steps = ns_steps

    def init_single(self, parameter: mx.array, state: dict) -> None:
        state["v"] = mx.zeros_like(parameter)

    @staticmethod
    def _orthogonalize(x: mx.array, steps: int) -> mx.array:
        """Push all singular values of a matrix to about 1, by odd polynomials of degree 5."""
        a, b, c = 3.4445, -4.7750, 2.0315
        tall = x.shape[0] > x.shape[1]
        x = x.T if tall else x
        x = x / (mx.sqrt(mx.sum(mx.square(x))) + 1e-7)
        for _ in range(steps):
            gram = x @ x.T
            x = mx.addmm(a * x, mx.addmm(b * gram, gram, gram, beta=1.0, alpha=c), x, beta=1.0, alpha=1.0)
        return x.T if tall else x

    def apply_single(self, gradient: mx.array, parameter: mx.array, state: dict) -> mx.array:
        if self.weight_decay != 0:
            gradient = gradient + self.weight_decay * parameter
        keep = self.momentum
        v = keep * state["v"] + (1 - keep) * gradient
        state["v"] = v
        update = gradient * (1 - keep) + v * keep if self.nesterov else v

        rate = self._rate(gradient)
        if update.ndim >= 2:
            matrix = update if update.ndim == 2 else update.reshape(update.shape[0], -1)
            update = self._orthogonalize(matrix, self.ns_steps).reshape(update.shape)
            rate = rate * math.sqrt(max(1, matrix.shape[0] / matrix.shape[1]))
        return parameter - rate * update


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

    def squares(grad: mx.array) -> mx.array:
        if mx.issubdtype(grad.dtype, mx.complexfloating):
            grad = mx.abs(grad)
        return mx.sum(mx.square(grad.astype(mx.float32)))

    total = tree_reduce(lambda so_far, grad: so_far + squares(grad), grads, mx.array(0.0))
    norm = mx.sqrt(total)
    scale = mx.minimum(max_norm / (norm + 1e-6), 1.0)

    def scaled(grad: mx.array) -> mx.array:
        return grad * (scale.astype(grad.dtype) if mx.issubdtype(grad.dtype, mx.floating) else scale)

    return tree_map(scaled, grads), norm
