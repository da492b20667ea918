"""Histograms of unit scores on a log axis: of the whole model, of each layer, of each module."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from fggm_lab.errors import SettingError
from fggm_lab.fisher.concentration import all_units
from fggm_lab.fisher.scores import FisherScores
from fggm_lab.models.names import names_by_layer
from fggm_lab.plots import theme
from fggm_lab.plots.finish import finish
from fggm_lab.plots.labels import as_label
from fggm_lab.plots.parameter_groups import Groups, by_module, merging_note
from fggm_lab.plots.styles import BLUE, Style, line_styles
from fggm_lab.plots.thinning import MAX_POINTS

SCORE = "Fisher score of a unit (nats² per weight²)"
"""The title of an axis of scores."""
BINS = 80
"""The most bins; fewer where many rows share the points a figure may hold."""
_WIDTHS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50)
"""Widths of bins to choose from, in powers of ten."""
_ROWS = 60
"""The most rows of the panel of layers, and of that of modules."""
_ROW, _TOP = 14, 190
"""Height in pixels of a row, and of the panel of all units."""


class Bins(NamedTuple):
    """Where scores are counted.

    Attributes:
        edges: (bins + 1,) ascending; the outermost bins are empty, so that outlines close.
        width: of a bin, in powers of ten.
    """

    edges: np.ndarray
    width: float

    @property
    def middles(self) -> np.ndarray:
        """(bins,) the middle of each bin on a log axis."""
        return np.asarray(np.sqrt(self.edges[:-1]) * np.sqrt(self.edges[1:]))


def score_histograms(scores: FisherScores | Mapping[str, FisherScores]) -> go.Figure:
    """How many units score how much, in bins of equal width on a log axis.

    Args:
        scores: of one task: all units and, below, those of each layer and of each module; of
            several by name (tasks or estimators): all units of each, overlaid.

    Returns:
        The figure: one panel for several scores, three for those of one task.

    Raises:
        SettingError: there are no scores.
        DataError: a score is negative or not finite.
    """
    scores_by_name = by_name(scores)
    units = {name: all_units(task_scores) for name, task_scores in scores_by_name.items()}
    if len(scores_by_name) > 1:
        bins = bins_of(list(units.values()), min(BINS, MAX_POINTS // len(units)))
        figure, title, note = _overlaid(units, bins), "Fisher scores", ""
    else:
        ((name, values),) = units.items()
        task_scores = scores_by_name[name]
        layers, modules = (
            names_by_layer(task_scores.names, _ROWS),
            by_module(task_scores.names, _ROWS),
        )
        rows = 1 + len(layers) + len(modules)
        bins = bins_of([values], min(BINS, MAX_POINTS // rows))
        figure, title = (
            _detailed(task_scores, values, layers, modules, bins),
            f"Fisher scores: {name}",
        )
        note = (
            "Below, each layer's and each module's units by themselves: every row adds up to its "
            f"units above 0. {merging_note(layers | modules)}"
        )
    caption = f"Share of units in each bin of {_width(bins.width)}. {_zeros(units)} {note}"
    return finish(figure, title, " ".join(caption.split()), _describe(units))


def by_name(scores: FisherScores | Mapping[str, FisherScores]) -> dict[str, FisherScores]:
    """Scores by name; those of one task are named after it.

    Args:
        scores: of one task, or of several by name.

    Returns:
        Name → scores, at least one.

    Raises:
        SettingError: there are none.
    """
    if isinstance(scores, FisherScores):
        scores = {scores.info.task or "scores": scores}
    if not scores:
        raise SettingError("there are no Fisher scores to draw; give those of at least one task")
    return dict(scores)


def bins_of(units: Sequence[np.ndarray], max_bins: int) -> Bins:
    """Bins of the narrowest width that needs no more than `max_bins`, an empty one at each end.

    Args:
        units: arrays of scores, each sorted from the highest down; zeros are left out: a
            log axis has none.
        max_bins: at least 6.

    Returns:
        The bins, which hold every score above 0.
    """
    above = [values_above for values in units if (values_above := values[values > 0]).size]
    low = min((values_above[-1] for values_above in above), default=1.0)
    high = max((values_above[0] for values_above in above), default=1.0)
    ends = [
        (int(np.floor(np.log10(low) / width)) - 1, int(np.floor(np.log10(high) / width)) + 2)
        for width in _WIDTHS
    ]
    index = next(i for i, (first, last) in enumerate(ends) if last - first <= max_bins)
    first, last = ends[index]
    return Bins(10.0 ** (_WIDTHS[index] * np.arange(first, last + 1)), _WIDTHS[index])


def counted(values: np.ndarray, bins: Bins) -> np.ndarray:
    """(bins,) how many of the values lie in each bin, its lower edge included."""
    indices = np.searchsorted(bins.edges, values[values > 0], side="right") - 1
    return np.bincount(indices, minlength=len(bins.edges) - 1)


# Several scores: outlines over one another


def _overlaid(units: Mapping[str, np.ndarray], bins: Bins) -> go.Figure:
    figure = go.Figure()
    styles = line_styles(list(units))
    for name, values in units.items():
        figure.add_trace(_outline(name, values, bins, styles[name]))
    _score_axes(figure, bins)
    figure.update_xaxes(title_text=SCORE)
    figure.update_yaxes(title_text="share of units per bin", tickformat=".1~%", rangemode="tozero")
    return figure.update_layout(height=400, hovermode="closest")


def _outline(name: str, values: np.ndarray, bins: Bins, style: Style) -> go.Scatter:
    counts = counted(values, bins)
    return go.Scatter(
        x=bins.middles, y=counts / len(values), mode="lines", name=name, meta={"name": name},
        line={"color": style.colour, "dash": style.dash, "width": 2, "shape": "hvh"},
        customdata=np.column_stack([counts, bins.edges[:-1], bins.edges[1:]]),
        hovertemplate=f"<b>{as_label(name)}</b><br>%{{customdata[0]:,}} of {len(values):,} units "
        "(%{y:.2%})"
        "<br>score from %{customdata[1]:.2e} to %{customdata[2]:.2e}<extra></extra>",
    )  # fmt: skip


def _score_axes(figure: go.Figure, bins: Bins) -> None:
    decades = np.log10(bins.edges[[0, -1]])
    figure.update_xaxes(
        type="log", **theme.POWERS, range=decades.tolist(),
        dtick=int((decades[1] - decades[0]) // 14) + 1,
    )  # fmt: skip


# One task's scores: all units, each layer, each module


def _detailed(
    scores: FisherScores, values: np.ndarray, layers: Groups, modules: Groups, bins: Bins
) -> go.Figure:
    heights = [_TOP, _ROW * max(4, len(layers)), _ROW * max(4, len(modules))]
    height = sum(heights) + 200
    figure = make_subplots(
        3, 1, shared_xaxes=True, row_heights=heights, vertical_spacing=38 / (height - 110),
        subplot_titles=["all units", "each layer", "each module"],
    )  # fmt: skip
    figure.update_annotations(font_size=theme.TEXT, x=0, xanchor="left")
    style = Style(BLUE, "solid", "circle")
    line = _outline("all units", values, bins, style)
    line.update(fill="tozeroy", fillcolor="rgba(0,114,178,0.15)", showlegend=False)
    figure.add_trace(line, 1, 1)
    for row, (kind, groups) in enumerate((("layer", layers), ("module", modules)), start=2):
        figure.add_trace(_rows(kind, scores, groups, bins), row, 1)
        figure.update_yaxes(autorange="reversed", showgrid=False, ticks="", dtick=1, row=row, col=1)
    figure.update_yaxes(title_text="share of units", tickformat=".1~%", rangemode="tozero",
                        row=1, col=1)  # fmt: skip
    _score_axes(figure, bins)
    figure.update_xaxes(title_text=SCORE, row=3, col=1)
    return figure.update_layout(
        coloraxis={
            "colorscale": theme.CELLS,
            "cmin": 0,
            "colorbar": theme.colour_bar(
                "share of the row's units per bin",
                tickformat=".0%",
                y=0,
                yanchor="bottom",
                len=(height - 110 - _TOP - 50) / (height - 110),
            ),
        },
        height=height,
        margin={"t": 28, "l": 130},
        hovermode="closest",
    )


def _rows(kind: str, scores: FisherScores, groups: Groups, bins: Bins) -> go.Heatmap:
    """A row per group: the share of its units in each bin; empty bins are blank."""
    joined = [np.concatenate([scores.units[n].double().numpy() for n in members])
              for members in groups.values()]  # fmt: skip
    counts = np.array([counted(values, bins) for values in joined])
    sizes = np.array([len(values) for values in joined])
    shares = counts / np.maximum(sizes, 1)[:, None]
    return go.Heatmap(
        x=bins.middles, y=list(groups), z=np.where(counts > 0, shares, None), name=f"each {kind}",
        coloraxis="coloraxis", customdata=np.stack(np.broadcast_arrays(counts, sizes[:, None]), -1),
        ygap=1, hoverongaps=False,
        hovertemplate="<b>%{y}</b><br>%{customdata[0]:,} of its %{customdata[1]:,} units "
        "(%{z:.2%})<br>score around %{x:.2e}<extra></extra>",
    )  # fmt: skip


# Texts


def _width(width: float) -> str:
    parts = {0.1: "a tenth of a power", 0.2: "a fifth of a power", 0.5: "half a power",
             1: "one power"}  # fmt: skip
    return f"{parts.get(width, f'{width:g} powers')} of ten"


def _zeros(units: Mapping[str, np.ndarray]) -> str:
    """A sentence on the scores of 0, which a log axis leaves out; empty if there are none."""
    zeros = [int((values == 0).sum()) for values in units.values()]
    shares = [zero / len(values) for zero, values in zip(zeros, units.values(), strict=True)]
    if not any(zeros):
        return ""
    if len(zeros) == 1:
        (count,) = (len(values) for values in units.values())
        amount = f"{zeros[0]:,} of {count:,} units ({theme.percent(shares[0])})"
    else:
        low, high = theme.percent(min(shares)), theme.percent(max(shares))
        amount = f"{low if low == high else f'{low} to {high}'} of the units"
    return f"{amount} score exactly 0, which has no place on a log axis."


def _describe(units: Mapping[str, np.ndarray]) -> str:
    sentences = []
    for name, values in units.items():
        low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
        zero = int((values == 0).sum())
        sentences.append(
            f"{name}: {len(values):,} units, median score {middle:.1e}, the middle half from "
            f"{low:.1e} to {high:.1e}, the highest {values[0]:.1e}"
            + (
                f"; {zero:,} ({theme.percent(zero / len(values))}) score exactly 0."
                if zero
                else "."
            )
        )
    return " ".join(sentences)
