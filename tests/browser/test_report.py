"""A browser opens the report from disk, draws every figure and lets a reader use them.

With FGGM_LAB_SCREENSHOTS naming a folder, it keeps a picture of the whole page in each size and
colour scheme.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest

from fggm_lab import plots
from fggm_lab.fisher import FisherScores
from fggm_lab.report import write_report
from fggm_lab.report.figures import masks_of
from fggm_lab.runs import Run
from tests.support.records import TASKS, made_run

FIGURES = ["forgetting", "plane", "paired", "cost", "spectra", "lorenz", "overlap", "depth",
           "shared", "union", "drift"]  # fmt: skip
METHODS = ("sft", "fggm", "random")
INK = {"light": "#3a3a3a", "dark": "#d4d4d4"}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    """In the order of the page."""
    folder = tmp_path_factory.mktemp("runs")
    return [made_run(folder, method) for method in METHODS]


@pytest.fixture(scope="module")
def report(runs: list[Run], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    write_report(runs, path)
    return path


@contextmanager
def opened(browser: Any, report: Path, width: int, scheme: str) -> Iterator[Any]:
    """The drawn report; in the end the console must be free of errors and the network unused."""
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page.set_default_timeout(120_000)  # a loaded machine draws slowly
    problems: list[str] = []
    requests: list[str] = []
    page.on("console", lambda m: problems.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    try:
        page.goto(report.as_uri())
        page.wait_for_function("""() => [...document.querySelectorAll('[data-figure]')].every(
          figure => figure._fullData && figure.querySelector('.plot-container .main-svg'))""")
        yield page
    finally:
        page.close()
    assert problems == []
    assert [url for url in requests if not url.startswith(("file:", "data:", "blob:"))] == []


@pytest.fixture(scope="module")
def page(browser: Any, report: Path) -> Iterator[Any]:
    """One page, shared by the tests that use its controls."""
    with opened(browser, report, 1280, "light") as page:
        yield page


def drawn(page: Any, figure: str) -> list[dict[str, Any]]:
    """What Plotly shows now: a dictionary per trace."""
    script = """figure => document.querySelector(`[data-figure=${figure}]`)._fullData.map(t => ({
      x: [...(t.x || [])], y: [...(t.y || [])], z: (t.z || []).map(row => [...row]),
      visible: t.visible, customdata: t.customdata}))"""
    traces: list[dict[str, Any]] = page.evaluate(script, figure)
    return traces


def check_same(page: Any, key: str, figure: go.Figure) -> None:
    """The page shows the numbers, the caption and the words of a figure the library drew."""
    shown = drawn(page, key)
    assert len(shown) == len(figure.data)
    for drawn_trace, trace in zip(shown, figure.data, strict=True):
        for axis in ("x", "y", "z"):
            expected = getattr(trace, axis, None)
            same_values(drawn_trace[axis], [] if expected is None else expected)
    meta = figure.layout.meta
    assert page.locator(f"#{key}-caption").inner_text() == meta["caption"]
    assert page.locator(f"#{key}-words").text_content() == meta["description"]


def scores_of(run: Run, task: str) -> FisherScores:
    """The scores that a run stored before a task."""
    scores = run.fisher(task)
    assert scores is not None
    return scores


def same_values(shown: Any, expected: Any) -> None:
    flat = [np.array(values, dtype=object).ravel().tolist() for values in (shown, expected)]
    assert len(flat[0]) == len(flat[1])
    for a, b in zip(*flat, strict=True):
        assert a == b or a == pytest.approx(b, rel=1e-6), (a, b)


def choose(page: Any, key: str, label: str) -> None:
    page.locator(f"select[data-for={key}]").select_option(label=label)
    drawn_as_chosen = """key => document.querySelector(`[data-figure=${key}]`).dataset.drawn ===
      `${key}-${document.querySelector(`select[data-for=${key}]`).value}`"""
    page.wait_for_function(drawn_as_chosen, arg=key)


def choose_inside(page: Any, key: str, menu: int, option: int) -> None:
    """Choose from a list that Plotly draws into the figure itself."""
    page.locator(f"[data-figure={key}] .updatemenu-header").nth(menu).click()
    page.locator(f"[data-figure={key}] .updatemenu-dropdown-button").nth(option).click()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 400])
def test_every_figure_is_drawn_and_the_page_stays_in_its_width(
    browser: Any, report: Path, width: int, scheme: str
) -> None:
    with opened(browser, report, width, scheme) as page:
        keys = page.locator("[data-figure]").evaluate_all("e => e.map(p => p.dataset.figure)")
        assert keys == FIGURES
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        for key in keys:
            figure = page.locator(f"[data-figure={key}]")
            assert figure.evaluate("figure => figure.layout.font.color") == INK[scheme], key
            assert figure.locator(".plotly-notifier .notifier-note").count() == 0
            excess = figure.evaluate(
                "p => p.querySelector('.main-svg').getBoundingClientRect().right"
                " - p.getBoundingClientRect().right"
            )
            assert excess <= 1, f"{key} is wider than its container"
        marks = {"plane": ".scatterlayer .point", "paired": ".scatterlayer .point",
                 "spectra": ".scatterlayer path.js-line", "depth": ".scatterlayer .point",
                 "lorenz": ".scatterlayer path.js-line", "shared": ".barlayer .point path",
                 "union": ".barlayer .point path", "drift": ".scatterlayer path.js-line",
                 "forgetting": ".scatterlayer path.js-line"}  # fmt: skip
        counted = {
            key: page.locator(f"[data-figure={key}] {mark}").count() for key, mark in marks.items()
        }
        assert counted["plane"] >= 3 * 7 + 3, "a point per task, and the ends"
        assert counted["paired"] == 4 * 2
        assert counted["lorenz"] == len(TASKS) + 1 and counted["drift"] == len(TASKS) - 1
        assert counted["shared"] == 2 * 9 and counted["union"] == 8
        assert counted["depth"] == 3 * 5 and counted["forgetting"] >= 3 * len(TASKS)
        assert counted["spectra"] > 30
        assert page.locator("[data-figure=overlap] .heatmap-label").count() == 2 * 8 * 7
        keep_picture(page, f"report-{width}-{scheme}")


def keep_picture(page: Any, name: str) -> None:
    folder = os.environ.get("FGGM_LAB_SCREENSHOTS")
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


def test_figures_open_with_what_the_library_computes(page: Any, runs: list[Run]) -> None:
    scores = {task: scores_of(runs[1], task) for task in TASKS}
    check_same(page, "lorenz", plots.lorenz_curves(scores))
    earlier = {task: scores[task] for task in TASKS[:-1]}
    drift = runs[1].drift(TASKS[-1])
    assert drift is not None
    check_same(page, "drift", plots.drift_against_fisher(earlier, drift))


def test_choosing_a_task_redraws_figure_caption_and_words(page: Any, runs: list[Run]) -> None:
    page.get_by_label("Show").select_option(label="FOMC")
    check_same(page, "forgetting", plots.forgetting_curves(runs, "FOMC"))


def test_the_plane_turns_to_general_and_back(page: Any, runs: list[Run]) -> None:
    page.get_by_label("Keeping, measured by").select_option(label="General")
    check_same(page, "plane", plots.stability_plasticity(runs, "general"))
    page.get_by_label("Keeping, measured by").select_option(label="BWT")
    check_same(page, "plane", plots.stability_plasticity(runs))


def test_differences_are_taken_from_the_chosen_baseline(page: Any, runs: list[Run]) -> None:
    check_same(page, "paired", plots.paired_differences(runs, "random"))
    page.get_by_label("Baseline").select_option(label="sft")
    check_same(page, "paired", plots.paired_differences(runs, "sft"))


def test_masks_of_the_chosen_method_are_drawn(page: Any, runs: list[Run]) -> None:
    for method, run in (("random", runs[2]), ("fggm", runs[1])):
        masks = masks_of(run)
        for key, draw in (("depth", plots.overlap_per_layer), ("shared", plots.shared_units),
                          ("union", plots.union_growth)):  # fmt: skip
            choose(page, key, method)
            check_same(page, key, draw(masks))


def test_overlap_follows_measure_and_layer(page: Any, runs: list[Run]) -> None:
    masks = masks_of(runs[1])
    choose(page, "overlap", "fggm: overlap coefficient")
    check_same(page, "overlap", plots.mask_overlap(masks, measure="overlap"))
    choose_inside(page, "overlap", 0, 3)
    layer = plots.mask_overlap(masks, layer=2, measure="overlap")
    shown = drawn(page, "overlap")
    for drawn_trace, trace in zip(shown, layer.data, strict=True):
        same_values(drawn_trace["z"], trace.z)
        same_values(drawn_trace["customdata"], trace.customdata)


def index_of(page: Any, part: str) -> int:
    """The index of the trace that plays a part, shown or hidden."""
    script = """part => document.querySelector('[data-figure=spectra]').data
      .findIndex(trace => trace.meta && trace.meta.part === part)"""
    return int(page.evaluate(script, part))


def test_the_slider_moves_the_cut_and_the_bars_to_what_the_masks_keep(
    page: Any, runs: list[Run]
) -> None:
    choose(page, "spectra", "fggm: MeetingBank")
    cut, bars = index_of(page, "cut-parameter"), index_of(page, "bars-parameter")
    assert drawn(page, "spectra")[cut]["x"] == [0.3, 0.3]
    rail = page.locator("[data-figure=spectra] .slider-rail-touch-rect")
    rail.scroll_into_view_if_needed()
    box = rail.bounding_box()
    page.mouse.click(box["x"] + box["width"] * 0.8, box["y"] + box["height"] / 2)
    page.wait_for_function("i => document.querySelector('[data-figure=spectra]')"
                           "._fullData[i].x[0] > 0.6", arg=cut)  # fmt: skip
    after = drawn(page, "spectra")
    keep = after[cut]["x"][0]
    shares = plots.share_per_layer(scores_of(runs[1], "MeetingBank"), keep, "parameter")
    assert after[bars]["x"] == pytest.approx([row.share for row in shares])
    assert after[bars]["y"] == [row.layer for row in shares]


def test_the_scope_list_shows_the_other_cut(page: Any) -> None:
    choose(page, "spectra", "fggm: Py150")
    choose_inside(page, "spectra", 0, 1)
    shown = drawn(page, "spectra")
    assert shown[index_of(page, "cut-global")]["visible"] is True
    assert shown[index_of(page, "cut-parameter")]["visible"] is False


def test_another_colour_scheme_redraws_the_figures(page: Any) -> None:
    page.emulate_media(color_scheme="dark")
    page.wait_for_function("ink => [...document.querySelectorAll('[data-figure]')]"
                           ".every(p => p.layout.font.color === ink)", arg=INK["dark"])  # fmt: skip
    page.emulate_media(color_scheme="light")
