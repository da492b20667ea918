"""The control every masking method must beat: as many units, chosen by chance."""

from dataclasses import dataclass
from typing import ClassVar

from fggm_lab.masks import Mask
from fggm_lab.methods.base import Plan, TaskContext
from fggm_lab.methods.masking import TaskMasking, masked_names


@dataclass(frozen=True)
class RandomMask(TaskMasking):
    """A random mask of the same share, drawn anew for each task from the run's seed."""

    name: ClassVar[str] = "random"
    paper: ClassVar[str] = "control"

    def cut(self, context: TaskContext) -> Plan:
        """Draw the mask."""
        full = Mask.full(context.model).restricted(masked_names(context.model, self.parameters))
        mask = Mask.random(full, self.keep, self.scope, seed=context.seed_for("random mask"))
        return Plan(mask)
