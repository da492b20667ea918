"""The bootstrap's interval is that of all samples there are, and of normal theory for many."""

from itertools import product

import numpy as np
import pytest
from scipy.stats import bootstrap

from fggm_lab.errors import SettingError
from fggm_lab.runs.bootstrap import COVERAGE, bootstrap_interval
from tools.interval_coverage import coverage, percentile_bootstrap


@pytest.mark.parametrize("size", [2, 3, 5])
def test_the_interval_is_that_of_every_sample_there_is(size: int) -> None:
    values = np.random.default_rng(size).normal(size=size)
    means = [np.mean(sample) for sample in product(values, repeat=size)]  # size ** size of them
    low, high = bootstrap_interval(values.tolist(), draws=100_000)
    assert low is not None and high is not None
    # Of few numbers the quantiles jump: each end lies between the truth's just below and above.
    for end, share in ((low, 0.025), (high, 0.975)):
        near = np.quantile(means, (share - 0.003, share + 0.003), method="inverted_cdf")
        assert near[0] - 1e-9 <= end <= near[1] + 1e-9


def test_of_many_numbers_it_is_the_normal_interval() -> None:
    values = np.random.default_rng(0).normal(3, 2, size=400)
    low, high = bootstrap_interval(values.tolist())
    half = 1.959964 * values.std() / 20
    assert low == pytest.approx(values.mean() - half, abs=half / 20)
    assert high == pytest.approx(values.mean() + half, abs=half / 20)


def test_it_agrees_with_scipy() -> None:
    values = np.random.default_rng(1).exponential(size=12)
    truth = bootstrap(
        (values,), np.mean, confidence_level=0.9, n_resamples=20_000, method="percentile", rng=7
    ).confidence_interval
    interval = bootstrap_interval(values.tolist(), confidence=0.9)
    assert interval == pytest.approx((truth.low, truth.high), abs=0.02)


def test_the_seed_decides_and_few_numbers_have_no_interval() -> None:
    values = [0.1, 0.5, 0.4, 0.9]
    assert bootstrap_interval(values, seed=3) == bootstrap_interval(values, seed=3)
    assert bootstrap_interval(values, draws=50, seed=3) != bootstrap_interval(values, draws=50)
    assert bootstrap_interval([0.2, 0.2, 0.2]) == pytest.approx((0.2, 0.2))
    assert bootstrap_interval([0.2]) == bootstrap_interval([]) == (None, None)


@pytest.mark.parametrize("size", COVERAGE)
def test_its_coverage_is_what_the_pages_say(size: int) -> None:
    """Student's t is exact for normal numbers, which checks the simulation."""
    shares = coverage(size, simulations=8_000, seed=1)
    assert shares["students_t"] == pytest.approx(0.95, abs=0.01)
    assert shares["bootstrap"] == pytest.approx(COVERAGE[size], abs=0.012)
    if (
        size == 3
    ):  # all three equal has a chance of 1/27: the interval is from the least to the most
        assert shares["bootstrap"] == pytest.approx(1 - 2 * 0.5**3, abs=0.012)
    values = np.random.default_rng(size).normal(size=size)
    low, high = percentile_bootstrap(values[None], np.random.default_rng(0))
    assert (low[0], high[0]) == pytest.approx(bootstrap_interval(values.tolist()), abs=0.1)


def test_senseless_settings_are_refused() -> None:
    with pytest.raises(SettingError, match="confidence is 95; it must be between 0 and 1"):
        bootstrap_interval([1, 2], confidence=95)
    with pytest.raises(SettingError, match="draws is 0"):
        bootstrap_interval([1, 2], draws=0)
