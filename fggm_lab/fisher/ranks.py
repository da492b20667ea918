"""Rank correlation: do two lists of numbers, one per unit or per pair, have the same order?"""

from collections.abc import Sequence

import numpy as np
from scipy.stats import spearmanr


def rank_correlation(
    a: Sequence[float] | np.ndarray, b: Sequence[float] | np.ndarray
) -> float | None:
    """Spearman's ρ of two lists of equal length, equal values sharing their mean rank.

    Args:
        a: (n,) numbers.
        b: (n,) numbers, in the same order of units.

    Returns:
        From −1 (reversed) to 1 (the same order); None where one side is constant.
    """
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return None
    return float(spearmanr(a, b).statistic)
