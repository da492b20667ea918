"""Fisher scores along a task: those of the model at that step, and training never notices."""

from pathlib import Path

import pytest
import torch

from fggm_lab.errors import TrainingError
from fggm_lab.fisher import FisherScores, fisher_scores
from fggm_lab.methods import FGGM, MIGU, SFT, Method, RandomMask
from fggm_lab.models import load_model
from fggm_lab.runs import Run
from fggm_lab.training.masked_gradients import MaskedGradients
from fggm_lab.training.recorded_scores import recorded_scores
from fggm_lab.training.schedule import recording_steps
from tests.support.resuming import StopAt, assert_same_run
from tests.support.small import context, small_model, small_run, small_tasks

METHODS = [
    SFT(),
    MIGU(),
    FGGM(),
    RandomMask(),
    RandomMask(parameters="linear", others="freeze"),
    FGGM(scope="global", keep=0.05),
]
"""Masks of rows, of whole frozen parameters, of layers with nothing that moves, and none."""


def named(method: Method) -> str:
    return "-".join([method.name, *map(str, method.settings.values())])


def fisher_files(run: Run) -> dict[str, bytes]:
    """Everything a run keeps of its Fisher scores."""
    return {file.name: file.read_bytes() for file in (run.path / "fisher").iterdir()}


@pytest.mark.parametrize("method", METHODS, ids=named)
@pytest.mark.parametrize("family", ["llama", "gpt2"])  # gpt2 has dropout and Conv1D
def test_recording_changes_nothing_in_training(tmp_path: Path, method: Method, family: str) -> None:
    plain = small_run(method, tmp_path / "plain", family=family)
    recorded = small_run(method, tmp_path / "recorded", family=family, fisher_points=3)
    assert_same_run(plain, recorded)
    left, right = (run.path / "scores.json" for run in (plain, recorded))
    assert left.read_bytes() == right.read_bytes()
    assert list(recorded.fisher_along(1)) == [0, 2, 4, 6]
    if method.name == "fggm":  # the method's own scores are what they were
        assert plain.file("fisher", 1).read_bytes() == recorded.file("fisher", 1).read_bytes()


@pytest.mark.parametrize("method", METHODS, ids=named)
def test_the_scores_are_those_of_the_model_at_that_step(tmp_path: Path, method: Method) -> None:
    run = small_run(method, tmp_path / "run", fisher_points=1, fisher_examples=7)
    examples = small_tasks()[1].train

    def scored(after: int) -> FisherScores:
        folder = run.checkpoint(after)
        assert folder is not None
        most = None if after == 0 and method.name == "fggm" else 7
        return fisher_scores(*load_model(folder, device="cpu"), examples, max_examples=most)

    recorded = run.fisher_along(1)
    assert list(recorded) == [0, 6]
    for scores, right in ((recorded[0], scored(0)), (recorded[6], scored(1))):
        assert set(scores.units) == {name for name, _ in small_model().named_parameters()}
        assert scores.info.task == "task-1" and scores.info.estimator == "empirical"
        assert scores.info.examples == right.info.examples
        assert scores.info.model == right.info.model
        for name, units in right.units.items():
            torch.testing.assert_close(scores.units[name], units, rtol=1e-5, atol=1e-12)
    before = run.fisher(1)
    assert before is not None
    assert all(torch.equal(before.units[n], recorded[0].units[n]) for n in before.units)


def test_the_same_examples_are_scored_all_along_and_fewer_if_there_are_fewer(
    tmp_path: Path,
) -> None:
    subset = small_run(SFT(), tmp_path / "some", fisher_points=2, fisher_examples=4)
    every = small_run(SFT(), tmp_path / "every", fisher_points=0)  # 128 asked, 10 there
    tokens = {scores.info.tokens for scores in subset.fisher_along(0).values()}
    assert len(tokens) == 1
    assert [s.info.examples for s in subset.fisher_along(0).values()] == [4, 4, 4]
    assert {step: s.info.examples for step, s in every.fisher_along(2).items()} == {0: 10}


def test_without_being_asked_nothing_is_recorded(tmp_path: Path) -> None:
    plain = small_run(SFT(), tmp_path / "sft")
    assert plain.fisher(0) is None and plain.fisher_along(0) == {}
    fggm = small_run(FGGM(), tmp_path / "fggm")
    assert list(fggm.fisher_along(0)) == [0]


@pytest.mark.parametrize("family", ["llama", "gpt2"])
@pytest.mark.parametrize("stop", [("step", 1), ("step", 5), ("evaluation", 5), ("step", 13)])
def test_resumed_between_two_points_holds_the_same_files(
    tmp_path: Path, family: str, stop: tuple[str, int]
) -> None:
    settings = {"family": family, "fisher_points": 3, "checkpoint_every": 4}
    uninterrupted = small_run(RandomMask(), tmp_path / "whole", **settings)
    with pytest.raises(KeyboardInterrupt):
        small_run(RandomMask(), tmp_path / "parts", listener=StopAt(*stop), **settings)
    parts = small_run(RandomMask(), tmp_path / "parts", resume=True, **settings)
    assert_same_run(uninterrupted, parts)
    assert fisher_files(uninterrupted) == fisher_files(parts)
    assert (
        len(fisher_files(uninterrupted)) == 3 * 4 * 2
    )  # tasks, steps, a safetensors and a JSON file


def test_a_branch_takes_the_recorded_scores_along(tmp_path: Path) -> None:
    uninterrupted = small_run(SFT(), tmp_path / "whole", fisher_points=2)
    branch = small_run(FGGM(), tmp_path / "branch", branch=(uninterrupted, 1))
    stored = fisher_files(branch)
    for task in (0, 1):
        key = uninterrupted.task_key(task)
        expected = {n: b for n, b in fisher_files(uninterrupted).items() if n.startswith(key)}
        assert expected == {n: b for n, b in stored.items() if n.startswith(key)}
        assert list(branch.fisher_along(task)) == [0, 3, 6]
    assert list(branch.fisher_along(2)) == [0]


def test_recording_takes_time_of_its_own(tmp_path: Path) -> None:
    recorded = small_run(SFT(), tmp_path / "recorded", fisher_points=2)
    plain = small_run(SFT(), tmp_path / "plain")
    for with_, without in zip(recorded.events("task"), plain.events("task"), strict=True):
        assert with_["seconds"]["record"] > 0 == without["seconds"]["record"]
        assert with_["seconds"]["score"] < with_["seconds"]["record"]


def test_broken_weights_are_training_that_went_wrong() -> None:
    model = small_model()
    with torch.no_grad():
        next(model.parameters()).fill_(float("nan"))
    with pytest.raises(TrainingError, match="the Fisher scores cannot be recorded"):
        recorded_scores(context(model), 4, MaskedGradients(model, None))


@pytest.mark.parametrize(
    ("steps", "points", "expected"),
    [
        (40, None, set()),
        (40, 0, set()),
        (40, 1, {40}),
        (40, 4, {10, 20, 30, 40}),
        (3, 8, {1, 2, 3}),
        (1, 5, {1}),
    ],
)
def test_points_are_spread_evenly_and_end_with_the_task(
    steps: int, points: int | None, expected: set[int]
) -> None:
    assert recording_steps(steps, points) == expected
