"""How lines and markers look: a palette, and a style per method and per task.

Every colour keeps a contrast of 3 : 1 to white and to the greys of dark notebooks. Colour never
stands alone: a line also has its dash or its marker.
"""

from collections import Counter
from dataclasses import dataclass
from functools import cache
from zlib import crc32

from plotly.colors import sample_colorscale

BLUE, OCHRE, GREEN, VERMILLION = "#0072B2", "#9B6200", "#009E73", "#D55E00"
PURPLE, SKY, OLIVE, GREY = "#D463B8", "#1E97EC", "#8B8B2E", "#747474"

PALETTE = (BLUE, OCHRE, GREEN, VERMILLION, SKY, PURPLE, OLIVE, GREY)
"""Okabe and Ito's hues (2008), as light as 3 : 1 on white and on #212121 allows."""

SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "star", "triangle-down", "x")
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
DEPTH = ("#9163D5", "#4C7DD9", "#0191A9", "#259F6C", "#939814")
"""Colours of depth, from the first layer to the last; they grow lighter."""


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
    "shira": Style(GREEN, "longdash", "x"),
    "osf": Style(OCHRE, "dash", "circle"),
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
    return _numbered_styles(names, colours_per_dash=len(PALETTE))


def line_styles(names: list[str]) -> dict[str, Style]:
    """For lines without markers: neighbours differ in colour and in dash."""
    return _numbered_styles(names, colours_per_dash=1)


def _numbered_styles(names: list[str], colours_per_dash: int) -> dict[str, Style]:
    """The next colour and symbol for each name; the next dash after some colours."""
    return {
        name: Style(
            PALETTE[i % len(PALETTE)],
            DASHES[i // colours_per_dash % len(DASHES)],
            SYMBOLS[i % len(SYMBOLS)],
        )
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
