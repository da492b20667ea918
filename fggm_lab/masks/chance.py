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
_ERROR = 1e-12
"""How much a series may leave out of the mean Jaccard index; see `expected_jaccard`."""


class Cumulants(NamedTuple):
    """The first four cumulants of the intersection's size; the third is its third moment, too."""

    mean: float
    variance: float
    third: float
    fourth: float


def cumulants(units: np.ndarray, first: np.ndarray, second: np.ndarray) -> Cumulants:
    """The cumulants of |a ∩ b| under chance: sums of the hypergeometric ones of each parameter.

    Args:
        units, first, second: (parameters,) units, kept by the one mask, kept by the other.
    """
    n, a, b = (array.astype(np.float64) for array in (units, first, second))
    variance = _over(a * b * (n - a) * (n - b), n * n * (n - 1))
    fourth = n * (n + 1) - 6 * a * (n - a) - 6 * b * (n - b) + 6 * variance * (5 * n - 6)
    # up to three units let at most one number vary by one
    fourth = np.where(n > 3, _over(fourth, (n - 2) * (n - 3)), 1 - 6 * variance)
    return Cumulants(
        float(_over(a * b, n).sum()),
        float(variance.sum()),
        float((variance * _over((n - 2 * a) * (n - 2 * b), n * (n - 2))).sum()),
        float((variance * fourth).sum()),
    )


def _over(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """The quotient; 0 where the divisor is, in parameters too small for anything to vary."""
    return np.divide(above, below, out=np.zeros_like(above), where=below > 0)


def expected_jaccard(units: np.ndarray, first: np.ndarray, second: np.ndarray) -> float | None:
    """E[I / (|a| + |b| − I)], to about 1e-12; None if both masks are empty.

    With S = |a| + |b|, m = E[I] and r = S − m the index is S / r · Σ ((I − m) / r)^k − 1: unless
    masks are small, few terms suffice. I is a sum of independent yes-or-no numbers (as every
    hypergeometric number is), so its cumulants hardly exceed its variance v, which bounds what is
    left out. Small masks are summed over the distribution of I.

    Args:
        units, first, second: as for `cumulants`.
    """
    total = int(first.sum() + second.sum())
    if not total:
        return None
    mean, v, third, fourth = cumulants(units, first, second)
    rest = total - mean
    left_out = v / rest**5 + (60 * v**2 + 105 * v**3) / rest**7 + 105 * v**4 / rest**8
    if total / rest * left_out <= _ERROR:
        central = (v, third, fourth + 3 * v**2, 10 * third * v,
                   15 * (v**3 + fourth * v) + 10 * third**2)  # fmt: skip
        bend = sum(moment / rest**k for k, moment in enumerate(central, start=2))
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
    mean, variance, *_ = cumulants(*columns)
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
