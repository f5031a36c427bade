"""Maxima and means over windows; channels stand on the last axis."""

from __future__ import annotations

import math
from collections.abc import Callable

import mica.core as mx
from mica.nn.layers.base import Module

__all__ = ["AvgPool1d", "AvgPool2d", "AvgPool3d", "MaxPool1d", "MaxPool2d", "MaxPool3d"]

Size = int | tuple[int, ...]


def _windows(x: mx.array, size: list[int], stride: list[int]) -> mx.array:
    """All windows of the axes between the first and the last.

    Returns a shape of ``(N, places along each axis, size of a window along each axis, C)``.
    """
    batch, *spatial, channels = x.shape
    places = [max((n - k) // s + 1, 0) for n, k, s in zip(spatial, size, stride, strict=True)]
    axes = len(spatial)

    if size == stride:  # windows side by side: cut off what is left over, and split each axis in two
        inside = tuple(slice(0, p * k) for p, k in zip(places, size, strict=True))
        split = [d for p, k in zip(places, size, strict=True) for d in (p, k)]
        x = x[(slice(None), *inside)].reshape(batch, *split, channels)
        return x.transpose(0, *range(1, 2 * axes, 2), *range(2, 2 * axes + 1, 2), -1)

    if 0 in places:
        return mx.zeros((batch, *places, *size, channels), dtype=x.dtype)
    steps = [math.prod(x.shape[i + 1 :]) for i in range(x.ndim)]
    inner = steps[1:-1]
    moves = [step * s for step, s in zip(inner, stride, strict=True)]
    return mx.as_strided(
        x, shape=(batch, *places, *size, channels), strides=(steps[0], *moves, *inner, steps[-1])
    )


class _Pool(Module):
    """What all pools have in common; a subclass sets the number of axes."""

    _count: int

    def __init__(
        self,
        pooling_function: Callable,
        padding_value: float,
        kernel_size: Size,
        stride: Size | None,
        padding: Size,
    ) -> None:
        super().__init__()
        axes = self._count
        size = self._sizes("kernel_size", kernel_size, 1)
        step = size if stride is None else self._sizes("stride", stride, 1)
        border = self._sizes("padding", padding, 0)
        self._pooling_function = pooling_function
        self._padding_value = padding_value
        self._kernel_size = size
        self._stride = step
        self._padding = [(p, p) for p in border]
        self._axes = tuple(range(-axes - 1, -1))

    def _sizes(self, name: str, value: Size, least: int) -> list[int]:
        axes = self._count
        given = value if isinstance(value, (tuple, list)) else (value,) * axes
        integer = all(isinstance(v, int) and not isinstance(v, bool) for v in given)
        if not integer or len(given) != axes:
            raise ValueError(
                f"[{type(self).__name__}] {name!r} must be an integer or a tuple of {axes} "
                f"integer{'s' if axes > 1 else ''}, but {value!r} was given."
            )
        if any(v < least for v in given):
            raise ValueError(
                f"[{type(self).__name__}] {name!r} must be at least {least}, but {value!r} was given."
            )
        return list(given)

    def _extra_repr(self) -> str:
        padding = tuple(before for before, _ in self._padding)
        return f"kernel_size={tuple(self._kernel_size)}, stride={tuple(self._stride)}, padding={padding}"

    def __call__(self, x: mx.array) -> mx.array:
        """Map ``(N, spatial axes, C)`` to the same with smaller axes.

        Raises:
            ValueError: ``x`` has another number of axes.
        """
        if x.ndim != self._count + 2:
            raise ValueError(
                f"[{type(self).__name__}] the input must have {self._count + 2} axes, but it has {x.ndim}."
            )
        if any(before for before, _ in self._padding):
            x = mx.pad(x, [(0, 0), *self._padding, (0, 0)], constant_values=self._padding_value)
        return self._pooling_function(_windows(x, self._kernel_size, self._stride), self._axes)


class _Pool1d(_Pool):
    _count = 1


class _Pool2d(_Pool):
    _count = 2


class _Pool3d(_Pool):
    _count = 3


class MaxPool1d(_Pool1d):
    """The largest value in windows along one axis.

    Args:
        kernel_size: size of a window.
        stride: distance of windows; None: their size.
        padding: how much of minus infinity stands before and after the input.
    """

    def __init__(self, kernel_size: Size, stride: Size | None = None, padding: Size = 0) -> None:
        super().__init__(mx.max, -float("inf"), kernel_size, stride, padding)


class AvgPool1d(_Pool1d):
    """The mean in windows along one axis; padding counts.

    Args:
        kernel_size: size of a window.
        stride: distance of windows; None: their size.
        padding: how many zeros stand before and after the input.
    """

    def __init__(self, kernel_size: Size, stride: Size | None = None, padding: Size = 0) -> None:
        super().__init__(mx.mean, 0, kernel_size, stride, padding)


class MaxPool2d(_Pool2d):
    """The largest value in windows over two axes.

    Args:
        kernel_size: size of a window, one for both axes or one for each.
        stride: distance of windows; None: their size.
        padding: how much of minus infinity stands around the input.
    """

    def __init__(self, kernel_size: Size, stride: Size | None = None, padding: Size = 0) -> None:
        super().__init__(mx.max, -float("inf"), kernel_size, stride, padding)


class AvgPool2d(_Pool2d):
    """The mean in windows over two axes; padding counts.

    Args:
        kernel_size: size of a window, one for both axes or one for each.
        stride: distance of windows; None: their size.
        padding: how many zeros stand around the input.
    """

    def __init__(self, kernel_size: Size, stride: Size | None = None, padding: Size = 0) -> None:
        super().__init__(mx.mean, 0, kernel_size, stride, padding)


class MaxPool3d(_Pool3d):
    """The largest value in windows over three axes.

    Args:
        kernel_size: size of a window, one for all axes or one for each.
        stride: distance of windows; None: their size.
        padding: how much of minus infinity stands around the input.
    """

    def __init__(self, kernel_size: Size, stride: Size | None = None, padding: Size = 0) -> None:
        super().__init__(mx.max, -float("inf"), kernel_size, stride, padding)


class AvgPool3d(_Pool3d):
    """The mean in windows over three axes; padding counts.

    Args:
        kernel_size: size of a window, one for all axes or one for each.
        stride: distance of windows; None: their size.
        padding: how many zeros stand around the input.
    """

    def __init__(self, kernel_size: Size, stride: Size | None = None, padding: Size = 0) -> None:
        super().__init__(mx.mean, 0, kernel_size, stride, padding)
