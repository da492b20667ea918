"""Do neuron conductance and Fisher scores name the same units? Their rank correlation by weight."""

import math
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any, NamedTuple

import plotly.graph_objects as go

from fggm_lab.errors import SettingError
from fggm_lab.plots import theme
from fggm_lab.plots.layer_shares import layer_name
from fggm_lab.plots.parameter_groups import by_module, merged
from fggm_lab.plots.thinning import POINTS

Row = Mapping[str, Any]

_MODULES = 16
"""The most modules told apart; experts that differ in their number alone then share a colour."""
_LABELS = 24
"""The most layers named along the axis."""
_WIDTH = 0.7
"""How much of a layer's place its dots take up, a module beside the other."""


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

    Raises:
        SettingError: there are no rows, or none has a correlation.
    """
    known = _known(rows)
    layers: list[int | None] = sorted({row["layer"] for row in known} - {None})
    if any(row["layer"] is None for row in known):
        layers.append(None)
    gathered = len(known) > POINTS
    groups = by_module([row["name"] for row in known], _MODULES)
    named = {row["name"]: row for row in known}
    styles = theme.task_styles(list(groups))
    figure = go.Figure()
    for number, (module, names) in enumerate(groups.items()):
        dots = _dots([named[name] for name in names], gathered)
        aside = _WIDTH * ((number + 0.5) / len(groups) - 0.5)
        figure.add_scatter(
            x=[layers.index(dot.layer) + aside for dot in dots],
            y=[dot.middle for dot in dots],
            error_y={
                "array": [dot.high - dot.middle for dot in dots],
                "arrayminus": [dot.middle - dot.low for dot in dots],
                "visible": gathered, "thickness": 1, "width": 2,
            },
            mode="markers", name=module, customdata=[dot.text for dot in dots],
            marker={"color": styles[module].colour, "symbol": styles[module].symbol, "size": 9},
            hovertemplate="%{customdata}<extra></extra>",
        )  # fmt: skip
    figure.add_hline(y=0, line={"color": theme.INK, "width": 1})
    each = -(-len(layers) // _LABELS)
    figure.update_xaxes(
        title_text="layer", showgrid=False, range=[-0.6, len(layers) - 0.4],
        tickvals=list(range(0, len(layers), each)),
        ticktext=["outside" if n is None else str(n) for n in layers[::each]],
    )  # fmt: skip
    figure.update_yaxes(title_text="rank correlation (Spearman's ρ)", range=[-1.05, 1.05])
    figure.update_layout(
        height=420, margin={"t": 24, "r": 16}, hovermode="closest", showlegend=True,
        legend={"title": {"text": "module"}},
    )  # fmt: skip
    return theme.finish(
        figure,
        "Do conductance and Fisher name the same units?",
        _caption(rows, known, gathered, merged(groups)),
        _describe(rows, known),
    )


def describe_conductance(rows: Sequence[Row]) -> str:
    """The figure in words: the middle correlation, the range, and where its ends are."""
    return _describe(rows, _known(rows))


def _known(rows: Sequence[Row]) -> list[Row]:
    """The rows that have a correlation."""
    known = [row for row in rows if row["correlation"] is not None]
    if not known:
        raise SettingError(
            "there is no rank correlation to draw; give what beside_fisher returned, of weights "
            "whose units do not all score the same"
        )
    return known


def _dots(rows: Sequence[Row], gathered: bool) -> list[_Dot]:
    """A dot per row, or, `gathered`, one per layer with the median and the range."""
    if not gathered:
        values = [(row, row["correlation"]) for row in rows]
        return [_Dot(row["layer"], rho, rho, rho, _hover(row)) for row, rho in values]
    found: dict[int | None, list[float]] = {}
    for row in rows:
        found.setdefault(row["layer"], []).append(row["correlation"])
    return [
        _Dot(
            layer, median(some), min(some), max(some),
            f"<b>{len(some):,} weights</b>, {layer_name(layer)}<br>ρ median {median(some):.2f}, "
            f"from {min(some):.2f} to {max(some):.2f}",
        )
        for layer, some in found.items()
    ]  # fmt: skip


def _hover(row: Row) -> str:
    return (
        f"<b>{row['name']}</b><br>ρ = {row['correlation']:.3f} over {row['units']:,} units"
        f"<br>by chance 0 ± {_chance(row['units']):.3f}"
    )


def _chance(units: int) -> float:
    """The standard deviation of ρ between two orders of n units drawn by chance, 1/√(n − 1)."""
    return 1 / math.sqrt(max(units - 1, 1))


def _caption(rows: Sequence[Row], known: Sequence[Row], gathered: bool, alike: bool) -> str:
    fewest = min(row["units"] for row in known)
    text = (
        "Each dot is a weight, its units ranked once by conductance (how much of the answers' "
        "log-likelihood flows through them) and once by Fisher score: 1 the same order, 0 "
        "unrelated, −1 reversed. "
        f"Chance alone gives 0 ± {_chance(fewest):.2f} or less ({fewest:,} units or more)."
    )
    if gathered:
        text = text.replace("Each dot is a weight", "A dot is the median of a layer's weights of "
                            "one module, the bar their range; of each weight")  # fmt: skip
    if alike:
        text += " Weights of a layer that differ in a number alone, as experts do, share a colour."
    if left := len(rows) - len(known):
        text += f" Left out: {left} of {len(rows)} weights, whose units all score the same."
    return text


def _describe(rows: Sequence[Row], known: Sequence[Row]) -> str:
    order = sorted(known, key=lambda row: row["correlation"])
    lowest, highest = order[0], order[-1]
    above = sum(row["correlation"] > 2 * _chance(row["units"]) for row in known)
    text = (
        f"Rank correlation of conductance and Fisher score over the units of {len(known)} weights: "
        f"median {median(row['correlation'] for row in known):.2f}, from "
        f"{lowest['correlation']:.2f} ({lowest['name']}) to {highest['correlation']:.2f} "
        f"({highest['name']}). In {above} of them it is above what chance gives (two standard "
        "deviations)."
    )
    left = len(rows) - len(known)
    return text + (f" {left} more have none, for their units all score the same." if left else "")
