"""LiveTraining shows a run as it grows, stops and goes on, and says what went wrong."""

from pathlib import Path
from typing import Any

import pytest

import fggm_lab as lab
from fggm_lab.errors import RunError, SettingError, TrainingError
from fggm_lab.methods import FGGM, SFT, Method
from fggm_lab.plots import training_progress
from fggm_lab.runs.events import Event
from fggm_lab.widgets.live import LiveTraining
from tests.support.families import character_tokenizer
from tests.support.resuming import assert_same_run
from tests.support.small import QUICK, small_general, small_model, small_run, small_tasks


def live(out: Path, method: Method | str | None = None, **more: Any) -> LiveTraining:
    settings = {"general": small_general(), "model_name": "small", **QUICK, **more}
    widget: LiveTraining = lab.LiveTraining(
        small_model(), character_tokenizer(), small_tasks(), method or FGGM(), out, **settings
    )
    return widget


class PauseAt:
    """A listener that presses the button at a step, but not when the step is told again."""

    widget: LiveTraining

    def __init__(self, step: int) -> None:
        self.step = step

    def __call__(self, event: Event) -> None:
        if event["kind"] == "step" and event["step"] == self.step:
            self.step = 0
            self.widget._button.click()


def paused(out: Path, step: int = 8) -> LiveTraining:
    """A training paused in its second task."""
    listener = PauseAt(step)
    widget = listener.widget = live(out, listener=listener)
    widget._button.click()
    assert not widget.wait().finished
    return widget


def drawn(widget: LiveTraining) -> list[tuple[list[float], list[float]]]:
    assert widget._figure is not None
    return [(list(trace.x), list(trace.y)) for trace in widget._figure.data]


def test_the_button_starts_pauses_and_resumes_the_run_of_run_sequence(tmp_path: Path) -> None:
    widget = paused(tmp_path / "run")
    assert widget.state == "paused" and widget._button.description == "Resume"
    assert "Paused" in widget._sentence.value
    assert "Step 8 of 18, task 2 of 3 (task-1)" in widget._progress.value
    assert (widget._bar.value, widget._bar.max) == (8, 18)
    widget._button.click()
    run = widget.wait()
    assert widget.state == "finished" and widget._button.disabled
    assert_same_run(small_run(FGGM(), tmp_path / "whole"), run)


def test_the_figure_ends_as_the_folder_is_drawn(tmp_path: Path) -> None:
    widget = live(tmp_path / "run")
    widget.fill()
    run = widget.wait()
    expected = training_progress(run)
    assert drawn(widget) == [(list(trace.x), list(trace.y)) for trace in expected.data]
    assert widget._figure is not None and len(widget._figure.layout.shapes) == 3


def test_the_share_of_a_mask_is_known_while_its_task_trains(tmp_path: Path) -> None:
    widget = paused(tmp_path / "run")
    run = widget.run
    assert run is not None
    mask = run.mask("task-1")
    assert mask is not None
    assert widget._state.shares == pytest.approx([mask.share, mask.share, None])
    unmasked = live(tmp_path / "sft", SFT())
    unmasked.wait()
    assert unmasked._state.shares == [1, 1, 1]


def test_a_folder_is_taken_up_where_it_is(tmp_path: Path) -> None:
    first = paused(tmp_path / "run")
    second = live(tmp_path / "run")
    assert second.state == "paused" and second._state.step == 8
    second.fill()
    assert len(drawn(second)[-2][0]) == 8  # the loss of every step
    second.resume()
    assert_same_run(second.wait(), small_run(FGGM(), tmp_path / "whole"))
    third = live(tmp_path / "run")
    assert third.state == "finished" and third._button.disabled
    assert third.wait().finished and third.state == "finished"
    assert first.state == "paused"


def test_a_folder_of_other_settings_is_refused_in_a_sentence(tmp_path: Path) -> None:
    small_run(SFT(), tmp_path / "run", general=None)
    widget = live(tmp_path / "run", lr=0.5)
    widget.start()
    with pytest.raises(RunError, match="lr"):
        widget.wait()
    assert widget.state == "stopped" and "0.5 here" in widget._sentence.value
    assert widget._button.description == "Try again" and not widget._button.disabled


BROKEN: dict[str, Any] = {"lr": 1e6, "weight_decay": 1e6, "clip": None, "points_per_task": 0}
"""Settings under which no weight stays a number."""


def test_an_error_of_training_becomes_a_sentence(tmp_path: Path) -> None:
    widget = live(tmp_path / "run", SFT(), **BROKEN)
    with pytest.raises(TrainingError):
        widget.wait()
    assert "Training stopped: the loss is" in widget._sentence.value


def test_a_damaged_folder_is_a_sentence_too(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.json").write_text("{")
    widget = live(tmp_path / "run")
    assert widget.state == "stopped" and "config.json" in widget._sentence.value


def test_any_other_error_is_named_and_raised(tmp_path: Path) -> None:
    def broken(event: Event) -> None:
        raise ZeroDivisionError("on purpose")

    widget = live(tmp_path / "run", listener=broken)
    with pytest.raises(ZeroDivisionError):
        widget.wait()
    assert "ZeroDivisionError: on purpose; live.wait() says where" in widget._sentence.value


def test_a_method_can_be_given_by_name(tmp_path: Path) -> None:
    widget = live(tmp_path / "run", "fggm")
    assert widget._progress.value == live(tmp_path / "run", FGGM())._progress.value
    with pytest.raises(SettingError, match="no method is named 'fgm'"):
        live(tmp_path / "run", "fgm")


def test_an_unknown_setting_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="'keep'"):
        live(tmp_path / "run", keep=0.3)


def test_without_widgets_there_are_words_and_a_picture(tmp_path: Path) -> None:
    widget = live(tmp_path / "run", SFT())
    bundle = widget._repr_mimebundle_()
    assert bundle["text/plain"] == "Not started yet. No step has been taken yet."
    run = widget.wait()
    bundle = widget._repr_mimebundle_()
    assert bundle["text/plain"].startswith("Finished. All 3 tasks are trained, in 18 steps")
    scores = run.scores
    assert scores is not None and scores.matrix[2][0] is not None
    assert f"task-0 {scores.matrix[2][0]:.2f}" in bundle["text/plain"]
    assert "data:image/svg+xml" in bundle["text/html"] and "<script" not in bundle["text/html"]


def test_until_a_page_answers_a_picture_grows_and_no_figure_is_made(tmp_path: Path) -> None:
    widget = paused(tmp_path / "run")
    assert widget._figure is None and "svg+xml" in widget._picture.value
    before = widget._picture.value
    widget.resume()
    widget.wait()
    assert widget._picture.value != before
    widget.fill()
    assert widget._picture.value == "" and widget._plot_box in widget.children


def test_there_are_no_empty_axes_before_the_start(tmp_path: Path) -> None:
    widget = live(tmp_path / "run")
    widget.fill()
    assert widget._plot_box.layout.display == "none" and "Not started" in widget._sentence.value
    widget._button.click()
    widget.wait()
    assert widget._plot_box.layout.display is None
