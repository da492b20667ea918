"""`fggm-lab demo` is `fggm-lab run` on what is shipped, with the report beside the runs."""

import re
from collections.abc import Callable
from pathlib import Path

from fggm_lab.runs import find_runs
from tests.support.command_line import CommandResult


def test_the_demo_trains_four_methods_and_goes_on_where_it_stopped(
    call: Callable[..., CommandResult], tmp_path: Path
) -> None:
    quick = ("--limit", 2, "--epochs", 1, "--points", 0, "--order", "FOMC,Py150", "--jobs", 1)
    result = call("demo", "--out", tmp_path, *quick)
    runs = find_runs(tmp_path)
    assert [run.config.method for run in runs] == ["fggm", "migu", "random", "sft"]
    assert all(run.finished for run in runs)
    lines = re.findall(r"^(\w+ \d/2 \w+) \d\.\d\d · (?:earlier tasks|General)", result.out, re.M)
    assert lines == [
        f"{method} {position}"
        for method in ("sft", "migu", "fggm", "random")
        for position in ("1/2 FOMC", "2/2 Py150")
    ]
    report = tmp_path / "report.html"
    assert str(report) in result.out.replace("\n", "")
    steps = result.out.partition("next:\n")[2].splitlines()
    assert len(steps) == 5 and f"fggm-lab look {tmp_path}" in steps[1]
    assert f"fggm-lab forgotten {tmp_path / 'sft'}" in steps[2]
    page = report.read_bytes()
    report.unlink()
    assert call("demo", "--out", tmp_path, "--resume", *quick).status == 0
    assert report.read_bytes() == page


def test_no_methods_at_a_time_are_refused(
    call: Callable[..., CommandResult], tmp_path: Path
) -> None:
    assert "jobs is 0" in call("demo", "--jobs", 0, "--out", tmp_path / "out").refusal
