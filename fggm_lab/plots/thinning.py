"""Fewer points for the same curve, so that the size of a figure does not grow with the model.

Three ways, for three kinds of curve; each keeps real points and averages none:

- `thin_sorted`: values sorted from the largest down; of each stretch its maximum, median, minimum.
- `thin_evenly`: measurements in the order of steps; every k-th one, the last always.
- `thin_line`: a line that goes up and down, in pixels; of each stretch its ends and extremes.

`evenly` does the same for whole lines: of more tasks than a reader can tell apart it chooses some.
"""

from collections.abc import Sequence
from typing import Literal, TypeVar

import numpy as np
import plotly.graph_objects as go

MAX_POINTS = 5000
"""The most points a figure sends to the browser, however large the model."""
PER_STRETCH = 3
"""The points that `thin_sorted` keeps of a stretch."""

T = TypeVar("T")


def thin_sorted(
    values: np.ndarray, max_points: int, spacing: Literal["linear", "log"] = "linear"
) -> tuple[np.ndarray, np.ndarray]:
    """At most `max_points` points of a falling curve, its two ends always among them.

    The positions are cut into equal stretches; each gives its first (maximum), middle (median)
    and last (minimum) value.

    Args:
        values: (n,) numbers, sorted from the largest down.
        max_points: at least 3.
        spacing: `linear`, or `log` for stretches that are equal on a log axis of positions.

    Returns:
        Positions and values, each (m,), m ≤ max(max_points, 3); positions count from 0.
    """
    if len(values) <= max(max_points, PER_STRETCH):
        return np.arange(len(values)), values
    stretches = max(max_points // PER_STRETCH, 1)
    if spacing == "log":
        edges = np.unique(np.geomspace(1, len(values) + 1, stretches + 1).round().astype(int)) - 1
    else:
        edges = np.linspace(0, len(values), stretches + 1).round().astype(int)
    first, last = edges[:-1], edges[1:] - 1
    positions = np.unique(np.concatenate([first, (first + last) // 2, last]))
    return positions, values[positions]


def thin_evenly(points: Sequence[T], max_points: int) -> list[T]:
    """Every k-th point, counted back from the last, so that at most `max_points` remain."""
    step = max(1, -(-len(points) // max_points))
    return list(points[::-1][::step][::-1])


def evenly(items: Sequence[T], most: int) -> list[T]:
    """At most `most` of the items, evenly spaced, the first and the last among them.

    Args:
        items: in order, such as the names of tasks.
        most: at least 2.

    Returns:
        All of them, if there are no more.
    """
    if len(items) <= most:
        return list(items)
    return [items[index] for index in np.linspace(0, len(items) - 1, most).round().astype(int)]


def thin_line(
    points: Sequence[tuple[float, float]], max_points: int
) -> Sequence[tuple[float, float]]:
    """At most about `max_points` (x, y) points: of each stretch its ends, highest and lowest."""
    if len(points) <= max_points:
        return points
    size = -(-4 * len(points) // max_points)
    thinned: list[tuple[float, float]] = []
    for start in range(0, len(points), size):
        stretch = points[start : start + size]
        heights = [y for _, y in stretch]
        indices = {0, len(stretch) - 1, heights.index(min(heights)), heights.index(max(heights))}
        thinned += [stretch[index] for index in sorted(indices)]
    return thinned


def light(figure: go.Figure) -> go.Figure:
    """Curves in half the bytes: seven digits are more than a screen shows.

    Args:
        figure: changed in place.

    Returns:
        The figure.
    """
    for trace in figure.data:
        for axis in ("x", "y"):
            values = getattr(trace, axis, None)
            if isinstance(values, np.ndarray) and values.dtype == np.float64:
                single = values.astype(np.float32)
                if np.allclose(single, values, rtol=1e-6, atol=0, equal_nan=True):
                    trace[axis] = None  # Plotly keeps what equals the new value
                    trace[axis] = single
    return figure
