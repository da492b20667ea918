"""How figures look: the Okabe-Ito palette, a fixed style per method, one template, captions.

Backgrounds are transparent and text is a grey that keeps a contrast of at least 4.2 : 1 on white
and on near-black, so that a figure reads in a light and in a dark notebook. Colour never stands
alone: a line also has its dash or its marker.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from textwrap import wrap
from typing import Any

import plotly.graph_objects as go
from plotly.colors import sample_colorscale

from fggm_lab.plots.notebook_figure import in_notebooks

BLUE, ORANGE, GREEN, VERMILLION = "#0072B2", "#E69F00", "#009E73", "#D55E00"
PURPLE, SKY, YELLOW, GREY = "#CC79A7", "#56B4E9", "#B3A100", "#999999"

PALETTE = (BLUE, ORANGE, GREEN, VERMILLION, SKY, PURPLE, YELLOW, GREY)
"""Okabe and Ito's colours (2008); the yellow is darkened, for theirs cannot be seen on white."""

SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "star", "triangle-down", "x")
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
INK = "#767676"
"""Text, axes and General: readable on white and on near-black."""
FAINT = "rgba(127,127,127,0.25)"
SHADE = "rgba(127,127,127,0.12)"
DEPTH = "Viridis"
"""The colour scale of depth and of overlap; it grows lighter for all kinds of colour vision."""

MENU = {
    "type": "dropdown",
    "xanchor": "left",
    "y": 1,
    "yanchor": "bottom",
    "pad": {"b": 30},
    "bgcolor": "#eeeeee",
    "bordercolor": INK,
    "font": {"size": 12, "color": "#222222"},
}
"""A list to choose from inside a figure; opaque, since it opens over the plot."""

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
TEXT, SMALL, TITLE = 13, 12, 17
"""Font sizes in pixels."""
CAPTION_WIDTH = 110
"""Characters per line of a caption drawn inside a figure."""

SCORE, NLL, COUNT = ".3f", ".3f", ",d"
"""Number formats in hover texts."""


@dataclass(frozen=True)
class Style:
    """The look of a line: colour, dash, and the symbol of its markers."""

    colour: str
    dash: str
    symbol: str


METHOD_STYLES = {
    "sft": Style(VERMILLION, "solid", "circle"),
    "migu": Style(ORANGE, "dashdot", "diamond"),
    "fggm": Style(BLUE, "solid", "square"),
    "random": Style(GREEN, "dot", "triangle-up"),
}
"""A method looks the same in every figure."""


def method_styles(labels: list[str]) -> dict[str, Style]:
    """A style for each label; methods without a style of their own, and variants, cycle.

    Args:
        labels: names of methods, perhaps with settings: `fggm`, `fggm (keep=0.1)`.

    Returns:
        Label → style, no two alike while there are enough.
    """
    styles: dict[str, Style] = {}
    for label in labels:
        fixed = METHOD_STYLES.get(label.split(" ")[0])
        used_styles = set(styles.values())
        free = [
            Style(colour, dash, SYMBOLS[(4 + turn + column) % len(SYMBOLS)])
            for turn, dash in enumerate(DASHES)
            for column, colour in enumerate((PURPLE, SKY, YELLOW, GREY, *PALETTE[:4]))
        ]
        styles[label] = (
            fixed
            if fixed and fixed not in used_styles
            else next((s for s in free if s not in used_styles), free[0])
        )
    return styles


def task_styles(names: list[str]) -> dict[str, Style]:
    """A colour and a marker for each task, in the order they are learned."""
    return {
        name: Style(
            PALETTE[i % len(PALETTE)],
            DASHES[i // len(PALETTE) % len(DASHES)],
            SYMBOLS[i % len(SYMBOLS)],
        )
        for i, name in enumerate(names)
    }


def line_styles(names: list[str]) -> dict[str, Style]:
    """For lines without markers: neighbours differ in colour and in dash."""
    return {
        name: Style(PALETTE[i % len(PALETTE)], DASHES[i % len(DASHES)], SYMBOLS[i % len(SYMBOLS)])
        for i, name in enumerate(names)
    }


@cache
def depth_colour(layer: int | None, deepest: int) -> str:
    """Colour by depth, the scale's ends left out (they vanish on black or on white).

    Args:
        layer: a layer's number; None for embeddings, the final norm and the head.
        deepest: the last layer's number.

    Returns:
        A colour as Plotly reads it.
    """
    if layer is None:
        return VERMILLION
    return str(sample_colorscale(DEPTH, [0.15 + 0.7 * layer / max(deepest, 1)])[0])


POWERS = {"exponentformat": "power", "tickfont": {"size": TEXT / 1.25}}
"""For an axis that reads 10⁻³: plotly draws such ticks a quarter larger than others."""


def bar(title: str, **settings: Any) -> dict[str, Any]:
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
        "title": {"x": 0, "xref": "paper", "xanchor": "left", "font": {"size": TITLE}},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "colorway": list(PALETTE),
        "colorscale": {"sequential": DEPTH},
        "hoverlabel": {"align": "left", "font": {"family": FONT, "size": TEXT}},
        "legend": {"font": {"size": SMALL}, "bgcolor": "rgba(0,0,0,0)"},
        "xaxis": _axis(),
        "yaxis": _axis(),
        "margin": {"l": 64, "r": 16, "t": 64, "b": 48},
    }
)


def finish(figure: go.Figure, title: str, caption: str, description: str) -> go.Figure:
    """Give a figure the template, its title, and its caption below the title.

    Title, caption and description also go into `layout.meta`, where the report and the explorers
    read them (`caption_of`, `description_of`), and a notebook shows them beside the figure.

    Args:
        figure: changed in place.
        title: a few words.
        caption: how to read the figure, made from its data.
        description: the figure in words with its key numbers, for people who cannot see it.

    Returns:
        The figure.
    """
    lines = wrap(caption, CAPTION_WIDTH, break_long_words=False)
    figure.update_layout(
        template=TEMPLATE,
        title={
            "text": f"<b>{title}</b>",
            "subtitle": {"text": "<br>".join(lines), "font": {"size": SMALL}},
            "y": 1,
            "yref": "container",
            "yanchor": "top",
            "pad": {"t": 12},
        },
        meta={"title": title, "caption": caption, "description": description},
    )
    return in_notebooks(raise_top(figure, 48 + 16 * len(lines)))


def raise_top(figure: go.Figure, pixels: int) -> go.Figure:
    """Add space above the plotting area, the panels keeping their size."""
    top = (figure.layout.margin.t or 0) + pixels
    figure.update_layout(margin_t=top, height=(figure.layout.height or 450) + pixels)
    return figure


def bare(figure: go.Figure) -> go.Figure:
    """A copy without title and caption, for where they are printed beside the figure."""
    copy = go.Figure(figure)
    lines = (copy.layout.title.subtitle.text or "").count("<br>") + 1
    copy.layout.title = None
    return raise_top(copy, -(48 + 16 * lines))


def caption_of(figure: go.Figure) -> str:
    """The caption `finish` gave a figure."""
    return str((figure.layout.meta or {}).get("caption", ""))


def description_of(figure: go.Figure) -> str:
    """The text for people who cannot see the figure."""
    return str((figure.layout.meta or {}).get("description", ""))


def padded(values: Iterable[float], min_length: float = 0.02) -> list[float]:
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
