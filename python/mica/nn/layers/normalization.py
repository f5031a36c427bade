"""Layers that shift and scale their input to mean zero and variance one."""

from __future__ import annotations

import mica.core as mx
from mica.nn.layers.base import Module

__all__ = ["BatchNorm", "GroupNorm", "InstanceNorm", "LayerNorm", "RMSNorm"]


class RMSNorm(Module):
    r"""Divides by the root of the mean square over the last axis.

    :math:`y = x / \sqrt{E[x^2] + \epsilon} \cdot w`.

    Means are accumulated in float32.

    Args:
        dims: size of the last axis.
        eps: added to the mean square.
    """

    def __init__(self, dims: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.weight = mx.ones((dims,))
        self.eps = eps

    def _extra_repr(self) -> str:
        return f"{self.weight.shape[0]}, eps={self.eps}"

    def __call__(self, x: mx.array) -> mx.array:
        return mx.fast.rms_norm(x, self["weight"], self.eps)


class LayerNorm(Module):
    r"""Normalizes over the last axis: :math:`y = (x - E[x]) / \sqrt{Var[x] + \epsilon} \cdot w + b`.

    Args:
        dims: size of the last axis.
        eps: added to the variance.
        affine: whether there is a weight.
        bias: whether there is a bias beside the weight.
    """

    def __init__(self, dims: int, eps: float = 1e-5, affine: bool = True, bias: bool = True) -> None:
        super().__init__()
        if affine:
            self.weight = mx.ones((dims,))
            if bias:
                self.bias = mx.zeros((dims,))
        self.eps = eps
        self.dims = dims

    def _extra_repr(self) -> str:
        return f"{self.dims}, eps={self.eps}, affine={'weight' in self}"

    def __call__(self, x: mx.array) -> mx.array:
        return mx.fast.layer_norm(x, self.get("weight"), self.get("bias"), self.eps)


class InstanceNorm(Module):
    r"""Normalizes each channel of each item over the axes between the first and the last.

    :math:`y = (x - E[x]) / \sqrt{Var[x] + \epsilon} \cdot w + b`.

    Args:
        dims: number of channels, the size of the last axis.
        eps: added to the variance.
        affine: whether there are a weight and a bias.
    """

    def __init__(self, dims: int, eps: float = 1e-5, affine: bool = False) -> None:
        super().__init__()
        if affine:
            self.weight = mx.ones((dims,))
            self.bias = mx.zeros((dims,))
        self.dims = dims
        self.eps = eps

    def _extra_repr(self) -> str:
        return f"{self.dims}, eps={self.eps}, affine={'weight' in self}"

    def __call__(self, x: mx.array) -> mx.array:
        if x.ndim < 3:
            raise ValueError(
                f"[InstanceNorm] at least 3 axes (batch, ..., features) are needed, not {x.shape}."
            )
        axes = tuple(range(1, x.ndim - 1))
        mean = mx.mean(x, axis=axes, keepdims=True)
        var = mx.var(x, axis=axes, keepdims=True)
        x = (x - mean) * mx.rsqrt(var + self.eps)
        return self["weight"] * x + self["bias"] if "weight" in self else x


class GroupNorm(Module):
    r"""Normalizes groups of channels of each item, together with all axes between the first and the last.

    :math:`y = (x - E[x]) / \sqrt{Var[x] + \epsilon} \cdot w + b`.

    Args:
        num_groups: how many groups; divides ``dims``.
        dims: number of channels, the size of the last axis.
        eps: added to the variance.
        affine: whether there are a weight and a bias.
        pytorch_compatible: channels of a group are neighbours, as in PyTorch; otherwise channel ``c`` belongs
            to group ``c % num_groups``.
    """

    def __init__(
        self,
        num_groups: int,
        dims: int,
        eps: float = 1e-5,
        affine: bool = True,
        pytorch_compatible: bool = False,
    ) -> None:
        super().__init__()
        if affine:
            self.bias = mx.zeros((dims,))
            self.weight = mx.ones((dims,))
        self.num_groups = num_groups
        self.dims = dims
        self.eps = eps
        self.pytorch_compatible = pytorch_compatible

    def _extra_repr(self) -> str:
        return (
            f"{self.num_groups}, {self.dims}, eps={self.eps}, affine={'weight' in self}, "
            f"pytorch_compatible={self.pytorch_compatible}"
        )

    def _neighbours(self, x: mx.array) -> mx.array:
        batch, *rest, dims = x.shape
        groups = self.num_groups
        x = x.reshape(batch, -1, groups, dims // groups).swapaxes(1, 2).reshape(batch, groups, -1)
        x = mx.fast.layer_norm(x, None, None, self.eps)
        x = x.reshape(batch, groups, -1, dims // groups).swapaxes(1, 2)
        return x.reshape(batch, *rest, dims)

    def _interleaved(self, x: mx.array) -> mx.array:
        batch, *rest, dims = x.shape
        x = x.reshape(batch, -1, self.num_groups)
        mean = mx.mean(x, axis=1, keepdims=True)
        var = mx.var(x, axis=1, keepdims=True)
        x = (x - mean) * mx.rsqrt(var + self.eps)
        return x.reshape(batch, *rest, dims)

    def __call__(self, x: mx.array) -> mx.array:
        if self.dims % self.num_groups:
            raise ValueError(
                f"[GroupNorm] the {self.dims} features must be a multiple of the {self.num_groups} groups."
            )
        x = self._neighbours(x) if self.pytorch_compatible else self._interleaved(x)
        return self["weight"] * x + self["bias"] if "weight" in self else x


class BatchNorm(Module):
    r"""Normalizes each channel over all other axes.

    :math:`y = (x - E[x]) / \sqrt{Var[x] + \epsilon} \cdot w + b`.

    Takes mean and variance from the batch while training, and from running averages in evaluation mode. The
    running averages, ``running_mean`` and ``running_var``, are parameters that are never trained.

    Args:
        num_features: number of channels, the size of the last axis.
        eps: added to the variance.
        momentum: what part a batch has in the running averages.
        affine: whether there are a weight and a bias.
        track_running_stats: whether running averages are kept; without, batches are used in both modes.
    """

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
    ) -> None:
        super().__init__()
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.track_running_stats = track_running_stats
        if affine:
            self.weight = mx.ones((num_features,))
            self.bias = mx.zeros((num_features,))
        if track_running_stats:
            self.running_mean = mx.zeros((num_features,))
            self.running_var = mx.ones((num_features,))
            self.freeze(keys=["running_mean", "running_var"], recurse=False)

    def unfreeze(self, *args, **kwargs) -> None:
        """Unfreeze as ``Module.unfreeze`` does, except for the running averages."""
        super().unfreeze(*args, **kwargs)
        self.freeze(keys=["running_mean", "running_var"], recurse=False)

    def _extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={'weight' in self}, "
            f"track_running_stats={self.track_running_stats}"
        )

    def __call__(self, x: mx.array) -> mx.array:
        """Normalize ``x`` of shape ``(N, C)``, ``(N, L, C)`` or ``(N, H, W, C)``.

        Raises:
            ValueError: ``x`` has another number of axes, or, while training, a single value a channel.
        """
        if not 2 <= x.ndim <= 4:
            raise ValueError(f"[BatchNorm] the input must have 2, 3 or 4 axes, but it has {x.ndim}.")

        tracking = self.track_running_stats
        if self._training or not tracking:
            axes = tuple(range(x.ndim - 1))
            if self._training and x.size <= x.shape[-1]:
                raise ValueError(
                    "[BatchNorm] training needs more than one value a channel, "
                    f"but the input has shape {x.shape}."
                )
            mean = mx.mean(x, axis=axes)
            var = mx.var(x, axis=axes)
            if self._training and tracking:
                part = self.momentum
                unbiased = mx.var(x, axis=axes, ddof=1)
                self.running_mean = (1 - part) * self.running_mean + part * mean
                self.running_var = (1 - part) * self.running_var + part * unbiased
        else:
            mean = self.running_mean
            var = self.running_var

        x = (x - mean) * mx.rsqrt(var + self.eps)
        return self["weight"] * x + self["bias"] if "weight" in self else x
