"""Histograms count every unit above 0 once, in the bin its score lies in."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch

from fggm_lab.errors import DataError, SettingError
from fggm_lab.plots import caption_of, describe, description_of, score_histograms
from fggm_lab.plots.score_histograms import bins_of, counted
from tests.support.records import made_scores


def count_by_hand(values, low: float, high: float) -> int:  # type: ignore[no-untyped-def]
    return sum(low <= float(v) < high for v in values)


def test_the_outline_of_all_units_counts_them() -> None:
    scores = made_scores("FOMC")
    values = torch.cat(list(scores.units.values())).double()
    outline = score_histograms(scores).data[0]
    for share, (count, low, high) in zip(outline.y, outline.customdata, strict=True):
        assert count == count_by_hand(values, low, high)
        assert share == pytest.approx(count / len(values))
    assert sum(outline.y) == pytest.approx(float((values > 0).double().mean()))
    assert outline.y[0] == outline.y[-1] == 0  # the outline closes


def test_rows_hold_a_layers_and_a_modules_own_units() -> None:
    scores = made_scores()
    figure = score_histograms(scores)
    edges = np.append(figure.data[0].customdata[:, 1], figure.data[0].customdata[-1, 2])
    layers, modules = figure.data[1], figure.data[2]
    rows = [
        (layers, "layer 2", [n for n in scores.names if ".layers.2." in n]),
        (modules, "gate_proj", [n for n in scores.names if "gate_proj" in n]),
        (modules, "v_proj.bias", [n for n in scores.names if "v_proj.bias" in n]),
        (layers, "outside layers", ["model.embed_tokens.weight", "model.norm.weight"]),
    ]
    for trace, label, names in rows:
        row = list(trace.y).index(label)
        values = torch.cat([scores.units[n] for n in names]).double().numpy()
        truth, _ = np.histogram(values[values > 0], edges)
        assert [cell[0] for cell in trace.customdata[row]] == truth.tolist()
        shown = [z or 0 for z in trace.z[row]]
        np.testing.assert_allclose(shown, truth / len(values))
    assert len(layers.y) == 5 and len(modules.y) == 10


def test_bins_are_the_narrowest_that_fit_and_hold_what_lies_on_an_edge() -> None:
    values = np.array([100.0, 10.0, 1.0, 0.0])
    bins = bins_of([values], 30)
    assert bins.width == 0.1 and len(bins.middles) <= 30
    assert bins.edges[0] < 1 and bins.edges[-1] > 100
    assert counted(values, bins).sum() == 3
    assert bins_of([values], 6).width == 1
    wide = np.array([3e38, 1e-45])
    assert len(bins_of([wide], 6).middles) <= 6
    assert math.isfinite(bins_of([wide], 80).edges[-1])


def test_several_scores_are_overlaid_and_told_apart_without_colour() -> None:
    scores = {str(i): made_scores(seed=i) for i in range(8)}
    figure = score_histograms(scores)
    assert [t.name for t in figure.data] == list(scores)
    assert len({tuple(t.x) for t in figure.data}) == 1
    styles = [(t.line.color, t.line.dash) for t in figure.data]
    assert all(a[0] != b[0] and a[1] != b[1] for a, b in pairwise(styles))


def test_zeros_are_counted_in_words() -> None:
    figure = score_histograms(made_scores("FOMC"))
    assert "36 of 4,576 units (0.8 %) score exactly 0" in caption_of(figure)
    assert "0.8 % of the units score" not in caption_of(figure)
    text = describe(score_histograms(made_scores("FOMC")))
    values = np.sort(torch.cat(list(made_scores().units.values())).double().numpy())
    assert f"median score {np.median(values):.1e}" in text and "36 (0.8 %) score exactly 0" in text
    assert description_of(figure) == text


def test_scores_that_are_all_zero_or_all_equal_can_be_drawn() -> None:
    scores = made_scores()
    for value in (0.0, 1.0):
        for units in scores.units.values():
            units.fill_(value)
        assert sum(score_histograms(scores).data[0].y) == pytest.approx(value)


def test_what_cannot_be_drawn_is_said() -> None:
    with pytest.raises(SettingError, match="no Fisher scores"):
        score_histograms({})
    scores = made_scores()
    scores.units["model.norm.weight"][0] = -1
    with pytest.raises(DataError, match="negative"):
        score_histograms(scores)
