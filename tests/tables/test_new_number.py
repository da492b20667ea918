"""A new number of a run is one entry of the registry: every table has it."""

import csv
import io
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fggm_lab.cli import app
from fggm_lab.report import write_report
from fggm_lab.runs import NUMBERS, Run, RunNumber, comparison, over_seeds
from fggm_lab.runs.orders import by_order, ordered, over_orders
from fggm_lab.runs.paired import paired
from fggm_lab.tables import to_csv
from studies import main_tables, markdown
from studies.rows import row_of
from tests.support.records import TASKS, made_run

ANSWER = RunNumber(
    label="the answer",
    short_label="answer",
    definition="a number that no run measures",
    source="a radio series",
    decimals=1,
    better="lower",
    in_tables=True,
    paired_by_default=True,
    of_run=lambda run: 42.0 + run.config.training.seed,
)


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Run]:
    """Two methods, two seeds, and a registry with one number more."""
    monkeypatch.setitem(NUMBERS, "answer", ANSWER)
    return [
        made_run(tmp_path / str(seed), method, TASKS[:2], seed=seed)
        for method in ("sft", "fggm")
        for seed in (1, 2)
    ]


def test_rows_means_orders_and_pairs_have_it(runs: list[Run]) -> None:
    rows = comparison(runs)
    assert [row["answer"] for row in rows] == [43.0, 44.0] * 2
    assert list(rows[0])[-5:] == ["answer", "general_name", "general_better", "finished", "run"]
    assert over_seeds(rows)[0]["answer"]["mean"] == 43.5
    for gathered in (by_order(ordered(runs)), over_orders(ordered(runs))):
        assert gathered[0]["answer"]["n"] == 2
    (pair,) = [row for row in paired(runs, "sft") if row["metric"] == "answer"]
    assert pair["mean"] == 0.0 and pair["better"] == "lower"


def test_the_command_line_prints_and_writes_it(runs: list[Run], tmp_path: Path) -> None:
    def output(*options: str) -> str:
        done = CliRunner().invoke(app, ["compare", str(tmp_path), *options])
        assert done.exit_code == 0, done.output
        return done.stdout

    assert json.loads(output("--json"))[0]["answer"] in (43.0, 44.0)
    path = tmp_path / "rows.csv"
    printed = output("--csv", str(path))
    assert "answer" in printed and "43.5" in printed and "±0.7" in printed
    assert {row["answer"] for row in csv.DictReader(path.open())} == {"43.0", "44.0"}


def test_the_report_shows_and_defines_it(runs: list[Run], tmp_path: Path) -> None:
    write_report(runs, tmp_path / "report.html")
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "the answer ↓</th>" in html and "<td>43.5 ± 0.7</td>" in html
    assert "a number that no run measures (a radio series)" in html


def test_the_page_of_results_keeps_and_shows_it(
    runs: list[Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [row_of(run) for run in runs]
    assert [row["answer"] for row in rows] == [43.0, 44.0] * 2
    monkeypatch.setattr(main_tables, "rows_of", lambda *studies: rows)
    monkeypatch.setattr(main_tables, "rows_or_former", lambda study: (rows, False))
    head, _, first, *_ = main_tables.comparison("trace-1").splitlines()
    assert head.split(" | ")[-2] == "answer"
    assert "43.5&nbsp;±&nbsp;0.7" in first


def test_a_number_that_a_file_of_rows_lacks_is_not_measured(runs: list[Run]) -> None:
    (row,) = csv.DictReader(io.StringIO(to_csv(comparison(runs[:1]))))
    assert row["answer"] == "43.0"
    assert markdown.numbers([{"method": "sft"}], ["answer"]) == ["–"]
