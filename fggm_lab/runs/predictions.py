"""Every scored answer of a run, one Parquet file per evaluation: what a score is made of."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from fggm_lab.errors import RunError
from fggm_lab.files import read_rows, write_rows


@dataclass(frozen=True, slots=True)
class Prediction:
    """One example of a task's split, answered by the model as it was after some task.

    Attributes:
        trained_after: the task after which it was asked; None before any.
        task, split, index: which example: the task's name, its split and the 0-based place there.
        prompt, answer: the example's own texts.
        prediction: the greedy answer.
        score: what the task's metric gives it, 0 to 1; the score matrix has their mean.
        exact: whether it is right token by token.
        nll: negative log-likelihood of the right answer, nats, summed over its `tokens`.
        tokens: how many tokens the right answer has, its end included.
    """

    trained_after: str | None
    task: str
    split: str
    index: int
    prompt: str
    answer: str
    prediction: str
    score: float
    exact: bool
    nll: float
    tokens: int


COLUMNS = tuple(field.name for field in fields(Prediction))
"""The columns of the file, in order."""


def write_predictions(path: Path, rows: Sequence[Prediction]) -> None:
    """Write rows as a Parquet file, whole or not at all.

    Raises:
        LabError: the disk refused; a file that was there before is as it was.
    """
    write_rows(path, Prediction, rows)


def read_predictions(path: Path, task: str | None = None) -> list[Prediction]:
    """The rows of a file, of one task or all.

    Args:
        path: the Parquet file.
        task: whose rows; None: those of every task.

    Returns:
        The rows in the order of the file.

    Raises:
        RunError: the file is damaged, or has other columns.
    """

    def damaged(reason: str) -> RunError:
        return RunError(
            f"{path} is damaged ({reason}); restore it, or repeat the run to have its predictions"
        )

    return read_rows(path, Prediction, damaged, {} if task is None else {"task": task})
