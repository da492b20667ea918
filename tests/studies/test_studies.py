"""The results page: its tables are those of the kept rows, and its studies can be run."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from fggm_lab.cli import app
from fggm_lab.methods import METHODS
from studies import catalog, page, picture, tuning
from studies import rows as study_rows
from tests.support.records import made_run


def row(method: str = "sft", lr: float = 1e-3, **numbers: Any) -> dict[str, Any]:
    return {"method": method, "lr": lr, "seed": 1, "settings": {}, **numbers}


def test_the_page_has_the_tables_of_the_study_rows() -> None:
    text = page.PAGE.read_text(encoding="utf-8")
    assert page.filled(text) == text, "python -m studies page"
    block_names = re.findall(r"<!-- results: (.+?) -->", text)
    assert sorted(block_names) == sorted(page.BLOCKS)


def test_every_method_is_compared() -> None:
    assert {*catalog.TUNED, *catalog.UNTRIED, "untrained"} == set(METHODS)


def test_every_method_has_the_same_number_of_trials() -> None:
    rows = study_rows.stored_rows("tuning")["rows"]
    counted = {method: 0 for method in catalog.TUNED}
    for trial in rows:
        assert trial["split"] == "eval"
        counted[trial["method"]] += 1
    assert set(counted.values()) == {5}


def test_the_studies_ask_for_what_the_command_line_knows(tmp_path: Path) -> None:
    studies = catalog
    chosen = tuning.choose(study_rows.stored_rows("tuning")["rows"])
    sweeps = [s for make in studies.STUDIES.values() for s in make(chosen)]
    sweeps += studies.tried(chosen)
    for sweep in {(s.methods, s.options): s for s in sweeps}.values():
        call = ["sweep", "--methods", ",".join(sweep.methods), *sweep.options]
        done = CliRunner().invoke(app, [*call, "--out", str(tmp_path / "none"), "--dry-run"])
        assert done.exit_code == 0, f"{shlex.join(call)}: {done.output}"
        assert "to train" in done.output


def test_tuning_takes_the_best_mean_of_general_and_op() -> None:
    trials = [
        row(lr=5e-4, general_after=0.9, op_final=0.5),
        row(lr=1e-3, general_after=0.7, op_final=0.8),
        row(lr=2e-3, general_after=0.1, op_final=1.0),
        row("ewc", 5e-4, general_after=0.9, op_final=0.5) | {"settings": {"strength": 1000.0}},
        row("ewc", 5e-4, general_after=0.9, op_final=0.6) | {"settings": {"strength": 100.0}},
    ]
    chosen = tuning.choose(trials)
    assert chosen == {"sft": {"lr": "0.001"}, "ewc": {"lr": "0.0005", "strength": "100"}}
    assert len(tuning.first_round(trials)) == 4  # without the strength tried afterwards


def test_a_combination_has_the_settings_of_its_parts() -> None:
    chosen = {
        "lora": {"lr": "5e-4", "lr_scale": "3"}, "fggm": {"lr": "1e-3"},
        "replay": {"lr": "2e-3", "ratio": "2"},
    }  # fmt: skip
    lora, replay = catalog.with_chosen(["lora+fggm", "replay+fggm"], chosen, ())
    assert lora.options == ("--lr", "5e-4", "--set", "lora+fggm.lora.lr_scale=3")
    assert replay.options == ("--lr", "1e-3", "--set", "replay+fggm.replay.ratio=2")


def test_matched_learning_accuracy_reads_between_two_rates() -> None:
    curve = [
        row(lr=1e-3, learning_accuracy=0.9, general_after=0.5),
        row(lr=5e-4, learning_accuracy=0.7, general_after=0.9),
    ]
    assert page.at_level(curve, 0.75, "general_after") == pytest.approx(0.8)
    assert page.at_level(curve, 0.6, "general_after") is None
    assert page.at_level(curve, 0.95, "general_after") is None


def test_the_picture_has_a_line_per_method_through_the_means_at_its_rates() -> None:
    rows = [
        row(lr=lr, learning_accuracy=lr * 100 + seed / 10, general_after=1 - seed / 10)
        | {"seed": seed, "op_final": 0.5}
        for lr in (2e-3, 1e-3)
        for seed in (1, 2)
    ]
    general, op = picture.trade_off(rows).data
    assert general.x == pytest.approx([0.25, 0.35]) and general.y == pytest.approx([0.85, 0.85])
    assert op.y == pytest.approx([0.5, 0.5])
    assert general.error_x.array == pytest.approx([0.1 / 2**0.5] * 2)


def test_study_rows_are_read_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = made_run(tmp_path / "runs", "sft")
    monkeypatch.setattr(study_rows, "ROWS_FOLDER", tmp_path / "kept")
    study_rows.store_rows("a", tmp_path / "runs", ["fggm-lab sweep"])
    study = study_rows.stored_rows("a")
    assert study["commands"] == ["fggm-lab sweep"] and study["versions"] == run.config.versions
    (stored_row,) = study["rows"]
    assert stored_row["op_final"] == pytest.approx(run.metrics()["op_final"], rel=1e-4)
    assert run.scores is not None
    assert stored_row["general_after"] == pytest.approx(run.scores.general["after"], rel=1e-4)
    assert study_rows.stored_rows("never run")["rows"] == []
