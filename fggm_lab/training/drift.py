"""How far training moved each unit."""

import torch
from torch import Tensor, nn

from fggm_lab.models.units import as_units


@torch.no_grad()
def unit_drift(
    before: dict[str, Tensor], model: nn.Module, axes: dict[str, int]
) -> dict[str, Tensor]:
    """How far each unit moved: the L2 norm of its change, exactly 0 for a frozen unit.

    Args:
        before: the parameters' earlier values by name.
        model: as it is now.
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
