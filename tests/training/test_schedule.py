"""The data order is a function of the seed; every epoch sees every example once."""

from itertools import chain

import pytest

from fggm_lab.errors import SettingError
from fggm_lab.settings import TrainingSettings
from fggm_lab.training.schedule import (
    batch_indices,
    learning_rate,
    measuring_steps,
    step_count,
)


def test_every_epoch_sees_every_example_once() -> None:
    batches = batch_indices(10, 6, 4, seed=3)
    first, second = list(chain(*batches[:3])), list(chain(*batches[3:]))
    assert sorted(first) == sorted(second) == list(range(10))
    assert first != second


def test_the_order_depends_on_the_seed_alone() -> None:
    assert batch_indices(20, 5, 4, 1) == batch_indices(20, 5, 4, 1)
    assert batch_indices(20, 5, 4, 1) != batch_indices(20, 5, 4, 2)


@pytest.mark.parametrize(("epochs", "steps"), [(1, 3), (5, 15), (0.5, 2), (0.01, 1)])
def test_steps_follow_epochs(epochs: float, steps: int) -> None:
    assert step_count(10, epochs, 4) == steps


def test_rate_falls_linearly_from_the_peak() -> None:
    rates = [learning_rate(1.0, step, 4, "linear") for step in range(4)]
    assert rates == [1.0, 0.75, 0.5, 0.25]
    assert learning_rate(0.5, 3, 4, "constant") == 0.5


def test_measuring_points_are_spread_and_leave_the_last_step_out() -> None:
    assert measuring_steps(100, 4) == {25, 50, 75}
    assert measuring_steps(2, 12) == {1}
    assert measuring_steps(100, 0) == set()


def test_bad_settings_are_named() -> None:
    with pytest.raises(SettingError, match="epochs is 0"):
        step_count(10, 0, 4)
    with pytest.raises(SettingError, match="batch size is 0"):
        step_count(10, 1, 0)
    with pytest.raises(SettingError, match="write one of: constant, linear"):
        TrainingSettings(schedule="cosine")  # type: ignore[arg-type]
