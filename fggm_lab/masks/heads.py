"""A mask that leaves out whole attention heads."""

from collections.abc import Iterable

import torch
from transformers import PreTrainedModel

from fggm_lab.errors import SettingError
from fggm_lab.masks.mask import Mask, MaskInfo
from fggm_lab.models.heads import head_layout, head_parts

Head = tuple[int, int]
"""An attention head: its layer and its number there, both from 0."""


def without_heads(model: PreTrainedModel, heads: Iterable[Head]) -> Mask:
    """The mask of the output projections' columns that leaves out those of some heads.

    A head whose columns are zero contributes nothing to its layer's output, exactly, and no other
    head is touched; its value rows could not be zeroed instead, for under grouped-query attention
    other heads read them, too.

    Args:
        model: a causal language model of transformers.
        heads: pairs of layer and head.

    Returns:
        A mask over the columns of the output projections; those of the heads are False.

    Raises:
        ModelError: it is not known which units of the model belong to which head.
        SettingError: there is no such head, or none is named.
    """
    chosen = set(heads)
    outputs = {part.layer: part for part in head_parts(model) if part.projection == "output"}
    for layer, head in sorted(chosen):
        if layer not in outputs or not 0 <= head < head_layout(model).heads:
            raise SettingError(
                f"there is no head {head} in layer {layer}; layers are {min(outputs)} to "
                f"{max(outputs)}, heads 0 to {head_layout(model).heads - 1}"
            )
    if not chosen:
        raise SettingError("no attention head is chosen; choose one or more")
    units = {}
    for layer, part in outputs.items():
        bits = torch.ones(part.units.numel(), dtype=torch.bool)
        for head in range(len(part.units)):
            bits[part.units[head]] = (layer, head) not in chosen
        units[part.name] = bits
    axes = {part.name: part.axis for part in outputs.values()}
    mask = Mask(units, axes, MaskInfo(1.0, "parameter", "heads"))
    mask.info = MaskInfo(mask.share, "parameter", "heads")
    return mask
