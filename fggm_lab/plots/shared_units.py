"""How many tasks keep the same unit: do all want the same units, or each its own?"""

from collections.abc import Mapping
from typing import Any

import plotly.graph_objects as go

from fggm_lab.errors import SettingError
from fggm_lab.masks import Mask, sharing
from fggm_lab.plots import theme


def shared_units(masks: Mapping[str, Mask]) -> go.Figure:
    """How many units exactly k of the masks keep, beside the number expected by chance.

    Args:
        masks: task → its mask, at least two, all of one model.

    Returns:
        The figure: for every k a measured bar, and one of chance.

    Raises:
        SettingError: fewer than two masks, masks without units, or of different models.
    """
    rows = _rows(masks)
    total = sum(row["units"] for row in rows)
    figure = go.Figure()
    x = [row["masks"] for row in rows]
    figure.add_bar(
        x=x, y=[row["units"] / total for row in rows], name="measured", offsetgroup="measured",
        marker={"color": theme.BLUE}, text=[_short(row["units"] / total) for row in rows],
        textposition="outside", textangle=0, textfont={"size": 10}, constraintext="none",
        cliponaxis=False,
        customdata=[_hover(row, total) for row in rows],
        hovertemplate="%{customdata}<extra></extra>",
    )  # fmt: skip
    figure.add_bar(
        x=x, y=[row["expected"] / total for row in rows], offsetgroup="chance",
        name="by chance (bars: 2 standard deviations)",
        error_y={"array": [2 * row["sd"] / total for row in rows],
                 "arrayminus": [min(2 * row["sd"], row["expected"]) / total for row in rows],
                 "thickness": 1.2, "width": 3, "color": theme.INK},
        marker={"color": theme.ORANGE, "pattern": {"shape": "/", "size": 6, "solidity": 0.35,
                                                   "fillmode": "replace"}},
        hovertemplate="by chance %{y:.2%}<extra></extra>",
    )  # fmt: skip
    figure.update_xaxes(
        title_text=f"how many of the {len(masks)} tasks' masks keep a unit", dtick=1, showgrid=False
    )
    figure.update_yaxes(title_text="share of all units", tickformat=".0%", rangemode="tozero")
    figure.update_layout(
        height=380, margin={"t": 40, "b": 56, "l": 76, "r": 16}, bargap=0.25,
        legend={"orientation": "h", "x": 0, "y": 1.04, "yanchor": "bottom"},
    )  # fmt: skip
    caption = (
        f"The {total:,} units by how many of the {len(masks)} tasks' masks keep them. "
        "Hatched: masks drawn by chance that keep as many units of every parameter. More than "
        "they at both ends, less between, says that the tasks want the same units."
    )
    return theme.finish(figure, "Units that tasks share", caption, _describe(rows, total))


def _rows(masks: Mapping[str, Mask]) -> list[dict[str, Any]]:
    if len(masks) < 2:
        raise SettingError("sharing needs the masks of two tasks or more")
    rows = sharing(masks)
    if not any(row["units"] for row in rows):
        raise SettingError("the masks are over no units; make them from a model's scores")
    return rows


def _short(share: float) -> str:
    return f"{share:.1%}" if share >= 0.0005 or not share else theme.percent(share)


def _hover(row: dict[str, Any], total: int) -> str:
    units, expected, sd = row["units"], row["expected"], row["sd"]
    z = f"<br>z = {(units - expected) / sd:+.1f} standard deviations from chance" if sd else ""
    return (
        f"kept by exactly {row['masks']}: {units:,} units ({units / total:.2%})"
        f"<br>by chance {expected:,.1f} ± {sd:,.1f} ({expected / total:.2%}){z}"
    )


def _describe(rows: list[dict[str, Any]], total: int) -> str:
    tasks = len(rows) - 1

    def share_text(row: dict[str, Any]) -> str:
        return (
            f"{theme.percent(row['units'] / total)} ({row['units']:,} units; by chance "
            f"{theme.percent(row['expected'] / total)})"
        )

    return (
        f"Of {total:,} units, none of the {tasks} tasks' masks keeps {share_text(rows[0])}, "
        f"exactly one keeps {share_text(rows[1])}, all of them keep {share_text(rows[-1])}."
    )
