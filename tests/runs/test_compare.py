"""Runs are compared only where they measure the same thing, and seeds are averaged rightly."""

from collections.abc import Callable
from pathlib import Path
from statistics import stdev
from typing import Any

import pytest

from fggm_lab.errors import RunError
from fggm_lab.runs import Run, columns, comparison, over_seeds
from fggm_lab.runs.compare import check_same_model, first_seeds

MakeRun = Callable[..., Run]


def test_a_row_holds_every_number_of_its_run(tmp_path: Path, finished_run: MakeRun) -> None:
    run = finished_run(tmp_path / "sft")
    (row,) = comparison([run])
    assert list(row) == list(columns())
    assert row["method"] == "sft" and row["seed"] == 0 and row["finished"]
    assert (row["general_before"], row["general_after"]) == (0.95, 0.5)
    assert row["op_final"] == pytest.approx(0.6)
    assert row["bwt_gem"] == pytest.approx(-0.5)
    assert row["bwt_trace"] == pytest.approx(-0.25)
    assert row["fwt"] is None
    assert (row["seconds"], row["learning_seconds"]) == (30, 22)
    assert (row["peak_memory_mb"], row["stored_mb"]) == (101, 0.5)


def test_seeds_are_averaged_with_the_sample_deviation(
    tmp_path: Path, finished_run: MakeRun
) -> None:
    lasts = [0.4, 0.5, 0.9]
    runs = [finished_run(tmp_path / f"s{i}", last, seed=i) for i, last in enumerate(lasts)]
    runs.append(finished_run(tmp_path / "m0", 0.7, method="migu"))
    sft, migu = over_seeds(comparison(runs))
    assert sft["seed"] == [0, 1, 2]
    expected = {"mean": pytest.approx(0.7), "sd": pytest.approx(stdev(lasts) / 2), "n": 3}
    assert sft["op_final"] == expected
    assert migu["op_final"] == {"mean": pytest.approx(0.75), "sd": None, "n": 1}
    assert sft["fwt"] == {"mean": None, "sd": None, "n": 0}


def test_settings_that_differ_keep_rows_apart(tmp_path: Path, finished_run: MakeRun) -> None:
    settings: list[dict[str, Any]] = [
        {"method": "fggm", "method_settings": {"keep": 0.3}, "seed": 1},
        {"method": "fggm", "method_settings": {"keep": 0.5}, "seed": 1},
        {"method": "fggm", "method_settings": {"keep": 0.5}, "seed": 2, "model": "./elsewhere"},
        {"method": "random", "method_settings": {"keep": 0.1}, "seed": 1},
    ]
    runs = [finished_run(tmp_path / str(i), **changes) for i, changes in enumerate(settings)]
    rows = over_seeds(comparison(runs))
    assert [row["method"] for row in rows] == ["fggm (keep=0.3)", "fggm (keep=0.5)", "random"]
    assert [row["seed"] for row in rows] == [[1], [1, 2], [1]]


def test_a_different_learning_rate_is_shown_on_every_method(
    tmp_path: Path, finished_run: MakeRun
) -> None:
    runs = [
        finished_run(tmp_path / "sft"),
        finished_run(tmp_path / "fggm", method="fggm", lr=1e-3),
    ]
    assert [r["method"] for r in comparison(runs)] == ["sft (lr=0.0005)", "fggm (lr=0.001)"]


def test_what_is_recorded_to_be_looked_at_makes_no_other_method(
    tmp_path: Path, finished_run: MakeRun
) -> None:
    looking: list[dict[str, Any]] = [
        {},
        {"fisher_points": 4, "fisher_examples": 16},
        {"score_unlearned": False},
    ]
    runs = [finished_run(tmp_path / str(i), seed=i, **changes) for i, changes in enumerate(looking)]
    assert [row["method"] for row in over_seeds(comparison(runs))] == ["sft"]


def test_the_same_draw_is_not_counted_twice(tmp_path: Path, finished_run: MakeRun) -> None:
    runs = [finished_run(tmp_path / name) for name in ("one", "two")]
    rows = over_seeds(comparison(runs))
    assert [row["op_final"]["n"] for row in rows] == [1, 1]
    assert rows[1]["method"] == f"sft (repeat: {tmp_path / 'two'})"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"task_names": ["B", "A"]}, "task_names is A, B in the first and B, A in the second"),
        ({"split": "eval"}, "split is test in the first and eval in the second"),
        ({"task_fingerprint": "other"}, "task_fingerprint is fedcba9876543210"),
        ({"limit": 10}, "limit is None in the first and 10"),
        ({"score_limit": 10}, "score_limit is None in the first and 10"),
        ({"code_execution": True}, "code_execution is False in the first and True"),
        ({"better": "lower"}, "general.better is higher"),
    ],
)
def test_runs_that_measure_different_things_are_not_mixed(
    tmp_path: Path, finished_run: MakeRun, change: dict[str, Any], field: str
) -> None:
    runs = [
        finished_run(tmp_path / "sft"),
        finished_run(tmp_path / "migu", method="migu"),
        finished_run(tmp_path / "fggm", method="fggm", **change),
    ]
    with pytest.raises(RunError, match=field) as caught:
        comparison(runs)
    assert str(runs[0].path) in str(caught.value) and str(runs[2].path) in str(caught.value)


def test_no_runs_is_an_error() -> None:
    with pytest.raises(RunError, match="no run to compare"):
        comparison([])


def test_an_unfinished_run_is_shown_as_such(
    tmp_path: Path, finished_run: MakeRun, config: Callable[..., Any]
) -> None:
    begun = Run.create(tmp_path / "migu", config(method="migu"))
    rows = comparison([finished_run(tmp_path / "sft"), begun])
    assert rows[1]["op_final"] is None and not rows[1]["finished"]
    unlike = finished_run(tmp_path / "again", 0.5, method="migu", seed=1)
    gathered = over_seeds(comparison([begun, unlike]))[0]
    assert gathered["op_final"]["n"] == 1 and gathered["finished"] is False


def test_runs_of_two_models_are_named(tmp_path: Path, finished_run: MakeRun) -> None:
    first, second = finished_run(tmp_path / "one"), finished_run(tmp_path / "two", seed=3)
    check_same_model([first, second])
    other = finished_run(tmp_path / "three", model_fingerprint="another")
    with pytest.raises(RunError, match=r"one and .*three start from different models"):
        check_same_model([first, second, other])


def test_of_runs_that_differ_in_their_seed_the_first_stands_for_all(
    tmp_path: Path, finished_run: MakeRun
) -> None:
    runs = [finished_run(tmp_path / f"{m}{s}", method=m, seed=s) for s in (1, 2) for m in "ab"]
    assert first_seeds(runs) == runs[:2]


def test_levels_by_task_are_their_mean_in_a_name(tmp_path: Path, finished_run: MakeRun) -> None:
    levels = {"A": 0.2, "B": 0.4}
    runs = [finished_run(tmp_path / "a"), finished_run(tmp_path / "b", until_loss=levels)]
    assert [row["method"] for row in comparison(runs)] == ["sft", "sft (until_loss=0.3 on average)"]
