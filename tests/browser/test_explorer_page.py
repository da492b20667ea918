"""The explorer without a notebook, in Chromium: a file of its own, and a page that is served."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from fggm_lab.explorer.page import write_explorer
from fggm_lab.explorer.server import ExplorerServer
from fggm_lab.explorer.views import TABS
from fggm_lab.masks import Mask
from fggm_lab.plots.mask_overlap import overlap_tables
from fggm_lab.runs import Run
from fggm_lab.runs.compare import comparable_runs
from tests.support.explorer import EXPLORER_SHOWS
from tests.support.records import TASKS, made_run

THREE_TASKS = TASKS[:3]
CURVES = """names => JSON.stringify(names) === JSON.stringify(
  document.querySelector('.js-plotly-plot')?._fullData
    ?.filter(trace => trace.visible === true && trace.meta?.module).map(trace => trace.name))"""
CELLS = """table => {
  const trace = document.querySelector('.js-plotly-plot')?._fullData?.[0];
  return trace?.type === 'heatmap' && table.every((row, i) => row.every((value, j) =>
    value === null || Math.abs(trace.z[i][j] - value) < 1e-9));
}"""


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return made_run(tmp_path / "runs", "fggm", THREE_TASKS)


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A page that must have had no error."""
    page = browser.new_page(viewport={"width": 1100, "height": 900})
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda m: problems.append(m.text) if m.type == "error" else None)
    yield page
    page.close()
    assert problems == []


def wait_for_cells(page: Any, table: Sequence[Sequence[float | None]]) -> None:
    page.wait_for_function(CELLS, arg=[list(row) for row in table])


def test_a_file_shows_every_view_and_cuts_masks_itself(page: Any, run: Run, tmp_path: Path) -> None:
    file = tmp_path / "explorer.html"
    write_explorer(run, file)
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.goto(file.as_uri())
    for tab in TABS:
        page.get_by_role("tab", name=tab.title).click()
        for view in tab.views:
            if len(tab.views) > 1:
                views = page.get_by_role("radiogroup", name="view")
                views.get_by_role("radio", name=view.name, exact=True).check()
            page.wait_for_function(EXPLORER_SHOWS, arg=f"{tab.key}/{view.name}")
            messages = page.locator("[role=status]:visible").all_inner_texts()
            assert len(messages) == (view.name == "along the task"), messages

    page.get_by_role("tab", name="Overlap").click()
    page.get_by_role("radio", name="every two tasks").check()
    page.get_by_role("radio", name="global").check()
    page.locator("input[type=range]").fill("13")
    scores = {task: run.fisher(task) for task in THREE_TASKS}
    masks = {task: Mask.top(s, 0.13, "global") for task, s in scores.items() if s is not None}
    wait_for_cells(page, overlap_tables(masks).measured)
    page.locator("select:visible").nth(2).select_option(label="layer 2")
    wait_for_cells(page, overlap_tables(masks, 2).measured)
    page.get_by_role("tab", name="Fisher spectra").click()
    page.get_by_role("radio", name="sorted").check()
    page.get_by_role("combobox", name="module").select_option(label="mlp.gate_proj.weight")
    page.wait_for_function(CURVES, arg=["layer 2 · mlp.gate_proj.weight"])
    page.get_by_role("radio", name="histogram").check()
    assert "does not hold this figure" in page.locator("[role=status]:visible").inner_text()
    assert [url for url in requests if not url.startswith(("file:", "data:", "blob:"))] == []


def test_a_served_page_follows_a_run_while_it_is_trained(page: Any, tmp_path: Path) -> None:
    folder = tmp_path / "growing"
    growing = made_run(folder, "fggm", THREE_TASKS, done=1)
    with ExplorerServer(partial(comparable_runs, folder)) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        page.goto(server.address)
        page.get_by_role("tab", name="Overlap").click()
        page.locator("[role=status]:visible", has_text="two tasks or more").wait_for()
        finished = made_run(tmp_path / "finished", "fggm", THREE_TASKS)
        for task in THREE_TASKS:
            scores = finished.fisher(task)
            assert scores is not None
            scores.save(growing.file("fisher", task))
        growing.append({"kind": "note"})
        page.wait_for_function(EXPLORER_SHOWS, arg="overlap/every two tasks")
        page.locator(".main-svg").first.wait_for()
        server.shutdown()
