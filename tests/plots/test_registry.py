"""Figures by name: the lab's, an installed package's, and a user's own function."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fggm_lab import plots
from fggm_lab.errors import RunError, SettingError
from fggm_lab.plots import FIGURES, describe, draw, figure_kind, fisher_spectra, forgetting_curves
from fggm_lab.runs import one_run
from tests.support.plugins import install_entry_points
from tests.support.records import made_run, made_scores, with_costs

MODULE = '''
import plotly.graph_objects as go

def steps(runs, factor=1):
    """How many steps each run took.

    More about it.
    """
    return go.Figure(go.Bar(y=[factor * len(run.events("step")) for run in runs]))

def words(runs):
    return "no figure"

NUMBER = 3
'''


@pytest.fixture(autouse=True)
def own_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A module of the current folder; what a test imports is forgotten after it."""
    (tmp_path / "my_figures.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [folder for folder in sys.path if folder])
    yield
    sys.modules.pop("my_figures", None)


def test_every_figure_has_the_name_of_its_function_and_of_its_file() -> None:
    for name, kind in FIGURES.items():
        assert figure_kind(name) is kind
        assert kind.draw.__name__ == name and kind.draw.__module__ == f"fggm_lab.plots.{name}"


def test_a_function_of_ones_own_is_named_by_its_module(tmp_path: Path) -> None:
    run = made_run(tmp_path / "runs", "sft", ["A", "B"])
    assert figure_kind("my_figures:steps").heading == "How many steps each run took"
    assert list(draw("my_figures:steps", [run], factor=2).data[0].y) == [160]


def test_an_installed_package_registers_a_figure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_entry_points(tmp_path, "fggm_lab.figures", {"steps": "my_figures:steps"})
    monkeypatch.syspath_prepend(tmp_path)
    assert figure_kind("steps").of_runs


def test_what_is_no_figure_is_one_sentence() -> None:
    with pytest.raises(SettingError, match=r"no figure is named 'forgeting_curves'.*did you mean"):
        figure_kind("forgeting_curves")
    with pytest.raises(SettingError, match="my_figures:NUMBER is no function"):
        figure_kind("my_figures:NUMBER")
    with pytest.raises(SettingError, match="my_figures:words drew no Plotly figure, but str"):
        draw("my_figures:words", [])


@pytest.mark.parametrize("name", [name for name, kind in FIGURES.items() if kind.of_runs])
def test_a_figure_of_runs_takes_a_run_a_list_or_a_folder(name: str, tmp_path: Path) -> None:
    run = with_costs(made_run(tmp_path / "runs", "fggm", ["A", "B", "C"]))
    folder = run.path.parent
    drawn = [draw(name, runs) for runs in (run, [run], folder, str(folder), [str(run.path)])]
    assert len({figure.to_json() for figure in drawn}) == 1


def test_paired_differences_takes_a_folder(tmp_path: Path) -> None:
    runs = [made_run(tmp_path / "runs", method) for method in ("random", "sft")]
    figure = plots.paired_differences(tmp_path / "runs", "random")
    assert figure.to_json() == plots.paired_differences(runs, "random").to_json()


def test_one_run_is_asked_for_where_there_are_several(tmp_path: Path) -> None:
    runs = [made_run(tmp_path, method, ["A", "B"]) for method in ("sft", "fggm")]
    assert one_run(runs[:1]) is runs[0]
    with pytest.raises(RunError, match=r"one run is needed, not 2; choose one of: .*fggm.*sft"):
        plots.score_matrix(tmp_path)


def test_the_describe_functions_of_version_0_1_still_work(tmp_path: Path) -> None:
    scores = made_scores("FOMC")
    with pytest.warns(FutureWarning, match=r"describe_spectra\(…\) is now called plots\.describe"):
        text = plots.describe_spectra(scores, keep=0.2, scope="global")
    assert text == describe(fisher_spectra(scores, keep=0.2, scope="global"))
    run = made_run(tmp_path, "sft", ["A", "B"])
    with pytest.warns(FutureWarning, match="describe_forgetting"):
        assert plots.describe_forgetting(run) == describe(forgetting_curves(run))
    with pytest.raises(AttributeError, match="has no attribute 'describe_nothing'"):
        plots.describe_nothing  # noqa: B018
