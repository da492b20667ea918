"""Axes of a static picture: from values to pixels, and the SVG of the axis itself."""

import math
import re
from collections.abc import Iterable, Sequence
from html import escape, unescape
from typing import Any, NamedTuple

import plotly.graph_objects as go

from fggm_lab.plots import theme

CHARACTER = 6.4
"""Width of a character in pixels, about."""
_LINE = 11
"""Height of a line of text in pixels."""
_TURN = 35
"""By how many degrees labels are turned that are wider than their ticks are apart."""
_MAX_TICKS = 6
"""Ticks of an axis that names none, at most."""


class Area(NamedTuple):
    """The plotting area in pixels."""

    left: float
    top: float
    right: float
    bottom: float


class Scale:
    """One axis of a figure: linear, logarithmic or of names.

    Attributes:
        across: whether it runs from left to right.
    """

    def __init__(self, figure: go.Figure, name: str, area: Area) -> None:
        """The axis `name` of a figure, `x`, `y2` and so on, in an area of pixels."""
        self.name = name
        self.across = name.startswith("x")
        self._axis = axis_of(figure, name)
        self._log = self._axis.type == "log"  # plotly looks a setting up slowly
        host = axis_of(figure, self._axis.overlaying) if self._axis.overlaying else self._axis
        low, high = host.domain or (0, 1)
        self._pixels = _between(area, self.across, low, high)
        self._names = _names(figure, name)
        low, high = self._axis.range or self._shared_range(figure)
        if self._axis.autorange == "reversed":
            low, high = high, low
        self._low, self._high = low, high

    def __call__(self, value: Any) -> float:
        """The pixel of a value."""
        if isinstance(value, str):
            value = self._names.index(value)
        elif self._log:
            value = math.log10(value) if value > 0 else self._low
        return self.part((value - self._low) / ((self._high - self._low) or 1))

    def part(self, share: float) -> float:
        """The pixel at a share of the axis' length."""
        start, end = self._pixels
        return start + share * (end - start)

    def svg(self, other: "Scale") -> Iterable[str]:
        """Line, ticks and title; `other` is the panel's other axis."""
        if self._axis.showticklabels is not False:
            yield from self._ticks(other)
        if self._axis.overlaying is None:
            x1, x2 = (self.part(0), self.part(1)) if self.across else (other.part(0),) * 2
            y1, y2 = (other.part(0),) * 2 if self.across else (self.part(0), self.part(1))
            yield f'<path d="M{x1:.0f} {y1:.0f}L{x2:.0f} {y2:.0f}" stroke="{theme.INK}"/>'

    def _ticks(self, other: "Scale") -> Iterable[str]:
        ticks = self._labels()
        above = self._axis.side == "top"
        room = abs(self.part(1) - self.part(0)) / max(1, len(ticks))
        longest = CHARACTER * max((len(label) for _, label in ticks), default=0)
        every, turned = _thinned(room, longest) if self.across else (math.ceil(_LINE / room), False)
        for pixel, label in ticks[::every]:
            if self.across:
                x, y = pixel, other.part(1) - 6 if above else other.part(0) + 15
                turn = f' transform="rotate(-{_TURN} {x:.0f} {y:.0f})"' if turned else ""
                anchor = "end" if turned else "middle"
                yield f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}"{turn}>{label}</text>'
            else:
                left, right = other.part(0), other.part(1)
                yield (
                    f'<path d="M{left:.0f} {pixel:.0f}H{right:.0f}" stroke="{theme.FAINT}"/>'
                    f'<text x="{left - 6:.0f}" y="{pixel + 4:.0f}" text-anchor="end">{label}</text>'
                )
        title = lines_of(self._axis.title.text or "")
        if not title:
            return
        middle = self.part(0.5)
        if self.across:
            y = (
                other.part(1) - 22
                if above
                else other.part(0) + (26 + 0.6 * longest if turned else 32)
            )
            text = " ".join(title)
            yield f'<text x="{middle:.0f}" y="{y:.0f}" text-anchor="middle">{text}</text>'
        else:
            for number, line in enumerate(title):
                x = other.part(0) - max(38, 14 + longest) - 12 * (len(title) - 1 - number)
                yield (
                    f'<text transform="translate({x:.0f} {middle:.0f}) rotate(-90)" '
                    f'text-anchor="middle">{line}</text>'
                )

    def _labels(self) -> list[tuple[float, str]]:
        """The pixel and the label of each tick."""
        axis = self._axis
        if axis.tickvals is not None:
            values = axis.tickvals
            texts = axis.ticktext if axis.ticktext is not None else [f"{v:g}" for v in values]
            return [(self(v), lines_of(str(t))[0]) for v, t in zip(values, texts, strict=True)]
        if self._names:
            return [(self(name), escape(unescape(name))) for name in self._names]
        if self._log:
            powers = range(math.ceil(self._low), math.floor(self._high) + 1)
            if len(powers) > 1:
                return [(self(10.0**p), f"1e{p}") for p in powers]
            values = [
                factor * 10.0**p
                for p in range(math.floor(self._low), math.ceil(self._high))
                for factor in (1, 2, 5)
            ]
            inside = [v for v in values if self._low <= math.log10(v) <= self._high]
            return [(self(v), f"{v:g}") for v in inside]
        ends = sorted((self._low, self._high))
        return [(self(v), _written(v, axis.tickformat)) for v in _round_values(*ends)]

    def _shared_range(self, figure: go.Figure) -> tuple[float, float]:
        """The range of the data on the axis and on those that match it, with some room."""
        if self._names:
            return -0.5, len(self._names) - 0.5
        names = {self.name, self._axis.matches}
        values = [v for trace in shown(figure) for v in _values(trace, names, self.across)]
        values += [v for shape in figure.layout.shapes for v in _reach_of(shape, names)]
        if self._log:
            values = [math.log10(v) for v in values if v > 0]
        low, high = min(values, default=0.0), max(values, default=1.0)
        if self._axis.rangemode == "tozero":
            low, high = min(low, 0.0), max(high, 0.0)
        room = 0.06 * ((high - low) or 1.0)
        return low - room, high + room


def _thinned(room: float, longest: float) -> tuple[int, bool]:
    """How labels below an axis are kept apart.

    Args:
        room: pixels from one tick to the next.
        longest: pixels that the longest label takes.

    Returns:
        Every which tick is labelled, and whether the labels are turned.
    """
    flat = max(1, math.ceil(longest / room))
    turned = math.ceil(_LINE / math.sin(math.radians(_TURN)) / room)
    return (flat, False) if flat <= turned else (turned, True)


def shown(figure: go.Figure) -> list[Any]:
    """The traces that are not switched off."""
    return [trace for trace in figure.data if trace.visible in (None, True)]


def label_width(figure: go.Figure, name: str) -> float:
    """Pixels that the longest name along an axis of names takes; 0 for an axis of numbers."""
    axis = axis_of(figure, name)
    labels = _names(figure, name) if axis.ticktext is None else list(axis.ticktext)
    return CHARACTER * max((len(str(label)) for label in labels), default=0)


def axis_of(figure: go.Figure, name: str) -> Any:
    """The axis of the layout by its short name, such as `x2`."""
    return figure.layout[f"{name[0]}axis{name[1:]}"]


def lines_of(text: str) -> list[str]:
    """The lines of a text in Plotly's markup, other marks dropped, escaped for SVG."""
    plain = [re.sub(r"<[^>]*>", "", line) for line in re.split(r"<br ?/?>", text)]
    return [escape(unescape(line)) for line in plain if line]


def _between(area: Area, across: bool, low: float, high: float) -> tuple[float, float]:
    if across:
        width = area.right - area.left
        return area.left + low * width, area.left + high * width
    height = area.bottom - area.top
    return area.bottom - low * height, area.bottom - high * height


def _values(trace: Any, names: set[str | None], across: bool) -> list[float]:
    """The numbers of a trace on some axes, and the ends of its error bars."""
    axis, values = (trace.xaxis or "x", trace.x) if across else (trace.yaxis or "y", trace.y)
    if axis not in names or values is None:
        return []
    numbers = [float(v) for v in values if v is not None and not isinstance(v, str)]
    numbers = [v for v in numbers if math.isfinite(v)]
    if trace.type == "heatmap":
        return numbers
    if trace.type == "bar" and across == (trace.orientation == "h"):
        return [0.0, *numbers]
    low, high = reach(trace.error_x if across else trace.error_y, len(numbers))
    return [
        *(v - by for v, by in zip(numbers, low, strict=True)),
        *(v + by for v, by in zip(numbers, high, strict=True)),
    ]


def _reach_of(shape: Any, names: set[str | None]) -> list[float]:
    """The ends of a shape along some axes; none where it spans the panel."""
    ends = ((shape.xref or "x", shape.x0, shape.x1), (shape.yref or "y", shape.y0, shape.y1))
    return [float(v) for axis, low, high in ends if axis in names for v in (low, high)]


def reach(error: Any, count: int) -> tuple[Sequence[float], Sequence[float]]:
    """How far error bars go down and up from each of `count` points."""
    up = [0.0] * count if error.array is None or len(error.array) != count else list(error.array)
    down = up if error.arrayminus is None else list(error.arrayminus)
    return down, up


def _names(figure: go.Figure, name: str) -> list[str]:
    """The names along an axis of names, in the order they come; else nothing."""
    names: dict[str, None] = {}
    for trace in shown(figure):
        values = trace.x if name[0] == "x" else trace.y
        on = (trace.xaxis or "x", trace.yaxis or "y")
        if name in on and values is not None:
            names |= dict.fromkeys(v for v in values if isinstance(v, str))
    return list(names)


def _round_values(low: float, high: float) -> list[float]:
    """Round numbers between two ends: steps of 1, 2 or 5 times a power of ten."""
    step = 10.0 ** math.floor(math.log10((high - low) / _MAX_TICKS or 1))
    step *= next(by for by in (1, 2, 5, 10) if (high - low) / (by * step) <= _MAX_TICKS)
    return [round(k * step, 12) for k in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _written(value: float, form: str | None) -> str:
    return f"{value:.0%}" if form and form.endswith("%") else f"{value:,.6g}"
