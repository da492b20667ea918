"""Two processes train as one does: under DDP by active rows, and in a run.

All that takes two processes happens in one launch, for starting them takes most of the time.
"""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
import torch.distributed as dist
from safetensors.torch import load_file

from benchmarks.harness import MIB, Settings
from benchmarks.models import make_model, shapes
from benchmarks.traffic import measure, one_process
from fggm_lab.distributed import gathered, join, leave, on_main, rank, world, world_size
from fggm_lab.errors import DataError, RankError, RunError, SettingError
from fggm_lab.methods import FGGM, Method, TaskContext, make_method
from fggm_lab.models.encoding import Encoded
from fggm_lab.runs import Run
from tests.support.ddp import (
    CASES,
    FROZEN,
    model_and_mask,
    refuse_on_ranks,
    train_alone,
    train_on_ranks,
)
from tests.support.ranks import on_ranks
from tests.support.small import small_model, small_run, small_tasks

METHODS: dict[str, Mapping[str, Any]] = {
    "fggm": {},
    "migu": {"first_task": True},
    "self-kl": {"start_samples": 5, "task_samples": 3, "length": 6, "per_step": 3},
}
"""Active rows and a Fisher pass; activations; drawn texts."""

BOUND = 60.0
"""Seconds within which a rank must have noticed that the other has died."""


class Dies(FGGM):
    """FGGM whose rank 1 ends without a word within the second task."""

    name: ClassVar[str] = "dies"
    data_parallel: ClassVar[bool] = True

    def batch(self, context: TaskContext, batch: list[Encoded], step: int) -> list[Encoded]:
        if (rank(), context.index, step) == (1, 1, 2):
            os._exit(0)
        return batch


@dataclass(frozen=True)
class Silent(Method):
    """A method of a user's own that says nothing about several processes."""

    name: ClassVar[str] = "silent"


def train(method: Method, out: Path, **settings: Any) -> Run:
    """Batches of three and of one: the shares of two ranks are uneven, and one is empty."""
    model = small_model(dtype=torch.float64)
    defaults = {"tasks": small_tasks(2), "batch_size": 3, "epochs": 1, "lr": 1e-3, "model": model}
    return small_run(method, out, **{**defaults, **settings})


def share_the_work(folder: Path) -> None:
    """What both ranks do: train, be refused, and last of all lose one of them."""
    join()
    train_on_ranks(folder)
    refuse_on_ranks()
    for name, settings in METHODS.items():
        train(make_method(name, **settings), folder / name)
    number = int(os.environ["RANK"])
    with pytest.raises(SettingError, match=r"rank 1 was started with other .*seed: 1 there, 0"):
        train(FGGM(), folder / "seeds", seed=number)
    with pytest.raises(SettingError, match="silent does not say that it is right"):
        train(Silent(), folder / "silent")
    with pytest.raises(RunError, match="already holds a run"):  # said by rank 0 to all
        train(FGGM(), folder / "fggm")
    with world():
        assert (rank(), world_size()) == (number, 2)
        assert gathered(range(5), lambda part: [10 * i for i in part]) == [0, 10, 20, 30, 40]
        assert on_main(lambda: number) == 0
        with pytest.raises(DataError, match="no file"):
            on_main(_raise)
    assert (rank(), world_size()) == (0, 1)
    start = time.monotonic()
    with pytest.raises(RankError, match="another process of this run has ended"):
        train(Dies(), folder / "dies", checkpoint_every=2)
    assert time.monotonic() - start < BOUND
    leave()
    assert not dist.is_initialized()
    (folder / "noticed").touch()


def _raise() -> None:
    raise DataError("no file")


@pytest.fixture(scope="module")
def ranks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ranks")
    on_ranks(share_the_work, folder)
    return folder


@pytest.mark.parametrize("way, partial", CASES)
def test_active_rows_under_ddp_train_as_in_one_process(
    ranks: Path, way: str, partial: bool
) -> None:
    weights = [load_file(ranks / f"{way}{partial}{number}") for number in range(2)]
    start = dict(model_and_mask(partial)[0].named_parameters())
    for name, parameter in train_alone(partial).named_parameters():
        assert torch.equal(weights[0][name], weights[1][name]), name
        torch.testing.assert_close(weights[0][name], parameter.detach(), rtol=1e-6, atol=1e-7)
        moved = not torch.equal(parameter, start[name])  # or the comparison says nothing
        assert moved != (partial and name == FROZEN), name


def test_only_the_active_share_travels() -> None:
    settings = Settings(torch.device("cpu"), "tiny")
    shape = shapes(settings, [], [])[0]
    with one_process(settings):
        row = measure(shape, settings)
    parameters = sum(p.nbytes for p in make_model(shape, settings).parameters())
    assert row["plain_mib"] == parameters / MIB
    assert row["ratio"] < 0.33  # 0.3, and 0.3 of a small parameter's units rounded up


def assert_same_run(alone: Run, together: Run) -> None:
    """All numbers that a run records are the same, up to rounding."""
    assert alone.scores is not None and together.scores is not None
    assert together.scores.matrix == alone.scores.matrix
    assert together.scores.general == alone.scores.general
    losses = [[event["loss"] for event in run.events("step")] for run in (together, alone)]
    assert losses[0] == pytest.approx(losses[1], abs=1e-6)
    for purpose in ("train", "sample"):  # each rank probes its rules for the Fisher pass
        tokens = [[e["tokens"][purpose] for e in run.events("task")] for run in (together, alone)]
        assert tokens[0] == tokens[1]
    for index in range(2):
        weights = [
            load_file(r.file("checkpoints", index) / "model.safetensors") for r in (together, alone)
        ]
        for name, weight in weights[1].items():
            torch.testing.assert_close(weights[0][name], weight, rtol=0, atol=1e-5)
        masks = [run.mask(index) for run in (together, alone)]
        assert (masks[0] is None) == (masks[1] is None)
        if masks[0] is not None and masks[1] is not None:
            assert all(torch.equal(masks[0].units[n], masks[1].units[n]) for n in masks[1].names)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("alone")
    for name, settings in METHODS.items():
        train(make_method(name, **settings), folder / name)
    return folder


@pytest.mark.parametrize("name", METHODS)
def test_a_run_in_two_processes_is_that_of_one(ranks: Path, alone: Path, name: str) -> None:
    assert_same_run(Run.open(alone / name), Run.open(ranks / name))


def test_fisher_scores_are_those_of_one_process(ranks: Path, alone: Path) -> None:
    scores, expected = (Run.open(folder / "fggm").fisher(0) for folder in (ranks, alone))
    assert scores is not None and expected is not None
    assert scores.info == expected.info  # the examples of both ranks, and the weights of the start
    assert scores.standard_errors is not None and expected.standard_errors is not None
    for name, units in expected.units.items():
        torch.testing.assert_close(scores.units[name], units, rtol=1e-6, atol=0)
        torch.testing.assert_close(scores.standard_errors[name], expected.standard_errors[name])


def test_a_run_that_lost_a_rank_goes_on_in_one_process(ranks: Path, alone: Path) -> None:
    assert (ranks / "noticed").exists()
    broken = Run.open(ranks / "dies")
    assert not broken.finished and broken.events("task")
    resumed = train(Dies(), ranks / "dies", checkpoint_every=2, resume=True)
    assert_same_run(Run.open(alone / "fggm"), resumed)
