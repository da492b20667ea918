"""An exported page draws its figure from disk, fetches nothing, and its switches work."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest

from fggm_lab.plots import describe, export, mask_map, spectra_overlaid
from tests.support.records import TASKS, made_masks, made_scores


@pytest.fixture
def opened(browser: Any, tmp_path: Path) -> Iterator[Callable[[go.Figure], Any]]:
    """Exports a figure and opens the page; afterwards the console must be free of errors."""
    problems: list[str] = []
    requests: list[str] = []
    pages = []

    def show(figure: go.Figure) -> Any:
        page = browser.new_page(viewport={"width": 1100, "height": 900}, color_scheme="dark")
        pages.append(page)
        page.set_default_timeout(120_000)  # a loaded machine draws slowly
        page.on("console", lambda m: problems.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(export(figure, tmp_path / "figure.html").as_uri())
        page.wait_for_selector("#figure .main-svg")
        return page

    yield show
    for page in pages:
        page.close()
    assert problems == []
    assert [url for url in requests if not url.startswith(("file:", "data:", "blob:"))] == []


def choose(page: Any, index: int) -> None:
    """Choose an entry of the list inside the figure."""
    page.locator("#figure .updatemenu-header").click()
    page.locator("#figure .updatemenu-dropdown-button").nth(index).click()


def test_the_figure_is_named_and_dark_where_the_system_is(opened: Callable[..., Any]) -> None:
    figure = spectra_overlaid({"a": made_scores(), "b": made_scores(seed=1)})
    page = opened(figure)
    assert page.get_by_role("img", name=describe(figure)).count() == 1
    assert page.locator("#figure .scatterlayer path.js-line").count() == 2
    back = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert back == "rgb(18, 18, 18)"


def test_the_axis_of_units_becomes_linear(opened: Callable[..., Any]) -> None:
    page = opened(spectra_overlaid({"a": made_scores()}))
    choose(page, 1)
    page.wait_for_function("document.getElementById('figure')._fullLayout.xaxis.type === 'linear'")
    ticks = page.locator("#figure .xaxislayer-above text").all_text_contents()
    assert ticks[0] == "0%" and ticks[-1] == "100%" and len(ticks) == 11


def test_a_mask_map_changes_to_the_models_order(opened: Callable[..., Any]) -> None:
    masks = made_masks(TASKS[:3])
    page = opened(mask_map(masks, 1))
    choose(page, 1)
    other = mask_map(masks, 1, order="position")
    title = other.layout.xaxis.title.text
    page.wait_for_function(
        "t => document.getElementById('figure')._fullLayout.xaxis.title.text === t", arg=title
    )
    drawn = page.evaluate("document.getElementById('figure')._fullData[0].z")
    assert np.array_equal(drawn, other.data[0].z)
    hover = page.evaluate("document.getElementById('figure')._fullData[0].customdata")
    assert hover == other.data[0].customdata.tolist()
