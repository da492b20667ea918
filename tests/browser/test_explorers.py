"""The explorers in a real JupyterLab: drawn, moved by their controls, alive after a reload."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import nbformat
import pytest

from fggm_lab.explorer.views import TABS
from fggm_lab.masks import Mask
from fggm_lab.plots import share_per_layer
from fggm_lab.plots.mask_overlap import overlap_tables
from fggm_lab.plots.plotly_js import plotly_js
from fggm_lab.runs import Run
from tests.support.answers import answered_run
from tests.support.explorer import EXPLORER_SHOWS
from tests.support.jupyter import LabPage, serve
from tests.support.records import TASKS, made_run

THREE_TASKS = TASKS[:3]
EXPLORE = """import fggm_lab as lab
lab.explore("runs/1")"""
COMPARE = """import fggm_lab as lab
lab.compare("runs")"""
BROWSE = """import fggm_lab as lab
lab.browse("answers")"""
PLAYGROUND = """import fggm_lab as lab
model, tokenizer = lab.load_model("tiny")
tasks = lab.load_tasks("trace-mini", order=["NumGLUE-cm", "FOMC"])
lab.MaskPlayground(model, tokenizer, tasks, examples=8, scored=16)"""
LIVE = """import fggm_lab as lab
model, tokenizer = lab.load_model("tiny")
tasks = lab.load_tasks("trace-mini", order=["NumGLUE-cm", "FOMC"])
live = lab.LiveTraining(model, tokenizer, tasks, lab.FGGM(keep=0.3), "live",
                        limit=64, epochs=20, points_per_task=2, probe=4)
live"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made-up runs of two methods and two seeds, and a notebook for each explorer."""
    folder = tmp_path_factory.mktemp("lab")
    for seed in (1, 2):
        for method in ("sft", "fggm"):
            made_run(folder / "runs" / str(seed), method, THREE_TASKS, seed=seed)
    answered_run(folder / "answers")
    for name, cell in (
        ("explore", EXPLORE), ("compare", COMPARE), ("browse", BROWSE), ("playground", PLAYGROUND),
        ("live", LIVE),
    ):  # fmt: skip
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell)])
        notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
        nbformat.write(notebook, folder / f"{name}.ipynb")
    return folder


@pytest.fixture(scope="module")
def server(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serve(folder, tmp_path_factory.mktemp("jupyter")) as address:
        yield address


@pytest.fixture
def lab(request: pytest.FixtureRequest, browser: Any, server: str) -> Iterator[LabPage]:
    """The notebook a test names, run; afterwards it must have had no error anywhere."""
    opened = LabPage(browser, server, f"{request.param}.ipynb")
    opened.run_all()
    yield opened
    assert opened.errors() == []
    opened.close()
    assert opened.problems == []


def press(lab: LabPage, text: str, inside: str) -> None:
    lab.page.locator(f"{inside} button:visible", has_text=text).first.click()


def wait_for_bars(lab: LabPage, shares: Sequence[float]) -> None:
    """Wait until the bars of the spectra are these shares, layer by layer."""
    script = """shares => [...document.querySelectorAll('.fggm-tab-spectra .js-plotly-plot')]
      .some(plot => plot.offsetParent && (plot._fullData || []).some(t => t.type === 'bar'
        && t.visible === true && t.x.length === shares.length
        && shares.every((share, i) => Math.abs(t.x[i] - share) < 1e-9)))"""
    lab.wait_for(script, list(shares))


def wait_for_cells(lab: LabPage, table: Sequence[Sequence[float | None]]) -> None:
    """Wait until the left matrix of the overlap tab holds these numbers."""
    script = """table => [...document.querySelectorAll('.fggm-tab-overlap .js-plotly-plot')]
      .some(plot => plot.offsetParent && plot._fullData?.[0]?.type === 'heatmap'
        && table.every((row, i) => row.every((v, j) => v === null
          || Math.abs(plot._fullData[0].z[i][j] - v) < 1e-9)))"""
    lab.wait_for(script, [list(row) for row in table])


def move_keep(lab: LabPage, keep: float) -> None:
    """Move the keep share to this value with the keyboard, a hundredth at a key."""
    slider = lab.page.locator(".fggm-explore input[type=range]")
    for _ in range(abs(steps := round(100 * keep) - int(slider.input_value()))):
        slider.press("ArrowRight" if steps > 0 else "ArrowLeft")
    assert float(slider.input_value()) == round(100 * keep)


def wait_for_view(lab: LabPage, view: str) -> None:
    """Wait until the explorer shows a view, `overlap/per layer`, or says why it has no figure."""
    lab.wait_for(EXPLORER_SHOWS, view)


@pytest.mark.parametrize("lab", ["explore"], indirect=True)
def test_one_keep_share_moves_every_tab_to_what_the_library_computes(
    lab: LabPage, folder: Path
) -> None:
    run = Run.open(folder / "runs" / "1" / "fggm")
    scores = {task: stored for task in THREE_TASKS if (stored := run.fisher(task))}
    lab.wait_for("document.querySelector('.fggm-tab-forgetting .scatterlayer path.js-line')")
    lab.page.get_by_role("tab", name="Fisher spectra").click()
    last = scores[THREE_TASKS[-1]]
    wait_for_bars(lab, [row.share for row in share_per_layer(last, 0.3)])
    move_keep(lab, 0.4)
    wait_for_bars(lab, [row.share for row in share_per_layer(last, 0.4)])
    lab.page.locator(".fggm-explore").get_by_role("radio", name="global").check()
    wait_for_bars(lab, [row.share for row in share_per_layer(last, 0.4, "global")])

    lab.page.get_by_role("tab", name="Overlap").click()
    masks = {task: Mask.top(stored, 0.4, "global") for task, stored in scores.items()}
    wait_for_cells(lab, overlap_tables(masks).measured)
    move_keep(lab, 0.35)
    masks = {task: Mask.top(stored, 0.35, "global") for task, stored in scores.items()}
    wait_for_cells(lab, overlap_tables(masks).measured)


@pytest.mark.parametrize("lab", ["explore"], indirect=True)
def test_every_view_of_every_tab_draws(lab: LabPage) -> None:
    wait_for_view(lab, "forgetting/all tasks")
    lab.page.set_viewport_size({"width": 1300, "height": 1000})  # figures are fitted anew
    for tab in TABS:
        lab.page.get_by_role("tab", name=tab.title).click()
        for view in tab.views:
            views = lab.page.get_by_role("radiogroup", name="view")
            if len(tab.views) > 1:
                views.get_by_role("radio", name=view.name, exact=True).check()
            wait_for_view(lab, f"{tab.key}/{view.name}")
            message = lab.page.locator(".fggm-explore [role=status]:visible")
            messages = message.all_inner_texts()
            assert len(messages) == (view.name == "along the task"), messages
            lab.shot(f"explore-{tab.key}-{view.name}".lower().replace(" ", "-"))


@pytest.mark.parametrize("lab", ["explore"], indirect=True)
def test_a_reloaded_page_is_still_usable(lab: LabPage, folder: Path) -> None:
    scores = Run.open(folder / "runs" / "1" / "fggm").fisher(THREE_TASKS[-1])
    assert scores is not None
    lab.page.get_by_role("tab", name="Fisher spectra").click()
    move_keep(lab, 0.4)
    wait_for_bars(lab, [row.share for row in share_per_layer(scores, 0.4)])
    lab.reload()
    wait_for_bars(lab, [row.share for row in share_per_layer(scores, 0.4)])
    move_keep(lab, 0.5)
    wait_for_bars(lab, [row.share for row in share_per_layer(scores, 0.5)])


def test_a_slow_page_draws_too_and_plotly_is_sent_once(
    browser: Any, server: str, folder: Path
) -> None:
    """Widgets have 1 ms to get ready where anywidget gives them 2 s: none is.

    Plotly's own figure widgets would stay empty for good.
    """
    script = """const timeout = AbortSignal.timeout.bind(AbortSignal);
      AbortSignal.timeout = ms => timeout(ms === 2000 ? 1 : ms);"""
    lab = LabPage(browser, server, "explore.ipynb", script)
    lab.run_all()
    drawn = """css => [...document.querySelectorAll(`.${css} .js-plotly-plot`)]
      .some(plot => plot.offsetParent && plot._fullData?.length
        && plot.querySelector('.trace, .hm'))"""
    lab.wait_for(drawn, "fggm-tab-forgetting")
    assert lab.received < len(plotly_js()) + 1_500_000
    lab.wait_for(
        "[...document.querySelectorAll('[class^=fggm-static]')].every(e => !e.offsetParent)"
    )
    for tab in TABS[1:]:
        before = lab.received
        lab.page.get_by_role("tab", name=tab.title).click()
        lab.wait_for(drawn, f"fggm-tab-{tab.key}")
        assert lab.received - before < 200_000
    lab.page.get_by_role("tab", name="Fisher spectra").click()
    move_keep(lab, 0.4)  # what changes later arrives, too
    scores = Run.open(folder / "runs" / "1" / "fggm").fisher(THREE_TASKS[-1])
    assert scores is not None
    wait_for_bars(lab, [row.share for row in share_per_layer(scores, 0.4)])
    assert lab.errors() == []
    lab.close()  # its console holds anywidget's complaints at being given so little time


@pytest.mark.parametrize("lab", ["compare"], indirect=True)
def test_compare_sets_methods_side_by_side(lab: LabPage) -> None:
    lab.wait_for("document.querySelector('.fggm-compare .js-plotly-plot .scatterlayer .point')")
    rows = lab.page.locator(".fggm-table tbody tr th")
    assert sorted(rows.all_inner_texts()) == ["fggm", "sft"]
    lab.shot("compare-plane")
    lab.page.get_by_role("tab", name="Paired differences").click()
    lab.wait_for("document.querySelector('.fggm-tab-paired .js-plotly-plot .scatterlayer .point')")
    lab.shot("compare-paired")
    lab.page.get_by_role("tab", name="Forgetting").click()
    lab.wait_for("document.querySelector('.fggm-tab-forgetting .scatterlayer path.js-line')")
    lab.shot("compare-forgetting")


@pytest.mark.parametrize("lab", ["browse"], indirect=True)
def test_the_browser_of_answers_shows_the_example_chosen(lab: LabPage) -> None:
    lab.wait_for("document.querySelector('.fggm-browse .js-plotly-plot .main-svg')")
    first, *_ = lab.page.locator(".fggm-examples option").all_inner_texts()
    assert " ".join(first.split()) == "1.00 → 0.00 A 0: A asks number 0?"
    lab.page.locator(".fggm-examples select").select_option(index=1)
    lab.wait_for("document.querySelector('.fggm-browse').innerText.includes('wrong B <1>')")
    press(lab, "What does the answer depend on?", ".fggm-browse")
    lab.wait_for("document.querySelector('.fggm-browse').innerText.includes('keeps no model')")


@pytest.mark.parametrize("lab", ["playground"], indirect=True)
def test_the_playground_shows_what_zeroing_does(lab: LabPage) -> None:
    press(lab, "Try", ".fggm-playground")
    lab.wait_for("document.querySelector('.fggm-playground .js-plotly-plot .point')")
    lab.shot("playground")


@pytest.mark.parametrize("lab", ["live"], indirect=True)
def test_live_training_is_paused_and_resumed_by_its_button(lab: LabPage, folder: Path) -> None:
    run = folder / "live"
    press(lab, "Start", ".fggm-live")
    lab.wait_for("document.querySelector('.fggm-live .js-plotly-plot .scatterlayer')")
    lab.wait_for(
        "[...document.querySelectorAll('.fggm-live button')]"
        ".some(b => b.textContent.includes('Pause'))"
    )
    press(lab, "Pause", ".fggm-live")
    lab.wait_for("document.querySelector('.fggm-live')?.textContent.includes('Paused')")
    steps_when_paused = len(Run.open(run).events("step"))
    assert not Run.open(run).finished and steps_when_paused > 0
    lab.shot("live-paused")
    press(lab, "Resume", ".fggm-live")
    lab.wait_for("document.querySelector('.fggm-live')?.textContent.includes('Finished')")
    resumed = Run.open(run)
    assert resumed.finished and len(resumed.events("step")) == 80 > steps_when_paused
    lab.shot("live-finished")
