"""The control every masking method must beat: as many units, chosen by chance."""

from dataclasses import dataclass
from typing import ClassVar

from fggm_lab.masks import Mask
from fggm_lab.methods.base import Method, Plan, TaskContext, check_choice, check_keep
from fggm_lab.methods.selection import OTHERS, PARAMETERS, complete, masked_names


@dataclass(frozen=True)
class RandomMask(Method):
    """A random mask of the same share, drawn anew for each task from the run's seed.

    Attributes: as in `FGGM`.
    """

    name: ClassVar[str] = "random"
    paper: ClassVar[str] = "control"

    keep: float = 0.3
    scope: str = "layer"
    parameters: str = "all"
    others: str = "train"
    first_task: bool = True

    def __post_init__(self) -> None:
        check_keep(self.keep)
        check_choice("scope", self.scope, ("layer", "global"))
        check_choice("parameters", self.parameters, PARAMETERS)
        check_choice("others", self.others, OTHERS)

    def plan(self, context: TaskContext) -> Plan:
        """Draw the mask."""
        if context.index == 0 and not self.first_task:
            return Plan()
        full = Mask.full(context.model).restricted(masked_names(context.model, self.parameters))
        mask = Mask.random(full, self.keep, self.scope, seed=1000 * context.seed + context.index)
        return Plan(complete(mask, context.model, self.others))
