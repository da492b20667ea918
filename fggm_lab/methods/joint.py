"""The upper bound: all tasks learned at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import ClassVar

from fggm_lab.methods.base import Method
from fggm_lab.models.encoding import Encoded


@dataclass(frozen=True)
class Joint(Method):
    """Train on all tasks mixed, as if they were the first one; nothing is left for the others.

    Every example of every task is seen once per epoch, so the steps are about as many as those of
    the sequence; where tasks differ in their epochs, all have the mean over examples. Its score
    matrix has the same row for every task.
    """

    name: ClassVar[str] = "joint"
    paper: ClassVar[str] = "upper bound"
    stores: ClassVar[str] = "every example of every task"
    alone: ClassVar[bool] = True

    def training_set(self, index: int, encoded: Sequence[list[Encoded]]) -> Sequence[Encoded]:
        """All tasks' examples as the first task, none afterwards."""
        return list(chain.from_iterable(encoded)) if index == 0 else []

    def epochs(self, index: int, task_epochs: Sequence[float], examples: Sequence[int]) -> float:
        """The mean over examples of their tasks' epochs."""
        total = sum(epochs * count for epochs, count in zip(task_epochs, examples, strict=True))
        return total / sum(examples)
