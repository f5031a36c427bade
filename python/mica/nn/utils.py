"""Transformations of functions that use modules."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import mica.core as mx
from mica.nn.layers.base import Module

__all__ = ["checkpoint", "value_and_grad"]


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
