"""Smoothing of curves that go up and down from step to step."""

from collections.abc import Sequence
from math import isfinite

from fggm_lab.errors import SettingError


def smoothed(values: Sequence[float], weight: float) -> list[float]:
    """The exponential moving average with bias correction, as TensorBoard smooths its curves.

    m ← weight · m + (1 − weight) · value from m = 0, shown as m / (1 − weightᵏ) after k values
    (Kingma and Ba, arXiv 1412.6980, section 3), so that the first value is the curve's own.

    Args:
        values: in the order of steps; one that is not finite is passed on as it is.
        weight: how much of the past is kept, from 0 (nothing is smoothed) to below 1; at 0.9 a
            value has lost half of its weight after 7 steps.

    Returns:
        As many values.

    Raises:
        SettingError: `weight` is outside what it may be.
    """
    if not 0 <= weight < 1:
        raise SettingError(
            f"smoothing is {weight}; it must be at least 0 (none) and below 1, such as 0.6"
        )
    average, correction = 0.0, 1.0
    curve = []
    for value in values:
        if not isfinite(value):
            curve.append(value)
            continue
        average = weight * average + (1 - weight) * value
        correction *= weight
        curve.append(average / (1 - correction))
    return curve


def smoothing_text(weight: float) -> str:
    """How a curve was smoothed, for a caption."""
    return (
        f"by an exponential moving average of weight {weight:g} with bias correction, as "
        "TensorBoard does, across the ends of tasks; the curve as it is lies behind it, faint"
    )
