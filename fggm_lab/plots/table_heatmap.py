"""Small tables as heatmaps: a number in every cell, one colour scale, room for the names."""

from collections.abc import Sequence

import plotly.graph_objects as go

from fggm_lab.plots import theme

Table = Sequence[Sequence[float | None]]
"""Rows of cells; a cell without a number is None and left blank."""

CELL = 46
"""Height of a cell in pixels."""


def cells(
    columns: Sequence[str],
    rows: Sequence[str],
    table: Table,
    hover: Sequence[Sequence[str]],
    heading: str,
) -> go.Heatmap:
    """The heatmap of a table, coloured by the figure's shared scale.

    Args:
        columns, rows: names along the two axes, first row at the top.
        table: (rows, columns) numbers from 0 to 1.
        hover: (rows, columns) what a cell says when pointed at, below its heading.
        heading: of every cell; `%{x}` stands for its column's name, `%{y}` for its row's.
    """
    return go.Heatmap(
        x=list(columns),
        y=list(rows),
        z=[list(row) for row in table],
        text=cell_texts(table),
        texttemplate="%{text}",
        textfont={"size": 11},
        customdata=[list(row) for row in hover],
        coloraxis="coloraxis",
        xgap=1,
        ygap=1,
        hoverongaps=False,
        hovertemplate=f"<b>{heading}</b><br>%{{customdata}}<extra></extra>",
    )


def cell_texts(table: Table) -> list[list[str]]:
    """`.37`: without the leading zero a number fits a narrow cell."""
    return [["" if v is None else f"{v:.2f}".removeprefix("0") for v in row] for row in table]


def frame(figure: go.Figure, rows: int, scale: str) -> go.Figure:
    """Axes, colour scale from 0 to 1, and a height that fits the rows.

    Args:
        figure: of panels made by `cells`, all of as many rows.
        rows: how many.
        scale: what the colours stand for.
    """
    figure.update_xaxes(showgrid=False, ticks="", constrain="domain", autotickangles=[0, 90])
    figure.update_yaxes(autorange="reversed", showgrid=False, ticks="")
    return figure.update_layout(
        coloraxis={
            "colorscale": theme.DEPTH,
            "cmin": 0,
            "cmax": 1,
            "colorbar": {
                "title": {"text": scale, "side": "right", "font": {"size": theme.TEXT}},
                "thickness": 12,
                "outlinewidth": 0,
            },
        },
        height=max(300, CELL * rows + 150),
        margin={"t": 40, "b": 70, "l": 110, "r": 10},
    )
