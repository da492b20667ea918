"""The figure of a run in training grows with what the run tells, and stays small."""

from pathlib import Path

import numpy as np
import pytest

from fggm_lab.errors import SettingError
from fggm_lab.plots import caption_of, description_of, smoothed, training_progress
from fggm_lab.plots.run_state import STRETCHES, RunState
from fggm_lab.plots.thinning import MAX_POINTS
from fggm_lab.plots.training_progress import MAX_SCORE_POINTS, fill, progress_sentence
from fggm_lab.runs.events import StepEvent, TaskScores
from tests.support.records import STEPS, TASKS, made_run

SHORT = TASKS[:3]


def step_event(task: int, step: int, loss: float = 1.0) -> StepEvent:
    return {"kind": "step", "task": task, "task_step": 1, "step": step, "loss": loss,
            "lr": 5e-4, "norm": 1.0}  # fmt: skip


def test_it_shows_what_the_events_say(tmp_path: Path) -> None:
    run = made_run(tmp_path, "fggm", SHORT, done=1)
    figure = training_progress(run)
    lines = {trace.name: trace for trace in figure.data}
    evaluations = [e for e in run.events("evaluation") if "FOMC" in e["tasks"]]
    assert list(lines["FOMC"].x) == [e["step"] for e in evaluations]
    assert list(lines["FOMC"].y) == [e["tasks"]["FOMC"]["score"] for e in evaluations]
    general = [e["general"] for e in run.events("evaluation")]
    assert list(lines["General"].y) == [scores["score"] if scores else None for scores in general]
    assert list(lines["loss"].y) == [e["loss"] for e in run.events("step")]
    assert list(lines["mask share"].x) == [0, STEPS, None]
    assert list(lines["mask share"].y) == [0.3, 0.3, None]
    assert figure.layout.xaxis.range[1] > 3 * STEPS  # the whole plan, so that curves grow into it
    words = description_of(figure)
    assert "Step 60 of 120, task 2 of 3 (FOMC); the last loss is 0.100" in words
    assert "Share of units that may move: C-STANCE 30 %." in words
    assert "loss of every step" in caption_of(figure)


def test_the_loss_is_smoothed_and_on_a_log_axis_if_asked(tmp_path: Path) -> None:
    run = made_run(tmp_path, "fggm", SHORT, done=1)
    losses = [float(e["loss"] or 0) for e in run.events("step")]
    figure = training_progress(run, smoothing=0.7, log=True)
    lines = {trace.name: trace for trace in figure.data}
    assert list(lines["loss"].y) == smoothed(losses, 0.7)
    assert list(lines["highest loss"].y) == losses and lines["highest loss"].line.width == 1
    assert figure.layout.yaxis2.type == "log" and figure.layout.yaxis.type != "log"
    assert "weight 0.7 with bias correction" in caption_of(figure)
    with pytest.raises(SettingError, match="below 1"):
        training_progress(run, smoothing=1.0)


def test_a_run_taken_up_event_by_event_ends_as_its_folder_reads(tmp_path: Path) -> None:
    run = made_run(tmp_path, "fggm", SHORT)
    state = RunState(SHORT)
    figure = training_progress(state)
    traces = list(figure.data)
    for event in run.events():
        state.take(event)
        fill(figure, state)
    assert list(figure.data) == traces  # extended in place
    complete = training_progress(run)
    for grown, drawn in zip(figure.data, complete.data, strict=True):
        assert (list(grown.x), list(grown.y)) == (list(drawn.x), list(drawn.y))
    assert figure.layout.shapes == complete.layout.shapes and state.finished
    assert "All 3 tasks are trained, in 120 steps" in description_of(complete)


def test_a_replay_begins_anew(tmp_path: Path) -> None:
    run = made_run(tmp_path, "fggm", SHORT, done=1)
    state = RunState.of(run)
    for event in run.events():
        state.take(event)
    assert state.step == 60 and len(state.losses().step) == 60


def test_a_loss_of_general_stands_with_the_losses(tmp_path: Path) -> None:
    for better, axis in (("higher", "y"), ("lower", "y2")):
        figure = training_progress(made_run(tmp_path / better, "sft", SHORT, general=better))
        general = next(trace for trace in figure.data if trace.name == "General")
        assert general.yaxis == axis
    assert "General (a loss)" in description_of(figure)


@pytest.mark.parametrize("steps", [1, 499, 500, 501, 5_003])
def test_stretches_hold_every_step(steps: int) -> None:
    state = RunState(["a"])
    losses = np.random.default_rng(steps).random(steps)
    for step, loss in enumerate(losses, start=1):
        state.take(step_event(0, step, float(loss)))
    curve = state.losses()
    assert len(curve.step) == -(-steps // curve.width) <= STRETCHES
    assert curve.step[-1] == steps
    for at, end in enumerate(curve.step):
        stretch = losses[at * curve.width : end]
        assert curve.low[at] == stretch.min() and curve.high[at] == stretch.max()
        assert curve.middle[at] == np.median(stretch)


def test_a_branch_knows_its_own_steps_only() -> None:
    state = RunState(["a", "b"])
    for step in (41, 42):
        state.take(step_event(1, step))
    assert list(state.losses().step) == [41, 42]
    assert progress_sentence(state) == "Step 42, task 2 of 2 (b)"


def test_a_long_run_of_many_tasks_stays_within_the_points_a_browser_likes() -> None:
    names = [f"task {n}" for n in range(30)]
    state = RunState(names)
    state.take({"kind": "start", "time": "2026-11-24T00:00:00+00:00", "steps": [1000] * 30})
    scores: dict[str, TaskScores] = {name: {"score": 0.5} for name in names}
    for step in range(1, 30_001):
        state.take(step_event(step // 1001, step))
        if step % 50 == 0:
            state.take({"kind": "evaluation", "task": step // 1001, "task_step": 50, "step": step,
                        "final": False, "tasks": scores, "general": None})  # fmt: skip
    figure = training_progress(state)
    assert sum(len(trace.x) for trace in figure.data) < MAX_POINTS
    # 3,000 points for 31 curves are 96 a curve; of 600 measurements every 7th is shown
    assert MAX_SCORE_POINTS == 3000
    assert {len(figure.data[n].x) for n in range(30)} == {86}
    assert all(figure.data[n].x[-1] == 30_000 for n in range(30))
    assert "every k-th" in caption_of(figure) and "stretches of 64 steps" in caption_of(figure)


def test_before_the_first_step_there_are_words(tmp_path: Path) -> None:
    assert description_of(training_progress(RunState(SHORT))) == "No step has been taken yet."
    assert RunState.of(made_run(tmp_path, "fggm", SHORT, done=0)).task == 0
