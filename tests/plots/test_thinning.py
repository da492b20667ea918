"""Fewer points, each of them real, the extremes among them."""

import numpy as np
import pytest

from fggm_lab.plots import fisher_spectra, lorenz_curves
from fggm_lab.plots.thinning import MAX_POINTS, thin_evenly, thin_line, thin_sorted
from tests.support.records import TASKS, large_scores


@pytest.mark.parametrize("n", [1, 2, 3, 10, 1000, 12345])
@pytest.mark.parametrize("max_points", [3, 7, 100])
def test_ends_stay_and_points_are_real(n: int, max_points: int) -> None:
    values = np.sort(np.random.default_rng(n).random(n))[::-1]
    positions, thinned = thin_sorted(values, max_points)
    assert len(thinned) <= max_points
    assert np.array_equal(thinned, values[positions])
    assert thinned[0] == values.max() and thinned[-1] == values.min()
    assert np.all(np.diff(positions) > 0)


@pytest.mark.parametrize("n", [10, 1000, 12345])
@pytest.mark.parametrize("max_points", [3, 7, 100])
def test_stretches_can_be_equal_on_a_log_axis(n: int, max_points: int) -> None:
    values = np.sort(np.random.default_rng(n).random(n))[::-1]
    positions, thinned = thin_sorted(values, max_points, "log")
    assert len(thinned) <= max_points and np.array_equal(thinned, values[positions])
    assert {0, n - 1} <= set(positions.tolist())
    if n > max_points > 7:
        # a tenth of the positions takes about as many points as the tenth of a tenth
        tenths = [
            np.count_nonzero((positions >= a) & (positions < 10 * a)) for a in (n // 100, n // 10)
        ]
        assert tenths[1] <= 2 * tenths[0]


def test_a_stretch_gives_its_first_middle_and_last_value() -> None:
    values = np.arange(12.0)[::-1]
    assert thin_sorted(values, 6)[0].tolist() == [0, 2, 5, 6, 8, 11]
    assert thin_sorted(values, 8)[0].tolist() == [0, 2, 5, 6, 8, 11]
    assert thin_sorted(values, 9)[0].tolist() == [0, 1, 3, 4, 5, 7, 8, 9, 11]
    # edges of the stretches at 1, √26 → 5, 26 on a log axis of positions that count from 1
    assert thin_sorted(np.arange(25.0)[::-1], 6, "log")[0].tolist() == [0, 1, 3, 4, 14, 24]


def test_short_curves_are_drawn_in_full() -> None:
    values = np.array([3.0, 2.0, 1.0])
    assert np.array_equal(thin_sorted(values, 3)[1], values)


def test_nothing_gives_nothing() -> None:
    assert len(thin_sorted(np.zeros(0), 10)[1]) == 0


def test_even_thinning_counts_back_from_the_last() -> None:
    assert thin_evenly(range(10), 4) == [0, 3, 6, 9]
    assert thin_evenly(range(9), 4) == [2, 5, 8]
    assert thin_evenly(range(4), 4) == [0, 1, 2, 3]
    assert thin_evenly([], 4) == []


def test_a_line_keeps_the_ends_and_the_extremes_of_each_stretch() -> None:
    heights = [0, 1, 9, 2, 3, 4, -5, 0, 1, 2, 3, 1]
    line = [(float(x), float(y)) for x, y in enumerate(heights)]
    assert thin_line(line, 12) is line
    # stretches of 4 · 12 ÷ 8 = 6 points
    assert [x for x, _ in thin_line(line, 8)] == [0, 2, 5, 6, 10, 11]


def test_figures_use_the_points_they_may_have() -> None:
    assert MAX_POINTS == 5000
    scores = large_scores("FOMC")
    curves = [t for t in fisher_spectra(scores).data if "module" in t.meta]
    per_curve = 5000 // len(scores.names) // 3 * 3
    assert len(scores.names) == 338 and per_curve == 12
    assert {len(curve.x) for curve in curves} == {per_curve}
    per_task = 5000 // len(TASKS) // 3 * 3
    lorenz = lorenz_curves({task: scores for task in TASKS}).data[1:]
    assert {len(curve.x) for curve in lorenz} == {per_task} == {624}
