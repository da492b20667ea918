"""A figure as a small, still SVG picture, for pages that run no JavaScript.

It draws what the lab's figures have: panels, lines with markers, bands, error bars, bars, coloured
cells, shaded stretches, notes and a legend. It needs no browser, as kaleido does, and stays small.
"""

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

import plotly.graph_objects as go

from fggm_lab.errors import SettingError
from fggm_lab.plots import theme
from fggm_lab.plots.svg_areas import COLOUR_BAR, bars, cells, colour_bars, shows_colours
from fggm_lab.plots.svg_axes import (
    CHARACTER,
    Area,
    Scale,
    axis_of,
    label_width,
    lines_of,
    reach,
    shown,
)
from fggm_lab.plots.thinning import thin_line

WIDTH = 760
MAX_POINTS = 1200
"""The most points of all lines together."""
_LEFT, _RIGHT, _TOP, _BOTTOM = 78, 14, 78, 88
_TITLE, _ROW = 24, 18
_DASHES = {"dot": "2 3", "dash": "7 4", "dashdot": "7 3 2 3", "longdash": "12 4",
           "longdashdot": "12 3 2 3"}  # fmt: skip

_DARK = "@media (prefers-color-scheme:dark){svg{fill:#8c8c8c}}"
"""An image has the colour scheme of the page that shows it."""

Pixels = Sequence[tuple[float, float]]


def svg(figure: go.Figure) -> str:
    """The figure as SVG, its title above and its legend below; some 30 kB at most.

    Args:
        figure: of scatter traces, bars and heatmaps; what is switched off is left out.

    Returns:
        The picture as text, an `<svg>` element.

    Raises:
        SettingError: it has traces of another type.
    """
    traces = shown(figure)
    other = {trace.type for trace in traces} - {"scatter", "bar", "heatmap"}
    if other:
        raise SettingError(
            f"only figures of lines, bars and cells become small pictures, this one has a "
            f"{min(other)}; export it instead"
        )
    layout = figure.layout
    area = _area(figure)
    panels = dict.fromkeys((t.xaxis or "x", t.yaxis or "y") for t in traces)
    scales = {name: Scale(figure, name, area) for pair in panels for name in pair}
    lines = sum(trace.type == "scatter" and "lines" in _mode(trace) for trace in traces)
    filled = [shape for shape in layout.shapes if shape.fillcolor]
    outlines = [shape for shape in layout.shapes if not shape.fillcolor]
    parts = [*_shapes(filled, scales, area)]
    drawn: set[str] = set()
    for x, y in panels:
        for name, with_ in ((x, y), (y, x)):
            if name not in drawn:
                drawn.add(name)
                host = axis_of(figure, name).anchor
                parts += scales[name].svg(scales.get(host or with_, scales[with_]))
    below: dict[tuple[str, str], go.Scatter] = {}  # axes → the line before
    for trace in traces:
        axes = trace.xaxis or "x", trace.yaxis or "y"
        x, y = (scales[name] for name in axes)
        if trace.type == "heatmap":
            parts += cells(trace, x, y, layout)
        elif trace.type == "bar":
            beside = [t for t in traces
                      if t.type == "bar" and (t.xaxis or "x", t.yaxis or "y") == axes]  # fmt: skip
            parts += bars(beside, trace, x, y, layout)
        else:
            parts += _trace(trace, below.get(axes), x, y, max(8, MAX_POINTS // max(1, lines)))
            below[axes] = trace
    parts += _shapes(outlines, scales, area)
    parts += colour_bars(figure, scales, area)
    parts += _notes(layout.annotations, scales, area)
    rows = _legend_rows([t for t in traces if _in_legend(t)] if _has_legend(layout) else [])
    for number, row in enumerate(rows):
        parts += _legend_row(row, area.bottom + _BOTTOM + _ROW * number)
    height = area.bottom + _BOTTOM + _ROW * len(rows)
    title = escape((layout.meta or {}).get("title", "")) if layout.title.text else ""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" '
        f'width="{WIDTH}" height="{height:.0f}" font-family="sans-serif" font-size="11" '
        f'fill="{theme.INK}"><style>{_DARK}</style>'
        f'<text x="6" y="18" font-size="14" font-weight="bold">{title}</text>'
        f"{''.join(parts)}</svg>"
    )


def _area(figure: go.Figure) -> Area:
    """The plotting area, with room for the names at its left and a colour bar at its right."""
    layout, traces = figure.layout, shown(figure)
    inner = (layout.height or 450) - (layout.margin.t or 80) - max(56, layout.margin.b or 0)
    inner -= theme.legend_height(figure)
    coloured = any(shows_colours(trace, layout) for trace in traces)
    first = [
        trace.yaxis or "y"
        for trace in traces
        if not (axis_of(figure, trace.xaxis or "x").domain or (0,))[0]
    ]
    left = max([_LEFT, *(34 + label_width(figure, name) for name in set(first))])
    right = WIDTH - (COLOUR_BAR if coloured else _RIGHT)
    top = _TOP if layout.title.text else _TOP - _TITLE
    return Area(left, top, right, top + max(180, inner))


# Traces


def _mode(trace: go.Scatter) -> str:
    return str(trace.mode or "lines")


def _trace(
    trace: go.Scatter, below: go.Scatter | None, x: Scale, y: Scale, max_points: int
) -> Iterable[str]:
    """A trace's band, error bars, line and large markers; `below` is the trace before it."""
    points = _pixels(trace, x, y)
    if not points:
        return
    line, faint = trace.line, f' opacity="{trace.opacity}"' if trace.opacity else ""
    colour = line.color or trace.marker.color or theme.INK
    if trace.fill == "tozeroy":
        edge: Pixels = [(points[0][0], y(0)), (points[-1][0], y(0))]
    else:  # to the line before, or the trace is an outline
        edge = _pixels(below, x, y) if trace.fill == "tonexty" and below is not None else []
    if trace.fill:
        outline = [*points, *edge[::-1]]
        yield f'<path d="{_path(outline)}" fill="{trace.fillcolor or theme.SHADE}"/>'
    if line.width == 0:
        return
    yield from _errors(trace, x, y, colour)
    if "lines" in _mode(trace):
        dash = f' stroke-dasharray="{_DASHES[line.dash]}"' if line.dash in _DASHES else ""
        yield (
            f'<path d="{_path(thin_line(points, max_points), line.shape)}" fill="none" '
            f'stroke="{colour}" stroke-width="{line.width or 2:g}"{dash}{faint}/>'
        )
    if "markers" in _mode(trace):
        yield from _markers(trace, points, colour, faint, max_points)


def _pixels(trace: go.Scatter, x: Scale, y: Scale) -> list[tuple[float, float]]:
    """The points of a trace, without gaps."""
    if trace.x is None or trace.y is None:
        return []
    return [(x(a), y(b)) for a, b in zip(trace.x, trace.y, strict=True) if a is not None is not b]


def _path(points: Pixels, shape: str | None = None) -> str:
    """Straight from point to point; `vh`: first up or down, then across."""
    if shape == "vh":
        (a, b), *rest = points
        return f"M{a:.0f} {b:.0f}" + "".join(f"V{y:.0f}H{x:.0f}" for x, y in rest)
    return "M" + " ".join(f"{x:.0f} {y:.0f}" for x, y in points)


def _markers(
    trace: go.Scatter, points: Pixels, colour: str, faint: str = "", max_points: int = 1
) -> Iterable[str]:
    """The largest markers of a trace in one path, thinned as its line is."""
    sizes = trace.marker.size
    size_of_point = (
        [float(sizes or 6)] * len(points) if not _is_list(sizes) else [float(s) for s in sizes]
    )
    largest = max(size_of_point)
    shown = [point for point, size in zip(points, size_of_point, strict=False) if size == largest]
    symbol, _, hollow = str(trace.marker.symbol or "circle").partition("-open")
    glyph = _glyph(symbol, largest / 2)
    data = "".join(f"M{x:.0f} {y:.0f}{glyph}" for x, y in thin_line(shown, max_points))
    look = (
        f'fill="none" stroke="{trace.marker.color or colour}" stroke-width="1.5"'
        if hollow or "-open" in str(trace.marker.symbol or "")
        else f'fill="{trace.marker.color or colour}"'
    )
    yield f'<path d="{data}" {look}{faint}/>'


def _is_list(value: Any) -> bool:
    return value is not None and not isinstance(value, int | float)


def _glyph(symbol: str, r: float) -> str:
    """A marker around the point where the pen is."""
    if symbol == "square":
        return f"m{-r:g} {-r:g}h{2 * r:g}v{2 * r:g}h{-2 * r:g}z"
    if symbol == "diamond":
        return f"m0 {-r:g}l{r:g} {r:g}l{-r:g} {r:g}l{-r:g} {-r:g}z"
    if symbol == "triangle-up":
        return f"m0 {-r:g}l{r:g} {2 * r:g}h{-2 * r:g}z"
    if symbol == "triangle-down":
        return f"m0 {r:g}l{r:g} {-2 * r:g}h{-2 * r:g}z"
    if symbol == "line-ew":
        return f"m{-r:g} 0h{2 * r:g}"
    if symbol in ("cross", "x", "star"):
        return f"m{-r:g} -1h{2 * r:g}v2h{-2 * r:g}zm{r - 1:g} {1 - r:g}h2v{2 * r:g}h-2z"
    return f"m{-r:g} 0a{r:g} {r:g} 0 1 0 {2 * r:g} 0a{r:g} {r:g} 0 1 0 {-2 * r:g} 0"


def _errors(trace: go.Scatter, x: Scale, y: Scale, colour: str) -> Iterable[str]:
    """Error bars, without caps."""
    points = list(zip(trace.x, trace.y, strict=True))
    data = ""
    for error, across in ((trace.error_x, True), (trace.error_y, False)):
        for (a, b), down, up in zip(points, *reach(error, len(points)), strict=True):
            if a is None or b is None or not (down or up):
                continue
            if across:
                data += f"M{x(a - down):.0f} {y(b):.0f}H{x(a + up):.0f}"
            else:
                data += f"M{x(a):.0f} {y(b - down):.0f}V{y(b + up):.0f}"
    if data:
        yield f'<path d="{data}" stroke="{colour}" fill="none"/>'


# Shapes, annotations and the legend


def _pixel(
    ref: str | None, value: Any, scales: dict[str, Scale], area: Area, across: bool
) -> float:
    """The pixel of a coordinate of a shape or an annotation.

    Args:
        ref: an axis (`x2`), the length of an axis (`x2 domain`), or `paper`: the plotting area.
        value: on the axis, or a share of a length.
        scales: axis → its scale.
        area: the plotting area.
        across: whether the coordinate is horizontal.

    Returns:
        Pixels from the left or from the top.
    """
    axis, _, domain = (ref or "paper").partition(" ")
    if axis == "paper":
        if across:
            return area.left + value * (area.right - area.left)
        return area.bottom - value * (area.bottom - area.top)
    return scales[axis].part(value) if domain else scales[axis](value)


def _shapes(shapes: Sequence[Any], scales: dict[str, Scale], area: Area) -> Iterable[str]:
    for shape in shapes:
        x0, x1 = (_pixel(shape.xref or "x", v, scales, area, True) for v in (shape.x0, shape.x1))
        y0, y1 = (_pixel(shape.yref or "y", v, scales, area, False) for v in (shape.y0, shape.y1))
        if shape.type == "rect":
            frame = shape.line.width or (0 if shape.fillcolor else 2)
            yield (
                f'<rect x="{min(x0, x1):.0f}" y="{min(y0, y1):.0f}" width="{abs(x1 - x0):.0f}" '
                f'height="{abs(y1 - y0):.0f}" fill="{shape.fillcolor or "none"}" '
                f'stroke="{shape.line.color or theme.INK}" stroke-width="{frame:g}"/>'
            )
        else:
            dash = _DASHES.get(shape.line.dash or "", "none")
            yield (
                f'<path d="M{x0:.0f} {y0:.0f}L{x1:.0f} {y1:.0f}" stroke-dasharray="{dash}" '
                f'stroke="{shape.line.color or theme.INK}" opacity="{shape.opacity or 1}"/>'
            )


def _notes(notes: Sequence[Any], scales: dict[str, Scale], area: Area) -> Iterable[str]:
    anchors = {"left": "start", "right": "end"}
    for note in notes:
        x = _pixel(note.xref, note.x, scales, area, True) + (note.xshift or 0)
        y = _pixel(note.yref, note.y, scales, area, False) - (note.yshift or 0)
        anchor = anchors.get(note.xanchor or "", "middle")
        bold = ' font-weight="bold"' if "<b>" in (note.text or "") else ""
        text = " ".join(lines_of(note.text or ""))
        yield f'<text x="{x:.0f}" y="{y - 4:.0f}" text-anchor="{anchor}"{bold}>{text}</text>'


def _has_legend(layout: go.Layout) -> bool:
    return layout.showlegend is not False and layout.legend.visible is not False


def _in_legend(trace: Any) -> bool:
    named = bool(trace.name) and trace.showlegend is not False and trace.type != "heatmap"
    return named and trace.x is not None and any(v is not None for v in trace.x)


def _legend_rows(traces: Sequence[Any]) -> list[list[tuple[float, Any]]]:
    """The legend's entries row by row, each with the pixel where it begins."""
    rows: list[list[tuple[float, Any]]] = []
    x = float(WIDTH)
    for trace in traces:
        width = 44 + CHARACTER * len(trace.name)
        if x + width > WIDTH - _RIGHT:
            rows.append([])
            x = 6.0
        rows[-1].append((x, trace))
        x += width
    return rows


def _legend_row(row: Sequence[tuple[float, Any]], y: float) -> Iterable[str]:
    for x, trace in row:
        if trace.type == "bar":
            colours = trace.marker.color
            colour = colours if isinstance(colours, str) else theme.INK
            yield f'<rect x="{x + 6:.0f}" y="{y - 5:.0f}" width="12" height="10" fill="{colour}"/>'
            yield f'<text x="{x + 30:.0f}" y="{y + 4:.0f}">{lines_of(trace.name)[0]}</text>'
            continue
        colour = trace.line.color or trace.marker.color or theme.INK
        if "lines" in _mode(trace):
            dash = _DASHES.get(trace.line.dash or "", "none")
            yield (
                f'<path d="M{x:.0f} {y:.0f}h24" stroke="{colour}" stroke-width="2" '
                f'stroke-dasharray="{dash}"/>'
            )
        if "markers" in _mode(trace):
            yield from _markers(trace, [(x + 12, y)], colour)
        yield f'<text x="{x + 30:.0f}" y="{y + 4:.0f}">{lines_of(trace.name)[0]}</text>'
