"""A branch shares its source's tests or is refused, and once begun needs the source no more."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from fggm_lab.cli import app
from fggm_lab.errors import OtherSettings, RunError
from fggm_lab.methods import SFT
from fggm_lab.runs import Run, verify
from fggm_lab.runs.config import RunConfig
from fggm_lab.tasks import General
from fggm_lab.training.branch import branch_point
from tests.support.resuming import assert_same_run, pausing_at
from tests.support.small import context as task_context
from tests.support.small import jolt, small_general, small_model, small_run

SHORT: dict[str, Any] = {"epochs": 1, "points_per_task": 0}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return small_run(SFT(), tmp_path_factory.mktemp("branching") / "source", **SHORT)


def _another_general() -> General:
    skills = {name: examples[:2] for name, examples in small_general().skills.items()}
    return General("small", "small", skills, {}, "higher")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"general": _another_general()}, r"general_fingerprint: \w+ there, \w+ here"),
        ({"general": None}, "general: small there, not set here"),
        ({"split": "eval"}, "split: test there, eval here"),
        ({"score_limit": 2}, "score_limit: not set there, 2 here"),
        ({"max_new_tokens": 3}, "max_new_tokens: not set there, 3 here"),
        ({"score_max_prompt": 9}, "score_max_prompt: not set there, 9 here"),
        ({"score_unlearned": False}, "score_unlearned: True there, False here"),
        ({"probe": 1}, "probe: 2 there, 1 here"),
    ],
)
def test_a_branch_that_would_mix_two_tests_is_refused_before_there_is_a_folder(
    source: Run, tmp_path: Path, change: dict[str, Any], named: str
) -> None:
    with pytest.raises(RunError, match=rf"scored in another way \(.*{named}.*branch with the same"):
        small_run(SFT(), tmp_path / "branch", branch=(source, 0), **{**SHORT, **change})
    assert not (tmp_path / "branch").exists()


def test_a_branch_of_another_untrained_model_is_refused(source: Run, tmp_path: Path) -> None:
    model = small_model()
    jolt(task_context(model), seed=1)
    with pytest.raises(RunError, match=r"model_fingerprint: \w+ there, \w+ here"):
        small_run(SFT(), tmp_path / "branch", branch=(source, 0), model=model, **SHORT)


@pytest.mark.parametrize(
    "older",
    [
        {"tokenizer_fingerprint": None, "general_fingerprint": None},
        {"general": None, "general_fingerprint": None},
    ],
    ids=["fingerprints that were not recorded", "a General that was not measured"],
)
def test_what_a_source_does_not_know_is_no_other_test(source: Run, older: dict[str, Any]) -> None:
    config: RunConfig = source.config.model_copy(update=older)
    branch_point(Run(source.path, config), 0, source.config)


def test_a_branch_may_be_trained_in_another_way(source: Run, tmp_path: Path) -> None:
    other = {**SHORT, "lr": 1e-3, "batch_size": 5, "seed": 3, "clip": None}
    branch = small_run(SFT(), tmp_path / "branch", branch=(source, 1), **other)
    assert branch.finished and verify(branch).problems == ()


@pytest.mark.parametrize("named", ["not at all", "where it was", "where it is"])
def test_a_branch_goes_on_though_its_source_is_elsewhere(
    source: Run, tmp_path: Path, named: str
) -> None:
    begun, moved = tmp_path / "begun", tmp_path / "moved"
    shutil.copytree(source.path, begun)
    out = {name: tmp_path / name for name in ("unbroken", "parts")}
    unbroken = small_run(SFT(), out["unbroken"], branch=(begun, 0), **SHORT)
    small_run(SFT(), out["parts"], branch=(begun, 0), pause=pausing_at(1), **SHORT)
    begun.rename(moved)
    branch = {"not at all": None, "where it was": (begun, 0), "where it is": (moved, 0)}[named]
    run = small_run(SFT(), out["parts"], branch=branch, resume=True, **SHORT)
    assert run.finished
    assert_same_run(unbroken, run)
    assert verify(run).problems == ()


def test_a_branch_goes_on_after_its_own_task_only(source: Run, tmp_path: Path) -> None:
    out = tmp_path / "branch"
    small_run(SFT(), out, branch=(source, 0), pause=pausing_at(1), **SHORT)
    with pytest.raises(OtherSettings, match=r"branch\.task: 0 there, 1 here"):
        small_run(SFT(), out, branch=(source, 1), resume=True, **SHORT)


def test_a_branch_stopped_before_its_first_state_is_begun_again_and_never_as_a_whole_run(
    source: Run, tmp_path: Path
) -> None:
    begun, out = tmp_path / "begun", tmp_path / "branch"
    shutil.copytree(source.path, begun)
    run = small_run(SFT(), out, branch=(begun, 0), pause=pausing_at(1), **SHORT)
    run.resume_file.unlink()
    log = (out / "events.jsonl").read_bytes().splitlines(keepends=True)
    first = next(i for i, e in enumerate(run.events()) if e["kind"] == "step" and e["task"] == 1)
    (out / "events.jsonl").write_bytes(b"".join(log[:first]))
    hidden = begun.rename(tmp_path / "hidden")
    with pytest.raises(RunError, match=r"the run to branch from cannot be opened: .*begun.*--from"):
        small_run(SFT(), out, resume=True, **SHORT)
    hidden.rename(begun)
    again = small_run(SFT(), out, resume=True, **SHORT)
    assert again.finished and again.scores is not None and source.scores is not None
    assert again.scores.matrix[0] == source.scores.matrix[0]
    assert [e["task"] for e in again.events("task")] == [0, 1, 2]


def _command(out: Path, *arguments: str) -> Result:
    words = ["run", "--tasks", str(out / "tasks"), "--methods", "sft", "--epochs", "1"]
    return CliRunner().invoke(app, [*words, "--points", "0", *arguments])


def test_the_command_refuses_another_general_and_resumes_without_the_source(
    tmp_path: Path,
) -> None:
    for task in ("A", "B"):
        (tmp_path / "tasks" / task).mkdir(parents=True)
        for split in ("train", "eval", "test"):
            rows = [{"prompt": f"{task} {i}: ", "answer": "yes"} for i in range(2)]
            (tmp_path / "tasks" / task / f"{split}.json").write_text(json.dumps(rows))
    source, out = tmp_path / "source" / "sft", tmp_path / "branch"
    none = ("--general", "none")
    assert _command(tmp_path, *none, "--out", str(source.parent)).exit_code == 0
    branch = ("--from", str(source), "--task", "A")
    refusal = _command(tmp_path, *branch, *none, "--split", "eval", "--out", str(out)).exception
    assert isinstance(refusal, RunError) and "split: test there, eval here" in str(refusal)
    assert _command(tmp_path, *branch, *none, "--out", str(out)).exit_code == 0
    os.rename(source, tmp_path / "moved")
    for arguments in (branch, ()):
        resumed = _command(tmp_path, *arguments, *none, "--out", str(out), "--resume")
        assert resumed.exit_code == 0, resumed.output
