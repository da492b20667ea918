"""SFA (2501.05559): while a task is learned, the weights are averaged with those before it."""

from dataclasses import dataclass, field
from typing import ClassVar

from torch import Tensor

from fggm_lab.checks import check_range
from fggm_lab.methods.base import Method, TaskContext
from fggm_lab.methods.merging import interpolate


@dataclass(frozen=True)
class SFA(Method):
    """Plain fine-tuning, but for θ ← (1 − β) θ + β θ⁰ after every pT of T steps and after the last.

    θ⁰ are the weights before the task. One average, at the end, is WiSE-FT's interpolation with
    α = 1 − β; several are, as the paper shows, much like a pull to θ⁰ at every step (L2 with
    anchor=task) at the price of one reading of the weights each. The optimiser's moments are left
    as they are.

    We read the paper in excerpts, the update among them, not its choice of β and p: the defaults
    are the lab's.

    Attributes:
        beta: β, the weight of θ⁰ in each average.
        period: p, the share of a task's steps from one average to the next; rounded to whole steps.
    """

    name: ClassVar[str] = "sfa"
    paper: ClassVar[str] = "arXiv 2501.05559"
    stores: ClassVar[str] = "nothing; during a task, a copy of the weights as they were before"
    own_weights: ClassVar[bool] = True
    merges: ClassVar[bool] = True

    beta: float = 0.5
    period: float = 0.25
    _before: dict[str, Tensor] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_range("beta", self.beta, 0, 1)
        check_range("period", self.period, 0, 1, above=True)

    def start(self, context: TaskContext) -> None:
        """Put a copy of the weights before the task on the device of the model."""
        before = context.before().to(context.model.device)
        self._before.update((name, p.detach()) for name, p in before.named_parameters())

    def on_weights(self, context: TaskContext, step: int, steps: int) -> bool:
        """Average after every pT-th step and after the last."""
        every = max(1, round(self.period * steps))
        if step % every and step < steps:
            return False
        interpolate(context.model, self._before, self.beta)
        return True

    def finish(self) -> None:
        """Release the copy."""
        self._before.clear()
