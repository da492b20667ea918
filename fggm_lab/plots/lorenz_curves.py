"""Lorenz curves of Fisher scores: how few units hold how much of the information."""

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go

from fggm_lab.errors import SettingError
from fggm_lab.fisher.concentration import all_units, gini, lorenz
from fggm_lab.fisher.scores import FisherScores
from fggm_lab.mask_settings import kept_count
from fggm_lab.plots import theme
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
    units = _named(scores, keep)
    figure = go.Figure()
    figure.add_scatter(
        x=[0, 1], y=[0, 1], mode="lines", name="all units alike",
        line={"color": theme.INK, "dash": "dot", "width": 1}, hoverinfo="skip",
    )  # fmt: skip
    styles = theme.line_styles(list(units))
    for name, values in units.items():
        shares = lorenz(values)
        # the curve starts at 0; it only rises, so that reversed it is sorted from the largest down
        positions, heights = thin_sorted(np.append(0.0, shares)[::-1], MAX_POINTS // len(units))
        style = styles[name]
        figure.add_scatter(
            x=1 - positions / len(values), y=heights, mode="lines",
            name=f"{name} (Gini {gini(values):.2f})",
            line={"color": style.colour, "dash": style.dash, "width": 2},
            meta={"name": name},
            hovertemplate="the top %{x:.1%} of units hold %{y:.1%}<extra>" + name + "</extra>",
        )  # fmt: skip
    figure.add_vline(x=keep, line={"color": theme.INK, "dash": "dash", "width": 1})
    figure.update_xaxes(title_text="units, highest score first (share of all units)",
                        tickformat=".0%", range=[0, 1])  # fmt: skip
    figure.update_yaxes(
        title_text="share of all Fisher information", tickformat=".0%", range=[0, 1.02]
    )
    figure.update_layout(height=410, hovermode="closest")
    caption = (
        "How few units hold how much: all units, highest Fisher score first. The "
        "further a curve bends from the dotted line, the more unequal the units; the Gini "
        "coefficient is twice the area between them. "
        f"Dashed: the top {theme.percent(keep)}."
    )
    return theme.finish(
        figure, "Concentration of Fisher information", caption, _describe(units, keep)
    )


def _describe(units: Mapping[str, np.ndarray], keep: float) -> str:
    sentences = []
    for name, values in units.items():
        shares = lorenz(values)
        tenth = theme.percent(share_held(shares, 0.1))
        sentences.append(
            f"{name}: of {len(values):,} units the top 10 % hold {tenth} of the Fisher "
            f"information, the top {theme.percent(keep)} hold "
            f"{theme.percent(share_held(shares, keep))}; Gini coefficient {gini(values):.2f}."
        )
    return " ".join(sentences)


def share_held(shares: np.ndarray, keep: float) -> float:
    """The share of the total that the top round(keep · n) units hold, from their Lorenz curve."""
    count = kept_count(keep, len(shares))
    return float(shares[count - 1]) if count else 0.0


def _named(scores: FisherScores | Mapping[str, FisherScores], keep: float) -> dict[str, np.ndarray]:
    kept_count(keep, 0)
    if isinstance(scores, FisherScores):
        scores = {scores.info.task or "scores": scores}
    if not scores:
        raise SettingError("there are no Fisher scores to draw; give those of at least one task")
    return {name: all_units(task_scores) for name, task_scores in scores.items()}
