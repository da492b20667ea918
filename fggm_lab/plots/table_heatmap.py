"""Small tables as heatmaps: a number in every cell, one colour scale, room for the names."""

from collections.abc import Sequence

import plotly.graph_objects as go

from fggm_lab.plots import theme

Table = Sequence[Sequence[float | None]]
"""Rows of cells; a cell without a number is None and left blank."""

CELL = 46
"""Height of a cell in pixels."""


def table_heatmap(
    columns: Sequence[str],
    rows: Sequence[str],
    table: Table,
    hover: Sequence[Sequence[str]],
    heading: str,
) -> go.Heatmap:
    """The heatmap of a table, coloured by the figure's shared scale.

    Args:
        columns: names along the horizontal axis.
        rows: names along the vertical axis, the first at the top.
        table: (rows, columns) numbers from 0 to 1.
        hover: (rows, columns) what the tooltip of a cell says, below its heading.
        heading: of every tooltip; `%{x}` stands for the column's name, `%{y}` for the row's.

    Returns:
        The trace; `set_table_layout` gives its figure axes and the colour scale.
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


def set_table_layout(figure: go.Figure, rows: int, scale: str) -> go.Figure:
    """Set axes, a colour scale from 0 to 1, and a height that fits the rows.

    Args:
        figure: of panels made by `table_heatmap`, all of as many rows; changed in place.
        rows: how many rows a panel has.
        scale: the title of the colour scale.

    Returns:
        The figure.
    """
    figure.update_xaxes(showgrid=False, ticks="", constrain="domain", autotickangles=[0, 90])
    figure.update_yaxes(autorange="reversed", showgrid=False, ticks="")
    return figure.update_layout(
        coloraxis={
            "colorscale": theme.CELLS,
            "cmin": 0,
            "cmax": 1,
            "colorbar": {
                "title": {"text": scale, "side": "right", "font": {"size": theme.TEXT}},
                "thickness": 12,
                "outlinewidth": 0,
            },
        },
        height=max(300, CELL * rows + 150),
        margin={"t": 28, "l": 110, "r": 10},
    )
