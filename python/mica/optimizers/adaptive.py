"""Optimizers that give each parameter a step size of its own."""

from __future__ import annotations

import mica.core as mx
from mica.optimizers.base import Optimizer, Schedule, _check, _check_betas


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

    def __init__(self, learning_rate: float | Schedule, alpha: float = 0.99, eps: float = 1e-8) -> None:
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

    def __init__(self, learning_rate: float | Schedule, eps: float = 1e-8) -> None:
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

    def __init__(self, learning_rate: float | Schedule, rho: float = 0.9, eps: float = 1e-6) -> None:
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
    ) -> None:
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
    ) -> None:
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
    ) -> None:
        super().__init__(learning_rate, betas, eps)

    def apply_single(self, gradient: mx.array, parameter: mx.array, state: dict) -> mx.array:
        b1, b2 = self.betas
        m = b1 * state["m"] + (1 - b1) * gradient
        v = mx.maximum(b2 * state["v"], mx.abs(gradient))
        state["m"] = m
        state["v"] = v
        return parameter - self._rate(gradient) * m / (v + self.eps)
