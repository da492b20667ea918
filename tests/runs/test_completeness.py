"""What is missing of a run is named; a run that lacks it for a good reason is as written."""

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import fggm_lab as lab
from fggm_lab.methods import FGGM, Method, Plan, TaskContext, make_method
from fggm_lab.runs import Run, verify
from fggm_lab.runs.events import Event
from fggm_lab.runs.sweep import remember
from fggm_lab.runs.verification import verify_all
from tests.support.families import character_tokenizer
from tests.support.resuming import pausing_at
from tests.support.small import small_model, small_run, small_tasks

SHORT: dict[str, Any] = {"epochs": 1, "points_per_task": 0, "general": None}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Two tasks of three steps, both masked."""
    return small_run(
        FGGM(), tmp_path_factory.mktemp("complete") / "run", tasks=small_tasks(2), **SHORT
    )


@pytest.fixture
def run(trained: Run, tmp_path: Path) -> Run:
    """A copy of it to be damaged."""
    return Run.open(shutil.copytree(trained.path, tmp_path / "run"))


def _without(run: Run, leave_out: Callable[[Any], bool], copies: int = 0) -> None:
    """Write a log anew, so many copies of some lines, as they are, and all others once."""
    log = run.path / "events.jsonl"
    lines = zip(run.events(), log.read_bytes().splitlines(keepends=True), strict=True)
    log.write_bytes(b"".join(line * (copies if leave_out(e) else 1) for e, line in lines))


@pytest.mark.parametrize("step", range(1, 7))
def test_a_step_that_is_missing_in_the_log_is_named(run: Run, step: int) -> None:
    _without(run, lambda event: event["kind"] == "step" and event["step"] == step)
    (problem,) = verify(run).problems
    assert f"does not have each of the steps 1 to 3 of task task-{(step - 1) // 3} once" in problem


@pytest.mark.parametrize(("index", "copies"), [(0, 0), (1, 0), (0, 2)])
def test_a_task_ends_once_in_the_log(run: Run, index: int, copies: int) -> None:
    _without(run, lambda event: event["kind"] == "task" and event["task"] == index, copies)
    problems = verify(run).problems
    assert f"has {copies} lines that say how task task-{index} ended" in problems[0]


def test_a_log_without_its_beginning_is_named(run: Run) -> None:
    _without(run, lambda event: event["kind"] == "start")
    assert "does not begin with the line that announces the run" in verify(run).problems[0]


@pytest.mark.parametrize(
    "file",
    [
        *(f"predictions/{key}.parquet" for key in ("00-start", "01-task-0", "02-task-1")),
        *(
            f"{kind}/{key}.safetensors"
            for kind in ("drift", "fisher")
            for key in ("01-task-0", "02-task-1")
        ),
    ],
)
def test_a_file_that_other_tasks_have_is_missed(run: Run, file: str) -> None:
    (run.path / file).unlink()
    (problem,) = verify(run).problems
    assert problem == f"{run.path / file} is missing, and other tasks of the run have theirs"


def test_a_copy_may_be_smaller_and_an_older_run_wrote_less(run: Run) -> None:
    for kind in ("checkpoints", "predictions"):
        shutil.rmtree(run.path / kind)
    run.file("drift", 0).unlink()
    assert verify(run).problems == ()


class _Watch:
    """A listener that verifies the run in its folder at every event."""

    def __init__(self, out: Path) -> None:
        self.out, self.looks = out, 0

    def __call__(self, event: Event) -> None:
        self.looks += 1
        assert verify(self.out).problems == (), event


@dataclass(frozen=True)
class ScoresSecondTask(FGGM):
    """A method of a user's own that masks each task and keeps scores of one."""

    name = "scores-second-task"

    def plan(self, context: TaskContext) -> Plan:
        plan = super().plan(context)
        return plan if context.index == 1 else Plan(plan.mask)


@pytest.mark.parametrize(
    ("method", "settings"),
    [
        (make_method("fggm", first_task=False), {}),
        (make_method("fggm-online", first_task=False), {"until_loss": 100.0, "until_every": 2}),
        (make_method("joint"), {"fisher_points": 0}),
        (ScoresSecondTask(), {}),
    ],
    ids=["fggm", "a task that ends early", "joint", "own method"],
)
def test_a_run_is_as_written_at_every_moment(
    method: Method, settings: dict[str, Any], tmp_path: Path
) -> None:
    watch = _Watch(tmp_path)
    run = small_run(method, tmp_path, listener=watch, tasks=small_tasks(2), **SHORT, **settings)
    assert run.finished and watch.looks > 8 and verify(run).problems == ()


def test_a_branch_is_as_written_at_every_moment_paused_and_resumed(
    trained: Run, tmp_path: Path
) -> None:
    thin = shutil.copytree(trained.path, tmp_path / "thin")
    for kind in ("predictions", "drift", "fisher"):
        shutil.rmtree(thin / kind)
    settings: dict[str, Any] = {**SHORT, "tasks": small_tasks(2)}
    for source in (trained.path, thin):
        out = tmp_path / f"branch of {source.name}"
        settings |= {"branch": (source, 0), "listener": _Watch(out)}
        run = small_run(make_method("random"), out, pause=pausing_at(1), **settings)
        run.resume_file.unlink()
        log = (out / "events.jsonl").read_bytes().splitlines(keepends=True)
        (out / "events.jsonl").write_bytes(b"".join(log[:4]))  # it is branched once more
        small_run(make_method("random"), out, resume=True, pause=pausing_at(1), **settings)
        assert small_run(make_method("random"), out, resume=True, **settings).finished
        assert verify(out).problems == ()


def test_drift_that_could_not_be_recorded_is_not_missed(tmp_path: Path) -> None:
    settings: dict[str, Any] = {**SHORT, "checkpoint_every": 1}
    run = small_run(FGGM(), tmp_path, pause=pausing_at(4), **settings)
    shutil.rmtree(run.file("checkpoints", 0))
    with pytest.warns(UserWarning, match="how far units move"):
        run = small_run(FGGM(), tmp_path, resume=True, **settings)
    assert [run.drift(task) is None for task in range(3)] == [False, True, False]
    assert verify(run).problems == ()


def test_trainings_elsewhere_are_recorded_as_far_as_they_are_known(tmp_path: Path) -> None:
    model, tasks = small_model(), small_tasks(2)
    recorder = lab.record(tmp_path / "run", model, character_tokenizer(), tasks, "mine")
    scores = lab.fisher_scores(model, character_tokenizer(), tasks[0].train[:2])
    recorder.after("task-0", steps=7, scores=scores, mask=lab.Mask.top(scores, 0.3))
    recorder.after("task-1", steps=9)
    assert recorder.run.finished and verify(recorder.run).problems == ()


def test_a_run_that_lost_its_configuration_is_named(run: Run) -> None:
    folder = run.path.parent
    shutil.copytree(run.path, folder / "lost")
    (folder / "lost" / "config.json").unlink()
    (folder / "other").mkdir()
    (folder / "other" / "events.jsonl").write_text('{"level": "info"}\n')  # another program's
    lost, good = verify_all(folder)
    assert (lost.run, good.run) == (folder / "lost", run.path)
    assert good.problems == () and "restore that file" in lost.problems[0]
    (folder / "lost" / "config.json").write_text("{}")
    assert len(verify_all(folder / "lost")[0].problems) == 1


def test_a_cell_that_a_sweep_names_is_missed_unless_the_sweep_may_go_on(run: Run) -> None:
    folder = run.path.parent
    remember(folder, {"run": {}, "seed-2/fggm": {}})
    sweep, _ = verify_all(folder)
    assert sweep.checks == 3
    (problem,) = sweep.problems
    assert re.search(r"seed-2.fggm is missing, and sweep.json names it as trained", problem)
    log = run.path / "events.jsonl"
    log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[:-1]))
    sweep, _ = verify_all(folder)
    assert sweep.problems == ()
