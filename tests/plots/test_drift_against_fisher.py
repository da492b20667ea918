"""Movement against Fisher: bins hold the units that sorting gives them."""

import numpy as np
import pytest
import torch

from fggm_lab.errors import DataError, SettingError
from fggm_lab.plots import describe, description_of, drift_against_fisher
from tests.support.records import made_scores


def movement(scores, seed: int = 0):  # type: ignore[no-untyped-def]
    draw = torch.Generator().manual_seed(seed)
    return {n: torch.rand(u.numel(), generator=draw) for n, u in scores.units.items()}


def test_bins_are_means_and_quartiles_of_units_sorted_by_score() -> None:
    scores = made_scores()
    moved = movement(scores)
    pairs = [
        (-float(s), float(m))
        for n, u in scores.units.items()
        for s, m in zip(u, moved[n], strict=True)
    ]
    ordered = [m for _, m in sorted(pairs, key=lambda pair: pair[0])]  # stable, as ties need
    figure = drift_against_fisher({"FOMC": scores}, moved, bins=8)
    curve = next(t for t in figure.data if t.meta)
    parts = np.array_split(ordered, 8)
    np.testing.assert_allclose(curve.y, [np.mean(part) for part in parts])
    (band,) = (t for t in figure.data if t.fill == "toself")
    np.testing.assert_allclose(band.y[:8], [np.quantile(part, 0.75) for part in parts])
    np.testing.assert_allclose(band.y[:7:-1], [np.quantile(part, 0.25) for part in parts])
    tenth = len(ordered) // 10
    text = describe(drift_against_fisher({"FOMC": scores}, moved))
    assert f"mattered most moved {np.mean(ordered[:tenth]):.2e}" in text
    assert description_of(figure) == text


def test_frozen_units_are_counted_and_several_tasks_have_no_bands() -> None:
    scores = {"a": made_scores("a"), "b": made_scores("b", seed=1)}
    moved = movement(scores["a"])
    names = list(moved)
    for name in names[1:]:
        moved[name].zero_()
    figure = drift_against_fisher(scores, moved, bins=1)
    share = moved[names[0]].count_nonzero() / sum(m.numel() for m in moved.values())
    assert [t.name for t in figure.data] == ["a", "b"]
    assert all(t.customdata[0] == pytest.approx(float(share)) for t in figure.data)


def test_one_curve_per_task_and_a_bounded_number_of_points() -> None:
    scores = {str(i): made_scores(str(i), seed=i, layers=30) for i in range(8)}
    figure = drift_against_fisher(scores, movement(scores["0"]))
    assert [t.name for t in figure.data if t.meta] == list(scores)
    assert sum(len(t.x) for t in figure.data) <= 5000


def test_what_does_not_belong_together_is_refused() -> None:
    scores = made_scores()
    with pytest.raises(SettingError, match="no Fisher scores"):
        drift_against_fisher({}, movement(scores))
    with pytest.raises(SettingError, match="bins is 0"):
        drift_against_fisher({"a": scores}, movement(scores), bins=0)
    with pytest.raises(DataError, match=r"the movement of model\.embed_tokens\.weight"):
        drift_against_fisher({"a": scores}, {})
