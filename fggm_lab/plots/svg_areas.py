"""Bars and coloured cells of a static picture, and the bar that explains the colours."""

import re
import struct
import zlib
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.colors import hex_to_rgb

from fggm_lab.plots.svg_axes import CHARACTER, Area, Scale, lines_of

COLOUR_BAR = 84
"""Pixels to the right of the panels that a colour bar takes with its numbers and its title."""
_BAR_WIDTH = 10
_COLOURS = 256


# Bars


def bars(
    traces: Sequence[go.Bar], trace: go.Bar, x: Scale, y: Scale, layout: go.Layout
) -> Iterable[str]:
    """The rectangles of one trace, beside those of the other traces at the same positions.

    Args:
        traces: all bars of the panel, in order.
        trace: one of them.
        x: the horizontal axis.
        y: the vertical axis.
        layout: of the figure, which has the gaps between bars.

    Yields:
        SVG elements; a bar's text stands at its end.
    """
    flat = trace.orientation == "h"
    along, axis = (x, y) if flat else (y, x)
    lengths, positions = (trace.x, trace.y) if flat else (trace.y, trace.x)
    if not len(positions):
        return
    width = _spacing(positions, axis) * (1 - (0.2 if layout.bargap is None else layout.bargap))
    width /= len(traces)
    shift = (traces.index(trace) - (len(traces) - 1) / 2) * width
    colours = trace.marker.color
    zero = along(0)
    for index, (length, at) in enumerate(zip(lengths, positions, strict=True)):
        if length is None:
            continue
        colour = colours if isinstance(colours, str) else colours[index]
        end, middle = along(length), axis(at) + shift
        low, size = min(zero, end), abs(end - zero)
        across, upward = (low, middle - width / 2) if flat else (middle - width / 2, low)
        wide, high = (size, width) if flat else (width, size)
        yield (
            f'<rect x="{across:.1f}" y="{upward:.1f}" width="{wide:.1f}" height="{high:.1f}" '
            f'fill="{colour}" opacity="{trace.marker.opacity or 1:g}"/>'
        )
        if text := _bar_text(trace, index, length):
            anchor = f'x="{end + 4:.0f}" y="{middle + 4:.0f}"' if flat else (
                f'x="{middle:.0f}" y="{end - 4:.0f}" text-anchor="middle"')  # fmt: skip
            yield f"<text {anchor}>{text}</text>"


def _spacing(positions: Sequence[Any], axis: Scale) -> float:
    """Pixels between neighbouring bars."""
    if len(positions) < 2:
        return abs(axis(1) - axis(0)) if isinstance(positions[0], str) else 40.0
    pixels = np.array([axis(at) for at in positions])
    return float(np.abs(np.diff(np.sort(pixels))).min())


def _bar_text(trace: go.Bar, index: int, length: float) -> str:
    if form := re.fullmatch(r"%\{[xy]:([^}]+)\}", trace.texttemplate or ""):
        return format(length, form[1])
    return "" if trace.text is None else " ".join(lines_of(str(trace.text[index])))


# Cells


def cells(trace: go.Heatmap, x: Scale, y: Scale, layout: go.Layout) -> Iterable[str]:
    """The cells of a heatmap as one small image, and the text of each cell that has one.

    Args:
        trace: its rows and columns are evenly spaced; a cell without a number is transparent.
        x: the horizontal axis.
        y: the vertical axis.
        layout: of the figure, which has the colours that several heatmaps share.

    Yields:
        SVG elements.
    """
    columns, rows = ([scale(v) for v in values] for scale, values in ((x, trace.x), (y, trace.y)))
    shares = _shares(trace, layout)
    colours = _colours(_owner(trace, layout).colorscale)
    measured = np.isfinite(shares)
    rgba = np.zeros((*shares.shape, 4), np.uint8)
    rgba[measured] = colours[(shares[measured] * (_COLOURS - 1)).astype(int)]
    rgba_of_cell = rgba
    (left, right), (top, bottom) = _ends(columns, x), _ends(rows, y)
    if left > right:
        left, right, rgba = right, left, rgba[:, ::-1]
    if top > bottom:
        top, bottom, rgba = bottom, top, rgba[::-1]
    yield (
        f'<image x="{left:.1f}" y="{top:.1f}" width="{right - left:.1f}" '
        f'height="{bottom - top:.1f}" preserveAspectRatio="none" style="image-rendering:pixelated" '
        f'href="data:image/png;base64,{b64encode(png(rgba)).decode()}"/>'
    )
    if trace.texttemplate is None or trace.text is None:
        return
    for i, texts in enumerate(trace.text):
        for j, text in enumerate(texts):
            if text and measured[i, j]:
                red, green, blue = rgba_of_cell[i, j, :3].astype(float)
                dark = 0.299 * red + 0.587 * green + 0.114 * blue < 140
                yield (
                    f'<text x="{columns[j]:.0f}" y="{rows[i] + 4:.0f}" text-anchor="middle" '
                    f'fill="{"white" if dark else "black"}">{escape(str(text))}</text>'
                )


def _ends(centres: Sequence[float], scale: Scale) -> tuple[float, float]:
    """Where cells begin and end, from the pixels of their middles."""
    if len(centres) > 1:
        half = (centres[-1] - centres[0]) / (len(centres) - 1) / 2
    else:
        half = (scale(1) - scale(0)) / 2
    return centres[0] - half, centres[-1] + half


def _owner(trace: go.Heatmap, layout: go.Layout) -> Any:
    """What has a heatmap's colours: a colour axis of the figure, or the heatmap itself."""
    return layout[trace.coloraxis] if trace.coloraxis else trace


def _limits(trace: go.Heatmap, layout: go.Layout) -> tuple[float, float]:
    """The numbers at the ends of the colours."""
    owner = _owner(trace, layout)
    low, high = (owner.zmin, owner.zmax) if owner is trace else (owner.cmin, owner.cmax)
    values = _numbers(trace)
    low = float(np.nanmin(values, initial=np.inf)) if low is None else low
    high = float(np.nanmax(values, initial=-np.inf)) if high is None else high
    return (low, high) if np.isfinite([low, high]).all() else (0.0, 1.0)


def _numbers(trace: go.Heatmap) -> np.ndarray:
    """(rows, columns) the cells' numbers, NaN where there is none."""
    return np.array(
        [[np.nan if v is None else float(v) for v in row] for row in trace.z], dtype=float
    ).reshape(len(trace.y), len(trace.x))


def _shares(trace: go.Heatmap, layout: go.Layout) -> np.ndarray:
    """(rows, columns) where each cell stands between the ends of the colours, from 0 to 1."""
    low, high = _limits(trace, layout)
    return np.clip((_numbers(trace) - low) / ((high - low) or 1.0), 0, 1)


def _colours(scale: Sequence[tuple[float, str]]) -> np.ndarray:
    """(256, 4) a colour scale as bytes of red, green, blue and opacity."""
    colours = np.array([_rgba(colour) for _, colour in scale])
    points, at = np.linspace(0, 1, _COLOURS), [share for share, _ in scale]
    return np.stack([np.interp(points, at, c) for c in colours.T], axis=1).round().astype(np.uint8)


def _rgba(colour: str) -> tuple[float, ...]:
    """`#rrggbb`, `rgb(…)` or `rgba(…)` as numbers from 0 to 255."""
    if colour.startswith("#"):
        return (*hex_to_rgb(colour), 255)
    red, green, blue, *opacity = map(float, re.findall(r"[\d.]+", colour))
    return (red, green, blue, 255 * (opacity[0] if opacity else 1))


def png(rgba: np.ndarray) -> bytes:
    """An image file, a pixel per cell.

    Args:
        rgba: (rows, columns, 4) bytes of red, green, blue and opacity.

    Returns:
        The PNG file's bytes.
    """

    def chunk(kind: bytes, data: bytes) -> bytes:
        checksum = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)

    rows, columns = rgba.shape[:2]
    header = struct.pack(">IIBBBBB", columns, rows, 8, 6, 0, 0, 0)
    lines = b"".join(b"\0" + row.tobytes() for row in rgba)
    parts = chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(lines, 9)), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


# The colours' explanation


def shows_colours(trace: Any, layout: go.Layout) -> bool:
    """Whether a trace has a bar that says what its colours mean."""
    return trace.type == "heatmap" and _owner(trace, layout).showscale is not False


def colour_bars(figure: go.Figure, scales: Mapping[str, Scale], area: Area) -> Iterable[str]:
    """A bar of colours beside the heatmaps of each scale, with its numbers and its title.

    Args:
        figure: that has the heatmaps.
        scales: axis → its scale.
        area: the plotting area.

    Yields:
        SVG elements.
    """
    by_owner: dict[str, list[Any]] = {}
    for number, trace in enumerate(figure.data):
        if shows_colours(trace, figure.layout):
            by_owner.setdefault(trace.coloraxis or str(number), []).append(trace)
    for traces in by_owner.values():
        bar = _owner(traces[0], figure.layout).colorbar
        vertical = [scales[trace.yaxis or "y"].part(share) for trace in traces for share in (0, 1)]
        share = 1.0 if bar.x is None else min(1.0, bar.x)
        left = area.left + share * (area.right - area.left) + 8
        yield from _colour_bar(traces[0], figure.layout, left, min(vertical), max(vertical))


def _colour_bar(
    trace: go.Heatmap, layout: go.Layout, left: float, top: float, bottom: float
) -> Iterable[str]:
    owner = _owner(trace, layout)
    rgba = _colours(owner.colorscale)[::-1, None]
    yield (
        f'<image x="{left:.0f}" y="{top:.0f}" width="{_BAR_WIDTH}" height="{bottom - top:.0f}" '
        f'preserveAspectRatio="none" href="data:image/png;base64,{b64encode(png(rgba)).decode()}"/>'
    )
    low, high = _limits(trace, layout)
    values = np.linspace(low, high, 3) if owner.colorbar.tickvals is None else (
        owner.colorbar.tickvals)  # fmt: skip
    form = ".0%" if str(owner.colorbar.tickformat).endswith("%") else ".3g"
    texts = owner.colorbar.ticktext or [format(value, form) for value in values]
    labels = [_plain_power(str(text)) for text in texts]
    for value, label in zip(values, labels, strict=True):
        pixel = bottom - (value - low) / ((high - low) or 1.0) * (bottom - top)
        yield f'<text x="{left + _BAR_WIDTH + 4:.0f}" y="{pixel + 4:.0f}">{label}</text>'
    title = " ".join(lines_of(owner.colorbar.title.text or ""))
    across = left + _BAR_WIDTH + 18 + CHARACTER * max(map(len, labels), default=0)
    yield (
        f'<text transform="translate({across:.0f} {(top + bottom) / 2:.0f}) rotate(-90)" '
        f'text-anchor="middle">{title}</text>'
    )


def _plain_power(text: str) -> str:
    """`10<sup>-3</sup>` as `1e-3`, other markup dropped."""
    return " ".join(lines_of(re.sub(r"^10<sup>(.+)</sup>$", r"1e\1", text)))
