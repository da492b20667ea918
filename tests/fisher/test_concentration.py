"""Inequality of scores, against its definition."""

import numpy as np
import pytest
import torch

from fggm_lab.errors import DataError
from fggm_lab.fisher import gini, lorenz
from fggm_lab.fisher.concentration import all_units
from fggm_lab.fisher.scores import FisherInfo, FisherScores


def scores_of(*units: list[float]) -> FisherScores:
    named = {f"p{i}": torch.tensor(values) for i, values in enumerate(units)}
    return FisherScores(
        named, dict.fromkeys(named, 0), None, FisherInfo("empirical", "input", 1, 1, "x")
    )


def test_gini_is_half_the_mean_difference_over_the_mean() -> None:
    values = np.sort(np.random.default_rng(0).exponential(size=50))[::-1]
    differences = np.abs(values[:, None] - values).mean()
    assert gini(values) == pytest.approx(differences / 2 / values.mean(), rel=1e-12)
    assert gini(np.ones(7)) == pytest.approx(0, abs=1e-12) and gini(np.zeros(7)) == 0
    assert gini(np.array([5.0, 0, 0, 0])) == pytest.approx(1 - 1 / 4)


def test_lorenz_counts_from_the_highest_unit() -> None:
    values = all_units(scores_of([1, 5], [2, 0]))
    assert values.tolist() == [5, 2, 1, 0]
    assert lorenz(values).tolist() == [5 / 8, 7 / 8, 1, 1]
    assert lorenz(np.zeros(4)).tolist() == [0.25, 0.5, 0.75, 1]


@pytest.mark.parametrize("units", [[], [-1.0, 2], [float("nan")], [float("inf")]])
def test_what_is_no_score_is_refused(units: list[float]) -> None:
    with pytest.raises(DataError):
        all_units(scores_of(units) if units else scores_of())
