"""Methods against a baseline, paired by seed: how large a difference is, and how sure."""

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from fggm_lab.plots import theme
from fggm_lab.plots.finish import finish
from fggm_lab.plots.labels import as_label
from fggm_lab.plots.styles import Style, method_styles
from fggm_lab.runs import NUMBERS, Run, RunsLike, as_runs
from fggm_lab.runs.paired import COVERS, comparisons_note, paired

ROW = 34
"""Height in pixels of one method's row."""
_BETWEEN = 62
"""Height between panels, for a title and the axis above it."""

Rows = list[dict[str, Any]]
Panels = dict[str, Rows]
"""Metric → its rows, one per method."""


def paired_differences(
    runs: RunsLike, baseline: str, metrics: Sequence[str] | None = None
) -> go.Figure:
    """Each method minus the baseline, seed by seed, with the 95 % interval of the mean.

    Args:
        runs: a folder of runs, or several runs or folders: of two methods or more over the same
            tasks, that have a seed in common.
        baseline: the method to subtract, as `comparison(runs)` names it.
        metrics: `general_after` or other keys of `NUMBERS`; None: General, OP, BWT and learning
            accuracy, as far as they were measured.

    Returns:
        The figure: a panel per metric, in it a row per method.

    Raises:
        SettingError: no metric has that name.
        RunError: runs that cannot be compared, an unknown baseline, or one that shares no seed with
            any other method.
    """
    run_list = as_runs(runs)
    rows = paired(run_list, baseline, metrics)
    methods = _methods(rows)
    panels = _panels(rows, methods)
    styles = method_styles(methods)
    inner = ROW * len(methods)
    height = len(panels) * (inner + _BETWEEN) - _BETWEEN
    figure = make_subplots(
        len(panels), 1, vertical_spacing=_BETWEEN / height if len(panels) > 1 else 0,
        subplot_titles=[_heading(panel_rows) for panel_rows in panels.values()],
    )  # fmt: skip
    figure.update_annotations(x=0, xanchor="left", font_size=theme.TEXT)
    for number, panel_rows in enumerate(panels.values(), start=1):
        for index, row in enumerate(panel_rows):
            for trace in _traces(row, index, styles[row["method"]]):
                figure.add_trace(trace.update(showlegend=False), number, 1)
        line = {"color": theme.INK, "width": 1.2}
        figure.add_vline(x=0, row=number, col=1, line=line, layer="below")
    figure.update_yaxes(
        tickvals=list(range(len(methods))), ticktext=list(map(as_label, methods)),
        range=[len(methods) - 0.5, -0.5], showgrid=False, ticks="",
    )  # fmt: skip
    figure.update_yaxes(title_text="method", row=1, col=1)
    _scale(figure, panels)
    figure.update_xaxes(title_text=f"difference from {as_label(baseline)}", row=len(panels), col=1)
    figure.update_layout(
        height=height + 100, margin={"t": 36, "l": 110, "r": 20}, hovermode="closest"
    )
    return finish(
        figure, f"Differences from {baseline}, paired by seed", _caption(run_list, rows, baseline),
        _describe(rows, baseline),
    )  # fmt: skip


def _methods(rows: Rows) -> list[str]:
    """The methods with a seed in common with the baseline; if there is none, all methods."""
    methods = [row["method"] for row in rows if row["n"]] or [row["method"] for row in rows]
    return list(dict.fromkeys(methods))


def _panels(rows: Rows, methods: Sequence[str]) -> Panels:
    """The methods' rows by metric; a metric that no pair has measured is left out, if not all."""
    panels: Panels = {}
    for row in rows:
        if row["method"] in methods:
            panels.setdefault(row["metric"], []).append(row)
    return {name: part for name, part in panels.items() if any(r["n"] for r in part)} or panels


def _heading(rows: Rows) -> str:
    """A panel's title: the metric, and on which side values are better."""
    metric, better = rows[0]["metric"], rows[0]["better"]
    unit = " (loss, nats per token)" if metric == "general_after" and better == "lower" else ""
    arrow = "better →" if better == "higher" else "← better"
    return f"<b>{NUMBERS[metric].label}</b>{unit} · {arrow}"


def _traces(row: dict[str, Any], position: int, style: Style) -> list[go.Scatter]:
    """Small open markers for the seeds, above them the mean with its interval."""
    method = row["method"]
    seeds = go.Scatter(
        x=row["differences"], y=[position + 0.2] * row["n"], mode="markers", name=method,
        marker={"color": style.colour, "symbol": f"{style.symbol}-open", "size": 7},
        customdata=row["seeds"], meta={"part": "seeds", "metric": row["metric"]},
        hovertemplate=f"<b>{as_label(method)}</b>, seed %{{customdata}}: %{{x:+.4f}}"
        "<extra></extra>",
    )  # fmt: skip
    if row["low"] is None:
        return [seeds.update(y=[position] * row["n"], marker_size=9)]
    mean = go.Scatter(
        x=[row["mean"]], y=[position - 0.12], mode="markers", name=method,
        error_x={"array": [row["high"] - row["mean"]], "color": style.colour, "thickness": 2,
                 "width": 5},
        marker={"color": style.colour, "symbol": style.symbol, "size": 10},
        customdata=[f"{row['low']:+.4f} to {row['high']:+.4f}, {row['n']} seeds"],
        meta={"part": "mean", "metric": row["metric"]},
        hovertemplate=f"<b>{as_label(method)}</b>: %{{x:+.4f}}<br>95 % interval %{{customdata}}"
                      "<extra></extra>",
    )  # fmt: skip
    return [seeds, mean]


def _scale(figure: go.Figure, panels: Panels) -> None:
    """Fractions share one axis, so that their panels can be compared; a loss has its own."""
    figure.update_xaxes(tickformat="+~g")
    for loss in (True, False):
        numbered = {n: rows for n, rows in enumerate(panels.values(), 1) if _is_loss(rows) is loss}
        ends = [row[end] for rows in numbered.values() for row in rows for end in ("low", "high")]
        seeds = [
            value for rows in numbered.values() for row in rows for value in row["differences"]
        ]
        values = [0.0, *seeds, *(end for end in ends if end is not None)]
        for number in numbered:
            first = next(iter(numbered))
            matches = None if number == first else f"x{first}".removesuffix("1")
            figure.update_xaxes(range=theme.axis_range(values), matches=matches, row=number, col=1)


def _is_loss(rows: Rows) -> bool:
    return rows[0]["metric"] == "general_after" and rows[0]["better"] == "lower"


def _caption(runs: Sequence[Run], rows: Rows, baseline: str) -> str:
    seeds = sorted({seed for row in rows for seed in row["seeds"]})
    text = (
        f"Each method minus {baseline}, both run with the same seed: 0 is no difference, an arrow "
        "says which side is better. "
    )
    if any(row["low"] is not None for row in rows):
        text += (
            f"Open markers: seeds ({', '.join(map(str, seeds))}); filled: their mean with its 95 % "
            "interval (Student's t). An interval that holds 0 leaves open which method is better. "
            f"{comparisons_note(sum(row['low'] is not None for row in rows))} {COVERS}"
        )
    else:
        text += "One seed is one draw: no interval can be given, and little is known."
    drawn = [row["method"] for row in rows if row["n"]]
    alone = [m for m in dict.fromkeys(row["method"] for row in rows) if m not in drawn]
    if alone:
        text += f" Nothing to pair (no common seed, or not finished): {', '.join(alone)}."
    unfinished = list(dict.fromkeys(
        f"{run.config.method} (seed {run.config.training.seed})" for run in runs if not run.finished
    ))  # fmt: skip
    if unfinished:
        text += f" Unfinished: {', '.join(unfinished)}."
    return text


def _describe(rows: Rows, baseline: str) -> str:
    parts = []
    for metric, metric_rows in _panels(rows, _methods(rows)).items():
        method_texts = [
            f"{row['method']} {row['mean']:+.3f}"
            + (
                f" ({row['low']:+.3f} to {row['high']:+.3f}, {row['n']} seeds)"
                if row["low"] is not None
                else " (one seed)"
            )
            for row in metric_rows
            if row["n"]
        ]
        if method_texts:
            parts.append(
                f"{NUMBERS[metric].label} ({metric_rows[0]['better']} is better): "
                f"{', '.join(method_texts)}"
            )
    if not parts:
        return f"Differences from {baseline}: nothing that can be paired is measured yet."
    return f"Differences from {baseline}, paired by seed. {'; '.join(parts)}."
