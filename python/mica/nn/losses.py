"""Loss functions.

Each computes a loss an element and then, by ``reduction``, returns them all ("none"), their plain mean
("mean") or their sum ("sum"). Any other reduction is a ValueError.
"""

from __future__ import annotations

import math
from typing import Literal, get_args

import mica.core as mx

__all__ = [
    "binary_cross_entropy",
    "cosine_similarity_loss",
    "cross_entropy",
    "gaussian_nll_loss",
    "hinge_loss",
    "huber_loss",
    "kl_div_loss",
    "l1_loss",
    "log_cosh_loss",
    "margin_ranking_loss",
    "mse_loss",
    "nll_loss",
    "smooth_l1_loss",
    "triplet_loss",
]

Reduction = Literal["none", "mean", "sum"]

# Where the fused cross entropy, whose losses are float32, is as exact as the operations it is made of.
_FUSED = (mx.float16, mx.bfloat16, mx.float32)


def _reduce(loss: mx.array, reduction: Reduction = "none") -> mx.array:
    if reduction == "mean":
        return mx.mean(loss)
    if reduction == "sum":
        return mx.sum(loss)
    if reduction == "none":
        return loss
    raise ValueError(f"Invalid reduction {reduction!r}. Must be one of {get_args(Reduction)}.")


def _same_shape(name: str, **arrays: mx.array) -> None:
    (first, a), *others = arrays.items()
    for other, b in others:
        if a.shape != b.shape:
            raise ValueError(
                f"[{name}] {first} and {other} must have the same shape, but have {a.shape} and {b.shape}."
            )


def cross_entropy(
    logits: mx.array,
    targets: mx.array,
    weights: mx.array | None = None,
    axis: int = -1,
    label_smoothing: float = 0.0,
    reduction: Reduction = "none",
) -> mx.array:
    """Minus the logarithm of the probability that ``softmax(logits)`` gives to the targets.

    Args:
        logits: any shape; a distribution along ``axis``.
        targets: integers, of the shape of ``logits`` without ``axis``; or probabilities, of the same shape.
        weights: multiply the losses; the shape of ``logits`` without ``axis``.
        axis: the axis of the classes.
        label_smoothing: what part of each target is spread over all classes, in [0, 1).
        reduction: see the module.

    Returns:
        The shape of ``logits`` without ``axis``, or a scalar.

    Raises:
        ValueError: shapes do not fit, or ``label_smoothing`` is out of range.
    """
    if not 0 <= label_smoothing < 1:
        raise ValueError(
            f"[cross_entropy] label_smoothing must be in [0, 1), but {label_smoothing} was given."
        )
    without_axis = list(logits.shape)
    del without_axis[axis]
    is_probability = targets.ndim == logits.ndim
    wanted = logits.shape if is_probability else tuple(without_axis)
    if targets.shape != wanted:
        raise ValueError(
            f"[cross_entropy] targets of shape {targets.shape} do not fit logits of shape {logits.shape}: "
            f"class indices have shape {tuple(without_axis)}, probabilities {logits.shape}."
        )

    fused = logits.dtype in _FUSED and mx.issubdtype(targets.dtype, mx.integer) and logits.size > 0
    if fused and not is_probability and label_smoothing == 0 and axis in (-1, logits.ndim - 1):
        loss = mx.fast.cross_entropy(logits, targets).astype(logits.dtype)
    else:
        if is_probability:
            # As the reference: relative to the largest, which matters where probabilities do not add to 1.
            logits = logits - mx.stop_gradient(mx.max(logits, axis=axis, keepdims=True))
            score = mx.sum(logits * targets, axis=axis)
        else:
            score = mx.take_along_axis(logits, mx.expand_dims(targets, axis), axis).squeeze(axis)
        loss = mx.logsumexp(logits, axis=axis)
        if label_smoothing > 0:
            loss = loss - (1 - label_smoothing) * score - label_smoothing * mx.mean(logits, axis=axis)
        else:
            loss = loss - score

    if weights is not None:
        if weights.shape != loss.shape:
            raise ValueError(
                f"[cross_entropy] weights must have the shape of the losses, {loss.shape}, "
                f"but have {weights.shape}."
            )
        loss = loss * weights
    return _reduce(loss, reduction)


def binary_cross_entropy(
    inputs: mx.array,
    targets: mx.array,
    weights: mx.array | None = None,
    with_logits: bool = True,
    reduction: Reduction = "mean",
) -> mx.array:
    """Minus the logarithm of the probability that predictions of yes or no give to the targets.

    Args:
        inputs: logits, or probabilities; any shape.
        targets: probabilities of yes, of the same shape.
        weights: multiply the losses; the same shape.
        with_logits: whether ``inputs`` are logits. The logarithms of probabilities are cut off at -100.
        reduction: see the module.

    Returns:
        The shape of ``inputs``, or a scalar.

    Raises:
        ValueError: shapes differ.
    """
    _same_shape("binary_cross_entropy", inputs=inputs, targets=targets)
    if with_logits:
        loss = mx.logaddexp(0.0, inputs) - inputs * targets
    else:
        log_yes = mx.maximum(mx.log(inputs), -100)
        log_no = mx.maximum(mx.log(1 - inputs), -100)
        loss = -(targets * log_yes + (1 - targets) * log_no)
    if weights is not None:
        _same_shape("binary_cross_entropy", inputs=inputs, weights=weights)
        loss = loss * weights
    return _reduce(loss, reduction)


def l1_loss(predictions: mx.array, targets: mx.array, reduction: Reduction = "mean") -> mx.array:
    """The distance of predictions and targets.

    Args:
        predictions: any shape.
        targets: the same shape.
        reduction: see the module.

    Raises:
        ValueError: shapes differ.
    """
    _same_shape("l1_loss", predictions=predictions, targets=targets)
    return _reduce(mx.abs(predictions - targets), reduction)


def mse_loss(predictions: mx.array, targets: mx.array, reduction: Reduction = "mean") -> mx.array:
    """The squared distance of predictions and targets.

    Args:
        predictions: any shape.
        targets: the same shape.
        reduction: see the module.

    Raises:
        ValueError: shapes differ.
    """
    _same_shape("mse_loss", predictions=predictions, targets=targets)
    return _reduce(mx.square(predictions - targets), reduction)


def nll_loss(inputs: mx.array, targets: mx.array, axis: int = -1, reduction: Reduction = "none") -> mx.array:
    """Minus the logarithm of the probability of the targets, picked from given logarithms.

    Args:
        inputs: logarithms of probabilities along ``axis``.
        targets: integers, of the shape of ``inputs`` without ``axis``.
        axis: the axis of the classes.
        reduction: see the module.

    Returns:
        The shape of ``targets``, or a scalar.
    """
    loss = -mx.take_along_axis(inputs, mx.expand_dims(targets, axis), axis).squeeze(axis)
    return _reduce(loss, reduction)


def gaussian_nll_loss(
    inputs: mx.array,
    targets: mx.array,
    vars: mx.array,
    full: bool = False,
    eps: float = 1e-6,
    reduction: Reduction = "mean",
) -> mx.array:
    r"""Minus the logarithm of the density of normal distributions at the targets.

    :math:`(\log v + (x - t)^2 / v) / 2` with :math:`v = \max(\text{vars}, \epsilon)`, where the constant
    :math:`\log(2 \pi) / 2` is left out.

    Args:
        inputs: the distributions' means, any shape.
        targets: the same shape.
        vars: the distributions' variances, the same shape.
        full: add the constant.
        eps: the least variance.
        reduction: see the module.

    Raises:
        ValueError: shapes differ.
    """
    _same_shape("gaussian_nll_loss", inputs=inputs, targets=targets, vars=vars)
    variance = mx.maximum(vars, eps)
    loss = 0.5 * (mx.log(variance) + mx.square(targets - inputs) / variance)
    if full:
        loss = loss + 0.5 * math.log(2 * math.pi)
    return _reduce(loss, reduction)


def kl_div_loss(
    inputs: mx.array, targets: mx.array, axis: int = -1, reduction: Reduction = "none"
) -> mx.array:
    r"""The Kullback-Leibler divergence :math:`\sum e^t (t - x)` of distributions given by their logarithms.

    Args:
        inputs: logarithms :math:`x` of the predicted probabilities.
        targets: logarithms :math:`t` of the true probabilities, the same shape.
        axis: the axis of the classes.
        reduction: see the module.

    Returns:
        The shape of ``inputs`` without ``axis``, or a scalar.
    """
    return _reduce(mx.sum(mx.exp(targets) * (targets - inputs), axis), reduction)


def smooth_l1_loss(
    predictions: mx.array, targets: mx.array, beta: float = 1.0, reduction: Reduction = "mean"
) -> mx.array:
    r"""The squared distance over :math:`2 \beta` up to a distance :math:`\beta`, then a straight line.

    Args:
        predictions: any shape.
        targets: the same shape.
        beta: where the line begins.
        reduction: see the module.

    Raises:
        ValueError: shapes differ.
    """
    _same_shape("smooth_l1_loss", predictions=predictions, targets=targets)
    distance = mx.abs(predictions - targets)
    loss = mx.where(distance < beta, 0.5 * mx.square(distance) / beta, distance - 0.5 * beta)
    return _reduce(loss, reduction)


def triplet_loss(
    anchors: mx.array,
    positives: mx.array,
    negatives: mx.array,
    axis: int = -1,
    p: int = 2,
    margin: float = 1.0,
    eps: float = 1e-6,
    reduction: Reduction = "none",
) -> mx.array:
    r"""How much nearer than the margin the negatives are to the anchors, compared with the positives.

    :math:`\max(|a - b|_p - |a - c|_p + \text{margin}, 0)` with :math:`|x|_p = (\sum |x|^p + \epsilon)^{1/p}`.

    Args:
        anchors: :math:`a`, any shape.
        positives: :math:`b`, the same shape.
        negatives: :math:`c`, the same shape.
        axis: the axis of the vectors.
        p: the power.
        margin: what difference is wanted.
        eps: keeps the derivative of the root finite.
        reduction: see the module.

    Returns:
        The shape of ``anchors`` without ``axis``, or a scalar.
    """

    def distance(other: mx.array) -> mx.array:
        return mx.power(mx.sum(mx.power(mx.abs(anchors - other), p), axis) + eps, 1.0 / p)

    return _reduce(mx.maximum(distance(positives) - distance(negatives) + margin, 0), reduction)


def hinge_loss(inputs: mx.array, targets: mx.array, reduction: Reduction = "none") -> mx.array:
    r""":math:`\max(1 - x t, 0)`.

    Args:
        inputs: :math:`x`, any shape.
        targets: :math:`t`, -1 or 1.
        reduction: see the module.
    """
    return _reduce(mx.maximum(1 - inputs * targets, 0), reduction)


def huber_loss(
    inputs: mx.array, targets: mx.array, delta: float = 1.0, reduction: Reduction = "none"
) -> mx.array:
    r"""Half the squared distance up to a distance :math:`\delta`, from there on a straight line.

    Args:
        inputs: any shape.
        targets: the same shape.
        delta: where the line begins.
        reduction: see the module.
    """
    distance = mx.abs(inputs - targets)
    near = mx.minimum(distance, delta)
    return _reduce(0.5 * mx.square(near) + delta * (distance - near), reduction)


def log_cosh_loss(inputs: mx.array, targets: mx.array, reduction: Reduction = "none") -> mx.array:
    r""":math:`\log \cosh(x - t)`, computed without overflow.

    Args:
        inputs: :math:`x`, any shape.
        targets: :math:`t`, the same shape.
        reduction: see the module.
    """
    errors = inputs - targets
    return _reduce(mx.logaddexp(errors, -errors) - math.log(2), reduction)


def cosine_similarity_loss(
    x1: mx.array, x2: mx.array, axis: int = 1, eps: float = 1e-8, reduction: Reduction = "none"
) -> mx.array:
    r"""The cosine of the angle of two vectors: the similarity itself, which grows as they agree.

    Args:
        x1: any shape.
        x2: the same shape.
        axis: the axis of the vectors.
        eps: the least product of the vectors' lengths.
        reduction: see the module.

    Returns:
        The shape of ``x1`` without ``axis``, or a scalar.
    """
    lengths = mx.sqrt(mx.sum(mx.square(x1), axis=axis)) * mx.sqrt(mx.sum(mx.square(x2), axis=axis))
    return _reduce(mx.sum(x1 * x2, axis=axis) / mx.maximum(lengths, eps), reduction)


def margin_ranking_loss(
    inputs1: mx.array,
    inputs2: mx.array,
    targets: mx.array,
    margin: float = 0.0,
    reduction: Reduction = "none",
) -> mx.array:
    r""":math:`\max(-t (x_1 - x_2) + \text{margin}, 0)`.

    Args:
        inputs1: :math:`x_1`, any shape.
        inputs2: :math:`x_2`, the same shape.
        targets: :math:`t`, 1 where the first should be greater and -1 where the second; the same shape.
        margin: what difference is wanted.
        reduction: see the module.

    Raises:
        ValueError: shapes differ.
    """
    _same_shape("margin_ranking_loss", inputs1=inputs1, inputs2=inputs2, targets=targets)
    return _reduce(mx.maximum(-targets * (inputs1 - inputs2) + margin, 0), reduction)
