"""The explorer's controls move every view to what the library computes, without a browser."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest
import torch

import fggm_lab as lab
from fggm_lab.masks import Mask, Scope
from fggm_lab.methods import FGGM, Contrast, Protect
from fggm_lab.methods.fggm import lowest_first
from fggm_lab.plots import (
    fisher_spectra,
    kept_shares,
    mask_map,
    mask_overlap,
    share_per_layer,
    shared_units,
)
from fggm_lab.runs import Run
from fggm_lab.widgets.explorer import Explorer
from fggm_lab.widgets.lazy_widget import ErrorWidget
from fggm_lab.widgets.run_cache import RunCache
from tests.support.records import TASKS, made_run
from tests.support.small import small_run, small_tasks

TABS = ["Forgetting", "Fisher spectra", "Masks", "Overlap", "Drift"]


def explorer(runs: Any) -> Explorer:
    """An explorer as a page would fill it."""
    widget = lab.explore(runs)
    assert isinstance(widget, Explorer)
    widget.fill()
    return widget


def show(widget: Explorer, tab: str, view: str | None = None) -> Any:
    """Look at a tab, and perhaps at another view of it; returns its panel."""
    widget.tabs.box.selected_index = TABS.index(tab)
    if view is not None:
        widget.tabs.shown.view.value = view
    return widget.tabs.shown.panel


def choose(widget: Explorer, **values: Any) -> None:
    for name, value in values.items():
        widget.selection.named[name].value = value


def cut(run: Run, keep: float, scope: Scope = "parameter") -> dict[str, Mask]:
    """The masks of a run's stored scores, by the library's own way."""
    scores = {task: run.fisher(task) for task in run.config.task_names}
    return {
        task: Mask.top(stored, keep, scope) for task, stored in scores.items() if stored is not None
    }


def test_five_tabs_and_one_selection_for_one_run_or_several(four_runs: list[Run]) -> None:
    for runs in (four_runs, four_runs[2], [run.path for run in four_runs]):
        widget = explorer(runs)
        assert list(widget.tabs.box.titles) == TABS
        assert set(widget.selection.named) == {"method", "task", "layer", "keep", "scope"}


@pytest.mark.parametrize(
    ("method", "settings", "start"),
    [
        ("contrast", {"keep": 0.1, "scope": "global"}, (0.1, "global")),
        ("replay+fggm", {"replay": {}, "fggm": {"keep": 0.2, "scope": "global"}}, (0.2, "global")),
        ("migu", {"keep": 0.4}, (0.4, "parameter")),
        ("ewc", {"strength": 1.0}, (0.3, "parameter")),
    ],
)
def test_keep_share_and_scope_start_where_the_run_trained(
    tmp_path: Path, method: str, settings: dict[str, Any], start: tuple[float, str]
) -> None:
    run = made_run(tmp_path, method, TASKS[:2], method_settings=settings)
    selection = explorer(run).selection
    assert (selection["keep"], selection["scope"]) == start


def test_of_several_runs_the_one_shown_first_gives_keep_share_and_scope(tmp_path: Path) -> None:
    runs = [
        made_run(tmp_path, "sft", TASKS[:2]),
        made_run(tmp_path, "fggm", TASKS[:2], method_settings={"keep": 0.2, "scope": "global"}),
        made_run(tmp_path, "random", TASKS[:2], method_settings={"keep": 0.5}),
    ]
    selection = explorer(runs).selection
    assert selection["method"] == "fggm"
    assert (selection["keep"], selection["scope"]) == (0.2, "global")


def test_nothing_is_drawn_before_a_page_shows_it(four_runs: list[Run]) -> None:
    widget = lab.explore(four_runs)
    assert isinstance(widget, Explorer)
    assert len(widget.children) == 1
    widget.fill()
    assert len(widget.children) > 1


def test_the_keep_share_moves_the_cut_of_the_figure_on_screen(four_runs: list[Run]) -> None:
    widget = explorer(four_runs)
    panel = show(widget, "Fisher spectra")
    figure = panel.figure
    choose(widget, scope="global", keep=0.1)
    assert panel.figure is figure
    scores = four_runs[2].fisher(TASKS[0])
    assert scores is not None
    anew = fisher_spectra(scores, 0.1, "global", controls=False)
    for old, new in zip(figure.data[-4:], anew.data[-4:], strict=True):
        assert (old.x, old.y, old.visible) == (new.x, new.y, new.visible)


def test_one_keep_share_moves_masks_and_overlaps_cut_from_stored_scores(
    four_runs: list[Run],
) -> None:
    widget = explorer(four_runs)
    for keep in (0.2, 0.65):
        choose(widget, keep=keep)
        masks = cut(four_runs[2], keep)
        overlap = show(widget, "Overlap").figure
        expected = mask_overlap(masks, controls=False).data[0].z
        assert [list(row) for row in overlap.data[0].z] == [list(row) for row in expected]
        strips = show(widget, "Masks", "map of units").figure
        assert np.array_equal(
            np.array(strips.data[0].z, dtype=float),
            np.array(mask_map(masks, controls=False).data[0].z, dtype=float),
        )
        bars = show(widget, "Fisher spectra").figure.data[-3]
        scores = four_runs[2].fisher(TASKS[0])
        assert scores is not None
        assert list(bars.x) == [row.share for row in share_per_layer(scores, keep)]


@pytest.mark.parametrize("method", [FGGM(invert=True), Protect(samples=4, length=8)])
def test_masks_of_the_lowest_scores_are_shown_as_they_were_cut(
    method: FGGM | Protect, tmp_path: Path
) -> None:
    run = small_run(method, tmp_path / "run", tasks=small_tasks(2))
    widget = explorer(run)
    run_masks = {task: run.mask(task) for task in run.config.task_names}
    assert RunCache([run]).masks(run, 0.3, "parameter") == run_masks
    scores = run.fisher("task-0")
    assert scores is not None
    choose(widget, scope="global")
    shown = show(widget, "Masks").figure
    expected = kept_shares(lowest_first(scores.of_outputs()), "layer", "global", 0.3)
    for drawn, line in zip(shown.data, expected.data, strict=True):
        assert (drawn.name, list(drawn.x), list(drawn.y)) == (line.name, list(line.x), list(line.y))
    plain = RunCache([run]).scores(run, "task-0")
    assert all(torch.equal(plain[name], scores[name]) for name in plain.names)


def test_masks_of_scores_that_are_not_stored_are_the_runs_own(tmp_path: Path) -> None:
    method = Contrast(samples=4, length=8)
    run = small_run(method, tmp_path / "run", tasks=small_tasks(2))
    run_masks = {task: run.mask(task) for task in run.config.task_names}
    assert RunCache([run]).masks(run, 0.3, "parameter") == run_masks
    widget = explorer(run)
    assert show(widget, "Overlap").figure is not None
    choose(widget, keep=0.5)
    message = "does not store the scores that contrast cuts its masks from"
    assert message in show(widget, "Overlap").text
    assert message in show(widget, "Masks").text


def test_a_tab_out_of_sight_is_drawn_when_it_is_looked_at(four_runs: list[Run]) -> None:
    widget = explorer(four_runs)
    panel = show(widget, "Overlap")
    before = panel.figure.data[0].z[1][0]
    show(widget, "Forgetting")
    choose(widget, keep=0.9)
    assert panel.figure.data[0].z[1][0] == before
    show(widget, "Overlap")
    assert panel.figure.data[0].z[1][0] != before


def test_layer_and_task_move_the_views_that_name_them(four_runs: list[Run]) -> None:
    widget = explorer(four_runs)
    choose(widget, layer="layer 2", task="FOMC")
    assert "layer 2" in show(widget, "Overlap").text
    assert "FOMC" in show(widget, "Fisher spectra").text
    assert {trace.name for trace in show(widget, "Drift").figure.data if trace.name} >= {TASKS[0]}


def test_a_view_of_one_layer_says_so_and_counts_its_units_alone(four_runs: list[Run]) -> None:
    widget = explorer(four_runs)
    all_units = show(widget, "Overlap", "shared units").figure.data[0].y
    choose(widget, layer="outside layers")
    panel = show(widget, "Overlap", "shared units")
    masks = cut(four_runs[2], 0.3)
    outside = {t: m.restricted(["model.embed_tokens.weight", "model.norm.weight"])
               for t, m in masks.items()}  # fmt: skip
    assert list(panel.figure.data[0].y) == list(shared_units(outside).data[0].y) != list(all_units)
    assert "Outside layers only. The 224 units" in panel.text
    views = {"histogram": "Fisher spectra", "Lorenz curve": "Fisher spectra",
             "tasks overlaid": "Fisher spectra", "union growth": "Overlap"}  # fmt: skip
    for view, tab in views.items():
        assert "Outside layers only." in show(widget, tab, view).text


def test_every_view_draws_or_says_why_not(four_runs: list[Run]) -> None:
    widget = explorer(four_runs)
    choose(widget, task=TASKS[2])
    for index, tab in enumerate(widget.tabs.tabs):
        widget.tabs.box.selected_index = index
        for view in tab.views:
            tab.view.value = view
            drawn = tab.panel.figure is not None
            assert drawn or (view == "along the task" and "fisher_points" in tab.panel.text), view
            assert "Traceback" not in tab.panel.text


def test_methods_ticked_choose_the_curves(four_runs: list[Run]) -> None:
    widget = explorer(four_runs)
    panel = show(widget, "Forgetting", "chosen task")
    boxes = widget.tabs.shown.controls.named["runs"].boxes
    boxes["sft"].value = False
    assert {trace.name for trace in panel.figure.data if trace.name} == {"migu", "fggm", "random"}
    for box in boxes.values():
        box.value = False
    assert panel.figure is None and "tick a method" in panel.text


def test_a_run_without_scores_names_the_option_that_records_them(four_runs: list[Run]) -> None:
    widget = explorer(four_runs)
    choose(widget, method="sft")
    assert "fisher_points" in show(widget, "Fisher spectra").text
    assert "fisher_points" in show(widget, "Overlap").text


def test_runs_that_do_not_belong_together_are_a_sentence(
    four_runs: list[Run], tmp_path: Path
) -> None:
    other = made_run(tmp_path, "fggm", TASKS[:2])
    model = made_run(tmp_path / "model", "sft", model_fingerprint="another")
    for runs, message in (
        ([four_runs[0], other], "cannot be compared"), ([four_runs[0], model], "model"),
        ([], "no run"), (tmp_path / "nowhere", "no folder"), (7, "or a folder of runs"),
    ):  # fmt: skip
        widget = lab.explore(runs)  # type: ignore[arg-type]
        assert isinstance(widget, ErrorWidget)
        assert message in widget.static().words
        widget.fill()
        assert any(message in getattr(child, "value", "") for child in widget.children)


def test_a_newer_schema_and_a_damaged_file_are_sentences(tmp_path: Path) -> None:
    run = made_run(tmp_path, "fggm")
    run.file("fisher", TASKS[0]).write_bytes(b"torn")
    widget = explorer(run)
    assert "cannot be read" in show(widget, "Fisher spectra").text
    config = json.loads((run.path / "config.json").read_text())
    (run.path / "config.json").write_text(json.dumps(config | {"schema_version": 99}))
    newer = lab.explore(str(run.path))
    assert isinstance(newer, ErrorWidget) and "upgrade" in newer.static().words


def test_an_unfinished_run_is_marked_and_read_again_while_it_grows(tmp_path: Path) -> None:
    run = made_run(tmp_path, "fggm", done=1)
    widget = explorer(run)
    assert "unfinished" in widget.selection.named["method"].options[0][0]
    panel = show(widget, "Overlap")
    assert panel.figure is None
    grown = made_run(tmp_path / "grown", "fggm")
    for task in TASKS[:3]:
        scores = grown.fisher(task)
        assert scores is not None
        scores.save(run.file("fisher", task))
    button = next(
        child for child in widget.children
        if getattr(child, "description", "") == "Read runs again"
    )  # fmt: skip
    button.click()
    assert panel.figure is not None and len(panel.figure.data[0].z) == 3


def test_without_widgets_a_small_picture_and_its_words(four_runs: list[Run]) -> None:
    widget = lab.explore(four_runs)
    assert isinstance(widget, Explorer)
    bundle = widget._repr_mimebundle_()
    assert "Under fggm" in bundle["text/plain"]
    assert "data:image/svg+xml" in bundle["text/html"] and "<script" not in bundle["text/html"]
    assert len(json.dumps(bundle)) < 60_000


def test_without_ipywidgets_a_figure_and_a_sentence(
    four_runs: list[Run], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "anywidget", None)
    assert isinstance(lab.explore(four_runs), go.Figure)
    assert 'pip install "fggm-lab[notebook]"' in capsys.readouterr().out
