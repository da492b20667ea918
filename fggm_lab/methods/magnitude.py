"""The other control: as many units, chosen by the size of their weights without any data."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from fggm_lab.checks import check_choice
from fggm_lab.masks import Mask, MaskInfo
from fggm_lab.masks.selection import select
from fggm_lab.methods.base import Plan, TaskContext
from fggm_lab.methods.masking import TaskMasking, masked_names
from fggm_lab.models import as_units, unit_axes

Size = Literal["largest", "smallest"]
"""Which weights move."""


@dataclass(frozen=True)
class Magnitude(TaskMasking):
    """Let the units with the largest weights move, measured before each task.

    A unit's size is the mean of |weight| over its entries: its L1 norm, by which filters are
    pruned, over its length, so that long and short rows compare under `scope="global"`. There the
    entries of norms, around 1 and each a unit, come before all rows of weights; leave them out with
    `parameters="linear"`.

    Attributes:
        keep: the share of units that may move (1 − α; the paper's α is 0.7).
        scope: whether the share is taken within each `parameter` or over the whole model
            (`global`).
        parameters: what is masked, `all` parameters or the weights of `linear` layers only.
        others: whether parameters that are not masked `train` or `freeze`.
        first_task: whether the first task is masked, too; by default, as under FGGM, whose control
            it is.
        size: the `largest` or the `smallest` units move.
    """

    name: ClassVar[str] = "magnitude"
    paper: ClassVar[str] = "control; arXiv 1608.08710 prunes filters by their L1 norm"
    own_weights: ClassVar[bool] = True

    size: Size = "largest"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("size", self.size, Size)

    def cut(self, context: TaskContext) -> Plan:
        """Measure the units and cut the mask."""
        axes, weights = unit_axes(context.model), dict(context.model.named_parameters())
        sign = 1 if self.size == "largest" else -1
        sizes = {
            name: sign * as_units(weights[name].detach().abs().double(), axes[name]).mean(dim=1)
            for name in masked_names(context.model, self.parameters)
        }
        units = select({n: s.cpu().numpy() for n, s in sizes.items()}, self.keep, self.scope)
        info = MaskInfo(self.keep, self.scope, f"{self.size} weights", task=context.name)
        return Plan(Mask(units, {name: axes[name] for name in units}, info))
