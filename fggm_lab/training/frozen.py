"""Keeping frozen units bit-identical whatever the optimiser does."""

import torch
from torch import Tensor, nn

from fggm_lab.fisher.units import as_units, spread
from fggm_lab.masks import Mask


class FrozenUnits:
    """Remembers the frozen units' values and puts them back after an optimiser step.

    A zero gradient is not enough: decoupled weight decay, momentum and a scaled update of an
    optimiser's own still move a weight. Parameters that the mask leaves out, or lets move whole,
    cost nothing.
    """

    def __init__(self, model: nn.Module, mask: Mask) -> None:
        self._kept: list[tuple[nn.Parameter, Tensor, Tensor]] = []
        for name, parameter in model.named_parameters():
            moving = mask.units.get(name)
            if moving is None or bool(moving.all()):
                continue
            shape = tuple(parameter.shape)
            frozen = ~spread(moving, shape, mask.axes.get(name, 0)).to(parameter.device)
            self._kept.append((parameter, frozen, parameter.detach().clone()))

    @torch.no_grad()
    def restore(self) -> None:
        """Set every frozen unit to its remembered value, bit for bit."""
        for parameter, frozen, value in self._kept:
            parameter.copy_(torch.where(frozen, value, parameter))


@torch.no_grad()
def unit_drift(
    before: dict[str, Tensor], model: nn.Module, axes: dict[str, int]
) -> dict[str, Tensor]:
    """How far each unit moved: the L2 norm of its change, exactly 0 for a frozen unit.

    Args:
        before: the parameters' earlier values by name.
        axes: which axis of a parameter counts its units.

    Returns:
        parameter name → (units,) float32 norms.
    """
    return {
        name: as_units(
            parameter.detach().cpu().float() - before[name].float(), axes.get(name, 0)
        ).norm(dim=1)
        for name, parameter in model.named_parameters()
    }
