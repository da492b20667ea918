"""The data order is a function of the seed; every epoch sees every example once."""

from itertools import chain
from pathlib import Path

import pytest
import torch
from transformers import TrainingArguments, get_scheduler

from fggm_lab.errors import SettingError
from fggm_lab.methods import SFT
from fggm_lab.settings import Schedule, TrainingSettings
from fggm_lab.training.schedule import (
    batch_indices,
    learning_rate,
    measuring_steps,
    step_count,
)
from tests.support.small import small_run, small_tasks


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
    with pytest.raises(SettingError, match="batch_size is 0"):
        step_count(10, 1, 0)
    with pytest.raises(SettingError, match="write one of: constant, linear"):
        TrainingSettings(schedule="cosine")  # type: ignore[arg-type]


@pytest.mark.parametrize("steps", [1, 7, 20])
@pytest.mark.parametrize("warmup", [0.0, 0.1, 0.3, 0.95])
@pytest.mark.parametrize("schedule", ["linear", "constant"])
def test_rates_are_those_of_transformers(schedule: Schedule, warmup: float, steps: int) -> None:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=3e-4)
    arguments = TrainingArguments(warmup_steps=warmup, use_cpu=True)
    oracle = get_scheduler(
        {"linear": "linear", "constant": "constant_with_warmup"}[schedule],
        optimizer,
        num_warmup_steps=arguments.get_warmup_steps(steps),
        num_training_steps=steps,
    )
    for step in range(steps):
        rate = learning_rate(3e-4, step, steps, schedule, warmup)
        assert rate == pytest.approx(oracle.get_last_lr()[0], rel=1e-12, abs=0)
        optimizer.step()
        oracle.step()


def test_a_run_warms_up_in_every_task(tmp_path: Path) -> None:
    run = small_run(SFT(), tmp_path / "run", tasks=small_tasks(2), warmup=0.5, lr=1.0)
    rates = [event["lr"] for event in run.events("step")]
    assert rates == pytest.approx([0, 1 / 3, 2 / 3, 1, 2 / 3, 1 / 3] * 2)


def test_a_warmup_outside_its_bounds_is_refused() -> None:
    with pytest.raises(SettingError, match="write a number of 0 or more, below 1"):
        TrainingSettings(warmup=1)
