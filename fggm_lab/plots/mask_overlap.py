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
from fggm_lab.plots.table_heatmap import Table, cell_texts, set_table_layout, table_heatmap

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
    tables = _tables(layer_counts, measure)
    names, measure_text = list(masks), MEASURES[measure]
    figure = make_subplots(
        1, 2, subplot_titles=["measured", "expected by chance"], horizontal_spacing=0.04,
        shared_yaxes=True,
    )  # fmt: skip
    figure.update_annotations(font_size=theme.TEXT)
    for column, table in enumerate((tables.measured, tables.expected), start=1):
        trace = table_heatmap(names, names, table, _hover(tables), "%{y} and %{x}")
        figure.add_trace(trace, 1, column)
    set_table_layout(figure, len(names), measure_text.name)
    figure.update_xaxes(title_text="task")
    figure.update_yaxes(title_text="task", row=1, col=1)
    if controls and layer is None and len(counts.layers) > 1:
        _add_layers(figure, counts, measure)
    where = "" if layer is None else f": {part_name(layer)}"
    return theme.finish(
        figure, f"Mask overlap between tasks{where}", _caption(layer_counts, layer, measure_text),
        _describe(names, tables, layer, measure_text),
    )  # fmt: skip


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


def _tables(counts: Counts, measure: Measure) -> Overlap:
    if measure not in MEASURES:
        raise SettingError(f"measure is '{measure}'; choose one of: {', '.join(MEASURES)}")
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


def _hover(tables: Overlap) -> list[list[str]]:
    def cell_text(value: float | None, expected: float | None, z: float | None) -> str:
        if value is None or expected is None:
            return "nothing kept"
        above = "" if z is None else f"<br>z = {z:+.1f} standard deviations from chance"
        return f"measured {value:.3f}<br>by chance {expected:.3f}{above}"

    return [
        [cell_text(*cell) for cell in zip(*rows, strict=True)] for rows in zip(*tables, strict=True)
    ]


def _add_layers(figure: go.Figure, counts: Counts, measure: Measure) -> None:
    """A list inside the figure that swaps both tables for those of one layer."""
    parts: list[tuple[int | None, Counts]] = [(None, counts)]
    parts += [(OUTSIDE_LAYERS if n is None else n, counts.of_layer(n)) for n in counts.layers]
    buttons = []
    for layer, layer_counts in parts:
        tables = _tables(layer_counts, measure)
        change = {
            "z": [tables.measured, tables.expected],
            "text": [cell_texts(tables.measured), cell_texts(tables.expected)],
            "customdata": [_hover(tables)],  # one for both
        }
        buttons.append({"method": "restyle", "label": part_name(layer), "args": [change, [0, 1]]})
    figure.update_layout(
        updatemenus=[{**theme.MENU, "x": 0, "buttons": buttons}],
        margin_t=74,
        height=figure.layout.height + 34,
    )


def _pair_values(table: Table) -> list[tuple[float, int, int]]:
    """(value, i, j) of each two tasks i > j that have a value."""
    return [
        (value, i, j)
        for i, row in enumerate(table)
        for j, value in enumerate(row[:i])
        if value is not None
    ]


def _caption(counts: Counts, layer: int | None, measure: MeasureText) -> str:
    shares_kept = counts.shared.diagonal(axis1=1, axis2=2).sum(0) / max(1, counts.units.sum())
    low, high = theme.percent(float(shares_kept.min())), theme.percent(float(shares_kept.max()))
    share = low if low == high else f"{low} to {high}"
    return (
        f"Units that two tasks' masks share, over {measure.divisor} ({part_name(layer)}; each "
        f"mask keeps {share}). Right: the mean for masks drawn by chance that keep as many units "
        "of every parameter. A mask with itself is left blank."
    )


def _describe(
    names: Sequence[str], tables: Overlap, layer: int | None, measure: MeasureText
) -> str:
    pairs, chance, above = (_pair_values(table) for table in tables)
    if not pairs:
        return f"Mask overlap ({part_name(layer)}): fewer than two masks keep a unit."
    (highest, a, b), (lowest, c, d) = max(pairs), min(pairs)
    text = (
        f"Mask overlap ({part_name(layer)}), {len(names)} tasks: the {measure.name} is "
        f"{fmean(v for v, _, _ in pairs):.2f} on average, {fmean(v for v, _, _ in chance):.2f} by "
        f"chance."
    )
    if above:
        mean = fmean(v for v, _, _ in above)
        text += f" The units shared lie {mean:+.1f} standard deviations from chance on average."
    text += f" Closest: {names[b]} and {names[a]}, {highest:.2f}."
    if len(pairs) > 1:
        text += f" Most distant: {names[d]} and {names[c]}, {lowest:.2f}."
    return text
