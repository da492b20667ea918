"""A run trained in the background is the run of the foreground, pauses or not."""

import asyncio
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from fggm_lab.errors import RunError, SettingError
from fggm_lab.methods import FGGM, SFT, Method
from fggm_lab.runs import Run
from fggm_lab.runs.events import Event
from fggm_lab.training import BackgroundTraining
from tests.support.families import character_tokenizer
from tests.support.resuming import assert_same_run
from tests.support.small import QUICK, small_general, small_model, small_run, small_tasks


def background(out: Path, method: Method | None = None, **more: Any) -> BackgroundTraining:
    settings = {"general": small_general(), "model_name": "small", **QUICK, **more}
    return BackgroundTraining(
        small_model(), character_tokenizer(), small_tasks(), method or SFT(), out, **settings
    )


class PauseAt:
    """A listener that pauses at certain steps, as a person would."""

    training: BackgroundTraining

    def __init__(self, *steps: int) -> None:
        self.steps = set(steps)

    def __call__(self, event: Event) -> None:
        if event["kind"] == "step" and event["step"] in self.steps:
            self.steps.remove(event["step"])
            self.training.pause()


@pytest.mark.parametrize("method", [SFT(), FGGM()], ids=lambda m: m.name)
def test_with_pauses_it_is_the_run_of_run_sequence_bit_for_bit(
    tmp_path: Path, method: Method
) -> None:
    listener = PauseAt(1, 6, 7, 12)  # 6 is the last step of the first task
    training = background(tmp_path / "parts", method, listener=listener)
    listener.training = training
    steps: list[int] = []
    for _ in range(5):
        training.start()
        run = training.wait()
        assert run.finished == (not listener.steps and len(steps) == 4)
        steps.append(len(run.events("step")))
    assert steps == [1, 6, 7, 12, 18]
    assert_same_run(small_run(method, tmp_path / "whole"), run)


def test_a_pause_asked_for_before_the_first_step_stops_after_it(tmp_path: Path) -> None:
    training = background(tmp_path / "run")
    training.start()
    training.pause()
    assert len(training.wait().events("step")) == 1


def test_waiting_starts_it_and_may_be_done_twice(tmp_path: Path) -> None:
    training = background(tmp_path / "run")
    assert not training.started
    first = training.wait()
    assert first.finished and training.wait() is first and not training.running


def test_an_error_goes_to_who_waits_and_to_the_listener(tmp_path: Path) -> None:
    small_run(SFT(), tmp_path / "run")
    outcomes: list[Run | BaseException] = []
    training = background(tmp_path / "run", lr=0.5, ended=outcomes.append)
    with pytest.raises(RunError, match=r"lr: 0.01 there, 0.5 here"):
        training.wait()
    assert isinstance(outcomes[0], RunError)


def test_an_interrupted_wait_pauses_and_saves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = threading.Event()

    def slow(event: Any) -> None:
        if event["kind"] == "step":
            begun.set()
            time.sleep(0.05)

    training = background(tmp_path / "run", listener=slow)
    from fggm_lab.training import background as module

    real = module.wait

    def interrupted(futures: Any, timeout: float | None = None) -> Any:
        if timeout is None:
            return real(futures)
        begun.wait(20)
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        training.wait()
    run = Run.open(tmp_path / "run")
    assert run.resume_file.exists() and not run.finished and not training.running
    monkeypatch.undo()
    training.start()
    assert_same_run(small_run(SFT(), tmp_path / "whole"), training.wait())


def test_it_can_be_awaited_while_the_loop_goes_on(tmp_path: Path) -> None:
    async def both() -> tuple[Run, int]:
        training, turns = background(tmp_path / "run"), 0

        async def other() -> None:
            nonlocal turns
            while True:
                await asyncio.sleep(0.01)
                turns += 1

        task = asyncio.create_task(other())
        run = await training
        task.cancel()
        return run, turns

    run, turns = asyncio.run(both())
    assert run.finished and turns > 5


def test_a_cancelled_await_pauses_and_saves(tmp_path: Path) -> None:
    training = background(
        tmp_path / "run",
        listener=lambda event: time.sleep(0.05) if event["kind"] == "step" else None,
    )

    async def cancelled() -> None:
        async def awaiting() -> Run:
            return await training

        task = asyncio.create_task(awaiting())
        while not (tmp_path / "run" / "events.jsonl").exists():
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
    run = Run.open(tmp_path / "run")
    assert not training.running and not run.finished and run.resume_file.exists()


@pytest.mark.parametrize(
    ("setting", "says"), [("pause", "set here"), ("resume", "set here"), ("kepp", "no setting")]
)
def test_settings_it_cannot_take_are_named(tmp_path: Path, setting: str, says: str) -> None:
    with pytest.raises(SettingError, match=says):
        background(tmp_path / "run", **{setting: 1})  # type: ignore[arg-type]
