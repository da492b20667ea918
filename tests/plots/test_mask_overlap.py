"""The overlap figure shows the indices of the masks, and of chance beside them."""

from itertools import combinations

import numpy as np
import pytest
import torch

from fggm_lab.errors import SettingError
from fggm_lab.masks import Mask, MaskInfo, expected_overlap, overlap_coefficient, z_score
from fggm_lab.plots import caption_of, describe, mask_overlap
from fggm_lab.plots.mask_overlap import OUTSIDE_LAYERS
from tests.support.records import TASKS, made_masks, made_scores


def by_hand(a: Mask, b: Mask, within: str = "") -> float:
    """|a ∩ b| / |a ∪ b| with Python sets."""

    def kept_units(mask: Mask) -> set[tuple[str, int]]:
        kept_indices = {n: bits.nonzero().flatten().tolist() for n, bits in mask.units.items()}
        return {
            (name, i) for name, indices in kept_indices.items() if within in name for i in indices
        }

    left, right = kept_units(a), kept_units(b)
    return len(left & right) / len(left | right)


def test_cells_are_the_jaccard_indices() -> None:
    masks = made_masks()
    figure = mask_overlap(masks)
    table = figure.data[0].z
    for i, a in enumerate(TASKS):
        for j, b in enumerate(TASKS):
            if i == j:
                assert table[i][j] is None
            else:
                assert table[i][j] == pytest.approx(by_hand(masks[a], masks[b]))
                assert figure.data[0].text[i][j] == f"{table[i][j]:.2f}"[1:]


def test_chance_stands_beside_on_the_same_scale() -> None:
    figure = mask_overlap(made_masks())
    assert figure.data[0].coloraxis == figure.data[1].coloraxis == "coloraxis"
    assert (figure.layout.coloraxis.cmin, figure.layout.coloraxis.cmax) == (0, 1)
    for i in range(8):
        for j in range(i):
            assert figure.data[1].z[i][j] == pytest.approx(0.3 / 1.7, abs=0.005)


def test_a_layer_counts_its_units_alone_and_the_list_offers_it() -> None:
    masks = made_masks(TASKS[:3])
    alone = mask_overlap(masks, layer=2)
    expected = by_hand(masks["FOMC"], masks["C-STANCE"], ".layers.2.")
    assert alone.data[0].z[1][0] == pytest.approx(expected)
    buttons = {b.label: b.args for b in mask_overlap(masks).layout.updatemenus[0].buttons}
    assert list(buttons) == ["whole model", *(f"layer {n}" for n in range(4)), "outside layers"]
    assert buttons["layer 2"][0]["z"][0][1][0] == pytest.approx(expected)


def test_the_overlap_coefficient_divides_by_the_smaller_mask() -> None:
    masks = made_masks(TASKS[:3])
    masks["Small"] = Mask.top(made_scores(seed=9), 0.1)
    figure = mask_overlap(masks, measure="overlap")
    for i, a in enumerate(masks.values()):
        for j, b in enumerate(masks.values()):
            if i == j:
                continue
            measured, expected = figure.data[0].z[i][j], figure.data[1].z[i][j]
            assert measured == overlap_coefficient(a, b) == (a & b).count / min(a.count, b.count)
            assert expected == expected_overlap(a, b)
    assert figure.data[1].z[3][0] == pytest.approx(0.3, abs=0.01)  # the larger mask's share
    assert figure.layout.coloraxis.colorbar.title.text == "overlap coefficient"
    assert "over units of the smaller mask" in caption_of(figure)
    assert "the overlap coefficient is" in describe(mask_overlap(masks, measure="overlap"))


def test_every_cell_says_its_z_score_and_the_words_their_mean() -> None:
    masks = made_masks(TASKS[:3])
    figure = mask_overlap(masks)
    pairs = list(combinations(range(3), 2))
    for i, j in pairs:
        z = z_score(masks[TASKS[i]], masks[TASKS[j]])
        for panel in figure.data:
            assert f"z = {z:+.1f} standard deviations" in panel.customdata[i][j]
    mean = np.mean([z_score(masks[TASKS[i]], masks[TASKS[j]]) for i, j in pairs])
    assert f"lie {mean:+.1f} standard deviations from chance on average" in describe(
        mask_overlap(masks)
    )


def test_what_lies_outside_the_layers_can_be_asked_for() -> None:
    masks = made_masks(TASKS[:2])
    names = [n for n in masks["FOMC"].names if "layers" not in n]
    inside = {task: mask.restricted(names) for task, mask in masks.items()}
    outside = mask_overlap(masks, layer=OUTSIDE_LAYERS)
    assert outside.data[0].z[1][0] == pytest.approx(by_hand(inside["FOMC"], inside["C-STANCE"]))


def test_the_words_name_the_closest_pair() -> None:
    masks = made_masks(TASKS[:3])
    masks["Twin"] = masks["FOMC"]
    text = describe(mask_overlap(masks))
    assert "4 tasks" in text and "Closest: FOMC and Twin, 1.00" in text


def test_empty_masks_are_no_number() -> None:
    none = Mask({"w": torch.zeros(4, dtype=torch.bool)}, {"w": 0}, MaskInfo(0.3, "layer", "top"))
    figure = mask_overlap({"a": none, "b": none})
    assert figure.data[0].z[1][0] is None
    assert "fewer than two masks keep a unit" in describe(mask_overlap({"a": none, "b": none}))


def test_one_mask_and_unknown_layers_are_refused() -> None:
    with pytest.raises(SettingError, match="two tasks"):
        mask_overlap(made_masks(TASKS[:1]))
    with pytest.raises(SettingError, match="no layer 9"):
        mask_overlap(made_masks(TASKS[:2]), layer=9)
    with pytest.raises(SettingError, match="measure is 'dice'; choose one of: jaccard, overlap"):
        mask_overlap(made_masks(TASKS[:2]), measure="dice")  # type: ignore[arg-type]
