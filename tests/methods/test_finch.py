"""FINCH's rates are the run's over the root of the smoothed loss, resumed and in parts, too."""

from pathlib import Path
from typing import Any

import pytest

from fggm_lab.errors import SettingError
from fggm_lab.methods import FINCH, Composed, Method, make_method
from fggm_lab.methods.base import TaskContext
from tests.support.resuming import assert_resumes
from tests.support.small import context, small_model, small_run, small_tasks

SHORT: dict[str, Any] = {"points_per_task": 0, "general": None, "schedule": "constant"}


def test_each_rate_follows_from_the_losses_so_far(tmp_path: Path) -> None:
    method = FINCH(smoothing=0.7, max_scale=0.55)
    run = small_run(method, tmp_path / "run", lr=1e-2, tasks=small_tasks(2), **SHORT)
    rates = []
    for task in (0, 1):  # each begins anew
        steps = [event for event in run.events("step") if event["task"] == task]
        losses = [float(event["loss"] or 0) for event in steps]
        smoothed = losses[0]
        for number, event in enumerate(steps):
            if number > 0:
                smoothed = 0.7 * smoothed + 0.3 * losses[number]
            rates.append(event["lr"])
            assert rates[-1] == pytest.approx(min(1e-2 / smoothed**0.5, 5.5e-3), rel=1e-6)
    assert min(rates) < 5.4e-3 and max(rates) == pytest.approx(5.5e-3)
    assert not run.memory(0) and not run.memory(1)


def test_parts_of_a_batch_give_the_rates_and_losses_of_the_whole(tmp_path: Path) -> None:
    full_batch, parts = (
        small_run(
            make_method("finch+eaft"), tmp_path / f"{size}", micro_batch=size, epochs=1,
            tasks=small_tasks(1), **SHORT,
        )
        for size in (None, 3)
    )  # fmt: skip
    for whole_step, parts_step in zip(full_batch.events("step"), parts.events("step"), strict=True):
        assert whole_step["lr"] == pytest.approx(parts_step["lr"], rel=1e-4)
        assert whole_step["loss"] == pytest.approx(parts_step["loss"], rel=1e-4)


def test_factors_of_a_combination_are_multiplied() -> None:
    class Half(Method):
        name = "half"

        def step_lr_scale(self, context: TaskContext, loss: float) -> float:
            return 0.5

    method = Composed((FINCH(), Half()))
    assert method.step_lr_scale(context(small_model()), 4.0) == 0.25
    assert FINCH().step_lr_scale(context(small_model()), 0.0) == 5


def test_resumed_equals_uninterrupted(tmp_path: Path) -> None:
    """All that these methods keep within a task, at once, under masks that change within it."""
    assert_resumes(make_method("finch+eaft+cpo+sfa+fggm-online"), tmp_path)


def test_bad_settings_are_one_sentence() -> None:
    with pytest.raises(SettingError, match="smoothing is 2; it must be from 0 to 1"):
        FINCH(smoothing=2)
    with pytest.raises(SettingError, match="max_scale is 0; it must be above 0"):
        FINCH(max_scale=0)
