"""Transposed convolutions, which go from what a convolution makes to what it takes; channels stand last."""

from __future__ import annotations

import mica.core as mx
from mica.nn.layers.base import Module
from mica.nn.layers.convolution import draw_kernel, per_axis

__all__ = ["ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d"]


class _ConvTranspose(Module):
    """What the three have in common; a subclass sets the number of axes and the function."""

    _axes: int

    def _draw(self, in_channels: int, out_channels: int, kernel_size: int | tuple, bias: bool) -> None:
        kernel = per_axis(kernel_size, self._axes)
        self.weight = draw_kernel(out_channels, kernel, in_channels)
        if bias:
            self.bias = mx.zeros((out_channels,))

    def _extra_repr(self) -> str:
        out_channels, *kernel, in_channels = self.weight.shape
        return (
            f"{in_channels}, {out_channels}, kernel_size={tuple(kernel) if self._axes > 1 else kernel[0]}, "
            f"stride={self.stride}, padding={self.padding}, dilation={self.dilation}, "
            f"output_padding={self.output_padding}, bias={'bias' in self}"
        )

    def _convolve(self, function, x: mx.array) -> mx.array:
        y = function(x, self["weight"], self.stride, self.padding, self.dilation, self.output_padding)
        return y + self["bias"] if "bias" in self else y


class ConvTranspose1d(_ConvTranspose):
    """A transposed convolution over one axis.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: size of the kernel.
        stride: how far the kernel moves in the output.
        padding: what is cut off before and after the output.
        dilation: distance of the kernel's elements.
        output_padding: what is added after the output.
        bias: whether there is a bias a channel.
    """

    _axes = 1

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int = 1,
        padding: int = 0,
        dilation: int = 1,
        output_padding: int = 0,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self._draw(in_channels, out_channels, kernel_size, bias)
        self.padding = padding
        self.dilation = dilation
        self.stride = stride
        self.output_padding = output_padding

    def __call__(self, x: mx.array) -> mx.array:
        """Map ``(N, L, in_channels)`` to ``(N, L', out_channels)``."""
        return self._convolve(mx.conv_transpose1d, x)


class ConvTranspose2d(_ConvTranspose):
    """A transposed convolution over two axes.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: size of the kernel, one for both axes or one for each.
        stride: how far the kernel moves in the output, one for both axes or one for each.
        padding: what is cut off around the output, one for both axes or one for each.
        dilation: distance of the kernel's elements, one for both axes or one for each.
        output_padding: what is added after the output, one for both axes or one for each.
        bias: whether there is a bias a channel.

    Raises:
        ValueError: a tuple has not 2 sizes.
    """

    _axes = 2

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple,
        stride: int | tuple = 1,
        padding: int | tuple = 0,
        dilation: int | tuple = 1,
        output_padding: int | tuple = 0,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self._draw(in_channels, out_channels, kernel_size, bias)
        self.padding = per_axis(padding, 2)
        self.stride = per_axis(stride, 2)
        self.output_padding = per_axis(output_padding, 2)
        self.dilation = dilation

    def __call__(self, x: mx.array) -> mx.array:
        """Map ``(N, H, W, in_channels)`` to ``(N, H', W', out_channels)``."""
        return self._convolve(mx.conv_transpose2d, x)


class ConvTranspose3d(_ConvTranspose):
    """A transposed convolution over three axes.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: size of the kernel, one for all axes or one for each.
        stride: how far the kernel moves in the output, one for all axes or one for each.
        padding: what is cut off around the output, one for all axes or one for each.
        dilation: distance of the kernel's elements, one for all axes or one for each.
        output_padding: what is added after the output, one for all axes or one for each.
        bias: whether there is a bias a channel.

    Raises:
        ValueError: a tuple has not 3 sizes.
    """

    _axes = 3

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple,
        stride: int | tuple = 1,
        padding: int | tuple = 0,
        dilation: int | tuple = 1,
        output_padding: int | tuple = 0,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self._draw(in_channels, out_channels, kernel_size, bias)
        self.padding = per_axis(padding, 3)
        self.stride = per_axis(stride, 3)
        self.output_padding = per_axis(output_padding, 3)
        self.dilation = dilation

    def __call__(self, x: mx.array) -> mx.array:
        """Map ``(N, D, H, W, in_channels)`` to ``(N, D', H', W', out_channels)``."""
        return self._convolve(mx.conv_transpose3d, x)
