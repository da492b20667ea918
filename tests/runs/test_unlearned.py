"""A task that no run learned is named; one that a single run learned is not."""

from collections.abc import Callable
from pathlib import Path

import pytest

from fggm_lab.runs import Run, ScoreMatrix
from fggm_lab.runs.unlearned import unlearned_tasks
from tests.support.made_runs import config as config

EXAMPLES = 100


@pytest.fixture
def learned(tmp_path: Path, config: Callable[..., object]) -> Callable[..., Run]:
    """Makes a run of two tasks: scores untrained, then each right after it was learned."""

    def make(name: str, untrained: tuple[float, float], after: tuple[float, float]) -> Run:
        names = ["FOMC", "Py150"]
        run = Run.create(tmp_path / name, config(task_names=names))  # type: ignore[arg-type]
        for index, scores in enumerate([untrained, (after[0], untrained[1]), after], start=-1):
            tasks = {
                task: {"score": s, "exact": s, "nll": 1.0, "examples": EXAMPLES, "empty": 0}
                for task, s in zip(names, scores, strict=True)
            }
            run.append(
                {"kind": "evaluation", "task": index, "task_step": 0, "step": 0, "final": True,
                 "tasks": tasks, "general": None}
            )  # fmt: skip
        run.save_scores(ScoreMatrix.from_events(names, run.events("evaluation"), None, "higher"))
        return run

    return make


def test_a_gain_within_two_standard_errors_is_none(learned: Callable[..., Run]) -> None:
    runs = [learned("a", (0.2, 0.5), (0.9, 0.55)), learned("b", (0.2, 0.5), (0.3, 0.45))]
    assert unlearned_tasks(runs) == {"Py150": (0.5, 0.55)}
    assert unlearned_tasks(runs[1]) == {"FOMC": (0.2, 0.3), "Py150": (0.5, 0.45)}


def test_a_gain_that_is_sure_counts_of_any_run(learned: Callable[..., Run]) -> None:
    runs = [learned("a", (0.2, 0.5), (0.2, 0.7)), learned("b", (0.2, 0.5), (0.4, 0.5))]
    assert unlearned_tasks(runs) == {}
