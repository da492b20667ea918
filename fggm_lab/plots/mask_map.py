"""A map of the units that each task's mask lets move, of the whole model, a layer or a matrix."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from fggm_lab.errors import SettingError
from fggm_lab.masks import Mask, sharing
from fggm_lab.models.names import OUTSIDE
from fggm_lab.plots import theme
from fggm_lab.plots.mask_overlap import part_name
from fggm_lab.plots.mask_strips import (
    STRIP_ORDERS,
    Order,
    StripLayout,
    short_modules,
    strip_layout,
    strips_of,
    units_of,
)
from fggm_lab.plots.styles import BLUE
from fggm_lab.plots.template import Numbers, Slot, Template, Text, fill, filled, value_of

SCALE = [[0, "rgba(127,127,127,0.14)"], [1, BLUE]]
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
    _check_order(order)
    layout = strip_layout(list(masks), units_of(masks), layer, parameter)
    orders = list(STRIP_ORDERS) if controls else [order]
    templates = {
        o: _template(list(masks), layout, layer, parameter, o, orders) for o in STRIP_ORDERS
    }
    figure = fill(templates[order], _numbers(masks, layout, order))
    if controls:
        _add_orders(figure, masks, layout, templates, order)
    return figure


def mask_map_template(
    tasks: Sequence[str],
    units: Mapping[str, int],
    layer: int | None = None,
    parameter: str | None = None,
    order: Order = "shared",
) -> Template:
    """The figure of `mask_map` without its numbers.

    Args:
        tasks: names, at least one.
        units: parameter's name → how many units it has.
        layer: as `mask_map` takes it.
        parameter: as `mask_map` takes it.
        order: `shared` or `position`.

    Returns:
        The template that `mask_map_numbers` fills.

    Raises:
        SettingError: no such layer, parameter or order, no units, or too many tasks to draw.
    """
    _check_order(order)
    layout = strip_layout(tasks, units, layer, parameter)
    return _template(tasks, layout, layer, parameter, order, [order])


def _check_order(order: Order) -> None:
    if order not in STRIP_ORDERS:
        raise SettingError(f"order is '{order}'; choose one of: {', '.join(STRIP_ORDERS)}")


def _template(
    tasks: Sequence[str], layout: StripLayout, layer: int | None, parameter: str | None,
    order: Order, orders: Sequence[Order],
) -> Template:  # fmt: skip
    """The template of one order; the caption explains all `orders` that the figure offers."""
    height = float(np.clip(_HEIGHT / len(layout.labels), _MIN_STRIP, _MAX_STRIP))
    figure = go.Figure(_heatmap(layout, height))
    figure.update_xaxes(
        title_text=_units_title(order, layout), tickformat=".0%", range=[0, 1], showgrid=False
    )
    figure.update_yaxes(
        title_text=_strips_title(layer, parameter), autorange="reversed", showgrid=False, ticks="",
        **_ticks(layout, height),
    )  # fmt: skip
    figure.update_layout(
        height=int(height * len(layout.labels)) + 80, hovermode="closest",
        margin={"b": 56, "l": 110, "r": 24},
        shapes=[_separator(len(tasks) * group - 0.5) for group in range(1, len(layout.groups))],
    )  # fmt: skip
    slots = (
        Slot(("data", 0, "z"), ("shares",)),
        Slot(("data", 0, "customdata"), ("counts", "sizes", "cell_units")),
    )
    settings = {
        "tasks": list(tasks),
        "task_count": len(tasks),
        "groups": list(layout.groups.values()),
        "modules": [short_modules(names) for names in layout.groups.values()],
        "cells": layout.cells,
        "order": order,
        "shown": parameter or part_name(layer),
        "caption": _caption(tasks, layout, orders, height),
    }
    texts = {"cell_units": _CELL_UNITS[order], **_TEXTS}
    return Template("mask_map", settings, figure, slots, texts)


_CELL_UNITS: dict[Order, Text] = {
    "shared": Text("[{first}, ]kept by [{fewest} to ]{most} task{plural}"),
    "position": Text("{first}[ to {last}]"),
}
_TEXTS = {
    "title": Text("Mask map: {shown}"),
    "task_shares_text": Text("{tasks} {task_shares:percent}", join=", "),
    "description": Text(
        "{title}: {total:,} units. Kept by {task_shares_text}."
        "[ All {task_count} tasks keep {every_units:,} ({every_share:percent}; by chance "
        "{every_expected:percent}) of them, no task keeps {none_units:,} ({none_share:percent}; "
        "by chance {none_expected:percent}).]"
    ),
}


def mask_map_numbers(
    masks: Mapping[str, Mask],
    layer: int | None = None,
    parameter: str | None = None,
    order: Order = "shared",
) -> Numbers:
    """What fills `mask_map_template`.

    Args:
        masks: as `mask_map` takes them.
        layer: as `mask_map` takes it.
        parameter: as `mask_map` takes it.
        order: `shared` or `position`.

    Returns:
        The tables of `Strips`, what each task keeps, and of several tasks how many units all of
        them keep and none does.

    Raises:
        SettingError: there is no mask, masks of different models, no such layer, parameter or
            order, or no units.
    """
    _check_order(order)
    layout = strip_layout(list(masks), units_of(masks), layer, parameter)
    return _numbers(masks, layout, order)


def _numbers(masks: Mapping[str, Mask], layout: StripLayout, order: Order) -> Numbers:
    names = [name for group in layout.groups.values() for name in group]
    chosen = {task: mask.restricted(names) for task, mask in masks.items()}
    total = next(iter(chosen.values())).unit_count
    strips = strips_of(masks, layout, order)
    numbers = {
        **strips._asdict(),
        "plural": [["" if count == 1 else "s" for count in row] for row in strips.most],
        "total": total,
        "task_shares": [mask.share for mask in chosen.values()],
    }
    rows = sharing(chosen)
    for name, row in (("none", rows[0]), ("every", rows[-1])):
        numbers[f"{name}_units"] = row["units"] if len(masks) > 1 else None
        numbers[f"{name}_share"] = row["units"] / total
        numbers[f"{name}_expected"] = row["expected"] / total
    return numbers


def _heatmap(layout: StripLayout, height: float) -> go.Heatmap:
    tall = height * len(layout.labels) >= _COLOUR_BAR
    return go.Heatmap(
        x=(np.arange(layout.cells) + 0.5) / layout.cells, y=layout.labels, name="share kept",
        colorscale=SCALE, zmin=0, zmax=1, xgap=0, ygap=1 if height >= _MIN_NAMED else 0,
        showscale=layout.per_cell[1] > 1,  # one unit is kept or it is not
        colorbar=theme.colour_bar(
            "share of a cell's units kept" if tall else "share kept", tickformat=".0%",
            len=_COLOUR_BAR if tall else height * len(layout.labels), lenmode="pixels",
            y=1, yanchor="top",
        ),
        hovertemplate="<b>%{y}</b><br>%{customdata[0]:,} of %{customdata[1]:,} units kept"
        "<br>%{customdata[2]}<extra></extra>",
    )  # fmt: skip


def _separator(y: float) -> dict[str, Any]:
    """A line between two groups of strips."""
    return {"type": "line", "xref": "x domain", "x0": 0, "x1": 1, "y0": y, "y1": y,
            "line": {"color": theme.INK, "width": 1}}  # fmt: skip


def _ticks(layout: StripLayout, height: float) -> dict[str, Any]:
    """Tick labels: each strip's own where they fit, else one per group, in the group's middle."""
    if height >= _MIN_NAMED:
        return {"dtick": 1}
    per_group = len(layout.labels) // len(layout.groups)
    middles = [per_group * i + (per_group - 1) / 2 for i in range(len(layout.groups))]
    return {"tickmode": "array", "tickvals": middles, "ticktext": list(layout.groups)}


def _add_orders(
    figure: go.Figure, masks: Mapping[str, Mask], layout: StripLayout,
    templates: Mapping[Order, Template], order: Order,
) -> None:  # fmt: skip
    """A list inside the figure that puts the units in the other order."""
    buttons = []
    for name, label in STRIP_ORDERS.items():
        values = filled(templates[name], _numbers(masks, layout, name))
        cells, hover = (value_of(slot, values).tolist() for slot in templates[name].slots)
        title = {"xaxis.title.text": _units_title(name, layout)}
        args = [{"z": [cells], "customdata": [hover]}, title]
        buttons.append({"method": "update", "label": f"units {label}", "args": args})
    figure.update_layout(
        updatemenus=[{**theme.MENU, "buttons": buttons, "active": list(STRIP_ORDERS).index(order)}]
    )
    theme.raise_top(figure, theme.MENU_ROW)


# Texts


def _units_title(order: Order, layout: StripLayout) -> str:
    return f"units {STRIP_ORDERS[order]}<br>(share of the {layout.level}'s units)"


def _strips_title(layer: int | None, parameter: str | None) -> str:
    if parameter is not None:
        return "task"
    return (
        "layer, tasks below one another" if layer is None else "parameter, tasks below one another"
    )


def _caption(
    tasks: Sequence[str], layout: StripLayout, orders: Sequence[Order], height: float
) -> str:
    low, high = layout.per_cell
    sentences = []
    if len(tasks) > 1:
        text = f"Cells above one another are the same units under {len(tasks)} tasks"
        if height < _MIN_NAMED:
            text += f" (from top to bottom: {', '.join(tasks)})"
        sentences.append(text)
    if len(tasks) > 1 and "shared" in orders:
        sentences.append(
            "Sorted by how many tasks keep them, a block that runs through all tasks is a common "
            "core, a staircase says that tasks keep different units"
        )
    if len(tasks) > 1 and "position" in orders:
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
    if any(group.startswith("layers ") for group in layout.groups):
        sentences.append("Neighbouring layers share a strip")
    if OUTSIDE in layout.groups:
        sentences.append(f"“{OUTSIDE}”: embeddings, the final norm and the head")
    return ". ".join(sentences) + "."
