"""What two random masks share: the exact distribution of their intersection's size, and its mean.

Two masks of the same share overlap even if nothing relates them, so an overlap means little without
its chance level. The random masks keep as many units of every parameter as the given ones do, drawn
independently and uniformly:

1. In a parameter of n units, of which the first mask keeps a and the second b, the number of units
   that both keep is hypergeometric: P(i) = C(a, i) · C(n − a, b − i) / C(n, b).
2. The size I of the whole intersection is the sum over parameters, which are independent. Its
   distribution is the convolution of theirs, computed as a product of Fourier transforms
   (`intersection`): arrays of as many numbers as I has likely values.
3. The Jaccard index of two random masks is I / (|a| + |b| − I). For large masks its mean follows
   from the first four cumulants of I, which are sums over parameters (`cumulants`), without the
   distribution; for small masks it is summed over the distribution (`mean_jaccard`).
"""

import math
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

import numpy as np

Size = tuple[int, int, int]
"""(n, a, b): the units of a parameter, those the first mask keeps, those the second keeps."""

_TAIL = 12.0
"""Standard deviations around the mean of I that are computed; values outside have a probability
below 1e-30."""
_ERROR = 1e-12
"""The largest truncation error of the series in `mean_jaccard`."""


class Cumulants(NamedTuple):
    """The first four cumulants of the intersection's size; the third is its third moment, too."""

    mean: float
    variance: float
    third: float
    fourth: float


def cumulants(units: np.ndarray, first: np.ndarray, second: np.ndarray) -> Cumulants:
    """The cumulants of the intersection's size: sums of the parameters' hypergeometric ones.

    Args:
        units: (parameters,) numbers of units.
        first: (parameters,) how many of them the first mask keeps.
        second: (parameters,) how many of them the second mask keeps.

    Returns:
        Mean, variance, third and fourth cumulant of |a ∩ b|.
    """
    n, a, b = (array.astype(np.float64) for array in (units, first, second))
    variance = _quotient(a * b * (n - a) * (n - b), n * n * (n - 1))
    fourth = n * (n + 1) - 6 * a * (n - a) - 6 * b * (n - b) + 6 * variance * (5 * n - 6)
    # up to three units let at most one number vary by one
    fourth = np.where(n > 3, _quotient(fourth, (n - 2) * (n - 3)), 1 - 6 * variance)
    return Cumulants(
        float(_quotient(a * b, n).sum()),
        float(variance.sum()),
        float((variance * _quotient((n - 2 * a) * (n - 2 * b), n * (n - 2))).sum()),
        float((variance * fourth).sum()),
    )


def _quotient(dividend: np.ndarray, divisor: np.ndarray) -> np.ndarray:
    """The quotient; 0 where the divisor is, in parameters too small for anything to vary."""
    return np.divide(dividend, divisor, out=np.zeros_like(dividend), where=divisor > 0)


def mean_jaccard(units: np.ndarray, first: np.ndarray, second: np.ndarray) -> float | None:
    """The mean Jaccard index of two random masks, E[I / (|a| + |b| − I)].

    With S = |a| + |b|, m = E[I] and r = S − m the index is S / r · Σ_k ((I − m) / r)^k − 1. For
    large masks few terms suffice. I is a sum of independent Bernoulli numbers (as every
    hypergeometric number is), so its cumulants hardly exceed its variance v, which bounds the
    truncation error. For small masks the mean is summed over the distribution of I.

    Args:
        units: (parameters,) numbers of units.
        first: (parameters,) how many of them the first mask keeps.
        second: (parameters,) how many of them the second mask keeps.

    Returns:
        The mean, with an error of about 1e-12; None if both masks are empty.
    """
    total = int(first.sum() + second.sum())
    if not total:
        return None
    mean, v, third, fourth = cumulants(units, first, second)
    rest = total - mean
    error = v / rest**5 + (60 * v**2 + 105 * v**3) / rest**7 + 105 * v**4 / rest**8
    if total / rest * error <= _ERROR:
        central = (v, third, fourth + 3 * v**2, 10 * third * v,
                   15 * (v**3 + fourth * v) + 10 * third**2)  # fmt: skip
        correction = sum(moment / rest**k for k, moment in enumerate(central, start=2))
        return float(total / rest * (1 + correction) - 1)
    sizes = Counter(zip(units.tolist(), first.tolist(), second.tolist(), strict=True))
    return _summed_jaccard(frozenset(sizes.items()), total)


@lru_cache(maxsize=4096)
def _summed_jaccard(sizes: frozenset[tuple[Size, int]], total: int) -> float:
    """The mean summed over the distribution; cached, for masks of equal shares repeat sizes."""
    values, probabilities = intersection(dict(sizes))
    return float(np.sum(probabilities * values / (total - values)))


def intersection(sizes: Mapping[Size, int]) -> tuple[np.ndarray, np.ndarray]:
    """The distribution of the intersection's size.

    The sum of independent numbers has the product of their Fourier transforms. The transform is
    cyclic; its length is that of the support, or `_TAIL` standard deviations to each side.

    Args:
        sizes: (n, a, b) → how many parameters of that size there are.

    Returns:
        Possible sizes (values,) in ascending order, and their probabilities (values,).
    """
    columns = np.array([size for size, repeats in sizes.items() for _ in range(repeats)]).T
    mean, variance, *_ = cumulants(*columns)
    minimum = sum(times * max(0, a + b - n) for (n, a, b), times in sizes.items())
    maximum = sum(times * min(a, b) for (n, a, b), times in sizes.items())
    reach = _TAIL * math.sqrt(variance) + _TAIL
    low, high = max(minimum, math.floor(mean - reach)), min(maximum, math.ceil(mean + reach))
    length = high - low + 1
    transform = np.ones(length // 2 + 1, dtype=np.complex128)
    for (n, a, b), times in sizes.items():
        start, probabilities = _hypergeometric(n, a, b)
        circle = np.zeros(length)
        np.add.at(circle, (start + np.arange(len(probabilities))) % length, probabilities)
        transform *= np.fft.rfft(circle) ** times
    probabilities = np.clip(np.fft.irfft(transform, n=length), 0, None)
    values = np.arange(low, high + 1)
    probabilities = probabilities[values % length]
    return values, probabilities / probabilities.sum()


def _hypergeometric(n: int, a: int, b: int) -> tuple[int, np.ndarray]:
    """The probabilities of the intersection of an a-set and a b-set among n units.

    From the ratios of neighbouring probabilities, relative to the mode, so that nothing under- or
    overflows. `scipy.stats.hypergeom.pmf` takes seconds for 30,000 units, this a millisecond.

    Returns:
        The smallest possible size, and the probabilities of it and of the sizes that follow.
    """
    low, high = max(0, a + b - n), min(a, b)
    values = np.arange(low, high, dtype=np.float64)
    ratios = ((a - values) * (b - values)) / ((values + 1) * (n - a - b + values + 1))
    logarithms = np.concatenate([[0.0], np.cumsum(np.log(ratios))])
    probabilities = np.exp(logarithms - logarithms.max())
    return low, probabilities / probabilities.sum()
