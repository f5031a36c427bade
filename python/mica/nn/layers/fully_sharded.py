"""A wrapper that spreads all parameters of a module over the processes of a group."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mica.core as mx
from mica.nn.layers.base import Module
from mica.utils import tree_flatten, tree_unflatten

__all__ = ["FullyShardedModule", "fully_shard"]

Group = mx.distributed.Group


def _joined(parts: list[mx.array], rows: int) -> mx.array:
    """All parts as columns of one matrix of so many rows."""
    return mx.concatenate([part.reshape(rows, -1) for part in parts], axis=1)


def _taken_apart(matrix: mx.array, shapes: list[tuple[int, ...]]) -> list[mx.array]:
    """The arrays whose columns a matrix joins."""
    parts, start = [], 0
    for shape in shapes:
        size = 1
        for length in shape:
            size *= length
        columns = size // matrix.shape[0]
        parts.append(matrix[:, start : start + columns].reshape(shape))
        start += columns
    return parts


def _by_dtype(arrays: list[mx.array]) -> list[list[int]]:
    """The places of arrays of the same dtype: those travel together."""
    groups: dict[Any, list[int]] = {}
    for i, array in enumerate(arrays):
        groups.setdefault(array.dtype, []).append(i)
    return list(groups.values())


def _gather_function(group: Group, compute_dtype: mx.Dtype | None) -> Callable[..., list[mx.array]]:
    """Make the function from the parts of one process to whole parameters, and its derivative.

    Parameters of one dtype are gathered at once; their cotangents are summed over the processes, of which
    each keeps its part, and divided by the number of processes.
    """
    count = group.size()

    def cast(shard: mx.array) -> mx.array:
        is_cast = compute_dtype is not None and mx.issubdtype(shard.dtype, mx.floating)
        return shard.astype(compute_dtype) if is_cast else shard

    @mx.custom_function
    def gather(*shards: mx.array) -> list[mx.array]:
        sent = [cast(shard) for shard in shards]
        whole: list[Any] = [None] * len(sent)
        for places in _by_dtype(sent):
            row = _joined([sent[i] for i in places], 1)
            rows = mx.distributed.all_gather(row, group=group)
            shapes = [(count * sent[i].shape[0], *sent[i].shape[1:]) for i in places]
            for i, parameter in zip(places, _taken_apart(rows, shapes), strict=True):
                whole[i] = parameter
        return whole

    @gather.vjp
    def scatter(shards: Any, cotangents: Any, _: Any) -> list[mx.array]:
        shards = shards if isinstance(shards, (list, tuple)) else [shards]
        cotangents = cotangents if isinstance(cotangents, (list, tuple)) else [cotangents]
        gradients: list[Any] = [mx.zeros_like(shard) for shard in shards]
        for places in _by_dtype(list(cotangents)):
            if not mx.issubdtype(cotangents[places[0]].dtype, mx.inexact):
                continue
            rows = _joined([cotangents[i] for i in places], count)
            own = mx.distributed.sum_scatter(rows, group=group) / count
            parts = _taken_apart(own, [shards[i].shape for i in places])
            for i, gradient in zip(places, parts, strict=True):
                gradients[i] = gradient.astype(shards[i].dtype)
        return gradients

    return gather


class FullyShardedModule(Module):
    """Holds this process' part of the parameters of a module, and gathers the whole for each call.

    All parameters are cut along their first axis. Gradients are those of this process' part, averaged over
    the processes.

    Args:
        module: the module; its parameters are replaced by their parts.
        group: the processes; None: all.
        compute_dtype: the floating dtype in which parameters are gathered; None: their own.

    Raises:
        ValueError: a parameter has no axis, or the processes cannot share its first one evenly.
    """

    def __init__(
        self, module: Module, group: Group | None = None, compute_dtype: mx.Dtype | None = None
    ) -> None:
        super().__init__()
        group = group or mx.distributed.init()
        count, rank = group.size(), group.rank()
        parts = []
        for path, parameter in tree_flatten(module.parameters()):
            if parameter.ndim == 0:
                raise ValueError(f"Cannot shard parameter {path!r} because it is a scalar.")
            rows = parameter.shape[0]
            if rows % count:
                raise ValueError(
                    f"Cannot shard parameter {path!r} of shape {parameter.shape} across {count} processes: "
                    f"its first axis is not divisible by {count}."
                )
            own = slice(rank * rows // count, (rank + 1) * rows // count)
            parts.append((path, mx.contiguous(parameter[own])))
        if parts:
            module.update(tree_unflatten(parts))
        # As a list it would become an item of the module.
        object.__setattr__(self, "_paths", [path for path, _ in parts])
        self._gather_fn = _gather_function(group, compute_dtype)
        self.module = module

    def _extra_repr(self) -> str:
        return f"num_sharded_params={len(self._paths)}"

    def _gathered_call(self, fn: Callable, *args: Any, **kwargs: Any) -> Any:
        """Call ``fn`` while the module holds its whole parameters."""
        if not self._paths:
            return fn(*args, **kwargs)
        parts = tree_flatten(self.module.parameters(), destination={})
        own = [(path, parts[path]) for path in self._paths]
        whole = self._gather_fn(*(part for _, part in own))
        self.module.update(tree_unflatten(list(zip(self._paths, whole, strict=True))))
        try:
            return fn(*args, **kwargs)
        finally:
            self.module.update(tree_unflatten(own))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the module with its whole parameters. What the call assigns to parameters is lost."""
        return self._gathered_call(self.module, *args, **kwargs)

    def as_linear(self, *args: Any, **kwargs: Any) -> Any:
        """The module's ``as_linear``, with its whole parameters."""
        return self._gathered_call(self.module.as_linear, *args, **kwargs)


def fully_shard(
    module: Module, *, group: Group | None = None, compute_dtype: mx.Dtype | None = None
) -> Module:
    """Wrap a module in a ``FullyShardedModule``; in a group of one process it stays as it is.

    Args:
        module: the module; its parameters are replaced by their parts.
        group: the processes; None: all.
        compute_dtype: the floating dtype in which parameters are gathered; None: their own.

    Raises:
        ValueError: a parameter has no axis, or the processes cannot share its first one evenly.
    """
    group = group or mx.distributed.init()
    return module if group.size() == 1 else FullyShardedModule(module, group, compute_dtype)
