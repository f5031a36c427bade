"""Resampling of images, sequences and volumes; channels stand on the last axis.

All interpolation is separable: each axis is resampled on its own, as a sum of a few taps. A tap is a pair of
arrays: where to read for each output position, and with what weight.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import reduce
from operator import add
from typing import Literal

import mica.core as mx
from mica.nn.layers.base import Module

__all__ = ["Upsample", "upsample_cubic", "upsample_linear", "upsample_nearest"]

Taps = list[tuple[mx.array, mx.array]]


def _positions(n: int, scale: float, align_corners: bool) -> mx.array:
    """Where the output positions lie in an input of size ``n``, in float32."""
    m = int(scale * n)
    i = mx.arange(m, dtype=mx.float32)
    if align_corners:
        return i * ((n - 1) / max(m - 1, 1))
    step = 1 / scale
    return i * step - ((m - 1) * step - n + 1) / 2


def _nearest(n: int, scale: float) -> mx.array:
    """The input position nearest to each output position."""
    m = int(scale * n)
    i = mx.arange(m, dtype=mx.float32)
    ratio = n / m if m else 1.0
    i = mx.round((i + 0.5) * ratio - 0.5) if m > n else mx.floor(i * ratio)
    return mx.clip(i, 0, n - 1).astype(mx.uint32)


def _linear_taps(n: int, scale: float, align_corners: bool, antialias: bool) -> Taps:
    if antialias:
        return _antialiased_taps(n, scale, 1, _triangle)
    position = mx.clip(_positions(n, scale, align_corners), 0, n - 1)
    left = mx.floor(position)
    right = mx.minimum(left + 1, n - 1)
    weight = position - left
    return [(left.astype(mx.uint32), 1 - weight), (right.astype(mx.uint32), weight)]


def _cubic_taps(n: int, scale: float, align_corners: bool, antialias: bool) -> Taps:
    a = -0.5 if antialias else -0.75  # the choices of Pillow and of OpenCV
    if antialias:
        return _antialiased_taps(n, scale, 2, lambda distance: _cubic(distance, a))
    position = _positions(n, scale, align_corners)
    first = mx.floor(position) - 1
    return [
        (mx.clip(first + k, 0, n - 1).astype(mx.uint32), _cubic(mx.abs(position - first - k), a))
        for k in range(4)
    ]


def _antialiased_taps(n: int, scale: float, radius: int, kernel: Callable) -> Taps:
    """Taps of a kernel at least as wide as an output position; they add up to 1 within the input."""
    position = _positions(n, scale, False)
    scale = min(scale, 1.0)
    reach = radius / scale
    first = mx.floor(position - reach)
    places = [first + k for k in range(2 * math.ceil(reach) + 2)]
    weights = [
        mx.where((place >= 0) & (place < n), kernel(mx.abs(place - position) * scale), 0.0)
        for place in places
    ]
    total = reduce(add, weights)
    return [
        (mx.clip(place, 0, n - 1).astype(mx.uint32), weight / total)
        for place, weight in zip(places, weights, strict=True)
    ]


def _triangle(distance: mx.array) -> mx.array:
    return mx.maximum(1 - distance, 0)


def _cubic(distance: mx.array, a: float) -> mx.array:
    """Keys' kernel: piecewise cubic, 0 from a distance of 2."""
    near = ((a + 2) * distance - (a + 3)) * distance * distance + 1
    far = ((a * distance - 5 * a) * distance + 8 * a) * distance - 4 * a
    return mx.where(distance <= 1, near, mx.where(distance < 2, far, 0.0))


def _resample(x: mx.array, scale_factor: tuple, taps_of: Callable[[int, float], Taps]) -> mx.array:
    for axis, scale in enumerate(scale_factor, start=1):
        column = (-1,) + (1,) * (x.ndim - 1 - axis)
        parts = [
            mx.take(x, index, axis=axis) * weight.reshape(column)
            for index, weight in taps_of(x.shape[axis], scale)
        ]
        x = reduce(add, parts)
    return x


def upsample_nearest(x: mx.array, scale_factor: tuple) -> mx.array:
    """Take, for each output position, the nearest value.

    Args:
        x: shape ``(N, spatial axes, C)``.
        scale_factor: one for each spatial axis.

    Returns:
        The same with axes of the size ``int(scale * size)``, in the dtype of ``x``.
    """
    for axis, scale in enumerate(scale_factor, start=1):
        if scale == int(scale):
            x = mx.repeat(x, int(scale), axis=axis)
        else:
            x = mx.take(x, _nearest(x.shape[axis], scale), axis=axis)
    return x


def upsample_linear(
    x: mx.array, scale_factor: tuple, align_corners: bool = False, antialias: bool = False
) -> mx.array:
    """Interpolate by straight lines.

    Args:
        x: shape ``(N, spatial axes, C)``.
        scale_factor: one for each spatial axis.
        align_corners: the outermost positions of input and output coincide.
        antialias: widen the kernel where the scale is below 1.

    Returns:
        The same with axes of the size ``int(scale * size)``; halves and integers become float32.

    Raises:
        ValueError: ``antialias`` together with ``align_corners``.
    """
    _check_antialias(align_corners, antialias)
    return _resample(x, scale_factor, lambda n, scale: _linear_taps(n, scale, align_corners, antialias))


def upsample_cubic(
    x: mx.array, scale_factor: tuple, align_corners: bool = False, antialias: bool = False
) -> mx.array:
    """Interpolate by cubic polynomials.

    Args:
        x: shape ``(N, spatial axes, C)``.
        scale_factor: one for each spatial axis.
        align_corners: the outermost positions of input and output coincide.
        antialias: widen the kernel where the scale is below 1, and take a = -0.5 instead of -0.75 in it.

    Returns:
        The same with axes of the size ``int(scale * size)``; halves and integers become float32.

    Raises:
        ValueError: ``antialias`` together with ``align_corners``.
    """
    _check_antialias(align_corners, antialias)
    return _resample(x, scale_factor, lambda n, scale: _cubic_taps(n, scale, align_corners, antialias))


def _check_antialias(align_corners: bool, antialias: bool) -> None:
    if antialias and align_corners:
        raise ValueError("[Upsample] antialias and align_corners cannot both be set.")


class Upsample(Module):
    """Resample all axes between the first and the last.

    Args:
        scale_factor: what multiplies their sizes, one for all or one for each.
        mode: "nearest", "linear" or "cubic".
        align_corners: the outermost positions of input and output coincide (not for "nearest").
        antialias: widen the kernel where a scale is below 1 (not for "nearest" nor with ``align_corners``).

    Raises:
        ValueError: arguments that do not go together, or another mode.
    """

    def __init__(
        self,
        scale_factor: float | tuple,
        mode: Literal["nearest", "linear", "cubic"] = "nearest",
        align_corners: bool = False,
        antialias: bool = False,
    ) -> None:
        super().__init__()
        if mode not in ("nearest", "linear", "cubic"):
            raise ValueError(
                f"[Upsample] mode must be 'nearest', 'linear' or 'cubic', but {mode!r} was given."
            )
        if antialias and mode == "nearest":
            raise ValueError("[Upsample] antialias needs the mode 'linear' or 'cubic'.")
        _check_antialias(align_corners, antialias)
        if isinstance(scale_factor, (list, tuple)):
            self.scale_factor = tuple(map(float, scale_factor))
        else:
            self.scale_factor = float(scale_factor)
        self.mode = mode
        self.align_corners = align_corners
        self.antialias = antialias

    def _extra_repr(self) -> str:
        return f"scale_factor={self.scale_factor}, mode={self.mode!r}, align_corners={self.align_corners}" + (
            f", antialias={self.antialias}" if self.antialias else ""
        )

    def __call__(self, x: mx.array) -> mx.array:
        """Map ``(N, spatial axes, C)`` to the same with axes of the size ``int(scale * size)``.

        Raises:
            ValueError: there is no spatial axis, or not one scale for each.
        """
        axes = x.ndim - 2
        if axes <= 0:
            raise ValueError(f"[Upsample] the input must have at least 3 axes, but it has {x.ndim}.")
        scales = self.scale_factor
        if not isinstance(scales, tuple):
            scales = (scales,) * axes
        if len(scales) != axes:
            raise ValueError(
                f"[Upsample] one scale for each of the {axes} spatial axes is needed, but {scales} was given."
            )
        if self.mode == "nearest":
            return upsample_nearest(x, scales)
        resample = upsample_linear if self.mode == "linear" else upsample_cubic
        return resample(x, scales, self.align_corners, self.antialias)
