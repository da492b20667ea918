"""The shares per layer count what the mask keeps."""

import pytest

from fggm_lab.masks import Mask, Scope
from fggm_lab.plots import share_per_layer
from tests.support.records import made_scores


@pytest.mark.parametrize("scope", ["parameter", "global"])
def test_shares_add_up_to_the_mask(scope: Scope) -> None:
    scores = made_scores()
    rows = share_per_layer(scores, 0.3, scope)
    mask = Mask.top(scores, 0.3, scope)
    assert sum(row.moved for row in rows) == mask.count
    assert sum(row.units for row in rows) == scores.unit_count
    assert [r.layer for r in rows] == [*(f"layer {n}" for n in range(4)), "outside layers"]


def test_a_layer_counts_its_own_parameters() -> None:
    scores = made_scores()
    mask = Mask.top(scores, 0.3, "global")
    moved = sum(int(b.sum()) for n, b in mask.units.items() if ".layers.2." in n)
    row = share_per_layer(scores, 0.3, "global")[2]
    assert (row.moved, row.share) == (moved, moved / row.units)
