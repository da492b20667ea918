"""The stability–plasticity plane shows the methods' paths, ends, spread and front."""

from pathlib import Path
from statistics import stdev

import plotly.graph_objects as go
import pytest

from fggm_lab.errors import RunError
from fggm_lab.plots import caption_of, describe, stability_plasticity
from fggm_lab.runs import Run
from fggm_lab.runs.trajectories import run_trajectory
from tests.support.records import run_of


def run_with(path: Path, method: str, seed: int, learned: float, lost: float, **more) -> Run:  # type: ignore[no-untyped-def]
    """Three tasks with learning accuracy `learned` and BWT −lost."""
    matrix = [[learned, 0.1, 0.1], [learned - lost / 2, learned, 0.1],
              [learned - lost, learned - lost, learned]]  # fmt: skip
    return run_of(path / f"{method}{seed}", matrix, method=method, seed=seed, **more)


@pytest.fixture
def runs(tmp_path: Path) -> list[Run]:
    """fggm keeps more, sft learns more, random does neither."""
    return [
        run_with(tmp_path, method, seed, learned + seed / 100, lost - seed / 50)
        for method, learned, lost in (("sft", 0.9, 0.5), ("fggm", 0.7, 0.2), ("random", 0.6, 0.3))
        for seed in (1, 2, 3)
    ]


def part(figure: go.Figure, name: str) -> list[go.Scatter]:
    return [trace for trace in figure.data if trace.meta["part"] == name]


def test_paths_are_means_over_seeds_task_by_task(runs: list[Run]) -> None:
    for index, path in enumerate(part(stability_plasticity(runs), "path")):
        run_paths = [run_trajectory(run) for run in runs[3 * index : 3 * index + 3]]
        for index, tasks in enumerate((2, 3)):
            points = [run_path_points[tasks] for run_path_points in run_paths]
            assert path.x[index] == pytest.approx(sum(x for x, _ in points) / 3)
            assert path.y[index] == pytest.approx(sum(y for _, y in points) / 3)


def test_ends_carry_the_spread_over_seeds(runs: list[Run]) -> None:
    figure = stability_plasticity(runs)
    sft = part(figure, "end")[0]
    ends = [run_trajectory(run)[3] for run in runs[:3]]
    assert sft.error_x.array[0] == pytest.approx(stdev(x for x, _ in ends))
    assert sft.error_y.array[0] == pytest.approx(stdev(y for _, y in ends))
    assert "Means over 3 seeds" in caption_of(figure)


def test_the_front_goes_through_the_ends_that_none_beats(runs: list[Run]) -> None:
    figure = stability_plasticity(runs)
    ends = {trace.name: (trace.x[0], trace.y[0]) for trace in part(figure, "end")}
    (front,) = part(figure, "front")
    assert list(zip(front.x, front.y, strict=True)) == [ends["fggm"], ends["sft"]]
    assert "On the Pareto front: fggm, sft." in describe(stability_plasticity(runs))
    better = describe(stability_plasticity([*runs[3:]]))
    assert "fggm is not beaten in either by any other" in better


def test_one_seed_has_no_spread_and_says_so(runs: list[Run]) -> None:
    figure = stability_plasticity([runs[0], runs[3]])
    assert all(trace.error_x.array[0] == 0 for trace in part(figure, "end"))
    assert "One seed each, so no spread is known" in caption_of(figure)
    assert "±" not in describe(stability_plasticity([runs[0], runs[3]]))


def test_an_unfinished_run_goes_as_far_as_it_got_and_stays_off_the_front(
    tmp_path: Path, runs: list[Run]
) -> None:
    begun = run_of(tmp_path / "b", [[0.99, 0.1, 0.1], [0.99, 0.99, 0.1], [None] * 3],
                   method="migu", finished=False)  # fmt: skip
    figure = stability_plasticity([runs[0], begun])
    assert [trace.name for trace in part(figure, "end")] == ["sft", "migu (unfinished)"]
    assert len(part(figure, "front")[0].x) == 1
    text = caption_of(figure)
    assert "Unfinished: migu." in text and "Not far enough for the front: migu." in text


def test_general_may_be_a_loss_and_up_is_still_better(tmp_path: Path) -> None:
    runs = [
        run_with(tmp_path, "sft", 0, 0.9, 0.5, general=[2.0, 2.5, 3.0], better="lower"),
        run_with(tmp_path, "fggm", 0, 0.8, 0.2, general=[2.0, 2.1, 2.2], better="lower"),
        run_with(tmp_path, "random", 0, 0.7, 0.2, general=[2.0, 2.1, 2.3], better="lower"),
    ]
    figure = stability_plasticity(runs, "general")
    assert list(part(figure, "path")[0].y) == [2.0, 2.5, 3.0]
    bottom, top = figure.layout.yaxis.range
    assert bottom > 3 > 2 > top and "axis reversed" in figure.layout.yaxis.title.text
    assert "On the Pareto front: fggm, sft." in describe(stability_plasticity(runs, "general"))


def test_a_single_run_can_be_given_alone(runs: list[Run]) -> None:
    assert "Pareto" not in describe(stability_plasticity(runs[0]))


def test_what_was_not_measured_is_said(tmp_path: Path) -> None:
    begun = run_of(tmp_path / "a", [[0.9, 0.1], [None, None]], finished=False)
    with pytest.raises(RunError, match="two tasks"):
        stability_plasticity(begun)
    with pytest.raises(RunError, match="measured General"):
        stability_plasticity(begun, "general")
