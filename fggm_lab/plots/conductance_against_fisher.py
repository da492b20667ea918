"""Do neuron conductance and Fisher scores name the same units? Their rank correlation by weight."""

import math
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any, NamedTuple

import plotly.graph_objects as go

from fggm_lab.errors import SettingError
from fggm_lab.models.names import layer_name
from fggm_lab.plots import theme
from fggm_lab.plots.finish import finish
from fggm_lab.plots.parameter_groups import by_module, is_merged
from fggm_lab.plots.styles import task_styles
from fggm_lab.plots.thinning import MAX_POINTS

Row = Mapping[str, Any]

_MODULES = 16
"""The maximum of modules with a colour of their own; of more, experts share a colour."""
_LABELS = 24
"""The most layers named along the axis."""
_WIDTH = 0.7
"""The part of a layer's width on the axis that the dots of its modules share."""


class _Dot(NamedTuple):
    """One weight, or all weights of one module in one layer."""

    layer: int | None
    middle: float
    low: float
    high: float
    text: str


def conductance_against_fisher(rows: Sequence[Row]) -> go.Figure:
    """Spearman's rank correlation of conductance and Fisher score over each weight's units.

    Args:
        rows: what `fggm_lab.attribution.beside_fisher` returned, a row per weight.

    Returns:
        The figure: a dot per weight; of a large model one per layer and module, with its range.

    Raises:
        SettingError: there are no rows, or none has a correlation.
    """
    correlated = _correlated_rows(rows)
    layers: list[int | None] = sorted({row["layer"] for row in correlated} - {None})
    if any(row["layer"] is None for row in correlated):
        layers.append(None)
    summarised = len(correlated) > MAX_POINTS
    groups = by_module([row["name"] for row in correlated], _MODULES)
    named = {row["name"]: row for row in correlated}
    styles = task_styles(list(groups))
    figure = go.Figure()
    for number, (module, names) in enumerate(groups.items()):
        dots = _dots([named[name] for name in names], summarised)
        offset = _WIDTH * ((number + 0.5) / len(groups) - 0.5)
        figure.add_scatter(
            x=[layers.index(dot.layer) + offset for dot in dots],
            y=[dot.middle for dot in dots],
            error_y={
                "array": [dot.high - dot.middle for dot in dots],
                "arrayminus": [dot.middle - dot.low for dot in dots],
                "visible": summarised, "thickness": 1, "width": 2,
            },
            mode="markers", name=module, customdata=[dot.text for dot in dots],
            marker={"color": styles[module].colour, "symbol": styles[module].symbol, "size": 9},
            hovertemplate="%{customdata}<extra></extra>",
        )  # fmt: skip
    figure.add_hline(y=0, line={"color": theme.INK, "width": 1})
    layers_per_label = -(-len(layers) // _LABELS)
    figure.update_xaxes(
        title_text="layer", showgrid=False, range=[-0.6, len(layers) - 0.4],
        tickvals=list(range(0, len(layers), layers_per_label)),
        ticktext=["outside" if n is None else str(n) for n in layers[::layers_per_label]],
    )  # fmt: skip
    figure.update_yaxes(title_text="rank correlation (Spearman's ρ)", range=[-1.05, 1.05])
    figure.update_layout(
        height=390, hovermode="closest", showlegend=True, legend={"title": {"text": "module"}},
    )  # fmt: skip
    return finish(
        figure,
        "Do conductance and Fisher name the same units?",
        _caption(rows, correlated, summarised, is_merged(groups)),
        _describe(rows, correlated),
    )


def _correlated_rows(rows: Sequence[Row]) -> list[Row]:
    """The rows that have a correlation."""
    correlated = [row for row in rows if row["correlation"] is not None]
    if not correlated:
        raise SettingError(
            "there is no rank correlation to draw; give what beside_fisher returned, of weights "
            "whose units do not all score the same"
        )
    return correlated


def _dots(rows: Sequence[Row], summarised: bool) -> list[_Dot]:
    """A dot per row; if `summarised`, one per layer with the median and the range of its rows."""
    if not summarised:
        pairs = [(row, row["correlation"]) for row in rows]
        return [_Dot(row["layer"], rho, rho, rho, _hover(row)) for row, rho in pairs]
    correlations: dict[int | None, list[float]] = {}
    for row in rows:
        correlations.setdefault(row["layer"], []).append(row["correlation"])
    return [
        _Dot(
            layer, median(values), min(values), max(values),
            f"<b>{len(values):,} weights</b>, {layer_name(layer)}<br>ρ median "
            f"{median(values):.2f}, from {min(values):.2f} to {max(values):.2f}",
        )
        for layer, values in correlations.items()
    ]  # fmt: skip


def _hover(row: Row) -> str:
    return (
        f"<b>{row['name']}</b><br>ρ = {row['correlation']:.3f} over {row['units']:,} units"
        f"<br>by chance 0 ± {_chance(row['units']):.3f}"
    )


def _chance(units: int) -> float:
    """The standard deviation of ρ between two orders of n units drawn by chance, 1/√(n − 1)."""
    return 1 / math.sqrt(max(units - 1, 1))


def _caption(rows: Sequence[Row], correlated: Sequence[Row], summarised: bool, merged: bool) -> str:
    fewest = min(row["units"] for row in correlated)
    text = (
        "Each dot is a weight, its units ranked once by conductance (how much of the answers' "
        "log-likelihood flows through them) and once by Fisher score: 1 the same order, 0 "
        "unrelated, −1 reversed. "
        f"Chance alone gives 0 ± {_chance(fewest):.2f} or less ({fewest:,} units or more)."
    )
    if summarised:
        text = text.replace("Each dot is a weight", "A dot is the median of a layer's weights of "
                            "one module, the bar their range; of each weight")  # fmt: skip
    if merged:
        text += " Weights of a layer that differ in a number alone, as experts do, share a colour."
    if left := len(rows) - len(correlated):
        text += f" Left out: {left} of {len(rows)} weights, whose units all score the same."
    return text


def _describe(rows: Sequence[Row], correlated: Sequence[Row]) -> str:
    order = sorted(correlated, key=lambda row: row["correlation"])
    lowest, highest = order[0], order[-1]
    above = sum(row["correlation"] > 2 * _chance(row["units"]) for row in correlated)
    text = (
        f"Rank correlation of conductance and Fisher score over the units of {len(correlated)} "
        f"weights: median {median(row['correlation'] for row in correlated):.2f}, from "
        f"{lowest['correlation']:.2f} ({lowest['name']}) to {highest['correlation']:.2f} "
        f"({highest['name']}). In {above} of them it is above what chance gives (two standard "
        "deviations)."
    )
    left = len(rows) - len(correlated)
    return text + (f" {left} more have none, for their units all score the same." if left else "")
