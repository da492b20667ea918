"""The explorer in a notebook: made when a page shows it, and answering what the page asks."""

import json
import sys
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import pytest

import fggm_lab as lab
from fggm_lab.explorer.run_figures import RunFigures
from fggm_lab.files import read_record
from fggm_lab.plots.plotly_js import plotly_js
from fggm_lab.runs import Run
from fggm_lab.widgets.explorer import Explorer
from fggm_lab.widgets.lazy_widget import ErrorWidget
from tests.support.records import TASKS, made_run


def test_nothing_is_made_before_a_page_shows_it(four_runs: list[Run]) -> None:
    widget = lab.explore(four_runs)
    assert isinstance(widget, Explorer)
    assert len(widget.children) == 1
    widget.fill()
    assert widget.children[1:] == (widget.page,)


def test_the_kernel_answers_each_request_by_its_number(
    four_runs: list[Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    widget = lab.explore([run.path for run in four_runs])
    assert isinstance(widget, Explorer)
    widget.fill()
    sent: list[tuple[Any, Any]] = []
    monkeypatch.setattr(widget.page, "send", lambda *message: sent.append(message))
    figures = RunFigures(four_runs)
    for number, request in enumerate(
        ({"kind": "description"}, {"kind": "scores", "method": "fggm"}, {"kind": "library"},
         {"kind": "nonsense"})
    ):  # fmt: skip
        widget.page._handle_custom_msg({"id": number, "request": request}, [])
    assert [message["id"] for message, _ in sent] == [0, 1, 2, 3]
    assert sent[0][0]["reply"] == figures.description()
    arrays = figures.scores("fggm").arrays
    assert sent[1][1] == [array.tobytes() for array in arrays]
    assert sent[2][0]["reply"] == {"source": plotly_js()}
    assert "reload" in sent[3][0]["reply"]["message"]


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


def test_a_newer_schema_is_a_sentence(tmp_path: Path) -> None:
    run = made_run(tmp_path, "fggm")
    config = read_record(run.path / "config.json")
    (run.path / "config.json").write_text(json.dumps(config | {"schema_version": 99}))
    newer = lab.explore(str(run.path))
    assert isinstance(newer, ErrorWidget) and "upgrade" in newer.static().words


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
