"""Linear, bilinear and identity layers."""

from __future__ import annotations

import math
from typing import Any

import mica.core as mx
from mica.nn.layers.base import Module
from mica.nn.layers.quantized import QQLinear, QuantizedLinear, check_input_mode

__all__ = ["Bilinear", "Identity", "Linear"]


class Identity(Module):
    """Returns its input; a place holder. All arguments are ignored."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()

    def __call__(self, x: mx.array) -> mx.array:
        return x


class Linear(Module):
    r"""The affine map :math:`y = x W^\top + b`.

    Args:
        input_dims: size of the last axis of the input.
        output_dims: size of the last axis of the output.
        bias: whether there is a :math:`b`.

    ``weight`` has shape ``(output_dims, input_dims)``; both parameters are drawn uniformly from
    :math:`\pm 1 / \sqrt{\text{input\_dims}}`.
    """

    def __init__(self, input_dims: int, output_dims: int, bias: bool = True) -> None:
        super().__init__()
        scale = math.sqrt(1.0 / input_dims)
        self.weight = mx.random.uniform(low=-scale, high=scale, shape=(output_dims, input_dims))
        if bias:
            self.bias = mx.random.uniform(low=-scale, high=scale, shape=(output_dims,))

    def _extra_repr(self) -> str:
        output_dims, input_dims = self.weight.shape
        return f"input_dims={input_dims}, output_dims={output_dims}, bias={'bias' in self}"

    def __call__(self, x: mx.array) -> mx.array:
        """Map ``x`` of shape ``(..., input_dims)`` to ``(..., output_dims)``."""
        weight = self["weight"].T
        return mx.addmm(self["bias"], x, weight) if "bias" in self else x @ weight

    def to_quantized(
        self,
        group_size: int | None = None,
        bits: int | None = None,
        mode: str = "affine",
        quantize_input: bool = False,
    ) -> Module:
        """The layer with its weight in few bits: ``QuantizedLinear``, or ``QQLinear`` when inputs
        are quantized too.
        """
        if not quantize_input:
            return QuantizedLinear.from_linear(self, group_size, bits, mode)
        check_input_mode(mode)
        return QQLinear.from_linear(self, group_size, bits, mode)


class Bilinear(Module):
    r"""A form that is linear in each of two inputs: :math:`y_k = x_1^\top W_k x_2 + b_k`.

    Args:
        input1_dims: size of the last axis of the first input.
        input2_dims: size of the last axis of the second input.
        output_dims: size of the last axis of the output.
        bias: whether there is a :math:`b`.

    ``weight`` has shape ``(output_dims, input2_dims, input1_dims)``; both parameters are drawn uniformly from
    :math:`\pm 1 / \sqrt{\text{input1\_dims}}`.
    """

    def __init__(self, input1_dims: int, input2_dims: int, output_dims: int, bias: bool = True) -> None:
        super().__init__()
        scale = math.sqrt(1.0 / input1_dims)
        self.weight = mx.random.uniform(low=-scale, high=scale, shape=(output_dims, input2_dims, input1_dims))
        if bias:
            self.bias = mx.random.uniform(low=-scale, high=scale, shape=(output_dims,))

    def _extra_repr(self) -> str:
        output_dims, input2_dims, input1_dims = self.weight.shape
        return (
            f"input1_dims={input1_dims}, input2_dims={input2_dims}, output_dims={output_dims}, "
            f"bias={'bias' in self}"
        )

    def __call__(self, x1: mx.array, x2: mx.array) -> mx.array:
        """Map ``(..., input1_dims)`` and ``(..., input2_dims)`` to ``(..., output_dims)``."""
        weight = self["weight"]
        output_dims, input2_dims, input1_dims = weight.shape
        leading = x1.shape[:-1]
        x1 = x1.reshape(-1, input1_dims)
        x2 = x2.reshape(-1, 1, input2_dims)

        # One product gives W_k x1 for every k; the other contracts that with x2.
        half = (x1 @ weight.reshape(-1, input1_dims).T).reshape(-1, output_dims, input2_dims)
        y = (x2 @ half.swapaxes(-2, -1)).reshape(*leading, output_dims)
        return y + self["bias"] if "bias" in self else y
