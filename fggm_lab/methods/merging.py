"""Merging a model with an earlier state of itself: weights interpolated entry by entry."""

from collections.abc import Mapping

import torch
from torch import Tensor
from transformers import PreTrainedModel


@torch.no_grad()
def interpolate(model: PreTrainedModel, toward: Mapping[str, Tensor], weight: float) -> None:
    """Move every weight a part of the way to where it was: θ ← θ + weight · (θ⁰ − θ), in place.

    An entry that is where it was keeps its bits, as those of a mask's frozen units do.

    Args:
        model: whose parameters are changed.
        toward: θ⁰ by parameter name, on any device.
        weight: the part of the way, from 0 to 1.
    """
    for name, parameter in model.named_parameters():
        # In bfloat16 the difference of two nearly equal weights would be rounding and little else.
        wide = torch.promote_types(parameter.dtype, torch.float32)
        target = toward[name].to(parameter.device)
        merged = torch.lerp(parameter.to(wide), target.to(wide), weight).to(parameter.dtype)
        parameter.copy_(torch.where(parameter == target, parameter, merged))
