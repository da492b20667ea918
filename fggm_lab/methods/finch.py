"""FINCH (2605.20005): the learning rate falls with the square root of the loss."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from fggm_lab.checks import check_range
from fggm_lab.methods.base import Method, TaskContext

_LOSS = "finch.loss"


@dataclass(frozen=True)
class FINCH(Method):
    """Train each step at the run's learning rate divided by √L̄, with L̄ the loss, smoothed.

    What a step forgets is bounded by the rate times the square root of the batch's loss, the paper
    shows; so a batch of high loss takes a small step, and a model that has learned the task a large
    one. L̄ ← ρ L̄ + (1 − ρ) L, with L the step's mean loss per answer token in nats before the step,
    and starts anew, with the first batch's loss, at each task. At a loss of one nat the rate is the
    run's, which is the paper's κ. The run's schedule multiplies it; in the paper there is no other
    (schedule=constant). It costs nothing.

    We read the rule and its values in a summary of the paper, not in the paper.

    Attributes:
        smoothing: ρ, 0.9 in the paper.
        max_scale: the factor never exceeds it. The paper's limit is a rate, 5e-5; the factor is the
            lab's, since no one rate suits models of all sizes.
    """

    name: ClassVar[str] = "finch"
    paper: ClassVar[str] = "arXiv 2605.20005"

    smoothing: float = 0.9
    max_scale: float = 5.0

    def __post_init__(self) -> None:
        check_range("smoothing", self.smoothing, 0, 1)
        check_range("max_scale", self.max_scale, 0, above=True)

    def step_lr_scale(self, context: TaskContext, loss: float) -> float:
        """1/√L̄, or `max_scale` if that is smaller; L̄ is in the memory while the task is learned."""
        earlier = context.memory.get(_LOSS)
        smoothed = loss
        if earlier is not None:
            smoothed += self.smoothing * (float(earlier) - loss)
        context.memory[_LOSS] = torch.tensor(smoothed, dtype=torch.float64)
        return min(self.max_scale, smoothed**-0.5) if smoothed > 0 else self.max_scale

    def after_task(self, context: TaskContext) -> None:
        """Forget the smoothed loss."""
        context.memory.pop(_LOSS, None)
