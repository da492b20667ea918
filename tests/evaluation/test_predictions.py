"""A run keeps every scored answer, and its scores are made of them."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from fggm_lab.files import read_record
from fggm_lab.methods import SFT
from fggm_lab.runs import Run
from fggm_lab.tasks import METRICS, TaskSequence
from tests.support.small import small_run, small_tasks

NAMES = [task.name for task in small_tasks()]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return small_run(SFT(), tmp_path_factory.mktemp("runs") / "run")


def test_every_cell_of_the_score_matrix_is_the_mean_of_its_answers(run: Run) -> None:
    scores = run.scores
    assert scores is not None
    for row, after in [(scores.untrained, None), *zip(scores.matrix, NAMES, strict=True)]:
        for value, task in zip(row, small_tasks(), strict=True):
            rows = run.predictions(after, task.name)
            assert {(r.trained_after, r.split) for r in rows} == {(after, "test")}
            assert [(r.index, r.prompt, r.answer) for r in rows] == [
                (i, e.prompt, e.answer) for i, e in enumerate(task.test)
            ]
            again = [METRICS[task.metric](r.prompt, r.prediction, r.answer) for r in rows]
            assert again == [r.score for r in rows]
            assert sum(again) / len(again) == value


def test_the_other_measures_come_from_them_too(run: Run) -> None:
    for event in run.events("evaluation"):
        if event["final"]:
            after = None if event["task"] < 0 else event["task"]
            for name, scores in event["tasks"].items():
                rows = run.predictions(after, name)
                assert scores["examples"] == len(rows) == 4
                assert scores["exact"] == sum(r.exact for r in rows) / 4
                assert scores["nll"] == sum(r.nll for r in rows) / sum(r.tokens for r in rows)
                assert scores["empty"] == sum(not r.prediction.strip() for r in rows)


def test_a_resumed_run_keeps_the_same(run: Run, tmp_path: Path) -> None:
    steps = 0

    def stop() -> bool:
        nonlocal steps
        steps += 1
        return steps == 8  # in the second task

    paused = small_run(SFT(), tmp_path / "run", pause=stop)
    assert not paused.finished and paused.predictions(0) and not paused.predictions(1)
    resumed = small_run(SFT(), tmp_path / "run", resume=True)
    for after in (None, *NAMES):
        assert resumed.predictions(after) == run.predictions(after) != []


def test_a_branch_takes_over_what_was_answered_before_it(run: Run, tmp_path: Path) -> None:
    branch = small_run(SFT(), tmp_path / "branch", branch=(run, 0), lr=1e-3)
    for after in (None, NAMES[0]):
        assert branch.predictions(after) == run.predictions(after)
    assert branch.predictions(NAMES[1]) != run.predictions(NAMES[1])


def test_a_run_of_an_older_version_is_read_without_them(run: Run, tmp_path: Path) -> None:
    old = tmp_path / "old"
    shutil.copytree(run.path, old)
    shutil.rmtree(old / "predictions")
    config = read_record(old / "config.json")
    config = {k: v for k, v in config.items() if k != "max_new_tokens"} | {"schema_version": 2}
    (old / "config.json").write_text(json.dumps(config))
    events = [json.loads(json.dumps(event)) for event in run.events()]
    for event in events:
        for scores in event.get("tasks", {}).values():
            del scores["empty"]
    (old / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))
    again = Run.open(old)
    assert again.predictions(None) == again.predictions(NAMES[0]) == []
    assert again.metrics() == run.metrics()
    assert small_run(SFT(), old, resume=True).finished


def test_epochs_may_be_a_tasks_own(tmp_path: Path) -> None:
    by_name = small_run(SFT(), tmp_path / "a", epochs={"task-2": 1, "task-0": 2, "task-1": 0.5})
    in_order = small_run(SFT(), tmp_path / "b", epochs=[2, 0.5, 1])
    for run in (by_name, in_order):
        assert run.events("start")[0]["steps"] == [6, 2, 3]
        steps = [event["task"] for event in run.events("step")]
        assert [steps.count(index) for index in range(3)] == [6, 2, 3]
    assert by_name.scores == in_order.scores
    assert small_run(SFT(), tmp_path / "a", epochs=[2, 0.5, 1], resume=True).finished


def test_the_most_new_tokens_of_a_run_cut_its_answers(tmp_path: Path) -> None:
    compared_whole = TaskSequence([replace(t, metric="rouge_l") for t in small_tasks()], "small")
    run = small_run(
        SFT(), tmp_path / "run", tasks=compared_whole, max_new_tokens={"task-1": 1},
        points_per_task=0,
    )  # fmt: skip
    for after in (None, *NAMES):
        assert all(len(row.prediction) <= 1 for row in run.predictions(after, "task-1"))
    assert any(len(row.prediction) > 1 for row in run.predictions(None, "task-0"))
