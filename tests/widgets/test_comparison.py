"""`compare` sets methods side by side, and refuses what cannot be compared in a sentence."""

from pathlib import Path
from typing import Any

import pytest

import fggm_lab as lab
from fggm_lab.plots import paired_differences, stability_plasticity
from fggm_lab.runs import Run
from fggm_lab.widgets.comparison import Comparison
from fggm_lab.widgets.lazy_widget import ErrorWidget
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
    widget = lab.compare(runs)
    assert isinstance(widget, Comparison)
    widget.fill()
    return widget


def points(figure: Any) -> list[Any]:
    return [(trace.name, list(trace.x), list(trace.y)) for trace in figure.data]


def test_the_plane_and_the_differences_are_the_librarys(runs: list[Run]) -> None:
    widget = opened(runs)
    assert points(widget.tabs.shown.panel.figure) == points(stability_plasticity(runs))
    widget.tabs.box.selected_index = 1
    tab = widget.tabs.shown
    tab.controls.named["baseline"].value = "random"
    assert points(tab.panel.figure) == points(paired_differences(runs, "random"))


def test_the_table_has_a_row_per_method_ticked(runs: list[Run]) -> None:
    widget = opened(runs)
    assert widget._table.value.count('<th scope="row">') == 3 and "±" in widget._table.value
    boxes = widget.selection.named["methods"].boxes
    boxes["sft"].value = False
    assert widget._table.value.count('<th scope="row">') == 2
    for box in boxes.values():
        box.value = False
    assert "tick a method" in widget._table.value
    assert "tick a method" in widget.tabs.shown.panel.text


def test_forgetting_of_one_task_has_a_line_per_method(runs: list[Run]) -> None:
    widget = opened(runs)
    widget.tabs.box.selected_index = 2
    figure = widget.tabs.shown.panel.figure
    assert figure is not None
    assert {trace.name for trace in figure.data if trace.name} >= {"sft", "fggm", "random"}


def test_runs_of_other_tasks_or_models_are_a_sentence(runs: list[Run], tmp_path: Path) -> None:
    shorter = made_run(tmp_path, "fggm", TASKS[:2])
    model = made_run(tmp_path / "other", "sft", TASKS[:3], model_fingerprint="another")
    for other, message in ((shorter, "cannot be compared"), (model, "model")):
        widget = lab.compare([*runs, other])
        assert isinstance(widget, ErrorWidget) and message in widget.static().words


def test_without_widgets_the_table_and_a_picture(runs: list[Run]) -> None:
    widget = lab.compare(runs)
    assert isinstance(widget, Comparison)
    bundle = widget._repr_mimebundle_()
    assert "Pareto front" in bundle["text/plain"]
    assert "<table" in bundle["text/html"] and "data:image/svg+xml" in bundle["text/html"]
