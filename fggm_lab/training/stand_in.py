"""The active units of one parameter, trained as a parameter of their own."""

from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, distributed, nn

from fggm_lab.training.rows_gradient import RowsGradient
from fggm_lab.training.stand_in_reduction import ActiveUnits


@dataclass(frozen=True)
class StandIn(ActiveUnits):
    """A parameter's active units, as a parameter of their own.

    Between steps `active` takes up no memory, only its gradient does.

    Attributes:
        axis: the axis of `parameter` along which they lie.
        shown: the gradient as it was last shown at the parameter, if it was.
    """

    axis: int
    shown: list[RowsGradient] = field(default_factory=list)

    @classmethod
    def of(cls, parameter: nn.Parameter, moving: Tensor, axis: int) -> "StandIn":
        """The stand-in for the units of `parameter` that `moving`, (units,), marks."""
        if parameter.ndim > 2:  # experts: one unit for every expert and row
            axis, moving = 0, moving.view(-1)
        index = moving.nonzero().flatten().to(parameter.device)
        dtype = torch.promote_types(parameter.dtype, torch.float32)
        active = nn.Parameter(parameter.detach().new_empty(0, dtype=dtype))
        stand_in = cls(parameter, active, index, axis)
        stand_in.gather(None)
        stand_in.release()
        return stand_in

    def _flat(self, tensor: Tensor) -> Tensor:
        return tensor.flatten(0, -2) if tensor.ndim > 2 else tensor

    def select(self, tensor: Tensor) -> Tensor:
        """The active units of a tensor of the parameter's shape."""
        return self._flat(tensor).index_select(self.axis, self.index)

    def gather(self, master: Tensor | None) -> None:
        """Read the active units from the parameter.

        Args:
            master: what was last written of them, before it was rounded to the parameter's type;
                it counts where the weight is still what it was rounded to.
        """
        weights = self.select(self.parameter.detach())
        values = weights.to(self.active.dtype)
        if master is not None:
            values = torch.where(master.to(weights.dtype) == weights, master, values)
        self.active.data = values

    def scatter(self) -> Tensor | None:
        """Write them back.

        Returns:
            What was written, if it was rounded.
        """
        values, parameter = self.active.data, self.parameter.detach()
        self._flat(parameter).index_copy_(self.axis, self.index, values.to(parameter.dtype))
        self.release()
        return None if values.dtype == parameter.dtype else values

    def release(self) -> None:
        """Keep the shape and give the memory back: one number, seen as many."""
        self.active.data = self.active.new_zeros(()).expand(self.active.shape)

    def move_gradient(self, parameter: Tensor) -> None:
        """Move a gradient that came to the parameter itself to the stand-in."""
        gradient = parameter.grad
        if gradient is not None and not isinstance(gradient, RowsGradient):
            parameter.grad = None
            self.drop_cleared()  # it had none: one that was shown there has been cleared since
            RowsGradient(self).accumulate(gradient)
            self.mark()

    def mark(self, _: Tensor | None = None) -> None:
        """Show the gradient at the parameter, too."""
        if not reduced_by_others():
            self.shown[:] = [RowsGradient(self)]
            self.parameter.grad = self.shown[0]

    def unmark(self) -> None:
        """Show none there."""
        self.shown.clear()
        if isinstance(self.parameter.grad, RowsGradient):
            self.parameter.grad = None

    def drop_cleared(self, _: Tensor | None = None) -> None:
        """Drop the gradient if the parameter's was cleared, as `model.zero_grad()` does."""
        if self.shown and self.parameter.grad is None:
            self.shown.clear()
            self.active.grad = None


def reduced_by_others() -> bool:
    """Whether another may reduce the parameters' gradients, and must not find those of rows."""
    return distributed.is_available() and distributed.is_initialized()


def freeze(parameter: nn.Parameter) -> None:
    """Let no gradient of a parameter be computed, but of its copies."""
    parameter.requires_grad_(False)
    parameter.__dict__["__deepcopy__"] = partial(_thawed_copy, parameter)


def thaw(parameter: nn.Parameter) -> None:
    """Undo `freeze`."""
    parameter.requires_grad_(True)
    parameter.__dict__.pop("__deepcopy__", None)


def _thawed_copy(parameter: nn.Parameter, memo: dict[int, Any]) -> nn.Parameter:
    """What `copy.deepcopy` makes of a frozen parameter: `thaw` reaches the original only."""
    copied = nn.Parameter(parameter.detach().clone())
    memo[id(parameter)] = copied
    return copied
