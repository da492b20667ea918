"""Paths through the stability–plasticity plane hold the metrics of the tasks so far."""

import json
from itertools import product
from pathlib import Path
from statistics import stdev

import pytest

from fggm_lab.errors import RunError, SettingError
from fggm_lab.runs.trajectories import (
    general_after_tasks,
    method_trajectories,
    pareto_front,
    run_trajectory,
)
from tests.support.records import run_of

MATRIX: list[list[float | None]] = [[0.8, 0.1, 0.1], [0.6, 0.7, 0.1], [0.5, 0.3, 0.9]]
"""Learning accuracy 0.8, 0.75, 0.8; BWT –, −0.2, (−0.3 − 0.4) / 2."""


def test_a_path_by_hand(tmp_path: Path) -> None:
    run = run_of(tmp_path / "a", MATRIX, general=[0.9, 0.8, 0.6])
    assert run_trajectory(run) == {2: pytest.approx((0.75, -0.2)), 3: pytest.approx((0.8, -0.35))}
    assert run_trajectory(run, "general") == {
        1: (0.8, 0.9), 2: pytest.approx((0.75, 0.8)), 3: pytest.approx((0.8, 0.6)),
    }  # fmt: skip


@pytest.mark.parametrize("method", ["sft", "migu"])
def test_the_end_of_the_replications_paths_are_its_metrics(
    tmp_path: Path, shared: Path, method: str
) -> None:
    fixture = json.loads((shared / "fixtures" / "trace_replication.json").read_text())
    replication = fixture["runs"][method]
    matrix = [[v if v is None else v / 100 for v in row] for row in replication["matrix"]]
    learned, retained = run_trajectory(run_of(tmp_path / method, matrix))[8]
    assert retained * 100 == pytest.approx(replication["expected"]["bwt_gem"], abs=0.02)
    assert learned * 100 == pytest.approx(replication["expected"]["learning_accuracy"], abs=0.02)


def test_seeds_are_averaged_step_by_step_and_unfinished_runs_end_early(tmp_path: Path) -> None:
    begun: list[list[float | None]] = [MATRIX[0], [0.4, 0.9, 0.1], [None] * 3]
    runs = [
        run_of(tmp_path / "1", MATRIX, seed=1),
        run_of(tmp_path / "2", begun, seed=2, finished=False),
        run_of(tmp_path / "3", MATRIX, seed=1, method="fggm"),
    ]
    sft, fggm = method_trajectories(runs)
    assert (sft.label, sft.seeds, sft.unfinished) == ("sft", 2, 1)
    two, three = sft.steps
    assert (two.tasks, two.seeds, three.tasks, three.seeds) == (2, 2, 3, 1)
    assert two.retained == pytest.approx((-0.2 - 0.4) / 2)
    assert two.retained_sd == pytest.approx(stdev([-0.2, -0.4]))
    assert two.learned == pytest.approx((0.75 + 0.85) / 2)
    assert three.learned_sd is None and three.retained == pytest.approx(-0.35)
    assert fggm.unfinished == 0 and len(fggm.steps) == 2


def test_general_comes_from_evaluations_and_at_the_end_from_the_scores(tmp_path: Path) -> None:
    run = run_of(tmp_path / "a", MATRIX, general=[0.9, None, 0.6])
    assert general_after_tasks(run) == [0.9, None, 0.6]
    (run.path / "events.jsonl").unlink()
    assert general_after_tasks(run) == [None, None, 0.6]
    (run.path / "scores.json").unlink()
    assert run_trajectory(run) == {} and general_after_tasks(run) == [None] * 3


def test_what_cannot_be_compared_or_asked_for_is_refused(tmp_path: Path) -> None:
    runs = [run_of(tmp_path / "a", MATRIX), run_of(tmp_path / "b", MATRIX, split="eval")]
    with pytest.raises(RunError, match="cannot be compared"):
        method_trajectories(runs)
    with pytest.raises(RunError, match="no run to compare"):
        method_trajectories([])
    with pytest.raises(SettingError, match="stability is 'op'; choose one of: bwt, general"):
        method_trajectories(runs[:1], "op")  # type: ignore[arg-type]


def test_the_front_by_brute_force() -> None:
    points = [(x / 4, y / 4) for x, y in product(range(4), range(4)) if (x * 3 + y * 5) % 7 < 4]
    for lower in (False, True):
        sign = -1 if lower else 1
        unbeaten = {
            p for p in points
            if not any(
                q[0] >= p[0] and sign * q[1] >= sign * p[1] and q != p for q in points
            )
        }  # fmt: skip
        front = [points[i] for i in pareto_front(points, lower)]
        assert set(front) == unbeaten
        assert [x for x, _ in front] == sorted(x for x, _ in front)


def test_equal_ends_are_both_on_the_front() -> None:
    assert pareto_front([(0.5, 0.5), (0.5, 0.5), (0.4, 0.5)]) == [0, 1]
    assert pareto_front([]) == []
