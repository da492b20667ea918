"""Every view of the explorer is what the library draws of the records chosen, or a sentence."""

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest
import torch

from fggm_lab.explorer.run_cache import RunCache
from fggm_lab.explorer.run_figures import Json, RunFigures
from fggm_lab.explorer.views import TABS
from fggm_lab.fisher.scores import FisherScores
from fggm_lab.masks import Mask
from fggm_lab.methods import FGGM, Contrast, Protect
from fggm_lab.methods.fggm import lowest_first
from fggm_lab.plots import (
    drift_against_fisher,
    fisher_spectra,
    forgetting_curves,
    kept_shares,
    mask_map,
    mask_overlap,
    overlap_per_layer,
    score_heatmap,
    score_histograms,
    score_matrix,
    shared_units,
    spectra_overlaid,
    stability_plasticity,
    union_growth,
)
from fggm_lab.plots.mask_overlap import OUTSIDE_LAYERS
from fggm_lab.runs import Run
from tests.support.records import TASKS, made_run
from tests.support.small import small_run, small_tasks


def answer(figures: RunFigures, view: str, **changes: Any) -> Json:
    """The answer for a view, `tab/name`, with some values other than at first."""
    tab, name = view.split("/")
    return figures.answer(tab, name, {**figures.description()["values"], **changes})


def shown(figures: RunFigures, view: str, **changes: Any) -> go.Figure:
    """The figure of an answer that holds one."""
    return go.Figure(answer(figures, view, **changes)["figure"])


def assert_same(figure: go.Figure, expected: go.Figure) -> None:
    """Two figures have the same numbers in the same lines, bars and cells."""
    assert len(figure.data) == len(expected.data)
    for trace, other in zip(figure.data, expected.data, strict=True):
        assert (trace.type, trace.name) == (other.type, other.name)
        for key in "xyz":
            assert numbers(getattr(trace, key, None)) == numbers(getattr(other, key, None))


def numbers(values: Any) -> Any:
    """What a trace holds, in the seven digits that a page gets; Plotly's packed arrays unpacked."""
    if isinstance(values, dict):
        array = np.frombuffer(base64.b64decode(values["bdata"]), dtype=values["dtype"])
        shape = values.get("shape", str(array.size))
        values = array.reshape([int(size) for size in shape.split(",")])
    if isinstance(values, np.ndarray) and values.dtype.kind == "f":
        return values.astype(np.float32).tolist()
    if isinstance(values, list | tuple | np.ndarray):
        return [numbers(value) for value in values]
    return np.float32(values) if isinstance(values, float) else values


def scores_of(run: Run, task: str) -> FisherScores:
    scores = run.fisher(task)
    assert scores is not None
    return scores.of_outputs()


def masks_of(run: Run, keep: float, scope: Any = "parameter") -> dict[str, Mask]:
    """The masks of a run's stored scores, by the library's own way."""
    return {
        task: Mask.top(scores_of(run, task), keep, scope)
        for task in run.config.task_names
        if run.fisher(task) is not None
    }


def test_the_description_names_tabs_controls_and_where_they_begin(four_runs: list[Run]) -> None:
    description = RunFigures(four_runs).description()
    assert [tab["title"] for tab in description["tabs"]] == [
        "Forgetting", "Fisher spectra", "Masks", "Overlap", "Drift",
    ]  # fmt: skip
    shared = [control["name"] for control in description["controls"] if control["shared"]]
    assert shared == ["method", "task", "layer", "keep", "scope"]
    assert json.loads(json.dumps(description)) == description
    values = description["values"]
    assert (values["method"], values["task"], values["keep"]) == ("fggm", TASKS[-1], 0.3)
    for control in description["controls"]:
        if control["options"] and control["kind"] != "ticks":
            assert values[control["name"]] in [option["value"] for option in control["options"]]


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
    values = RunFigures([run]).description()["values"]
    assert (values["keep"], values["scope"]) == start


def test_a_run_with_masks_is_chosen_first(tmp_path: Path) -> None:
    runs = [
        made_run(tmp_path, "sft", TASKS[:2]),
        made_run(tmp_path, "fggm", TASKS[:2], method_settings={"keep": 0.2, "scope": "global"}),
        made_run(tmp_path, "random", TASKS[:2], method_settings={"keep": 0.5}),
    ]
    values = RunFigures(runs).description()["values"]
    assert (values["method"], values["keep"], values["scope"]) == ("fggm", 0.2, "global")


def test_figures_that_need_no_cut_are_those_of_the_library(four_runs: list[Run]) -> None:
    figures, run = RunFigures(four_runs), four_runs[2]
    last = scores_of(run, TASKS[-1])
    earlier = {task: scores_of(run, task) for task in TASKS[:-1] if run.fisher(task)}
    drift = run.drift(TASKS[-1])
    assert drift is not None
    for view, expected in {
        "forgetting/all tasks": forgetting_curves(four_runs),
        "forgetting/score matrix": score_matrix(run),
        "forgetting/stability–plasticity": stability_plasticity(four_runs),
        "spectra/histogram": score_histograms(last),
        "spectra/heatmap": score_heatmap(last),
        "spectra/tasks overlaid": spectra_overlaid(
            {**earlier, TASKS[-1]: last}, controls=False
        ),
        "drift/against earlier tasks": drift_against_fisher(earlier, drift),
    }.items():  # fmt: skip
        assert_same(shown(figures, view), expected)


def test_what_a_page_fills_when_no_page_fills_it_is_drawn(tmp_path: Path) -> None:
    """Every view that has a template has a figure too, of the same records."""
    run = made_run(tmp_path, "fggm", TASKS[:3])
    figures = RunFigures([run])
    values = {**figures.description()["values"], "keep": 0.4, "scope": "global"}
    last, masks = scores_of(run, TASKS[2]), masks_of(run, 0.4, "global")
    expected = {
        "sorted": fisher_spectra(last, 0.4, "global", controls=False),
        "map of units": mask_map(masks, controls=False),
        "kept shares": kept_shares(last, "layer", "global", 0.4),
        "every two tasks": mask_overlap(masks, controls=False),
        "per layer": overlap_per_layer(masks),
        "shared units": shared_units(masks),
        "union growth": union_growth(masks),
    }
    from fggm_lab.explorer.selection import Selection

    for view in (view for tab in TABS for view in tab.views if view.name in expected):
        assert_same(view.draw(Selection(figures.cache, values)), expected[view.name])


def test_a_view_of_one_layer_says_so_and_shows_it_alone(four_runs: list[Run]) -> None:
    figures, run = RunFigures(four_runs), four_runs[2]
    last = scores_of(run, TASKS[-1])
    outside = last.restricted(["model.embed_tokens.weight", "model.norm.weight"])
    answered = answer(figures, "spectra/histogram", layer=OUTSIDE_LAYERS)
    assert answered["caption"].startswith("Outside layers only. ")
    assert answered["description"].startswith("Outside layers only. ")
    assert_same(go.Figure(answered["figure"]), score_histograms(outside))
    assert answer(figures, "overlap/shared units", layer=2)["note"] == "Layer 2 only. "


def test_ticked_methods_choose_the_curves(four_runs: list[Run]) -> None:
    figures = RunFigures(four_runs)
    curves = shown(figures, "forgetting/chosen task", runs=["migu", "fggm"])
    assert {trace.name for trace in curves.data if trace.name} == {"migu", "fggm"}
    assert "tick a method" in answer(figures, "forgetting/all tasks", runs=[])["message"]


@pytest.mark.parametrize("method", [FGGM(invert=True), Protect(samples=4, length=8)])
def test_masks_of_the_lowest_scores_are_cut_as_the_run_cut_them(
    method: FGGM | Protect, tmp_path: Path
) -> None:
    run = small_run(method, tmp_path / "run", tasks=small_tasks(2))
    run_masks = {task: run.mask(task) for task in run.config.task_names}
    assert RunCache([run]).masks(run, 0.3, "parameter") == run_masks
    figures, scores = RunFigures([run]), scores_of(run, "task-0")
    stored = figures.scores(next(iter(figures.cache.runs)))
    reversed_scores = lowest_first(scores)
    expected = np.concatenate([units.numpy() for units in reversed_scores.units.values()])
    assert np.array_equal(stored.arrays[0], expected)
    plain = figures.cache.scores(run, "task-0")
    assert all(torch.equal(plain[name], scores[name]) for name in plain.names)


def test_masks_of_scores_that_are_not_stored_are_the_runs_own(tmp_path: Path) -> None:
    run = small_run(Contrast(samples=4, length=8), tmp_path / "run", tasks=small_tasks(2))
    run_masks = {task: mask for task in run.config.task_names if (mask := run.mask(task))}
    figures = RunFigures([run])
    assert figures.description()["cut"] == []
    assert_same(shown(figures, "overlap/every two tasks"), mask_overlap(run_masks, controls=False))
    message = "does not store the scores that contrast cuts its masks from"
    assert message in answer(figures, "overlap/every two tasks", keep=0.5)["message"]
    assert message in answer(figures, "masks/kept shares", keep=0.5)["message"]


def test_every_view_draws_or_says_why_not(four_runs: list[Run]) -> None:
    figures = RunFigures(four_runs)
    for tab in TABS:
        for view in tab.views:
            answered = answer(figures, f"{tab.key}/{view.name}")
            assert json.loads(json.dumps(answered)) == answered
            if view.name == "along the task":
                assert "fisher_points" in answered["message"]
            else:
                assert "message" not in answered, view.name
    first = answer(figures, "drift/against earlier tasks", task=TASKS[0])
    assert "is the first task" in first["message"]


def test_requests_that_no_page_makes_are_sentences(four_runs: list[Run]) -> None:
    figures = RunFigures(four_runs)
    values = figures.description()["values"]
    assert "no view" in figures.answer("masks", "nowhere", values)["message"]
    assert "no run" in figures.answer("masks", "kept shares", {"method": "x"})["message"]
    assert "has no value" in figures.answer("masks", "kept shares", {"method": "fggm"})["message"]
    assert "message" in answer(figures, "masks/map of units", layer=77)


def test_a_run_without_scores_names_the_option_that_records_them(four_runs: list[Run]) -> None:
    figures = RunFigures(four_runs)
    for view in ("spectra/sorted", "overlap/every two tasks", "masks/map of units"):
        assert "fisher_points" in answer(figures, view, method="sft")["message"]


def test_a_damaged_file_is_a_sentence_in_the_views_that_need_it(tmp_path: Path) -> None:
    run = made_run(tmp_path, "fggm")
    run.file("fisher", TASKS[0]).write_bytes(b"torn")
    figures = RunFigures([run])
    assert "cannot be read" in answer(figures, "spectra/sorted", task=TASKS[0])["message"]
    assert "cannot be read" in answer(figures, "overlap/every two tasks")["message"]
    assert "figure" in answer(figures, "forgetting/all tasks")


def test_an_unfinished_run_is_marked_and_grows(tmp_path: Path) -> None:
    run = made_run(tmp_path, "fggm", done=1)
    figures = RunFigures([run])
    (option,) = figures.description()["controls"][0]["options"]
    assert option == {"text": "fggm (unfinished)", "value": "fggm"}
    assert "message" in answer(figures, "overlap/every two tasks")
    before = figures.stamp()
    grown = made_run(tmp_path / "grown", "fggm")
    for task in TASKS[:3]:
        scores_of(grown, task).save(run.file("fisher", task))
    run.append({"kind": "note"})
    assert figures.stamp() != before
    assert answer(figures, "overlap/every two tasks")["template"]["settings"]["tasks"] == TASKS[:3]


def test_scores_travel_as_they_are_stored(four_runs: list[Run]) -> None:
    from fggm_lab.explorer.replies import json_reply

    content = json_reply(RunFigures(four_runs), {"kind": "scores", "method": "fggm"})
    names = [parameter["name"] for parameter in content["parameters"]]
    for task, text in zip(content["tasks"], content["arrays"], strict=True):
        scores = scores_of(four_runs[2], task)
        assert names == scores.names
        sent = np.frombuffer(base64.b64decode(text), dtype=content["dtype"])
        assert np.array_equal(sent, np.concatenate([scores[n].numpy() for n in names]))
