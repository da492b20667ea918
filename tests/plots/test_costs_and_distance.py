"""Scores against cost and forgetting against distance: the numbers of runs, point by point."""

from pathlib import Path

import pytest

from fggm_lab.errors import RunError, SettingError
from fggm_lab.plots import (
    caption_of,
    describe,
    forgetting_against_distance,
    scores_against_cost,
)
from fggm_lab.runs import Run
from fggm_lab.runs.metrics import forgetting
from tests.support.records import TASKS, made_run, with_costs


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    """Two methods, one of them with two seeds."""
    folder = tmp_path_factory.mktemp("runs")
    cases = (("sft", 0), ("fggm", 0), ("fggm", 1))
    return [with_costs(made_run(folder / str(s), m, TASKS[:3], seed=s)) for m, s in cases]


def test_each_method_is_a_point_of_its_scores_over_its_cost(runs: list[Run]) -> None:
    figure = scores_against_cost(runs)
    assert [trace.name for trace in figure.data] == ["sft", "fggm"] * 2
    assert [trace.x[0] for trace in figure.data] == [3 * (1000 + 2 * 3000) / 1e6] * 4
    scores = runs[0].scores
    assert scores is not None and figure.data[0].y[0] == scores.general["after"]
    assert figure.data[2].y[0] == pytest.approx(runs[0].metrics()["op_final"])
    assert "million tokens forward, and twice those backward" in caption_of(figure)
    assert "sft: M passes 0.021, General after" in describe(figure)
    seconds = scores_against_cost(runs, cost="learning_seconds")
    assert [trace.x[0] for trace in seconds.data] == [27.0] * 4


def test_each_task_of_each_run_is_a_point_of_what_was_lost_by_then(runs: list[Run]) -> None:
    figure = forgetting_against_distance([runs[0]])
    general, forgot = figure.data
    assert list(general.x) == [0.1, 0.2, 0.3] and list(forgot.x) == [0.2, 0.3]
    scores = runs[0].scores
    assert scores is not None
    before, after = scores.general["before"], scores.general["after"]
    assert before is not None and after is not None
    assert general.y[-1] == pytest.approx(before - after)
    assert list(forgot.y) == [forgetting([row[:t] for row in scores.matrix[:t]]) for t in (2, 3)]
    assert "rank correlation +1.00" in describe(figure)
    on_task = forgetting_against_distance(runs, "new_task")
    assert list(on_task.data[0].x) == [0.2, 0.4, 0.6] and len(on_task.data[1].x) == 6


def test_a_general_that_is_a_loss_is_lost_when_it_rises(tmp_path: Path) -> None:
    run = with_costs(made_run(tmp_path / "loss", "sft", TASKS[:2], general="lower"))
    lost = forgetting_against_distance(run).data[0].y
    assert lost[0] > 0 and lost[1] > lost[0]
    assert "nats per token" in scores_against_cost(run).layout.yaxis.title.text


def test_what_was_not_measured_is_one_sentence(tmp_path: Path, runs: list[Run]) -> None:
    old = made_run(tmp_path / "old", "sft", TASKS[:2])
    with pytest.raises(RunError, match=r"no run has measured M passes.*learning_seconds"):
        scores_against_cost(old)
    assert scores_against_cost(old, "learning_seconds").data
    with pytest.raises(RunError, match="distance_samples=64"):
        forgetting_against_distance(old)
    with pytest.raises(SettingError, match=r"cost is 'token_pass'.*did you mean 'token_passes'"):
        scores_against_cost(runs, "token_pass")
    with pytest.raises(SettingError, match="texts"):
        forgetting_against_distance(runs, "both")  # type: ignore[arg-type]
