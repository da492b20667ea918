"""Runs over several task orders: shown order by order, averaged only where that means something."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import ttest_rel

from fggm_lab.errors import RunError, SettingError
from fggm_lab.runs import NUMBERS, Run
from fggm_lab.runs.orders import (
    by_order,
    check_same_data,
    incomplete,
    ordered,
    over_orders,
)
from fggm_lab.runs.paired import paired

MakeRun = Callable[..., Run]
ONE_ORDER = [key for key, number in NUMBERS.items() if not number.over_orders]
AB: dict[str, Any] = {"task_names": ["A", "B"], "task_fingerprint": "ab", "data_fingerprint": "x"}
BA: dict[str, Any] = {"task_names": ["B", "A"], "task_fingerprint": "ba", "data_fingerprint": "x"}


@pytest.fixture
def runs(tmp_path: Path, finished_run: MakeRun) -> list[Run]:
    """Two methods, two orders, three seeds; OP is (last + 0.8) / 2."""
    return [
        finished_run(tmp_path / f"{m}{o}{s}", last, method=m, seed=s, **order)
        for m, shift in (("sft", 0), ("fggm", 0.2))
        for o, order in enumerate((AB, BA))
        for s, last in enumerate((0.1 + shift, 0.2 + o / 10 + shift, 0.4 - shift / 2))
    ]


def test_only_numbers_that_weigh_tasks_by_their_place_are_for_one_order_only() -> None:
    assert ONE_ORDER == ["op_mean_over_steps", "fwt"]


def test_rows_per_order_are_means_over_its_seeds(runs: list[Run]) -> None:
    rows = by_order(ordered(runs))
    assert [(row["order"], row["method"]) for row in rows] == [
        ("A, B", "sft"), ("A, B", "fggm"), ("B, A", "sft"), ("B, A", "fggm")
    ]  # fmt: skip
    sft = rows[2]
    assert sft["seed"] == [0, 1, 2]
    assert sft["op_final"]["mean"] == pytest.approx((np.mean([0.1, 0.3, 0.4]) + 0.8) / 2)
    assert sft["op_mean_over_steps"]["n"] == 3


def test_the_mean_over_orders_is_over_pairs_and_leaves_out_what_depends_on_the_order(
    runs: list[Run],
) -> None:
    sft, fggm = over_orders(ordered(runs))
    lasts = np.array([0.1, 0.2, 0.4, 0.1, 0.3, 0.4])
    assert (sft["method"], fggm["method"]) == ("sft", "fggm")
    assert sft["order"] == ["A, B", "B, A"] and sft["op_final"]["n"] == 6
    assert sft["op_final"]["mean"] == pytest.approx((lasts.mean() + 0.8) / 2)
    assert sft["op_final"]["sd"] == pytest.approx(lasts.std(ddof=1) / 2)
    for key in ONE_ORDER:
        assert sft[key] == {"mean": None, "sd": None, "n": 0}


def test_a_method_without_a_run_of_every_order_has_no_mean_over_orders(
    tmp_path: Path, runs: list[Run], finished_run: MakeRun
) -> None:
    rows = ordered([*runs, finished_run(tmp_path / "m", method="migu", **AB)])
    assert incomplete(rows) == {"migu": ["B, A"]}
    assert [row["method"] for row in over_orders(rows)] == ["sft", "fggm"]
    assert len(by_order(rows)) == 5


def test_settings_tell_runs_apart_whatever_their_order(
    tmp_path: Path, finished_run: MakeRun
) -> None:
    first = finished_run(tmp_path / "one", **AB)
    second = finished_run(tmp_path / "two", lr=1e-3, **BA)
    assert [row["method"] for row in ordered([first, second])] == [
        "sft (lr=0.0005)",
        "sft (lr=0.001)",
    ]
    again = finished_run(tmp_path / "again", **BA)
    assert [row["method"] for row in ordered([first, again])] == ["sft", "sft"]


def test_differences_are_paired_by_order_and_seed(runs: list[Run]) -> None:
    (row,) = paired(list(reversed(runs)), "sft", ["op_final"])
    sft = np.array([0.1, 0.2, 0.4, 0.1, 0.3, 0.4])
    fggm = np.array([0.3, 0.4, 0.3, 0.3, 0.5, 0.3])
    assert row["differences"] == pytest.approx(((fggm - sft) / 2).tolist())
    assert row["orders"] == ["A, B"] * 3 + ["B, A"] * 3 and row["seeds"] == [0, 1, 2] * 2
    truth = ttest_rel(fggm / 2, sft / 2).confidence_interval(0.95)
    assert (row["low"], row["high"]) == pytest.approx((truth.low, truth.high))
    assert row["low"] < row["boot_low"] < row["mean"] < row["boot_high"] < row["high"]


@pytest.mark.parametrize("metric", ONE_ORDER)
def test_what_depends_on_the_order_is_paired_within_one_only(runs: list[Run], metric: str) -> None:
    with pytest.raises(SettingError, match=f"{metric} is another quantity in each task order"):
        paired(runs, "sft", [metric])
    within = [run for run in runs if run.config.task_names == ["A", "B"]]
    assert paired(within, "sft", [metric])[0]["metric"] == metric


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"data_fingerprint": "y"}, "data_fingerprint is x in the first and y"),
        ({"data_fingerprint": None}, "data_fingerprint is x in the first and None"),
        ({"task_names": ["B", "C"]}, "the set of tasks is A, B in the first and B, C"),
        ({"split": "eval"}, "split is test"),
        ({"limit": 5}, "limit is None"),
        ({"better": "lower"}, "general.better"),
    ],
)
def test_orders_of_other_data_are_not_mixed(
    tmp_path: Path, finished_run: MakeRun, change: dict[str, Any], message: str
) -> None:
    first = finished_run(tmp_path / "one", **AB)
    with pytest.raises(RunError, match=message):
        check_same_data([first, finished_run(tmp_path / "two", **(BA | change))])


def test_runs_that_do_not_know_whether_their_data_is_the_same_are_refused(
    tmp_path: Path, finished_run: MakeRun
) -> None:
    runs = [finished_run(tmp_path / str(i), **(o | {"data_fingerprint": None}))
            for i, o in enumerate((AB, BA))]  # fmt: skip
    with pytest.raises(RunError, match="compare them order by order, or repeat them"):
        ordered(runs)
    assert len(ordered(runs[:1])) == 1
    with pytest.raises(RunError, match="no run to compare"):
        ordered([])
