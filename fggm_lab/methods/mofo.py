"""MoFO, the momentum-filtered optimiser (2407.20999): only entries with large momentum step."""

from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.hooks import RemovableHandle

from fggm_lab.errors import SettingError
from fggm_lab.mask_settings import check_keep
from fggm_lab.methods.base import Method, TaskContext


@dataclass(frozen=True)
class MoFO(Method):
    """At every step of Adam, move only the entries with the largest first moment of each weight.

    Moments are kept of all entries; those outside the top share of |m| are put back after the
    step, so that weight decay does not move them either (in the released code it does).

    Attributes:
        keep: the share of entries of each weight that a step moves; round(keep · n) of n, at least
            one. The released code's page recommends 0.05 to 0.2.
        vectors: filter biases and norms, too; the released code lets them move whole.
        first_task: whether the first task is filtered, too; by default as in the paper, which
            fine-tunes once and filters every step.
    """

    name: ClassVar[str] = "mofo"
    paper: ClassVar[str] = "arXiv 2407.20999, algorithm 1"
    masks: ClassVar[bool] = True

    keep: float = 0.15
    vectors: bool = False
    first_task: bool = True
    _before: dict[nn.Parameter, Tensor] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    _handles: list[RemovableHandle] = field(
        default_factory=list, init=False, repr=False, compare=False
    )
    _unfiltered: list[str] = field(default_factory=list, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_keep(self.keep)

    def start(self, context: TaskContext) -> None:
        """Note whether this is a first task that is left unfiltered."""
        if context.index == 0 and not self.first_task:
            self._unfiltered.append(context.name)

    def attach(self, optimizer: Optimizer) -> None:
        """Watch the optimiser's steps, unless this is an unfiltered first task.

        An optimiser without a first moment (`exp_avg`) is refused at its first step.
        """
        if self._unfiltered:
            return
        self._handles.append(optimizer.register_step_pre_hook(self._note))
        self._handles.append(optimizer.register_step_post_hook(self._filter))

    @torch.no_grad()
    def _note(self, optimizer: Optimizer, *_: Any) -> None:
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None and (parameter.ndim > 1 or self.vectors):
                    self._before[parameter] = parameter.detach().clone()

    @torch.no_grad()
    def _filter(self, optimizer: Optimizer, *_: Any) -> None:
        for parameter, before in self._before.items():
            moment = optimizer.state[parameter].get("exp_avg")
            if moment is None:
                raise SettingError(
                    f"mofo filters by Adam's first moment, and {type(optimizer).__name__} keeps "
                    "none; train with optimizer adamw"
                )
            count = max(1, round(self.keep * parameter.numel()))
            top = moment.abs().flatten().topk(count, sorted=False).indices
            moved = before.flatten()
            moved[top] = parameter.detach().flatten()[top]
            parameter.copy_(moved.view_as(parameter))
        self._before.clear()

    def finish(self) -> None:
        """Remove the hooks."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        self._before.clear()
        self._unfiltered.clear()
