"""Attention heads by layer: how much Fisher information each holds, or how much of it may move."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots
from torch import Tensor

from fggm_lab.errors import SettingError
from fggm_lab.fisher.concentration import check_finite
from fggm_lab.models.heads import HeadUnits, Projection
from fggm_lab.plots import theme
from fggm_lab.plots.finish import finish
from fggm_lab.plots.thinning import MAX_POINTS

_CELL = 24
"""Height of a row in pixels."""


class _Panel(NamedTuple):
    """One projection's heads.

    Attributes:
        layers: the numbers of the columns' layers.
        shares: (heads, layers) from 0 to 1; NaN where a layer has no such head.
        units: (heads, layers) how many units a head has there.
    """

    layers: list[int]
    shares: np.ndarray
    units: np.ndarray


def head_heatmap(heads: HeadUnits, task: str | None = None) -> go.Figure:
    """Heads × layers, a panel for each projection: Fisher scores' share, or a mask's.

    Args:
        heads: of scores or of a mask, as `fggm_lab.models.by_head` gives them.
        task: what task they are of, for the title.

    Returns:
        The figure. Of scores a cell is the head's share of its projection's total over all layers;
        of a mask the share of the head's units that may move.

    Raises:
        SettingError: there are more heads than a figure may hold.
        DataError: a score is negative or not finite.
    """
    if not _is_mask(heads):
        check_finite(scores for by_layer in heads.values() for scores in by_layer.values())
    panels = {projection: _panel(by_layer) for projection, by_layer in heads.items()}
    cells = sum(panel.shares.size for panel in panels.values())
    if cells > MAX_POINTS:
        raise SettingError(
            f"the model has {cells:,} heads of queries, keys and values, more than the "
            f"{MAX_POINTS:,} that a figure holds; choose layers with scores.restricted or "
            "mask.restricted"
        )
    figure = make_subplots(
        1, len(panels), horizontal_spacing=0.12 / len(panels),
        subplot_titles=[f"<b>{projection}</b>" for projection in panels],
    )  # fmt: skip
    figure.update_annotations(font_size=theme.TEXT)
    of_mask = _is_mask(heads)
    for column, (projection, panel) in enumerate(panels.items(), start=1):
        figure.add_trace(_heatmap(projection, panel, of_mask), 1, column)
    highest = max(float(np.nanmax(panel.shares)) for panel in panels.values())
    rows = max(len(panel.shares) for panel in panels.values())
    figure.update_xaxes(title_text="layer", type="category", showgrid=False, ticks="",
                        constrain="domain")  # fmt: skip
    figure.update_yaxes(autorange="reversed", showgrid=False, ticks="", type="category", dtick=1)
    figure.update_yaxes(title_text="head", row=1, col=1)
    figure.update_layout(
        height=max(120, _CELL * rows) + 120, margin={"t": 40, "b": 70, "l": 64},
        coloraxis={
            "colorscale": theme.CELLS, "cmin": 0, "cmax": highest or 1,
            "colorbar": theme.colour_bar(_SCALE[of_mask], tickformat=".0%"),
        },
    )  # fmt: skip
    title = _TITLE[of_mask] + (f": {task}" if task else "")
    return finish(figure, title, _caption(panels, of_mask), _describe(panels, of_mask))


_TITLE = {False: "Fisher information by attention head", True: "Attention heads that may move"}
_SCALE = {False: "share of the panel", True: "share that may move"}


def _is_mask(heads: HeadUnits) -> bool:
    return any(not values.is_floating_point()
               for by_layer in heads.values() for values in by_layer.values())  # fmt: skip


def _panel(by_layer: Mapping[int, Tensor]) -> _Panel:
    rows = max(len(values) for values in by_layer.values())
    shares = np.full((rows, len(by_layer)), np.nan)
    units = np.zeros((rows, len(by_layer)), int)
    of_mask = False
    for column, values in enumerate(by_layer.values()):
        of_mask = not values.is_floating_point()
        sums = values.double().sum(1).numpy()
        shares[: len(values), column] = sums / values.shape[1] if of_mask else sums
        units[: len(values), column] = values.shape[1]
    total = np.nansum(shares)
    if not of_mask and total > 0:
        shares /= total
    return _Panel(list(by_layer), shares, units)


def _heatmap(projection: Projection, panel: _Panel, of_mask: bool) -> go.Heatmap:
    what = "may move" if of_mask else f"of the {projection} projections' score"
    heads, columns = panel.shares.shape
    return go.Heatmap(
        x=[str(layer) for layer in panel.layers], y=[str(head) for head in range(heads)],
        z=panel.shares, name=projection, coloraxis="coloraxis", xgap=1, ygap=1,
        hoverongaps=False,
        customdata=[
            [f"<b>{projection}, layer {panel.layers[j]}, head {i}</b><br>"
             f"{theme.percent(panel.shares[i, j])} {what} ({panel.units[i, j]:,} units)"
             if panel.units[i, j] else "" for j in range(columns)]
            for i in range(heads)
        ],
        hovertemplate="%{customdata}<extra></extra>",
    )  # fmt: skip


def _caption(panels: Mapping[Projection, _Panel], of_mask: bool) -> str:
    if of_mask:
        text = "A cell is the share of a head's units, weights and biases, that the mask lets move."
    else:
        text = (
            "A cell is the sum of a head's unit scores, weights and biases, as a share of the "
            "panel's total; were all heads alike, each would have "
            + ", ".join(
                f"{theme.percent(1 / np.isfinite(panel.shares).sum())} of {projection}"
                for projection, panel in panels.items()
            )
            + "."
        )
    counts = {projection: len(panel.shares) for projection, panel in panels.items()}
    queries, keys = counts.get("query"), counts.get("key")
    if queries and keys and keys < queries:
        text += (
            f" {queries // keys} query heads share one key and value head: query head h reads "
            f"number h // {queries // keys}."
        )
    if "output" not in panels:
        text += " The output projection's rows are common to all heads."
    return text


def _describe(panels: Mapping[Projection, _Panel], of_mask: bool) -> str:
    sentences = []
    for projection, panel in panels.items():
        shares = panel.shares
        high, low = (
            np.unravel_index(find(shares), shares.shape) for find in (np.nanargmax, np.nanargmin)
        )
        heads, layers = shares.shape
        ends = [
            f"{theme.percent(float(shares[at]))} (layer {panel.layers[at[1]]}, head {at[0]})"
            for at in (high, low)
        ]
        verb = "moves" if of_mask else "holds"
        sentences.append(
            f"{projection.capitalize()}: {heads} heads in {layers} layers; the one that {verb} "
            f"most has {ends[0]}, the one that {verb} least {ends[1]}"
        )
    return ". ".join(sentences) + "."
