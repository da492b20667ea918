"""Forgetting curves: each task's score, and General, while later tasks are trained."""

from collections.abc import Sequence

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from fggm_lab.errors import RunError
from fggm_lab.plots import forgetting_curves_text as text
from fggm_lab.plots import theme
from fggm_lab.plots.labels import as_label
from fggm_lab.plots.score_curves import GENERAL, Curves, Measurement, Segment, curves_of
from fggm_lab.runs import RunsLike, as_runs

PANEL = 210
"""Height in pixels of one method's panel when all tasks are shown."""
SINGLE_PANEL = 330
"""Height of a panel that shows one task."""


def forgetting_curves(runs: RunsLike, task: str | None = None) -> go.Figure:
    """Each task's score over all training, task boundaries marked.

    Small markers are samples of a few examples taken inside a task, big markers the whole split at
    its end. Before a task is trained its line is dotted.

    Args:
        runs: a run, a folder of runs or several of either, finished or still being written.
        task: None for all tasks, one panel per run; a task's name for one line per run, with
            General below; `General` for General alone.

    Returns:
        The figure: score against the training step.

    Raises:
        RunError: there is no run, or none has such a task.
    """
    curves = _checked_curves(runs, task)
    if task is None:
        figure = _all_tasks(curves)
        title = "Forgetting curves"
    else:
        figure = _one_task(curves, task)
        title = f"Forgetting curves: {task}"
    return theme.finish(figure, title, text.caption(curves, task), text.describe(curves, task))


def _checked_curves(runs: RunsLike, task: str | None) -> list[Curves]:
    curves = curves_of(as_runs(runs))
    task_names = dict.fromkeys(name for c in curves for name in c.tasks)
    if task is not None and task != GENERAL and task not in task_names:
        names = ", ".join(task_names)
        raise RunError(f"no run has a task named '{task}'; there are: {names}, {GENERAL}")
    return curves


# All tasks: a panel per run


def _all_tasks(curves: Sequence[Curves]) -> go.Figure:
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
    styles = theme.task_styles(list(dict.fromkeys(n for c in curves for n in c.tasks)))
    in_legend: set[str] = set()
    for row, run_curves in enumerate(curves, start=1):
        for index, (name, points) in enumerate(run_curves.tasks.items()):
            before, since = _split(points, index)
            style = styles[name]
            if before:
                figure.add_trace(_line(before, name, style, run_curves.label, early=True), row, 1)
            if since:
                line = _line(since, name, style, run_curves.label)
                line.showlegend = name not in in_legend
                in_legend.add(name)
                figure.add_trace(line, row, 1)
        if run_curves.general and run_curves.general_better == "higher":
            line = _general_line(run_curves, theme.Style(theme.INK, "solid", "circle-open"))
            line.showlegend = GENERAL not in in_legend
            in_legend.add(GENERAL)
            figure.add_trace(line, row, 1)
        _score_axis(figure, row)
    if loss:
        _add_general(figure, curves, rows, legend=True, prefix=f"{GENERAL}: ")
    _mark_tasks(figure, [*curves, *curves[:1]][:rows])
    return _set_layout(figure, rows, PANEL)


# One task: a line per run


def _one_task(curves: Sequence[Curves], task: str) -> go.Figure:
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
    styles = theme.method_styles([c.label for c in curves])
    if task != GENERAL:
        for run_curves in curves:
            points = run_curves.tasks.get(task, [])
            before, since = _split(points, list(run_curves.tasks).index(task) if points else 0)
            for part, early in ((before, True), (since, False)):
                if part:
                    line = _line(part, task, styles[run_curves.label], run_curves.label, early)
                    figure.add_trace(
                        line.update(name=run_curves.label, legendgroup=run_curves.label), 1, 1
                    )
        _score_axis(figure, 1)
    if GENERAL in panels:
        _add_general(figure, curves, len(panels), legend=task == GENERAL)
    _mark_tasks(figure, list(curves[:1]) * len(panels), shaded=task)
    return _set_layout(figure, len(panels), SINGLE_PANEL if len(panels) == 1 else 250)


def _add_general(
    figure: go.Figure,
    curves: Sequence[Curves],
    row: int,
    legend: bool = False,
    prefix: str = "",
) -> None:
    """General of every run in one panel, a line per run.

    Args:
        figure: changed in place.
        curves: of every run; those that have not measured General are left out.
        row: of the panel, counted from 1.
        legend: put the runs' names into the figure's legend.
        prefix: of these names, where the legend has other lines, too.
    """
    measured = [c for c in curves if c.general]
    styles = theme.method_styles([c.label for c in curves])
    for run_curves in measured:
        line = _general_line(run_curves, styles[run_curves.label])
        name = prefix + run_curves.label
        figure.add_trace(line.update(name=name, legendgroup=name, showlegend=legend), row, 1)
    if any(c.general_better == "lower" for c in measured):
        figure.update_yaxes(title_text="loss<br>(nats per token)", row=row, col=1)
    else:
        _score_axis(figure, row)


# Parts


def _left_titles(figure: go.Figure) -> None:
    """Put panel titles at the left, the first one above the axis of steps."""
    figure.update_annotations(x=0, xanchor="left", font_size=theme.TEXT)
    figure.layout.annotations[0].yshift = 38


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
    points: Sequence[Measurement], name: str, style: theme.Style, label: str, early: bool = False
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


def _general_line(curves: Curves, style: theme.Style) -> go.Scatter:
    what = "score" if curves.general_better == "higher" else "loss"
    return go.Scatter(
        x=[p.step for p in curves.general],
        y=[p.score for p in curves.general],
        name=GENERAL,
        legendgroup=GENERAL,
        mode="lines+markers",
        line={"color": style.colour, "width": 2.6, "dash": style.dash},
        marker={
            "color": style.colour,
            "symbol": style.symbol,
            "size": [_size(p) for p in curves.general],
            "opacity": 1,
            "line": {"width": 1.5 if style.symbol.endswith("open") else 0},
        },
        customdata=[["whole test sets" if p.final else "sample"] for p in curves.general],
        hovertemplate=(
            f"<b>General</b> ({as_label(curves.general_name or '')}) · "
            f"{as_label(curves.label)}<br>step %{{x:,d}}<br>"
            f"{what} %{{y:.4f}} (%{{customdata[0]}})<extra></extra>"
        ),
    )


def _score_axis(figure: go.Figure, row: int) -> None:
    figure.update_yaxes(
        title_text="score (0–1)", range=[-0.04, 1.06], tickvals=[0, 0.25, 0.5, 0.75, 1], row=row,
        col=1,
    )  # fmt: skip


def _mark_tasks(figure: go.Figure, curves: Sequence[Curves], shaded: str | None = None) -> None:
    """A line where each task ends, steps above the first panel, the tasks' names below the last.

    The names are the ticks of a second axis, so that they turn when there is little room. Panels
    whose tasks begin at other steps get names of their own.

    Args:
        figure: changed in place.
        curves: for each panel, the run whose tasks it marks.
        shaded: the task whose own training is shaded.
    """
    rows = len(curves)
    for row, run_curves in enumerate(curves, start=1):
        number = "" if row == 1 else str(row)
        for segment in run_curves.segments:
            box = {
                "xref": f"x{number}",
                "yref": f"y{number} domain",
                "x1": segment.end,
                "y0": 0,
                "y1": 1,
                "layer": "below",
            }
            if segment.name == shaded:
                figure.add_shape(
                    box, type="rect", x0=segment.start, fillcolor=theme.SHADE, line_width=0
                )
            edge = {"color": theme.INK, "width": 1, "dash": "dot"}
            figure.add_shape(box, type="line", x0=segment.end, line=edge, opacity=0.6)
        if row == rows or run_curves.segments != curves[-1].segments:
            _name_axis(figure, run_curves.segments, rows + row, number)
    last = max(c.planned for c in curves) or 1
    figure.update_xaxes(range=[-0.015 * last, 1.015 * last], showgrid=False)
    figure.update_xaxes(showticklabels=False, ticks="", row=rows, col=1)
    figure.update_xaxes(
        side="top", showticklabels=True, ticks="outside", title_text="training step", row=1, col=1
    )


def _name_axis(figure: go.Figure, segments: Sequence[Segment], number: int, panel: str) -> None:
    figure.update_layout(
        {
            f"xaxis{number}": {
                "overlaying": f"x{panel}",
                "matches": "x",
                "side": "bottom",
                "anchor": f"y{panel}",
                "title": {"text": "task in training"},
                "tickvals": [(s.start + s.end) / 2 for s in segments],
                "ticktext": [as_label(s.name) for s in segments],
                "autotickangles": [0, 90],
                "ticks": "",
                "showgrid": False,
            }
        }
    )
    line = go.Scatter(x=[None], y=[None], showlegend=False, hoverinfo="skip")
    figure.add_trace(line.update(xaxis=f"x{number}", yaxis=f"y{panel}"))


def _set_layout(figure: go.Figure, rows: int, panel: int) -> go.Figure:
    return figure.update_layout(
        height=rows * panel + 106, margin={"t": 60, "l": 70}, hovermode="closest"
    )
