"""Optimizers that treat a matrix as a whole: factored second moments, orthogonal steps."""

from __future__ import annotations

import math

import mica.core as mx
from mica.optimizers.base import Optimizer, Schedule


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
    ) -> None:
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
    axis by all the others; the rate grows by sqrt(max(1, rows / columns)) of their last two.

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
    ) -> None:
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
            rate = rate * math.sqrt(max(1, update.shape[-2] / update.shape[-1]))
        return parameter - rate * update
