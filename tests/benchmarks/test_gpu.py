"""The script for a GPU runs whole on the CPU, in small, and writes what it measured."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks.gpu import app
from tests.cli.test_real import TEMPLATE, model_folder


def test_every_part_leaves_its_rows(tmp_path: Path) -> None:
    model, out = model_folder(tmp_path / "model", TEMPLATE), tmp_path / "gpu.json"
    parts = ("--only", "lengths", "--only", "study")
    words = ["--device", "cpu", "--tiny", "--model", str(model), "--out", str(out), *parts]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    record = json.loads(out.read_text("utf-8"))
    [row] = record["lengths"]["rows"]
    assert row["all_ratio"] > 0 and row["step_ratio"] > 0
    assert [row["method"] for row in record["study"]["rows"]] == ["sft", "fggm"]
    assert all(0 <= row["op_final"] <= 1 for row in record["study"]["rows"])
    assert record["lengths"]["complete"] and record["study"]["complete"]


@pytest.mark.parametrize(
    ("words", "message"), [([], "no CUDA device"), (["--device", "cpu", "--only", "x"], "no part")]
)
def test_what_cannot_run_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], message: str
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    result = CliRunner().invoke(app, [*words, "--out", str(tmp_path / "gpu.json")])
    assert result.exit_code == 2 and message in result.output
    assert not (tmp_path / "gpu.json").exists()


def test_runs_that_fail_are_rows_that_say_so(tmp_path: Path) -> None:
    out = tmp_path / "gpu.json"
    words = ["--device", "cpu", "--tiny", "--only", "study", "--out", str(out)]
    result = CliRunner().invoke(app, [*words, "--model", str(tmp_path / "nowhere")])
    assert result.exit_code == 1 and "2 rows failed" in result.output
    study = json.loads(out.read_text("utf-8"))["study"]
    assert [row["error"] for row in study["rows"]] == ["it did not end"] * 2
    assert not study["complete"]
