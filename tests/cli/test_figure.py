"""`fggm-lab figure` writes a figure of runs, the lab's or a user's own."""

import csv
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.command_line import CommandResult
from tests.support.records import made_run


def test_a_figure_of_runs_is_written_and_said(
    call: Callable[..., CommandResult], tmp_path: Path
) -> None:
    made_run(tmp_path / "runs", "sft", ["A", "B"])
    result = call("figure", "score_matrix", tmp_path / "runs", "--out", tmp_path / "matrix.csv")
    assert result.status == 0
    assert "Score matrix of sft, seed 0, 2 tasks." in result.out and "matrix.csv" in result.out
    with (tmp_path / "matrix.csv").open(newline="", encoding="utf-8") as handle:
        assert len(list(csv.DictReader(handle))) == 6


def test_a_function_of_ones_own_draws(
    call: Callable[..., CommandResult], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_run(tmp_path / "runs", "sft", ["A", "B"])
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_figures.py").write_text(
        "from fggm_lab.plots import forgetting_curves\n\n"
        "def first_task(runs):\n    return forgetting_curves(runs, task='A')\n"
    )
    result = call("figure", "my_figures:first_task", "runs", "--out", "first.html")
    assert result.status == 0 and (tmp_path / "first.html").is_file()


def test_a_figure_of_other_records_is_refused(
    call: Callable[..., CommandResult], tmp_path: Path
) -> None:
    result = call("figure", "mask_overlap", tmp_path)
    assert result.status == 2
    assert "mask_overlap is not drawn from runs alone" in result.err
    assert "forgetting_curves" in result.err


def test_a_figures_settings_are_set(call: Callable[..., CommandResult], tmp_path: Path) -> None:
    run = made_run(tmp_path / "runs", "sft", ["A", "B"])
    words = ("figure", "log_curves", run.path, "--out", tmp_path / "norm.csv")
    result = call(*words, "--set", "scalar=lr", "--set", "log=true", "--set", "smoothing=0.5")
    assert result.status == 0 and "lr of sft: 80 values, from 0.0005" in result.out
    with (tmp_path / "norm.csv").open(newline="", encoding="utf-8") as handle:
        assert {row["y_axis"] for row in csv.DictReader(handle)} == {"learning rate"}
    for bad in ("scale=lr", "scalar"):
        refusal = call(*words, "--set", bad).refusal
        assert "write NAME=VALUE with one of: scalar, smoothing, log" in refusal
    assert "has no scalar 'nrm'" in call(*words, "--set", "scalar=nrm").refusal
