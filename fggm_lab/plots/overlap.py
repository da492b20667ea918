"""Mask overlap: do two tasks want the same units, more than two masks drawn by chance would?"""

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import NamedTuple

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from fggm_lab.errors import SettingError
from fggm_lab.fisher.layers import split_name
from fggm_lab.masks import Mask, expected_jaccard, jaccard, z_score
from fggm_lab.plots import theme

OUTSIDE = -1
"""Stands for embeddings, the final norm and the head where a layer's number is asked for."""
_CELL = 46

Table = list[list[float | None]]


class Overlap(NamedTuple):
    """Three (tasks, tasks) tables; the diagonal, a mask with itself, is None.

    Attributes:
        jaccard: |a ∩ b| / |a ∪ b|.
        expected: the same for chance masks that keep as many units of each parameter.
        z: how many standard deviations the shared units lie above chance.
    """

    jaccard: Table
    expected: Table
    z: Table


def mask_overlap(
    masks: Mapping[str, Mask], layer: int | None = None, controls: bool = True
) -> go.Figure:
    """Jaccard index of every two masks, beside what chance would give, on one colour scale.

    Args:
        masks: task → its mask, at least two, all of one model.
        layer: a layer's number, `OUTSIDE`, or None: the whole model.
        controls: draw a list of layers into the figure itself, where `layer` is None.

    Raises:
        SettingError: fewer than two masks, masks of different models, or no such layer.
    """
    found = overlap(masks, layer)
    names = list(masks)
    figure = make_subplots(
        1, 2, subplot_titles=["measured", "expected by chance"], horizontal_spacing=0.04,
        shared_yaxes=True,
    )  # fmt: skip
    figure.update_annotations(font_size=theme.TEXT)
    for column, (table, other) in enumerate(
        ((found.jaccard, found), (found.expected, found)), start=1
    ):
        figure.add_trace(_heatmap(names, table, other), 1, column)
    figure.update_xaxes(
        showgrid=False, ticks="", constrain="domain", autotickangles=[0, 90], title_text="task"
    )
    figure.update_yaxes(autorange="reversed", showgrid=False, ticks="")
    figure.update_yaxes(title_text="task", row=1, col=1)
    figure.update_layout(
        coloraxis={
            "colorscale": theme.DEPTH,
            "cmin": 0,
            "cmax": 1,
            "colorbar": {
                "title": {
                    "text": "Jaccard index",
                    "side": "right",
                    "font": {"size": theme.TEXT},
                },
                "thickness": 12,
                "outlinewidth": 0,
            },
        },
        height=max(300, _CELL * len(names) + 150),
        margin={"t": 40, "b": 70, "l": 110, "r": 10},
    )
    layers = layers_of(masks)
    if controls and layer is None and len(layers) > 1:
        _add_layers(figure, masks, layers)
    where = "" if layer is None else f": {layer_name(layer)}"
    return theme.finish(
        figure, f"Mask overlap between tasks{where}", _caption(masks, layer),
        _describe(masks, found, layer),
    )  # fmt: skip


def describe_overlap(masks: Mapping[str, Mask], layer: int | None = None) -> str:
    """The figure in words: mean overlap, chance, the closest and the most distant pair.

    Args:
        masks, layer: as for `mask_overlap`.
    """
    return _describe(masks, overlap(masks, layer), layer)


def overlap(masks: Mapping[str, Mask], layer: int | None = None) -> Overlap:
    """The numbers of `mask_overlap`.

    Raises:
        SettingError: fewer than two masks, masks of different models, or no such layer.
    """
    if len(masks) < 2:
        raise SettingError("overlap needs the masks of two tasks or more")
    chosen = [_of_layer(mask, layer) for mask in masks.values()]
    size = len(chosen)
    empty: list[Table] = [[[None] * size for _ in chosen] for _ in range(3)]
    tables = Overlap(*empty)
    for i in range(size):
        for j in range(i):
            values = (
                jaccard(chosen[i], chosen[j]),
                expected_jaccard(chosen[i], chosen[j]),
                z_score(chosen[i], chosen[j]),
            )
            for table, value in zip(tables, values, strict=True):
                table[i][j] = table[j][i] = value
    return tables


def layers_of(masks: Mapping[str, Mask]) -> list[int]:
    """The layers' numbers, then `OUTSIDE` if a parameter lies outside the layers."""
    found = {split_name(name).layer for mask in masks.values() for name in mask.names}
    return [*sorted(n for n in found if n is not None), *([OUTSIDE] if None in found else [])]


def layer_name(layer: int | None) -> str:
    """`whole model`, `layer 3` or `outside layers`."""
    if layer is None:
        return "whole model"
    return "outside layers" if layer == OUTSIDE else f"layer {layer}"


def _of_layer(mask: Mask, layer: int | None) -> Mask:
    if layer is None:
        return mask
    wanted = None if layer == OUTSIDE else layer
    names = [name for name in mask.names if split_name(name).layer == wanted]
    if not names:
        raise SettingError(f"the masks have no {layer_name(layer)}; see their parameters' names")
    return mask.restricted(names)


def _heatmap(names: Sequence[str], table: Table, found: Overlap) -> go.Heatmap:
    return go.Heatmap(
        x=list(names),
        y=list(names),
        z=table,
        text=_texts(table),
        texttemplate="%{text}",
        textfont={"size": 11},
        customdata=_details(found),
        coloraxis="coloraxis",
        xgap=1,
        ygap=1,
        hoverongaps=False,
        hovertemplate="<b>%{y} and %{x}</b><br>%{customdata}<extra></extra>",
    )


def _texts(table: Table) -> list[list[str]]:
    """`.37`: without the leading zero a number fits a narrow cell."""
    return [["" if v is None else f"{v:.2f}".removeprefix("0") for v in row] for row in table]


def _details(found: Overlap) -> list[list[str]]:
    def show(j: float | None, e: float | None, z: float | None) -> str:
        if j is None or e is None:
            return "nothing kept by either" if z is None else ""
        above = "" if z is None else f"<br>{z:+.0f} standard deviations from chance"
        return f"measured {j:.3f}<br>by chance {e:.3f}{above}"

    return [[show(*cell) for cell in zip(*rows, strict=True)] for rows in zip(*found, strict=True)]


def _add_layers(figure: go.Figure, masks: Mapping[str, Mask], layers: Sequence[int]) -> None:
    """A list inside the figure that swaps both tables for those of one layer."""
    buttons = []
    for layer in (None, *layers):
        found = overlap(masks, layer)
        change = {
            "z": [found.jaccard, found.expected],
            "text": [_texts(found.jaccard), _texts(found.expected)],
            "customdata": [_details(found)] * 2,
        }
        buttons.append({"method": "restyle", "label": layer_name(layer), "args": [change, [0, 1]]})
    figure.update_layout(
        updatemenus=[{**theme.MENU, "x": 0, "buttons": buttons}],
        margin_t=74,
        height=figure.layout.height + 34,
    )


def _pairs(table: Table) -> list[tuple[float, int, int]]:
    return [
        (value, i, j)
        for i, row in enumerate(table)
        for j, value in enumerate(row[:i])
        if value is not None
    ]


def _caption(masks: Mapping[str, Mask], layer: int | None) -> str:
    shares = [_of_layer(mask, layer).share for mask in masks.values()]
    low, high = theme.percent(min(shares)), theme.percent(max(shares))
    kept = low if low == high else f"{low} to {high}"
    return (
        f"Units that two tasks' masks share, over units that either keeps ({layer_name(layer)}; "
        f"each mask keeps {kept}). Right: the mean for masks drawn by chance that keep as many "
        "units of every parameter. A mask with itself is left blank."
    )


def _describe(masks: Mapping[str, Mask], found: Overlap, layer: int | None) -> str:
    names = list(masks)
    pairs, chance = _pairs(found.jaccard), _pairs(found.expected)
    if not pairs:
        return f"Mask overlap ({layer_name(layer)}): no mask keeps a unit."
    (most, a, b), (least, c, d) = max(pairs), min(pairs)
    text = (
        f"Mask overlap ({layer_name(layer)}), {len(names)} tasks: the Jaccard index is "
        f"{fmean(v for v, _, _ in pairs):.2f} on average, {fmean(v for v, _, _ in chance):.2f} by "
        f"chance. Closest: {names[b]} and {names[a]}, {most:.2f}."
    )
    if len(pairs) > 1:
        text += f" Most distant: {names[d]} and {names[c]}, {least:.2f}."
    return text
