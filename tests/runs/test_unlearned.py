"""A task that no run learned is named, and so is one of which that is not known."""

from collections.abc import Callable
from pathlib import Path

import pytest

from fggm_lab.cli.results import print_comparison
from fggm_lab.runs import Run, ScoreMatrix
from fggm_lab.runs.unlearned import unchecked_tasks, unlearned_tasks
from tests.support.made_runs import config as config

EXAMPLES = 100


@pytest.fixture
def learned(tmp_path: Path, config: Callable[..., object]) -> Callable[..., Run]:
    """Makes a run of two tasks: scores untrained, then each right after it was learned."""

    def make(name: str, untrained: tuple[float, float] | None, after: tuple[float, float]) -> Run:
        names = ["FOMC", "Py150"]
        run = Run.create(tmp_path / name, config(task_names=names))  # type: ignore[arg-type]
        rows = [untrained or (), after[:1] + (untrained or ())[1:], after]
        for index, scores in enumerate(rows, start=-1):
            tasks = {
                task: {"score": s, "exact": s, "nll": 1.0, "examples": EXAMPLES, "empty": 0}
                for task, s in zip(names, scores, strict=False)  # a row may hold fewer
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


def test_without_an_untrained_score_of_any_run_it_is_said_to_be_unknown(
    learned: Callable[..., Run], capsys: pytest.CaptureFixture[str]
) -> None:
    scored, unscored = learned("a", (0.2, 0.5), (0.9, 0.9)), learned("b", None, (0.3, 0.4))
    assert unlearned_tasks(unscored) == {}
    assert unchecked_tasks(unscored) == ["FOMC", "Py150"]
    assert unchecked_tasks([scored, unscored]) == []
    print_comparison([unscored])
    printed = " ".join(capsys.readouterr().out.split())
    assert "whether any method learned FOMC, Py150 is not known" in printed
    assert "train with --score-unlearned" in printed
