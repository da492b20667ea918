"""Figures as files: a self-contained page, an image, or the numbers as a table."""

import csv
import io
import re
from collections.abc import Callable, Iterator
from html import escape, unescape
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go

from fggm_lab.errors import SettingError
from fggm_lab.escaping import csv_cell
from fggm_lab.extras import require
from fggm_lab.files import write_whole
from fggm_lab.plots.labels import plain
from fggm_lab.plots.plotly_js import plotly_js
from fggm_lab.plots.theme import PAGE_STYLE, bare, caption_of, description_of
from fggm_lab.plots.token_text import TokenText

WIDTH = 1000
"""Pixels across an image of a figure that sets no width."""
SCALE = 2
"""Pixels of a PNG per pixel of a figure."""
_COLUMNS = ("panel", "trace", "x", "y", "z", "x_minus", "x_plus", "y_minus", "y_plus", "x_axis",
            "y_axis", "z_axis")  # fmt: skip
"""The columns a row of data may have, in the order a table shows them."""

_STYLE = (
    PAGE_STYLE
    + """
:root { color-scheme: light dark; }
body { margin: 0 auto; padding: 1rem; max-width: 1180px; background: Canvas; color: CanvasText;
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, Arial, sans-serif; }
h1 { font-size: 1.4rem; margin: .3rem 0; }
figure { margin: 0; }
figcaption { margin: .3rem 0 1rem; }
.plot { overflow-x: auto; }
.plot > div { min-width: 640px; }
"""
)


def export(figure: go.Figure, path: Path | str) -> Path:
    """Write a figure to a file, in the format of its suffix; the file is complete or not written.

    `.html`: a page with title, caption, the figure and its description, that fetches nothing when
    it is opened. `.svg`, `.png`: an image on a transparent background, lists and sliders of the
    figure included (draw it with `controls=False` to leave them out). `.csv`: `figure_rows`.

    Args:
        figure: drawn by `fggm_lab.plots`.
        path: ends in one of these suffixes; its folder is made if missing.

    Returns:
        The path.

    Raises:
        SettingError: another suffix, or what images need is missing (kaleido and a Chromium).
        LabError: the disk refused; an older file is still there.
    """
    path = Path(path)
    makers: dict[str, Callable[[go.Figure], bytes]] = {
        ".csv": _csv, ".html": _html, ".png": _image("png"), ".svg": _image("svg"),
    }  # fmt: skip
    make = makers.get(path.suffix.lower())
    if make is None:
        raise SettingError(
            f"{path.name} ends in no suffix a figure can be written as; choose one of: "
            f"{', '.join(makers)}"
        )
    data = make(figure)
    write_whole(path, lambda temporary: temporary.write_bytes(data))
    return path


def describe(figure: go.Figure | TokenText) -> str:
    """The figure in words, with its key numbers.

    Args:
        figure: drawn by `fggm_lab.plots`, coloured tokens included.

    Returns:
        The description, for people who cannot see the figure and for alternative texts.

    Raises:
        SettingError: the figure has no description: it was not drawn by `fggm_lab.plots`.
    """
    text = figure.text if isinstance(figure, TokenText) else description_of(figure)
    if not text:
        raise SettingError("this figure has no description; draw it with fggm_lab.plots")
    return text


def figure_rows(figure: go.Figure) -> list[dict[str, Any]]:
    """The data behind a figure: a row per point, cell or bar of every trace that is shown.

    Args:
        figure: drawn by `fggm_lab.plots`.

    Returns:
        Rows of `panel` (its heading, where there are several), `trace` (the trace's name), `x`,
        `y`, for cells `z`, the lengths of error bars (`y_minus`, `y_plus`, …) where there are any,
        and the titles of the axes (`x_axis`, `y_axis`, `z_axis`). A value that is
        missing is None; gaps between two lines are no rows.
    """
    rows = [row for trace in figure.data if trace.visible in (None, True)
            for row in _rows(figure, trace)]  # fmt: skip
    used = [column for column in _COLUMNS if any(column in row for row in rows)]
    return [{column: row.get(column) for column in used} for row in rows]


# Data


def _rows(figure: go.Figure, trace: Any) -> Iterator[dict[str, Any]]:
    titles = {f"{letter}_axis": _axis_title(figure, trace, letter) for letter in "xyz"}
    titles["panel"] = _panel(figure, trace)
    axis_titles = {column: text for column, text in titles.items() if text}
    name = plain(trace.name or trace.legendgroup or "")
    if trace.type == "heatmap":
        for i, cells in enumerate(trace.z):
            for j, z in enumerate(cells):
                yield {"trace": name, "x": _plain_value(trace.x[j]), "y": _plain_value(trace.y[i]),
                       "z": _plain_value(z), **axis_titles}  # fmt: skip
        return
    errors = {
        f"{letter}_{side}": values
        for letter in "xy"
        for side, values in _errors(trace[f"error_{letter}"]).items()
    }
    for index, (x, y) in enumerate(zip(trace.x, trace.y, strict=True)):
        if x is None and y is None:
            continue
        bars = {column: _plain_value(values[index]) for column, values in errors.items()}
        yield {"trace": name, "x": _plain_value(x), "y": _plain_value(y), **bars, **axis_titles}


def _errors(bars: Any) -> dict[str, Any]:
    """The lengths of error bars, downward and upward."""
    if bars.array is None:
        return {}
    return {"minus": bars.array if bars.arrayminus is None else bars.arrayminus, "plus": bars.array}


def _axis_title(figure: go.Figure, trace: Any, letter: str) -> str:
    """The title of an axis of a trace; for `z` the title of its colour bar."""
    if letter == "z":
        if trace.type != "heatmap":
            return ""
        if isinstance(trace.meta, dict) and "z" in trace.meta:
            return str(trace.meta["z"])
        owner = figure.layout[trace.coloraxis] if trace.coloraxis else trace
        return str(owner.colorbar.title.text or "")
    axis = _axis(figure, trace, letter)
    text = axis.title.text
    if not text and axis.matches:
        text = figure.layout[f"{letter}axis{axis.matches[1:]}"].title.text
    return _plain_text(text or "")


def _axis(figure: go.Figure, trace: Any, letter: str) -> Any:
    """The axis a trace is drawn against."""
    return figure.layout[f"{letter}axis{(trace[f'{letter}axis'] or letter)[1:]}"]


def _panel(figure: go.Figure, trace: Any) -> str:
    """The heading of a trace's panel: the annotation on its upper edge."""
    left, right = _axis(figure, trace, "x").domain or (0, 1)
    top = (_axis(figure, trace, "y").domain or (0, 1))[1]
    for note in figure.layout.annotations:
        on_page = note.xref == note.yref == "paper"
        if on_page and left <= note.x <= right and abs(note.y - top) < 1e-9:
            return _plain_text(note.text)
    return ""


def _plain_text(text: str) -> str:
    """Without the tags that plotly reads."""
    return unescape(re.sub(r"<[^>]*>", "", text.replace("<br>", " ")))


def _plain_value(value: Any) -> Any:
    """A numpy value as a plain Python number, a label as its name; None for NaN."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, str):
        return plain(value)
    return None if isinstance(value, float) and np.isnan(value) else value


def _csv(figure: go.Figure) -> bytes:
    rows = figure_rows(figure)
    table = io.StringIO(newline="")
    writer = csv.DictWriter(table, list(rows[0]) if rows else ["trace", "x", "y"])
    writer.writeheader()
    writer.writerows({key: csv_cell(value) for key, value in row.items()} for row in rows)
    return table.getvalue().encode()


# A page


def _html(figure: go.Figure) -> bytes:
    title = str((figure.layout.meta or {}).get("title", "Figure"))
    words = describe(figure)
    plot = bare(figure).to_html(
        full_html=False, include_plotlyjs=False, div_id="figure", default_width="100%",
        default_height=f"{bare(figure).layout.height}px",
        config={"responsive": True, "displaylogo": False},
    )  # fmt: skip
    page = (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style>"
        f"<script>{plotly_js(trace.type for trace in figure.data)}</script></head>\n<body><main>"
        f"<h1>{escape(title)}</h1>\n<figure>"
        f"<figcaption>{escape(caption_of(figure))}</figcaption>\n"
        f'<div class="plot" tabindex="0"><div role="img" aria-label="{escape(words)}">{plot}</div>'
        "</div></figure>\n"
        f"<h2>In words</h2>\n<p>{escape(words)}</p></main></body></html>\n"
    )
    return page.encode()


# An image


def _image(kind: str) -> Callable[[go.Figure], bytes]:
    def make(figure: go.Figure) -> bytes:
        require(f"a figure as .{kind} (unlike .html)", "kaleido")
        import kaleido
        from kaleido.errors import BrowserClosedError, BrowserFailedError, ChromeNotFoundError

        opts = {
            "format": kind,
            "width": figure.layout.width or WIDTH,
            "height": figure.layout.height or 450,
            "scale": SCALE if kind == "png" else 1,
        }
        try:
            # no MathJax: kaleido would fetch it from the network
            image = kaleido.calc_fig_sync(figure, opts=opts, kopts={"mathjax": False})
        except (
            BrowserClosedError,
            BrowserFailedError,
            ChromeNotFoundError,
            TimeoutError,
        ) as error:
            raise SettingError(
                "images are drawn by Chrome or Chromium, which was not found or does not answer; "
                "install one, name it in BROWSER_PATH, or export the figure as .html"
            ) from error
        return bytes(image)

    return make
