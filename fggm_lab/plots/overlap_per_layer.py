"""Mask overlap along the model's depth: in which layers do the tasks' masks share units?"""

from collections.abc import Mapping
from itertools import combinations
from statistics import fmean
from typing import NamedTuple

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from fggm_lab.errors import SettingError
from fggm_lab.masks import Mask
from fggm_lab.masks.pairs import Counts, count
from fggm_lab.models.names import OUTSIDE, layer_name
from fggm_lab.plots import theme


class LayerOverlap(NamedTuple):
    """The overlap of every two tasks' masks within one layer.

    Attributes:
        layer: `layer 0`, …, or `outside layers`.
        units: how many units the layer has.
        jaccard: the Jaccard index of each two tasks, with their names; of those that keep a unit.
        expected: the mean of the Jaccard indices that chance would give.
        z: the z-score of each two tasks; of those that chance could draw in several ways.
    """

    layer: str
    units: int
    jaccard: list[tuple[float, str]]
    expected: float | None
    z: list[float]


def overlap_per_layer(masks: Mapping[str, Mask]) -> go.Figure:
    """Mean and range, over every two tasks, of the Jaccard index and of z in each layer.

    Args:
        masks: task → its mask, at least two, all of one model.

    Returns:
        The figure: the Jaccard index of every layer, and below it z.

    Raises:
        SettingError: fewer than two masks, or masks of different models.
    """
    rows = layer_overlaps(masks)
    figure = make_subplots(2, 1, shared_xaxes=True, vertical_spacing=0.06, row_heights=[0.6, 0.4])
    names = [row.layer.removeprefix("layer ").removesuffix(" layers") for row in rows]
    hover = [_hover(row) for row in rows]
    values = [[v for v, _ in row.jaccard] for row in rows]
    dots = {"color": theme.BLUE, "symbol": "circle", "size": 9}
    figure.add_trace(
        _mean_and_range(names, values, hover, dots, "measured: mean, lowest, highest"), 1, 1
    )
    figure.add_scatter(
        x=names, y=[row.expected for row in rows], mode="markers", name="by chance, mean",
        marker={"color": theme.VERMILLION, "symbol": "line-ew-open", "size": 16,
                "line": {"width": 2}},
        hovertemplate="by chance %{y:.3f}<extra></extra>", row=1, col=1,
    )  # fmt: skip
    z = _mean_and_range(names, [row.z for row in rows], hover, dots, "z: mean, lowest, highest")
    figure.add_trace(z.update(showlegend=False), 2, 1)
    figure.add_hline(y=0, row=2, col=1, line={"color": theme.INK, "dash": "dot", "width": 1})
    figure.update_xaxes(type="category", showgrid=False)
    figure.update_xaxes(title_text="layer", row=2, col=1)
    figure.update_yaxes(title_text="Jaccard index", range=[0, 1.02], row=1, col=1)
    figure.update_yaxes(title_text="z (standard<br>deviations)", rangemode="tozero", row=2, col=1)
    figure.update_layout(
        height=470, margin={"t": 40, "b": 56, "l": 76, "r": 16},
        legend={"orientation": "h", "x": 0, "y": 1.01, "yanchor": "bottom"},
    )  # fmt: skip
    return theme.finish(
        figure, "Mask overlap along the depth", _caption(len(masks), rows), _describe(rows)
    )


def layer_overlaps(masks: Mapping[str, Mask]) -> list[LayerOverlap]:
    """The numbers of `overlap_per_layer`.

    Args:
        masks: task → its mask, at least two, all of one model.

    Returns:
        A row per layer, in the model's order, what lies outside the layers last.

    Raises:
        SettingError: fewer than two masks, or masks of different models.
    """
    if len(masks) < 2:
        raise SettingError("overlap needs the masks of two tasks or more")
    counts = count(list(masks.values()))
    return [_row(layer_name(n), counts.of_layer(n), list(masks)) for n in counts.layers]


def _row(layer: str, counts: Counts, names: list[str]) -> LayerOverlap:
    pairs = {
        f"{names[i]} and {names[j]}": counts.pair(i, j)
        for i, j in combinations(range(len(names)), 2)
    }
    expected = [v for pair in pairs.values() if (v := pair.expected_jaccard) is not None]
    return LayerOverlap(
        layer,
        int(counts.units.sum()),
        [(v, name) for name, pair in pairs.items() if (v := pair.jaccard) is not None],
        fmean(expected) if expected else None,
        [v for pair in pairs.values() if (v := pair.z) is not None],
    )


def _mean_and_range(
    names: list[str], values: list[list[float]], hover: list[str], marker: dict[str, object],
    name: str,
) -> go.Scatter:  # fmt: skip
    """Means as dots, from the lowest to the highest value as bars."""
    means = [fmean(values_of_layer) if values_of_layer else None for values_of_layer in values]
    return go.Scatter(
        x=names,
        y=means,
        error_y={
            "array": [
                max(v) - m if m is not None else 0 for v, m in zip(values, means, strict=True)
            ],
            "arrayminus": [
                m - min(v) if m is not None else 0 for v, m in zip(values, means, strict=True)
            ],
            "thickness": 1.2,
            "width": 3,
        },
        mode="markers",
        name=name,
        marker=marker,
        customdata=hover,
        hovertemplate="%{customdata}<extra></extra>",
    )


def _hover(row: LayerOverlap) -> str:
    text = f"<b>{row.layer}</b>, {row.units:,} units"
    if not row.jaccard or row.expected is None:
        return f"{text}<br>nothing kept"
    (low, lowest_pair), (high, highest_pair) = min(row.jaccard), max(row.jaccard)
    text += (
        f"<br>mean Jaccard index {fmean(v for v, _ in row.jaccard):.3f}, by chance "
        f"{row.expected:.3f}<br>lowest {low:.3f}: {lowest_pair}<br>"
        f"highest {high:.3f}: {highest_pair}"
    )
    if row.z:
        text += f"<br>mean z {fmean(row.z):+.1f} ({min(row.z):+.1f} to {max(row.z):+.1f})"
    return text


def _caption(tasks: int, rows: list[LayerOverlap]) -> str:
    pairs = tasks * (tasks - 1) // 2
    dots = (
        f"Dots are the mean over the {pairs} pairs of {tasks} tasks, bars reach from the pair that "
        "shares least to the pair that shares most"
        if pairs > 1
        else "Dots are the two tasks' masks"
    )
    text = (
        f"{dots}; dashes are the mean for masks drawn by chance that keep as many units of every "
        "parameter. Below, how many standard deviations of chance the shared units lie from its "
        "mean: larger layers give larger z for the same index."
    )
    if any(row.layer == OUTSIDE for row in rows):
        text += " “outside” are embeddings, the final norm and the head."
    empty = sum(not row.jaccard for row in rows)
    if empty:
        text += f" Blank, for no mask keeps a unit there: {empty} of {len(rows)}."
    return text


def _describe(rows: list[LayerOverlap]) -> str:
    means = [(fmean(v for v, _ in row.jaccard), row) for row in rows if row.jaccard]
    if not means:
        return "Mask overlap along the depth: fewer than two masks keep a unit."

    def layer_text(mean: float, row: LayerOverlap) -> str:
        z = f", mean z {fmean(row.z):+.1f}" if row.z else ""
        return f"{row.layer}, {mean:.2f} ({row.expected:.2f} by chance{z})"

    inside = [entry for entry in means if entry[1].layer.startswith("layer ")]
    parts = []
    if inside:
        high, low = max(inside, key=lambda entry: entry[0]), min(inside, key=lambda entry: entry[0])
        parts.append(f"the masks meet most in {layer_text(*high)}")
        if len(inside) > 1:
            parts.append(f"least in {layer_text(*low)}")
    parts += [layer_text(*entry) for entry in means if entry not in inside]
    return f"Mean Jaccard index along the depth: {'; '.join(parts)}."
