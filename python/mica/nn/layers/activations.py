"""A layer for each activation function, and the functions."""

from __future__ import annotations

import mica.core as mx
from mica.nn.layers.activation_functions import (
    celu,
    elu,
    gelu,
    gelu_approx,
    gelu_fast_approx,
    glu,
    hard_shrink,
    hard_tanh,
    hardswish,
    leaky_relu,
    log_sigmoid,
    log_softmax,
    mish,
    prelu,
    relu,
    relu2,
    relu6,
    selu,
    sigmoid,
    silu,
    softmax,
    softmin,
    softplus,
    softshrink,
    softsign,
    step,
    tanh,
)
from mica.nn.layers.base import Module

__all__ = [
    "CELU", "ELU", "GELU", "GLU", "HardShrink", "HardTanh", "Hardswish", "LeakyReLU", "LogSigmoid",
    "LogSoftmax", "Mish", "PReLU", "ReLU", "ReLU2", "ReLU6", "SELU", "SiLU", "Sigmoid", "Softmax",
    "Softmin", "Softplus", "Softshrink", "Softsign", "Step", "Tanh", "celu", "elu", "gelu", "gelu_approx",
    "gelu_fast_approx", "glu", "hard_shrink", "hard_tanh", "hardswish", "leaky_relu", "log_sigmoid",
    "log_softmax", "mish", "prelu", "relu", "relu2", "relu6", "selu", "sigmoid", "silu", "softmax",
    "softmin", "softplus", "softshrink", "softsign", "step", "tanh",
]  # fmt: skip


class Sigmoid(Module):
    """Applies ``sigmoid``."""

    def __call__(self, x: mx.array) -> mx.array:
        return sigmoid(x)


class Mish(Module):
    """Applies ``mish``."""

    def __call__(self, x: mx.array) -> mx.array:
        return mish(x)


class ReLU(Module):
    """Applies ``relu``."""

    def __call__(self, x: mx.array) -> mx.array:
        return relu(x)


class ReLU2(Module):
    """Applies ``relu2``."""

    def __call__(self, x: mx.array) -> mx.array:
        return relu2(x)


class ReLU6(Module):
    """Applies ``relu6``."""

    def __call__(self, x: mx.array) -> mx.array:
        return relu6(x)


class Softmax(Module):
    """Applies ``softmax`` over the last axis."""

    def __call__(self, x: mx.array) -> mx.array:
        return softmax(x)


class Softplus(Module):
    """Applies ``softplus``."""

    def __call__(self, x: mx.array) -> mx.array:
        return softplus(x)


class Softsign(Module):
    """Applies ``softsign``."""

    def __call__(self, x: mx.array) -> mx.array:
        return softsign(x)


class SiLU(Module):
    """Applies ``silu``."""

    def __call__(self, x: mx.array) -> mx.array:
        return silu(x)


class LogSoftmax(Module):
    """Applies ``log_softmax`` over the last axis."""

    def __call__(self, x: mx.array) -> mx.array:
        return log_softmax(x)


class LogSigmoid(Module):
    """Applies ``log_sigmoid``."""

    def __call__(self, x: mx.array) -> mx.array:
        return log_sigmoid(x)


class Tanh(Module):
    """Applies ``tanh``."""

    def __call__(self, x: mx.array) -> mx.array:
        return tanh(x)


class Hardswish(Module):
    """Applies ``hardswish``."""

    def __call__(self, x: mx.array) -> mx.array:
        return hardswish(x)


class SELU(Module):
    """Applies ``selu``."""

    def __call__(self, x: mx.array) -> mx.array:
        return selu(x)


class HardTanh(Module):
    """Applies ``hard_tanh`` between -1 and 1."""

    def __call__(self, x: mx.array) -> mx.array:
        return hard_tanh(x)


class Softmin(Module):
    """Applies ``softmin`` over the last axis."""

    def __call__(self, x: mx.array) -> mx.array:
        return softmin(x)


class GLU(Module):
    """Applies ``glu``.

    Args:
        axis: the axis to halve.
    """

    def __init__(self, axis: int = -1) -> None:
        super().__init__()
        self.axis = axis

    def __call__(self, x: mx.array) -> mx.array:
        return glu(x, axis=self.axis)


class LeakyReLU(Module):
    """Applies ``leaky_relu``.

    Args:
        negative_slope: the slope below 0.
    """

    def __init__(self, negative_slope: float = 0.01) -> None:
        super().__init__()
        self._negative_slope = negative_slope

    def __call__(self, x: mx.array) -> mx.array:
        return leaky_relu(x, self._negative_slope)


class ELU(Module):
    """Applies ``elu``.

    Args:
        alpha: minus the limit for large negative arguments.
    """

    def __init__(self, alpha: float = 1.0) -> None:
        super().__init__()
        self._alpha = alpha

    def __call__(self, x: mx.array) -> mx.array:
        return elu(x, self._alpha)


class CELU(Module):
    """Applies ``celu``.

    Args:
        alpha: minus the limit for large negative arguments.
    """

    def __init__(self, alpha: float = 1.0) -> None:
        super().__init__()
        self._alpha = alpha

    def __call__(self, x: mx.array) -> mx.array:
        return celu(x, self._alpha)


class Softshrink(Module):
    """Applies ``softshrink``.

    Args:
        lambd: how far to move towards 0.
    """

    def __init__(self, lambd: float = 0.5) -> None:
        super().__init__()
        self.lambd = lambd

    def __call__(self, x: mx.array) -> mx.array:
        return softshrink(x, self.lambd)


class HardShrink(Module):
    """Applies ``hard_shrink``.

    Args:
        lambd: what is nearer to 0 becomes 0.
    """

    def __init__(self, lambd: float = 0.5) -> None:
        super().__init__()
        self.lambd = lambd

    def __call__(self, x: mx.array) -> mx.array:
        return hard_shrink(x, self.lambd)


class Step(Module):
    """Applies ``step``.

    Args:
        threshold: where the step is.
    """

    def __init__(self, threshold: float = 0.0) -> None:
        super().__init__()
        self.threshold = threshold

    def __call__(self, x: mx.array) -> mx.array:
        return step(x, self.threshold)


class PReLU(Module):
    """Applies ``prelu`` with learned slopes.

    Args:
        num_parameters: one slope, or one for each channel of the last axis.
        init: what the slopes are at first.
    """

    def __init__(self, num_parameters: int = 1, init: float = 0.25) -> None:
        super().__init__()
        self.weight = mx.full([num_parameters], init)

    def __call__(self, x: mx.array) -> mx.array:
        return prelu(x, self.weight)


_GELU_KINDS = {"none": gelu, "precise": gelu_approx, "tanh": gelu_approx, "fast": gelu_fast_approx}


class GELU(Module):
    """Applies ``gelu`` or an approximation of it.

    Args:
        approx: "none" for ``gelu``, "precise" or "tanh" for ``gelu_approx``, "fast" for ``gelu_fast_approx``.

    Raises:
        ValueError: ``approx`` is something else.
    """

    def __init__(self, approx: str = "none") -> None:
        super().__init__()
        if approx not in _GELU_KINDS:
            raise ValueError(
                f"[GELU] approx must be one of {', '.join(map(repr, _GELU_KINDS))}, but {approx!r} was given."
            )
        self._approx = approx

    def __call__(self, x: mx.array) -> mx.array:
        return _GELU_KINDS[self._approx](x)
