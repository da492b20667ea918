"""Forgetting curves: each task's score, and General, while later tasks are trained."""

from collections.abc import Sequence

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from fggm_lab.errors import RunError
from fggm_lab.plots import forgetting_curves_text as text
from fggm_lab.plots import theme
from fggm_lab.plots.finish import finish
from fggm_lab.plots.labels import as_label
from fggm_lab.plots.score_curves import GENERAL, Curves, Measurement, curves_of
from fggm_lab.plots.styles import Style, method_styles, task_styles
from fggm_lab.plots.task_axis import axis_suffix, mark_tasks
from fggm_lab.plots.thinning import MAX_POINTS, evenly, thin_evenly
from fggm_lab.runs import RunsLike, as_runs

PANEL = 210
"""Height in pixels of one method's panel when all tasks are shown."""
SINGLE_PANEL = 330
"""Height of a panel that shows one task."""
MOST_TASKS = 20
"""The most tasks that a figure draws and marks: more lines or names cannot be told apart."""
MIN_POINTS = 30
"""How many points a curve may have however many curves there are."""


def forgetting_curves(runs: RunsLike, task: str | None = None) -> go.Figure:
    """Each task's score over all training, task boundaries marked.

    Small markers are samples of a few examples taken inside a task, big markers the whole split at
    its end. Before a task is trained its line is dotted. Of more than `MOST_TASKS` tasks as many
    are drawn, evenly spaced, and long curves are thinned; the caption says so.

    Args:
        runs: a run, a folder of runs or several of either, finished or still being written.
        task: None for all tasks, one panel per run; a task's name for one line per run, with
            General below; `General` for General alone.

    Returns:
        The figure: score against the training step.

    Raises:
        RunError: there is no run, or none has such a task.
    """
    run_list = as_runs(runs)
    names = list(dict.fromkeys(name for run in run_list for name in run.config.task_names))
    marked = evenly(names, MOST_TASKS)
    if task not in (None, GENERAL, *names):
        listed = ", ".join(names)
        raise RunError(f"no run has a task named '{task}'; there are: {listed}, {GENERAL}")
    # General's samples are as large as those of any task: the caption gives their size.
    drawn = marked if task is None else names[:1] if task == GENERAL else [task]
    curves = curves_of(run_list, drawn)
    most = _points_per_curve(curves)
    if task is None:
        figure = _all_tasks(curves, marked, most)
        title = "Forgetting curves"
    else:
        figure = _one_task(curves, task, [*marked, task], most)
        title = f"Forgetting curves: {task}"
    caption = text.caption(curves, task) + text.left_out(
        curves, task, len(names), len(marked), most
    )
    return finish(figure, title, caption, text.describe(curves, task))


def _points_per_curve(curves: Sequence[Curves]) -> int:
    """The most points of one curve."""
    return max(MAX_POINTS // max(1, sum(len(c.tasks) + 1 for c in curves)), MIN_POINTS)


# All tasks: a panel per run


def _all_tasks(curves: Sequence[Curves], marked: Sequence[str], most: int) -> go.Figure:
    """Lines of at most about `most` points for every task of every run."""
    loss = any(c.general and c.general_better == "lower" for c in curves)
    rows = len(curves) + loss
    titles = [f"<b>{as_label(c.label)}</b>{'' if c.finished else ' (unfinished)'}" for c in curves]
    figure = make_subplots(
        rows,
        1,
        shared_xaxes=True,
        vertical_spacing=min(0.05, 0.16 / rows),
        subplot_titles=[*titles, *(["<b>General</b>"] if loss else [])],
    )
    _left_titles(figure)
    styles = task_styles(list(dict.fromkeys(n for c in curves for n in c.tasks)))
    in_legend: set[str] = set()
    lines: list[tuple[int, go.Scatter]] = []
    for row, run_curves in enumerate(curves, start=1):
        for name, points in run_curves.tasks.items():
            index = run_curves.order.index(name)
            before, since = _split(_fewer(points, most, index), index)
            style = styles[name]
            if before:
                lines.append((row, _line(before, name, style, run_curves.label, early=True)))
            if since:
                line = _line(since, name, style, run_curves.label)
                line.showlegend = name not in in_legend
                in_legend.add(name)
                lines.append((row, line))
        if run_curves.general and run_curves.general_better == "higher":
            style = Style(theme.INK, "solid", "circle-open")
            line = _general_line(run_curves, style, most)
            line.showlegend = GENERAL not in in_legend
            in_legend.add(GENERAL)
            lines.append((row, line))
        _score_axis(figure, row)
    _add_lines(figure, lines)
    if loss:
        _add_general(figure, curves, rows, most, legend=True, prefix=f"{GENERAL}: ")
    mark_tasks(figure, [*curves, *curves[:1]][:rows], marked)
    return _set_layout(figure, rows, PANEL)


# One task: a line per run


def _one_task(curves: Sequence[Curves], task: str, marked: Sequence[str], most: int) -> go.Figure:
    """A line of at most about `most` points for every run, of a task and of General."""
    general = any(c.general for c in curves)
    panels = [name for name in (task, GENERAL) if name != GENERAL or general or task == GENERAL]
    panels = list(dict.fromkeys(panels))
    figure = make_subplots(
        len(panels),
        1,
        shared_xaxes=True,
        vertical_spacing=0.1,
        subplot_titles=[f"<b>{as_label(name)}</b>" for name in panels],
    )
    _left_titles(figure)
    styles = method_styles([c.label for c in curves])
    if task != GENERAL:
        lines: list[tuple[int, go.Scatter]] = []
        for run_curves in curves:
            points = run_curves.tasks.get(task, [])
            index = run_curves.order.index(task) if points else 0
            before, since = _split(_fewer(points, most, index), index)
            for part, early in ((before, True), (since, False)):
                if part:
                    line = _line(part, task, styles[run_curves.label], run_curves.label, early)
                    line.update(name=run_curves.label, legendgroup=run_curves.label)
                    lines.append((1, line))
        _add_lines(figure, lines)
        _score_axis(figure, 1)
    if GENERAL in panels:
        _add_general(figure, curves, len(panels), most, legend=task == GENERAL)
    mark_tasks(figure, list(curves[:1]) * len(panels), marked, shaded=task)
    return _set_layout(figure, len(panels), SINGLE_PANEL if len(panels) == 1 else 250)


def _add_general(
    figure: go.Figure,
    curves: Sequence[Curves],
    row: int,
    most: int,
    legend: bool = False,
    prefix: str = "",
) -> None:
    """General of every run in one panel, a line per run.

    Args:
        figure: changed in place.
        curves: of every run; those that have not measured General are left out.
        row: of the panel, counted from 1.
        most: the most points of a line.
        legend: put the runs' names into the figure's legend.
        prefix: of these names, where the legend has other lines, too.
    """
    measured = [c for c in curves if c.general]
    styles = method_styles([c.label for c in curves])
    lines = []
    for run_curves in measured:
        name = prefix + run_curves.label
        line = _general_line(run_curves, styles[run_curves.label], most)
        lines.append((row, line.update(name=name, legendgroup=name, showlegend=legend)))
    _add_lines(figure, lines)
    if any(c.general_better == "lower" for c in measured):
        figure.update_yaxes(title_text="loss<br>(nats per token)", row=row, col=1)
    else:
        _score_axis(figure, row)


# Parts


def _left_titles(figure: go.Figure) -> None:
    """Put panel titles at the left, the first one above the axis of steps."""
    figure.update_annotations(x=0, xanchor="left", font_size=theme.TEXT)
    figure.layout.annotations[0].yshift = 38


def _add_lines(figure: go.Figure, lines: Sequence[tuple[int, go.Scatter]]) -> None:
    """Add lines, each to the panel of its row, all at once: Plotly copies its list every time."""
    rows = [row for row, _ in lines]
    figure.add_traces([line for _, line in lines], rows=rows, cols=[1] * len(rows))


def _fewer(points: Sequence[Measurement], most: int, task: int) -> Sequence[Measurement]:
    """At most about `most` points: first samples are left out, then all but every k-th.

    Args:
        points: of one curve, in the order of steps.
        most: how many to keep.
        task: the index of the curve's task, whose score when it was learned always stays.

    Returns:
        The points, the last one among them.
    """
    if len(points) <= most:
        return points
    finals = [p for p in points if p.final] or points
    return sorted(
        {*thin_evenly(finals, most), *(p for p in finals if p.task == task and p.final)},
        key=lambda p: p.step,
    )


def _split(points: Sequence[Measurement], task: int) -> tuple[list[Measurement], list[Measurement]]:
    """The points before task number `task` is trained, and those since.

    The second list begins with the last point of the first, so that the two lines meet.

    Returns:
        The two lists; the first is empty if it has a single point, where there is no line to draw.
    """
    before = [p for p in points if p.task < task]
    since = [p for p in points if p.task >= task]
    if not since:
        return before, []
    return before if len(before) > 1 else [], [*before[-1:], *since]


def _line(
    points: Sequence[Measurement], name: str, style: Style, label: str, early: bool = False
) -> go.Scatter:
    """One task's points under one run; `early` for those before it is trained."""
    return go.Scatter(
        x=[p.step for p in points],
        y=[p.score for p in points],
        name=name,
        legendgroup=name,
        showlegend=not early,
        mode="lines+markers",
        opacity=0.45 if early else 1,
        line={
            "color": style.colour,
            "width": 1.2 if early else 1.8,
            "dash": "dot" if early else style.dash,
        },
        marker={
            "color": style.colour,
            "symbol": style.symbol,
            "size": [_size(p, early) for p in points],
            "opacity": 1,
            "line": {"width": 0},
        },
        customdata=[
            [
                "–" if p.exact is None else format(p.exact, theme.SCORE),
                "–" if p.nll is None else format(p.nll, theme.NLL),
                "?" if p.examples is None else format(p.examples, theme.COUNT),
                "whole split" if p.final else "sample",
            ]
            for p in points
        ],
        hovertemplate=(
            f"<b>{as_label(name)}</b> · {as_label(label)}<br>step %{{x:,d}}<br>score %{{y:.4f}} "
            "(%{customdata[2]} examples, %{customdata[3]})<br>exact match %{customdata[0]}<br>"
            "NLL %{customdata[1]} nats per token<extra></extra>"
        ),
    )


def _size(point: Measurement, early: bool = False) -> int:
    if early:
        return 5
    return 9 if point.final else 4


def _general_line(curves: Curves, style: Style, most: int) -> go.Scatter:
    what = "score" if curves.general_better == "higher" else "loss"
    points = _fewer(curves.general, most, len(curves.order) - 1)
    return go.Scatter(
        x=[p.step for p in points],
        y=[p.score for p in points],
        name=GENERAL,
        legendgroup=GENERAL,
        mode="lines+markers",
        line={"color": style.colour, "width": 2.6, "dash": style.dash},
        marker={
            "color": style.colour,
            "symbol": style.symbol,
            "size": [_size(p) for p in points],
            "opacity": 1,
            "line": {"width": 1.5 if style.symbol.endswith("open") else 0},
        },
        customdata=[["whole test sets" if p.final else "sample"] for p in points],
        hovertemplate=(
            f"<b>General</b> ({as_label(curves.general_name or '')}) · "
            f"{as_label(curves.label)}<br>step %{{x:,d}}<br>"
            f"{what} %{{y:.4f}} (%{{customdata[0]}})<extra></extra>"
        ),
    )


def _score_axis(figure: go.Figure, row: int) -> None:
    figure.layout[f"yaxis{axis_suffix(row)}"].update(
        title_text="score (0–1)", range=[-0.04, 1.06], tickvals=[0, 0.25, 0.5, 0.75, 1]
    )


def _set_layout(figure: go.Figure, rows: int, panel: int) -> go.Figure:
    return figure.update_layout(
        height=rows * panel + 106, margin={"t": 60, "l": 70}, hovermode="closest"
    )
