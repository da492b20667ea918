"""The pictures of `docs/results.md`: what every method keeps, at whatever it has learned."""

from collections.abc import Sequence
from statistics import fmean, stdev

import plotly.graph_objects as go
from plotly.subplots import make_subplots

import fggm_lab as lab
from fggm_lab.plots import theme
from studies.catalog import MORE
from studies.compared import METHOD_ORDER
from studies.main_tables import HEADLINE, MORE_PICTURE, RATE_STUDIES, rate_rows
from studies.markdown import by, heading, method_of
from studies.page import PAGE
from studies.rows import Row, former_rows

PICTURE = PAGE.with_name("rates.png")
PANELS = ("general_after", "op_final")


def trade_off(rows: Sequence[Row]) -> go.Figure:
    """General and OP against learning accuracy: a line for each method, a point for each rate.

    Args:
        rows: of methods over several rates and seeds; points are means over the seeds.

    Returns:
        The figure, one panel for each number.
    """
    groups = by(sorted(rows, key=lambda row: METHOD_ORDER.index(row["method"])), method_of)
    styles = theme.method_styles(list(groups))
    figure = make_subplots(cols=2, horizontal_spacing=0.1)
    for method, method_rows in groups.items():
        rising = sorted(method_rows, key=lambda row: float(row["lr"]))
        points = list(by(rising, lambda row: str(row["lr"])).values())
        for col, number in enumerate(PANELS, 1):
            line = _line(method, points, number, styles[method]).update(showlegend=col == 1)
            figure.add_trace(line, col=col, row=1)
    for col, number in enumerate(PANELS, 1):
        figure.update_yaxes(title_text=f"{heading(number)} (0–1)", col=col)
    figure.update_xaxes(title_text="learning accuracy (0–1)")
    figure.update_layout(
        height=440, margin={"t": 40, "b": 56, "l": 64, "r": 16},
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
    )  # fmt: skip
    seeds = len({row["seed"] for row in rows})
    rates = sorted({row["lr"] for row in rows})
    caption = (
        f"Each line goes through the learning rates of its method, {rates[0]:g} to {rates[-1]:g}; "
        f"means over {seeds} seeds, bars are their sample standard deviation. Of two lines the "
        "upper one keeps more of what the model knew (left), or ends with better tasks (right), "
        "at the same learning accuracy."
    )
    return theme.finish(figure, "Methods along their learning rates", caption, caption)


def _line(
    method: str, points: Sequence[Sequence[Row]], number: str, style: theme.Style
) -> go.Scatter:
    def means(name: str) -> list[float]:
        return [fmean(row[name] for row in rows) for rows in points]

    def spreads(name: str) -> list[float]:
        return [stdev(row[name] for row in rows) if len(rows) > 1 else 0.0 for rows in points]

    return go.Scatter(
        x=means("learning_accuracy"), y=means(number), name=method, legendgroup=method,
        mode="lines+markers",
        error_x={"array": spreads("learning_accuracy"), "thickness": 1, "width": 3},
        error_y={"array": spreads(number), "thickness": 1, "width": 3},
        line={"color": style.colour, "dash": style.dash, "width": 2},
        marker={"symbol": style.symbol, "size": 9},
    )  # fmt: skip


def draw() -> None:
    """Draw the methods of the page's first table, and the others, from the rows of the tuning."""
    lines = rate_rows(*RATE_STUDIES) or by(former_rows("rates"), method_of)
    first = [row for method, rows in lines.items() if method in HEADLINE for row in rows]
    more = [row for method, rows in lines.items() if method not in HEADLINE for row in rows]
    lab.plots.export(trade_off(first).update_layout(width=960), PICTURE)
    if any(method in MORE for method in lines):
        lab.plots.export(trade_off(more).update_layout(width=960), MORE_PICTURE)
