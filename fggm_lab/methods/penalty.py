"""Quadratic penalties, as what they add to gradients."""

import torch
from torch import Tensor, nn


@torch.no_grad()
def pull(parameter: nn.Parameter, toward: Tensor, strength: Tensor | float) -> None:
    """Add the gradient of strength/2 · (θ − toward)², which is strength · (θ − toward).

    A parameter that the loss did not reach gets a gradient, too.

    Args:
        parameter: θ; its gradient is changed in place.
        toward: the values it is pulled to, of its shape and on its device.
        strength: one factor for all entries, or one for each.
    """
    # In bfloat16 the difference of two nearly equal weights would be rounding and little else.
    wide = torch.promote_types(parameter.dtype, torch.float32)
    gradient = (parameter.detach().to(wide) - toward) * strength
    if parameter.grad is None:
        parameter.grad = gradient.to(parameter.dtype)
    else:
        parameter.grad.add_(gradient)
