"""Fewer points for the same curve: of each stretch of sorted values its top, median and bottom."""

import numpy as np

PER_STRETCH = 3
POINTS = 5000
"""The most points a figure sends to the browser, however large the model."""


def decimate(
    values: np.ndarray, most: int, spacing: str = "linear"
) -> tuple[np.ndarray, np.ndarray]:
    """At most `most` points of a falling curve, its two ends always among them.

    The positions are cut into equal stretches; each gives its first (maximum), middle (median)
    and last (minimum) value. All given values are real values, none is an average.

    Args:
        values: (n,) numbers, sorted from the largest down.
        most: the most points to keep, at least 3.
        spacing: `linear`, or `log` for stretches that are equal on a log axis of positions.

    Returns:
        positions and values, each (m,), m ≤ max(most, 3); positions count from 0.
    """
    if len(values) <= max(most, PER_STRETCH):
        return np.arange(len(values)), values
    stretches = max(most // PER_STRETCH, 1)
    if spacing == "log":
        edges = np.unique(np.geomspace(1, len(values) + 1, stretches + 1).round().astype(int)) - 1
    else:
        edges = np.linspace(0, len(values), stretches + 1).round().astype(int)
    first, last = edges[:-1], edges[1:] - 1
    positions = np.unique(np.concatenate([first, (first + last) // 2, last]))
    return positions, values[positions]
