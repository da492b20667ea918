"""The tasks along an axis of training steps: where each ends, and its name below the panels."""

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from fggm_lab.plots import theme
from fggm_lab.plots.labels import as_label
from fggm_lab.plots.score_curves import Curves, Segment


def axis_suffix(row: int) -> str:
    """What a row's axes have behind their names."""
    return "" if row == 1 else str(row)


def mark_tasks(
    figure: go.Figure,
    curves: Sequence[Curves],
    marked: Sequence[str],
    shaded: str | None = None,
) -> None:
    """A line where each task ends, steps above the first panel, the tasks' names below the last.

    The names are the ticks of a second axis, so that they turn when there is little room. Panels
    whose tasks begin at other steps get names of their own.

    Args:
        figure: changed in place.
        curves: for each panel, the run whose tasks it marks.
        marked: the names of the tasks to mark.
        shaded: the task whose own training is shaded.
    """
    rows = len(curves)
    shapes: list[dict[str, Any]] = []
    for row, run_curves in enumerate(curves, start=1):
        suffix = axis_suffix(row)
        segments = [segment for segment in run_curves.segments if segment.name in marked]
        for segment in segments:
            box: dict[str, Any] = {
                "xref": f"x{suffix}",
                "yref": f"y{suffix} domain",
                "x1": segment.end,
                "y0": 0,
                "y1": 1,
                "layer": "below",
            }
            if segment.name == shaded:
                area = {"x0": segment.start, "fillcolor": theme.SHADE, "line": {"width": 0}}
                shapes.append(box | area | {"type": "rect"})
            edge = {"color": theme.INK, "width": 1, "dash": "dot"}
            line = {"type": "line", "x0": segment.end, "line": edge, "opacity": 0.6}
            shapes.append(box | line)
        if row == rows or run_curves.segments != curves[-1].segments:
            _name_axis(figure, segments, rows + row, suffix)
    figure.update_layout(shapes=shapes)
    last = max(c.planned for c in curves) or 1
    figure.update_xaxes(range=[-0.015 * last, 1.015 * last], showgrid=False)
    figure.update_xaxes(showticklabels=False, ticks="", row=rows, col=1)
    figure.update_xaxes(
        side="top", showticklabels=True, ticks="outside", title_text="training step", row=1, col=1
    )


def _name_axis(figure: go.Figure, segments: Sequence[Segment], number: int, panel: str) -> None:
    figure.update_layout(
        {
            f"xaxis{number}": {
                "overlaying": f"x{panel}",
                "matches": "x",
                "side": "bottom",
                "anchor": f"y{panel}",
                "title": {"text": "task in training"},
                "tickvals": [(s.start + s.end) / 2 for s in segments],
                "ticktext": [as_label(s.name) for s in segments],
                "autotickangles": [0, 90],
                "ticks": "",
                "showgrid": False,
            }
        }
    )
    line = go.Scatter(x=[None], y=[None], showlegend=False, hoverinfo="skip")
    figure.add_trace(line.update(xaxis=f"x{number}", yaxis=f"y{panel}"))
