"""`fggm-lab look` and `fggm-lab watch` show runs in a browser, without a notebook."""

import re
import signal
import subprocess
import sys
import urllib.request
from functools import partial
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fggm_lab.cli import app
from tests.support.records import TASKS, made_run


def test_the_explorer_as_a_file(tmp_path: Path) -> None:
    made_run(tmp_path, "fggm", TASKS[:2])
    out = tmp_path / "explorer.html"
    result = CliRunner().invoke(app, ["look", str(tmp_path), "--out", str(out), "--no-open"])
    assert result.exit_code == 0, result.output
    page = out.read_text(encoding="utf-8")
    assert page.endswith("</html>\n")
    assert "What made forgets" in page or "What tiny forgets" in page
    assert not re.search(r"<(?:script|link|img)[^>]+(?:src|href)=\"http", page)


def test_watch_waits_for_a_run_and_ends_with_ctrl_c(tmp_path: Path) -> None:
    folder = tmp_path / "soon"
    command = [sys.executable, "-u", "-m", "fggm_lab.cli", "watch", str(folder), "--no-open"]
    # A job in a shell's background has Ctrl-C ignored, and so may these tests.
    heed = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, preexec_fn=heed) as watching:
        assert watching.stdout is not None
        assert "waiting for a run" in watching.stdout.readline()
        made_run(folder, "fggm", TASKS[:2])
        address = watching.stdout.readline().removeprefix("explorer: ").strip()
        with urllib.request.urlopen(address, timeout=60) as page:
            assert "fggm-explorer" in page.read().decode()
        watching.send_signal(signal.SIGINT)
        try:
            assert watching.wait(60) == 0
        finally:
            watching.kill()


def test_a_folder_without_runs_and_a_port_in_use(tmp_path: Path) -> None:
    for arguments, message in (
        (["look", str(tmp_path), "--no-open"], "there is no run under"),
        (["look", str(tmp_path / "nowhere")], "nowhere"),
    ):
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code != 0 and message in str(result.exception)


@pytest.mark.parametrize("port", ["-1", "70000", "x"])
def test_a_port_that_cannot_be(port: str) -> None:
    assert CliRunner().invoke(app, ["look", "--port", port]).exit_code == 2
