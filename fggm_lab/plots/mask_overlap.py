"""Mask overlap: do two tasks want the same units, more than two masks drawn by chance would?"""

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Literal, NamedTuple

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from fggm_lab.errors import SettingError
from fggm_lab.masks import Mask
from fggm_lab.masks.pairs import Counts, Pair, count
from fggm_lab.models.names import layer_name
from fggm_lab.plots import theme
from fggm_lab.plots.table_heatmap import Table, set_table_layout, table_heatmap
from fggm_lab.plots.template import Numbers, Slot, Template, Text, fill, filled

OUTSIDE_LAYERS = -1
"""The layer's number that means embeddings, the final norm and the head."""


class MeasureText(NamedTuple):
    """A measure of overlap: its name, and what the shared units are divided by."""

    name: str
    divisor: str


Measure = Literal["jaccard", "overlap"]
"""The measures that `mask_overlap` can show."""
MEASURES: dict[Measure, MeasureText] = {
    "jaccard": MeasureText("Jaccard index", "units that either keeps"),
    "overlap": MeasureText("overlap coefficient", "units of the smaller mask"),
}


class Overlap(NamedTuple):
    """Three (tasks, tasks) tables; the diagonal, a mask with itself, is None.

    Attributes:
        measured: |a ∩ b| / |a ∪ b| (`jaccard`), or |a ∩ b| / min(|a|, |b|) (`overlap`).
        expected: the same for chance masks that keep as many units of each parameter.
        z: how many standard deviations the shared units lie above chance.
    """

    measured: Table
    expected: Table
    z: Table


def mask_overlap(
    masks: Mapping[str, Mask],
    layer: int | None = None,
    controls: bool = True,
    measure: Measure = "jaccard",
) -> go.Figure:
    """How much every two masks overlap, beside what chance would give, on one colour scale.

    Args:
        masks: task → its mask, at least two, all of one model.
        layer: a layer's number, `OUTSIDE_LAYERS`, or None: the whole model.
        controls: draw a list of layers into the figure itself, where `layer` is None.
        measure: `jaccard` (the Jaccard index) or `overlap` (the overlap coefficient).

    Returns:
        The figure: the measured table, and beside it that of chance.

    Raises:
        SettingError: fewer than two masks, masks of different models, no such layer or measure.
    """
    counts = _counted(masks)
    layer_counts = _of_layer(counts, layer)
    template = mask_overlap_template(list(masks), layer, measure)
    figure = fill(template, _numbers(layer_counts, list(masks), measure))
    if controls and layer is None and len(counts.layers) > 1:
        _add_layers(figure, counts, template)
    return figure


def mask_overlap_template(
    tasks: Sequence[str], layer: int | None = None, measure: Measure = "jaccard"
) -> Template:
    """The figure of `mask_overlap` without its numbers.

    Args:
        tasks: names, at least two.
        layer: a layer's number, `OUTSIDE_LAYERS`, or None: the whole model.
        measure: `jaccard` or `overlap`.

    Returns:
        The template that `overlap_numbers` fills.

    Raises:
        SettingError: no such measure.
    """
    measure_text = _measure_text(measure)
    figure = make_subplots(
        1, 2, subplot_titles=["measured", "expected by chance"], horizontal_spacing=0.04,
        shared_yaxes=True,
    )  # fmt: skip
    figure.update_annotations(font_size=theme.TEXT)
    slots = []
    for index, table in enumerate(("measured", "expected")):
        trace = table_heatmap(tasks, tasks, [], [], "%{y} and %{x}")
        figure.add_trace(trace, 1, index + 1)
        slots += [
            Slot(("data", index, "z"), (table,)),
            Slot(("data", index, "text"), (f"{table}_cells",)),
            Slot(("data", index, "customdata"), ("hover",)),
        ]
    set_table_layout(figure, len(tasks), measure_text.name)
    figure.update_xaxes(title_text="task")
    figure.update_yaxes(title_text="task", row=1, col=1)
    settings = {
        "tasks": list(tasks),
        "layer": layer,
        "measure": measure,
        "task_count": len(tasks),
        "part": part_name(layer),
        "only_part": None if layer is None else part_name(layer),
        "measure_name": measure_text.name,
        "divisor": measure_text.divisor,
    }
    return Template("mask_overlap", settings, figure, tuple(slots), _TEXTS)


_TEXTS = {
    "measured_cells": Text("[{measured:cell}]"),
    "expected_cells": Text("[{expected:cell}]"),
    "hover": Text(
        "[measured {measured:.3f}<br>by chance {expected:.3f}]"
        "[<br>z = {z:+.1f} standard deviations from chance][nothing kept{empty}]"
    ),
    "title": Text("Mask overlap between tasks[: {only_part}]"),
    "caption": Text(
        "Units that two tasks' masks share, over {divisor} ({part}; each mask keeps "
        "{lowest_share:percent}[ to {highest_share:percent}]). Right: the mean for masks drawn by "
        "chance that keep as many units of every parameter. A mask with itself is left blank."
    ),
    "description": Text(
        "Mask overlap ({part})[: fewer than two masks keep a unit.{too_few}]"
        "[, {task_count} tasks: the {measure_name} is {mean:.2f} on average, "
        "{mean_expected:.2f} by chance.]"
        "[ The units shared lie {mean_z:+.1f} standard deviations from chance on average.]"
        "[ Closest: {closest_first} and {closest_second}, {highest:.2f}.]"
        "[ Most distant: {distant_first} and {distant_second}, {lowest:.2f}.]"
    ),
}


def overlap_tables(
    masks: Mapping[str, Mask], layer: int | None = None, measure: Measure = "jaccard"
) -> Overlap:
    """The numbers of `mask_overlap`.

    Args:
        masks: task → its mask, at least two, all of one model.
        layer: a layer's number, `OUTSIDE_LAYERS`, or None: the whole model.
        measure: `jaccard` or `overlap`.

    Returns:
        Tables with a row and a column per task, in the order of `masks`.

    Raises:
        SettingError: fewer than two masks, masks of different models, no such layer or measure.
    """
    return _tables(_of_layer(_counted(masks), layer), measure)


def part_name(layer: int | None) -> str:
    """`whole model`, `layer 3` or `outside layers`."""
    if layer is None:
        return "whole model"
    return layer_name(None if layer == OUTSIDE_LAYERS else layer)


def _counted(masks: Mapping[str, Mask]) -> Counts:
    if len(masks) < 2:
        raise SettingError("overlap needs the masks of two tasks or more")
    return count(list(masks.values()))


def _of_layer(counts: Counts, layer: int | None) -> Counts:
    if layer is None:
        return counts
    layer_in_model = None if layer == OUTSIDE_LAYERS else layer
    if layer_in_model not in counts.layers:
        raise SettingError(f"the masks have no {part_name(layer)}; see their parameters' names")
    return counts.of_layer(layer_in_model)


def overlap_numbers(
    masks: Mapping[str, Mask], layer: int | None = None, measure: Measure = "jaccard"
) -> Numbers:
    """What fills `mask_overlap_template`.

    Args:
        masks: task → its mask, at least two, all of one model.
        layer: a layer's number, `OUTSIDE_LAYERS`, or None: the whole model.
        measure: `jaccard` or `overlap`.

    Returns:
        The tables of `Overlap`, their means, the two closest tasks and the two most distant ones.

    Raises:
        SettingError: fewer than two masks, masks of different models, no such layer or measure.
    """
    return _numbers(_of_layer(_counted(masks), layer), list(masks), measure)


def _numbers(counts: Counts, tasks: Sequence[str], measure: Measure) -> Numbers:
    tables = _tables(counts, measure)
    means = [
        fmean(v for v, _, _ in pairs) if pairs else None for pairs in map(_pair_values, tables)
    ]
    pairs = _pair_values(tables.measured)
    highest, a, b = max(pairs, default=(None, 0, 0))
    lowest, c, d = min(pairs, default=(None, 0, 0)) if len(pairs) > 1 else (None, 0, 0)
    shares = counts.shared.diagonal(axis1=1, axis2=2).sum(0) / max(1, counts.units.sum())
    low, high = float(shares.min()), float(shares.max())
    return {
        **tables._asdict(),
        "empty": [["" if value is None else None for value in row] for row in tables.measured],
        "lowest_share": low,
        "highest_share": None if theme.percent(low) == theme.percent(high) else high,
        "too_few": None if pairs else "",
        "mean": means[0],
        "mean_expected": means[1],
        "mean_z": means[2],
        "highest": highest,
        "closest_first": tasks[b],
        "closest_second": tasks[a],
        "lowest": lowest,
        "distant_first": tasks[d],
        "distant_second": tasks[c],
    }


def _measure_text(measure: Measure) -> MeasureText:
    if measure not in MEASURES:
        raise SettingError(f"measure is '{measure}'; choose one of: {', '.join(MEASURES)}")
    return MEASURES[measure]


def _tables(counts: Counts, measure: Measure) -> Overlap:
    _measure_text(measure)
    size = counts.shared.shape[1]
    tables: list[list[list[float | None]]] = [
        [[None] * size for _ in range(size)] for _ in range(3)
    ]
    for i in range(size):
        for j in range(i):
            values = _values(counts.pair(i, j), measure)
            for table, value in zip(tables, values, strict=True):
                table[i][j] = table[j][i] = value
    return Overlap(*tables)


def _values(pair: Pair, measure: Measure) -> tuple[float | None, float | None, float | None]:
    if measure == "jaccard":
        return pair.jaccard, pair.expected_jaccard, pair.z
    return pair.overlap, pair.expected_overlap, pair.z


def _add_layers(figure: go.Figure, counts: Counts, template: Template) -> None:
    """A list inside the figure that swaps both tables for those of one layer."""
    parts: list[tuple[int | None, Counts]] = [(None, counts)]
    parts += [(OUTSIDE_LAYERS if n is None else n, counts.of_layer(n)) for n in counts.layers]
    buttons = []
    for layer, layer_counts in parts:
        settings = template.settings
        numbers = _numbers(layer_counts, settings["tasks"], settings["measure"])
        values = filled(template, numbers)
        change = {
            "z": [values["measured"], values["expected"]],
            "text": [values["measured_cells"], values["expected_cells"]],
            "customdata": [values["hover"]],  # one for both
        }
        buttons.append({"method": "restyle", "label": part_name(layer), "args": [change, [0, 1]]})
    figure.update_layout(updatemenus=[{**theme.MENU, "buttons": buttons}])
    theme.raise_top(figure, theme.MENU_ROW)


def _pair_values(table: Table) -> list[tuple[float, int, int]]:
    """(value, i, j) of each two tasks i > j that have a value."""
    return [
        (value, i, j)
        for i, row in enumerate(table)
        for j, value in enumerate(row[:i])
        if value is not None
    ]
