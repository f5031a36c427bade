"""Layers whose parameters are spread over the processes of a group."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import mica.core as mx
from mica.nn.layers.base import Module
from mica.nn.layers.fully_sharded import FullyShardedModule, fully_shard
from mica.nn.layers.linear import Linear
from mica.nn.layers.quantized import _Quantized
from mica.utils import tree_map_with_path

__all__ = [
    "AllToShardedLinear",
    "FullyShardedModule",
    "QuantizedAllToShardedLinear",
    "QuantizedShardedToAllLinear",
    "ShardedToAllLinear",
    "fully_shard",
    "shard_inplace",
    "shard_linear",
    "sum_gradients",
]

Group = mx.distributed.Group
_KINDS = ("all-to-sharded", "sharded-to-all")


@lru_cache
def sum_gradients(group: Group) -> Callable[[mx.array], mx.array]:
    """Make the identity whose cotangent is the sum of the cotangents of all processes of a group."""
    if group.size() == 1:
        return lambda x: x

    @mx.custom_function
    def identity(x: mx.array) -> mx.array:
        return x

    @identity.vjp
    def summed(x: mx.array, cotangent: mx.array, _: mx.array) -> mx.array:
        return mx.distributed.all_sum(cotangent, group=group)

    return identity


# ---- parts of parameters


def _part(size: int, what: str, group: Group) -> int:
    """How much of ``size`` one process holds."""
    if size % group.size():
        raise ValueError(f"Cannot shard {what} of size {size} across {group.size()} processes.")
    return size // group.size()


def _own_part(weight: mx.array, axis: int, segments: int | list, group: Group) -> mx.array:
    """The part of ``weight`` that this process holds; each segment along the axis is cut by itself."""
    if isinstance(segments, list) and all(isinstance(cut, float) for cut in segments):
        segments = [int(cut * weight.shape[axis]) for cut in segments]
    parts = []
    for segment in mx.split(weight, segments, axis=axis):
        _part(segment.shape[axis], f"axis {axis} of a parameter of shape {weight.shape}", group)
        parts.append(mx.split(segment, group.size(), axis=axis)[group.rank()])
    return mx.contiguous(parts[0] if len(parts) == 1 else mx.concatenate(parts, axis=axis))


def _predicate(sharding: str, segments: int | list) -> Callable[[str, mx.array], Any]:
    """The axis along which a kind of sharding cuts each parameter, and its segments."""
    if sharding not in _KINDS:
        raise ValueError(
            f"Sharding type {sharding=} not supported, choose one of 'all-to-sharded' or 'sharded-to-all'"
        )

    def axis_of(path: str, weight: mx.array) -> Any:
        is_bias = path.endswith("bias")
        if sharding == "all-to-sharded":
            return (weight.ndim - 1 if is_bias else max(weight.ndim - 2, 0)), segments
        return None if is_bias else (weight.ndim - 1, segments)

    return axis_of


def _shard(parameters: dict, predicate: Callable[[str, mx.array], Any], group: Group) -> dict:
    """The parts of parameters that this process holds."""

    def cut(path: str, weight: Any) -> Any:
        if not isinstance(weight, mx.array):
            return weight
        place = predicate(path, weight)
        if place is None:
            return weight
        axis, segments = place if isinstance(place, tuple) else (place, 1)
        if not isinstance(axis, int):
            raise ValueError("The sharding function should return int or tuple[int, list]")
        return _own_part(weight, axis, segments, group)

    return tree_map_with_path(cut, parameters)


def shard_inplace(
    module: Module,
    sharding: str | Callable[[str, mx.array], Any],
    *,
    segments: int | list = 1,
    group: Group | None = None,
) -> None:
    """Keep only this process' part of a module's parameters. What the module computes does not change.

    Args:
        module: the module.
        sharding: "all-to-sharded" (cuts outputs), "sharded-to-all" (cuts inputs), or a function of the path
            and the parameter that returns the axis to cut, a pair of axis and segments, or None: keep whole.
        segments: how many equal parts the cut axis is made of (3 for queries, keys and values in one), or a
            list of the fractions or indices where they begin. Each is cut by itself.
        group: the processes; None: all.

    Raises:
        ValueError: no such sharding, or a size that the processes cannot share evenly.
    """
    predicate = _predicate(sharding, segments) if isinstance(sharding, str) else sharding
    group = group or mx.distributed.init()
    module.update(_shard(module.parameters(), predicate, group))


def shard_linear(
    module: Module, sharding: str, *, segments: int | list = 1, group: Group | None = None
) -> Module:
    """Make the sharded twin of a ``Linear`` or ``QuantizedLinear`` layer.

    Args:
        module: the layer; it stays as it is.
        sharding: "all-to-sharded" or "sharded-to-all".
        segments: see ``shard_inplace``.
        group: the processes; None: all.

    Returns:
        A layer that holds this process' part of the parameters, and communicates.

    Raises:
        ValueError: no such sharding, or a size that the processes cannot share evenly.
    """
    _predicate(sharding, segments)
    is_first = sharding == _KINDS[0]
    if isinstance(module, Linear):
        kind: Any = AllToShardedLinear if is_first else ShardedToAllLinear
        return kind.from_linear(module, segments=segments, group=group)
    quantized: Any = QuantizedAllToShardedLinear if is_first else QuantizedShardedToAllLinear
    return quantized.from_quantized_linear(module, segments=segments, group=group)


# ---- linear layers


class _Sharded(Module):
    """What sharded linear layers share: sizes of the whole, and of this process' part."""

    _SHARDING: str

    def _local(self, input_dims: int, output_dims: int) -> tuple[int, int]:
        """The sizes of the part."""
        if self._SHARDING == _KINDS[0]:
            return input_dims, _part(output_dims, "the output", self.group)
        return _part(input_dims, "the input", self.group), output_dims

    def _whole(self, input_dims: int, output_dims: int) -> str:
        """The sizes of the whole, of those of the part, for the printed form."""
        count = self.group.size()
        if self._SHARDING == _KINDS[0]:
            output_dims *= count
        else:
            input_dims *= count
        return f"input_dims={input_dims}, output_dims={output_dims}, bias={'bias' in self}"

    def _communicate(self, multiply: Callable[[mx.array], mx.array], x: mx.array) -> mx.array:
        """Multiply by this process' part, with what the processes tell each other, and add the bias."""
        if self._SHARDING == _KINDS[0]:
            y = multiply(sum_gradients(self.group)(x))
        else:
            y = mx.distributed.all_sum(multiply(x), group=self.group)
        return y + self["bias"] if "bias" in self else y


class _ShardedLinear(_Sharded):
    def __init__(
        self, input_dims: int, output_dims: int, bias: bool = True, group: Group | None = None
    ) -> None:
        super().__init__()
        scale = math.sqrt(1.0 / input_dims)
        self.group = group or mx.distributed.init()
        local_input, local_output = self._local(input_dims, output_dims)
        self.weight = mx.random.uniform(low=-scale, high=scale, shape=(local_output, local_input))
        if bias:
            self.bias = mx.random.uniform(low=-scale, high=scale, shape=(local_output,))

    def _extra_repr(self) -> str:
        output_dims, input_dims = self["weight"].shape
        return self._whole(input_dims, output_dims)

    def __call__(self, x: mx.array) -> mx.array:
        """Map this process' ``x`` to its part of the output, or its part of ``x`` to the output."""
        if self._SHARDING == _KINDS[0] and "bias" in self:
            return mx.addmm(self["bias"], sum_gradients(self.group)(x), self["weight"].T)
        return self._communicate(lambda x: x @ self["weight"].T, x)

    @classmethod
    def from_linear(
        cls, linear_layer: Module, *, segments: int | list = 1, group: Group | None = None
    ) -> Any:
        """The sharded twin of a ``Linear`` layer, with this process' part of its parameters."""
        group = group or mx.distributed.init()
        output_dims, input_dims = linear_layer.weight.shape
        layer = cls(input_dims, output_dims, "bias" in linear_layer, group)
        layer.update(_shard(linear_layer.parameters(), _predicate(cls._SHARDING, segments), group))
        return layer


class AllToShardedLinear(_ShardedLinear):
    """A linear layer of which each process computes some outputs. All hold the same input.

    Args:
        input_dims: size of the last axis of the input.
        output_dims: size of the last axis of the whole output, which the processes share evenly.
        bias: whether something is added.
        group: the processes; None: all.

    Raises:
        ValueError: the processes cannot share the outputs evenly.
    """

    _SHARDING = "all-to-sharded"


class ShardedToAllLinear(_ShardedLinear):
    """A linear layer of which each process reads some inputs. All get the same output.

    Args:
        input_dims: size of the last axis of the whole input, which the processes share evenly.
        output_dims: size of the last axis of the output.
        bias: whether something is added.
        group: the processes; None: all.

    Raises:
        ValueError: the processes cannot share the inputs evenly.
    """

    _SHARDING = "sharded-to-all"


class _ShardedQuantized(_Sharded, _Quantized):
    def __init__(
        self,
        input_dims: int,
        output_dims: int,
        bias: bool = True,
        group_size: int = 64,
        bits: int = 4,
        mode: str = "affine",
        group: Group | None = None,
    ) -> None:
        super().__init__()
        self.group_size, self.bits, self.mode = group_size, bits, mode
        scale = math.sqrt(1.0 / input_dims)
        self.group = group or mx.distributed.init()
        local_input, local_output = self._local(input_dims, output_dims)
        weight = mx.random.uniform(low=-scale, high=scale, shape=(local_output, local_input))
        self.weight, self.scales, *biases = mx.quantize(weight, group_size, bits, mode=mode)
        self.biases = biases[0] if biases else None
        if bias:
            self.bias = mx.zeros((local_output,))
        self.freeze()

    def unfreeze(self, *args: Any, **kwargs: Any) -> None:
        """Unfreeze what children there may be; the parameters of this layer stay frozen."""
        super().unfreeze(*args, **kwargs)
        self.freeze(recurse=False)

    def _extra_repr(self) -> str:
        output_dims, columns = self["weight"].shape
        sizes = self._whole(columns * 32 // self.bits, output_dims)
        return f"{sizes}, group_size={self.group_size}, bits={self.bits}, mode={self.mode}"

    def __call__(self, x: mx.array) -> mx.array:
        """Map this process' ``x`` to its part of the output, or its part of ``x`` to the output."""
        return self._communicate(self._multiply, x)

    @classmethod
    def from_quantized_linear(
        cls, quantized_linear_layer: Module, *, segments: int | list = 1, group: Group | None = None
    ) -> Any:
        """The sharded twin of a ``QuantizedLinear`` layer, with this process' part of its parameters."""
        group = group or mx.distributed.init()
        source = quantized_linear_layer
        output_dims, columns = source.weight.shape
        layer = cls(
            columns * 32 // source.bits,
            output_dims,
            "bias" in source,
            group_size=source.group_size,
            bits=source.bits,
            mode=getattr(source, "mode", "affine"),
            group=group,
        )
        layer.update(_shard(source.parameters(), _predicate(cls._SHARDING, segments), group))
        return layer


class QuantizedAllToShardedLinear(_ShardedQuantized):
    """``AllToShardedLinear`` with a weight in few bits. Its parameters are and stay frozen.

    Args:
        input_dims: size of the last axis of the input.
        output_dims: size of the last axis of the whole output, which the processes share evenly.
        bias: whether something is added.
        group_size: elements that share a scale.
        bits: bits of an element.
        mode: see :func:`mica.core.quantize`.
        group: the processes; None: all.

    Raises:
        ValueError: the processes cannot share the outputs evenly.
    """

    _SHARDING = "all-to-sharded"


class QuantizedShardedToAllLinear(_ShardedQuantized):
    """``ShardedToAllLinear`` with a weight in few bits. Its parameters are and stay frozen.

    Args:
        input_dims: size of the last axis of the whole input, which the processes share evenly.
        output_dims: size of the last axis of the output.
        bias: whether something is added.
        group_size: elements that share a scale.
        bits: bits of an element.
        mode: see :func:`mica.core.quantize`.
        group: the processes; None: all.

    Raises:
        ValueError: the processes cannot share the inputs evenly.
    """

    _SHARDING = "sharded-to-all"
