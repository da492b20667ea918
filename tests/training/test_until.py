"""A task that is trained until its held-out loss is at a level stops there, and says where."""

import io
import json
import warnings
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from fggm_lab.cli.options import settings_from
from fggm_lab.errors import DataError, RunError, SettingError
from fggm_lab.evaluation import evaluate, until_levels
from fggm_lab.methods import FGGM, SFT, WiSE
from fggm_lab.models import load_model
from fggm_lab.plots.run_state import RunState
from fggm_lab.plots.score_curves import curves_of
from fggm_lab.progress import MethodsProgress
from fggm_lab.runs import Run
from fggm_lab.tasks import Task, TaskSequence
from tests.support.resuming import StopAt, pausing_at, same_weights, timeless
from tests.support.small import small_run, small_tasks

TASKS = small_tasks(2)
STEPS = 3
"""Steps of an epoch."""
QUIET: dict[str, Any] = {
    "tasks": TASKS, "general": None, "points_per_task": 0, "score_unlearned": False,
    "schedule": "constant", "until_every": 2, "lr": 3e-3, "epochs": 4,
}  # fmt: skip


def losses(run: Run, task: int) -> float:
    """The loss on the eval split of the model right after a task, as `evaluate` has it."""
    folder = run.checkpoint(task)
    assert folder is not None
    return evaluate(*load_model(folder), TASKS[task], split="eval")[TASKS[task].name].nll


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Plain fine-tuning for six steps a task."""
    folder = tmp_path_factory.mktemp("plain")
    return small_run(SFT(), folder / "sft", **QUIET | {"epochs": 2})


@pytest.fixture(scope="module")
def stopped(plain: Run, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Up to twelve steps a task, until the first task is where `plain` came to."""
    level = until_levels(plain, tasks=TASKS)["task-0"] * 1.0001
    folder = tmp_path_factory.mktemp("stopped")
    return small_run(SFT(), folder / "sft", until_loss={"task-0": level}, **QUIET)


def test_levels_are_the_losses_of_the_eval_split(plain: Run) -> None:
    levels = until_levels(plain, tasks=TASKS)
    assert levels == {t.name: pytest.approx(losses(plain, i), rel=1e-5) for i, t in
                      enumerate(TASKS)}  # fmt: skip
    relaxed = until_levels(str(plain.path), factor=1.5, tasks=TASKS)
    assert relaxed == {name: pytest.approx(1.5 * loss) for name, loss in levels.items()}


def test_it_stops_at_the_first_look_that_is_low_enough(
    plain: Run, stopped: Run, tmp_path: Path
) -> None:
    """With a constant rate what is left are the weights of a training of so many steps."""
    first, second = stopped.events("task")
    until = first["until"]
    assert until["reached"] and (until["steps"], until["best_step"], until["at_most"]) == (6, 6, 12)
    assert until["best"] == pytest.approx(losses(plain, 0), rel=1e-5) and "until" not in second
    assert same_weights(stopped, plain, 0)
    earlier = small_run(SFT(), tmp_path / "earlier", **QUIET | {"epochs": 4 / STEPS})
    assert len([e for e in earlier.events("step") if e["task"] == 0]) == 4
    assert losses(earlier, 0) > until["level"], "a look before would not have been enough"
    assert [event["task"] for event in stopped.events("step")] == [0] * 6 + [1] * 12
    assert stopped.events("step")[-1]["step"] == 18


@pytest.mark.parametrize("at", ["killed", "paused"])
def test_a_resumed_run_stops_at_the_same_step(stopped: Run, tmp_path: Path, at: str) -> None:
    """Also one that was paused at the very step that was enough."""
    settings = {"until_loss": stopped.config.training.until_loss, **QUIET}
    if at == "paused":
        run = small_run(SFT(), tmp_path / "run", pause=pausing_at(6), **settings)
        assert not run.finished and not run.events("task")
    else:
        with pytest.raises(KeyboardInterrupt):
            small_run(SFT(), tmp_path / "run", listener=StopAt("step", 5), **settings)
    run = small_run(SFT(), tmp_path / "run", resume=True, **settings)
    assert timeless(run) == timeless(stopped)
    assert same_weights(run, stopped, 1)


def test_a_level_never_reached_is_one_sentence_with_the_best(tmp_path: Path) -> None:
    sentence = r"^task task-0 did not reach the held-out loss 1e-06 in 6 steps; the best was \d"
    settings = QUIET | {"epochs": 2, "tasks": small_tasks(1)}
    with pytest.warns(UserWarning, match=sentence):
        run = small_run(FGGM(), tmp_path / "run", until_loss=1e-6, fisher_points=1, **settings)
    (event,) = run.events("task")
    assert not event["until"]["reached"] and event["until"]["steps"] == 6
    assert event["until"]["best_step"] in (2, 4, 6) and event["until"]["best"] > 1e-6
    assert run.finished and list(run.fisher_along(0)) == [0, 6]


def test_readers_know_where_each_task_ended(stopped: Run) -> None:
    (curves,) = curves_of([stopped])
    assert [(s.start, s.end) for s in curves.segments] == [(0, 6), (6, 18)]
    state = RunState.of(stopped)
    assert state.ends == [6, 18] and state.total == 18
    out = io.StringIO()
    progress = MethodsProgress(Console(file=out, width=200), ["sft"])
    for event in stopped.events():
        progress.tell("sft", event)
    assert "after 6 steps" in out.getvalue().splitlines()[0]


def test_bad_levels_are_one_sentence(tmp_path: Path, plain: Run) -> None:
    for level in (0, -1, {"task-0": 0}, [0.2, 0]):
        with pytest.raises(SettingError, match=r"until_loss.*write a number above 0"):
            small_run(SFT(), tmp_path / "run", until_loss=level, **QUIET)
    with pytest.raises(SettingError, match=r"until_loss names a task 'task-9'.*did you mean"):
        small_run(SFT(), tmp_path / "run", until_loss={"task-9": 0.2}, **QUIET)
    with pytest.raises(SettingError, match="until_loss has 3 numbers for 2 tasks"):
        small_run(SFT(), tmp_path / "run", until_loss=[0.2, 0.2, 0.2], **QUIET)
    with pytest.raises(SettingError, match="wise changes the weights after a task's last step"):
        small_run(WiSE(), tmp_path / "run", until_loss=0.2, **QUIET)
    without = TaskSequence([Task("bare", TASKS[0].train, (), TASKS[0].test), TASKS[1]], "small")
    settings = QUIET | {"tasks": without}
    with pytest.raises(DataError, match=r"task bare has no eval split.*add eval\.json"):
        small_run(SFT(), tmp_path / "run", until_loss=0.2, **settings)
    assert not (tmp_path / "run").exists()
    with pytest.raises(RunError, match="was trained on other examples"):
        until_levels(plain, tasks=small_tasks(3))


def test_the_command_line_takes_what_it_prints(plain: Run) -> None:
    levels = {name: float(f"{loss:.4g}") for name, loss in until_levels(plain, tasks=TASKS).items()}
    text = ",".join(f"{name}={loss:.4g}" for name, loss in levels.items())
    assert settings_from({"until_loss": text, "until_examples": "none"}).until_loss == levels
    assert settings_from({"until_loss": "0.25"}).until_loss == 0.25
    assert settings_from({"until_loss": "none"}).until_loss is None
    with pytest.raises(SettingError, match=r"^--until-loss 0: "):
        settings_from({"until_loss": "0"})
    assert json.loads(plain.config.model_dump_json())["until_loss"] is None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert RunState.of(plain).finished
