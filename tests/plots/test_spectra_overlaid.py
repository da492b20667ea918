"""Overlaid spectra hold the sorted scores of all units, and say what their tops share."""

import numpy as np
import pytest
import torch

from fggm_lab.errors import SettingError
from fggm_lab.plots import caption_of, describe, description_of, spectra_overlaid
from tests.support.records import made_scores


def test_each_curve_holds_the_sorted_scores_of_all_units() -> None:
    scores = {"FOMC": made_scores("FOMC"), "Py150": made_scores("Py150", seed=2)}
    figure = spectra_overlaid(scores)
    for curve, task_scores in zip(figure.data, scores.values(), strict=True):
        ordered = np.sort(torch.cat(list(task_scores.units.values())).double().numpy())[::-1]
        ranks = np.rint(np.array(curve.x) * len(ordered)).astype(int) - 1
        assert np.array_equal(curve.y, ordered[ranks])
        assert curve.y[0] == ordered[0] and curve.y[-1] == ordered[ordered > 0][-1]
        assert (ranks[:20] == np.arange(20)).all()  # nothing of the top is left out
    assert "36 of" not in caption_of(figure) and "0.8 % of the units" in caption_of(figure)


def test_estimators_of_one_task_are_named_by_the_mapping() -> None:
    scores = {"empirical": made_scores("FOMC"), "sampled": made_scores("FOMC", seed=1)}
    figure = spectra_overlaid(scores)
    assert [t.name for t in figure.data] == ["empirical", "sampled"]
    assert caption_of(figure).startswith("Empirical Fisher on FOMC")
    assert description_of(figure) == describe(spectra_overlaid(scores))


def test_words_say_what_the_tops_share() -> None:
    a, b = made_scores(), made_scores(seed=3)
    top = {}
    for name, task_scores in (("a", a), ("b", b)):
        flat = [(-float(v), n, i) for n, u in task_scores.units.items() for i, v in enumerate(u)]
        top[name] = {unit[1:] for unit in sorted(flat)[: round(0.1 * len(flat))]}
    share = len(top["a"] & top["b"]) / len(top["a"])
    assert f"a and b share {100 * share:.1f} %; chance would give 10 %" in describe(
        spectra_overlaid({"a": a, "b": b})
    )
    same = describe(spectra_overlaid({"a": a, "b": a, "c": b}))
    assert f"from {100 * share:.1f} % (a and c) to 100 % (a and b)" in same


def test_models_of_other_units_can_be_overlaid_but_share_nothing() -> None:
    text = describe(
        spectra_overlaid({"small": made_scores(layers=2), "large": made_scores(layers=6)})
    )
    assert "small: 2,400 units" in text and "share" not in text


def test_the_axis_of_units_can_be_switched() -> None:
    figure = spectra_overlaid({"a": made_scores()})
    log, linear = (button.args[0] for button in figure.layout.updatemenus[0].buttons)
    assert log["xaxis.type"] == figure.layout.xaxis.type == "log"
    assert linear["xaxis.type"] == "linear" and linear["xaxis.range"] == [0, 1]
    assert not spectra_overlaid({"a": made_scores()}, controls=False).layout.updatemenus


def test_nothing_to_draw_is_said() -> None:
    with pytest.raises(SettingError, match="no Fisher scores"):
        spectra_overlaid({})
