"""How unequally Fisher information is spread over a model's units."""

import numpy as np

from fggm_lab.errors import DataError
from fggm_lab.fisher.scores import FisherScores


def all_units(scores: FisherScores) -> np.ndarray:
    """Every unit's score, (units,) in float64, from the highest down.

    Raises:
        DataError: there is no unit, or a score is negative or not finite.
    """
    found = [units.double().numpy() for units in scores.units.values()]
    values = np.sort(np.concatenate(found))[::-1] if found else np.zeros(0)
    if not values.size:
        raise DataError("the Fisher scores have no units; score a model's parameters")
    if not np.isfinite(values).all() or values[-1] < 0:
        raise DataError("a Fisher score is negative or not finite; score the model anew")
    return values


def lorenz(values: np.ndarray) -> np.ndarray:
    """The share of the total that the highest k + 1 units hold, for every k: (units,).

    Args:
        values: (units,), from the highest down, none negative. If all are 0, all shares are equal.
    """
    total = values.sum()
    if total == 0:
        return np.arange(1, len(values) + 1) / len(values)
    return np.cumsum(values) / total


def gini(values: np.ndarray) -> float:
    """The Gini coefficient: half the mean absolute difference of two units, over their mean.

    0 if all units score alike, 1 − 1/n if one of n holds everything.

    Args:
        values: (units,), from the highest down, none negative.
    """
    count, total = len(values), values.sum()
    if total == 0:
        return 0.0
    rank = np.arange(count, 0, -1)  # the lowest has rank 1
    return float(2 * (rank * values).sum() / (count * total) - (count + 1) / count)
