"""WiSE-FT (2109.01903): after each task, the mean of the weights before it and after it."""

from dataclasses import dataclass
from typing import ClassVar

from fggm_lab.checks import check_range
from fggm_lab.methods.base import Method, TaskContext
from fggm_lab.methods.merging import interpolate


@dataclass(frozen=True)
class WiSE(Method):
    """Plain fine-tuning, then θ ← (1 − α) θ⁰ + α θ, with θ⁰ the weights before the task.

    The paper interpolates once, between a zero-shot model and the fine-tuned one; here it is done
    after every task, before the model is scored, and the next task goes on from the result. Within
    a task it trains as plain fine-tuning does, so that scores along the task are those of the
    weights not yet interpolated. It costs one reading of the weights per task.

    Attributes:
        alpha: α, the weight of the fine-tuned model: 1 is plain fine-tuning, 0 learns nothing. The
            paper recommends 0.5 where it cannot be chosen on data.
    """

    name: ClassVar[str] = "wise"
    paper: ClassVar[str] = "arXiv 2109.01903, section 3"
    own_weights: ClassVar[bool] = True
    merges: ClassVar[bool] = True

    alpha: float = 0.5

    def __post_init__(self) -> None:
        check_range("alpha", self.alpha, 0, 1)

    def on_weights(self, context: TaskContext, step: int, steps: int) -> bool:
        """Interpolate after the last step."""
        if step < steps:
            return False
        interpolate(context.model, context.before().state_dict(), 1 - self.alpha)
        return True
