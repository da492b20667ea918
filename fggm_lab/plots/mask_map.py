"""A map of the units that each task's mask lets move, of the whole model, a layer or a matrix."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import plotly.graph_objects as go

from fggm_lab.masks import Mask, sharing
from fggm_lab.models.names import OUTSIDE
from fggm_lab.plots import theme
from fggm_lab.plots.mask_overlap import part_name
from fggm_lab.plots.mask_strips import STRIP_ORDERS, Order, Strips, groups_of, strips_of

SCALE = [[0, "rgba(127,127,127,0.14)"], [1, theme.BLUE]]
"""Frozen units are a shade of the background, light or dark; moving ones are blue."""
_HEIGHT, _MIN_STRIP, _MAX_STRIP = 960, 3.5, 26
"""Pixels: about the height of all strips together; the lowest and the highest strip."""
_MIN_NAMED = 12
"""The lowest strip, in pixels, that has its task's name beside it."""
_COLOUR_BAR = 260
"""The length of the colour bar, in pixels, where there is room for it."""


def mask_map(
    masks: Mapping[str, Mask],
    layer: int | None = None,
    parameter: str | None = None,
    order: Order = "shared",
    controls: bool = True,
) -> go.Figure:
    """The units that each task's mask keeps, as strips of cells, one strip per task.

    A strip is all units of a layer, or of a parameter, in a row; cells in one column are the same
    units under every task. Sorted by how many tasks keep them (`shared`), a common core stands to
    the left as one block and what no task uses to the right; `position` keeps the model's order.

    Args:
        masks: task → its mask, at least one, all of one model.
        layer: None for the whole model, a strip per layer and task; a layer's number, or
            `mask_overlap.OUTSIDE_LAYERS`, for a strip per parameter and task.
        parameter: a parameter's name, for one strip per task, unit by unit where they fit.
        order: `shared` or `position`.
        controls: draw a switch between the two orders into the figure.

    Returns:
        The figure: cells from grey (frozen) to blue (kept).

    Raises:
        SettingError: there is no mask, masks of different models, no such layer, parameter or
            order, or no units.
    """
    strips = strips_of(masks, layer, parameter, order)
    height = float(np.clip(_HEIGHT / len(strips.labels), _MIN_STRIP, _MAX_STRIP))
    figure = go.Figure(_heatmap(strips, height))
    figure.update_xaxes(
        title_text=_units_title(order, strips), tickformat=".0%", range=[0, 1], showgrid=False
    )
    figure.update_yaxes(
        title_text=_strips_title(layer, parameter), autorange="reversed", showgrid=False, ticks="",
        **_ticks(strips, height),
    )  # fmt: skip
    figure.update_layout(
        height=int(height * len(strips.labels)) + 80, hovermode="closest",
        margin={"t": 24, "b": 56, "l": 110, "r": 24},
        shapes=[_separator(len(masks) * group - 0.5) for group in range(1, len(strips.groups))],
    )  # fmt: skip
    if controls:
        _add_orders(figure, masks, layer, parameter, order)
    orders = list(STRIP_ORDERS) if controls else [order]
    return theme.finish(figure, _title(layer, parameter), _caption(masks, strips, orders, height),
                        _describe(masks, layer, parameter))  # fmt: skip


def _describe(masks: Mapping[str, Mask], layer: int | None, parameter: str | None) -> str:
    """What each task keeps, and how many units all tasks keep and none does."""
    names = [name for group in groups_of(masks, layer, parameter).values() for name in group]
    chosen = {task: mask.restricted(names) for task, mask in masks.items()}
    total = next(iter(chosen.values())).unit_count
    shares = ", ".join(f"{task} {theme.percent(mask.share)}" for task, mask in chosen.items())
    text = f"{_title(layer, parameter)}: {total:,} units. Kept by {shares}."
    if len(chosen) > 1:
        rows = sharing(chosen)
        none, every = (
            f"{row['units']:,} ({theme.percent(row['units'] / total)}; by chance "
            f"{theme.percent(row['expected'] / total)})"
            for row in (rows[0], rows[-1])
        )
        text += f" All {len(chosen)} tasks keep {every} of them, no task keeps {none}."
    return text


def _heatmap(strips: Strips, height: float) -> go.Heatmap:
    cells = strips.shares.shape[1]
    tall = height * len(strips.labels) >= _COLOUR_BAR
    return go.Heatmap(
        x=(np.arange(cells) + 0.5) / cells, y=strips.labels, z=strips.shares, name="share kept",
        customdata=strips.hover, colorscale=SCALE, zmin=0, zmax=1, xgap=0,
        ygap=1 if height >= _MIN_NAMED else 0,
        showscale=strips.per_cell[1] > 1,  # one unit is kept or it is not
        colorbar=theme.bar(
            "share of a cell's units kept" if tall else "share kept", tickformat=".0%",
            len=_COLOUR_BAR if tall else height * len(strips.labels), lenmode="pixels",
            y=1, yanchor="top",
        ),
        hovertemplate="<b>%{y}</b><br>%{customdata[0]:,} of %{customdata[1]:,} units kept"
        "<br>%{customdata[2]}<extra></extra>",
    )  # fmt: skip


def _separator(y: float) -> dict[str, Any]:
    """A line between two groups of strips."""
    return {"type": "line", "xref": "x domain", "x0": 0, "x1": 1, "y0": y, "y1": y,
            "line": {"color": theme.INK, "width": 1}}  # fmt: skip


def _ticks(strips: Strips, height: float) -> dict[str, Any]:
    """Tick labels: each strip's own where they fit, else one per group, in the group's middle."""
    if height >= _MIN_NAMED:
        return {"dtick": 1}
    strips_per_group = len(strips.labels) // len(strips.groups)
    middles = [strips_per_group * i + (strips_per_group - 1) / 2 for i in range(len(strips.groups))]
    return {"tickmode": "array", "tickvals": middles, "ticktext": strips.groups}


def _add_orders(
    figure: go.Figure, masks: Mapping[str, Mask], layer: int | None, parameter: str | None,
    order: Order,
) -> None:  # fmt: skip
    """A list inside the figure that puts the units in the other order."""
    buttons = []
    for name, label in STRIP_ORDERS.items():
        strips = strips_of(masks, layer, parameter, name)
        change = {"z": [strips.shares.tolist()], "customdata": [strips.hover.tolist()]}
        title = {"xaxis.title.text": _units_title(name, strips)}
        buttons.append({"method": "update", "label": f"units {label}", "args": [change, title]})
    figure.update_layout(
        updatemenus=[
            {**theme.MENU, "x": 0, "buttons": buttons, "active": list(STRIP_ORDERS).index(order)}
        ],
        margin_t=62, height=figure.layout.height + 38,
    )  # fmt: skip


# Texts


def _title(layer: int | None, parameter: str | None) -> str:
    return f"Mask map: {parameter or part_name(layer)}"


def _units_title(order: Order, strips: Strips) -> str:
    return f"units {STRIP_ORDERS[order]} (share of the {strips.level}'s units)"


def _strips_title(layer: int | None, parameter: str | None) -> str:
    if parameter is not None:
        return "task"
    return (
        "layer, tasks below one another" if layer is None else "parameter, tasks below one another"
    )


def _caption(masks: Mapping[str, Mask], strips: Strips, orders: list[Order], height: float) -> str:
    low, high = strips.per_cell
    sentences = []
    if len(masks) > 1:
        text = f"Cells above one another are the same units under {len(masks)} tasks"
        if height < _MIN_NAMED:
            text += f" (from top to bottom: {', '.join(masks)})"
        sentences.append(text)
    if len(masks) > 1 and "shared" in orders:
        sentences.append(
            "Sorted by how many tasks keep them, a block that runs through all tasks is a common "
            "core, a staircase says that tasks keep different units"
        )
    if len(masks) > 1 and "position" in orders:
        sentences.append(
            "In the model's order a stripe through all tasks is a unit all keep"
            if high == 1
            else "In the model's order one sees where tasks keep many units; whether they are the "
            "same ones only the sorted map shows"
        )
    if high == 1:
        sentences.append("A cell is one unit")
    else:
        unit_count = f"{high:,}" if low == high else f"{low:,} to {high:,}"
        sentences.append(
            f"A cell stands for {unit_count} units next to one another and shows the share kept"
        )
    if any(group.startswith("layers ") for group in strips.groups):
        sentences.append("Neighbouring layers share a strip")
    if OUTSIDE in strips.groups:
        sentences.append(f"“{OUTSIDE}”: embeddings, the final norm and the head")
    return ". ".join(sentences) + "."
