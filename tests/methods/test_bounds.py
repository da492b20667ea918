"""The bounds: joint training sees every example and then rests; the untrained model never moves."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import torch

import fggm_lab as lab
from fggm_lab.methods import Joint, TaskContext, Untrained
from fggm_lab.models.encoding import Encoded
from tests.support.resuming import assert_resumes, weights
from tests.support.small import context, small_model, small_run


@dataclass(frozen=True)
class Watched(Joint):
    """Notes what it trains on."""

    trained_on: list[Encoded] = field(default_factory=list, init=False, compare=False)

    def batch(self, context: TaskContext, batch: list[Encoded], step: int) -> list[Encoded]:
        self.trained_on.extend(batch)
        return batch


def test_joint_sees_every_example_once_per_epoch_and_then_takes_no_step(tmp_path: Path) -> None:
    method = Watched()
    run = small_run(method, tmp_path / "run", epochs=2)
    every = [item for index in range(3) for item in context(small_model(), index).encoded]
    assert Counter(method.trained_on) == Counter(2 * every)
    half = len(every)
    assert Counter(method.trained_on[:half]) == Counter(method.trained_on[half:])
    assert {event["task"] for event in run.events("step")} == {0}
    assert run.events("start")[0]["steps"] == [16, 0, 0]  # 30 examples, four at a time, twice
    first, last = weights(run, 0), weights(run, 2)
    assert all(torch.equal(first[name], last[name]) for name in first)
    assert run.scores is not None
    assert run.scores.matrix[0] == run.scores.matrix[1] == run.scores.matrix[2]


def test_joint_has_the_mean_of_the_tasks_epochs(tmp_path: Path) -> None:
    run = small_run(Joint(), tmp_path / "run", epochs=[1, 2, 6], batch_size=10)
    assert run.events("start")[0]["steps"] == [9, 0, 0]  # as many as one by one


def test_joint_resumes(tmp_path: Path) -> None:
    assert_resumes(Joint(), tmp_path, batch_size=3)  # all 20 steps are the first task's


def test_untrained_does_not_move(tmp_path: Path) -> None:
    model = small_model()
    run = small_run(Untrained(), tmp_path / "run", model=model, weight_decay=0.1)
    assert run.finished and run.events("step") == []
    final = weights(run)
    assert all(torch.equal(final[name], p) for name, p in model.named_parameters() if name in final)
    scores = run.scores
    assert scores is not None
    assert all(row == scores.untrained for row in scores.matrix)
    assert scores.general["before"] == scores.general["after"]


def test_runs_without_steps_can_be_compared_and_drawn(tmp_path: Path) -> None:
    runs = [small_run(method, tmp_path / method.name) for method in (Joint(), Untrained())]
    assert lab.plots.forgetting_curves(runs).data
    assert lab.comparison(runs) is not None
    drift = runs[1].drift(1)
    assert drift is not None and not any(units.any() for units in drift.values())
