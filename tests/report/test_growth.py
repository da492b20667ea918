"""The work and the size of a report grow with its runs and tasks, not with their square."""

import re
from collections.abc import Callable, Iterator
from cProfile import Profile
from importlib import import_module
from pathlib import Path
from pstats import Stats

import pytest

from fggm_lab.plots import caption_of, forgetting_curves
from fggm_lab.report import selection
from fggm_lab.report.page import report_html
from fggm_lab.report.selection import MOST_METHODS, MOST_TASKS, compared_runs, shown_tasks
from fggm_lab.runs import Run, find_runs
from tests.support.records import made_run, run_of

METHODS = ("sft", "l2")


def names(tasks: int) -> list[str]:
    return [f"task {index}" for index in range(tasks)]


def cost(folder: Path) -> tuple[int, int]:
    """The function calls that a report of the runs in a folder takes, and its characters."""
    runs = find_runs(folder)
    profile = Profile()
    html = profile.runcall(report_html, runs)
    return int(Stats(profile).total_calls), len(html)  # type: ignore[attr-defined]


def runs_over_seeds(folder: Path, number: int) -> Iterator[Run]:
    for seed in range(number // 2):
        for method in METHODS:
            yield made_run(folder / str(seed), method, names(2), points=1, seed=seed)


def runs_of_settings(folder: Path, number: int) -> Iterator[Run]:
    for index in range(number // 2):
        for method in METHODS:
            yield made_run(folder / str(index), method, names(2), points=1, lr=(index + 1) / 1000)


def run_of_tasks(folder: Path, number: int) -> Iterator[Run]:
    yield made_run(folder, "sft", names(number), points=1)


@pytest.mark.parametrize(
    ("make", "size", "most"),
    [(runs_over_seeds, 20, 1.8), (runs_of_settings, 20, 1.8), (run_of_tasks, 8, 2.4)],
)
def test_twice_as_many_cost_about_twice_at_most(
    make: Callable[[Path, int], Iterator[Run]],
    size: int,
    most: float,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(selection, "MOST_METHODS", 3)  # fewer figures are sooner drawn
    list(make(tmp_path / "first", 2))
    cost(tmp_path / "first")  # imports, and what Plotly prepares once
    costs = []
    for number in (size, 2 * size):
        list(make(tmp_path / str(number), number))
        costs.append(cost(tmp_path / str(number)))
    (calls, characters), (more_calls, more_characters) = costs
    assert more_calls <= most * calls
    assert more_characters <= most * characters


def test_every_method_is_shown_before_a_second_setting_of_any(tmp_path: Path) -> None:
    runs = [
        run_of(tmp_path / f"{method}{lr}", [[0.5]], method=method, lr=lr / 1000, seed=seed)
        for method in ("sft", "fggm") for lr in range(1, 21) for seed in (0,)
    ]  # fmt: skip
    shown = compared_runs(runs)
    methods = [run.config.method for run in shown]
    assert len(shown) == MOST_METHODS and methods.count("sft") == methods.count("fggm") == 6
    assert shown == sorted(shown, key=runs.index), "they stay in the page's order"
    assert compared_runs(runs[:12]) == runs[:12]


def test_seeds_of_a_shown_method_all_count(tmp_path: Path) -> None:
    runs = [
        run_of(tmp_path / f"{lr}-{seed}", [[0.5]], lr=lr / 1000, seed=seed)
        for lr in range(1, 14) for seed in (0, 1)
    ]  # fmt: skip
    assert compared_runs(runs) == runs[:24]


def test_the_page_says_what_its_figures_leave_out(tmp_path: Path) -> None:
    runs = [
        run_of(tmp_path / f"{lr}-{seed}", [[0.5, None], [0.4, 0.6]], lr=lr / 1000, seed=seed)
        for lr in range(1, 14) for seed in (0, 1)
    ]  # fmt: skip
    html = report_html(runs)
    assert f"Of 13 methods and settings {MOST_METHODS} are drawn" in html
    assert f"the first is shown ({MOST_METHODS} of 24 runs)" in html
    assert len(re.findall(r"<summary>sft \(lr=[^<]*seed", html)) == 26, "every matrix is there"


def test_of_many_tasks_some_are_drawn_and_the_caption_says_so(tmp_path: Path) -> None:
    run = made_run(tmp_path, "sft", names(45), points=1)
    figure = forgetting_curves(run)
    drawn = {trace.name for trace in figure.data if trace.name} - {"General"}
    assert drawn == set(shown_tasks(names(45))) and len(drawn) == MOST_TASKS
    assert {"task 0", "task 44"} <= drawn
    assert f"Of 45 tasks {MOST_TASKS} are drawn, evenly spaced" in caption_of(figure)
    alone = forgetting_curves(run, "task 1")
    assert "task 1" in {name for axis in alone.select_xaxes() for name in axis.ticktext or ()}
    assert f"Of 45 tasks {MOST_TASKS} are marked" in caption_of(alone)


def test_a_thinned_curve_keeps_real_points_the_last_and_the_one_when_learned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = import_module("fggm_lab.plots.forgetting_curves")
    monkeypatch.setattr(module, "MAX_POINTS", 200)
    monkeypatch.setattr(module, "MIN_POINTS", 10)
    run = made_run(tmp_path, "sft", names(45), points=1)
    figure = forgetting_curves(run)
    name = "task 7"  # one of those that are drawn
    points = {
        x: y for trace in figure.data if trace.name == name
        for x, y in zip(trace.x, trace.y, strict=True)
    }  # fmt: skip
    measured = {
        event["step"]: event["tasks"][name]["score"]
        for event in run.events("evaluation") if event["final"]
    }  # fmt: skip
    assert points.items() <= measured.items() and len(points) < len(measured)
    assert {max(measured), 8 * 40} <= points.keys()
    assert "Long curves show every k-th measurement" in caption_of(figure)


def test_scores_that_are_not_finite_are_left_out_and_named(tmp_path: Path) -> None:
    run = made_run(tmp_path, "fggm", names(3), points=1)
    scores = run.fisher(1)
    assert scores is not None
    scores.units["model.norm.weight"][0] = float("inf")
    scores.save(run.file("fisher", 1))
    html = report_html([run])
    assert html.count("Fisher scores are not finite: fggm before task 1.") == 3
    assert "fggm: task 0</option>" in html and "fggm: task 1</option>" not in html
