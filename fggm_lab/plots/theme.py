"""How figures look: a palette, a style per method, one template, captions.

Backgrounds are transparent, so a figure stands on the page's own. Every colour a line or a marker
may have keeps a contrast of 3 : 1 to white and to the greys of dark notebooks. No colour of text
reaches 4.5 : 1 on both: text takes the page's colour where the page allows it (`PAGE_STYLE`), and
is a grey that is readable on white elsewhere. Colour never stands alone: a line also has its dash
or its marker.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from textwrap import wrap
from typing import Any
from zlib import crc32

import plotly.graph_objects as go
from plotly.colors import sample_colorscale

from fggm_lab.escaping import visible
from fggm_lab.plots.labels import as_label, with_labels
from fggm_lab.plots.notebook_figure import in_notebooks

BLUE, OCHRE, GREEN, VERMILLION = "#0072B2", "#9B6200", "#009E73", "#D55E00"
PURPLE, SKY, OLIVE, GREY = "#D463B8", "#1E97EC", "#8B8B2E", "#747474"

PALETTE = (BLUE, OCHRE, GREEN, VERMILLION, SKY, PURPLE, OLIVE, GREY)
"""Okabe and Ito's hues (2008), as light as 3 : 1 on white and on #212121 allows."""

SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "star", "triangle-down", "x")
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
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
DEPTH = ("#9163D5", "#4C7DD9", "#0191A9", "#259F6C", "#939814")
"""Colours of depth, from the first layer to the last; they grow lighter."""
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
_CAPTION_WIDTH = 92
"""Characters per line of a caption drawn inside a figure, fit for `MIN_WIDTH`."""
_BAR_ROW, _TITLE_ROW, _CAPTION_ROW, _LEGEND_ROW = 28, 8, 16, 19
"""Heights in pixels: Plotly's mode bar, what a title takes more than it, lines of texts."""

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
    "migu": Style(OCHRE, "dashdot", "diamond"),
    "fggm": Style(BLUE, "solid", "square"),
    "random": Style(GREEN, "dot", "triangle-up"),
    "fggm-online": Style(SKY, "dash", "cross"),
    "protect": Style(PURPLE, "dash", "star"),
    "self-kl": Style(OCHRE, "solid", "square"),
    "contrast": Style(OLIVE, "longdash", "triangle-down"),
    "magnitude": Style(GREY, "dashdot", "x"),
    "mofo": Style(PURPLE, "dot", "x"),
    "ewc": Style(SKY, "longdashdot", "star"),
    "online-ewc": Style(OLIVE, "dot", "cross"),
    "l2": Style(GREY, "dash", "triangle-down"),
    "lwf": Style(PURPLE, "longdash", "diamond"),
    "cpo": Style(OLIVE, "longdashdot", "triangle-up"),
    "eaft": Style(OCHRE, "longdash", "cross"),
    "finch": Style(VERMILLION, "dashdot", "star"),
    "wise": Style(GREEN, "dash", "diamond"),
    "sfa": Style(BLUE, "longdash", "triangle-down"),
    "fapm": Style(OCHRE, "dot", "square"),
    "replay": Style(SKY, "solid", "triangle-up"),
    "self-replay": Style(SKY, "dot", "triangle-down"),
    "lora": Style(OLIVE, "solid", "square"),
    "olora": Style(GREY, "longdash", "circle"),
    "shira": Style(GREEN, "dash", "diamond"),
    "osf": Style(OCHRE, "dot", "square"),
    "joint": Style(OCHRE, "solid", "star"),
    "untrained": Style(GREY, "dot", "cross"),
}
"""A method looks the same in every figure, unless one before it in this list has its colour."""


def method_styles(labels: list[str]) -> dict[str, Style]:
    """A style for each label, colours differing as far as the palette reaches.

    Args:
        labels: names of methods, perhaps with settings: `fggm`, `fggm (keep=0.1)`.

    Returns:
        Label → style, no two alike while there are enough.
    """
    methods = list(METHOD_STYLES)

    def rank(label: str) -> tuple[int, bool]:
        name = label.split(" ")[0]
        return methods.index(name) if name in methods else len(methods), label != name

    styles: dict[str, Style] = {}
    in_use: Counter[tuple[str, ...]] = Counter()
    for label in sorted(labels, key=rank):
        if label not in styles:
            styles[label] = _distinct(_style_of_name(label.split(" ")[0]), in_use)
            in_use.update(_looks(styles[label]))
    return {label: styles[label] for label in labels}


def _style_of_name(name: str) -> Style:
    """A method's own style; for a user's method one that depends on nothing but its name."""
    number = crc32(name.encode())
    return METHOD_STYLES.get(name) or Style(
        PALETTE[number % len(PALETTE)],
        DASHES[number // 8 % len(DASHES)],
        SYMBOLS[number // 64 % len(SYMBOLS)],
    )


def _distinct(style: Style, in_use: Counter[tuple[str, ...]]) -> Style:
    """The style, but for a colour, dash or symbol that others have more often than another.

    Args:
        style: the one that a label would have alone.
        in_use: how often others have each of their `_looks`.

    Returns:
        A style of the rarest colour, of that colour's rarest dash, and of the rarest symbol.
    """

    def rarest(default: str, choices: tuple[str, ...], *of: str) -> str:
        return min((default, *choices), key=lambda choice: in_use[(*of, choice)])

    colours = (*PALETTE[4:], *PALETTE[:4])  # the first four are the demo's methods'
    colour = rarest(style.colour, colours)
    dash = rarest(style.dash, DASHES, colour)
    return Style(colour, dash, rarest(style.symbol, SYMBOLS))


def _looks(style: Style) -> list[tuple[str, ...]]:
    """What tells a style from others: its colour, its dash in that colour, its symbol."""
    return [(style.colour,), (style.colour, style.dash), (style.symbol,)]


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
    """Colour by depth.

    Args:
        layer: a layer's number; None for embeddings, the final norm and the head.
        deepest: the last layer's number.

    Returns:
        A colour as Plotly reads it.
    """
    if layer is None:
        return VERMILLION
    return str(sample_colorscale(list(DEPTH), [layer / max(deepest, 1)])[0])


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
    lines = wrap(caption, _CAPTION_WIDTH, break_long_words=False, break_on_hyphens=False)
    lay_out(figure).update_layout(
        title={
            "text": f"<b>{as_label(title)}</b>",
            "subtitle": {"text": "<br>".join(map(as_label, lines)), "font": {"size": SMALL}},
        },
        meta={
            "title": visible(title),
            "caption": visible(caption),
            "description": visible(description),
        },
    )
    return in_notebooks(raise_top(figure, _texts_height(len(lines))))


def lay_out(figure: go.Figure) -> go.Figure:
    """Give a figure the template, and rows for its legend and for Plotly's mode bar.

    Args:
        figure: changed in place; `finish` does so, too.

    Returns:
        The figure.
    """
    height = (figure.layout.height or 450) + legend_height(with_labels(figure))
    return raise_top(figure.update_layout(template=TEMPLATE, height=height), _BAR_ROW)


def _texts_height(lines: int) -> int:
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
    return raise_top(copy, -_texts_height(lines))


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
