"""The metrics give the numbers of their papers' formulas, and None where they are undefined."""

import json
from pathlib import Path

import pytest

from fggm_lab.errors import SettingError
from fggm_lab.runs import NUMBERS, measure
from fggm_lab.runs.metrics import (
    Matrix,
    bwt_gem,
    bwt_trace,
    forgetting,
    fwt,
    learning_accuracy,
    op_after,
    op_final,
    op_mean_over_steps,
)

METRICS = {key: number for key, number in NUMBERS.items() if number.of_scores is not None}
"""The numbers of the score matrix."""
FULL: Matrix = [
    [0.8, 0.3, 0.2],
    [0.9, 0.7, 0.4],
    [0.5, 0.6, 0.9],
]
LOWER: Matrix = [
    [0.8, None, None],
    [0.9, 0.7, None],
    [0.5, 0.6, 0.9],
]
UNTRAINED = [0.1, 0.2, 0.3]


@pytest.mark.parametrize("method", ["sft", "migu"])
def test_the_replications_numbers_come_out_of_its_matrices(shared: Path, method: str) -> None:
    fixture = json.loads((shared / "fixtures" / "trace_replication.json").read_text())
    matrix = fixture["runs"][method]["matrix"]
    expected = fixture["runs"][method]["expected"]
    expected["forgetting"] = expected.pop("forgetting_chaudhry")

    numbers = measure(matrix, [None] * len(matrix))

    assert set(expected) == set(METRICS) - {"fwt"}
    for name, value in expected.items():
        assert numbers[name] == pytest.approx(value, abs=0.02), name
    assert numbers["fwt"] is None


def test_hand_computed_full_matrix() -> None:
    assert op_after(FULL, 1) == pytest.approx(0.8)
    assert op_after(FULL, 2) == pytest.approx(0.8)
    assert op_final(FULL) == pytest.approx(2.0 / 3)
    assert op_mean_over_steps(FULL) == pytest.approx((0.8 + 0.8 + 2.0 / 3) / 3)
    assert bwt_gem(FULL) == pytest.approx((-0.3 - 0.1) / 2)
    assert bwt_trace(FULL) == pytest.approx((-0.3 - 0.1) / 3)
    assert fwt(FULL, UNTRAINED) == pytest.approx((0.1 + 0.1) / 2)
    assert forgetting(FULL) == pytest.approx((0.4 + 0.1) / 2)
    assert learning_accuracy(FULL) == pytest.approx(0.8)


def test_only_forward_transfer_needs_the_cells_above_the_diagonal() -> None:
    full, lower = measure(FULL, UNTRAINED), measure(LOWER, UNTRAINED)
    assert lower.pop("fwt") is None
    assert full.pop("fwt") is not None
    assert lower == full


def test_forgetting_counts_a_high_score_before_the_task_was_learned() -> None:
    """Chaudhry et al. take the maximum over every earlier step."""
    matrix = [[0.5, 0.9, 0.0], [0.5, 0.6, 0.0], [0.5, 0.4, 0.5]]
    assert forgetting(matrix) == pytest.approx((0.0 + 0.5) / 2)


def test_a_missing_cell_makes_a_metric_none_never_zero() -> None:
    unfinished: Matrix = [[0.8, None], [None, None]]
    numbers = measure(unfinished, [None, None])
    assert numbers == dict.fromkeys(METRICS)
    assert op_after(unfinished, 1) == 0.8
    hole: Matrix = [[0.8, None, None], [None, 0.7, None], [0.5, 0.6, 0.9]]
    assert forgetting(hole) is None
    assert bwt_gem(hole) == pytest.approx(-0.2)


def test_one_task_has_no_transfer_and_no_forgetting() -> None:
    numbers = measure([[0.7]], [0.1])
    assert (
        numbers["op_final"] == numbers["op_mean_over_steps"] == numbers["learning_accuracy"] == 0.7
    )
    for name in ("bwt_gem", "bwt_trace", "fwt", "forgetting"):
        assert numbers[name] is None


def test_no_task_at_all_gives_none() -> None:
    assert measure([], []) == dict.fromkeys(METRICS)


@pytest.mark.parametrize("t", [0, 4, -1])
def test_op_after_refuses_a_step_that_never_was(t: int) -> None:
    with pytest.raises(SettingError, match=f"t is {t}"):
        op_after(FULL, t)


def test_a_matrix_that_is_not_square_is_refused() -> None:
    with pytest.raises(SettingError, match="2 rows"):
        learning_accuracy([[0.1], [0.2]])
    with pytest.raises(SettingError, match="1 scores for 3 tasks"):
        fwt(FULL, [0.1])


def test_every_metric_is_named_once_and_says_its_source() -> None:
    labels = [metric.label for metric in METRICS.values()]
    assert len(set(labels)) == len(labels)
    for metric in METRICS.values():
        assert metric.definition and "\n" not in metric.definition
        assert metric.source and ("arXiv" in metric.source or "replication" in metric.source)
