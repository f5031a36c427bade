"""Activation functions: x is an array of any shape, the result has the same shape.

They are plain compositions: the engine fuses them by itself, inside and outside of ``compile``.
"""

from __future__ import annotations

import math

import mica.core as mx

__all__ = [
    "celu",
    "elu",
    "gelu",
    "gelu_approx",
    "gelu_fast_approx",
    "glu",
    "hard_shrink",
    "hard_tanh",
    "hardswish",
    "leaky_relu",
    "log_sigmoid",
    "log_softmax",
    "mish",
    "prelu",
    "relu",
    "relu2",
    "relu6",
    "selu",
    "sigmoid",
    "silu",
    "softmax",
    "softmin",
    "softplus",
    "softshrink",
    "softsign",
    "step",
    "tanh",
]


def sigmoid(x: mx.array) -> mx.array:
    r"""The logistic function, :math:`1 / (1 + e^{-x})`."""
    return mx.sigmoid(x)


def relu(x: mx.array) -> mx.array:
    r"""The rectifier, :math:`\max(x, 0)`; its derivative at 0 is 0."""
    return mx.maximum(x, 0)


def relu2(x: mx.array) -> mx.array:
    r"""The squared rectifier, :math:`\max(x, 0)^2`."""
    return mx.square(mx.maximum(x, 0))


def relu6(x: mx.array) -> mx.array:
    r"""The rectifier that stops at 6, :math:`\min(\max(x, 0), 6)`."""
    return mx.minimum(mx.maximum(x, 0), 6.0)


def leaky_relu(x: mx.array, negative_slope: float = 0.01) -> mx.array:
    r"""The rectifier with a slope below 0, :math:`\max(s x, x)`."""
    return mx.maximum(negative_slope * x, x)


def log_softmax(x: mx.array, axis: int = -1) -> mx.array:
    r"""The logarithm of ``softmax``: :math:`x - \log \sum_i e^{x_i}` over ``axis``."""
    return x - mx.logsumexp(x, axis=axis, keepdims=True)


def elu(x: mx.array, alpha: float = 1.0) -> mx.array:
    r""":math:`x` above 0, :math:`\alpha (e^x - 1)` below."""
    # The exponential of large numbers is infinite, and so would be its part of the derivative: 0 times that.
    return mx.where(x > 0, x, alpha * mx.expm1(mx.where(x > 0, 0, x)))


def softmax(x: mx.array, axis: int = -1) -> mx.array:
    r"""Positive numbers that add up to 1 over ``axis``: :math:`e^x / \sum_i e^{x_i}`."""
    return mx.softmax(x, axis=axis)


def softplus(x: mx.array) -> mx.array:
    r"""The smooth rectifier, :math:`\log(1 + e^x)`."""
    return mx.logaddexp(x, 0)


def softsign(x: mx.array) -> mx.array:
    r""":math:`x / (1 + |x|)`."""
    return mx.divide(x, 1 + mx.abs(x))


def softshrink(x: mx.array, lambd: float = 0.5) -> mx.array:
    r"""Moves towards 0 by :math:`\lambda`: what is nearer to 0 becomes 0."""
    return mx.where(mx.abs(x) > lambd, x - mx.sign(x) * lambd, 0)


def celu(x: mx.array, alpha: float = 1.0) -> mx.array:
    r""":math:`\max(x, 0) + \alpha (e^{\min(x, 0) / \alpha} - 1)`."""
    return mx.maximum(x, 0.0) + alpha * (mx.exp(mx.minimum(x, 0.0) / alpha) - 1)


def silu(x: mx.array) -> mx.array:
    r"""The sigmoid linear unit, :math:`x \, \sigma(x)`; also called swish."""
    return x * mx.sigmoid(x)


def log_sigmoid(x: mx.array) -> mx.array:
    r"""The logarithm of ``sigmoid``, :math:`-\log(1 + e^{-x})`."""
    return -softplus(-x)


def gelu(x: mx.array) -> mx.array:
    r"""The Gaussian error linear unit, :math:`x \, \Phi(x)` with the normal distribution's :math:`\Phi`."""
    return x * (1 + mx.erf(x / math.sqrt(2))) / 2


def gelu_approx(x: mx.array) -> mx.array:
    r"""``gelu`` by a tanh: :math:`x (1 + \tanh(\sqrt{2/\pi} (x + 0.044715 x^3))) / 2`."""
    return 0.5 * x * (1 + mx.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def gelu_fast_approx(x: mx.array) -> mx.array:
    r"""``gelu`` by a sigmoid: :math:`x \, \sigma(1.702 x)`."""
    return x * mx.sigmoid(1.702 * x)


def glu(x: mx.array, axis: int = -1) -> mx.array:
    r"""The gated linear unit, :math:`a \, \sigma(b)` of the two halves of ``x`` along ``axis``."""
    a, b = mx.split(x, indices_or_sections=2, axis=axis)
    return a * mx.sigmoid(b)


def step(x: mx.array, threshold: float = 0.0) -> mx.array:
    """1 where ``x`` reaches the threshold and 0 elsewhere, in int32."""
    return mx.where(x >= threshold, 1, 0)


def selu(x: mx.array) -> mx.array:
    """The scaled ``elu`` that keeps mean 0 and variance 1 from layer to layer."""
    return elu(x, 1.67326) * 1.0507


def prelu(x: mx.array, alpha: mx.array) -> mx.array:
    r"""The rectifier with given slopes below 0: :math:`\max(x, 0) + \alpha \min(x, 0)`."""
    return mx.maximum(0, x) + alpha * mx.minimum(0, x)


def mish(x: mx.array) -> mx.array:
    r""":math:`x \tanh(\log(1 + e^x))`."""
    return x * mx.tanh(softplus(x))


def hardswish(x: mx.array) -> mx.array:
    r"""``silu`` by straight lines: :math:`x \min(\max(x + 3, 0), 6) / 6`."""
    return x * mx.minimum(mx.maximum(x + 3, 0), 6) / 6


def hard_tanh(x: mx.array, min_val: float = -1.0, max_val: float = 1.0) -> mx.array:
    r"""``tanh`` by straight lines: :math:`\min(\max(x, \text{min\_val}), \text{max\_val})`."""
    return mx.minimum(mx.maximum(x, min_val), max_val)


def hard_shrink(x: mx.array, lambd: float = 0.5) -> mx.array:
    r"""0 for :math:`|x| \le \lambda`, :math:`x` elsewhere."""
    return mx.where(mx.abs(x) > lambd, x, 0)


def softmin(x: mx.array, axis: int = -1) -> mx.array:
    """``softmax`` of the negative."""
    return mx.softmax(-x, axis=axis)


def tanh(x: mx.array) -> mx.array:
    """The hyperbolic tangent."""
    return mx.tanh(x)
