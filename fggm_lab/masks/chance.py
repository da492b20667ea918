"""What masks drawn by chance share: the exact distribution of their intersection, and its mean.

Chance: masks that keep as many units of each parameter as the given ones, drawn independently and
uniformly. Each parameter's intersection is then hypergeometric, and the whole intersection I is a
sum of independent hypergeometric numbers.
"""

import math
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

import numpy as np

Size = tuple[int, int, int]
"""Units of a parameter, kept by the first mask, kept by the second."""

_TAIL = 12.0
"""Standard deviations kept around the mean of I; what lies outside has a chance below 1e-30."""
_NARROW, _MANY = 2e-3, 10.0
"""From here on a series gives the mean Jaccard index to 1e-12; see `expected_jaccard`."""


class Moments(NamedTuple):
    """Mean, variance and third central moment of the intersection's size."""

    mean: float
    variance: float
    third: float


def moments(units: np.ndarray, first: np.ndarray, second: np.ndarray) -> Moments:
    """The moments of |a ∩ b| under chance.

    Args:
        units, first, second: (parameters,) units, kept by the one mask, kept by the other.
    """
    n, a, b = (array.astype(np.float64) for array in (units, first, second))
    spread = a * b * (n - a) * (n - b)
    skew = spread * (n - 2 * a) * (n - 2 * b)
    return Moments(
        float(_over(a * b, n).sum()),
        float(_over(spread, n * n * (n - 1)).sum()),
        float(_over(skew, n**3 * (n - 1) * (n - 2)).sum()),
    )


def _over(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """The quotient; 0 where the divisor is, in parameters too small for anything to vary."""
    return np.divide(above, below, out=np.zeros_like(above), where=below > 0)


def expected_jaccard(units: np.ndarray, first: np.ndarray, second: np.ndarray) -> float | None:
    """E[I / (|a| + |b| − I)], to about 1e-12; None if both masks are empty.

    For large masks the Jaccard index hardly bends within the spread of I, and its Taylor series
    around the mean of I does. I is a sum of independent yes-or-no numbers (as every hypergeometric
    number is), so its third and fourth cumulants are at most its variance v; with a spread of at
    most `_NARROW` of |a| + |b| − E[I], and of at least `_MANY` units, the terms left out, v and
    10 v² of the fourth and fifth order and 15 v³ of the sixth, stay below 1e-12.

    Args:
        units, first, second: as for `moments`.
    """
    total = int(first.sum() + second.sum())
    if not total:
        return None
    mean, variance, third = moments(units, first, second)
    rest, spread = total - mean, math.sqrt(variance)
    if spread >= _MANY and spread <= _NARROW * rest:
        bend = variance / rest**2 + third / rest**3 + 3 * variance**2 / rest**4
        return float(total / rest * (1 + bend) - 1)
    sizes = Counter(zip(units.tolist(), first.tolist(), second.tolist(), strict=True))
    return _summed_jaccard(frozenset(sizes.items()), total)


@lru_cache(maxsize=4096)
def _summed_jaccard(sizes: frozenset[tuple[Size, int]], total: int) -> float:
    """The same, summed over the distribution; masks cut alike ask for it again and again."""
    values, chances = intersection(dict(sizes))
    return float(np.sum(chances * values / (total - values)))


def intersection(sizes: Mapping[Size, int]) -> tuple[np.ndarray, np.ndarray]:
    """The intersection's possible sizes and their chances.

    Sums of independent numbers have the product of their Fourier transforms; the circle on which
    the sum is taken is as long as the support, or as `_TAIL` standard deviations each way.

    Args:
        sizes: how many parameters there are of each size.
    """
    columns = np.array([size for size, times in sizes.items() for _ in range(times)]).T
    mean, variance, _ = moments(*columns)
    least = sum(times * max(0, a + b - n) for (n, a, b), times in sizes.items())
    most = sum(times * min(a, b) for (n, a, b), times in sizes.items())
    reach = _TAIL * math.sqrt(variance) + _TAIL
    low, high = max(least, math.floor(mean - reach)), min(most, math.ceil(mean + reach))
    length = high - low + 1
    transform = np.ones(length // 2 + 1, dtype=np.complex128)
    for (n, a, b), times in sizes.items():
        start, chances = _hypergeometric(n, a, b)
        circle = np.zeros(length)
        np.add.at(circle, (start + np.arange(len(chances))) % length, chances)
        transform *= np.fft.rfft(circle) ** times
    chances = np.clip(np.fft.irfft(transform, n=length), 0, None)
    values = np.arange(low, high + 1)
    chances = chances[values % length]
    return values, chances / chances.sum()


def _hypergeometric(n: int, a: int, b: int) -> tuple[int, np.ndarray]:
    """Chances of the overlap of an a-set and a b-set among n: the first value, then the chances.

    From the ratio of neighbouring chances, outward from the mode, so nothing under- or overflows.
    """
    low, high = max(0, a + b - n), min(a, b)
    values = np.arange(low, high, dtype=np.float64)
    ratios = ((a - values) * (b - values)) / ((values + 1) * (n - a - b + values + 1))
    logs = np.concatenate([[0.0], np.cumsum(np.log(ratios))])
    chances = np.exp(logs - logs.max())
    return low, chances / chances.sum()
