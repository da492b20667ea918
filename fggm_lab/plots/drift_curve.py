"""Attribution drift: how the tokens that answers depend on change from state to state."""

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from fggm_lab.errors import SettingError
from fggm_lab.plots.finish import finish
from fggm_lab.plots.styles import BLUE


def drift_curve(rows: Sequence[Mapping[str, Any]], reference: str) -> go.Figure:
    """The attribution drift of every state of a model, measured from its state after one task.

    Args:
        rows: what `fggm_lab.attribution.drift_along` returned.
        reference: the task whose state the others are compared with.

    Returns:
        The figure: drift (0 to 2) against the state of the model.

    Raises:
        SettingError: there are no rows.
    """
    if not rows:
        raise SettingError("there are no rows to draw; give what drift_along returned")
    names = [row["after"] or "before training" for row in rows]
    figure = go.Figure(
        go.Scatter(
            x=names, y=[row["drift"] for row in rows], mode="lines+markers",
            error_y={"array": [row["sd"] or 0 for row in rows], "thickness": 1, "width": 3},
            line={"color": BLUE}, marker={"size": 8}, showlegend=False,
            hovertemplate="%{x}: %{y:.3f}<extra></extra>",
        )
    )  # fmt: skip
    figure.update_xaxes(title_text="state of the model: after …", type="category")
    figure.update_yaxes(title_text="attribution drift (1 − cosine)", rangemode="tozero")
    figure.update_layout(height=390, hovermode="closest")
    caption = (
        f"How far the prompt tokens that {reference}'s answers depend on differ from those right "
        f"after {reference} was learned: 0 the same tokens, 1 unrelated ones, 2 the opposite. Bars "
        "are the spread over examples."
    )
    return finish(figure, f"What {reference} is answered by", caption, _describe(rows, reference))


def _describe(rows: Sequence[Mapping[str, Any]], reference: str) -> str:
    """The drift in every state of the model that was measured."""
    text = ", ".join(
        f"{row['after'] or 'before training'} {row['drift']:.2f}"
        for row in rows
        if row["drift"] is not None
    )
    return f"Attribution drift from the state after {reference}: {text}."
