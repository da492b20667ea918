"""Overlap along the depth shows each layer's own pairs, beside chance."""

from itertools import combinations
from statistics import fmean

import pytest

from fggm_lab.errors import SettingError
from fggm_lab.masks import Mask, expected_jaccard, jaccard, z_score
from fggm_lab.plots import caption_of, describe, overlap_per_layer
from tests.support.records import TASKS, made_masks, made_scores


def within(mask: Mask, layer: str) -> Mask:
    """The mask over the parameters of one layer, or of none for `outside`."""
    part = f".layers.{layer}."
    names = [n for n in mask.names if (part in n if layer != "outside" else "layers" not in n)]
    return mask.restricted(names)


def test_dots_are_means_and_bars_ranges_over_pairs() -> None:
    masks = made_masks(TASKS[:4])
    measured, chance, z = overlap_per_layer(masks).data
    assert list(measured.x) == list(z.x) == ["0", "1", "2", "3", "outside"]
    for index, layer in enumerate(measured.x):
        pairs = list(combinations([within(mask, layer) for mask in masks.values()], 2))
        for trace, measure in ((measured, jaccard), (z, z_score)):
            values = [measure(a, b) or 0.0 for a, b in pairs]
            assert trace.y[index] == pytest.approx(fmean(values))
            top = trace.y[index] + trace.error_y.array[index]
            bottom = trace.y[index] - trace.error_y.arrayminus[index]
            assert (top, bottom) == (pytest.approx(max(values)), pytest.approx(min(values)))
        expected = fmean(expected_jaccard(a, b) or 0.0 for a, b in pairs)
        assert chance.y[index] == pytest.approx(expected)


def test_hover_names_the_closest_and_the_most_distant_pair() -> None:
    masks = made_masks(TASKS[:2])
    masks["Twin"] = masks["FOMC"]
    hover = overlap_per_layer(masks).data[0].customdata[1]
    assert "highest 1.000: FOMC and Twin" in hover
    assert "lowest" in hover and "units" in hover and "by chance" in hover


def test_layers_without_kept_units_are_blank_and_said() -> None:
    scores = {task: made_scores(task, seed=n) for n, task in enumerate(TASKS[:3])}
    for task_scores in scores.values():
        for name, units in task_scores.units.items():
            if ".layers.2." in name:
                units.zero_()
            elif "layers" not in name:
                units += 1e6
    masks = {task: Mask.top(task_scores, 0.2, "global") for task, task_scores in scores.items()}
    figure = overlap_per_layer(masks)
    assert [y is None for y in figure.data[0].y] == [False, False, True, False, False]
    assert "no mask keeps a unit there: 1 of 5" in caption_of(figure)


def test_words_name_the_layers_where_masks_meet_most_and_least() -> None:
    masks = made_masks(TASKS[:3])
    names = [n for n in masks["FOMC"].names if ".layers.1." in n]
    for mask in masks.values():
        mask.units.update({name: masks["FOMC"].units[name] for name in names})
    text = describe(overlap_per_layer(masks))
    assert "meet most in layer 1, 1.00 (0.18 by chance" in text
    assert "least in layer" in text and "outside layers" in text


def test_one_mask_is_refused_and_two_are_enough() -> None:
    with pytest.raises(SettingError, match="two tasks"):
        overlap_per_layer(made_masks(TASKS[:1]))
    assert "Dots are the two tasks' masks" in caption_of(overlap_per_layer(made_masks(TASKS[:2])))
