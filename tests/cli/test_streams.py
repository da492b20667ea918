"""Nobody listening does not end a command: a full disk, a closed pipe or terminal, an encoding."""

import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import fggm_lab as lab
from fggm_lab.cli.streams import Stream
from fggm_lab.runs import Run

TRAIN = [
    sys.executable, "-m", "fggm_lab.cli", "run", "--methods", "sft", "--limit", "8",
    "--epochs", "1", "--points", "0", "--score-limit", "2",
]  # fmt: skip


def train(out: Path, stdout: int) -> subprocess.Popen[str]:
    """Start a small training that prints to an open file."""
    command = [*TRAIN, "--out", str(out)]
    return subprocess.Popen(command, stdout=stdout, stderr=subprocess.PIPE, text=True)


def test_output_to_a_full_disk_is_lost_and_said_and_the_training_is_not(tmp_path: Path) -> None:
    with open("/dev/full", "w", encoding="utf-8") as full:
        process = train(tmp_path, full.fileno())
    _, errors = process.communicate(timeout=120)
    assert Run.open(tmp_path / "sft").finished
    assert process.returncode == 1
    assert "error: cannot write to standard output: No space left on device" in errors
    assert "Traceback" not in errors and "Exception ignored" not in errors


def test_a_closed_pipe_and_a_closed_terminal_are_nothing_to_speak_of(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    process = train(tmp_path, writer)
    os.close(writer)
    os.close(reader)
    log = tmp_path / "sft" / "events.jsonl"
    deadline = time.monotonic() + 120
    while not log.exists():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGHUP)
    _, errors = process.communicate(timeout=120)
    assert Run.open(tmp_path / "sft").finished
    assert process.returncode == 0 and errors == ""


@pytest.mark.parametrize("command", ["tasks", "compare --json"])
def test_a_result_that_cannot_be_printed_is_an_error(command: str) -> None:
    folders = [str(run.path) for run in lab.stored_runs("rivals", "l2")]
    arguments = [*command.split(), *(folders if "compare" in command else [])]
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = subprocess.run(
            [sys.executable, "-m", "fggm_lab.cli", *arguments],
            stdout=full, stderr=subprocess.PIPE, text=True, timeout=120, check=False,
        )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith("error: cannot write to standard output: No space left")
    assert done.stderr.count("\n") == 1


def test_without_standard_output_a_command_is_silent() -> None:
    program = f"{sys.executable} -m fggm_lab.cli tasks >&-"
    done = subprocess.run(["sh", "-c", program], stderr=subprocess.PIPE, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize(
    ("encoding", "written"),
    [
        ("ascii", rb"\xf7 \u2193 \udcff a"),
        ("cp1252", b"\xf7 \\u2193 \\udcff a"),
        ("utf-8", "÷ ↓ \\udcff a".encode()),
    ],
)
def test_what_an_encoding_lacks_is_written_as_its_number(encoding: str, written: bytes) -> None:
    content = io.BytesIO()
    stream = Stream(io.TextIOWrapper(content, encoding))
    assert stream.write("÷ ↓ \udcff a") == 7
    stream.flush()
    assert content.getvalue() == written and stream.lost is None


def test_a_table_is_printed_whatever_the_encoding() -> None:
    folder = lab.stored_runs("look", "sft")[0].path
    done = subprocess.run(
        [sys.executable, "-m", "fggm_lab.cli", "compare", str(folder)],
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True, timeout=120, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")
    assert rb"\u2193 lower is better" in done.stdout
