"""The share of the model that tasks have used so far: the union of their masks."""

from collections.abc import Mapping
from typing import Any

import plotly.graph_objects as go

from fggm_lab.errors import SettingError
from fggm_lab.masks import Mask, usage
from fggm_lab.plots import theme


def union_growth(masks: Mapping[str, Mask]) -> go.Figure:
    """The share of units that any task has used so far, and the fresh ones of each, beside chance.

    Args:
        masks: task → its mask, in the order the tasks are learned, at least one.

    Returns:
        The figure: a bar of fresh units per task, lines of the units used so far.

    Raises:
        SettingError: there is no mask, or they are over no units or of different models.
    """
    rows, total = _rows(masks)
    figure = go.Figure()
    tasks = [row["task"] for row in rows]
    hover = [_hover(row, total) for row in rows]
    figure.add_bar(
        x=tasks, y=[row["fresh"] / total for row in rows], name="fresh units of the task",
        marker={"color": theme.SKY, "opacity": 0.6},
        customdata=hover, hovertemplate="%{customdata}<extra></extra>",
    )  # fmt: skip
    figure.add_scatter(
        x=tasks, y=[row["used"] / total for row in rows], mode="lines+markers",
        name="used by any task so far", customdata=hover,
        line={"color": theme.BLUE, "width": 2.2}, marker={"symbol": "circle", "size": 9},
        hovertemplate="%{customdata}<extra></extra>",
    )  # fmt: skip
    figure.add_scatter(
        x=tasks, y=[row["expected_used"] / total for row in rows], mode="lines+markers",
        name="the same by chance", customdata=hover, hovertemplate="%{customdata}<extra></extra>",
        line={"color": theme.VERMILLION, "dash": "dot"},
        marker={"symbol": "diamond-open", "size": 8},
    )  # fmt: skip
    figure.update_xaxes(
        title_text="task, in the order they are learned", type="category", showgrid=False,
        autotickangles=[0, 90],
    )  # fmt: skip
    figure.update_yaxes(title_text="share of all units", tickformat=".0%", range=[0, 1.02])
    figure.update_layout(
        height=400, margin={"t": 40, "b": 70, "l": 76, "r": 16}, bargap=0.45,
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
    )  # fmt: skip
    caption = (
        f"How much of {total:,} units the tasks' masks have let move by then. A line "
        "below chance says that later tasks take up units again that earlier ones used; "
        "bars are the units that no earlier task had used."
    )
    return theme.finish(figure, "How much of the model is used up", caption, _describe(rows, total))


def _rows(masks: Mapping[str, Mask]) -> tuple[list[dict[str, Any]], int]:
    rows = usage(masks)
    total = next(iter(masks.values())).unit_count
    if not total:
        raise SettingError("the masks are over no units; make them from a model's scores")
    return rows, total


def _hover(row: dict[str, Any], total: int) -> str:
    return (
        f"<b>{row['task']}</b> keeps {row['kept']:,} units, {row['fresh']:,} of them fresh "
        f"(by chance {row['expected_fresh']:,.0f})<br>used so far {row['used']:,} "
        f"({row['used'] / total:.1%})<br>by chance {row['expected_used']:,.0f} "
        f"({row['expected_used'] / total:.1%}), standard deviation {row['sd']:,.1f} units"
    )


def _describe(rows: list[dict[str, Any]], total: int) -> str:
    first, last = rows[0], rows[-1]
    text = f"The mask of {first['task']} lets {theme.percent(first['used'] / total)} of the units "
    text += "move."
    if len(rows) > 1:
        fresh = last["fresh"] / last["kept"] if last["kept"] else 0.0
        text += (
            f" After {len(rows)} tasks {theme.percent(last['used'] / total)} have been used, "
            f"{theme.percent(last['expected_used'] / total)} by chance. Of what {last['task']} "
            f"keeps, {theme.percent(fresh)} is fresh."
        )
    return text
