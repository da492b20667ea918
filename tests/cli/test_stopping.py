"""Ctrl-C ends a command with one sentence that says how to go on, and status 130."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fggm_lab.runs import Run
from tests.support.command_line import QUICK, CommandResult

GOES_ON = "goes on from the last saved step"


@pytest.mark.skipif(sys.platform == "win32", reason="SIGINT of another process is POSIX's")
def test_a_signal_in_the_middle_of_training(
    call: Callable[..., CommandResult], model: Path, tasks: Path, tmp_path: Path
) -> None:
    words = ["run", "--model", model, "--tasks", tasks, "--methods", "sft", "--out", tmp_path]
    words += ["--batch-size", 4, "--epochs", 4000, "--points", 0]
    process = subprocess.Popen(
        [sys.executable, "-m", "fggm_lab.cli", *map(str, words)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    log = tmp_path / "sft" / "events.jsonl"
    while process.poll() is None and not (log.exists() and '"step"' in log.read_text()):
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert process.returncode == 130, err
    assert err == f"stopped; the same command with --resume {GOES_ON}\n"
    assert not Run.open(tmp_path / "sft").finished


@pytest.mark.parametrize("command", ["run", "sweep", "demo"])
def test_each_command_that_trains_says_it(
    command: str,
    call: Callable[..., CommandResult],
    tasks: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def stopped(*values: object, **named: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("fggm_lab.training.run_sequence", stopped)
    quick = ("--tasks", tasks, "--methods", "sft", "--general", "none", *QUICK)
    result = call(command, *quick, "--out", tmp_path / "out")
    resume = "" if command == "sweep" else " with --resume"
    assert result.status == 130
    assert result.err == f"stopped; the same command{resume} {GOES_ON}\n"
