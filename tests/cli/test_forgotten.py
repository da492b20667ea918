"""`fggm-lab forgotten` prints the examples that were lost, as text, JSON and CSV."""

import csv
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import fggm_lab as lab
from tests.support.answers import answered_run
from tests.support.command_line import CommandResult


def test_lost_examples_are_printed_the_largest_loss_first(
    call: Callable[..., CommandResult], tmp_path: Path
) -> None:
    run = answered_run(tmp_path)
    result = call("forgotten", run.path, "--limit", 2)
    assert result.status == 0
    blocks = result.out.split("\n\n")
    assert blocks[0].splitlines()[0] == "A 0: score 1.00 → 0.00, NLL 0.00 → 1.00"
    assert "  after C       'wrong A <0>'" in blocks[0].splitlines()
    assert blocks[1].startswith("B 1:")
    assert result.out.endswith("2 of 3 examples lost; --limit 0 prints all\n")


def test_json_and_csv_hold_every_one(call: Callable[..., CommandResult], tmp_path: Path) -> None:
    run = answered_run(tmp_path)
    rows = [asdict(e) for e in lab.forgotten_examples(
        run, "A", change="gained", before="untrained", after="B", text="number")]  # fmt: skip
    words = ("--task", "A", "--gained", "--before", "untrained", "--after", "B", "--text", "number")
    result = call("forgotten", run.path, *words, "--json", "--csv", tmp_path / "gained.csv")
    assert json.loads(result.out) == rows and len(rows) == 3
    with (tmp_path / "gained.csv").open(newline="", encoding="utf-8") as handle:
        assert [row["prompt"] for row in csv.DictReader(handle)] == [r["prompt"] for r in rows]


def test_a_mistake_is_one_sentence(call: Callable[..., CommandResult], tmp_path: Path) -> None:
    run = answered_run(tmp_path / "runs")
    answered_run(tmp_path / "runs", "fggm")
    assert "has no task 'D'" in call("forgotten", run.path, "--task", "D").refusal
    assert "one run is needed, not 2" in call("forgotten", tmp_path / "runs").refusal
    assert "no example was lost" in call("forgotten", run.path, "--text", "nowhere").out
