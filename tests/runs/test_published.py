"""Published numbers stand beside ours by definition, and the replicated ones follow from data."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fggm_lab.runs import Run, beside_published, measure
from fggm_lab.runs.published import OURS, published, unlike
from fggm_lab.tables import published_table
from tests.support.terminal import printed_text

MakeRun = Callable[..., Run]


def of(kind: str) -> dict[str, dict[str, float]]:
    """Method → numbers of one kind."""
    return {r["method"]: r["numbers"] for r in published()["results"] if r["kind"] == kind}


@pytest.mark.parametrize("method", ["sft", "migu"])
def test_replicated_numbers_follow_from_the_matrices(shared: Path, method: str) -> None:
    fixture = json.loads((shared / "fixtures" / "trace_replication.json").read_text())
    assert fixture["tasks"] == published()["order"]
    numbers = measure(fixture["runs"][method]["matrix"], [None] * 8)
    for name, number in of("replicated")[method].items():
        assert number == pytest.approx(numbers[name], abs=0.01), name


def test_every_number_has_one_definition() -> None:
    definitions = published()["definitions"]
    for row in published()["results"]:
        assert row["kind"] in published()["sources"] and set(row["numbers"]) <= set(definitions)
    assert set(OURS) <= set(definitions) and set(measure([], [])) & set(definitions) <= set(OURS)
    # What the paper left undetermined is never ours, and no replicated number claims to be it.
    assert "op_undetermined" not in OURS
    assert all("op_undetermined" not in numbers for numbers in of("replicated").values())
    assert all(set(n) == {"general_trace", "op_undetermined"} for n in of("published").values())


def test_the_claimed_gains_follow_from_the_published_numbers() -> None:
    numbers = of("published")
    general = numbers["fggm"]["general_trace"] / numbers["sft"]["general_trace"]
    op = numbers["fggm"]["op_undetermined"] / numbers["migu"]["op_undetermined"]
    assert general - 1 == pytest.approx(0.096, abs=0.0005)
    assert op - 1 == pytest.approx(0.044, abs=0.0005)
    assert numbers["sft"]["op_undetermined"] > numbers["fggm"]["op_undetermined"]


def test_ours_stand_under_their_own_definitions(tmp_path: Path, finished_run: MakeRun) -> None:
    runs = [finished_run(tmp_path / str(s), last, seed=s) for s, last in enumerate((0.4, 0.6))]
    *theirs, ours = beside_published(runs)
    assert all(row["kind"] != "ours" and not row["unlike"] for row in theirs)
    assert ours["kind"] == "ours" and ours["seeds"] == [0, 1]
    assert ours["numbers"]["op_final"] == pytest.approx(65)
    assert ours["numbers"]["bwt_gem"] == pytest.approx(2 * ours["numbers"]["bwt_trace"])
    assert ours["numbers"]["general_own"] == pytest.approx(50)
    assert ours["sd"]["op_final"] == pytest.approx(100 * 0.1 / 2**0.5)
    assert not {"general_trace", "op_undetermined"} & set(ours["numbers"])
    printed = printed_text(published_table([*theirs, ours]))
    assert "sft *1" in printed and "*1 not the same: model tiny, not Qwen2-1.5B" in printed
    assert "65.00" in printed and "−" in printed and "-34.25" in printed
    assert "undetermined" in printed


def test_a_loss_is_no_percentage(tmp_path: Path, finished_run: MakeRun) -> None:
    ours = beside_published([finished_run(tmp_path / "run", better="lower")])[-1]
    assert "general_own" not in ours["numbers"]


def test_what_is_unlike_is_named(config: Callable[..., Any]) -> None:
    order = published()["order"]
    same: dict[str, Any] = {"model": "models/Qwen2-1.5B", "tasks": "TRACE", "task_names": order}
    same |= published()["training"]
    assert unlike(config(**same)) == []
    for change, difference in (
        ({"model": "tiny"}, "model tiny, not Qwen2-1.5B"),
        ({"model": "Qwen/Qwen2-1.5B-Instruct"}, "model Qwen/Qwen2-1.5B-Instruct, not Qwen2-1.5B"),
        ({"tasks": "trace-mini"}, "tasks trace-mini, not TRACE"),
        ({"lr": 5e-5}, "lr 5e-05, not 1e-05"),
        ({"batch_size": 8}, "batch_size 8, not 128"),
        ({"epochs": 5.0}, "other epochs"),
        ({"task_names": order[:3], "epochs": 5.0}, "not TRACE's eight tasks"),
        ({"task_names": order[::-1]}, "another task order"),
        ({"limit": 50}, "the first 50 examples of a split"),
        ({"score_limit": 50}, "the first 50 examples of each task scored"),
        ({"split": "eval"}, "scored on the eval split"),
    ):
        differences = unlike(config(**(same | change)))
        assert differences[0] == difference and set(differences) <= {difference, "other epochs"}


def test_several_orders_are_told_apart(tmp_path: Path, finished_run: MakeRun) -> None:
    runs = [
        finished_run(tmp_path / name, task_names=list(name), data_fingerprint="x",
                     task_fingerprint=name)
        for name in ("AB", "BA")
    ]  # fmt: skip
    rows = beside_published(runs)
    assert [row["order"] for row in rows[-2:]] == ["A, B", "B, A"]
    printed = printed_text(published_table(rows))
    assert "sft *1" in printed and "sft *2" in printed
    assert "order: A, B" in printed and "order: B, A" in printed
