"""Fixtures that make small runs on disk without training anything."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fggm_lab.runs import Run, RunConfig, ScoreMatrix, general_scores

TASKS = ["A", "B"]
SETTINGS: dict[str, Any] = {
    "model": "tiny",
    "model_fingerprint": "0123456789abcdef",
    "tasks": "trace-mini",
    "task_names": TASKS,
    "task_fingerprint": "fedcba9876543210",
    "general": "data/general",
    "method": "sft",
    "seed": 0,
    "epochs": 3,
    "batch_size": 32,
    "lr": 5e-4,
    "max_length": 256,
}


@pytest.fixture
def config() -> Callable[..., RunConfig]:
    """A configuration with some settings changed."""
    return lambda **changes: RunConfig(**{**SETTINGS, **changes})


@pytest.fixture
def finished_run(config: Callable[..., RunConfig]) -> Callable[..., Run]:
    """A finished run of two tasks, whose final score on the first task is `last`."""

    def make(path: Path, last: float = 0.4, better: Any = "higher", **changes: Any) -> Run:
        run = Run.create(path, config(**changes))
        run.append({"kind": "start", "time": "2026-11-24T00:00:00"})
        for task in range(2):
            seconds = {"score": 1.0, "train": 10.0, "evaluate": 2.0}
            spent = {
                "seconds": seconds,
                "peak_memory_mb": 100 + task,
                "stored_bytes": 500_000 * task,
            }
            name = run.config.task_names[task]
            run.append({"kind": "task", "task": task, "name": name, "kept": 4, "units": 4} | spent)
        run.save_scores(
            ScoreMatrix(
                run.config.task_names,
                [[0.9, None], [last, 0.8]],
                [0.1, 0.2],
                general_scores(0.95, 0.5, "skills", better),
            )
        )
        run.append({"kind": "end", "time": "2026-11-24T00:01:00", "seconds": 30.0})
        return run

    return make
