"""What a method comes to where it has learned as much as another: its curve along the rates, read.

A curve goes through a few rates. Straight lines between them, in the plane of learning accuracy and
General, cut off the bend: they read too low what lies between two rates. Here both numbers are
curves over the logarithm of the rate, monotone between the points as these are (PCHIP, Fritsch and
Butland 1984, as SciPy has it); the rate at which a method has learned as much is read off the one,
and the number at that rate off the other.
"""

import math
from collections.abc import Sequence
from itertools import pairwise

from studies.rows import Row

FINE = 512
"""Into so many parts the range of the logarithm of the rates is cut to find a level."""


def at_level(rows: Sequence[Row], level: float, number: str, along: str = "lr") -> float | None:
    """A number where a curve first reaches a learning accuracy.

    Args:
        rows: of one method and seed, one for each rate (or value of a setting).
        level: the learning accuracy.
        number: the key of the number.
        along: what the curve runs along: `lr`, or the name of a method's setting.

    Returns:
        The number; None where the curve stays below the level, begins above it, or has one point.
    """
    import numpy as np
    from scipy.interpolate import PchipInterpolator

    def position(row: Row) -> float:
        return math.log(row["lr"] if along == "lr" else row["settings"][along])

    curve = sorted(rows, key=position)
    if len(curve) < 2:
        return None
    positions = [position(row) for row in curve]
    learned = PchipInterpolator(positions, [row["learning_accuracy"] for row in curve])
    fine = np.linspace(positions[0], positions[-1], FINE + 1)
    for (a, low), (b, high) in pairwise(zip(fine, learned(fine), strict=True)):
        if low <= level <= high and high > low:
            at = a + (b - a) * (level - low) / (high - low)
            return float(PchipInterpolator(positions, [row[number] for row in curve])(at))
    return None


def on_line(rows: Sequence[Row], level: float, number: str) -> float | None:
    """The same by straight lines between the points, as the former page read it.

    Args:
        rows: of one method and seed, one for each rate.
        level: the learning accuracy.
        number: the key of the number.

    Returns:
        The number, None as `at_level`.
    """
    for a, b in pairwise(sorted(rows, key=lambda row: float(row["lr"]))):
        low, high = a["learning_accuracy"], b["learning_accuracy"]
        if low <= level <= high and high > low:
            return float(a[number] + (b[number] - a[number]) * (level - low) / (high - low))
    return None


def left_out(rows: Sequence[Row], number: str) -> list[tuple[float, float]]:
    """How far each reading is off a measured point that it did not know.

    Each rate but the outer ones is left out in turn, and the number read at its learning accuracy.

    Args:
        rows: of one method and seed, one for each rate.
        number: the key of the number.

    Returns:
        (straight line, curve): reading minus measurement, for each rate where both can be read;
        none of fewer than four rates, for two points make no curve.
    """
    curve = sorted(rows, key=lambda row: float(row["lr"]))
    if len(curve) < 4:
        return []
    errors = []
    for middle in curve[1:-1]:
        others = [row for row in curve if row is not middle]
        line = on_line(others, middle["learning_accuracy"], number)
        bent = at_level(others, middle["learning_accuracy"], number)
        if line is not None and bent is not None:
            errors.append((line - middle[number], bent - middle[number]))
    return errors
