"""A training in a process of its own, killed (kill -9) while it writes."""

import signal
import subprocess
import sys
import time
from pathlib import Path

from fggm_lab.runs import Run

TRAIN = """
import sys
from pathlib import Path
from fggm_lab.methods import FGGM
from tests.support.small import small_run
small_run(FGGM(), Path(sys.argv[1]), resume=True)
"""


def killed_run(folder: Path, lines: int, delay: float = 0.0) -> Run:
    """Train under FGGM into a folder, and kill the process.

    Args:
        folder: of the run.
        lines: of its log, after which the process is killed.
        delay: seconds from then on.

    Returns:
        The run as it was left; finished, if the process was faster.
    """
    root = Path(__file__).resolve().parents[2]
    process = subprocess.Popen(
        [sys.executable, "-c", TRAIN, str(folder)],
        cwd=root,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    log = folder / "events.jsonl"
    deadline = time.monotonic() + 120
    while process.poll() is None and not (log.exists() and log.read_bytes().count(b"\n") >= lines):
        assert time.monotonic() < deadline, "the run did not get that far in two minutes"
        time.sleep(0.002)
    time.sleep(delay)
    process.send_signal(signal.SIGKILL)
    _, errors = process.communicate()
    assert process.returncode in (0, -signal.SIGKILL), errors.decode()
    return Run.open(folder)
