"""Overlap and its chance level, against counting, enumeration and simulation."""

import math
from itertools import combinations

import numpy as np
import pytest

from fggm_lab.masks import (
    Mask,
    chance,
    expected_jaccard,
    expected_overlap,
    jaccard,
    matrix,
    overlap_coefficient,
    per_layer,
    z_score,
)
from fggm_lab.masks.pairs import count
from tests.support.masks import mask_of, mask_with_counts


def test_measures_by_hand() -> None:
    a, b = mask_of(p=[1, 1, 0, 0], q=[1, 0]), mask_of(p=[1, 0, 1, 1], q=[1, 0])
    assert jaccard(a, b) == 2 / 5
    assert overlap_coefficient(a, b) == 2 / 3
    assert jaccard(a, a) == 1
    empty = mask_of(p=[0, 0, 0, 0], q=[0, 0])
    assert jaccard(empty, empty) is None and expected_jaccard(empty, empty) is None
    assert overlap_coefficient(a, empty) is None and z_score(a, empty) is None
    assert expected_overlap(a, empty) is None


def test_chance_level_by_enumeration() -> None:
    """Two parameters, of 5 and 4 units; every pair of masks with the same counts."""
    jaccards, smaller, sizes = [], [], ((5, 2, 3), (4, 1, 2))
    for first in combinations(range(5), 3):
        for two in combinations(range(4), 2):
            both = len({0, 1} & set(first)) + len({0} & set(two))
            jaccards.append(both / (3 + 5 - both))
            smaller.append(both / 3)
    a = mask_with_counts([(n, first) for n, first, _ in sizes])
    b = mask_with_counts([(n, second) for n, _, second in sizes])
    assert expected_jaccard(a, b) == pytest.approx(np.mean(jaccards), rel=1e-12)
    assert expected_overlap(a, b) == pytest.approx(np.mean(smaller), rel=1e-12)


def test_chance_level_and_spread_by_simulation() -> None:
    a, b = (
        mask_with_counts([(40, 12), (7, 2), (300, 20)]),
        mask_with_counts([(40, 20), (7, 7), (300, 90)]),
    )
    draw = np.random.default_rng(0)
    overlaps = np.zeros(40_000)
    for name, bits in a.units.items():
        n, first, second = len(bits), int(bits.sum()), int(b.units[name].sum())
        overlaps += draw.hypergeometric(first, n - first, second, size=len(overlaps))
    simulated = overlaps / (a.count + b.count - overlaps)
    error = simulated.std() / np.sqrt(len(overlaps))
    assert abs(expected_jaccard(a, b) - simulated.mean()) < 4 * error
    both = sum(int((bits & b.units[name]).sum()) for name, bits in a.units.items())
    expected_z = (both - overlaps.mean()) / overlaps.std()
    assert z_score(a, b) == pytest.approx(expected_z, rel=0.05)


def test_chance_level_of_large_masks_is_the_known_176() -> None:
    sizes = [(100_000 + i, 30_000 + i) for i in range(60)]
    assert expected_jaccard(mask_with_counts(sizes), mask_with_counts(sizes)) == pytest.approx(
        0.1765, abs=2e-4
    )


@pytest.mark.parametrize(
    "sizes",
    [
        [(40_000, 12_000, 11_000), (9_000, 300, 8_000), (5_000, 4_999, 2_500)],
        [(50_000, 15_000, 15_000)] * 4,
        [(900, 270, 250), (300, 90, 100), (300, 299, 3), (90, 45, 45)] * 8,
        [(4_000, 300, 240), (2_000, 3, 5)],
        [(90_000, 1_100, 900), (2, 1, 1), (1, 1, 0), (3, 0, 3)] + [(30_000, 1_000, 2_000)] * 3,
    ],
)
def test_the_series_for_large_masks_agrees_with_the_sum_over_the_distribution(
    sizes: list[tuple[int, int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    columns = np.array(sizes).T
    with monkeypatch.context() as patch:
        patch.setattr(chance, "_summed_jaccard", None)  # not asked for
        series = chance.mean_jaccard(*columns)
    monkeypatch.setattr(chance, "_ERROR", -math.inf)
    assert chance.mean_jaccard(*columns) == pytest.approx(series, abs=1e-11)


def test_cumulants_are_those_of_the_distribution() -> None:
    sizes = {(40, 12, 20): 1, (7, 2, 7): 2, (30, 29, 3): 1, (4, 1, 2): 1, (3, 2, 2): 2,
             (2, 1, 1): 3, (1, 1, 1): 1}  # fmt: skip
    values, chances = chance.intersection(sizes)
    columns = np.array([size for size, times in sizes.items() for _ in range(times)]).T
    cumulants = chance.cumulants(*columns)
    mean = float(chances @ values)
    central = [float(chances @ (values - mean) ** power) for power in (2, 3, 4)]
    truth = [mean, *central[:2], central[2] - 3 * central[0] ** 2]
    assert list(cumulants) == pytest.approx(truth, rel=1e-9, abs=1e-9)


def test_masks_counted_together_give_what_two_by_two_gives() -> None:
    names = ["model.embed.weight", "model.layers.0.w", "model.layers.1.w", "model.layers.1.v"]
    like = mask_of(**{name: [0] * 60 for name in names})
    masks = [Mask.random(like, 0.4, "global", seed=seed) for seed in range(4)]
    counts = count(masks)
    assert counts.layers == [0, 1, None]
    for layer, layer_names in ((0, names[1:2]), (1, names[2:]), (None, names[:1])):
        a, b = masks[3].restricted(layer_names), masks[1].restricted(layer_names)
        pair = counts.of_layer(layer).pair(3, 1)
        assert (pair.jaccard, pair.z) == (jaccard(a, b), z_score(a, b))
        assert (pair.overlap, pair.expected_overlap) == (
            overlap_coefficient(a, b), expected_overlap(a, b),
        )  # fmt: skip
        assert pair.expected_jaccard == expected_jaccard(a, b)


def test_random_masks_lie_at_chance() -> None:
    like = mask_with_counts([(2000, 1)] * 10)
    a, b = Mask.random(like, 0.3, seed=1), Mask.random(like, 0.3, seed=2)
    assert abs(z_score(a, b)) < 4  # type: ignore[arg-type]
    assert jaccard(a, b) == pytest.approx(expected_jaccard(a, b), abs=0.02)


def test_per_layer_and_matrix() -> None:
    names = ["model.embed.weight", "model.layers.0.w", "model.layers.1.w", "model.layers.1.v"]
    like = mask_of(**{name: [0] * 50 for name in names})
    masks = {f"t{seed}": Mask.random(like, 0.4, seed=seed) for seed in range(3)}
    a, b = masks["t0"], masks["t1"]
    rows = per_layer(a, b)
    assert [(row["layer"], row["units"]) for row in rows] == [(0, 50), (1, 100), (None, 50)]
    assert rows[1]["jaccard"] == jaccard(a.restricted(names[2:]), b.restricted(names[2:]))
    table = matrix(masks)
    assert [table[i][i] for i in range(3)] == [1, 1, 1] and table[0][1] == table[1][0]
    assert matrix(masks, expected_jaccard)[0][1] == pytest.approx(0.25, abs=0.01)
