"""The same values in different memory: what the strides of an argument may look like."""

from __future__ import annotations

from types import ModuleType

import numpy as np

from tests.ops import values

LAYOUTS = ("contiguous", "transposed", "strided", "negative", "offset", "broadcast", "unaligned")


def arranged(module: ModuleType, x: np.ndarray, name: str, layout: str):
    """An array of ``module`` with the values of ``x``, its memory laid out as ``layout`` says.

    For ``broadcast``, ``x`` must repeat along its first axis.
    """
    x = np.asarray(x)
    if layout == "unaligned":
        return unaligned(module, x, name)
    if layout == "contiguous" or x.ndim == 0:
        return values.to_array(module, x, name)
    if layout == "transposed":
        return values.to_array(module, x.T, name).transpose()
    if layout == "negative":
        back = (slice(None, None, -1),) * x.ndim
        return values.to_array(module, x[back], name)[back]
    if layout == "broadcast":
        return (
            module.broadcast_to(values.to_array(module, x[:1], name), x.shape)
            if x.shape[0]
            else values.to_array(module, x, name)
        )
    if layout == "offset":
        big = np.ones(tuple(n + 2 for n in x.shape), x.dtype)
        inner = tuple(slice(1, n + 1) for n in x.shape)
        big[inner] = x
        return values.to_array(module, big, name)[inner]
    big = np.ones(tuple(2 * n for n in x.shape), x.dtype)
    every = (slice(None, None, 2),) * x.ndim
    big[every] = x
    return values.to_array(module, big, name)[every]


def unaligned(module: ModuleType, x: np.ndarray, name: str):
    """An array whose elements lie one byte beside where their type should, as tensors of files may."""
    if not x.size:
        return values.to_array(module, x, name)
    host = values.bfloat16_bits(x) if name == "bfloat16" else x.astype(values.NUMPY[name])
    raw = module.array(np.frombuffer(b"\0" + host.tobytes(), np.uint8))
    return raw[1:].view(getattr(module, name)).reshape(x.shape)


def spread(x: np.ndarray) -> np.ndarray:
    """``x`` with its first row everywhere along the first axis: values that a broadcast array can hold."""
    x = np.asarray(x)
    if x.ndim == 0 or x.shape[0] == 0:
        return x
    return np.ascontiguousarray(np.broadcast_to(x[:1], x.shape))
