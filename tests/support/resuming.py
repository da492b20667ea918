"""Runs that are stopped, paused and resumed, and whether they equal one that was not."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from fggm_lab.files import read_json
from fggm_lab.methods import Method
from fggm_lab.runs import Run
from fggm_lab.runs.events import Event
from tests.support.small import small_run

WEIGHTS = "model.safetensors"


def weights(run: Run, task: int = 2) -> dict[str, torch.Tensor]:
    """The model after a task."""
    folder = run.checkpoint(task)
    assert folder is not None
    return load_file(folder / WEIGHTS)


def same_weights(a: Run, b: Run, task: int = 2) -> bool:
    """Whether the models of two runs after a task are equal, bit for bit."""
    weights_a, weights_b = weights(a, task), weights(b, task)
    return weights_a.keys() == weights_b.keys() and all(
        torch.equal(weights_a[name], weights_b[name]) for name in weights_a
    )


def assert_same_run(a: Run, b: Run) -> None:
    """Score matrix, masks, drift, evaluations and final weights are equal, bit for bit."""
    assert a.scores == b.scores
    measured = ("evaluation", "step")
    assert [e for e in a.events() if e["kind"] in measured] == [
        e for e in b.events() if e["kind"] in measured
    ]
    for task in range(3):
        assert a.mask(task) == b.mask(task)
        assert same_weights(a, b, task)


def timeless(run: Run) -> list[dict[str, Any]]:
    """The events without times and memory, which differ from run to run, and interruptions."""
    measured = ("time", "seconds", "peak_memory_mb")
    return [
        {k: v for k, v in event.items() if k not in measured}
        for event in run.events()
        if event["kind"] != "resume"
    ]


def assert_same_numbers(a: Run, b: Run) -> None:
    """Two finished runs of two tasks: events, scores and final weights are equal, bit for bit."""
    assert a.finished and a.scores == b.scores is not None
    assert timeless(a) == timeless(b)
    assert same_weights(a, b, task=1)


def assert_same_folder(uninterrupted: Run, run: Run) -> None:
    """As `assert_same_run`, and every event and every file of scores, masks and drift."""
    assert_same_run(uninterrupted, run)
    assert timeless(uninterrupted) == timeless(run)
    assert read_json(uninterrupted.path / "scores.json") == read_json(run.path / "scores.json")
    for kind in ("fisher", "masks", "drift"):
        files = {f.name: f.read_bytes() for f in uninterrupted.path.glob(f"{kind}/*")}
        assert files == {f.name: f.read_bytes() for f in run.path.glob(f"{kind}/*")}


class StopAt:
    """A listener that stops the run at its n-th event of a kind, as Ctrl-C would."""

    def __init__(self, kind: str, count: int) -> None:
        self.kind, self.left = kind, count

    def __call__(self, event: Event) -> None:
        self.left -= event["kind"] == self.kind
        if self.left == 0:
            self.left = -1
            raise KeyboardInterrupt


def pausing_at(*calls: int) -> Callable[[], bool]:
    """A function that returns True at its n-th call, for every n given."""
    count = 0

    def pause() -> bool:
        nonlocal count
        count += 1
        return count in calls

    return pause


def assert_resumes(method: Method, folder: Path, **settings: Any) -> Run:
    """Kill a run after step 9 of 18, pause it one step on, and finish it: the result is the same.

    Scores, evaluations, weights after every task and what the method remembers are, bit for bit. A
    task is six steps, and the state is saved every second one.
    """
    settings = {"points_per_task": 0, "general": None, **settings}
    uninterrupted = small_run(method, folder / "whole", **settings)
    with pytest.raises(KeyboardInterrupt):
        small_run(method, folder / "parts", listener=StopAt("step", 9), **settings)
    paused = small_run(method, folder / "parts", resume=True, pause=pausing_at(2), **settings)
    assert [e["step"] for e in paused.events("step")][-1] == 10 and not paused.finished
    run = small_run(method, folder / "parts", resume=True, **settings)
    assert run.finished
    assert_same_run(uninterrupted, run)
    for task in range(3):
        left, right = uninterrupted.memory(task), run.memory(task)
        assert left.keys() == right.keys()
        assert all(torch.equal(left[name], right[name]) for name in left)
    return run
