"""How much two masks overlap, beside how much two masks drawn by chance would.

Chance: masks that keep as many units of each parameter as the given ones, drawn independently and
uniformly (`fggm_lab.masks.chance`).
"""

from collections.abc import Callable, Mapping
from typing import Any

from fggm_lab.masks.mask import Mask
from fggm_lab.masks.pairs import Pair, count

Measure = Callable[[Mask, Mask], float | None]


def _pair(a: Mask, b: Mask) -> Pair:
    return count([a, b]).pair(0, 1)


def jaccard(a: Mask, b: Mask) -> float | None:
    """|a ∩ b| / |a ∪ b|, in 0..1; None if both are empty."""
    return _pair(a, b).jaccard


def overlap_coefficient(a: Mask, b: Mask) -> float | None:
    """|a ∩ b| / min(|a|, |b|), in 0..1; None if one is empty."""
    return _pair(a, b).overlap


def expected_jaccard(a: Mask, b: Mask) -> float | None:
    """The mean Jaccard index of chance masks with the same count in every parameter.

    E[I / (|a| + |b| − I)] over the exact distribution of I, to about 1e-12; None if both are empty.
    For large masks of shares p and q it tends to pq / (p + q − pq): 0.176 for 30 % and 30 %.
    """
    return _pair(a, b).expected_jaccard


def expected_overlap(a: Mask, b: Mask) -> float | None:
    """The mean overlap coefficient of chance masks with the same count in every parameter.

    E[I] / min(|a|, |b|); None if one is empty. Where every parameter keeps the same share it is the
    larger of both masks' shares: 0.3 for 30 % and 30 %.
    """
    return _pair(a, b).expected_overlap


def z_score(a: Mask, b: Mask) -> float | None:
    """How many standard deviations |a ∩ b| lies above chance; None where chance has no spread."""
    return _pair(a, b).z


def per_layer(a: Mask, b: Mask) -> list[dict[str, Any]]:
    """Overlap within each layer.

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
    """`measure` of every pair of masks, in the mapping's order, rows and columns alike."""
    found = list(masks.values())
    return [[measure(row, column) for column in found] for row in found]
