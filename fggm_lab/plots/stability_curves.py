"""How many examples make a mask stable: agreement of masks from disjoint samples, as they grow."""

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from fggm_lab.errors import SettingError
from fggm_lab.masks.stability import examples_needed
from fggm_lab.plots import theme
from fggm_lab.plots.finish import finish
from fggm_lab.plots.labels import as_label
from fggm_lab.plots.styles import task_styles

Rows = Sequence[Mapping[str, Any]]
"""The rows that `mask_stability` returns."""


def stability_curves(rows: Rows | Mapping[str, Rows], reach: float = 0.8) -> go.Figure:
    """The Jaccard index of two masks from disjoint samples, against the samples' size.

    Args:
        rows: what `mask_stability` returned, or several such by name (of tasks, say).
        reach: the Jaccard index to mark, in (0, 1].

    Returns:
        The figure: a line per name, and a dotted one for chance.

    Raises:
        SettingError: there are no rows, or `reach` is outside what it may be.
    """
    rows_by_name = _rows_by_name(rows)
    figure = go.Figure()
    styles = task_styles(list(rows_by_name))
    for name, curve in rows_by_name.items():
        style = styles[name]
        figure.add_scatter(
            x=[row["examples"] for row in curve], y=[row["jaccard"] for row in curve],
            error_y={"array": [row["sd"] or 0 for row in curve], "thickness": 1, "width": 3},
            mode="lines+markers", name=name, meta={"name": name},
            line={"color": style.colour, "dash": style.dash},
            marker={"symbol": style.symbol, "size": 8},
            hovertemplate="%{x} examples: %{y:.3f}<extra>" + as_label(name) + "</extra>",
        )  # fmt: skip
    first = next(iter(rows_by_name.values()))
    figure.add_scatter(
        x=[row["examples"] for row in first], y=[row["expected"] for row in first],
        mode="lines", name="by chance", line={"color": theme.INK, "dash": "dot"},
    )  # fmt: skip
    figure.add_hline(y=reach, line={"color": theme.INK, "dash": "dash", "width": 1})
    sizes = sorted({row["examples"] for curve in rows_by_name.values() for row in curve})
    figure.update_xaxes(title_text="examples in each of the two samples", type="log",
                        tickvals=sizes, ticktext=[f"{n:,}" for n in sizes])  # fmt: skip
    figure.update_yaxes(title_text="Jaccard index of the two masks", range=[0, 1.02])
    figure.update_layout(height=390, hovermode="closest")
    caption = (
        "Two disjoint samples of a task's examples give two masks: how far do they agree? Bars are "
        "the spread over repeated divisions, the dotted line is two masks of chance, dashed: "
        f"a Jaccard index of {reach:g}."
    )
    return finish(figure, "Mask stability", caption, _describe(rows_by_name, reach))


def _describe(rows_by_name: Mapping[str, Rows], reach: float) -> str:
    """The agreement at the smallest and the largest size, and the size that reaches `reach`."""
    sentences = []
    for name, curve in rows_by_name.items():
        needed = examples_needed(curve, reach)
        low, high = curve[0], curve[-1]
        takes = (
            f"{reach:g} is not reached with {high['examples']:,}"
            if needed is None
            else f"{reach:g} takes about {needed:,}"
        )
        chance = "" if low["expected"] is None else f" ({low['expected']:.2f} by chance)"
        sentences.append(
            f"{name}: masks from {low['examples']:,} examples agree to {low['jaccard']:.2f}{chance}"
            f", from {high['examples']:,} to {high['jaccard']:.2f}; {takes}."
        )
    return " ".join(sentences)


def _rows_by_name(rows: Rows | Mapping[str, Rows]) -> dict[str, Rows]:
    rows_by_name = dict(rows) if isinstance(rows, Mapping) else {"masks": rows}
    if not rows_by_name or not all(rows_by_name.values()):
        raise SettingError("there are no rows to draw; give what mask_stability returned")
    return rows_by_name
