"""Transformations of functions that use modules, and gradients that several processes share."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import mica.core as mx
from mica.nn.layers.base import Module
from mica.utils import tree_flatten, tree_map

__all__ = ["average_gradients", "checkpoint", "clip_grad_norm_sharded", "value_and_grad"]


def _put_back(holder: Any, traced: Any, originals: Any) -> None:
    """Undo ``update(traced)``: where a traced parameter still stands, the original does again.

    What the function assigned in the meantime stays.
    """
    for key, tracer in traced.items() if isinstance(traced, dict) else enumerate(traced):
        if isinstance(tracer, mx.array):
            if holder[key] is tracer:
                holder[key] = originals[key]
        elif isinstance(tracer, (dict, list)) and tracer:
            _put_back(holder[key], tracer, originals[key])


def _call_with(module: Module, originals: dict, traced: dict, fn: Callable, args: tuple, kwargs: dict) -> Any:
    """Call ``fn`` while the parameters of ``module`` are ``traced``."""
    module.update(traced)
    try:
        return fn(*args, **kwargs)
    finally:
        _put_back(module, traced, originals)


def value_and_grad(model: Module, fn: Callable) -> Callable:
    """Make a function that computes ``fn`` and its gradients with respect to the trainable parameters.

    Args:
        model: the module whose parameters count.
        fn: returns a scalar array, or a tuple that begins with one; uses ``model``.

    Returns:
        A function of the same arguments that returns what ``fn`` does and a tree of gradients that mirrors
        ``model.trainable_parameters()``.

    Example:
        >>> step = nn.value_and_grad(model, lambda x, y: nn.losses.mse_loss(model(x), y))
        >>> loss, grads = step(x, y)
        >>> optimizer.update(model, grads)
    """

    @wraps(fn)
    def wrapped(*args: Any, **kwargs: Any) -> tuple[Any, dict]:
        originals = model.trainable_parameters()

        def of_parameters(traced: dict, *args: Any, **kwargs: Any) -> Any:
            return _call_with(model, originals, traced, fn, args, kwargs)

        return mx.value_and_grad(of_parameters)(originals, *args, **kwargs)

    return wrapped


def checkpoint(module: Module, fn: Callable | None = None) -> Callable:
    """Make a function that keeps no intermediate results, but computes them again in the backward pass.

    Args:
        module: the module whose parameters may need gradients.
        fn: a function that uses ``module``; None: the module itself.

    Returns:
        A function of the same arguments and value.
    """
    if fn is None:
        fn = module.__call__

    def of_parameters(traced: dict, *args: Any, **kwargs: Any) -> Any:
        return _call_with(module, module.trainable_parameters(), traced, fn, args, kwargs)

    recomputed = mx.checkpoint(of_parameters)

    @wraps(fn)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        return recomputed(module.trainable_parameters(), *args, **kwargs)

    return wrapped


def _packed(arrays: list[mx.array], size: int) -> list[list[mx.array]]:
    """Arrays in their order, in packs that hold at least so many bytes (the last may hold less)."""
    packs: list[list[mx.array]] = [[]]
    held = 0
    for array in arrays:
        if held >= size:
            packs.append([])
            held = 0
        packs[-1].append(array)
        held += array.nbytes
    return packs


def average_gradients(
    gradients: Any,
    group: mx.distributed.Group | None = None,
    all_reduce_size: int = 32 * 1024**2,
    communication_stream: mx.Stream | None = None,
) -> Any:
    """Average gradients over the processes of a group.

    Args:
        gradients: a tree of arrays, of the same structure in all processes.
        group: the processes; None: all.
        all_reduce_size: small arrays of one dtype travel together until they have so many bytes; 0 or less:
            each by itself.
        communication_stream: where the communication runs; None: the default stream of the backend.

    Returns:
        The tree of averages; in a group of one process, the tree that was given.
    """
    group = group or mx.distributed.init()
    count = group.size()
    if count == 1:
        return gradients

    def averaged(x: mx.array) -> mx.array:
        return mx.distributed.all_sum(x, group=group, stream=communication_stream) / count

    leaves = [gradient for _, gradient in tree_flatten(gradients)]
    if all_reduce_size <= 0 or not leaves or len({gradient.dtype for gradient in leaves}) > 1:
        return tree_map(averaged, gradients)
    found: list[mx.array] = []
    for pack in _packed(leaves, all_reduce_size):
        total = averaged(mx.concatenate([gradient.reshape(-1) for gradient in pack]))
        start = 0
        for gradient in pack:
            found.append(total[start : start + gradient.size].reshape(gradient.shape))
            start += gradient.size
    following = iter(found)
    return tree_map(lambda _: next(following), gradients)


def clip_grad_norm_sharded(
    gradients: Any, max_norm: float, group: mx.distributed.Group | None = None
) -> tuple[Any, mx.array]:
    """Scale gradients of which each process holds a part so that their joint L2 norm is at most ``max_norm``.

    Args:
        gradients: a tree of arrays, this process' part.
        max_norm: the largest norm, at least 0.
        group: the processes; None: all.

    Returns:
        The scaled tree and the norm before scaling, over all processes, a 0-d float32 array.

    Raises:
        ValueError: ``max_norm`` is negative.
    """
    from mica.optimizers.base import scale_to_norm, sum_of_squares

    if max_norm < 0:
        raise ValueError(f"[clip_grad_norm_sharded] max_norm must be at least 0, but {max_norm} was given.")
    return scale_to_norm(gradients, max_norm, mx.distributed.all_sum(sum_of_squares(gradients), group=group))
