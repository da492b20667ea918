"""A browser opens the report from disk, draws the three figures and lets a reader use them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fggm_lab.report import write_report
from tests.plots.made import TASKS, made_run


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    write_report([made_run(folder, method) for method in ("sft", "fggm")], folder / "report.html")
    return folder / "report.html"


@pytest.fixture
def page(browser: Any, report: Path) -> Iterator[Any]:
    """The open report; afterwards the console must be free of errors and the network unused."""
    page = browser.new_page(viewport={"width": 1100, "height": 900})
    page.set_default_timeout(120_000)  # a loaded machine draws slowly
    problems: list[str] = []
    requests: list[str] = []
    page.on("console", lambda m: problems.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(report.as_uri())
    page.wait_for_selector("[data-figure=overlap] .heatmaplayer image, [data-figure=overlap] .hm")
    yield page
    page.close()
    assert problems == []
    assert [url for url in requests if not url.startswith(("file:", "data:", "blob:"))] == []


def drawn(page: Any, figure: str, trace: int) -> dict[str, Any]:
    """What Plotly shows of a trace now."""
    script = """([figure, trace]) => {
      const t = document.querySelector(`[data-figure=${figure}]`)._fullData[trace];
      return {x: [...(t.x || [])], visible: t.visible};
    }"""
    found: dict[str, Any] = page.evaluate(script, [figure, trace])
    return found


def index_of(page: Any, part: str) -> int:
    script = """part => document.querySelector('[data-figure=spectra]').data
      .findIndex(t => t.meta && t.meta.part === part)"""
    return int(page.evaluate(script, part))


def test_the_three_figures_are_drawn(page: Any) -> None:
    lines = page.locator("[data-figure=forgetting] .scatterlayer path.js-line")
    assert lines.count() >= 2 * len(TASKS)
    assert page.locator("[data-figure=spectra] .scatterlayer path.js-line").count() > 30
    assert page.locator("[data-figure=spectra] .barlayer .point path").count() == 5
    assert page.locator("[data-figure=overlap] .heatmap-label").count() == 2 * 8 * 7


def test_the_slider_moves_the_cut_and_the_bars(page: Any) -> None:
    cut, bars = index_of(page, "cut-layer"), index_of(page, "bars-layer")
    before = drawn(page, "spectra", bars)["x"]
    assert drawn(page, "spectra", cut)["x"] == [0.3, 0.3]
    rail = page.locator("[data-figure=spectra] .slider-rail-touch-rect")
    rail.scroll_into_view_if_needed()
    box = rail.bounding_box()
    page.mouse.click(box["x"] + box["width"] - 6, box["y"] + box["height"] / 2)
    page.wait_for_function("i => document.querySelector('[data-figure=spectra]')"
                           "._fullData[i].x[0] > 0.9", arg=cut)  # fmt: skip
    after = drawn(page, "spectra", bars)["x"]
    assert all(b > a for a, b in zip(before, after, strict=True))


def test_the_scope_list_shows_the_other_cut(page: Any) -> None:
    page.locator("[data-figure=spectra] .updatemenu-header").first.click()
    page.locator("[data-figure=spectra] .updatemenu-dropdown-button").nth(1).click()
    assert drawn(page, "spectra", index_of(page, "cut-global"))["visible"] is True
    assert drawn(page, "spectra", index_of(page, "cut-layer"))["visible"] is False


def test_choosing_a_task_redraws_figure_caption_and_words(page: Any) -> None:
    page.get_by_label("Show").select_option(label="FOMC")
    assert "Score on FOMC" in page.locator("#forgetting-caption").inner_text()
    assert "FOMC" in page.locator("#forgetting-words").text_content()
    assert page.locator("[data-figure=forgetting] .scatterlayer path.js-line").count() >= 4


def test_a_phone_scrolls_figures_not_the_page(browser: Any, report: Path) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 800}, color_scheme="dark")
    page.set_default_timeout(120_000)
    page.goto(report.as_uri())
    page.wait_for_selector("[data-figure=overlap] .heatmap-label")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    colour = page.evaluate("document.querySelector('[data-figure=forgetting]').layout.font.color")
    assert colour == "#d4d4d4"
    page.close()
