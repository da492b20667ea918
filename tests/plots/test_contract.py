"""What every registered figure keeps to, whatever it shows, for small and for large models.

A figure that is added to `FIGURES` needs a line in `tests.support.figures.TABLE`: the records it
is drawn from.
"""

import csv
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import plotly.graph_objects as go
import pytest
from plotly.colors import hex_to_rgb, sample_colorscale

from fggm_lab.plots import FIGURES, caption_of, describe, description_of, export, figure_rows, theme
from fggm_lab.plots.styles import DEPTH, PALETTE
from fggm_lab.plots.svg import svg
from fggm_lab.plots.thinning import MAX_POINTS
from fggm_lab.runs import Run
from tests.support.figures import OF_MODELS, TABLE, Records
from tests.support.records import large_scores, made_scores

SVG = "{http://www.w3.org/2000/svg}"

BYTES = 2_000_000
"""The most a figure's JSON may take, lists and sliders inside it included."""


CASES = [*((name, "small") for name in sorted(FIGURES)), *((n, "large") for n in sorted(OF_MODELS))]


Draw = Callable[[str, str], go.Figure]
"""A figure's name and the size of the model → the figure."""


@pytest.fixture(scope="session")
def records(four_runs: list[Run]) -> dict[str, Records]:
    """Of a small model and of one with 0.65 M units, eight tasks each."""
    by_size = {}
    for size, make in (("small", made_scores), ("large", large_scores)):
        by_size[size] = Records.of(four_runs, make)
    return by_size


@pytest.fixture(scope="session")
def draw(records: dict[str, Records]) -> Draw:
    """Draws a figure of the registry once, and remembers it."""
    drawn: dict[tuple[str, str], go.Figure] = {}

    def figure(name: str, size: str) -> go.Figure:
        if (name, size) not in drawn:
            drawn[name, size] = FIGURES[name].draw(*TABLE[name](records[size]))
        return drawn[name, size]

    return figure


def test_every_registered_figure_is_in_the_table() -> None:
    assert TABLE.keys() == FIGURES.keys(), "give a new figure a line in TABLE"
    assert len({kind.heading for kind in FIGURES.values()}) == len(FIGURES)


def test_the_large_model_is_large(records: dict[str, Records]) -> None:
    assert records["large"].fomc.unit_count > 600_000


@pytest.mark.parametrize(("name", "size"), CASES)
def test_it_carries_its_texts(draw: Draw, name: str, size: str) -> None:
    figure = draw(name, size)
    assert describe(figure) == description_of(figure)
    assert len(describe(figure)) > 40 and describe(figure).endswith(".")
    assert len(caption_of(figure)) > 40 and caption_of(figure).endswith(".")
    assert figure.layout.meta["title"] in figure.layout.title.text


@pytest.mark.parametrize(("name", "size"), CASES)
def test_axes_have_names(draw: Draw, name: str, size: str) -> None:
    figure = draw(name, size)
    assert any(axis.title.text for axis in figure.select_xaxes())
    assert any(axis.title.text for axis in figure.select_yaxes())


@pytest.mark.parametrize(("name", "size"), CASES)
def test_it_is_small_enough_for_a_browser(draw: Draw, name: str, size: str) -> None:
    figure = draw(name, size)
    assert 0 < sum(points(trace) for trace in figure.data) <= MAX_POINTS
    assert len(figure.to_json()) <= BYTES


@pytest.mark.parametrize(("name", "size"), CASES)
def test_a_page_without_javascript_shows_a_small_picture_of_it(
    draw: Draw, name: str, size: str
) -> None:
    figure = draw(name, size)
    picture = svg(figure)
    texts_shown = {text.text for text in ElementTree.fromstring(picture).iter(f"{SVG}text")}
    assert figure.layout.meta["title"] in texts_shown
    assert len(picture) < 60_000 and not re.search(r"\b(nan|inf|None)\b", picture)
    bundle = figure._repr_mimebundle_()
    assert "<img " in bundle["text/html"] and "<script" not in bundle["text/html"]
    assert describe(figure) in " ".join(bundle["text/plain"].split())
    assert max(map(len, bundle["text/plain"].splitlines())) <= 80


@pytest.mark.parametrize(("name", "size"), CASES)
def test_no_text_speaks_of_nan(draw: Draw, name: str, size: str) -> None:
    figure = draw(name, size)
    bad_texts = [
        text for text in texts(figure.to_plotly_json()) if re.search(r"\b(nan|inf|None)\b", text)
    ]
    assert bad_texts == []


@pytest.mark.parametrize(("name", "size"), CASES)
def test_its_colours_are_the_themes(draw: Draw, name: str, size: str) -> None:
    figure = draw(name, size)
    used = {colour for trace in figure.data for colour in colours(trace)}
    for trace in figure.data:
        if trace.type == "heatmap":
            scale = trace.colorscale or figure.layout[trace.coloraxis].colorscale
            used |= {colour for _, colour in scale}
    assert [colour for colour in used if not is_of_theme(colour)] == []


@pytest.mark.parametrize(("name", "size"), CASES)
def test_its_table_holds_the_numbers_of_its_traces(
    draw: Draw, tmp_path: Path, name: str, size: str
) -> None:
    figure = draw(name, size)
    rows = figure_rows(figure)
    expected = [value for trace in figure.data for value in shown(trace)]
    assert [row["z"] if row.get("z_axis") else row["y"] for row in rows] == expected
    with export(figure, tmp_path / "data.csv").open(newline="", encoding="utf-8") as handle:
        back = list(csv.DictReader(handle))
    assert len(back) == len(rows) and list(back[0]) == list(rows[0])
    for read, row in zip(back, rows, strict=True):
        for column, value in row.items():
            same = float(read[column]) == value if isinstance(value, float) else (
                read[column] == ("" if value is None else str(value)))  # fmt: skip
            assert same, (column, read[column], value)


def points(trace: Any) -> int:
    """How many points or cells a trace sends to the browser."""
    return int(np.size(trace.z)) if trace.type == "heatmap" else len(trace.x)


def shown(trace: Any) -> Iterator[Any]:
    """The heights of a trace's points, or the values of its cells, as numbers and texts."""
    if trace.visible not in (None, True):
        return
    values = trace.y if trace.type != "heatmap" else [z for row in trace.z for z in row]
    across = trace.x if trace.type != "heatmap" else [0] * len(values)
    for x, value in zip(across, values, strict=True):
        if x is not None or value is not None:
            value = value.item() if isinstance(value, np.generic) else value
            yield None if isinstance(value, float) and np.isnan(value) else value


def texts(value: Any) -> Iterator[str]:
    """Every text in a figure's JSON that a reader may see; numbers are none."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inside in value.items():
            if key != "template":
                yield from texts(inside)
    elif isinstance(value, list | tuple):
        for inside in value:
            yield from texts(inside)
    elif isinstance(value, np.ndarray) and value.dtype == object:
        yield from texts(value.tolist())


def colours(trace: Any) -> Iterator[str]:
    """The colours of a trace's lines, markers and areas."""
    drawn = trace.to_plotly_json()
    for part in ("line", "marker", "fillcolor"):
        colour = drawn.get(part)
        colour = colour.get("color") if isinstance(colour, dict) else colour
        yield from [colour] if isinstance(colour, str) else colour if colour is not None else []


def is_of_theme(colour: str) -> bool:
    """Whether a colour is one of the theme's, or of its scale of depth, however opaque."""
    if colour == "white":
        return True
    rgb = hex_to_rgb(colour) if colour.startswith("#") else numbers(colour)
    return rgb in COLOURS or bool((abs(SCALE - rgb).max(1) <= 2).any())


def numbers(colour: str) -> tuple[float, ...]:
    """Red, green and blue of `rgb(…)` or `rgba(…)`."""
    return tuple(float(part) for part in re.findall(r"[\d.]+", colour)[:3])


COLOURS = [*(hex_to_rgb(colour) for colour in (*PALETTE, theme.INK)), numbers(theme.FAINT)]
SCALE = np.array(
    [
        numbers(colour)
        for scale in (list(DEPTH), theme.CELLS)
        for colour in sample_colorscale(scale, np.linspace(0, 1, 2001).tolist())
    ]
)
