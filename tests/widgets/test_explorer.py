"""The explorer's controls change what is shown, without a browser."""

import builtins
import sys
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import pytest

import fggm_lab as lab
from fggm_lab.errors import RunError
from fggm_lab.plots import fisher_spectra
from fggm_lab.runs import Run
from fggm_lab.widgets.tabs import ForgettingTab, OverlapTab, SpectraTab
from tests.plots.conftest import four_runs as four_runs
from tests.plots.made import made_masks, made_run


def test_three_tabs_for_one_run_or_several(four_runs: list[Run]) -> None:
    for runs in (four_runs, four_runs[2]):
        tabs = lab.explore(runs).children[0]
        assert list(tabs.titles) == ["Forgetting", "Fisher spectra", "Mask overlap"]


def test_the_keep_share_moves_the_cut_of_the_figure_on_screen(four_runs: list[Run]) -> None:
    tab = SpectraTab(four_runs)
    figure = tab.figure
    tab.scope.value = "global"
    tab.keep.value = 0.1
    assert tab.figure is figure
    scores = four_runs[2].fisher("C-STANCE")
    assert scores is not None and figure is not None
    anew = fisher_spectra(scores, 0.1, "global", controls=False)
    for old, new in zip(figure.data[-4:], anew.data[-4:], strict=True):
        assert (old.x, old.y, old.visible) == (new.x, new.y, new.visible)


def test_another_task_keeps_the_controls(four_runs: list[Run]) -> None:
    tab = SpectraTab(four_runs)
    tab.module.value, tab.keep.value, tab.task.value = "mlp.gate_proj.weight", 0.5, "FOMC"
    shown = [t for t in tab.figure.data if "module" in t.meta and t.visible]
    assert len(shown) == 4 and tab.keep.value == 0.5
    assert "FOMC" in tab.figure.layout.meta["title"]


def test_methods_and_tasks_choose_the_curves(four_runs: list[Run]) -> None:
    tab = ForgettingTab(four_runs)
    tab.task.value = "FOMC"
    tab.methods[0].value = False
    assert {t.name for t in tab.figure.data if t.name} == {"migu", "fggm", "random"}
    for box in tab.methods:
        box.value = False
    assert tab.figure is None


def test_layers_change_the_matrix_in_place(four_runs: list[Run]) -> None:
    tab = OverlapTab(four_runs)
    figure = tab.figure
    whole = figure.data[0].z[1][0]
    tab.layer.value = "layer 2"
    assert tab.figure is figure and figure.data[0].z[1][0] != whole


def test_runs_without_scores_say_so(four_runs: list[Run]) -> None:
    tab = SpectraTab(four_runs[:1])
    assert "None of these runs" in tab.box.children[1].children[0].value


def test_a_run_is_read_again_while_it_grows(tmp_path: Path) -> None:
    run = made_run(tmp_path, "fggm", done=1)
    spectra, overlap = SpectraTab([run]), OverlapTab([run])
    assert spectra.task.options == ("C-STANCE",) and overlap.figure is None
    for task, mask in list(made_masks().items())[:2]:
        mask.save(run.file("masks", task))
    spectra.scores.save(run.file("fisher", "FOMC"))
    spectra.refresh()
    overlap.refresh()
    assert spectra.task.options == ("C-STANCE", "FOMC") and overlap.figure is not None


def test_without_ipywidgets_a_figure_and_a_sentence(
    four_runs: list[Run], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "anywidget":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.delitem(sys.modules, "anywidget", raising=False)
    monkeypatch.setattr(builtins, "__import__", without)
    assert isinstance(lab.explore(four_runs), go.Figure)
    assert "pip install" in capsys.readouterr().out


def test_no_run_is_refused() -> None:
    with pytest.raises(RunError, match="no run"):
        lab.explore([])
