"""Without the scores of tasks not learned yet a run is the same, and its readers show a gap."""

import io
from dataclasses import asdict
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import pytest
from rich.console import Console

import fggm_lab as lab
from fggm_lab.errors import RunError
from fggm_lab.explorer.run_figures import RunFigures
from fggm_lab.methods import FGGM, SFT
from fggm_lab.plots import FIGURES, describe
from fggm_lab.progress import MethodsProgress
from fggm_lab.report.tables import matrices_html
from fggm_lab.runs import NUMBERS, Run, comparison
from fggm_lab.runs.scalars import log_scalars
from fggm_lab.tables import comparison_table
from tests.support.records import TASKS, made_run, with_costs
from tests.support.resuming import same_weights
from tests.support.small import small_run, small_tasks

NAMES = small_tasks().names


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Run]:
    """The same training, with and without the scores of tasks not learned yet."""
    folder = tmp_path_factory.mktemp("trained")
    every, learned = (
        small_run(FGGM(), folder / str(scored), score_unlearned=scored) for scored in (True, False)
    )
    return every, learned


@pytest.fixture(scope="module")
def made_runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Run]:
    """The same for eight tasks whose scores are made up."""
    folder = tmp_path_factory.mktemp("made_runs")
    every = made_run(folder / "every", "fggm")
    learned = made_run(folder / "learned", "fggm", score_unlearned=False)
    return with_costs(every), with_costs(learned)


def finals(run: Run) -> list[dict[str, Any]]:
    return [dict(event["tasks"]) for event in run.events("evaluation") if event["final"]]


def test_the_training_is_the_same_bit_for_bit(trained: tuple[Run, Run]) -> None:
    every, learned = trained
    assert every.events("step") == learned.events("step")
    for task in range(3):
        assert same_weights(every, learned, task)


def test_only_learned_tasks_are_scored(trained: tuple[Run, Run]) -> None:
    every, learned = trained
    assert [list(tasks) for tasks in finals(learned)] == [[], NAMES[:1], NAMES[:2], NAMES]
    for complete, measured in zip(finals(every), finals(learned), strict=True):
        for name, scores in measured.items():
            assert scores == pytest.approx(complete[name])
    generals = [
        [event["general"] for event in run.events("evaluation") if event["final"]]
        for run in trained
    ]
    assert generals[0] == generals[1] and None not in generals[1]
    assert [len(learned.predictions(after)) for after in (None, *NAMES)] == [0, 4, 8, 12]


def test_a_run_without_general_scores_nothing_before_its_first_task(tmp_path: Path) -> None:
    settings = {"general": None, "tasks": small_tasks(2), "points_per_task": 0, "epochs": 1}
    run = small_run(SFT(), tmp_path / "run", score_unlearned=False, **settings)
    assert run.finished and [list(tasks) for tasks in finals(run)] == [[], NAMES[:1], NAMES[:2]]


def test_numbers_that_need_such_scores_are_missing_and_all_others_equal(
    made_runs: tuple[Run, Run],
) -> None:
    every, learned = made_runs
    rows = comparison([every, learned])
    needing = {key for key in NUMBERS if rows[0][key] is not None and rows[1][key] is None}
    assert needing == {"fwt"}
    assert {key for key in NUMBERS if rows[0][key] != rows[1][key]} == {"fwt"}
    assert learned.scores is not None and learned.scores.untrained == [None] * len(TASKS)
    log, shorter = log_scalars(every), log_scalars(learned)
    assert log.keys() == shorter.keys()
    for name, series in shorter.items():
        assert series == log[name][-len(series) :]


def points(figure: go.Figure) -> set[tuple[str, str, str]]:
    return {
        (trace.name, str(x), str(y))
        for trace in figure.data
        if trace.x is not None
        for x, y in zip(trace.x, trace.y, strict=True)
    }


@pytest.mark.parametrize("name", [name for name, kind in FIGURES.items() if kind.of_runs])
def test_figures_show_a_gap(made_runs: tuple[Run, Run], name: str) -> None:
    """A figure's numbers are those of the run with every score, or missing."""
    shown, expected = (FIGURES[name].draw(run) for run in reversed(made_runs))
    assert describe(shown)
    if name == "score_matrix":
        cells, complete = shown.data[0].z, expected.data[0].z
        for row, column in ((r, c) for r in range(len(cells)) for c in range(len(TASKS))):
            assert cells[row][column] == (complete[row][column] if row > column else None)
        return
    assert points(shown) <= points(expected)


def test_the_report_the_table_and_the_explorer_have_it(made_runs: tuple[Run, Run]) -> None:
    _, learned = made_runs
    unlearned = len(TASKS) + len(TASKS) * (len(TASKS) - 1) // 2
    assert matrices_html([learned]).count(">–</td>") == unlearned
    out = io.StringIO()
    Console(file=out, width=100).print(comparison_table(comparison([learned]), ["fwt", "op_final"]))
    line = next(line for line in out.getvalue().splitlines() if line.strip().startswith("fggm"))
    assert line.split() == ["fggm", "0", "–", f"{learned.metrics()['op_final']:.3f}"]
    figures = RunFigures([learned])
    values = figures.description()["values"]
    for view in ("all tasks", "chosen task", "score matrix", "stability–plasticity"):
        assert "figure" in figures.answer("forgetting", view, values)


def test_progress_is_told_as_ever(trained: tuple[Run, Run]) -> None:
    texts = []
    for run in trained:
        out = io.StringIO()
        progress = MethodsProgress(Console(file=out, width=200), ["fggm"])
        for event in run.events():
            progress.tell("fggm", event)
        texts.append([line.split(" · about")[0] for line in out.getvalue().splitlines()])
    assert texts[0] == texts[1] and len(texts[0]) == len(NAMES)


def test_answers_before_a_task_was_learned_are_said_to_be_missing(
    trained: tuple[Run, Run],
) -> None:
    every, learned = trained
    changes = zip(
        lab.forgotten_examples(learned, change="all"),
        lab.forgotten_examples(every, change="all"),
        strict=True,
    )
    for mine, expected in changes:  # other batches, so that likelihoods differ by rounding
        assert asdict(mine) == pytest.approx(asdict(expected))
    sentence = r"did not score task-2 after task-0, .*score_unlearned; choose a stage"
    with pytest.raises(RunError, match=sentence):
        lab.forgotten_examples(learned, "task-2", before="task-0")
    with pytest.raises(RunError, match="did not score task-0 before any task"):
        lab.forgotten_examples(learned, before="untrained")
