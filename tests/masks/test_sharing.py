"""Units shared by several masks and used up by them, against counting, enumeration, simulation."""

from collections.abc import Sequence
from itertools import combinations, product

import numpy as np
import pytest

from fggm_lab.errors import SettingError
from fggm_lab.masks import Mask, expected_jaccard, jaccard, sharing, usage
from tests.support.masks import mask_of, mask_with_counts

SIZES = [(4, (1, 2, 3)), (3, (1, 1, 2)), (1, (0, 1, 1))]
"""Three parameters: their units, and how many of them each of three masks keeps."""


def masks_of(sizes: Sequence[tuple[int, tuple[int, ...]]]) -> dict[str, Mask]:
    """Some masks with these counts."""
    return {
        f"t{t}": mask_with_counts([(n, a[t]) for n, a in sizes]) for t in range(len(sizes[0][1]))
    }


def every_draw() -> list[list[set[tuple[int, int]]]]:
    """Every way to draw the three masks, as sets of (parameter, unit); all equally likely."""
    ways = [
        [
            {(p, unit) for p, chosen in enumerate(choice) for unit in chosen}
            for choice in product(*(combinations(range(n), a[t]) for n, a in SIZES))
        ]
        for t in range(3)
    ]
    return [list(draw) for draw in product(*ways)]


def test_sharing_by_hand() -> None:
    masks = {"a": mask_of(p=[1, 1, 0, 0], q=[1]), "b": mask_of(p=[1, 0, 1, 0], q=[1]),
             "c": mask_of(p=[1, 0, 0, 0], q=[0])}  # fmt: skip
    assert [row["units"] for row in sharing(masks)] == [1, 2, 1, 1]
    assert [row["masks"] for row in sharing(masks)] == [0, 1, 2, 3]
    rows = usage(masks)
    assert [row["task"] for row in rows] == ["a", "b", "c"]
    assert [row["kept"] for row in rows] == [3, 3, 1]
    assert [row["fresh"] for row in rows] == [3, 1, 0]
    assert [row["used"] for row in rows] == [3, 4, 4]


def test_chance_by_enumeration() -> None:
    units = [(p, unit) for p, (n, _) in enumerate(SIZES) for unit in range(n)]
    draws = every_draw()
    shared = np.array([
        np.bincount([sum(unit in mask for mask in draw) for unit in units], minlength=4)
        for draw in draws
    ])  # fmt: skip
    rows = sharing(masks_of(SIZES))
    assert [row["expected"] for row in rows] == pytest.approx(shared.mean(0))
    assert [row["sd"] for row in rows] == pytest.approx(shared.std(0))
    used = np.array([[len(set().union(*draw[: t + 1])) for t in range(3)] for draw in draws])
    grown = usage(masks_of(SIZES))
    assert [row["expected_used"] for row in grown] == pytest.approx(used.mean(0))
    assert [row["sd"] for row in grown] == pytest.approx(used.std(0), abs=1e-9)
    fresh = np.diff(used, axis=1, prepend=0)
    assert [row["expected_fresh"] for row in grown] == pytest.approx(fresh.mean(0))


def test_chance_by_simulation_of_many_masks() -> None:
    sizes = [(60, (18, 6, 30, 18, 55)), (400, (120, 40, 200, 120, 1))]
    draw = np.random.default_rng(0)
    rounds = 3000
    shared = np.zeros((rounds, 6))
    for n, counts in sizes:
        keepers = np.zeros((rounds, n), dtype=int)
        for a in counts:
            order = np.argsort(draw.random((rounds, n)), axis=1)
            keepers += order < a
        shared += [np.bincount(row, minlength=6) for row in keepers]
    rows = sharing(masks_of(sizes))
    for k, row in enumerate(rows):
        error = shared[:, k].std() / rounds**0.5
        assert abs(row["expected"] - shared[:, k].mean()) < 4 * error + 1e-9
        assert row["sd"] == pytest.approx(shared[:, k].std(), rel=0.06)


def test_two_masks_share_what_their_overlap_says() -> None:
    like = mask_of(p=[0] * 900, q=[0] * 100)
    a, b = Mask.random(like, 0.3, seed=1), Mask.random(like, 0.2, seed=2)
    _, _, both = sharing({"a": a, "b": b})
    union = usage({"a": a, "b": b})[-1]
    assert both["units"] / union["used"] == jaccard(a, b)
    ratio = both["expected"] / union["expected_used"]
    assert expected_jaccard(a, b) == pytest.approx(ratio, abs=2e-4)  # a mean of quotients, nearly


def test_every_unit_is_counted_once_and_masks_of_chance_lie_at_chance() -> None:
    like = mask_of(p=[0] * 5000, q=[0] * 50, nothing=[])
    masks = {str(seed): Mask.random(like, 0.3, seed=seed) for seed in range(6)}
    rows = sharing(masks)
    assert sum(row["units"] for row in rows) == 5050
    assert sum(row["expected"] for row in rows) == pytest.approx(5050)
    assert all(abs(row["units"] - row["expected"]) <= 4 * row["sd"] for row in rows)
    grown = usage(masks)
    assert all(abs(r["used"] - r["expected_used"]) <= 4 * r["sd"] + 1e-9 for r in grown)
    assert grown[0]["sd"] == 0 and sum(row["fresh"] for row in grown) == grown[-1]["used"]


def test_no_masks_and_masks_of_two_models_are_refused() -> None:
    with pytest.raises(SettingError, match="no mask to count"):
        sharing({})
    with pytest.raises(SettingError, match="no mask to count"):
        usage({})
    with pytest.raises(SettingError, match="only one of the two masks"):
        sharing({"a": mask_of(p=[1]), "b": mask_of(q=[1])})
    assert [row["units"] for row in sharing({"a": mask_of(p=[])})] == [0, 0]
