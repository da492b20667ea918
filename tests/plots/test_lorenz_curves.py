"""Lorenz curves hold the shares that counting gives."""

import numpy as np
import pytest

from fggm_lab.errors import SettingError
from fggm_lab.fisher.concentration import all_units, gini
from fggm_lab.plots import caption_of, describe, description_of, lorenz_curves
from fggm_lab.plots.lorenz_curves import MAX_POINTS, share_held
from tests.support.records import made_scores


def test_each_point_is_what_so_many_units_hold() -> None:
    scores = {"a": made_scores("a"), "b": made_scores("b", seed=3)}
    figure = lorenz_curves(scores)
    for curve in (t for t in figure.data if t.meta):
        values = all_units(scores[curve.meta["name"]])
        counts = np.rint(np.array(curve.x) * len(values)).astype(int)
        truth = [values[:count].sum() / values.sum() for count in counts]
        np.testing.assert_allclose(curve.y, truth, atol=1e-12)
        assert {counts.min(), counts.max()} == {0, len(values)}
        assert f"Gini {gini(values):.2f}" in curve.name
    assert caption_of(figure)


def test_the_text_says_what_the_marked_share_holds() -> None:
    scores = made_scores("FOMC")
    values = all_units(scores)
    share = values[: round(0.25 * len(values))].sum() / values.sum()
    assert f"the top 25 % hold {100 * share:.1f} %" in describe(lorenz_curves(scores, 0.25))
    assert description_of(lorenz_curves(scores, 0.25)) == describe(lorenz_curves(scores, 0.25))
    assert share_held(np.array([0.5, 1.0]), 0.1) == 0


def test_a_large_model_and_many_tasks_stay_within_the_points_a_browser_likes() -> None:
    scores = {str(i): made_scores(str(i), seed=i, layers=40) for i in range(8)}
    assert sum(len(t.x) for t in lorenz_curves(scores).data if t.meta) <= MAX_POINTS


def test_nothing_to_draw_is_said() -> None:
    with pytest.raises(SettingError, match="no Fisher scores"):
        lorenz_curves({})
    with pytest.raises(SettingError, match="keep is 0"):
        lorenz_curves(made_scores(), keep=0)
