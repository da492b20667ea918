"""Where the Fisher information sits: every layer and module, in total and at its median unit."""

from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from fggm_lab.errors import SettingError
from fggm_lab.fisher.concentration import all_units
from fggm_lab.fisher.scores import FisherScores
from fggm_lab.models.names import OUTSIDE, names_by_layer
from fggm_lab.plots import theme
from fggm_lab.plots.finish import finish
from fggm_lab.plots.parameter_groups import by_module, merging_note
from fggm_lab.plots.thinning import MAX_POINTS

_MODULES = 60
"""The most rows."""
_CELL = 24
"""Height of a row in pixels."""
_BETWEEN = 0.14
"""The gap between the panels, with room for the left one's colour bar."""
_PARTS = {"total": "total score", "median": "median unit's score"}
"""Field of `Grid` that a panel shows → its title."""


class Grid(NamedTuple):
    """Modules × layers; a cell without a parameter has no units.

    Attributes:
        modules, layers: names of rows and columns.
        units: (modules, layers) how many units there are.
        total, median: (modules, layers) of their scores; NaN where there is no unit.
    """

    modules: list[str]
    layers: list[str]
    units: np.ndarray
    total: np.ndarray
    median: np.ndarray


def score_heatmap(scores: FisherScores) -> go.Figure:
    """Total and median unit score of every module in every layer, colours on a log scale.

    Args:
        scores: of one task.

    Returns:
        The figure: modules by layers, in two panels.

    Raises:
        DataError: there is no unit, or a score is negative or not finite.
        SettingError: there are more kinds of modules than the figure may hold.
    """
    grid = grid_of(scores)
    figure = make_subplots(
        1, 2, shared_yaxes=True, horizontal_spacing=_BETWEEN, subplot_titles=list(_PARTS.values()),
    )  # fmt: skip
    figure.update_annotations(font_size=theme.TEXT)
    height = _CELL * len(grid.modules)
    for column, part in enumerate(_PARTS, start=1):
        figure.add_trace(_panel(grid, part, column), 1, column)
        figure.update_layout({f"coloraxis{column}": _colours(getattr(grid, part), part, column)})
    figure.update_xaxes(title_text="layer", type="category", showgrid=False, ticks="",
                        constrain="domain")  # fmt: skip
    figure.update_yaxes(autorange="reversed", showgrid=False, ticks="", dtick=1)
    figure.update_yaxes(title_text="module", row=1, col=1)
    figure.update_layout(height=max(120, height) + 110, margin={"t": 28, "l": 150})
    task = f": {scores.info.task}" if scores.info.task else ""
    return finish(figure, f"Where the Fisher information sits{task}", _caption(grid),
                        _describe(grid))  # fmt: skip


def grid_of(scores: FisherScores) -> Grid:
    """The numbers of `score_heatmap`.

    Args:
        scores: of one task.

    Returns:
        The grid; of a deep model neighbouring layers share a column.

    Raises:
        DataError: there is no unit, or a score is negative or not finite.
        SettingError: there are more kinds of modules than the figure may hold.
    """
    all_units(scores)
    names = [name for name, units in scores.units.items() if units.numel()]
    modules = by_module(names, _MODULES)
    if len(modules) > MAX_POINTS // 4:
        raise SettingError(
            f"the scores are of {len(modules):,} modules, too many for a figure; choose some of "
            "them with scores.restricted"
        )
    layers = names_by_layer(names, MAX_POINTS // (2 * len(modules)))
    shape = len(modules), len(layers)
    units, total, median = np.zeros(shape, int), np.full(shape, np.nan), np.full(shape, np.nan)
    for j, members_of_layer in enumerate(layers.values()):
        layer_names = set(members_of_layer)
        for i, members in enumerate(modules.values()):
            parts = [scores.units[name].double().numpy() for name in members if name in layer_names]
            if parts:
                values = np.concatenate(parts)
                units[i, j], total[i, j] = values.size, values.sum()
                median[i, j] = np.median(values)
    columns = [label.removeprefix("layers ").removeprefix("layer ") for label in layers]
    columns = ["outside" if label == OUTSIDE else label for label in columns]
    return Grid(list(modules), columns, units, total, median)


def _panel(grid: Grid, part: str, column: int) -> go.Heatmap:
    values = getattr(grid, part)
    logs = np.full(values.shape, None, dtype=object)
    logs[values > 0] = np.log10(values[values > 0])
    return go.Heatmap(
        x=grid.layers, y=grid.modules, z=logs, name=_PARTS[part],
        meta={"z": f"log10 of the {_PARTS[part]}"}, coloraxis=f"coloraxis{column}",
        customdata=[[_hover(grid, i, j) for j in range(len(grid.layers))]
                    for i in range(len(grid.modules))],
        xgap=1, ygap=1, hoverongaps=True, hovertemplate="%{customdata}<extra></extra>",
    )  # fmt: skip


def _hover(grid: Grid, i: int, j: int) -> str:
    where = f"<b>{grid.modules[i]}</b>, {_layer_text(grid.layers[j])}"
    if not grid.units[i, j]:
        return f"{where}: no such parameter"
    return (
        f"{where}: {grid.units[i, j]:,} units<br>total {grid.total[i, j]:.3e}, "
        f"median {grid.median[i, j]:.3e}"
    )


def _layer_text(column: str) -> str:
    if column == "outside":
        return OUTSIDE
    return f"layers {column}" if "–" in column else f"layer {column}"


def _colours(values: np.ndarray, part: str, column: int) -> dict[str, object]:
    """A log scale with its bar beside the panel, powers of ten marked."""
    above = np.log10(values[values > 0])
    low, high = (float(above.min()), float(above.max())) if above.size else (0.0, 1.0)
    if high - low < 1e-9:
        low, high = low - 0.5, high + 0.5
    step = max(1, int((high - low) // 6) + 1) if high - low >= 2 else None
    ticks = np.arange(np.ceil(low), np.floor(high) + 1, step) if step else np.linspace(low, high, 3)
    return {
        "colorscale": theme.CELLS, "cmin": low, "cmax": high,
        "colorbar": theme.colour_bar(
            "nats² per weight² (log colour)" if column == 2 else "",
            x=(1 - _BETWEEN) / 2 + 0.005 if column == 1 else 1.005,
            tickvals=ticks.tolist(),
            ticktext=[f"10<sup>{t:.0f}</sup>" if step else f"{10**t:.1e}" for t in ticks],
        ),
    }  # fmt: skip


def _caption(grid: Grid) -> str:
    text = (
        "A module's row, a layer's column. Left: the sum of its units' scores, which grows with "
        "their number; right: the unit in the middle, which does not."
    )
    if "outside" in grid.layers:
        text += " “outside” are embeddings, the final norm and the head."
    zero = {part: int((getattr(grid, part) == 0).sum()) for part in _PARTS}
    counts = [f"{n} {part}{'s' if n > 1 else ''}" for part, n in zero.items() if n]
    if counts:
        text += f" Blank: no such parameter, or a score of 0 ({', '.join(counts)})."
    else:
        text += " Blank: no such parameter."
    return text + merging_note([*grid.modules, *map(_layer_text, grid.layers)])


def _describe(grid: Grid) -> str:
    total = np.nansum(grid.total)
    if total == 0:
        return f"Where the Fisher information sits: all {grid.units.sum():,} units score 0."
    by_row, by_column = np.nansum(grid.total, axis=1), np.nansum(grid.total, axis=0)
    i, j = np.unravel_index(np.nanargmax(grid.median), grid.median.shape)
    top = np.argsort(-by_row, kind="stable")[:3]
    top_modules = ", ".join(f"{grid.modules[k]} {theme.percent(by_row[k] / total)}" for k in top)
    column = int(by_column.argmax())
    return (
        f"Total score {total:.2e} over {grid.units.sum():,} units. Modules that hold most of it: "
        f"{top_modules}. The place that holds most: {_layer_text(grid.layers[column])}, "
        f"{theme.percent(by_column[column] / total)}. The highest median unit score, "
        f"{grid.median[i, j]:.1e}, is {grid.modules[i]}'s in {_layer_text(grid.layers[j])}."
    )
