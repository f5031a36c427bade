"""Optimizers that follow a running mean of gradients."""

from __future__ import annotations

import mica.core as mx
from mica.optimizers.base import Optimizer, Schedule, _check_betas


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
    ) -> None:
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
    ) -> None:
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
