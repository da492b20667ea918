"""How a method's rate and strength are chosen: a grid that grows until it brackets the best.

The same rule for every method. Three rates first; while the best of them is the lowest or the
highest tried, the next one beyond it is tried, too. Then, at the best rate and at the next higher
one, the same with the strength of methods that have one. What is maximised is `gain`, as a mean
over the seeds.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf

from studies.rows import Row

MOST_VALUES = 8
"""A grid that has grown to so many values is given up, and the page says that it did not end."""


def gain(row: Row) -> float:
    """What is maximised: what the model can still do, and what it has learned, in equal parts."""
    return float(row["general_after"] + row["op_final"]) / 2


@dataclass(frozen=True)
class Grid:
    """The values of one setting that are tried, and what is known of the best.

    Attributes:
        values: rising.
        best: the value with the highest gain; None while a gain is missing.
        bracketed: whether there is a lower and a higher value than the best.
    """

    values: tuple[float, ...]
    best: float | None
    bracketed: bool


def bracket(
    start: Sequence[float],
    factor: float,
    gain_at: Callable[[float], float | None],
    most: int = MOST_VALUES,
    highest: float = inf,
) -> Grid:
    """Grow a grid by a factor on the side of its best value until that lies inside.

    Args:
        start: the values tried first, at least two.
        factor: what a grid's end is multiplied with, or divided by.
        gain_at: the gain at a value; None: not measured yet. Of equal gains the lower value is
            the best.
        most: how many values are tried at most.
        highest: what no value may exceed; a best value that cannot be exceeded is bracketed.

    Returns:
        The grid as far as the gains are known: with values that are still to be measured, or with
        the best one.
    """
    values = sorted(value for value in start if value <= highest)
    while True:
        gains = [gain_at(value) for value in values]
        measured = [value for value in gains if value is not None]
        if len(measured) < len(values):
            return Grid(tuple(values), None, False)
        at = measured.index(max(measured))
        above = rounded(values[-1] * factor)
        at_highest = at == len(values) - 1 and above > highest
        if 0 < at < len(values) - 1 or at_highest:
            return Grid(tuple(values), values[at], True)
        if len(values) >= most:
            return Grid(tuple(values), values[at], False)
        if at == 0:
            values.insert(0, rounded(values[0] / factor))
        else:
            values.append(above)


def rounded(value: float) -> float:
    """A value as a command line shows it."""
    return float(f"{value:.4g}")
