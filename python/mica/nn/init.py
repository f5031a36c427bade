"""Initializers: functions that make arrays of the shape of a given one."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import mica.core as mx

__all__ = [
    "constant",
    "glorot_normal",
    "glorot_uniform",
    "he_normal",
    "he_uniform",
    "identity",
    "normal",
    "orthogonal",
    "sparse",
    "uniform",
]

Initializer = Callable[[mx.array], mx.array]


def constant(value: float, dtype: mx.Dtype = mx.float32) -> Initializer:
    """An initializer that gives one value to all elements.

    Args:
        value: the value.
        dtype: dtype of the result.
    """

    def initializer(a: mx.array) -> mx.array:
        return mx.full(a.shape, value, dtype=dtype)

    return initializer


def normal(mean: float = 0.0, std: float = 1.0, dtype: mx.Dtype = mx.float32) -> Initializer:
    """An initializer that draws from a normal distribution.

    Args:
        mean: its mean.
        std: its standard deviation.
        dtype: dtype of the result.
    """

    def initializer(a: mx.array) -> mx.array:
        return mx.random.normal(shape=a.shape, scale=std, loc=mean, dtype=dtype)

    return initializer


def uniform(low: float = 0.0, high: float = 1.0, dtype: mx.Dtype = mx.float32) -> Initializer:
    """An initializer that draws uniformly from [low, high).

    Args:
        low: lower bound.
        high: upper bound.
        dtype: dtype of the result.
    """

    def initializer(a: mx.array) -> mx.array:
        return mx.random.uniform(low, high, a.shape, dtype=dtype)

    return initializer


def identity(dtype: mx.Dtype = mx.float32) -> Initializer:
    """An initializer that gives identity matrices.

    Args:
        dtype: dtype of the result.

    The initializer raises ValueError for what is no square matrix.
    """

    def initializer(a: mx.array) -> mx.array:
        if a.ndim != 2 or a.shape[0] != a.shape[1]:
            raise ValueError(f"[identity] the array must be a square matrix, but has shape {a.shape}.")
        return mx.eye(a.shape[0], dtype=dtype)

    return initializer


def _fans(name: str, a: mx.array) -> tuple[int, int]:
    """How many inputs and outputs a unit has: last and first axis, each times all axes between."""
    if a.ndim < 2:
        raise ValueError(f"[{name}] the array must have at least 2 axes, but has shape {a.shape}.")
    outputs, *field, inputs = a.shape
    receptive = math.prod(field)
    return inputs * receptive, outputs * receptive


def _fan(name: str, a: mx.array, mode: str) -> int:
    fan_in, fan_out = _fans(name, a)
    if mode == "fan_in":
        return fan_in
    if mode == "fan_out":
        return fan_out
    raise ValueError(f"[{name}] mode must be 'fan_in' or 'fan_out', but {mode!r} was given.")


def glorot_normal(dtype: mx.Dtype = mx.float32) -> Callable[[mx.array, float], mx.array]:
    r"""An initializer ``f(a, gain=1.0)`` that draws from a normal distribution.

    Its deviation is :math:`\text{gain} \sqrt{2 / (\text{fan\_in} + \text{fan\_out})}`.

    Args:
        dtype: dtype of the result.
    """

    def initializer(a: mx.array, gain: float = 1.0) -> mx.array:
        fan_in, fan_out = _fans("glorot_normal", a)
        std = gain * math.sqrt(2.0 / (fan_in + fan_out))
        return mx.random.normal(shape=a.shape, scale=std, dtype=dtype)

    return initializer


def glorot_uniform(dtype: mx.Dtype = mx.float32) -> Callable[[mx.array, float], mx.array]:
    r"""An initializer ``f(a, gain=1.0)`` that draws uniformly.

    The bounds are :math:`\pm \text{gain} \sqrt{6 / (\text{fan\_in} + \text{fan\_out})}`.

    Args:
        dtype: dtype of the result.
    """

    def initializer(a: mx.array, gain: float = 1.0) -> mx.array:
        fan_in, fan_out = _fans("glorot_uniform", a)
        limit = gain * math.sqrt(6.0 / (fan_in + fan_out))
        return mx.random.uniform(-limit, limit, a.shape, dtype=dtype)

    return initializer


def he_normal(
    dtype: mx.Dtype = mx.float32,
) -> Callable[[mx.array, Literal["fan_in", "fan_out"], float], mx.array]:
    r"""An initializer ``f(a, mode="fan_in", gain=1.0)`` that draws from a normal distribution.

    Its deviation is :math:`\text{gain} / \sqrt{\text{fan}}`.

    Args:
        dtype: dtype of the result.
    """

    def initializer(
        a: mx.array, mode: Literal["fan_in", "fan_out"] = "fan_in", gain: float = 1.0
    ) -> mx.array:
        std = gain / math.sqrt(_fan("he_normal", a, mode))
        return mx.random.normal(shape=a.shape, scale=std, dtype=dtype)

    return initializer


def he_uniform(
    dtype: mx.Dtype = mx.float32,
) -> Callable[[mx.array, Literal["fan_in", "fan_out"], float], mx.array]:
    r"""An initializer ``f(a, mode="fan_in", gain=1.0)`` that draws uniformly.

    The bounds are :math:`\pm \text{gain} \sqrt{3 / \text{fan}}`.

    Args:
        dtype: dtype of the result.
    """

    def initializer(
        a: mx.array, mode: Literal["fan_in", "fan_out"] = "fan_in", gain: float = 1.0
    ) -> mx.array:
        limit = gain * math.sqrt(3.0 / _fan("he_uniform", a, mode))
        return mx.random.uniform(-limit, limit, a.shape, dtype=dtype)

    return initializer


def sparse(sparsity: float, mean: float = 0.0, std: float = 1.0, dtype: mx.Dtype = mx.float32) -> Initializer:
    """An initializer of matrices that draws from a normal distribution and sets part of each row to zero.

    Args:
        sparsity: what part of a row is zero.
        mean: mean of the distribution.
        std: standard deviation of the distribution.
        dtype: dtype of the result.

    The initializer raises ValueError for what is no matrix.
    """

    def initializer(a: mx.array) -> mx.array:
        if a.ndim != 2:
            raise ValueError(f"[sparse] the array must be a matrix, but has shape {a.shape}.")
        zeros = math.ceil(sparsity * a.shape[1])
        order = mx.argsort(mx.random.uniform(shape=a.shape), axis=1)
        values = mx.random.normal(shape=a.shape, scale=std, loc=mean, dtype=dtype)
        return mx.put_along_axis(values, order[:, :zeros], mx.array(0.0, dtype=dtype), axis=1)

    return initializer


def _orthonormal(a: mx.array) -> mx.array:
    """The factor Q of A = Q R with a positive diagonal of R: Gram-Schmidt, twice for each column
    (Giraud, Langou, Rozloznik 2005).
    """
    columns = [a[:, 0] / mx.sqrt(mx.sum(mx.square(a[:, 0])))]
    for i in range(1, a.shape[1]):
        basis = mx.stack(columns)
        v = a[:, i]
        for _ in range(2):
            v = v - (basis @ v) @ basis
        columns.append(v / mx.sqrt(mx.sum(mx.square(v))))
        mx.eval(columns[-1])
    return mx.stack(columns, axis=1)


def orthogonal(gain: float = 1.0, dtype: mx.Dtype = mx.float32) -> Initializer:
    """An initializer of matrices whose rows (or columns, if there are fewer) are orthogonal.

    Args:
        gain: length of each of them.
        dtype: dtype of the result.

    The initializer raises ValueError for what is no matrix.
    """

    def initializer(a: mx.array) -> mx.array:
        if a.ndim != 2:
            raise ValueError(f"[orthogonal] the array must be a matrix, but has shape {a.shape}.")
        rows, columns = a.shape
        size = max(rows, columns)
        q = _orthonormal(mx.random.normal(shape=(size, size)))
        return (gain * q[:rows, :columns]).astype(dtype)

    return initializer
