"""How many of a model's units can move in training."""

from torch import nn

from fggm_lab.masks.mask import Mask


def moving_units(model: nn.Module, mask: Mask | None) -> tuple[int, int]:
    """Count the units that training can move, and all units.

    A unit can move if its parameter requires a gradient and the mask lets the unit move. Parameters
    that the mask does not name train whole.

    Args:
        model: the model as it is trained.
        mask: the mask it is trained under; None masks nothing.

    Returns:
        The number of units that can move, and the number of units of the model.
    """
    bits = {} if mask is None else mask.units
    trainable = {name: parameter.requires_grad for name, parameter in model.named_parameters()}
    moving = total = 0
    for name, every in Mask.full(model).units.items():
        total += every.numel()
        moving += int(bits.get(name, every).sum()) if trainable[name] else 0
    return moving, total
