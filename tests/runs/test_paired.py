"""Paired differences and their intervals are those of the paired t-test."""

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import ttest_rel

from fggm_lab.errors import RunError, SettingError
from fggm_lab.runs import Run
from fggm_lab.runs.paired import interval, paired
from tests.support.records import run_of


def run_with(path: Path, method: str, seed: int, last: float, **more: object) -> Run:
    """Two tasks; learning accuracy 0.8, OP (last + 0.7) / 2, BWT last − 0.9."""
    matrix = [[0.9, 0.1], [last, 0.7]]
    general = [0.9, 0.5 + last / 10]
    return run_of(path / f"{method}{seed}", matrix, general=general, method=method, seed=seed,
                  **more)  # type: ignore[arg-type]  # fmt: skip


@pytest.mark.parametrize("seeds", [2, 3, 7])
def test_intervals_are_those_of_the_paired_t_test(tmp_path: Path, seeds: int) -> None:
    draw = np.random.default_rng(seeds)
    fggm, control = draw.uniform(0.2, 0.9, (2, seeds))
    runs = [run_with(tmp_path, "fggm", s, fggm[s]) for s in range(seeds)]
    runs += [run_with(tmp_path, "random", s, control[s]) for s in reversed(range(seeds))]
    (row,) = paired(runs, "random", ["op_final"])
    truth = ttest_rel((fggm + 0.7) / 2, (control + 0.7) / 2).confidence_interval(0.95)
    assert (row["low"], row["high"]) == pytest.approx((truth.low, truth.high))
    assert row["mean"] == pytest.approx((fggm - control).mean() / 2)
    assert row["seeds"] == list(range(seeds)) and row["n"] == seeds
    assert row["differences"] == pytest.approx(((fggm - control) / 2).tolist())


def test_only_common_seeds_are_paired(tmp_path: Path) -> None:
    runs = [run_with(tmp_path, "sft", 1, 0.5), run_with(tmp_path, "sft", 2, 0.6),
            run_with(tmp_path, "fggm", 2, 0.8), run_with(tmp_path, "fggm", 3, 0.1),
            run_with(tmp_path, "migu", 9, 0.1)]  # fmt: skip
    rows = {(row["metric"], row["method"]): row for row in paired(runs, "sft")}
    assert list(dict.fromkeys(metric for metric, _ in rows)) == [
        "general_after", "op_final", "bwt_gem", "learning_accuracy",
    ]  # fmt: skip
    bwt = rows["bwt_gem", "fggm"]
    assert bwt["seeds"] == [2] and bwt["mean"] == pytest.approx(0.2)
    assert (bwt["low"], bwt["high"]) == (None, None)
    assert rows["general_after", "fggm"]["mean"] == pytest.approx(0.02)
    alone = rows["op_final", "migu"]
    assert (alone["n"], alone["mean"], alone["differences"]) == (0, None, [])


def test_what_an_unfinished_run_has_not_measured_is_not_paired(tmp_path: Path) -> None:
    begun = run_of(tmp_path / "a", [[0.9, 0.1], [None, None]], method="fggm", finished=False)
    rows = paired([begun, run_of(tmp_path / "b", [[0.9, 0.1], [0.5, 0.7]])], "sft")
    assert [row["n"] for row in rows] == [0, 0, 0, 0]


def test_the_better_direction_is_known(tmp_path: Path) -> None:
    runs = [run_with(tmp_path, m, 0, 0.5, better="lower") for m in ("sft", "fggm")]
    rows = paired(runs, "sft", ["general_after", "op_final", "forgetting"])
    assert [row["better"] for row in rows] == ["lower", "higher", "lower"]


def test_unknown_baselines_metrics_and_no_common_seed_are_refused(tmp_path: Path) -> None:
    runs = [run_with(tmp_path, "sft", 1, 0.5), run_with(tmp_path, "fggm", 2, 0.5)]
    with pytest.raises(RunError, match=r"baseline 'random'; the methods are: sft, fggm"):
        paired(runs, "random")
    with pytest.raises(RunError, match=r"no other method has a run of a seed that sft has \(1\)"):
        paired(runs, "sft")
    with pytest.raises(RunError, match="no other method"):
        paired(runs[:1], "sft")
    with pytest.raises(SettingError, match="no metric is named 'op'; choose among: general_after"):
        paired(runs, "sft", ["op"])


def test_equal_differences_have_an_interval_of_no_width() -> None:
    assert interval([0.5, 0.5, 0.5]) == (0.5, 0.5)
    assert interval([0.5]) == interval([]) == (None, None)
