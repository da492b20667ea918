"""How much two masks overlap, and how much two random masks would.

Random masks here are masks that keep as many units of each parameter as the given ones, drawn
independently and uniformly (`fggm_lab.masks.chance`).
"""

from collections.abc import Callable, Mapping
from typing import Any

from fggm_lab.masks.mask import Mask
from fggm_lab.masks.pairs import Pair, count

Measure = Callable[[Mask, Mask], float | None]


def _pair(a: Mask, b: Mask) -> Pair:
    return count([a, b]).pair(0, 1)


def jaccard(a: Mask, b: Mask) -> float | None:
    """|a ∩ b| / |a ∪ b|, from 0 to 1; None if both are empty."""
    return _pair(a, b).jaccard


def overlap_coefficient(a: Mask, b: Mask) -> float | None:
    """|a ∩ b| / min(|a|, |b|), from 0 to 1; None if one is empty."""
    return _pair(a, b).overlap


def expected_jaccard(a: Mask, b: Mask) -> float | None:
    """The mean Jaccard index of random masks with the same count in every parameter.

    For large masks of shares p and q it tends to pq / (p + q − pq): 0.176 for 30 % and 30 %.

    Args:
        a: a mask.
        b: another mask of the same model.

    Returns:
        E[I / (|a| + |b| − I)], I the size of the intersection, with an error of about 1e-12; None
        if both masks are empty.

    Raises:
        SettingError: the masks do not name the same units.
    """
    return _pair(a, b).expected_jaccard


def expected_overlap(a: Mask, b: Mask) -> float | None:
    """The mean overlap coefficient of random masks with the same count in every parameter.

    Where every parameter keeps the same share it is the larger of both masks' shares: 0.3 for 30 %
    and 30 %.

    Args:
        a: a mask.
        b: another mask of the same model.

    Returns:
        E[I] / min(|a|, |b|), I the size of the intersection; None if one mask is empty.

    Raises:
        SettingError: the masks do not name the same units.
    """
    return _pair(a, b).expected_overlap


def z_score(a: Mask, b: Mask) -> float | None:
    """How many standard deviations |a ∩ b| is above its mean under chance; None if that is 0."""
    return _pair(a, b).z


def per_layer(a: Mask, b: Mask) -> list[dict[str, Any]]:
    """Overlap within each layer.

    Args:
        a: a mask.
        b: another mask of the same model.

    Returns:
        One row per layer, in order, then one for what lies outside the layers (layer None):
        layer, units, jaccard, expected (the Jaccard index by chance), overlap (coefficient),
        expected_overlap, z.
    """
    counts = count([a, b])
    rows = []
    for layer in counts.layers:
        pair = counts.of_layer(layer).pair(0, 1)
        rows.append(
            {
                "layer": layer,
                "units": int(pair.units.sum()),
                "jaccard": pair.jaccard,
                "expected": pair.expected_jaccard,
                "overlap": pair.overlap,
                "expected_overlap": pair.expected_overlap,
                "z": pair.z,
            }
        )
    return rows


def matrix(masks: Mapping[str, Mask], measure: Measure = jaccard) -> list[list[float | None]]:
    """A measure of every pair of masks.

    Args:
        masks: name → mask, all of one model.
        measure: a function of two masks.

    Returns:
        (masks, masks) values; rows and columns in the mapping's order.
    """
    return [[measure(row, column) for column in masks.values()] for row in masks.values()]
