"""The score matrix R as a heatmap: the score of each state of the model on each task."""

from pathlib import Path
from statistics import fmean

import plotly.graph_objects as go

from fggm_lab.errors import RunError
from fggm_lab.plots.finish import finish
from fggm_lab.plots.styles import VERMILLION
from fggm_lab.plots.table_heatmap import set_table_layout, table_heatmap
from fggm_lab.runs import Run, ScoreMatrix, one_run

UNTRAINED = "untrained"


def score_matrix(run: Run | str | Path) -> go.Figure:
    """R with the untrained model's row above: a row per state of the model, a column per task.

    Args:
        run: a run or its folder, finished or still being written: rows to come are blank.

    Returns:
        The figure: a cell per state of the model and task.

    Raises:
        RunError: the run has measured nothing yet.
    """
    run = one_run(run)
    scores = _scores(run)
    states = [UNTRAINED, *(f"after {name}" for name in scores.tasks)]
    table = [scores.untrained, *scores.matrix]
    figure = go.Figure(table_heatmap(scores.tasks, states, table, _hover(scores), "%{x} · %{y}"))
    figure.update_layout(shapes=[
        {"type": "rect", "x0": index - 0.46, "x1": index + 0.46, "y0": index + 0.56,
         "y1": index + 1.44, "line": {"color": VERMILLION, "width": 2.5}}
        for index in range(len(scores.tasks))
    ])  # fmt: skip
    set_table_layout(figure, len(states), "score (0–1)")
    figure.update_xaxes(title_text=f"scored on the {run.config.training.split} split of task")
    figure.update_yaxes(title_text="state of the model")
    caption = (
        f"Score of {_label(run)} on each task (column) after learning each task (row), whole "
        f"{run.config.training.split} split. Framed: the task just learned. Below a frame a task's "
        "score falls as it is forgotten, above it the task has not been trained; blank cells were "
        "not measured."
    )
    if not run.finished:
        caption += " The run is unfinished."
    return finish(figure, f"Score matrix: {_label(run)}", caption, _describe(run, scores))


def _scores(run: Run) -> ScoreMatrix:
    scores = run.scores
    if scores is None:
        raise RunError(f"{run.path} has measured nothing yet; wait for its first evaluation")
    return scores


def _label(run: Run) -> str:
    return f"{run.config.method}, seed {run.config.training.seed}"


def _hover(scores: ScoreMatrix) -> list[list[str]]:
    def cell_text(row: int, column: int, value: float | None) -> str:
        if value is None:
            return "not measured"
        text = f"score {value:.3f}"
        learned = scores.matrix[column][column]
        if row == column:
            return f"{text}, just learned"
        if row > column:
            since = "" if learned is None else f"<br>{value - learned:+.3f} since it was learned"
            return text + since
        before = scores.untrained[column]
        if row < 0 or before is None:
            return f"{text}, before its training"
        return f"{text}, before its training<br>{value - before:+.3f} from the untrained model"

    return [
        [cell_text(row, column, value) for column, value in enumerate(values)]
        for row, values in enumerate([scores.untrained, *scores.matrix], start=-1)
    ]


def _describe(run: Run, scores: ScoreMatrix) -> str:
    size = len(scores.tasks)
    learned = {
        name: value for i, name in enumerate(scores.tasks)
        if (value := scores.matrix[i][i]) is not None
    }  # fmt: skip
    before = [value for value in scores.untrained if value is not None]
    text = f"Score matrix of {_label(run)}, {size} tasks."
    if before:
        text += f" The untrained model scores {fmean(before):.2f} on average."
    if not learned:
        return text + " No task is learned yet."
    done = max(scores.tasks.index(name) for name in learned)
    text += f" Right after its training a task scores {fmean(learned.values()):.2f} on average"
    text += "." if done == size - 1 else f"; {done + 1} tasks are learned so far."
    falls = {
        name: (value, last)
        for name, value in learned.items()
        if (last := scores.matrix[done][scores.tasks.index(name)]) is not None
    }
    if len(falls) > 1:
        name, (high, low) = min(falls.items(), key=lambda fall: fall[1][1] - fall[1][0])
        text += (
            f" After {scores.tasks[done]} they score {fmean(v for _, v in falls.values()):.2f} on "
            "average."
        )
        if low < high:
            text += f" {name} fell furthest, from {high:.2f} to {low:.2f}."
    return text
