"""A map of units: which ones each task's mask lets move, from the whole model to one matrix."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import plotly.graph_objects as go

from fggm_lab.masks import Mask, sharing
from fggm_lab.plots import mask_strips as strips
from fggm_lab.plots import theme
from fggm_lab.plots.layer_shares import OUTSIDE
from fggm_lab.plots.mask_overlap import layer_name
from fggm_lab.plots.mask_strips import ORDERS, Strips

SCALE = [[0, "rgba(127,127,127,0.14)"], [1, theme.BLUE]]
"""Frozen units are a shade of the background, light or dark; moving ones are blue."""
_TALL, _LEAST, _MOST = 960, 3.5, 26
"""Pixels: of all strips together, about; the lowest and the highest strip."""
_NAMED = 12
"""The lowest strip, in pixels, that has its task's name beside it."""
_BAR = 260
"""The length of the colour bar, in pixels, where there is room for it."""


def mask_map(
    masks: Mapping[str, Mask],
    layer: int | None = None,
    parameter: str | None = None,
    order: str = "shared",
    controls: bool = True,
) -> go.Figure:
    """Which units each task's mask keeps: strips of cells, the tasks' strips above one another.

    A strip is all units of a layer, or of a parameter, in a row; cells in one column are the same
    units under every task. Sorted by how many tasks keep them (`shared`), a common core stands to
    the left as one block and what no task uses to the right; `position` keeps the model's order.

    Args:
        masks: task → its mask, at least one, all of one model.
        layer: None for the whole model, a strip per layer and task; a layer's number, or
            `overlap.OUTSIDE`, for a strip per parameter and task.
        parameter: a parameter's name, for one strip per task, unit by unit where they fit.
        order: `shared` or `position`.
        controls: draw a switch between the two orders into the figure.

    Raises:
        SettingError: there is no mask, masks of different models, no such layer, parameter or
            order, or no units.
    """
    found = strips.strips_of(masks, layer, parameter, order)
    height = float(np.clip(_TALL / len(found.labels), _LEAST, _MOST))
    figure = go.Figure(_heatmap(found, height))
    figure.update_xaxes(
        title_text=_across(order, found), tickformat=".0%", range=[0, 1], showgrid=False
    )
    figure.update_yaxes(
        title_text=_rows(layer, parameter), autorange="reversed", showgrid=False, ticks="",
        **_ticks(found, height),
    )  # fmt: skip
    figure.update_layout(
        height=int(height * len(found.labels)) + 80, hovermode="closest",
        margin={"t": 24, "b": 56, "l": 110, "r": 24},
        shapes=[_edge(len(masks) * group - 0.5) for group in range(1, len(found.groups))],
    )  # fmt: skip
    if controls:
        _add_orders(figure, masks, layer, parameter, order)
    orders = list(ORDERS) if controls else [order]
    return theme.finish(figure, _title(layer, parameter), _caption(masks, found, orders, height),
                        describe_mask_map(masks, layer, parameter))  # fmt: skip


def describe_mask_map(
    masks: Mapping[str, Mask],
    layer: int | None = None,
    parameter: str | None = None,
    order: str = "shared",
) -> str:
    """The figure in words: what each task keeps, and how many units all and no tasks keep.

    Args:
        masks, layer, parameter, order: as for `mask_map`; the order changes no number.
    """
    names = [name for some in strips.groups_of(masks, layer, parameter).values() for name in some]
    chosen = {task: mask.restricted(names) for task, mask in masks.items()}
    total = next(iter(chosen.values())).unit_count
    kept = ", ".join(f"{task} {theme.percent(mask.share)}" for task, mask in chosen.items())
    text = f"{_title(layer, parameter)}: {total:,} units. Kept by {kept}."
    if len(chosen) > 1:
        rows = sharing(chosen)
        none, every = (
            f"{row['units']:,} ({theme.percent(row['units'] / total)}; by chance "
            f"{theme.percent(row['expected'] / total)})"
            for row in (rows[0], rows[-1])
        )
        text += f" All {len(chosen)} tasks keep {every} of them, no task keeps {none}."
    return text


def _heatmap(found: Strips, height: float) -> go.Heatmap:
    cells = found.shares.shape[1]
    tall = height * len(found.labels) >= _BAR
    return go.Heatmap(
        x=(np.arange(cells) + 0.5) / cells, y=found.labels, z=found.shares, name="share kept",
        customdata=found.hover, colorscale=SCALE, zmin=0, zmax=1, xgap=0,
        ygap=1 if height >= _NAMED else 0,
        showscale=found.per_cell[1] > 1,  # one unit is kept or it is not
        colorbar=theme.bar(
            "share of a cell's units kept" if tall else "share kept", tickformat=".0%",
            len=_BAR if tall else height * len(found.labels), lenmode="pixels", y=1, yanchor="top",
        ),
        hovertemplate="<b>%{y}</b><br>%{customdata[0]:,} of %{customdata[1]:,} units kept"
        "<br>%{customdata[2]}<extra></extra>",
    )  # fmt: skip


def _edge(y: float) -> dict[str, Any]:
    """A line between two groups of strips."""
    return {"type": "line", "xref": "x domain", "x0": 0, "x1": 1, "y0": y, "y1": y,
            "line": {"color": theme.INK, "width": 1}}  # fmt: skip


def _ticks(found: Strips, height: float) -> dict[str, Any]:
    """A strip's own name where it fits; else its group's, in the middle of the group."""
    if height >= _NAMED:
        return {"dtick": 1}
    each = len(found.labels) // len(found.groups)
    middles = [each * i + (each - 1) / 2 for i in range(len(found.groups))]
    return {"tickmode": "array", "tickvals": middles, "ticktext": found.groups}


def _add_orders(
    figure: go.Figure, masks: Mapping[str, Mask], layer: int | None, parameter: str | None,
    order: str,
) -> None:  # fmt: skip
    """A list inside the figure that puts the units in the other order."""
    buttons = []
    for name, says in ORDERS.items():
        found = strips.strips_of(masks, layer, parameter, name)
        change = {"z": [found.shares.tolist()], "customdata": [found.hover.tolist()]}
        buttons.append({"method": "update", "label": f"units {says}",
                        "args": [change, {"xaxis.title.text": _across(name, found)}]})  # fmt: skip
    figure.update_layout(
        updatemenus=[
            {**theme.MENU, "x": 0, "buttons": buttons, "active": list(ORDERS).index(order)}
        ],
        margin_t=62, height=figure.layout.height + 38,
    )  # fmt: skip


# Texts


def _title(layer: int | None, parameter: str | None) -> str:
    return f"Mask map: {parameter or layer_name(layer)}"


def _across(order: str, found: Strips) -> str:
    return f"units {ORDERS[order]} (share of the {found.of}'s units)"


def _rows(layer: int | None, parameter: str | None) -> str:
    if parameter is not None:
        return "task"
    return (
        "layer, tasks below one another" if layer is None else "parameter, tasks below one another"
    )


def _caption(masks: Mapping[str, Mask], found: Strips, orders: list[str], height: float) -> str:
    low, high = found.per_cell
    said = []
    if len(masks) > 1:
        text = f"Cells above one another are the same units under {len(masks)} tasks"
        if height < _NAMED:
            text += f" (from top to bottom: {', '.join(masks)})"
        said.append(text)
    if len(masks) > 1 and "shared" in orders:
        said.append(
            "Sorted by how many tasks keep them, a block that runs through all tasks is a common "
            "core, a staircase says that tasks keep different units"
        )
    if len(masks) > 1 and "position" in orders:
        said.append(
            "In the model's order a stripe through all tasks is a unit all keep"
            if high == 1
            else "In the model's order one sees where tasks keep many units; whether they are the "
            "same ones only the sorted map shows"
        )
    if high == 1:
        said.append("A cell is one unit")
    else:
        many = f"{high:,}" if low == high else f"{low:,} to {high:,}"
        said.append(f"A cell stands for {many} units next to one another and shows the share kept")
    if any(group.startswith("layers ") for group in found.groups):
        said.append("Neighbouring layers share a strip")
    if OUTSIDE in found.groups:
        said.append(f"“{OUTSIDE}”: embeddings, the final norm and the head")
    return ". ".join(said) + "."
