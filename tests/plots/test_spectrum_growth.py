"""Growth of a spectrum: totals and quantiles of the units at each step, in order."""

import numpy as np
import pytest
import torch

from fggm_lab.errors import SettingError
from fggm_lab.fisher.scores import FisherScores
from fggm_lab.plots import caption_of, describe, description_of, spectrum_growth
from fggm_lab.plots.spectrum_growth import QUANTILES
from tests.support.records import made_scores


def along() -> dict[int, FisherScores]:
    """Scores that halve with every step; steps out of order."""
    return {
        step: scaled(made_scores("FOMC"), 2.0**-halvings)
        for halvings, step in [(2, 40), (0, 0), (1, 20)]
    }


def scaled(scores: FisherScores, factor: float) -> FisherScores:
    scores.units = {name: units * factor for name, units in scores.units.items()}
    return scores


def test_lines_hold_totals_and_quantiles_in_the_order_of_steps() -> None:
    scores = along()
    lines = {t.name: t for t in spectrum_growth(scores).data}
    for name, level in {**QUANTILES, "total score": None}.items():
        assert list(lines[name].x) == [0, 20, 40]
        for step, y in zip(lines[name].x, lines[name].y, strict=True):
            values = torch.cat(list(scores[step].units.values())).double()
            truth = values.sum() if level is None else values.quantile(level)
            assert y == pytest.approx(float(truth))
    assert list(lines["total score"].y) == pytest.approx(
        [lines["total score"].y[0] * f for f in (1, 0.5, 0.25)]
    )


def test_words_compare_the_first_and_the_last_step() -> None:
    scores = along()
    figure = spectrum_growth(scores)
    text = describe(spectrum_growth(scores))
    assert description_of(figure) == text
    assert f"at step 0 the total score is {scores[0].total:.2e}" in text
    assert f"at step 40 the total score is {scores[40].total:.2e}" in text
    assert figure.layout.meta["title"] == "Growth of the Fisher spectrum: FOMC"
    assert spectrum_growth(scores, "Py150").layout.meta["title"].endswith("Py150")
    assert "step 0: before the task" in caption_of(figure)


def test_a_quantile_of_zero_is_a_gap() -> None:
    scores = along()
    for units in scores[20].units.values():
        units.zero_()
    figure = spectrum_growth(scores)
    assert next(t for t in figure.data if t.name == "median unit").y[1] is None
    assert "a score of exactly 0" in caption_of(figure)


def test_a_rise_and_fall_is_told() -> None:
    scores = {0: made_scores(), 10: scaled(made_scores(), 5), 20: scaled(made_scores(), 2)}
    assert f"the total is highest at step 10, {scores[10].total:.2e}" in describe(
        spectrum_growth(scores)
    )


def test_many_steps_are_thinned_and_counted() -> None:
    tiny = FisherScores({"w": torch.tensor([1.0, 2.0])}, {"w": 0}, None, made_scores().info)
    figure = spectrum_growth(dict.fromkeys(range(3000), tiny))
    assert sum(len(t.x) for t in figure.data) <= 5000
    assert (figure.data[0].x[0], figure.data[0].x[-1]) == (0, 2999)
    assert f"{len(figure.data[0].x):,} of 3,000 steps are drawn" in caption_of(figure)
    assert np.all(np.diff(figure.data[0].x) > 0)


def test_nothing_to_draw_is_said() -> None:
    with pytest.raises(SettingError, match="--fisher-points"):
        spectrum_growth({})
