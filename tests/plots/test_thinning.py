"""Fewer points, each of them real, the extremes among them."""

import numpy as np
import pytest

from fggm_lab.plots.thinning import decimate


@pytest.mark.parametrize("n", [1, 2, 3, 10, 1000, 12345])
@pytest.mark.parametrize("most", [3, 7, 100])
def test_ends_stay_and_points_are_real(n: int, most: int) -> None:
    values = np.sort(np.random.default_rng(n).random(n))[::-1]
    positions, kept = decimate(values, most)
    assert len(kept) <= most
    assert np.array_equal(kept, values[positions])
    assert kept[0] == values.max() and kept[-1] == values.min()
    assert np.all(np.diff(positions) > 0)


@pytest.mark.parametrize("n", [10, 1000, 12345])
@pytest.mark.parametrize("most", [3, 7, 100])
def test_stretches_can_be_equal_on_a_log_axis(n: int, most: int) -> None:
    values = np.sort(np.random.default_rng(n).random(n))[::-1]
    positions, kept = decimate(values, most, "log")
    assert len(kept) <= most and np.array_equal(kept, values[positions])
    assert {0, n - 1} <= set(positions.tolist())
    if n > most > 7:  # a tenth of the positions takes about as many points as the tenth of a tenth
        tenths = [
            np.count_nonzero((positions >= a) & (positions < 10 * a)) for a in (n // 100, n // 10)
        ]
        assert tenths[1] <= 2 * tenths[0]


def test_short_curves_are_kept_whole() -> None:
    values = np.array([3.0, 2.0, 1.0])
    assert np.array_equal(decimate(values, 3)[1], values)


def test_nothing_gives_nothing() -> None:
    assert len(decimate(np.zeros(0), 10)[1]) == 0
