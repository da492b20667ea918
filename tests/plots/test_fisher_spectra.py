"""Fisher spectra show the scores' own numbers, and the cut agrees with the mask."""

import numpy as np
import pytest
import torch

from fggm_lab.errors import SettingError
from fggm_lab.masks import Mask
from fggm_lab.plots import caption_of, describe, fisher_spectra
from fggm_lab.plots.fisher_spectra import KEEPS, MAX_POINTS
from tests.support.records import made_scores


def part(figure, name):  # type: ignore[no-untyped-def]
    """The one trace that plays a part."""
    return next(t for t in figure.data if t.meta == {"part": name})


def test_each_curve_holds_the_sorted_scores_of_its_parameter() -> None:
    scores = made_scores()
    figure = fisher_spectra(scores)
    curves = [t for t in figure.data if "module" in t.meta]
    assert len(curves) == len(scores.units)
    for curve, units in zip(curves, scores.units.values(), strict=True):
        ordered = np.sort(units.double().numpy())[::-1]
        positions = np.rint(np.array(curve.x) * len(ordered)).astype(int) - 1
        assert np.array_equal(curve.y, ordered[positions])
        assert curve.y[0] == ordered[0] and curve.y[-1] == ordered[ordered > 0][-1]


def test_a_large_model_stays_within_the_points_a_browser_likes() -> None:
    figure = fisher_spectra(made_scores(layers=60), controls=False)
    assert sum(len(t.x) for t in figure.data if "module" in t.meta) <= MAX_POINTS
    assert "maximum, median and minimum" in caption_of(figure)


def test_zeros_end_a_curve_and_are_counted_in_the_caption() -> None:
    scores = made_scores()
    figure = fisher_spectra(scores)
    assert all(min(t.y) > 0 for t in figure.data if "module" in t.meta)
    embedding = figure.data[0]
    assert embedding.x[-1] == pytest.approx(60 / 96)
    assert "36 of 4,576 units (0.8 %) score exactly 0" in caption_of(figure)


@pytest.mark.parametrize("keep", [0.05, 0.3, 1.0])
def test_the_global_cut_is_the_lowest_score_that_moves(keep: float) -> None:
    scores = made_scores()
    mask = Mask.top(scores, keep, "global")
    lowest = min(float(scores.units[n][b].min()) for n, b in mask.units.items() if b.any())
    cut = part(fisher_spectra(scores, keep, "global"), "cut-global")
    assert cut.visible and list(cut.y) == [lowest or None] * 2


def test_the_cut_within_layers_stands_at_the_keep_share() -> None:
    figure = fisher_spectra(made_scores(), 0.2, "parameter")
    assert list(part(figure, "cut-parameter").x) == [0.2, 0.2]
    assert part(figure, "cut-parameter").visible and not part(figure, "cut-global").visible


def test_the_slider_holds_what_each_keep_share_would_show() -> None:
    scores = made_scores()
    figure = fisher_spectra(scores, 0.3, "global")
    steps = figure.layout.sliders[0].steps
    assert [step.label for step in steps] == [f"{round(k * 100)} %" for k in KEEPS]
    changes, targets = steps[1].args
    other = fisher_spectra(scores, KEEPS[1], "global")
    for key in ("x", "y"):
        for values, index in zip(changes[key], targets, strict=True):
            assert list(values) == list(other.data[index][key])


def test_the_words_name_the_cut_and_every_layer() -> None:
    text = describe(fisher_spectra(made_scores("FOMC"), 0.3, "global"))
    assert "4,576 units" in text and "keep share of 30 %" in text
    assert all(f"layer {n} " in text for n in range(4)) and "outside layers" in text


def test_scores_that_are_all_zero_can_be_drawn() -> None:
    scores = made_scores()
    for units in scores.units.values():
        units.zero_()
    assert "all of them 0" in describe(fisher_spectra(scores))
    assert fisher_spectra(scores).data


def test_double_precision_and_single_units_can_be_drawn() -> None:
    scores = made_scores()
    scores.units["model.norm.weight"] = torch.tensor([2.0], dtype=torch.float64)
    assert fisher_spectra(scores).data


def test_a_keep_share_outside_its_range_is_refused() -> None:
    for keep in (0, 1.01):
        with pytest.raises(SettingError, match="keep"):
            fisher_spectra(made_scores(), keep)
    with pytest.raises(SettingError, match="scope"):
        fisher_spectra(made_scores(), 0.3, "row")  # type: ignore[arg-type]
