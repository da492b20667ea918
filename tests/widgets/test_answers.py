"""The browser of answers shows the library's examples, and attributes the one chosen."""

import sys
from pathlib import Path
from typing import Any

import pytest

import fggm_lab as lab
from fggm_lab.errors import RunError
from fggm_lab.methods import SFT
from fggm_lab.models import load_model
from fggm_lab.plots import answer_text, token_comparison
from fggm_lab.runs import Prediction, Run
from fggm_lab.widgets import attribution_panel
from fggm_lab.widgets.answers import PAGE, AnswerBrowser
from fggm_lab.widgets.lazy_widget import ErrorWidget
from tests.support.answers import answered_run
from tests.support.records import made_run
from tests.support.small import small_run, small_tasks


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return answered_run(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run with predictions and checkpoints."""
    folder = tmp_path_factory.mktemp("trained") / "sft"
    return small_run(SFT(), folder, tasks=small_tasks(2), general=None, points_per_task=0)


def browser(runs: Any, **controls: Any) -> AnswerBrowser:
    """A browser as a page would fill it, its controls set."""
    widget = lab.browse(runs)
    assert isinstance(widget, AnswerBrowser)
    widget.fill()
    for name, value in controls.items():
        widget.controls.named[name].value = value
    return widget


@pytest.mark.parametrize("controls", [
    {}, {"task": "A"}, {"change": "gained", "before": "untrained"}, {"change": "all", "after": 1},
    {"text": "number 1"}, {"before": "untrained", "after": 0, "change": "all", "task": "B"},
])  # fmt: skip
def test_the_controls_select_what_the_library_does(run: Run, controls: dict[str, Any]) -> None:
    widget = browser(run, **controls)
    settings = {"change": "lost", **controls}
    expected = lab.forgotten_examples(run, settings.pop("task", None), **settings)
    assert widget.examples == expected and expected
    assert widget.chosen == expected[0]
    for name in ("task", "before", "after"):  # a list shows None as an empty field
        assert widget.controls[name] is not None
    assert widget._text.value == answer_text(expected[0]).html
    assert sum(widget.panel.figure.data[0].y) == len(  # type: ignore[union-attr]
        lab.forgotten_examples(run, controls.get("task"),
                               **{**settings, "change": "lost", "text": ""})
    )  # fmt: skip


def test_thousands_of_examples_are_listed_a_page_at_a_time(tmp_path: Path) -> None:
    run = made_run(tmp_path, "sft", ["A", "B"])
    for stage, score in ((None, 0.0), ("A", 1.0), ("B", 0.0)):
        run.save_predictions(stage, [
            Prediction(None, "A", "test", i, f"question {i}", "a", "b", score, False, 1.0, 1)
            for i in range(3000)
        ])  # fmt: skip
    widget = browser(run)
    assert len(widget.examples) == 3000 and len(widget._list.options) == PAGE
    assert f"1–{PAGE} of 3,000" in widget._position.value and widget._previous.disabled
    widget._next.click()
    assert widget.chosen == widget.examples[PAGE] and not widget._previous.disabled
    widget._previous.click()
    widget.controls.named["text"].value = "question 2999"
    assert [e.index for e in widget.examples] == [2999] and widget._next.disabled


def test_nothing_to_show_is_a_sentence(run: Run, tmp_path: Path) -> None:
    widget = browser(run, text="nowhere")
    assert widget.chosen is None and "There is no such example that has the text" in (
        widget._text.value)  # fmt: skip
    widget = browser(run, task="C")
    assert "has trained nothing after C" in widget.panel.text and widget.examples == []
    assert "keeps no predictions" in browser(made_run(tmp_path, "sft")).panel.text
    assert isinstance(lab.browse(tmp_path / "missing"), ErrorWidget)


def test_a_method_is_chosen_among_several_runs(tmp_path: Path) -> None:
    runs = [answered_run(tmp_path, method, done) for method, done in (("sft", None), ("fggm", 2))]
    widget = browser(runs, method="fggm")
    assert widget.run is runs[1] and widget.examples == lab.forgotten_examples(runs[1])
    assert [label for label, _ in widget.controls.named["after"].options] == [
        "after the last task", "after A", "after B",
    ]  # fmt: skip


@pytest.mark.parametrize("method", ["gradients", "ablation"])
def test_attribution_is_that_of_the_two_checkpoints(trained: Run, method: Any) -> None:
    widget = browser(trained, before="untrained", change="all")
    widget.attribution.method.value = method
    widget.attribution.button.click()
    example = widget.chosen
    assert example is not None
    pair = [
        lab.attribution.attribute_tokens(
            *load_model(trained.path / "checkpoints" / name), example, method=method
        )
        for name in ("00-start", "02-task-1")
    ]
    expected = token_comparison(pair[0], pair[1], ("untrained", "after task-1")).html
    assert widget.attribution.output.value == expected
    assert not widget.attribution.button.disabled
    widget._list.value = 1
    assert widget.attribution.output.value == ""


def test_a_missing_checkpoint_is_a_sentence(run: Run) -> None:
    widget = browser(run)
    widget.attribution.button.click()
    assert "keeps no model after A and none after C" in widget.attribution.output.value
    assert "keep_checkpoints=True" in widget.attribution.output.value


def test_a_missing_captum_is_a_sentence(trained: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fggm_lab.extras.is_installed", lambda module: module != "captum")
    widget = browser(trained, before="untrained", change="all")
    widget.attribution.button.click()
    assert "pip install &quot;fggm-lab[attribution]&quot;" in widget.attribution.output.value


def test_models_of_two_stages_are_remembered(trained: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = []

    def load(folder: Path) -> Any:
        loaded.append(folder.name)
        return load_model(folder)

    monkeypatch.setattr("fggm_lab.models.load_model", load)
    panel = attribution_panel.AttributionPanel()
    panel.method.value = "ablation"
    entries = lab.forgotten_examples(trained, change="all", before="untrained")
    for entry in entries[:2]:
        panel.show(trained, entry)
        panel.button.click()
    assert loaded == ["00-start", "02-task-1"]


def test_a_prompt_that_was_read_otherwise_is_refused(trained: Run) -> None:
    (entry, *_) = lab.forgotten_examples(trained, change="all", before="untrained")
    from dataclasses import replace

    with pytest.raises(RunError, match=r"recorded .* and its checkpoint gives .*chat template"):
        lab.attribution.attribute_change(trained, replace(entry, prompt="another prompt"))


def test_without_widgets_there_are_a_picture_words_and_the_largest_losses(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = browser(run)._repr_mimebundle_()
    assert "A: of 4 examples 2 score less" in bundle["text/plain"]
    assert "<img " in bundle["text/html"] and "The largest losses of 3" in bundle["text/html"]
    for module in ("ipywidgets", "anywidget"):
        monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setattr("fggm_lab.extras.is_installed", lambda module: module != "anywidget")
    figure: Any = lab.browse(run)
    assert list(figure.data[0].x) == ["A", "B"]
