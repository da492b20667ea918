"""`compare` sets methods side by side, and refuses what cannot be compared in a sentence."""

from pathlib import Path
from typing import Any

import pytest

import fggm_lab as lab
from fggm_lab.plots import paired_differences, stability_plasticity
from fggm_lab.runs import Run
from fggm_lab.widgets.comparison_widget import Comparison
from fggm_lab.widgets.shell import Refusal
from tests.support.records import TASKS, made_run


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    """Three methods, two seeds."""
    folder = tmp_path_factory.mktemp("runs")
    return [
        made_run(folder / str(seed), method, TASKS[:3], seed=seed)
        for seed in (1, 2)
        for method in ("sft", "fggm", "random")
    ]


def opened(runs: Any) -> Comparison:
    found = lab.compare(runs)
    assert isinstance(found, Comparison)
    found.fill()
    return found


def points(figure: Any) -> list[Any]:
    return [(trace.name, list(trace.x), list(trace.y)) for trace in figure.data]


def test_the_plane_and_the_differences_are_the_librarys(runs: list[Run]) -> None:
    found = opened(runs)
    assert points(found.pages.shown.stage.figure) == points(stability_plasticity(runs))
    found.pages.box.selected_index = 1
    tab = found.pages.shown
    tab.controls.named["baseline"].value = "random"
    assert points(tab.stage.figure) == points(paired_differences(runs, "random"))


def test_the_table_has_a_row_per_method_ticked(runs: list[Run]) -> None:
    found = opened(runs)
    assert found._table.value.count('<th scope="row">') == 3 and "±" in found._table.value
    boxes = found.selection.named["methods"].boxes
    boxes["sft"].value = False
    assert found._table.value.count('<th scope="row">') == 2
    for box in boxes.values():
        box.value = False
    assert "tick a method" in found._table.value
    assert "tick a method" in found.pages.shown.stage.text


def test_forgetting_of_one_task_has_a_line_per_method(runs: list[Run]) -> None:
    found = opened(runs)
    found.pages.box.selected_index = 2
    figure = found.pages.shown.stage.figure
    assert {trace.name for trace in figure.data if trace.name} >= {"sft", "fggm", "random"}


def test_runs_of_other_tasks_or_models_are_a_sentence(runs: list[Run], tmp_path: Path) -> None:
    other = made_run(tmp_path, "fggm", TASKS[:2])
    model = made_run(tmp_path / "other", "sft", TASKS[:3], model_fingerprint="another")
    for more, said in ((other, "cannot be compared"), (model, "model")):
        found = lab.compare([*runs, more])
        assert isinstance(found, Refusal) and said in found.static().words


def test_without_widgets_the_table_and_a_picture(runs: list[Run]) -> None:
    bundle = lab.compare(runs)._repr_mimebundle_()
    assert "Pareto front" in bundle["text/plain"]
    assert "<table" in bundle["text/html"] and "data:image/svg+xml" in bundle["text/html"]
