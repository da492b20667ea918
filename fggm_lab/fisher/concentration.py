"""How unequally Fisher information is spread over a model's units."""

from collections.abc import Iterable

import numpy as np
from torch import Tensor

from fggm_lab.errors import DataError
from fggm_lab.fisher.scores import FisherScores


def all_units(scores: FisherScores) -> np.ndarray:
    """Sort the scores of all units.

    Args:
        scores: of one model.

    Returns:
        (units,) scores in float64, in descending order.

    Raises:
        DataError: there is no unit, or a score is negative or not finite.
    """
    parts = [units.double().numpy() for units in scores.units.values()]
    values = np.sort(np.concatenate(parts))[::-1] if parts else np.zeros(0)
    if not values.size:
        raise DataError("the Fisher scores have no units; score a model's parameters")
    check_finite(scores.units.values())
    return values


def is_finite(scores: Iterable[Tensor]) -> bool:
    """Whether no score is negative, infinite or NaN.

    Args:
        scores: of one parameter each.

    Returns:
        Whether they can be drawn and compared.
    """
    return all(bool((units.isfinite() & (units >= 0)).all()) for units in scores)


def check_finite(scores: Iterable[Tensor]) -> None:
    """Refuse scores that are none, as those of a training that diverged.

    Args:
        scores: of one parameter each.

    Raises:
        DataError: one is negative, infinite or NaN.
    """
    if not is_finite(scores):
        raise DataError("a Fisher score is negative or not finite; score the model anew")


def lorenz(values: np.ndarray) -> np.ndarray:
    """The Lorenz curve: the share of the total that the k units with the highest scores hold.

    Args:
        values: (units,) scores in descending order, none negative.

    Returns:
        (units,) shares for k = 1, …, units; k / units if all values are 0.
    """
    sums = np.cumsum(values)
    if sums[-1] == 0:
        return np.arange(1, len(values) + 1) / len(values)
    return sums / sums[-1]  # the last share is 1, whatever the rounding


def gini(values: np.ndarray) -> float:
    """The Gini coefficient: half the mean absolute difference of two units, divided by the mean.

    Args:
        values: (units,) scores in descending order, none negative.

    Returns:
        0 if all units have equal scores, 1 − 1/n if one of n units holds everything.
    """
    count, total = len(values), values.sum()
    if total == 0:
        return 0.0
    rank = np.arange(count, 0, -1)  # the lowest has rank 1
    return float(2 * (rank * values).sum() / (count * total) - (count + 1) / count)
