"""How many tasks keep the same unit: do all want the same units, or each its own?"""

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from fggm_lab.errors import SettingError
from fggm_lab.masks import Mask, sharing
from fggm_lab.plots import theme
from fggm_lab.plots.styles import BLUE, OCHRE
from fggm_lab.plots.template import Numbers, Slot, Template, Text, fill


def shared_units(masks: Mapping[str, Mask]) -> go.Figure:
    """How many units exactly k of the masks keep, beside the number expected by chance.

    Args:
        masks: task → its mask, at least two, all of one model.

    Returns:
        The figure: for every k a measured bar, and one of chance.

    Raises:
        SettingError: fewer than two masks, masks without units, or of different models.
    """
    return fill(shared_units_template(list(masks)), shared_units_numbers(masks))


def shared_units_template(tasks: Sequence[str], layer: int | None = None) -> Template:
    """The figure of `shared_units` without its numbers.

    Args:
        tasks: names, at least two.
        layer: for a page that counts the units of one layer alone: its number, or
            `mask_overlap.OUTSIDE_LAYERS`.

    Returns:
        The template that `shared_units_numbers` fills.
    """
    count = len(tasks)
    figure = go.Figure()
    x = list(range(count + 1))
    figure.add_bar(
        x=x, name="measured", offsetgroup="measured", marker={"color": BLUE},
        textposition="outside", textangle=0, textfont={"size": 10}, constraintext="none",
        cliponaxis=False, hovertemplate="%{customdata}<extra></extra>",
    )  # fmt: skip
    figure.add_bar(
        x=x, offsetgroup="chance", name="by chance (bars: 2 standard deviations)",
        error_y={"thickness": 1.2, "width": 3, "color": theme.INK},
        marker={"color": OCHRE, "pattern": {"shape": "/", "size": 6, "solidity": 0.35,
                                                   "fillmode": "replace"}},
        hovertemplate="by chance %{y:.2%}<extra></extra>",
    )  # fmt: skip
    figure.update_xaxes(
        title_text=f"how many of the {count} tasks' masks keep a unit", dtick=1, showgrid=False
    )
    figure.update_yaxes(title_text="share of all units", tickformat=".0%", rangemode="tozero")
    figure.update_layout(height=350, margin={"l": 76}, bargap=0.25)
    slots = (
        Slot(("data", 0, "y"), ("share",)),
        Slot(("data", 0, "text"), ("labels",)),
        Slot(("data", 0, "customdata"), ("hover",)),
        Slot(("data", 1, "y"), ("expected_share",)),
        Slot(("data", 1, "error_y", "array"), ("spread",)),
        Slot(("data", 1, "error_y", "arrayminus"), ("spread_below",)),
    )
    settings = {
        "tasks": list(tasks),
        "layer": layer,
        "task_count": count,
        "keepers": x,
        "ends": [
            f"none of the {count} tasks' masks keeps", "exactly one keeps", "all of them keep"
        ],
    }  # fmt: skip
    return Template("shared_units", settings, figure, slots, _TEXTS)


_TEXTS = {
    "labels": Text("{share:percent}"),
    "hover": Text(
        "kept by exactly {keepers}: {units:,} units ({share:.2%})"
        "<br>by chance {expected:,.1f} ± {sd:,.1f} ({expected_share:.2%})"
        "[<br>z = {z:+.1f} standard deviations from chance]"
    ),
    "title": Text("Units that tasks share"),
    "caption": Text(
        "The {total:,} units by how many of the {task_count} tasks' masks keep them. "
        "Hatched: masks drawn by chance that keep as many units of every parameter. More than "
        "they at both ends, less between, says that the tasks want the same units."
    ),
    "ends_text": Text(
        "{ends} {ends_share:percent} ({ends_units:,} units; by chance "
        "{ends_expected_share:percent})",
        join=", ",
    ),
    "description": Text("Of {total:,} units, {ends_text}."),
}


def shared_units_numbers(masks: Mapping[str, Mask]) -> Numbers:
    """What fills `shared_units_template`.

    Args:
        masks: task → its mask, at least two, all of one model.

    Returns:
        Lists over k = 0, …, all tasks; `ends_…` for none, one and all of the masks.

    Raises:
        SettingError: fewer than two masks, masks without units, or of different models.
    """
    if len(masks) < 2:
        raise SettingError("sharing needs the masks of two tasks or more")
    rows = sharing(masks)
    total = sum(row["units"] for row in rows)
    if not total:
        raise SettingError("the masks are over no units; make them from a model's scores")
    columns: dict[str, list[Any]] = {
        "units": [row["units"] for row in rows],
        "share": [row["units"] / total for row in rows],
        "expected_share": [row["expected"] / total for row in rows],
    }
    ends = {f"ends_{name}": [column[0], column[1], column[-1]] for name, column in columns.items()}
    return {
        **columns,
        **ends,
        "total": total,
        "expected": [row["expected"] for row in rows],
        "sd": [row["sd"] for row in rows],
        "spread": [2 * row["sd"] / total for row in rows],
        "spread_below": [min(2 * row["sd"], row["expected"]) / total for row in rows],
        "z": [
            (row["units"] - row["expected"]) / row["sd"] if row["sd"] else None for row in rows
        ],
    }  # fmt: skip
