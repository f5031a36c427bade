"""Layers that set random parts of their input to zero while training."""

from __future__ import annotations

import mica.core as mx
from mica.nn.layers.base import Module

__all__ = ["Dropout", "Dropout2d", "Dropout3d"]


class _DropoutBase(Module):
    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        if not 0 <= p < 1:
            raise ValueError(
                f"[{type(self).__name__}] the probability p must be in [0, 1), but {p} was given."
            )
        self._p_1 = 1 - p

    def _extra_repr(self) -> str:
        return f"p={1 - self._p_1}"

    def _drop(self, x: mx.array, mask_shape: tuple[int, ...] | list[int]) -> mx.array:
        keep = self._p_1
        return mx.random.bernoulli(keep, mask_shape) * x * (1 / keep)


class Dropout(_DropoutBase):
    """Sets each element to zero with probability ``p`` and scales the others by ``1 / (1 - p)``.

    In evaluation mode the input is returned as it is.

    Args:
        p: the probability, in [0, 1).

    Raises:
        ValueError: ``p`` is not in [0, 1).
    """

    def __call__(self, x: mx.array) -> mx.array:
        if self._p_1 == 1 or not self._training:
            return x
        return self._drop(x, x.shape)


class Dropout2d(_DropoutBase):
    """Sets whole channels to zero with probability ``p`` and scales the others by ``1 / (1 - p)``.

    The input has shape ``(N, H, W, C)`` or ``(H, W, C)``. In evaluation mode it is returned as it is.

    Args:
        p: the probability, in [0, 1).

    Raises:
        ValueError: ``p`` is not in [0, 1), or the input has another number of axes.
    """

    def __call__(self, x: mx.array) -> mx.array:
        if x.ndim not in (3, 4):
            raise ValueError(f"[Dropout2d] the input must have 3 or 4 axes, but it has {x.ndim}.")
        if self._p_1 == 1 or not self._training:
            return x
        return self._drop(x, (*x.shape[:-3], 1, 1, x.shape[-1]))


class Dropout3d(_DropoutBase):
    """Sets whole channels to zero with probability ``p`` and scales the others by ``1 / (1 - p)``.

    The input has shape ``(N, D, H, W, C)`` or ``(D, H, W, C)``. In evaluation mode it is returned as it is.

    Args:
        p: the probability, in [0, 1).

    Raises:
        ValueError: ``p`` is not in [0, 1), or the input has another number of axes.
    """

    def __call__(self, x: mx.array) -> mx.array:
        if x.ndim not in (4, 5):
            raise ValueError(f"[Dropout3d] the input must have 4 or 5 axes, but it has {x.ndim}.")
        if self._p_1 == 1 or not self._training:
            return x
        return self._drop(x, (*x.shape[:-4], 1, 1, 1, x.shape[-1]))
