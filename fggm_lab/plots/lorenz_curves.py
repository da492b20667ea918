"""Lorenz curves of Fisher scores: how few units hold how much of the information."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go

from fggm_lab.errors import SettingError
from fggm_lab.fisher.concentration import all_units, gini, lorenz
from fggm_lab.fisher.scores import FisherScores
from fggm_lab.mask_settings import kept_count
from fggm_lab.plots import theme
from fggm_lab.plots.labels import as_label
from fggm_lab.plots.styles import line_styles
from fggm_lab.plots.template import Numbers, Slot, Template, Text, fill
from fggm_lab.plots.thinning import MAX_POINTS, thin_sorted


def lorenz_curves(
    scores: FisherScores | Mapping[str, FisherScores], keep: float = 0.3
) -> go.Figure:
    """The share of all Fisher information that the highest units hold, a curve per task.

    Args:
        scores: of one task, or of several by name.
        keep: the share of units to mark, in (0, 1].

    Returns:
        The figure: a curve per task, from the highest unit to all units.

    Raises:
        SettingError: there are no scores, or `keep` is outside what it may be.
        DataError: a score is negative or not finite.
    """
    curves = _curves(scores)
    return fill(_template(curves, None), _numbers(curves, keep))


def lorenz_curves_template(
    scores: FisherScores | Mapping[str, FisherScores], layer: int | None = None
) -> Template:
    """The figure of `lorenz_curves` without its mark, and without what its words say of it.

    Args:
        scores: as `lorenz_curves` takes them.
        layer: whose scores these are, for a page that has those of the whole model: its number,
            `mask_overlap.OUTSIDE_LAYERS`, or None for the whole model.

    Returns:
        The template that `lorenz_curves_numbers` fills.

    Raises:
        SettingError: there are no scores.
        DataError: a score is negative or not finite.
    """
    return _template(_curves(scores), layer)


class _Curve(NamedTuple):
    """A task's Lorenz curve, and its Gini coefficient."""

    shares: np.ndarray
    gini: float


def _template(curves: Mapping[str, _Curve], layer: int | None) -> Template:
    figure = go.Figure()
    figure.add_scatter(
        x=[0, 1], y=[0, 1], mode="lines", name="all units alike",
        line={"color": theme.INK, "dash": "dot", "width": 1}, hoverinfo="skip",
    )  # fmt: skip
    styles = line_styles(list(curves))
    for name, (shares, gini_coefficient) in curves.items():
        # the curve starts at 0; it only rises, so that reversed it is sorted from the largest down
        positions, heights = thin_sorted(np.append(0.0, shares)[::-1], MAX_POINTS // len(curves))
        style = styles[name]
        figure.add_scatter(
            x=1 - positions / len(shares), y=heights, mode="lines",
            name=f"{name} (Gini {gini_coefficient:.2f})",
            line={"color": style.colour, "dash": style.dash, "width": 2},
            meta={"name": name},
            hovertemplate="the top %{x:.1%} of units hold %{y:.1%}"
            f"<extra>{as_label(name)}</extra>",
        )  # fmt: skip
    figure.add_vline(x=0, line={"color": theme.INK, "dash": "dash", "width": 1})
    figure.update_xaxes(title_text="units, highest score first (share of all units)",
                        tickformat=".0%", range=[0, 1])  # fmt: skip
    figure.update_yaxes(
        title_text="share of all Fisher information", tickformat=".0%", range=[0, 1.02]
    )
    figure.update_layout(height=410, hovermode="closest")
    slots = tuple(Slot(("layout", "shapes", 0, key), ("keep",)) for key in ("x0", "x1"))
    settings = {
        "tasks": list(curves),
        "layer": layer,
        "unit_counts": [len(curve.shares) for curve in curves.values()],
        "tenths": [share_held(curve.shares, 0.1) for curve in curves.values()],
        "ginis": [curve.gini for curve in curves.values()],
    }
    return Template("lorenz_curves", settings, figure, slots, _TEXTS)


_TEXTS = {
    "title": Text("Concentration of Fisher information"),
    "caption": Text(
        "How few units hold how much: all units, highest Fisher score first. The "
        "further a curve bends from the dotted line, the more unequal the units; the Gini "
        "coefficient is twice the area between them. Dashed: the top {keep:percent}."
    ),
    "description": Text(
        "{tasks}: of {unit_counts:,} units the top 10 % hold {tenths:percent} of the Fisher "
        "information, the top {keep:percent} hold {held_shares:percent}; "
        "Gini coefficient {ginis:.2f}.",
        join=" ",
    ),
}


def lorenz_curves_numbers(
    scores: FisherScores | Mapping[str, FisherScores], keep: float = 0.3
) -> Numbers:
    """What fills `lorenz_curves_template`.

    Args:
        scores: as `lorenz_curves` takes them.
        keep: the share of units to mark, in (0, 1].

    Returns:
        The keep share, and for each task what the highest units hold.

    Raises:
        SettingError: there are no scores, or `keep` is outside what it may be.
        DataError: a score is negative or not finite.
    """
    return _numbers(_curves(scores), keep)


def _numbers(curves: Mapping[str, _Curve], keep: float) -> Numbers:
    return {
        "keep": keep,
        "held_shares": [share_held(curve.shares, keep) for curve in curves.values()],
    }


def share_held(shares: np.ndarray, keep: float) -> float:
    """The share of the total that the top round(keep · n) units hold, from their Lorenz curve."""
    count = kept_count(keep, len(shares))
    return float(shares[count - 1]) if count else 0.0


def _curves(scores: FisherScores | Mapping[str, FisherScores]) -> dict[str, _Curve]:
    if isinstance(scores, FisherScores):
        scores = {scores.info.task or "scores": scores}
    if not scores:
        raise SettingError("there are no Fisher scores to draw; give those of at least one task")
    values = {name: all_units(task_scores) for name, task_scores in scores.items()}
    return {name: _Curve(lorenz(units), gini(units)) for name, units in values.items()}
