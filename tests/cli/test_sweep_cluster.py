"""A sweep's cells as submitit's jobs: on this machine, preempted, and what SLURM would be sent."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

import fggm_lab.cli.cluster
from fggm_lab.cli.cells import CellJob
from fggm_lab.cli.cluster import make_executor, train_on_cluster
from fggm_lab.runs import Run
from tests.support.command_line import Asking, CommandResult
from tests.support.resuming import assert_same_numbers

CELL = "default/seed-1/random"


def write_program(folder: Path, name: str, script: str) -> None:
    """A shell script that a `PATH` with this folder finds by name."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Programs that look like SLURM's: sbatch keeps what it was sent, and no job ever runs."""
    folder = tmp_path / "bin"
    folder.mkdir()
    write_program(folder, "srun", "exit 1")
    write_program(folder, "sbatch", f'cat "$1" >> {folder}/sent\necho "Submitted batch job 4711"')
    write_program(
        folder,
        "sacct",
        'echo "JobID|State|NodeList"\nfor i in "" _0 _1; do echo "4711$i|FAILED|node"; done',
    )
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    monkeypatch.setitem(fggm_lab.cli.cluster._SECONDS_BETWEEN_LOOKS, "slurm", 0.05)
    return folder


def preempt(log: Path, steps: int) -> int:
    """Once a run has taken some steps, send its job the signal that SLURM sends before it ends it.

    Returns:
        The process that got it.
    """
    deadline = time.monotonic() + 120
    while not (log.exists() and log.read_text().count('"kind": "step"') >= steps):
        assert time.monotonic() < deadline, "the job does not train"
        time.sleep(0.01)
    for process in psutil.Process().children(recursive=True):
        if "submitit.core._submit" in process.cmdline():
            process.send_signal(signal.SIGUSR2)
            return process.pid
    raise AssertionError("no job is running")


def test_a_preempted_job_goes_on_and_comes_to_the_same(
    call: Callable[..., CommandResult], asking: Asking, tmp_path: Path
) -> None:
    more = ("--methods", "random", "--seeds", "1", "--epochs", 60, "--checkpoint-every", 7)
    out = tmp_path / "cluster"
    with ThreadPoolExecutor(1) as thread:
        preempted = thread.submit(preempt, out / CELL / "events.jsonl", 10)
        result = call(*asking(out, *more, "--cluster", "local"))
    assert preempted.result() and result.status == 0, result.err
    (log,) = (out / "submitit").glob("*_log.out")
    assert log.read_text().count("Starting with JobEnvironment") == 2
    assert "Requeued job" in log.read_text()
    assert call(*asking(tmp_path / "here", *more)).status == 0
    assert_same_numbers(Run.open(tmp_path / "here" / CELL), Run.open(out / CELL))


def test_the_handlers_of_logging_that_a_process_has_stay_open(tmp_path: Path) -> None:
    """A handler may close with itself the stream that pytest or a notebook reads; absl's does."""
    program = f"""
import logging
from pathlib import Path
from fggm_lab.cli.cells import CellJob
from fggm_lab.cli.cluster import make_executor
closings = []
class Handler(logging.StreamHandler):
    def close(self):
        closings.append(self)
handler = Handler()
make_executor("debug", Path({str(tmp_path)!r}), None, [])
print(closings, logging.getLogger("submitit").handlers)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "[] []\n", done.stderr


def test_slurm_is_sent_one_array_and_a_job_that_dies_is_a_failure(
    call: Callable[..., CommandResult], asking: Asking, tmp_path: Path, slurm: Path
) -> None:
    parameters = ("partition=gpu", "gpus_per_node=1", "timeout_min=90", "mem_gb=16")
    more = [word for pair in parameters for word in ("--slurm", pair)]
    words = asking(tmp_path / "out", "--methods", "random", "--seeds", "1-2")
    result = call(*words, "--cluster", "slurm", "--parallel", 1, *more, "--json")
    sent = (slurm / "sent").read_text()
    flags = {line.removeprefix("#SBATCH --") for line in sent.splitlines() if "#SBATCH" in line}
    assert {"array=0-1%1", "partition=gpu", "gpus-per-node=1", "time=90", "mem=16GB"} <= flags
    assert sent.count("#!/bin/bash") == 1, "one array for all cells"
    assert result.status == 1
    failures = json.loads(result.out)["failures"]
    assert failures.keys() == {CELL, CELL.replace("1", "2")}
    assert all("its job ended without a word; look at " in text for text in failures.values())


def test_a_cluster_that_refuses_is_one_sentence(
    call: Callable[..., CommandResult], asking: Asking, tmp_path: Path, slurm: Path
) -> None:
    write_program(slurm, "sbatch", "echo 'sbatch: error: invalid partition specified' >&2\nexit 1")
    words = asking(tmp_path / "out", "--methods", "sft", "--seeds", "1-2")
    refusal = call(*words, "--cluster", "slurm", "--slurm", "partition=gqu").refusal
    assert "invalid partition specified; change --slurm and repeat" in refusal


def test_debug_runs_the_cells_in_this_process(
    call: Callable[..., CommandResult], asking: Asking, tmp_path: Path
) -> None:
    words = asking(tmp_path / "out", "--methods", "random", "--seeds", "1")
    result = call(*words, "--cluster", "debug", "--json")
    assert result.status == 0 and len(json.loads(result.out)["runs"]) == 1


def test_a_crash_of_a_debug_job_does_not_end_the_sweep(
    call: Callable[..., CommandResult],
    asking: Asking,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = CellJob.__call__

    def breaking(job: CellJob) -> None:
        if job.name == CELL:
            raise ValueError("a method's own mistake")
        real(job)

    monkeypatch.setattr(CellJob, "__call__", breaking)
    words = asking(tmp_path / "out", "--methods", "random", "--seeds", "1-2")
    result = call(*words, "--cluster", "debug", "--json")
    assert result.status == 1
    record = json.loads(result.out)
    assert record["failures"] == {CELL: "ValueError: a method's own mistake"}
    assert [row["seed"] for row in record["runs"]] == [2]
    assert "in breaking" in result.err, "the traceback of what is no user's mistake"


def test_an_interrupt_ends_the_jobs_of_this_machine(tmp_path: Path) -> None:
    executor = make_executor("local", tmp_path / "submitit", 2, ())
    before = psutil.Process().children(recursive=True)

    def interrupt() -> None:
        while len(list((tmp_path / "submitit").glob("*_log.out"))) < 2:
            time.sleep(0.01)
        time.sleep(0.5)  # while jobs are sent it would not be heard
        os.kill(os.getpid(), signal.SIGINT)

    sleeping: Any = {name: partial(time.sleep, 60) for name in "ab"}
    with ThreadPoolExecutor(1) as thread, pytest.raises(KeyboardInterrupt):
        thread.submit(interrupt)
        train_on_cluster(executor, sleeping, 2, lambda *_: None)
    assert set(psutil.Process().children(recursive=True)) <= set(before)


WRONG = {
    "no SLURM here": (("--cluster", "slurm"), "this machine has no sbatch and no srun"),
    "no such cluster": (("--cluster", "slrum"), "cluster"),
    "parallel alone": (("--parallel", 2), "go with --cluster"),
    "parameter alone": (("--slurm", "partition=gpu"), "go with --cluster"),
    "parameter elsewhere": (
        ("--cluster", "local", "--slurm", "partition=gpu"), "goes with --cluster slurm"),
    "jobs, too": (("--cluster", "local", "--jobs", 2), "write --parallel"),
    "jobs": (("--jobs", 0), "jobs is 0"),
    "parallel": (("--cluster", "local", "--parallel", 0), "parallel is 0"),
}  # fmt: skip
WRONG_ON_SLURM = {
    "unknown": ("partitoin=gpu", "no such parameter of a job; did you mean 'partition'?"),
    "several processes": ("nodes=2", "no such parameter of a job"),
    "no value": ("partition", "write it as KEY=VALUE"),
    "a time of the day": ("time=02:00:00", "write whole minutes, such as time=240"),
    "a word for a number": ("gpus_per_node=two", "--slurm: "),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_be_is_one_sentence_before_anything_is_written(
    name: str, call: Callable[..., CommandResult], asking: Asking, tmp_path: Path
) -> None:
    wrong, sentence = WRONG[name]
    words = asking(tmp_path / "out", "--methods", "sft", "--seeds", "1", *wrong)
    assert sentence in call(*words).refusal
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", WRONG_ON_SLURM)
def test_a_parameter_that_slurm_has_not_is_one_sentence_before_anything_is_written(
    name: str, call: Callable[..., CommandResult], asking: Asking, tmp_path: Path, slurm: Path
) -> None:
    pair, sentence = WRONG_ON_SLURM[name]
    words = asking(tmp_path / "out", "--methods", "sft", "--seeds", "1")
    assert sentence in call(*words, "--cluster", "slurm", "--slurm", pair).refusal
    assert not (tmp_path / "out").exists()
