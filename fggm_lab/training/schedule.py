"""Which examples each step sees, at which learning rate; a function of the seed alone."""

import math

import torch

from fggm_lab.checks import check_count
from fggm_lab.errors import SettingError
from fggm_lab.settings import Schedule


def step_count(examples: int, epochs: float, batch_size: int) -> int:
    """How many optimiser steps a task takes; a started batch counts as one.

    Args:
        examples: how many the task has.
        epochs: how often each is seen; may be a fraction.
        batch_size: examples per step.

    Returns:
        At least 1, or 0 where there is no example.

    Raises:
        SettingError: `epochs` or `batch_size` is outside what it may be.
    """
    if epochs <= 0:
        raise SettingError(f"epochs is {epochs}; it must be above 0")
    check_count("batch_size", batch_size)
    return max(1, round(math.ceil(examples / batch_size) * epochs)) if examples else 0


def batch_indices(examples: int, steps: int, batch_size: int, seed: int) -> list[list[int]]:
    """The examples of every step: each epoch sees every example once, in a fresh order."""
    generator = torch.Generator().manual_seed(seed)
    batches: list[list[int]] = []
    while len(batches) < steps:
        order = torch.randperm(examples, generator=generator).tolist()
        batches += [order[i : i + batch_size] for i in range(0, examples, batch_size)]
    return batches[:steps]


def learning_rate(
    peak: float, step: int, steps: int, schedule: Schedule, warmup: float = 0.0
) -> float:
    """The rate of a step: climbing to its peak, then falling linearly to 0 or constant.

    The same as transformers' `get_linear_schedule_with_warmup` and
    `get_constant_schedule_with_warmup`.

    Args:
        peak: the highest rate.
        step: which step, 0-based.
        steps: how many there are.
        schedule: how the rate goes on from its peak.
        warmup: the share of steps, rounded up, over which it climbs, in [0, 1).

    Returns:
        The rate; 0 in the first step of a warm-up.
    """
    climbing = math.ceil(steps * warmup)
    if step < climbing:
        return peak * (step / climbing)
    if schedule == "constant":
        return peak
    return peak * (1 - (step - climbing) / (steps - climbing))


def measuring_steps(steps: int, points: int) -> set[int]:
    """After which steps (1-based) of a task to measure: `points`, evenly spread, the last step out.

    The last step is measured on the whole split, so it needs no sample.

    Args:
        steps: of the task.
        points: in how many parts it is divided.

    Returns:
        Numbers of steps, from 1 to `steps` - 1.
    """
    if points <= 0:
        return set()
    points = min(points, steps)
    return {round(steps * i / points) for i in range(1, points)} - {0, steps}


def recording_steps(steps: int, points: int | None) -> set[int]:
    """After which steps (1-based) of a task to record the Fisher: evenly spread, the last step in.

    Args:
        steps: of the task.
        points: how many; all steps if there are fewer. None or 0: no step.

    Returns:
        Numbers of steps, from 1 to `steps`.
    """
    if not points:
        return set()
    points = min(points, steps)
    return {round(steps * i / points) for i in range(1, points + 1)}
