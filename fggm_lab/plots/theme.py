"""How figures look: one template, sizes, axes, and the space that texts and legends take.

Backgrounds are transparent, so a figure stands on the page's own. No colour of text has a contrast
of 4.5 : 1 on light and on dark pages: text takes the page's colour where the page allows it
(`PAGE_STYLE`), and is a grey that is readable on white elsewhere. `styles` has those of lines.
"""

from collections.abc import Iterable
from typing import Any

import plotly.graph_objects as go

from fggm_lab.plots.labels import with_labels
from fggm_lab.plots.styles import BLUE, PALETTE

INK = "#767676"
"""Text, axes and General: 4.5 : 1 on white."""
PAGE_STYLE = (
    ".js-plotly-plot .main-svg text[style*='fill: rgb(118, 118, 118)']"
    " { fill: currentColor !important; }"
)
"""A style sheet with which the text of figures, all that is filled with `INK`, has the colour of
the page's own text, in a light and in a dark page."""
FAINT = "rgba(127,127,127,0.25)"
CLEAR = "rgba(0,0,0,0)"
SHADE = "rgba(127,127,127,0.12)"
CELLS = "Viridis"
"""The colour scale of tables; it grows lighter for all kinds of colour vision."""

MENU: dict[str, Any] = {
    "type": "dropdown",
    "xanchor": "left",
    "x": 0,
    "y": 1,
    "yanchor": "bottom",
    "pad": {"b": 30},
    "bgcolor": "#eeeeee",
    "bordercolor": INK,
    "font": {"size": 12, "color": "#222222"},
}
"""A list to choose from inside a figure; opaque, since it opens over the plot."""
MENU_ROW = 66
"""Height in pixels of a row of such lists."""

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
TEXT, SMALL, TITLE = 13, 12, 17
"""Font sizes in pixels."""
MIN_WIDTH = 600
"""Pixels across which texts inside a figure neither meet nor are cut off."""
_BAR_ROW, _TITLE_ROW, _CAPTION_ROW, _LEGEND_ROW = 28, 8, 16, 19
"""Heights in pixels: Plotly's mode bar, what a title takes more than it, lines of texts."""

SCORE, NLL, COUNT = ".3f", ".3f", ",d"
"""Number formats in hover texts."""

POWERS = {"exponentformat": "power", "tickfont": {"size": TEXT / 1.25}}
"""For an axis that reads 10⁻³: plotly draws such ticks a quarter larger than others."""


def colour_bar(title: str, **settings: Any) -> dict[str, Any]:
    """A slim colour bar with its title along it."""
    return {
        "title": {"text": title, "side": "right", "font": {"size": TEXT}},
        "thickness": 12,
        "outlinewidth": 0,
        **settings,
    }


def _axis(**settings: Any) -> dict[str, Any]:
    return {
        "gridcolor": FAINT,
        "linecolor": INK,
        "zeroline": False,
        "ticks": "outside",
        "ticklen": 4,
        "tickcolor": INK,
        "automargin": True,
        "title": {"standoff": 8, "font": {"size": TEXT}},
        **settings,
    }


TEMPLATE = go.layout.Template(
    layout={
        "font": {"family": FONT, "size": TEXT, "color": INK},
        "title": {
            "x": 0,
            "xref": "container",
            "xanchor": "left",
            "y": 1,
            "yref": "container",
            "yanchor": "top",
            "pad": {"t": 12, "l": 12},
            "font": {"size": TITLE},
        },
        "paper_bgcolor": CLEAR,
        "plot_bgcolor": CLEAR,
        "colorway": list(PALETTE),
        "colorscale": {"sequential": CELLS},
        "hoverlabel": {"align": "left", "font": {"family": FONT, "size": TEXT}},
        "legend": {
            "font": {"size": SMALL},
            "bgcolor": CLEAR,
            "orientation": "h",
            "x": 0,
            "xref": "container",
            "y": 0,
            "yref": "container",
            "yanchor": "bottom",
            "itemsizing": "constant",
        },
        "modebar": {
            "bgcolor": CLEAR,
            "color": INK,
            "activecolor": BLUE,
            "remove": ["zoom", "pan", "select", "lasso", "zoomIn", "zoomOut", "autoScale"],
        },
        "xaxis": _axis(),
        "yaxis": _axis(),
        "margin": {"l": 64, "r": 16, "t": 20, "b": 16},
    }
)


def lay_out(figure: go.Figure) -> go.Figure:
    """Give a figure the template, and rows for its legend and for Plotly's mode bar.

    Args:
        figure: changed in place; `finish` does so, too.

    Returns:
        The figure.
    """
    height = (figure.layout.height or 450) + legend_height(with_labels(figure))
    return raise_top(figure.update_layout(template=TEMPLATE, height=height), _BAR_ROW)


def texts_height(lines: int) -> int:
    """Pixels that a title and the lines of a caption take above the panels."""
    return _TITLE_ROW + _CAPTION_ROW * lines


def legend_height(figure: go.Figure) -> int:
    """Pixels that the legend below the panels takes in a figure `MIN_WIDTH` wide.

    Args:
        figure: with all its traces.

    Returns:
        0 where it has no legend.
    """
    if figure.layout.showlegend is False or figure.layout.legend.visible is False:
        return 0
    names = [
        trace.name
        for trace in figure.data
        if trace.name and trace.showlegend is not False and trace.type != "heatmap"
    ]
    if len(names) < 2 and not figure.layout.showlegend:
        return 0
    per_row = max(1, MIN_WIDTH // (50 + round(6.5 * max(map(len, names)))))
    return _LEGEND_ROW * -(-len(names) // per_row) + 12


def raise_top(figure: go.Figure, pixels: int) -> go.Figure:
    """Add space above the plotting area, the panels keeping their size."""
    top = (figure.layout.margin.t or 0) + pixels
    figure.update_layout(margin_t=top, height=(figure.layout.height or 450) + pixels)
    return figure


def bare(figure: go.Figure) -> go.Figure:
    """A copy without title and caption, for where they are printed beside the figure.

    A row for Plotly's mode bar stays above the panels.

    Args:
        figure: that `finish` gave its texts; unchanged.

    Returns:
        The copy; `caption_of` and `description_of` still read its texts.
    """
    copy = go.Figure(figure)
    lines = (copy.layout.title.subtitle.text or "").count("<br>") + 1
    copy.layout.title = None
    return raise_top(copy, -texts_height(lines))


def gap(labels: Iterable[str]) -> float:
    """The space between two panels that holds the names at the left of the second.

    Args:
        labels: the names.

    Returns:
        As a share of the plotting area of a figure `MIN_WIDTH` wide.
    """
    return (7.4 * max(map(len, labels), default=0) + 16) / (MIN_WIDTH - 90)


def caption_of(figure: go.Figure) -> str:
    """The caption `finish` gave a figure."""
    return str((figure.layout.meta or {}).get("caption", ""))


def description_of(figure: go.Figure) -> str:
    """The text for people who cannot see the figure."""
    return str((figure.layout.meta or {}).get("description", ""))


def axis_range(values: Iterable[float], min_length: float = 0.02) -> list[float]:
    """The ends of an axis that holds the values with room at both ends.

    Args:
        values: at least one.
        min_length: of the axis, so that differences that are none do not fill the panel.

    Returns:
        The lower and the upper end.
    """
    numbers = list(values)
    low, high = min(numbers), max(numbers)
    room = 0.08 * (high - low) + max(0.0, min_length - (high - low)) / 2
    return [low - room, high + room]


def percent(share: float) -> str:
    """`0.3` → `30 %`; a share above 0 never reads `0 %`, one below 1 never `100 %`."""
    if 0 < share < 0.0005:
        return "<0.1 %"
    if 0.9995 < share < 1:
        return ">99.9 %"
    digits = 0 if round(share * 100, 9) == round(share * 100) else 1
    return f"{share * 100:.{digits}f} %"
