"""Several processes at one sweep: the same numbers, and each run trained once."""

import dataclasses
import errno
import json
import multiprocessing
import shlex
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from fggm_lab.cli.job import TrainingJob
from fggm_lab.cli.prepare import prepare
from fggm_lab.cli.side_by_side import train_side_by_side
from fggm_lab.errors import LabError, SettingError, TrainingError
from fggm_lab.runs import Run
from fggm_lab.runs.events import Event
from fggm_lab.runs.sweep import asked_before, remember
from tests.cli.test_side_by_side import Counting
from tests.support.command_line import Asking, CommandResult
from tests.support.resuming import assert_same_numbers

CELLS = [f"default/seed-{seed}/random" for seed in (1, 2)]


def test_jobs_give_the_numbers_of_one_process(
    call: Callable[..., CommandResult], asking: Asking, tmp_path: Path
) -> None:
    words = ("--methods", "random", "--seeds", "1")
    alone, beside = tmp_path / "alone", tmp_path / "beside"
    assert call(*asking(alone, *words)).status == 0
    result = call(*asking(beside, *words, "--jobs", 2, "--json"))
    assert result.status == 0, result.err
    assert [row["seed"] for row in json.loads(result.out)["runs"]] == [1]
    assert_same_numbers(Run.open(alone / CELLS[0]), Run.open(beside / CELLS[0]))
    assert set(asked_before(beside)) == {CELLS[0]}


def test_what_fails_or_dies_stops_no_other_run() -> None:
    failures: dict[str, Exception] = {}
    finished: list[str] = []
    jobs = {"a": Counting(0, "killed"), "b": Counting(0, "refuse"), "c": Counting(0, "fail")}
    train_side_by_side(
        {**jobs, "d": Counting(0)}, 1, lambda *_: None, finished.append, failures.__setitem__
    )
    kinds = {name: type(problem) for name, problem in failures.items()}
    assert kinds == {"a": TrainingError, "b": SettingError, "c": RuntimeError}
    assert finished == ["d"]


def test_an_interrupt_ends_every_process() -> None:
    def tell(name: str, event: Event) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_side_by_side({"a": Counting(3), "b": Counting(3)}, 2, tell, lambda _: None)
    assert multiprocessing.active_children() == []


def test_a_run_that_another_process_holds_is_elsewhere_and_not_failed(
    call: Callable[..., CommandResult], asking: Asking, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    words = asking(out, "--methods", "random", "--seeds", "1-2")
    assert call(*words, "--dry-run").status == 0 and not out.exists()
    command = json.loads(call(*words, "--dry-run", "--json").out)[0]["command"]
    assert call(*command[1:]).status == 0  # the run has begun, on another machine
    before = Run.open(out / CELLS[0])
    before.truncate_events(0)  # … and is not finished
    before.resume_file.unlink()
    with before.lock():
        result = call(*words, "--json")
    assert result.status == 3, result.err
    record = json.loads(result.out)
    assert (record["failures"], record["elsewhere"]) == ({}, [CELLS[0]])
    assert [row["seed"] for row in record["runs"]] == [2]
    assert f"elsewhere: another process is training {CELLS[0]};" in result.err
    assert call(*words).status == 0, "it was let go unfinished, and is trained here"
    assert Run.open(out / CELLS[0]).finished


def test_the_command_of_a_cell_trains_what_the_sweep_asks_for(
    call: Callable[..., CommandResult], asking: Asking, tmp_path: Path
) -> None:
    more = (
        "--vary",
        "random.keep=0.2",
        "--vary",
        "clip=none",
        "--order",
        "mine,FOMC",
        "--seeds",
        3,
    )
    words = asking(tmp_path / "a folder", "--methods", "random", "--dtype", "float64", *more)
    (row,) = json.loads(call(*words, "--dry-run", "--json").out)
    assert row["varied"] == {"clip": "none", "keep": "0.2"} and not row["finished"]
    plain = call(*words, "--dry-run").out
    assert plain == f"to train  {row['run']}\n          {shlex.join(row['command'])}\n"
    assert call(*row["command"][1:]).status == 0
    log = (Path(row["run"]) / "events.jsonl").read_bytes()
    result = call(*words)
    assert result.status == 0, "other settings would be refused"
    assert (Path(row["run"]) / "events.jsonl").read_bytes() == log
    assert call(*words, "--dry-run").out.startswith("finished")


PLAIN = ("--model", "tiny", "--tasks", "trace-mini", "--general", "trace-mini", "--methods", "sft")
"""What no preset chooses, written out: some of it is a command's default without a preset."""

UNDER_A_PRESET = {
    "as the preset has it": (*PLAIN, "--preset", "fggm-paper"),
    "a plain default": (*PLAIN, "--preset", "fggm-paper", "--lr", "5e-4", "--clip", "none"),
    "a switch": (*PLAIN, "--preset", "fggm-paper", "--no-autocast", "--order", "default"),
    "another preset": (*PLAIN, "--preset", "real", "--score-unlearned", "--epochs", "5"),
    "no chat": (*PLAIN, "--preset", "real", "--no-chat"),
    "varied": (*PLAIN, "--preset", "fggm-paper", "--vary", "lr=5e-4,1e-5", "--seeds", "1"),
}


@pytest.mark.parametrize("name", UNDER_A_PRESET)
def test_the_command_of_a_cell_under_a_preset_trains_what_the_sweep_trains(
    name: str,
    call: Callable[..., CommandResult],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    prepared: list[TrainingJob] = []

    def prepare_only(**options: Any) -> None:
        prepared.extend(prepare(**options).values())
        raise LabError("nothing is trained")

    monkeypatch.setattr(import_module("fggm_lab.cli.train"), "prepare", prepare_only)
    words = ("sweep", *UNDER_A_PRESET[name], "--seeds", "1", "--out", tmp_path / "out")
    assert call(*words).status == 1
    by_sweep, prepared[:] = [*prepared], []
    for row in json.loads(call(*words, "--dry-run", "--json").out):
        assert call(*row["command"][1:]).status == 2
    assert [requested(job) for job in prepared] == [requested(job) for job in by_sweep] != []


def requested(job: TrainingJob) -> dict[str, Any]:
    """What a run is asked to be, without the data itself."""
    general = None if job.general is None else job.general.source
    fields = {field.name: getattr(job, field.name) for field in dataclasses.fields(job)}
    return fields | {"tasks": (job.tasks.source, job.tasks.names), "general": general}


def test_processes_that_record_at_the_same_time_lose_nothing(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda i: remember(tmp_path, {str(i): {"seed": i}}), range(40)))
    assert asked_before(tmp_path) == {str(i): {"seed": i} for i in range(40)}


def test_a_folder_without_locks_is_refused_before_training(
    call: Callable[..., CommandResult],
    asking: Asking,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*values: object, **named: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("filelock.FileLock.acquire", refuse)
    refusal = call(*asking(tmp_path / "out", "--methods", "sft", "--seeds", "1")).refusal
    assert "No locks available" in refusal and "put --out on a file system that has them" in refusal
    assert list((tmp_path / "out").iterdir()) == []
