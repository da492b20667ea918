"""The state of a run, built up from its events while it still trains."""

from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

import numpy as np

from fggm_lab.plots.score_curves import Measurement, general_points, points_of
from fggm_lab.runs import Run
from fggm_lab.runs.events import EvaluationEvent, Event

STRETCHES = 500
"""The most stretches of steps that the loss is drawn as."""


class LossCurve(NamedTuple):
    """The loss of all steps, in at most `STRETCHES` stretches of equally many.

    Attributes:
        step: (n,) each stretch's last step.
        low, middle, high: (n,) its lowest, median and highest loss, nats per answer token.
        width: steps per stretch; the last one may have fewer.
    """

    step: np.ndarray
    low: np.ndarray
    middle: np.ndarray
    high: np.ndarray
    width: int


class RunState:
    """What is known of a run from its events, given one by one in order with `take`.

    Attributes:
        names: the tasks, in order.
        general_better: `higher` if General is a score from 0 to 1, `lower` if it is a loss.
        planned: optimiser steps of each task, of one that a level ended those taken; empty until
            the run has started.
        task: the 0-based task in training, -1 before any.
        step: optimiser steps taken, over all tasks.
        shares: for each task, the share of the model's units that its mask lets move; None where
            that is not known (yet).
        finished: whether the run is.
    """

    def __init__(self, names: Sequence[str], general_better: str = "higher") -> None:
        self.names, self.general_better = list(names), general_better
        self._reset()

    @classmethod
    def of(cls, run: Run) -> "RunState":
        """The state of a run on disk, finished or not."""
        scores = run.scores
        state = cls(run.config.task_names, scores.general["better"] if scores else "higher")
        for event in run.events():
            state.take(event)
        return state

    def _reset(self) -> None:
        self.planned: list[int] = []
        self.task, self.step, self.finished = -1, 0, False
        self.shares: list[float | None] = [None] * len(self.names)
        self._losses: list[float | None] = []
        self._measured: list[EvaluationEvent] = []

    def take(self, event: Event) -> None:
        """Add one event; a `start` begins anew."""
        if event["kind"] == "start":
            self._reset()
            self.planned = list(event.get("steps", ()))
        elif event["kind"] == "step":
            self.task, self.step = event["task"], event["step"]
            self._losses.append(event["loss"])
        elif event["kind"] == "evaluation":
            self._measured.append(event)
        elif event["kind"] == "task":
            self.task = event["task"]
            self.shares[self.task] = event["kept"] / event["units"]
            if "until" in event and self.planned:
                self.planned[self.task] = event["until"]["steps"]
        elif event["kind"] == "end":
            self.finished = True

    @property
    def total(self) -> int:
        """Steps from the first to the last, as planned; 0 before the start."""
        return sum(self.planned)

    @property
    def ends(self) -> list[int]:
        """The planned last step of each task."""
        return list(accumulate(self.planned))

    @property
    def loss(self) -> float | None:
        """The last step's loss."""
        return self._losses[-1] if self._losses else None

    def points(self, name: str) -> list[Measurement]:
        """A task's measurements in the order of steps."""
        return points_of(self._measured, name)

    def general(self) -> list[Measurement]:
        """The measurements of General, in the order of steps."""
        return general_points(self._measured)

    def losses(self) -> LossCurve:
        """The loss so far; a stretch's width is a power of two, so that the curve stays put."""
        values = np.asarray(self._losses, dtype=np.float64)
        width = 1
        while len(values) > width * STRETCHES:
            width *= 2
        complete = len(values) // width * width
        parts = [values[:complete].reshape(-1, width)]
        if complete < len(values):
            parts.append(values[complete:].reshape(1, -1))
        low, middle, high = (
            np.concatenate([of(rows, axis=1) for rows in parts])
            for of in (np.min, np.median, np.max)
        )
        first = self.step - len(values)
        step = first + np.minimum((np.arange(len(low)) + 1) * width, len(values))
        return LossCurve(step, low, middle, high, width)
