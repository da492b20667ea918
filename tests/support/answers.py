"""A run whose stored answers a test can foresee."""

from pathlib import Path

from fggm_lab.runs import Prediction, Run
from tests.support.records import made_run

SCORES: dict[str, dict[str | None, list[float]]] = {
    "A": {None: [0, 0, 0, 1], "A": [1, 1, 0.5, 0], "B": [1, 0.5, 0.5, 0], "C": [0, 0.5, 0.5, 1]},
    "B": {None: [0, 0, 0, 0], "A": [0, 0, 0, 0], "B": [1, 1, 1, 0], "C": [1, 0.25, 1, 0]},
    "C": {None: [0, 0, 0, 0], "A": [0, 0, 0, 0], "B": [0, 0, 0, 0], "C": [1, 1, 1, 1]},
}
"""Task → after which task (None: untrained) → the scores of its four examples."""


def answered_run(path: Path, method: str = "sft", done: int | None = None) -> Run:
    """A run over A, B and C with the predictions of `SCORES`; of two tokens each.

    Args:
        path: the folder above the run's.
        method: its method.
        done: how many tasks are finished; None: all.
    """
    run = made_run(path, method, ["A", "B", "C"], done=done)
    for stage in [None, *run.config.task_names[:done]]:
        run.save_predictions(stage, [
            Prediction(
                None, task, "test", index, f"{task} asks number {index}?", f"right {index}",
                f"right {index}" if score == 1 else f"wrong {task} <{index}>", score, score == 1,
                2 * (1 - score) + 0.1 * index, 2,
            )
            for task, by_stage in SCORES.items() for index, score in enumerate(by_stage[stage])
        ])  # fmt: skip
    return run
