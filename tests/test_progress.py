"""What a command says of its runs while they train."""

import io
from typing import Any

import pytest
from rich.console import Console

from fggm_lab.progress import MethodsProgress, duration, seconds_left, task_line


def test_a_line_names_what_earlier_tasks_lost() -> None:
    scores = {"A": 0.5, "B": 0.9, "C": 0.75, "D": 0.1}
    assert task_line("A", scores, {"A": 0.5}, None) == "A 0.50"
    line = task_line("C", scores, {"A": 0.8, "B": 0.9, "C": 0.75}, 0.625)
    assert line == "C 0.75 · earlier tasks -0.15, most A 0.80 → 0.50 · General 0.62"
    assert task_line("B", scores, {"A": 0.4, "B": 0.9}, None) == "B 0.90 · earlier tasks +0.10"


def test_the_time_left_is_that_of_all_methods() -> None:
    assert seconds_left(60, [0, 0, 0, 0], [1, 0.5, 0, 0]) == 100
    assert seconds_left(60, [1, 0.5, 0, 0], [1, 1, 0, 0]) == 240, "not what was done before"
    assert seconds_left(60, [0, 0], [0, 0]) is None and seconds_left(60, [0, 0], [1, 1]) is None
    assert [duration(s) for s in (5, 100, 7200)] == [
        "under a minute", "about 2 min", "about 2.0 h",
    ]  # fmt: skip


def test_every_learned_task_of_every_method_is_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    out = io.StringIO()
    progress = MethodsProgress(Console(file=out, width=100), ["sft", "fggm"])

    def tell(method: str, seconds: float, **event: Any) -> None:
        clock[0] = seconds
        progress.tell(method, event)  # type: ignore[arg-type]

    def learned(method: str, task: int, seconds: float, **scores: float) -> None:
        tell(method, seconds, kind="step", task=task, step=10 * (task + 1), loss=1.0)
        tasks = {name: {"score": score} for name, score in scores.items()}
        general = {"score": 0.5}
        tell(
            method, seconds, kind="evaluation", final=True, task=task, tasks=tasks, general=general
        )
        tell(method, seconds, kind="task", task=task, name="AB"[task])

    with progress.shown():
        for method in ("sft", "fggm"):
            tell(method, 2.0, kind="start", names=["A", "B"], steps=[10, 10])
        learned("sft", 0, 60, A=0.9, B=0.1)
        learned("fggm", 0, 120, A=0.8, B=0.1)
        learned("sft", 1, 180, A=0.4, B=1.0)
        progress.finish("sft")
    assert out.getvalue().splitlines() == [
        "sft 1/2 A 0.90 · General 0.50 · about 3 min left",
        "fggm 1/2 A 0.80 · General 0.50 · about 2 min left",
        "sft 2/2 B 1.00 · earlier tasks -0.50, most A 0.90 → 0.40 · General 0.50 · "
        "about 1 min left",
    ]
