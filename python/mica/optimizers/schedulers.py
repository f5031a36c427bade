"""Schedules: functions from the number of a step (an array) to a value, for example a learning rate."""

from __future__ import annotations

import math
from collections.abc import Callable

import mica.core as mx

__all__ = ["cosine_decay", "exponential_decay", "join_schedules", "linear_schedule", "step_decay"]


def _positive(name: str, argument: str, value: int) -> None:
    if value <= 0:
        raise ValueError(f"[{name}] {argument} must be greater than 0, but {value} was given.")


def exponential_decay(init: float, decay_rate: float) -> Callable:
    """``init * decay_rate ** step``.

    Args:
        init: the value at step 0.
        decay_rate: what each step multiplies.
    """

    def schedule(step: mx.array) -> mx.array:
        return init * decay_rate**step

    return schedule


def step_decay(init: float, decay_rate: float, step_size: int) -> Callable:
    """``init * decay_rate ** (step // step_size)``.

    Args:
        init: the value at step 0.
        decay_rate: what is multiplied.
        step_size: after how many steps each time.

    Raises:
        ValueError: ``step_size`` is not positive.
    """
    _positive("step_decay", "step_size", step_size)

    def schedule(step: mx.array) -> mx.array:
        return init * (decay_rate ** (step // step_size))

    return schedule


def cosine_decay(init: float, decay_steps: int, end: float = 0.0) -> Callable:
    """Half a cosine wave from ``init`` down to ``end``, which lasts.

    Args:
        init: the value at step 0.
        decay_steps: how many steps it takes.
        end: the value from there on.

    Raises:
        ValueError: ``decay_steps`` is not positive.
    """
    _positive("cosine_decay", "decay_steps", decay_steps)

    def schedule(step: mx.array) -> mx.array:
        time = mx.minimum(step, decay_steps)
        return end + (0.5 * (init - end)) * (1.0 + mx.cos((math.pi / decay_steps) * time))

    return schedule


def linear_schedule(init: float, end: float, steps: int) -> Callable:
    """A straight line from ``init`` to ``end``, which lasts.

    Args:
        init: the value at step 0.
        end: the value at the end of the line.
        steps: how many steps it takes.

    Raises:
        ValueError: ``steps`` is not positive.
    """
    _positive("linear_schedule", "steps", steps)

    def schedule(step: mx.array) -> mx.array:
        return mx.minimum(step, steps) * ((end - init) / steps) + init

    return schedule


def join_schedules(schedules: list[Callable], boundaries: list[int]) -> Callable:
    """One schedule after the other.

    Args:
        schedules: each counts its steps from its own beginning.
        boundaries: the steps at which the second, third, ... schedule begins.

    Raises:
        ValueError: there is no schedule, or not one boundary less than schedules.
    """
    if not schedules:
        raise ValueError("[join_schedules] at least 1 schedule is needed, but none was given.")
    if len(schedules) != len(boundaries) + 1:
        raise ValueError(
            f"[join_schedules] {len(schedules)} schedules need {len(schedules) - 1} boundaries, "
            f"but {len(boundaries)} were given."
        )

    def schedule(step: mx.array) -> mx.array:
        value = schedules[0](step)
        for boundary, following in zip(boundaries, schedules[1:], strict=True):
            value = mx.where(step < boundary, value, following(step - boundary))
        return value

    return schedule
