"""Taking a run up again: from what it was made of, under its mask, with what is left of it."""

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from fggm_lab.errors import OtherSettings, RunError
from fggm_lab.methods import make_method
from fggm_lab.runs import Run
from fggm_lab.tasks import General, TaskSequence
from tests.support.resuming import StopAt, assert_same_run
from tests.support.small import small_general, small_run, small_tasks


def stopped(path: Path, kind: str = "step", count: int = 9, **settings: Any) -> Run:
    """A run under FGGM that was stopped at its n-th event of a kind."""
    with pytest.raises(KeyboardInterrupt):
        small_run(make_method("fggm"), path, listener=StopAt(kind, count), **settings)
    return Run.open(path)


def go_on(run: Run, **settings: Any) -> Run:
    return small_run(make_method("fggm"), run.path, resume=True, **settings)


def elsewhere(general: bool = False) -> tuple[TaskSequence, General]:
    """The small tasks and General as if loaded from other folders."""
    tasks = small_tasks()
    return TaskSequence(list(tasks), "/other/tasks"), General(
        "small", "/other/general", small_general().skills, {}, "higher"
    )


def test_a_resumed_run_says_where_it_goes_on(tmp_path: Path) -> None:
    run = stopped(tmp_path / "run")
    (event,) = [e for e in go_on(run).events() if e["kind"] == "resume"]
    assert (event["task"], event["task_step"], event["step"]) == (1, 2, 8)
    assert event["changed"] == {}


def test_other_versions_another_processor_and_another_attention_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = stopped(tmp_path / "run")
    before = run.config.versions["torch"]
    now = {**run.config.versions, "torch": "99.0"}
    monkeypatch.setattr("fggm_lab.training.writer.versions", lambda: now)
    monkeypatch.setattr("fggm_lab.training.hardware.processor", lambda device: "abacus")
    monkeypatch.setattr("fggm_lab.training.hardware.attention_name", lambda model: "flex_attention")
    with pytest.warns(
        UserWarning, match=rf"torch {re.escape(before)}, now 99\.0; processor .*, now abacus"
    ):
        resumed = go_on(run)
    (event,) = [e for e in resumed.events() if e["kind"] == "resume"]
    assert event["changed"]["torch"] == [before, "99.0"]
    assert event["changed"]["attention"] == [run.config.attention, "flex_attention"]


@pytest.mark.parametrize("change", ["missing", "another", "damaged"])
def test_a_task_goes_on_under_its_own_mask_or_not_at_all(tmp_path: Path, change: str) -> None:
    run = stopped(tmp_path / "run")
    path, log = run.file("masks", 1), (run.path / "events.jsonl").read_bytes()
    if change == "missing":
        path.unlink()
    elif change == "another":
        mask = run.mask(1)
        assert mask is not None
        (~mask).save(path)
    else:
        path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(Exception, match=rf"{path.name} (is missing|is another|cannot be read)"):
        go_on(run)
    assert (run.path / "events.jsonl").read_bytes().startswith(log[: log.rindex(b'"step"')][:500])
    assert not Run.open(run.path).finished


def test_without_its_state_a_run_is_not_begun_anew(tmp_path: Path) -> None:
    run = stopped(tmp_path / "run")
    log = (run.path / "events.jsonl").read_bytes()
    run.resume_file.unlink()
    with pytest.raises(RunError, match=r"resume\.safetensors is gone.* branch from a finished"):
        go_on(run)
    assert (run.path / "events.jsonl").read_bytes() == log


def test_a_lost_model_between_tasks_is_written_anew(tmp_path: Path) -> None:
    run = stopped(tmp_path / "run", count=7)
    folder = run.checkpoint(0)
    assert folder is not None
    shutil.rmtree(folder)
    resumed = go_on(run)  # from the state at the end of the first task
    assert resumed.finished
    assert_same_run(small_run(make_method("fggm"), tmp_path / "whole"), resumed)


@pytest.mark.parametrize("damage", ["missing", "flipped"])
def test_what_can_go_on_without_a_model_goes_on_and_says_so_at_once(
    tmp_path: Path, damage: str
) -> None:
    run = stopped(tmp_path / "run")
    folder = run.checkpoint(0)
    assert folder is not None
    if damage == "missing":
        shutil.rmtree(folder)
    else:
        weights = bytearray((folder / "model.safetensors").read_bytes())
        weights[-1] ^= 1
        (folder / "model.safetensors").write_bytes(weights)
    with pytest.warns(UserWarning, match="01-task-0 cannot be read .*how far units move"):
        resumed = go_on(run)
    assert resumed.finished and resumed.drift(1) is None and resumed.drift(2) is not None
    uninterrupted = small_run(make_method("fggm"), tmp_path / "whole")
    assert uninterrupted.scores == resumed.scores


def test_the_same_data_at_another_path_is_the_same_data(tmp_path: Path) -> None:
    run = stopped(tmp_path / "run")
    tasks, general = elsewhere()
    with pytest.warns(UserWarning, match="begun with tasks small; /other/tasks holds the same"):
        resumed = go_on(run, tasks=tasks, general=general)
    assert resumed.finished
    config = Run.open(run.path).config
    assert (config.tasks, config.general) == ("/other/tasks", "/other/general")


def test_a_general_that_was_edited_since_is_another(tmp_path: Path) -> None:
    run = stopped(tmp_path / "run")
    skills = {name: examples[:2] for name, examples in small_general().skills.items()}
    edited = General("small", "small", skills, {}, "higher")
    with pytest.raises(OtherSettings, match=r"general_fingerprint: .* there, .* here"):
        go_on(run, general=edited)


def test_a_state_with_other_weights_is_one_sentence(tmp_path: Path) -> None:
    from fggm_lab.training.resume_state import restore_model

    model = torch.nn.Linear(2, 3)
    for tensors in ({}, {"model.weight": torch.zeros(2, 2)}):
        with pytest.raises(RunError, match=r"no weights weight of shape \(3, 2\)"):
            restore_model(model, tensors)


def test_a_branch_that_was_killed_before_its_state_is_branched_again(tmp_path: Path) -> None:
    source = small_run(make_method("fggm"), tmp_path / "source")
    branch = {"branch": (source, 0), "lr": 1e-3}
    run = small_run(make_method("fggm"), tmp_path / "branch", **branch)
    scores = run.scores
    own_start = next(e for e in run.events("step") if e["task"] == 1)
    lines = (run.path / "events.jsonl").read_bytes().splitlines(keepends=True)
    index = run.events().index(own_start)
    (run.path / "events.jsonl").write_bytes(b"".join(lines[: index - 1]))
    run.resume_file.unlink()
    assert go_on(run, **branch).scores == scores


def test_a_mask_chosen_after_the_saved_state_is_gone_when_the_run_goes_on(tmp_path: Path) -> None:
    run = stopped(tmp_path / "run")
    mask = run.mask(1)
    assert mask is not None
    (~mask).save(run.file("masks", 1, 5))
    resumed = go_on(run)
    assert resumed.mask_steps(1) == [0] and resumed.mask(1) == mask
