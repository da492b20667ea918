"""What learning cost against what it left: General and OP over seconds, tokens or memory."""

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from fggm_lab.errors import RunError, SettingError, nearest
from fggm_lab.plots import theme
from fggm_lab.plots.finish import finish
from fggm_lab.plots.labels import as_label
from fggm_lab.plots.styles import Style, method_styles
from fggm_lab.runs import NUMBERS, RunsLike, as_runs, comparison, over_seeds
from fggm_lab.runs.numbers import better_of

_SCORES = ("general_after", "op_final")
_PANEL = 300
"""Height of a panel in pixels."""


def scores_against_cost(runs: RunsLike, cost: str = "token_passes") -> go.Figure:
    """General and OP of each method after the last task, against what learning cost.

    Args:
        runs: a run, a folder of runs or several of either, over the same tasks; those of one method
            that differ in the seed alone are averaged.
        cost: a key of `NUMBERS` that is a cost: `token_passes`, `learning_seconds`, …

    Returns:
        The figure: a panel for General, where it is measured, and one for OP.

    Raises:
        SettingError: `cost` is no cost.
        RunError: runs that cannot be compared, or none has measured the cost and a score.
    """
    costs = [key for key, number in NUMBERS.items() if number.cost]
    if cost not in costs:
        raise SettingError(
            f"cost is '{cost}'; choose one of: {', '.join(costs)}{nearest(cost, costs)}"
        )
    rows = over_seeds(comparison(as_runs(runs)))
    measured = [row for row in rows if row[cost]["n"] and any(row[key]["n"] for key in _SCORES)]
    if not measured:
        raise RunError(
            f"no run has measured {NUMBERS[cost].label} and a score yet; runs of older versions "
            "counted no tokens, so ask for cost='learning_seconds' there"
        )
    panels = [key for key in _SCORES if any(row[key]["n"] for row in measured)]
    figure = make_subplots(len(panels), 1, shared_xaxes=True, vertical_spacing=0.06)
    styles = method_styles([row["method"] for row in measured])
    for panel, key in enumerate(panels, start=1):
        for row in measured:
            if row[key]["n"]:
                marker = _point(row, cost, key, styles[row["method"]])
                figure.add_trace(marker.update(showlegend=panel == 1), panel, 1)
        figure.update_yaxes(title_text=_axis(key, measured), row=panel, col=1)
    figure.update_xaxes(
        title_text=f"{NUMBERS[cost].label} to learn all tasks", row=len(panels), col=1
    )
    figure.update_xaxes(rangemode="tozero")
    figure.update_layout(
        height=_PANEL * len(panels) + 70, hovermode="closest", margin={"l": 76, "t": 28},
        showlegend=True,
    )  # fmt: skip
    return finish(
        figure, "Scores against cost", _caption(measured, cost), _describe(measured, cost, panels)
    )


def _point(row: dict[str, Any], cost: str, key: str, style: Style) -> go.Scatter:
    name = row["method"] + ("" if row["finished"] else " (unfinished)")
    hover = "<br>".join(f"{NUMBERS[k].label} {_text(row, k)}" for k in (key, cost))
    return go.Scatter(
        x=[row[cost]["mean"]], y=[row[key]["mean"]],
        error_x={"array": [row[cost]["sd"] or 0], "thickness": 1.2, "width": 4},
        error_y={"array": [row[key]["sd"] or 0], "thickness": 1.2, "width": 4},
        mode="markers", name=name, legendgroup=name, meta={"name": name},
        marker={"color": style.colour, "symbol": style.symbol, "size": 12,
                "line": {"color": theme.INK, "width": 1}},
        customdata=[hover],
        hovertemplate=f"<b>{as_label(name)}</b><br>%{{customdata}}<extra></extra>",
    )  # fmt: skip


def _text(row: dict[str, Any], key: str) -> str:
    text = NUMBERS[key].text(row[key]["mean"])
    return text if row[key]["sd"] is None else f"{text} ± {NUMBERS[key].text(row[key]['sd'])}"


def _axis(key: str, rows: Sequence[dict[str, Any]]) -> str:
    label = NUMBERS[key].short_label or NUMBERS[key].label
    if better_of(key, rows) == "lower":
        return f"{label}<br>(nats per token)"
    return f"{label} (0–1)"


def _caption(rows: Sequence[dict[str, Any]], cost: str) -> str:
    number = NUMBERS[cost]
    seeds = {row[cost]["n"] for row in rows}
    spread = (
        "One seed each, so no spread is known."
        if seeds == {1}
        else "Means over seeds; bars are their sample standard deviation."
    )
    return (
        f"A point is a method after the last task; left is cheaper. The axis, {number.label}: "
        f"{number.definition}. {spread}"
    )


def _describe(rows: Sequence[dict[str, Any]], cost: str, panels: Sequence[str]) -> str:
    texts = [
        f"{row['method']}: {NUMBERS[cost].label} {_text(row, cost)}, "
        + ", ".join(f"{NUMBERS[key].label} {_text(row, key)}" for key in panels if row[key]["n"])
        for row in rows
    ]
    return f"Scores against {NUMBERS[cost].label}. {'; '.join(texts)}."
