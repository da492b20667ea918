"""Runs in several processes: what they tell arrives, and whatever ends them is said."""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from fggm_lab.cli.job import TrainingJob
from fggm_lab.cli.side_by_side import train_side_by_side
from fggm_lab.errors import SettingError, TrainingError
from fggm_lab.runs import Run
from fggm_lab.runs.events import EndEvent, Event
from fggm_lab.settings import TrainingSettings
from fggm_lab.tasks import load_tasks


@dataclass(frozen=True)
class Counting:
    """Tells so many events, then ends as it is asked to."""

    events: int
    end: str = ""

    def __call__(self, listener: Callable[[Event], None]) -> None:
        for number in range(self.events):
            listener(EndEvent(kind="end", time="", seconds=float(number)))
        if self.end == "refuse":
            raise SettingError("a sentence")
        if self.end == "fail":
            raise ValueError("a mistake of ours")
        if self.end == "killed":
            os._exit(9)


def test_events_arrive_in_order_and_failures_stop_what_has_not_begun() -> None:
    received: dict[str, list[float]] = {}
    ended: list[str] = []

    def tell(name: str, event: Event) -> None:
        assert event["kind"] == "end"
        received.setdefault(name, []).append(event["seconds"])

    jobs = {"a": Counting(3), "b": Counting(2, "refuse"), "c": Counting(1), "d": Counting(1)}
    with pytest.raises(SettingError, match=r"^a sentence$"):
        train_side_by_side({"b": jobs["b"], "d": jobs["d"]}, 1, tell, ended.append)
    assert received == {"b": [0.0, 1.0]} and ended == []
    train_side_by_side({name: jobs[name] for name in "acd"}, 2, tell, ended.append)
    assert received["a"] == [0.0, 1.0, 2.0] and received["c"] == received["d"] == [0.0]
    assert sorted(ended) == ["a", "c", "d"]


def test_a_run_of_another_process_is_the_run_of_this_one(model: Path, tasks: Path) -> None:
    job = TrainingJob(
        method="fggm",
        method_settings={"keep": 0.5},
        out=tasks.parent / "other",
        model=str(model),
        loading={},
        tasks=load_tasks(tasks),
        general=None,
        settings=TrainingSettings(epochs=1, limit=8, batch_size=4, points_per_task=0, lr=1e-2),
        branch=None,
        options={},
    )
    events: list[Event] = []
    train_side_by_side({"fggm": job}, 1, lambda _, event: events.append(event), lambda _: None)
    in_process = replace(job, out=tasks.parent / "in_process")()
    assert Run.open(job.out).scores == in_process.scores is not None
    losses = [
        [e["loss"] for e in log if e["kind"] == "step"] for log in (events, in_process.events())
    ]
    assert losses[0] == losses[1] and len(losses[0]) == 4


@pytest.mark.parametrize(
    ("end", "error", "sentence"),
    [
        ("killed", TrainingError, "the process that trained x was ended by the system"),
        ("fail", RuntimeError, "a mistake of ours"),
    ],
)
def test_what_ends_a_process_is_said(end: str, error: type[Exception], sentence: str) -> None:
    with pytest.raises(error, match=sentence):
        train_side_by_side({"x": Counting(0, end)}, 2, lambda *_: None, lambda _: None)
