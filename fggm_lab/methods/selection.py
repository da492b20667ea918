"""Which parameters a mask covers, and what becomes of those it leaves out."""

import torch
from torch import nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from fggm_lab.fisher import unit_axes
from fggm_lab.fisher.units import unit_count
from fggm_lab.masks import Mask

PARAMETERS = ("all", "linear")
OTHERS = ("train", "freeze")


def linear_weights(model: PreTrainedModel) -> set[str]:
    """Names of the weights of linear layers, the output head and tied embeddings excepted."""
    head = model.get_output_embeddings()
    return {
        f"{name}.weight"
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear | Conv1D) and module is not head
    }


def masked_names(model: PreTrainedModel, parameters: str) -> list[str]:
    """Names of the parameters a mask covers: `all` trainable ones, or weights of `linear` layers.

    Only parameters that require a gradient count.
    """
    names = [name for name, p in model.named_parameters() if p.requires_grad]
    if parameters == "all":
        return names
    wanted = linear_weights(model)
    return [name for name in names if name in wanted]


def complete(mask: Mask, model: PreTrainedModel, others: str) -> Mask:
    """Leave parameters without an entry in `mask` to train, or freeze them whole."""
    if others == "train":
        return mask
    axes = unit_axes(model)
    frozen = {
        name: torch.zeros(unit_count(tuple(p.shape), axes[name]), dtype=torch.bool)
        for name, p in model.named_parameters()
        if name not in mask.units
    }
    return Mask({**mask.units, **frozen}, {**mask.axes, **{n: axes[n] for n in frozen}}, mask.made)
