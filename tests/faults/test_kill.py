"""A run killed at any moment (kill -9) and resumed equals a run that was left alone."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fggm_lab.methods import FGGM
from fggm_lab.runs import Run
from tests.support.resuming import assert_same_run
from tests.support.small import small_run

TRAIN = """
import sys
from pathlib import Path
from fggm_lab.methods import FGGM
from tests.support.small import small_run
small_run(FGGM(), Path(sys.argv[1]), resume=True)
"""


@pytest.mark.parametrize(
    "lines", [2, 9, 20], ids=["after the first evaluation", "in task 1", "in task 2"]
)
def test_killed_and_resumed_equals_left_alone(tmp_path: Path, lines: int) -> None:
    uninterrupted = small_run(FGGM(), tmp_path / "whole")
    root = Path(__file__).resolve().parents[2]
    process = subprocess.Popen(
        [sys.executable, "-c", TRAIN, str(tmp_path / "killed")],
        cwd=root,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    log = tmp_path / "killed" / "events.jsonl"
    deadline = time.monotonic() + 120
    while not (log.exists() and log.read_bytes().count(b"\n") >= lines):
        assert process.poll() is None, process.stderr and process.stderr.read().decode()
        assert time.monotonic() < deadline, "the run did not get that far in two minutes"
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert process.returncode == -signal.SIGKILL
    assert not Run.open(tmp_path / "killed").finished
    assert_same_run(uninterrupted, small_run(FGGM(), tmp_path / "killed", resume=True))
