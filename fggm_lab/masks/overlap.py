"""How much two masks overlap, beside how much two masks drawn by chance would.

Chance: masks that keep as many units of each parameter as the given ones, drawn independently and
uniformly. Each parameter's intersection is then hypergeometric, and the whole intersection I is a
sum of independent hypergeometric numbers, whose exact distribution is computed here.
"""

import math
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from fggm_lab.fisher.layers import split_name
from fggm_lab.masks.mask import Mask, check_comparable

Measure = Callable[[Mask, Mask], float | None]

_TAIL = 12.0
"""Standard deviations kept around the mean of I; what lies outside has a chance below 1e-30."""


def _counts(a: Mask, b: Mask) -> tuple[int, int, int]:
    """|a|, |b| and |a ∩ b|."""
    check_comparable(a, b)
    both = sum(int((bits & b.units[name]).sum()) for name, bits in a.units.items())
    return a.count, b.count, both


def jaccard(a: Mask, b: Mask) -> float | None:
    """|a ∩ b| / |a ∪ b|, in 0..1; None if both are empty."""
    first, second, both = _counts(a, b)
    union = first + second - both
    return both / union if union else None


def overlap_coefficient(a: Mask, b: Mask) -> float | None:
    """|a ∩ b| / min(|a|, |b|), in 0..1; None if one is empty."""
    first, second, both = _counts(a, b)
    smaller = min(first, second)
    return both / smaller if smaller else None


def expected_jaccard(a: Mask, b: Mask) -> float | None:
    """The mean Jaccard index of chance masks with the same count in every parameter.

    E[I / (|a| + |b| − I)] over the exact distribution of I, to about 1e-12; None if both are empty.
    For large masks of shares p and q it tends to pq / (p + q − pq): 0.176 for 30 % and 30 %.
    """
    check_comparable(a, b)
    total = a.count + b.count
    if not total:
        return None
    values, chances = _intersection(_sizes(a, b))
    return float(np.sum(chances * values / (total - values)))


def z_score(a: Mask, b: Mask) -> float | None:
    """How many standard deviations |a ∩ b| lies above chance; None where chance has no spread."""
    _, _, both = _counts(a, b)
    mean, variance = _moments(_sizes(a, b))
    return (both - mean) / math.sqrt(variance) if variance > 0 else None


def per_layer(a: Mask, b: Mask) -> list[dict[str, Any]]:
    """Overlap within each layer.

    Returns:
        One row per layer, in order, then one for what lies outside the layers (layer None):
        layer, units, jaccard, expected, overlap, z.
    """
    check_comparable(a, b)
    members: dict[int | None, list[str]] = {}
    for name in a.units:
        members.setdefault(split_name(name).layer, []).append(name)
    rows = []
    for layer in sorted(members, key=lambda n: (n is None, n or 0)):
        mine, theirs = a.restricted(members[layer]), b.restricted(members[layer])
        rows.append(
            {
                "layer": layer,
                "units": mine.unit_count,
                "jaccard": jaccard(mine, theirs),
                "expected": expected_jaccard(mine, theirs),
                "overlap": overlap_coefficient(mine, theirs),
                "z": z_score(mine, theirs),
            }
        )
    return rows


def matrix(masks: Mapping[str, Mask], measure: Measure = jaccard) -> list[list[float | None]]:
    """`measure` of every pair of masks, in the mapping's order, rows and columns alike."""
    found = list(masks.values())
    return [[measure(row, column) for column in found] for row in found]


def _sizes(a: Mask, b: Mask) -> Counter[tuple[int, int, int]]:
    """(units, kept by a, kept by b) of each parameter, and how many parameters share them."""
    return Counter(
        (bits.numel(), int(bits.sum()), int(b.units[name].sum())) for name, bits in a.units.items()
    )


def _moments(sizes: Mapping[tuple[int, int, int], int]) -> tuple[float, float]:
    """Mean and variance of the intersection's size under chance."""
    mean = variance = 0.0
    for (n, first, second), times in sizes.items():
        if n:
            mean += times * first * second / n
        if n > 1:
            spread = first * second * (n - first) * (n - second) / (n * n * (n - 1))
            variance += times * spread
    return mean, variance


def _intersection(sizes: Mapping[tuple[int, int, int], int]) -> tuple[np.ndarray, np.ndarray]:
    """The intersection's possible sizes and their chances.

    Sums of independent numbers have the product of their Fourier transforms; the circle on which
    the sum is taken is as long as the support, or as `_TAIL` standard deviations each way.
    """
    mean, variance = _moments(sizes)
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
