"""FGGM without the extra pass: the mask comes from the squared gradients of a task's first steps.

The paper (arXiv 2601.18261) names an online Fisher as future work. Adam's second moment as a
Fisher diagonal: Li et al., arXiv 2507.18807.
"""

from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor
from transformers import PreTrainedModel

from fggm_lab.checks import check_optional_count, check_range
from fggm_lab.errors import SettingError
from fggm_lab.fisher import FisherInfo, FisherScores
from fggm_lab.masks import Mask
from fggm_lab.methods.base import TaskContext
from fggm_lab.methods.masking import TaskMasking, complete, masked_names
from fggm_lab.models import as_units, unit_axes

_MOMENT = "fggm_online."
_CUT = "fggm_online"


@dataclass(frozen=True)
class FGGMOnline(TaskMasking):
    """All units move in a task's first steps; then those with the largest second moment go on.

    The moment is Adam's, v ← β₂ v + (1 − β₂) g², of the gradient before masking and clipping,
    summed over each unit's entries; that it is of a batch's *mean* gradient makes it a biased
    Fisher (see `estimator="batch"`). What the first steps moved in a unit that is then frozen is
    taken back, so that as under FGGM a frozen unit does not move at all over a task.

    Attributes:
        keep: the share of units that may move (1 − α; the paper's α is 0.7).
        scope: whether the share is taken within each `parameter` or over the whole model
            (`global`).
        parameters: what is masked, `all` parameters or the weights of `linear` layers only.
        others: whether parameters that are not masked `train` or `freeze`.
        first_task: whether the first task is masked, too; by default, as under FGGM.
        gather: the share of a task's steps, below 1, after which the mask is cut; that is after the
            first step at the earliest, and before the last.
        refresh: cut it anew every so many steps from then on (None: never).
        beta: β₂, the decay of the moment.
        rewind: whether to take back what frozen units moved.
    """

    name: ClassVar[str] = "fggm-online"
    paper: ClassVar[str] = "arXiv 2601.18261, future work; arXiv 2507.18807"
    stores: ClassVar[str] = "nothing; during a task, one number per unit"

    gather: float = 0.1
    refresh: int | None = None
    beta: float = 0.999
    rewind: bool = True
    _task: list[TaskContext] = field(default_factory=list, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("gather", self.gather, 0, 1)
        if self.gather == 1:
            raise SettingError(
                "gather is 1, so the mask would be cut when the task is over; choose less than 1"
            )
        check_range("beta", self.beta, 0, 1)
        check_optional_count("refresh", self.refresh)

    def start(self, context: TaskContext) -> None:
        """Remember the context for the hooks that get none."""
        self._task.append(context)

    def on_gradients(self, model: PreTrainedModel) -> None:
        """Add the step's squared gradients to the moments."""
        context = self._task[-1]
        if not self._gathers(context):
            return
        axes, memory = unit_axes(model), context.memory
        parameters = dict(model.named_parameters())
        for name in masked_names(model, self.parameters):
            gradient = parameters[name].grad
            if gradient is None:
                continue
            squares = as_units(gradient.float(), axes[name]).square().sum(dim=1)
            before = memory.get(_MOMENT + name, torch.zeros_like(squares)).to(squares.device)
            memory[_MOMENT + name] = self.beta * before + (1 - self.beta) * squares

    def _gathers(self, context: TaskContext) -> bool:
        if self.spares(context):
            return False
        return self.refresh is not None or _CUT not in context.memory

    def remask(self, context: TaskContext, step: int, steps: int) -> Mask | None:
        """The mask of the largest moments, where one is due.

        Args:
            context: of the task.
            step: how many of its steps were taken.
            steps: how many there are in all.

        Returns:
            The mask, or None for no change.

        Raises:
            SettingError: the task has a single step.
        """
        if steps == 1 and not self.spares(context):
            raise SettingError(
                f"task {context.name} takes a single step, and {self.name} cuts its mask after "
                "one; train for more epochs, or with a smaller batch_size"
            )
        first = min(max(1, round(self.gather * steps)), steps - 1)
        due = step == first or (
            self.refresh is not None and step > first and (step - first) % self.refresh == 0
        )
        if not due or step == steps or not self._gathers(context):
            return None
        mask = complete(self._top(context), context.model, self.others)
        if self.rewind:
            put_back(context.model, mask, context.before())
        if self.refresh is None:
            self._forget(context)
        context.memory[_CUT] = torch.tensor(step)
        return mask

    def _top(self, context: TaskContext) -> Mask:
        axes = unit_axes(context.model)
        units = {
            name.removeprefix(_MOMENT): moment.cpu()
            for name, moment in context.memory.items()
            if name.startswith(_MOMENT)
        }
        if not units:
            raise SettingError("no parameter has a gradient, so there is nothing to choose from")
        info = FisherInfo("adam", "input", examples=0, tokens=0, model="", task=context.name)
        scores = FisherScores(units, {name: axes[name] for name in units}, None, info)
        return Mask.top(scores, self.keep, self.scope)

    def _forget(self, context: TaskContext) -> None:
        for name in [name for name in context.memory if name.startswith(_MOMENT)]:
            del context.memory[name]

    def finish(self) -> None:
        """Release the context."""
        self._task.clear()

    def after_task(self, context: TaskContext) -> None:
        """Clear the moments: the next task gathers its own."""
        self._forget(context)
        context.memory.pop(_CUT, None)


@torch.no_grad()
def put_back(model: PreTrainedModel, mask: Mask, before: PreTrainedModel) -> None:
    """Give every frozen unit the value it had in another state of the same model.

    Args:
        model: the model to change.
        mask: its frozen units.
        before: the other state.
    """
    values: dict[str, Tensor] = dict(before.named_parameters())
    for name, parameter, frozen in mask.frozen(model):
        parameter.copy_(torch.where(frozen, values[name].to(parameter), parameter))
