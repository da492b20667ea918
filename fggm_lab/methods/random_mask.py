"""The control every masking method must beat: as many units, drawn at random."""

from dataclasses import dataclass
from typing import ClassVar

from fggm_lab.masks import Mask
from fggm_lab.methods.base import Plan, TaskContext
from fggm_lab.methods.masking import TaskMasking, masked_names


@dataclass(frozen=True)
class RandomMask(TaskMasking):
    """A random mask of the same share, drawn anew for each task from the run's seed.

    Half fine-tuning (HFT, arXiv 2404.18466) is near: as we understand it, it freezes half of the
    weight matrices of each kind, whole ones, drawn anew for each round of training.

    Attributes:
        keep: the share of units that may move (1 − α; the paper's α is 0.7).
        scope: whether the share is taken within each `parameter` or over the whole model
            (`global`).
        parameters: what is masked, `all` parameters or the weights of `linear` layers only.
        others: whether parameters that are not masked `train` or `freeze`.
        first_task: whether the first task is masked, too; by default, as under FGGM, whose control
            it is.
    """

    name: ClassVar[str] = "random"
    paper: ClassVar[str] = "control; nearest: HFT, arXiv 2404.18466"

    def cut(self, context: TaskContext) -> Plan:
        """Draw the mask."""
        full = Mask.full(context.model).restricted(masked_names(context.model, self.parameters))
        mask = Mask.random(full, self.keep, self.scope, seed=context.seed_for("random mask"))
        return Plan(mask)
