"""The pictures of `docs/results.md`: what every method keeps, at whatever it has learned."""

from collections.abc import Mapping, Sequence
from statistics import fmean, stdev

import plotly.graph_objects as go
from plotly.subplots import make_subplots

import fggm_lab as lab
from fggm_lab.plots.finish import finish
from fggm_lab.plots.styles import Style, method_styles
from studies.compared import METHOD_ORDER, rows_of
from studies.main_tables import HEADLINE, MORE_PICTURE, RATE_STUDIES, rate_rows
from studies.markdown import by, heading, method_of
from studies.page import PAGE
from studies.protocol import MORE
from studies.rows import Row, former_rows

PICTURE = PAGE.with_name("rates.png")
PANELS = ("general_after", "op_final")
REAL_PICTURE = PAGE.with_name("real-model.png")
RISE = "general_rise"
"""What the loss on held-out texts rose by."""
REAL_PANELS = {RISE: "rise of the loss on four texts (nats a token)", "op_final": "OP (0–1)"}


def trade_off(rows: Sequence[Row]) -> go.Figure:
    """General and OP against learning accuracy: a line for each method, a point for each rate.

    Args:
        rows: of methods over several rates and seeds; points are means over the seeds.

    Returns:
        The figure, one panel for each number.
    """
    figure = _panels(rows, "learning_accuracy", {n: f"{heading(n)} (0–1)" for n in PANELS})
    figure.update_xaxes(title_text="learning accuracy (0–1)")
    caption = (
        f"{_through_rates(rows)} Of two lines the "
        "upper one keeps more of what the model knew (left), or ends with better tasks (right), "
        "at the same learning accuracy."
    )
    return finish(figure, "Methods along their learning rates", caption, caption)


def real_model(rows: Sequence[Row]) -> go.Figure:
    """What a real model's losses on texts rose by, and OP, against what it has learned.

    Args:
        rows: of the study `smollm2`.

    Returns:
        The figure, one panel for each number; to the right, more was learned.
    """
    risen = [{**row, RISE: row["general_after"] - row["general_before"]} for row in rows]
    figure = _panels(risen, "loss_learned", REAL_PANELS)
    figure.update_xaxes(
        title_text="loss on each task, when learned (nats a token)", autorange="reversed"
    )
    caption = (
        f"{_through_rates(rows)} To the right more was learned; of two points one above the other "
        "the lower one keeps more of the texts (left), and the upper one more of the tasks (right)."
    )
    return finish(figure, "SmolLM2-135M along learning rates", caption, caption)


def _panels(rows: Sequence[Row], along: str, numbers: Mapping[str, str]) -> go.Figure:
    """A panel per number, with its axis's title; in each a line per method through its rates."""
    groups = by(sorted(rows, key=lambda row: METHOD_ORDER.index(row["method"])), method_of)
    styles = method_styles(list(groups))
    figure = make_subplots(cols=len(numbers), horizontal_spacing=0.1)
    for method, method_rows in groups.items():
        rising = sorted(method_rows, key=lambda row: float(row["lr"]))
        points = list(by(rising, lambda row: str(row["lr"])).values())
        for col, number in enumerate(numbers, 1):
            line = _line(method, points, along, number, styles[method])
            figure.add_trace(line.update(showlegend=col == 1), col=col, row=1)
    for col, title in enumerate(numbers.values(), 1):
        figure.update_yaxes(title_text=title, col=col)
    return figure.update_layout(
        height=440, margin={"t": 40, "b": 56, "l": 64, "r": 16},
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
    )  # fmt: skip


def _through_rates(rows: Sequence[Row]) -> str:
    """What lines, points and bars are."""
    seeds = len({row["seed"] for row in rows})
    rates = sorted({row["lr"] for row in rows})
    of_seeds = (
        f"means over {seeds} seeds, bars are their sample standard deviation"
        if seeds > 1
        else "one seed"
    )
    return (
        f"Each line goes through the learning rates of its method, {rates[0]:g} to {rates[-1]:g}; "
        f"{of_seeds}."
    )


def _line(
    method: str, points: Sequence[Sequence[Row]], along: str, number: str, style: Style
) -> go.Scatter:
    def means(name: str) -> list[float]:
        return [fmean(row[name] for row in rows) for rows in points]

    def spreads(name: str) -> list[float]:
        return [stdev(row[name] for row in rows) if len(rows) > 1 else 0.0 for rows in points]

    return go.Scatter(
        x=means(along), y=means(number), name=method, legendgroup=method,
        mode="lines+markers",
        error_x={"array": spreads(along), "thickness": 1, "width": 3},
        error_y={"array": spreads(number), "thickness": 1, "width": 3},
        line={"color": style.colour, "dash": style.dash, "width": 2},
        marker={"symbol": style.symbol, "size": 9},
    )  # fmt: skip


def draw() -> None:
    """Draw the methods of the page's first table, the others, and those on the real model."""
    lines = rate_rows(*RATE_STUDIES) or by(former_rows("rates"), method_of)
    first = [row for method, rows in lines.items() if method in HEADLINE for row in rows]
    more = [row for method, rows in lines.items() if method not in HEADLINE for row in rows]
    lab.plots.export(trade_off(first).update_layout(width=960), PICTURE)
    if any(method in MORE for method in lines):
        lab.plots.export(trade_off(more).update_layout(width=960), MORE_PICTURE)
    if real := rows_of("smollm2"):
        lab.plots.export(real_model(real).update_layout(width=960), REAL_PICTURE)
