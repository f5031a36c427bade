"""Convolutions; channels stand on the last axis."""

from __future__ import annotations

import math

import mica.core as mx
from mica.nn.layers.base import Module

__all__ = ["Conv1d", "Conv2d", "Conv3d"]


def per_axis(value: int | tuple[int, ...], axes: int) -> tuple[int, ...]:
    """A size for each axis, from one for all or from one for each."""
    if not isinstance(value, (tuple, list)):
        return (value,) * axes
    if len(value) != axes:
        raise ValueError(
            f"[conv] {axes} sizes are needed, one for each spatial axis, but {tuple(value)} was given."
        )
    return tuple(value)


def draw_kernel(out_channels: int, kernel: tuple[int, ...], in_channels: int) -> mx.array:
    """A weight of shape ``(out_channels, *kernel, in_channels)``, within one over the root of its fan-in."""
    scale = math.sqrt(1 / (in_channels * math.prod(kernel)))
    return mx.random.uniform(low=-scale, high=scale, shape=(out_channels, *kernel, in_channels))


def _check_groups(in_channels: int, groups: int) -> None:
    if in_channels % groups != 0:
        raise ValueError(
            f"[conv] the number of groups must divide that of input channels, "
            f"but {groups} does not divide {in_channels}."
        )


class Conv1d(Module):
    """A convolution over one axis.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: size of the kernel.
        stride: how far the kernel moves.
        padding: zeros before and after the input.
        dilation: distance of the kernel's elements.
        groups: how many groups of channels are convolved apart; divides ``in_channels``.
        bias: whether there is a bias a channel.

    Raises:
        ValueError: ``groups`` does not divide ``in_channels``.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int = 1,
        padding: int = 0,
        dilation: int = 1,
        groups: int = 1,
        bias: bool = True,
    ) -> None:
        super().__init__()
        _check_groups(in_channels, groups)
        self.weight = draw_kernel(out_channels, (kernel_size,), in_channels // groups)
        if bias:
            self.bias = mx.zeros((out_channels,))
        self.padding = padding
        self.dilation = dilation
        self.stride = stride
        self.groups = groups

    def _extra_repr(self) -> str:
        out_channels, kernel_size, in_channels = self.weight.shape
        return (
            f"{in_channels * self.groups}, {out_channels}, kernel_size={kernel_size}, stride={self.stride}, "
            f"padding={self.padding}, dilation={self.dilation}, groups={self.groups}, bias={'bias' in self}"
        )

    def __call__(self, x: mx.array) -> mx.array:
        """Map ``(N, L, in_channels)`` to ``(N, L', out_channels)``."""
        y = mx.conv1d(x, self["weight"], self.stride, self.padding, self.dilation, self.groups)
        return y + self["bias"] if "bias" in self else y


class Conv2d(Module):
    """A convolution over two axes.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: size of the kernel, one for both axes or one for each.
        stride: how far the kernel moves, one for both axes or one for each.
        padding: zeros around the input, one for both axes or one for each.
        dilation: distance of the kernel's elements, one for both axes or one for each.
        groups: how many groups of channels are convolved apart; divides ``in_channels``.
        bias: whether there is a bias a channel.

    Raises:
        ValueError: ``groups`` does not divide ``in_channels``, or a tuple has not 2 sizes.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple,
        stride: int | tuple = 1,
        padding: int | tuple = 0,
        dilation: int | tuple = 1,
        groups: int = 1,
        bias: bool = True,
    ) -> None:
        super().__init__()
        _check_groups(in_channels, groups)
        kernel = per_axis(kernel_size, 2)
        self.weight = draw_kernel(out_channels, kernel, in_channels // groups)
        if bias:
            self.bias = mx.zeros((out_channels,))
        self.padding = per_axis(padding, 2)
        self.stride = per_axis(stride, 2)
        self.dilation = dilation
        self.groups = groups

    def _extra_repr(self) -> str:
        out_channels, *kernel, in_channels = self.weight.shape
        return (
            f"{in_channels * self.groups}, {out_channels}, kernel_size={tuple(kernel)}, "
            f"stride={self.stride}, padding={self.padding}, dilation={self.dilation}, "
            f"groups={self.groups}, bias={'bias' in self}"
        )

    def __call__(self, x: mx.array) -> mx.array:
        """Map ``(N, H, W, in_channels)`` to ``(N, H', W', out_channels)``."""
        y = mx.conv2d(x, self["weight"], self.stride, self.padding, self.dilation, self.groups)
        return y + self["bias"] if "bias" in self else y


class Conv3d(Module):
    """A convolution over three axes.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: size of the kernel, one for all axes or one for each.
        stride: how far the kernel moves, one for all axes or one for each.
        padding: zeros around the input, one for all axes or one for each.
        dilation: distance of the kernel's elements, one for all axes or one for each.
        bias: whether there is a bias a channel.

    Raises:
        ValueError: a tuple has not 3 sizes.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple,
        stride: int | tuple = 1,
        padding: int | tuple = 0,
        dilation: int | tuple = 1,
        bias: bool = True,
    ) -> None:
        super().__init__()
        kernel = per_axis(kernel_size, 3)
        self.weight = draw_kernel(out_channels, kernel, in_channels)
        if bias:
            self.bias = mx.zeros((out_channels,))
        self.padding = per_axis(padding, 3)
        self.stride = per_axis(stride, 3)
        self.dilation = dilation

    def _extra_repr(self) -> str:
        out_channels, *kernel, in_channels = self.weight.shape
        return (
            f"{in_channels}, {out_channels}, kernel_size={tuple(kernel)}, stride={self.stride}, "
            f"padding={self.padding}, dilation={self.dilation}, bias={'bias' in self}"
        )

    def __call__(self, x: mx.array) -> mx.array:
        """Map ``(N, D, H, W, in_channels)`` to ``(N, D', H', W', out_channels)``."""
        y = mx.conv3d(x, self["weight"], self.stride, self.padding, self.dilation)
        return y + self["bias"] if "bias" in self else y
