"""`fggm-lab demo` is `fggm-lab run` on what is shipped, with the report beside the runs."""

from collections.abc import Callable
from pathlib import Path

from fggm_lab.runs import find_runs
from tests.support.command_line import CommandResult


def test_the_demo_trains_four_methods_and_goes_on_where_it_stopped(
    call: Callable[..., CommandResult], tmp_path: Path
) -> None:
    quick = ("--limit", 2, "--epochs", 1, "--points", 0, "--order", "FOMC,Py150")
    result = call("demo", "--out", tmp_path, *quick)
    runs = find_runs(tmp_path)
    assert [run.config.method for run in runs] == ["fggm", "migu", "random", "sft"]
    assert all(run.finished for run in runs)
    report = tmp_path / "report.html"
    assert str(report) in result.out.replace("\n", "")
    page = report.read_bytes()
    report.unlink()
    assert call("demo", "--out", tmp_path, "--resume", *quick).status == 0
    assert report.read_bytes() == page
