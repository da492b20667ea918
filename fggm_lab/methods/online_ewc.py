"""Online EWC (1805.06370): one running Fisher that fades, anchored at the last weights."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from fggm_lab.checks import check_range
from fggm_lab.methods.ewc import EWC


@dataclass(frozen=True)
class OnlineEWC(EWC):
    """EWC with one penalty for all former tasks, toward the weights after the last of them.

    The penalty is λ/2 F (θ − θ*)², with θ* the weights after the task before, and F ← γF + F_t
    after each task t. Where EWC holds a weight near all its former values, this lets old tasks
    fade.

    Attributes:
        strength: λ, which depends on the model and the tasks.
        max_examples: estimate F_t on so many training examples, drawn by the run's seed (None:
            all).
        decay: γ; 1 never fades. The paper tunes it, below 1.
    """

    name: ClassVar[str] = "online-ewc"
    paper: ClassVar[str] = "arXiv 1805.06370, its online EWC"
    stores: ClassVar[str] = "two numbers per weight: its running Fisher, and its last value"

    decay: float = 0.95

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("decay", self.decay, 0, 1)

    def merged(
        self, fisher: Tensor, anchor: Tensor, new: Tensor, weights: Tensor
    ) -> tuple[Tensor, Tensor]:
        """F ← γF + F_t, anchored at the weights as they are now."""
        return self.decay * fisher + new, weights
